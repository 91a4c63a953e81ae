//! Scenes: bands of one or many files on one grid.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdal::Dataset;
use serde::Serialize;

use crate::align::{Target, choose_grid, plan_warp};
use crate::names::{band_name, make_unique, sensor, stem, time};
use crate::open::{BandHeader, Header, MaskKind, open_raster, read_header};
use crate::validity::Calibration;
use crate::warp::{Warp, warped};
use crate::{GeoError, Grid, Reader, Result, SceneSpec, Source};

/// Bands of one or many files on one grid, with the rules that make values and validity of them.
///
/// Plain data behind a reference count: cheap to clone, shared between threads, without an open file.
/// [`Scene::reader`] gives each thread a reader of its own.
#[derive(Debug, Clone)]
pub struct Scene {
    inner: Arc<Inner>,
}

/// One band of a scene.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// Its name, unique in the scene.
    pub name: String,
    /// Type of the stored numbers as GDAL calls it: `Byte`, `UInt16`, `Float32`.
    pub dtype: String,
    /// `value = raw * scale + offset`.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Raw number that means no data.
    pub nodata: Option<f64>,
    /// Colour interpretation as GDAL calls it: `Red`, `Gray`, `Palette`, `Undefined`.
    pub color: String,
    /// Unit of the values, empty when unknown.
    pub unit: String,
    /// Index of its file among the scene's sources.
    pub source: usize,
    /// Band number in that file, from 1.
    pub number: usize,
}

impl Scene {
    /// Opens the files of a scene, reads their headers and brings them onto one grid.
    ///
    /// # Errors
    /// When a file does not open or holds no bands, a band number or a list length is wrong, a file lies on
    /// another grid that cannot be reconciled: another CRS without leave to reproject, no georeference, no overlap.
    pub fn open(spec: &SceneSpec) -> Result<Scene> {
        if spec.sources.is_empty() {
            return Err(GeoError::Argument("a scene needs at least one file".into()));
        }
        let headers = spec
            .sources
            .iter()
            .map(|source| read_header(&source.path, &open_raster(&source.path)?))
            .collect::<Result<Vec<_>>>()?;
        let target = choose_grid(spec, &headers)?;
        let alone = spec.sources.len() == 1;
        let (mut bands, mut picks, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (source, header)) in spec.sources.iter().zip(headers).enumerate() {
            let chosen = choose_bands(source, &header, index, alone)?;
            let file = SourceFile::new(spec, source, header, &chosen, &target)?;
            for (position, band) in chosen.iter().enumerate() {
                picks.push(Pick::new(&file, band, index, position));
            }
            bands.extend(chosen);
            files.push(file);
        }
        let mut names: Vec<String> = bands.iter().map(|band| band.name.clone()).collect();
        make_unique(&mut names);
        for (band, name) in bands.iter_mut().zip(names) {
            band.name = name;
        }
        Ok(Scene { inner: Arc::new(Inner { spec: spec.clone(), grid: target.grid, bands, picks, files }) })
    }

    /// Opens all bands of some files on the finest of their grids.
    ///
    /// # Errors
    /// As [`Scene::open`].
    pub fn open_paths<P: AsRef<Path>>(paths: &[P]) -> Result<Scene> {
        Scene::open(&SceneSpec::from_paths(paths))
    }

    /// The grid that all bands share.
    pub fn grid(&self) -> &Grid {
        &self.inner.grid
    }

    /// The bands, in the order of [`Reader::read`].
    pub fn bands(&self) -> &[Band] {
        &self.inner.bands
    }

    /// What the scene was opened with.
    pub fn spec(&self) -> &SceneSpec {
        &self.inner.spec
    }

    /// Short name for messages: the first file's name without extension.
    pub fn name(&self) -> String {
        stem(self.path())
    }

    /// The first file with an alpha band that says which pixels are valid and is none of the scene's, and the number of that band.
    pub fn alpha(&self) -> Option<(&Path, usize)> {
        let taken = |file: usize, number| self.bands().iter().any(|band| (band.source, band.number) == (file, number));
        let files = self.inner.files.iter().enumerate();
        files
            .filter_map(|(at, file)| Some((at, file, file.header.alpha()?)))
            .find_map(|(at, file, alpha)| (!taken(at, alpha)).then_some((file.path.as_path(), alpha)))
    }

