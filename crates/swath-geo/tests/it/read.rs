//! Scenes and readers: alignment, validity, edges, errors.

use std::path::Path;

use swath_geo::{
    Affine, Crs, Edge, GeoError, Grid, GridChoice, Pixels, Resampling, Scene, SceneSpec, Source, Window, mirror,
};

use crate::files::{Recipe, UTM_10M, copy_as, data, gdal_program, geotiff, geotiff_with, mask, noise};

fn read(scene: &Scene, window: Window, edge: Edge) -> Pixels {
    scene.reader().unwrap().read(window, edge).unwrap()
}

fn all(scene: &Scene) -> Pixels {
    read(scene, scene.grid().window(), Edge::Invalid)
}

fn u16s(seed: u64, count: usize) -> Vec<u16> {
    noise(seed, count, 10_000).into_iter().map(|value| value as u16).collect()
}

fn open(path: &Path) -> Scene {
    Scene::open_paths(&[path]).unwrap()
}

#[test]
fn blocks_under_rows_are_those_of_all_bands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiled.tif");
    let options = ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32"];
    let recipe = Recipe { width: 40, height: 200, options: &options, ..Recipe::default() };
    geotiff(&path, &recipe, &[u16s(1, 8000), u16s(2, 8000), u16s(3, 8000)]);
    let scene = open(&path).select(&[1]).unwrap();
    // Three columns of blocks; 33 rows may touch three rows of blocks.
    assert_eq!(scene.block_bytes(33), Some(3 * 2 * (3 * 16) * (3 * 32)));
    assert_eq!(scene.block_bytes(1000), Some(3 * 2 * (3 * 16) * (7 * 32)));

    let vrt = folder.path().join("tiled.vrt");
    let paths = [path.to_str().unwrap(), vrt.to_str().unwrap()];
    if gdal_program("gdal_translate", &[&["-q", "-of", "VRT"], &paths[..]].concat()).is_some() {
        assert_eq!(open(&vrt).block_bytes(33), None);
    }
}

#[test]
fn bands_are_selected_ordered_named_and_scaled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("three.tif");
    let bands: Vec<Vec<u16>> = (1..=3).map(|seed| u16s(seed, 48)).collect();
    geotiff_with(&path, &Recipe::default(), &bands, |dataset| {
        gdal::Metadata::set_description(&mut dataset.rasterband(2).unwrap(), "nir").unwrap();
        dataset.rasterband(3).unwrap().set_scale(0.5).unwrap();
        dataset.rasterband(3).unwrap().set_offset(7.0).unwrap();
    });

    let scene = open(&path);
    let names: Vec<&str> = scene.bands().iter().map(|band| band.name.as_str()).collect();
    assert_eq!(names, ["b1", "nir", "b3"]);
    let pixels = all(&scene);
    assert!(pixels.valid.iter().all(|&valid| valid));
    assert!(pixels.values.band(2).iter().zip(&bands[2]).all(|(&value, &raw)| value == f32::from(raw) * 0.5 + 7.0));

    let source = Source {
        bands: Some(vec![3, 1]),
        names: Some(vec!["c".into(), "a".into()]),
        scale: Some(vec![2.0, 1e-4]),
        offset: Some(vec![0.0, -1.0]),
        ..Source::new(&path)
    };
    let scene = Scene::open(&SceneSpec::from_sources(vec![source])).unwrap();
    let pixels = all(&scene);
    assert_eq!(pixels.values.get(0, 0, 0), f32::from(bands[2][0]) * 2.0);
    assert_eq!(pixels.values.get(1, 5, 7), (f64::from(bands[0][47]) * 1e-4 - 1.0) as f32);
    let swapped = scene.select(&[1, 0]).unwrap();
    assert_eq!(swapped.bands()[0].name, "a");
    assert_eq!(all(&swapped).values.band(1), pixels.values.band(0));
    assert!(matches!(scene.select(&[2]), Err(GeoError::Argument(_))));
}

