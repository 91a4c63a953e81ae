//! Gradients by weights and biases.

use super::{Convolution, Groups, Layout, Method, Pattern, PlanError};
use crate::depthwise;
use crate::gather;
use crate::isa::{self, Isa};
use crate::operands::Precision;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;
use crate::winograd;
use crate::winograd::transform::{F2, F4};

/// The gradient of a convolution, or of a transposed one, by its weights, for images of one size.
#[derive(Clone, Debug)]
pub struct WeightGradient {
    convolution: Convolution,
    /// The images that taps read, and those whose pixels the sum runs over; in a transposed convolution the output comes first.
    gathered: Layout,
    grid: Layout,
    transposed: bool,
    pattern: Pattern,
    groups: Groups,
    method: Method,
    precision: Precision,
    isa: Isa,
}

impl WeightGradient {
    /// For a convolution of images `input`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn convolution(convolution: &Convolution, input: Layout) -> Result<WeightGradient, PlanError> {
        let [height, width] = convolution.output_size([input.height, input.width])?;
        let grid = Layout::new(input.batch, height, width, convolution.outputs);
        WeightGradient::new(convolution, input, grid, false)
    }

    /// For a transposed convolution of images `input`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn transposed(
        convolution: &Convolution,
        input: Layout,
        extra: [usize; 2],
    ) -> Result<WeightGradient, PlanError> {
        let [height, width] = convolution.transposed_output_size([input.height, input.width], extra)?;
        let output = Layout::new(input.batch, height, width, convolution.outputs);
        WeightGradient::new(convolution, output, input, true)
    }

    fn new(
        convolution: &Convolution,
        gathered: Layout,
        grid: Layout,
        transposed: bool,
    ) -> Result<WeightGradient, PlanError> {
        gathered.validate("the image")?;
        grid.validate("the image")?;
        let channels = (gathered.channels, grid.channels);
        let expected = if transposed { convolution.swapped() } else { *convolution };
        if channels != (expected.inputs, expected.outputs) {
            let (found, expected) =
                (format!("{channels:?} channels"), format!("{:?}", (expected.inputs, expected.outputs)));
            return Err(PlanError::Mismatch { what: "the image", found, expected });
        }
        let pattern = Pattern::convolution(&convolution.geometry(), [grid.height, grid.width]);
        let groups = Groups::new(convolution.groups, gathered.channels, grid.channels);
        let gradient = WeightGradient {
            convolution: *convolution,
            gathered,
            grid,
            transposed,
            pattern,
            groups,
            method: Method::Direct,
            precision: Precision::Fp32,
            isa: Isa::best(),
        };
        Ok(gradient.with_precision(Precision::Fp32))
    }

    /// With operands of this precision, and the method that is then best. Pairs of [`Precision::Bf16`] are for [`Method::Direct`] in tiles, where the
    /// machine has them, and where dilations do not reach over most of the image; everything else is [`Precision::Fp32`].
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> WeightGradient {
        let pairs = precision == Precision::Bf16
            && gather::weights::takes_pairs(self.isa, &self.pattern, &self.grid, &self.groups);
        self.precision = if pairs { precision } else { Precision::Fp32 };
        let size = [self.grid.height, self.grid.width];
        let method = match Method::choose(&self.convolution, size, self.precision, self.isa) {
            Method::Winograd6 => Method::Winograd4,
            method => method,
        };
        self.with_method(method)
    }

    /// With another method than the one chosen by shape. What a convolution does not allow stays [`Method::Direct`].
    #[must_use]
    pub fn with_method(mut self, method: Method) -> WeightGradient {
        let allowed = method.allows(&self.convolution)
            && !(method.is_winograd() && self.transposed)
            && method != Method::Winograd6;
        self.method = if allowed { method } else { Method::Direct };
        self
    }

    /// With another instruction set than the best.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> WeightGradient {
        self.isa = isa;
        self
    }

    /// With images that are some channels of wider ones; `input` and `gradient` are floats from pixel to pixel.
    #[must_use]
    pub fn from_wider(mut self, input: usize, gradient: usize) -> WeightGradient {
        let (gathered, grid) = if self.transposed { (gradient, input) } else { (input, gradient) };
        self.gathered = self.gathered.within(gathered);
        self.grid = self.grid.within(grid);
        self
    }

    /// How it is computed.
    pub fn method(&self) -> Method {
        self.method
    }

    /// What is multiplied.
    pub fn precision(&self) -> Precision {
        match self.method {
            Method::Direct => self.precision,
            _ => Precision::Fp32,
        }
    }

    /// Writes the gradient by the weights, in the order of the weights, from the input and the gradient of the output.
    ///
    /// # Panics
    /// When a slice is too short for its layout, images are not of floats, or `out` has another length than [`Convolution::weights`].
    pub fn run(&self, input: &[f32], gradient: &[f32], out: &mut [f32]) {
        let (gathered, grid) = if self.transposed { (gradient, input) } else { (input, gradient) };
        self.gathered.check_floats("the image", gathered.len());
        self.grid.check_floats("the image", grid.len());
        assert_eq!(out.len(), self.convolution.weights(), "weights of another convolution");
        let shared = SharedMut(out.as_mut_ptr());
        match self.method {
            Method::Direct => self.run_direct(gathered, grid, &shared),
            Method::Depthwise => {
                let job = depthwise::weights::Job {
                    gathered: gathered.as_ptr(),
                    gathered_layout: &self.gathered,
                    grid: grid.as_ptr(),
                    grid_layout: &self.grid,
                    pattern: &self.pattern,
                };
                // SAFETY: slices hold their layouts, and the pattern was made for them.
                unsafe { depthwise::weights::run(self.isa, &job, out) };
            }
            Method::Winograd2 | Method::Winograd4 | Method::Winograd6 => {
                let job = winograd::weights::Job {
                    input: input.as_ptr(),
                    input_layout: &self.gathered,
                    gradient: gradient.as_ptr(),
                    gradient_layout: &self.grid,
                    padding: [self.convolution.padding[0][0], self.convolution.padding[1][0]],
                    dilation: self.convolution.dilation,
                };
                let inputs = self.convolution.inputs;
                let write = |from: usize, to: usize, kernel: [f32; 9]| {
                    for (tap, value) in kernel.into_iter().enumerate() {
                        // SAFETY: each pair of channels comes once, and has its nine weights.
                        unsafe { shared.get().add((to * inputs + from) * 9 + tap).write(value) };
                    }
                };
                // SAFETY: slices hold their layouts.
                unsafe {
                    if self.method == Method::Winograd4 {
                        winograd::weights::run::<F4>(self.isa, &job, write);
                    } else {
                        winograd::weights::run::<F2>(self.isa, &job, write);
                    }
                }
            }
        }
    }

    fn run_direct(&self, gathered: &[f32], grid: &[f32], out: &SharedMut) {
        let Convolution { kernel, groups, .. } = self.convolution;
        let taps = kernel[0] * kernel[1];
        let job = gather::weights::Job {
            gathered: gathered.as_ptr(),
            gathered_layout: &self.gathered,
            grid: grid.as_ptr(),
            grid_layout: &self.grid,
            pattern: &self.pattern,
            groups: self.groups,
            precision: self.precision(),
        };
        let (inputs, outputs) = (self.gathered.channels / groups, self.grid.channels / groups);
        let places = &self.pattern.phases[0].taps;
        let write = |merged: usize, tap: usize, input: usize, (first, values): (usize, &[f32])| {
            // Of merged groups only the blocks on the diagonal are weights.
            let own = input / inputs * outputs;
            for (index, value) in values.iter().enumerate() {
                let output = first + index;
                if !(own..own + outputs).contains(&output) {
                    continue;
                }
                let to = merged * self.groups.outputs + output;
                // In both directions weights are ordered by the channel of the grid, then by that of the gathered image.
                let at = (to * inputs + input % inputs) * taps + places[tap].index;
                // SAFETY: each weight comes once.
                unsafe { out.get().add(at).write(*value) };
            }
        };
        // SAFETY: slices hold their layouts, and the pattern was made for them.
        unsafe { gather::weights::run(self.isa, &job, write) };
    }
}

