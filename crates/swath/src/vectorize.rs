//! Maps into polygons: rows of classes from a file, through the polygonizer, into features of another.

use std::collections::HashMap;
use std::path::Path;

use swath_geo::{
    ClassEntry, ClassMap, Grid, NO_CLASS, Outline, PixelAreas, PolygonFeature, PolygonLayer, PolygonWriter,
    VectorizeSummary, check_vector_target, write_polygons,
};
use swath_vector::{
    Arc, Cleaner, Connectivity, Corner, Coverage, OUTSIDE, Outlines, Point, PolygonizeOptions, Polygonizer, Region,
    Simplify, Sink, Spill, VectorError, simplify, smooth, square,
};

use crate::{Error, Result};

pub use swath_vector::{Cleaning, SimplifyMethod};

/// How a map becomes polygons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VectorizeOptions {
    /// Names and colours; `None` for those that the map carries (see [`ClassMap::known_classes`]).
    pub classes: Option<Vec<ClassEntry>>,
    /// What is done to the map before, one step after the other.
    pub clean: Vec<Cleaning>,
    /// Whether pixels that touch at a corner only belong together; features are multipolygons then.
    pub eight_connected: bool,
    /// Polygons smaller than this are left out, in square metres (pixels without georeference).
    pub min_area_m2: Option<f64>,
    /// Outlines may move by about this many metres (pixels without georeference) to have fewer vertices; neighbours stay
    /// neighbours. 0 leaves them as they are.
    pub simplify_m: f64,
    /// Which vertices go.
    pub simplify_method: SimplifyMethod,
    /// How often corners are cut to make outlines round.
    pub smooth: u32,
    /// Classes whose polygons get right angles, and how far in metres (pixels without georeference) their walls may move; these polygons
    /// no longer share their boundaries with others. Features have a `status` then.
    pub right_angles: Vec<(u32, f64)>,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// Turns a label map, one band of class values, into polygons with class, area and perimeter; see [`write_polygons`] for formats and
/// attributes. Nodata and masked pixels belong to no polygon; 0 is a class like others.
///
/// Neighbours have the same vertices along what they share. Memory is bounded by a few rows and by the polygons that cross
/// one of them, whose outlines go to a temporary file beside the output when they are many. To simplify or smooth them all
/// outlines have to be in memory.
///
/// # Errors
/// When options make no sense, when the output exists and `overwrite` is off or cannot be written, and when the map cannot be read or holds no classes, or more bands than one.
pub fn vectorize(map: &Path, out: &Path, options: &VectorizeOptions) -> Result<VectorizeSummary> {
    check_vector_target(out, options.overwrite)?;
    let source = ClassMap::open(map)?;
    let classes = match &options.classes {
        Some(classes) => classes.clone().into(),
        None => source.known_classes()?,
    };
    let layer = PolygonLayer {
        grid: source.grid(),
        classes,
        multipolygons: options.eight_connected,
        min_area_m2: options.min_area_m2.unwrap_or(0.0),
        status: !options.right_angles.is_empty(),
        overwrite: options.overwrite,
    };
    let connectivity = if options.eight_connected { Connectivity::Eight } else { Connectivity::Four };
    if let Some((_, tolerance)) =
        options.right_angles.iter().find(|(_, tolerance)| tolerance.is_nan() || *tolerance <= 0.0)
    {
        return Err(VectorError::Argument(format!("right angles within {tolerance} metres; give more than 0")).into());
    }
    let squarer = Squarer { sizes: PixelSizes::new(source.grid()), classes: &options.right_angles };
    let cleaner = Cleaner::new(source.grid().width, &options.clean)?;
    write_polygons(out, layer, |writer| {
        let file = tempfile::tempfile_in(writer.scratch()).map_err(VectorError::Spill)?;
        let spill = Some(Spill { file, memory: ARCS_IN_MEMORY });
        let polygonizer = Polygonizer::new(source.grid().width, PolygonizeOptions { connectivity, spill })?;
        if options.simplify_m == 0.0 && options.smooth == 0 {
            let mut features = Features { writer, feature: PolygonFeature::default(), corners: Vec::new(), squarer };
            return trace(&source, cleaner, polygonizer, &mut features);
        }
        let mut all = All(Coverage::default());
        trace(&source, cleaner, polygonizer, &mut all)?;
        write_simplified(all.0, &squarer, options, writer)
    })
}

/// Feeds a map to the polygonizer.
fn trace<S: Sink<Error = Error>>(
    source: &ClassMap,
    mut cleaner: Cleaner,
    mut polygonizer: Polygonizer,
    sink: &mut S,
) -> Result<()> {
    let (mut rows, mut clean) = (Vec::new(), Vec::new());
    for strip in source.strips() {
        source.read(strip, &mut rows)?;
        clean.clear();
        cleaner.push(&rows, &mut clean)?;
        polygonizer.push(&clean, sink)?;
    }
    clean.clear();
    cleaner.finish(&mut clean);
    polygonizer.push(&clean, sink)?;
    polygonizer.finish(sink)
}

