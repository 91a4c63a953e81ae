//! Which chip comes as sample `k`: a function of the seed and `k` alone.

use super::DataError;
use super::index::{Anchor, Index, origin_range};
use super::rng::{Purpose, Random, shuffled};
use crate::IGNORE;
use crate::recipe::{SamplerKind, Train};
use swath_geo::Window;

/// How chips are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Every labelled pixel is equally likely to be in the chip: scenes and classes come by their labelled area.
    Uniform,
    /// A class is drawn, then one of its pixels: classes come equally often, as far as `max_repeat` allows.
    Balanced {
        /// A class is drawn at most this many times as often as under `Uniform`, so that a handful of pixels is not
        /// learned by heart; at least 1. What a capped class gives up goes to the others.
        max_repeat: f64,
    },
    /// Every chip of the grid once per epoch.
    Grid {
        /// In a new random order every epoch; otherwise scene by scene, row by row.
        shuffle: bool,
    },
}

impl From<&Train> for Sampling {
    fn from(train: &Train) -> Self {
        match train.sampler {
            SamplerKind::Uniform => Self::Uniform,
            SamplerKind::Balanced => Self::Balanced { max_repeat: train.max_repeat },
            SamplerKind::Grid => Self::Grid { shuffle: true },
        }
    }
}

/// Draws chips from an index.
#[derive(Clone, Debug)]
pub struct Sampler {
    kind: Kind,
    seed: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Pixels of every class, and the share of draws of the classes up to and with each.
    Anchors {
        pixels: Vec<u64>,
        shares: Vec<f64>,
    },
    Grid {
        chips: u64,
        shuffle: bool,
    },
}

/// Where sample `k` is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Around a pixel of a class, which lies at `place` of the chip: row and column as shares of the chip's side.
    Around {
        /// The pixel's class.
        class: u16,
        /// The pixel.
        anchor: Anchor,
        /// Where in the chip it lies, each in `[0, 1)`.
        place: (f64, f64),
    },
    /// A chip of the grid.
    Chip {
        /// The scene's number.
        scene: usize,
        /// First column.
        col: isize,
        /// First row.
        row: isize,
    },
}

impl Sampler {
    /// A sampler of the chips in `index`; an error when there is no labelled pixel or the configuration is wrong.
    pub fn new(sampling: Sampling, index: &Index, seed: u64) -> Result<Self, DataError> {
        if index.pixels() == 0 {
            return Err(DataError::NoLabels { scenes: "the training data".into() });
        }
        let pixels = index.class_pixels();
        let kind = match sampling {
            Sampling::Uniform => Kind::Anchors { shares: running(&uniform_shares(&pixels)), pixels },
            Sampling::Balanced { max_repeat } => {
                if !(max_repeat >= 1.0 && max_repeat.is_finite()) {
                    return Err(DataError::MaxRepeat { value: max_repeat });
                }
                Kind::Anchors { shares: running(&balanced_shares(&pixels, max_repeat)), pixels }
            }
            Sampling::Grid { shuffle } => Kind::Grid { chips: index.grid_len() as u64, shuffle },
        };
        Ok(Self { kind, seed })
    }

    /// Sample number `sample`. `attempt` (normally 0) gives another draw for the same sample.
    ///
    /// # Panics
    /// When `index` is not the one that the sampler was made for.
    pub fn draw(&self, index: &Index, sample: u64, attempt: u64) -> Draw {
        let mut rng = Random::for_sample(self.seed.wrapping_add(attempt << 32), sample, Purpose::Position);
        match &self.kind {
            Kind::Anchors { pixels, shares } => {
                let u = rng.unit() * shares[shares.len() - 1];
                let drawn = shares.partition_point(|&end| end <= u);
                // Rounding may lead past the last class, or onto an empty one between equal sums.
                let class = (drawn..pixels.len()).chain((0..drawn).rev()).find(|&c| pixels[c] > 0);
                let class = class.expect("an index with labelled pixels");
                let anchor = index.anchor(class, rng.below(pixels[class])).expect("a pixel the index counted");
                Draw::Around { class: class as u16, anchor, place: (rng.unit(), rng.unit()) }
            }
            Kind::Grid { chips, shuffle } => {
                let (epoch, at) = (sample / chips, sample % chips);
                let at = if *shuffle {
                    shuffled(at, *chips, Random::for_sample(self.seed, epoch, Purpose::Order).next_u64())
                } else {
                    at
                };
                let (scene, col, row) = index.grid_chip(at as usize);
                Draw::Chip { scene, col, row }
            }
        }
    }
}

