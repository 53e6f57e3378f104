//! What every format is read into: one neutral record, and the texts that records share.

use std::borrow::Cow;
use std::ops::Range;

use super::format::Level;
use super::hash::Map;

/// No time is known.
pub(crate) const NO_TIME: i64 = i64::MIN;

/// A text that many records share, as a number. 0 is the empty text.
pub(crate) type Sym = u32;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// Something was logged.
    #[default]
    Event,
    /// A span began.
    Open,
    /// A span ended.
    Close,
    /// A span was given fields.
    Fields,
    /// A line without a header of its own, taken as a record.
    Raw,
}

/// One record of a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// Line of the file on which it begins, from 1.
    pub line: u32,
    /// Lines that it takes.
    pub lines: u32,
    /// Number given when it was emitted; 0 where the format has none.
    pub seq: u64,
    /// Microseconds since the epoch, or since midnight where the format has no date; [`NO_TIME`] where it has no time.
    pub micros: i64,
    /// Monotonic nanoseconds; 0 where the format has none.
    pub mono: u64,
    /// Level; absent where the format has none.
    pub level: Option<Level>,
    /// Thread, or what the format names in its place.
    pub thread: Sym,
    /// Path of the span.
    pub span: Sym,
    /// Id of the span within its file; 0 where the format has none.
    pub span_id: u64,
    /// Id of the span's parent; known at its opening only.
    pub parent: u64,
    /// Target or logger.
    pub target: Sym,
    /// `file:line` of the statement; 0 where the format has none.
    pub callsite: Sym,
    /// The message, without lines that were joined to it.
    pub message: Cow<'a, str>,
    /// The lines that were joined: stack traces, continuations, and lines that no format explains.
    pub extra: &'a str,
    /// Its fields within [`Log::fields`].
    pub fields: Range<u32>,
    /// Its form.
    pub form: u32,
    /// Hash of its message and the values of its fields.
    pub content: u64,
}

/// Formats of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Format {
    Own,
    Json,
    Logfmt,
    Tracing,
    EnvLogger,
    Python,
    Syslog,
    Logcat,
    Text,
    Plain,
}

impl Format {
    pub const ALL: [Format; 10] = [
        Format::Own,
        Format::Json,
        Format::Logfmt,
        Format::Tracing,
        Format::EnvLogger,
        Format::Python,
        Format::Syslog,
        Format::Logcat,
        Format::Text,
        Format::Plain,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Own => "stageflow-stress",
            Format::Json => "json",
            Format::Logfmt => "logfmt",
            Format::Tracing => "tracing",
            Format::EnvLogger => "env_logger",
            Format::Python => "python",
            Format::Syslog => "syslog",
            Format::Logcat => "logcat",
            Format::Text => "text with a header",
            Format::Plain => "plain",
        }
    }
}

/// A log, read.
#[derive(Debug, Default)]
pub(crate) struct Log<'a> {
    pub records: Vec<Record<'a>>,
    /// Fields of all records, each with its key.
    pub fields: Vec<(Sym, Cow<'a, str>)>,
    pub texts: Texts,
    /// Lines of the file.
    pub lines: u64,
    /// Empty lines.
    pub blank: u64,
    /// Lines of a header above the records.
    pub header: u64,
    /// Lines that were joined to the record above them because they look like a part of it.
    pub joined: u64,
    /// Lines that no format explains. They are kept with the record above them.
    pub unparsed: u64,
    /// Lines of them before the first record.
    pub orphans: u64,
    /// Whether the last line has no end.
    pub torn: bool,
    /// Whether records have numbers, and whether they name spans by number.
    pub numbered: bool,
    pub spanned: bool,
    /// Numbers that are missing among those of the records.
    pub holes: u64,
    /// Bytes that are no UTF-8, replaced.
    pub invalid_utf8: u64,
    /// NUL bytes.
    pub nuls: u64,
    /// Lines with colours of a terminal, removed.
    pub coloured: u64,
    /// Records of each format.
    pub formats: [u64; Format::ALL.len()],
    /// Events by the route on which they came to their test, in the order of `Route::ALL`.
    pub routes: [u64; 4],
}

