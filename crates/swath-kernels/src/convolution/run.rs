//! A plan at work: convolutions alone, with the maxima of their windows, or with a 1x1 convolution of their results.

use super::Method;
use super::plan::{Filter, Form, Plan};
use crate::blocking;
use crate::convolution::Convolution;
use crate::depthwise;
use crate::epilogue::{Epilogue, Finish};
use crate::functions::map_in_place;
use crate::gather;
use crate::gather::lines::{Lines, has_lines};
use crate::image::{Element, Layout};
use crate::next::{self, Next, Planes};
use crate::operands::{Floats, Operands, Pairs, Precision};
use crate::panels::Panels;
use crate::pixels::{Source, Target};
use crate::pooling::{Halved, Pooling, max_pool};
use crate::simd::WIDEST;
use crate::winograd;
use crate::winograd::transform::{F2, F4, F6};

/// Windows of 2x2.
const HALVING: Pooling =
    Pooling { kernel: [2, 2], stride: [2, 2], padding: [[0, 0], [0, 0]], dilation: [1, 1], ceil: false };

/// Outputs of a 1x1 convolution, at most, that is computed from tiles: a vector of the widest ones.
const HEAD: usize = 16;

/// Channels, at most, of images that are read in planes: what lies side by side of some pixels stays in L1.
const MOST_PLANES: usize = 32;

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

impl Plan {
    /// Convolves.
    ///
    /// # Panics
    /// When a slice is too short for its layout, the filter is for another convolution, method, precision or instruction set, images are
    /// in planes that it does not [read](Self::reads_planes) or [write](Self::writes_planes), or what it writes to planes has a function.
    pub fn run(&self, input: &[f32], filter: &Filter, epilogue: &Epilogue, output: &mut [f32]) {
        if self.output.planes {
            assert!(self.writes_planes() && epilogue.function.is_none(), "the output cannot be in planes: {self:?}");
            self.output.check_len("the output", output.len());
            let next = self.planes(output);
            // SAFETY: with something that follows nothing else is stored than its output, which holds its layout.
            return unsafe { self.run_with(input, filter, epilogue, std::ptr::null_mut(), (None, Some(next))) };
        }
        self.output.check("the output", output.len());
        // SAFETY: the output holds its layout.
        unsafe { self.run_with(input, filter, epilogue, output.as_mut_ptr(), (None, None)) };
        if let Some(function) = epilogue.function.filter(|_| self.method != Method::Depthwise) {
            map_in_place(function, &self.output, output);
        }
    }

