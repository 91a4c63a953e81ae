//! A step of AdamW in one pass over a parameter, which operations one by one would read and write a dozen times.

use crate::isa::{self, Isa};
use crate::shared::SharedMut;
use crate::simd::{Kernel, Scalar, Simd};
use crate::threads::parallel;

/// One step of AdamW (Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2019, algorithm 2) for one parameter:
///
/// ```text
/// m = b1 m + (1 - b1) g
/// v = b2 v + (1 - b2) g²
/// w = decay w - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// The learning rate.
    pub rate: f32,
    /// What is left of weights, `1 - rate * weight decay`; 1 without.
    pub decay: f32,
    /// Of the averages of gradients and of their squares.
    pub betas: [f32; 2],
    /// What keeps the division from growing without bounds.
    pub epsilon: f32,
    /// The number of this step, from 1 on.
    pub time: i32,
}

/// Values of an item: 64 KB of each array, beside which it costs nothing to hand an item out.
const ITEM: usize = 1 << 14;

impl AdamW {
    /// Writes the new weights to `out`, and the averages of gradients and of their squares over the old ones.
    ///
    /// # Panics
    /// When slices are not of the same length.
    pub fn step(&self, weights: &[f32], gradient: &[f32], moments: [&mut [f32]; 2], out: &mut [f32]) {
        let len = weights.len();
        let [first, second] = moments;
        let same = [gradient.len(), first.len(), second.len(), out.len()] == [len; 4];
        assert!(same, "weights, gradients and averages of different lengths");
        let corrections = self.betas.map(|beta| 1.0 - beta.powi(self.time));
        let out = [first, second, out].map(|values| SharedMut(values.as_mut_ptr()));
        parallel(len.div_ceil(ITEM), |item| {
            let part = item * ITEM..len.min((item + 1) * ITEM);
            let (weights, gradient) = (&weights[part.clone()], &gradient[part.clone()]);
            // SAFETY: items have their own parts of slices that are as long as the weights.
            unsafe {
                let [first, second, out] = [0, 1, 2].map(|index| out[index].get().add(part.start));
                isa::run(Isa::best(), Step { adamw: *self, corrections, weights, gradient, first, second, out });
            }
        });
    }
}

/// A step for as many values as there are weights.
struct Step<'a> {
    adamw: AdamW,
    /// What averages that began at zero are divided by.
    corrections: [f32; 2],
    weights: &'a [f32],
    gradient: &'a [f32],
    first: *mut f32,
    second: *mut f32,
    out: *mut f32,
}

impl Kernel for Step<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let len = self.weights.len();
        let whole = len / S::LANES * S::LANES;
        // SAFETY: all hold so many values.
        unsafe {
            for at in (0..whole).step_by(S::LANES) {
                self.vector::<S>(at);
            }
            for at in whole..len {
                self.vector::<Scalar>(at);
            }
        }
    }
}

impl Step<'_> {
    /// A vector of values from `at` on. Products are rounded before anything is added to them, so that all instruction sets agree.
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, at: usize) {
        let AdamW { rate, decay, betas, epsilon, .. } = self.adamw;
        // SAFETY: the caller's promise: there are as many values.
        unsafe {
            let g = S::load(self.gradient.as_ptr().add(at));
            let first = average::<S>(self.first.add(at), g, betas[0]);
            let second = average::<S>(self.second.add(at), S::mul(g, g), betas[1]);
            let first = S::div(first, S::splat(self.corrections[0]));
            let second = S::div(second, S::splat(self.corrections[1]));
            let change = S::div(first, S::add(S::sqrt(second), S::splat(epsilon)));
            let left = S::mul(S::load(self.weights.as_ptr().add(at)), S::splat(decay));
            S::store(self.out.add(at), S::sub(left, S::mul(change, S::splat(rate))));
        }
    }
}

/// Moves a running average towards a new value, and returns it.
#[inline(always)]
unsafe fn average<S: Simd>(place: *mut f32, new: S::V, beta: f32) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let old = S::mul(S::load(place), S::splat(beta));
        let average = S::add(old, S::mul(new, S::splat(1.0 - beta)));
        S::store(place, average);
        average
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruction_sets_agree_to_the_bit() {
        let values = |seed: usize| (0..77).map(|at| ((at * 31 + seed) % 97) as f32 / 48.0 - 1.0).collect::<Vec<_>>();
        let (weights, gradient) = (values(1), values(2));
        let adamw = AdamW { rate: 0.01, decay: 0.9, betas: [0.9, 0.99], epsilon: 1e-8, time: 3 };
        let run = |isa: Isa| {
            let (mut first, mut second, mut out) = (values(3), vec![0.3; 77], vec![0.0; 77]);
            let (moments, new) = ([&mut first, &mut second].map(|values| values.as_mut_ptr()), out.as_mut_ptr());
            let step = Step {
                adamw,
                corrections: [0.3, 0.1],
                weights: &weights,
                gradient: &gradient,
                first: moments[0],
                second: moments[1],
                out: new,
            };
            // SAFETY: all hold as many values.
            unsafe { isa::run(isa, step) };
            [first, second, out]
        };
        let isas = Isa::available();
        for isa in &isas {
            assert_eq!(run(*isa), run(isas[0]), "{isa:?}");
        }
    }
}
