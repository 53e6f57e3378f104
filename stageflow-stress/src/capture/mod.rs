//! Routing: what a test's tasks and threads log, and where they panic, reaches that test.
//!
//! One global subscriber and one panic hook serve all tests of the process. A record belongs to the test of the nearest
//! span that was opened within a test; else to the test that its thread is tagged with; else to the only test that is
//! active. How it was found is written beside it. What cannot be attributed is kept apart and counted.

//!
//! A record is stored as it happens, in binary form, into a piece of a mapped file that its thread holds: it survives the
//! death of the process, and costs no system call. Text is made of it when the test is over, or when somebody asks
//! earlier; `recover` does it for processes that are gone. What is secret by its shape is replaced before it is stored.

mod arena;
mod index;
mod layer;
#[cfg(feature = "log")]
mod log_crate;
mod logfile;
mod panics;
mod record;
mod recover;
mod render;
mod routing;
mod spans;
mod writer;

pub use arena::limit as limit_segments;
pub use layer::{StageflowLayer, layer};
pub use logfile::{LogEvent, LogFile, end_all, keep_in, segments_below, unattributed_count};
pub use panics::{CaughtPanic, hook_is_ours, payload_text, quietly, reinstall as reinstall_hook};
pub use recover::recover;
pub use routing::{Active, current, current_id, enter, register, tag_thread, unregister};
pub use spans::SpanSeen;

use std::sync::OnceLock;

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Installs the subscriber and the panic hook, once per process. Returns why the capture is partial, if it is.
pub fn install() -> Option<String> {
    let installed = INSTALLED.get_or_init(|| {
        panics::install();
        Installed { events: layer::install(), records: records() }
    });
    let events = installed.events.clone().filter(|_| !layer::is_joined());
    let reasons: Vec<String> = events.into_iter().chain(installed.records.clone()).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Why the process's logs are not complete.
#[derive(Debug)]
struct Installed {
    /// Events of `tracing`.
    events: Option<String>,
    /// Records of the crate `log`.
    records: Option<String>,
}

fn records() -> Option<String> {
    #[cfg(feature = "log")]
    return log_crate::install();
    #[cfg(not(feature = "log"))]
    None
}
