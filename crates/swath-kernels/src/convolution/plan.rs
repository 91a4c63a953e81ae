//! A convolution for images of one size, checked once.

use super::{Convolution, Groups, Layout, Pattern, PlanError};
use crate::depthwise;
use crate::epilogue::{Epilogue, Finish};
use crate::functions::map_in_place;
use crate::gather::{self, filter::Gathered};
use crate::isa::Isa;
use crate::operands::{Floats, Pairs, Precision};
use crate::panels::Panels;
use crate::pooling::{Pooling, max_pool};
use crate::winograd;
use crate::winograd::filter::{Kernels, Transformed};
use crate::winograd::forward::Halved;
use crate::winograd::transform::{F2, F4, F6};

/// Channels from which F2 on pairs of bfloat16 is faster than F4 on floats.
const PAIRS_FROM: usize = 64;

/// Rows and columns of a map from which F6 may be faster than F4.
const SIXES_FROM: usize = 18;

/// Tiles from which F6 may be faster than F4 when its filters do not stay in a processor's cache: their lines are used once for each tile, and
/// with fewer, at two multiplications a cycle, two cores ask memory for more than some 14 GB/s.
const TILES_FROM: usize = 64;

/// Bytes of F6's filters that a cache holds beside the tiles.
const CACHED: usize = 16 << 20;

/// Windows of 2x2.
const HALVING: Pooling =
    Pooling { kernel: [2, 2], stride: [2, 2], padding: [[0, 0], [0, 0]], dilation: [1, 1], ceil: false };

/// Outputs of a 1x1 convolution, at most, that is computed from tiles: a vector of the widest ones.
const HEAD: usize = 16;

/// A 1x1 convolution of what another one computes: see [`Plan::run_with_head`].
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// What [`Plan::takes_head`] allows.
    pub plan: &'a Plan,
    /// Its weights.
    pub filter: &'a Filter,
    /// What is done to its results.
    pub epilogue: &'a Epilogue<'a>,
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Gathered pixels times the filter; any convolution.
    Direct,
    /// Taps times pixels, vectors of channels at a time: as many groups as input and output channels.
    Depthwise,
    /// Winograd's F(2x2, 3x3): 3x3, stride 1, one group.
    Winograd2,
    /// Winograd's F(4x4, 3x3): as above.
    Winograd4,
    /// Winograd's F(6x6, 3x3): as above.
    Winograd6,
}

/// What is computed from what, as a convolution from an input to an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Direction {
    /// The convolution.
    Forward,
    /// The transposed convolution: its weights are `[input, output, row, column]`.
    Transposed,
}

/// A convolution of images of one size, ready to run: everything about shapes has been checked.
#[derive(Clone, Debug)]
pub struct Plan {
    convolution: Convolution,
    direction: Direction,
    input: Layout,
    output: Layout,
    pattern: Pattern,
    groups: Groups,
    method: Method,
    precision: Precision,
    isa: Isa,
}

/// The weights of a convolution in the form that its plan's method uses. A filter serves all plans of the same convolution
/// whose [`method`](Plan::method) is the same, whatever the size of their images.
pub struct Filter {
    convolution: Convolution,
    direction: Direction,
    isa: Isa,
    form: Form,
}

