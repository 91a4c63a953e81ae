//! Random label maps and what is true of them.

use proptest::prelude::*;
use swath_vector::{Connectivity, Corner, Coverage, OUTSIDE};

/// A label map.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) width: usize,
    pub(crate) labels: Vec<u32>,
}

impl Map {
    pub(crate) fn height(&self) -> usize {
        self.labels.len() / self.width
    }
}

/// Small maps of one to four labels, some with pixels outside.
pub(crate) fn maps() -> impl Strategy<Value = Map> {
    (1usize..14, 0usize..14, 1u32..5, any::<bool>()).prop_flat_map(|(width, height, classes, holes)| {
        let label = (0..classes + u32::from(holes))
            .prop_map(move |label| if label == classes { OUTSIDE } else { label * 1000 });
        proptest::collection::vec(label, width * height).prop_map(move |labels| Map { width, labels })
    })
}

/// Sizes and labels of connected pixels, by flooding; sorted.
pub(crate) fn flooded(map: &Map, connectivity: Connectivity) -> Vec<(u32, u64)> {
    let (width, height) = (map.width as isize, map.height() as isize);
    let mut seen = vec![false; map.labels.len()];
    let mut found = Vec::new();
    for start in 0..map.labels.len() {
        let label = map.labels[start];
        if seen[start] || label == OUTSIDE {
            continue;
        }
        seen[start] = true;
        let (mut stack, mut pixels) = (vec![start as isize], 0);
        while let Some(at) = stack.pop() {
            pixels += 1;
            for (down, right) in (-1..2).flat_map(|down| (-1..2).map(move |right| (down, right))) {
                let (row, col) = (at / width + down, at % width + right);
                let near = connectivity == Connectivity::Eight || down == 0 || right == 0;
                if near && (0..height).contains(&row) && (0..width).contains(&col) {
                    let next = row * width + col;
                    if !seen[next as usize] && map.labels[next as usize] == label {
                        seen[next as usize] = true;
                        stack.push(next);
                    }
                }
            }
        }
        found.push((label, pixels));
    }
    found.sort_unstable();
    found
}

/// Twice the area of a closed ring, positive when it runs counterclockwise with the first row at the top.
pub(crate) fn doubled_area(ring: &[Corner]) -> i64 {
    let cross = |pair: &[Corner]| {
        i64::from(pair[0].row) * i64::from(pair[1].col) - i64::from(pair[0].col) * i64::from(pair[1].row)
    };
    ring.windows(2).map(cross).sum()
}

/// The label of every pixel by the polygons that hold it; a pixel in several polygons panics.
pub(crate) fn burned(coverage: &Coverage, width: usize, height: usize) -> Vec<u32> {
    let mut labels = vec![OUTSIDE; width * height];
    for (region, rings) in coverage.shapes() {
        let rings: Vec<Vec<Corner>> = rings.map(|ring| coverage.corners(ring)).collect();
        for (index, label) in labels.iter_mut().enumerate() {
            let (row, col) = ((index / width) as u32, (index % width) as u32);
            // Vertical edges to the right of the pixel's centre.
            let crosses = |pair: &&[Corner]| {
                pair[0].col == pair[1].col
                    && pair[0].col > col
                    && pair[0].row.min(pair[1].row) <= row
                    && row < pair[0].row.max(pair[1].row)
            };
            let crossings = rings.iter().flat_map(|ring| ring.windows(2)).filter(crosses).count();
            if crossings % 2 == 1 {
                assert_eq!(*label, OUTSIDE, "pixel {col} {row} is in two polygons");
                *label = region.label;
            }
        }
    }
    labels
}
