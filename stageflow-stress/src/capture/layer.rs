//! The `tracing` layer that feeds the tests' logs.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::logfile::{LogEvent, unattributed};
use super::routing::{Active, another_subscriber, current};
use crate::log::format::{Level as LogLevel, Route};

static JOINED: AtomicBool = AtomicBool::new(false);

/// Target of an event that nobody keeps. Whenever a subscriber is made, `tracing` asks every subscriber anew what it
/// thinks of each place that it knows: being asked about this one again tells that another subscriber has been made.
const SENTINEL: &str = "stageflow_stress::sentinel";

/// How often our subscriber was asked about the sentinel.
static ASKED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The subscriber that this thread is making carries our layer.
    static CARRIES_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether a subscriber of the user's carries our layer.
pub fn is_joined() -> bool {
    JOINED.load(Ordering::Relaxed)
}

/// Installs our subscriber as the global one. Returns why it could not, if so.
pub fn install() -> Option<String> {
    let layer = StageflowLayer { joins: false };
    match tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)) {
        Ok(()) => {
            tracing::trace!(target: SENTINEL, "");
            None
        }
        Err(_) => Some(
            "another global tracing subscriber was installed before the first test; add `stageflow_stress::layer()` to it"
                .to_owned(),
        ),
    }
}

/// The layer, for programs that install a global subscriber of their own before the first test.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(stageflow_stress::layer());
/// # drop(subscriber);
/// ```
#[must_use]
pub fn layer() -> StageflowLayer {
    StageflowLayer { joins: true }
}

/// Writes events into the log of the test that they belong to. Made by [`layer`].
#[derive(Debug)]
pub struct StageflowLayer {
    /// Whether it is part of the user's subscriber.
    joins: bool,
}

/// The test that was current when a span was opened, kept with the span.
struct SpanTest(Arc<Active>);

/// The fields of a span, rendered once.
struct SpanText(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for StageflowLayer {
    fn on_register_dispatch(&self, _: &tracing::Dispatch) {
        // Our own subscriber is told so even where it is not accepted as the global one.
        if self.joins {
            JOINED.store(true, Ordering::Relaxed);
            CARRIES_OURS.set(true);
        }
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if !self.joins && metadata.target() == SENTINEL && ASKED.fetch_add(1, Ordering::Relaxed) > 0 {
            let carries_ours = CARRIES_OURS.try_with(|carries| carries.replace(false)).unwrap_or(false);
            if !carries_ours {
                another_subscriber();
            }
        }
        Interest::always()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let inherited =
            span.parent().and_then(|parent| parent.extensions().get::<SpanTest>().map(|test| test.0.clone()));
        let mut fields = FieldText::default();
        attributes.record(&mut fields);
        let mut text = attributes.metadata().name().to_owned();
        if !fields.pairs.is_empty() {
            let pairs: Vec<_> = fields.pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let _ = write!(text, "{{{}}}", pairs.join(" "));
        }
        let mut extensions = span.extensions_mut();
        // A span keeps only tests that are surely its own: a sole active test may be gone when the span still lives.
        if let Some(test) = inherited.or_else(|| match current() {
            Some((test, Route::Thread)) => Some(test),
            _ => None,
        }) {
            test.spans.opened(id.into_u64(), &text);
            extensions.insert(SpanTest(test));
        }
        extensions.insert(SpanText(text));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        with_test(id, &context, |test| test.spans.entered(id.into_u64()));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        with_test(id, &context, |test| test.spans.left(id.into_u64()));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        with_test(&id, &context, |test| test.spans.closed(id.into_u64()));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() == SENTINEL {
            return;
        }
        let mut spans = Vec::new();
        let mut owner = None;
        let mut ids = Vec::new();
        if let Some(scope) = context.event_scope(event) {
            for span in scope {
                ids.push(span.id().into_u64());
                let extensions = span.extensions();
                if owner.is_none() {
                    owner = extensions.get::<SpanTest>().map(|test| test.0.clone());
                }
                spans.push(
                    extensions
                        .get::<SpanText>()
                        .map_or_else(|| span.name().to_owned(), |text| text.0.clone()),
                );
            }
        }
        spans.reverse();
        let mut fields = FieldText::default();
        event.record(&mut fields);
        let pairs: Vec<_> =
            fields.pairs.iter().map(|(key, value)| (Cow::from(*key), Cow::from(value.as_str()))).collect();
        let metadata = event.metadata();
        let log_event = LogEvent {
            level: Some(level_name(metadata.level())),
            route: Route::Span,
            target: metadata.target(),
            message: &fields.message,
            fields: &pairs,
            spans: &spans.join("/"),
            span_ids: (ids.first().copied().unwrap_or(0), ids.get(1).copied().unwrap_or(0)),
            callsite: metadata.file().map(|file| (file, metadata.line().unwrap_or_default())),
        };
        match owner.map(|test| (test, Route::Span)).or_else(current) {
            Some((test, route)) => test.log.write(&LogEvent { route, ..log_event }),
            None => unattributed(&log_event),
        }
    }
}

/// Tells the test of a span, if it has one.
fn with_test<S: Subscriber + for<'a> LookupSpan<'a>>(
    id: &Id,
    context: &Context<'_, S>,
    tell: impl FnOnce(&Active),
) {
    if let Some(span) = context.span(id)
        && let Some(test) = span.extensions().get::<SpanTest>()
    {
        tell(&test.0);
    }
}

/// Level names of the seeds, which are those of Python's `logging`. `TRACE` stays apart.
fn level_name(level: &Level) -> LogLevel {
    match *level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[derive(Default)]
struct FieldText {
    message: String,
    pairs: Vec<(&'static str, String)>,
}

impl Visit for FieldText {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.push(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }
}

impl FieldText {
    fn push(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.pairs.push((field.name(), text));
        }
    }
}
