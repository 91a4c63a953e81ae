//! Sizes of blocks, all in one place, with the reasons.
//!
//! Sizes are in floats. They are those of the machines at hand (32 KB of L1 and 1 MB of L2 for each core); what has less
//! runs a little slower, and results stay the same to the bit.

use crate::image::Element;
use crate::simd::WIDEST;

/// What a core may keep in its L2 cache: 700 KB of 1 MB, since the filter streams through it as well.
const L2: usize = 700 * 1024 / size_of::<f32>();

/// Rows of the matrix kernel with the widest vectors; blocks are multiples, so that no piece is short.
const ROWS: usize = 14;

/// What Winograd's blocks may take of it: the transformed weights of narrow layers then stay in L2 beside them, and those of
/// wide layers stream past in any case.
const TILES: usize = 270 * 1024 / size_of::<f32>();

/// Tiles that are transformed together for Winograd's method, with `elements` in each: a block holds the transformed
/// inputs, `elements * tiles * channels`, and the products of one panel, `elements * tiles * columns`.
///
/// At most four times the rows of the matrix kernel, and at least one time, although more than some hundred channels then
/// exceed the bound: the kernel needs its rows.
pub(crate) fn winograd_tiles(elements: usize, channels: usize, columns: usize) -> usize {
    let most = TILES / (elements * (channels.next_multiple_of(WIDEST) + columns));
    (most / ROWS).clamp(1, 4) * ROWS
}

/// Tiles that are transformed by all threads for all of them, so that each reads its part of the filter once for all of these tiles: with filters that
/// do not stay in a cache, of which threads that have tiles of their own would all read everything, some dozen tiles at a time. The transformed
/// tiles then come from L3, which pays off where they meet many columns. None with other filters.
pub(crate) fn winograd_tiles_together(elements: usize, channels: usize, columns: usize) -> Option<usize> {
    const FILTER: usize = (16 << 20) / size_of::<f32>();
    const TRANSFORMED: usize = (8 << 20) / size_of::<f32>();
    let tiles = TRANSFORMED / (elements * channels.next_multiple_of(WIDEST));
    (columns >= 256 && elements * channels * columns >= FILTER).then_some((tiles / ROWS).max(1) * ROWS)
}

/// Panels of the filter that tiles of all threads are multiplied with by one of them, element by element: tiles are read once for all of these, whose
/// products still lie in L2 when they are transformed back.
pub(crate) const PANELS_TOGETHER: usize = 4;

/// Floats between what is read of a matrix or an image and what is asked for: processors that fetch memory ahead by themselves begin anew with each page
/// of it.
pub(crate) const AHEAD: usize = 512;

/// The same in blocks of a left matrix.
pub(crate) const BLOCKS_AHEAD: usize = 2;

/// The same in rows, where these are far from each other.
pub(crate) const STEPS_AHEAD: usize = 16;

/// Whether pixels of the next block of tiles are fetched while one is multiplied: of images of `floats` that L3 does not keep from one
/// layer to the next. With few channels processors see the next lines coming by themselves, and asking for them only costs time.
pub(crate) fn winograd_looks_ahead(floats: usize, channels: usize) -> bool {
    floats * size_of::<f32>() >= 8 << 20 && channels >= 64
}

/// Whether what Winograd's tiles write is asked for while they are multiplied: of images of `floats` that have left L2, where each line that is
/// stored has to be fetched.
pub(crate) fn winograd_expects(floats: usize) -> bool {
    floats * size_of::<f32>() >= 2 << 20
}

/// The most that [`gathered_pixels`] returns.
pub(crate) const MOST_GATHERED: usize = 128;

/// Output pixels that are gathered together for a direct convolution: `pixels * words` floats in half of L2; the other half is for the
/// panel of the filter. Pieces of 32 rows for tiles, and of those of the matrix kernel otherwise.
pub(crate) fn gathered_pixels(words: usize, tiles: bool) -> usize {
    let (piece, most) = if tiles { (32, MOST_GATHERED) } else { (ROWS, 8 * ROWS) };
    (L2 / 2 / words.max(1)).clamp(piece, most) / piece * piece
}

/// Rows of outputs whose inputs, lines of `line` words, are rounded together for tiles: a megabyte, which is half of the L2 of processors that
/// have tiles. `reach` lines are read by one row, and `stride` more by the next.
pub(crate) fn strip_rows(line: usize, reach: usize, stride: usize) -> usize {
    let lines = (1 << 20) / size_of::<f32>() / line;
    1 + lines.saturating_sub(reach) / stride
}

/// Pixels of `pixel` words of a single row that are rounded together: as many as with [`strip_rows`].
pub(crate) fn strip_pixels(pixel: usize) -> usize {
    ((1 << 20) / size_of::<f32>() / pixel).max(1)
}

/// Tiles of 16 pixels, at most, that are multiplied with one panel of a filter after the other where they lie.
pub(crate) const MOST_POINTS: usize = 32;

