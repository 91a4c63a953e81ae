//! Which grid a scene has, and which of its files must be warped onto it.

use crate::open::{Header, open_raster, read_header};
use crate::{GeoError, Grid, GridChoice, Resampling, Result, SceneSpec, Source};

/// The grid of a scene.
pub(crate) struct Target {
    pub(crate) grid: Grid,
    /// Who gave it, for messages.
    owner: String,
}

/// The grid of a scene.
pub(crate) fn choose_grid(spec: &SceneSpec, headers: &[Header]) -> Result<Target> {
    let file = |index: usize| Target {
        grid: headers[index].grid.clone(),
        owner: spec.sources[index].path.display().to_string(),
    };
    match &spec.grid {
        GridChoice::First => Ok(file(0)),
        GridChoice::Finest => {
            let mut finest = 0;
            for (index, header) in headers.iter().enumerate() {
                // Rounding must not make one of two equal grids the finer.
                if pixel_size(&header.grid) < pixel_size(&headers[finest].grid) * 0.999 {
                    finest = index;
                }
            }
            Ok(file(finest))
        }
        GridChoice::Like(path) => {
            Ok(Target { grid: read_header(path, &open_raster(path)?)?.grid, owner: path.display().to_string() })
        }
        GridChoice::Given(grid) => {
            if grid.width == 0 || grid.height == 0 || grid.transform.inverse().is_none() {
                return Err(GeoError::Argument("the target grid is empty or its transform is degenerate".into()));
            }
            Ok(Target { grid: grid.clone(), owner: "the target grid".into() })
        }
    }
}

/// How a file comes onto the grid of its scene; `None` when it lies there already.
pub(crate) fn plan_warp(
    spec: &SceneSpec,
    source: &Source,
    header: &Header,
    target: &Target,
) -> Result<Option<Resampling>> {
    let (own, grid) = (&header.grid, &target.grid);
    let Some(difference) = own.describe_difference(grid) else { return Ok(None) };
    let path = &source.path;
    let mismatch = |advice: &str| GeoError::GridMismatch {
        left: path.display().to_string(),
        right: target.owner.clone(),
        difference: format!("{difference}; {advice}"),
    };
    match (&own.crs, &grid.crs) {
        (Some(left), Some(right)) => {
            let asked = matches!(spec.grid, GridChoice::Like(_) | GridChoice::Given(_)) || spec.allow_reproject;
            if !asked && !left.same(right) {
                return Err(GeoError::CrsMismatch {
                    left: path.display().to_string(),
                    left_crs: left.to_string(),
                    right: target.owner.clone(),
                    right_crs: right.to_string(),
                });
            }
        }
        (None, None) if own.transform != grid.transform => {}
        (None, None) => return Err(mismatch("without georeference all files need the same size")),
        _ => return Err(mismatch("give the file a georeference with gdal_translate -a_srs -a_ullr")),
    }
    if !overlap(own, grid) {
        return Err(mismatch("the file lies completely outside"));
    }
    Ok(Some(source.resampling.unwrap_or(spec.resampling)))
}

/// Length of a pixel's side: in metres where that is known, so that degrees compare with metres.
fn pixel_size(grid: &Grid) -> f64 {
    match grid.gsd() {
        Some((x, y)) => (x * y).sqrt(),
        None => grid.transform.determinant().abs().sqrt(),
    }
}

/// Whether outlines meet. When in doubt, yes: warping then gives invalid pixels.
fn overlap(left: &Grid, right: &Grid) -> bool {
    let same = match (&left.crs, &right.crs) {
        (Some(a), Some(b)) => a.same(b),
        _ => true,
    };
    let pair =
        if same { Some((left.bounds(), right.bounds())) } else { left.lonlat_bounds().zip(right.lonlat_bounds()) };
    let Some((a, b)) = pair else { return true };
    // A longitude range across the date line has its larger end first and is not judged.
    let wraps = a[0] > a[2] || b[0] > b[2];
    let columns = wraps || (a[0] < b[2] && b[0] < a[2]);
    columns && a[1] < b[3] && b[1] < a[3]
}
