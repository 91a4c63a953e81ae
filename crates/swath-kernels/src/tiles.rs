//! Products of pairs of bfloat16 in AMX's tile registers, on Intel's servers from 2023 on.
//!
//! A tile has 16 rows of 16 words, and one instruction multiplies two of them and adds the product to a third. Both matrices lie as they do for
//! vectors: 16 words of a row of the left one side by side, and rows of the right one below each other. Rows are taken 32 at a time, with what
//! lies behind the last one in place of those that are missing: a row of the product depends on its own row of the left matrix alone, so that
//! these are just not used, and results do not depend on how rows were shared out.
//!
//! Intel, *Intel 64 and IA-32 Architectures Software Developer's Manual*, volume 1, chapter 18.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::mem::MaybeUninit;

use crate::gemm::{Left, Out, Rows};
use crate::simd::{Simd, WIDEST, prefetch};

/// Rows of a tile.
pub(crate) const SIDE: usize = 16;

/// Rows that are multiplied together.
const ROWS: usize = 2 * SIDE;

/// Floats of a tile.
pub(crate) const TILE: usize = SIDE * WIDEST;

/// Blocks from one store of tiles to the next, at most.
const STAY_AWAKE: usize = 16;

/// The shapes of the eight tile registers, in the form of the processor.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    /// Four whole tiles for sums, and two for rows of either matrix, of which each has so many words.
    fn new(words: usize) -> Shapes {
        let (words, line) = (words as u8, (words * size_of::<f32>()) as u16);
        let (mut bytes, mut rows) = ([0; 16], [0; 16]);
        bytes[..8].copy_from_slice(&[64, 64, 64, 64, line, line, 64, 64]);
        rows[..8].copy_from_slice(&[16, 16, 16, 16, 16, 16, words, words]);
        Shapes { palette: 1, start_row: 0, reserved: [0; 14], bytes, rows }
    }
}

/// Whether the processor has the instructions, and the system lets this process use their registers.
pub(crate) fn available() -> bool {
    const BF16: u32 = 1 << 22;
    const TILES: u32 = 1 << 24;
    __cpuid_count(7, 0).edx & (BF16 | TILES) == BF16 | TILES && allowed()
}

/// Linux keeps the registers' eight kilobytes for processes only that have asked.
#[cfg(target_os = "linux")]
fn allowed() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: asks for a permission, and changes no memory.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> bool {
    false
}

/// Sums on their way to where they go.
#[repr(align(64))]
struct Stage([MaybeUninit<f32>; 4 * TILE]);

/// Tile registers for blocks of so many words, for as long as this lives.
pub(crate) struct Tiles {
    words: usize,
}

impl Tiles {
    /// # Safety
    /// The machine must have the instructions, no other of these live on this thread, and words be 1 to 16.
    #[inline(always)]
    pub(crate) unsafe fn new(words: usize) -> Tiles {
        let shapes = Shapes::new(words);
        // SAFETY: the caller's promise.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack)) };
        Tiles { words }
    }

    /// `out = left right` for words of pairs in blocks of 16: `rows` by `16 blocks` times `16 blocks` by `vecs` vectors (1 or 2).
    ///
    /// # Safety
    /// This must be for blocks of 16 words, the matrices valid for reading, the left one with its rows filled up to a multiple of 16, and `out` for
    /// writing; nothing else may use `out` at the same time.
    #[inline(always)]
    pub(crate) unsafe fn multiply<S: Simd, T: Out>(
        &self,
        [rows, blocks, vecs]: [usize; 3],
        left: Left,
        right: Rows<*const f32>,
        out: T,
    ) {
        for row in (0..rows).step_by(ROWS) {
            let start = left.start.wrapping_add(row * WIDEST);
            let counts = [(rows - row).min(SIDE), (rows - row).saturating_sub(SIDE).min(SIDE)];
            let pixels = Pixels { starts: [start, start.wrapping_add(TILE)], counts, steps: [WIDEST; 2], rest: 0 };
            // SAFETY: the caller's promises.
            unsafe {
                let (blocks, out) = ((blocks, |block| block * left.block), out.skip(row));
                self.multiply_pixels::<S, T, 1>(pixels, blocks, right, vecs, &mut Ahead::new(&[]), out);
            };
        }
    }

    /// `out = left right` for at most 32 rows of the left matrix: block `b` of a row's words lies `offset(b)` floats behind its first.
    /// The rows of the second tile are rows 16 and on of `out`.
    ///
    /// Both matrices may have two or three `PARTS`, rounded values and what rounding took of them: in the right one rows of each block of a part are
    /// followed by those of the next. The product is then that of their sums, without those products of parts that are smaller than what is not there.
    ///
    /// # Safety
    /// As [`multiply`](Self::multiply).
    #[inline(always)]
    pub(crate) unsafe fn multiply_pixels<S: Simd, T: Out, const PARTS: usize>(
        &self,
        pixels: Pixels,
        (blocks, offset): (usize, impl Fn(usize) -> usize),
        right: Rows<*const f32>,
        vecs: usize,
        ahead: &mut Ahead,
        out: T,
    ) {
        let mut stage = Stage([MaybeUninit::uninit(); 4 * TILE]);
        let stage = stage.0.as_mut_ptr().cast::<f32>();
        let sums = Sums { start: stage, row: WIDEST, next: [2 * TILE, TILE], begun: false };
        // SAFETY: the caller's promises; the stage has room for four tiles.
        unsafe {
            self.add_products::<PARTS>(pixels, (blocks, offset), right, vecs, ahead, sums);
            out.put_tiles::<S>(pixels.counts, vecs, stage);
        }
    }

