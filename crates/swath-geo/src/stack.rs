//! Separate bands into one scene, as a VRT that refers to them or a COG that holds them.

use std::path::{Path, PathBuf};

use crate::cog::{CogLayout, copy_to_cog, remove_companions};
use crate::compose::{Composition, Naming};
use crate::open::{open_raster, read_header};
use crate::pansharpen::Pan;
use crate::scratch::{Scratch, check_target, parent, with_suffix};
use crate::{Compression, GeoError, Grid, GridChoice, Resampling, Result, Scene, SceneSpec};

/// How bands are joined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StackOptions {
    /// Size of the pixels, in units of the CRS; `None` for that of the grid chosen.
    pub res: Option<f64>,
    /// The grid of the result, instead of the scene's choice.
    pub align: GridChoice,
    /// A panchromatic file that sharpens the bands by weighted Brovey; the result lies on its grid.
    pub pansharpen: Option<PathBuf>,
    /// Weights of the bands in the panchromatic one; all the same when `None`.
    pub weights: Option<Vec<f64>>,
    /// How bands on other grids are resampled.
    pub resampling: Resampling,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// Joins the bands of a scene into one file, with names, scales, units and validity.
///
/// `.vrt` refers to the band files, by relative paths; a file that has to be reprojected takes a second VRT beside it
/// (`OUT.part1.vrt`), as pansharpening does (`OUT.bands.vrt`). `.tif` is a cloud-optimized GeoTIFF with the pixels,
/// streamed in bounded memory. What makes pixels invalid (nodata values, masks, alpha, the edges of files that
/// do not cover the grid) makes them invalid in the result.
///
/// # Errors
/// When the output exists and `overwrite` is off or cannot be written, when files do not open, lie in different CRS without
/// leave to reproject (naming both), or do not overlap the grid.
pub fn stack(out: &Path, spec: &SceneSpec, options: &StackOptions) -> Result<()> {
    check_target(out, options.overwrite)?;
    let extension = out.extension().map(|text| text.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let as_vrt = match extension.as_str() {
        "vrt" => true,
        "tif" | "tiff" => false,
        _ => {
            return Err(GeoError::Argument(format!(
                "{}: its extension names no kind of scene; use .vrt or .tif",
                out.display()
            )));
        }
    };
    let scene = open_scene(spec, options)?;
    let scratch = Scratch::create(out, options.overwrite)?;
    // Made with absolute paths first: that is what can be tried out, and copied from, before anything is put in place.
    let trial = scratch.file("trial.vrt");
    let write = |path: &Path, xml: &str| std::fs::write(path, xml).map_err(|error| GeoError::io(path, error));
    let absolute = Drawing { base: &trial, naming: Naming::Absolute, one_nodata: !as_vrt };
    write(&trial, &absolute.draw(&scene, options, &write)?)?;
    let source = open_raster(&trial)?;
    read_header(&trial, &source)?;
    let finished = scratch.file("finished");
    if as_vrt {
        let put = |target: &Path, xml: &str| {
            check_target(target, options.overwrite)?;
            let made = scratch.file("part");
            write(&made, xml)?;
            scratch.publish(&made, target)
        };
        let relative = Drawing { base: out, naming: Naming::RelativeTo(parent(out)), one_nodata: false };
        write(&finished, &relative.draw(&scene, options, &put)?)?;
    } else {
        let overview = match options.resampling {
            nearest @ (Resampling::Nearest | Resampling::Mode) => nearest,
            _ => Resampling::Average,
        };
        let layout = CogLayout { compression: Compression::Deflate, overview, predictor: true };
        copy_to_cog(&source, &finished, out, &layout)?;
        remove_companions(out)?;
    }
    scratch.publish(&finished, out)
}

/// Opens the scene on the grid that the options ask for.
fn open_scene(spec: &SceneSpec, options: &StackOptions) -> Result<Scene> {
    let spec = SceneSpec { resampling: options.resampling, ..spec.clone() };
    if let Some(pan) = &options.pansharpen {
        if options.res.is_some() {
            let text = "a pansharpened scene has the pixels of the panchromatic file; leave the resolution out";
            return Err(GeoError::Argument(text.to_owned()));
        }
        return Scene::open(&SceneSpec { grid: GridChoice::Like(pan.clone()), ..spec });
    }
    let scene = Scene::open(&SceneSpec { grid: options.align.clone(), ..spec.clone() })?;
    match options.res {
        None => Ok(scene),
        Some(res) => Scene::open(&SceneSpec { grid: GridChoice::Given(with_pixels(scene.grid(), res)?), ..spec }),
    }
}

/// The same place with square pixels of another size; the last column and row may reach over the edge.
fn with_pixels(grid: &Grid, res: f64) -> Result<Grid> {
    let [_, a1, a2, _, a4, a5] = grid.transform.0;
    let (across, down) = (a1.hypot(a4), a2.hypot(a5));
    if !(res.is_finite() && res > 0.0) {
        return Err(GeoError::Argument(format!("a pixel size of {res} makes no sense; give a positive number")));
    }
    // Rounding must not add a column.
    let count = |pixels: usize, size: f64| ((pixels as f64 * size / res) - 1e-6).ceil().max(1.0);
    let (width, height) = (count(grid.width, across), count(grid.height, down));
    if width * height > 1e12 {
        return Err(GeoError::Argument(format!(
            "a pixel size of {res} gives {width} x {height} pixels; give a larger one"
        )));
    }
    let transform = grid.transform.zoomed(0.0, 0.0, (res / across, res / down));
    Ok(Grid { crs: grid.crs.clone(), transform, width: width as usize, height: height as usize })
}

/// How the VRTs of a stack are written.
struct Drawing<'a> {
    /// The main VRT; others are named after it.
    base: &'a Path,
    naming: Naming<'a>,
    /// Whether all bands share one nodata value or none, as in a GeoTIFF.
    one_nodata: bool,
}

impl Drawing<'_> {
    /// Puts all VRTs in their place except the main one, which is returned.
    fn draw(&self, scene: &Scene, options: &StackOptions, put: &impl Fn(&Path, &str) -> Result<()>) -> Result<String> {
        let composition =
            Composition::new(scene, self.naming, self.one_nodata, |index| part_name(self.base, index), put)?;
        let Some(pan) = &options.pansharpen else { return Ok(composition.vrt(self.naming, "")) };
        let pan = Pan::open(pan, scene, options.weights.as_deref())?;
        let path = bands_name(self.base);
        put(&path, &pan.bands(scene, &composition, self.naming))?;
        Ok(pan.sharpened(scene, &composition, &path, self.naming))
    }
}

fn part_name(main: &Path, index: usize) -> PathBuf {
    with_suffix(&main.with_extension(""), &format!(".part{}.vrt", index + 1))
}

fn bands_name(main: &Path) -> PathBuf {
    with_suffix(&main.with_extension(""), ".bands.vrt")
}
