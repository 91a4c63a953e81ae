//! Vectors into labels, held against GDAL's own `gdal_rasterize` (fixtures/rasterize/make.sh).

use std::path::{Path, PathBuf};

use gdal::Dataset;
use proptest::prelude::*;
use swath_geo::{
    Affine, BurnOrder, BurnRule, ClassEntry, Crs, GeoError, Grid, LabelBurner, RasterizeSpec, Window, field_values,
    rasterize, read_map_classes, vector_layers,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rasterize").join(name)
}

fn grid() -> Grid {
    let crs = Crs::from_user("EPSG:32633").unwrap();
    Grid { crs: Some(crs), transform: Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), width: 40, height: 30 }
}

fn golden(name: &str) -> Vec<u16> {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with(' '));
    rows.flat_map(|row| row.split_whitespace().map(|value| value.parse().unwrap())).collect()
}

fn shapes() -> RasterizeSpec {
    RasterizeSpec { field: Some("value".into()), ..RasterizeSpec::new(fixture("shapes.geojson")) }
}

fn rule(class: u32, values: &[&str]) -> BurnRule {
    BurnRule { class, values: values.iter().map(|value| value.to_string()).collect(), layer: None }
}

fn burn(spec: &RasterizeSpec) -> Vec<u16> {
    LabelBurner::new(spec, &grid()).unwrap().burn(grid().window()).unwrap().data
}

fn count(labels: &[u16], value: u16) -> usize {
    labels.iter().filter(|&&label| label == value).count()
}

#[test]
fn burns_the_pixels_that_gdal_rasterize_burns() {
    assert_eq!(burn(&shapes()), golden("centre.asc"));
    assert_eq!(burn(&RasterizeSpec { all_touched: true, ..shapes() }), golden("touched.asc"));
    assert_eq!(burn(&RasterizeSpec { filter: Some("size > 1".into()), ..shapes() }), golden("filtered.asc"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_pixel_does_not_depend_on_its_window(
        col in -10isize..40, row in -10isize..30, width in 1usize..30, height in 1usize..30, all_touched: bool,
    ) {
        let expected = golden(if all_touched { "touched.asc" } else { "centre.asc" });
        let spec = RasterizeSpec { all_touched, ..shapes() };
        let window = Window::new(col, row, width, height);
        let labels = LabelBurner::new(&spec, &grid()).unwrap().burn(window).unwrap();
        for r in 0..height {
            for c in 0..width {
                let (gc, gr) = (col + c as isize, row + r as isize);
                let inside = grid().window().contains_pixel(gc, gr);
                let wanted = if inside { expected[gr as usize * 40 + gc as usize] } else { 255 };
                prop_assert_eq!(labels.get(0, r, c), wanted, "column {} row {}", gc, gr);
            }
        }
    }
}

#[test]
fn rules_name_classes_by_value() {
    let named = RasterizeSpec {
        field: Some("name".into()),
        rules: vec![rule(7, &["water", "far"]), rule(3, &["forest"])],
        background: 0,
        ..shapes()
    };
    let (labels, expected) = (burn(&named), burn(&RasterizeSpec { filter: Some("value < 3".into()), ..shapes() }));
    let translate = |value: u16| [3, 7, 0][[1, 2, 255].iter().position(|&v| v == value).unwrap()];
    assert!(labels.iter().zip(&expected).all(|(&label, &value)| label == translate(value)));

    // Every feature, and a rule that names some of them.
    let rest = RasterizeSpec { rules: vec![rule(1, &[]), rule(9, &["water"])], ..named.clone() };
    let labels = burn(&rest);
    assert_eq!(count(&labels, 9), count(&golden("centre.asc"), 2));
    // Numbers match however a field writes them.
    let real = RasterizeSpec { field: Some("value".into()), rules: vec![rule(5, &["2.0"])], ..named };
    assert_eq!(
        count(&burn(&real), 5),
        count(&burn(&RasterizeSpec { filter: Some("value = 2".into()), ..shapes() }), 2)
    );
}

#[test]
fn order_decides_overlaps() {
    // Pixel under water and forest: forest comes first in the file, so water wins there.
    let overlapping = 10 * 40 + 18;
    let only = |order| RasterizeSpec { filter: Some("value < 3".into()), order, ..shapes() };
    assert_eq!(burn(&only(BurnOrder::File))[overlapping], 2);
    assert_eq!(burn(&only(BurnOrder::ByField("size".into())))[overlapping], 1);
    // The first forest is larger than the water: the water stays on top.
    assert_eq!(burn(&only(BurnOrder::ByArea))[overlapping], 2);
    assert_eq!(burn(&only(BurnOrder::ByClass))[overlapping], 2);
    let swapped = |order| RasterizeSpec {
        field: Some("name".into()),
        rules: vec![rule(2, &["forest"]), rule(1, &["water"])],
        ..only(order)
    };
    assert_eq!(burn(&swapped(BurnOrder::ByClass))[overlapping], 2);
    assert_eq!(burn(&swapped(BurnOrder::File))[overlapping], 1);
}

#[test]
fn outside_the_area_of_interest_nothing_is_labelled() {
    let folder = tempfile::tempdir().unwrap();
    let aoi = folder.path().join("aoi.geojson");
    // Columns 10 to 19, rows 5 to 14, in UTM by the old member that GDAL still reads.
    let ring = "[[330100,5821990],[330200,5821990],[330200,5821890],[330100,5821890],[330100,5821990]]";
    std::fs::write(
        &aoi,
        format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"EPSG:32633"}}}},"features":[
            {{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}]}}"#
        ),
    )
    .unwrap();
    let everywhere = burn(&RasterizeSpec { background: 0, ..shapes() });
    let labels = burn(&RasterizeSpec { background: 0, aoi: Some(aoi), ..shapes() });
    for (pixel, (&label, &free)) in labels.iter().zip(&everywhere).enumerate() {
        let inside = (10..20).contains(&(pixel % 40)) && (5..15).contains(&(pixel / 40));
        assert_eq!(label, if inside { free } else { 255 }, "pixel {pixel}");
    }
}

