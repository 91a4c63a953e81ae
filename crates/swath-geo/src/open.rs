//! Opening raster files and reading their headers, with limits that damaged files run into.

use std::ffi::CStr;
use std::path::Path;

use gdal::raster::RasterBand;
use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};
use gdal_sys::GDALDataType;

use crate::gdal_setup::{clear_messages, init, take_messages_about};
use crate::{Affine, Crs, GeoError, Grid, Result};

/// Largest block that is decoded at once, in bytes: GDAL decodes whole blocks.
const BLOCK_BYTES: u64 = 512 << 20;

/// What a file says about itself; pixels are not touched.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// Format, as GDAL calls it.
    pub(crate) driver: String,
    pub(crate) grid: Grid,
    pub(crate) bands: Vec<BandHeader>,
    pub(crate) compression: Option<String>,
    pub(crate) interleave: Option<String>,
    /// Metadata of the default and the IMAGERY domain as `KEY=value`.
    pub(crate) metadata: Vec<String>,
}

/// What a file says about one band.
#[derive(Debug, Clone)]
pub(crate) struct BandHeader {
    pub(crate) dtype: DataType,
    pub(crate) description: String,
    /// Colour interpretation as GDAL calls it.
    pub(crate) color: String,
    pub(crate) nodata: Option<f64>,
    pub(crate) scale: f64,
    pub(crate) offset: f64,
    pub(crate) unit: String,
    pub(crate) block: (usize, usize),
    pub(crate) overviews: Vec<(usize, usize)>,
    /// Whether coarser versions come cheaply without overviews, as from wavelets.
    pub(crate) any_overview: bool,
    pub(crate) mask: MaskKind,
}

impl BandHeader {
    /// Bytes of the blocks that some rows of the band's file may touch.
    pub(crate) fn bytes_under(&self, rows: usize, grid: &Grid) -> usize {
        let (cols, height) = (self.block.0.max(1), self.block.1.max(1));
        let lines = (rows.div_ceil(height) + 1) * height;
        lines.min(grid.height.next_multiple_of(height))
            * grid.width.next_multiple_of(cols)
            * self.dtype.bytes() as usize
    }
}

/// Which mask band a band has, beside its nodata value and the file's alpha band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaskKind {
    /// No mask band.
    None,
    /// One mask band for all bands of the file.
    Shared,
    /// A mask band of its own.
    Own,
}

impl Header {
    /// Whether every band can be read coarsely at little cost.
    pub(crate) fn has_overviews(&self) -> bool {
        self.bands.iter().all(|band| band.any_overview || !band.overviews.is_empty())
    }

    /// Number of the alpha band, from 1: the one that GDAL takes for it, unless its description says that it is something else.
    /// Programs that write four bands of bytes and say nothing of colours get red, green, blue and alpha, whatever the fourth is.
    pub(crate) fn alpha(&self) -> Option<usize> {
        let alpha = |band: &BandHeader| band.color == "Alpha" && may_name_alpha(&band.description);
        self.bands.iter().position(alpha).map(|index| index + 1)
    }
}

/// Whether an alpha band may have this description: none, a bare number as in `Band 4`, or one that speaks of transparency.
fn may_name_alpha(description: &str) -> bool {
    let words = description.to_lowercase();
    let spoken = ["alpha", "mask", "opac", "transparen", "valid"].iter().any(|word| words.contains(word));
    let letters: String = words.chars().filter(|c| c.is_alphanumeric()).collect();
    let number = ["band", "channel", "layer"].iter().find_map(|word| letters.strip_prefix(word)).unwrap_or(&letters);
    spoken || number.chars().all(|c| c.is_ascii_digit())
}

/// Type of stored numbers. Not the `gdal` crate's enum, which knows no complex numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataType(GDALDataType::Type);

