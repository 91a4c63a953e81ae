//! What `info` tells, held against known arrays and against GDAL's own programs.

use swath_geo::{InfoOptions, Scene, SceneInfo, info};

use crate::files::{Recipe, copy_as, data, gdal_program, geotiff, noise};

const EXACT: InfoOptions = InfoOptions { exact: true };

fn close(left: Option<f64>, right: f64) -> bool {
    left.is_some_and(|left| (left - right).abs() <= 1e-9 * (1.0 + right.abs()))
}

#[test]
fn statistics_equal_a_direct_computation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let (width, height) = (301, 203);
    let bands: Vec<Vec<u16>> =
        (1..=2).map(|seed| noise(seed, width * height, 50).iter().map(|&value| value as u16).collect()).collect();
    let recipe = Recipe { width, height, nodata: Some(7.0), options: &["TILED=YES"], ..Recipe::default() };
    geotiff(&path, &recipe, &bands);
    let scene = Scene::open_paths(&[&path]).unwrap();
    let info = info(&scene, &EXACT).unwrap();
    for (band, data) in info.bands.iter().zip(&bands) {
        let valid: Vec<f64> = data.iter().filter(|&&value| value != 7).map(|&value| f64::from(value)).collect();
        let mean = valid.iter().sum::<f64>() / valid.len() as f64;
        let variance = valid.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / valid.len() as f64;
        assert_eq!((band.stats.min, band.stats.max), (Some(0.0), Some(49.0)));
        assert_eq!(band.stats.valid, valid.len() as u64);
        assert!(close(band.stats.mean, mean) && close(band.stats.std, variance.sqrt()), "{:?}", band.stats);
    }
    let both = bands[0].iter().zip(&bands[1]).filter(|&(&a, &b)| a != 7 && b != 7).count();
    let share = both as f64 / (width * height) as f64;
    assert!((info.valid_share - share).abs() < 1e-12);
    // 10 m pixels near 12.5 degrees east in zone 33: the scale is close to 0.99995.
    let area = info.area_km2.unwrap();
    assert!((area / ((width * height) as f64 * 1e-4) - 1.0).abs() < 1e-3, "{area}");
    assert!((info.valid_area_km2.unwrap() / area - share).abs() < 1e-6);
    assert_eq!((info.gsd_m, info.approximate), (Some([10.0, 10.0]), false));
    assert_eq!(info.crs.as_ref().unwrap().authority.as_deref(), Some("EPSG:32633"));
    assert_eq!(info.files[0].block, [256, 256]);
    assert!(serde_json::to_string(&info).unwrap().contains("\"valid_share\""));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no file appears beside the input");
}

#[test]
fn large_scenes_are_sampled_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ramp.tif");
    let (width, height) = (3000, 1500);
    let ramp: Vec<f32> = (0..width * height).map(|index| (index % width) as f32).collect();
    geotiff(&path, &Recipe { width, height, ..Recipe::default() }, &[ramp]);
    let scene = Scene::open_paths(&[&path]).unwrap();
    let exact = info(&scene, &EXACT).unwrap();
    assert!(close(exact.bands[0].stats.mean, 1499.5) && !exact.approximate);
    let quick = info(&scene, &InfoOptions::default()).unwrap();
    assert!(quick.approximate && quick.sampled == 1000 * 500, "{:?}", quick.sampled);
    assert!((quick.bands[0].stats.mean.unwrap() - 1499.5).abs() < 3.0);
    assert!((quick.valid_area_km2.unwrap() / exact.valid_area_km2.unwrap() - 1.0).abs() < 1e-6);
}

