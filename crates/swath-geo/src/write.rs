//! Cloud-optimized GeoTIFFs, written window by window in any order.
//!
//! [`CogWriter`] keeps the pixels in a raw file in a scratch folder beside the target. Its full size is allocated
//! first, so that a full disk shows before hours of work, and later writes touch pixel bytes only, so that what was
//! written survives a killed process ([`CogWriter::reopen`]). [`CogWriter::finish`] lets GDAL turn it into a COG in
//! the same folder and renames it over the target. Memory stays bounded by GDAL's block cache.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::classes::{METADATA_ITEM, classes_to_json, sidecar_xml};
use crate::cog::{CogLayout, copy_to_cog, remove_companions};
use crate::raster_style;
use crate::raw_vrt;
use crate::scratch::{Scratch, folder_of, with_suffix};
use crate::{CogOptions, Crs, DType, GeoError, Grid, Resampling, Result, Samples, Window};

/// Writes one cloud-optimized GeoTIFF. See the module's text for what happens on disk.
///
/// Dropped without [`CogWriter::finish`], it removes its scratch folder and leaves an older output as it was.
#[derive(Debug)]
pub struct CogWriter {
    scratch: Scratch,
    pixels: File,
    grid: Grid,
    options: CogOptions,
    bytes: Vec<u8>,
    prepared: bool,
}

impl CogWriter {
    /// Starts a new output and discards the scratch of an interrupted one.
    ///
    /// # Errors
    /// When the target exists and `overwrite` is off, when its folder is missing or not writable, when another process
    /// writes the same target, and when the disk has no room for the pixels.
    pub fn create(target: &Path, grid: &Grid, options: &CogOptions) -> Result<CogWriter> {
        options.check(target, grid)?;
        let scratch = Scratch::create(target, options.overwrite)?;
        let pixels = allocate(&scratch, grid, options).map_err(|error| {
            let gigabytes = raw_vrt::pixel_bytes(grid, options) as f64 / 1e9;
            GeoError::write(target, format!("cannot make room for {gigabytes:.3} GB of pixels: {error}"))
        })?;
        // The plan comes last: a scratch folder with a plan has all its pixels allocated.
        let plan = Plan::new(grid, options).to_json(target)?;
        std::fs::write(scratch.file(PLAN), plan).map_err(|error| GeoError::write(target, error.to_string()))?;
        Ok(CogWriter::over(scratch, pixels, grid, options))
    }

    fn over(scratch: Scratch, pixels: File, grid: &Grid, options: &CogOptions) -> CogWriter {
        CogWriter { scratch, pixels, grid: grid.clone(), options: options.clone(), bytes: Vec::new(), prepared: false }
    }

    /// Takes over the scratch of an interrupted run, with all pixels that it wrote.
    ///
    /// `None` when there is none, or when it belongs to another grid, sample type or number of bands; [`CogWriter::create`] then
    /// starts anew. The scratch is kept when the writer is dropped, as after [`CogWriter::keep_scratch`].
    ///
    /// # Errors
    /// As [`CogWriter::create`].
    pub fn reopen(target: &Path, grid: &Grid, options: &CogOptions) -> Result<Option<CogWriter>> {
        options.check(target, grid)?;
        let Some(scratch) = Scratch::reopen(target, options.overwrite)? else { return Ok(None) };
        let plan = std::fs::read_to_string(scratch.file(PLAN)).ok().and_then(|text| serde_json::from_str(&text).ok());
        if !plan.is_some_and(|plan: Plan| plan.fits(&Plan::new(grid, options))) {
            return Ok(None);
        }
        let Ok(pixels) = OpenOptions::new().write(true).open(scratch.file(raw_vrt::PIXELS)) else { return Ok(None) };
        if !pixels.metadata().is_ok_and(|data| data.len() == raw_vrt::pixel_bytes(grid, options)) {
            return Ok(None);
        }
        Ok(Some(CogWriter::over(scratch, pixels, grid, options)))
    }

