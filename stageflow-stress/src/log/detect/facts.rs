//! What the detectors share: which operation a record belongs to, and which step of a life it tells of.

use super::super::event::{Kind, Log, NO_TIME, Record, Sym};
use super::super::format::Level;
use super::super::hash::Map;
use super::super::rules::Rules;
use super::super::template::{Form, Template};
use super::Seen;
use std::hash::Hasher as _;

/// Fields that name an operation. Names of one family may stand for one another.
const CORRELATION: &[(&str, u8)] = &[
    ("run_id", 1),
    ("pipeline_run_id", 1),
    ("runId", 1),
    ("correlation_id", 2),
    ("correlationId", 2),
    ("request_id", 3),
    ("requestId", 3),
    ("req_id", 3),
    ("trace_id", 4),
    ("traceId", 4),
];
/// Fields that name the part of an operation that a record tells of.
const NAMES: &[&str] = &["stage", "stage_name", "task", "step", "tool", "agent", "node"];

/// A step of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Start,
    /// A good end.
    Done,
    Failed,
    Cancelled,
    Skipped,
    Retry,
}

impl Phase {
    pub fn is_end(self) -> bool {
        !matches!(self, Phase::Start | Phase::Retry)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Start => "started",
            Phase::Done => "completed",
            Phase::Failed => "failed",
            Phase::Cancelled => "cancelled",
            Phase::Skipped => "skipped",
            Phase::Retry => "retried",
        }
    }
}

/// A step in the life of something that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub phase: Phase,
    /// What it is the life of: target and words, as a number.
    pub subject: u32,
    /// Whether it is the operation itself rather than a part of it.
    pub whole: bool,
    pub attempt: u32,
}

/// What is known of a template.
#[derive(Debug, Clone, Default)]
pub(crate) struct TemplateFacts {
    /// Records per level; the last one is for records without.
    pub levels: [u64; 7],
    pub bytes: u64,
    /// First line, and last.
    pub first_line: u32,
    pub last_line: u32,
    pub first: i64,
    pub last: i64,
    pub sample: u32,
    /// The step that its words name, if they name one.
    pub phase: Option<Phase>,
    /// Target of its first record.
    pub target: Sym,
}

pub(super) struct Facts<'l, 'a> {
    pub log: &'l Log<'a>,
    pub rules: &'l Rules,
    pub templates: &'l [Template],
    pub of_form: &'l [u32],
    pub forms: &'l [Form],
    pub each: Vec<TemplateFacts>,
    /// Whether the log has a monotonic clock.
    pub monotonic: bool,
    /// Whether most records of the log name an operation.
    keys: Vec<(Sym, u8)>,
    names: Vec<Sym>,
    status: Vec<Sym>,
    attempt: Option<Sym>,
    event: Option<Sym>,
    ops: Map<Box<str>, u32>,
    op_texts: Vec<Box<str>>,
    of_span: Map<Sym, (u32, u8)>,
    of_thread: Map<Sym, u32>,
    subjects: Map<Box<str>, u32>,
    subject_texts: Vec<Box<str>>,
    /// Subjects of one text from several targets share a number.
    word_numbers: Map<Box<str>, u32>,
    words_of: Vec<u32>,
    by_content: Map<u64, (u32, bool)>,
    words: String,
}

impl<'l, 'a> Facts<'l, 'a> {
    pub fn new(
        log: &'l Log<'a>,
        rules: &'l Rules,
        templates: &'l [Template],
        of_form: &'l [u32],
        forms: &'l [Form],
    ) -> Self {
        let mut keys: Vec<(Sym, u8)> =
            rules.correlation.iter().filter_map(|key| log.texts.find(key)).map(|key| (key, 0)).collect();
        keys.extend(CORRELATION.iter().filter_map(|(key, family)| Some((log.texts.find(key)?, *family))));
        let find = |names: &[&str]| names.iter().filter_map(|name| log.texts.find(name)).collect::<Vec<_>>();
        let each = templates
            .iter()
            .map(|template| TemplateFacts {
                phase: phase(&template.text),
                first: i64::MAX,
                last: NO_TIME,
                sample: u32::MAX,
                ..TemplateFacts::default()
            })
            .collect();
        Facts {
            log,
            rules,
            templates,
            of_form,
            forms,
            each,
            monotonic: log.records.iter().take(3).any(|record| record.mono > 0),
            keys,
            names: find(NAMES),
            status: find(&["status", "outcome", "result"]),
            attempt: log.texts.find("attempt"),
            event: log.texts.find("event"),
            ops: Map::default(),
            op_texts: vec!["".into()],
            of_span: Map::default(),
            of_thread: Map::default(),
            subjects: Map::default(),
            subject_texts: vec!["".into()],
            word_numbers: Map::default(),
            words_of: vec![0],
            by_content: Map::default(),
            words: String::new(),
        }
    }