impl DataType {
    fn of(band: &RasterBand<'_>) -> Self {
        // SAFETY: the band lives during the call.
        Self(unsafe { gdal_sys::GDALGetRasterDataType(band.c_rasterband()) })
    }

    /// GDAL's name, such as `UInt16`.
    pub(crate) fn name(self) -> String {
        // SAFETY: GDAL returns a literal of its own, or NULL for a type it does not know.
        let name = unsafe { gdal_sys::GDALGetDataTypeName(self.0) };
        if name.is_null() {
            return "Unknown".into();
        }
        // SAFETY: see above.
        unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
    }

    pub(crate) fn bytes(self) -> u64 {
        // SAFETY: the call only looks up a number.
        u64::try_from(unsafe { gdal_sys::GDALGetDataTypeSizeBytes(self.0) }).unwrap_or(0)
    }

    pub(crate) fn is_complex(self) -> bool {
        // SAFETY: as above.
        unsafe { gdal_sys::GDALDataTypeIsComplex(self.0) != 0 }
    }

    /// Whether f32 holds every number of the type exactly.
    pub(crate) fn fits_f32(self) -> bool {
        self.0 == GDALDataType::GDT_Float32 || self.bytes() <= 2 && !self.is_complex()
    }
}

/// Opens a raster for reading. Paths are GDAL's business: `/vsizip/...` and VRT text are fine.
pub(crate) fn open_raster(path: &Path) -> Result<Dataset> {
    init();
    clear_messages();
    let open_flags =
        GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
    Dataset::open_ex(path, DatasetOptions { open_flags, ..DatasetOptions::default() }).map_err(|error| {
        let message = take_messages_about(path, &error.to_string());
        let message = explain(path).map_or(message, str::to_owned);
        GeoError::Open { path: path.to_path_buf(), message }
    })
}

/// Why a file that exists is no raster, where GDAL only says that it is none.
fn explain(path: &Path) -> Option<&'static str> {
    if path.is_dir() {
        return Some("it is a folder; name the files in it");
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
        return Some("it is an archive; name a file in it as /vsizip/ARCHIVE.zip/FILE");
    }
    let options = DatasetOptions { open_flags: GdalOpenFlags::GDAL_OF_VECTOR, ..DatasetOptions::default() };
    Dataset::open_ex(path, options)
        .is_ok()
        .then_some("it holds vectors and no pixels; make labels of it with swath rasterize")
}

/// Reads the header and refuses what could not be read in reasonable memory.
pub(crate) fn read_header(path: &Path, dataset: &Dataset) -> Result<Header> {
    let (width, height) = dataset.raster_size();
    let count = dataset.raster_count();
    if count == 0 || width == 0 || height == 0 {
        return Err(GeoError::input(path, no_bands(dataset)));
    }
    let bands = (1..=count)
        .map(|number| {
            let band = dataset.rasterband(number).map_err(|error| GeoError::Open {
                path: path.to_path_buf(),
                message: take_messages_about(path, &error.to_string()),
            })?;
            Ok(band_header(&band))
        })
        .collect::<Result<Vec<_>>>()?;
    let domain = "IMAGE_STRUCTURE";
    let header = Header {
        driver: dataset.driver().short_name(),
        compression: dataset.metadata_item("COMPRESSION", domain).or_else(|| first_band_compression(dataset)),
        grid: Grid { width, height, ..georeference(dataset) },
        interleave: dataset.metadata_item("INTERLEAVE", domain),
        metadata: ["", "IMAGERY"].iter().filter_map(|domain| dataset.metadata_domain(domain)).flatten().collect(),
        bands,
    };
    refuse_giant_blocks(path, &header)?;
    Ok(header)
}

/// Some formats, JPEG 2000 among them, tell it for each band.
fn first_band_compression(dataset: &Dataset) -> Option<String> {
    dataset.rasterband(1).ok()?.metadata_item("COMPRESSION", "IMAGE_STRUCTURE")
}

