//! The data set as a whole, on scenes in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use swath_geo::{Pixels, Raster, Window};

use super::*;
use crate::IGNORE;
use crate::recipe::{Augment, Span};

/// Band 0 counts the pixels, band 1 holds the label (or -1).
fn scene(name: &str, width: usize, labels: Vec<u16>, valid: Vec<bool>) -> LabelledScene {
    let height = labels.len() / width;
    let count = (0..labels.len()).map(|i| i as f32);
    let codes = labels.iter().map(|&label| if label == IGNORE { -1.0 } else { f32::from(label) });
    let values = count.chain(codes).zip(valid.iter().cycle()).map(|(v, valid)| if *valid { v } else { 0.0 }).collect();
    let pixels = Pixels { values: Raster::new(2, height, width, values), valid };
    LabelledScene {
        image: Arc::new(MemoryImage::new(name, &pixels)),
        labels: Arc::new(MemoryLabels::new(width, labels)),
        area: Window::new(0, 0, width, height),
    }
}

fn options(sampling: Sampling, augment: Option<Augment>) -> ChipOptions {
    ChipOptions { sampling, target: Target::Pixels, augment, mean: vec![0.0; 2], std: vec![1.0; 2], seed: 11 }
}

fn strong() -> Augment {
    Augment {
        shift: 3,
        brightness: Span { low: -0.5, high: 0.5 },
        contrast: Span { low: 0.8, high: 1.2 },
        gamma: Span { low: 0.7, high: 1.4 },
        ..Augment::default()
    }
}

/// Two scenes of 40x30 and 25x25 pixels with three classes, holes in the labels and invalid pixels.
fn pair() -> Vec<LabelledScene> {
    let make = |name: &str, width: usize, height: usize| {
        let labels = (0..width * height).map(|i| [0, 0, 1, 2, IGNORE][(i / 3 + i / width) % 5]).collect();
        scene(name, width, labels, (0..width * height).map(|i| i % 11 != 0).collect())
    };
    vec![make("first", 40, 30), make("second", 25, 25)]
}

fn loader(dataset: &Arc<Dataset>, workers: usize, from: u64) -> Loader {
    let chips = options(Sampling::Balanced { max_repeat: 10.0 }, Some(strong()));
    Loader::new(dataset, &LoaderOptions { chips, batch: 3, workers }, from).unwrap()
}

#[test]
fn batches_do_not_depend_on_workers_or_on_where_a_run_starts() {
    let dataset = Arc::new(Dataset::new(pair(), 3, &DatasetOptions::new(8)).unwrap());
    let take = |workers, from, count| -> Vec<Batch> {
        let mut loader = loader(&dataset, workers, from);
        (0..count).map(|_| loader.next_batch().unwrap()).collect()
    };
    let alone = take(0, 0, 24);
    assert_eq!(alone.iter().map(|batch| batch.step).collect::<Vec<_>>(), (0..24).collect::<Vec<_>>());
    for workers in [1, 2, 5] {
        assert_eq!(take(workers, 0, 24), alone, "{workers} workers");
        assert_eq!(take(workers, 17, 7), alone[17..], "{workers} workers, resumed");
    }
    assert!(alone.iter().any(|batch| batch.origins.iter().any(|origin| origin.scene == 1)));
}

#[test]
fn scenes_in_memory_and_streamed_scenes_give_the_same_batches() {
    let first = |memory| {
        let dataset = Dataset::new(pair(), 3, &DatasetOptions { memory, ..DatasetOptions::new(8) }).unwrap();
        loader(&Arc::new(dataset), 0, 5).next_batch().unwrap()
    };
    assert_eq!(first(0), first(1 << 30));
}

#[test]
fn the_grid_shows_every_labelled_pixel_once() {
    let dataset = Arc::new(Dataset::new(pair(), 3, &DatasetOptions::new(5)).unwrap());
    let sampling = Sampling::Grid { shuffle: true };
    let mut maker = ChipMaker::new(Arc::clone(&dataset), options(sampling, None)).unwrap();
    let chips = dataset.chips_per_epoch(sampling);
    assert_eq!(chips, 8 * 6 + 5 * 5);
    let mut labelled = 0;
    for sample in 0..chips {
        let chip = maker.chip(sample).unwrap();
        labelled += chip.labels.iter().filter(|label| **label != IGNORE).count() as u64;
    }
    assert_eq!(labelled, dataset.index().pixels());
}