    /// The scratch folder of `target`, where [`CogWriter::scratch_dir`] would be.
    ///
    /// # Errors
    /// When `target` does not name a file.
    pub fn scratch_of(target: &Path) -> Result<PathBuf> {
        folder_of(target)
    }

    /// Writes one window of one band (0-based). Windows may come in any order and may be written again.
    ///
    /// # Errors
    /// When the window reaches beyond the grid, when samples do not fit the window or the output's type, when there is
    /// no such band, and when the disk refuses.
    pub fn write(&mut self, window: Window, band: usize, samples: Samples<'_>) -> Result<()> {
        self.check(window, band, samples)?;
        self.prepared = false;
        let (width, height) = (self.grid.width, self.grid.height);
        // Windows as wide as the grid are one piece of the file.
        let rows = if window.width == width { window.height } else { 1 };
        for row in (0..window.height).step_by(rows.max(1)) {
            samples.little_endian(row * window.width..(row + rows) * window.width, &mut self.bytes);
            let first = (band * height + window.row as usize + row) * width + window.col as usize;
            let offset = first as u64 * self.options.dtype.size() as u64;
            self.pixels
                .seek(SeekFrom::Start(offset))
                .and_then(|_| self.pixels.write_all(&self.bytes))
                .map_err(|error| GeoError::write(self.scratch.target(), format!("at {window}: {error}")))?;
        }
        Ok(())
    }

    /// Makes everything written so far survive a power failure.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> Result<()> {
        self.pixels.sync_data().map_err(|error| GeoError::write(self.scratch.target(), error.to_string()))
    }

    /// Keeps the scratch folder when the writer is dropped, or when [`CogWriter::finish`] fails, so that
    /// [`CogWriter::reopen`] can go on.
    pub fn keep_scratch(&mut self) {
        self.scratch.keep(true);
    }

    /// Removes the scratch folder when the writer is dropped; undoes [`CogWriter::keep_scratch`].
    pub fn discard_scratch(&mut self) {
        self.scratch.keep(false);
    }

    /// The scratch folder, where a caller may keep notes of its progress. Names starting with `swath-` are the caller's.
    pub fn scratch_dir(&self) -> &Path {
        self.scratch.folder()
    }

    /// Makes the COG in the scratch folder, so that [`CogWriter::finish`] has little more to do than to rename it. For
    /// several outputs that should appear together: prepare all, then finish all.
    ///
    /// # Errors
    /// When GDAL or the disk refuses.
    pub fn prepare(&mut self) -> Result<()> {
        let finished = self.scratch.file(FINISHED);
        let made = self.make_cog(&finished);
        if made.is_err() {
            // What GDAL left is of no use, also when the pixels are kept.
            let _ = std::fs::remove_file(&finished);
        }
        self.prepared = made.is_ok();
        made
    }

    /// Makes the COG, unless it is prepared, replaces the target with it and removes the scratch folder.
    ///
    /// # Errors
    /// When GDAL or the disk refuses. The target is then as it was before.
    pub fn finish(mut self) -> Result<()> {
        let target = self.scratch.target().to_path_buf();
        if !self.prepared {
            self.prepare()?;
        }
        let finished = self.scratch.file(FINISHED);
        let sidecar = with_suffix(&target, ".aux.xml");
        remove_companions(&target)?;
        self.scratch.publish(&finished, &target)?;
        let classes = self.options.classes();
        if !classes.is_empty() {
            let beside = self.scratch.file("finished.aux.xml");
            std::fs::write(&beside, sidecar_xml(&classes)).map_err(|error| GeoError::io(&beside, error))?;
            self.scratch.publish(&beside, &sidecar)?;
            raster_style::write_beside(&self.scratch, &target, &classes)?;
        }
        self.scratch.keep(false);
        Ok(())
    }

    fn make_cog(&mut self, path: &Path) -> Result<()> {
        self.pixels.flush().map_err(|error| GeoError::write(self.scratch.target(), error.to_string()))?;
        let mut metadata = self.options.metadata.clone();
        let classes = self.options.classes();
        if !classes.is_empty() {
            metadata.push((METADATA_ITEM.to_owned(), classes_to_json(&classes)));
        }
        let source = raw_vrt::open(self.scratch.folder(), &self.grid, &self.options, &metadata)?;
        let labels = matches!(self.options.overview, Resampling::Nearest | Resampling::Mode);
        let layout = CogLayout {
            compression: self.options.compression,
            overview: self.options.overview,
            predictor: self.options.dtype == DType::F32 || !labels,
        };
        copy_to_cog(&source, path, self.scratch.target(), &layout)
    }

    fn check(&self, window: Window, band: usize, samples: Samples<'_>) -> Result<()> {
        let wrong = |problem: String| Err(GeoError::write(self.scratch.target(), problem));
        if !self.grid.window().contains(&window) {
            return wrong(format!("{window} reaches beyond the {}x{} grid", self.grid.width, self.grid.height));
        }
        if band >= self.options.bands {
            return wrong(format!("band {} of {} was to be written", band + 1, self.options.bands));
        }
        if samples.dtype() != self.options.dtype || samples.len() != window.area() {
            let given = (samples.len(), samples.dtype());
            return wrong(format!("{} {:?} samples for {window} of {:?}", given.0, given.1, self.options.dtype));
        }
        Ok(())
    }
}

