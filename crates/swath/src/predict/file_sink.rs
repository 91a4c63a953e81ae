//! Writes finished pixels into the files of a prediction, and says which of them are durable.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use swath_geo::{CogWriter, Grid, Samples, Window};

use super::journal::{self, Journal};
use super::outputs::{Content, OutputFile, Outputs, ScoreFormat};
use super::sink::{Patch, PatchSink};
use crate::IGNORE;
use crate::error::{Error, Result};

/// The files of a prediction in work.
pub(crate) struct FileSink {
    files: Vec<(Content, CogWriter)>,
    journal: Journal,
}

impl FileSink {
    /// Starts the files, or goes on with those of an interrupted run. Comes with the chip rows that are done.
    ///
    /// `work` is a JSON object that tells everything the pixels depend on.
    pub(crate) fn open(
        outputs: &Outputs,
        files: &[OutputFile],
        grid: &Grid,
        work: &Value,
    ) -> Result<(FileSink, BTreeSet<usize>)> {
        if outputs.resume
            && let Some(resumed) = FileSink::resume(files, grid, work)?
        {
            return Ok(resumed);
        }
        let writers = files
            .iter()
            .map(|file| Ok((file.content.clone(), CogWriter::create(&file.path, grid, &file.options)?)))
            .collect::<Result<Vec<_>>>()?;
        let journal = Journal::create(writers[0].1.scratch_dir(), work)?;
        Ok((FileSink { files: writers, journal }, BTreeSet::new()))
    }

    /// Nothing when there is nothing to go on with.
    fn resume(files: &[OutputFile], grid: &Grid, work: &Value) -> Result<Option<(FileSink, BTreeSet<usize>)>> {
        let Some(earlier) = journal::read(&CogWriter::scratch_of(&files[0].path)?) else { return Ok(None) };
        if let Some(difference) = journal::difference(&earlier.work, work) {
            return Err(Error::Resume { path: files[0].path.clone(), difference });
        }
        let mut writers = Vec::new();
        for file in files {
            let Some(writer) = CogWriter::reopen(&file.path, grid, &file.options)? else { return Ok(None) };
            writers.push((file.content.clone(), writer));
        }
        let journal = Journal::resume(writers[0].1.scratch_dir(), &earlier)?;
        Ok(Some((FileSink { files: writers, journal }, earlier.done)))
    }

    /// Leaves what is done for a later run.
    pub(crate) fn keep(mut self) {
        for (_, writer) in &mut self.files {
            writer.keep_scratch();
        }
    }

    /// Removes everything that is not finished.
    pub(crate) fn discard(mut self) {
        for (_, writer) in &mut self.files {
            writer.discard_scratch();
        }
    }

    /// Makes all files and then puts them in place, the map with the journal last.
    pub(crate) fn finish(mut self) -> Result<()> {
        for (_, writer) in &mut self.files {
            // Failing here, for want of room, costs no pixel: the next run only has to finish.
            writer.keep_scratch();
            writer.prepare()?;
        }
        self.files.into_iter().rev().try_for_each(|(_, writer)| Ok(writer.finish()?))
    }
}

impl PatchSink for FileSink {
    fn wants_scores(&self) -> bool {
        self.files.iter().any(|(content, _)| matches!(content, Content::Scores { .. }))
    }

    fn patch(&mut self, patch: &Patch) -> Result<()> {
        for (content, writer) in &mut self.files {
            write(content, writer, patch)?;
        }
        Ok(())
    }

    fn unit_done(&mut self, chip_rows: Range<usize>) -> Result<()> {
        for (_, writer) in &mut self.files {
            writer.sync()?;
        }
        self.journal.done(&chip_rows)
    }
}

fn write(content: &Content, writer: &mut CogWriter, patch: &Patch) -> Result<()> {
    match content {
        Content::Labels { wide: true } => writer.write(patch.window, 0, Samples::U16(&patch.labels))?,
        Content::Labels { wide: false } => {
            let bytes: Vec<u8> = patch.labels.iter().map(|&label| u8::try_from(label).unwrap_or(u8::MAX)).collect();
            writer.write(patch.window, 0, Samples::U8(&bytes))?;
        }
        Content::Scores { classes, format } => {
            let plane = patch.labels.len();
            for (band, class) in classes.iter().enumerate() {
                let scores = &patch.scores[class * plane..][..plane];
                write_numbers(writer, patch.window, band, scores, &patch.labels, *format)?;
            }
        }
        Content::Confidence { format } => {
            write_numbers(writer, patch.window, 0, &patch.confidence, &patch.labels, *format)?;
        }
    }
    Ok(())
}

/// Writes numbers between 0 and 1, no data where there is no label.
fn write_numbers(
    writer: &mut CogWriter,
    window: Window,
    band: usize,
    numbers: &[f32],
    labels: &[u16],
    format: ScoreFormat,
) -> Result<()> {
    let numbers = numbers.iter().zip(labels);
    match format {
        ScoreFormat::Byte => {
            let byte = |(&number, &label): (&f32, &u16)| {
                if label == IGNORE { u8::MAX } else { (number * 254.0).round() as u8 }
            };
            writer.write(window, band, Samples::U8(&numbers.map(byte).collect::<Vec<u8>>()))?;
        }
        ScoreFormat::Float => {
            let float = |(&number, &label): (&f32, &u16)| if label == IGNORE { f32::NAN } else { number };
            writer.write(window, band, Samples::F32(&numbers.map(float).collect::<Vec<f32>>()))?;
        }
    }
    Ok(())
}
