//! Running `swath` and looking at what it did.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `swath` with these arguments in `folder`, not started yet.
pub(crate) fn command<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swath"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// What a finished `swath` left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `swath` in `folder` to its end.
pub(crate) fn swath(folder: &Path, arguments: &[&str]) -> Finished {
    let output = command(folder, arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Finished {
    /// What it printed, after it has succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stdout
    }

    /// The one line of its failure with this exit status; it holds every one of `words`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        let [line] = lines[..] else { panic!("not one line: {:#?}", self.stderr) };
        assert!(line.starts_with("error: ") && !line.contains("panicked"), "{line}");
        for word in words {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
        let clauses: Vec<&str> = line.split(": ").filter(|clause| clause.len() > 12).collect();
        let twice = clauses.iter().enumerate().find(|(at, clause)| clauses[..*at].contains(clause));
        assert_eq!(twice, None, "said twice: {line}");
        line.to_owned()
    }
}

/// Waits until `ready`, while `child` runs; fails when it ends first or takes a minute.
#[track_caller]
pub(crate) fn wait_until(child: &mut Child, what: &str, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(child.try_wait().unwrap().is_none(), "swath ended before {what}");
        assert!(started.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
