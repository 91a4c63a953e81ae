//! Ways to compute a convolution, and which is the fastest by shape.

use super::Convolution;
use crate::isa::Isa;
use crate::operands::Precision;

/// Channels from which F2 on pairs of bfloat16 is faster than F4 on floats.
const PAIRS_FROM: usize = 64;

/// Input and output channels from which Winograd's methods are used.
const WINOGRAD_FROM: usize = 16;

/// Input channels from which they are used where there are at least as many outputs as the second number says: first layers of several bands.
const FROM_BANDS: (usize, usize) = (6, 32);

/// Rows and columns of a map from which they are used for fewer outputs: the scores of a few classes.
const TO_SCORES: usize = 64;

/// Rows and columns of a map from which F6 may be faster than F4.
const SIXES_FROM: usize = 18;

/// Tiles from which F6 may be faster than F4 when its filters do not stay in a processor's cache: their lines are used once for each tile, and
/// with fewer, at two multiplications a cycle, two cores ask memory for more than some 14 GB/s.
const TILES_FROM: usize = 64;

/// Bytes of F6's filters that a cache holds beside the tiles.
const CACHED: usize = 16 << 20;

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Gathered pixels times the filter; any convolution.
    Direct,
    /// Taps times pixels, vectors of channels at a time: as many groups as input and output channels.
    Depthwise,
    /// Winograd's F(2x2, 3x3): 3x3, stride 1, one group.
    Winograd2,
    /// Winograd's F(4x4, 3x3): as above.
    Winograd4,
    /// Winograd's F(6x6, 3x3): as above.
    Winograd6,
}

impl Method {
    /// Whether it computes this convolution.
    pub(super) fn allows(self, convolution: &Convolution) -> bool {
        match self {
            Method::Direct => true,
            Method::Depthwise => convolution.is_depthwise(),
            Method::Winograd2 | Method::Winograd4 | Method::Winograd6 => {
                convolution.kernel == [3, 3] && convolution.stride == [1, 1] && convolution.groups == 1
            }
        }
    }

    /// Whether it transforms tiles: [`Winograd2`](Self::Winograd2), [`Winograd4`](Self::Winograd4) and [`Winograd6`](Self::Winograd6).
    pub fn is_winograd(self) -> bool {
        matches!(self, Method::Winograd2 | Method::Winograd4 | Method::Winograd6)
    }

    /// The fastest method, by shape. Transforms pay off when there are channels enough to spread their cost over, and
    /// maps are not so small that most of a tile lies beyond the edge; with a dilation, the phases of maps.
    ///
    /// Against pairs in F2, floats in F4 multiply a little more, but transform fewer and larger tiles; the more channels share a
    /// transform, the less that counts. In tiles, pairs are multiplied so fast that no transform pays. F6 pays where few of its larger tiles' pixels lie beyond the edge, and where its larger filters
    /// stay in a cache, or are read for many tiles at once.
    pub(super) fn choose(
        convolution: &Convolution,
        [height, width]: [usize; 2],
        precision: Precision,
        isa: Isa,
    ) -> Method {
        let Convolution { inputs, outputs, .. } = *convolution;
        let in_tiles = matches!(precision, Precision::Bf16 | Precision::Bf16x2) && isa.has_tiles();
        let pairs = precision == Precision::Bf16 && inputs.min(outputs) >= PAIRS_FROM;
        let least = (height / convolution.dilation[0]).min(width / convolution.dilation[1]);
        let tiles = |side: usize| {
            let along = |size: usize, dilation: usize| dilation * size.div_ceil(dilation).div_ceil(side);
            along(height, convolution.dilation[0]) * along(width, convolution.dilation[1])
        };
        let few_inputs = inputs < WINOGRAD_FROM && (inputs < FROM_BANDS.0 || outputs < FROM_BANDS.1);
        let few = few_inputs || outputs < WINOGRAD_FROM && least < TO_SCORES;
        let products = |side: usize| tiles(side) * (side + 2).pow(2);
        let fed = tiles(6) >= TILES_FROM || 64 * size_of::<f32>() * inputs * outputs <= CACHED;
        if Method::Depthwise.allows(convolution) {
            Method::Depthwise
        } else if !Method::Winograd4.allows(convolution) || few || least < 3 || in_tiles {
            Method::Direct
        } else if least >= SIXES_FROM && fed && products(6) * 10 <= products(4) * 9 {
            Method::Winograd6
        } else if least < 6 || pairs {
            Method::Winograd2
        } else {
            Method::Winograd4
        }
    }
}
