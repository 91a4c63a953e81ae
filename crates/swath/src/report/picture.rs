//! Pictures of imagery, of class labels and of errors.

use crate::IGNORE;
use crate::evaluate::{ErrorMapCoding, EvaluatedClass};

use super::png::Picture;

/// Imagery as people recognize it: each of three bands stretched from its 2nd to its 98th percentile.
///
/// Give the same band three times for a grey picture. Invalid pixels become transparent.
///
/// # Shapes
/// - `bands`: three of `[height, width]` (red, green, blue), any unit
/// - `valid`: `[height, width]`
///
/// # Panics
/// When the lengths differ from `width * height`.
pub fn stretched(width: usize, height: usize, bands: [&[f32]; 3], valid: &[bool]) -> Picture {
    let pixels = width * height;
    assert!(valid.len() == pixels && bands.iter().all(|b| b.len() == pixels), "bands of {width}x{height} pixels");
    let ranges = bands.map(|band| percentiles(band, valid));
    let rgba = (0..pixels).map(|i| {
        if !valid[i] {
            return [0; 4];
        }
        let [red, green, blue] = [0, 1, 2].map(|b| {
            let (low, high) = ranges[b];
            // The cast saturates and takes NaN to 0.
            ((bands[b][i] - low) / (high - low).max(f32::MIN_POSITIVE) * 255.0).round() as u8
        });
        [red, green, blue, 255]
    });
    Picture { width, height, rgba: rgba.collect() }
}

/// Labels in the colours of their classes; [`IGNORE`] and ids beyond the classes are transparent.
///
/// # Panics
/// When `labels` does not hold `width * height` pixels.
pub fn class_picture(width: usize, height: usize, labels: &[u16], classes: &[EvaluatedClass]) -> Picture {
    assert_eq!(labels.len(), width * height, "labels of {width}x{height} pixels");
    let color = |&label: &u16| match classes.get(usize::from(label)) {
        Some(EvaluatedClass { color: [red, green, blue], .. }) if label != IGNORE => [*red, *green, *blue, 255],
        _ => [0; 4],
    };
    Picture { width, height, rgba: labels.iter().map(color).collect() }
}

/// Where a prediction is wrong, in the colours of the error map; what was not compared is transparent.
///
/// # Panics
/// When the arrays do not hold `width * height` pixels.
pub fn error_picture(
    width: usize,
    height: usize,
    labels: &[u16],
    predicted: &[u16],
    coding: &ErrorMapCoding,
) -> Picture {
    assert!(labels.len() == width * height && predicted.len() == labels.len(), "labels of {width}x{height} pixels");
    let color = |(&label, &predicted): (&u16, &u16)| {
        let entry = coding.legend.get(usize::from(coding.code(label, predicted)));
        entry.map_or([0; 4], |EvaluatedClass { color: [red, green, blue], .. }| [*red, *green, *blue, 255])
    };
    Picture { width, height, rgba: labels.iter().zip(predicted).map(color).collect() }
}

/// The 2nd and the 98th percentile of the valid, finite values.
fn percentiles(band: &[f32], valid: &[bool]) -> (f32, f32) {
    let mut values: Vec<f32> =
        band.iter().zip(valid).filter(|(v, ok)| **ok && v.is_finite()).map(|(v, _)| *v).collect();
    if values.is_empty() {
        return (0.0, 1.0);
    }
    values.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    (at(0.02), at(0.98))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<EvaluatedClass> {
        ["a", "b"].map(|name| EvaluatedClass { name: name.into(), color: [10, 20, 30] }).to_vec()
    }

    #[test]
    fn a_stretch_uses_the_whole_range_and_leaves_outliers_out() {
        let mut band: Vec<f32> = (0..100).map(|v| 300.0 + v as f32).collect();
        band[50] = 1e6;
        band[51] = f32::NAN;
        let mut valid = vec![true; 100];
        valid[0] = false;
        let picture = stretched(10, 10, [&band, &band, &band], &valid);
        assert_eq!(picture.rgba[0], [0; 4]);
        assert_eq!((picture.rgba[1][0], picture.rgba[99][0], picture.rgba[50][0]), (0, 255, 255));
        assert!((100..150).contains(&picture.rgba[49][1]));
    }

    #[test]
    fn a_flat_or_empty_band_is_no_trouble() {
        assert_eq!(stretched(1, 1, [&[5.0], &[5.0], &[5.0]], &[true]).rgba, [[0, 0, 0, 255]]);
        assert_eq!(stretched(1, 1, [&[5.0], &[5.0], &[5.0]], &[false]).rgba, [[0; 4]]);
    }

    #[test]
    fn unlabelled_pixels_are_transparent() {
        assert_eq!(class_picture(3, 1, &[1, IGNORE, 7], &classes()).rgba, [[10, 20, 30, 255], [0; 4], [0; 4]]);
        let coding = ErrorMapCoding::new(&classes(), Some(1)).unwrap();
        let picture = error_picture(2, 1, &[1, IGNORE], &[1, 1], &coding);
        assert_eq!((picture.rgba[0][3], picture.rgba[1]), (255, [0; 4]));
    }
}
