//! The run folder: what is in it, when it may be written, when it may be continued.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::whole_file::write_whole;

/// The files of a run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// What to do with a run that stands in the folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to touch it.
    Refuse,
    /// Continue it.
    Resume,
    /// Remove it and start anew.
    Replace,
}

impl RunFolder {
    /// The run in `path`, which need not exist.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved recipe.
    pub fn recipe(&self) -> PathBuf {
        self.path.join("recipe.toml")
    }

    /// The best bundle.
    pub fn bundle(&self) -> PathBuf {
        self.path.join("bundle.safetensors")
    }

    /// What a resume needs.
    pub fn last(&self) -> PathBuf {
        self.path.join("last")
    }

    /// One record a step and a validation.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// What was said during the run.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// The report for people.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Refuses a folder that the run may not use, before any data is read.
    ///
    /// # Errors
    ///
    /// When a run stands there and may not be touched, or when the run to continue has another recipe (the first key that
    /// differs is named), or when no folder can be made there.
    pub fn check(&self, recipe: &Recipe, existing: Existing) -> Result<()> {
        if let Some(file) = self.path.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir()) {
            return Err(self.wrong(&format!("{} is a file; choose another folder with --run", file.display())));
        }
        match existing {
            _ if !self.recipe().exists() => Ok(()),
            Existing::Refuse => {
                Err(self.wrong("holds a run already; continue it with --resume or replace it with --overwrite"))
            }
            Existing::Resume => self.same_recipe(&recipe.to_toml()?),
            Existing::Replace => Ok(()),
        }
    }

    /// Makes the folder ready and writes the resolved recipe; to be called after [`RunFolder::check`].
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub(super) fn prepare(&self, recipe: &Recipe, existing: Existing) -> Result<()> {
        if existing == Existing::Replace {
            self.clear()?;
        }
        fs::create_dir_all(&self.path).map_err(Error::io("create", &self.path))?;
        write_whole(&self.recipe(), recipe.to_toml()?.as_bytes())
    }

    fn same_recipe(&self, text: &str) -> Result<()> {
        let path = self.recipe();
        let saved = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        match first_difference(&saved, text) {
            None => Ok(()),
            Some(key) => Err(self.wrong(&format!(
                "was made with another recipe: {key} differs; give the same recipe or start a new run with --run"
            ))),
        }
    }

    /// Removes the files of a run and nothing else that may lie in the folder.
    fn clear(&self) -> Result<()> {
        for file in [self.recipe(), self.bundle(), self.metrics(), self.log(), self.report()] {
            if file.exists() {
                fs::remove_file(&file).map_err(Error::io("remove", &file))?;
            }
        }
        for folder in ["last", "last.old", "last.new"].map(|name| self.path.join(name)) {
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
            }
        }
        Ok(())
    }

    fn wrong(&self, problem: &str) -> Error {
        Error::Run { path: self.path.clone(), problem: problem.to_string() }
    }
}

/// The dotted key of the first value that two recipes do not share. Where chips are loaded does not change the run, so
/// that `train.workers` may differ.
fn first_difference(a: &str, b: &str) -> Option<String> {
    let (a, b) = (toml::from_str::<toml::Table>(a), toml::from_str::<toml::Table>(b));
    let (Ok(a), Ok(b)) = (a, b) else { return Some("the saved recipe.toml".to_string()) };
    different_key(&toml::Value::Table(a), &toml::Value::Table(b), "")
}

fn different_key(a: &toml::Value, b: &toml::Value, key: &str) -> Option<String> {
    match (a, b) {
        (toml::Value::Table(a), toml::Value::Table(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.into_iter().find_map(|name| {
                let path = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => different_key(a, b, &path),
                    _ => Some(path),
                }
            })
        }
        _ if a == b || key == "train.workers" => None,
        _ => Some(key.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_key_that_differs_is_named() {
        let base = "[train]\nsteps = 10\nworkers = 2\n[loss]\nterms = [1]\n";
        assert_eq!(first_difference(base, base), None);
        assert_eq!(first_difference(base, &base.replace("steps = 10", "steps = 11")).as_deref(), Some("train.steps"));
        assert_eq!(first_difference(base, &base.replace("workers = 2", "workers = 0")), None);
        assert_eq!(first_difference(base, &format!("{base}[augment]\nflip = true\n")).as_deref(), Some("augment"));
    }
}