enum Form {
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
        let method = Method::choose(&self.convolution, [self.output.height, self.output.width], precision);
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
    fn forward(&self) -> Option<Convolution> {
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

    /// What is multiplied: with [`Method::Winograd4`], [`Method::Winograd6`] and [`Method::Depthwise`], and with
    /// [`Method::Winograd2`] of an odd number of channels, always [`Precision::Fp32`].
    pub fn precision(&self) -> Precision {
        match self.method {
            Method::Winograd4 | Method::Winograd6 | Method::Depthwise => Precision::Fp32,
            Method::Winograd2 if !self.input.channels.is_multiple_of(2) => Precision::Fp32,
            _ => self.precision,
        }
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
                let gathered = |weight: &(dyn Fn(usize, usize, usize) -> f32 + Sync)| {
                    Gathered::new(&self.pattern, self.groups, panels, weight)
                };
                let filter = match self.direction {
                    Direction::Forward => {
                        gathered(&|to, from, tap| weights[(to * (inputs / groups) + from) * taps + tap])
                    }
                    Direction::Transposed => {
                        let (own_in, own_out) = (inputs / groups, outputs / groups);
                        gathered(&|to, from, tap| {
                            let group = to / own_out;
                            weights[((group * own_in + from) * own_out + to % own_out) * taps + tap]
                        })
                    }
                };
                Form::Direct(if self.precision() == Precision::Bf16 { filter.rounded() } else { filter })
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

    /// Convolves.
    ///
    /// # Panics
    /// When a slice is too short for its layout, or the filter is for another convolution, method, precision or instruction set.
    pub fn run(&self, input: &[f32], filter: &Filter, epilogue: &Epilogue, output: &mut [f32]) {
        self.output.check("the output", output.len());
        if self.method.is_winograd() {
            // SAFETY: the output holds its layout.
            unsafe { self.run_winograd(input, filter, epilogue, output.as_mut_ptr(), None, None) };
        } else {
            self.run_by_pixels(input, filter, epilogue, output);
        }
        if let Some(function) = epilogue.function.filter(|_| self.method != Method::Depthwise) {
            map_in_place(function, &self.output, output);
        }
    }

    /// With methods that know no tiles.
    fn run_by_pixels(&self, input: &[f32], filter: &Filter, epilogue: &Epilogue, output: &mut [f32]) {
        self.input.check("the input", input.len());
        self.check_filter(filter);
        let finish = Finish::new(epilogue, &self.output);
        match &filter.form {
            Form::Direct(filter) => {
                let fits = self.method == Method::Direct && self.precision() == filter.precision;
                assert!(fits, "a filter for another method or precision");
                let job = gather::forward::Job {
                    input: input.as_ptr(),
                    input_layout: &self.input,
                    output: output.as_mut_ptr(),
                    output_layout: &self.output,
                    pattern: &self.pattern,
                    filter,
                    finish,
                };
                // SAFETY: slices hold their layouts, and the filter was made for this convolution.
                unsafe {
                    match filter.precision {
                        Precision::Fp32 => gather::forward::run::<Floats>(self.isa, &job),
                        Precision::Bf16 => gather::forward::run::<Pairs>(self.isa, &job),
                    }
                }
            }
            Form::Depthwise(filter) => {
                assert_eq!(self.method, Method::Depthwise, "a filter for another method");
                let job = depthwise::forward::Job {
                    input: input.as_ptr(),
                    input_layout: &self.input,
                    output: output.as_mut_ptr(),
                    output_layout: &self.output,
                    pattern: &self.pattern,
                    filter,
                    finish,
                    function: epilogue.function,
                };
                // SAFETY: as above.
                unsafe { depthwise::forward::run(self.isa, &job) }
            }
            Form::Winograd { .. } => panic!("a filter for another method"),
        }
    }

    /// Convolves, and also writes the greatest value of each 2x2 window of the result, as [`max_pool`](crate::max_pool) does: with
    /// Winograd's methods while the result is at hand.
    ///
    /// # Panics
    /// As [`run`](Self::run), or when the maxima's layout is not half the output's.
    pub fn run_and_halve(
        &self,
        input: &[f32],
        filter: &Filter,
        epilogue: &Epilogue,
        output: &mut [f32],
        (layout, maxima): (&Layout, &mut [f32]),
    ) {
        if self.method.is_winograd() && self.convolution.dilation == [1, 1] && epilogue.function.is_none() {
            HALVING.check(&self.output, layout);
            layout.check("the maxima", maxima.len());
            self.output.check("the output", output.len());
            let halved = Halved { start: maxima.as_mut_ptr(), layout: *layout };
            // SAFETY: the output holds its layout, and the maxima theirs, which has half the output's size.
            unsafe { self.run_winograd(input, filter, epilogue, output.as_mut_ptr(), Some(halved), None) };
        } else {
            self.run(input, filter, epilogue, output);
            max_pool(&HALVING, &self.output, output, layout, maxima);
        }
    }

    /// Whether [`run_with_head`](Self::run_with_head) can compute `head`: this plan is one of Winograd's methods, and the other a 1x1 convolution of
    /// its results, in floats, with 16 outputs at most.
    pub fn takes_head(&self, head: &Plan) -> bool {
        let Convolution { kernel, stride, padding, groups, outputs, .. } = head.convolution;
        let pointwise = kernel == [1, 1] && stride == [1, 1] && padding == [[0, 0], [0, 0]] && groups == 1;
        let direct = head.method == Method::Direct && head.precision() == Precision::Fp32 && head.isa == self.isa;
        let of_results = head.input.within(self.output.pixel) == self.output;
        self.method.is_winograd() && pointwise && direct && of_results && outputs <= HEAD
    }

    /// Convolves, and then computes a 1x1 convolution of the result while it is at hand. Only the latter's result is stored.
    ///
    /// # Panics
    /// As [`run`](Self::run) for both convolutions, or when this plan does not [take the head](Self::takes_head), or one of the epilogues has a
    /// function.
    pub fn run_with_head(&self, input: &[f32], filter: &Filter, epilogue: &Epilogue, head: &Head, output: &mut [f32]) {
        let fits = self.takes_head(head.plan) && epilogue.function.is_none() && head.epilogue.function.is_none();
        assert!(fits, "{:?} is no head of {:?}", head.plan.convolution, self.convolution);
        head.plan.output.check("the output", output.len());
        head.plan.check_filter(head.filter);
        let Form::Direct(weights) = &head.filter.form else { panic!("a filter for another method") };
        assert_eq!(weights.precision, Precision::Fp32, "a filter for another precision");
        let head = winograd::head::Head {
            filter: weights,
            finish: Finish::new(head.epilogue, &head.plan.output),
            output: output.as_mut_ptr(),
            output_layout: &head.plan.output,
        };
        // SAFETY: with a head nothing else is stored than its output, which holds its layout.
        unsafe { self.run_winograd(input, filter, epilogue, std::ptr::null_mut(), None, Some(head)) };
    }

    /// # Panics
    /// When the filter is for another convolution or instruction set.
    fn check_filter(&self, filter: &Filter) {
        let fits =
            filter.convolution == self.convolution && filter.direction == self.direction && filter.isa == self.isa;
        assert!(fits, "a filter of {:?} for {:?}", filter.convolution, self.convolution);
    }

    /// # Safety
    /// The output must hold its layout unless there is a head, and the maxima and the head's output must hold theirs.
    unsafe fn run_winograd(
        &self,
        input: &[f32],
        filter: &Filter,
        epilogue: &Epilogue,
        output: *mut f32,
        halved: Option<Halved>,
        head: Option<winograd::head::Head>,
    ) {
        self.input.check("the input", input.len());
        self.check_filter(filter);
        let Form::Winograd { method, filter } = &filter.form else { panic!("a filter for another method") };
        let fits = self.method == *method && self.precision() == filter.precision;
        let forward = self.forward().filter(|_| fits).expect("a filter for another method or precision");
        let job = winograd::forward::Job {
            input: input.as_ptr(),
            input_layout: &self.input,
            output,
            output_layout: &self.output,
            padding: [forward.padding[0][0], forward.padding[1][0]],
            dilation: forward.dilation,
            filter,
            finish: Finish::new(epilogue, &self.output),
            halved,
            head,
        };
        // SAFETY: the caller's promise; the input holds its layout, and the filter was made for this convolution.
        unsafe {
            match (method, filter.precision) {
                (Method::Winograd6, _) => winograd::forward::run::<F6, Floats>(self.isa, &job),
                (Method::Winograd4, _) => winograd::forward::run::<F4, Floats>(self.isa, &job),
                (_, Precision::Fp32) => winograd::forward::run::<F2, Floats>(self.isa, &job),
                (_, Precision::Bf16) => winograd::forward::run::<F2, Pairs>(self.isa, &job),
            }
        }
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

impl Method {
    /// Whether it computes this convolution.
    pub(super) fn allows(self, convolution: &Convolution) -> bool {
        match self {
            Method::Direct => true,
            Method::Depthwise => convolution.is_depthwise(),
            Method::Winograd2 | Method::Winograd4 | Method::Winograd6 => {
                convolution.kernel == [3, 3] && convolution.stride == [1, 1] && convolution.groups == 1
            }
        }
    }

    pub(super) fn is_winograd(self) -> bool {
        matches!(self, Method::Winograd2 | Method::Winograd4 | Method::Winograd6)
    }

    /// The fastest method, by shape. Transforms pay off when there are channels enough to spread their cost over, and
    /// maps are not so small that most of a tile lies beyond the edge; with a dilation, the phases of maps.
    ///
    /// Against pairs in F2, floats in F4 multiply a little more, but transform fewer and larger tiles; the more channels share a
    /// transform, the less that counts. F6 pays where few of its larger tiles' pixels lie beyond the edge, and where its larger filters
    /// stay in a cache, or are read for many tiles at once.
    pub(super) fn choose(convolution: &Convolution, [height, width]: [usize; 2], precision: Precision) -> Method {
        let channels = convolution.inputs.min(convolution.outputs);
        let pairs = precision == Precision::Bf16 && channels >= PAIRS_FROM;
        let least = (height / convolution.dilation[0]).min(width / convolution.dilation[1]);
        let tiles = |side: usize| {
            let along = |size: usize, dilation: usize| dilation * size.div_ceil(dilation).div_ceil(side);
            along(height, convolution.dilation[0]) * along(width, convolution.dilation[1])
        };
        let products = |side: usize| tiles(side) * (side + 2).pow(2);
        let fed = tiles(6) >= TILES_FROM || 64 * size_of::<f32>() * convolution.inputs * convolution.outputs <= CACHED;
        if Method::Depthwise.allows(convolution) {
            Method::Depthwise
        } else if !Method::Winograd4.allows(convolution) || channels < 16 || least < 3 {
            Method::Direct
        } else if least >= SIXES_FROM && fed && products(6) * 10 <= products(4) * 9 {
            Method::Winograd6
        } else if least < 6 || pairs {
            Method::Winograd2
        } else {
            Method::Winograd4
        }
    }
}
