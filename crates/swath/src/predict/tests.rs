//! The promises of the engine, each held against fake networks whose right answer is known.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;
use swath_geo::{Window, mirror};

use super::*;
use crate::IGNORE;
use crate::error::{Error, Result};

/// A scene in memory: `[band, row, column]` and its validity.
#[derive(Debug, Clone)]
struct Picture {
    bands: usize,
    height: usize,
    width: usize,
    values: Vec<f32>,
    valid: Vec<bool>,
}

impl Picture {
    fn new(bands: usize, height: usize, width: usize, value: impl Fn(usize, usize, usize) -> f32) -> Picture {
        let at = |i: usize| value(i / (height * width), i / width % height, i % width);
        let values = (0..bands * height * width).map(at).collect();
        Picture { bands, height, width, values, valid: vec![true; height * width] }
    }

    /// Small whole numbers that look like noise: sums of them are exact in any order.
    fn noise(bands: usize, height: usize, width: usize) -> Picture {
        Picture::new(bands, height, width, |band, row, col| {
            let hash = (band * 31 + row * 1_000_003 + col * 7_919 + 17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (hash >> 40) as f32 % 13.0 - 6.0
        })
    }

    fn invalid_where(mut self, invalid: impl Fn(usize, usize) -> bool) -> Picture {
        for (i, valid) in self.valid.iter_mut().enumerate() {
            *valid = !invalid(i / self.width, i % self.width);
        }
        self
    }
}

struct PictureSource(Arc<Picture>);

impl ChipSource for PictureSource {
    fn read(&mut self, window: Window) -> Result<ChipPixels> {
        let picture = &self.0;
        let mut pixels = ChipPixels { values: Vec::new(), valid: Vec::new() };
        for band in 0..picture.bands {
            for row in window.row..window.row_end() {
                for col in window.col..window.col_end() {
                    let at = mirror(row, picture.height) * picture.width + mirror(col, picture.width);
                    pixels.values.push(picture.values[band * picture.height * picture.width + at]);
                    if band == 0 {
                        pixels.valid.push(picture.valid[at]);
                    }
                }
            }
        }
        Ok(pixels)
    }
}

/// Mean-free box filters of the bands, one logit for each class; pads with zeros as real networks do, so that
/// it answers differently at the edge of a chip.
pub(super) struct BoxNetwork {
    bands: usize,
    classes: usize,
    radius: usize,
    pub(super) calls: usize,
    /// Calls before each rest.
    rests: Vec<usize>,
}

impl BoxNetwork {
    pub(super) fn new(bands: usize, classes: usize, radius: usize) -> BoxNetwork {
        BoxNetwork { bands, classes, radius, calls: 0, rests: Vec::new() }
    }

    fn filter(&self, plane: &[f32], height: usize, width: usize) -> Vec<f32> {
        let sums = |line: &dyn Fn(usize) -> f32, len: usize| -> Vec<f32> {
            let around = |i: usize| i.saturating_sub(self.radius)..(i + self.radius + 1).min(len);
            (0..len).map(|i| around(i).map(line).sum()).collect()
        };
        let across: Vec<f32> = plane.chunks(width).flat_map(|row| sums(&|col| row[col], width)).collect();
        let down: Vec<Vec<f32>> = (0..width).map(|col| sums(&|row| across[row * width + col], height)).collect();
        (0..height * width).map(|i| down[i % width][i / width]).collect()
    }
}

impl Network for BoxNetwork {
    fn bands(&self) -> usize {
        self.bands
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn rest(&mut self) {
        self.rests.push(self.calls);
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        self.calls += batch.len;
        let mut logits = Vec::new();
        for chip in 0..batch.len {
            let planes = batch.chip(chip).chunks(batch.height * batch.width);
            let filtered: Vec<Vec<f32>> = planes.map(|plane| self.filter(plane, batch.height, batch.width)).collect();
            for class in 0..self.classes {
                let weight = |band: usize| ((class * 5 + band * 3) % 7) as f32 - 3.0;
                let logit = |i: usize| (0..self.bands).map(|band| weight(band) * filtered[band][i]).sum::<f32>() / 16.0;
                logits.extend((0..batch.height * batch.width).map(logit));
            }
        }
        Ok(logits)
    }
}

/// Keeps everything and the units that are done.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    width: usize,
    classes: usize,
    labels: Vec<Option<u16>>,
    confidence: Vec<f32>,
    scores: Vec<f32>,
    units: Vec<Range<usize>>,
}

impl Kept {
    fn new(plan: &Plan, classes: usize) -> Kept {
        let pixels = plan.width() * plan.height();
        Kept {
            width: plan.width(),
            classes,
            labels: vec![None; pixels],
            confidence: vec![-1.0; pixels],
            scores: vec![-1.0; classes * pixels],
            units: Vec::new(),
        }
    }

