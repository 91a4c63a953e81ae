//! Cloud-optimized GeoTIFFs: round trips, interruptions, refusals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gdal::{Dataset, Metadata};
use swath_geo::{
    Affine, ClassEntry, CogOptions, CogWriter, Compression, Crs, DType, GeoError, Grid, Resampling, Samples, Window,
    read_map_classes,
};

use crate::files::entries;

fn grid(width: usize, height: usize) -> Grid {
    let crs = Crs::from_user("EPSG:32633").unwrap();
    Grid { crs: Some(crs), transform: Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), width, height }
}

fn classes() -> Vec<ClassEntry> {
    let entry = |value, name: &str, color| ClassEntry { value, name: name.to_owned(), color };
    vec![entry(0, "land", [10, 20, 30]), entry(1, "water <&>", [0, 0, 255]), entry(7, "forest", [0, 128, 0])]
}

fn label(col: usize, row: usize) -> u8 {
    [0, 1, 7, 255][(col / 50 + row / 40) % 4]
}

fn write_in_windows(writer: &mut CogWriter, grid: &Grid, rows: std::ops::Range<usize>) {
    // 170 columns: windows cut across tiles and end ragged.
    for row in rows.step_by(64).rev() {
        for col in (0..grid.width).step_by(170) {
            let (width, height) = (170.min(grid.width - col), 64.min(grid.height - row));
            let data: Vec<u8> = (0..width * height).map(|i| label(col + i % width, row + i / width)).collect();
            writer.write(Window::new(col as isize, row as isize, width, height), 0, Samples::U8(&data)).unwrap();
        }
    }
}

#[test]
fn a_label_map_keeps_everything_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let grid = grid(1300, 700);
    let mut options = CogOptions::labels(&classes(), Some(255));
    options.metadata.push(("SWATH_BUNDLE".into(), "winter & <fields>".into()));
    options.band_names = Some(vec!["class".into()]);
    let mut writer = CogWriter::create(&path, &grid, &options).unwrap();
    write_in_windows(&mut writer, &grid, 0..grid.height);
    writer.finish().unwrap();

    assert_eq!(entries(folder.path()), ["map.qml", "map.sld", "map.tif", "map.tif.aux.xml"]);
    let dataset = Dataset::open(&path).unwrap();
    assert_eq!(dataset.metadata_item("LAYOUT", "IMAGE_STRUCTURE").as_deref(), Some("COG"));
    assert_eq!(dataset.metadata_item("COMPRESSION", "IMAGE_STRUCTURE").as_deref(), Some("DEFLATE"));
    assert_eq!(dataset.metadata_item("SWATH_BUNDLE", "").as_deref(), Some("winter & <fields>"));
    assert_eq!(dataset.geo_transform().unwrap(), grid.transform.0);
    assert!(Crs::from_user(&dataset.projection()).unwrap().same(grid.crs.as_ref().unwrap()));
    let band = dataset.rasterband(1).unwrap();
    assert_eq!(band.block_size(), (512, 512));
    assert_eq!(band.no_data_value(), Some(255.0));
    assert_eq!(band.overview_count().unwrap(), 2);
    assert_eq!(band.overview(0).unwrap().size(), (650, 350));
    let forest = band.color_table().unwrap().entry_as_rgb(7).unwrap();
    assert_eq!((forest.r, forest.g, forest.b), (0, 128, 0));
    let pixels = band.read_band_as::<u8>().unwrap();
    let expected: Vec<u8> = (0..1300 * 700).map(|i| label(i % 1300, i / 1300)).collect();
    assert_eq!(pixels.data(), expected);
    let halved = band.overview(0).unwrap().read_band_as::<u8>().unwrap();
    assert!(halved.data().iter().all(|value| [0, 1, 7, 255].contains(value)), "overviews mix no labels");

    assert_eq!(read_map_classes(&path).unwrap(), classes());
    // Without the sidecar the file still knows its classes.
    std::fs::remove_file(folder.path().join("map.tif.aux.xml")).unwrap();
    assert_eq!(read_map_classes(&path).unwrap(), classes());
}