#[test]
fn nothing_is_written_beside_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("in");
    std::fs::create_dir(&inside).unwrap();
    let tiff = folder.path().join("a.tif");
    let recipe = Recipe { nodata: Some(3.0), ..Recipe::default() };
    geotiff(&tiff, &recipe, &[noise(1, 48, 9).iter().map(|&value| value as u8).collect::<Vec<_>>()]);
    for (driver, name) in
        [("PNG", "a.png"), ("JPEG", "a.jpg"), ("GTiff", "a.tif"), ("VRT", "a.vrt"), ("JP2OpenJPEG", "a.jp2")]
    {
        let Ok(driver) = gdal::DriverManager::get_driver_by_name(driver) else { continue };
        let path = inside.join(name);
        copy_as(&driver, &tiff, &path);
        let sidecar = inside.join(format!("{name}.aux.xml"));
        let told = std::fs::read(&sidecar).ok();
        let scene = Scene::open_paths(&[&path]).unwrap();
        assert!(info(&scene, &EXACT).unwrap().bands[0].stats.mean.is_some());
        assert_eq!(std::fs::read(&sidecar).ok(), told, "{name}");
        // What a sidecar tells counts: PNG and JPEG have no other place for CRS and nodata.
        assert_eq!(scene.grid().gsd(), Some((10.0, 10.0)), "{name}");
        assert_eq!(scene.bands()[0].nodata, Some(3.0), "{name}");
    }
    let known = ["a.png", "a.jpg", "a.tif", "a.vrt", "a.jp2"].map(String::from);
    for entry in std::fs::read_dir(&inside).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.replace(".aux.xml", "").replace(".wld", "")), "{name}");
    }
}

#[test]
fn a_huge_scene_without_overviews_costs_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.vrt");
    let tile = folder.path().join("tile.tif");
    let ramp: Vec<u8> = (0..256 * 256).map(|index| (index % 256) as u8).collect();
    geotiff(&tile, &Recipe { width: 256, height: 256, ..Recipe::default() }, &[ramp]);
    // One tile stretched over 400 gigapixels.
    let text = r#"<VRTDataset rasterXSize="640000" rasterYSize="640000"><VRTRasterBand dataType="Byte" band="1">
        <SimpleSource><SourceFilename relativeToVRT="1">tile.tif</SourceFilename><SourceBand>1</SourceBand>
        <SrcRect xOff="0" yOff="0" xSize="256" ySize="256"/><DstRect xOff="0" yOff="0" xSize="640000" ySize="640000"/>
        </SimpleSource></VRTRasterBand></VRTDataset>"#;
    std::fs::write(&path, text).unwrap();
    let info = info(&Scene::open_paths(&[&path]).unwrap(), &InfoOptions::default()).unwrap();
    assert_eq!(info.sampled, 1 << 20);
    assert!((info.bands[0].stats.mean.unwrap() - 127.5).abs() < 0.5, "{:?}", info.bands[0].stats);
}

#[test]
fn an_empty_scene_has_no_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.tif");
    geotiff(&path, &Recipe { nodata: Some(0.0), ..Recipe::default() }, &[vec![0u8; 48]]);
    let info = info(&Scene::open_paths(&[&path]).unwrap(), &EXACT).unwrap();
    assert_eq!((info.valid_share, info.bands[0].stats.mean), (0.0, None));
}

#[test]
fn statistics_equal_gdalinfo() {
    let Some(folder) = data("statistics_equal_gdalinfo") else { return };
    let copy = tempfile::tempdir().unwrap();
    for file in ["nc_landsat7/lsat7_2000_10.tif", "havelland/IMG_DATA/T33UUU_20170216T102101_B01.jp2"] {
        // GDAL leaves its statistics beside the file.
        let path = copy.path().join(file.rsplit('/').next().unwrap());
        std::fs::copy(folder.join(file), &path).unwrap();
        let Some(json) = gdal_program("gdalinfo", &["-json", "-stats", path.to_str().unwrap()]) else { return };
        let theirs: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let ours: SceneInfo = info(&Scene::open_paths(&[&path]).unwrap(), &EXACT).unwrap();
        let (band, stats) = (&theirs["bands"][0], &ours.bands[0].stats);
        for (key, value) in
            [("minimum", stats.min), ("maximum", stats.max), ("mean", stats.mean), ("stdDev", stats.std)]
        {
            // gdalinfo rounds to three digits.
            assert!((band[key].as_f64().unwrap() - value.unwrap()).abs() < 6e-4, "{file} {key} {value:?} {band}");
        }
    }
}
