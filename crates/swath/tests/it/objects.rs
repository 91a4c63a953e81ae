//! Objects of two layers of polygons against each other.

use std::fs;
use std::path::Path;

use swath::evaluate::{ObjectEvaluation, ObjectSpec, evaluate_objects};
use swath_geo::PolygonSource;

/// Squares of a thousandth of a degree, from these corners, and a feature without a geometry.
fn squares(path: &Path, corners: &[(f64, f64)]) {
    let square = |&(x, y): &(f64, f64)| {
        let ring = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
            .map(|(a, b)| format!("[{}, {}]", x + 0.001 * f64::from(a), y + 0.001 * f64::from(b)));
        format!(r#"{{"type": "Polygon", "coordinates": [[{}]]}}"#, ring.join(", "))
    };
    let geometries = corners.iter().map(square).chain(["null".to_string()]);
    let features: Vec<String> = geometries
        .map(|geometry| format!(r#"{{"type": "Feature", "properties": {{}}, "geometry": {geometry}}}"#))
        .collect();
    let text = format!(r#"{{"type": "FeatureCollection", "features": [{}]}}"#, features.join(", "));
    fs::write(path, text).unwrap();
}

/// True squares at some longitudes, and a map of them that is off by some metres.
fn compared(longitudes: &[f64]) -> ObjectEvaluation {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let moved = |x: f64, y: f64| longitudes.iter().map(|longitude| (longitude + x, -17.0 + y)).collect::<Vec<_>>();
    squares(&at("truth.geojson"), &moved(0.0, 0.0));
    squares(&at("map.geojson"), &moved(0.0001, 0.00005));
    let source = PolygonSource::default();
    let spec = ObjectSpec {
        map: at("map.geojson"),
        map_source: source.clone(),
        labels: at("truth.geojson"),
        labels_source: source,
        iou: 0.5,
        distances: vec![13.0],
    };
    evaluate_objects(&spec).unwrap()
}

#[test]
fn distances_are_true_on_both_sides_of_the_antimeridian() {
    let here = compared(&[100.0, 100.02]);
    assert_eq!((here.predicted, here.truth, here.matched), (2, 2, 2));
    // A ten thousandth of a degree is 10.65 m along the parallel, half of one 5.53 m along the meridian.
    assert!((8.0..9.0).contains(&here.polis.unwrap()), "{here:?}");
    assert_eq!(here.vertex_curve[0].share, 1.0);
    for longitudes in [[179.99, -179.99], [179.99, 180.01], [-180.01, -179.99]] {
        let there = compared(&longitudes);
        assert!((there.polis.unwrap() / here.polis.unwrap() - 1.0).abs() < 1e-4, "{there:?}");
        assert_eq!(there.vertex_curve, here.vertex_curve);
    }
}