    /// The first file.
    pub fn path(&self) -> &Path {
        &self.inner.files[0].path
    }

    /// Columns and rows of the blocks in which the first band on the scene's own grid is stored.
    pub fn block_size(&self) -> (usize, usize) {
        let direct = self.inner.picks.iter().find(|pick| self.inner.files[pick.file].warp.is_none());
        let pick = direct.unwrap_or(&self.inner.picks[0]);
        let (cols, rows) = if direct.is_some() { pick.block } else { (512, 128) };
        (cols.clamp(1, self.grid().width), rows.clamp(1, self.grid().height))
    }

    /// Bytes of the blocks under `rows` rows of the scene, of all bands of its files: with a block cache of that size, windows that pass
    /// along these rows decode each block once. `None` where files are warped or point to others, whose blocks are not known.
    pub fn block_bytes(&self, rows: usize) -> Option<usize> {
        let bytes = |file: &SourceFile| {
            let direct = file.warp.is_none() && file.header.driver != "VRT";
            direct
                .then(|| file.header.bands.iter().map(|band| band.bytes_under(rows, &file.header.grid)).sum::<usize>())
        };
        self.inner.files.iter().map(bytes).sum()
    }

    /// A reader of this scene, for one thread at a time.
    ///
    /// # Errors
    /// None today: files are opened by the first read, on the thread that reads.
    pub fn reader(&self) -> Result<Reader> {
        Ok(Reader::new(self.clone()))
    }

    /// The same scene with some of its bands, by index from 0, in the order given.
    ///
    /// # Errors
    /// [`GeoError::Argument`] when there is no such band, or none is named.
    pub fn select(&self, bands: &[usize]) -> Result<Scene> {
        let have = self.bands().len();
        if let Some(missing) = bands.iter().find(|&&band| band >= have) {
            return Err(GeoError::Argument(format!("{} has no band {}, only {have}", self.name(), missing + 1)));
        }
        if bands.is_empty() {
            return Err(GeoError::Argument(format!("no band of {} is selected", self.name())));
        }
        let mut inner = Inner::clone(&self.inner);
        inner.bands = bands.iter().map(|&band| self.inner.bands[band].clone()).collect();
        inner.picks = bands.iter().map(|&band| self.inner.picks[band]).collect();
        Ok(Scene { inner: Arc::new(inner) })
    }

    /// Time of acquisition, such as `2017-02-16T10:21:01`, when metadata or file name tell.
    pub fn time(&self) -> Option<String> {
        self.inner.files.iter().find_map(|file| time(&file.path, &file.header.metadata))
    }

    /// Platform or sensor, such as `Sentinel-2`, when metadata or file name tell.
    pub fn sensor(&self) -> Option<String> {
        self.inner.files.iter().find_map(|file| sensor(&file.path, &file.header.metadata))
    }

    pub(crate) fn files(&self) -> &[SourceFile] {
        &self.inner.files
    }

    pub(crate) fn picks(&self) -> &[Pick] {
        &self.inner.picks
    }
}

#[derive(Debug, Clone)]
struct Inner {
    spec: SceneSpec,
    grid: Grid,
    bands: Vec<Band>,
    /// One for each band.
    picks: Vec<Pick>,
    /// One for each source.
    files: Vec<SourceFile>,
}

/// A file of a scene.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    /// How it comes onto the scene's grid; `None` when it lies there.
    pub(crate) warp: Option<Warp>,
    /// Alpha band of the opened (perhaps warped) dataset that says which pixels are valid.
    pub(crate) alpha: Option<usize>,
}

impl SourceFile {
    fn new(spec: &SceneSpec, source: &Source, header: Header, chosen: &[Band], target: &Target) -> Result<Self> {
        let numbers: Vec<usize> = chosen.iter().map(|band| band.number).collect();
        // Alpha that is asked for by number is data.
        let alpha = header.alpha().filter(|alpha| !numbers.contains(alpha));
        let warp = plan_warp(spec, source, &header, target)?.map(|resampling| Warp {
            from: header.grid.clone(),
            onto: target.grid.clone(),
            nodata: chosen.iter().map(|band| band.nodata).collect(),
            bands: numbers,
            alpha,
            resampling,
        });
        let alpha = if let Some(warp) = &warp { Some(warp.bands.len() + 1) } else { alpha };
        Ok(Self { path: source.path.clone(), header, warp, alpha })
    }