    /// The output's planes.
    fn planes(&self, output: &mut [f32]) -> Next<'_> {
        let Layout { channels, .. } = self.output;
        Next::Planes(Planes { start: output.as_mut_ptr(), channels, area: self.output.pixels() })
    }

    /// Whether a single image may be read with its channels [in planes](Layout::in_planes): where it is rounded for tiles, and has some channels only.
    pub fn reads_planes(&self) -> bool {
        self.is_in_strips() && self.input.batch == 1 && self.input.channels <= MOST_PLANES
    }

    /// Whether a single image may be written with its channels [in planes](Layout::in_planes): with Winograd's methods, and in tiles.
    pub fn writes_planes(&self) -> bool {
        self.goes_on() && self.output.batch == 1
    }

    /// Whether outputs can be given to what [follows](Next).
    fn goes_on(&self) -> bool {
        self.method.is_winograd() || self.is_in_strips() && self.groups.count == 1
    }

    /// With any method. Maxima of windows go to where the first says, and outputs to what follows if there is something.
    ///
    /// # Safety
    /// The output must hold its layout unless something follows, and the maxima and what follows must hold theirs.
    unsafe fn run_with(
        &self,
        input: &[f32],
        filter: &Filter,
        epilogue: &Epilogue,
        output: *mut f32,
        (halved, next): (Option<Halved>, Option<Next>),
    ) {
        assert!(!self.input.planes || self.reads_planes(), "the input cannot be in planes: {self:?}");
        // SAFETY: the caller's promise.
        unsafe {
            if self.method.is_winograd() {
                self.run_winograd(input, filter, epilogue, output, (halved, next));
            } else {
                self.run_by_pixels(input, filter, epilogue, Target::at(output, &self.output), (halved, next));
            }
        }
    }

    /// With all methods but Winograd's.
    ///
    /// # Safety
    /// As [`run_with`](Self::run_with).
    unsafe fn run_by_pixels(
        &self,
        input: &[f32],
        filter: &Filter,
        epilogue: &Epilogue,
        output: Target,
        (halved, next): (Option<Halved>, Option<Next>),
    ) {
        let input = Source::of_any_order("the input", &self.input, input);
        self.check_filter(filter);
        let finish = Finish::new(epilogue, &self.output);
        match &filter.form {
            Form::Direct(filter) => {
                let fits = self.method == Method::Direct && self.precision() == filter.precision;
                assert!(fits, "a filter for another method or precision");
                let job = gather::forward::Job {
                    input,
                    input_layout: &self.input,
                    output,
                    output_layout: &self.output,
                    pattern: &self.pattern,
                    filter,
                    finish,
                    halved,
                    next,
                };
                // SAFETY: the caller's promise; the input holds its layout, and the filter was made for this convolution.
                unsafe {
                    match filter.precision {
                        Precision::Fp32 => gather::forward::run::<Floats>(self.isa, &job),
                        Precision::Bf16x3 | Precision::Bf16x2 => gather::forward::run_in_parts(self.isa, &job),
                        Precision::Bf16 => gather::forward::run::<Pairs>(self.isa, &job),
                    }
                }
            }
            Form::Depthwise(filter) => {
                assert_eq!(self.method, Method::Depthwise, "a filter for another method");
                let job = depthwise::forward::Job {
                    input,
                    input_layout: &self.input,
                    output,
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
    /// Winograd's methods, and in tiles of pairs, while the result is at hand.
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
        let winograd = self.method.is_winograd() && self.convolution.dilation == [1, 1];
        let in_strips = self.is_in_strips() && has_lines(self.isa, &self.pattern);
        if epilogue.function.is_some() || !(winograd || in_strips) {
            self.run(input, filter, epilogue, output);
            return max_pool(&HALVING, &self.output, output, layout, maxima);
        }
        HALVING.check(&self.output, layout);
        let halved = Some(Halved { to: Target::new("the maxima", layout, maxima), layout: *layout });
        self.output.check("the output", output.len());
        // SAFETY: the output holds its layout, and the maxima theirs, which has half the output's size.
        unsafe { self.run_with(input, filter, epilogue, output.as_mut_ptr(), (halved, None)) };
    }

    /// Whether rows of outputs are computed from strips of rounded inputs.
    fn is_in_strips(&self) -> bool {
        match self.precision() {
            Precision::Fp32 => false,
            Precision::Bf16x3 | Precision::Bf16x2 => true,
            Precision::Bf16 => self.method == Method::Direct && has_lines(self.isa, &self.pattern),
        }
    }

    /// Whether [`run_with_head`](Self::run_with_head) can compute `head`, a 1x1 convolution of this one's results to 16 outputs at most,
    /// [`Direct`](Method::Direct): in floats where this plan is one of Winograd's methods, and in pairs where it is in tiles of pairs, has whole panels of
    /// outputs, and weights that are read together.
    pub fn takes_head(&self, head: &Plan) -> bool {
        let Convolution { kernel, stride, padding, groups, outputs, .. } = head.convolution;
        let pointwise = kernel == [1, 1] && stride == [1, 1] && padding == [[0, 0], [0, 0]] && groups == 1;
        let direct = head.method == Method::Direct && head.isa == self.isa;
        let of_results = head.input.within(self.output.pixel) == self.output;
        let fits = match head.precision() {
            Precision::Fp32 => self.method.is_winograd(),
            Precision::Bf16 => self.precision() == Precision::Bf16 && self.gives_pairs(),
            _ => false,
        };
        fits && pointwise && direct && of_results && outputs <= HEAD
    }

    /// Whether outputs come as whole blocks of pairs for tiles, all of a pixel one after the other.
    fn gives_pairs(&self) -> bool {
        if !self.is_in_strips() || self.groups.count > 1 {
            return false;
        }
        let (lines, panels) =
            (Lines::new(&self.pattern.phases[0], &self.groups), Panels::new(self.isa, self.groups.outputs));
        let together = blocking::panels_together(lines.words() * panels.widest()) >= panels.count();
        let whole =
            self.groups.outputs.is_multiple_of(Pairs::STEPS * WIDEST) && panels.widest() == Pairs::STEPS * WIDEST;
        together && whole && lines.block == WIDEST
    }

    /// Convolves, and then computes a 1x1 convolution of the result while it is at hand. Only the latter's result is stored.
    ///
    /// # Panics
    /// As [`run`](Self::run) for both convolutions, or when this plan does not [take the head](Self::takes_head), or one of the epilogues has a
    /// function.
    pub fn run_with_head(&self, input: &[f32], filter: &Filter, epilogue: &Epilogue, head: &Head, output: &mut [f32]) {
        let fits = self.takes_head(head.plan) && epilogue.function.is_none() && head.epilogue.function.is_none();
        assert!(fits, "{:?} is no head of {:?}", head.plan.convolution, self.convolution);
        let to = &head.plan.output;
        assert!(to.element == Element::Float && (!to.planes || to.batch == 1), "a head cannot write {to:?}");
        to.check_len("the output", output.len());
        head.plan.check_filter(head.filter);
        let Form::Direct(weights) = &head.filter.form else { panic!("a filter for another method") };
        assert_eq!(weights.precision, head.plan.precision(), "a filter for another precision");
        let head = next::Head {
            filter: weights,
            finish: Finish::new(head.epilogue, to),
            output: output.as_mut_ptr(),
            output_layout: to,
        };
        let next = Some(Next::Head(head));
        // SAFETY: with a head nothing else is stored than its output, which holds its layout.
        unsafe { self.run_with(input, filter, epilogue, std::ptr::null_mut(), (None, next)) };
    }

    /// # Panics
    /// When the filter is for another convolution or instruction set.
    fn check_filter(&self, filter: &Filter) {
        let fits =
            filter.convolution == self.convolution && filter.direction == self.direction && filter.isa == self.isa;
        assert!(fits, "a filter of {:?} for {:?}", filter.convolution, self.convolution);
    }

    /// # Safety
    /// As [`run_with`](Self::run_with).
    unsafe fn run_winograd(
        &self,
        input: &[f32],
        filter: &Filter,
        epilogue: &Epilogue,
        output: *mut f32,
        (halved, next): (Option<Halved>, Option<Next>),
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
            next,
        };
        // SAFETY: the caller's promise; the input holds its layout, and the filter was made for this convolution.
        unsafe {
            match (method, filter.precision) {
                (Method::Winograd6, _) => winograd::forward::run::<F6, Floats>(self.isa, &job),
                (Method::Winograd4, _) => winograd::forward::run::<F4, Floats>(self.isa, &job),
                (_, Precision::Bf16) => winograd::forward::run::<F2, Pairs>(self.isa, &job),
                _ => winograd::forward::run::<F2, Floats>(self.isa, &job),
            }
        }
    }
}