#[test]
fn areas_split_a_scene_without_leaks() {
    let mut right = pair().remove(0);
    right.area = Window::new(20, 0, 20, 30);
    let dataset = Arc::new(Dataset::new(vec![right], 3, &DatasetOptions::new(16)).unwrap());
    let mut maker =
        ChipMaker::new(Arc::clone(&dataset), options(Sampling::Uniform, Some(Augment { shift: 9, ..strong() })))
            .unwrap();
    for sample in 0..200 {
        let ChipOrigin { col, row, .. } = maker.chip(sample).unwrap().origin;
        assert!((20..=24).contains(&col) && (0..=14).contains(&row), "{col} {row}");
    }
    // The area's least pixel number is 20: the statistics do not see the left part either.
    assert_eq!(dataset.statistics().bands[0].min, 20.0);

    let mut narrow = pair().remove(0);
    narrow.area = Window::new(36, 0, 4, 30);
    let dataset = Arc::new(Dataset::new(vec![narrow], 3, &DatasetOptions::new(16)).unwrap());
    let mut maker = ChipMaker::new(dataset, options(Sampling::Uniform, None)).unwrap();
    for sample in 0..50 {
        let chip = maker.chip(sample).unwrap();
        assert_eq!(chip.origin.col, 24);
        for (at, label) in chip.labels.iter().enumerate() {
            assert!(*label == IGNORE || at % 16 >= 12, "a label left of the area");
        }
    }
}

#[test]
fn chips_larger_than_the_scene_are_mirrored_and_ignored_outside() {
    let small = scene("small", 3, vec![0, 1, 0, 1, 0, 1], vec![true; 6]);
    let dataset = Arc::new(Dataset::new(vec![small], 2, &DatasetOptions::new(12)).unwrap());
    for sampling in [Sampling::Uniform, Sampling::Grid { shuffle: false }] {
        let mut maker = ChipMaker::new(Arc::clone(&dataset), options(sampling, None)).unwrap();
        let chip = maker.chip(3).unwrap();
        assert_eq!(chip.labels.iter().filter(|label| **label != IGNORE).count(), 6);
        // Band 1 repeats the labels: also the mirrored pixels show the scene.
        assert!(chip.image[144..].iter().all(|code| *code == 0.0 || *code == 1.0));
        assert!(chip.image[144..].contains(&1.0));
    }
}

#[test]
fn normalization_uses_valid_pixels_and_zeroes_the_others() {
    let valid: Vec<bool> = (0..64).map(|i| i != 9).collect();
    let dataset =
        Arc::new(Dataset::new(vec![scene("one", 8, vec![0; 64], valid)], 1, &DatasetOptions::new(8)).unwrap());
    let band = dataset.statistics().bands[0];
    assert_eq!(band.count, 63);
    let (mean, std) = (vec![band.mean as f32, 0.0], vec![band.scale() as f32, 1.0]);
    let chips = ChipOptions { mean, std, ..options(Sampling::Uniform, None) };
    let chip = ChipMaker::new(dataset, chips).unwrap().chip(0).unwrap();
    assert_eq!((chip.image[9], chip.labels[9]), (0.0, IGNORE));
    let moments = Moments::of(chip.image[..64].iter().copied().enumerate().filter(|(i, _)| *i != 9).map(|(_, v)| v));
    assert!(moments.mean.abs() < 1e-6 && (moments.variance() - 1.0).abs() < 1e-5);
}

