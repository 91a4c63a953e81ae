//! A 1x1 convolution of a tile's outputs while they are at hand, instead of storing them: a network's last layers.

use std::marker::PhantomData;

use super::finish::Target;
use super::tiles::Tile;
use crate::epilogue::Finish;
use crate::gather::filter::Gathered;
use crate::gemm::{self, Left, Rows};
use crate::image::Layout;
use crate::operands::Floats;
use crate::panels::Panels;
use crate::simd::{Simd, WIDEST};

/// A 1x1 convolution, checked: its inputs are the outputs of the convolution that it follows.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// In floats.
    pub filter: &'a Gathered,
    pub finish: Finish,
    pub output: *mut f32,
    pub output_layout: &'a Layout,
}

/// What one thread needs of memory for heads of tiles with `side` pixels.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// A panel's channels of a tile's pixels, as a left matrix, and the products with the head's filter behind them.
    start: *mut f32,
    side: usize,
}

impl Room {
    /// Floats that there must be from `start` on, for panels of so many channels.
    pub(super) fn len(side: usize, widest: usize, head: &Panels) -> usize {
        side * side * (widest.next_multiple_of(WIDEST) + head.widest())
    }

    pub(super) fn new(start: *mut f32, side: usize) -> Room {
        Room { start, side }
    }

    /// Where a vector of channels goes that begins with number `lane` of a panel.
    #[inline(always)]
    pub(super) fn target(&self, lane: usize) -> Target {
        let start = self.start.wrapping_add(lane / WIDEST * self.block() + lane % WIDEST);
        Target { start, row: self.side * WIDEST, col: WIDEST }
    }

    /// Floats from 16 channels of all pixels to the next ones.
    #[inline(always)]
    fn block(&self) -> usize {
        self.side * self.side * WIDEST
    }
}

impl Head<'_> {
    /// Adds the share of channels `first..first + width` of a tile, which lie in the room, to the outputs. The first channels
    /// must come first and the last ones last.
    ///
    /// # Safety
    /// The tile must lie in the output, and its channels in the room, which has room for a panel of this width.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(&self, room: Room, tile: Tile, [first, width]: [usize; 2]) {
        let (layout, panels, depth) = (self.output_layout, self.filter.panels, self.filter.depth(0));
        if first >= depth {
            // A panel of padding.
            return;
        }
        let (rows, cols) = tile.size(layout, room.side);
        let products = room.start.wrapping_add(width.div_ceil(WIDEST) * room.block());
        for panel in 0..panels.count() {
            let (to, columns) = (panels.first(panel), panels.width(panel));
            // SAFETY: the caller's promise; the filter has a row for each channel, and the output its columns.
            unsafe {
                S::call(gemm::Multiply::<Floats, _> {
                    rows: rows * room.side,
                    vecs: columns / S::LANES,
                    depth: width.min(depth - first),
                    left: Left { start: room.start, block: room.block() },
                    right: Rows { start: self.filter.matrix(0, 0, panel).add(first * columns), step: columns },
                    out: Rows { start: products, step: columns },
                    operands: PhantomData,
                });
                for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
                    let pixel = tile.pixel(layout, row, col);
                    for lane in (0..columns).step_by(S::LANES) {
                        let out = self.output.add(pixel * layout.pixel + to + lane);
                        let mut value = S::load(products.add((row * room.side + col) * columns + lane));
                        if first > 0 {
                            value = S::add(S::load(out), value);
                        }
                        if first + width >= depth {
                            value = self.finish.apply::<S>(value, pixel, to + lane);
                        }
                        S::store(out, value);
                    }
                }
            }
        }
    }
}
