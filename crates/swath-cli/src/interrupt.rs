//! Ctrl-C: the first one asks the work to stop cleanly, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler for SIGINT and SIGTERM.
pub(crate) fn install() {
    let installed = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("stopping; press Ctrl-C again to end at once");
    });
    if let Err(error) = installed {
        eprintln!("warning: Ctrl-C will end the program without cleaning up: {error}");
    }
}

/// Whether the user asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// The flag itself, for work that checks it between steps.
pub(crate) fn flag() -> &'static AtomicBool {
    &REQUESTED
}
