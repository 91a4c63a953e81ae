//! One self-contained HTML page about a run or an evaluation: no network, no scripts, pictures inside.
//!
//! ```
//! use swath::report::{ReportData, render};
//! let page = render(&ReportData { title: "Fields & forests".into(), ..ReportData::default() });
//! assert!(page.contains("<h1>Fields &amp; forests</h1>"));
//! ```

mod bars;
mod chart;
mod html;
mod legend;
mod matrix;
mod page;
mod picture;
mod png;
mod tables;

use crate::evaluate::{EvaluatedClass, Evaluation};

pub(crate) use bars::Bars;
pub use legend::with_legend;
pub use page::{render, render_evaluation};
pub use picture::{class_picture, error_picture, stretched};
pub use png::{Picture, encode_png};

/// Everything a report shows; a part that is empty is left out of the page.
///
/// All texts are shown as they are: markup in them is escaped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportData {
    /// Heading of the page.
    pub title: String,
    /// One line below it: when, with which version.
    pub subtitle: String,
    /// Run summary: model, data, time, images per second, ...
    pub facts: Vec<Fact>,
    /// Classes, in the order of their ids.
    pub classes: Vec<EvaluatedClass>,
    /// A picture of the finished map, with its caption.
    pub map: Option<(Picture, String)>,
    /// What the training recorded.
    pub curves: Curves,
    /// Scores, confusion matrix and areas.
    pub evaluation: Option<Evaluation>,
    /// Example chips.
    pub examples: Vec<ExampleChip>,
    /// The resolved recipe as TOML.
    pub recipe: String,
}

/// One line of the run summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What, for example `Training time`.
    pub label: String,
    /// How much or which, for example `12 min`.
    pub value: String,
}

impl Fact {
    /// A fact from two texts.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// Curves over training steps, as `(step, value)` with increasing steps. Values that are not finite are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Loss of each training batch.
    pub training_loss: Vec<(f64, f64)>,
    /// Loss on the validation scenes.
    pub validation_loss: Vec<(f64, f64)>,
    /// IoU on the validation scenes, 0 to 1, one named curve each (mean, single classes).
    pub validation_iou: Vec<(String, Vec<(f64, f64)>)>,
    /// Learning rate.
    pub learning_rate: Vec<(f64, f64)>,
}

/// A chip as the network saw it, beside its labels and the prediction.
///
/// # Shapes
/// `labels`, `predicted`: `[height, width]` of `image`, class ids or [`IGNORE`](crate::IGNORE)
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleChip {
    /// Where it lies: scene, column and row.
    pub caption: String,
    /// The image in colours that people recognize: see [`stretched`].
    pub image: Picture,
    /// Reference.
    pub labels: Vec<u16>,
    /// Prediction.
    pub predicted: Vec<u16>,
}
