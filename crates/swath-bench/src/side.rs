//! Starting a measurement: Swath's in this program once more, the peer's in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::case::{Answer, Case};
use crate::settings::{Effort, Settings};

/// The packages that the peer needs, and how their versions are asked for.
const VERSIONS: &str = "import torch, rasterio, numpy; \
    print(f'PyTorch {torch.__version__}, rasterio {rasterio.__version__} with GDAL {rasterio.__gdal_version__}')";

/// A run of the benchmark: where its data lie, and whom Swath is compared with.
pub(crate) struct Bench {
    effort: Effort,
    folder: TempDir,
    peer: Peer,
}

/// Python with PyTorch and rasterio, or why there is none.
pub(crate) enum Peer {
    /// The interpreter, the script and the versions of the packages.
    Present {
        /// The interpreter.
        python: String,
        /// `peer.py`.
        script: PathBuf,
        /// The packages in words.
        versions: String,
    },
    /// Why there is none, and what to do.
    Absent(String),
}

impl Bench {
    /// Makes a folder for the data and looks for the peer.
    pub(crate) fn start(effort: Effort) -> Result<Bench> {
        let folder = tempfile::Builder::new().prefix("swath-bench-").tempdir().context("no folder for the data")?;
        Ok(Bench { effort, folder, peer: Peer::find() })
    }

    /// How much is measured.
    pub(crate) fn effort(&self) -> Effort {
        self.effort
    }

    /// Measurements of each side, in turn; the median counts.
    pub(crate) fn rounds(&self) -> usize {
        if self.effort == Effort::Quick { 1 } else { 3 }
    }

    /// A file among the data.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whom Swath is compared with.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the figures depend on, in words.
    pub(crate) fn conditions(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let profile = if cfg!(debug_assertions) { "dev (opt-level 3)" } else { "release" };
        let peer = match &self.peer {
            Peer::Present { versions, .. } => versions,
            Peer::Absent(_) => "no peer",
        };
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        let load = load.as_deref().and_then(|text| text.split(' ').next()).unwrap_or("unknown");
        format!(
            "Swath {} in profile {profile} beside {peer}; {cores} cores, load before the start {load}; medians of {} rounds",
            env!("CARGO_PKG_VERSION"),
            self.rounds(),
        )
    }

    /// One measurement of Swath.
    pub(crate) fn swath(&self, case: Case, settings: &Settings) -> Result<Answer> {
        let own = std::env::current_exe()?;
        answer("Swath", Command::new(own).arg("case").arg(case.name()).args(settings.flags()))
    }

    /// One measurement of the peer, if there is one.
    pub(crate) fn python(&self, case: Case, settings: &Settings) -> Result<Option<Answer>> {
        let Peer::Present { python, script, .. } = &self.peer else { return Ok(None) };
        let threads = settings.threads.to_string();
        let mut command = Command::new(python);
        command.arg(script).arg(case.name()).args(settings.flags()).env("OMP_NUM_THREADS", threads);
        // Threads that spin while they wait lose most of their time as soon as anything else runs on the machine.
        command.env("OMP_WAIT_POLICY", "PASSIVE").env("PYTHONDONTWRITEBYTECODE", "1");
        answer("the peer", &mut command).map(Some)
    }

    /// Both sides in turn, `rounds` times.
    pub(crate) fn both(&self, case: Case, settings: &Settings) -> Result<(Vec<Answer>, Vec<Answer>)> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for round in 0..self.rounds() {
            own.push(self.swath(case, settings)?);
            others.extend(self.python(case, settings)?);
            let rate = |answers: &[Answer]| answers.last().map_or("-".into(), |last| format!("{:.2}", last.rate));
            eprintln!("{} {}: Swath {}, peer {}", case.name(), round + 1, rate(&own), rate(&others));
        }
        check_same_network(&own, &others)?;
        Ok((own, others))
    }
}

impl Peer {
    fn find() -> Peer {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peer.py");
        match Command::new(&python).args(["-c", VERSIONS]).output() {
            Err(error) => Peer::Absent(format!("{python} does not start ({error}); set PYTHON")),
            Ok(output) if !output.status.success() => {
                let text = String::from_utf8_lossy(&output.stderr);
                let last = text.lines().last().unwrap_or("it failed").to_owned();
                Peer::Absent(format!(
                    "{python}: {last}; install crates/swath-bench/python/requirements.txt, or set PYTHON"
                ))
            }
            Ok(output) => {
                let versions = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                Peer::Present { python, script, versions }
            }
        }
    }
}

/// Starts a measurement and reads its answer, the last line that it prints.
fn answer(who: &str, command: &mut Command) -> Result<Answer> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("{who} does not start"))?;
    if !output.status.success() {
        bail!("{who} failed: {}; the command was {command:?}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{who} answered: {last}"))
}

/// Two networks of the same name are compared only when they are of the same size.
fn check_same_network(own: &[Answer], others: &[Answer]) -> Result<()> {
    match (own.first().and_then(|answer| answer.parameters), others.first().and_then(|answer| answer.parameters)) {
        (Some(own), Some(other)) if own != other => {
            bail!("Swath's network has {own} parameters and the peer's {other}: they are not the same")
        }
        _ => Ok(()),
    }
}
