//! Objects against shapely's overlaps and distances and COCO's average precision (`fixtures/vector/make_objects.py`).

use geo::{Coord, LineString, MultiPolygon, Polygon};
use serde_json::Value;
use swath_vector::objects::{Overlaps, average_precision, c_iou, polis, vertex_count, vertex_distances};

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vector/objects.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn layer(value: &Value) -> Vec<MultiPolygon<f64>> {
    let point = |point: &Value| Coord { x: number(&point[0]), y: number(&point[1]) };
    let ring = |ring: &Value| LineString::new(list(ring).iter().map(point).collect());
    let polygon = |rings: &Value| Polygon::new(ring(&rings[0]), list(rings)[1..].iter().map(ring).collect());
    list(value).iter().map(|shape| MultiPolygon::new(list(shape).iter().map(polygon).collect())).collect()
}

#[track_caller]
fn close(got: f64, want: f64) {
    assert!((got - want).abs() < 1e-6, "{got} against {want}");
}

#[test]
fn overlaps_distances_and_precision_are_those_of_others() {
    let golden = golden();
    let (predicted, truth) = (layer(&golden["predicted"]), layer(&golden["truth"]));
    let overlaps = Overlaps::new(&predicted, &truth);
    assert_eq!(overlaps.pairs.len() as u64, golden["overlapping"].as_u64().unwrap());
    close(overlaps.layer_iou.unwrap(), number(&golden["layer_iou"]));

    let matched = overlaps.matched(0.5);
    assert_eq!(matched.len(), list(&golden["pairs"]).len());
    let mut distances = Vec::new();
    for (index, (pair, want)) in matched.iter().zip(list(&golden["pairs"])).enumerate() {
        assert_eq!((pair.predicted as u64, pair.truth as u64), (want[0].as_u64().unwrap(), want[1].as_u64().unwrap()));
        close(pair.iou, number(&want[2]));
        let (a, b) = (&predicted[pair.predicted], &truth[pair.truth]);
        close(polis(a, b).unwrap(), number(&golden["polis"][index]));
        close(c_iou(pair.iou, vertex_count(a), vertex_count(b)), number(&golden["c_iou"][index]));
        distances.extend(vertex_distances(a, b));
    }
    let vertices: usize = truth.iter().map(vertex_count).sum();
    for point in list(&golden["vertices_within"]) {
        let within = distances.iter().filter(|&&distance| distance <= number(&point[0])).count();
        close(within as f64 / vertices as f64, number(&point[1]));
    }
    let scores: Vec<f64> = list(&golden["scores"]).iter().map(number).collect();
    for (step, want) in (10..20).zip(list(&golden["ap"])) {
        close(average_precision(&overlaps, &scores, f64::from(step) / 20.0).unwrap(), number(want));
    }
}

#[test]
fn rings_that_touch_or_cross_themselves_have_the_area_of_the_even_odd_rule() {
    let ring = |points: &[(f64, f64)]| MultiPolygon::from(Polygon::new(LineString::from(points.to_vec()), vec![]));
    // A bow tie of two triangles, each of area 1; two squares that touch in a corner, drawn as one ring.
    let bow = ring(&[(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0)]);
    let corner =
        ring(&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0), (1.0, 1.0), (0.0, 1.0)]);
    let overlaps = Overlaps::new(&[bow, corner], &[ring(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])]);
    close(overlaps.predicted_areas[0], 2.0);
    close(overlaps.predicted_areas[1], 2.0);
    close(overlaps.pairs[0].iou, 0.5);
    close(overlaps.pairs[1].iou, 0.5);
    // Points and lines have no area and match nothing.
    let flat = ring(&[(0.0, 0.0), (1.0, 1.0), (0.0, 0.0)]);
    let none =
        Overlaps::new(&[flat, MultiPolygon::new(vec![])], &[ring(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])]);
    assert!(none.pairs.is_empty() && none.matched(0.5).is_empty());
}
