//! Which feature makes which class, and in which order features are burned.

use std::collections::BTreeMap;

use gdal::vector::Feature;

use crate::rasterize::{BurnOrder, BurnRule, RasterizeSpec};
use crate::{GeoError, Result};

/// The layers to read, each with its rules. No rules at all: the field's numbers are the classes.
pub(crate) fn rules_by_layer(spec: &RasterizeSpec) -> Result<Vec<(Option<&str>, Vec<&BurnRule>)>> {
    if spec.field.is_none() && (spec.rules.is_empty() || spec.rules.iter().any(|rule| !rule.values.is_empty())) {
        let text = "name the attribute field that tells the class, or give rules that need no attribute";
        return Err(GeoError::input(&spec.vector, text));
    }
    let mut layers: Vec<(Option<&str>, Vec<&BurnRule>)> = Vec::new();
    for rule in &spec.rules {
        let layer = rule.layer.as_deref().or(spec.layer.as_deref());
        match layers.iter_mut().find(|(name, _)| *name == layer) {
            Some((_, rules)) => rules.push(rule),
            None => layers.push((layer, vec![rule])),
        }
    }
    if layers.is_empty() {
        layers.push((spec.layer.as_deref(), Vec::new()));
    }
    Ok(layers)
}

/// Finds the class of an attribute value.
pub(crate) struct Chooser {
    every: Option<u16>,
    by_value: BTreeMap<String, u16>,
    /// The same values as numbers, for fields that write 1 as 1.0.
    by_number: Vec<(f64, u16)>,
    from_field: bool,
}

impl Chooser {
    pub(crate) fn new(rules: &[&BurnRule]) -> Chooser {
        let mut chooser =
            Chooser { every: None, by_value: BTreeMap::new(), by_number: Vec::new(), from_field: rules.is_empty() };
        for rule in rules {
            let class = rule.class as u16;
            if rule.values.is_empty() {
                chooser.every.get_or_insert(class);
            }
            for value in &rule.values {
                chooser.by_value.entry(value.clone()).or_insert(class);
                if let Ok(number) = value.parse() {
                    chooser.by_number.push((number, class));
                }
            }
        }
        chooser
    }

    /// The class of an attribute value, `None` when no rule names it. A rule that names the value wins over one that takes every feature.
    pub(crate) fn choose(&self, text: Option<&str>) -> std::result::Result<Option<u16>, String> {
        let Some(text) = text else { return Ok(self.every) };
        let number = text.trim().parse::<f64>().ok();
        if self.from_field {
            return match number {
                Some(number) if number.fract() == 0.0 && (0.0..65536.0).contains(&number) => Ok(Some(number as u16)),
                _ => Err(format!(
                    "the value {text:?} is no class number from 0 to 65535; say which values make which class"
                )),
            };
        }
        let named = self.by_value.get(text).copied();
        let numbered =
            || number.and_then(|n| self.by_number.iter().find(|(value, _)| *value == n).map(|(_, class)| *class));
        Ok(named.or_else(numbered).or(self.every))
    }
}

/// Place of a feature in the order of burning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    Number(f64),
    Text(String),
}

impl Key {
    /// Texts (and missing values, as empty texts) before numbers.
    pub(crate) fn compare(&self, other: &Key) -> std::cmp::Ordering {
        match (self, other) {
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            (Key::Text(_), Key::Number(_)) => std::cmp::Ordering::Less,
            (Key::Number(_), Key::Text(_)) => std::cmp::Ordering::Greater,
        }
    }
}

/// The key of a feature; areas are measured later, on the grid.
pub(crate) fn order_key(order: &BurnOrder, value: u16, field: Option<usize>, feature: &Feature<'_>) -> Key {
    match order {
        BurnOrder::ByClass => Key::Number(f64::from(value)),
        BurnOrder::ByField(_) => {
            let text = field.and_then(|index| feature.field_as_string(index).ok().flatten()).unwrap_or_default();
            text.trim().parse().map_or(Key::Text(text), Key::Number)
        }
        BurnOrder::File | BurnOrder::ByArea => Key::Number(0.0),
    }
}
