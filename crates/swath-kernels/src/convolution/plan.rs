//! A convolution for images of one size, checked once.

use super::{Convolution, Groups, Layout, Method, Pattern, PlanError};
use crate::depthwise;
use crate::gather::filter::{Gathered, Weights};
use crate::gather::forward::in_place;
use crate::gather::lines::has_lines;
use crate::image::Element;
use crate::isa::Isa;
use crate::operands::Precision;
use crate::panels::Panels;
use crate::simd::WIDEST;
use crate::winograd::filter::{Kernels, Transformed};
use crate::winograd::transform::{F2, F4, F6};

/// What is computed from what, as a convolution from an input to an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The convolution.
    Forward,
    /// The transposed convolution: its weights are `[input, output, row, column]`.
    Transposed,
}

/// A convolution of images of one size, ready to run: everything about shapes has been checked.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) convolution: Convolution,
    pub(super) direction: Direction,
    pub(super) input: Layout,
    pub(super) output: Layout,
    pub(super) pattern: Pattern,
    pub(super) groups: Groups,
    pub(super) method: Method,
    pub(super) precision: Precision,
    pub(super) isa: Isa,
}

/// The weights of a convolution in the form that its plan's method uses. A filter serves all plans of the same convolution
/// whose [`method`](Plan::method) is the same, whatever the size of their images.
pub struct Filter {
    pub(super) convolution: Convolution,
    pub(super) direction: Direction,
    pub(super) isa: Isa,
    pub(super) form: Form,
}

pub(super) enum Form {
    Direct(Gathered),
    Depthwise(depthwise::Kernels),
    Winograd { method: Method, filter: Transformed },
}

