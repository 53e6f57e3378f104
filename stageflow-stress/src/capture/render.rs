//! From binary records to the text of a log file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::index::{Site, Tables};
use super::record::{Found, Head, Kind, Reader, Value, Words};
use crate::log::format::{
    Header, Level, LogRecord, Route, SpanEvent, parse, write_record, write_span, write_statement,
};
use crate::log::spans::seconds;

/// Text is written in pieces of about this size.
const PIECE: usize = 1 << 20;

/// A log file that is being written, and what has to be remembered between two calls.
#[derive(Debug)]
pub struct Rendering {
    file: File,
    spans: HashMap<u64, OpenSpan>,
    /// Events in the file.
    pub records: u64,
    /// Records of spans in the file.
    pub span_records: u64,
    /// Events per route.
    pub routes: BTreeMap<String, u64>,
    /// Records that the file could not take.
    pub lost: u64,
    /// Words of chunks that could not be read.
    pub damaged: u64,
    /// Records that came after the end of the test.
    pub late: u64,
    /// How many of those the loss statement tells of.
    pub late_stated: u64,
    /// Whether the end of the test has been written.
    pub finished: bool,
    /// Why the file could not be written, first time.
    pub why: Option<String>,
    /// The highest number in the file.
    pub last: u64,
    text: String,
    /// Whether the file ends within a line.
    cut: bool,
    /// Records whose text waits to be written: where each ends.
    pending: Vec<(usize, Kind, u8)>,
}

#[derive(Debug, Default)]
struct OpenSpan {
    path: String,
    site: Arc<Site>,
    parent: u64,
    route: u8,
    thread: String,
    entered: u64,
    inside: Vec<u32>,
    since: u64,
    busy: u64,
    active: u64,
}

impl Rendering {
    /// Begins after what the file holds: its header.
    pub fn new(file: File) -> Rendering {
        Rendering {
            file,
            spans: HashMap::new(),
            records: 0,
            span_records: 0,
            routes: BTreeMap::new(),
            lost: 0,
            damaged: 0,
            late: 0,
            late_stated: 0,
            finished: false,
            why: None,
            last: 0,
            text: String::new(),
            cut: false,
            pending: Vec::new(),
        }
    }

    /// Goes on with a file that another process began. Returns the numbers of the records that it holds.
    pub fn resume(path: &Path) -> io::Result<(Rendering, Vec<u64>)> {
        let bytes = std::fs::read(path)?;
        let mut file = OpenOptions::new().append(true).open(path)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        let mut rendering = Rendering::new(file);
        let text = String::from_utf8_lossy(&bytes);
        let log = parse(&text);
        let mut numbers = Vec::new();
        for record in &log.records {
            *rendering.routes.entry(record.route.as_str().to_owned()).or_default() += 1;
            numbers.push(record.seq);
        }
        for span in &log.spans {
            let record = &span.record;
            numbers.push(record.seq);
            if span.event == SpanEvent::New {
                let open = OpenSpan {
                    path: record.span.to_string(),
                    site: Site {
                        name: record.message.to_string(),
                        target: record.target.to_string(),
                        callsite: record.callsite.to_string(),
                        ..Site::default()
                    }
                    .into(),
                    parent: record.parent_id,
                    route: position(Route::ALL, record.route),
                    thread: record.thread.to_string(),
                    ..OpenSpan::default()
                };
                rendering.spans.insert(record.span_id, open);
            } else if span.event == SpanEvent::Close {
                rendering.spans.remove(&record.span_id);
            }
        }
        rendering.finished = !log.statement.0.is_empty();
        rendering.records = log.records.len() as u64;
        rendering.span_records = log.spans.len() as u64;
        rendering.last = numbers.iter().copied().max().unwrap_or(0);
        Ok((rendering, numbers))
    }

