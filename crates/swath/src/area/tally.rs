//! Pixels and areas of the classes of a map.

use swath_geo::{ClassMap, NO_CLASS, PixelAreas};

use crate::Result;

/// What a map holds of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTally {
    /// Pixel value.
    pub value: u32,
    /// Pixels.
    pub pixels: u64,
    /// Their area on the ellipsoid in square metres; `None` for a map without coordinates, and where pixels lie beside what its projection shows.
    pub area_m2: Option<f64>,
}

/// Counts the classes that occur in a map, by ascending value. Memory is bounded by the width of the map.
///
/// # Errors
/// When the map cannot be read or holds numbers that are no classes.
pub fn tally(map: &ClassMap) -> Result<Vec<ClassTally>> {
    let areas = PixelAreas::new(map.grid());
    let mut pixels = vec![0u64; CLASSES];
    let mut square_metres = vec![0f64; CLASSES];
    let mut classes = Vec::new();
    for window in map.strips() {
        map.read(window, &mut classes)?;
        for (row, line) in (window.row as usize..).zip(classes.chunks_exact(window.width)) {
            let row_areas = areas.as_ref().map(|areas| areas.row(row));
            let mut col = 0;
            for run in line.chunk_by(|a, b| a == b) {
                let end = col + run.len();
                if run[0] != NO_CLASS {
                    let value = run[0] as usize;
                    pixels[value] += run.len() as u64;
                    square_metres[value] += row_areas.as_ref().map_or(0.0, |areas| areas.sum(col..end));
                }
                col = end;
            }
        }
    }
    let found = (0..CLASSES).filter(|&value| pixels[value] > 0);
    let of_class = |value: usize| ClassTally {
        value: value as u32,
        pixels: pixels[value],
        area_m2: areas.as_ref().map(|_| square_metres[value]).filter(|area| !area.is_nan()),
    };
    Ok(found.map(of_class).collect())
}

/// Classes are 0 to 65535.
const CLASSES: usize = 1 << 16;