    /// Everything about the record of that index. Asked once for each, in order.
    pub fn see(&mut self, index: usize) -> Seen<'l, 'a> {
        let log = self.log;
        let record = &log.records[index];
        let is_event = matches!(record.kind, Kind::Event | Kind::Raw);
        let template = if is_event { self.of_form[record.form as usize] } else { u32::MAX };
        let time = if self.monotonic { (record.mono / 1_000) as i64 } else { record.micros };
        let (op, other) = self.operation(record);
        let mut life = None;
        if is_event {
            let facts = &mut self.each[template as usize];
            facts.levels[record.level.map_or(6, |level| level as usize)] += 1;
            facts.bytes += (record.message.len() + record.extra.len()) as u64 + 40;
            if facts.sample == u32::MAX {
                facts.sample = index as u32;
                facts.first_line = record.line;
                facts.target = record.target;
            }
            facts.last_line = record.line;
            if record.micros != NO_TIME {
                facts.first = facts.first.min(record.micros);
                facts.last = facts.last.max(record.micros);
            }
            if facts.phase.is_some() || self.event.is_some() {
                life = self.life(record, template);
            }
        }
        Seen { record, template, op, other, life, time }
    }

    /// Operations that were seen.
    pub fn operations(&self) -> u64 {
        self.op_texts.len() as u64 - 1
    }

    pub fn op_text(&self, op: u32) -> &str {
        &self.op_texts[op as usize]
    }

    pub fn subject_text(&self, subject: u32) -> &str {
        &self.subject_texts[subject as usize]
    }

    /// The words of a subject, without its target.
    pub fn words_of(&self, subject: u32) -> u32 {
        self.words_of[subject as usize]
    }

    pub fn into_templates(self) -> Vec<TemplateFacts> {
        self.each
    }

    /// The target of a template's records with its text, as titles show it.
    pub fn title(&self, template: u32) -> String {
        let mut text: String = self.templates[template as usize].text.chars().take(120).collect();
        if text.len() < self.templates[template as usize].text.len() {
            text.push('…');
        }
        text
    }

    fn operation(&mut self, record: &Record<'_>) -> (u32, u32) {
        let log = self.log;
        let (mut inherited, mut family) = (0, 0);
        if record.span != 0 {
            (inherited, family) = match self.of_span.get(&record.span) {
                Some(&known) => known,
                None => {
                    let found = in_path(log.texts.get(record.span), self.rules);
                    let of = found.map_or((0, 0), |(value, family)| (self.op(value), family));
                    self.of_span.insert(record.span, of);
                    of
                }
            };
        }
        if !self.keys.is_empty() {
            let mut own: Option<(u32, u8)> = None;
            for (key, value) in log.fields_of(record) {
                let Some((_, of)) = self.keys.iter().find(|(known, _)| known == key).copied() else {
                    continue;
                };
                if value.is_empty() || (inherited != 0 && of != family) {
                    continue;
                }
                let op = self.op(value);
                match own {
                    None if inherited != 0 && op != inherited => return (op, inherited),
                    None => own = Some((op, of)),
                    Some((first, family)) if family == of && op != first => return (first, op),
                    Some(_) => {}
                }
            }
            if let Some((op, _)) = own {
                return (op, 0);
            }
        }
        if inherited != 0 {
            return (inherited, 0);
        }
        if record.thread != 0 {
            // OpenStack prints the request in brackets, where others print the thread.
            let known = match self.of_thread.get(&record.thread) {
                Some(&known) => known,
                None => {
                    let text = log.texts.get(record.thread);
                    let op = match text.split(' ').next() {
                        Some(id) if id.starts_with("req-") && id.len() > 12 => self.op(id),
                        _ => 0,
                    };
                    self.of_thread.insert(record.thread, op);
                    op
                }
            };
            return (known, 0);
        }
        (0, 0)
    }

