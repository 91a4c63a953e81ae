//! Starting a measurement: Swath's in this program once more, the peer's in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::case::{Answer, Case};
use crate::load;
use crate::serve::Contender;
use crate::settings::{Effort, Engine, Settings};

/// The packages that the peer needs, and how their versions are asked for.
const VERSIONS: &str = "import torch, rasterio, numpy, onnx, onnxruntime, openvino, safetensors, segmentation_models_pytorch; \
    print(f'PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}, OpenVINO {openvino.__version__}, ' \
    f'rasterio {rasterio.__version__} with GDAL {rasterio.__gdal_version__}')";

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
        let load = load::average().map_or("unknown".into(), |load| format!("{load:.2}"));
        format!(
            "Swath {} in profile {profile} beside {peer}; {cores} cores, load before the start {load}; medians of {} rounds",
            env!("CARGO_PKG_VERSION"),
            self.rounds(),
        )
    }

    /// One measurement of Swath.
    pub(crate) fn swath(&self, case: Case, settings: &Settings) -> Result<Answer> {
        answer("Swath", &mut swath_command(&case.name(), settings)?)
    }

    /// One measurement of the peer, or another command of it, if there is one.
    pub(crate) fn python(&self, command: &str, settings: &Settings) -> Result<Option<Answer>> {
        let command = self.python_command(command, settings);
        command.map(|mut command| answer("the peer", &mut command)).transpose()
    }

    /// An engine that measures on demand, if it is there.
    pub(crate) fn contender(&self, case: Case, engine: Engine, settings: &Settings) -> Result<Option<Contender>> {
        let settings = Settings { engine, ..settings.clone() };
        let command = if engine.is_own() {
            Some(swath_command(&case.name(), &settings)?)
        } else {
            self.python_command(&case.name(), &settings)
        };
        command.map(|command| Contender::start(engine, command)).transpose()
    }

    fn python_command(&self, name: &str, settings: &Settings) -> Option<Command> {
        let Peer::Present { python, script, .. } = &self.peer else { return None };
        let mut command = Command::new(python);
        command.arg(script).arg(name).args(settings.flags()).env("OMP_NUM_THREADS", settings.threads.to_string());
        // Threads that spin while they wait lose most of their time as soon as anything else runs on the machine.
        command.env("OMP_WAIT_POLICY", "PASSIVE").env("PYTHONDONTWRITEBYTECODE", "1");
        Some(command)
    }

    /// Both sides in turn, `rounds` times.
    pub(crate) fn both(&self, case: Case, settings: &Settings) -> Result<(Vec<Answer>, Vec<Answer>)> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for round in 0..self.rounds() {
            own.push(self.swath(case, settings)?);
            others.extend(self.python(&case.name(), settings)?);
            let rate = |answers: &[Answer]| answers.last().map_or("-".into(), |last| format!("{:.2}", last.rate));
            eprintln!("{} {}: Swath {}, peer {}", case.name(), round + 1, rate(&own), rate(&others));
        }
        let parameters = |answers: &[Answer]| answers.first().and_then(|answer| answer.parameters);
        check_same_network(parameters(&own), parameters(&others))?;
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

fn swath_command(case: &str, settings: &Settings) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("case").arg(case).args(settings.flags());
    Ok(command)
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
pub(crate) fn check_same_network(own: Option<u64>, other: Option<u64>) -> Result<()> {
    match (own, other) {
        (Some(own), Some(other)) if own != other => {
            bail!("Swath's network has {own} parameters and the peer's {other}: they are not the same")
        }
        _ => Ok(()),
    }
}
