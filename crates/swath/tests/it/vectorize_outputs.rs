//! Polygons for a GIS: formats, choices and attributes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdal::Dataset;
use gdal::vector::LayerAccess;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;
use swath::Error;
use swath::vectorize::{Cleaning, LineOptions, VectorizeOptions, centerlines, vectorize};
use swath_geo::{Affine, CogOptions, CogWriter, Crs, DType, GeoError, Grid, Samples};
use swath_vector::VectorError;

use crate::maps::{SMALL, classes, grid, written};

/// A map of land, forest and water with the given rows; 9 is nodata.
fn map(folder: &Path, grid: &Grid, rows: &[u8]) -> PathBuf {
    let mut options = CogOptions::labels(&classes("forest"), Some(9));
    options.metadata =
        [("SWATH_SCENE", "T33UUU"), ("SWATH_BUNDLE", "winter")].map(|(k, v)| (k.into(), v.into())).into();
    written(folder, grid, &options, rows)
}

/// Confidence of a tenth in the first column, two tenths in the second and so on; the last row has none.
fn confidence(folder: &Path, grid: &Grid, bytes: bool) -> PathBuf {
    let path = folder.join(if bytes { "bytes.tif" } else { "floats.tif" });
    let tenths = |at: usize| (at % grid.width + 1) as f32 / 10.0;
    let last = (grid.height - 1) * grid.width;
    let count = grid.width * grid.height;
    let (dtype, nodata) = if bytes { (DType::U8, 255.0) } else { (DType::F32, f64::NAN) };
    let mut options = CogOptions { nodata: Some(nodata), overwrite: true, ..CogOptions::new(dtype, 1) };
    if bytes {
        options.metadata.push(("SWATH_ENCODING".into(), "0 to 254 stand for 0 to 1; 255 is no data".into()));
    }
    let mut writer = CogWriter::create(&path, grid, &options).unwrap();
    if bytes {
        let values: Vec<u8> =
            (0..count).map(|at| if at < last { (tenths(at) * 254.0).round() as u8 } else { 255 }).collect();
        writer.write(grid.window(), 0, Samples::U8(&values)).unwrap();
    } else {
        let values: Vec<f32> = (0..count).map(|at| if at < last { tenths(at) } else { f32::NAN }).collect();
        writer.write(grid.window(), 0, Samples::F32(&values)).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// The values of some fields of all features, as texts.
fn fields(path: &Path, names: &[&str]) -> Vec<Vec<String>> {
    let dataset = Dataset::open(path).unwrap();
    let mut layer = dataset.layer(0).unwrap();
    let indices: Vec<usize> = names.iter().map(|name| layer.defn().field_index(name).unwrap()).collect();
    let text = |feature: &gdal::vector::Feature<'_>, index: usize| {
        feature.field_as_string(index).unwrap().unwrap_or("-".into())
    };
    layer.features().map(|feature| indices.iter().map(|&index| text(&feature, index)).collect()).collect()
}

fn vectorized(map: &Path, name: &str, options: VectorizeOptions) -> PathBuf {
    let out = map.with_file_name(name);
    vectorize(map, &out, &VectorizeOptions { overwrite: true, ..options }).unwrap();
    out
}

#[test]
fn geoparquet_says_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let map = map(folder.path(), &grid, &SMALL);
    let sure = confidence(folder.path(), &grid, false);
    let out = vectorized(&map, "polygons.parquet", VectorizeOptions { confidence: Some(sure), ..Default::default() });
    let reader = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
    let file = reader.metadata().file_metadata();
    let geo = file.key_value_metadata().unwrap().iter().find(|item| item.key == "geo").unwrap();
    let geo: Value = serde_json::from_str(geo.value.as_ref().unwrap()).unwrap();
    assert_eq!((&geo["version"], &geo["primary_column"]), (&"1.1.0".into(), &"geometry".into()));
    let column = &geo["columns"]["geometry"];
    assert_eq!(column["encoding"], "WKB");
    assert_eq!(column["geometry_types"], serde_json::json!(["Polygon"]));
    assert_eq!(column["orientation"], "counterclockwise");
    assert_eq!(column["crs"]["id"]["code"], 32633);
    assert_eq!(column["bbox"], serde_json::json!([330_000.0, 5_822_000.0, 330_060.0, 5_822_040.0]));
    assert_eq!(column["covering"]["bbox"]["ymax"], serde_json::json!(["bbox", "ymax"]));
    let names: Vec<&str> = file.schema_descr().root_schema().get_fields().iter().map(|field| field.name()).collect();
    let attributes =
        ["class_id", "class", "area_m2", "perimeter_m", "n_pixels", "touches_edge", "conf_mean", "conf_p10"];
    assert_eq!(names, [&["id"], &attributes[..], &["source", "model", "geometry", "bbox"]].concat());
    // GDAL reads the same features from another format.
    let twin = vectorized(&map, "polygons.gpkg", VectorizeOptions::default());
    let dataset = Dataset::open(twin).unwrap();
    let mut layer = dataset.layer(0).unwrap();
    for (row, feature) in reader.get_row_iter(None).unwrap().zip(layer.features()) {
        let row = row.unwrap();
        assert_eq!(row.get_long(0).unwrap() as u64, feature.fid().unwrap());
        assert_eq!(i64::from(row.get_int(1).unwrap()), feature.field_as_integer64(0).unwrap().unwrap());
        assert_eq!(*row.get_string(2).unwrap(), feature.field_as_string(1).unwrap().unwrap());
        assert_eq!(row.get_double(3).unwrap(), feature.field_as_double(2).unwrap().unwrap());
        let geometry = gdal::vector::Geometry::from_wkb(row.get_bytes(11).unwrap().data()).unwrap();
        assert_eq!(geometry.wkt().unwrap(), feature.geometry().unwrap().wkt().unwrap());
        let (envelope, bbox) = (geometry.envelope(), row.get_group(12).unwrap());
        let sides: Vec<f64> = (0..4).map(|side| bbox.get_double(side).unwrap()).collect();
        assert_eq!(sides, [envelope.MinX, envelope.MinY, envelope.MaxX, envelope.MaxY]);
    }
    assert_eq!(file.num_rows(), 5);
}

