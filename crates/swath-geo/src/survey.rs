//! Looking at the pixels of a scene: all of them, or an even sample that costs the same for any size.

use crate::load::Loader;
use crate::raster_io::Request;
use crate::stats::Moments;
use crate::{PixelAreas, Result, Scene, Tiling, Window};

/// What looking gave.
pub(crate) struct Survey {
    /// Pixels looked at.
    pub(crate) seen: u64,
    /// Pixels among them that are valid in every band.
    pub(crate) valid: u64,
    /// Area of the valid pixels of the whole scene, estimated from those seen.
    pub(crate) valid_area_m2: f64,
    /// One for each band, over the pixels valid in that band.
    pub(crate) bands: Vec<Moments>,
}

/// Looks at every pixel when `exact`, otherwise at about a million, and at all when there are not more.
pub(crate) fn survey(scene: &Scene, exact: bool, areas: Option<&PixelAreas>) -> Result<Survey> {
    let requests = plan(scene, exact);
    let seen: u64 = requests.iter().map(|request| request.plane() as u64).sum();
    let mut survey = Survey { seen, valid: 0, valid_area_m2: 0.0, bands: vec![Moments::EMPTY; scene.bands().len()] };
    let mut loader = Loader::new(scene.clone());
    for request in requests {
        let (values, valid) = loader.load_separately(request)?;
        survey.add(&values.data, &valid, request, areas);
    }
    let grid = scene.grid();
    survey.valid_area_m2 *= (grid.width as f64 * grid.height as f64) / survey.seen.max(1) as f64;
    Ok(survey)
}

impl Survey {
    fn add(&mut self, values: &[f32], valid: &[bool], request: Request, areas: Option<&PixelAreas>) {
        let Request { window, size: (width, height) } = request;
        let plane = request.plane();
        let bands = values.chunks_exact(plane).zip(valid.chunks_exact(plane));
        for (moments, (values, valid)) in self.bands.iter_mut().zip(bands) {
            *moments = moments.merge(Moments::of(values, valid));
        }
        let step = window.height as f64 / height as f64;
        let middle = window.col as f64 + window.width as f64 / 2.0;
        for row in 0..height {
            let everywhere = |col: &usize| valid.chunks_exact(plane).all(|band| band[row * width + *col]);
            let count = (0..width).filter(everywhere).count();
            self.valid += count as u64;
            let centre = window.row as f64 + (row as f64 + 0.5) * step;
            // A row may lie beside what the projection shows.
            let area = areas.map_or(0.0, |areas| areas.at(areas.nearest(middle, centre), centre));
            self.valid_area_m2 += if area.is_nan() { 0.0 } else { area * count as f64 };
        }
    }
}

/// Pixels of a sample, about.
const SAMPLE: usize = 1 << 20;
/// Samples held in memory at once: bands times pixels.
const HELD: usize = 8 << 20;
/// Scenes of fewer pixels are thinned whatever that costs: every block is decoded.
const SMALL: usize = 16 << 20;
/// A sample of patches has this many along each side, each as many pixels wide and high as the second number.
const PATCHES: (usize, usize) = (16, 64);

/// What to read, in which order.
fn plan(scene: &Scene, exact: bool) -> Vec<Request> {
    let extent = (scene.grid().width, scene.grid().height);
    let pixels = extent.0.saturating_mul(extent.1);
    let held = (HELD / scene.bands().len()).max(1);
    if exact || pixels <= SAMPLE {
        let windows = Tiling::blocks(extent, scene.block_size(), held).clipped_windows();
        return windows.map(|window| Request { window, size: (window.width, window.height) }).collect();
    }
    if pixels <= SMALL || scene.files().iter().all(|file| file.warp.is_none() && file.header.has_overviews()) {
        return thinned(scene, pixels, held);
    }
    patches(extent)
}

/// Every n-th pixel of every n-th row, which is quick where overviews or wavelets hold them ready.
fn thinned(scene: &Scene, pixels: usize, held: usize) -> Vec<Request> {
    let grid = scene.grid();
    let step = (pixels as f64 / SAMPLE as f64).sqrt().ceil() as usize;
    let size = (grid.width.div_ceil(step), grid.height.div_ceil(step));
    let by = step as isize;
    let request = |part: Window| {
        let whole = Window::new(part.col * by, part.row * by, part.width * step, part.height * step);
        let window = whole.intersect(&grid.window())?;
        Some(Request { window, size: (part.width, part.height) })
    };
    Tiling::blocks(size, (size.0, 1), held).clipped_windows().filter_map(request).collect()
}

/// Patches on a lattice over the scene: a bounded number of blocks is decoded.
fn patches(extent: (usize, usize)) -> Vec<Request> {
    let (count, side) = PATCHES;
    let starts = |length: usize| {
        let side = side.min(length);
        (0..count).map(move |index| (((2 * index + 1) * length / (2 * count)).saturating_sub(side / 2), side))
    };
    let mut requests = Vec::with_capacity(count * count);
    for (row, height) in starts(extent.1) {
        for (col, width) in starts(extent.0) {
            let window = Window::new(col as isize, row as isize, width, height);
            let inside = window.intersect(&Window::new(0, 0, extent.0, extent.1)).unwrap_or(window);
            requests.push(Request { window: inside, size: (inside.width, inside.height) });
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_lie_inside_and_spread_evenly() {
        for extent in [(300_000, 200_000), (40, 1_000_000), (i32::MAX as usize, i32::MAX as usize)] {
            let all = Window::new(0, 0, extent.0, extent.1);
            let requests = patches(extent);
            assert_eq!(requests.len(), 256);
            assert!(requests.iter().all(|request| all.contains(&request.window)));
            let mean = requests.iter().map(|r| r.window.row as f64 + r.window.height as f64 / 2.0).sum::<f64>() / 256.0;
            assert!((mean / (extent.1 as f64 / 2.0) - 1.0).abs() < 1e-3, "{mean}");
        }
    }
}
