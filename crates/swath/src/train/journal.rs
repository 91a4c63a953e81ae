//! `metrics.jsonl`: one JSON record a line, for every step and every validation.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::whole_file::write_whole;

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// One step of the optimizer.
    Step {
        /// Steps done, this one included.
        step: usize,
        /// The loss of the step's batch.
        loss: f64,
        /// The learning rate that the step used.
        lr: f64,
        /// Length of the gradient over all parameters, before clipping; absent when not clipped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grad_norm: Option<f64>,
        /// Chips per second since the previous record of a step.
        images_per_s: f64,
    },
    /// One validation on whole scenes.
    Validation {
        /// Steps done.
        step: usize,
        /// Mean negative logarithm of the score of the reference class.
        loss: f64,
        /// Share of pixels that are right.
        overall_accuracy: f64,
        /// Mean intersection over union of the classes that occur.
        mean_iou: f64,
        /// Intersection over union of each class; none where a class occurs in neither map nor reference.
        iou: Vec<Option<f64>>,
    },
}

/// Appends records to a run's `metrics.jsonl`.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Journal {
    /// Opens the journal of a run whose checkpoint holds `step` steps and a validation at `validated`: a new one at 0,
    /// otherwise the existing one without what came later, so that a resumed run leaves the same journal as an
    /// uninterrupted one.
    pub(super) fn open(path: &Path, step: usize, validated: usize) -> Result<Self> {
        let known = |record: &Record| match record {
            Record::Step { step: at, .. } => *at <= step,
            Record::Validation { step: at, .. } => *at <= validated,
        };
        // Lines are kept as they are: numbers would lose their last bit on the way through JSON.
        let mut kept = String::new();
        if step > 0 {
            each_record(path, |record, line| {
                if known(&record) {
                    kept.push_str(line);
                    kept.push('\n');
                }
            })?;
        }
        write_whole(path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::io("write", path))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::new(file) })
    }

    /// Appends one record.
    pub(super) fn write(&mut self, record: &Record) -> Result<()> {
        let line = serde_json::to_string(record).map_err(|e| Error::io("write", &self.path)(e.into()))?;
        writeln!(self.file, "{line}").map_err(Error::io("write", &self.path))
    }

    /// Hands everything written to the system.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }
}

/// The records of a run. A last line that was cut off (the process was killed) is left out.
///
/// # Errors
///
/// [`Error::Io`] when the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    each_record(path, |record, _| records.push(record))?;
    Ok(records)
}

/// Every record with its line, up to a line that was cut off.
fn each_record(path: &Path, mut tell: impl FnMut(Record, &str)) -> Result<()> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(Error::io("read", path))?;
        match serde_json::from_str(&line) {
            Ok(record) => tell(record, &line),
            Err(_) => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize) -> Record {
        Record::Step { step, loss: 0.5, lr: 1e-3, grad_norm: None, images_per_s: 2.0 }
    }

    #[test]
    fn reopening_drops_what_came_after_the_checkpoint_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut journal = Journal::open(&path, 0, 0).unwrap();
        (1..=5).for_each(|i| journal.write(&step(i)).unwrap());
        journal.flush().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"kind\":\"st");
        std::fs::write(&path, text).unwrap();

        let mut journal = Journal::open(&path, 3, 0).unwrap();
        journal.write(&step(4)).unwrap();
        journal.flush().unwrap();
        assert_eq!(read(&path).unwrap(), (1..=4).map(step).collect::<Vec<_>>());
    }
}
