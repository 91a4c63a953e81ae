//! Chips along one axis of a scene: where they lie, which pixels they own, how they are weighted.
//!
//! With chip size C, overlap O and stride S = C - O, chip i covers the C pixels from i S - ⌊O/2⌋ on, so that its core,
//! the S pixels from i S on, lies in its middle. Neighbours share O pixels:
//!
//! ```text
//!                |<------- overlap O ------->|
//! chip i    ─────────────┬\                            (then margin, weight 0)
//!                        | \  ramp R
//! chip i+1               |  \/
//!                        |  /\─────────────────
//!                |<- M ->|<- R ->|<-  M  ->|
//! ```
//!
//! A prediction is worst at the edge of its chip, where the network sees nothing beyond. The outer quarter of the overlap
//! (the margin M) therefore only gives context and has weight 0; the two chips are blended over the R = O - 2 M pixels
//! between. A network whose receptive field is narrower than O/2 then never notices where chips end. Without blending the
//! margin is half the overlap and nothing is left to blend: the centre crop.
//!
//! Weights are multiples of 1/4096, rounded once when the ramp is made. Their products are exact in `f32` and add up to
//! exactly 1 in every pixel.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How chips that overlap become one map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blend {
    /// The centre of each chip, up to half the overlap; nothing is mixed.
    None,
    /// Scores mixed with weights that fall linearly.
    Linear,
    /// Scores mixed with weights that fall as a raised cosine.
    #[default]
    Cosine,
}

impl fmt::Display for Blend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blend::None => "none",
            Blend::Linear => "linear",
            Blend::Cosine => "cosine",
        })
    }
}

/// The chips along the rows or the columns of a scene.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    len: usize,
    stride: usize,
    /// Pixels of a chip before its core: ⌊O/2⌋.
    lead: usize,
    /// Pixels at the start of a chip with weight 0.
    margin: usize,
    /// Rising weights; the falling ones of the chip before are 1 minus these.
    ramp: Vec<f32>,
}

impl Axis {
    /// The chips of an axis of `len` pixels. Demands `0 < len`, `0 < chip` and `overlap <= chip / 2`.
    pub(crate) fn new(len: usize, chip: usize, overlap: usize, blend: Blend) -> Axis {
        let lead = overlap / 2;
        let (margin, ramp) = match blend {
            Blend::None => (lead, Vec::new()),
            Blend::Linear => (overlap / 4, rising(overlap - 2 * (overlap / 4), |t| t)),
            Blend::Cosine => {
                (overlap / 4, rising(overlap - 2 * (overlap / 4), |t| 0.5 - 0.5 * (std::f64::consts::PI * t).cos()))
            }
        };
        Axis { len, stride: chip - overlap, lead, margin, ramp }
    }

    /// Pixels along the axis.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of chips.
    pub(crate) fn count(&self) -> usize {
        self.len.div_ceil(self.stride)
    }

    /// First pixel that chip `i` covers; may lie before the scene.
    pub(crate) fn origin(&self, i: usize) -> isize {
        (i * self.stride) as isize - self.lead as isize
    }

    /// First scene pixel in which chip `i` has weight.
    fn start(&self, i: usize) -> usize {
        if i == 0 { 0 } else { (i * self.stride + self.margin - self.lead).min(self.len) }
    }

    /// The pixels whose final value is known once chip `i` is done. These ranges are disjoint and cover the axis.
    pub(crate) fn owned(&self, i: usize) -> Range<usize> {
        let end = if i + 1 == self.count() { self.len } else { self.start(i + 1) };
        self.start(i)..end
    }

    /// The pixels in which chip `i` has weight: the owned ones and the ramp shared with the next chip.
    pub(crate) fn touched(&self, i: usize) -> Range<usize> {
        let owned = self.owned(i);
        let end = if i + 1 == self.count() { self.len } else { (owned.end + self.ramp.len()).min(self.len) };
        owned.start..end
    }

    /// Pixels that chip `i` shares, with weight, with the chip after it.
    pub(crate) fn shared(&self, i: usize) -> usize {
        self.touched(i).end - self.owned(i).end
    }

    /// The weights of chip `i` in the pixels of [`Axis::touched`].
    pub(crate) fn weights(&self, i: usize) -> Vec<f32> {
        let (owned, touched) = (self.owned(i), self.touched(i));
        let mut weights = vec![1.0; touched.len()];
        if i > 0 {
            for (weight, rise) in weights.iter_mut().zip(&self.ramp) {
                *weight = *rise;
            }
        }
        for (weight, rise) in weights[owned.len()..].iter_mut().zip(&self.ramp) {
            *weight = 1.0 - rise;
        }
        weights
    }

