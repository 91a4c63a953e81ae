//! What stands for pixels outside of an image.

use crate::simd::WIDEST;

#[repr(align(64))]
struct Zeros([f32; 2 * WIDEST]);
static ZEROS: Zeros = Zeros([0.0; 2 * WIDEST]);

/// Thirty-two zeros: as many channels as a vector of pairs has.
#[inline(always)]
pub(crate) fn zeros() -> *const f32 {
    ZEROS.0.as_ptr()
}
