//! Evaluation of finished maps against reference labels.
//!
//! Maps are compared as a user gets them: stitched, on their own grid, and only where both the map and the labels say
//! something. Every scene is reported by itself and all of them pooled (counts are added, not scores averaged).

mod comparison;
mod error_map;
mod files;
mod objects;
mod preview;
mod spec;
mod table;

#[cfg(test)]
mod file_tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use comparison::{ClassArea, Comparison, Counts, Measures};
pub use error_map::ErrorMapCoding;
pub use files::{Evaluated, boundary_distance, evaluate};
pub use objects::{ObjectEvaluation, ObjectSpec, VertexShare, evaluate_objects, object_table};
pub use preview::Preview;
pub use spec::{EvaluateSpec, MapAndLabels};
pub use table::table;
pub(crate) use table::{aligned, area_unit, grouped, percent};

/// The result of an evaluation; JSON through serde.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The classes; all lists by class follow this order.
    pub classes: Vec<EvaluatedClass>,
    /// The distance of the boundary scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<BoundaryDistance>,
    /// All scenes together.
    pub pooled: Measures,
    /// Each scene.
    pub scenes: Vec<SceneEvaluation>,
}

/// Name and colour of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatedClass {
    /// Name.
    pub name: String,
    /// Red, green, blue.
    pub color: [u8; 3],
}

/// One map and its labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneEvaluation {
    /// The map, as the user named it.
    pub map: String,
    /// The labels, as the user named them.
    pub labels: String,
    /// What the comparison found.
    pub measures: Measures,
}

/// How far apart outlines may lie and still match.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundaryDistance {
    /// Metres on the ground.
    Metres(f64),
    /// Pixels of the map.
    Pixels(f64),
}

impl fmt::Display for BoundaryDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metres(metres) => write!(f, "{metres} m"),
            Self::Pixels(pixels) => write!(f, "{pixels} px"),
        }
    }
}
