//! `last/`: everything that a resumed run needs to continue as if it had never stopped.
//!
//! The bundle holds weights and running statistics, Burn's own record the optimizer's state. Parameter ids are hashes of
//! names, so that the two fit together in another process. Batches follow from the seed and the step: no random state has to
//! be stored.

use std::fs;
use std::path::{Path, PathBuf};

use burn::optim::{ModuleOptimizer, OptimizerRecord};
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::metrics::{Confusion, Scores};
use crate::whole_file::write_whole;

/// Where a run stands, beside weights and optimizer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Steps done.
    pub(super) step: usize,
    /// Steps done at the latest validation.
    pub(super) validated: usize,
    /// The IoU of the latest validation.
    pub(super) latest: Option<f64>,
    /// The best validation so far.
    pub(super) best: Option<Best>,
    /// Validations since the best one.
    pub(super) since_best: usize,
    /// Seconds of training so far, over all sessions.
    pub(super) seconds: f64,
}

/// The best validation of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps done at that time.
    pub step: usize,
    /// The IoU to quote: the positive class's in a two-class problem, otherwise the mean.
    pub iou: f64,
    /// Pixel counts over all validation scenes.
    pub confusion: Confusion,
}

const BUNDLE: &str = "bundle.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";

/// Replaces `folder` by a new checkpoint. A kill at any moment leaves the old or the new one whole.
pub(super) fn save(folder: &Path, bundle: &Bundle, optimizer: &ModuleOptimizer, state: &State) -> Result<()> {
    let (new, old) = (sibling(folder, "new"), sibling(folder, "old"));
    remove(&new)?;
    fs::create_dir_all(&new).map_err(Error::io("create", &new))?;
    bundle.save(&new.join(BUNDLE))?;
    let bytes = optimizer.into_bytes().map_err(|error| Error::Run {
        path: new.join(OPTIMIZER),
        problem: format!("the optimizer's state cannot be written: {error}"),
    })?;
    write_whole(&new.join(OPTIMIZER), &bytes)?;
    let text = serde_json::to_string_pretty(state).map_err(|error| Error::io("write", &new)(error.into()))?;
    write_whole(&new.join(STATE), text.as_bytes())?;

    remove(&old)?;
    if folder.exists() {
        fs::rename(folder, &old).map_err(Error::io("rename", folder))?;
    }
    fs::rename(&new, folder).map_err(Error::io("rename", &new))?;
    remove(&old)
}

/// The checkpoint in `folder`, or none where no checkpoint was ever completed.
pub(super) fn load(folder: &Path) -> Result<Option<(Bundle, OptimizerRecord, State)>> {
    settle(folder)?;
    let file = folder.join(STATE);
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).map_err(Error::io("read", &file))?;
    let mut state: State = serde_json::from_str(&text).map_err(|error| damaged(&file, &error.to_string()))?;
    if let Some(best) = &mut state.best {
        // JSON may lose the last bit of a number, and that bit may decide which of two equal validations is the best.
        best.iou = Scores::new(&best.confusion).headline_iou().unwrap_or(0.0);
    }
    let bundle = Bundle::load(&folder.join(BUNDLE))?;
    let file = folder.join(OPTIMIZER);
    let optimizer = OptimizerRecord::load(&file).map_err(|error| damaged(&file, &error.to_string()))?;
    Ok(Some((bundle, optimizer, state)))
}

/// Finishes what a kill interrupted between the renames of [`save`]: the checkpoint then stands under another name, the
/// new one if it is whole (its state is written last), otherwise the previous one.
fn settle(folder: &Path) -> Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let names = ["new", "old"].map(|suffix| sibling(folder, suffix));
    match names.iter().find(|name| name.join(STATE).exists()) {
        Some(whole) => fs::rename(whole, folder).map_err(Error::io("rename", whole)),
        None => Ok(()),
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::Run {
        path: path.to_path_buf(),
        problem: format!("the checkpoint cannot be read ({why}); train again without --resume"),
    }
}

fn sibling(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    PathBuf::from(name)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(Error::io("remove", folder)) } else { Ok(()) }
}
