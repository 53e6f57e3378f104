//! Records of the crate `log`, which many libraries use: they take the same way as events of `tracing`.

use ::log::{Log, Metadata, Record};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use super::layer::SpanData;
use super::logfile::{LogEvent, is_open, unattributed};
use super::routing::with_current;
use crate::log::format::{Level, Route};

/// The logger of the process.
struct Bridge;

/// Installs our logger. Returns why it could not, if so.
pub fn install() -> Option<String> {
    static BRIDGE: Bridge = Bridge;
    match ::log::set_logger(&BRIDGE) {
        Ok(()) => {
            ::log::set_max_level(::log::LevelFilter::Trace);
            None
        }
        Err(_) => Some(
            "another logger of the crate `log` was installed before the first test, and its records are not captured; remove \
             it, or build without the feature `log`"
                .to_owned(),
        ),
    }
}

impl Log for Bridge {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        is_open()
    }

    fn log(&self, record: &Record<'_>) {
        if !is_open() {
            return;
        }
        // Nothing is locked while the message is formatted: it may log in turn.
        let message = record.args().to_string();
        let event = LogEvent {
            callsite: record.file().zip(record.line()),
            ..LogEvent::new(Some(level(record.level())), Route::Span, record.target(), &message)
        };
        let by_span = tracing::dispatcher::get_default(|dispatch| {
            let registry = dispatch.downcast_ref::<Registry>()?;
            let span = registry.span(dispatch.current_span().id()?)?;
            let (test, ids) = span.extensions().get::<SpanData>()?.test_and_ids()?;
            test.log.write_in_span(&event, ids);
            Some(())
        });
        if by_span.is_none()
            && with_current(|test, route| test.log.write(&LogEvent { route, ..event })).is_none()
            && let Some(log) = unattributed()
        {
            log.write(&event);
        }
    }

    fn flush(&self) {}
}

fn level(level: ::log::Level) -> Level {
    match level {
        ::log::Level::Error => Level::Error,
        ::log::Level::Warn => Level::Warning,
        ::log::Level::Info => Level::Info,
        ::log::Level::Debug => Level::Debug,
        ::log::Level::Trace => Level::Trace,
    }
}