    /// Opens the dataset whose pixels are those of the scene's grid.
    pub(crate) fn open(&self) -> Result<Dataset> {
        let dataset = open_raster(&self.path)?;
        match &self.warp {
            None => Ok(dataset),
            Some(warp) => warped(dataset, warp),
        }
    }
}

/// Where a band's pixels come from and how they become values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pick {
    /// Index of the file.
    pub(crate) file: usize,
    /// Band number in the opened (perhaps warped) dataset, from 1.
    pub(crate) number: usize,
    /// Whether numbers are read as f64, because f32 does not hold them all.
    pub(crate) wide: bool,
    pub(crate) calibration: Calibration,
    pub(crate) mask: MaskKind,
    /// Block size of the file.
    pub(crate) block: (usize, usize),
}

impl Pick {
    fn new(file: &SourceFile, band: &Band, index: usize, position: usize) -> Self {
        let header: &BandHeader = &file.header.bands[band.number - 1];
        let direct = file.warp.is_none();
        Self {
            file: index,
            number: if direct { band.number } else { position + 1 },
            wide: !header.dtype.fits_f32(),
            calibration: Calibration { nodata: band.nodata, scale: band.scale, offset: band.offset },
            // Warping turns masks into its alpha band.
            mask: if direct { header.mask } else { MaskKind::None },
            block: header.block,
        }
    }
}

/// The bands that a source asks for, with its names and numbers in place of the file's.
fn choose_bands(source: &Source, header: &Header, index: usize, alone: bool) -> Result<Vec<Band>> {
    let have = header.bands.len();
    let alpha = header.alpha();
    let numbers = source.bands.clone().unwrap_or_else(|| (1..=have).filter(|&n| Some(n) != alpha).collect());
    if let Some(wrong) = numbers.iter().find(|&&number| number == 0 || number > have) {
        let problem = format!("it has no band {wrong}; bands are numbered 1 to {have}");
        return Err(GeoError::input(&source.path, problem));
    }
    if numbers.is_empty() {
        return Err(GeoError::input(&source.path, "it holds nothing but an alpha band, or no band is selected"));
    }
    let per_band = |what: &str, given: Option<usize>| match given {
        Some(given) if given != numbers.len() => {
            let problem = format!("{given} {what} are given for {} bands; give one for each", numbers.len());
            Err(GeoError::input(&source.path, problem))
        }
        _ => Ok(()),
    };
    per_band("names", source.names.as_ref().map(Vec::len))?;
    per_band("scales", source.scale.as_ref().map(Vec::len))?;
    per_band("offsets", source.offset.as_ref().map(Vec::len))?;
    let build = |(position, &number): (usize, &usize)| {
        let band = &header.bands[number - 1];
        refuse_complex(source, number, band)?;
        let listed = |list: &Option<Vec<f64>>, own: f64, neutral: f64| {
            list.as_ref().map_or(if source.raw { neutral } else { own }, |list| list[position])
        };
        Ok(Band {
            name: match &source.names {
                Some(names) => names[position].clone(),
                None => band_name(&source.path, header, number, alone),
            },
            dtype: band.dtype.name(),
            scale: listed(&source.scale, band.scale, 1.0),
            offset: listed(&source.offset, band.offset, 0.0),
            nodata: source.nodata.or(band.nodata),
            color: band.color.clone(),
            unit: band.unit.clone(),
            source: index,
            number,
        })
    };
    numbers.iter().enumerate().map(build).collect()
}

fn refuse_complex(source: &Source, number: usize, band: &BandHeader) -> Result<()> {
    if !band.dtype.is_complex() {
        return Ok(());
    }
    let problem = format!(
        "band {number} holds complex numbers ({}); compute amplitude or phase first, or select other bands",
        band.dtype.name()
    );
    Err(GeoError::input(&source.path, problem))
}
