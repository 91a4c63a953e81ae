//! Label maps into polygons.

use std::path::{Path, PathBuf};

use gdal::vector::LayerAccess;
use gdal::{Dataset, Metadata};
use swath::Error;
use swath::vectorize::{Cleaning, RightAngleMethod, SimplifyMethod, VectorizeOptions, vectorize};
use swath_geo::{Affine, CogOptions, CogWriter, Crs, DType, GeoError, Grid, RasterizeSpec, Samples, Window, rasterize};

use crate::maps::{SMALL, classes, grid, written};

const FOREST: &str = "Wälder & <Forst>";

/// A map with the given rows; 9 is nodata.
fn map(folder: &Path, grid: &Grid, rows: &[u8]) -> PathBuf {
    written(folder, grid, &CogOptions::labels(&classes(FOREST), Some(9)), rows)
}

type Row = (i32, String, f64, f64, String);

fn rows(path: &Path) -> Vec<Row> {
    let dataset = Dataset::open(path).unwrap();
    let mut layer = dataset.layer(0).unwrap();
    let rows = layer.features().map(|feature| {
        (
            feature.field_as_integer(0).unwrap().unwrap(),
            feature.field_as_string(1).unwrap().unwrap(),
            feature.field_as_double(2).unwrap().unwrap(),
            feature.field_as_double(3).unwrap().unwrap(),
            feature.geometry().unwrap().wkt().unwrap(),
        )
    });
    rows.collect()
}

#[test]
fn a_geopackage_has_classes_measures_and_styles() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let map = map(folder.path(), &grid, &SMALL);
    let out = folder.path().join("polygons.gpkg");
    let summary = vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
    assert_eq!(summary.polygons, 5);
    let found: Vec<(u32, &str, u64)> =
        summary.classes.iter().map(|class| (class.value, class.name.as_str(), class.polygons)).collect();
    assert_eq!(found, [(0, "land", 1), (1, "Wälder & <Forst>", 2), (2, "water", 2)]);

    let rows = rows(&out);
    let land = rows.iter().find(|row| row.0 == 0).unwrap();
    assert_eq!(land.1, "land");
    assert!(land.4.matches('(').count() == 3, "the land has a hole: {}", land.4);
    // 11 pixels of 10 m; UTM west of its central meridian by 170 km stretches lengths by less than 1/1000.
    assert!((land.2 / 1100.0 - 1.0).abs() < 2e-3 && (land.3 / 240.0 - 1.0).abs() < 2e-3, "{land:?}");
    let total: f64 = rows.iter().map(|row| row.2).sum();
    let nodata = grid.area_m2(Window::new(4, 0, 1, 3)).unwrap() + grid.area_m2(Window::new(5, 2, 1, 1)).unwrap();
    let expected = grid.area_m2(grid.window()).unwrap() - nodata;
    assert!((total / expected - 1.0).abs() < 1e-6, "{total} {expected}");

    let dataset = Dataset::open(&out).unwrap();
    let mut styles = dataset.layer_by_name("layer_styles").unwrap();
    assert_eq!(styles.feature_count(), 1);
    let style = styles.features().next().unwrap();
    let text = |name| style.field_as_string(style.field_index(name).unwrap()).unwrap().unwrap();
    assert_eq!((text("f_table_name").as_str(), text("f_geometry_column").as_str()), ("polygons", "geom"));
    assert_eq!(text("useAsDefault"), "1");
    assert!(
        text("styleQML").contains("label=\"Wälder &amp; &lt;Forst&gt;\"") && text("styleQML").contains("0,128,0,255")
    );
    assert!(text("styleSLD").contains("#0000ff"));
    assert_eq!(entries(folder.path()), ["map.qml", "map.sld", "map.tif", "map.tif.aux.xml", "polygons.gpkg"]);
}

