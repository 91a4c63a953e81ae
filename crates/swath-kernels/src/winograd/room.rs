//! Where a tile's outputs go when something [follows](Next).

use super::finish::Target;
use super::tiles::Tile;
use crate::gemm::Left;
use crate::image::{Element, Layout};
use crate::next::Next;
use crate::simd::{Simd, WIDEST};

/// What one thread needs of memory for what follows tiles with `side` pixels.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// A panel's channels of a tile's pixels, as a left matrix, and the products with a head's filter behind them.
    start: *mut f32,
    side: usize,
}

impl Room {
    /// Floats that there must be from `start` on, for panels of so many channels.
    pub(super) fn len(side: usize, widest: usize, next: &Next) -> usize {
        side * side * (widest.next_multiple_of(WIDEST) + next.columns())
    }

    pub(super) fn new(start: *mut f32, side: usize) -> Room {
        Room { start, side }
    }

    /// Where a vector of channels goes that begins with number `lane` of a panel.
    #[inline(always)]
    pub(super) fn target(&self, lane: usize) -> Target {
        let start = self.start.wrapping_add(lane / WIDEST * self.block() + lane % WIDEST);
        Target { start, element: Element::Float, row: self.side * WIDEST, col: WIDEST }
    }

    /// Floats from 16 channels of all pixels to the next ones.
    #[inline(always)]
    fn block(&self) -> usize {
        self.side * self.side * WIDEST
    }

    /// Gives channels `first..first + width` of a tile, which lie here, to what follows.
    ///
    /// # Safety
    /// The tile must lie in the output, and this have room for a panel of this width.
    #[inline(always)]
    pub(super) unsafe fn give<S: Simd>(&self, next: &Next, layout: &Layout, tile: Tile, [first, width]: [usize; 2]) {
        let side = self.side;
        let (rows, cols) = tile.size(layout, side);
        let products = self.start.wrapping_add(width.div_ceil(WIDEST) * self.block());
        let left = Left { start: self.start, block: self.block(), afar: false };
        let pixels = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
        let pixels = pixels.map(|(row, col)| (row * side + col, tile.pixel(layout, row, col)));
        // SAFETY: the caller's promise.
        unsafe { next.take::<S>((left, rows * side), products, pixels, [first, width]) };
    }
}
