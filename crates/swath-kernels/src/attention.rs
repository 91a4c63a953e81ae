//! Attention of the pixels of one image to those of another.
//!
//! Vaswani et al.: *Attention Is All You Need*. NeurIPS 2017. <https://arxiv.org/abs/1706.03762>. In each head, of `d` neighbouring
//! channels, `out = softmax(q kᵗ / sqrt(d)) v`. A block of queries has its whole rows of logits in memory at once, and no more.

use crate::functions::exp;
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;

/// Queries of a block.
const BLOCK: usize = 64;
/// Queries that share each load of keys and values.
const ROWS: usize = 4;

/// Writes for each pixel of `q` the mean of the values at all pixels, weighted by how well their keys fit.
///
/// # Panics
/// When channels or batches differ, the heads have no equal shares of the channels, or a slice is too short.
pub fn attention(
    heads: usize,
    (q_layout, q): (&Layout, &[f32]),
    (k_layout, k): (&Layout, &[f32]),
    (v_layout, v): (&Layout, &[f32]),
    out_layout: &Layout,
    out: &mut [f32],
) {
    for (what, layout, len) in [
        ("the queries", q_layout, q.len()),
        ("the keys", k_layout, k.len()),
        ("the values", v_layout, v.len()),
        ("the output", out_layout, out.len()),
    ] {
        layout.check(what, len);
        assert_eq!(
            (layout.batch, layout.channels),
            (q_layout.batch, q_layout.channels),
            "batch and channels of {what}"
        );
    }
    let area = |layout: &Layout| layout.height * layout.width;
    assert_eq!(area(q_layout), area(out_layout), "an output of another size");
    assert_eq!(area(k_layout), area(v_layout), "as many keys as values");
    assert!(heads > 0 && q_layout.channels.is_multiple_of(heads), "heads with equal shares of the channels");
    let (queries, size) = (area(q_layout), q_layout.channels / heads);
    let blocks = queries.div_ceil(BLOCK);
    let shared = SharedMut(out.as_mut_ptr());
    parallel(q_layout.batch * heads * blocks, |item| {
        let (image, head, block) = (item / blocks / heads, item / blocks % heads, item % blocks);
        let (first, last) = (block * BLOCK, ((block + 1) * BLOCK).min(queries));
        let part = |layout: &Layout| image * area(layout) * layout.pixel + head * size;
        let kernel = Block {
            q: &q[part(q_layout) + first * q_layout.pixel..],
            k: &k[part(k_layout)..],
            v: &v[part(v_layout)..],
            pixels: [q_layout.pixel, k_layout.pixel, v_layout.pixel, out_layout.pixel],
            queries: last - first,
            keys: area(k_layout),
            size,
            // SAFETY: within the output, whose size has been checked.
            out: unsafe { shared.get().add(part(out_layout) + first * out_layout.pixel) },
        };
        // SAFETY: all parts have been checked; blocks of queries and heads write to different places.
        unsafe { isa::run(Isa::best(), kernel) };
    });
}

/// Some queries of one head.
struct Block<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    /// Floats from pixel to pixel of queries, keys, values and output.
    pixels: [usize; 4],
    queries: usize,
    keys: usize,
    size: usize,
    out: *mut f32,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Block { q, k, v, pixels, queries, keys, size, out } = self;
        // Whole pairs of vectors; what is added weighs nothing.
        let (columns, width) = (keys.next_multiple_of(2 * WIDEST), size.next_multiple_of(2 * WIDEST));
        let rows = queries.next_multiple_of(ROWS);
        let scale = 1.0 / (size as f32).sqrt();
        let mut left = vec![0.0; rows * size];
        for (row, left) in left.chunks_exact_mut(size).take(queries).enumerate() {
            let query = &q[row * pixels[0]..][..size];
            left.iter_mut().zip(query).for_each(|(left, query)| *left = query * scale);
        }
        let mut right = vec![0.0; size * columns];
        let mut values = vec![0.0; columns * width];
        for key in 0..keys {
            for (channel, value) in k[key * pixels[1]..][..size].iter().enumerate() {
                right[channel * columns + key] = *value;
            }
            values[key * width..][..size].copy_from_slice(&v[key * pixels[2]..][..size]);
        }
        let mut logits = vec![0.0; rows * columns];
        // SAFETY: the caller's promise; the matrices have these sizes.
        unsafe { multiply::<S>(&left, &right, &mut logits, [rows, size, columns]) };
        let mut sums = vec![0.0; rows];
        for (row, sum) in logits.chunks_exact_mut(columns).zip(&mut sums) {
            row[keys..].fill(f32::NEG_INFINITY);
            // SAFETY: the caller's promise; a row is whole vectors.
            *sum = unsafe { exponentials::<S>(row) };
        }
        let mut means = vec![0.0; rows * width];
        // SAFETY: as above.
        unsafe { multiply::<S>(&logits, &values, &mut means, [rows, columns, width]) };
        for (row, (means, sum)) in means.chunks_exact(width).zip(&sums).take(queries).enumerate() {
            for (channel, mean) in means[..size].iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { out.add(row * pixels[3] + channel).write(mean / sum) };
            }
        }
    }
}

/// Replaces a row by the exponentials of what is left of each after taking off the greatest, and returns their sum.
///
/// # Safety
/// The machine must have the instruction set, and the row be whole vectors.
#[inline(always)]
unsafe fn exponentials<S: Simd>(row: &mut [f32]) -> f32 {
    let start = row.as_mut_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        let mut greatest = S::load(start);
        for at in (S::LANES..row.len()).step_by(S::LANES) {
            let value = S::load(start.add(at));
            greatest = S::select_greater(value, greatest, value, greatest);
        }
        let mut lanes = [f32::NEG_INFINITY; WIDEST];
        S::store(lanes.as_mut_ptr(), greatest);
        let greatest = S::splat(lanes[..S::LANES].iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b)));
        let mut sum = S::zero();
        for at in (0..row.len()).step_by(S::LANES) {
            let value = exp::<S>(S::sub(S::load(start.add(at)), greatest));
            S::store(start.add(at), value);
            sum = S::add(sum, value);
        }
        let mut lanes = [0.0; WIDEST];
        S::store(lanes.as_mut_ptr(), sum);
        lanes[..S::LANES].iter().sum()
    }
}

/// `out = a b` for `a` of `[rows, inner]` and `b` of `[inner, columns]`, row by row.
///
/// # Safety
/// The machine must have the instruction set. Rows are whole groups, columns whole pairs of vectors, and the slices hold them.
#[inline(always)]
unsafe fn multiply<S: Simd>(a: &[f32], b: &[f32], out: &mut [f32], [rows, inner, columns]: [usize; 3]) {
    let (a, b, out) = (a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
    for row in (0..rows).step_by(ROWS) {
        for column in (0..columns).step_by(2 * S::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut sums = [[S::zero(); 2]; ROWS];
                for step in 0..inner {
                    let from = b.add(step * columns + column);
                    let (first, second) = (S::load(from), S::load(from.add(S::LANES)));
                    for (offset, sums) in sums.iter_mut().enumerate() {
                        let factor = S::splat(*a.add((row + offset) * inner + step));
                        sums[0] = S::mul_add(factor, first, sums[0]);
                        sums[1] = S::mul_add(factor, second, sums[1]);
                    }
                }
                for (offset, sums) in sums.iter().enumerate() {
                    let to = out.add((row + offset) * columns + column);
                    S::store(to, sums[0]);
                    S::store(to.add(S::LANES), sums[1]);
                }
            }
        }
    }
}
