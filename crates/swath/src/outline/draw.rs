//! Objects of a vector file, drawn again by a network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor, TensorData};
use swath_geo::{
    ClassEntry, Grid, Outline, PolygonFeature, PolygonLayer, PolygonSource, Scene, check_vector_target, read_polygons,
    write_polygons,
};
use swath_nn::Segmenter;

use super::LARGEST;
use super::corners::{Place, bounds, diameter, is_simple, open, twice_area};
use super::patch::{PatchReader, numbers_to_corners};
use super::targets::{OBJECT, on_grid};
use crate::bundle::Bundle;
use crate::dataset::{FileImage, ImageReader, ImageSource};
use crate::error::{Error, Result};
use crate::predict::fit_scene;

/// Which objects are drawn, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineOptions {
    /// Polygons around the objects, in any CRS.
    pub objects: PathBuf,
    /// Which of them.
    pub source: PolygonSource,
    /// What outlines say they were drawn with: the name of the bundle.
    pub model: String,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// What was drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutlineSummary {
    /// Objects with four corners now.
    pub drawn: u64,
    /// Objects that keep their outline, by the reason that their `status` gives.
    pub kept: BTreeMap<&'static str, u64>,
    /// What a user should know before trusting them.
    pub warnings: Vec<String>,
}

/// Objects that go through the network together.
const BATCH: usize = 64;

/// Draws each object of a layer anew: the network looks at a patch of the scene with the object in its middle and says where its four corners are.
///
/// The output has a feature for each polygon, in the CRS of the scene, with the attributes of [`write_polygons`] and a `status`: `four corners`, or
/// why a polygon is kept as it was (see [`OutlineSummary::kept`]): `kept: larger than a patch` where it is longer than 0.8 of a patch,
/// `kept: no data` where the scene has none around it, and `kept: crosses itself` where the four corners make no outline.
///
/// # Errors
/// When the bundle makes maps, the scene does not fit it, the objects cannot be read or the output not written; [`Error::Cancelled`] when
/// stopped.
pub fn outline(
    bundle: &Bundle,
    scene: &Scene,
    out: &Path,
    options: &OutlineOptions,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &AtomicBool,
) -> Result<OutlineSummary> {
    let header = &bundle.header;
    if header.recipe.outlines().is_none() {
        let problem =
            format!("{} makes maps and draws no outlines: use swath predict, then swath vectorize", options.model);
        return Err(Error::PredictOptions { problem });
    }
    check_vector_target(out, options.overwrite)?;
    let fit = fit_scene(scene, &header.bands, header.gsd)?;
    let grid = fit.scene.grid();
    let objects = read_objects(options, grid)?;
    let mut drawing = Drawing {
        network: bundle.segmenter(device)?,
        device,
        patches: PatchReader { side: header.recipe.train.chip, normalization: &header.normalization },
        image: FileImage { name: scene.name(), scene: fit.scene.clone() }.reader()?,
        grid,
    };
    let class = &header.classes[usize::from(OBJECT)];
    let entry = ClassEntry { value: u32::from(OBJECT), name: class.name.clone(), color: class.color };
    let layer = PolygonLayer {
        grid,
        classes: vec![entry].into(),
        multipolygons: false,
        merge: false,
        min_area_m2: 0.0,
        status: true,
        confidence: false,
        constants: vec![("source", scene.name()), ("model", options.model.clone())],
        overwrite: options.overwrite,
    };
    let mut summary = OutlineSummary { warnings: fit.warnings.clone(), ..OutlineSummary::default() };
    write_polygons(out, layer, |writer| -> Result<()> {
        for some in objects.chunks(BATCH) {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            for (rings, status) in drawing.draw(some)? {
                *(if status == DRAWN { &mut summary.drawn } else { summary.kept.entry(status).or_default() }) += 1;
                writer.add(&feature(&rings, status, grid))?;
            }
            progress(summary.drawn + summary.kept.values().sum::<u64>(), objects.len() as u64);
        }
        Ok(())
    })?;
    Ok(summary)
}

/// Rings of a polygon, the outer one first, not closed.
type Rings = Vec<Vec<Place>>;

