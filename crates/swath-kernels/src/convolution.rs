//! Convolutions and transposed convolutions: what they are, and how one is planned and run.
//!
//! ```
//! use swath_kernels::{Convolution, Epilogue, Layout, Plan};
//!
//! // The sum over 2x2 pixels.
//! let sums = Convolution { kernel: [2, 2], ..Convolution::new(1, 1) };
//! let image = Layout::new(1, 2, 3, 1);
//! let plan = Plan::convolution(&sums, image)?;
//! let filter = plan.filter(&[1.0; 4])?;
//!
//! let mut pixels = vec![0.0; image.len()];
//! for (pixel, value) in pixels.chunks_mut(image.pixel).zip([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) {
//!     pixel[0] = value;
//! }
//! let mut out = vec![0.0; plan.output().len()];
//! plan.run(&pixels, &filter, &Epilogue::default(), &mut out);
//! assert_eq!([out[0], out[plan.output().pixel]], [12.0, 16.0]);
//! # Ok::<(), swath_kernels::PlanError>(())
//! ```

use crate::error::PlanError;
use crate::gather::{Geometry, Groups, Pattern};
use crate::image::Layout;

mod method;
mod plan;
mod run;
mod weight_gradient;

pub use method::Method;
pub use plan::{Filter, Plan};
pub use run::Head;
pub use weight_gradient::{WeightGradient, bias_gradient};

/// A convolution, or a transposed one, in the terms of PyTorch's `conv2d` and `conv_transpose2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Pixels from one place of the kernel to the next.
    pub stride: [usize; 2],
    /// Pixels from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Rows of zeros above and below, columns left and right of the image.
    pub padding: [[usize; 2]; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Convolution {
    /// A 1x1 convolution; set the other fields as needed.
    pub fn new(inputs: usize, outputs: usize) -> Convolution {
        Convolution {
            inputs,
            outputs,
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            padding: [[0, 0], [0, 0]],
            groups: 1,
        }
    }

    /// With a square kernel.
    pub fn kernel(self, side: usize) -> Convolution {
        Convolution { kernel: [side, side], ..self }
    }

    /// With the same stride along both axes.
    pub fn stride(self, stride: usize) -> Convolution {
        Convolution { stride: [stride, stride], ..self }
    }

    /// With the same dilation along both axes.
    pub fn dilation(self, dilation: usize) -> Convolution {
        Convolution { dilation: [dilation, dilation], ..self }
    }

    /// With the same padding on all sides.
    pub fn padding(self, padding: usize) -> Convolution {
        Convolution { padding: [[padding, padding], [padding, padding]], ..self }
    }

    /// With groups.
    pub fn groups(self, groups: usize) -> Convolution {
        Convolution { groups, ..self }
    }

    /// Number of weights: `[outputs, inputs / groups, rows, columns]`, and for a transposed convolution
    /// `[inputs, outputs / groups, rows, columns]`.
    pub fn weights(&self) -> usize {
        self.inputs * self.outputs / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Rows and columns of the output for an image: `(size + padding - dilation (kernel - 1) - 1) / stride + 1`.
    ///
    /// # Errors
    /// When a size is 0, groups do not divide the channels, or the kernel does not fit.
    pub fn output_size(&self, image: [usize; 2]) -> Result<[usize; 2], PlanError> {
        self.validate()?;
        let window = self.window();
        let padded = [0, 1].map(|axis| image[axis] + self.padding[axis][0] + self.padding[axis][1]);
        if window[0] > padded[0] || window[1] > padded[1] || image.contains(&0) {
            return Err(PlanError::Window { window, image: padded });
        }
        Ok([0, 1].map(|axis| (padded[axis] - window[axis]) / self.stride[axis] + 1))
    }

    /// Rows and columns of the output of the transposed convolution:
    /// `(size - 1) stride - padding + dilation (kernel - 1) + 1 + extra`.
    ///
    /// # Errors
    /// When a size is 0, groups do not divide the channels, or nothing is left between the paddings.
    pub fn transposed_output_size(&self, image: [usize; 2], extra: [usize; 2]) -> Result<[usize; 2], PlanError> {
        self.validate()?;
        let window = self.window();
        if image.contains(&0) {
            return Err(PlanError::Zero { what: "the size of the image" });
        }
        let full = [0, 1].map(|axis| (image[axis] - 1) * self.stride[axis] + window[axis] + extra[axis]);
        let size = [0, 1].map(|axis| full[axis].saturating_sub(self.padding[axis][0] + self.padding[axis][1]));
        if size.contains(&0) {
            return Err(PlanError::Window { window, image });
        }
        Ok(size)
    }

    /// With input and output channels exchanged, as gradients have them.
    fn swapped(&self) -> Convolution {
        Convolution { inputs: self.outputs, outputs: self.inputs, ..*self }
    }

    /// Rows and columns of the kernel with its dilation.
    fn window(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.kernel[axis] - 1) * self.dilation[axis] + 1)
    }

    /// Whether each channel is computed by itself, and only once.
    fn is_depthwise(&self) -> bool {
        self.groups == self.inputs && self.groups == self.outputs
    }

    fn validate(&self) -> Result<(), PlanError> {
        let sizes = [
            ("the number of input channels", self.inputs),
            ("the number of output channels", self.outputs),
            ("the number of groups", self.groups),
            ("the height of the kernel", self.kernel[0]),
            ("the width of the kernel", self.kernel[1]),
            ("the vertical stride", self.stride[0]),
            ("the horizontal stride", self.stride[1]),
            ("the vertical dilation", self.dilation[0]),
            ("the horizontal dilation", self.dilation[1]),
        ];
        if let Some((what, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(PlanError::Zero { what });
        }
        let Convolution { groups, inputs, outputs, .. } = *self;
        if inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups) {
            Ok(())
        } else {
            Err(PlanError::Groups { groups, inputs, outputs })
        }
    }

    fn geometry(&self) -> Geometry {
        let padding = [self.padding[0][0], self.padding[1][0]];
        Geometry { kernel: self.kernel, stride: self.stride, dilation: self.dilation, padding }
    }
}
