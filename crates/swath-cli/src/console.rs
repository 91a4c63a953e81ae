//! Messages and progress on stderr, results on stdout.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Global;

/// An error in what the user typed: the exit status is 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Where messages go and how many of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    quiet: bool,
    verbose: bool,
    terminal: bool,
}

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        Self { quiet: global.quiet, verbose: global.verbose, terminal: io::stderr().is_terminal() }
    }

    /// A message for people, left out by `--quiet`.
    pub(crate) fn say(&self, message: impl fmt::Display) {
        if !self.quiet {
            eprintln!("{message}");
        }
    }

    /// A message that only `--verbose` shows.
    pub(crate) fn detail(&self, message: impl fmt::Display) {
        if self.verbose {
            eprintln!("{message}");
        }
    }

    /// Something the user should know although the work goes on.
    pub(crate) fn warn(&self, message: impl fmt::Display) {
        eprintln!("warning: {message}");
    }

    /// The one line of a failure, causes joined by colons and never said twice.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut line = String::new();
        for cause in error.chain() {
            let text = cause.to_string();
            if line.ends_with(&text) || line.contains(&text) {
                continue;
            }
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        eprintln!("error: {}", line.replace('\n', " "));
    }

    /// Prints a result on stdout; a closed pipe is an error that `main` takes for success.
    pub(crate) fn result(&self, text: impl fmt::Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Progress over `total` steps, in units named by `unit` (as in "Mpx").
    pub(crate) fn progress(&self, what: &str, total: u64) -> Progress {
        Progress::new(self, what, total)
    }
}

/// A bar on a terminal, now and then a line elsewhere, nothing with `--quiet`.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    lines: Option<Mutex<Lines>>,
    total: u64,
}

struct Lines {
    what: String,
    started: Instant,
    last: Instant,
}

/// How often a piped run says where it is.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    fn new(console: &Console, what: &str, total: u64) -> Self {
        if console.quiet {
            return Self { bar: None, lines: None, total };
        }
        if console.terminal {
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {percent:>3} %  {eta} left  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what.to_string());
            return Self { bar: Some(bar), lines: None, total };
        }
        let now = Instant::now();
        Self { bar: None, lines: Some(Mutex::new(Lines { what: what.to_string(), started: now, last: now })), total }
    }

    /// Moves to `done` of the total, with a short note beside it.
    pub(crate) fn at(&self, done: u64, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(note.to_string());
        }
        let Some(mut lines) = self.lines.as_ref().and_then(|lines| lines.lock().ok()) else { return };
        if lines.last.elapsed() < LINE_EVERY || self.total == 0 {
            return;
        }
        lines.last = Instant::now();
        let share = done as f64 / self.total as f64;
        let left = lines.started.elapsed().as_secs_f64() * (1.0 - share) / share.max(1e-9);
        let gap = if note.is_empty() { "" } else { "  " };
        eprintln!("{} {:>3.0} %  {} left{gap}{note}", lines.what, share * 100.0, duration(left));
    }

    /// Changes the note beside the bar; piped runs say it with the next line.
    pub(crate) fn note(&self, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(note.to_string());
        }
    }

    /// Shows a message above the bar.
    pub(crate) fn say(&self, message: &str) {
        match (&self.bar, &self.lines) {
            (Some(bar), _) => bar.suspend(|| eprintln!("{message}")),
            (None, Some(_)) => eprintln!("{message}"),
            (None, None) => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Seconds for people: `42 s`, `3 min 20 s`, `1 h 05 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(41.7), "42 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(3900.0), "1 h 05 min");
    }
}