    fn done(&self) -> BTreeSet<usize> {
        self.units.iter().cloned().flatten().collect()
    }

    /// Everything but how the work was cut.
    fn bits(&self) -> (Vec<Option<u16>>, Vec<u32>, Vec<u32>) {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
        (self.labels.clone(), bits(&self.confidence), bits(&self.scores))
    }
}

impl PatchSink for Kept {
    fn wants_scores(&self) -> bool {
        true
    }

    fn patch(&mut self, patch: &Patch) -> Result<()> {
        let pixels = self.labels.len();
        for (i, &label) in patch.labels.iter().enumerate() {
            let (row, col) = (i / patch.window.width, i % patch.window.width);
            let at = (patch.window.row as usize + row) * self.width + patch.window.col as usize + col;
            self.labels[at] = Some(label);
            self.confidence[at] = patch.confidence[i];
            for class in 0..self.classes {
                self.scores[class * pixels + at] = patch.scores[class * patch.labels.len() + i];
            }
        }
        Ok(())
    }

    fn unit_done(&mut self, chip_rows: Range<usize>) -> Result<()> {
        self.units.push(chip_rows);
        Ok(())
    }
}

fn sources(picture: &Arc<Picture>, options: &Options) -> Vec<Box<dyn ChipSource>> {
    (0..options.readers).map(|_| Box::new(PictureSource(picture.clone())) as Box<dyn ChipSource>).collect()
}

fn predict_into(
    kept: &mut Kept,
    plan: &Plan,
    units: &[Range<usize>],
    picture: &Arc<Picture>,
    network: &mut dyn Network,
) {
    let readers = sources(picture, plan.options());
    predict_units(plan, units, readers, network, kept, &mut |_| (), &AtomicBool::new(false)).unwrap();
}

fn predict(picture: &Picture, options: &Options, network: &mut dyn Network) -> Kept {
    let plan = Plan::new(picture.width, picture.height, options).unwrap();
    let mut kept = Kept::new(&plan, network.classes());
    predict_into(&mut kept, &plan, &plan.units(&BTreeSet::new()), &Arc::new(picture.clone()), network);
    assert!(kept.labels.iter().all(Option::is_some), "some pixel was not handed out");
    kept
}

fn options(chip: usize, overlap: usize, blend: Blend) -> Options {
    Options { chip, overlap, blend, batch: 1, ..Options::default() }
}

fn blends() -> impl Strategy<Value = Blend> {
    prop_oneof![Just(Blend::None), Just(Blend::Linear), Just(Blend::Cosine)]
}

/// Scores a patch by the sum of each band over it, which is exact, for every pixel alike.
struct PatchSums {
    bands: usize,
    patches: usize,
}

impl Network for PatchSums {
    fn bands(&self) -> usize {
        self.bands
    }

