//! The error map: where a map is wrong, and how.

use crate::IGNORE;

use super::EvaluatedClass;

/// How the pixels of an error map are coded.
///
/// With a positive class (two-class problems): 0 true negative, 1 false positive, 2 false negative, 3 true positive.
/// Otherwise: 0 correct, 1 + c where the map wrongly says class c.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorMapCoding {
    positive: Option<u16>,
    /// Names and colours of the values 0, 1, 2, ...
    pub legend: Vec<EvaluatedClass>,
}

impl ErrorMapCoding {
    /// The value of pixels that were not compared; the file's nodata.
    pub const NOT_COMPARED: u16 = 255;

    /// The coding for some classes; `None` when there are more than the 254 that fit in eight bits.
    pub fn new(classes: &[EvaluatedClass], positive: Option<usize>) -> Option<Self> {
        let entry = |name: String, color| EvaluatedClass { name, color };
        if let (Some(positive), 2) = (positive, classes.len()) {
            let name = &classes[positive].name;
            let legend = vec![
                entry(format!("rightly not {name}"), TRUE_NEGATIVE),
                entry(format!("false {name}"), FALSE_POSITIVE),
                entry(format!("missed {name}"), FALSE_NEGATIVE),
                entry(format!("correct {name}"), TRUE_POSITIVE),
            ];
            return Some(Self { positive: Some(positive as u16), legend });
        }
        if classes.len() >= usize::from(Self::NOT_COMPARED) {
            return None;
        }
        let wrong = classes.iter().map(|class| entry(format!("wrongly {}", class.name), class.color));
        Some(Self { positive: None, legend: std::iter::once(entry("correct".into(), CORRECT)).chain(wrong).collect() })
    }

    /// The value of one pixel.
    pub fn code(&self, reference: u16, predicted: u16) -> u8 {
        let code = match self.positive {
            _ if reference == IGNORE || predicted == IGNORE => Self::NOT_COMPARED,
            Some(positive) => u16::from(predicted == positive) + 2 * u16::from(reference == positive),
            None if reference == predicted => 0,
            None => predicted + 1,
        };
        code as u8
    }
}

// Blue and orange stay apart for colour-blind eyes.
const TRUE_NEGATIVE: [u8; 3] = [226, 226, 222];
const FALSE_POSITIVE: [u8; 3] = [217, 95, 14];
const FALSE_NEGATIVE: [u8; 3] = [33, 102, 172];
const TRUE_POSITIVE: [u8; 3] = [120, 160, 120];
const CORRECT: [u8; 3] = [236, 236, 232];

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Vec<EvaluatedClass> {
        names.iter().map(|name| EvaluatedClass { name: (*name).into(), color: [9, 9, 9] }).collect()
    }

    #[test]
    fn two_classes_show_the_four_outcomes() {
        let coding = ErrorMapCoding::new(&classes(&["ground", "house"]), Some(1)).unwrap();
        let codes = [(0, 0), (0, 1), (1, 0), (1, 1), (IGNORE, 1)].map(|(r, p)| coding.code(r, p));
        assert_eq!(codes, [0, 1, 2, 3, 255]);
        let names: Vec<_> = coding.legend.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["rightly not house", "false house", "missed house", "correct house"]);
        let other = ErrorMapCoding::new(&classes(&["ground", "house"]), Some(0)).unwrap();
        assert_eq!(other.code(0, 1), 2);
    }

    #[test]
    fn more_classes_show_what_the_map_says_where_it_is_wrong() {
        let coding = ErrorMapCoding::new(&classes(&["a", "b", "c"]), None).unwrap();
        let codes = [(0, 0), (2, 2), (0, 2), (1, 0), (1, IGNORE)].map(|(r, p)| coding.code(r, p));
        assert_eq!(codes, [0, 0, 3, 1, 255]);
        assert_eq!(coding.legend.len(), 4);
    }

    #[test]
    fn too_many_classes_for_eight_bits_are_refused() {
        let names: Vec<String> = (0..255).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(ErrorMapCoding::new(&classes(&names), None).is_none());
        assert!(ErrorMapCoding::new(&classes(&names[..254]), None).is_some());
    }
}