#[test]
fn raw_sources_ignore_the_scale_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.tif");
    let labels = u16s(3, 48);
    geotiff_with(&path, &Recipe::default(), std::slice::from_ref(&labels), |dataset| {
        dataset.rasterband(1).unwrap().set_scale(0.1).unwrap();
    });
    let scene = Scene::open(&SceneSpec::labels(&path)).unwrap();
    assert!(all(&scene).values.data.iter().zip(&labels).all(|(&value, &label)| value == f32::from(label)));
}

#[test]
fn windows_agree_with_the_whole_scene_and_mirror_beyond_it() {
    let folder = tempfile::tempdir().unwrap();
    for options in [&["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "COMPRESS=DEFLATE"][..], &["INTERLEAVE=BAND"]] {
        let path = folder.path().join(format!("{}.tif", options.len()));
        let (width, height) = (37, 23);
        let bands: Vec<Vec<u16>> = (1..=2).map(|seed| u16s(seed, width * height)).collect();
        geotiff(&path, &Recipe { width, height, options, nodata: Some(0.0), ..Recipe::default() }, &bands);
        let scene = open(&path);
        let whole = all(&scene);
        let mut reader = scene.reader().unwrap();
        for window in [
            Window::new(5, 6, 20, 10),
            Window::new(-9, -9, 16, 16),
            Window::new(30, 15, 16, 16),
            Window::new(-60, -60, 150, 130),
            Window::new(100, 50, 4, 4),
        ] {
            let mirrored = reader.read(window, Edge::Mirror).unwrap();
            let cut = reader.read(window, Edge::Invalid).unwrap();
            for row in 0..window.height {
                for col in 0..window.width {
                    let (x, y) = (window.col + col as isize, window.row + row as isize);
                    let (mx, my) = (mirror(x, width), mirror(y, height));
                    let inside = scene.grid().window().contains_pixel(x, y);
                    let index = row * window.width + col;
                    assert_eq!(mirrored.valid[index], whole.valid[my * width + mx]);
                    assert_eq!(cut.valid[index], inside && whole.valid[my * width + mx]);
                    for band in 0..2 {
                        let expected = whole.values.get(band, my, mx);
                        assert_eq!(mirrored.values.get(band, row, col), expected);
                        assert_eq!(cut.values.get(band, row, col), if inside { expected } else { 0.0 });
                    }
                }
            }
        }
    }
}

#[test]
fn validity_combines_nodata_nan_alpha_and_masks() {
    let folder = tempfile::tempdir().unwrap();
    let (width, height) = (4, 1);
    let small = Recipe { width, height, ..Recipe::default() };

    // Nodata in one band makes the pixel invalid in all; zero does not.
    let path = folder.path().join("nodata.tif");
    geotiff(&path, &Recipe { nodata: Some(9.0), ..small }, &[vec![0u8, 9, 2, 3], vec![0u8, 1, 9, 3]]);
    let pixels = all(&open(&path));
    assert_eq!(pixels.valid, [true, false, false, true]);
    assert_eq!(pixels.values.band(0), [0.0, 0.0, 0.0, 3.0]);
    // The user's nodata replaces the file's.
    let source = Source { nodata: Some(0.0), ..Source::new(&path) };
    assert_eq!(all(&Scene::open(&SceneSpec::from_sources(vec![source])).unwrap()).valid, [false, true, true, true]);

    // NaN and infinities, declared or not, in f32 and f64.
    let path = folder.path().join("nan.tif");
    let recipe = Recipe { width, height, nodata: Some(f64::NAN), ..Recipe::default() };
    geotiff(&path, &recipe, &[vec![1f64, f64::NAN, f64::INFINITY, 1e300]]);
    let pixels = all(&open(&path));
    assert_eq!(pixels.valid, [true, false, false, false]);
    assert_eq!(pixels.values.data, [1.0, 0.0, 0.0, 0.0]);

    // Alpha is validity in a file of any number of bands, and data when asked for.
    let path = folder.path().join("alpha.tif");
    let bands = [vec![1u8, 2, 3, 4], vec![1u8, 2, 3, 4], vec![0u8, 255, 1, 0]];
    let recipe = Recipe { width, height, options: &["ALPHA=YES"], ..Recipe::default() };
    geotiff_with(&path, &recipe, &bands, |dataset| {
        let alpha = gdal::raster::ColorInterpretation::AlphaBand;
        dataset.rasterband(3).unwrap().set_color_interpretation(alpha).unwrap();
    });
    let scene = open(&path);
    assert_eq!(scene.bands().len(), 2);
    assert_eq!(all(&scene).valid, [false, true, true, false]);
    let source = Source { bands: Some(vec![1, 3]), ..Source::new(&path) };
    let pixels = all(&Scene::open(&SceneSpec::from_sources(vec![source])).unwrap());
    assert_eq!(pixels.valid, [true; 4]);
    assert_eq!(pixels.values.band(1), [0.0, 255.0, 1.0, 0.0]);

    // What is described as something else is no alpha, whatever its colour.
    for (description, bands) in [("nir", 4), ("Near infrared", 4), ("B8", 4), ("", 3), ("Band 4", 3), ("Alpha mask", 3)]
    {
        let path = folder.path().join("described.tif");
        let recipe = Recipe { width, height, options: &["PHOTOMETRIC=RGB", "ALPHA=YES"], ..Recipe::default() };
        let fourth = vec![0u8, 9, 8, 7];
        let bands_of_four = [vec![1u8, 2, 3, 4], vec![1, 2, 3, 4], vec![1, 2, 3, 4], fourth];
        geotiff_with(&path, &recipe, &bands_of_four, |dataset| {
            let mut band = dataset.rasterband(4).unwrap();
            gdal::Metadata::set_description(&mut band, description).unwrap();
            assert_eq!(band.color_interpretation().name(), "Alpha");
        });
        let scene = open(&path);
        assert_eq!(scene.bands().len(), bands, "{description}");
        assert_eq!(all(&scene).valid, [bands == 4, true, true, true], "{description}");
        assert_eq!(scene.alpha().map(|(_, number)| number), (bands == 3).then_some(4), "{description}");
    }

    // A mask for the whole file.
    let path = folder.path().join("mask.tif");
    let small = Recipe { width, height, ..Recipe::default() };
    geotiff_with(&path, &small, &[vec![1u8, 2, 3, 4]], |dataset| mask(dataset, &[255u8, 0, 255, 0]));
    assert_eq!(all(&open(&path)).valid, [true, false, true, false]);
}

#[test]
fn validity_survives_warping() {
    let folder = tempfile::tempdir().unwrap();
    let fine = folder.path().join("fine.tif");
    geotiff(&fine, &Recipe { width: 16, height: 8, ..Recipe::default() }, &[vec![1u8; 128]]);
    let mut transform = UTM_10M;
    (transform[1], transform[5]) = (20.0, -20.0);
    let coarse = Recipe { width: 8, height: 4, transform: Some(transform), ..Recipe::default() };
    let values: Vec<f32> = (0..32).map(|index| 10.0 + index as f32).collect();
    // The same two pixels are invalid in each file, each in its own way.
    let invalid = |index: usize| index == 9 || index == 30;
    let with = |value: f32| (0..32).map(|i| if invalid(i) { value } else { values[i] }).collect::<Vec<f32>>();
    let mut paths = Vec::new();
    for (name, nodata, hole) in
        [("nodata", Some(-9999.0), -9999.0), ("nan", Some(f64::NAN), f32::NAN), ("bare", None, f32::NAN)]
    {
        let path = folder.path().join(format!("{name}.tif"));
        geotiff(&path, &Recipe { nodata, ..coarse }, &[with(hole)]);
        paths.push(path);
    }
    let flags: Vec<f32> = (0..32).map(|i| if invalid(i) { 0.0 } else { 255.0 }).collect();
    let path = folder.path().join("mask.tif");
    geotiff_with(&path, &coarse, std::slice::from_ref(&values), |dataset| mask(dataset, &flags));
    paths.push(path);
    let path = folder.path().join("alpha.tif");
    geotiff(&path, &Recipe { options: &["ALPHA=YES"], ..coarse }, &[values.clone(), flags]);
    paths.push(path);

    for path in &paths {
        for resampling in [Resampling::Nearest, Resampling::Bilinear, Resampling::Average] {
            let spec = SceneSpec { resampling, ..SceneSpec::from_paths(&[&fine, path]) };
            let scene = Scene::open(&spec).unwrap();
            assert_eq!(scene.bands().len(), 2, "{}", path.display());
            let pixels = all(&scene);
            for row in 0..8 {
                for col in 0..16 {
                    let valid = pixels.valid[row * 16 + col];
                    let hole = invalid(row / 2 * 8 + col / 2);
                    let value = pixels.values.get(1, row, col);
                    let place = format!("{} {resampling:?} row {row} column {col}: {value}", path.display());
                    // A method that mixes pixels may lose neighbours of a hole, or fill its rim from valid ones;
                    // what it never does is let the hole's value leak.
                    if resampling == Resampling::Nearest {
                        assert_eq!(valid, !hole, "{place}");
                    }
                    if valid {
                        assert!((10.0..=41.0).contains(&value), "{place}");
                    } else {
                        assert_eq!(value, 0.0, "{place}");
                    }
                }
            }
        }
    }
}

#[test]
fn coarser_bands_equal_gdalwarp() {
    let folder = tempfile::tempdir().unwrap();
    let (fine, coarse) = (folder.path().join("fine.tif"), folder.path().join("coarse.tif"));
    geotiff(&fine, &Recipe { width: 60, height: 40, ..Recipe::default() }, &[u16s(1, 2400)]);
    let mut transform = UTM_10M;
    (transform[1], transform[5]) = (20.0, -20.0);
    let mut values = u16s(2, 600);
    values[17] = 77;
    let recipe = Recipe { width: 30, height: 20, transform: Some(transform), nodata: Some(77.0), ..Recipe::default() };
    geotiff(&coarse, &recipe, &[values]);
    for resampling in [Resampling::Nearest, Resampling::Bilinear, Resampling::Cubic, Resampling::Average] {
        let spec = SceneSpec { resampling, ..SceneSpec::from_paths(&[&coarse, &fine]) };
        let scene = Scene::open(&spec).unwrap();
        assert_eq!((scene.grid().width, scene.grid().height), (60, 40));
        let ours = all(&scene.select(&[0]).unwrap());
        assert!(ours.valid.iter().any(|&valid| !valid));
        let method = match resampling {
            Resampling::Nearest => "near",
            Resampling::Bilinear => "bilinear",
            Resampling::Cubic => "cubic",
            _ => "average",
        };
        let warped = folder.path().join(format!("{method}.tif"));
        let paths = [coarse.to_str().unwrap(), warped.to_str().unwrap()];
        let target = ["-q", "-te", "330000", "5821640", "330600", "5822040", "-ts", "60", "40", "-r", method];
        if gdal_program("gdalwarp", &[&target[..], &paths[..]].concat()).is_none() {
            return;
        }
        let theirs = all(&open(&warped));
        assert_eq!(ours, theirs, "{method}");
    }
    // A coarse grid asked for: averages of 2x2 pixels.
    let spec = SceneSpec {
        grid: GridChoice::Like(coarse),
        resampling: Resampling::Average,
        ..SceneSpec::from_paths(&[&fine])
    };
    let fine = all(&open(&fine));
    let halved = all(&Scene::open(&spec).unwrap());
    let mean = [(0, 0), (0, 1), (1, 0), (1, 1)].iter().map(|&(r, c)| fine.values.get(0, r, c)).sum::<f32>() / 4.0;
    assert!((halved.values.get(0, 0, 0) - mean).abs() <= 0.5, "averages are rounded to the type of the file");
}

#[test]
fn other_crs_are_refused_or_reprojected() {
    let folder = tempfile::tempdir().unwrap();
    let (utm, wgs) = (folder.path().join("utm.tif"), folder.path().join("wgs.tif"));
    geotiff(&utm, &Recipe { width: 200, height: 200, ..Recipe::default() }, &[u16s(1, 40_000)]);
    let transform = [12.48, 0.0001, 0.0, 52.54, 0.0, -0.0001];
    let recipe =
        Recipe { width: 600, height: 500, transform: Some(transform), crs: Some("EPSG:4326"), ..Recipe::default() };
    // Longitude as a ramp: after reprojection every value tells where it came from.
    let ramp = (0..300_000).map(|index| (index % 600) as f32).collect();
    geotiff(&wgs, &recipe, &[ramp]);

    let spec = SceneSpec { grid: GridChoice::First, ..SceneSpec::from_paths(&[&utm, &wgs]) };
    let error = Scene::open(&spec).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, GeoError::CrsMismatch { .. }), "{text}");
    assert!(text.contains("EPSG:32633") && text.contains("EPSG:4326"), "{text}");

    let scene = Scene::open(&SceneSpec { allow_reproject: true, ..spec }).unwrap();
    let pixels = all(&scene);
    assert!(pixels.valid.iter().all(|&valid| valid));
    let utm_crs = scene.grid().crs.clone().unwrap();
    for (col, row) in [(0, 0), (199, 0), (100, 100), (3, 197)] {
        // The reference: PROJ through a one-pixel grid's outline.
        let (x, y) = scene.grid().pixel_to_world(f64::from(col) + 0.5, f64::from(row) + 0.5);
        let pixel = Grid {
            crs: Some(utm_crs.clone()),
            transform: Affine([x - 1e-3, 2e-3, 0.0, y + 1e-3, 0.0, -2e-3]),
            width: 1,
            height: 1,
        };
        let [west, _, east, _] = pixel.lonlat_bounds().unwrap();
        let expected = ((west + east) / 2.0 - 12.48) / 0.0001 - 0.5;
        let value = f64::from(pixels.values.get(1, row as usize, col as usize));
        assert!((value - expected).abs() < 0.15, "{value} {expected}");
    }
    // Where the window lies does not change its pixels.
    let mut reader = scene.reader().unwrap();
    let window = Window::new(37, 51, 90, 77);
    let part = reader.read(window, Edge::Invalid).unwrap();
    for row in 0..window.height {
        let whole = &pixels.values.row(1, row + 51)[37..127];
        assert_eq!(part.values.row(1, row), whole);
    }
}