#[test]
fn bad_data_is_named() {
    let valid = || vec![true; 16];
    let error = |scenes: Vec<LabelledScene>| match Dataset::new(scenes, 2, &DatasetOptions::new(4)) {
        Ok(_) => panic!("no error"),
        Err(error) => error.to_string(),
    };
    assert!(error(vec![]).contains("list of scenes is empty"));
    assert!(error(vec![scene("field", 4, vec![IGNORE; 16], valid())]).contains("no pixel is labelled in field"));
    assert!(error(vec![scene("night", 4, vec![0; 16], vec![false; 16])]).contains("scene night holds no valid pixel"));
    let outside = LabelledScene { area: Window::new(9, 9, 4, 4), ..scene("field", 4, vec![0; 16], valid()) };
    assert!(error(vec![outside]).contains("area column 9"), "area");
    let one_band = Pixels { values: Raster::filled(1, 4, 4, 1.0), valid: valid() };
    let other =
        LabelledScene { image: Arc::new(MemoryImage::new("pan", &one_band)), ..scene("x", 4, vec![0; 16], valid()) };
    assert!(
        error(vec![scene("field", 4, vec![0; 16], valid()), other]).contains("scene pan has 1 bands but field has 2")
    );
}

/// Labels whose reader fails from the given read on.
struct Failing {
    labels: MemoryLabels,
    left: Arc<AtomicUsize>,
}

impl LabelSource for Failing {
    fn reader(&self) -> Result<Box<dyn LabelReader>, DataError> {
        Ok(Box::new(Failing { labels: self.labels.clone(), left: Arc::clone(&self.left) }))
    }
}

impl LabelReader for Failing {
    fn read(&mut self, window: Window) -> Result<Vec<u16>, DataError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(DataError::Changed { scene: "the failing one".into() });
        }
        LabelReader::read(&mut self.labels, window)
    }
}

#[test]
fn errors_of_workers_come_once_and_end_the_loader() {
    for workers in [0, 1, 3] {
        let base = scene("field", 8, vec![0; 64], vec![true; 64]);
        let labels = Failing { labels: MemoryLabels::new(8, vec![0; 64]), left: Arc::new(AtomicUsize::new(1 + 20)) };
        let scenes = vec![LabelledScene { labels: Arc::new(labels), ..base }];
        let dataset = Dataset::new(scenes, 1, &DatasetOptions { memory: 0, ..DatasetOptions::new(4) }).unwrap();
        let loader_options = LoaderOptions { chips: options(Sampling::Uniform, None), batch: 1, workers };
        let mut loader = Loader::new(&Arc::new(dataset), &loader_options, 0).unwrap();
        let error = loop {
            if let Err(error) = loader.next_batch() {
                break error.to_string();
            }
        };
        assert!(error.starts_with("batch ") && error.contains("the failing one or its labels changed"), "{error}");
        assert!(matches!(loader.next_batch(), Err(DataError::Stopped)));
    }
}

#[test]
fn dropping_a_loader_ends_its_threads() {
    let dataset = Arc::new(Dataset::new(pair(), 3, &DatasetOptions::new(8)).unwrap());
    let mut running = loader(&dataset, 4, 0);
    running.next_batch().unwrap();
    drop(running);
    assert_eq!(Arc::strong_count(&dataset), 1, "a thread still holds the data set");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However sparse the labels: no chip without them, and labels always belong to the pixels they lie on.
    #[test]
    fn chips_are_never_empty_and_labels_match_pixels(
        width in 1usize..30, height in 1usize..30, chip in 1usize..12, seed: u64, marks in prop::collection::vec((0usize..900, 0u16..3), 1..5),
        kind in 0usize..3,
    ) {
        let mut labels = vec![IGNORE; width * height];
        for (at, class) in marks {
            labels[at % (width * height)] = class;
        }
        let dataset = Arc::new(Dataset::new(vec![scene("sparse", width, labels, vec![true; width * height])], 3, &DatasetOptions::new(chip)).unwrap());
        let sampling = [Sampling::Uniform, Sampling::Balanced { max_repeat: 3.0 }, Sampling::Grid { shuffle: true }][kind];
        let geometry = Augment { shift: 4, ..Augment::default() };
        let mut maker = ChipMaker::new(dataset, ChipOptions { seed, ..options(sampling, Some(geometry)) }).unwrap();
        for sample in 0..8 {
            let made = maker.chip(sample).unwrap();
            prop_assert!(made.labels.iter().any(|label| *label != IGNORE));
            for (code, label) in made.image[chip * chip..].iter().zip(&made.labels) {
                prop_assert!(*label == IGNORE || *code == f32::from(*label));
            }
        }
    }
}
