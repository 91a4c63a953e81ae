//! A synthetic scene: fields with texture, 16 bits a sample, and their classes.

use std::path::Path;

use anyhow::Result;
use swath_geo::{Affine, ClassEntry, CogOptions, CogWriter, Crs, DType, Grid, Resampling, Samples, Window};

/// The label of pixels without class.
pub(crate) const UNLABELLED: u8 = 255;

/// Rows that are made at a time.
const STRIP: usize = 128;
/// Side of a field in pixels: columns and rows.
const FIELD: (usize, usize) = (96, 64);

/// The classes, named by their numbers.
pub(crate) fn classes(count: usize) -> Vec<ClassEntry> {
    let color = |value: usize| [(value * 25) as u8, (255 - value * 20) as u8, (value * 90) as u8];
    (0..count)
        .map(|value| ClassEntry { value: value as u32, name: format!("class {value}"), color: color(value) })
        .collect()
}

/// Writes a scene of `width` x `height` pixels: a tiled, deflated GeoTIFF of 16 bit samples, pixels of 10 m.
pub(crate) fn write_scene(path: &Path, width: usize, height: usize, bands: usize, classes: usize) -> Result<()> {
    let options = CogOptions { overview: Resampling::Average, ..CogOptions::new(DType::U16, bands) };
    let mut writer = CogWriter::create(path, &grid(width, height)?, &options)?;
    let mut samples = Vec::new();
    for (window, band) in strips(width, height).flat_map(|window| (0..bands).map(move |band| (window, band))) {
        samples.clear();
        for row in window.row as usize..window.row as usize + window.height {
            samples.extend((0..width).map(|col| sample(row, col, band, classes)));
        }
        writer.write(window, band, Samples::U16(&samples))?;
    }
    Ok(writer.finish()?)
}

/// Writes the classes of [`write_scene`].
pub(crate) fn write_labels(path: &Path, width: usize, height: usize, count: usize) -> Result<()> {
    write_classes(path, width, height, count, &|row, col| class(row, col, count))
}

/// Writes a map of the same classes as a network leaves it: one pixel in fifty has another class.
pub(crate) fn write_noisy_labels(path: &Path, width: usize, height: usize, count: usize) -> Result<()> {
    write_classes(path, width, height, count, &|row, col| {
        let drawn = hash(row, col);
        let other = drawn.is_multiple_of(50).then_some(drawn as usize / 50);
        other.unwrap_or_else(|| class(row, col, count)) % count
    })
}

fn write_classes(
    path: &Path,
    width: usize,
    height: usize,
    count: usize,
    class: &dyn Fn(usize, usize) -> usize,
) -> Result<()> {
    let options = CogOptions::labels(&classes(count), Some(u32::from(UNLABELLED)));
    let mut writer = CogWriter::create(path, &grid(width, height)?, &options)?;
    for window in strips(width, height) {
        let rows = window.row as usize..window.row as usize + window.height;
        let labels: Vec<u8> = rows.flat_map(|row| (0..width).map(move |col| class(row, col) as u8)).collect();
        writer.write(window, 0, Samples::U8(&labels))?;
    }
    Ok(writer.finish()?)
}

fn grid(width: usize, height: usize) -> Result<Grid> {
    let transform = Affine([300_000.0, 10.0, 0.0, 5_900_000.0, 0.0, -10.0]);
    Ok(Grid { crs: Some(Crs::from_user("EPSG:32633")?), transform, width, height })
}

fn strips(width: usize, height: usize) -> impl Iterator<Item = Window> {
    let window = move |row| Window::new(0, row as isize, width, STRIP.min(height - row));
    (0..height).step_by(STRIP).map(window)
}

fn class(row: usize, col: usize, classes: usize) -> usize {
    (row / FIELD.1 * 7 + col / FIELD.0 * 3) % classes
}

/// A field has a level of its own in every band; on it lie furrows and five bits of noise, about what deflate finds in a
/// real scene.
fn sample(row: usize, col: usize, band: usize, classes: usize) -> u16 {
    let level = 600 + 90 * ((class(row, col, classes) + band * 5) % classes);
    let furrow = (row + 2 * col) % 16 * 4;
    (level + furrow) as u16 + (hash(row, col + 977 * band) >> 27) as u16
}

/// As good as random, and the same each time.
fn hash(row: usize, col: usize) -> u32 {
    let mixed = (row as u32).wrapping_mul(0x9E37_79B1) ^ (col as u32).wrapping_mul(0x85EB_CA77);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D)
}

#[cfg(test)]
mod tests {
    use swath_geo::{Edge, Scene};

    use super::*;

    #[test]
    fn a_scene_and_its_labels_lie_on_one_grid() {
        let folder = tempfile::tempdir().unwrap();
        let (scene, labels) = (folder.path().join("scene.tif"), folder.path().join("labels.tif"));
        write_scene(&scene, 200, 150, 2, 4).unwrap();
        write_labels(&labels, 200, 150, 4).unwrap();
        let open = |path| Scene::open_paths(&[path]).unwrap();
        let (scene, labels) = (open(&scene), open(&labels));
        assert!(scene.grid().same(labels.grid()));
        let pixel = Window::new(199, 149, 1, 1);
        let values = scene.reader().unwrap().read(pixel, Edge::Mirror).unwrap().values.data;
        assert_eq!(values, [0, 1].map(|band| f32::from(sample(149, 199, band, 4))));
        let label = labels.reader().unwrap().read(pixel, Edge::Mirror).unwrap().values.data;
        assert_eq!(label, [class(149, 199, 4) as f32]);
    }
}
