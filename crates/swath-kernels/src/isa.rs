//! Instruction sets, and the choice among them at run time.

use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Amx, Avx2, Avx512, Avx512Bf16};
use crate::simd::{Kernel, Scalar, Simd};

/// The instruction set that kernels are compiled for. Only those of this machine can be had: see [`Isa::available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(pub(crate) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// What this machine has, slowest first; the first is always `scalar`, plain Rust.
    pub fn available() -> Vec<Isa> {
        let mut found = vec![Isa(Kind::Scalar)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Isa(Kind::Avx2));
                let avx512 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl");
                if avx512 {
                    found.push(Isa(Kind::Avx512));
                    if is_x86_feature_detected!("avx512bf16") {
                        found.push(Isa(Kind::Avx512Bf16));
                        if crate::tiles::available() {
                            found.push(Isa(Kind::Amx));
                        }
                    }
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Isa(Kind::Neon));
        found
    }

    /// The fastest of [`available`](Self::available), or the one that the environment variable `SWATH_ISA` names.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let available = Isa::available();
            let wanted = std::env::var("SWATH_ISA").unwrap_or_default();
            let chosen = available.iter().find(|isa| isa.name() == wanted);
            chosen.or(available.last()).copied().unwrap_or(Isa(Kind::Scalar))
        })
    }

    /// Whether it has instructions for bfloat16. Others compute with it as well, but slower than with float32.
    pub fn has_bf16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 | Kind::Amx => true,
            _ => false,
        }
    }

    /// Whether it multiplies tiles of bfloat16, many times faster than floats.
    pub fn has_tiles(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => true,
            _ => false,
        }
    }

    /// `scalar`, `avx2`, `avx512`, `avx512bf16`, `amx` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => "avx512bf16",
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => "amx",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
        }
    }

    /// Floats in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.0 {
            Kind::Scalar => Scalar::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => Avx512Bf16::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => Amx::LANES,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => Neon::LANES,
        }
    }
}

/// Runs a kernel with an instruction set.
///
/// # Safety
/// What the kernel asks for.
pub(crate) unsafe fn run<K: Kernel>(isa: Isa, kernel: K) {
    // SAFETY: the caller's promises; an `Isa` exists only where the machine has its features.
    unsafe {
        match isa.0 {
            Kind::Scalar => Scalar::call(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => Avx2::call(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Avx512::call(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => Avx512Bf16::call(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => Amx::call(kernel),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => Neon::call(kernel),
        }
    }
}
