//! The numbers that a prediction computes with.

use std::fmt;

/// What convolutions multiply; sums are float32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// float32.
    #[default]
    Fp32,
    /// bfloat16: float32 with 8 bits of mantissa. Faster on processors that have instructions for it; logits differ by one or two
    /// percent of their spread. What only convolutions will read is kept so, too, in half the memory.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16",
        })
    }
}
