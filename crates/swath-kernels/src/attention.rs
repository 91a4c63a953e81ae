//! Attention of the pixels of one image to those of another.
//!
//! Vaswani et al.: *Attention Is All You Need*. NeurIPS 2017. <https://arxiv.org/abs/1706.03762>. In each head, of `d` neighbouring
//! channels, `out = softmax(q kᵗ / sqrt(d)) v`. Keys and values of a head are brought into the order of the matrix product once; then a
//! few queries at a time have their whole rows of logits in the nearest cache.

use std::marker::PhantomData;

use crate::functions::exp;
use crate::gemm::{self, Left, Rows};
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::memory::{Buffer, with_scratch};
use crate::operands::Floats;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;

/// Queries of a block: whole groups of any instruction set's matrix kernel, which are no larger than [`GROUP`].
const BLOCK: usize = 84;
/// Queries whose logits are in memory at once.
const GROUP: usize = 14;

/// Writes for each pixel of `q` the mean of the values at all pixels, weighted by how well their keys fit.
///
/// # Panics
/// When channels or batches differ, the heads have no equal shares of the channels, a slice is too short, or an image is not of floats.
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
        layout.check_floats(what, len);
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
    let (queries, keys, size) = (area(q_layout), area(k_layout), q_layout.channels / heads);
    let head = Head { keys, size, columns: keys.next_multiple_of(WIDEST), width: size.next_multiple_of(WIDEST) };
    let part = |layout: &Layout, of: usize| of / heads * area(layout) * layout.pixel + of % heads * size;
    let mut ordered = Buffer::new(q_layout.batch * heads * head.len());
    let shared = SharedMut(ordered.as_mut_ptr());
    parallel(q_layout.batch * heads, |of| {
        // SAFETY: each head has its own part of the buffer, as long as this.
        let own = unsafe { std::slice::from_raw_parts_mut(shared.get().add(of * head.len()), head.len()) };
        let (k, v) = (&k[part(k_layout, of)..], &v[part(v_layout, of)..]);
        head.order((k, k_layout.pixel), (v, v_layout.pixel), own);
    });
    let ordered = &ordered[..];
    let blocks = queries.div_ceil(BLOCK);
    let shared = SharedMut(out.as_mut_ptr());
    parallel(q_layout.batch * heads * blocks, |item| {
        let (of, block) = (item / blocks, item % blocks);
        let (first, last) = (block * BLOCK, ((block + 1) * BLOCK).min(queries));
        with_scratch(GROUP * (2 * head.width + head.columns), |scratch| {
            let kernel = Block {
                head,
                ordered: &ordered[of * head.len()..][..head.len()],
                q: &q[part(q_layout, of) + first * q_layout.pixel..],
                pixels: [q_layout.pixel, out_layout.pixel],
                queries: last - first,
                // SAFETY: within the output, whose size has been checked.
                out: unsafe { shared.get().add(part(out_layout, of) + first * out_layout.pixel) },
                scratch,
            };
            // SAFETY: all parts have been checked; blocks of queries and heads write to different places.
            unsafe { isa::run(Isa::best(), kernel) };
        });
    });
}

/// Sizes of a head's matrices.
#[derive(Clone, Copy)]
struct Head {
    keys: usize,
    /// Channels.
    size: usize,
    /// Both in whole vectors.
    columns: usize,
    width: usize,
}

impl Head {
    /// Floats of keys and values.
    fn len(&self) -> usize {
        self.size * self.columns + self.columns * self.width
    }

    /// Keys as `[channel, key]`, then values as `[key, channel]`; zeros where rows are longer.
    fn order(&self, (k, k_pixel): (&[f32], usize), (v, v_pixel): (&[f32], usize), to: &mut [f32]) {
        let Head { keys, size, columns, width } = *self;
        to.fill(0.0);
        let (turned, values) = to.split_at_mut(size * columns);
        for key in 0..keys {
            for (channel, value) in k[key * k_pixel..][..size].iter().enumerate() {
                turned[channel * columns + key] = *value;
            }
            values[key * width..][..size].copy_from_slice(&v[key * v_pixel..][..size]);
        }
    }
}

/// Some queries of one head.
struct Block<'a> {
    head: Head,
    /// What [`Head::order`] made.
    ordered: &'a [f32],
    q: &'a [f32],
    /// Floats from pixel to pixel of queries and output.
    pixels: [usize; 2],
    queries: usize,
    out: *mut f32,
    /// Room for a group's queries, logits and means.
    scratch: &'a mut [f32],
}