#[test]
fn geoparquet_without_a_crs_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &Grid::plain(6, 4), &SMALL);
    let out = vectorized(&map, "polygons.parquet", VectorizeOptions { merge: true, ..Default::default() });
    let reader = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
    let items = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let geo: Value =
        serde_json::from_str(items.iter().find(|item| item.key == "geo").unwrap().value.as_ref().unwrap()).unwrap();
    let column = geo["columns"]["geometry"].as_object().unwrap();
    assert!(column["crs"].is_null() && column.contains_key("crs"), "a missing CRS would mean longitude and latitude");
    assert_eq!(column["geometry_types"], serde_json::json!(["MultiPolygon"]));
    // Rows that grow downwards mirror the ground: in its own plane such a grid has its rings the other way.
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let geometry = gdal::vector::Geometry::from_wkb(row.get_bytes(10).unwrap().data()).unwrap();
    let mut ring = Vec::new();
    geometry.get_geometry(0).get_geometry(0).get_points(&mut ring);
    let doubled: f64 = ring.windows(2).map(|pair| pair[0].0 * pair[1].1 - pair[1].0 * pair[0].1).sum();
    assert!(doubled > 0.0, "outer rings run counterclockwise");
}

#[test]
fn many_features_make_many_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(300, 300);
    let pixels: Vec<u8> = (0..300 * 300).map(|at| ((at % 300 + at / 300) % 3) as u8).collect();
    let map = map(folder.path(), &grid, &pixels);
    let out = vectorized(&map, "polygons.parquet", VectorizeOptions::default());
    let reader = Arc::new(SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap());
    assert_eq!((reader.metadata().num_row_groups(), reader.metadata().file_metadata().num_rows()), (2, 90_000));
    let pixels: i64 = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().get_long(5).unwrap()).sum();
    assert_eq!(pixels, 90_000);
}

