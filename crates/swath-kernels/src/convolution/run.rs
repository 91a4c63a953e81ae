//! A plan at work: convolutions alone, with the maxima of their windows, or with a 1x1 convolution of their results.

use super::Method;
use super::plan::{Filter, Form, Plan};
use crate::convolution::Convolution;
use crate::depthwise;
use crate::epilogue::{Epilogue, Finish};
use crate::functions::map_in_place;
use crate::gather;
use crate::gather::lines::has_lines;
use crate::image::Layout;
use crate::operands::{Floats, Pairs, Precision};
use crate::pixels::{Source, Target};
use crate::pooling::{Halved, Pooling, max_pool};
use crate::winograd;
use crate::winograd::transform::{F2, F4, F6};

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

impl Plan {
    /// Convolves.
    ///
    /// # Panics
    /// When a slice is too short for its layout, the filter is for another convolution, method, precision or instruction set, or images are
    /// of elements that the method does not [take](Self::takes_bfloat16).
    pub fn run(&self, input: &[f32], filter: &Filter, epilogue: &Epilogue, output: &mut [f32]) {
        self.output.check("the output", output.len());
        if self.method.is_winograd() {
            // SAFETY: the output holds its layout.
            unsafe { self.run_winograd(input, filter, epilogue, output.as_mut_ptr(), None, None) };
        } else {
            self.run_by_pixels(input, filter, epilogue, output, None);
        }
        if let Some(function) = epilogue.function.filter(|_| self.method != Method::Depthwise) {
            map_in_place(function, &self.output, output);
        }
    }

    /// With methods that know no tiles.
    fn run_by_pixels(
        &self,
        input: &[f32],
        filter: &Filter,
        epilogue: &Epilogue,
        output: &mut [f32],
        halved: Option<Halved>,
    ) {
        self.input.check("the input", input.len());
        self.check_filter(filter);
        let finish = Finish::new(epilogue, &self.output);
        match &filter.form {
            Form::Direct(filter) => {
                let fits = self.method == Method::Direct && self.precision() == filter.precision;
                assert!(fits, "a filter for another method or precision");
                let job = gather::forward::Job {
                    input: Source::new("the input", &self.input, input),
                    input_layout: &self.input,
                    output: Target::new("the output", &self.output, output),
                    output_layout: &self.output,
                    pattern: &self.pattern,
                    filter,
                    finish,
                    halved,
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
                    input: Source::new("the input", &self.input, input),
                    input_layout: &self.input,
                    output: Target::new("the output", &self.output, output),
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
        let in_tiles = self.method.is_winograd() && self.convolution.dilation == [1, 1];
        let in_lines =
            self.method == Method::Direct && self.precision() == Precision::Bf16 && has_lines(self.isa, &self.pattern);
        if epilogue.function.is_some() || !(in_tiles || in_lines) {
            self.run(input, filter, epilogue, output);
            return max_pool(&HALVING, &self.output, output, layout, maxima);
        }
        HALVING.check(&self.output, layout);
        let halved = Some(Halved { to: Target::new("the maxima", layout, maxima), layout: *layout });
        if in_lines {
            return self.run_by_pixels(input, filter, epilogue, output, halved);
        }
        self.output.check("the output", output.len());
        // SAFETY: the output holds its layout, and the maxima theirs, which has half the output's size.
        unsafe { self.run_winograd(input, filter, epilogue, output.as_mut_ptr(), halved, None) };
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
        self.input.check_floats("the input", input.len());
        self.output.check_floats("the output", self.output.len());
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
