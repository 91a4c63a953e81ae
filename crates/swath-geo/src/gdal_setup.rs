//! GDAL's process-wide settings and the messages it leaves behind.
//!
//! GDAL reports through a global handler that prints to stderr. Swath keeps the messages of each thread
//! instead, so that an error can carry them and the terminal stays clean.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::{CStr, c_char};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use gdal::config::{get_config_option, set_config_option};
use gdal_sys::{CPLErr, CPLErrorNum, CPLSetErrorHandler, GDALSetCacheMax64};

/// GDAL's block cache unless `SWATH_CACHE_MB` or [`set_cache_mb`] says otherwise, in MiB.
const CACHE_MB: usize = 128;
/// What outputs need of it, at least.
const LEAST_CACHE_MB: usize = 16;
/// Messages kept per thread: the first tell the cause, thousands may follow from a damaged file.
const MESSAGES: usize = 2;

/// Prepares GDAL once per process: drivers, error messages, a bounded block cache, safe defaults.
///
/// Everything in this crate that opens or writes a file calls it; calling it again does nothing. Settings
/// which the user made through the environment are kept.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a plain function that lives as long as the process.
        unsafe { CPLSetErrorHandler(Some(collect)) };
        for (key, value) in DEFAULTS {
            if get_config_option(key, "").is_ok_and(|current| current.is_empty()) {
                // The texts are literals without NUL, which is all that this call can complain about.
                let _ = set_config_option(key, value);
            }
        }
        gdal::DriverManager::register_all();
        let mb = std::env::var("SWATH_CACHE_MB").ok().and_then(|text| text.trim().parse().ok());
        apply_cache(mb.unwrap_or(CACHE_MB));
    });
}

/// Sets the size of the block cache that all datasets of the process share, in MiB.
pub fn set_cache_mb(mb: usize) {
    init();
    apply_cache(mb);
}

/// Makes the block cache as small as some bytes, if they are fewer than by default, unless `SWATH_CACHE_MB` says how large it is.
///
/// For work that goes through its scene once and knows what it will read again.
pub fn limit_cache(bytes: usize) {
    init();
    if std::env::var_os("SWATH_CACHE_MB").is_none() {
        apply_cache(bytes.div_ceil(1 << 20).clamp(LEAST_CACHE_MB, CACHE_MB));
    }
}

/// Forgets this thread's messages; call it before the GDAL call whose failure is to be explained.
pub(crate) fn clear_messages() {
    COLLECTED.set(Some(Vec::new()));
    HELPERS_SEEN.set(helpers().total);
}

/// The messages since [`clear_messages`], joined into one line and forgotten: this thread's, or else those of
/// GDAL's own threads, which decode JPEG 2000.
///
/// Falls back to `unexplained`, a text of the caller, when GDAL said nothing.
pub(crate) fn take_messages(unexplained: &str) -> String {
    let mut lines = COLLECTED.replace(Some(Vec::new())).unwrap_or_default();
    if lines.is_empty() {
        let helpers = helpers();
        let fresh = usize::try_from(helpers.total - HELPERS_SEEN.get()).unwrap_or(0).min(helpers.latest.len());
        lines.extend(helpers.latest.iter().skip(helpers.latest.len() - fresh).take(MESSAGES).cloned());
    }
    if lines.is_empty() { unexplained.to_owned() } else { lines.join("; ") }
}

/// As [`take_messages`], without the path that GDAL repeats and the error carries already.
pub(crate) fn take_messages_about(path: &Path, unexplained: &str) -> String {
    let path = path.to_string_lossy();
    let mut message = take_messages(unexplained);
    for quoted in [format!("`{path}' "), format!("{path}, "), format!("{path}: "), format!("{path}:")] {
        message = message.replace(&quoted, "");
    }
    message
}

