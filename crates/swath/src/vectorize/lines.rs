//! Maps into centre lines.

use std::path::{Path, PathBuf};

use swath_geo::{ClassMap, LineFeature, LineLayer, LineSummary, check_vector_target, write_lines};
use swath_vector::{Centerline, CenterlineOptions, Centerliner, Cleaner, Cleaning, VectorError};

use super::cleaned;
use super::sizes::PixelSizes;
use super::source::Source;
use crate::Result;

/// How a map becomes centre lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineOptions {
    /// Classes, and how wide lines of them are at most, in metres (pixels without georeference); `None` for 40 pixels of the
    /// shorter side.
    pub classes: Vec<(u32, Option<f64>)>,
    /// How far lines may be moved in metres (pixels without georeference) to have fewer points; 0 for three quarters of a pixel.
    pub simplify_m: f64,
    /// A layer of polygons: pixels whose centre lies outside of them are as if without data.
    pub clip: Option<PathBuf>,
    /// What is done to the map before, one step after the other.
    pub clean: Vec<Cleaning>,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// Finds the centre lines of some classes of a label map, such as roads, and writes them with class, length and width; see [`Centerliner`] and
/// [`write_lines`]. Memory is that of a strip of the map and of the lines.
///
/// # Errors
/// When options make no sense, when the output exists and `overwrite` is off or cannot be written, and when the map cannot be read.
pub fn centerlines(map: &Path, out: &Path, options: &LineOptions) -> Result<LineSummary> {
    check_vector_target(out, options.overwrite)?;
    let map = ClassMap::open(map)?;
    let grid = map.grid();
    let named = options.classes.iter().map(|&(class, _)| class).chain(cleaned(&options.clean)).collect();
    let source = Source::new(&map, options.clip.as_deref(), None, named, None)?;
    let sizes = PixelSizes::new(grid);
    let (width, height) = sizes.at(grid.width as f64 / 2.0, grid.height as f64 / 2.0);
    // Widths are found in sides of a square with a pixel's area, which is known everywhere.
    let (side, pixel) = ((width * height).sqrt(), sizes.shape());
    let (shorter, longer) = (side * pixel[0].min(pixel[1]), side * pixel[0].max(pixel[1]));
    let mut finders = Vec::new();
    for &(label, widest) in &options.classes {
        let widest = widest.map_or(WIDEST, |metres| metres / shorter);
        if !(1.0..=512.0).contains(&widest) {
            let problem = format!(
                "centre lines of what is up to {} metres wide, {widest:.1} pixels; give 1 to 512 pixels of {shorter:.2} metres",
                widest * shorter
            );
            return Err(VectorError::Argument(problem).into());
        }
        // No farther than that in any direction.
        let tolerance = if options.simplify_m > 0.0 { options.simplify_m / longer } else { TOLERANCE };
        let options = CenterlineOptions { label, widest: widest.round() as usize, tolerance, pixel };
        finders.push(Centerliner::new(grid.width, options)?);
    }
    let cleaner = Cleaner::new(grid.width, &options.clean)?;
    source.rows(cleaner, &mut |labels, _| {
        finders.iter_mut().try_for_each(|finder| finder.push(labels))?;
        Ok(())
    })?;
    let found = finders.into_iter().flat_map(Centerliner::finish);
    let feature = |line: Centerline| {
        let Centerline { label, points, width, touches_edge } = line;
        LineFeature { class: label, points, width, touches_edge }
    };
    let lines: Vec<LineFeature> = found.map(feature).collect();
    let layer =
        LineLayer { grid, classes: map.known_classes()?, constants: map.provenance(), overwrite: options.overwrite };
    Ok(LineSummary { absent: source.absent(), ..write_lines(out, &layer, &lines)? })
}

/// Pixels of the widest line, and of a line's movement, where nothing is said.
const WIDEST: f64 = 40.0;
const TOLERANCE: f64 = 0.75;