    /// The same of matrices without parts, in whole tiles, to memory: `out = left right`, or `out += left right` where it has begun.
    ///
    /// # Safety
    /// As [`multiply`](Self::multiply); `out` must have room for all 16 rows of tiles.
    #[inline(always)]
    pub(crate) unsafe fn accumulate(
        &self,
        pixels: Pixels,
        (blocks, offset): (usize, impl Fn(usize) -> usize),
        right: Rows<*const f32>,
        vecs: usize,
        out: Rows<*mut f32>,
        begun: bool,
    ) {
        let sums = Sums { start: out.start, row: out.step, next: [SIDE * out.step, WIDEST], begun };
        // SAFETY: the caller's promises.
        unsafe { self.add_products::<1>(pixels, (blocks, offset), right, vecs, &mut Ahead::new(&[]), sums) };
    }

    /// # Safety
    /// As [`multiply_pixels`](Self::multiply_pixels); the sums' tiles must be there.
    #[inline(always)]
    unsafe fn add_products<const PARTS: usize>(
        &self,
        pixels: Pixels,
        (blocks, offset): (usize, impl Fn(usize) -> usize),
        right: Rows<*const f32>,
        vecs: usize,
        ahead: &mut Ahead,
        sums: Sums,
    ) {
        let rows = (right, self.words);
        // SAFETY: the caller's promises.
        unsafe {
            match (pixels.counts[1] > 0, vecs == 2) {
                (true, true) => products::<PARTS, true, true>(pixels, (blocks, offset), rows, ahead, sums),
                (true, false) => products::<PARTS, true, false>(pixels, (blocks, offset), rows, ahead, sums),
                (false, true) => products::<PARTS, false, true>(pixels, (blocks, offset), rows, ahead, sums),
                (false, false) => products::<PARTS, false, false>(pixels, (blocks, offset), rows, ahead, sums),
            }
        }
    }
}

/// Asks for panels of a filter while those before them are multiplied: they are read from L3 or memory, which nothing else would hide. A few lines
/// with each block, since many at once would keep tiles waiting.
pub(crate) struct Ahead<'a> {
    words: &'a [f32],
    asked: usize,
    /// Words with each block.
    rate: usize,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(words: &'a [f32]) -> Ahead<'a> {
        Ahead { words, asked: 0, rate: 0 }
    }

    /// Before `blocks` are multiplied, after which so many of all products will be done.
    #[inline(always)]
    pub(crate) fn begin(&mut self, blocks: usize, done: usize, all: usize) {
        let share = (self.words.len() * done.min(all) / all).saturating_sub(self.asked);
        self.rate = share.div_ceil(blocks.max(1)).next_multiple_of(WIDEST);
    }

    #[inline(always)]
    fn block(&mut self) {
        let until = (self.asked + self.rate).min(self.words.len());
        while self.asked < until {
            prefetch::<false>(self.words.as_ptr().wrapping_add(self.asked));
            self.asked += WIDEST;
        }
    }
}

impl Drop for Tiles {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the registers were this one's.
        unsafe { asm!("tilerelease", options(nostack)) };
    }
}

/// Rows of a left matrix in two tiles, each of which may be there in part or not at all: where they begin, how many are used, and the
/// floats from one to the next.
#[derive(Clone, Copy)]
pub(crate) struct Pixels {
    pub starts: [*const f32; 2],
    pub counts: [usize; 2],
    pub steps: [usize; 2],
    /// Floats from one part of a row to the next, of matrices that have several.
    pub rest: usize,
}

/// Four tiles of sums in memory: where the first begins, the floats from row to row, and those to the tiles below and beside it.
#[derive(Clone, Copy)]
struct Sums {
    start: *mut f32,
    row: usize,
    next: [usize; 2],
    /// Whether something is there to add to.
    begun: bool,
}

impl Sums {
    #[inline(always)]
    fn tile(&self, [row, col]: [usize; 2]) -> *mut f32 {
        self.start.wrapping_add(row * self.next[0] + col * self.next[1])
    }

    /// Fills the register of a tile's sums.
    #[inline(always)]
    unsafe fn load<const TO: usize>(&self, tile: [usize; 2]) {
        // SAFETY: the caller's promise.
        unsafe { load::<TO>(self.tile(tile), self.row) };
    }

    /// Stores the register of a tile's sums.
    #[inline(always)]
    unsafe fn store<const FROM: usize>(&self, tile: [usize; 2]) {
        // SAFETY: the caller's promise.
        unsafe { store::<FROM>(self.tile(tile), self.row) };
    }
}