#[test]
fn beyond_a_warped_file_is_invalid_and_far_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    geotiff(&path, &Recipe::default(), &[vec![5u8; 48]]);
    let crs = Some(Crs::from_user("EPSG:32633").unwrap());
    let given = |west: f64| {
        let transform = Affine([west, 5.0, 0.0, 5_822_050.0, 0.0, -5.0]);
        let grid = Grid { crs: crs.clone(), transform, width: 20, height: 20 };
        SceneSpec { grid: GridChoice::Given(grid), ..SceneSpec::from_paths(&[&path]) }
    };
    let pixels = all(&Scene::open(&given(329_990.0)).unwrap());
    for row in 0..20 {
        for col in 0..20 {
            let inside = (2..18).contains(&col) && (2..14).contains(&row);
            assert_eq!(pixels.valid[row * 20 + col], inside, "{row} {col}");
            assert_eq!(pixels.values.get(0, row, col), if inside { 5.0 } else { 0.0 });
        }
    }
    let error = Scene::open(&given(400_000.0)).unwrap_err();
    assert!(error.to_string().contains("completely outside"), "{error}");
}

#[test]
fn rotated_grids_are_read_and_warped_onto() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let data = u16s(4, 48);
    geotiff(&path, &Recipe::default(), std::slice::from_ref(&data));
    // The same ground with rows and columns exchanged.
    let turned = Affine([330_000.0, 0.0, 10.0, 5_822_040.0, -10.0, 0.0]);
    let grid = Grid { crs: open(&path).grid().crs.clone(), transform: turned, width: 6, height: 8 };
    let spec =
        SceneSpec { grid: GridChoice::Given(grid), resampling: Resampling::Nearest, ..SceneSpec::from_paths(&[&path]) };
    let pixels = all(&Scene::open(&spec).unwrap());
    for row in 0..8 {
        for col in 0..6 {
            assert_eq!(pixels.values.get(0, row, col), f32::from(data[col * 8 + row]));
        }
    }
}

