//! Band statistics over valid pixels, from which the normalization is made.
//!
//! Blocks are summarized by two passes in double precision and merged by Chan, Golub, LeVeque: *Updating formulae and a
//! pairwise algorithm for computing sample variances*, 1979. The result depends on the order of the blocks only, which
//! is the scene's; not on threads.

/// Count, mean and spread of the valid values seen so far.
///
/// ```
/// use swath::dataset::Moments;
/// let mut all = Moments::of([1.0, 2.0].into_iter());
/// all.merge(&Moments::of([3.0].into_iter()));
/// assert_eq!((all.count, all.mean, all.variance()), (3, 2.0, 2.0 / 3.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many values.
    pub count: u64,
    /// Their mean; 0 without values.
    pub mean: f64,
    /// Sum of the squared deviations from the mean.
    pub squares: f64,
    /// The least value; infinite without values.
    pub min: f32,
    /// The greatest value; minus infinity without values.
    pub max: f32,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, squares: 0.0, min: f32::INFINITY, max: f32::NEG_INFINITY }
    }
}

impl Moments {
    /// The moments of these values.
    pub fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let mut moments = Self::default();
        let mut sum = 0.0;
        for value in values.clone() {
            moments.count += 1;
            sum += f64::from(value);
            moments.min = moments.min.min(value);
            moments.max = moments.max.max(value);
        }
        if moments.count > 0 {
            moments.mean = sum / moments.count as f64;
            moments.squares = values.map(|value| (f64::from(value) - moments.mean).powi(2)).sum();
        }
        moments
    }

    /// Adds the values that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let difference = other.mean - self.mean;
        self.count += other.count;
        self.mean += difference * b / (a + b);
        self.squares += other.squares + difference * difference * a * b / (a + b);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Population variance; 0 without values.
    pub fn variance(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.squares / self.count as f64 }
    }

    /// The standard deviation to divide by.
    ///
    /// A band that is constant, up to rounding, has nothing to scale: it gets 1, so that it normalizes to 0.
    pub fn scale(&self) -> f64 {
        let deviation = self.variance().sqrt();
        if deviation > 1e-6 * self.mean.abs() { deviation } else { 1.0 }
    }
}

/// Statistics of every band over the valid pixels of a data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// One entry per band.
    pub bands: Vec<Moments>,
}

impl Statistics {
    /// Statistics of `bands` bands that have seen nothing.
    pub fn new(bands: usize) -> Self {
        Self { bands: vec![Moments::default(); bands] }
    }

    /// Adds a block: `values` is `[band, row, column]`, `valid` is `[row, column]`.
    ///
    /// Panics when the lengths do not fit.
    pub fn add(&mut self, values: &[f32], valid: &[bool]) {
        assert_eq!(values.len(), self.bands.len() * valid.len(), "block does not have {} bands", self.bands.len());
        if valid.is_empty() {
            return;
        }
        for (moments, band) in self.bands.iter_mut().zip(values.chunks_exact(valid.len())) {
            let seen = band.iter().zip(valid).filter(|(_, valid)| **valid).map(|(value, _)| *value);
            moments.merge(&Moments::of(seen));
        }
    }

    /// Adds what `other` has seen in the same bands.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.bands.iter_mut().zip(&other.bands) {
            ours.merge(theirs);
        }
    }

    /// Valid pixels seen.
    pub fn pixels(&self) -> u64 {
        self.bands.first().map_or(0, |band| band.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_valid_pixels_count() {
        let mut statistics = Statistics::new(2);
        statistics.add(&[1.0, 99.0, 3.0, 10.0, 99.0, 30.0], &[true, false, true]);
        assert_eq!(statistics.pixels(), 2);
        assert_eq!(statistics.bands[0].mean, 2.0);
        assert_eq!(statistics.bands[1].mean, 20.0);
        assert_eq!((statistics.bands[1].min, statistics.bands[1].max), (10.0, 30.0));
    }

    #[test]
    fn constant_bands_are_not_divided_by_zero() {
        let constant = Moments::of([0.1f32; 1000].into_iter());
        assert_eq!(constant.scale(), 1.0);
        assert_eq!(Moments::of([0.0f32; 4].into_iter()).scale(), 1.0);
        let reflectance = Moments::of([1e-4f32, 2e-4].into_iter());
        assert!((reflectance.scale() - 0.5e-4).abs() < 1e-9);
    }

    #[test]
    fn large_offsets_do_not_cancel() {
        let mut all = Moments::default();
        for block in 0..100 {
            let start = 1e6 + block as f32;
            all.merge(&Moments::of([start, start + 1.0].into_iter()));
        }
        // 0..100 and 1..101, each once.
        let values = || (0..100).flat_map(|i| [i as f64, i as f64 + 1.0]);
        let mean = values().sum::<f64>() / 200.0;
        let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / 200.0;
        assert!((all.variance() - variance).abs() < 1e-6, "{} {variance}", all.variance());
    }

    proptest! {
        #[test]
        fn blocks_give_what_one_pass_gives(values in prop::collection::vec(-1e3f32..1e3, 1..200), cut in 0usize..200) {
            let cut = cut.min(values.len());
            let mut parts = Moments::of(values[..cut].iter().copied());
            parts.merge(&Moments::of(values[cut..].iter().copied()));
            let whole = Moments::of(values.iter().copied());
            prop_assert_eq!(parts.count, whole.count);
            prop_assert!((parts.mean - whole.mean).abs() < 1e-6);
            prop_assert!((parts.variance() - whole.variance()).abs() < 1e-3);
            prop_assert_eq!((parts.min, parts.max), (whole.min, whole.max));
        }
    }
}