/// Writes the gradient by the bias: the sum of the output's gradient over all pixels, for each channel.
///
/// # Panics
/// When the slice is too short for its layout, images are not of floats, or `out` has not one value for each channel.
pub fn bias_gradient(layout: &Layout, gradient: &[f32], out: &mut [f32]) {
    layout.check_floats("the gradient", gradient.len());
    assert_eq!(out.len(), layout.channels, "a bias for another number of channels");
    // Chunks are the same for any number of threads.
    const CHUNK: usize = 4096;
    let chunks = layout.pixels().div_ceil(CHUNK);
    let width = layout.padded_channels();
    let mut sums = vec![0.0; chunks * width];
    let shared = SharedMut(sums.as_mut_ptr());
    parallel(chunks, |chunk| {
        let pixels = chunk * CHUNK..((chunk + 1) * CHUNK).min(layout.pixels());
        // SAFETY: each chunk has its own sums.
        let out = unsafe { shared.get().add(chunk * width) };
        let sum = ChannelSum { image: gradient.as_ptr(), pixel: layout.pixel, pixels, width, out };
        // SAFETY: the slice holds the layout.
        unsafe { isa::run(Isa::best(), sum) };
    });
    for (channel, out) in out.iter_mut().enumerate() {
        let total: f64 = sums.chunks_exact(width).map(|sums| f64::from(sums[channel])).sum();
        *out = total as f32;
    }
}

/// Sums of channels over some pixels.
struct ChannelSum {
    image: *const f32,
    pixel: usize,
    pixels: std::ops::Range<usize>,
    width: usize,
    out: *mut f32,
}

impl Kernel for ChannelSum {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        for channel in (0..self.width).step_by(WIDEST) {
            for lane in (channel..channel + WIDEST).step_by(S::LANES) {
                // SAFETY: the caller's promise about pixels and sums.
                unsafe {
                    let mut sum = S::zero();
                    for pixel in self.pixels.start..self.pixels.end {
                        sum = S::add(sum, S::load(self.image.add(pixel * self.pixel + lane)));
                    }
                    S::store(self.out.add(lane), sum);
                }
            }
        }
    }
}
