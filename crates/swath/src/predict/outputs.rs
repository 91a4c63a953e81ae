//! The files of a prediction: map, scores and confidence.

use std::path::{Path, PathBuf};

use swath_geo::{ClassEntry, CogOptions, Compression, DType, Resampling};

use crate::error::{Error, Result};

/// Which files a prediction makes and how it deals with those that are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The map: one band of class ids.
    pub map: PathBuf,
    /// The scores of classes.
    pub scores: Option<ScoresOutput>,
    /// The score of the chosen class.
    pub confidence: Option<ConfidenceOutput>,
    /// Compression of all files.
    pub compression: Compression,
    /// Replace existing files.
    pub overwrite: bool,
    /// Go on with the work of an interrupted run, if there is one.
    pub resume: bool,
    /// When the work is stopped on request, keep what is done for a later run that resumes.
    pub keep_partial: bool,
}

/// Scores as a file, one band for each class.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoresOutput {
    /// The file.
    pub path: PathBuf,
    /// The classes wanted, by id; empty for all.
    pub classes: Vec<usize>,
    /// How scores are stored.
    pub format: ScoreFormat,
}

/// Confidence as a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidenceOutput {
    /// The file.
    pub path: PathBuf,
    /// How confidence is stored.
    pub format: ScoreFormat,
}

/// How numbers between 0 and 1 are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScoreFormat {
    /// One byte: 0 to 254 stand for 0 to 1, 255 for no data.
    #[default]
    Byte,
    /// 32 bit floating point, NaN for no data.
    Float,
}

impl Outputs {
    /// Only a map, deflated, nothing replaced.
    pub fn map(path: &Path) -> Outputs {
        Outputs {
            map: path.to_path_buf(),
            scores: None,
            confidence: None,
            compression: Compression::Deflate,
            overwrite: false,
            resume: false,
            keep_partial: false,
        }
    }

    /// The files to be made for a network with these classes, the map first.
    ///
    /// # Errors
    /// When two outputs are the same file, or scores of a class are asked for that there is not.
    pub(crate) fn files(&self, classes: &[ClassEntry], metadata: &[(String, String)]) -> Result<Vec<OutputFile>> {
        let mut files = vec![self.map_file(classes, metadata)];
        if let Some(scores) = &self.scores {
            let chosen = if scores.classes.is_empty() { (0..classes.len()).collect() } else { scores.classes.clone() };
            if let Some(wrong) = chosen.iter().find(|&&class| class >= classes.len()) {
                let last = classes.len().saturating_sub(1);
                let problem = format!("scores of class {wrong} are asked for, but the classes are 0 to {last}");
                return Err(Error::PredictOptions { problem });
            }
            let names = chosen.iter().map(|&class| classes[class].name.clone()).collect();
            let options = self.number_options(scores.format, names, metadata);
            let content = Content::Scores { classes: chosen, format: scores.format };
            files.push(OutputFile { path: scores.path.clone(), options, content });
        }
        if let Some(confidence) = &self.confidence {
            let options = self.number_options(confidence.format, vec!["confidence".into()], metadata);
            let content = Content::Confidence { format: confidence.format };
            files.push(OutputFile { path: confidence.path.clone(), options, content });
        }
        if let Some(twice) = (1..files.len()).find(|&i| files[..i].iter().any(|file| file.path == files[i].path)) {
            let problem = format!("{} is named for two outputs; give each its own file", files[twice].path.display());
            return Err(Error::PredictOptions { problem });
        }
        Ok(files)
    }

    fn map_file(&self, classes: &[ClassEntry], metadata: &[(String, String)]) -> OutputFile {
        let wide = classes.len() > usize::from(u8::MAX);
        let nodata = if wide { u32::from(u16::MAX) } else { u32::from(u8::MAX) };
        let options = CogOptions {
            compression: self.compression,
            metadata: metadata.to_vec(),
            overwrite: self.overwrite,
            ..CogOptions::labels(classes, Some(nodata))
        };
        OutputFile { path: self.map.clone(), options, content: Content::Labels { wide } }
    }

    fn number_options(&self, format: ScoreFormat, bands: Vec<String>, metadata: &[(String, String)]) -> CogOptions {
        let mut metadata = metadata.to_vec();
        if format == ScoreFormat::Byte {
            metadata.push(("SWATH_ENCODING".into(), "0 to 254 stand for 0 to 1; 255 is no data".into()));
        }
        let (dtype, nodata) = match format {
            ScoreFormat::Byte => (DType::U8, 255.0),
            ScoreFormat::Float => (DType::F32, f64::NAN),
        };
        CogOptions {
            compression: self.compression,
            overview: Resampling::Average,
            nodata: Some(nodata),
            metadata,
            overwrite: self.overwrite,
            band_names: Some(bands.clone()),
            ..CogOptions::new(dtype, bands.len())
        }
    }
}

/// One file of a prediction.
#[derive(Debug, Clone)]
pub(crate) struct OutputFile {
    pub(crate) path: PathBuf,
    pub(crate) options: CogOptions,
    pub(crate) content: Content,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Class ids in one byte, or two when `wide`.
    Labels { wide: bool },
    /// The scores of some classes.
    Scores { classes: Vec<usize>, format: ScoreFormat },
    /// The score of the chosen class.
    Confidence { format: ScoreFormat },
}