#[test]
fn neighbours_share_their_vertices_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let grid = Grid { transform: Affine([330_000.1, 0.3, 0.0, 5_822_040.7, 0.0, -0.3]), ..grid(6, 4) };
    let map = map(folder.path(), &grid, &SMALL);
    let out = folder.path().join("polygons.fgb");
    vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
    for (_, _, _, _, wkt) in rows(&out) {
        for pair in wkt.replace("POLYGON", "").replace(['(', ')'], " ").split(',') {
            let [x, y] = pair.split_whitespace().map(|n| n.parse::<f64>().unwrap()).collect::<Vec<_>>()[..] else {
                panic!("{pair}")
            };
            let (col, row) = grid.world_to_pixel(x, y).unwrap();
            let corner = grid.pixel_to_world(col.round(), row.round());
            assert!((corner.0 - x).abs() < 1e-8 && (corner.1 - y).abs() < 1e-8, "{x} {y}");
        }
    }
}

#[test]
fn corners_connect_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(2, 2), &[1, 0, 0, 1]);
    for (eight_connected, polygons) in [(false, 4), (true, 2)] {
        let out = folder.path().join(format!("{polygons}.gpkg"));
        let options = VectorizeOptions { eight_connected, ..Default::default() };
        assert_eq!(vectorize(&map, &out, &options).unwrap().polygons, polygons);
    }
}

#[test]
fn geojson_is_longitude_and_latitude() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(6, 4), &SMALL);
    let out = folder.path().join("polygons.geojson");
    vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.contains("\"crs\""), "RFC 7946 knows no other CRS");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["features"].as_array().unwrap().len(), 5);
    let vertex = &json["features"][0]["geometry"]["coordinates"][0][0];
    // 330 km east and 5822 km north in zone 33 (gdaltransform: 12.494, 52.521).
    let (longitude, latitude) = (vertex[0].as_f64().unwrap(), vertex[1].as_f64().unwrap());
    assert!((longitude - 12.4945).abs() < 1e-3 && (latitude - 52.5217).abs() < 1e-3, "{longitude} {latitude}");
    let area = json["features"][0]["properties"]["area_m2"].as_f64().unwrap();
    assert!((90.0..2000.0).contains(&area));
}

#[test]
fn shapefiles_come_with_their_companions() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(6, 4), &SMALL);
    let out = folder.path().join("polygons.shp");
    vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
    let names: Vec<String> = entries(folder.path()).into_iter().filter(|name| name.starts_with("poly")).collect();
    let companions = ["polygons.cpg", "polygons.dbf", "polygons.prj", "polygons.qml", "polygons.shp", "polygons.shx"];
    assert_eq!(names, companions);
    let rows = rows(&out);
    assert!(rows.iter().any(|row| row.1 == "Wälder & <Forst>"));
    assert_eq!(rows.len(), 5);
    std::fs::remove_file(&out).unwrap();
    assert!(matches!(vectorize(&map, &out, &VectorizeOptions::default()), Err(Error::Geo(GeoError::Exists { .. }))));
}

#[test]
fn small_polygons_can_be_left_out_and_outlines_simplified() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(64, 64);
    // A disc: its outline of pixels has many corners.
    let inside = |i: usize| ((i % 64) as f64 - 31.5).hypot((i / 64) as f64 - 31.5) < 25.0;
    let mut pixels: Vec<u8> = (0..64 * 64).map(|i| u8::from(inside(i))).collect();
    pixels[0] = 2;
    let map = map(folder.path(), &grid, &pixels);
    let run = |name: &str, options: VectorizeOptions| {
        let out = folder.path().join(name);
        let summary = vectorize(&map, &out, &options).unwrap();
        (summary, rows(&out))
    };
    let (plain, exact) = run("a.gpkg", VectorizeOptions::default());
    assert_eq!((plain.polygons, plain.dropped), (3, 0));
    let (summary, rows) =
        run("b.gpkg", VectorizeOptions { min_area_m2: Some(150.0), simplify_m: 12.0, ..VectorizeOptions::default() });
    assert_eq!((summary.polygons, summary.dropped), (2, 1));
    let disc = |rows: &[Row]| rows.iter().find(|row| row.0 == 1).unwrap().clone();
    let (before, after) = (disc(&exact), disc(&rows));
    assert!(after.4.matches(',').count() * 2 < before.4.matches(',').count(), "{}", after.4);
    assert!((after.2 / before.2 - 1.0).abs() < 0.05 && after.3 < before.3);
}

