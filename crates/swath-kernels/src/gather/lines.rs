//! How pixels lie side by side in lines of pairs, so that tiles multiply what the taps of a row of the kernel read as one piece.

use super::{Groups, Pattern, Phase};
use crate::isa::Isa;
use crate::operands::{Operands, Pairs};
use crate::simd::WIDEST;

/// Whether direct convolutions in pairs are computed from lines. With one tap, gathering is the same.
pub(crate) fn has_lines(isa: Isa, pattern: &Pattern) -> bool {
    isa.has_tiles() && matches!(&pattern.phases[..], [phase] if phase.taps.len() > 1)
}

/// Taps in the order in which they are multiplied, cut into blocks of words that tiles hold.
pub(crate) struct Lines {
    /// Words of a pixel: its pairs of channels, and as many zeros as make whole blocks.
    pub(crate) pixel: usize,
    /// Words of a block, at most 16.
    pub(crate) block: usize,
    /// Numbers of the phase's taps, row by row.
    taps: Vec<usize>,
    /// How many of them read pixels that lie side by side.
    together: usize,
}

impl Lines {
    /// The lines of which a tile holds most.
    pub(crate) fn new(phase: &Phase, groups: &Groups) -> Lines {
        let offset = |tap: &usize| phase.taps[*tap].offset;
        let mut taps: Vec<usize> = (0..phase.taps.len()).collect();
        taps.sort_by_key(offset);
        let beside = |pair: &[usize]| offset(&pair[1]) == [offset(&pair[0])[0], offset(&pair[0])[1] + 1];
        let cols = taps.iter().filter(|tap| offset(tap)[0] == offset(&taps[0])[0]).count().max(1);
        let rows_are_whole = taps.chunks(cols).all(|row| row.len() == cols && row.windows(2).all(beside));
        let together = if rows_are_whole { cols } else { 1 };
        let least = Pairs::words(groups.inputs);
        let blocks = |pixel: usize| {
            let words = together * pixel;
            (words.div_ceil(WIDEST)..).find(|blocks| words.is_multiple_of(*blocks)).unwrap_or(words)
        };
        let pixel = (least..least + 4).min_by_key(|pixel| blocks(*pixel)).unwrap_or(least);
        Lines { pixel, block: together * pixel / blocks(pixel), taps, together }
    }

    /// Words of all taps.
    pub(crate) fn words(&self) -> usize {
        self.taps.len() * self.pixel
    }

    /// The tap and the first of the two channels of each word, in the order of the blocks.
    pub(crate) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        self.taps.iter().flat_map(|tap| (0..self.pixel).map(|word| (*tap, Pairs::STEPS * word)))
    }

    /// The tap at which each block of a row begins, and the words from there to the block.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let words = self.together * self.pixel;
        self.taps.chunks(self.together).flat_map(move |row| (0..words).step_by(self.block).map(|word| (row[0], word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::Geometry;

    fn lines(kernel: [usize; 2], dilation: usize, inputs: usize) -> Lines {
        let geometry = Geometry { kernel, stride: [1, 1], dilation: [dilation; 2], padding: [1, 1] };
        let pattern = Pattern::convolution(&geometry, [8, 8]);
        Lines::new(&pattern.phases[0], &Groups::new(1, inputs, 16))
    }

    #[test]
    fn blocks_cover_all_words_and_no_more() {
        for kernel in [[3, 3], [1, 5], [7, 7], [2, 4], [11, 1]] {
            for (dilation, inputs) in
                [1, 2].into_iter().flat_map(|dilation| (1..70).map(move |inputs| (dilation, inputs)))
            {
                let lines = lines(kernel, dilation, inputs);
                let what = format!("{kernel:?}, {inputs} channels, dilation {dilation}");
                assert!(lines.block <= WIDEST && 2 * lines.pixel >= inputs, "{what}");
                assert_eq!(lines.blocks().count() * lines.block, lines.words(), "{what}");
                // Taps are numbered row by row.
                let starts = lines.places().step_by(lines.block).map(|(tap, channel)| (tap, channel / 2));
                let blocks = lines.blocks().map(|(tap, word)| (tap + word / lines.pixel, word % lines.pixel));
                assert!(starts.eq(blocks), "{what}");
            }
        }
    }

    #[test]
    fn rows_of_small_pixels_are_one_block() {
        // Three channels are two words, and seven pixels 14.
        let stem = lines([7, 7], 1, 3);
        assert_eq!((stem.pixel, stem.block, stem.blocks().count()), (2, 14, 7));
        let narrow = lines([3, 3], 1, 16);
        assert_eq!((narrow.pixel, narrow.block, narrow.blocks().count()), (8, 12, 6));
        let wide = lines([3, 3], 2, 64);
        assert_eq!((wide.pixel, wide.block, wide.blocks().count()), (32, 16, 18));
    }
}