/// The chip around a pixel of the area: inside the area where that is large enough (see [`origin_range`]).
///
/// `pixel` and `place` are (row, column); `size` is the scene's (width, height). Returns (column, row) of the chip.
pub fn chip_around(
    pixel: (isize, isize),
    place: (f64, f64),
    area: Window,
    size: (usize, usize),
    chip: usize,
) -> (isize, isize) {
    let col = origin_around(pixel.1, place.1, (area.col, area.width), size.0, chip);
    let row = origin_around(pixel.0, place.0, (area.row, area.height), size.1, chip);
    (col, row)
}

fn origin_around(pixel: isize, place: f64, area: (isize, usize), size: usize, chip: usize) -> isize {
    let (low, high) = origin_range(area.0, area.1, size, chip);
    if area.1 >= chip {
        (pixel - (place * chip as f64) as isize).clamp(low, high)
    } else {
        // Every chip of the range holds the whole area.
        low + (place * (high - low + 1) as f64) as isize
    }
}

/// The `rank`-th pixel of a class among labels `[row, column]` of this width: row and column.
pub fn nth_of_class(labels: &[u16], width: usize, class: u16, rank: u64) -> Option<(usize, usize)> {
    debug_assert_ne!(class, IGNORE);
    let at = labels.iter().enumerate().filter(|(_, label)| **label == class).nth(rank as usize)?.0;
    Some((at / width, at % width))
}

/// Each class's share of the labelled pixels.
fn uniform_shares(pixels: &[u64]) -> Vec<f64> {
    let total: u64 = pixels.iter().sum();
    pixels.iter().map(|&n| n as f64 / total as f64).collect()
}

/// Equal shares of the classes that occur, none above `max_repeat` times its uniform share.
///
/// Classes at the cap are settled first; the rest is divided equally among the others, which may bring more of them to
/// their caps, and so on. With `max_repeat >= 1` the caps add up to at least 1, so that it ends.
fn balanced_shares(pixels: &[u64], max_repeat: f64) -> Vec<f64> {
    let caps: Vec<f64> = uniform_shares(pixels).iter().map(|share| share * max_repeat).collect();
    let mut by_cap: Vec<usize> = (0..pixels.len()).filter(|&class| pixels[class] > 0).collect();
    by_cap.sort_by(|&a, &b| caps[a].total_cmp(&caps[b]));
    let mut shares = vec![0.0; pixels.len()];
    let (mut left, mut classes) = (1.0, by_cap.len());
    for class in by_cap {
        shares[class] = f64::min(left / classes as f64, caps[class]);
        left -= shares[class];
        classes -= 1;
    }
    shares
}