#[test]
fn maps_without_georeference_are_measured_in_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &Grid::plain(6, 4), &SMALL);
    let out = folder.path().join("polygons.gpkg");
    vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
    let dataset = Dataset::open(&out).unwrap();
    let names: Vec<String> = dataset.layer(0).unwrap().defn().fields().map(|field| field.name()).collect();
    assert_eq!(names, ["class_id", "class", "area_px", "perim_px", "n_pixels", "touches_edge"]);
    let total: f64 = rows(&out).iter().map(|row| row.2).sum();
    assert!((total - 20.0).abs() < 1e-9);
}

#[test]
fn a_map_without_data_has_no_polygons() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(6, 4), &[9; 24]);
    for name in ["empty.gpkg", "empty.fgb", "empty.geojson", "empty.shp"] {
        let out = folder.path().join(name);
        let summary = vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
        assert_eq!((summary.polygons, summary.classes.len()), (0, 0));
        assert!(rows(&out).is_empty(), "{name}");
    }
}

#[test]
fn refusals_leave_old_outputs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(6, 4), &SMALL);
    let out = folder.path().join("old.gpkg");
    std::fs::write(&out, "old").unwrap();
    assert!(matches!(vectorize(&map, &out, &VectorizeOptions::default()), Err(Error::Geo(GeoError::Exists { .. }))));
    let text = vectorize(&map, &folder.path().join("a.kml"), &VectorizeOptions::default()).unwrap_err().to_string();
    assert!(text.contains("use .gpkg, .fgb, .geojson, .parquet, .shp"), "{text}");

    let scores = float_map(folder.path(), &grid(2, 1), &[1.0, 0.25]);
    let overwrite = VectorizeOptions { overwrite: true, ..Default::default() };
    let text = vectorize(&scores, &out, &overwrite).unwrap_err().to_string();
    assert!(
        text.contains("floats.tif: it holds the value 0.25 at column 1, row 0; classes are whole numbers"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "old");

    vectorize(&map, &out, &overwrite).unwrap();
    assert_eq!(rows(&out).len(), 5);
    assert_eq!(entries(folder.path()), ["floats.tif", "map.qml", "map.sld", "map.tif", "map.tif.aux.xml", "old.gpkg"]);
}

/// A map of floating-point numbers.
fn float_map(folder: &Path, grid: &Grid, values: &[f32]) -> PathBuf {
    let path = folder.join("floats.tif");
    let mut writer = CogWriter::create(&path, grid, &CogOptions::new(DType::F32, 1)).unwrap();
    writer.write(grid.window(), 0, Samples::F32(values)).unwrap();
    writer.finish().unwrap();
    path
}

#[test]
fn whole_numbers_are_classes_in_any_type() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let values = SMALL.map(|value| if value == 9 { f32::NAN } else { f32::from(value) });
    let out = folder.path().join("polygons.gpkg");
    vectorize(&float_map(folder.path(), &grid, &values), &out, &VectorizeOptions::default()).unwrap();
    let bytes = folder.path().join("bytes.gpkg");
    vectorize(&map(folder.path(), &grid, &SMALL), &bytes, &VectorizeOptions::default()).unwrap();
    let shapes = |path: &Path| rows(path).into_iter().map(|row| (row.0, row.2, row.4)).collect::<Vec<_>>();
    assert_eq!(shapes(&out), shapes(&bytes));
}

