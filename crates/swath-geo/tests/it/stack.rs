//! Bands joined into one scene.

use std::path::{Path, PathBuf};

use gdal::{Dataset, Metadata};
use swath_geo::{Edge, GeoError, GridChoice, Pixels, Resampling, Scene, SceneSpec, Source, StackOptions, stack};

use crate::files::{Recipe, UTM_10M, data, entries, geotiff, geotiff_with, mask, noise};

const UTM_20M: [f64; 6] = [330_000.0, 20.0, 0.0, 5_822_040.0, 0.0, -20.0];

fn u16s(seed: u64, count: usize) -> Vec<u16> {
    noise(seed, count, 4000).into_iter().map(|value| value as u16 + 1).collect()
}

fn pixels(scene: &Scene) -> Pixels {
    scene.reader().unwrap().read(scene.grid().window(), Edge::Invalid).unwrap()
}

fn open(path: &Path) -> Scene {
    Scene::open_paths(&[path]).unwrap()
}

fn nearest() -> StackOptions {
    StackOptions { resampling: Resampling::Nearest, ..StackOptions::default() }
}

/// Two bands of 10 m and 20 m with Sentinel-2 names.
fn two_resolutions(folder: &Path) -> Vec<PathBuf> {
    let paths = ["T33UUU_20170216T102101_B08.tif", "T33UUU_20170216T102101_B11.tif"].map(|name| folder.join(name));
    geotiff(&paths[0], &Recipe::default(), &[u16s(1, 48)]);
    let coarse = Recipe { width: 4, height: 3, transform: Some(UTM_20M), ..Recipe::default() };
    geotiff(&paths[1], &coarse, &[u16s(2, 12)]);
    paths.to_vec()
}

#[test]
fn vrt_and_cog_hold_what_the_scene_shows() {
    let folder = tempfile::tempdir().unwrap();
    let bands = folder.path().join("bands");
    std::fs::create_dir(&bands).unwrap();
    let spec = SceneSpec::from_paths(&two_resolutions(&bands));
    for resampling in [Resampling::Nearest, Resampling::Bilinear] {
        let scene = Scene::open(&SceneSpec { resampling, ..spec.clone() }).unwrap();
        let expected = pixels(&scene);
        for name in ["scene.vrt", "scene.tif"] {
            let out = folder.path().join(name);
            let options = StackOptions { resampling, overwrite: true, ..StackOptions::default() };
            stack(&out, &spec, &options).unwrap();
            let stacked = open(&out);
            assert!(stacked.grid().same(scene.grid()));
            assert_eq!(stacked.bands().iter().map(|band| band.name.as_str()).collect::<Vec<_>>(), ["B08", "B11"]);
            assert_eq!(stacked.time().as_deref(), Some("2017-02-16T10:21:01"));
            let found = pixels(&stacked);
            assert_eq!(found.valid, expected.valid, "{name} {resampling:?}");
            for (index, (a, b)) in found.values.data.iter().zip(&expected.values.data).enumerate() {
                // Warping and resampled reading round halves differently.
                let tolerance = if resampling == Resampling::Nearest || index < 48 { 0.0 } else { 1.0 };
                assert!((a - b).abs() <= tolerance, "{name} {resampling:?} at {index}: {a} {b}");
            }
        }
    }
    assert_eq!(entries(folder.path()), ["bands", "scene.tif", "scene.vrt"]);
    let cog = Dataset::open(folder.path().join("scene.tif")).unwrap();
    assert_eq!(cog.metadata_item("LAYOUT", "IMAGE_STRUCTURE").as_deref(), Some("COG"));
    assert_eq!(cog.rasterband(2).unwrap().description().unwrap(), "B11");

    // Relative paths: the folder can move.
    let text = std::fs::read_to_string(folder.path().join("scene.vrt")).unwrap();
    assert!(text.contains(">bands/T33UUU_20170216T102101_B08.tif<") && !text.contains("relativeToVRT=\"0\""), "{text}");
}