/// One or two tiles of rows by one or two of columns.
///
/// Tiles 0 to 3 are sums, 4 and 5 rows of the left matrix, 6 and 7 those of the right one.
#[inline(always)]
unsafe fn products<const PARTS: usize, const TALL: bool, const WIDE: bool>(
    left: Pixels,
    (blocks, offset): (usize, impl Fn(usize) -> usize),
    (right, words): (Rows<*const f32>, usize),
    ahead: &mut Ahead,
    sums: Sums,
) {
    let (lines, step) = (left.steps, right.step);
    // SAFETY: the caller's promises; nothing else uses tile registers between these instructions.
    unsafe {
        if sums.begun {
            sums.load::<0>([0, 0]);
            if WIDE {
                sums.load::<1>([0, 1]);
            }
            if TALL {
                sums.load::<2>([1, 0]);
            }
            if TALL && WIDE {
                sums.load::<3>([1, 1]);
            }
        } else {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack));
        }
        for block in 0..blocks {
            ahead.block();
            let a = left.starts.map(|start| start.wrapping_add(offset(block)));
            let b = right.start.add(block * PARTS * words * step);
            let left = |part: usize| a.map(|start| start.wrapping_add(part * left.rest));
            let right = |part: usize| b.add(part * words * step);
            // Of each part of the left matrix and each of the right one whose numbers make less than there are parts, in an order in which few have to
            // be loaded.
            match PARTS {
                1 => load_and_multiply::<true, true, TALL, WIDE>(left(0), lines, right(0), step),
                2 => {
                    load_and_multiply::<true, true, TALL, WIDE>(left(1), lines, right(0), step);
                    load_and_multiply::<true, false, TALL, WIDE>(left(0), lines, right(0), step);
                    load_and_multiply::<false, true, TALL, WIDE>(left(0), lines, right(1), step);
                }
                _ => {
                    load_and_multiply::<true, true, TALL, WIDE>(left(2), lines, right(0), step);
                    load_and_multiply::<true, false, TALL, WIDE>(left(1), lines, right(0), step);
                    load_and_multiply::<false, true, TALL, WIDE>(left(1), lines, right(1), step);
                    load_and_multiply::<true, false, TALL, WIDE>(left(0), lines, right(1), step);
                    load_and_multiply::<false, true, TALL, WIDE>(left(0), lines, right(2), step);
                    load_and_multiply::<false, true, TALL, WIDE>(left(0), lines, right(0), step);
                }
            }
            // A store after more than thirty blocks without one waits for 800 cycles, as if it had to wake up what does it: one of no use keeps it
            // awake, and costs nothing.
            if block % (STAY_AWAKE / PARTS) == STAY_AWAKE / PARTS - 1 {
                sums.store::<4>([0, 0]);
            }
        }
        sums.store::<0>([0, 0]);
        if WIDE {
            sums.store::<1>([0, 1]);
        }
        if TALL {
            sums.store::<2>([1, 0]);
        }
        if TALL && WIDE {
            sums.store::<3>([1, 1]);
        }
    }
}

/// Adds the product of one part of both matrices to the sums, of which one may be there already: `LEFT` and `RIGHT` say what is to be loaded.
#[inline(always)]
unsafe fn load_and_multiply<const LEFT: bool, const RIGHT: bool, const TALL: bool, const WIDE: bool>(
    left: [*const f32; 2],
    lines: [usize; 2],
    right: *const f32,
    step: usize,
) {
    // SAFETY: the caller's promises.
    unsafe {
        if LEFT {
            load::<4>(left[0], lines[0]);
        }
        if RIGHT {
            load::<6>(right, step);
        }
        multiply_add::<0, 4, 6>();
        if WIDE {
            if RIGHT {
                load::<7>(right.add(WIDEST), step);
            }
            multiply_add::<1, 4, 7>();
        }
        if TALL {
            if LEFT {
                load::<5>(left[1], lines[1]);
            }
            multiply_add::<2, 5, 6>();
        }
        if TALL && WIDE {
            multiply_add::<3, 5, 7>();
        }
    }
}

/// Loads rows that lie `step` floats from each other into a tile register.
#[inline(always)]
unsafe fn load<const TO: usize>(from: *const f32, step: usize) {
    let step = step * size_of::<f32>();
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tileloadd tmm{to}, [{from} + {step}*1]", to = const TO, from = in(reg) from, step = in(reg) step, options(nostack));
    }
}

/// `sum += left right` of tile registers.
#[inline(always)]
unsafe fn multiply_add<const SUM: usize, const LEFT: usize, const RIGHT: usize>() {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tdpbf16ps tmm{sum}, tmm{left}, tmm{right}", sum = const SUM, left = const LEFT, right = const RIGHT, options(nostack));
    }
}

/// Stores a tile register in rows that lie `step` floats from each other.
#[inline(always)]
unsafe fn store<const FROM: usize>(to: *mut f32, step: usize) {
    let step = step * size_of::<f32>();
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tilestored [{to} + {step}*1], tmm{from}", from = const FROM, to = in(reg) to, step = in(reg) step, options(nostack));
    }
}