impl Kernel for Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Block { head: Head { keys, size, columns, width }, ordered, q, pixels, queries, out, scratch } = self;
        let (turned, values) = ordered.split_at(size * columns);
        let scale = 1.0 / (size as f32).sqrt();
        let most = S::ROWS.min(GROUP);
        let (left, rest) = scratch.split_at_mut(GROUP * width);
        let (logits, means) = rest.split_at_mut(GROUP * columns);
        for first in (0..queries).step_by(most) {
            let rows = most.min(queries - first);
            // Both left matrices lie in blocks of 16 columns, row by row.
            let place = |row: usize, col: usize| (col / WIDEST * rows + row) * WIDEST + col % WIDEST;
            for row in 0..rows {
                let query = &q[(first + row) * pixels[0]..][..size];
                for (block, query) in query.chunks(WIDEST).enumerate() {
                    let to = &mut left[place(row, block * WIDEST)..][..query.len()];
                    to.iter_mut().zip(query).for_each(|(to, query)| *to = query * scale);
                }
            }
            let block = rows * WIDEST;
            let product = |left: &[f32], depth: usize, right: *const f32, step: usize, vecs: usize, out| {
                let (left, right) = (Left { start: left.as_ptr(), block, afar: false }, Rows { start: right, step });
                // SAFETY: the machine has the instruction set, and the matrices these sizes.
                unsafe {
                    S::call(gemm::Multiply::<Floats, _> { rows, vecs, depth, left, right, out, operands: PhantomData })
                };
            };
            let together = (WIDEST / S::LANES).min(2);
            for col in (0..columns).step_by(together * S::LANES) {
                let out = Rows { start: logits[place(0, col)..].as_mut_ptr(), step: WIDEST };
                product(left, size, turned[col..].as_ptr(), columns, together, out);
            }
            let mut sums = [0.0; GROUP];
            for (row, sum) in sums[..rows].iter_mut().enumerate() {
                (keys..columns).for_each(|col| logits[place(row, col)] = f32::NEG_INFINITY);
                // SAFETY: the machine has the instruction set; blocks of a row are that far apart.
                *sum = unsafe { exponentials::<S>(&mut logits[place(row, 0)..], block, columns / WIDEST) };
            }
            for col in (0..width).step_by(2 * S::LANES) {
                let vecs = ((width - col) / S::LANES).min(2);
                let out = Rows { start: means[col..].as_mut_ptr(), step: width };
                product(logits, columns, values[col..].as_ptr(), width, vecs, out);
            }
            for (row, (means, sum)) in means.chunks_exact(width).zip(&sums).take(rows).enumerate() {
                for (channel, mean) in means[..size].iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe { out.add((first + row) * pixels[1] + channel).write(mean / sum) };
                }
            }
        }
    }
}

/// Replaces a row by the exponentials of what is left of each after taking off the greatest, and returns their sum. The row lies in `count`
/// pieces of [`WIDEST`], `step` apart.
///
/// # Safety
/// The machine must have the instruction set, and the row have these pieces.
#[inline(always)]
unsafe fn exponentials<S: Simd>(row: &mut [f32], step: usize, count: usize) -> f32 {
    let start = row.as_mut_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        let mut greatest = S::load(start);
        for piece in 0..count {
            for lane in (0..WIDEST).step_by(S::LANES) {
                let value = S::load(start.add(piece * step + lane));
                greatest = S::greater(value, greatest);
            }
        }
        let mut lanes = [f32::NEG_INFINITY; WIDEST];
        S::store(lanes.as_mut_ptr(), greatest);
        let greatest = S::splat(folded(lanes, |a, b| if b > a { b } else { a }));
        let mut sum = S::zero();
        for piece in 0..count {
            for lane in (0..WIDEST).step_by(S::LANES) {
                let place = start.add(piece * step + lane);
                let value = exp::<S>(S::sub(S::load(place), greatest));
                S::store(place, value);
                sum = S::add(sum, value);
            }
        }
        let mut lanes = [0.0; WIDEST];
        S::store(lanes.as_mut_ptr(), sum);
        folded(lanes, |a, b| a + b)
    }
}

/// One value of all, in pairs, so that no step waits for all before it.
#[inline(always)]
fn folded(mut lanes: [f32; WIDEST], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = WIDEST / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}
