//! The matrix product that every convolution ends in, small enough for registers.
//!
//! `C[row][col] = sum over depth of A[row][depth] B[depth][col]`, for a few rows and one or two vectors of columns. The sums
//! stay in registers from the first to the last step of the depth; the order of the additions is fixed by the depth
//! alone, so that a result does not depend on how rows and columns were cut into pieces.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::blocking;
use crate::operands::{Floats, Operands};
use crate::simd::{Kernel, Simd, WIDEST, prefetch};
#[cfg(target_arch = "x86_64")]
use crate::tiles::{SIDE, TILE, Tiles};

/// Where the left matrix lies, in blocks of the depth.
///
/// Element `(row, depth)` lies at `start + depth / 16 * block + row * 16 + depth % 16`: rows are vectors of 16 words,
/// which is how images and transformed tiles come out of vector registers. Here and below, steps of the depth are words of
/// [`Operands`].
#[derive(Clone, Copy)]
pub(crate) struct Left {
    pub start: *const f32,
    /// Floats from a block of 16 steps to the next.
    pub block: usize,
    /// Whether it comes from other cores, so that blocks have to be asked for in time.
    pub afar: bool,
}

/// A left matrix that lies transposed: element `(row, depth)` at `start + depth * step + row`.
#[derive(Clone, Copy)]
pub(crate) struct LeftTransposed {
    pub start: *const f32,
    pub step: usize,
}

/// A left matrix that is read where it lies, in an image: element `(row, depth)` at `start + offsets[depth] + row * step`.
#[derive(Clone, Copy)]
pub(crate) struct LeftInImage<'a> {
    pub start: *const f32,
    pub offsets: &'a [isize],
    /// One of [`STEPS_IN_IMAGE`].
    pub step: usize,
}

/// Floats from row to row of a [`LeftInImage`]: known when kernels are compiled, as addresses in the innermost loop have to be.
pub(crate) const STEPS_IN_IMAGE: [usize; 2] = [WIDEST, 2 * WIDEST];

/// Floats behind a left matrix that [`Multiply`] may read, to fill tiles of 16 rows.
pub(crate) const BEYOND: usize = 15 * WIDEST;

/// Rows of a right matrix or of the product: `start + row * step + col`.
#[derive(Clone, Copy)]
pub(crate) struct Rows<P> {
    pub start: P,
    pub step: usize,
}

/// What becomes of a product, a few rows of one or two vectors at a time.
pub(crate) trait Out: Copy {
    /// Whether sums take some time to put away. They then leave their registers for memory first: a loop that does more than to store them would
    /// otherwise keep them out of registers from the beginning.
    const STAGED: bool = false;

    /// The same without its first rows.
    fn skip(self, rows: usize) -> Self;

    /// Hears that `rows` rows of `vecs` vectors come next, once their sums have been taken.
    ///
    /// # Safety
    /// As [`put`](Self::put) of them.
    #[inline(always)]
    unsafe fn expect<S: Simd>(self, rows: usize, vecs: usize) {
        let _ = (rows, vecs);
    }

    /// Takes the sums of a vector of columns from `column` on.
    ///
    /// # Safety
    /// The machine must have the instruction set, and what is written must be there, for nobody else.
    unsafe fn put<S: Simd>(self, row: usize, column: usize, sum: S::V);

    /// Takes the sums of `rows` rows and `vecs` times 16 columns from memory, where they lie `step` floats from row to row and `next` from 16
    /// columns to the next.
    ///
    /// # Safety
    /// As [`put`](Self::put) of them, and they must be there.
    #[inline(always)]
    unsafe fn put_rows<S: Simd>(self, [rows, vecs]: [usize; 2], sums: *const f32, [step, next]: [usize; 2]) {
        for (row, vec) in (0..rows).flat_map(|row| (0..vecs).map(move |vec| (row, vec))) {
            for lane in (0..WIDEST).step_by(S::LANES) {
                // SAFETY: the caller's promise.
                unsafe {
                    let sum = S::load(sums.add(row * step + vec * next + lane));
                    self.put::<S>(row, vec * WIDEST + lane, sum);
                }
            }
        }
    }

