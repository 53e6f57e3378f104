//! The panic hook: every panic of the process, kept for the test that it belongs to.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{self, PanicHookInfo};
use std::sync::{Once, PoisonError};
use std::thread::{self, ThreadId};

use super::logfile::LogEvent;
use super::routing::current;
use crate::log::format::{Level, Route};

/// Backtraces are kept for the first panics of a test only: resolving them is slow, and the hundredth tells nothing new.
const BACKTRACES: usize = 20;

/// A panic that the hook saw.
#[derive(Debug)]
pub struct CaughtPanic {
    /// The thread that panicked.
    pub thread: ThreadId,
    /// Its name.
    pub thread_name: String,
    /// The message.
    pub message: String,
    /// Source file.
    pub file: String,
    /// Line.
    pub line: u32,
    /// The stack, not yet resolved to names.
    pub backtrace: Option<Backtrace>,
    /// How its test was found.
    pub route: Route,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// What [`hook_is_ours`] panics with.
struct Question;

/// Installs the hook in front of the one that is there, once.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(reinstall);
}

/// Installs the hook in front of the one that is there.
pub fn reinstall() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().is::<Question>() {
            let _ = ANSWERED.try_with(|answered| answered.set(true));
            return;
        }
        if QUIET.try_with(Cell::get).unwrap_or(false) {
            return;
        }
        // A panic within this hook must not come back here, nor one that the hook below hands to an older copy of ours.
        let first = !INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true);
        if first {
            catch(info);
        }
        previous(info);
        if first {
            let _ = INSIDE.try_with(|inside| inside.set(false));
        }
    }));
}

/// Whether a panic still reaches our hook: another one may have replaced it, and may or may not call ours.
///
/// The question is a panic of its own. Taking the hook away to look at it would lose what another thread says meanwhile.
pub fn hook_is_ours() -> bool {
    if cfg!(panic = "abort") {
        return true;
    }
    ANSWERED.with(|answered| answered.set(false));
    let _ = panic::catch_unwind(|| panic::panic_any(Question));
    ANSWERED.with(Cell::get)
}

fn catch(info: &PanicHookInfo<'_>) {
    let Some((test, route)) = current() else { return };
    let message = payload_text(info.payload());
    let thread = thread::current();
    let (file, line) = info.location().map_or((String::new(), 0), |at| (at.file().to_owned(), at.line()));
    let name = thread.name().unwrap_or("unnamed").to_owned();
    // At once, so that it survives the abort that may follow.
    test.log.write(&LogEvent {
        fields: &[("file".into(), file.as_str().into()), ("line".into(), line.to_string().into())],
        callsite: Some((&file, line)),
        ..LogEvent::new(
            Some(Level::Critical),
            route,
            "panic",
            &format!("thread '{name}' panicked: {message}"),
        )
    });
    let mut panics = test.panics.lock().unwrap_or_else(PoisonError::into_inner);
    let backtrace = (panics.len() < BACKTRACES).then(Backtrace::force_capture);
    panics.push(CaughtPanic {
        thread: thread.id(),
        thread_name: name,
        message,
        file,
        line,
        backtrace,
        route,
    });
}

/// The text of a panic's payload.
pub fn payload_text(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a value that is not text".to_owned(),
    }
}

/// Runs `action` with panics on this thread neither printed nor recorded: for code whose panic is an answer.
pub fn quietly<T>(action: impl FnOnce() -> T) -> thread::Result<T> {
    let before = QUIET.with(|quiet| quiet.replace(true));
    let result = panic::catch_unwind(panic::AssertUnwindSafe(action));
    QUIET.with(|quiet| quiet.set(before));
    result
}