#[test]
fn whatever_makes_pixels_invalid_stays_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Nodata, alpha, a mask, and a file that covers only a part.
    let with_nodata = Recipe { nodata: Some(7.0), ..Recipe::default() };
    let mut values = u16s(3, 48);
    values[5] = 7;
    values[6] = 0;
    geotiff(&path("nodata.tif"), &with_nodata, &[values]);
    let alpha = Recipe { options: &["ALPHA=YES"], ..Recipe::default() };
    let mut transparency = vec![65535u16; 48];
    transparency[11] = 0;
    geotiff(&path("alpha.tif"), &alpha, &[u16s(4, 48), transparency]);
    let flags: Vec<u8> = (0..48).map(|index| if index == 20 { 0 } else { 255 }).collect();
    geotiff_with(&path("mask.tif"), &Recipe::default(), &[u16s(5, 48)], |dataset| mask(dataset, &flags));
    let part = Recipe {
        width: 3,
        height: 2,
        transform: Some([330_020.0, 20.0, 0.0, 5_822_020.0, 0.0, -20.0]),
        ..Recipe::default()
    };
    geotiff(&path("part.tif"), &part, &[u16s(6, 6)]);

    for (case, names) in [
        ("nodata", &["nodata.tif"][..]),
        ("all", &["nodata.tif", "alpha.tif", "mask.tif", "part.tif"]),
        ("alpha", &["alpha.tif"]),
        ("part", &["mask.tif", "part.tif"]),
    ] {
        let paths: Vec<PathBuf> = names.iter().map(|name| path(name)).collect();
        let spec =
            SceneSpec { grid: GridChoice::First, resampling: Resampling::Nearest, ..SceneSpec::from_paths(&paths) };
        let expected = pixels(&Scene::open(&spec).unwrap());
        assert!(expected.valid.contains(&false) && expected.valid.contains(&true), "{case}");
        for extension in ["vrt", "tif"] {
            let out = folder.path().join(format!("stack_of_{case}.{extension}"));
            stack(&out, &spec, &StackOptions { align: GridChoice::First, ..nearest() }).unwrap();
            let found = pixels(&open(&out));
            assert_eq!(found.valid, expected.valid, "{case}.{extension}");
            assert_eq!(found.values, expected.values, "{case}.{extension}");
        }
    }
}

#[test]
fn nodata_values_that_differ_become_a_mask_in_a_geotiff() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.tif", "b.tif"].map(|name| folder.path().join(name));
    for (path, nodata) in paths.iter().zip([7.0, 9.0]) {
        let mut values = vec![7u16; 48];
        values[..24].fill(9);
        geotiff(path, &Recipe { nodata: Some(nodata), ..Recipe::default() }, &[values.clone()]);
    }
    let spec = SceneSpec::from_paths(&paths[..1]);
    let out = folder.path().join("one.tif");
    stack(&out, &spec, &nearest()).unwrap();
    assert_eq!(Dataset::open(&out).unwrap().rasterband(1).unwrap().no_data_value(), Some(7.0));

    // Values of one file are the other's nodata: nothing is valid in both.
    let half = folder.path().join("half.tif");
    let mut values = vec![1u16; 48];
    values[..8].fill(9);
    geotiff(&half, &Recipe { nodata: Some(9.0), ..Recipe::default() }, &[values]);
    let out = folder.path().join("both.tif");
    stack(&out, &SceneSpec::from_paths(&[&paths[0], &half]), &nearest()).unwrap();
    let found = pixels(&open(&out));
    let expected: Vec<bool> = (0..48).map(|pixel| (8..24).contains(&pixel)).collect();
    assert_eq!(found.valid, expected);
}

#[test]
fn other_crs_are_refused_or_take_a_part_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = two_resolutions(folder.path());
    let other = folder.path().join("other.tif");
    let degrees = Some([12.4940, 0.0003, 0.0, 52.5225, 0.0, -0.0003]);
    let values = noise(9, 100, 200).into_iter().map(|value| value as u8).collect();
    geotiff::<u8>(
        &other,
        &Recipe { width: 10, height: 10, transform: degrees, crs: Some("EPSG:4326"), ..Recipe::default() },
        &[values],
    );
    paths.push(other);
    let out = folder.path().join("scene.vrt");
    let spec = SceneSpec { grid: GridChoice::First, ..SceneSpec::from_paths(&paths) };
    let options = StackOptions { align: GridChoice::First, ..nearest() };
    let text = stack(&out, &spec, &options).unwrap_err().to_string();
    assert!(text.contains("EPSG:4326") && text.contains("EPSG:32633"), "{text}");
    assert_eq!(entries(folder.path()).len(), 3, "nothing is left behind");

    let allowed = SceneSpec { allow_reproject: true, ..spec };
    stack(&out, &allowed, &options).unwrap();
    assert_eq!(entries(folder.path()).len(), 5);
    let text = std::fs::read_to_string(folder.path().join("scene.part3.vrt")).unwrap();
    assert!(text.contains("<SourceDataset relativeToVRT=\"1\">other.tif<"), "{text}");
    let expected = pixels(&Scene::open(&SceneSpec { resampling: Resampling::Nearest, ..allowed.clone() }).unwrap());
    let found = pixels(&open(&out));
    assert!(expected.valid.contains(&true));
    assert_eq!(found, expected);
    let tif = folder.path().join("scene.tif");
    stack(&tif, &allowed, &options).unwrap();
    assert_eq!(pixels(&open(&tif)), expected);
}