#[test]
fn the_sidecar_names_classes_for_gdal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let grid = grid(8, 4);
    let mut writer = CogWriter::create(&path, &grid, &CogOptions::labels(&classes(), Some(255))).unwrap();
    writer.write(grid.window(), 0, Samples::U8(&[7; 32])).unwrap();
    writer.finish().unwrap();
    let dataset = Dataset::open(&path).unwrap();
    // GDAL 3.6 reads sidecars of GeoTIFFs when it is asked for something else first, as gdalinfo and QGIS do.
    dataset.geo_transform().unwrap();
    let band = dataset.rasterband(1).unwrap();
    // SAFETY: the band is open and the list has more than seven entries, which the first assertion would show.
    let names: Vec<String> = unsafe {
        let list = gdal_sys::GDALGetRasterCategoryNames(band.c_rasterband());
        assert_eq!(gdal_sys::CSLCount(list), 8);
        (0..8).map(|i| std::ffi::CStr::from_ptr(*list.add(i)).to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names, ["land", "water <&>", "", "", "", "", "", "forest"]);
}

#[test]
fn companions_of_an_older_map_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    for name in ["map.tif", "map.tif.ovr", "map.tif.msk", "map.tif.aux.xml"] {
        std::fs::write(folder.path().join(name), "old").unwrap();
    }
    let options = CogOptions { overwrite: true, ..CogOptions::new(DType::U8, 1) };
    CogWriter::create(&path, &grid(4, 4), &options).unwrap().finish().unwrap();
    assert_eq!(entries(folder.path()), ["map.tif"]);
}

#[test]
fn scores_keep_bands_types_and_nan() {
    let folder = tempfile::tempdir().unwrap();
    for (name, compression) in
        [("a.tif", Compression::Deflate), ("b.tif", Compression::Zstd), ("c.tif", Compression::None)]
    {
        let path = folder.path().join(name);
        let grid = grid(600, 530);
        let options = CogOptions {
            compression,
            overview: Resampling::Average,
            nodata: Some(f64::NAN),
            band_names: Some(vec!["land".into(), "water".into()]),
            ..CogOptions::new(DType::F32, 2)
        };
        let mut writer = CogWriter::create(&path, &grid, &options).unwrap();
        let score = |band: usize, i: usize| (i % 977) as f32 / 977.0 + band as f32;
        for band in 0..2 {
            // The last rows stay unwritten: they are nodata.
            let data: Vec<f32> = (0..600 * 500).map(|i| score(band, i)).collect();
            writer.write(Window::new(0, 0, 600, 500), band, Samples::F32(&data)).unwrap();
        }
        writer.finish().unwrap();
        let dataset = Dataset::open(&path).unwrap();
        assert!(dataset.rasterband(1).unwrap().no_data_value().unwrap().is_nan());
        assert_eq!(dataset.rasterband(2).unwrap().overview_count().unwrap(), 1);
        for band in 0..2 {
            let opened = dataset.rasterband(band + 1).unwrap();
            let data = opened.read_band_as::<f32>().unwrap();
            assert!((0..600 * 500).all(|i| data.data()[i] == score(band, i)));
            assert!(data.data()[600 * 500..].iter().all(|value| value.is_nan()));
        }
        assert_eq!(entries(folder.path()).len(), 1);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn sixteen_bit_labels_and_images_without_georeference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let many = [ClassEntry { value: 1000, name: "thousand".into(), color: [1, 2, 3] }];
    let options = CogOptions::labels(&many, Some(0));
    assert_eq!(options.dtype, DType::U16);
    let mut writer = CogWriter::create(&path, &Grid::plain(3, 2), &options).unwrap();
    writer.write(Window::new(1, 1, 2, 1), 0, Samples::U16(&[1000, 65535])).unwrap();
    writer.finish().unwrap();
    let dataset = Dataset::open(&path).unwrap();
    assert_eq!(dataset.rasterband(1).unwrap().read_band_as::<u16>().unwrap().data(), [0, 0, 0, 0, 1000, 65535]);
    assert!(dataset.geo_transform().is_err());
    assert_eq!(read_map_classes(&path).unwrap(), many);
}

#[test]
fn an_interrupted_output_goes_on_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    std::fs::write(&path, "old").unwrap();
    let grid = grid(400, 300);
    let options = CogOptions { overwrite: true, ..CogOptions::labels(&classes(), Some(255)) };
    let mut writer = CogWriter::create(&path, &grid, &options).unwrap();
    write_in_windows(&mut writer, &grid, 128..300);
    writer.sync().unwrap();
    writer.keep_scratch();
    drop(writer);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");

    let other = Grid { width: 399, ..grid.clone() };
    assert!(CogWriter::reopen(&path, &other, &options).unwrap().is_none(), "scratch of another grid");
    let mut writer = CogWriter::reopen(&path, &grid, &options).unwrap().expect("scratch was kept");
    write_in_windows(&mut writer, &grid, 0..128);
    writer.finish().unwrap();
    let dataset = Dataset::open(&path).unwrap();
    let pixels = dataset.rasterband(1).unwrap().read_band_as::<u8>().unwrap();
    let expected: Vec<u8> = (0..400 * 300).map(|i| label(i % 400, i / 400)).collect();
    assert_eq!(pixels.data(), expected);
    assert!(CogWriter::reopen(&path, &grid, &options).unwrap().is_none(), "nothing is left to resume");
}

