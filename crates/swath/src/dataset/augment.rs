//! Random changes of training chips.
//!
//! Geometry (mirror, quarter turns) changes image and labels alike and exactly. Light (gamma, contrast, brightness)
//! changes the normalized image only, and works in units of the band's spread, so that the same recipe serves 8-bit
//! photographs, reflectances and decibels:
//!
//! ```text
//! z = (x - mean) / std                       normalized band
//! z = low + (high - low) ((z - low) / (high - low))^gamma      low, high: the chip's own valid extremes
//! z = contrast z + brightness
//! ```
//!
//! The base of the power lies in `[0, 1]` by construction, so that negative values need no special care.

use super::rng::Random;
use crate::dihedral::Dihedral;
use crate::recipe::{Augment, Span};

/// The changes drawn for one chip.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Mirror and turn.
    pub(crate) dihedral: Dihedral,
    /// Light of every band.
    pub light: Vec<Light>,
}

/// A change of one band's light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Added, in standard deviations.
    pub brightness: f32,
    /// Factor of the distance from the mean.
    pub contrast: f32,
    /// Exponent between the chip's least and greatest value.
    pub gamma: f32,
}

impl Change {
    /// Draws the changes of a chip with `bands` bands.
    ///
    /// As many numbers are drawn whether they are used or not: switching one augmentation off leaves the others as they
    /// were.
    pub fn draw(augment: &Augment, bands: usize, rng: &mut Random) -> Self {
        // Turns counter-clockwise by 0, 90, 180 and 270 degrees are the symmetries 0, 6, 3 and 5.
        let symmetries: &[usize] = match (augment.flips, augment.quarter_turns) {
            (true, true) => &[0, 1, 2, 3, 4, 5, 6, 7],
            (true, false) => &[0, 1, 2, 3],
            (false, true) => &[0, 6, 3, 5],
            (false, false) => &[0],
        };
        let dihedral = Dihedral::ALL[symmetries[rng.below(symmetries.len() as u64) as usize]];
        let draw = |span: Span, rng: &mut Random| rng.between(span.low, span.high) as f32;
        let light = (0..bands)
            .map(|_| Light {
                brightness: draw(augment.brightness, rng),
                contrast: draw(augment.contrast, rng),
                gamma: draw(augment.gamma, rng),
            })
            .collect();
        Self { dihedral, light }
    }

    /// Changes a square chip of side `size` in place: normalized `image` `[band, row, column]`, `valid` and `labels`
    /// `[row, column]`. Invalid pixels stay 0.
    pub fn apply(&self, image: &mut [f32], valid: &mut [bool], labels: &mut [u16], size: usize) {
        for (band, light) in image.chunks_exact_mut(size * size).zip(&self.light) {
            light.apply(band, valid);
        }
        if self.dihedral != Dihedral::IDENTITY {
            lay(self.dihedral, size, image);
            lay(self.dihedral, size, valid);
            lay(self.dihedral, size, labels);
        }
    }
}

fn lay<T: Copy>(dihedral: Dihedral, size: usize, planes: &mut [T]) {
    let before = planes.to_vec();
    dihedral.apply(size, &before, planes);
}

impl Light {
    /// Changes the valid pixels of a normalized band.
    pub fn apply(&self, band: &mut [f32], valid: &[bool]) {
        if self.gamma != 1.0 {
            let seen = || band.iter().zip(valid).filter(|(_, valid)| **valid).map(|(z, _)| *z);
            let low = seen().fold(f32::INFINITY, f32::min);
            let span = seen().fold(f32::NEG_INFINITY, f32::max) - low;
            if span > 0.0 && span.is_finite() {
                change(band, valid, |z| low + span * ((z - low) / span).powf(self.gamma));
            }
        }
        if self.contrast != 1.0 || self.brightness != 0.0 {
            change(band, valid, |z| self.contrast * z + self.brightness);
        }
    }
}