#[test]
fn confidence_is_that_of_the_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let map = map(folder.path(), &grid, &SMALL);
    for (bytes, simplify_m) in [(false, 0.0), (true, 0.0), (false, 5.0)] {
        let options = VectorizeOptions {
            confidence: Some(confidence(folder.path(), &grid, bytes)),
            simplify_m,
            ..Default::default()
        };
        let out = vectorized(&map, "polygons.gpkg", options);
        let mut found = fields(&out, &["class", "n_pixels", "conf_mean", "conf_p10", "source", "model"]);
        found.sort();
        for row in &mut found {
            assert_eq!(row.split_off(4), ["T33UUU", "winter"]);
            // Bytes and bins are right to a part in 254.
            for text in row.iter_mut().skip(2).filter(|text| *text != "-") {
                *text = format!("{:.2}", text.parse::<f64>().unwrap());
            }
        }
        // Without the last row: land has columns 1 to 4, 1, 4, 1, 4; the forests 2, 3, 2 and 6, 6; the water 3, and in the last row nothing.
        let expected = [
            ["forest", "2", "0.60", "0.60"],
            ["forest", "3", "0.23", "0.20"],
            ["land", "11", "0.25", "0.10"],
            ["water", "1", "0.30", "0.30"],
        ];
        assert_eq!(found[..4], expected);
        let water = fields(&out, &["n_pixels", "conf_mean"]);
        assert!(water.iter().any(|row| row[0] == "3" && row[1] == "-"), "no confidence in the last row: {water:?}");
    }
}

#[test]
fn confidence_has_to_be_one_on_the_same_grid() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let map = map(folder.path(), &grid, &SMALL);
    let refusal = |path: &Path| {
        let options = VectorizeOptions { confidence: Some(path.to_path_buf()), ..Default::default() };
        vectorize(&map, &folder.path().join("out.gpkg"), &options).unwrap_err().to_string()
    };
    assert!(refusal(&map).contains("whole numbers that do not say what they mean"));
    let moved = Grid { transform: Affine([330_010.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), ..grid.clone() };
    assert!(refusal(&confidence(folder.path(), &moved, false)).contains("does not lie on the map's grid"));
    let percent = folder.path().join("percent.tif");
    let mut writer = CogWriter::create(&percent, &grid, &CogOptions::new(DType::F32, 1)).unwrap();
    writer.write(grid.window(), 0, Samples::F32(&[90.0; 24])).unwrap();
    writer.finish().unwrap();
    assert!(refusal(&percent).contains("between 0 and 1"));
    assert!(!folder.path().join("out.gpkg").exists());
}

#[test]
fn chosen_classes_keep_their_polygons_and_others_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(folder.path(), &grid(6, 4), &SMALL);
    let keep = |only: Vec<u32>, simplify_m| VectorizeOptions { only: Some(only), simplify_m, ..Default::default() };
    for simplify_m in [0.0, 1.0] {
        let mut found = fields(&vectorized(&map, "a.gpkg", keep(vec![1, 2], simplify_m)), &["class", "n_pixels"]);
        found.sort();
        assert_eq!(found, [["forest", "2"], ["forest", "3"], ["water", "1"], ["water", "3"]]);
    }
    assert!(fields(&vectorized(&map, "a.gpkg", keep(vec![7], 0.0)), &["class"]).is_empty());
    // Cleaning still sees the others: the single pixel of water goes to the forest or the land around it.
    let clean = vec![Cleaning::Sieve { pixels: 2 }];
    let options = VectorizeOptions { only: Some(vec![2]), clean, ..Default::default() };
    assert_eq!(fields(&vectorized(&map, "a.gpkg", options), &["n_pixels"]), [["3"]]);
}