fn write_simplified(
    mut coverage: Coverage,
    squarer: &Squarer<'_>,
    options: &VectorizeOptions,
    writer: &mut PolygonWriter<'_>,
) -> Result<()> {
    // Right angles come from the exact outlines.
    let mut squared: HashMap<u64, (Option<Outline>, &'static str)> = HashMap::new();
    for (region, rings) in coverage.shapes() {
        if squarer.tolerance(region.label).is_some() {
            let mut outline = Outline::default();
            rings.for_each(|ring| outline.push(ring.outer, points(&coverage.corners(ring))));
            let status = squarer.square(region.label, &mut outline);
            // What is kept is simplified like the others.
            squared.insert(region.id, (Some(outline).filter(|_| !status.starts_with("kept")), status));
        }
    }
    let pixel = |corner: Corner| squarer.sizes.at(f64::from(corner.col), f64::from(corner.row));
    let (method, tolerance) = (options.simplify_method, options.simplify_m);
    simplify(&mut coverage, &Simplify { method, tolerance, pixel: &pixel })?;
    let smoothed = if options.smooth > 0 { Some(smooth(&coverage, options.smooth)?) } else { None };
    let mut feature = PolygonFeature::default();
    for (region, rings) in coverage.shapes() {
        feature.class = region.label;
        (feature.pixels, feature.touches_edge) = (region.pixels, region.touches_edge);
        let (outline, status) = squared.remove(&region.id).unwrap_or_default();
        feature.status = status;
        if let Some(outline) = outline {
            feature.outline = outline;
        } else {
            feature.outline.clear();
            for ring in rings {
                match &smoothed {
                    Some(arcs) => feature.outline.push(ring.outer, ring.points(arcs)),
                    None => feature.outline.push(ring.outer, points(&coverage.corners(ring))),
                }
            }
        }
        writer.add(&feature)?;
    }
    Ok(())
}

/// Bytes of outlines of unfinished polygons that stay in memory.
const ARCS_IN_MEMORY: usize = 64 << 20;

const _: () = assert!(NO_CLASS == OUTSIDE, "pixels without a class are outside");

/// Regions become features one by one.
struct Features<'a, 'b> {
    writer: &'a mut PolygonWriter<'b>,
    feature: PolygonFeature,
    corners: Vec<Corner>,
    squarer: Squarer<'a>,
}

impl Sink for Features<'_, '_> {
    type Error = Error;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<()> {
        let PolygonFeature { class, pixels, touches_edge, status, outline } = &mut self.feature;
        (*class, *pixels, *touches_edge) = (region.label, region.pixels, region.touches_edge);
        outline.clear();
        for ring in 0..outlines.rings() {
            outlines.corners(ring, &mut self.corners)?;
            outline.push(outlines.is_outer(ring), points(&self.corners));
        }
        *status = self.squarer.square(region.label, outline);
        self.writer.add(&self.feature)?;
        Ok(())
    }
}

fn points(corners: &[Corner]) -> impl Iterator<Item = Point> {
    corners.iter().map(|corner| (f64::from(corner.col), f64::from(corner.row)))
}

/// Gives right angles to polygons of some classes.
struct Squarer<'a> {
    sizes: PixelSizes,
    classes: &'a [(u32, f64)],
}

impl Squarer<'_> {
    fn tolerance(&self, class: u32) -> Option<f64> {
        self.classes.iter().find(|(value, _)| *value == class).map(|&(_, tolerance)| tolerance)
    }

    /// Says what became of the outline; nothing for other classes.
    fn square(&self, class: u32, outline: &mut Outline) -> &'static str {
        let (Some(tolerance), Some((_, first))) = (self.tolerance(class), outline.rings().next()) else { return "" };
        let (width, height) = self.sizes.at(first[0].0, first[0].1);
        let mut status = "";
        let mut result = Outline::default();
        let rings: Vec<(bool, Vec<Point>)> = outline
            .rings()
            .map(|(outer, ring)| (outer, ring.iter().map(|&(col, row)| (col * width, row * height)).collect()))
            .collect();
        // Polygon by polygon: an outer ring and its holes.
        for part in rings.chunk_by(|_, (outer, _)| !outer) {
            let metres: Vec<Vec<Point>> = part.iter().map(|(_, ring)| ring.clone()).collect();
            let (squared, regularity) = square(&metres, tolerance);
            status = regularity.name();
            for (at, ring) in squared.into_iter().enumerate() {
                result.push(at == 0, ring.into_iter().map(|(x, y)| (x / width, y / height)));
            }
        }
        *outline = result;
        status
    }
}

/// All regions and arcs.
struct All(Coverage);

impl Sink for All {
    type Error = Error;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<()> {
        Ok(self.0.region(region, outlines)?)
    }

    fn arc(&mut self, arc: Arc) -> Result<()> {
        Ok(self.0.arc(arc)?)
    }

    fn wants_arcs(&self) -> bool {
        true
    }
}

/// Width and height of pixels on the ground.
struct PixelSizes {
    areas: Option<PixelAreas>,
    /// Height of a pixel in metres; 1 without georeference.
    height: f64,
}

impl PixelSizes {
    fn new(grid: &Grid) -> PixelSizes {
        let areas = PixelAreas::new(grid);
        let height = grid.gsd().filter(|_| areas.is_some()).map_or(1.0, |(_, height)| height);
        PixelSizes { areas, height }
    }

    /// In metres: the width follows from the area, which shrinks towards the poles on geographic grids.
    fn at(&self, col: f64, row: f64) -> (f64, f64) {
        let area = self.areas.as_ref().map_or(1.0, |areas| areas.at(col, row));
        (area / self.height, self.height)
    }
}
