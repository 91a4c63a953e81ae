//! Where inputs of a strip lie, and which of its outputs are multiplied together.

use crate::gather::Phase;
use crate::gather::forward::Job;
use crate::gather::lines::Lines;
use crate::image::Layout;
use crate::simd::WIDEST;
use crate::tiles::SIDE;

/// What outputs read, in space, and how it lies once it is rounded.
pub(super) struct Frame {
    /// The inputs, and rows and columns of outputs: those of the job, or all pixels as one line where outputs are as many and read one each.
    pub(super) images: Layout,
    pub(super) outputs: [usize; 2],
    /// The least offset of a tap.
    pub(super) first: [isize; 2],
    /// Pixels from the first to the last tap, both included.
    pub(super) reach: [usize; 2],
    /// Pixels of the image from one that is rounded to the next: with one tap, only those are that outputs read.
    pub(super) skip: [usize; 2],
    /// Rounded pixels from output to output.
    pub(super) stride: [usize; 2],
    /// Words of a pixel.
    pub(super) pixel: usize,
    pub(super) lines: Lines,
    /// One for each channel that there is, and zeros up to whole vectors.
    pub(super) there: Vec<f32>,
}

impl Frame {
    pub(super) fn new(job: &Job, phase: &Phase) -> Frame {
        let Phase { taps, count, .. } = phase;
        let stride = job.pattern.stride;
        let offsets = |axis: usize| taps.iter().map(move |tap| tap.offset[axis]);
        let first = [0, 1].map(|axis| offsets(axis).min().unwrap_or(0));
        let reach = [0, 1].map(|axis| (offsets(axis).max().unwrap_or(0) - first[axis]) as usize + 1);
        let (skip, stride) = if taps.len() > 1 { ([1, 1], stride) } else { (stride, [1, 1]) };
        let lines = Lines::new(phase, &job.filter.groups);
        let mut images = *job.input_layout;
        let size = [images.height, images.width];
        let mut outputs = *count;
        if taps.len() == 1 && first == [0, 0] && skip == [1, 1] && outputs == size {
            outputs = [1, images.pixels()];
            images = Layout { batch: 1, height: 1, width: images.pixels(), ..images };
        }
        let mut there = vec![1.0; job.filter.groups.inputs];
        there.resize(there.len().next_multiple_of(WIDEST), 0.0);
        Frame { images, outputs, first, reach, skip, stride, pixel: lines.pixel, lines, there }
    }

    /// Whether outputs form one line, each of which reads one pixel.
    pub(super) fn is_one_line(&self) -> bool {
        self.outputs[0] == 1 && self.reach == [1, 1]
    }

    /// Words of a line that so many outputs read.
    pub(super) fn line(&self, outputs: usize) -> usize {
        ((outputs - 1) * self.stride[1] + self.reach[1]) * self.pixel
    }

    /// Lines that so many rows of outputs read.
    pub(super) fn lines(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + self.reach[0]
    }

    /// Words behind the last line: what is read there fills a tile, and pixels are written in whole vectors.
    pub(super) fn beyond(&self) -> usize {
        (SIDE - 1) * self.stride[1] * self.pixel + WIDEST
    }

    /// Where the blocks of an output's inputs lie, from the first on, with so many words in a line.
    pub(super) fn blocks(&self, phase: &Phase, line: usize) -> Vec<usize> {
        let place = |tap: usize| {
            let [row, col] = [0, 1].map(|axis| (phase.taps[tap].offset[axis] - self.first[axis]) as usize);
            row * line + col * self.pixel
        };
        self.lines.blocks().map(|(tap, word)| place(tap) + word).collect()
    }
}

/// Rows of pieces, of up to 16 outputs each, that are multiplied two at a time: one below the other, since taps then read fewer pixels than of two that lie
/// side by side. Windows of halved images lie in two such rows.
pub(super) struct Pieces {
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl Pieces {
    /// How many times two there are.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.rows / 2 * self.cols + self.rows % 2 * self.cols.div_ceil(2)
    }

    /// Row and column of each of two pieces. Those of a last row without another one lie side by side, and the second may be behind its last column.
    #[inline(always)]
    pub(super) fn pair(&self, index: usize) -> [[usize; 2]; 2] {
        let below = self.rows / 2 * self.cols;
        if index < below {
            let (row, col) = (index / self.cols * 2, index % self.cols);
            return [[row, col], [row + 1, col]];
        }
        let (row, col) = (self.rows - 1, 2 * (index - below));
        [[row, col], [row, col + 1]]
    }
}