    /// Takes the sums of two tiles of 16 rows, of which so many are used: rows and columns side by side, 16 of each, one column's after the other's.
    ///
    /// # Safety
    /// As [`put_rows`](Self::put_rows).
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn put_tiles<S: Simd>(self, counts: [usize; 2], vecs: usize, sums: *const f32) {
        for (tile, rows) in counts.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.skip(tile * SIDE).put_rows::<S>([rows, vecs], sums.add(2 * tile * TILE), [WIDEST, TILE]) };
        }
    }
}

impl Out for Rows<*mut f32> {
    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        Rows { start: self.start.wrapping_add(rows * self.step), ..self }
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(self, row: usize, column: usize, sum: S::V) {
        // SAFETY: the caller's promise.
        unsafe { S::store(self.start.add(row * self.step + column), sum) }
    }
}

/// The most rows of a [`Tile`].
const MOST_ROWS: usize = 14;

/// Room for the sums of a [`Tile`].
#[repr(align(64))]
struct Stage([MaybeUninit<f32>; MOST_ROWS * 2 * WIDEST]);

/// A piece of the product of [`ROWS`](Simd::ROWS) rows at most and `VECS` vectors of columns.
struct Tile<S: Simd, const ROWS: usize, const VECS: usize> {
    sums: [[S::V; VECS]; ROWS],
}