    fn op(&mut self, value: &str) -> u32 {
        if let Some(&known) = self.ops.get(value) {
            return known;
        }
        let op = self.op_texts.len() as u32;
        self.op_texts.push(value.into());
        self.ops.insert(value.into(), op);
        op
    }

    fn life(&mut self, record: &Record<'_>, template: u32) -> Option<Life> {
        let log = self.log;
        let mut phase = self.each[template as usize].phase;
        let mut text: &str = &record.message;
        if let Some(event) = self.event.and_then(|event| log.field(record, event))
            && let Some(named) = self::phase(event)
        {
            phase = Some(named);
            text = event;
        }
        let mut phase = phase?;
        let mut name = "";
        let mut attempt = 0;
        for (key, value) in log.fields_of(record) {
            if self.names.contains(key) {
                name = value;
            } else if self.status.contains(key) && phase == Phase::Done {
                phase = of_status(value).unwrap_or(phase);
            } else if Some(*key) == self.attempt {
                attempt = value.parse().unwrap_or(0);
            }
        }
        let mut hasher = super::super::hash::Fast::default();
        hasher.write(text.as_bytes());
        hasher.write(name.as_bytes());
        hasher.write_u32(record.target);
        let content = hasher.finish();
        if let Some(&(subject, whole)) = self.by_content.get(&content) {
            return (subject != 0).then_some(Life { phase, subject, whole, attempt });
        }
        let whole = self.subject(text, name);
        let mut subject = 0;
        if !self.words.is_empty() {
            let key = format!("{}: {}", log.texts.get(record.target), self.words);
            subject = match self.subjects.get(key.as_str()) {
                Some(&known) => known,
                None => {
                    let subject = self.subject_texts.len() as u32;
                    self.subject_texts.push(key.as_str().into());
                    let next = self.word_numbers.len() as u32 + 1;
                    self.words_of.push(*self.word_numbers.entry(self.words.as_str().into()).or_insert(next));
                    self.subjects.insert(key.into(), subject);
                    subject
                }
            };
        }
        // Texts that vary without end are no reason to remember them without end.
        if self.by_content.len() < 200_000 {
            self.by_content.insert(content, (subject, whole));
        }
        (subject != 0).then_some(Life { phase, subject, whole, attempt })
    }

    /// Leaves the words in `self.words` that say what a text is about, without those that say what happens to it.
    fn subject(&mut self, text: &str, name: &str) -> bool {
        const STOP: &[&str] = &[
            "with",
            "status",
            "the",
            "a",
            "an",
            "in",
            "to",
            "of",
            "for",
            "by",
            "at",
            "is",
            "was",
            "has",
            "successfully",
            "on",
            "after",
            "ms",
            "now",
            "from",
            "and",
        ];
        // What follows a failure tells why, and is no part of its name.
        let text = text.split(['(', ',']).next().unwrap_or(text);
        let mut words: Vec<String> = Vec::new();
        for token in text.split(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
            if words.len() >= 8 {
                break;
            }
            // Pairs are fields and no part of the name.
            if token.contains('=') {
                continue;
            }
            let token = token.trim_matches(|c: char| c.is_ascii_punctuation());
            if token.is_empty() {
                continue;
            }
            let lower = token.to_ascii_lowercase();
            // Names of events are words joined by dots or underscores.
            let parts: Vec<&str> = if verb(&lower).is_none()
                && lower.contains(['.', '_'])
                && lower.split(['.', '_']).any(|part| verb(part).is_some())
            {
                lower.split(['.', '_']).collect()
            } else {
                vec![&lower]
            };
            for part in parts {
                if part.is_empty()
                    || verb(part).is_some()
                    || STOP.contains(&part)
                    || part == name.to_ascii_lowercase()
                {
                    continue;
                }
                // `ok`, `fail` and the like say how it went.
                if of_status(part).is_some() || part == "ok" {
                    continue;
                }
                words.push(part.to_owned());
            }
        }
        words.sort();
        words.dedup();
        let whole = name.is_empty()
            && words.iter().any(|word| {
                matches!(
                    word.as_str(),
                    "pipeline" | "graph" | "workflow" | "run" | "request" | "job" | "execution"
                )
            });
        if !name.is_empty() {
            words.push(name.to_owned());
        }
        self.words.clear();
        self.words.push_str(&words.join(" "));
        whole
    }
}

