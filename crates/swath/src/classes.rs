//! Classes: what a map distinguishes, how each is drawn and how label files name it.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// One class of a map.
///
/// A recipe needs only name and colour; [`Class::with_defaults`] fills in the rest, so that code that
/// reads labels never has to know the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Name in reports, legends and attribute tables; unique.
    pub name: String,
    /// Colour in maps and charts: red, green, blue; `"#rrggbb"` in the recipe. Unique.
    #[serde(with = "hex_color")]
    pub color: [u8; 3],
    /// Values that name the class in label rasters; the class's own index unless given.
    #[serde(default)]
    pub values: Vec<i64>,
    /// Colours that name the class in RGB label images; the class's own colour unless given.
    #[serde(default, with = "hex_colors")]
    pub colors: Vec<[u8; 3]>,
    /// Attribute values that name the class in label vectors; the class's own name unless given.
    #[serde(default)]
    pub attributes: Vec<String>,
}

impl Class {
    /// A class with name and colour only.
    pub fn new(name: &str, color: [u8; 3]) -> Class {
        Class { name: name.to_owned(), color, values: Vec::new(), colors: Vec::new(), attributes: Vec::new() }
    }

    /// The class with everything filled in that follows from its position among the classes.
    ///
    /// ```
    /// use swath::classes::Class;
    /// let water = Class::new("water", [0, 0, 255]).with_defaults(2);
    /// assert_eq!(water.values, [2]);
    /// assert_eq!(water.colors, [[0, 0, 255]]);
    /// assert_eq!(water.attributes, ["water"]);
    /// ```
    pub fn with_defaults(mut self, index: usize) -> Class {
        if self.values.is_empty() {
            self.values.push(index as i64);
        }
        if self.colors.is_empty() {
            self.colors.push(self.color);
        }
        if self.attributes.is_empty() {
            self.attributes.push(self.name.clone());
        }
        self
    }
}

/// A colour for a class that has none: neighbouring ids get hues that are far apart.
///
/// ```
/// let colors: std::collections::HashSet<_> = (0..100).map(swath::classes::default_color).collect();
/// assert_eq!(colors.len(), 100);
/// ```
pub fn default_color(index: usize) -> [u8; 3] {
    // Steps of the golden angle never repeat a hue.
    let hue = (index as f64 * 137.507_764 + 210.0) % 360.0 / 60.0;
    // Three lightnesses, so that classes with similar hues still differ.
    let value = [0.85, 0.65, 0.95][index % 3];
    let channel = |offset: f64| {
        let k = (offset + hue) % 6.0;
        let share = value - value * 0.75 * k.min(4.0 - k).clamp(0.0, 1.0);
        (share * 255.0).round() as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// Checks that the classes can be told apart, in maps as well as in label files.
///
/// # Errors
///
/// A line that names the classes at fault and what they share.
pub fn check(classes: &[Class]) -> Result<(), String> {
    if classes.len() < 2 {
        return Err(format!(
            "{} given; a network needs at least two, for example \
             {{ name = \"background\", color = \"#000000\" }} and {{ name = \"building\", color = \"#ff3300\" }}",
            if classes.is_empty() { "no class is" } else { "only one class is" }
        ));
    }
    if let Some(index) = classes.iter().position(|class| class.name.trim().is_empty()) {
        return Err(format!("class {index} has an empty name"));
    }
    distinct(classes, "the name", |class| vec![class.name.clone()], |name| format!("\"{name}\""))?;
    distinct(classes, "the colour", |class| vec![class.color], |color| to_hex(*color))?;
    distinct(classes, "the label value", |class| class.values.clone(), i64::to_string)?;
    distinct(classes, "the label colour", |class| class.colors.clone(), |color| to_hex(*color))?;
    distinct(classes, "the attribute", |class| class.attributes.clone(), |name| format!("\"{name}\""))
}

/// The colour as `#rrggbb`.
pub fn to_hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Reads `#rrggbb`.
pub fn from_hex(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// Refuses a key that two classes, or one class twice, lay claim to.
fn distinct<K: Eq + Hash>(
    classes: &[Class],
    what: &str,
    keys: impl Fn(&Class) -> Vec<K>,
    show: impl Fn(&K) -> String,
) -> Result<(), String> {
    let mut owners: HashMap<K, usize> = HashMap::new();
    for (index, class) in classes.iter().enumerate() {
        for key in keys(class) {
            let shown = show(&key);
            match owners.insert(key, index) {
                None => {}
                Some(first) if first == index => {
                    return Err(format!("class \"{}\" lists {what} {shown} twice", class.name));
                }
                Some(first) => {
                    return Err(format!(
                        "classes {first} (\"{}\") and {index} (\"{}\") share {what} {shown}",
                        classes[first].name, class.name
                    ));
                }
            }
        }
    }
    Ok(())
}

mod hex_color {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(color: &[u8; 3], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_hex(*color))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 3], D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text)
    }

    pub(super) fn parse<E: Error>(text: &str) -> Result<[u8; 3], E> {
        super::from_hex(text)
            .ok_or_else(|| E::custom(format!("`{text}` is not a colour: write \"#rrggbb\", for example \"#ff3300\"")))
    }
}

pub(crate) mod hex_colors {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(colors: &[[u8; 3]], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(colors.iter().map(|color| super::to_hex(*color)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 3]>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| super::hex_color::parse(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Vec<Class> {
        [Class::new("land", [0, 0, 0]), Class::new("water", [0, 0, 255])]
            .into_iter()
            .enumerate()
            .map(|(index, class)| class.with_defaults(index))
            .collect()
    }

    #[test]
    fn colours_round_trip_and_refuse_other_forms() {
        assert_eq!(from_hex("#3C1098"), Some([60, 16, 152]));
        assert_eq!(to_hex([60, 16, 152]), "#3c1098");
        for wrong in ["3C1098", "#3C109", "#3C10988", "#3C10GG", "#é0000", ""] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn classes_that_cannot_be_told_apart_are_refused() {
        assert_eq!(check(&pair()), Ok(()));
        let refused = |change: fn(&mut Vec<Class>), words: &str| {
            let mut classes = pair();
            change(&mut classes);
            let error = check(&classes).expect_err(words);
            assert!(error.contains(words), "{error}");
        };
        refused(|c| c.clear(), "no class is given");
        refused(|c| c.truncate(1), "only one class");
        refused(|c| c[1].name = "land".into(), "share the name \"land\"");
        refused(|c| c[1].name = " ".into(), "class 1 has an empty name");
        refused(|c| c[1].color = [0, 0, 0], "share the colour #000000");
        refused(|c| c[1].values = vec![0], "share the label value 0");
        refused(|c| c[1].values = vec![4, 4], "class \"water\" lists the label value 4 twice");
        refused(|c| c[1].colors = vec![[0, 0, 0]], "share the label colour #000000");
        refused(|c| c[1].attributes = vec!["land".into()], "share the attribute \"land\"");
    }
}