    /// Writes records, in the order of their numbers.
    pub fn write<W: Words>(&mut self, mut found: Vec<Found<W>>, tables: &Tables) {
        let short = |found: &Found<W>| matches!(found.kind, Kind::Enter | Kind::Exit);
        // A span is closed by a record that follows all its enters and exits, so these may be counted first, in the order
        // of their times; but only for spans that are known, and those that are opened here are not known yet.
        found.sort_unstable_by_key(|found| (short(found), found.seq()));
        let numbered = found.partition_point(|found| !short(found));
        let (numbered, moves) = found.split_at(numbered);
        for record in numbered.iter().filter(|record| record.kind == Kind::New) {
            self.spans.entry(record.head().span).or_default();
        }
        for record in moves {
            self.moved(record.kind, &record.head());
        }
        let mut bytes = Vec::new();
        for record in numbered {
            let head = record.head();
            record.bytes(&mut bytes);
            self.last = self.last.max(head.seq);
            if self.render(record.kind, &head, &bytes, tables).is_none() {
                self.damaged += 1;
                continue;
            }
            self.pending.push((self.text.len(), record.kind, head.route));
            if self.text.len() >= PIECE {
                self.put_down();
            }
        }
        self.put_down();
    }

    fn moved(&mut self, kind: Kind, head: &Head) {
        let Some(span) = self.spans.get_mut(&head.span) else { return };
        span.active = head.nanos;
        if kind == Kind::Enter {
            if span.inside.is_empty() {
                span.since = head.nanos;
            }
            span.inside.push(head.thread);
            span.entered += 1;
        } else if let Some(at) = span.inside.iter().rposition(|thread| *thread == head.thread) {
            span.inside.remove(at);
            if span.inside.is_empty() {
                span.busy += head.nanos.saturating_sub(span.since);
            }
        }
    }

    /// Appends the text of one record. `None` if its bytes do not hold what its kind says.
    fn render(&mut self, kind: Kind, head: &Head, bytes: &[u8], tables: &Tables) -> Option<()> {
        let mut reader = Reader(bytes);
        let site = match kind {
            Kind::Dynamic => Arc::default(),
            _ => tables.sites.get(head.site as usize)?.clone(),
        };
        let thread = tables.threads.get(head.thread as usize).map_or("", |name| name);
        let mut record = LogRecord {
            seq: head.seq,
            micros: head.micros,
            nanos: Some(head.nanos),
            level: usize::from(head.level).checked_sub(1).and_then(|at| Level::ALL.get(at)).copied(),
            thread: thread.into(),
            span_id: head.span,
            parent_id: head.parent,
            target: site.target.as_str().into(),
            callsite: site.callsite.as_str().into(),
            ..LogRecord::new(*Route::ALL.get(usize::from(head.route))?)
        };
        let outer = if head.path { reader.text()? } else { "" };
        match kind {
            Kind::Dynamic => {
                record.target = reader.text()?.into();
                record.callsite = reader.text()?.into();
                record.span = self.spans.get(&head.span).map_or(outer, |span| &span.path).into();
                record.message = reader.text()?.into();
                while !reader.0.is_empty() {
                    record.fields.push((reader.text()?.into(), reader.text()?.into()));
                }
                write_record(&mut self.text, &record);
            }
            Kind::Event => {
                fields(&mut reader, &site, &mut record)?;
                match self.spans.get(&head.span).filter(|_| outer.is_empty()) {
                    Some(span) => record.span = span.path.as_str().into(),
                    None => record.span = outer.into(),
                }
                write_record(&mut self.text, &record);
            }
            Kind::New => {
                fields(&mut reader, &site, &mut record)?;
                let mut path = self.spans.get(&head.parent).map_or(outer, |parent| &parent.path).to_owned();
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(&site.name);
                if !record.fields.is_empty() {
                    let pairs: Vec<_> =
                        record.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    path.push_str(&format!("{{{}}}", pairs.join(" ")));
                }
                let span = self.spans.entry(head.span).or_default();
                span.path.clone_from(&path);
                span.site = site.clone();
                span.parent = head.parent;
                span.route = head.route;
                thread.clone_into(&mut span.thread);
                span.active = span.active.max(head.nanos);
                record.span = path.into();
                record.message = site.name.as_str().into();
                write_span(&mut self.text, SpanEvent::New, &record);
            }
            Kind::Fields => {
                fields(&mut reader, &site, &mut record)?;
                record.span = self.spans.get(&head.span).map_or("", |span| &span.path).into();
                record.message = site.name.as_str().into();
                write_span(&mut self.text, SpanEvent::Fields, &record);
            }
            Kind::Close => {
                let span = self.spans.remove(&head.span).unwrap_or_default();
                record.fields = span.activity();
                record.span = span.path.into();
                record.message = site.name.as_str().into();
                write_span(&mut self.text, SpanEvent::Close, &record);
            }
            Kind::Enter | Kind::Exit => return None,
        }
        Some(())
    }

