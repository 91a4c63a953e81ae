//! Chips of a scene on disk, normalized.

use swath_geo::{Edge, Reader, Scene, Window};

use super::network::{ChipPixels, ChipSource};
use crate::error::{Error, Result};

/// Reads chips of a scene and normalizes them: `(value - mean) / std`, band by band.
pub struct SceneSource {
    reader: Reader,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl SceneSource {
    /// A source with a reader of its own. `mean` and `std` hold one number for each band of the scene.
    ///
    /// # Errors
    /// When the numbers do not fit the bands, or a deviation is not above 0.
    pub fn new(scene: &Scene, mean: &[f32], std: &[f32]) -> Result<SceneSource> {
        let bands = scene.bands().len();
        if mean.len() != bands || std.len() != bands {
            let problem = format!(
                "the normalization holds {} means and {} deviations for the {bands} bands of {}",
                mean.len(),
                std.len(),
                scene.name()
            );
            return Err(Error::PredictOptions { problem });
        }
        if let Some(band) = std.iter().position(|&std| !(std > 0.0 && std.is_finite())) {
            let problem = format!("the normalization of band {} divides by {}", band + 1, std[band]);
            return Err(Error::PredictOptions { problem });
        }
        Ok(SceneSource { reader: scene.reader()?, mean: mean.to_vec(), std: std.to_vec() })
    }
}

impl ChipSource for SceneSource {
    fn read(&mut self, window: Window) -> Result<ChipPixels> {
        let pixels = self.reader.read(window, Edge::Mirror)?;
        let mut values = pixels.values.data;
        for ((band, mean), std) in values.chunks_exact_mut(window.area()).zip(&self.mean).zip(&self.std) {
            for value in band {
                *value = (*value - mean) / std;
            }
        }
        Ok(ChipPixels { values, valid: pixels.valid })
    }
}
