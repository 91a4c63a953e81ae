//! Ctrl-C: work that can be resumed, or that has something to finish, is asked to stop cleanly, and the second one ends the process; other work
//! ends at once, and leaves no output that is not complete.

use std::sync::atomic::{AtomicBool, Ordering};

use swath_geo::stop_process;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Exit status of what was stopped.
pub(crate) const STOPPED: u8 = 130;

/// Installs the handler for SIGINT and SIGTERM; `cleanly` for work that looks at the [`flag`].
pub(crate) fn install(cleanly: bool) {
    let installed = ctrlc::set_handler(move || {
        if !cleanly {
            eprintln!("stopped");
            stop_process(STOPPED.into());
        }
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(STOPPED.into());
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