#[test]
fn merged_polygons_are_one_feature_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let map = map(folder.path(), &grid, &SMALL);
    let sure = confidence(folder.path(), &grid, false);
    for (eight_connected, simplify_m) in [(false, 0.0), (true, 0.0), (false, 5.0)] {
        let options = VectorizeOptions {
            merge: true,
            eight_connected,
            simplify_m,
            confidence: Some(sure.clone()),
            ..Default::default()
        };
        let out = vectorized(&map, "merged.gpkg", options);
        let found = fields(&out, &["class", "n_pixels", "n_polygons", "conf_mean", "conf_p10"]);
        let rounded = |text: &str| format!("{:.3}", text.parse::<f64>().unwrap());
        let found: Vec<Vec<String>> = found
            .into_iter()
            .map(|row| [row[..3].to_vec(), row[3..].iter().map(|text| rounded(text)).collect()].concat())
            .collect();
        // Forest: 2, 3, 2, 6 and 6 tenths. The tenth percentile is told to 1/255.
        let expected = [
            ["land", "11", "1", "0.250", "0.102"],
            ["forest", "5", "2", "0.380", "0.200"],
            ["water", "4", "2", "0.300", "0.302"],
        ];
        assert_eq!(found, expected);
        let dataset = Dataset::open(&out).unwrap();
        let mut layer = dataset.layer(0).unwrap();
        let valid = |feature: gdal::vector::Feature<'_>| {
            let geometry = feature.geometry().unwrap();
            geometry.is_valid() && geometry.geometry_name() == "MULTIPOLYGON"
        };
        assert!(layer.features().all(valid));
    }
    let both = VectorizeOptions { merge: true, right_angles: vec![(1, 5.0)], ..Default::default() };
    let error = vectorize(&map, &folder.path().join("both.gpkg"), &both).unwrap_err();
    assert!(matches!(&error, Error::Vector(VectorError::Argument(text)) if text.contains("a status each")), "{error}");
}