#[test]
fn another_pixel_size() {
    let folder = tempfile::tempdir().unwrap();
    let fine = folder.path().join("fine.tif");
    let values: Vec<f32> = (0..48).map(|i| (i % 8 / 2 + i / 8 / 2 * 10) as f32).collect();
    geotiff(&fine, &Recipe::default(), &[values]);
    let out = folder.path().join("coarse.vrt");
    let options = StackOptions { res: Some(20.0), resampling: Resampling::Average, ..StackOptions::default() };
    stack(&out, &SceneSpec::from_paths(&[&fine]), &options).unwrap();
    let scene = open(&out);
    assert_eq!((scene.grid().width, scene.grid().height, scene.grid().transform.0), (4, 3, UTM_20M));
    assert_eq!(pixels(&scene).values.data, [0., 1., 2., 3., 10., 11., 12., 13., 20., 21., 22., 23.]);
    let nonsense = StackOptions { res: Some(-1.0), overwrite: true, ..options };
    assert!(matches!(stack(&out, &SceneSpec::from_paths(&[&fine]), &nonsense), Err(GeoError::Argument(_))));
}

#[test]
fn pansharpening_is_weighted_brovey() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let pan: Vec<f32> = u16s(11, 48).into_iter().map(f32::from).collect();
    // Whole numbers, while the bands to sharpen are not: GDAL must not round them.
    geotiff(&path("pan.tif"), &Recipe::default(), &[pan.iter().map(|&value| value as u16).collect()]);
    for (bands, weights) in [(2, Some(vec![0.25, 0.75])), (3, None), (6, None)] {
        let coarse = Recipe { width: 4, height: 3, transform: Some(UTM_20M), ..Recipe::default() };
        let ms: Vec<Vec<f32>> = (0..bands)
            .map(|band| u16s(20 + band, 12).into_iter().map(|value| f32::from(value) / 4000.0).collect())
            .collect();
        geotiff(&path("ms.tif"), &coarse, &ms);
        let share = weights.clone().unwrap_or(vec![1.0 / bands as f64; bands as usize]);
        let mut expected = Vec::new();
        for band in &ms {
            for (pixel, pan) in pan.iter().enumerate() {
                let below = pixel / 8 / 2 * 4 + pixel % 8 / 2;
                let pseudo: f64 = ms.iter().zip(&share).map(|(ms, share)| share * f64::from(ms[below])).sum();
                expected.push(f64::from(*pan) / pseudo * f64::from(band[below]));
            }
        }
        for name in ["sharp.vrt", "sharp.tif"] {
            let options = StackOptions {
                pansharpen: Some(path("pan.tif")),
                weights: weights.clone(),
                overwrite: true,
                ..nearest()
            };
            stack(&path(name), &SceneSpec::from_paths(&[path("ms.tif")]), &options).unwrap();
            let scene = open(&path(name));
            assert_eq!((scene.grid().transform.0, scene.bands().len()), (UTM_10M, bands as usize));
            for (found, expected) in pixels(&scene).values.data.iter().zip(&expected) {
                assert!((f64::from(*found) / expected - 1.0).abs() < 1e-5, "{name}: {found} {expected}");
            }
        }
    }
    let spec = SceneSpec::from_paths(&[path("ms.tif")]);
    let wrong =
        StackOptions { pansharpen: Some(path("pan.tif")), weights: Some(vec![1.0]), overwrite: true, ..nearest() };
    let text = stack(&path("sharp.vrt"), &spec, &wrong).unwrap_err().to_string();
    assert!(text.contains("1 weights are given for 6 bands"), "{text}");
    let wrong = StackOptions { pansharpen: Some(path("ms.tif")), weights: None, ..wrong };
    let text = stack(&path("sharp.vrt"), &spec, &wrong).unwrap_err().to_string();
    assert!(text.contains("a panchromatic file has one"), "{text}");
}

