//! Objects of two polygon layers against each other.

use std::path::{Path, PathBuf};

use geo::{Coord, LineString, MultiPolygon, Polygon};
use serde::Serialize;
use swath_geo::{GeoError, PolygonSource, Shape, metric_plane, read_polygons, vector_layers};
use swath_vector::objects::{Overlaps, average_precision, c_iou, polis, vertex_count, vertex_distances};

use super::files::options;
use super::table::{aligned, percent};
use crate::Result;

/// Two layers of polygons.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectSpec {
    /// Polygons of the map.
    pub map: PathBuf,
    /// Which of them; the number is the score by which average precision ranks them. Without one there is no average precision.
    pub map_source: PolygonSource,
    /// True polygons.
    pub labels: PathBuf,
    /// Which of them.
    pub labels_source: PolygonSource,
    /// Objects are found where they overlap at least this much.
    pub iou: f64,
    /// Distances in metres at which the share of vertices is told.
    pub distances: Vec<f64>,
}

/// How well a map's polygons find objects and draw their outlines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectEvaluation {
    /// Predicted objects.
    pub predicted: u64,
    /// True objects.
    pub truth: u64,
    /// Pairs of at least `iou`, one to one, the best overlap first.
    pub matched: u64,
    /// The least IoU of a pair.
    pub iou: f64,
    /// Share of the predicted objects that are matched.
    pub precision: Option<f64>,
    /// Share of the true objects that are matched.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Average precision at IoU 0.5, where predictions have scores.
    pub ap50: Option<f64>,
    /// Mean of the average precisions at IoU 0.5, 0.55, ..., 0.95.
    pub ap: Option<f64>,
    /// Mean IoU of matched pairs.
    pub matched_iou: Option<f64>,
    /// Mean C-IoU of matched pairs.
    pub matched_c_iou: Option<f64>,
    /// IoU of the layers as wholes.
    pub layer_iou: Option<f64>,
    /// The same, less where the layers differ in their number of vertices.
    pub layer_c_iou: Option<f64>,
    /// Vertices of the predicted polygons for each vertex of the true ones.
    pub vertex_ratio: Option<f64>,
    /// Mean PoLiS distance of matched pairs, in metres (units of the files, where these have no coordinate system).
    pub polis: Option<f64>,
    /// For each distance the share of true vertices that have a vertex of their match within it; objects without a match count as
    /// missed.
    pub vertex_curve: Vec<VertexShare>,
}

/// One point of the vertex-distance curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VertexShare {
    /// Distance, in metres.
    pub distance: f64,
    /// Share of the true vertices.
    pub share: f64,
}

/// Compares two layers of polygons. Both are measured in an equal-area plane around the true polygons.
///
/// # Errors
/// When a file, layer or field does not exist, a feature is no polygon, or one layer has a coordinate system and the other none.
pub fn evaluate_objects(spec: &ObjectSpec) -> Result<ObjectEvaluation> {
    if !(spec.iou > 0.0 && spec.iou <= 1.0) {
        return Err(options(format!("an IoU of {} matches nothing or everything; give a share such as 0.5", spec.iou)));
    }
    let info = |path: &Path, source: &PolygonSource| -> Result<_> {
        let mut layers = vector_layers(path)?;
        let named = |name: &Option<String>, layer: &str| name.as_deref().is_none_or(|name| name == layer);
        layers.retain(|layer| named(&source.layer, &layer.name));
        Ok(layers.into_iter().next())
    };
    let (map, labels) = (info(&spec.map, &spec.map_source)?, info(&spec.labels, &spec.labels_source)?);
    let crs = |layer: &Option<swath_geo::LayerInfo>| layer.as_ref().and_then(|layer| layer.crs.clone());
    let plane = match (crs(&map), crs(&labels)) {
        (Some(map_crs), Some(crs)) => {
            let plane = |path, source, crs| Ok::<_, GeoError>(metric_plane(crs, &read_polygons(path, source, None)?));
            // Labels that are empty lie nowhere.
            match plane(&spec.labels, &spec.labels_source, &crs)? {
                None => plane(&spec.map, &spec.map_source, &map_crs)?,
                found => found,
            }
        }
        (None, None) => None,
        (known, _) => {
            let (with, without) = if known.is_some() { (&spec.map, &spec.labels) } else { (&spec.labels, &spec.map) };
            let problem = format!("it has no coordinate system, but {} has one; give it one first", with.display());
            return Err(GeoError::input(without, problem).into());
        }
    };
    let predicted = read_polygons(&spec.map, &spec.map_source, plane.as_ref())?;
    let truth = read_polygons(&spec.labels, &spec.labels_source, plane.as_ref())?;
    let scores = scores(spec, &predicted)?;
    Ok(compare(spec, &shapes(&predicted), &shapes(&truth), scores.as_deref()))
}

