//! Vectors in longitude and latitude, as RFC 7946 has them, and what formats say of features and of grids without a CRS.

use std::path::{Path, PathBuf};

use gdal::vector::{Geometry, LayerAccess};
use serde_json::Value;
use swath_geo::{
    Affine, Crs, Grid, LineFeature, LineLayer, Outline, PointRow, PolygonFeature, PolygonLayer, Result,
    VectorizeSummary, vector_layers, write_lines, write_points, write_polygons,
};

fn grid(crs: &str, transform: [f64; 6], side: usize) -> Grid {
    Grid { crs: Some(Crs::from_user(crs).unwrap()), transform: Affine(transform), width: side, height: side }
}

/// A frame, what is in it, and a tile of that: together all pixels of a grid with a side of 20.
fn nested() -> Vec<Outline> {
    let square = |low: f64, high: f64| vec![(low, low), (low, high), (high, high), (high, low), (low, low)];
    let corners = |low: f64, part: f64, high: f64| {
        // As its neighbour has them, with the corners of the tile.
        vec![(low, low), (low, part), (low, high), (part, high), (high, high), (high, low), (low, low)]
    };
    let mut outlines = vec![Outline::default(), Outline::default(), Outline::default()];
    outlines[0].push(true, square(0.0, 20.0));
    outlines[0].push(false, corners(5.0, 10.0, 15.0).into_iter().rev());
    outlines[1]
        .push(true, [(5.0, 5.0), (5.0, 10.0), (10.0, 10.0), (10.0, 15.0), (15.0, 15.0), (15.0, 5.0), (5.0, 5.0)]);
    outlines[2].push(true, [(5.0, 10.0), (5.0, 15.0), (10.0, 15.0), (10.0, 10.0), (5.0, 10.0)]);
    outlines
}

fn polygons(out: &Path, grid: &Grid, outlines: &[Outline]) -> Result<VectorizeSummary> {
    let layer = PolygonLayer {
        grid,
        classes: Vec::new().into(),
        multipolygons: false,
        merge: false,
        min_area_m2: 0.0,
        status: false,
        confidence: false,
        constants: Vec::new(),
        overwrite: true,
    };
    write_polygons(out, layer, |writer| {
        for (class, outline) in outlines.iter().enumerate() {
            writer.add(&PolygonFeature {
                class: class as u32,
                pixels: 1,
                outline: outline.clone(),
                ..Default::default()
            })?;
        }
        Ok(())
    })
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn features(&self, grid: &Grid, outlines: &[Outline]) -> Vec<Value> {
        let out = self.at("out.geojson");
        polygons(&out, grid, outlines).unwrap();
        features(&out)
    }
}

fn features(path: &Path) -> Vec<Value> {
    let mut json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_value(json["features"].take()).unwrap()
}

type Ring = Vec<[f64; 2]>;

/// The rings of all polygons of a feature.
fn rings(feature: &Value) -> Vec<Vec<Ring>> {
    let coordinates = feature["geometry"]["coordinates"].clone();
    match feature["geometry"]["type"].as_str().unwrap() {
        "Polygon" => vec![serde_json::from_value(coordinates).unwrap()],
        _ => serde_json::from_value(coordinates).unwrap(),
    }
}

/// Square metres on WGS 84 to the left of a ring of straight lines in longitude and latitude: the integral of the area between the equator
/// and the ring (J. P. Snyder, Map Projections: A Working Manual, 1987, equation 3-12).
fn area(ring: &Ring) -> f64 {
    let (a, e2) = (6_378_137.0f64, 0.006_694_379_990_141_3f64);
    let e = e2.sqrt();
    let to = |latitude: f64| {
        let sin = latitude.to_radians().sin();
        0.5 * a * a * (1.0 - e2) * (sin / (1.0 - e2 * sin * sin) + (e * sin).atanh() / e)
    };
    let edge = |pair: &[[f64; 2]]| {
        let ([x0, y0], [x1, y1]) = (pair[0], pair[1]);
        let simpson = (to(y0) + 4.0 * to(f64::midpoint(y0, y1)) + to(y1)) / 6.0;
        -(x1 - x0).to_radians() * simpson
    };
    ring.windows(2).map(edge).sum()
}