#[test]
fn files_without_a_place_for_styles_have_one_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(6, 4), &SMALL);
    let style = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for extension in ["fgb", "geojson", "parquet", "shp"] {
        let name = format!("a {extension}.{extension}");
        let run = |overwrite| {
            let options = VectorizeOptions { overwrite, ..Default::default() };
            vectorize(&map, &folder.path().join(&name), &options).unwrap();
            style(&format!("a {extension}.qml"))
        };
        let text = run(false);
        assert!(text.contains("attr=\"class_id\"") && text.contains("Wälder &amp; &lt;Forst&gt;"), "{text}");
        assert!(text.contains("<layerGeometryType>2<"), "{text}");
        // What somebody saved there stays.
        std::fs::write(folder.path().join(format!("a {extension}.qml")), "mine").unwrap();
        assert_eq!(run(true), "mine");
    }
    // QGIS looks for one file for the map and for polygons of the same name: it serves both, whichever came last.
    let raster = style("map.qml");
    vectorize(&map, &folder.path().join("map.fgb"), &VectorizeOptions::default()).unwrap();
    let both = style("map.qml");
    assert!(both.contains("<rasterrenderer ") && both.contains("<renderer-v2 "), "{both}");
    let options = CogOptions { overwrite: true, ..CogOptions::labels(&classes(FOREST), Some(9)) };
    written(folder.path(), &grid(6, 4), &options, &SMALL);
    let again = style("map.qml");
    assert!(again.contains("<renderer-v2 ") && again.matches("<rasterrenderer ").count() == 1, "{again}");
    assert!(!raster.contains("<renderer-v2 "));
    let out = folder.path().join("polygons.gpkg");
    vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
    assert!(!out.with_extension("qml").exists(), "a GeoPackage holds its style");
}

#[test]
fn polygons_burned_again_give_the_same_map() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(90, 70);
    let pixels: Vec<u8> =
        (0..90 * 70).map(|i| [0, 1, 2, 1, 9][(i % 90 / 7 * 3 + i / 90 / 5 + i * i / 4000) % 5]).collect();
    let map = map(folder.path(), &grid, &pixels);
    let polygons = folder.path().join("polygons.gpkg");
    vectorize(&map, &polygons, &VectorizeOptions::default()).unwrap();
    let again = folder.path().join("again.tif");
    let spec = RasterizeSpec {
        layer: Some("polygons".into()),
        field: Some("class_id".into()),
        background: 9,
        ignore: 9,
        ..RasterizeSpec::new(polygons)
    };
    rasterize(&spec, &grid, &again, &classes(FOREST), false).unwrap();
    let dataset = Dataset::open(&again).unwrap();
    assert_eq!(dataset.rasterband(1).unwrap().read_band_as::<u8>().unwrap().data(), pixels);
    assert_eq!(dataset.metadata_item("LAYOUT", "IMAGE_STRUCTURE").as_deref(), Some("COG"));
}

fn entries(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A map of 16-bit classes; 65535 is nodata.
fn wide_map(folder: &Path, grid: &Grid, values: &[u16]) -> PathBuf {
    let path = folder.join("wide.tif");
    let options = CogOptions { nodata: Some(65_535.0), ..CogOptions::new(DType::U16, 1) };
    let mut writer = CogWriter::create(&path, grid, &options).unwrap();
    writer.write(grid.window(), 0, Samples::U16(values)).unwrap();
    writer.finish().unwrap();
    path
}

fn total_area(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.2).sum()
}

#[test]
fn sixty_five_thousand_classes() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(256, 256);
    let values: Vec<u16> = (0..=65_535).collect();
    let map = wide_map(folder.path(), &grid, &values);
    for name in ["polygons.gpkg", "polygons.fgb"] {
        let out = folder.path().join(name);
        let summary = vectorize(&map, &out, &VectorizeOptions::default()).unwrap();
        assert_eq!((summary.polygons, summary.classes.len()), (65_535, 65_535));
        assert_eq!((summary.classes[65_534].value, summary.classes[65_534].name.as_str()), (65_534, "65534"));
    }
}