/// Pixels of `words` each for such tiles: three quarters of a megabyte of the L2 of processors that have tiles, so that they come from L3 once.
pub(crate) fn points(words: usize) -> usize {
    ((3 << 18) / size_of::<f32>() / words.max(1)).clamp(2 * WIDEST, MOST_POINTS * WIDEST) / WIDEST * WIDEST
}

/// Panels of a filter for tiles, of `words` each, that are taken together: half a megabyte, which stays in L2 beside the pixels.
pub(crate) fn panels_together(words: usize) -> usize {
    ((1 << 19) / size_of::<f32>() / words.max(1)).max(1)
}

/// Into how many strips a single image of so many `units` is cut, `least` or more, and the panels of its filter into how many parts. Of the ways in which no
/// thread has much more to do than it must, that is the one in which each reads least: those with strips of their own all read the filter, and those
/// with panels of their own all read the image, and write what they round. Both in bytes.
pub(crate) fn strips(
    [least, units]: [usize; 2],
    panels: usize,
    [image, filter]: [usize; 2],
    threads: usize,
) -> (usize, usize) {
    const IMAGE: usize = 3;
    let cut = |parts: usize| (least.next_multiple_of(parts).min(units), (threads / parts).min(panels));
    // Of the thread that has most.
    let work = |parts: &usize| {
        let (strips, shares) = cut(*parts);
        panels.div_ceil(shares) * units.div_ceil(strips) * strips.div_ceil(*parts)
    };
    let reads = |parts: &usize| {
        let (strips, shares) = cut(*parts);
        filter * panels.div_ceil(shares) / panels * strips.div_ceil(*parts) + IMAGE * image / parts
    };
    let ways = || (1..=threads).rev().filter(|parts| threads.is_multiple_of(*parts));
    let must = ways().map(|parts| work(&parts)).min().unwrap_or(0);
    let best = ways().filter(|parts| 8 * work(parts) <= 9 * must).min_by_key(reads);
    cut(best.unwrap_or(threads))
}

/// Whether images of so many bytes have left the cores' L2 before the next layer reads them, on processors that have tiles. Then they may as well be
/// written past it: to fetch what is written over would take as long again. Images of bfloat16 are read in half the time, for which L3 is still near at
/// 8 MB.
pub(crate) fn leaves_l2(image: usize, element: Element) -> bool {
    image > if element == Element::Float { 4 << 20 } else { 8 << 20 }
}

/// The distance between planes that are written side by side, an odd number of cache lines as with [`row`].
pub(crate) fn plane(floats: usize) -> usize {
    row(floats.next_multiple_of(WIDEST))
}

/// Whether the sums of a gradient by weights, `elements * inputs * outputs`, fit into L2 beside the tiles that they come from: then
/// each thread sums over tiles of its own, and needs no other.
pub(crate) fn winograd_sums_fit(sums: usize) -> bool {
    sums <= L2
}

/// Tiles whose transformed inputs and gradients, `elements * tiles * channels`, are kept until they are multiplied: in the L2 of the
/// core that sums `alone`, otherwise for all cores together. Products add to as many sums as there are pairs of channels, whatever the number of
/// tiles, so that more tiles mean less traffic, as long as L3 is near. Processors that have tiles of matrices have twice the L2 and a slow L3:
/// there the cores' L2 keeps what they share.
pub(crate) fn winograd_gradient_tiles(elements: usize, channels: usize, alone: bool, has_tiles: bool) -> usize {
    let (most, least) = match (alone, has_tiles) {
        (true, _) => (400 << 10, 8),
        (false, false) => (24 << 20, 64),
        (false, true) => (3 << 20, 64),
    };
    (most / size_of::<f32>() / (elements * channels)).max(least)
}

/// Lines of pixels, of so many bfloat16 in both images, that are rounded together for a gradient by weights in tiles: three quarters of a megabyte of
/// the L2 of processors that have them.
pub(crate) fn gradient_lines(line: usize) -> usize {
    ((3 << 18) / size_of::<u16>() / line).max(1)
}

/// The distance between rows of `floats`, a multiple of 16, that are read one after the other at the same place: an odd number of
/// cache lines, so that they spread over all of L1 and not over a few of its lines.
pub(crate) fn row(floats: usize) -> usize {
    floats + if (floats / WIDEST).is_multiple_of(2) { WIDEST } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_what_is_larger() {
        // 512 channels of 16x16 pixels, to as many; 128 channels of 64x64.
        let (bottom, middle) = ([16 * 16 * 1024, 9 * 512 * 1024], [64 * 64 * 256, 9 * 128 * 256]);
        assert_eq!(strips([1, 8], 16, bottom, 2), (1, 2));
        assert_eq!(strips([1, 32], 4, middle, 2), (2, 1));
        assert_eq!(strips([1, 8], 16, bottom, 16), (2, 8));
        // Three panels cannot be shared by two evenly, nor a row and a panel at all; six may take sixteen.
        assert_eq!(strips([1, 8], 3, bottom, 2), (2, 1));
        assert_eq!(strips([3, 5], 1, middle, 4), (4, 1));
        assert_eq!(strips([1, 1], 1, middle, 4), (1, 1));
        assert_eq!(strips([1, 1], 16, bottom, 6), (1, 6));
    }
}
