//! Quantiles of the normal distribution.
//!
//! M. J. Wichura, *Algorithm AS 241: The percentage points of the normal distribution*, Applied Statistics 37 (1988),
//! routine PPND16: three rational approximations, exact to about one part in 10^16.

use crate::{Result, VectorError};

/// How many standard errors an interval of this confidence reaches to either side: 1.96 for 0.95.
///
/// ```
/// assert!((swath_vector::accuracy::z_score(0.95).unwrap() - 1.959963984540054).abs() < 1e-12);
/// ```
///
/// # Errors
/// When `confidence` does not lie between 0 and 1.
pub fn z_score(confidence: f64) -> Result<f64> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(VectorError::Argument(format!(
            "a confidence of {confidence} is not between 0 and 1; give 0.95 for intervals of 95 %"
        )));
    }
    // The half of the distribution beyond zero, so that nothing is lost near 1.
    Ok(upper_quantile(0.5 - confidence / 2.0))
}

/// The value that a standard normal number exceeds with probability `tail`, which lies in (0, 0.5).
fn upper_quantile(tail: f64) -> f64 {
    let q = 0.5 - tail;
    if q <= 0.425 {
        let r = 0.180625 - q * q;
        return q * horner(&A, r) / horner(&B, r);
    }
    let r = (-tail.ln()).sqrt();
    if r <= 5.0 { horner(&C, r - 1.6) / horner(&D, r - 1.6) } else { horner(&E, r - 5.0) / horner(&F, r - 5.0) }
}

/// A polynomial from its coefficients by ascending power.
fn horner(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

// The coefficients of the paper, rounded to f64.
const A: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const B: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const C: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    7.745_450_142_783_414e-4,
];
const D: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const E: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const F: [f64; 8] = [
    1.0,
    0.599_832_206_555_888,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_others() {
        // statistics.NormalDist().inv_cdf((1 + confidence) / 2) of Python 3.11.
        for (confidence, z) in [
            (0.5, 0.674_489_750_196_081_7),
            (0.683, 1.000_641_828_762_449_2),
            (0.9, 1.644_853_626_951_472_2),
            (0.95, 1.959_963_984_540_054),
            (0.99, 2.575_829_303_548_9),
            (0.999_999, 4.891_638_475_671_084),
        ] {
            let got = z_score(confidence).unwrap();
            assert!((got - z).abs() < 1e-9 * z, "{confidence}: {got} against {z}");
        }
    }

    #[test]
    fn only_shares_are_confidences() {
        for wrong in [0.0, 1.0, 95.0, -0.5, f64::NAN] {
            let error = z_score(wrong).unwrap_err().to_string();
            assert!(error.contains("0.95"), "{error}");
        }
    }
}
