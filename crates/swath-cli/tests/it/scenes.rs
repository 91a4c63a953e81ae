//! `swath info` and `swath stack`.

use serde_json::Value;

use crate::site::{BANDS, SIZE, Site, grid, write_bytes};

#[test]
fn info_says_what_a_scene_is() {
    let site = Site::new();
    let text = site.swath("info scene.tif").done();
    for part in ["96 x 64 pixels, 2 bands", "EPSG:32633", "100.00 % of the pixels", "red", "nir", "Byte"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let json: Value = serde_json::from_str(&site.swath("info scene.tif --json").done()).unwrap();
    assert_eq!((json["width"].as_u64(), json["height"].as_u64()), (Some(96), Some(64)));
    assert_eq!(json["bands"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["valid_share"].as_f64(), Some(1.0));
}

#[test]
fn stack_joins_files_of_different_resolution() {
    let site = Site::new();
    let mut coarse = grid((SIZE.0 / 2, SIZE.1 / 2));
    coarse.transform.0[1] *= 2.0;
    coarse.transform.0[5] *= 2.0;
    write_bytes(&site.at("coarse.tif"), &coarse, &["swir"], |_, row, col| (row + col) as u8);
    for out in ["stacked.vrt", "stacked.tif"] {
        site.swath(&format!("stack {out} scene.tif coarse.tif")).done();
        let json: Value = serde_json::from_str(&site.swath(&format!("info {out} --json")).done()).unwrap();
        assert_eq!((json["width"].as_u64(), json["bands"].as_array().map(Vec::len)), (Some(96), Some(3)), "{out}");
    }
    site.refuses("stack stacked.tif scene.tif coarse.tif", 1, &["stacked.tif", "exists already", "--overwrite"]);
    site.swath("stack stacked.tif scene.tif --overwrite").done();
    site.refuses("stack scene.jpg scene.tif", 2, &["scene.jpg", ".vrt", ".tif"]);
    site.refuses("stack other.tif scene.tif --res=-3", 2, &["-3"]);
}

#[test]
fn scenes_that_cannot_be_are_refused() {
    let site = Site::new();
    site.refuses("info missing.tif", 1, &["missing.tif"]);

    let west = swath_geo::Grid { crs: Some(swath_geo::Crs::from_user("EPSG:32632").unwrap()), ..grid(SIZE) };
    write_bytes(&site.at("west.tif"), &west, &BANDS, |_, _, _| 1);
    site.refuses("info scene.tif west.tif", 1, &["scene.tif", "west.tif", "EPSG:32633", "EPSG:32632"]);
    site.refuses("stack both.tif scene.tif west.tif", 1, &["EPSG:32633", "EPSG:32632"]);

    std::fs::write(site.at("empty.vrt"), r#"<VRTDataset rasterXSize="8" rasterYSize="8"></VRTDataset>"#).unwrap();
    site.refuses("info empty.vrt", 1, &["empty.vrt", "band"]);
    std::fs::write(site.at("empty.tif"), "").unwrap();
    site.refuses("info empty.tif", 1, &["empty.tif"]);
}