/// Everything that objects are drawn with.
struct Drawing<'a> {
    network: Segmenter,
    device: &'a Device,
    patches: PatchReader<'a>,
    image: Box<dyn ImageReader>,
    grid: &'a Grid,
}

impl Drawing<'_> {
    /// Objects drawn again, and what became of each.
    fn draw(&mut self, objects: &[Rings]) -> Result<Vec<(Rings, &'static str)>> {
        let side = self.patches.side;
        let (mut seen, mut status) = (Vec::new(), Vec::with_capacity(objects.len()));
        for rings in objects {
            if diameter(&rings[0]) > LARGEST * side as f64 {
                status.push("kept: larger than a patch");
                continue;
            }
            let patch = match on_scene(&rings[0], self.grid) {
                true => Some(self.patches.read(&mut *self.image, &rings[0], (0, 0))?),
                false => None,
            };
            let patch = patch.filter(|patch| patch.valid.contains(&true));
            status.push(if patch.is_some() { DRAWN } else { "kept: no data" });
            seen.extend(patch);
        }
        let values: Vec<f32> = seen.iter().flat_map(|patch| patch.image.iter().copied()).collect();
        let mut found = Vec::new();
        if !seen.is_empty() {
            let shape = [seen.len(), values.len() / (seen.len() * side * side), side, side];
            let images = Tensor::from_data(TensorData::new(values, shape), self.device);
            found = numbers_to_corners(self.network.of_patches(images), side);
        }
        let mut found = seen.iter().zip(&found).map(|(patch, corners)| patch.in_scene(corners));
        let objects = objects.iter().zip(status).map(|(rings, status)| match status {
            DRAWN => match found.next().filter(is_simple) {
                Some(corners) => (vec![corners.to_vec()], DRAWN),
                None => (rings.clone(), "kept: crosses itself"),
            },
            kept => (rings.clone(), kept),
        });
        Ok(objects.collect())
    }
}

const DRAWN: &str = "four corners";

/// The rings of each polygon in pixels, not closed.
fn read_objects(options: &OutlineOptions, grid: &Grid) -> Result<Vec<Rings>> {
    let shapes = read_polygons(&options.objects, &options.source, grid.crs.as_ref())?;
    let polygons = shapes.into_iter().flat_map(|shape| shape.polygons);
    let rings = |rings: Rings| -> Result<Rings> {
        let place = |ring: &Vec<Place>| on_grid(open(ring), grid).filter(|ring| ring.len() > 2);
        rings.iter().map(place).collect::<Option<Vec<_>>>().filter(|rings| !rings.is_empty()).ok_or_else(|| {
            let problem = "a polygon has fewer than three corners or no place on the scene's grid";
            swath_geo::GeoError::input(&options.objects, problem).into()
        })
    };
    polygons.map(rings).collect()
}

/// Whether an object and the scene have a place in common.
fn on_scene(ring: &[Place], grid: &Grid) -> bool {
    let [low, high] = bounds(ring);
    high.0 > 0.0 && high.1 > 0.0 && low.0 < grid.width as f64 && low.1 < grid.height as f64
}

/// A polygon for the output; outer rings run counterclockwise there and holes clockwise.
fn feature(rings: &[Vec<Place>], status: &'static str, grid: &Grid) -> PolygonFeature {
    let mut outline = Outline::default();
    for (at, ring) in rings.iter().enumerate() {
        let closed = ring.iter().chain(ring.first()).copied();
        let reversed = (twice_area(ring) > 0.0) == (at == 0);
        match reversed {
            true => outline.push(at == 0, closed.rev()),
            false => outline.push(at == 0, closed),
        }
    }
    let area: f64 =
        rings.iter().enumerate().map(|(at, ring)| if at == 0 { 0.5 } else { -0.5 } * twice_area(ring).abs()).sum();
    let [low, high] = bounds(&rings[0]);
    let touches_edge = low.0 <= 0.0 || low.1 <= 0.0 || high.0 >= grid.width as f64 || high.1 >= grid.height as f64;
    let pixels = area.round().max(0.0) as u64;
    PolygonFeature { class: u32::from(OBJECT), pixels, touches_edge, status, confidence: None, outline }
}