/// CRS and transform; identity where the file has none or a degenerate one.
fn georeference(dataset: &Dataset) -> Grid {
    let plain = Grid::plain(0, 0);
    let crs = dataset.spatial_ref().ok().and_then(|reference| Crs::from_spatial_ref(&reference).ok());
    match dataset.geo_transform().map(Affine) {
        Ok(transform) if transform.inverse().is_some() => Grid { crs, transform, ..plain },
        _ => plain,
    }
}

fn band_header(band: &RasterBand<'_>) -> BandHeader {
    let dtype = DataType::of(band);
    let mask = band.mask_flags().map_or(MaskKind::None, |flags| {
        // Nodata of a single band and alpha are looked at directly: GDAL finds alpha only in files of 2 or 4 bands.
        let elsewhere = flags.is_nodata() && !flags.is_per_dataset();
        if flags.is_all_valid() || flags.is_alpha() || elsewhere {
            MaskKind::None
        } else if flags.is_per_dataset() {
            MaskKind::Shared
        } else {
            MaskKind::Own
        }
    });
    BandHeader {
        dtype,
        description: band.description().unwrap_or_default(),
        color: band.color_interpretation().name(),
        nodata: nodata(band, dtype),
        scale: band.scale().filter(|value| value.is_finite()).unwrap_or(1.0),
        offset: band.offset().filter(|value| value.is_finite()).unwrap_or(0.0),
        unit: band.unit(),
        block: band.block_size(),
        overviews: overviews(band),
        // SAFETY: the band lives during the call.
        any_overview: unsafe { gdal_sys::GDALHasArbitraryOverviews(band.c_rasterband()) != 0 },
        mask,
    }
}

/// GDAL asks 64-bit integers for their nodata value by functions of their own.
fn nodata(band: &RasterBand<'_>, dtype: DataType) -> Option<f64> {
    match dtype.0 {
        GDALDataType::GDT_Int64 => band.no_data_value_i64().map(|value| value as f64),
        GDALDataType::GDT_UInt64 => band.no_data_value_u64().map(|value| value as f64),
        _ => band.no_data_value(),
    }
}

fn overviews(band: &RasterBand<'_>) -> Vec<(usize, usize)> {
    let count = band.overview_count().unwrap_or(0).clamp(0, 64) as usize;
    (0..count).filter_map(|index| band.overview(index).ok()).map(|overview| overview.size()).collect()
}

/// A file that opens without bands is usually a container: name what it holds.
fn no_bands(dataset: &Dataset) -> String {
    let inside: Vec<String> = dataset
        .metadata_domain("SUBDATASETS")
        .unwrap_or_default()
        .iter()
        .filter_map(|line| line.split_once("_NAME=").map(|(_, name)| name.to_owned()))
        .take(4)
        .collect();
    if inside.is_empty() {
        "it holds no raster band".to_owned()
    } else {
        format!("it is a container without bands of its own; name one of its parts, such as {}", inside.join(" or "))
    }
}

fn refuse_giant_blocks(path: &Path, header: &Header) -> Result<()> {
    let interleaved = header.interleave.as_deref() == Some("PIXEL");
    let together = if interleaved { header.bands.len() as u64 } else { 1 };
    for (index, band) in header.bands.iter().enumerate() {
        let bytes = (band.block.0 as u64)
            .saturating_mul(band.block.1 as u64)
            .saturating_mul(band.dtype.bytes())
            .saturating_mul(together);
        if bytes > BLOCK_BYTES {
            return Err(GeoError::input(
                path,
                format!(
                    "band {} is stored in blocks of {}x{} pixels, {} MiB each decoded, more than the {} MiB read at once; \
                     convert it with gdal_translate -co TILED=YES",
                    index + 1,
                    band.block.0,
                    band.block.1,
                    bytes >> 20,
                    BLOCK_BYTES >> 20
                ),
            ));
        }
    }
    Ok(())
}
