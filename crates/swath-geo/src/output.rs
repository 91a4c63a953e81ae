//! What an output raster holds: sample type, compression, colours, names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{ClassEntry, GeoError, Grid, Resampling, Result};

/// Sample type of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DType {
    /// Unsigned 8 bit.
    U8,
    /// Unsigned 16 bit.
    U16,
    /// IEEE 754, 32 bit.
    F32,
}

impl DType {
    /// Bytes of one sample.
    pub fn size(self) -> usize {
        match self {
            DType::U8 => 1,
            DType::U16 => 2,
            DType::F32 => 4,
        }
    }

    /// GDAL's name of the type.
    pub fn gdal_name(self) -> &'static str {
        match self {
            DType::U8 => "Byte",
            DType::U16 => "UInt16",
            DType::F32 => "Float32",
        }
    }
}

/// Lossless compression of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Readable by every GeoTIFF reader.
    #[default]
    Deflate,
    /// Faster and smaller; needs a GDAL built with zstd to read.
    Zstd,
    /// Plain samples.
    None,
}

/// What a COG holds besides its pixels.
#[derive(Debug, Clone)]
pub struct CogOptions {
    /// Sample type.
    pub dtype: DType,
    /// Number of bands.
    pub bands: usize,
    /// Compression of tiles and overviews.
    pub compression: Compression,
    /// How overviews are made: [`Resampling::Nearest`] or [`Resampling::Mode`] for labels, [`Resampling::Average`] for
    /// continuous values.
    pub overview: Resampling,
    /// The value of invalid pixels. Pixels that are never written hold it, or 0 where there is none.
    pub nodata: Option<f64>,
    /// Colour table, red green blue alpha by pixel value; single-band [`DType::U8`] and [`DType::U16`] only.
    pub colors: Option<Vec<[u8; 4]>>,
    /// Class names by pixel value. An empty name means that the value is no class.
    ///
    /// They are written into the TIFF itself (metadata item `SWATH_CLASSES`, JSON) and, because GDAL and QGIS look for
    /// them there, as category names into the sidecar `NAME.tif.aux.xml`; with the colours they are also map styles beside it, `NAME.qml` and
    /// `NAME.sld`, unless there are some of others. Nothing in Swath depends on these.
    pub class_names: Option<Vec<String>>,
    /// Band descriptions, one per band.
    pub band_names: Option<Vec<String>>,
    /// Metadata items of the file.
    pub metadata: Vec<(String, String)>,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

impl CogOptions {
    /// Options of a plain raster: deflate, nearest overviews, nothing else.
    pub fn new(dtype: DType, bands: usize) -> CogOptions {
        CogOptions {
            dtype,
            bands,
            compression: Compression::Deflate,
            overview: Resampling::Nearest,
            nodata: None,
            colors: None,
            class_names: None,
            band_names: None,
            metadata: Vec::new(),
            overwrite: false,
        }
    }

    /// Options of a label map: one band of class values with names and colours, `nodata` where there is no class.
    pub fn labels(classes: &[ClassEntry], nodata: Option<u32>) -> CogOptions {
        let largest = classes.iter().map(|class| class.value).chain(nodata).max().unwrap_or(0);
        let dtype = if largest <= u32::from(u8::MAX) { DType::U8 } else { DType::U16 };
        let entries = classes.iter().map(|class| class.value as usize + 1).max().unwrap_or(0);
        let mut colors = vec![[0, 0, 0, 0]; entries];
        let mut names = vec![String::new(); entries];
        for class in classes {
            let [red, green, blue] = class.color;
            colors[class.value as usize] = [red, green, blue, 255];
            names[class.value as usize].clone_from(&class.name);
        }
        CogOptions {
            nodata: nodata.map(f64::from),
            colors: Some(colors),
            class_names: Some(names),
            ..CogOptions::new(dtype, 1)
        }
    }

    /// The named values, as they are written into the file.
    pub(crate) fn classes(&self) -> Vec<ClassEntry> {
        let names = self.class_names.iter().flatten().enumerate();
        let named = names.filter(|(_, name)| !name.is_empty());
        named
            .map(|(value, name)| {
                let color = self.colors.as_ref().and_then(|colors| colors.get(value)).copied().unwrap_or_default();
                ClassEntry { value: value as u32, name: name.clone(), color: [color[0], color[1], color[2]] }
            })
            .collect()
    }

    /// Fails when the options contradict each other or the grid.
    pub(crate) fn check(&self, target: &Path, grid: &Grid) -> Result<()> {
        let wrong = |problem: String| Err(GeoError::write(target, problem));
        if self.bands == 0 || grid.width == 0 || grid.height == 0 {
            return wrong(format!("{} bands of {}x{} pixels hold nothing", self.bands, grid.width, grid.height));
        }
        let values = match self.dtype {
            DType::U8 => 1 << 8,
            DType::U16 => 1 << 16,
            DType::F32 => 0,
        };
        if let Some(colors) = &self.colors
            && (self.bands != 1 || colors.len() > values)
        {
            return wrong(format!("{} bands of {:?} cannot have {} colours", self.bands, self.dtype, colors.len()));
        }
        match &self.band_names {
            Some(names) if names.len() != self.bands => {
                wrong(format!("{} band names were given for {} bands", names.len(), self.bands))
            }
            _ => Ok(()),
        }
    }
}

/// Samples of one band and window, row by row.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// For [`DType::U8`].
    U8(&'a [u8]),
    /// For [`DType::U16`].
    U16(&'a [u16]),
    /// For [`DType::F32`].
    F32(&'a [f32]),
}

impl Samples<'_> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(data) => data.len(),
            Samples::U16(data) => data.len(),
            Samples::F32(data) => data.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn dtype(&self) -> DType {
        match self {
            Samples::U8(_) => DType::U8,
            Samples::U16(_) => DType::U16,
            Samples::F32(_) => DType::F32,
        }
    }

    /// Replaces `bytes` by a range of the samples, little endian.
    pub(crate) fn little_endian(&self, range: std::ops::Range<usize>, bytes: &mut Vec<u8>) {
        bytes.clear();
        match self {
            Samples::U8(data) => bytes.extend_from_slice(&data[range]),
            Samples::U16(data) => bytes.extend(data[range].iter().flat_map(|value| value.to_le_bytes())),
            Samples::F32(data) => bytes.extend(data[range].iter().flat_map(|value| value.to_le_bytes())),
        }
    }
}