#[test]
fn a_prepared_output_appears_only_when_finished_and_with_the_latest_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let mut writer = CogWriter::create(&path, &grid(64, 64), &CogOptions::new(DType::U8, 1)).unwrap();
    writer.prepare().unwrap();
    assert_eq!(entries(folder.path()), [".map.tif.swath-partial"]);
    writer.write(Window::new(0, 0, 64, 64), 0, Samples::U8(&[9; 64 * 64])).unwrap();
    writer.finish().unwrap();
    assert_eq!(entries(folder.path()), ["map.tif"]);
    let data = Dataset::open(&path).unwrap().rasterband(1).unwrap().read_band_as::<u8>().unwrap();
    assert_eq!(data.data(), [9; 64 * 64]);
}

#[test]
fn a_killed_process_leaves_its_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let output = child("write::child_dies_halfway", &path, "");
    assert!(!output.status.success(), "the child was to abort");
    assert_eq!(entries(folder.path()), [".map.tif.swath-partial"]);
    let (grid, options) = (grid(64, 64), CogOptions::new(DType::U8, 1));
    let writer = CogWriter::reopen(&path, &grid, &options).unwrap().expect("scratch of the child");
    writer.finish().unwrap();
    let data = Dataset::open(&path).unwrap().rasterband(1).unwrap().read_band_as::<u8>().unwrap();
    assert_eq!(data.data().iter().filter(|&&value| value == 9).count(), 64 * 32);
}

#[test]
fn child_dies_halfway() {
    let Some(path) = child_target() else { return };
    let mut writer = CogWriter::create(&path, &grid(64, 64), &CogOptions::new(DType::U8, 1)).unwrap();
    writer.write(Window::new(0, 0, 64, 32), 0, Samples::U8(&[9; 64 * 32])).unwrap();
    std::process::abort();
}