/// Settings that differ from GDAL's own, each with its reason.
const DEFAULTS: &[(&str, &str)] = &[
    // x is always east or longitude, whatever order the authority prescribes.
    ("OSR_DEFAULT_AXIS_MAPPING_STRATEGY", "TRADITIONAL_GIS_ORDER"),
    // A VRT is data and must never run code.
    ("GDAL_VRT_ENABLE_PYTHON", "NO"),
    // Readers of different threads must not share the datasets behind a VRT.
    ("VRT_SHARED_SOURCE", "0"),
    // A truncated JPEG is an error and not a grey area.
    ("GDAL_ERROR_ON_LIBJPEG_WARNING", "TRUE"),
    // No real scene has more; damaged headers claim 65535 bands.
    ("GDAL_MAX_BAND_COUNT", "8192"),
    // A dead server is an error after a while, not a hang.
    ("GDAL_HTTP_CONNECTTIMEOUT", "15"),
    ("GDAL_HTTP_TIMEOUT", "60"),
    ("GDAL_HTTP_MAX_RETRY", "3"),
];

thread_local! {
    /// `None` on threads that never asked: GDAL's own.
    static COLLECTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    /// Messages of GDAL's threads when this thread last cleared its own.
    static HELPERS_SEEN: Cell<u64> = const { Cell::new(0) };
}

/// What GDAL's own threads complained about.
struct Helpers {
    /// Messages since the start of the process.
    total: u64,
    /// The last of them.
    latest: VecDeque<String>,
}

fn helpers() -> MutexGuard<'static, Helpers> {
    static HELPERS: Mutex<Helpers> = Mutex::new(Helpers { total: 0, latest: VecDeque::new() });
    HELPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// GDAL's error handler: keeps failures of the thread they occur on.
unsafe extern "C" fn collect(class: CPLErr::Type, _number: CPLErrorNum, text: *const c_char) {
    if text.is_null() || class < CPLErr::CE_Failure {
        return;
    }
    // SAFETY: GDAL passes a NUL-terminated string that lives during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Not reachable while the thread ends: then the message has no reader anyway.
    let _ = COLLECTED.try_with(|cell| match cell.try_borrow_mut().as_deref_mut() {
        Ok(Some(lines)) if lines.len() < MESSAGES && !lines.contains(&line) => lines.push(line),
        Ok(None) => {
            let mut helpers = helpers();
            helpers.total += 1;
            helpers.latest.push_back(line);
            if helpers.latest.len() > 4 * MESSAGES {
                helpers.latest.pop_front();
            }
        }
        _ => {}
    });
}

fn apply_cache(mb: usize) {
    let bytes = i64::try_from(mb.saturating_mul(1 << 20)).unwrap_or(i64::MAX);
    // SAFETY: the call only stores a number.
    unsafe { GDALSetCacheMax64(bytes) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of foreign threads reach every thread that asks, so that these tests take turns.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn messages_are_collected_once_and_forgotten() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        init();
        clear_messages();
        let flags = gdal::GdalOpenFlags::GDAL_OF_RASTER | gdal::GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
        let options = gdal::DatasetOptions { open_flags: flags, ..Default::default() };
        assert!(gdal::Dataset::open_ex("/nowhere/at/all.tif", options).is_err());
        let text = take_messages("nothing");
        assert!(text.contains("/nowhere/at/all.tif"), "{text}");
        assert_eq!(take_messages("nothing"), "nothing");
    }

    #[test]
    fn messages_of_foreign_threads_are_found() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        init();
        clear_messages();
        std::thread::spawn(|| {
            // SAFETY: a literal without NUL or format directive.
            unsafe { gdal_sys::CPLError(CPLErr::CE_Failure, 1, c"tile 7 is damaged".as_ptr()) };
        })
        .join()
        .unwrap();
        assert_eq!(take_messages("nothing"), "tile 7 is damaged");
        clear_messages();
        assert_eq!(take_messages("nothing"), "nothing");
    }
}
