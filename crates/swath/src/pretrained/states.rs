//! The dictionaries with tensors in a pickle: which one is the network's, and what else is there.

use std::collections::BTreeMap;

use super::pickle::{Id, Pickle, Tensor, Value};

/// Keys that lead to a dictionary are followed so far, since a pickle may nest without end.
const MOST_KEYS: usize = 8;
const MOST_BYTES: usize = 100;

/// The tensors of a pickle.
#[derive(Debug, Default)]
pub(super) struct States<'a> {
    /// Where the network's dictionary stands: `state_dict`, or nothing where it is the whole.
    pub(super) place: String,
    /// Its names and tensors.
    pub(super) tensors: Vec<(&'a str, &'a Tensor)>,
    /// Places of other dictionaries with how many tensors they hold: an optimizer's, or averaged weights.
    pub(super) others: BTreeMap<String, usize>,
}

/// A value that is still to be looked at.
struct Visit {
    id: Id,
    place: String,
    keys: usize,
    /// Whether the place is final, as below a number, which tells nothing to people.
    ends: bool,
}

impl Visit {
    fn below(&self, id: Id, key: Option<&str>) -> Visit {
        let key = key.filter(|key| !self.ends && self.keys < MOST_KEYS && self.place.len() + key.len() < MOST_BYTES);
        let place = match (key, self.place.as_str()) {
            (None, place) => place.to_string(),
            (Some(key), "") => key.to_string(),
            (Some(key), place) => format!("{place}.{key}"),
        };
        Visit { id, place, keys: self.keys + 1, ends: key.is_none() }
    }
}

impl<'a> States<'a> {
    /// Takes the dictionary that names most tensors, the first of several. What unknown objects hold is not looked at.
    pub(super) fn of(pickle: &'a Pickle) -> States<'a> {
        let mut seen = vec![false; pickle.values.len()];
        seen[pickle.root] = true;
        let mut open = vec![Visit { id: pickle.root, place: String::new(), keys: 0, ends: false }];
        let mut found: Vec<(String, Vec<(&str, &Tensor)>)> = Vec::new();
        while let Some(visit) = open.pop() {
            let text = |key: Id| match &pickle.values[key] {
                Value::Text(key) => Some(key.as_str()),
                _ => None,
            };
            let first = open.len();
            // Each value once, however many refer to it.
            let mut queue = |id: Id, key: Option<&str>| {
                let nests = matches!(pickle.values[id], Value::List(_) | Value::Tuple(_) | Value::Dict(_));
                if nests && !std::mem::replace(&mut seen[id], true) {
                    open.push(visit.below(id, key));
                }
            };
            match &pickle.values[visit.id] {
                Value::List(items) | Value::Tuple(items) => items.iter().for_each(|&id| queue(id, None)),
                Value::Dict(pairs) => {
                    pairs.iter().for_each(|&(key, value)| queue(value, text(key)));
                    let tensor = |&(key, value): &(Id, Id)| match &pickle.values[value] {
                        Value::Tensor(tensor) => Some((text(key)?, tensor)),
                        _ => None,
                    };
                    let tensors: Vec<_> = pairs.iter().filter_map(tensor).collect();
                    if !tensors.is_empty() {
                        found.push((visit.place, tensors));
                    }
                }
                _ => {}
            }
            // The first is looked at first.
            open[first..].reverse();
        }
        let most = found.iter().map(|(_, tensors)| tensors.len()).max();
        let Some(chosen) = found.iter().position(|(_, tensors)| Some(tensors.len()) == most) else {
            return States::default();
        };
        let (place, tensors) = found.remove(chosen);
        let mut others = BTreeMap::new();
        for (place, tensors) in found {
            *others.entry(place).or_default() += tensors.len();
        }
        States { place, tensors, others }
    }
}