#[test]
fn a_full_disk_is_one_clear_error_and_leaves_nothing() {
    if cfg!(not(unix)) {
        return;
    }
    // A limit on the size of files stands for the full disk. Blocks of 512 bytes: the pixels take 1800 of them.
    for limit in [900, 1820] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.tif");
        std::fs::write(&path, "old").unwrap();
        let output = child("write::child_fills_the_disk", &path, &format!("trap '' XFSZ; ulimit -f {limit};"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
        let stage = if limit == 900 { "make room for 0.001 GB" } else { "cannot write" };
        assert!(text.contains(stage) && text.contains("map.tif"), "limit {limit}: {text}");
        assert_eq!(entries(folder.path()), ["map.tif"], "limit {limit}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    }
}

#[test]
fn child_fills_the_disk() {
    let Some(path) = child_target() else { return };
    let grid = grid(960, 960);
    let options = CogOptions { compression: Compression::None, overwrite: true, ..CogOptions::new(DType::U8, 1) };
    let made = CogWriter::create(&path, &grid, &options).and_then(|mut writer| {
        writer.write(grid.window(), 0, Samples::U8(&vec![1; 960 * 960]))?;
        writer.finish()
    });
    println!("{}", made.expect_err("the disk was full"));
}

#[test]
fn refusals_come_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let (path, grid) = (folder.path().join("map.tif"), grid(4, 4));
    let options = CogOptions::new(DType::U8, 1);
    std::fs::write(&path, "old").unwrap();
    assert!(matches!(CogWriter::create(&path, &grid, &options), Err(GeoError::Exists { .. })));
    let missing = folder.path().join("no/such/map.tif");
    let error = CogWriter::create(&missing, &grid, &options).unwrap_err().to_string();
    assert!(error.contains("does not exist; create it first"), "{error}");
    let error = CogWriter::create(folder.path(), &grid, &options).unwrap_err().to_string();
    assert!(error.contains("it is a folder"), "{error}");
    let names = CogOptions { band_names: Some(vec![]), ..options.clone() };
    assert!(CogWriter::create(&folder.path().join("b.tif"), &grid, &names).is_err());

    let open = folder.path().join("open.tif");
    let mut writer = CogWriter::create(&open, &grid, &options).unwrap();
    let busy = CogWriter::create(&open, &grid, &options).unwrap_err().to_string();
    assert!(busy.contains("another process"), "{busy}");
    assert!(writer.write(Window::new(1, 0, 4, 1), 0, Samples::U8(&[0; 4])).is_err(), "beyond the grid");
    assert!(writer.write(Window::new(0, 0, 4, 1), 1, Samples::U8(&[0; 4])).is_err(), "no such band");
    assert!(writer.write(Window::new(0, 0, 4, 1), 0, Samples::U8(&[0; 3])).is_err(), "too few samples");
    assert!(writer.write(Window::new(0, 0, 4, 1), 0, Samples::U16(&[0; 4])).is_err(), "another type");
    drop(writer);
    assert_eq!(entries(folder.path()), ["map.tif"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(locked.join("probe"), "").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    let made = CogWriter::create(&locked.join("map.tif"), &grid(4, 4), &CogOptions::new(DType::U8, 1));
    let text = made.unwrap_err().to_string();
    assert!(text.contains("cannot create a file in") && text.contains("locked"), "{text}");
}

#[test]
fn maps_of_others_name_classes_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.tif");
    let mut writer = CogWriter::create(&path, &grid(4, 1), &CogOptions::new(DType::U8, 1)).unwrap();
    writer.write(Window::new(0, 0, 4, 1), 0, Samples::U8(&[4, 2, 2, 4])).unwrap();
    writer.finish().unwrap();
    let found = read_map_classes(&path).unwrap();
    assert_eq!(found.iter().map(|class| (class.value, class.name.as_str())).collect::<Vec<_>>(), [(2, "2"), (4, "4")]);
    assert_ne!(found[0].color, found[1].color);
}

const TARGET: &str = "SWATH_TEST_TARGET";

/// Runs one test of this binary in a process of its own, after the shell commands of `before`.
fn child(test: &str, target: &Path, before: &str) -> Output {
    let script = format!("{before} exec \"$0\" --exact {test} --nocapture");
    let binary = std::env::current_exe().unwrap();
    Command::new("sh").arg("-c").arg(script).arg(binary).env(TARGET, target).output().unwrap()
}

fn child_target() -> Option<PathBuf> {
    std::env::var_os(TARGET).map(PathBuf::from)
}
