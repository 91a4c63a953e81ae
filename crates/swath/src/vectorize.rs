//! Maps into polygons: rows of classes from a file, through the polygonizer, into features of another.

mod lines;
mod sizes;
mod source;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use swath_geo::{
    ClassEntry, ClassMap, Confidence, PolygonFeature, PolygonLayer, PolygonWriter, VectorizeSummary,
    check_vector_target, write_polygons,
};
use swath_vector::{
    Arc, Cleaner, Connectivity, Corner, Coverage, Groups, Lines, Outlines, Point, PolygonizeOptions, Polygonizer,
    Region, RightAngles, Simplify, Sink, Spill, Tally, VectorError, simplify, smooth,
};

use crate::{Error, Result};
use sizes::PixelSizes;
use source::Source;

pub use lines::{LineOptions, centerlines};
pub use swath_vector::{Cleaning, RightAngleMethod, SimplifyMethod};

/// How a map becomes polygons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VectorizeOptions {
    /// Names and colours; `None` for those that the map carries (see [`ClassMap::known_classes`]).
    pub classes: Option<Vec<ClassEntry>>,
    /// The classes that become polygons; `None` for all. The others are looked at in cleaning.
    pub only: Option<Vec<u32>>,
    /// A layer of polygons: pixels whose centre lies outside of them are as if without data. Polygons, their areas and their
    /// attributes are those of the pixels that are left.
    pub clip: Option<PathBuf>,
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
    /// Classes whose polygons get right angles, and how far in metres (pixels without georeference) their walls may move; those that touch
    /// get them together, and the polygons around follow. Features have a `status` then.
    pub right_angles: Vec<(u32, f64)>,
    /// How right angles are found.
    pub right_angle_method: RightAngleMethod,
    /// A raster on the map's grid with the confidence of its pixels: features have the mean and the 10th percentile of theirs.
    pub confidence: Option<PathBuf>,
    /// Whether all polygons of a class become one feature.
    pub merge: bool,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// Turns a label map, one band of class values, into polygons with class, area and perimeter; see [`write_polygons`] for formats and
/// attributes. Nodata and masked pixels belong to no polygon; 0 is a class like others. Where the map says of which scene, by which model and
/// of which time it is, features have `source`, `model` and `date`.
///
/// Neighbours have the same vertices along what they share. Memory is bounded by a few rows and by the largest feature: outlines of
/// polygons that are not complete go to a temporary file beside the output when they are many. To simplify or smooth them, or to give them
/// right angles, all outlines have to be in memory.
///
/// # Errors
/// When options make no sense, when the output exists and `overwrite` is off or cannot be written, when a polygon is too large for a feature, and when the map
/// cannot be read or holds no classes, or more bands than one.
pub fn vectorize(map: &Path, out: &Path, options: &VectorizeOptions) -> Result<VectorizeSummary> {
    check_vector_target(out, options.overwrite)?;
    check(options)?;
    let map = ClassMap::open(map)?;
    let (only, confidence) = (options.only.as_deref(), options.confidence.as_deref());
    let squared = options.right_angles.iter().map(|&(class, _)| class);
    let named = squared.chain(cleaned(&options.clean)).chain(only.into_iter().flatten().copied()).collect();
    let source = Source::new(&map, options.clip.as_deref(), only, named, confidence)?;
    let classes = match &options.classes {
        Some(classes) => classes.clone().into(),
        None => map.known_classes()?,
    };
    let min_area_m2 = options.min_area_m2.unwrap_or(0.0);
    let layer = PolygonLayer {
        grid: map.grid(),
        classes,
        multipolygons: options.eight_connected,
        merge: options.merge,
        min_area_m2,
        status: !options.right_angles.is_empty(),
        confidence: options.confidence.is_some(),
        constants: map.provenance(),
        overwrite: options.overwrite,
    };
    let connectivity = if options.eight_connected { Connectivity::Eight } else { Connectivity::Four };
    let sizes = PixelSizes::new(map.grid());
    let width = map.grid().width;
    let cleaner = Cleaner::new(width, &options.clean)?;
    let mut summary = write_polygons(out, layer, |writer| {
        let file = tempfile::tempfile_in(writer.scratch()).map_err(VectorError::Spill)?;
        let spill = Some(Spill { file, memory: ARCS_IN_MEMORY });
        let polygonizer = Polygonizer::new(width, PolygonizeOptions { connectivity, spill })?;
        let mut tallies = Tallies { merge: options.merge, classes: HashMap::new() };
        if options.simplify_m == 0.0 && options.smooth == 0 && options.right_angles.is_empty() {
            let feature = PolygonFeature::default();
            let mut features = Features { writer, feature, corners: Vec::new(), tallies };
            source.trace(cleaner, polygonizer, &mut features)?;
            tallies = features.tallies;
        } else {
            let mut all =
                All { coverage: Coverage::default(), confidence: Vec::new(), sizes: &sizes, min_area_m2, tallies };
            source.trace(cleaner, polygonizer, &mut all)?;
            write_changed(all.coverage, &all.confidence, &sizes, options, writer)?;
            tallies = all.tallies;
        }
        Ok::<_, Error>(writer.add_merged(|class| tallies.classes.get(&class).and_then(self::confidence))?)
    })?;
    summary.absent = source.absent();
    Ok(summary)
}

/// The classes that steps of cleaning name.
fn cleaned(steps: &[Cleaning]) -> impl Iterator<Item = u32> {
    steps.iter().filter_map(|step| match step {
        Cleaning::Open { label, .. } | Cleaning::Close { label, .. } => Some(*label),
        _ => None,
    })
}

