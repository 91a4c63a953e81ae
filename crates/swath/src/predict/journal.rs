//! Which chip rows of a prediction are durable, so that a killed run goes on where it stopped.
//!
//! A text file in the scratch folder: the first line is what the work was (JSON), each further one a finished unit,
//! `done FIRST END`. A line counts once it ends with a line feed, and it is written after the pixels are durable. What a kill
//! cut off is dropped when the run goes on.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};

/// The journal of a prediction in work.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

/// What an earlier run left.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// What its work was.
    pub(crate) work: Value,
    /// Its finished chip rows.
    pub(crate) done: BTreeSet<usize>,
    /// Bytes of whole lines.
    len: u64,
}

/// Reads the journal in `folder`, if there is one that makes sense.
pub(crate) fn read(folder: &Path) -> Option<Earlier> {
    let text = std::fs::read(folder.join(NAME)).ok()?;
    let len = text.iter().rposition(|&byte| byte == b'\n')? + 1;
    let mut lines = std::str::from_utf8(&text[..len]).ok()?.lines();
    let work = serde_json::from_str(lines.next()?).ok()?;
    let units = lines.map(parse).collect::<Option<Vec<_>>>()?;
    Some(Earlier { work, done: units.into_iter().flatten().collect(), len: len as u64 })
}

impl Journal {
    /// Starts the journal of `work` in `folder`.
    pub(crate) fn create(folder: &Path, work: &Value) -> Result<Journal> {
        let path = folder.join(NAME);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let mut journal = Journal { path, file };
        journal.line(&work.to_string())?;
        Ok(journal)
    }

    /// Goes on with the journal in `folder`, without the line that a kill cut off.
    pub(crate) fn resume(folder: &Path, earlier: &Earlier) -> Result<Journal> {
        let path = folder.join(NAME);
        let mut file = OpenOptions::new().write(true).open(&path).map_err(Error::io("open", &path))?;
        file.set_len(earlier.len).map_err(Error::io("write", &path))?;
        file.seek(SeekFrom::End(0)).map_err(Error::io("write", &path))?;
        Ok(Journal { path, file })
    }

    /// Notes that a unit is finished and durable.
    pub(crate) fn done(&mut self, chip_rows: &Range<usize>) -> Result<()> {
        self.line(&format!("done {} {}", chip_rows.start, chip_rows.end))
    }

    fn line(&mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(format!("{text}\n").as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(Error::io("write", &self.path))
    }
}

/// Where the work of two runs differs, in words; `None` when it is the same. Both are JSON objects.
pub(crate) fn difference(earlier: &Value, now: &Value) -> Option<String> {
    if earlier == now {
        return None;
    }
    let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut all = keys(now);
    all.extend(keys(earlier).into_iter().filter(|key| now.get(key).is_none()));
    let tell = |key: &String| {
        let (then, now) = (earlier.get(key)?, now.get(key)?);
        let short = |value: &Value| !value.is_array() && !value.is_object();
        Some(if short(then) && short(now) { format!("{key} (was {then}, is {now})") } else { key.clone() })
    };
    let differing = all.iter().filter(|key| earlier.get(key) != now.get(key));
    Some(differing.map(|key| tell(key).unwrap_or_else(|| key.clone())).collect::<Vec<_>>().join(", "))
}

fn parse(line: &str) -> Option<Range<usize>> {
    let mut words = line.strip_prefix("done ")?.split(' ').map(str::parse);
    match (words.next(), words.next(), words.next()) {
        (Some(Ok(start)), Some(Ok(end)), None) => Some(start..end),
        _ => None,
    }
}

const NAME: &str = "swath-journal";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_cut_leaves_a_journal_that_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let work = json!({ "chip": 512 });
        let mut journal = Journal::create(folder.path(), &work).unwrap();
        for unit in [0..2, 2..4, 10..12] {
            journal.done(&unit).unwrap();
        }
        let path = folder.path().join(NAME);
        let text = std::fs::read(&path).unwrap();
        let first = text.iter().position(|&byte| byte == b'\n').unwrap();
        for cut in 0..=text.len() {
            std::fs::write(&path, &text[..cut]).unwrap();
            let earlier = read(folder.path());
            assert_eq!(earlier.is_some(), cut > first, "cut at {cut}");
            let Some(earlier) = earlier else { continue };
            assert_eq!(earlier.work, work);
            let units = text[first + 1..cut].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(earlier.done, BTreeSet::from_iter([0, 1, 2, 3, 10, 11].into_iter().take(2 * units)));
            Journal::resume(folder.path(), &earlier).unwrap().done(&(20..21)).unwrap();
            let again = read(folder.path()).unwrap();
            assert!(again.done.contains(&20) && again.done.len() == 2 * units + 1, "cut at {cut}");
        }
    }

    #[test]
    fn differences_are_named() {
        let then = json!({ "chip": 256, "bands": ["a"], "blend": "cosine" });
        assert_eq!(difference(&then, &then), None);
        let now = json!({ "chip": 512, "bands": ["b"], "blend": "cosine" });
        assert_eq!(difference(&then, &now).unwrap(), "chip (was 256, is 512), bands");
    }
}
