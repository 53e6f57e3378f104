//! The `tracing` layer that feeds the tests' logs.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::logfile::{is_open, unattributed};
use super::record::{Head, Kind, Value, put, put_text};
use super::render::position;
use super::routing::{Active, another_subscriber, current, with_current};
use super::writer::{self, Aim, Writer};
use crate::log::format::{Level as LogLevel, Route};
use crate::redact::{self, NameRule};

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

/// What a span carries.
pub struct SpanData {
    /// Its number: unlike `tracing`'s own it is never used again within the process.
    number: u64,
    /// The number of the span around it.
    parent: u64,
    /// The test that was current when it was opened.
    test: Option<Arc<Active>>,
    /// The path, of a span that belongs to no test: no log tells of it.
    path: String,
}

#[cfg(feature = "log")]
impl SpanData {
    /// The test that it belongs to, its number and that of the span around it.
    pub fn test_and_ids(&self) -> Option<(Arc<Active>, (u64, u64))> {
        Some((self.test.clone()?, (self.number, self.parent)))
    }
}

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
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Some(span) = context.span(id) else { return };
        let metadata = attributes.metadata();
        let mut data = SpanData {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            parent: 0,
            test: None,
            path: String::new(),
        };
        let mut route = Route::Span;
        if let Some(parent) = span.parent()
            && let Some(parent) = parent.extensions().get::<SpanData>()
        {
            (data.parent, data.test) = (parent.number, parent.test.clone());
            data.path.clone_from(&parent.path);
        }
        // A span keeps only tests that are surely its own: a sole active test may be gone when the span still lives.
        if data.test.is_none()
            && let Some((test, Route::Thread)) = current()
        {
            (data.test, route) = (Some(test), Route::Thread);
        }
        let outer = std::mem::take(&mut data.path);
        match &data.test {
            Some(test) => {
                writer::with(|writer| {
                    let place = writer.place(metadata);
                    writer.bytes.clear();
                    if !outer.is_empty() {
                        put_text(&mut writer.bytes, &outer);
                    }
                    let Writer { bytes, text, .. } = writer;
                    attributes.record(&mut Fields { bytes, text, rules: place.rules });
                    let aim = writer.aim(&test.log.shared);
                    let head = Head {
                        path: !outer.is_empty(),
                        ..head(place.site, None, route, data.number, data.parent)
                    };
                    writer.commit(aim, Kind::New, head);
                });
                test.spans.opened(id.into_u64(), || text_of(attributes));
            }
            None => {
                data.path = if outer.is_empty() { outer } else { outer + "/" };
                data.path.push_str(&text_of(attributes));
            }
        }
        span.extensions_mut().insert(data);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        writer::with(|writer| {
            let place = writer.place(span.metadata());
            writer.bytes.clear();
            let Writer { bytes, text, .. } = writer;
            values.record(&mut Fields { bytes, text, rules: place.rules });
            if let Some(data) = span.extensions().get::<SpanData>()
                && let Some(test) = &data.test
            {
                let aim = writer.aim(&test.log.shared);
                let head = head(place.site, None, Route::Span, data.number, data.parent);
                writer.commit(aim, Kind::Fields, head);
            }
        });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        with_test(id, &context, |test, number| {
            record_move(test, Kind::Enter, number);
            test.spans.entered(id.into_u64());
        });
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        with_test(id, &context, |test, number| {
            record_move(test, Kind::Exit, number);
            test.spans.left(id.into_u64());
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let extensions = span.extensions();
        let Some(SpanData { number, parent, test: Some(test), .. }) = extensions.get() else { return };
        writer::with(|writer| {
            let place = writer.place(span.metadata());
            writer.bytes.clear();
            let aim = writer.aim(&test.log.shared);
            writer.commit(aim, Kind::Close, head(place.site, None, Route::Span, *number, *parent));
        });
        test.spans.closed(id.into_u64());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        // Before the first test has opened the store there is no test that a record could be missing from.
        if metadata.target() == SENTINEL || !is_open() {
            return;
        }
        writer::with(|writer| {
            let place = writer.place(metadata);
            let mut head = head(place.site, Some(metadata.level()), Route::Span, 0, 0);
            let mut owner: Option<Aim> = None;
            writer.bytes.clear();
            if let Some(span) = context.event_span(event)
                && let Some(data) = span.extensions().get::<SpanData>()
            {
                (head.span, head.parent) = (data.number, data.parent);
                match &data.test {
                    Some(test) => owner = Some(writer.aim(&test.log.shared)),
                    None => {
                        head.path = true;
                        put_text(&mut writer.bytes, &data.path);
                    }
                }
            }
            // Nothing is locked while the values are formatted: they may log in turn.
            let Writer { bytes, text, .. } = writer;
            event.record(&mut Fields { bytes, text, rules: place.rules });
            let owner = owner.or_else(|| {
                let (aim, route) = with_current(|test, route| (writer.aim(&test.log.shared), route))?;
                head.route = position(Route::ALL, route);
                Some(aim)
            });
            match owner {
                Some(aim) => writer.commit(aim, Kind::Event, head),
                None => {
                    if let Some(log) = unattributed() {
                        let aim = writer.aim(&log.shared);
                        writer.commit(aim, Kind::Event, head);
                    }
                }
            }
        });
    }
}

