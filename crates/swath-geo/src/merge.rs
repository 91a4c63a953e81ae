//! All polygons of a class as one, gathered on disk until the last has come.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{GeoError, Result};

/// What a feature's polygons add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Parts {
    pub(crate) area: f64,
    pub(crate) perimeter: f64,
    pub(crate) pixels: u64,
    pub(crate) touches_edge: bool,
    pub(crate) polygons: u64,
}

/// The polygons of each class, as well-known binary in a temporary file.
#[derive(Debug)]
pub(crate) struct Merged {
    file: BufWriter<File>,
    folder: PathBuf,
    written: u64,
    classes: BTreeMap<u32, (Parts, Vec<Span>)>,
}

/// A place in the file.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    length: u64,
}

impl Merged {
    pub(crate) fn new(folder: &Path) -> Result<Merged> {
        let file = tempfile::tempfile_in(folder).map_err(|error| GeoError::io(folder, error))?;
        Ok(Merged { file: BufWriter::new(file), folder: folder.to_path_buf(), written: 0, classes: BTreeMap::new() })
    }

    /// Adds the polygons of a feature.
    pub(crate) fn add(&mut self, class: u32, more: &Parts, wkb: &[u8]) -> Result<()> {
        self.file.write_all(wkb).map_err(|error| GeoError::io(&self.folder, error))?;
        let (parts, spans) = self.classes.entry(class).or_default();
        parts.area += more.area;
        parts.perimeter += more.perimeter;
        parts.pixels += more.pixels;
        parts.touches_edge |= more.touches_edge;
        parts.polygons += more.polygons;
        let length = wkb.len() as u64;
        match spans.last_mut() {
            Some(last) if last.start + last.length == self.written => last.length += length,
            _ => spans.push(Span { start: self.written, length }),
        }
        self.written += length;
        Ok(())
    }

    /// The classes that have polygons.
    pub(crate) fn classes(&self) -> Vec<u32> {
        self.classes.keys().copied().collect()
    }

    /// Appends the polygons of a class.
    pub(crate) fn read(&mut self, class: u32, wkb: &mut Vec<u8>) -> Result<Parts> {
        let (parts, spans) = self.classes.remove(&class).unwrap_or_default();
        let read = || {
            self.file.flush()?;
            let file = self.file.get_mut();
            for Span { start, length } in spans {
                let at = wkb.len();
                wkb.resize(at + length as usize, 0);
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut wkb[at..])?;
            }
            Ok(())
        };
        read().map_err(|error: std::io::Error| GeoError::io(&self.folder, error))?;
        Ok(parts)
    }
}
