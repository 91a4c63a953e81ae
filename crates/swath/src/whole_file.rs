//! Files that are either old or new, never half-written.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file beside its target and renames it when it is complete and on the disk: a kill at any moment, a full disk or
/// a missing permission leave what was there before.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Before the temporary file, whose name means nothing to anybody.
    std::fs::metadata(folder).map_err(Error::io("write", path))?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; outputs follow the user's umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(Error::io("write", path))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(Error::io("write", path))?;
    file.persist(path).map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write_whole;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_whole(&folder.path().join("missing/a.txt"), b"x").unwrap_err().to_string();
        assert!(error.contains("missing/a.txt"), "{error}");
        assert!(!error.contains("at path"), "{error}");
    }
}
