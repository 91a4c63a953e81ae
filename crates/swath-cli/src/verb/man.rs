//! `swath man`: manual pages from the definition of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

use crate::args::Cli;
use crate::console::Console;

/// Write the manual pages, one for each command
#[derive(Debug, Args)]
#[command(after_help = "Example:
  swath man --dir ~/.local/share/man/man1 && man swath-predict")]
pub(crate) struct ManArgs {
    /// Folder that gets swath.1, swath-train.1 and so on; made when missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &ManArgs, console: &Console) -> Result<()> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&args.dir)?;
        clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &args.dir)
    };
    write().with_context(|| format!("cannot write manual pages to {}", args.dir.display()))?;
    console.say(format_args!("manual pages are in {}", args.dir.display()));
    Ok(())
}
