//! `area`: the part of a scene that an item uses, so that one scene can be split by place.

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A part of a scene: `[column, row, width, height]` in pixels or one side of it, such as
/// `{ left = 0.6 }`.
///
/// `left = 0.6` and `right = 0.4` of one scene touch and do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// This share of the columns, from the left.
    Left(f64),
    /// This share of the columns, from the right.
    Right(f64),
    /// This share of the rows, from the top.
    Top(f64),
    /// This share of the rows, from the bottom.
    Bottom(f64),
    /// A window: column, row, width, height.
    #[serde(untagged)]
    Pixels([usize; 4]),
}

impl Area {
    /// The area as column, row, width and height in a scene of `width` by `height` pixels. A window is
    /// returned as it is, also where it reaches beyond the scene.
    ///
    /// ```
    /// use swath::recipe::Area;
    /// assert_eq!(Area::Left(0.6).window(100, 50), [0, 0, 60, 50]);
    /// assert_eq!(Area::Right(0.4).window(100, 50), [60, 0, 40, 50]);
    /// assert_eq!(Area::Bottom(0.5).window(100, 51), [0, 26, 100, 25]);
    /// ```
    pub fn window(self, width: usize, height: usize) -> [usize; 4] {
        let cut = |size: usize, share: f64| ((size as f64 * share).round() as usize).min(size);
        match self {
            Area::Left(share) => [0, 0, cut(width, share), height],
            Area::Right(share) => {
                let col = cut(width, 1.0 - share);
                [col, 0, width - col, height]
            }
            Area::Top(share) => [0, 0, width, cut(height, share)],
            Area::Bottom(share) => {
                let row = cut(height, 1.0 - share);
                [0, row, width, height - row]
            }
            Area::Pixels(window) => window,
        }
    }

    pub(super) fn check(self, key: &str) -> Result<(), String> {
        match self {
            Area::Left(share) | Area::Right(share) | Area::Top(share) | Area::Bottom(share) => {
                super::require(share > 0.0 && share <= 1.0, key, share, "a share must be above 0 and at most 1")
            }
            Area::Pixels([_, _, width, height]) => {
                super::require(width > 0 && height > 0, key, format!("{width} by {height} pixels"), "it is empty")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Area {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AreaVisitor)
    }
}

/// The sides, as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Left(f64),
    Right(f64),
    Top(f64),
    Bottom(f64),
}

struct AreaVisitor;

impl<'de> Visitor<'de> for AreaVisitor {
    type Value = Area;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("[column, row, width, height] or one side such as { left = 0.6 }")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Area, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(seq)).map(Area::Pixels)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Area, A::Error> {
        Ok(match Deserialize::deserialize(MapAccessDeserializer::new(map))? {
            Side::Left(share) => Area::Left(share),
            Side::Right(share) => Area::Right(share),
            Side::Top(share) => Area::Top(share),
            Side::Bottom(share) => Area::Bottom(share),
        })
    }
}
