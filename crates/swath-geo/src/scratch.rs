//! Outputs are made in a scratch folder beside their target and renamed when they are complete.
//!
//! The folder of `maps/map.tif` is `maps/.map.tif.swath-partial/`: the same file system, so that the final rename is
//! one step. Whatever happens before it (an error, Ctrl-C, a crash), an older output stays as it was. A lock file in the
//! folder keeps two processes from writing the same target; the system releases it when the process dies.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{GeoError, Result};

/// The folders of this process that are not to outlive it.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn open_folders() -> MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process at once, from whatever thread: outputs in the making are removed with their scratch folders, and complete ones stay. Nothing
/// else is tidied up, since other threads may be anywhere, GDAL's code included.
pub fn stop_process(status: i32) -> ! {
    // Held to the end: nothing is published any more.
    let folders = open_folders();
    for folder in folders.iter() {
        // A thread that is about to make a file there makes the first try fail.
        let _ = fs::remove_dir_all(folder).or_else(|_| fs::remove_dir_all(folder));
    }
    #[cfg(unix)]
    // SAFETY: ends the process; no destructor runs, and so none meets a thread that is still at work.
    unsafe {
        libc::_exit(status)
    }
    #[cfg(not(unix))]
    std::process::exit(status)
}

/// The scratch folder of one output. Removed on drop, unless [`Scratch::keep`] was called.
#[derive(Debug)]
pub(crate) struct Scratch {
    target: PathBuf,
    folder: PathBuf,
    overwrite: bool,
    keep: bool,
    _lock: File,
}

impl Scratch {
    /// Starts an output: checks that `target` may be written and makes an empty scratch folder beside it.
    /// The scratch of an interrupted earlier run is discarded.
    pub(crate) fn create(target: &Path, overwrite: bool) -> Result<Scratch> {
        check_target(target, overwrite)?;
        let folder = folder_of(target)?;
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(GeoError::write(
                    target,
                    format!("cannot create a file in {}: {error}", parent(target).display()),
                ));
            }
            _ => {}
        }
        let scratch = Scratch::lock(target, folder, overwrite)?;
        scratch.clear()?;
        Ok(scratch)
    }

    /// Takes over the scratch folder that an interrupted run left, if there is one.
    pub(crate) fn reopen(target: &Path, overwrite: bool) -> Result<Option<Scratch>> {
        check_target(target, overwrite)?;
        let folder = folder_of(target)?;
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut scratch = Scratch::lock(target, folder, overwrite)?;
        scratch.keep(true);
        Ok(Some(scratch))
    }

    /// The scratch folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The final place of the output.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A file inside the scratch folder.
    pub(crate) fn file(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.folder.join(name.as_ref())
    }

    /// Chooses whether the folder outlives this value (to resume later).
    pub(crate) fn keep(&mut self, keep: bool) {
        self.keep = keep;
        self.forget();
        if !keep {
            open_folders().push(self.folder.clone());
        }
    }

    /// Leaves the folder to itself when the process ends.
    fn forget(&self) {
        open_folders().retain(|folder| *folder != self.folder);
    }

    /// Makes `file` of the scratch folder durable and moves it to `destination`, replacing what is there.
    pub(crate) fn publish(&self, file: &Path, destination: &Path) -> Result<()> {
        check_target(&self.target, self.overwrite || destination != self.target)?;
        let written = File::open(file).and_then(|opened| opened.sync_all());
        written.map_err(|error| GeoError::write(destination, error.to_string()))?;
        // Not while the process is being ended.
        let _open = open_folders();
        fs::rename(file, destination).map_err(|error| GeoError::write(destination, error.to_string()))?;
        sync_folder(parent(destination));
        Ok(())
    }

    fn lock(target: &Path, folder: PathBuf, overwrite: bool) -> Result<Scratch> {
        let path = folder.join(LOCK);
        let lock = File::create(&path)
            .map_err(|error| GeoError::write(target, format!("cannot create {}: {error}", path.display())))?;
        // A file system without locks (some network mounts) is not a reason to refuse the work.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(GeoError::write(target, "another process is writing it; wait for that or stop it"));
        }
        open_folders().push(folder.clone());
        Ok(Scratch { target: target.to_path_buf(), folder, overwrite, keep: false, _lock: lock })
    }

    fn clear(&self) -> Result<()> {
        let failed = |error| GeoError::io(&self.folder, error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() == LOCK {
                continue;
            }
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.forget();
        if !self.keep {
            // Nothing can be reported from here; a folder that stays is taken over by the next run.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Fails unless `target` is a place on a local file system where a file may be made.
pub(crate) fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    if target.to_string_lossy().starts_with("/vsi") {
        return Err(GeoError::write(target, "outputs must be local files"));
    }
    if target.is_dir() {
        return Err(GeoError::write(target, "it is a folder; name a file in it"));
    }
    if !overwrite && target.symlink_metadata().is_ok() {
        return Err(GeoError::Exists { path: target.to_path_buf() });
    }
    let folder = parent(target);
    if !folder.is_dir() {
        return Err(GeoError::write(
            target,
            format!("the folder {} does not exist; create it first", folder.display()),
        ));
    }
    Ok(())
}

/// The scratch folder of a target.
pub(crate) fn folder_of(target: &Path) -> Result<PathBuf> {
    let Some(name) = target.file_name() else {
        return Err(GeoError::write(target, "it does not name a file"));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".swath-partial");
    Ok(parent(target).join(hidden))
}

/// The folder of a path, `.` for a bare file name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// `path` with `suffix` appended to its whole name: `map.tif` -> `map.tif.aux.xml`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

const LOCK: &str = "lock";

/// Makes a rename durable. Not every system can open a folder; the rename itself is complete without it.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