impl<S: Simd, const ROWS: usize, const VECS: usize> Tile<S, ROWS, VECS> {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has the instruction set.
        unsafe { Tile { sums: [[S::zero(); VECS]; ROWS] } }
    }

    #[inline(always)]
    unsafe fn load(from: Rows<*mut f32>) -> Self {
        // SAFETY: the caller's promise about `from`.
        unsafe {
            let mut tile = Self::zero();
            for (row, sums) in tile.sums.iter_mut().enumerate() {
                for (vec, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(from.start.add(row * from.step + vec * S::LANES));
                }
            }
            tile
        }
    }

    /// Adds one step of the depth. Elements of the left matrix are `STRIDE` floats apart from row to row.
    #[inline(always)]
    unsafe fn step<O: Operands, const STRIDE: usize>(&mut self, left: *const f32, right: *const f32) {
        // SAFETY: the caller's promise about `left` and `right`.
        unsafe {
            let mut columns = [S::zero(); VECS];
            for (vec, column) in columns.iter_mut().enumerate() {
                *column = S::load(right.add(vec * S::LANES));
            }
            for (row, sums) in self.sums.iter_mut().enumerate() {
                let element = S::splat(*left.add(row * STRIDE));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = O::mul_add::<S>(element, column, *sum);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn store<T: Out>(&self, to: T) {
        const { assert!(ROWS <= MOST_ROWS && VECS <= 2 && S::LANES <= WIDEST) };
        // SAFETY: the caller's promise about `to`.
        unsafe {
            if !T::STAGED {
                for (row, sums) in self.sums.iter().enumerate() {
                    for (vec, sum) in sums.iter().enumerate() {
                        to.put::<S>(row, vec * S::LANES, *sum);
                    }
                }
                return;
            }
            let mut stage = Stage([const { MaybeUninit::uninit() }; MOST_ROWS * 2 * WIDEST]);
            let stage = stage.0.as_mut_ptr().cast::<f32>();
            for (row, sums) in self.sums.iter().enumerate() {
                for (vec, sum) in sums.iter().enumerate() {
                    S::store(stage.add((row * VECS + vec) * S::LANES), *sum);
                }
            }
            for row in 0..ROWS {
                for vec in 0..VECS {
                    to.put::<S>(row, vec * S::LANES, S::load(stage.add((row * VECS + vec) * S::LANES)));
                }
            }
        }
    }
}

/// `out = left right` for `ROWS` rows.
#[inline(always)]
unsafe fn multiply_rows<S: Simd, O: Operands, const ROWS: usize, const VECS: usize>(
    left: Left,
    right: Rows<*const f32>,
    depth: usize,
    out: impl Out,
) {
    // SAFETY: the caller's promise about the matrices.
    unsafe {
        out.expect::<S>(ROWS, VECS);
        let mut tile = Tile::<S, ROWS, VECS>::zero();
        let (mut block, mut row) = (left.start, right.start);
        let mut left_over = depth;
        while left_over > 0 {
            let steps = left_over.min(WIDEST);
            if left.afar {
                for line in 0..ROWS {
                    prefetch::<true>(block.wrapping_add(blocking::BLOCKS_AHEAD * left.block + line * WIDEST));
                }
            }
            for step in 0..steps {
                for line in (0..VECS * S::LANES).step_by(WIDEST) {
                    prefetch::<true>(row.wrapping_add(blocking::AHEAD + line));
                }
                tile.step::<O, WIDEST>(block.add(step), row);
                row = row.add(right.step);
            }
            block = block.add(left.block);
            left_over -= steps;
        }
        tile.store(out);
    }
}

/// `out = left right` for `ROWS` rows.
#[inline(always)]
unsafe fn multiply_image_rows<S: Simd, O: Operands, const ROWS: usize, const VECS: usize>(
    left: LeftInImage,
    right: Rows<*const f32>,
    out: impl Out,
) {
    // SAFETY: the caller's promise about the matrices.
    unsafe {
        out.expect::<S>(ROWS, VECS);
        let mut tile = Tile::<S, ROWS, VECS>::zero();
        let mut row = right.start;
        if left.step == WIDEST {
            for &offset in left.offsets {
                tile.step::<O, WIDEST>(left.start.offset(offset), row);
                row = row.add(right.step);
            }
        } else {
            for &offset in left.offsets {
                tile.step::<O, { 2 * WIDEST }>(left.start.offset(offset), row);
                row = row.add(right.step);
            }
        }
        tile.store(out);
    }
}

/// `out += left right` for `ROWS` rows.
#[inline(always)]
unsafe fn add_transposed_rows<S: Simd, O: Operands, const ROWS: usize, const VECS: usize>(
    left: LeftTransposed,
    right: Rows<*const f32>,
    depth: usize,
    out: Rows<*mut f32>,
) {
    // SAFETY: the caller's promise about the matrices.
    unsafe {
        let mut tile = Tile::<S, ROWS, VECS>::load(out);
        let (mut element, mut row) = (left.start, right.start);
        for _ in 0..depth {
            // Both matrices are read across, a line or two of each row.
            for line in (0..VECS * S::LANES).step_by(WIDEST) {
                prefetch::<true>(row.wrapping_add(blocking::STEPS_AHEAD * right.step + line));
            }
            prefetch::<true>(element.wrapping_add(blocking::STEPS_AHEAD * left.step));
            tile.step::<O, 1>(element, row);
            element = element.add(left.step);
            row = row.add(right.step);
        }
        tile.store(out);
    }
}

/// Calls a function for a number of rows that is known only at run time.
macro_rules! for_rows {
    ($rows:expr, $function:ident::<$simd:ty, $operands:ty, $vecs:literal>($($arg:expr),*)) => {
        match $rows {
            1 => $function::<$simd, $operands, 1, $vecs>($($arg),*),
            2 => $function::<$simd, $operands, 2, $vecs>($($arg),*),
            3 => $function::<$simd, $operands, 3, $vecs>($($arg),*),
            4 => $function::<$simd, $operands, 4, $vecs>($($arg),*),
            5 => $function::<$simd, $operands, 5, $vecs>($($arg),*),
            6 => $function::<$simd, $operands, 6, $vecs>($($arg),*),
            7 => $function::<$simd, $operands, 7, $vecs>($($arg),*),
            8 => $function::<$simd, $operands, 8, $vecs>($($arg),*),
            9 => $function::<$simd, $operands, 9, $vecs>($($arg),*),
            10 => $function::<$simd, $operands, 10, $vecs>($($arg),*),
            11 => $function::<$simd, $operands, 11, $vecs>($($arg),*),
            12 => $function::<$simd, $operands, 12, $vecs>($($arg),*),
            13 => $function::<$simd, $operands, 13, $vecs>($($arg),*),
            _ => $function::<$simd, $operands, 14, $vecs>($($arg),*),
        }
    };
}

/// The pieces of `rows` rows. They differ by one row at most, since a small piece uses the registers badly.
#[inline(always)]
fn pieces<S: Simd>(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = rows.div_ceil(S::ROWS);
    (0..count).map(move |piece| rows * piece / count..rows * (piece + 1) / count)
}

/// `out = left right`: `rows` by `depth` times `depth` by `vecs` vectors (1 or 2).
///
/// # Safety
/// To run it, the matrices must be valid for reading, the left one up to [`BEYOND`] floats behind its end, and `out` for writing; nothing else
/// may use `out` at the same time.
pub(crate) struct Multiply<O, T> {
    pub rows: usize,
    pub vecs: usize,
    pub depth: usize,
    pub left: Left,
    pub right: Rows<*const f32>,
    pub out: T,
    pub operands: PhantomData<O>,
}

impl<O: Operands, T: Out> Kernel for Multiply<O, T> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Multiply { rows, vecs, depth, left, right, out, .. } = self;
        #[cfg(target_arch = "x86_64")]
        if S::TILES && O::STEPS == 2 && depth.is_multiple_of(WIDEST) {
            // SAFETY: the caller's promises.
            return unsafe { Tiles::new(WIDEST).multiply::<S, T>([rows, depth / WIDEST, vecs], left, right, out) };
        }
        for piece in pieces::<S>(rows) {
            // SAFETY: rows of the piece lie within the matrices.
            unsafe {
                let left = Left { start: left.start.add(piece.start * WIDEST), ..left };
                let out = out.skip(piece.start);
                if vecs == 2 {
                    for_rows!(piece.len(), multiply_rows::<S, O, 2>(left, right, depth, out));
                } else {
                    for_rows!(piece.len(), multiply_rows::<S, O, 1>(left, right, depth, out));
                }
            }
        }
    }
}