    fn classes(&self) -> usize {
        self.bands
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        self.patches += batch.len;
        let area = batch.height * batch.width;
        let planes = batch.data.chunks_exact(area);
        Ok(planes.flat_map(|plane| std::iter::repeat_n(plane.iter().sum::<f32>() / 64.0, area)).collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_cell_has_the_class_of_the_patch_around_it(
        (height, width, chip) in (1usize..70, 1usize..70, 1usize..80),
        (patch, share) in (1usize..20, 0.0f64..1.0),
    ) {
        let cell = 1 + (share * patch as f64) as usize;
        let picture = Picture::noise(3, height, width);
        let patches = Some(Patches { patch, cell });
        let options = Options { patches, ..options(chip, chip / 3, Blend::Cosine) };
        let mut network = PatchSums { bands: 3, patches: 0 };
        let kept = predict(&picture, &options, &mut network);
        let sum = |band: usize, row: usize, col: usize| -> f32 {
            let start = |at: usize| (at / cell * cell) as isize - ((patch - cell) / 2) as isize;
            let along = |at: usize, len: usize| (0..patch as isize).map(move |i| mirror(start(at) + i, len));
            let rows = along(row, height);
            rows.map(|row| along(col, width).map(|col| picture.values[(band * height + row) * width + col]).sum::<f32>()).sum()
        };
        for (at, label) in kept.labels.iter().enumerate() {
            let (row, col) = (at / width, at % width);
            let sums = [0, 1, 2].map(|band| sum(band, row, col));
            let best = (1..3).fold(0, |best, class| if sums[class] > sums[best] { class } else { best });
            prop_assert_eq!(*label, Some(best as u16), "row {} column {}", row, col);
        }
        let cells = height.max(width).div_ceil(cell).max((2 * patch.div_ceil(2)).div_ceil(cell));
        prop_assert!(network.patches <= 4 * cells * cells, "{} patches for {} cells a side", network.patches, cells);
    }

    #[test]
    fn the_bits_do_not_depend_on_batch_readers_or_units(
        (height, width) in (1usize..60, 1usize..60),
        (chip, share) in (1usize..24, 0.0f64..=0.5),
        blend in blends(),
        (batch, readers, unit_rows) in (2usize..9, 1usize..4, 1usize..5),
        tta in any::<bool>(),
        hole in 0usize..60,
    ) {
        let picture = Picture::noise(2, height, width).invalid_where(|row, col| row / 9 == hole / 9 && col > hole);
        let plain = Options { tta, ..options(chip, (chip as f64 * share) as usize, blend) };
        let other = Options { batch, readers, unit_rows, ..plain.clone() };
        let first = predict(&picture, &plain, &mut BoxNetwork::new(2, 3, 1));
        let second = predict(&picture, &other, &mut BoxNetwork::new(2, 3, 1));
        prop_assert!(first.bits() == second.bits());
    }

    #[test]
    fn units_computed_apart_give_the_bits_of_one_run(
        (height, width) in (1usize..60, 1usize..40),
        (chip, share) in (1usize..24, 0.0f64..=0.5),
        blend in blends(),
        unit_rows in 1usize..4,
        backwards in any::<bool>(),
    ) {
        let picture = Picture::noise(2, height, width).invalid_where(|row, col| (row / 7 + col / 5) % 4 == 0);
        let options = Options { unit_rows, ..options(chip, (chip as f64 * share) as usize, blend) };
        let whole = predict(&picture, &options, &mut BoxNetwork::new(2, 3, 2));
        let plan = Plan::new(width, height, &options).unwrap();
        let mut units = plan.units(&BTreeSet::new());
        if backwards {
            units.reverse();
        }
        let (picture, mut apart) = (Arc::new(picture), Kept::new(&plan, 3));
        for unit in units {
            predict_into(&mut apart, &plan, &[unit], &picture, &mut BoxNetwork::new(2, 3, 2));
        }
        prop_assert!(whole.bits() == apart.bits());
    }

    #[test]
    fn scores_are_probabilities(
        (height, width) in (1usize..50, 1usize..50),
        (chip, share) in (1usize..24, 0.0f64..=0.5),
        blend in blends(),
        tta in any::<bool>(),
    ) {
        let options = Options { tta, ..options(chip, (chip as f64 * share) as usize, blend) };
        let kept = predict(&Picture::noise(1, height, width), &options, &mut BoxNetwork::new(1, 5, 1));
        let pixels = height * width;
        for i in 0..pixels {
            let scores: Vec<f32> = (0..5).map(|class| kept.scores[class * pixels + i]).collect();
            prop_assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            let label = kept.labels[i].unwrap();
            prop_assert_eq!(scores[usize::from(label)], kept.confidence[i]);
            prop_assert!(scores.iter().all(|&score| score <= kept.confidence[i]));
        }
    }

    #[test]
    fn what_invalid_pixels_hold_changes_nothing(
        (height, width) in (1usize..50, 1usize..50),
        (chip, share) in (1usize..24, 0.0f64..=0.5),
        blend in blends(),
        seed in any::<u64>(),
    ) {
        let invalid = |row: usize, col: usize| (row as u64 * 31 + col as u64 * 17 + seed).is_multiple_of(5) || row > 30;
        let clean = Picture::noise(2, height, width).invalid_where(invalid);
        let mut dirty = clean.clone();
        for (i, value) in dirty.values.iter_mut().enumerate() {
            if !clean.valid[i % (height * width)] {
                *value = [f32::NAN, f32::INFINITY, -1e38, 7e20][i % 4];
            }
        }
        let options = options(chip, (chip as f64 * share) as usize, blend);
        let (clean, dirty) =
            (predict(&clean, &options, &mut BoxNetwork::new(2, 3, 2)), predict(&dirty, &options, &mut BoxNetwork::new(2, 3, 2)));
        prop_assert!(clean.bits() == dirty.bits());
        for (i, &label) in clean.labels.iter().enumerate() {
            let nothing = label == Some(IGNORE) && clean.confidence[i] == 0.0;
            prop_assert_eq!(nothing, invalid(i / width, i % width));
        }
    }
}

/// Stripes and spots that repeat, under noise.
fn periodic(height: usize, width: usize) -> Picture {
    let noise = Picture::noise(3, height, width);
    Picture::new(3, height, width, |band, row, col| {
        let class = (row / 24 + col / 40) % 3;
        noise.values[(band * height + row) * width + col] + if class == band { 8.0 } else { 0.0 }
    })
}

#[test]
fn no_seam_shows_between_chips_of_any_size() {
    let picture = periodic(300, 700);
    // 15 pixels wide: narrower than half of the smallest overlap.
    let mut network = BoxNetwork::new(3, 3, 7);
    let whole = predict(&picture, &options(1500, 64, Blend::None), &mut network);
    for blend in [Blend::None, Blend::Linear, Blend::Cosine] {
        for (chip, overlap) in [(128, 32), (128, 64), (512, 64)] {
            let chips = predict(&picture, &options(chip, overlap, blend), &mut network);
            assert!(chips.labels == whole.labels, "{blend:?}, chips of {chip}");
            let apart = |(a, b): (&f32, &f32)| (a - b).abs();
            let worst = chips.scores.iter().zip(&whole.scores).map(apart).fold(0.0, f32::max);
            assert!(worst < 1e-6, "{blend:?}, chips of {chip}: scores differ by {worst}");
        }
    }
    // The measure sees seams where there are some.
    let seams = predict(&picture, &options(128, 0, Blend::None), &mut network);
    assert!(seams.labels != whole.labels);
}

#[test]
fn chips_may_be_larger_than_the_scene_and_scenes_a_single_line() {
    for (height, width) in [(1, 1), (1, 90), (90, 1), (5, 7)] {
        let picture = Picture::noise(1, height, width);
        let point = |options: &Options| predict(&picture, options, &mut BoxNetwork::new(1, 4, 0)).labels;
        let expected = point(&options(1, 0, Blend::None));
        for options in [options(64, 16, Blend::Cosine), options(64, 0, Blend::Linear), options(20, 9, Blend::None)] {
            assert_eq!(point(&options), expected, "{width}x{height}, {options:?}");
        }
    }
}

#[test]
fn a_scene_without_data_never_reaches_the_network() {
    let mut network = BoxNetwork::new(1, 2, 1);
    let empty = Picture::noise(1, 40, 40).invalid_where(|_, _| true);
    let kept = predict(&empty, &options(16, 4, Blend::Cosine), &mut network);
    assert!(kept.labels.iter().all(|&label| label == Some(IGNORE)));
    assert_eq!(network.calls, 0);
    // One corner: one chip. Its neighbours have no weight in that pixel.
    let corner = empty.invalid_where(|row, col| row > 0 || col > 0);
    predict(&corner, &options(16, 4, Blend::Cosine), &mut network);
    assert_eq!(network.calls, 1);
}

/// Scores that depend on the place within the chip, to see that layings are undone.
struct PlaceNetwork;

impl Network for PlaceNetwork {
    fn bands(&self) -> usize {
        1
    }

    fn classes(&self) -> usize {
        2
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        let mut logits = Vec::new();
        for chip in 0..batch.len {
            logits.extend(batch.chip(chip).iter().enumerate().map(|(i, value)| value + (i as f32 * 0.37).sin()));
            logits.extend(batch.chip(chip).iter().map(|value| -value));
        }
        Ok(logits)
    }
}

#[test]
fn averaging_over_all_layings_commutes_with_turning_the_scene() {
    let picture = Picture::noise(1, 12, 12);
    let turned = Picture::new(1, 12, 12, |_, row, col| picture.values[(11 - col) * 12 + row]);
    let options = Options { tta: true, ..options(12, 0, Blend::None) };
    let (upright, turned) =
        (predict(&picture, &options, &mut PlaceNetwork), predict(&turned, &options, &mut PlaceNetwork));
    for row in 0..12 {
        for col in 0..12 {
            let (a, b) = (upright.scores[(11 - col) * 12 + row], turned.scores[row * 12 + col]);
            assert!((a - b).abs() < 1e-6, "{a} and {b} at row {row}, column {col}");
        }
    }
    // The network alone does not commute.
    let single = Options { tta: false, ..options };
    assert!(predict(&picture, &single, &mut PlaceNetwork).scores != upright.scores);
}

/// Sets the flag after some calls.
pub(super) struct Stopping<'a> {
    pub(super) inner: BoxNetwork,
    pub(super) after: usize,
    pub(super) cancel: &'a AtomicBool,
}

impl Network for Stopping<'_> {
    fn bands(&self) -> usize {
        self.inner.bands()
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        if self.inner.calls >= self.after {
            self.cancel.store(true, Ordering::Relaxed);
        }
        self.inner.logits(batch)
    }
}

#[test]
fn a_run_stopped_anywhere_goes_on_with_the_same_bits() {
    let picture = Picture::noise(2, 70, 50).invalid_where(|row, col| row / 20 == 1 && col < 30);
    let options = Options { batch: 2, unit_rows: 2, ..options(16, 6, Blend::Cosine) };
    let plan = Plan::new(50, 70, &options).unwrap();
    let whole = predict(&picture, &options, &mut BoxNetwork::new(2, 3, 2));
    let picture = Arc::new(picture);
    let mut stopped = 0;
    for after in 0..plan.chip_rows() * plan.chip_cols() {
        let cancel = AtomicBool::new(false);
        let mut network = Stopping { inner: BoxNetwork::new(2, 3, 2), after, cancel: &cancel };
        let mut kept = Kept::new(&plan, 3);
        let units = plan.units(&BTreeSet::new());
        let readers = sources(&picture, &options);
        let first = predict_units(&plan, &units, readers, &mut network, &mut kept, &mut |_| (), &cancel);
        if matches!(first, Err(Error::Cancelled)) {
            stopped += 1;
            let rest = plan.units(&kept.done());
            predict_into(&mut kept, &plan, &rest, &picture, &mut BoxNetwork::new(2, 3, 2));
        }
        assert!(kept.bits() == whole.bits(), "stopped after {after} chips");
    }
    assert!(stopped > 20);
}

#[test]
fn progress_reaches_the_end_and_counts_what_was_done_before() {
    let picture = Arc::new(Picture::noise(1, 40, 40));
    let options = options(16, 4, Blend::Cosine);
    let plan = Plan::new(40, 40, &options).unwrap();
    let mut seen = Vec::new();
    let units = plan.units(&BTreeSet::from([0]));
    let (readers, mut kept) = (sources(&picture, &options), Kept::new(&plan, 2));
    let mut network = BoxNetwork::new(1, 2, 1);
    let mut note = |progress: Progress| seen.push(progress.done);
    predict_units(&plan, &units, readers, &mut network, &mut kept, &mut note, &AtomicBool::new(false)).unwrap();
    assert_eq!(network.rests, [network.calls], "after the last chip");
    assert_eq!(seen[0], (plan.owned_rows(&(0..1)).len() * 40) as u64);
    assert!(seen.is_sorted());
    assert_eq!(seen.last(), Some(&1600));
}

/// Fails at one window.
struct Failing(PictureSource, usize);

impl ChipSource for Failing {
    fn read(&mut self, window: Window) -> Result<ChipPixels> {
        self.1 = self.1.checked_sub(1).ok_or(Error::Cancelled)?;
        self.0.read(window)
    }
}

#[test]
fn errors_of_every_part_come_out_and_nothing_hangs() {
    struct Full(AtomicUsize);
    impl PatchSink for Full {
        fn patch(&mut self, _: &Patch) -> Result<()> {
            let left = self.0.get_mut();
            *left = left.checked_sub(1).ok_or(Error::PredictOptions { problem: "disk full".into() })?;
            Ok(())
        }
    }
    struct Diverged;
    impl Network for Diverged {
        fn bands(&self) -> usize {
            1
        }
        fn classes(&self) -> usize {
            2
        }
        fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
            Ok(vec![f32::NAN; batch.data.len() * 2])
        }
    }
    let picture = Arc::new(Picture::noise(1, 60, 60));
    let options = Options { readers: 3, batch: 2, ..options(16, 4, Blend::Linear) };
    let plan = Plan::new(60, 60, &options).unwrap();
    let units = plan.units(&BTreeSet::new());
    let go = |readers: Vec<Box<dyn ChipSource>>, network: &mut dyn Network, sink: &mut dyn PatchSink| {
        predict_units(&plan, &units, readers, network, sink, &mut |_| (), &AtomicBool::new(false))
    };
    for after in [0, 1, 7] {
        let full = go(sources(&picture, &options), &mut BoxNetwork::new(1, 2, 1), &mut Full(after.into()));
        assert!(full.unwrap_err().to_string().contains("disk full"));
        let broken = |_| Box::new(Failing(PictureSource(picture.clone()), after)) as Box<dyn ChipSource>;
        let read = go((0..3).map(broken).collect(), &mut BoxNetwork::new(1, 2, 1), &mut Full(1000.into()));
        assert!(matches!(read, Err(Error::Cancelled)));
    }
    let diverged = go(sources(&picture, &options), &mut Diverged, &mut Full(1000.into()));
    assert!(matches!(diverged, Err(Error::NotFinite { .. })));
}

#[test]
fn rows_for_evaluation_are_those_of_the_patches() {
    let picture = Picture::noise(1, 37, 53).invalid_where(|row, col| row + col < 9);
    let options = options(16, 5, Blend::Cosine);
    let kept = predict(&picture, &options, &mut BoxNetwork::new(1, 3, 1));
    let plan = Plan::new(53, 37, &options).unwrap();
    let (mut labels, mut confidence, mut next) = (Vec::new(), Vec::new(), 0);
    let mut take = |rows: &LabelRows| {
        assert_eq!((rows.row, rows.width), (next, 53));
        labels.extend(rows.labels.iter().copied().map(Some));
        confidence.extend_from_slice(&rows.confidence);
        next += rows.labels.len() / 53;
        Ok(())
    };
    let mut network = BoxNetwork::new(1, 3, 1);
    let readers = sources(&Arc::new(picture), &options);
    predict_rows(&plan, readers, &mut network, &mut take, &mut |_| (), &AtomicBool::new(false)).unwrap();
    assert_eq!(labels, kept.labels);
    assert_eq!(confidence, kept.confidence);
}