/// Checks what RFC 7946 asks of polygons, that they do not overlap, and their areas; gives the sum of those.
fn check(features: &[Value], what: &str) -> f64 {
    let (mut total, mut planar, mut union): (f64, f64, Option<Geometry>) = (0.0, 0.0, None);
    for feature in features {
        let mut own = 0.0;
        for polygon in rings(feature) {
            assert!(!polygon.is_empty(), "{what}: an empty polygon");
            for (index, ring) in polygon.iter().enumerate() {
                assert!(ring.len() >= 4, "{what}: {ring:?}");
                assert!(ring.iter().all(|[x, y]| x.abs() <= 180.0 && y.abs() <= 90.0), "{what}");
                assert!(
                    ring.windows(2).all(|pair| (pair[1][0] - pair[0][0]).abs() <= 180.0),
                    "{what}: over the antimeridian"
                );
                let area = area(ring);
                assert_eq!(area > 0.0, index == 0, "{what}: outer rings run counterclockwise, holes clockwise");
                own += area;
            }
        }
        let expected = feature["properties"]["area_m2"].as_f64().unwrap();
        // Half a centimetre along all of it, which near a pole is always on the same side.
        assert!((own / expected - 1.0).abs() < 5e-6, "{what}: {own} against {expected}");
        let geometry = Geometry::from_geojson(&feature["geometry"].to_string()).unwrap();
        assert!(geometry.is_valid(), "{what}: {}", geometry.wkt().unwrap());
        total += own;
        planar += geometry.area();
        union = Some(union.map_or(geometry.clone(), |union| union.union(&geometry).unwrap()));
    }
    let together = union.unwrap().area();
    assert!((together / planar - 1.0).abs() < 1e-12, "{what}: overlaps, {together} of {planar}");
    total
}

#[test]
fn longitudes_of_any_turn_are_wrapped() {
    let place = Place::new();
    for west in [-721.0, -361.0, -359.5, -181.0, -180.5, 170.0, 179.0, 180.0, 181.0, 359.0, 359.2, 360.0, 361.0, 540.0]
    {
        let features = place.features(&grid("EPSG:4326", [west, 0.1, 0.0, 10.0, 0.0, -0.1], 20), &nested());
        check(&features, &format!("west {west}"));
        let degrees: f64 = features
            .iter()
            .map(|feature| Geometry::from_geojson(&feature["geometry"].to_string()).unwrap().area())
            .sum();
        assert!((degrees - 4.0).abs() < 1e-9, "west {west}: {degrees} square degrees");
        let cut = |low: f64, high: f64| (low..high).contains(&((180.0 - west).rem_euclid(360.0))) && low < high;
        let parts: usize = features.iter().map(|feature| rings(feature).len()).sum();
        assert_eq!(parts > 3, cut(1e-9, 2.0 - 1e-9), "west {west}: {parts} parts");
    }
}

#[test]
fn poles_and_the_antimeridian_cut_polygons() {
    let place = Place::new();
    let polar = |side: f64| [-10.0 * side, side, 0.0, 10.0 * side, 0.0, -side];
    for (crs, transform) in [
        // The pole is a corner of pixels, lies on an edge, in a polygon, and beside all.
        ("EPSG:3413", polar(1000.0)),
        ("EPSG:3031", polar(5000.0)),
        ("EPSG:3413", [-10e3, 1e3, 0.0, 12.3e3, 0.0, -1e3]),
        ("EPSG:3031", [-12.3e3, 1e3, 0.0, 8.1e3, 0.0, -1e3]),
        ("EPSG:3031", [-13.66e3, 866.0, 500.0, 3.66e3, 500.0, -866.0]),
        ("EPSG:3413", [-2e3, 1e3, 0.0, 7e3, 0.0, -1e3]),
        ("EPSG:3995", [-9e3, 1e3, 0.0, 90e3, 0.0, -1e3]),
        // Beyond the edge of the world in Mercator's projection.
        ("EPSG:3857", [20_027_508.0, 1e3, 0.0, 5e6, 0.0, -1e3]),
        ("EPSG:3857", [-20_046_000.0, 1e3, 0.0, -5e6, 0.0, -1e3]),
        ("EPSG:32601", [160e3, 2e3, 0.0, 7.8e6, 0.0, -2e3]),
        ("+proj=laea +lat_0=0 +lon_0=180 +datum=WGS84", polar(4000.0)),
        ("+proj=laea +lat_0=89.9 +lon_0=10 +datum=WGS84", polar(4000.0)),
        // As in a mirror: x goes west.
        ("+proj=tmerc +lat_0=0 +lon_0=15 +axis=wnu +datum=WGS84", [1e5, 1e3, 0.0, 5e6, 0.0, -1e3]),
    ] {
        let grid = grid(crs, transform, 20);
        let total = check(&place.features(&grid, &nested()), crs);
        let expected = grid.area_m2(grid.window()).unwrap();
        assert!((total / expected - 1.0).abs() < 5e-6, "{crs}: {total} against {expected}");
    }
}