fn compare(
    spec: &ObjectSpec,
    predicted: &[MultiPolygon<f64>],
    truth: &[MultiPolygon<f64>],
    scores: Option<&[f64]>,
) -> ObjectEvaluation {
    let overlaps = Overlaps::new(predicted, truth);
    let matched = overlaps.matched(spec.iou);
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let count = |shapes: &[MultiPolygon<f64>]| shapes.iter().map(vertex_count).sum::<usize>();
    let (predicted_vertices, true_vertices) = (count(predicted), count(truth));
    let at = |least: f64| scores.and_then(|scores| average_precision(&overlaps, scores, least));
    let steps: Option<Vec<f64>> = (10..20).map(|step| at(f64::from(step) / 20.0)).collect();
    let pairs = || matched.iter().map(|pair| (pair, &predicted[pair.predicted], &truth[pair.truth]));
    let distances: Vec<f64> = pairs().flat_map(|(_, predicted, truth)| vertex_distances(predicted, truth)).collect();
    let within = |distance: f64| distances.iter().filter(|&&found| found <= distance).count();
    let curve = spec
        .distances
        .iter()
        .filter_map(|&distance| share(within(distance), true_vertices).map(|share| VertexShare { distance, share }));
    let layer_iou = overlaps.layer_iou;
    ObjectEvaluation {
        predicted: predicted.len() as u64,
        truth: truth.len() as u64,
        matched: matched.len() as u64,
        iou: spec.iou,
        precision: share(matched.len(), predicted.len()),
        recall: share(matched.len(), truth.len()),
        f1: share(2 * matched.len(), predicted.len() + truth.len()),
        ap50: at(0.5),
        ap: steps.and_then(mean),
        matched_iou: mean(matched.iter().map(|pair| pair.iou).collect()),
        matched_c_iou: mean(pairs().map(|(pair, a, b)| c_iou(pair.iou, vertex_count(a), vertex_count(b))).collect()),
        layer_iou,
        layer_c_iou: layer_iou.map(|iou| c_iou(iou, predicted_vertices, true_vertices)),
        vertex_ratio: share(predicted_vertices, true_vertices),
        polis: mean(pairs().filter_map(|(_, a, b)| polis(a, b)).collect()),
        vertex_curve: curve.collect(),
    }
}

/// The evaluation as aligned text.
pub fn object_table(evaluation: &ObjectEvaluation) -> String {
    let ObjectEvaluation { predicted, truth, matched, iou, .. } = evaluation;
    let metres = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    let mut rows: Vec<Vec<String>> = [
        (format!("object F1 at IoU {iou}"), percent(evaluation.f1)),
        ("precision".into(), percent(evaluation.precision)),
        ("recall".into(), percent(evaluation.recall)),
        ("AP at IoU 0.5".into(), percent(evaluation.ap50)),
        ("AP at IoU 0.5 to 0.95".into(), percent(evaluation.ap)),
        ("IoU of matched objects".into(), percent(evaluation.matched_iou)),
        ("C-IoU of matched objects".into(), percent(evaluation.matched_c_iou)),
        ("IoU of the layers".into(), percent(evaluation.layer_iou)),
        ("C-IoU of the layers".into(), percent(evaluation.layer_c_iou)),
        ("vertices for each true one".into(), metres(evaluation.vertex_ratio)),
        ("PoLiS distance, m".into(), metres(evaluation.polis)),
    ]
    .map(|(name, value)| vec![name, value])
    .to_vec();
    let curve = evaluation.vertex_curve.iter();
    rows.extend(curve.map(|point| vec![format!("vertices within {} m", point.distance), percent(Some(point.share))]));
    aligned(&rows)
        + &format!(
            "\nIn percent, over {predicted} polygons of the map and {truth} of the labels, {matched} of them matched one to one.\n"
        )
}

/// A score for each predicted polygon, if they have some.
fn scores(spec: &ObjectSpec, predicted: &[Shape]) -> Result<Option<Vec<f64>>> {
    let Some(field) = &spec.map_source.number else { return Ok(None) };
    let scores: Option<Vec<f64>> = predicted.iter().map(|feature| feature.number).collect();
    match scores {
        Some(scores) => Ok(Some(scores)),
        None => Err(GeoError::input(&spec.map, format!("some polygons have no number in field {field:?}")).into()),
    }
}

fn shapes(features: &[Shape]) -> Vec<MultiPolygon<f64>> {
    let ring = |ring: &Vec<(f64, f64)>| LineString::new(ring.iter().map(|&(x, y)| Coord { x, y }).collect());
    let polygon = |rings: &Vec<Vec<(f64, f64)>>| {
        let mut rings = rings.iter().map(ring);
        Polygon::new(rings.next().unwrap_or_else(LineString::empty), rings.collect())
    };
    features.iter().map(|feature| MultiPolygon::new(feature.polygons.iter().map(polygon).collect())).collect()
}
