//! Chips as small as their number allows, so that little of the work lies beyond the scene.

use super::plan::Options;

/// Cores of chips stay multiples of this where they were: the strides of networks, which then divide chips as before.
const ALIGNED: usize = 32;

/// The options with the smallest chips that cover a scene of this size in the same number of rows and columns, and share as many pixels with their
/// neighbours. At the lower and right edge less is then predicted that nobody asked for: 2048 pixels are five chips of 480 with an overlap
/// of 64, and not five of 512. Cores keep half their size at least.
pub(super) fn even(width: usize, height: usize, options: &Options) -> Options {
    let Options { chip, overlap, .. } = *options;
    let most = chip - overlap;
    let step = ALIGNED.min(1 << most.trailing_zeros());
    let least = |len: usize| len.div_ceil(len.div_ceil(most));
    let core = least(width).max(least(height)).max(overlap).max(most / 2).next_multiple_of(step).min(most);
    Options { chip: core + overlap, ..options.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn side([width, height]: [usize; 2], chip: usize, overlap: usize) -> usize {
        even(width, height, &Options { chip, overlap, ..Options::default() }).chip
    }

    #[test]
    fn sides_by_hand() {
        assert_eq!(side([2048, 2048], 512, 64), 480);
        assert_eq!(side([10_980, 10_980], 512, 64), 512);
        // The longer axis decides, and a small scene has half of what was asked for.
        assert_eq!(side([2048, 300], 512, 64), 480);
        assert_eq!(side([300, 200], 512, 64), 384);
        assert_eq!(side([10, 10], 512, 64), 288);
        assert_eq!(side([10, 10], 512, 256), 512);
        // What was not aligned stays so.
        assert_eq!(side([100, 70], 60, 9), 59);
    }

    proptest! {
        #[test]
        fn as_many_chips_that_are_no_larger((width, height) in (1usize..700, 1usize..700), (chip, share) in (1usize..140, 0.0f64..=0.5)) {
            let overlap = (chip as f64 * share) as usize;
            let found = side([width, height], chip, overlap);
            prop_assert!(found <= chip && overlap <= found / 2);
            for len in [width, height] {
                prop_assert_eq!(len.div_ceil(found - overlap), len.div_ceil(chip - overlap));
            }
        }
    }
}