#[test]
fn any_grid_keeps_its_area() {
    let folder = tempfile::tempdir().unwrap();
    let utm = |transform| Grid { transform: Affine(transform), ..grid(6, 4) };
    let lonlat = |transform| Grid { crs: Some(Crs::from_user("EPSG:4326").unwrap()), ..utm(transform) };
    let grids = [
        // Turned by 30 degrees; sheared; south up; both poles in one column of pixels; the pixel beside the pole alone.
        utm([330_000.0, 8.66, 5.0, 5_822_040.0, 5.0, -8.66]),
        utm([330_000.0, 10.0, 3.0, 5_822_040.0, 0.0, -10.0]),
        utm([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, 10.0]),
        lonlat([-180.0, 60.0, 0.0, 90.0, 0.0, -45.0]),
        lonlat([10.0, 0.001, 0.0, 90.0, 0.0, -0.001]),
    ];
    for grid in grids {
        let map = map(folder.path(), &grid, &SMALL.map(|value| if value == 9 { 2 } else { value }));
        let expected = grid.area_m2(grid.window()).unwrap();
        for options in [
            VectorizeOptions { overwrite: true, ..Default::default() },
            VectorizeOptions { overwrite: true, simplify_m: 12.0, smooth: 1, ..Default::default() },
        ] {
            let out = folder.path().join("polygons.gpkg");
            vectorize(&map, &out, &options).unwrap();
            let total = total_area(&rows(&out));
            // Pixels of 45 degrees are no rectangles: what is cut from one is not what another gets.
            let exact = if options.smooth > 0 && grid.transform.0[5] < -1.0 && grid.transform.0[1] == 60.0 {
                0.01
            } else {
                1e-6
            };
            // Files tell areas to the thousandth of a square metre.
            assert!((total - expected).abs() < exact * expected + 0.01, "{total} {expected} of {grid:?}");
            let dataset = Dataset::open(&out).unwrap();
            assert!(dataset.layer(0).unwrap().features().all(|feature| feature.geometry().unwrap().is_valid()));
        }
        std::fs::remove_file(map).unwrap();
    }
}

#[test]
fn single_pixels_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height, pixels, polygons) in [
        (1, 1, &[1][..], 1),
        (5, 1, &[1, 2, 2, 0, 1], 4),
        (1, 5, &[1, 2, 2, 0, 1], 4),
        (3, 3, &[1, 0, 1, 0, 1, 0, 1, 0, 1], 9),
        (3, 3, &[1, 1, 1, 1, 1, 1, 1, 1, 1], 1),
    ] {
        let grid = grid(width, height);
        let map = map(folder.path(), &grid, pixels);
        for (simplify_m, smooth) in [(0.0, 0), (1000.0, 0), (0.0, 3)] {
            let out = folder.path().join("polygons.fgb");
            let options = VectorizeOptions { overwrite: true, simplify_m, smooth, ..Default::default() };
            assert_eq!(vectorize(&map, &out, &options).unwrap().polygons, polygons);
            let expected = grid.area_m2(grid.window()).unwrap();
            assert!((total_area(&rows(&out)) / expected - 1.0).abs() < 1e-5);
        }
        std::fs::remove_file(map).unwrap();
    }
}