fn check(options: &VectorizeOptions) -> Result<()> {
    let problem = if let Some((_, tolerance)) =
        options.right_angles.iter().find(|(_, tolerance)| !tolerance.is_finite() || *tolerance <= 0.0)
    {
        format!("right angles within {tolerance} metres; give a number above 0")
    } else if options.merge && !options.right_angles.is_empty() {
        "polygons with right angles have a status each; merge them or give them right angles, not both".into()
    } else if options.min_area_m2.is_some_and(|area| area.is_nan() || area < 0.0) {
        format!("a smallest area of {} square metres; give 0 or more", options.min_area_m2.unwrap_or_default())
    } else {
        return Ok(());
    };
    Err(VectorError::Argument(problem).into())
}

/// Writes polygons whose outlines are not those of the pixels.
fn write_changed(
    mut coverage: Coverage,
    confidence: &[Option<Confidence>],
    sizes: &PixelSizes,
    options: &VectorizeOptions,
    writer: &mut PolygonWriter<'_, '_>,
) -> Result<()> {
    let pixel = |corner: Corner| sizes.at(f64::from(corner.col), f64::from(corner.row));
    let tolerance = |class| options.right_angles.iter().find(|(value, _)| *value == class).map(|&(_, metres)| metres);
    // Right angles come from the exact outlines.
    let method = options.right_angle_method;
    let groups = (!options.right_angles.is_empty())
        .then(|| Groups::new(&coverage, &RightAngles { method, tolerance: &tolerance, pixel: &pixel }));
    let (method, tolerance) = (options.simplify_method, options.simplify_m);
    simplify(&mut coverage, &Simplify { method, tolerance, pixel: &pixel })?;
    let smoothed = if options.smooth > 0 { Some(smooth(&coverage, options.smooth)?) } else { None };
    let mut lines = Lines::new(&coverage, smoothed);
    let mut squared = groups.map_or_else(Vec::new, |groups| groups.square(&mut lines)).into_iter().peekable();
    let mut feature = PolygonFeature::default();
    for (place, (region, rings)) in coverage.shapes().enumerate() {
        feature.class = region.label;
        (feature.pixels, feature.touches_edge) = (region.pixels, region.touches_edge);
        feature.confidence = confidence.get(place).copied().flatten();
        feature.status =
            squared.next_if(|&(region, _)| region == place).map_or("", |(_, regularity)| regularity.name());
        feature.outline.clear();
        rings.for_each(|ring| feature.outline.push(ring.outer, lines.ring(ring)));
        writer.add(&feature)?;
    }
    Ok(())
}

/// Bytes of outlines of unfinished polygons that stay in memory.
const ARCS_IN_MEMORY: usize = 64 << 20;

/// Regions become features one by one.
struct Features<'a, 'b, 'c> {
    writer: &'a mut PolygonWriter<'b, 'c>,
    feature: PolygonFeature,
    corners: Vec<Corner>,
    tallies: Tallies,
}

impl Sink for Features<'_, '_, '_> {
    type Error = Error;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<()> {
        self.feature.class = region.label;
        (self.feature.pixels, self.feature.touches_edge) = (region.pixels, region.touches_edge);
        self.feature.confidence = outlines.tally().and_then(confidence);
        self.feature.outline.clear();
        for ring in 0..outlines.rings() {
            let outer = outlines.is_outer(ring)?;
            outlines.corners(ring, &mut self.corners)?;
            self.feature.outline.push(outer, points(&self.corners));
            self.writer.check_size(&self.feature)?;
        }
        if self.writer.add(&self.feature)? {
            self.tallies.add(region.label, outlines.tally());
        }
        Ok(())
    }
}

fn points(corners: &[Corner]) -> impl Iterator<Item = Point> {
    corners.iter().map(|corner| (f64::from(corner.col), f64::from(corner.row)))
}

/// All regions and arcs.
struct All<'a> {
    coverage: Coverage,
    /// Of each region, where there is some.
    confidence: Vec<Option<Confidence>>,
    sizes: &'a PixelSizes,
    min_area_m2: f64,
    tallies: Tallies,
}

impl Sink for All<'_> {
    type Error = Error;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<()> {
        if let Some(tally) = outlines.tally() {
            self.confidence.push(confidence(tally));
            let mut ring = Vec::new();
            outlines.corners(0, &mut ring)?;
            let area = self.sizes.area(f64::from(ring[0].col), f64::from(ring[0].row)) * region.pixels as f64;
            if area >= self.min_area_m2 {
                self.tallies.add(region.label, outlines.tally());
            }
        }
        Ok(self.coverage.region(region, outlines)?)
    }

    fn arc(&mut self, arc: Arc) -> Result<()> {
        Ok(self.coverage.arc(arc)?)
    }

    fn wants_arcs(&self) -> bool {
        true
    }
}

/// The confidence of all pixels of a class, for features that are all of its polygons.
struct Tallies {
    merge: bool,
    classes: HashMap<u32, Tally>,
}

impl Tallies {
    fn add(&mut self, class: u32, tally: Option<&Tally>) {
        if let Some(tally) = tally.filter(|_| self.merge) {
            self.classes.entry(class).or_default().merge(tally);
        }
    }
}

fn confidence(tally: &Tally) -> Option<Confidence> {
    Some(Confidence { mean: tally.mean()?, p10: tally.quantile(0.1)? })
}
