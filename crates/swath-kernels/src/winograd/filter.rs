//! Kernels of convolutions, transformed once for all tiles: `U = G g G^T`.

use std::marker::PhantomData;

use super::transform::{LONGEST, Transform};
use crate::isa::{self, Isa};
use crate::memory::Buffer;
use crate::operands::{Operands, Pairs, Precision, round_rows};
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd};
use crate::threads::parallel;

/// Transformed kernels as right matrices, one for each element of the tile: `[panel][element][channel][column]`.
pub(crate) struct Transformed {
    values: Buffer,
    pub(crate) panels: Panels,
    pub(crate) precision: Precision,
    channels: usize,
    elements: usize,
}

/// 3x3 kernels of all pairs of channels.
#[derive(Clone, Copy)]
pub(crate) struct Kernels<'a> {
    pub weights: &'a [f32],
    pub inputs: usize,
    pub outputs: usize,
    /// Whether they are those of a transposed convolution: `[input, output]` instead of `[output, input]`, and turned by
    /// half a turn.
    pub turned: bool,
}

impl Kernels<'_> {
    /// The kernel from one channel to another, row by row.
    #[inline(always)]
    fn kernel(&self, to: usize, from: usize) -> [f64; 9] {
        let at = if self.turned { from * self.outputs + to } else { to * self.inputs + from };
        let kernel = &self.weights[9 * at..][..9];
        let mut values = [0.0; 9];
        for (tap, value) in values.iter_mut().enumerate() {
            *value = f64::from(kernel[if self.turned { 8 - tap } else { tap }]);
        }
        values
    }
}

impl Transformed {
    /// Computed in f64.
    pub(crate) fn new<T: Transform>(isa: Isa, kernels: Kernels, panels: Panels) -> Transformed {
        let elements = T::IN * T::IN;
        let channels = kernels.inputs;
        let mut values = Buffer::new(panels.columns() * elements * channels);
        let shared = SharedMut(values.as_mut_ptr());
        // Several items for each panel, since narrow layers have few.
        let parts = channels.div_ceil(64);
        parallel(panels.count() * parts, |item| {
            let (panel, part) = (item / parts, item % parts);
            let first = panels.first(panel);
            let filter = TransformFilter::<T> {
                kernels,
                first,
                width: panels.width(panel),
                channels: channels * part / parts..channels * (part + 1) / parts,
                // SAFETY: each panel has its own part of the buffer.
                out: unsafe { shared.get().add(first * elements * channels) },
                transform: PhantomData,
            };
            // SAFETY: each item writes the rows of its own channels.
            unsafe { isa::run(isa, filter) };
        });
        Transformed { values, panels, precision: Precision::Fp32, channels, elements }
    }

    /// The same in bfloat16: `[panel][element][word][column]` with two channels in a word.
    pub(crate) fn rounded(self) -> Transformed {
        let values = Buffer::new(self.panels.columns() * self.elements * Pairs::words(self.channels));
        let mut rounded = Transformed { values, precision: Precision::Bf16, ..self };
        for panel in 0..self.panels.count() {
            let width = self.panels.width(panel);
            for element in 0..self.elements {
                let from = &self.values[self.start(panel, element)..][..self.channels * width];
                let start = rounded.start(panel, element);
                round_rows(from, width, &mut rounded.values[start..]);
            }
        }
        self.values.discard();
        rounded
    }

    /// The matrix of an element of the tile: a row of the panel's width for each channel, or pair of channels.
    #[inline(always)]
    pub(crate) fn matrix(&self, panel: usize, element: usize) -> *const f32 {
        self.values[self.start(panel, element)..].as_ptr()
    }

    #[inline(always)]
    fn start(&self, panel: usize, element: usize) -> usize {
        let rows = match self.precision {
            Precision::Bf16 => Pairs::words(self.channels),
            _ => self.channels,
        };
        (self.panels.first(panel) * self.elements + element * self.panels.width(panel)) * rows
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// Kernels that are transformed side by side, so that the compiler finds vectors.
pub(super) const SIDE: usize = 8;

/// Values of [`SIDE`] kernels.
pub(super) type Lanes = [f64; SIDE];

/// `G g` of several kernels.
#[inline(always)]
fn transform_lanes<T: Transform>(g: [Lanes; 3]) -> [Lanes; LONGEST] {
    let mut u = [[0.0; SIDE]; LONGEST];
    for lane in 0..SIDE {
        let transformed = T::filter([g[0][lane], g[1][lane], g[2][lane]]);
        for element in 0..LONGEST {
            u[element][lane] = transformed[element];
        }
    }
    u
}

/// Transforms the kernels of one panel's outputs and some input channels.
struct TransformFilter<'a, T> {
    kernels: Kernels<'a>,
    first: usize,
    width: usize,
    channels: std::ops::Range<usize>,
    /// `[element][channel][column]`
    out: *mut f32,
    transform: PhantomData<T>,
}

impl<T: Transform> Kernel for TransformFilter<'_, T> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Kernels { inputs, outputs, .. } = self.kernels;
        for channel in self.channels.start..self.channels.end {
            for column in (0..self.width).step_by(SIDE) {
                // Panels are narrower than this with plain Rust only.
                let side = SIDE.min(self.width - column);
                let mut g = [[0.0; SIDE]; 9];
                for lane in 0..side {
                    let output = self.first + column + lane;
                    if output < outputs {
                        for (values, value) in g.iter_mut().zip(self.kernels.kernel(output, channel)) {
                            values[lane] = value;
                        }
                    }
                }
                let row = |row: usize| transform_lanes::<T>([g[3 * row], g[3 * row + 1], g[3 * row + 2]]);
                let rows = [row(0), row(1), row(2)];
                #[expect(clippy::needless_range_loop, reason = "the column of three rows")]
                for col in 0..T::IN {
                    let u = transform_lanes::<T>([rows[0][col], rows[1][col], rows[2][col]]);
                    for (row, values) in u.iter().enumerate().take(T::IN) {
                        let at = ((row * T::IN + col) * inputs + channel) * self.width + column;
                        for (lane, value) in values.iter().enumerate().take(side) {
                            // SAFETY: the element, channel and column exist in the panel.
                            unsafe { self.out.add(at + lane).write(*value as f32) };
                        }
                    }
                }
            }
        }
    }
}