#[test]
fn what_holds_a_pole_reaches_it() {
    let place = Place::new();
    let features = place.features(&grid("EPSG:3413", [-9.5e5, 1e5, 0.0, 9.5e5, 0.0, -1e5], 19), &{
        let mut outline = Outline::default();
        outline.push(true, [(4.0, 4.0), (4.0, 14.0), (14.0, 14.0), (14.0, 4.0), (4.0, 4.0)]);
        vec![outline]
    });
    let rings = rings(&features[0]);
    assert_eq!((rings.len(), rings[0].len()), (1, 1));
    for corner in [[-180.0, 90.0], [180.0, 90.0]] {
        assert!(rings[0][0].contains(&corner), "{corner:?}");
    }
    // A world without a lake: what a line runs around is outside.
    let radius = 2.0 * 6_371_007.0 * 75f64.to_radians().sin();
    let transform = [-radius, radius / 10.0, 0.0, radius, 0.0, -radius / 10.0];
    let world = grid("+proj=laea +lat_0=10 +lon_0=-140 +datum=WGS84", transform, 20);
    let mut outline = Outline::default();
    let circle = |step: u32| f64::from(step % 90) * std::f64::consts::TAU / 90.0;
    outline.push(true, (0..=90).map(circle).map(|angle| (10.0 + 9.0 * angle.cos(), 10.0 - 9.0 * angle.sin())));
    let features = place.features(&world, &[outline]);
    let rings = self::rings(&features[0]);
    assert_eq!((rings.len(), rings[0].len()), (1, 2), "the lake is a hole");
    let own: f64 = rings[0].iter().map(area).sum();
    let expected = features[0]["properties"]["area_m2"].as_f64().unwrap();
    assert!((own / expected - 1.0).abs() < 1e-4, "{own} against {expected}");
}

#[test]
fn global_maps_stay_whole() {
    let place = Place::new();
    for west in [-180.0, -180.5, 0.0, -30.0] {
        let world = Grid { height: 10, ..grid("EPSG:4326", [west, 18.0, 0.0, 90.0, 0.0, -18.0], 20) };
        let mut outline = Outline::default();
        outline.push(true, [(0.0, 0.0), (0.0, 10.0), (20.0, 10.0), (20.0, 0.0), (0.0, 0.0)]);
        let features = place.features(&world, &[outline]);
        assert_eq!(features[0]["geometry"]["type"], "Polygon", "west {west}");
        check(&features, "the world");
    }
    // Rows around the poles of which half lies beyond.
    let centred = Grid { height: 11, ..grid("EPSG:4326", [-9.0, 18.0, 0.0, 99.0, 0.0, -18.0], 20) };
    let mut outline = Outline::default();
    outline.push(true, [(2.0, 0.0), (2.0, 3.0), (5.0, 3.0), (5.0, 0.0), (2.0, 0.0)]);
    check(&place.features(&centred, &[outline.clone()]), "rows around the poles");
    // A row that lies beyond altogether is told of.
    let beyond = Grid { transform: Affine([0.0, 1.0, 0.0, 95.0, 0.0, -1.0]), ..centred };
    let error = polygons(&place.at("out.geojson"), &beyond, &[outline]).unwrap_err().to_string();
    assert!(error.contains("beyond a pole") && error.contains(".gpkg"), "{error}");
}