/// Fields that hold an exception with its stack, where records are objects.
pub(crate) const EXCEPTIONS: &[&str] = &["exception", "exc_info", "traceback", "stack_trace", "stack"];

impl Record<'_> {
    /// Whether it is something that was logged, rather than what a span did.
    pub fn is_event(&self) -> bool {
        matches!(self.kind, Kind::Event | Kind::Raw)
    }

    /// Whether a text is a part of its message.
    pub fn holds(&self, text: &str) -> bool {
        match &self.message {
            // The parts of a message that stands in the file stand there too.
            Cow::Borrowed(message) => {
                (text.as_ptr() as usize).wrapping_sub(message.as_ptr() as usize) <= message.len()
            }
            Cow::Owned(message) => message.contains(text),
        }
    }

    /// When it was emitted, in microseconds since the epoch; 0 where it has no time.
    pub fn wall_micros(&self) -> u64 {
        self.micros.max(0) as u64
    }
}

impl<'a> Log<'a> {
    /// The fields of a record.
    pub fn fields_of(&self, record: &Record<'_>) -> &[(Sym, Cow<'a, str>)] {
        &self.fields[record.fields.start as usize..record.fields.end as usize]
    }

    /// A field of a record, by key.
    #[cfg(test)]
    pub fn field(&self, record: &Record<'_>, key: Sym) -> Option<&str> {
        self.fields_of(record).iter().find(|(known, _)| *known == key).map(|(_, value)| &**value)
    }

    /// Its message with the lines that were joined to it, and with the exception that it has as a field.
    pub fn full_message<'r>(&'r self, record: &'r Record<'_>) -> Cow<'r, str> {
        let mut message = Cow::Borrowed(record.message.as_ref());
        if !record.extra.is_empty() {
            let message = message.to_mut();
            message.push('\n');
            message.push_str(record.extra);
        }
        for (key, value) in self.fields_of(record) {
            if value.contains('\n') && EXCEPTIONS.contains(&self.texts.get(*key)) {
                let message = message.to_mut();
                message.push('\n');
                message.push_str(value);
            }
        }
        message
    }

    /// Percentage of lines that a format explains; nothing for a file without any.
    pub fn coverage(&self) -> Option<f64> {
        let considered = self.lines - self.blank;
        (considered > 0).then(|| considered.saturating_sub(self.unparsed) as f64 * 100.0 / considered as f64)
    }
}

/// Texts by number.
#[derive(Debug)]
pub(crate) struct Texts {
    known: Map<Box<str>, Sym>,
    list: Vec<Box<str>>,
    /// By place within a record: the text that stood there last. Records are alike, and comparing is cheaper than hashing.
    recent: [Sym; PLACES],
}

/// Places of a record whose last text is remembered. The first ones are those of its head.
const PLACES: usize = 24;
/// Places of a thread, a span and a target; those of keys follow.
pub(crate) const THREAD: usize = 0;
pub(crate) const SPAN: usize = 1;
pub(crate) const TARGET: usize = 2;
pub(crate) const KEYS: usize = 3;

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Texts { known: Map::default(), list: Vec::new(), recent: [0; PLACES] };
        texts.add("");
        texts
    }
}

impl Texts {
    pub fn add(&mut self, text: &str) -> Sym {
        if text.is_empty() && !self.list.is_empty() {
            return 0;
        }
        if let Some(&known) = self.known.get(text) {
            return known;
        }
        let sym = self.list.len() as Sym;
        self.list.push(text.into());
        self.known.insert(text.into(), sym);
        sym
    }

    /// Like [`Texts::add`], for a text that probably is the one that stood in that place of the record before.
    pub fn again(&mut self, place: usize, text: &str) -> Sym {
        if text.is_empty() {
            return 0;
        }
        if place >= self.recent.len() {
            return self.add(text);
        }
        if *self.list[self.recent[place] as usize] == *text {
            return self.recent[place];
        }
        let sym = self.add(text);
        self.recent[place] = sym;
        sym
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn find(&self, text: &str) -> Option<Sym> {
        self.known.get(text).copied()
    }

    pub fn get(&self, sym: Sym) -> &str {
        &self.list[sym as usize]
    }
}
