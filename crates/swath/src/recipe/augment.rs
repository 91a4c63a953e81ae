//! `[augment]`: random changes of training chips.

use serde::{Deserialize, Serialize};

/// Lowest and highest value of a number that is drawn evenly between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Span {
    /// Lowest value.
    pub low: f64,
    /// Highest value.
    pub high: f64,
}

impl From<[f64; 2]> for Span {
    fn from([low, high]: [f64; 2]) -> Self {
        Span { low, high }
    }
}

impl From<Span> for [f64; 2] {
    fn from(span: Span) -> Self {
        [span.low, span.high]
    }
}

/// Random changes of training chips. Brightness, contrast and gamma are drawn for every band by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Mirror left-right and top-bottom, each in half of the chips.
    pub flips: bool,
    /// Turn by 0, 90, 180 or 270 degrees.
    pub quarter_turns: bool,
    /// Move a chip by up to this many pixels from its drawn position, in both directions.
    pub shift: usize,
    /// Added to a band, in standard deviations of the band over the training scenes.
    pub brightness: Span,
    /// Factor of a band's distance from its mean over the training scenes.
    pub contrast: Span,
    /// Exponent of a band after it is scaled to 0..1 by the chip's own lowest and highest value.
    pub gamma: Span,
}

impl Default for Augment {
    fn default() -> Self {
        Augment {
            flips: true,
            quarter_turns: true,
            shift: 0,
            brightness: Span { low: 0.0, high: 0.0 },
            contrast: Span { low: 1.0, high: 1.0 },
            gamma: Span { low: 1.0, high: 1.0 },
        }
    }
}

impl Augment {
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, span, positive) in [
            ("augment.brightness", self.brightness, false),
            ("augment.contrast", self.contrast, true),
            ("augment.gamma", self.gamma, true),
        ] {
            let Span { low, high } = span;
            if !(low <= high && low.is_finite() && high.is_finite()) {
                return Err(format!("{key} is [{low}, {high}]: write [lowest, highest], both finite"));
            }
            if positive && low <= 0.0 {
                return Err(format!("{key} is [{low}, {high}]: both must be above 0"));
            }
        }
        Ok(())
    }
}
