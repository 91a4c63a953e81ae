//! The numbers that a prediction computes with.

use std::fmt;

/// What convolutions multiply; sums are float32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// float32.
    #[default]
    Fp32,
    /// float32 in two parts of bfloat16, 16 bits of mantissa of 24, on processors that multiply tiles of bfloat16 (AMX); elsewhere [`Fp32`](Self::Fp32).
    /// Logits differ by some hundred-thousandths of their spread, more with more convolutions.
    Bf16x2,
    /// bfloat16: float32 with 8 bits of mantissa. Faster on processors that have instructions for it; logits differ by one or two
    /// percent of their spread. What only convolutions will read is kept so, too, in half the memory.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Precision::Fp32 => "fp32",
            Precision::Bf16x2 => "bf16x2",
            Precision::Bf16 => "bf16",
        })
    }
}
