//! Damaged, hostile and exotic files: one clear error or a right read, never a crash, a hang or runaway memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use swath_geo::{Edge, GeoError, InfoOptions, Scene, Window, info};

use crate::files::{Recipe, copy_as, data, geotiff, noise};

/// Names the list of files for the child process.
const LIST: &str = "SWATH_BAD_INPUT_LIST";
/// Address space of the child in KiB: 2 GB.
const MEMORY_KIB: &str = "2000000";
const SECONDS_PER_FILE: u64 = 30;

/// Opens a file and looks at all of its pixels, as `swath info --exact` does.
fn look(path: &Path) -> Result<(), GeoError> {
    info(&Scene::open_paths(&[path])?, &InfoOptions { exact: true }).map(|_| ())
}

/// Not a test of its own: what [`survive`] runs in a process with limits.
#[test]
fn child() {
    let Some(list) = std::env::var_os(LIST) else { return };
    for line in fs::read_to_string(list).unwrap().lines() {
        // The parent reads the last line when the process dies.
        println!("BEGIN {line}");
        let begin = Instant::now();
        let verdict = match look(Path::new(line)) {
            Ok(()) => "read".to_owned(),
            Err(error) => {
                let text = error.to_string();
                assert!(!text.contains('\n') && text.contains(line), "unclear: {text}");
                text
            }
        };
        assert!(begin.elapsed() < Duration::from_secs(SECONDS_PER_FILE), "{line} takes too long");
        println!("END {verdict}");
    }
}

/// Looks at files in a process with bounded memory; returns what was said of each.
fn survive(files: &[PathBuf]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let lines: Vec<String> = files.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let limit = 60 + files.len() as u64;
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {MEMORY_KIB}; exec timeout {limit} \"$0\" --exact bad_input::child --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .env(LIST, &list)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rfind(|line| line.starts_with("BEGIN")).unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} at {last}\n{errors}", output.status);
    text.lines().filter_map(|line| line.strip_prefix("END ")).map(str::to_owned).collect()
}