    /// Says of every span that is open that it is.
    pub fn write_open_spans(&mut self, micros: u64, nanos: u64, tables: &Tables) {
        let mut open: Vec<_> = self.spans.iter().collect();
        open.sort_unstable_by_key(|(id, _)| **id);
        for (id, span) in open {
            let names: Vec<_> = span
                .inside
                .iter()
                .map(|thread| tables.threads.get(*thread as usize).map_or("", |name| name))
                .collect();
            let mut fields = span.activity();
            fields.push(("inside".into(), names.join(",").into()));
            let record = LogRecord {
                micros,
                nanos: Some(nanos),
                thread: span.thread.as_str().into(),
                span: span.path.as_str().into(),
                span_id: *id,
                parent_id: span.parent,
                target: span.site.target.as_str().into(),
                callsite: span.site.callsite.as_str().into(),
                message: span.site.name.as_str().into(),
                fields,
                ..LogRecord::new(Route::ALL.get(usize::from(span.route)).copied().unwrap_or(Route::Sole))
            };
            write_span(&mut self.text, SpanEvent::Open, &record);
        }
        self.put_down();
    }

    /// Appends the loss statement.
    pub fn write_statement(&mut self, statement: &Header) {
        write_statement(&mut self.text, statement);
        self.put_down();
    }

    /// Writes the text. What the file does not take is counted, record by record.
    fn put_down(&mut self) {
        let mut written = 0;
        // What follows a line that was cut must not look like a part of it.
        if self.cut && !self.text.is_empty() && self.file.write_all(b"\n").is_ok() {
            self.cut = false;
        }
        while written < self.text.len() {
            match self.file.write(&self.text.as_bytes()[written..]) {
                Ok(0) => {
                    self.why.get_or_insert_with(|| "the file takes nothing more".to_owned());
                    break;
                }
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.why.get_or_insert_with(|| error.to_string());
                    break;
                }
            }
        }
        self.cut |= written > 0 && self.text.as_bytes()[written - 1] != b'\n';
        for (end, kind, route) in self.pending.drain(..) {
            if end > written {
                self.lost += 1;
                continue;
            }
            self.late += u64::from(self.finished);
            if matches!(kind, Kind::Event | Kind::Dynamic) {
                self.records += 1;
                if let Some(route) = Route::ALL.get(usize::from(route)) {
                    match self.routes.get_mut(route.as_str()) {
                        Some(count) => *count += 1,
                        None => drop(self.routes.insert(route.as_str().to_owned(), 1)),
                    }
                }
            } else {
                self.span_records += 1;
            }
        }
        self.text.clear();
    }

    /// How long the file is; 0 where that cannot be told.
    pub fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }
}

impl OpenSpan {
    fn activity(&self) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        vec![
            ("entered".into(), self.entered.to_string().into()),
            ("busy".into(), seconds(self.busy).into()),
            ("active".into(), seconds(self.active).into()),
        ]
    }
}

/// The position of a value among all.
pub fn position<T: PartialEq>(all: &[T], value: T) -> u8 {
    all.iter().position(|known| *known == value).unwrap_or(0) as u8
}

fn fields<'a>(reader: &mut Reader<'a>, site: &'a Site, record: &mut LogRecord<'a>) -> Option<()> {
    while !reader.0.is_empty() {
        let name = site.fields.get(usize::from(reader.byte()?))?;
        let value: Cow<'a, str> = match reader.value()? {
            Value::Text(text) => text.into(),
            Value::Unsigned(number) => number.to_string().into(),
            Value::Signed(number) => number.to_string().into(),
            Value::Float(number) => format!("{number:?}").into(),
            Value::Bool(yes) => if yes { "true" } else { "false" }.into(),
        };
        if name == "message" {
            record.message = value;
        } else {
            record.fields.push((name.as_str().into(), value));
        }
    }
    Some(())
}