#[test]
fn cleaned_simplified_and_smoothed_polygons_tile_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(90, 70);
    let pixels: Vec<u8> = (0..90 * 70)
        .map(|i| if i % 37 == 0 { 2 } else { [0, 1, 2, 1, 0][(i % 90 / 7 * 3 + i / 90 / 5 + i * i / 4000) % 5] })
        .collect();
    let map = map(folder.path(), &grid, &pixels);
    let run = |name: &str, options: VectorizeOptions| {
        let out = folder.path().join(name);
        let summary = vectorize(&map, &out, &options).unwrap();
        let rows = rows(&out);
        let expected = grid.area_m2(grid.window()).unwrap();
        assert!((total_area(&rows) / expected - 1.0).abs() < 1e-6, "{name}");
        (summary.polygons, rows.iter().map(|row| row.4.matches(',').count()).sum::<usize>())
    };
    let (plain, vertices) = run("plain.gpkg", VectorizeOptions::default());
    let clean = vec![
        Cleaning::Majority { radius: 1 },
        Cleaning::Close { label: 1, radius: 1 },
        Cleaning::Open { label: 2, radius: 1 },
        Cleaning::FillHoles { pixels: 10 },
        Cleaning::Sieve { pixels: 20 },
    ];
    let (sieved, fewer) = run("clean.gpkg", VectorizeOptions { clean: clean.clone(), ..Default::default() });
    assert!(sieved * 2 < plain && fewer < vertices, "{sieved} of {plain}");
    for method in [SimplifyMethod::Visvalingam, SimplifyMethod::DouglasPeucker] {
        let options = VectorizeOptions { simplify_m: 15.0, simplify_method: method, ..Default::default() };
        let (same, simple) = run(&format!("{method:?}.gpkg"), options);
        assert!(same == plain && simple < vertices, "{method:?}: {simple} of {vertices}");
    }
    let options = VectorizeOptions { clean, simplify_m: 15.0, smooth: 2, ..Default::default() };
    assert_eq!(run("smooth.gpkg", options).0, sieved);
}

#[test]
fn buildings_get_right_angles_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(90, 70);
    // Two houses, turned by half a radian, in a meadow, and a pond.
    let house = |at: usize, col: f64, row: f64| {
        let (x, y) = ((at % 90) as f64 + 0.5 - col, (at / 90) as f64 + 0.5 - row);
        let (u, v) = (x * 0.5f64.cos() + y * 0.5f64.sin(), y * 0.5f64.cos() - x * 0.5f64.sin());
        u.abs() < 14.0 && v.abs() < 8.0
    };
    let pond = |at: usize| ((at % 90) as f64 - 65.0).hypot((at / 90) as f64 - 50.0) < 12.0;
    let class = |at| if house(at, 22.0, 20.0) || house(at, 60.0, 20.0) { 1 } else { u8::from(pond(at)) * 2 };
    let pixels: Vec<u8> = (0..90 * 70).map(class).collect();
    let map = map(folder.path(), &grid, &pixels);
    let (walls, mesh) = (RightAngleMethod::Walls, RightAngleMethod::Mesh);
    for (simplify_m, smooth, right_angle_method) in [(0.0, 0, walls), (15.0, 1, walls), (0.0, 0, mesh)] {
        let out = folder.path().join("polygons.gpkg");
        let right_angles = vec![(1, 10.0), (2, 10.0)];
        let overwrite = true;
        let options =
            VectorizeOptions { right_angles, right_angle_method, simplify_m, smooth, overwrite, ..Default::default() };
        vectorize(&map, &out, &options).unwrap();
        let dataset = Dataset::open(&out).unwrap();
        let mut layer = dataset.layer(0).unwrap();
        let status = layer.defn().field_index("status").unwrap();
        let mut found: Vec<(i32, String, usize)> = layer
            .features()
            .map(|feature| {
                let class = feature.field_as_integer(0).unwrap().unwrap();
                let ring = feature.geometry().unwrap().get_geometry(0).point_count();
                (class, feature.field_as_string(status).unwrap().unwrap(), if class == 1 { ring } else { 0 })
            })
            .collect();
        found.sort();
        let expected = [(0, "", 0), (1, "squared", 5), (1, "squared", 5), (2, "round", 0)];
        assert_eq!(found, expected.map(|(class, status, ring)| (class, status.to_owned(), ring)));
    }
}