    /// The longest [`Axis::touched`] of any chip.
    pub(crate) fn longest(&self) -> usize {
        (0..self.count()).map(|i| self.touched(i).len()).max().unwrap_or(0)
    }

    /// The length of the ramp between two chips.
    pub(crate) fn ramp_len(&self) -> usize {
        self.ramp.len()
    }
}

/// `len` weights that rise from 0 to 1 along `shape`, taken at pixel centres, as multiples of 1/4096.
fn rising(len: usize, shape: impl Fn(f64) -> f64) -> Vec<f32> {
    const STEPS: f64 = 4096.0;
    (0..len).map(|i| ((shape((i as f64 + 0.5) / len as f64) * STEPS).round() / STEPS) as f32).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An axis and its chip size.
    fn sized() -> impl Strategy<Value = (Axis, usize)> {
        let blend = prop_oneof![Just(Blend::None), Just(Blend::Linear), Just(Blend::Cosine)];
        (1usize..400, 1usize..130, 0.0f64..=0.5, blend)
            .prop_map(|(len, chip, share, blend)| (Axis::new(len, chip, (chip as f64 * share) as usize, blend), chip))
    }

    fn axes() -> impl Strategy<Value = Axis> {
        sized().prop_map(|(axis, _)| axis)
    }

    #[test]
    fn a_small_axis_by_hand() {
        // C = 8, O = 4: stride 4, lead 2, margin 1, ramp 2.
        let axis = Axis::new(10, 8, 4, Blend::Linear);
        assert_eq!(axis.count(), 3);
        assert_eq!((0..3).map(|i| axis.origin(i)).collect::<Vec<_>>(), [-2, 2, 6]);
        assert_eq!((0..3).map(|i| axis.owned(i)).collect::<Vec<_>>(), [0..3, 3..7, 7..10]);
        assert_eq!((0..3).map(|i| axis.touched(i)).collect::<Vec<_>>(), [0..5, 3..9, 7..10]);
        assert_eq!(axis.weights(0), [1.0, 1.0, 1.0, 0.75, 0.25]);
        assert_eq!(axis.weights(1), [0.25, 0.75, 1.0, 1.0, 0.75, 0.25]);
        assert_eq!(axis.weights(2), [0.25, 0.75, 1.0]);
    }

    proptest! {
        #[test]
        fn owned_pixels_are_disjoint_and_cover_the_axis(axis in axes()) {
            let mut next = 0;
            for i in 0..axis.count() {
                prop_assert_eq!(axis.owned(i).start, next);
                next = axis.owned(i).end;
            }
            prop_assert_eq!(next, axis.len());
        }

        #[test]
        fn weights_add_up_to_exactly_one(axis in axes()) {
            let mut sum = vec![0.0f32; axis.len()];
            for i in 0..axis.count() {
                for (pixel, weight) in axis.touched(i).zip(axis.weights(i)) {
                    sum[pixel] += weight;
                }
            }
            prop_assert!(sum.iter().all(|&total| total == 1.0), "{:?}", sum);
        }

        #[test]
        fn products_of_weights_add_up_to_exactly_one(rows in axes(), cols in axes()) {
            let mut sum = vec![0.0f32; rows.len() * cols.len()];
            for i in 0..rows.count() {
                let down = rows.weights(i);
                for j in 0..cols.count() {
                    let across = cols.weights(j);
                    for (row, y) in rows.touched(i).zip(&down) {
                        for (col, x) in cols.touched(j).zip(&across) {
                            sum[row * cols.len() + col] += y * x;
                        }
                    }
                }
            }
            prop_assert!(sum.iter().all(|&total| total == 1.0));
        }

        #[test]
        fn chips_have_weight_only_where_they_have_context((axis, chip) in sized()) {
            for i in 0..axis.count() {
                let (first, last) = (axis.origin(i), axis.origin(i) + chip as isize);
                let touched = axis.touched(i);
                prop_assert!(first + axis.margin as isize <= touched.start as isize);
                prop_assert!(touched.end as isize + axis.margin as isize <= last);
                prop_assert!(i + 2 >= axis.count() || touched.end <= axis.owned(i + 1).end);
            }
        }
    }
}