/// What must agree for the pixels of an interrupted run to be of use.
#[derive(Serialize, Deserialize)]
struct Plan {
    format: u32,
    width: usize,
    height: usize,
    transform: [f64; 6],
    crs: Option<Crs>,
    dtype: DType,
    bands: usize,
    nodata: Option<String>,
}

const PLAN: &str = "plan.json";
const FINISHED: &str = "finished.tif";
/// Bytes of fill that are written at a time.
const FILL_CHUNK: usize = 1 << 20;

impl Plan {
    fn new(grid: &Grid, options: &CogOptions) -> Plan {
        Plan {
            format: 1,
            width: grid.width,
            height: grid.height,
            transform: grid.transform.0,
            crs: grid.crs.clone(),
            dtype: options.dtype,
            bands: options.bands,
            nodata: options.nodata.map(|value| value.to_string()),
        }
    }

    fn fits(&self, other: &Plan) -> bool {
        // Not the texts: what GDAL writes for one and the same file depends on what the process has read before.
        let same_crs = match (&self.crs, &other.crs) {
            (Some(own), Some(other)) => own.same(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        let rest = |plan: &Plan| {
            let shape = (plan.format, plan.width, plan.height, plan.bands);
            (shape, plan.transform, plan.dtype, plan.nodata.clone())
        };
        same_crs && rest(self) == rest(other)
    }

    fn to_json(&self, target: &Path) -> Result<String> {
        serde_json::to_string(self).map_err(|error| GeoError::write(target, error.to_string()))
    }
}

/// Creates the raw file and fills it, which takes the room on disk that later writes need.
fn allocate(scratch: &Scratch, grid: &Grid, options: &CogOptions) -> std::io::Result<File> {
    let mut file = File::create(scratch.file(raw_vrt::PIXELS))?;
    let fill = options.nodata.unwrap_or(0.0);
    let sample = match options.dtype {
        DType::U8 => vec![fill as u8],
        DType::U16 => (fill as u16).to_le_bytes().to_vec(),
        DType::F32 => (fill as f32).to_le_bytes().to_vec(),
    };
    let chunk = sample.repeat(FILL_CHUNK / sample.len());
    let mut left = raw_vrt::pixel_bytes(grid, options);
    while left > 0 {
        let count = left.min(chunk.len() as u64) as usize;
        file.write_all(&chunk[..count])?;
        left -= count as u64;
    }
    Ok(file)
}
