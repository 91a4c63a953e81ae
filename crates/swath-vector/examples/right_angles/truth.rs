//! True polygons from GeoJSON.

use std::path::Path;

use geo::{BoundingRect, Coord, LineString, MultiPolygon, Polygon};

/// Buildings that are near each other, in metres.
pub(crate) struct Block {
    pub(crate) buildings: Vec<MultiPolygon<f64>>,
}

/// The polygons of a file by blocks: those whose boxes are nearer than `gap` metres are in one.
pub(crate) fn blocks(path: &Path, gap: f64) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let json: serde_json::Value = serde_json::from_str(&text).expect("a GeoJSON file");
    let mut buildings: Vec<MultiPolygon<f64>> = Vec::new();
    for feature in json["features"].as_array().expect("features") {
        let geometry = &feature["geometry"];
        let parts: Vec<&serde_json::Value> = match geometry["type"].as_str() {
            Some("Polygon") => vec![&geometry["coordinates"]],
            Some("MultiPolygon") => geometry["coordinates"].as_array().expect("polygons").iter().collect(),
            _ => continue,
        };
        buildings.extend(parts.into_iter().map(|part| MultiPolygon::new(vec![polygon(part)])));
    }
    // Degrees become metres around the first building.
    let first = buildings[0].0[0].exterior().0[0];
    if first.x.abs() <= 180.0 && first.y.abs() <= 90.0 {
        let (north, east) = (110_574.0, 111_320.0 * first.y.to_radians().cos());
        use geo::MapCoords;
        for building in &mut buildings {
            *building = building.map_coords(|at| Coord { x: (at.x - first.x) * east, y: (at.y - first.y) * north });
        }
    }
    gather(buildings, gap)
}

fn polygon(rings: &serde_json::Value) -> Polygon<f64> {
    let ring = |ring: &serde_json::Value| -> LineString<f64> {
        let point =
            |point: &serde_json::Value| Coord { x: point[0].as_f64().expect("x"), y: point[1].as_f64().expect("y") };
        ring.as_array().expect("points").iter().map(point).collect()
    };
    let mut rings: Vec<LineString<f64>> = rings.as_array().expect("rings").iter().map(ring).collect();
    let outer = rings.remove(0);
    Polygon::new(outer, rings)
}

fn gather(buildings: Vec<MultiPolygon<f64>>, gap: f64) -> Vec<Block> {
    let boxes: Vec<geo::Rect<f64>> =
        buildings.iter().map(|building| building.bounding_rect().expect("points")).collect();
    let near = |a: &geo::Rect<f64>, b: &geo::Rect<f64>| {
        a.min().x - gap < b.max().x
            && b.min().x - gap < a.max().x
            && a.min().y - gap < b.max().y
            && b.min().y - gap < a.max().y
    };
    let mut block: Vec<usize> = (0..boxes.len()).collect();
    for a in 0..boxes.len() {
        for b in 0..a {
            if near(&boxes[a], &boxes[b]) && block[a] != block[b] {
                let (old, new) = (block[a], block[b]);
                block.iter_mut().filter(|block| **block == old).for_each(|block| *block = new);
            }
        }
    }
    let mut blocks: std::collections::BTreeMap<usize, Vec<MultiPolygon<f64>>> = std::collections::BTreeMap::new();
    for (building, block) in buildings.into_iter().zip(block) {
        blocks.entry(block).or_default().push(building);
    }
    blocks.into_values().map(|buildings| Block { buildings }).collect()
}