#[test]
fn clips_are_those_of_pixels_in_any_crs() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(6, 4);
    let map = map(folder.path(), &grid, &SMALL);
    // Columns 1 and 2 of the first three rows, and half a pixel more, in the map's CRS and in longitude and latitude.
    let corners = [(0.9, -1.0), (3.4, -1.0), (3.4, 3.4), (0.9, 3.4), (0.9, -1.0)];
    let world = corners.map(|(col, row)| grid.pixel_to_world(col, row));
    let write = |name: &str, crs: &str, points: &[(f64, f64)]| {
        let ring: Vec<String> = points.iter().map(|(x, y)| format!("[{x:.9},{y:.9}]")).collect();
        let text = format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"{crs}"}}}},"features":[{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}]}}"#,
            ring.join(",")
        );
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    // By gdaltransform -s_srs EPSG:32633 -t_srs EPSG:4326.
    let utm = write("utm.geojson", "urn:ogc:def:crs:EPSG::32633", &world);
    let from = Crs::from_user("EPSG:32633").unwrap();
    let spatial = |crs: &Crs| {
        gdal::spatial_ref::SpatialRef::from_wkt(crs.wkt()).map(|mut reference| {
            reference.set_axis_mapping_strategy(gdal::spatial_ref::AxisMappingStrategy::TraditionalGisOrder);
            reference
        })
    };
    let lonlat = Crs::from_user("OGC:CRS84").unwrap();
    let transform =
        gdal::spatial_ref::CoordTransform::new(&spatial(&from).unwrap(), &spatial(&lonlat).unwrap()).unwrap();
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = world.into_iter().unzip();
    transform.transform_coords(&mut x, &mut y, &mut []).unwrap();
    let degrees: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
    let lonlat = write("lonlat.geojson", "urn:ogc:def:crs:OGC:1.3:CRS84", &degrees);
    for clip in [utm, lonlat] {
        let out = vectorized(&map, "clipped.gpkg", VectorizeOptions { clip: Some(clip), ..Default::default() });
        let mut found = fields(&out, &["class", "n_pixels"]);
        found.sort();
        assert_eq!(found, [["forest", "3"], ["land", "2"], ["water", "1"]]);
    }
    // Two squares of one ring, which touches itself where they meet by a corner.
    let pair = [(0.0, 0.0), (2.0, 0.0), (2.0, 4.0), (4.0, 4.0), (4.0, 2.0), (2.0, 2.0), (0.0, 2.0), (0.0, 0.0)];
    let pair = pair.map(|(col, row)| grid.pixel_to_world(col, row));
    let clip = Some(write("pair.geojson", "urn:ogc:def:crs:EPSG::32633", &pair));
    let mut found =
        fields(&vectorized(&map, "pair.gpkg", VectorizeOptions { clip, ..Default::default() }), &["class", "n_pixels"]);
    found.sort();
    let expected = [["forest", "1"], ["land", "1"], ["land", "1"], ["land", "3"], ["water", "1"], ["water", "1"]];
    assert_eq!(found, expected);
    let refusal = |path: PathBuf| {
        let options = VectorizeOptions { clip: Some(path), ..Default::default() };
        vectorize(&map, &folder.path().join("none.gpkg"), &options).unwrap_err()
    };
    let far = write("far.geojson", "urn:ogc:def:crs:OGC:1.3:CRS84", &[(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 1.0)]);
    assert!(refusal(far).to_string().contains("none of its polygons touches the map"));
    let empty = folder.path().join("empty.geojson");
    std::fs::write(&empty, r#"{"type":"FeatureCollection","features":[]}"#).unwrap();
    assert!(refusal(empty).to_string().contains("no features"));
    assert!(matches!(refusal(folder.path().join("missing.gpkg")), Error::Geo(GeoError::Open { .. })));
}

#[test]
fn roads_become_lines_with_length_and_width() {
    let folder = tempfile::tempdir().unwrap();
    let grid = grid(120, 90);
    // A road of 5 pixels from edge to edge, and one of 3 that leads to it from somewhere below; land around, and a lake as wide as long.
    let class = |at: usize| match (at % 120, at / 120) {
        (_, 30..35) => 2,
        (60..63, 35..80) => 2,
        (90..115, 50..75) => 2,
        _ => 0,
    };
    let pixels: Vec<u8> = (0..120 * 90).map(class).collect();
    let map = map(folder.path(), &grid, &pixels);
    for (name, widest) in [("lines.gpkg", Some(100.0)), ("lines.parquet", None)] {
        let out = folder.path().join(name);
        let options = LineOptions { classes: vec![(2, widest)], ..Default::default() };
        let summary = centerlines(&map, &out, &options).unwrap();
        if widest.is_none() {
            // The lake is less than 40 pixels wide, but no longer than wide.
            assert_eq!(summary.lines, 3);
            let reader = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
            assert_eq!(reader.metadata().file_metadata().num_rows(), 3);
            continue;
        }
        let mut found: Vec<(f64, f64)> = fields(&out, &["length_m", "width_m"])
            .iter()
            .map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap()))
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut edges = fields(&out, &["width_m", "touches_edge"]);
        edges.sort();
        assert_eq!(edges.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["0", "1", "1"]);
        // From below up to the wide road's middle, and from one edge to the middle of the crossing, and from there to the other edge.
        for ((length, width), (long, wide)) in found.iter().zip([(475.0, 30.0), (585.0, 50.0), (615.0, 50.0)]) {
            assert!((length - long).abs() < 15.0 && (width - wide).abs() < 3.0, "{found:?}");
        }
        assert_eq!((found.len() as u64, summary.lines), (3, 3));
        assert!((summary.length_m - found.iter().map(|line| line.0).sum::<f64>()).abs() < 0.01);
        let dataset = Dataset::open(&out).unwrap();
        let style = dataset
            .layer_by_name("layer_styles")
            .unwrap()
            .features()
            .next()
            .map(|style| style.field_as_string(style.field_index("styleQML").unwrap()).unwrap().unwrap());
        assert!(style.unwrap().contains("SimpleLine"));
    }
    let refusal = |widest| {
        let options = LineOptions { classes: vec![(2, Some(widest))], ..Default::default() };
        centerlines(&map, &folder.path().join("none.gpkg"), &options).unwrap_err().to_string()
    };
    assert!(refusal(1.0).contains("give 1 to 512 pixels") && refusal(1e6).contains("give 1 to 512 pixels"));
}