impl Plan {
    /// A convolution of images, written to images of their own.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn convolution(convolution: &Convolution, input: Layout) -> Result<Plan, PlanError> {
        let size = convolution.output_size([input.height, input.width])?;
        Plan::new(convolution, Direction::Forward, input, size)
    }

    /// A transposed convolution of images, with `extra` rows and columns at the lower and right edge of the output.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn transposed(convolution: &Convolution, input: Layout, extra: [usize; 2]) -> Result<Plan, PlanError> {
        let size = convolution.transposed_output_size([input.height, input.width], extra)?;
        Plan::new(convolution, Direction::Transposed, input, size)
    }

    /// The gradient of a convolution of images `input` by these images: from the gradient of the output to that of the input.
    /// Its filter is made of the convolution's own weights.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn input_gradient(convolution: &Convolution, input: Layout) -> Result<Plan, PlanError> {
        let [height, width] = convolution.output_size([input.height, input.width])?;
        let gradient = Layout::new(input.batch, height, width, convolution.outputs);
        Plan::new(&convolution.swapped(), Direction::Transposed, gradient, [input.height, input.width])
    }

    /// The same for a transposed convolution.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn transposed_input_gradient(
        convolution: &Convolution,
        input: Layout,
        extra: [usize; 2],
    ) -> Result<Plan, PlanError> {
        let [height, width] = convolution.transposed_output_size([input.height, input.width], extra)?;
        let gradient = Layout::new(input.batch, height, width, convolution.outputs);
        Plan::new(&convolution.swapped(), Direction::Forward, gradient, [input.height, input.width])
    }

    /// Reads some channels of wider images: see [`Layout::within`].
    #[must_use]
    pub fn from_wider(mut self, pixel: usize) -> Plan {
        self.input = self.input.within(pixel);
        self
    }

    fn new(
        convolution: &Convolution,
        direction: Direction,
        input: Layout,
        [height, width]: [usize; 2],
    ) -> Result<Plan, PlanError> {
        let Convolution { inputs, outputs, groups, .. } = *convolution;
        if input.channels != inputs {
            let (found, expected) = (format!("{} channels", input.channels), format!("{inputs}"));
            return Err(PlanError::Mismatch { what: "the image", found, expected });
        }
        let output = Layout::new(input.batch, height, width, outputs);
        input.validate("the input")?;
        output.validate("the output")?;
        let pattern = match direction {
            Direction::Forward => Pattern::convolution(&convolution.geometry(), [height, width]),
            Direction::Transposed => Pattern::transposed(&convolution.geometry(), [height, width]),
        };
        let groups = Groups::new(groups, inputs, outputs);
        let plan = Plan {
            convolution: *convolution,
            direction,
            input,
            output,
            pattern,
            groups,
            method: Method::Direct,
            precision: Precision::Fp32,
            isa: Isa::best(),
        };
        Ok(plan.with_precision(Precision::Fp32))
    }

    /// Writes to some channels of wider images: see [`Layout::within`].
    #[must_use]
    pub fn into_wider(mut self, pixel: usize) -> Plan {
        self.output = self.output.within(pixel);
        self
    }

    /// Writes a single image with its channels in planes, if it can: see [`writes_planes`](Self::writes_planes).
    #[must_use]
    pub fn into_planes(mut self) -> Plan {
        self.output = self.output.in_planes();
        self
    }

    /// Writes images of these [elements](Element).
    #[must_use]
    pub fn writing(mut self, element: Element) -> Plan {
        self.output = self.output.of(element);
        self
    }

    /// With another method than the one chosen by shape. What a convolution does not allow stays [`Method::Direct`].
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Plan {
        let allowed = method.allows(&self.convolution) && (!method.is_winograd() || self.forward().is_some());
        self.method = if allowed { method } else { Method::Direct };
        self
    }

    /// With operands of this precision, and the method that is then best.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Plan {
        self.precision = precision;
        let method = Method::choose(&self.convolution, [self.output.height, self.output.width], precision, self.isa);
        self.with_method(method)
    }

    /// With another instruction set than the best.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Plan {
        self.isa = isa;
        self
    }

    /// The convolution that computes the same in direction forward: a transposed one of stride 1 is a convolution with
    /// the kernel turned around. None where its padding would be negative.
    pub(super) fn forward(&self) -> Option<Convolution> {
        let Convolution { padding, .. } = self.convolution;
        if self.direction == Direction::Forward {
            return Some(self.convolution);
        }
        let mut turned = self.convolution;
        for axis in [0, 1] {
            let rest = self.convolution.window()[axis] - 1;
            // What the output has beyond the padding's due is at its lower and right edge.
            let size = [[self.input.height, self.output.height], [self.input.width, self.output.width]][axis];
            let before = rest.checked_sub(padding[axis][0])?;
            let after = (size[1] + rest).checked_sub(size[0] + before)?;
            turned.padding[axis] = [before, after];
        }
        Some(turned)
    }

    /// The images that it reads.
    pub fn input(&self) -> &Layout {
        &self.input
    }

    /// The images that it writes.
    pub fn output(&self) -> &Layout {
        &self.output
    }

    /// How it is computed.
    pub fn method(&self) -> Method {
        self.method
    }

    /// What is multiplied. Pairs of [`Precision::Bf16`] are those of [`Method::Winograd2`] of an even number of channels and of [`Method::Direct`], but
    /// for a few channels that are read where they lie; several parts are for [`Method::Direct`] in tiles, and three of them for 16 channels and more:
    /// of fewer, taking them apart is most of the work. Everything else is [`Precision::Fp32`].
    pub fn precision(&self) -> Precision {
        let (direct, inputs) = (self.method == Method::Direct, self.groups.inputs);
        let possible = match self.precision {
            Precision::Fp32 => true,
            Precision::Bf16x3 => direct && self.isa.has_tiles() && inputs >= WIDEST,
            Precision::Bf16x2 => direct && self.isa.has_tiles(),
            Precision::Bf16 if direct => {
                // To gather them takes longer than pairs save.
                let in_place = !inputs.is_multiple_of(WIDEST) && in_place(&self.pattern, &self.input);
                !in_place || has_lines(self.isa, &self.pattern)
            }
            Precision::Bf16 => self.method == Method::Winograd2 && self.input.channels.is_multiple_of(2),
        };
        if possible { self.precision } else { Precision::Fp32 }
    }

    /// Brings weights into the form that this plan uses.
    ///
    /// # Errors
    /// When the number of weights is not [`Convolution::weights`].
    pub fn filter(&self, weights: &[f32]) -> Result<Filter, PlanError> {
        let expected = self.convolution.weights();
        if weights.len() != expected {
            let (found, expected) = (format!("{} weights", weights.len()), format!("{expected}"));
            return Err(PlanError::Mismatch { what: "the filter", found, expected });
        }
        let Convolution { inputs, outputs, groups, kernel, .. } = self.convolution;
        let taps = kernel[0] * kernel[1];
        let panels = Panels::new(self.isa, self.groups.outputs);
        let form = match self.method {
            Method::Direct => {
                let weights = Weights {
                    values: weights,
                    inputs: inputs / groups,
                    outputs: outputs / groups,
                    taps,
                    transposed: self.direction == Direction::Transposed,
                };
                let (isa, pattern, groups) = (self.isa, &self.pattern, self.groups);
                Form::Direct(match self.precision() {
                    Precision::Fp32 => Gathered::floats(pattern, groups, panels, weights),
                    Precision::Bf16 if !has_lines(isa, pattern) => {
                        Gathered::pairs(isa, pattern, groups, panels, weights)
                    }
                    precision => Gathered::in_lines(isa, pattern, groups, panels, weights, precision),
                })
            }
            // In both directions weights are ordered by channel, then by tap.
            Method::Depthwise => Form::Depthwise(depthwise::Kernels::new(weights, inputs)),
            Method::Winograd2 | Method::Winograd4 | Method::Winograd6 => {
                let turned = self.direction == Direction::Transposed;
                let kernels = Kernels { weights, inputs, outputs, turned };
                let filter = match self.method {
                    Method::Winograd6 => Transformed::new::<F6>(self.isa, kernels, panels),
                    Method::Winograd4 => Transformed::new::<F4>(self.isa, kernels, panels),
                    _ => Transformed::new::<F2>(self.isa, kernels, panels),
                };
                let filter = if self.precision() == Precision::Bf16 { filter.rounded() } else { filter };
                Form::Winograd { method: self.method, filter }
            }
        };
        Ok(Filter { convolution: self.convolution, direction: self.direction, isa: self.isa, form })
    }
}

impl Filter {
    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        match &self.form {
            Form::Direct(filter) => filter.bytes(),
            Form::Depthwise(filter) => filter.bytes(),
            Form::Winograd { filter, .. } => filter.bytes(),
        }
    }
}