#[test]
fn pansharpening_respects_masks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    geotiff(&path("pan.tif"), &Recipe::default(), &[u16s(1, 48)]);
    // Covers the left half only.
    let left = Recipe { width: 2, height: 3, transform: Some(UTM_20M), ..Recipe::default() };
    geotiff(&path("ms.tif"), &left, &[u16s(2, 6), u16s(3, 6), u16s(4, 6)]);
    let options = StackOptions { pansharpen: Some(path("pan.tif")), ..nearest() };
    for name in ["sharp.vrt", "sharp.tif"] {
        stack(&path(name), &SceneSpec::from_paths(&[path("ms.tif")]), &options).unwrap();
        let valid = pixels(&open(&path(name))).valid;
        assert_eq!(valid, (0..48).map(|pixel| pixel % 8 < 4).collect::<Vec<_>>(), "{name}");
    }
    // A nodata value in one band of the two, and one in the panchromatic file.
    let mut values = u16s(2, 12);
    values[0] = 0;
    let coarse = Recipe { width: 4, height: 3, transform: Some(UTM_20M), nodata: Some(0.0), ..Recipe::default() };
    geotiff(&path("holes.tif"), &coarse, &[u16s(3, 12), values]);
    let mut values = u16s(1, 48);
    values[47] = 65535;
    geotiff(&path("pan.tif"), &Recipe { nodata: Some(65535.0), ..Recipe::default() }, &[values]);
    for name in ["holes.vrt", "holes_sharp.tif"] {
        stack(&path(name), &SceneSpec::from_paths(&[path("holes.tif")]), &options).unwrap();
        let valid = pixels(&open(&path(name))).valid;
        let expected = (0..48).map(|pixel| !matches!(pixel, 0 | 1 | 8 | 9 | 47));
        assert_eq!(valid, expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn refusals_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spec = SceneSpec::from_paths(&two_resolutions(folder.path()));
    let out = folder.path().join("scene.vrt");
    std::fs::write(&out, "old").unwrap();
    assert!(matches!(stack(&out, &spec, &nearest()), Err(GeoError::Exists { .. })));
    let text = stack(&folder.path().join("scene.png"), &spec, &nearest()).unwrap_err().to_string();
    assert!(text.contains("use .vrt or .tif"), "{text}");
    let missing = SceneSpec::from_sources(vec![Source::new("/nowhere/b.tif")]);
    let text = stack(&out, &missing, &StackOptions { overwrite: true, ..nearest() }).unwrap_err().to_string();
    assert!(text.contains("cannot open /nowhere/b.tif"), "{text}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "old");
    assert_eq!(entries(folder.path()).len(), 3);
}

#[test]
fn the_thirteen_bands_of_sentinel_2() {
    let Some(folder) = data("the_thirteen_bands_of_sentinel_2") else { return };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder.join("havelland/IMG_DATA")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jp2"));
    paths.sort();
    assert_eq!(paths.len(), 13);
    let spec = SceneSpec::from_paths(&paths);
    let scene = Scene::open(&spec).unwrap();
    let expected = pixels(&scene);
    let target = tempfile::tempdir().unwrap();
    for name in ["scene.vrt", "scene.tif"] {
        let out = target.path().join(name);
        stack(&out, &spec, &StackOptions::default()).unwrap();
        let stacked = open(&out);
        assert_eq!((stacked.grid().width, stacked.grid().height, stacked.bands().len()), (1536, 768, 13));
        assert_eq!(
            stacked.bands().iter().map(|b| &b.name).collect::<Vec<_>>(),
            scene.bands().iter().map(|b| &b.name).collect::<Vec<_>>()
        );
        let found = pixels(&stacked);
        assert_eq!(found.valid, expected.valid);
        let worst = found.values.data.iter().zip(&expected.values.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Bilinear by warping and by resampled reading: equal but for the rounding of halves.
        assert!(worst <= 1.0, "{name}: {worst}");
    }
}

#[test]
fn real_pansharpening_keeps_the_colours() {
    let Some(folder) = data("real_pansharpening_keeps_the_colours") else { return };
    let ms = folder.join("spacenet/ms1.tif");
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("sharp.tif");
    let options = StackOptions { pansharpen: Some(folder.join("spacenet/pan1.tif")), ..StackOptions::default() };
    stack(&out, &SceneSpec::from_paths(&[&ms]), &options).unwrap();
    let sharp = open(&out);
    assert_eq!((sharp.grid().width, sharp.grid().height, sharp.bands().len()), (600, 600, 4));
    // Brovey keeps the ratios of the bands at every pixel.
    let coarse =
        SceneSpec { grid: GridChoice::Like(folder.join("spacenet/pan1.tif")), ..SceneSpec::from_paths(&[&ms]) };
    let (sharp, coarse) = (pixels(&sharp), pixels(&Scene::open(&coarse).unwrap()));
    for band in 1..4 {
        let ratio = |pixels: &Pixels, at: usize| pixels.values.band(band)[at] / pixels.values.band(0)[at];
        let off = |&at: &usize| (ratio(&sharp, at) / ratio(&coarse, at) - 1.0).abs() > 0.01;
        let differing = (0..600 * 600).filter(off).count();
        assert!(differing < 600 * 6, "band {band}: {differing} pixels");
    }
    let differs = |at: &usize| (sharp.values.data[*at] / coarse.values.data[*at] - 1.0).abs() > 0.02;
    assert!((0..600 * 600).filter(differs).count() > 600 * 200, "the panchromatic detail is there");
}