#[test]
fn pictures_without_georeference() {
    let folder = tempfile::tempdir().unwrap();
    let tiff = folder.path().join("rgb.tif");
    let recipe = Recipe { transform: None, crs: None, options: &["PHOTOMETRIC=RGB"], ..Recipe::default() };
    let bands: Vec<Vec<u8>> = (1..=3u8).map(|band| vec![band * 40; 48]).collect();
    geotiff(&tiff, &recipe, &bands);
    for (driver, name) in [("PNG", "rgb.png"), ("JPEG", "rgb.jpg")] {
        let path = folder.path().join(name);
        let driver = gdal::DriverManager::get_driver_by_name(driver).unwrap();
        copy_as(&driver, &tiff, &path);
        let scene = open(&path);
        assert_eq!(*scene.grid(), Grid::plain(8, 6));
        let names: Vec<&str> = scene.bands().iter().map(|band| band.name.as_str()).collect();
        assert_eq!(names, ["red", "green", "blue"]);
        assert!((all(&scene).values.get(1, 3, 3) - 80.0).abs() < 4.0);
        // Virtual file systems are opened, never checked by path.
        let bytes = std::fs::read(&path).unwrap();
        let inside = format!("/vsimem/swath-read-{name}");
        gdal::vsi::create_mem_file(&inside, bytes).unwrap();
        assert_eq!(open(Path::new(&inside)).bands().len(), 3);
        gdal::vsi::unlink_mem_file(&inside).unwrap();
    }
    let other = folder.path().join("other.tif");
    geotiff(&other, &Recipe { transform: None, crs: None, width: 4, ..Recipe::default() }, &[vec![0u8; 24]]);
    let error = Scene::open_paths(&[&tiff, &other]).unwrap_err();
    assert!(error.to_string().contains("same size"), "{error}");
}

