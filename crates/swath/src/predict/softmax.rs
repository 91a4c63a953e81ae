//! Scores from logits, fast enough to keep up with a network on a GPU and with the same bits on every machine.

/// The largest `f32` power of e is not needed here: arguments are at most 0, and e^-87 is the smallest normal result.
const LOWEST: f32 = -87.0;

/// e^x for x <= 0, within 2 units in the last place; everything below -87 counts as -87, NaN stays NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to degree 7 and 2^n by writing the exponent. There is no
/// branch and no call, so that loops over it become vector instructions, and no fused multiplication, so that
/// every machine gets the same bits (the library's `exp` promises neither).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < LOWEST { LOWEST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// Softmax of one row of pixels: `scores[k] = exp((logits[k] - max) / T) / sum`, by class planes.
///
/// `logits` holds class k at `k * plane..k * plane + n`, `scores` holds it at `k * n..(k + 1) * n`, with n the length of
/// `factor`. The scores come out multiplied by `factor`, one for each pixel. Returns whether all are finite.
pub(crate) fn weighted_softmax(
    logits: &[f32],
    plane: usize,
    classes: usize,
    inverse_temperature: f32,
    factor: &mut [f32],
    scores: &mut [f32],
) -> bool {
    let n = factor.len();
    debug_assert!(n <= BLOCK && scores.len() >= classes * n);
    let (mut max, mut sum) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    let (max, sum) = (&mut max[..n], &mut sum[..n]);
    max.copy_from_slice(&logits[..n]);
    for class in 1..classes {
        for (max, &logit) in max.iter_mut().zip(&logits[class * plane..][..n]) {
            *max = if logit > *max { logit } else { *max };
        }
    }
    for class in 0..classes {
        let line = scores[class * n..][..n].iter_mut().zip(&logits[class * plane..][..n]);
        for (((score, &logit), &max), sum) in line.zip(&*max).zip(&mut *sum) {
            *score = exp((logit - max) * inverse_temperature);
            *sum += *score;
        }
    }
    let mut finite = true;
    for (factor, &sum) in factor.iter_mut().zip(&*sum) {
        finite &= sum.is_finite();
        *factor /= sum;
    }
    for class in 0..classes {
        for (score, &factor) in scores[class * n..][..n].iter_mut().zip(&*factor) {
            *score *= factor;
        }
    }
    finite
}

/// Most pixels that [`weighted_softmax`] takes at once: what is in work stays in the nearest cache.
pub(crate) const BLOCK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_double_precision() {
        let mut worst = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let truth = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - truth).abs() / truth);
        }
        assert!(worst < 2.5e-7, "relative error {worst:e}");
    }

    #[test]
    fn exp_keeps_the_ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e30), exp(LOWEST));
        assert_eq!(exp(f32::NEG_INFINITY), exp(LOWEST));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn scores_are_those_of_the_textbook() {
        // Three classes, two pixels, temperature 2.
        let logits = [1.0, 200.0, 3.0, -200.0, 0.5, 0.0];
        let mut scores = [0.0; 6];
        assert!(weighted_softmax(&logits, 2, 3, 0.5, &mut [1.0, 0.5], &mut scores));
        let powers = [0.5f64, 1.5, 0.25].map(f64::exp);
        for class in 0..3 {
            let truth = powers[class] / powers.iter().sum::<f64>();
            assert!((f64::from(scores[2 * class]) - truth).abs() < 1e-7);
        }
        assert_eq!([scores[1], scores[3]], [0.5, 0.5 * exp(LOWEST)]);
    }

    #[test]
    fn what_is_not_finite_is_told() {
        for bad in [f32::NAN, f32::INFINITY] {
            for class in 0..3 {
                let mut logits = [0.0, 1.0, 2.0];
                logits[class] = bad;
                assert!(!weighted_softmax(&logits, 1, 3, 1.0, &mut [1.0], &mut [0.0; 3]), "{bad} in {class}");
            }
        }
    }
}
