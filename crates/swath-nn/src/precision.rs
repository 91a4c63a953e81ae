//! The numbers that predictions and trainings compute with.

use std::cell::Cell;
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
    /// percent of their spread. In predictions, what only convolutions will read is kept so, too, in half the memory.
    Bf16,
}

impl Precision {
    /// Runs something with convolutions that multiply numbers of this precision, on `cpu` with feature `cpu`: those that it computes on this thread,
    /// and later their gradients by inputs and weights. Weights themselves, sums and all else stay float32, and so does everything where this precision
    /// is none that [`trains`](Self::trains).
    pub fn scope<T>(self, work: impl FnOnce() -> T) -> T {
        struct Restore(Precision);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _restore = Restore(CURRENT.replace(self));
        work()
    }

    /// Whether convolutions in a [`scope`](Self::scope) multiply numbers of this precision here: [`Bf16`](Self::Bf16) where the processor has tiles.
    /// Without them transforms of floats take less time.
    pub fn trains(self) -> bool {
        match self {
            Precision::Fp32 => true,
            Precision::Bf16x2 => false,
            #[cfg(feature = "cpu")]
            Precision::Bf16 => swath_kernels::Isa::best().has_tiles(),
            #[cfg(not(feature = "cpu"))]
            Precision::Bf16 => false,
        }
    }

    /// Of the [`scope`](Self::scope) that this thread is in.
    #[cfg(feature = "cpu")]
    pub(crate) fn current() -> Precision {
        CURRENT.get()
    }
}

thread_local! {
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::Fp32) };
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