/// `run{run_id=7}/stage{name=load}`: the value of the first known key, and its family.
fn in_path<'p>(path: &'p str, rules: &Rules) -> Option<(&'p str, u8)> {
    let declared = rules.correlation.iter().map(|key| (key.as_str(), 0));
    let (at, family) = declared.chain(CORRELATION.iter().copied()).find_map(|(key, family)| {
        let at = path.match_indices(key).find_map(|(at, _)| {
            let whole = at == 0 || matches!(path.as_bytes()[at - 1], b'{' | b' ' | b',');
            (whole && path[at + key.len()..].starts_with('=')).then_some(at + key.len() + 1)
        })?;
        Some((at, family))
    })?;
    let value = path[at..].split([' ', '}', ',', '/']).next()?.trim_matches('"');
    (!value.is_empty()).then_some((value, family))
}

fn of_status(value: &str) -> Option<Phase> {
    Some(match value {
        "fail" | "failed" | "error" | "failure" | "err" | "timeout" => Phase::Failed,
        "cancel" | "cancelled" | "canceled" => Phase::Cancelled,
        "skip" | "skipped" => Phase::Skipped,
        "retry" => Phase::Retry,
        _ => return None,
    })
}

/// The step that a word names.
fn verb(word: &str) -> Option<Phase> {
    Some(match word {
        "started" | "starting" | "start" | "starts" | "begin" | "began" | "beginning" | "begun"
        | "running" | "opened" | "opening" | "entering" | "entered" | "spawned" | "launched"
        | "launching" | "acquired" => Phase::Start,
        "completed" | "complete" | "finished" | "done" | "succeeded" | "ended" | "closed" | "exited"
        | "released" | "terminated" | "stopped" | "completes" | "ends" => Phase::Done,
        "failed" | "aborted" | "errored" => Phase::Failed,
        "cancelled" | "canceled" => Phase::Cancelled,
        "skipped" => Phase::Skipped,
        "retrying" | "retry" | "retried" => Phase::Retry,
        _ => return None,
    })
}

/// The step that a text names: the strongest of its words.
fn phase(text: &str) -> Option<Phase> {
    let mut found: Option<Phase> = None;
    for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| (4..=10).contains(&word.len())) {
        let lower = word.to_ascii_lowercase();
        if let Some(phase) = verb(&lower) {
            found = Some(match (found, phase) {
                (None, phase) => phase,
                // A retry that is scheduled, an attempt that failed: what is said of the attempt, not of its end.
                (Some(Phase::Retry), _) | (_, Phase::Retry) => Phase::Retry,
                (Some(Phase::Failed), _) | (_, Phase::Failed) => Phase::Failed,
                (Some(Phase::Cancelled), _) | (_, Phase::Cancelled) => Phase::Cancelled,
                (Some(Phase::Skipped), _) | (_, Phase::Skipped) => Phase::Skipped,
                (Some(Phase::Done), _) | (_, Phase::Done) => Phase::Done,
                (Some(Phase::Start), Phase::Start) => Phase::Start,
            });
        }
    }
    found
}

/// Whether a level tells of trouble.
pub(super) fn is_trouble(level: Option<Level>) -> bool {
    level.is_some_and(|level| level >= Level::Warning)
}

pub(super) fn is_error(level: Option<Level>) -> bool {
    level.is_some_and(|level| level >= Level::Error)
}