fn change(band: &mut [f32], valid: &[bool], curve: impl Fn(f32) -> f32) {
    for (z, valid) in band.iter_mut().zip(valid) {
        if *valid {
            *z = curve(*z);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::IGNORE;
    use crate::dataset::Purpose;

    fn geometry() -> Augment {
        Augment { flips: true, quarter_turns: true, ..Augment::default() }
    }

    #[test]
    fn all_eight_symmetries_come_equally_often() {
        for (augment, expected) in [
            (geometry(), 8),
            (Augment { quarter_turns: false, ..geometry() }, 4),
            (Augment { flips: false, ..geometry() }, 4),
            (Augment { flips: false, quarter_turns: false, ..geometry() }, 1),
        ] {
            let mut counts = [0usize; 8];
            for sample in 0..8000 {
                let change = Change::draw(&augment, 1, &mut Random::for_sample(3, sample, Purpose::Augment));
                counts[Dihedral::ALL.iter().position(|d| *d == change.dihedral).unwrap()] += 1;
            }
            let share = 8000 / expected;
            assert_eq!(counts.iter().filter(|n| **n > 0).count(), expected);
            assert!(counts.iter().all(|&n| n == 0 || n.abs_diff(share) < 200), "{counts:?}");
        }
    }

    #[test]
    fn light_is_exact_on_a_small_band() {
        let mut band = [-1.0, 0.0, 3.0, 7.0];
        let light = Light { brightness: 0.5, contrast: 2.0, gamma: 2.0 };
        light.apply(&mut band, &[true, true, true, false]);
        // From -1..3 to 0..1: 0, 1/4, 1; squared 0, 1/16, 1; back -1, -3/4, 3.
        assert_eq!(band, [-1.5, -1.0, 6.5, 7.0]);
    }

    #[test]
    fn flat_and_empty_bands_stay_finite() {
        let light = Light { brightness: 0.0, contrast: 1.0, gamma: 0.3 };
        let mut flat = [2.0, 2.0];
        light.apply(&mut flat, &[true, true]);
        assert_eq!(flat, [2.0, 2.0]);
        let mut none = [0.0, 0.0];
        light.apply(&mut none, &[false, false]);
        assert_eq!(none, [0.0, 0.0]);
    }

    proptest! {
        /// The chip tells where every pixel came from in its image, its validity and its labels: they must agree.
        #[test]
        fn labels_follow_the_image(seed: u64, size in 1usize..9) {
            let change = Change::draw(&geometry(), 2, &mut Random::new(seed));
            let pixels = size * size;
            let mut image: Vec<f32> = (0..2 * pixels).map(|i| i as f32).collect();
            let mut labels: Vec<u16> = (0..pixels as u16).map(|i| if i % 5 == 0 { IGNORE } else { i }).collect();
            let mut valid: Vec<bool> = (0..pixels).map(|i| i % 3 != 0).collect();
            change.apply(&mut image, &mut valid, &mut labels, size);
            let mut seen = vec![false; pixels];
            for at in 0..pixels {
                let from = image[at] as usize;
                prop_assert_eq!(image[pixels + at], (pixels + from) as f32);
                prop_assert_eq!(valid[at], !from.is_multiple_of(3));
                prop_assert_eq!(labels[at], if from.is_multiple_of(5) { IGNORE } else { from as u16 });
                seen[from] = true;
            }
            prop_assert!(seen.iter().all(|s| *s));
        }

        #[test]
        fn light_stays_finite_and_keeps_order(
            mut band in prop::collection::vec(-10.0f32..10.0, 2..40), gamma in 0.3f32..3.0, contrast in 0.5f32..2.0, brightness in -1.0f32..1.0,
        ) {
            let before = band.clone();
            let valid = vec![true; band.len()];
            Light { brightness, contrast, gamma }.apply(&mut band, &valid);
            for i in 1..band.len() {
                prop_assert!(band[i].is_finite());
                if before[i] > before[i - 1] {
                    prop_assert!(band[i] >= band[i - 1]);
                }
            }
        }
    }
}
