//! `log.txt`: what was said during a run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Appends lines to a run's `log.txt`.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log, to go on in it or to begin anew.
    pub(super) fn open(path: &Path, go_on: bool) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).append(go_on).truncate(!go_on).open(path);
        Ok(Self { path: path.to_path_buf(), file: file.map_err(Error::io("write", path))? })
    }

    /// Appends a line.
    pub(super) fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").map_err(Error::io("write", &self.path))
    }
}