#[test]
fn small_bad_files_are_survived_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let source = folder.path().join("sound.tif");
    let (width, height) = (300, 200);
    let pixels: Vec<u8> = noise(1, width * height, 256).iter().map(|&value| value as u8).collect();
    let options = &["TILED=YES", "COMPRESS=DEFLATE", "BLOCKXSIZE=64", "BLOCKYSIZE=64"][..];
    geotiff(&source, &Recipe { width, height, options, ..Recipe::default() }, &[pixels]);
    let mut cases = vec![
        (folder.path().join("missing.tif"), "No such file"),
        (folder.path().to_path_buf(), "it is a folder"),
        (file("archive.zip", b"PK"), "/vsizip/"),
        (file("shapes.geojson", br#"{"type":"FeatureCollection","features":[]}"#), "vectors"),
        (file("empty.tif", b""), "not recognized"),
        (file("text.tif", b"not a raster at all"), "not recognized"),
        (file("tile.tif", &hollow(40_000, 40_000, [322, 323, 324, 325])), "blocks of 40000x40000"),
        (file("strip.tif", &hollow(60_000, 60_000, [278, 278, 273, 279])), "cannot read band 1"),
        (file("huge.tif", &hollow(u32::MAX, u32::MAX, [278, 278, 273, 279])), ""),
        (file("orphan.vrt", &vrt(r#"<SourceFilename relativeToVRT="1">gone.tif</SourceFilename>"#)), "gone.tif"),
        (file("complex.vrt", complex_vrt().as_bytes()), "complex numbers"),
    ];
    for (driver, name) in [("PNG", "cut.png"), ("JPEG", "cut.jpg")] {
        let whole = folder.path().join(format!("whole-{name}"));
        let driver = gdal::DriverManager::get_driver_by_name(driver).unwrap();
        copy_as(&driver, &source, &whole);
        let bytes = fs::read(whole).unwrap();
        cases.push((file(name, &bytes[..bytes.len() / 2]), "cannot read band 1"));
    }
    // Cut in the pixels: the directory of GDAL's tiled files comes first.
    let bytes = fs::read(&source).unwrap();
    cases.push((file("cut.tif", &bytes[..bytes.len() / 2]), "cannot read band 1"));
    // Last, because GDAL 3.6 stays silent on a thread that met a VRT inside itself.
    cases.push((file("endless.vrt", endless_vrt(folder.path()).as_bytes()), "cascaded"));
    let paths: Vec<PathBuf> = cases.iter().map(|(path, _)| path.clone()).collect();
    for ((path, expected), verdict) in cases.iter().zip(survive(&paths)) {
        assert!(verdict != "read" && verdict.contains(expected), "{}: {verdict}", path.display());
    }
}

#[test]
fn a_truncated_jpeg_2000_is_an_error_with_a_reason() {
    let Some(data) = data("a_truncated_jpeg_2000_is_an_error_with_a_reason") else { return };
    let bytes = fs::read(data.join("havelland/IMG_DATA/T33UUU_20170216T102101_B08.jp2")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.jp2");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let text = look(&path).unwrap_err().to_string();
    // GDAL decodes on threads of its own, whose messages are found all the same.
    assert!(text.contains("cut.jp2") && text.contains("tream too short"), "{text}");
}

/// A TIFF whose header claims one deflate strip or tile as large as the image, and that holds no pixels.
/// `tags`: width and height of the block, offset, byte count.
fn hollow(width: u32, height: u32, tags: [u16; 4]) -> Vec<u8> {
    let mut entries = vec![(256, width), (257, height), (258, 8), (259, 8), (262, 1), (277, 1)];
    entries.extend([(tags[0], if tags[0] == tags[1] { height } else { width }), (tags[2], 200), (tags[3], 100)]);
    entries.extend((tags[0] != tags[1]).then_some((tags[1], height)));
    entries.sort_unstable();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4u16.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 300]);
    bytes
}

/// A VRT of 8x8 pixels with one source.
fn vrt(source: &str) -> Vec<u8> {
    format!(
        r#"<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1">
        <SimpleSource>{source}<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"#
    )
    .into_bytes()
}

/// A VRT that has itself as source.
fn endless_vrt(folder: &Path) -> String {
    let source = format!("<SourceFilename>{}</SourceFilename>", folder.join("endless.vrt").display());
    String::from_utf8(vrt(&source)).unwrap()
}

fn complex_vrt() -> String {
    r#"<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="CInt16" band="1"/></VRTDataset>"#.into()
}

#[test]
fn a_damaged_part_leaves_the_rest_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let (width, height) = (256, 256);
    let options = &["TILED=YES", "COMPRESS=DEFLATE", "BLOCKXSIZE=64", "BLOCKYSIZE=64"][..];
    let pixels: Vec<u8> = noise(1, width * height, 256).iter().map(|&value| value as u8).collect();
    geotiff(&path, &Recipe { width, height, options, ..Recipe::default() }, &[pixels]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let mut reader = Scene::open_paths(&[&path]).unwrap().reader().unwrap();
    assert!(reader.read(Window::new(0, 0, 64, 64), Edge::Invalid).is_ok());
    let window = Window::new(130, 200, 50, 50);
    match reader.read(window, Edge::Invalid) {
        Err(GeoError::Read { path: named, band: 1, window: at, message }) => {
            assert_eq!((named, at), (path, window));
            assert!(!message.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_bad_tiff_is_survived() {
    let Some(folder) = data("every_bad_tiff_is_survived") else { return };
    let mut files = Vec::new();
    let mut folders = vec![folder.join("bad_tiff")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let verdicts = survive(&files);
    assert_eq!(verdicts.len(), files.len());
    let read = verdicts.iter().filter(|verdict| *verdict == "read").count();
    println!("{read} of {} read", files.len());
    assert!(read > files.len() / 2, "{read} of {} read: sound files are refused", files.len());
}
