//! The one pass over the data before training: index, statistics, and what fits into memory.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use swath_geo::{Tiling, Window};

use super::index::{ChipGrid, SceneTally};
use super::memory::MemoryBuilder;
use super::source::LabelledScene;
use super::{DataError, Statistics};

/// Pixels read at once.
const BLOCK_PIXELS: usize = 1 << 20;

/// What the pass found in a scene.
pub(super) struct Scanned {
    /// The scene; in memory when it was asked for.
    pub(super) scene: LabelledScene,
    /// Its part of the index.
    pub(super) tally: SceneTally,
    /// Statistics over the valid pixels of its area.
    pub(super) statistics: Statistics,
}

/// Scans all scenes on as many threads as there are cores; `keep` says which of them to keep in memory.
///
/// The answers come in the scenes' order. Of several errors the first scene's is returned.
pub(super) fn scan_all(
    scenes: &[LabelledScene],
    keep: &[bool],
    classes: usize,
    grid: ChipGrid,
) -> Result<Vec<Scanned>, DataError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(scenes.len());
    let next = AtomicUsize::new(0);
    let work = &|| {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(scene) = scenes.get(at) else { return done };
            let scanned = scan(scene, keep[at], classes, grid);
            let failed = scanned.is_err();
            done.push((at, scanned));
            if failed {
                // Scenes before this one are already taken by other threads, so that the first error is found.
                next.store(scenes.len(), Ordering::Relaxed);
            }
        }
    };
    let mut answers: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, scanned)| scanned).collect()
}

fn scan(scene: &LabelledScene, keep: bool, classes: usize, grid: ChipGrid) -> Result<Scanned, DataError> {
    let image = &scene.image;
    let (width, height) = image.size();
    let mut reader = scene.reader()?;
    let mut tally = SceneTally::new(width, height, scene.area, classes, grid);
    let mut statistics = Statistics::new(image.bands());
    let mut memory = keep.then(|| MemoryBuilder::new(image.name(), image.bands(), width, height));
    for window in Tiling::blocks((width, height), image.block(), BLOCK_PIXELS).clipped_windows() {
        if memory.is_none() && scene.area.intersect(&window).is_none() {
            continue;
        }
        let (pixels, labels) = reader.read(window)?;
        tally.add(window, &labels);
        statistics.add(&pixels.values.data, &valid_inside(&pixels.valid, window, scene.area));
        if let Some(memory) = &mut memory {
            memory.add(window, &pixels, &labels);
        }
    }
    if statistics.pixels() == 0 {
        let area = scene.area != Window::new(0, 0, width, height);
        return Err(DataError::NoPixels { scene: image.name().to_owned(), area });
    }
    let scene = match memory {
        Some(memory) => {
            let (image, labels) = memory.finish();
            LabelledScene { image: Arc::new(image), labels: Arc::new(labels), area: scene.area }
        }
        None => scene.clone(),
    };
    Ok(Scanned { scene, tally, statistics })
}

/// Validity `[row, column]` of a window, without what lies outside the area.
fn valid_inside(valid: &[bool], window: Window, area: Window) -> Vec<bool> {
    if area.contains(&window) {
        return valid.to_vec();
    }
    let rows = (window.row..).zip(valid.chunks_exact(window.width));
    rows.flat_map(|(row, line)| {
        (window.col..).zip(line).map(move |(col, valid)| *valid && area.contains_pixel(col, row))
    })
    .collect()
}