#[test]
fn threads_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let recipe = Recipe { width: 300, height: 200, options: &["TILED=YES", "COMPRESS=ZSTD"], ..Recipe::default() };
    geotiff(&path, &recipe, &[u16s(1, 60_000), u16s(2, 60_000)]);
    let scene = open(&path);
    let expected = all(&scene);
    std::thread::scope(|scope| {
        for shift in 0..4isize {
            let (scene, expected) = (&scene, &expected);
            scope.spawn(move || {
                let mut reader = scene.reader().unwrap();
                for start in (0..200).step_by(25) {
                    let window = Window::new(shift * 13, start, 200, 25);
                    let pixels = reader.read(window, Edge::Mirror).unwrap();
                    let row = &expected.values.row(1, start as usize)[(shift * 13) as usize..][..200];
                    assert_eq!(pixels.values.row(1, 0), row);
                }
            });
        }
    });
}

#[test]
fn sentinel_2_bands_of_three_resolutions() {
    let Some(folder) = data("sentinel_2_bands_of_three_resolutions") else { return };
    let images = folder.join("havelland/IMG_DATA");
    let paths: Vec<_> =
        ["B01", "B04", "B8A"].iter().map(|band| images.join(format!("T33UUU_20170216T102101_{band}.jp2"))).collect();
    let scene = Scene::open_paths(&paths).unwrap();
    assert_eq!((scene.grid().width, scene.grid().height), (1536, 768));
    let names: Vec<&str> = scene.bands().iter().map(|band| band.name.as_str()).collect();
    assert_eq!(names, ["B01", "B04", "B8A"]);
    assert_eq!(scene.grid().gsd(), Some((10.0, 10.0)));
    assert_eq!((scene.time().as_deref(), scene.sensor().as_deref()), (Some("2017-02-16T10:21:01"), Some("Sentinel-2")));
    let pixels = read(&scene, Window::new(-16, -16, 128, 128), Edge::Mirror);
    assert!(pixels.valid.iter().all(|&valid| valid));
}

#[test]
fn the_landsat_crs_trap_names_both_systems() {
    let Some(folder) = data("the_landsat_crs_trap_names_both_systems") else { return };
    let paths = [folder.join("nc_landsat7/lsat7_2000_10.tif"), folder.join("nc_landsat7/strata.tif")];
    let error = Scene::open_paths(&paths).unwrap_err().to_string();
    // The bands carry EPSG:32119 without its name.
    assert!(error.contains("+proj=lcc") && error.contains("EPSG:3358"), "{error}");
}
