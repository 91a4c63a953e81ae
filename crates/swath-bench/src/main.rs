//! Swath beside PyTorch and rasterio: the same work on the same data, in turn, in one run.
//!
//! ```text
//! PYTHON=.venv/bin/python cargo run -p swath-bench -- [loader|train|predict|memory|network|family|patches|vectorize|all] [--quick]
//! ```
//!
//! Every measurement is a process of its own, so that its peak memory is its own: this program starts itself for
//! Swath (`case`) and `python/peer.py` for the peer, with the same flags, and gets one line of JSON from either. Single
//! networks are timed in one process for each engine instead, which answers on demand.
//! The result is Markdown on stdout; what is going on goes to stderr.
//!
//! | file | what |
//! | --- | --- |
//! | `settings` | the flags of one measurement |
//! | `data` | the synthetic scene |
//! | `case` | Swath's side of each measurement |
//! | `inputs`, `raw` | what both sides load and what they leave: weights, images, results |
//! | `side`, `serve` | starting a measurement, Swath's or the peer's; measurements on demand |
//! | `accuracy`, `load` | distance from the reference; what else the machine does |
//! | `suite` | which measurements make a table |
//! | `table` | medians and Markdown |

mod accuracy;
mod case;
mod data;
mod inputs;
mod load;
mod raw;
mod serve;
mod settings;
mod side;
mod suite;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::case::Case;
use crate::settings::{Effort, Settings};
use crate::side::{Bench, Peer};

/// Measure Swath beside PyTorch, ONNX Runtime, OpenVINO and rasterio
///
/// The environment variable PYTHON names the Python to run the peer with (default: python3). Without its packages only
/// Swath is measured.
#[derive(Debug, Parser)]
#[command(name = "swath-bench")]
struct Args {
    /// What to measure [default: all]
    #[command(subcommand)]
    what: Option<What>,
    /// Small sizes and one round: shows that everything runs, and no more
    #[arg(long, global = true)]
    quick: bool,
    /// Measure memory and polygons on a whole Sentinel-2 tile, too: 10980x10980 pixels (a quarter of an hour, and 5 GB of disk)
    #[arg(long, global = true)]
    full: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Chips per second out of a tiled GeoTIFF
    Loader,
    /// Images per second forward, backward and through the optimizer
    Train,
    /// A scene from GeoTIFF to COG
    Predict,
    /// Peak memory of prediction by width and height of the scene
    Memory,
    /// One network in every engine: milliseconds and errors; and a scene with OpenVINO
    Network,
    /// The networks of the family beside the same ones in PyTorch: at real width, and the narrow ones of recipes/networks
    Family {
        /// Only the narrow ones
        #[arg(long)]
        narrow: bool,
    },
    /// Maps by patch classification beside networks that label each pixel
    Patches,
    /// A map into polygons
    Vectorize,
    /// All of these
    All,
    /// One measurement of Swath, as JSON
    #[command(hide = true)]
    Case {
        #[arg(value_enum)]
        case: Case,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(What::Case { case, settings }) = &args.what {
        if let Some(answer) = case.run(settings)? {
            println!("{}", serde_json::to_string(&answer)?);
        }
        return Ok(());
    }
    let effort = if args.quick { Effort::Quick } else { Effort::Usual };
    let bench = Bench::start(effort)?;
    let all = matches!(args.what, None | Some(What::All));
    let wants = |what: fn(&What) -> bool| all || args.what.as_ref().is_some_and(what);
    println!("{}\n", bench.conditions());
    if wants(|what| matches!(what, What::Loader)) {
        println!("{}", suite::loader(&bench)?);
    }
    if wants(|what| matches!(what, What::Train)) {
        println!("{}", suite::train(&bench)?);
    }
    if wants(|what| matches!(what, What::Predict)) {
        println!("{}", suite::predict(&bench)?);
    }
    if wants(|what| matches!(what, What::Memory)) {
        println!("{}", suite::memory(&bench, args.full)?);
    }
    if wants(|what| matches!(what, What::Network)) {
        suite::network(&bench, &mut |table| println!("{table}"))?;
    }
    if wants(|what| matches!(what, What::Family { .. })) {
        let only_narrow = matches!(args.what, Some(What::Family { narrow: true }));
        suite::family(&bench, only_narrow, &mut |table| println!("{table}"))?;
    }
    if wants(|what| matches!(what, What::Patches)) {
        println!("{}", suite::patches(&bench)?);
    }
    if wants(|what| matches!(what, What::Vectorize)) {
        println!("{}", suite::vectorize(&bench, args.full)?);
    }
    if let Peer::Absent(why) = bench.peer() {
        println!("Only Swath was measured: {why}");
    }
    Ok(())
}