fn running(shares: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    shares
        .iter()
        .map(|share| {
            sum += share;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::index::{ChipGrid, SceneTally};
    use super::*;

    /// A row of pixels: 900 of class 0, 90 of class 1, 10 of class 2, none of class 3.
    fn striped() -> Index {
        let labels: Vec<u16> = (0..1000)
            .map(|i| {
                if i < 900 {
                    0
                } else if i < 990 {
                    1
                } else {
                    2
                }
            })
            .collect();
        let whole = Window::new(0, 0, 1000, 1);
        let mut tally = SceneTally::new(1000, 1, whole, 4, ChipGrid { chip: 8, stride: 8 });
        tally.add(whole, &labels);
        Index::new(&[tally], 4)
    }

    fn class_counts(sampling: Sampling, draws: u64) -> [u64; 4] {
        let index = striped();
        let sampler = Sampler::new(sampling, &index, 5).unwrap();
        let mut counts = [0; 4];
        for sample in 0..draws {
            match sampler.draw(&index, sample, 0) {
                Draw::Around { class, .. } => counts[usize::from(class)] += 1,
                Draw::Chip { .. } => unreachable!("grid chips from an anchor sampler"),
            }
        }
        counts
    }

    #[test]
    fn balanced_classes_come_equally_often() {
        let counts = class_counts(Sampling::Balanced { max_repeat: 1e6 }, 9000);
        // Five standard deviations of a binomial(9000, 1/3).
        assert!(counts[..3].iter().all(|n| n.abs_diff(3000) < 224), "{counts:?}");
        assert_eq!(counts[3], 0);
    }

    #[test]
    fn rare_classes_are_capped() {
        let shares = balanced_shares(&[900, 90, 10, 0], 5.0);
        // Class 2 at 5 x 1 %, class 1 at 5 x 9 % < half of the rest, class 0 gets what is left.
        let want = [0.5, 0.45, 0.05, 0.0];
        assert!(shares.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{shares:?}");
        let counts = class_counts(Sampling::Balanced { max_repeat: 5.0 }, 10_000);
        assert!(counts[2].abs_diff(500) < 110, "{counts:?}");
    }

    #[test]
    fn uniform_draws_follow_the_area() {
        let counts = class_counts(Sampling::Uniform, 10_000);
        assert!(counts[0].abs_diff(9000) < 150 && counts[1].abs_diff(900) < 145, "{counts:?}");
    }

    #[test]
    fn the_grid_is_visited_once_per_epoch() {
        let index = striped();
        for shuffle in [false, true] {
            let sampler = Sampler::new(Sampling::Grid { shuffle }, &index, 5).unwrap();
            let columns = |epoch: u64| -> Vec<isize> {
                (0..125)
                    .map(|i| match sampler.draw(&index, epoch * 125 + i, 0) {
                        Draw::Chip { col, .. } => col,
                        Draw::Around { .. } => unreachable!("anchors from a grid sampler"),
                    })
                    .collect()
            };
            let mut sorted = columns(0);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..125).map(|i| i * 8).collect::<Vec<isize>>());
            assert_eq!(columns(0) != columns(1), shuffle);
            assert_eq!(columns(0) == sorted, !shuffle);
        }
    }

    #[test]
    fn wrong_caps_are_refused() {
        for max_repeat in [0.5, f64::NAN, f64::INFINITY] {
            assert!(Sampler::new(Sampling::Balanced { max_repeat }, &striped(), 1).is_err());
        }
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_and_respect_the_cap(
            pixels in prop::collection::vec(0u64..10_000, 1..12), max_repeat in 1.0f64..50.0,
        ) {
            prop_assume!(pixels.iter().any(|&n| n > 0));
            let shares = balanced_shares(&pixels, max_repeat);
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for (share, uniform) in shares.iter().zip(uniform_shares(&pixels)) {
                prop_assert!(*share <= uniform * max_repeat + 1e-12);
            }
        }

        #[test]
        fn chips_hold_their_pixel_and_stay_in_the_area(
            size in 1usize..40, from in 0usize..40, len in 1usize..40, chip in 1usize..30, at in 0.0f64..1.0, place in 0.0f64..1.0,
        ) {
            let from = from.min(size - 1);
            let len = len.min(size - from);
            let pixel = (from + (at * len as f64) as usize) as isize;
            let origin = origin_around(pixel, place, (from as isize, len), size, chip);
            let end = origin + chip as isize;
            prop_assert!((origin..end).contains(&pixel));
            if len >= chip {
                prop_assert!(origin >= from as isize && end <= (from + len) as isize);
            } else if size >= chip {
                prop_assert!(origin >= 0 && end <= size as isize);
            } else {
                prop_assert!(origin <= 0 && end >= size as isize);
            }
        }
    }
}