fn head(site: u32, level: Option<&Level>, route: Route, span: u64, parent: u64) -> Head {
    let level = level.map_or(0, |level| position(LogLevel::ALL, level_name(level)) + 1);
    Head { site, level, route: position(Route::ALL, route), span, parent, ..Head::default() }
}

fn record_move(test: &Active, kind: Kind, number: u64) {
    writer::with(|writer| {
        let aim = writer.aim(&test.log.shared);
        writer.commit_short(aim, kind, number);
    });
}

/// Tells the test of a span, if it has one.
fn with_test<S: Subscriber + for<'a> LookupSpan<'a>>(
    id: &Id,
    context: &Context<'_, S>,
    tell: impl FnOnce(&Active, u64),
) {
    if let Some(span) = context.span(id)
        && let Some(data) = span.extensions().get::<SpanData>()
        && let Some(test) = &data.test
    {
        tell(test, data.number);
    }
}

/// Level names of the seeds, which are those of Python's `logging`. `TRACE` stays apart.
pub fn level_name(level: &Level) -> LogLevel {
    match *level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// Puts the values of fields into a record.
struct Fields<'a> {
    bytes: &'a mut Vec<u8>,
    text: &'a mut String,
    rules: &'a [NameRule],
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value<'_>) {
        self.bytes.push(field.index() as u8);
        put(self.bytes, value);
    }

    fn put_text(&mut self, field: &Field, text: &str) {
        let rule = self.rules.get(field.index()).copied().unwrap_or(NameRule::Plain);
        match redact::value(rule, text) {
            Some(clean) => self.put(field, Value::Text(&clean)),
            None => self.put(field, Value::Text(text)),
        }
    }

    fn put_written(&mut self, field: &Field) {
        let text = std::mem::take(self.text);
        self.put_text(field, &text);
        *self.text = text;
    }
}

/// From here on a number may be that of a card, which is redacted as text is.
const LONG: u64 = 1_000_000_000_000;

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if value < LONG { self.put(field, Value::Unsigned(value)) } else { self.record_debug(field, &value) }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if value < LONG.cast_signed() {
            self.put(field, Value::Signed(value));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text.clear();
        let _ = write!(self.text, "{value}");
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(self.text, ": {cause}");
            source = cause.source();
        }
        self.put_written(field);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text.clear();
        let _ = write!(self.text, "{value:?}");
        self.put_written(field);
    }
}

/// Name and fields of a span, for what is shown of it outside the log.
fn text_of(attributes: &Attributes<'_>) -> String {
    struct Pairs(String);
    impl Visit for Pairs {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.add(field, value);
        }

        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.add(field, &format!("{value:?}"));
        }
    }
    impl Pairs {
        fn add(&mut self, field: &Field, value: &str) {
            let clean = redact::value(redact::name_rule(field.name()), value);
            let separator = if self.0.is_empty() { "{" } else { " " };
            let value = clean.as_deref().unwrap_or(value);
            let _ = write!(self.0, "{separator}{}={value}", field.name());
        }
    }
    let mut pairs = Pairs(String::new());
    attributes.record(&mut pairs);
    let close = if pairs.0.is_empty() { "" } else { "}" };
    format!("{}{}{close}", attributes.metadata().name(), pairs.0)
}
