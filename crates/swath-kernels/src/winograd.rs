//! Winograd's minimal filtering for 3x3 convolutions of stride 1 and any dilation.
//!
//! Lavin, Gray: *Fast Algorithms for Convolutional Neural Networks*. CVPR 2016, sections 2 to 4. A tile of `m x m` outputs is
//! `A^T [(G g G^T) * (B^T d B)] A`, with `d` the `(m + 2) x (m + 2)` inputs, `g` the 3x3 kernel and `*` element by element. Summed over channels
//! the products become `(m + 2)^2` matrix products, one for each element of the transformed tile. For `m = 4` that
//! takes 2.25 multiplications for each output and pair of channels instead of 9, for `m = 6` 1.78, and for `m = 2` it takes 4.

pub(crate) mod filter;
mod finish;
pub(crate) mod forward;
mod room;
mod tiles;
pub(crate) mod transform;
pub(crate) mod weights;