#[test]
fn writes_labels_with_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("labels.tif");
    let classes = [
        ClassEntry { value: 1, name: "forest".into(), color: [0, 100, 0] },
        ClassEntry { value: 2, name: "water".into(), color: [0, 0, 255] },
    ];
    let summary = rasterize(&shapes(), &grid(), &out, &classes, false).unwrap();
    let expected = golden("centre.asc");
    let dataset = Dataset::open(&out).unwrap();
    let band = dataset.rasterband(1).unwrap();
    assert_eq!(band.band_type(), gdal::raster::GdalDataType::UInt8);
    assert_eq!(band.no_data_value(), Some(255.0));
    assert_eq!(band.read_band_as::<u16>().unwrap().data(), expected);
    assert_eq!(read_map_classes(&out).unwrap(), classes);
    assert_eq!((summary.burned, summary.outside, summary.skipped), (5, 1, 0));
    let values = [1, 2, 3, 4, 255].map(|value| (u32::from(value), count(&expected, value) as u64));
    assert_eq!(summary.pixels, values);
    assert!(matches!(rasterize(&shapes(), &grid(), &out, &classes, false), Err(GeoError::Exists { .. })));
    rasterize(&shapes(), &grid(), &out, &classes, true).unwrap();
}

#[test]
fn large_values_are_sixteen_bit() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("labels.tif");
    let spec = RasterizeSpec { field: None, rules: vec![rule(1000, &[])], background: 0, ignore: 65535, ..shapes() };
    rasterize(&spec, &grid(), &out, &[], false).unwrap();
    let data = Dataset::open(&out).unwrap().rasterband(1).unwrap().read_band_as::<u16>().unwrap();
    assert!(data.data().contains(&1000) && data.data().contains(&0));
}

