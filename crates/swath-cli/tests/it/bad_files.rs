//! Broken rasters of the wild: none may crash `swath info`, hang it, or make it talk much.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::command::command;

/// The longest that a file may take.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn info_survives_every_broken_file() {
    let Some(data) = std::env::var_os("SWATH_DATA").map(PathBuf::from).filter(|path| path.is_dir()) else {
        println!("skipped: SWATH_DATA names no folder");
        return;
    };
    let mut files = Vec::new();
    gather(&data.join("bad_tiff"), &mut files);
    assert!(files.len() > 100, "only {} files in bad_tiff", files.len());
    let wrong: Vec<String> = files.iter().filter_map(|file| problem(file)).collect();
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { gather(&path, files) } else { files.push(path) }
    }
}

/// What is wrong with the way in which a file is shown or refused.
fn problem(file: &Path) -> Option<String> {
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path(), &[Path::new("info"), file])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            return Some(format!("{}: not done in {LIMIT:?}", file.display()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let told = match output.status.code() {
        Some(0) => stderr.is_empty(),
        Some(1) => stderr.lines().count() == 1 && stderr.starts_with("error: "),
        _ => false,
    };
    (!told).then(|| format!("{}: {}: {stderr}", file.display(), output.status))
}
