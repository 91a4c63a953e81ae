//! Streaming statistics in f64.
//!
//! Blocks are measured in two passes and merged by the pairwise update of Chan, Golub and LeVeque 1983
//! (Algorithms for computing the sample variance), so that neither a large offset nor many pixels cost digits.

use serde::Serialize;

/// Statistics of one band over its valid pixels. All values come after scale and offset.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandStats {
    /// Smallest value; `None` without valid pixels, like the next three.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation of the population, as GDAL gives it.
    pub std: Option<f64>,
    /// Valid pixels among those looked at.
    pub valid: u64,
    /// Their share, 0 to 1.
    pub valid_share: f64,
}

/// Count, extremes, mean and sum of squared deviations so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub(crate) count: u64,
    min: f32,
    max: f32,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(crate) const EMPTY: Moments =
        Moments { count: 0, min: f32::INFINITY, max: f32::NEG_INFINITY, mean: 0.0, squares: 0.0 };

    /// Of the values whose flag is set. Both slices have one length.
    pub(crate) fn of(values: &[f32], valid: &[bool]) -> Self {
        let mut block = Self::EMPTY;
        let mut sum = 0.0;
        let chosen = || values.iter().zip(valid).filter(|(_, valid)| **valid).map(|(&value, _)| value);
        for value in chosen() {
            block.count += 1;
            block.min = block.min.min(value);
            block.max = block.max.max(value);
            sum += f64::from(value);
        }
        if block.count > 0 {
            block.mean = sum / block.count as f64;
            block.squares = chosen().map(|value| (f64::from(value) - block.mean).powi(2)).sum();
        }
        block
    }

    /// Of the pixels of both.
    pub(crate) fn merge(self, other: Self) -> Self {
        if other.count == 0 {
            return self;
        }
        if self.count == 0 {
            return other;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        Self {
            count: self.count + other.count,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            mean: self.mean + delta * m / (n + m),
            squares: self.squares + other.squares + delta * delta * n * m / (n + m),
        }
    }

    /// As told to users; `seen` counts valid and invalid pixels.
    pub(crate) fn stats(&self, seen: u64) -> BandStats {
        let known = |value: f64| (self.count > 0).then_some(value);
        BandStats {
            min: known(decimal(self.min)),
            max: known(decimal(self.max)),
            mean: known(self.mean),
            std: known((self.squares / self.count as f64).sqrt()),
            valid: self.count,
            valid_share: if seen == 0 { 0.0 } else { self.count as f64 / seen as f64 },
        }
    }
}

/// The number whose shortest decimal digits are those of the f32: 0.1 and not 0.10000000149.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_numbers() {
        let stats = Moments::of(&[2.0, 4.0, 99.0, 6.0], &[true, true, false, true]).stats(4);
        assert_eq!((stats.min, stats.max, stats.mean), (Some(2.0), Some(6.0), Some(4.0)));
        assert!((stats.std.unwrap() - (8.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!((stats.valid, stats.valid_share), (3, 0.75));
        let empty = Moments::of(&[1.0], &[false]).stats(1);
        assert_eq!((empty.min, empty.std, empty.valid_share), (None, None, 0.0));
        assert_eq!(Moments::of(&[0.1], &[true]).stats(1).min, Some(0.1));
    }

    proptest! {
        #[test]
        fn blocks_merge_to_the_whole(values in prop::collection::vec(-100.0f32..100.0, 0..60), cut in 0usize..60, offset in 0.0f32..1e5) {
            let values: Vec<f32> = values.iter().map(|value| value + offset).collect();
            let valid: Vec<bool> = values.iter().map(|value| value.to_bits() % 3 != 0).collect();
            let cut = cut.min(values.len());
            let whole = Moments::of(&values, &valid);
            let merged = Moments::of(&values[..cut], &valid[..cut]).merge(Moments::of(&values[cut..], &valid[cut..]));
            prop_assert_eq!((whole.count, whole.min, whole.max), (merged.count, merged.min, merged.max));
            prop_assert!((whole.mean - merged.mean).abs() <= 1e-9 * (1.0 + whole.mean.abs()));
            prop_assert!((whole.squares - merged.squares).abs() <= 1e-6 * (1.0 + whole.squares));
        }
    }
}