#[test]
fn images_without_georeference_take_pixel_coordinates() {
    let folder = tempfile::tempdir().unwrap();
    let vector = folder.path().join("annotation.geojson");
    std::fs::write(
        &vector,
        r#"{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[1,1],[3,1],[3,2],[1,2],[1,1]]]}}"#,
    )
    .unwrap();
    let spec = RasterizeSpec { rules: vec![rule(1, &[])], background: 0, ..RasterizeSpec::new(vector) };
    let mut burner = LabelBurner::new(&spec, &Grid::plain(4, 3)).unwrap();
    let labels = burner.burn(Window::new(0, 0, 4, 3)).unwrap();
    assert_eq!(labels.data, [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn mistakes_are_named() {
    let fails = |spec: RasterizeSpec, grid: Grid| LabelBurner::new(&spec, &grid).unwrap_err().to_string();
    let far = Grid { transform: Affine([500_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), ..grid() };
    let text = fails(shapes(), far);
    assert!(text.contains("does not overlap") && text.contains("x 500000") && text.contains("x 330004"), "{text}");
    let text = fails(RasterizeSpec { field: Some("Value".into()), ..shapes() }, grid());
    assert!(text.contains("no field \"Value\"; fields: value, "), "{text}");
    let text = fails(RasterizeSpec { field: Some("name".into()), ..shapes() }, grid());
    assert!(text.contains("\"forest\" is no class number"), "{text}");
    let text = fails(RasterizeSpec { layer: Some("shape".into()), ..shapes() }, grid());
    assert!(text.contains("no layer \"shape\"; layers: shapes"), "{text}");
    let text = fails(RasterizeSpec { rules: vec![rule(1, &["77"])], ..shapes() }, grid());
    assert!(text.contains("none of its 6 features has a class; its values: 1, 2, 3, 4, 5"), "{text}");
    let text = fails(RasterizeSpec { filter: Some("value > 99".into()), ..shapes() }, grid());
    assert!(text.contains("no feature is left"), "{text}");
    let text = fails(RasterizeSpec { filter: Some("nonsense >".into()), ..shapes() }, grid());
    assert!(text.contains("takes no such condition") && text.contains("fields: name, value, size"), "{text}");
    let text = fails(RasterizeSpec { filter: Some("valu > 1".into()), ..shapes() }, grid());
    assert!(
        text.ends_with("the filter \"valu > 1\": layer \"shapes\" has no field \"valu\"; fields: value, name, size"),
        "{text}"
    );
    let text = fails(RasterizeSpec { field: None, ..shapes() }, grid());
    assert!(text.contains("name the attribute field"), "{text}");
    let text = fails(RasterizeSpec::new("/nowhere/shapes.gpkg"), grid());
    assert!(text.contains("name the attribute field") || text.contains("/nowhere/shapes.gpkg"), "{text}");
    let text = fails(RasterizeSpec { vector: "/nowhere/shapes.gpkg".into(), ..shapes() }, grid());
    assert!(text.contains("cannot open /nowhere/shapes.gpkg"), "{text}");
}

#[test]
fn layers_and_values_can_be_listed() {
    let layers = vector_layers(&fixture("shapes.geojson")).unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!((layers[0].name.as_str(), layers[0].features), ("shapes", 6));
    assert_eq!(layers[0].fields, ["name", "value", "size"]);
    assert!(layers[0].crs.as_ref().unwrap().is_geographic());
    let values = field_values(&fixture("shapes.geojson"), None, "name", Some("size > 0")).unwrap();
    let values: Vec<(&str, u64)> = values.iter().map(|(value, count)| (value.as_str(), *count)).collect();
    assert_eq!(values, [("far", 1), ("forest", 2), ("water", 1), ("well", 1)]);
}

#[test]
fn the_real_land_use_of_havelland_is_burned() {
    let Some(data) = std::env::var_os("SWATH_DATA").map(PathBuf::from) else {
        println!("skipped: SWATH_DATA does not name the folder with real imagery");
        return;
    };
    let vector = data.join("havelland/gis_osm_landuse-water_a_free_1_area-10000-to-500000.gpkg");
    let grid = Grid { width: 1536, height: 768, ..grid_of_havelland() };
    let rules = vec![rule(0, &["farm"]), rule(1, &["forest"]), rule(2, &["water"])];
    let spec = RasterizeSpec { field: Some("fclass".into()), rules, ..RasterizeSpec::new(vector) };
    let labels = LabelBurner::new(&spec, &grid).unwrap().burn(grid.window()).unwrap().data;
    let share = |value| count(&labels, value) as f64 / labels.len() as f64;
    // Shares of the published inventory of the sample.
    for (value, expected) in [(0, 0.096), (1, 0.050), (2, 0.0125)] {
        assert!((share(value) - expected).abs() < 0.003, "class {value}: {}", share(value));
    }
}

fn grid_of_havelland() -> Grid {
    let bands = std::env::var_os("SWATH_DATA").map(|data| PathBuf::from(data).join("havelland/IMG_DATA")).unwrap();
    let mut files = std::fs::read_dir(bands).unwrap().map(|entry| entry.unwrap().path());
    let ten_metres = files.find(|path| path.to_string_lossy().ends_with("_B02.jp2")).unwrap();
    let dataset = Dataset::open(ten_metres).unwrap();
    let (width, height) = dataset.raster_size();
    let crs = Crs::from_user(&dataset.projection()).unwrap();
    Grid { crs: Some(crs), transform: Affine(dataset.geo_transform().unwrap()), width, height }
}
