//! Kernels of convolutions, transformed once for all tiles: `U = G g G^T`.

use super::transform::{LONGEST, Transform};
use crate::image::padded;
use crate::memory::Buffer;
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::threads::parallel;

/// Transformed kernels as right matrices, one for each element of the tile: `[panel][element][channel][column]`.
pub(crate) struct Transformed {
    values: Buffer,
    pub(crate) panels: Panels,
    channels: usize,
    elements: usize,
}

impl Transformed {
    /// `weight(output channel, input channel)` gives the 3x3 kernel, row by row. Computed in f64.
    pub(crate) fn new<T: Transform>(
        outputs: usize,
        channels: usize,
        panels: Panels,
        weight: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Transformed {
        let elements = T::IN * T::IN;
        let mut values = Buffer::new(padded(outputs) * elements * channels);
        let shared = SharedMut(values.as_mut_ptr());
        parallel(panels.count(), |panel| {
            let (first, width) = (panels.first(panel), panels.width(panel));
            let start = first * elements * channels;
            for channel in 0..channels {
                for column in 0..width {
                    let output = first + column;
                    let u =
                        if output < outputs { tile::<T>(weight(output, channel)) } else { [[0.0; LONGEST]; LONGEST] };
                    for element in 0..elements {
                        let at = start + (element * channels + channel) * width + column;
                        // SAFETY: each panel has its own part of the buffer, `elements * channels * width` floats.
                        unsafe { shared.get().add(at).write(u[element / T::IN][element % T::IN] as f32) };
                    }
                }
            }
        });
        Transformed { values, panels, channels, elements }
    }

    /// The matrix of an element of the tile: `channels` rows of the panel's width.
    #[inline(always)]
    pub(crate) fn matrix(&self, panel: usize, element: usize) -> *const f32 {
        let width = self.panels.width(panel);
        let at = (self.panels.first(panel) * self.elements + element * width) * self.channels;
        self.values[at..].as_ptr()
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// `G g G^T`
fn tile<T: Transform>(g: [f32; 9]) -> [[f64; LONGEST]; LONGEST] {
    let row = |r: usize| T::filter([0, 1, 2].map(|c| f64::from(g[3 * r + c])));
    let rows = [row(0), row(1), row(2)];
    let mut u = [[0.0; LONGEST]; LONGEST];
    for col in 0..T::IN {
        let column = T::filter([0, 1, 2].map(|r| rows[r][col]));
        for (line, value) in u.iter_mut().zip(column).take(T::IN) {
            line[col] = value;
        }
    }
    u
}
