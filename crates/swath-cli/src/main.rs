//! The `swath` command: reads the command line, calls the library, reports.
//!
//! One verb is one file under `verb/`. Results go to stdout, messages and progress to stderr. Exit status: 0 done,
//! 1 failed, 2 wrong usage or recipe, 130 stopped by Ctrl-C.

mod args;
mod console;
mod demo_data;
mod device;
mod interrupt;
mod verb;

use std::process::ExitCode;

use clap::Parser;
use swath_geo::GeoError;

use args::{Cli, Command};
use console::Console;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(&cli.global);
    interrupt::install(cli.command.stops_cleanly());
    let outcome = match cli.command {
        Command::Info(args) => verb::info::run(&args, &console),
        Command::Stack(args) => verb::stack::run(&args, &console),
        Command::Rasterize(args) => verb::rasterize::run(&args, &console),
        Command::Train(args) => verb::train::run(&args, &console),
        Command::Compare(args) => verb::compare::run(&args, &console),
        Command::Predict(args) => verb::predict::run(&args, &console),
        Command::Classify(args) => verb::classify::run(&args, &console),
        Command::Evaluate(args) => verb::evaluate::run(&args, &console),
        Command::Vectorize(args) => verb::vectorize::run(&args, &console),
        Command::Outline(args) => verb::outline::run(&args, &console),
        Command::Area(args) => verb::area::run(&args, &console),
        Command::Assess(args) => verb::assess::run(&args, &console),
        #[cfg(feature = "cpu")]
        Command::Export(args) => verb::export::run(&args, &console),
        Command::Models(args) => verb::models::run(&args, &console),
        Command::Demo(args) => verb::demo::run(&args, &console),
        Command::Completions(args) => verb::completions::run(&args),
        Command::Man(args) => verb::man::run(&args, &console),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error, &console),
    }
}

/// Prints the one line that says what went wrong and chooses the exit status.
fn report(error: &anyhow::Error, console: &Console) -> ExitCode {
    // A closed pipe (`swath info x | head`) is the reader's choice, not a failure worth a message.
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    console.error(error);
    if interrupt::requested() {
        return ExitCode::from(interrupt::STOPPED);
    }
    let usage = error.chain().any(|cause| {
        cause.is::<console::Usage>()
            || cause.downcast_ref::<swath::Error>().is_some_and(swath::Error::is_usage)
            || cause.downcast_ref::<GeoError>().is_some_and(GeoError::is_usage)
    });
    ExitCode::from(if usage { 2 } else { 1 })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