/// The same with a left matrix in an image.
///
/// # Safety
/// As [`Multiply`], and the left matrix's step must be one of [`STEPS_IN_IMAGE`].
pub(crate) struct MultiplyInImage<'a, T> {
    pub rows: usize,
    pub vecs: usize,
    pub left: LeftInImage<'a>,
    pub right: Rows<*const f32>,
    pub out: T,
}

impl<T: Out> Kernel for MultiplyInImage<'_, T> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let MultiplyInImage { rows, vecs, left, right, out } = self;
        debug_assert!(STEPS_IN_IMAGE.contains(&left.step));
        for piece in pieces::<S>(rows) {
            // SAFETY: rows of the piece lie within the matrices.
            unsafe {
                let left = LeftInImage { start: left.start.wrapping_add(piece.start * left.step), ..left };
                let out = out.skip(piece.start);
                if vecs == 2 {
                    for_rows!(piece.len(), multiply_image_rows::<S, Floats, 2>(left, right, out));
                } else {
                    for_rows!(piece.len(), multiply_image_rows::<S, Floats, 1>(left, right, out));
                }
            }
        }
    }
}

/// `out += left right` with a left matrix that lies transposed; otherwise as [`Multiply`].
///
/// # Safety
/// As [`Multiply`]; `out` must be valid for reading too.
pub(crate) struct AddTransposed {
    pub rows: usize,
    pub vecs: usize,
    pub depth: usize,
    pub left: LeftTransposed,
    pub right: Rows<*const f32>,
    pub out: Rows<*mut f32>,
}

impl Kernel for AddTransposed {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let AddTransposed { rows, vecs, depth, left, right, out } = self;
        for piece in pieces::<S>(rows) {
            // SAFETY: rows of the piece lie within the matrices.
            unsafe {
                let left = LeftTransposed { start: left.start.add(piece.start), ..left };
                let out = out.skip(piece.start);
                if vecs == 2 {
                    for_rows!(piece.len(), add_transposed_rows::<S, Floats, 2>(left, right, depth, out));
                } else {
                    for_rows!(piece.len(), add_transposed_rows::<S, Floats, 1>(left, right, depth, out));
                }
            }
        }
    }
}