#[test]
fn lines_and_points_are_cut_and_wrapped() {
    let place = Place::new();
    let out = place.at("lines.geojson");
    let grid = grid("EPSG:4326", [179.0, 0.1, 0.0, 10.0, 0.0, -0.1], 20);
    let layer = LineLayer { grid: &grid, classes: Vec::new().into(), constants: Vec::new(), overwrite: true };
    let line =
        |points: &[(f64, f64)]| LineFeature { class: 1, points: points.to_vec(), width: 1.0, touches_edge: true };
    write_lines(&out, &layer, &[line(&[(1.0, 1.0), (2.0, 2.0)]), line(&[(0.0, 0.0), (20.0, 10.0)])]).unwrap();
    let features = features(&out);
    assert_eq!([&features[0]["id"], &features[1]["id"]], [1, 2]);
    assert_eq!(
        features[0]["geometry"],
        serde_json::json!({"type": "LineString", "coordinates": [[179.1, 9.9], [179.2, 9.8]]})
    );
    let parts = serde_json::json!([[[179.0, 10.0], [180.0, 9.5]], [[-180.0, 9.5], [-179.0, 9.0]]]);
    assert_eq!(features[1]["geometry"], serde_json::json!({"type": "MultiLineString", "coordinates": parts}));

    let out = place.at("points.geojson");
    let points = [(190.0, 5.0), (-190.0, 5.0)].map(|point| PointRow { point, values: Vec::new() });
    write_points(&out, grid.crs.as_ref(), &[], &points, false).unwrap();
    let found =
        self::features(&out).iter().map(|feature| feature["geometry"]["coordinates"].clone()).collect::<Vec<_>>();
    assert_eq!(found, [serde_json::json!([-170.0, 5.0]), serde_json::json!([170.0, 5.0])]);
}

#[test]
fn geojson_is_refused_where_there_is_no_longitude_and_latitude() {
    let place = Place::new();
    let out = place.at("out.geojson");
    let error = polygons(&out, &Grid::plain(20, 20), &nested()).unwrap_err().to_string();
    assert!(error.contains("out.geojson") && error.contains("no coordinate reference system"), "{error}");
    assert!(error.contains("-a_srs") && error.contains(".gpkg"), "{error}");
    // The corners of the map lie beside the world.
    let side = 1_800_000.0;
    let world = grid("ESRI:54009", [-10.0 * side, side, 0.0, 5.0 * side, 0.0, -side / 2.0], 20);
    let error = polygons(&out, &world, &nested()).unwrap_err().to_string();
    assert!(error.contains("has no longitude and latitude in World_Mollweide") && error.contains(".gpkg"), "{error}");
    assert!(!error.contains("OGR") && !error.contains('\n'), "{error}");
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn features_are_numbered_in_every_format() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    let place = Place::new();
    let grid = grid("EPSG:32633", [330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0], 20);
    let ids: Vec<i64> =
        place.features(&grid, &nested()).iter().map(|feature| feature["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3]);
    polygons(&place.at("out.parquet"), &grid, &nested()).unwrap();
    let file = std::fs::File::open(place.at("out.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    assert_eq!(reader.metadata().file_metadata().schema_descr().column(0).name(), "id");
    let ids: Vec<i64> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().get_long(0).unwrap()).collect();
    assert_eq!(ids, [1, 2, 3]);
    // A table that has such a column keeps it.
    let rows = [swath_geo::Value::Integer(7)].map(|value| PointRow { point: (0.0, 0.0), values: vec![value] });
    write_points(&place.at("points.parquet"), None, &["id"], &rows, false).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(place.at("points.parquet")).unwrap()).unwrap();
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    assert_eq!((row.get_long(0).unwrap(), row.len()), (7, 3), "id, geometry and bbox");
}

#[test]
fn geopackages_without_a_crs_are_planar() {
    let place = Place::new();
    let out = place.at("out.gpkg");
    polygons(&out, &Grid::plain(20, 20), &nested()).unwrap();
    let dataset = gdal::Dataset::open(&out).unwrap();
    let number = |table: &str| {
        let sql = format!("SELECT srs_id FROM {table} WHERE table_name = 'out'");
        let mut rows = dataset.execute_sql(sql, None, gdal::vector::sql::Dialect::DEFAULT).unwrap().unwrap();
        let row = rows.features().next().unwrap();
        row.field_as_integer(0).unwrap()
    };
    assert_eq!([number("gpkg_contents"), number("gpkg_geometry_columns")], [Some(-1), Some(-1)]);
    assert_eq!(vector_layers(&out).unwrap()[0].crs, None, "it reads as what it was");
}
