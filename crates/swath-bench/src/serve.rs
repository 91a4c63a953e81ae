//! A measurement on demand: one process for each engine, so that they take turns without being loaded again.
//!
//! The process computes once, writes its result, and prints `{"parameters": n}` or `{"parameters": null}`. Each line that
//! it then gets costs one run that is not timed and some that are, answered by
//! `{"seconds": [...], "peak_mb": x}`. It ends with its input.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::case::peak_mb;
use crate::settings::Engine;

/// What a process says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    parameters: Option<u64>,
}

/// What a process says after each line.
#[derive(Debug, Serialize, Deserialize)]
struct Timed {
    seconds: Vec<f64>,
    #[serde(default)]
    peak_mb: Option<f64>,
}

/// The side of the process: times `run`, `count` times for each line of stdin.
pub(crate) fn serve(count: usize, parameters: Option<u64>, mut run: impl FnMut() -> Result<()>) -> Result<()> {
    println!("{}", serde_json::to_string(&Ready { parameters })?);
    for line in std::io::stdin().lines() {
        line?;
        run()?;
        let mut seconds = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            run()?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        println!("{}", serde_json::to_string(&Timed { seconds, peak_mb: peak_mb() })?);
    }
    Ok(())
}

/// The side of the benchmark: an engine that is ready to be timed.
pub(crate) struct Contender {
    /// Who computes.
    pub(crate) engine: Engine,
    /// All that was measured so far, in seconds.
    pub(crate) seconds: Vec<f64>,
    /// Trainable parameters, where the engine knows.
    pub(crate) parameters: Option<u64>,
    /// Peak resident memory of the process in megabytes, where it tells.
    pub(crate) peak_mb: Option<f64>,
    process: Child,
    /// Taken when the process shall end.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Contender {
    /// Starts the process and waits until it is ready.
    pub(crate) fn start(engine: Engine, mut command: Command) -> Result<Contender> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("{} does not start", engine.title()))?;
        let input = process.stdin.take();
        let output = process.stdout.take().context("the process has no output")?;
        let output = BufReader::new(output).lines();
        let mut contender =
            Contender { engine, seconds: Vec::new(), parameters: None, peak_mb: None, process, input, output };
        contender.parameters = contender.answer::<Ready>()?.parameters;
        Ok(contender)
    }

    /// Asks for one round.
    pub(crate) fn measure(&mut self) -> Result<()> {
        if let Some(input) = &mut self.input {
            writeln!(input)?;
        }
        let timed = self.answer::<Timed>()?;
        self.seconds.extend(timed.seconds);
        self.peak_mb = timed.peak_mb;
        Ok(())
    }

    /// The next line that is an answer; libraries may print others.
    fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        for line in self.output.by_ref() {
            if let Ok(answer) = serde_json::from_str(&line?) {
                return Ok(answer);
            }
        }
        bail!("{} failed: {}", self.engine.title(), self.process.wait()?)
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        self.input = None;
        if let Err(error) = self.process.wait() {
            eprintln!("{} did not end: {error}", self.engine.title());
        }
    }
}
