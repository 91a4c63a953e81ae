//! What a label file's values and colours mean.

use std::collections::HashMap;

use crate::IGNORE;
use crate::classes::{Class, to_hex};

/// Class ids by raster value and by colour.
#[derive(Clone, Debug)]
pub struct LabelRules {
    /// Classes of the values from 0 on.
    small: Vec<Option<u16>>,
    values: HashMap<i64, u16>,
    colors: HashMap<[u8; 3], u16>,
    /// Whether a class has values other than its own number.
    renumbered: bool,
}

/// Values that are looked up in a table.
const SMALL: usize = 1 << 16;

impl LabelRules {
    /// The rules of these classes; `ignore_values` and `ignore_colors` name unlabelled pixels.
    ///
    /// ```
    /// use swath::classes::Class;
    /// use swath::dataset::LabelRules;
    /// let classes = [Class::new("land", [0; 3]).with_defaults(0), Class::new("water", [0, 0, 255]).with_defaults(1)];
    /// let rules = LabelRules::new(&classes, &[255], &[[9, 9, 9]]);
    /// assert_eq!(rules.of_value(1.0), Some(1));
    /// assert_eq!(rules.of_value(255.0), Some(swath::IGNORE));
    /// assert_eq!(rules.of_value(2.0), None);
    /// assert_eq!(rules.of_color([0, 0, 255]), Some(1));
    /// ```
    pub fn new(classes: &[Class], ignore_values: &[i64], ignore_colors: &[[u8; 3]]) -> Self {
        let mut values: HashMap<i64, u16> = ignore_values.iter().map(|value| (*value, IGNORE)).collect();
        let mut colors: HashMap<[u8; 3], u16> = ignore_colors.iter().map(|color| (*color, IGNORE)).collect();
        for (id, class) in (0u16..).zip(classes) {
            values.extend(class.values.iter().map(|value| (*value, id)));
            colors.extend(class.colors.iter().map(|color| (*color, id)));
        }
        let renumbered = (0i64..).zip(classes).any(|(id, class)| class.values != [id]);
        Self { small: table(&values), values, colors, renumbered }
    }

    /// The rules of files that hold class ids already.
    pub fn identity(classes: usize, ignore: u16) -> Self {
        let values: HashMap<i64, u16> =
            (0..classes as i64).map(|id| (id, id as u16)).chain([(i64::from(ignore), IGNORE)]).collect();
        Self { small: table(&values), values, colors: HashMap::new(), renumbered: true }
    }

    /// The class of a raster value, [`IGNORE`] for unlabelled pixels, none for an unknown value.
    pub fn of_value(&self, value: f32) -> Option<u16> {
        if value.fract() != 0.0 {
            return None;
        }
        if (0.0..SMALL as f32).contains(&value) {
            return self.small[value as usize];
        }
        self.values.get(&(value as i64)).copied()
    }

    /// The class of a colour, [`IGNORE`] for unlabelled pixels, none for an unknown colour.
    pub fn of_color(&self, color: [u8; 3]) -> Option<u16> {
        self.colors.get(&color).copied()
    }

    /// Whether any colour has a meaning.
    pub(super) fn knows_colors(&self) -> bool {
        !self.colors.is_empty()
    }

    /// The rules of a raster whose values are places in a colour table.
    ///
    /// Writers number the colours of a table as they please, mostly in the order of their appearance, so that the colours
    /// count and not the numbers: value `v` is the class of colour `palette[v]`. Only where some of the values `present`
    /// have a colour that names no class while all of them name a class by themselves, or where a class was given values
    /// other than its own number, the numbers count.
    pub(super) fn through(&self, palette: &[[u8; 3]], present: &[usize]) -> Self {
        let by_color = |value: usize| palette.get(value).and_then(|color| self.of_color(*color));
        let by_value = |value: usize| self.values.get(&(value as i64)).copied();
        let colors_fit = present.iter().all(|value| by_color(*value).is_some());
        let values_fit = present.iter().all(|value| by_value(*value).is_some());
        if values_fit && (self.renumbered || !colors_fit) {
            return self.clone();
        }
        let values: HashMap<i64, u16> =
            (0..palette.len()).filter_map(|value| Some((value as i64, by_color(value)?))).collect();
        Self { small: table(&values), values, ..self.clone() }
    }

    /// The known values or colours in words.
    pub(super) fn known(&self, by_color: bool) -> String {
        let names: Vec<String> = if by_color {
            let mut colors: Vec<_> = self.colors.keys().collect();
            colors.sort();
            colors.into_iter().map(|color| to_hex(*color)).collect()
        } else {
            let mut values: Vec<_> = self.values.keys().collect();
            values.sort();
            values.into_iter().map(i64::to_string).collect()
        };
        shortened(&names, 12)
    }
}

fn table(values: &HashMap<i64, u16>) -> Vec<Option<u16>> {
    (0..SMALL as i64).map(|value| values.get(&value).copied()).collect()
}

/// The first names of a list, and how many more there are.
pub(super) fn shortened(names: &[String], most: usize) -> String {
    match names.len().saturating_sub(most) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..most].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_table_are_found_and_others_are_unknown() {
        let classes = [Class { values: vec![-1, 100_000], ..Class::new("far", [1, 2, 3]) }];
        let rules = LabelRules::new(&classes, &[-9999], &[]);
        assert_eq!(rules.of_value(-1.0), Some(0));
        assert_eq!(rules.of_value(100_000.0), Some(0));
        assert_eq!(rules.of_value(-9999.0), Some(IGNORE));
        for unknown in [0.0, 0.5, -0.5, 70_000.0, f32::INFINITY, f32::NAN] {
            assert_eq!(rules.of_value(unknown), None, "{unknown}");
        }
        assert_eq!(rules.known(false), "-9999, -1, 100000");
    }

    #[test]
    fn colours_of_a_palette_count_and_not_their_numbers() {
        let classes = [
            Class::new("land", [0, 0, 0]).with_defaults(0),
            Class::new("water", [0, 0, 255]).with_defaults(1),
            Class::new("town", [255, 0, 0]).with_defaults(2),
        ];
        let rules = LabelRules::new(&classes, &[255], &[]);
        let palette = [[255, 0, 0], [0, 0, 0], [9, 9, 9]];
        let fitting = rules.through(&palette, &[0, 1]);
        assert_eq!([0.0, 1.0, 2.0].map(|value| fitting.of_value(value)), [Some(2), Some(0), None]);
        // Colour 2 names no class, value 2 does.
        assert_eq!(rules.through(&palette, &[0, 1, 2]).of_value(2.0), Some(2));
        // Values that were given explicitly.
        let explicit =
            [Class { values: vec![1], ..classes[0].clone() }, Class { values: vec![0], ..classes[1].clone() }];
        assert_eq!(LabelRules::new(&explicit, &[], &[]).through(&palette, &[0, 1]).of_value(0.0), Some(1));
    }

    #[test]
    fn class_ids_map_to_themselves() {
        let rules = LabelRules::identity(300, 65535);
        assert_eq!(rules.of_value(299.0), Some(299));
        assert_eq!(rules.of_value(300.0), None);
        assert_eq!(rules.of_value(65535.0), Some(IGNORE));
    }
}