#[test]
fn widths_of_roads_are_those_on_the_ground() {
    let folder = tempfile::tempdir().unwrap();
    // Six columns are as wide as two rows are high: 60 metres, and some more in degrees.
    let places = [
        ("EPSG:32633", [330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -30.0], 60.0),
        ("EPSG:4326", [15.0, 0.0002, 0.0, 60.0135, 0.0, -0.0003], 66.9),
    ];
    let class = |at: usize| match (at % 60, at / 60) {
        (0..30, 30..32) | (40..46, 0..80) => 2,
        _ => 0,
    };
    let pixels: Vec<u8> = (0..60 * 90).map(class).collect();
    for (crs, transform, wide) in places {
        let crs = Some(Crs::from_user(crs).unwrap());
        let grid = Grid { crs, transform: Affine(transform), width: 60, height: 90 };
        let map = map(folder.path(), &grid, &pixels);
        let out = folder.path().join("lines.gpkg");
        for (widest, count) in [(Some(40.0), 0), (Some(64.0), 2), (None, 2)] {
            let options = LineOptions { classes: vec![(2, widest)], overwrite: true, ..Default::default() };
            assert_eq!(centerlines(&map, &out, &options).unwrap().lines, count, "up to {widest:?}");
            for row in fields(&out, &["width_m"]) {
                let width: f64 = row[0].parse().unwrap();
                assert!((width - wide).abs() < 0.5, "{width} of {wide}");
            }
        }
        std::fs::remove_file(&map).unwrap();
    }
}

#[test]
fn geojson_is_cut_at_the_antimeridian() {
    let folder = tempfile::tempdir().unwrap();
    let places = [
        ("EPSG:4326", [179.0, 0.1, 0.0, -16.0, 0.0, -0.1]),
        ("EPSG:32601", [100_000.0, 20_000.0, 0.0, 8_000_000.0, 0.0, -20_000.0]),
    ];
    for (crs, transform) in places {
        let crs = Some(Crs::from_user(crs).unwrap());
        let grid = Grid { crs, transform: Affine(transform), width: 20, height: 10 };
        let map = map(folder.path(), &grid, &[1; 200]);
        let out = vectorized(&map, "polygons.geojson", VectorizeOptions::default());
        std::fs::remove_file(&map).unwrap();
        let json: Value = serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
        let geometry = &json["features"][0]["geometry"];
        assert_eq!(geometry["type"], "MultiPolygon");
        for part in geometry["coordinates"].as_array().unwrap() {
            let longitudes: Vec<f64> =
                part[0].as_array().unwrap().iter().map(|point| point[0].as_f64().unwrap()).collect();
            let side = longitudes[0].signum();
            assert!(longitudes.iter().all(|x| (170.0..=180.0).contains(&(x * side))), "{longitudes:?}");
        }
        let area = json["features"][0]["properties"]["area_m2"].as_f64().unwrap();
        assert!((area / grid.area_m2(grid.window()).unwrap() - 1.0).abs() < 1e-5, "{area}");
    }
}
