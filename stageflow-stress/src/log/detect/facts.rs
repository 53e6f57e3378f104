//! What the detectors share: which operation a record belongs to, and which step of a life it tells of.

use super::super::event::{Kind, Log, NO_TIME, Record, Sym};
use super::super::hash::Map;
use super::super::rules::Rules;
use super::super::template::{Form, Template};
use super::Seen;
use super::steps::{NOTHING_YET, Steps, Stream};
use super::words::{
    self, CORRELATION, Phase, about, announces_wait, in_path, names_itself, of_status, phase, tells,
};
use std::hash::Hasher as _;

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
    /// Keys that name an operation, with their families.
    keys: Vec<(Sym, u8)>,
    /// What each key tells, by its number.
    tells: Vec<u16>,
    /// Per form: whether it announces a wait, and whether it says by itself what it is about.
    waits: Vec<bool>,
    named: Vec<bool>,
    event: bool,
    ops: Map<Box<str>, u32>,
    op_texts: Vec<Box<str>>,
    last_op: u32,
    /// The operation that a span or a thread names, by its number; [`UNKNOWN`] until it was looked at.
    of_span: Vec<(u32, u8)>,
    of_thread: Vec<u32>,
    /// The last record of each operation, and of each thread outside of them.
    streams: Vec<Stream>,
    of_threads: Map<Sym, Stream>,
    pub steps: Steps,
    pub totals: Totals,
    subjects: Map<Box<str>, u32>,
    subject_texts: Vec<Box<str>>,
    /// Subjects of one text from several targets share a number.
    word_numbers: Map<Box<str>, u32>,
    words_of: Vec<u32>,
    by_content: Map<u64, (u32, bool)>,
    words: String,
}

/// Numbers of the whole log.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Records per target and level; the last one is for records without.
    pub targets: Vec<[u64; 7]>,
    pub records: u64,
    /// Earliest and latest time, in microseconds; absent where no record has one.
    pub span: Option<(i64, i64)>,
    /// Records within a span.
    pub placed: u64,
}

/// Not looked at yet.
const UNKNOWN: u32 = u32::MAX;

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
            tells: vec![about::UNKNOWN; log.texts.len()],
            waits: forms.iter().map(|form| announces_wait(&form.text)).collect(),
            named: forms.iter().map(|form| names_itself(&form.text)).collect(),
            event: log.texts.find("event").is_some(),
            ops: Map::default(),
            op_texts: vec!["".into()],
            last_op: 0,
            of_span: vec![(UNKNOWN, 0); log.texts.len()],
            of_thread: vec![UNKNOWN; log.texts.len()],
            streams: vec![NOTHING_YET],
            of_threads: Map::default(),
            totals: Totals { targets: vec![[0; 7]; log.texts.len()], ..Totals::default() },
            steps: Steps::new(templates.len()),
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
        let mut tells = 0;
        for (key, _) in log.fields_of(record) {
            tells |= self.tells(*key);
        }
        let (op, other) = self.operation(record, tells & about::OPERATION != 0);
        let mut seen =
            Seen { record, template, op, other, life: None, time, tells, before: NOTHING_YET, step: UNKNOWN };
        if !is_event {
            return seen;
        }
        let level = record.level.map_or(6, |level| level as usize);
        self.totals.records += 1;
        self.totals.targets[record.target as usize][level] += 1;
        self.totals.placed += u64::from(record.span != 0 || record.span_id != 0);
        let facts = &mut self.each[template as usize];
        facts.levels[level] += 1;
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
            let (first, last) = self.totals.span.unwrap_or((record.micros, record.micros));
            self.totals.span = Some((first.min(record.micros), last.max(record.micros)));
        }
        if facts.phase.is_some() || tells & about::EVENT != 0 {
            seen.life = self.life(record, template, tells);
        }
        let waits =
            op != 0 && time != NO_TIME && (tells & about::WAIT != 0 || self.waits[record.form as usize]);
        let now = Stream { time, line: record.line, template, waits };
        if op == 0 {
            let stream = self.of_threads.entry(record.thread).or_insert(NOTHING_YET);
            seen.before = std::mem::replace(stream, now);
        } else {
            seen.before = std::mem::replace(&mut self.streams[op as usize], now);
            if seen.before.template != u32::MAX {
                seen.step = self.steps.add(seen.before.template, template);
            }
        }
        seen
    }

    fn tells(&mut self, key: Sym) -> u16 {
        let known = &mut self.tells[key as usize];
        if *known == about::UNKNOWN {
            *known = tells(self.log.texts.get(key), &self.rules.correlation);
        }
        *known
    }

    /// What a key tells that was seen before.
    pub fn known_to_tell(&self, key: Sym) -> u16 {
        self.tells[key as usize]
    }

    /// Whether anything may be told to be tried again.
    pub fn retries(&self) -> bool {
        self.event || self.each.iter().any(|template| template.phase == Some(Phase::Retry))
    }

    /// Whether no record was seen that belongs to an operation or a thread.
    pub fn saw_nothing(&self) -> bool {
        self.of_threads.is_empty() && self.streams.iter().all(|stream| stream.template == u32::MAX)
    }

    /// The last record of an operation.
    pub fn last_of(&self, op: u32) -> Stream {
        self.streams.get(op as usize).copied().unwrap_or(NOTHING_YET)
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

    pub fn into_parts(self) -> (Vec<TemplateFacts>, Totals) {
        (self.each, self.totals)
    }

    /// The target of a template's records with its text, as titles show it.
    pub fn title(&self, template: u32) -> String {
        let mut text: String = self.templates[template as usize].text.chars().take(120).collect();
        if text.len() < self.templates[template as usize].text.len() {
            text.push('…');
        }
        text
    }

    fn operation(&mut self, record: &Record<'_>, named: bool) -> (u32, u32) {
        let log = self.log;
        let (mut inherited, mut family) = (0, 0);
        if record.span != 0 {
            (inherited, family) = self.of_span[record.span as usize];
            if inherited == UNKNOWN {
                let found = in_path(log.texts.get(record.span), self.rules);
                (inherited, family) = found.map_or((0, 0), |(value, family)| (self.op(value), family));
                self.of_span[record.span as usize] = (inherited, family);
            }
        }
        if named {
            let mut own: Option<(u32, u8)> = None;
            for (key, value) in log.fields_of(record) {
                if self.tells(*key) & about::OPERATION == 0 {
                    continue;
                }
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
            let mut known = self.of_thread[record.thread as usize];
            if known == UNKNOWN {
                known = match log.texts.get(record.thread).split(' ').next() {
                    Some(id) if id.starts_with("req-") && id.len() > 12 => self.op(id),
                    _ => 0,
                };
                self.of_thread[record.thread as usize] = known;
            }
            return (known, 0);
        }
        (0, 0)
    }

    fn op(&mut self, value: &str) -> u32 {
        // Records of one operation often follow each other.
        if self.last_op != 0 && *self.op_texts[self.last_op as usize] == *value {
            return self.last_op;
        }
        if let Some(&known) = self.ops.get(value) {
            self.last_op = known;
            return known;
        }
        let op = self.op_texts.len() as u32;
        self.op_texts.push(value.into());
        self.ops.insert(value.into(), op);
        self.streams.push(NOTHING_YET);
        self.last_op = op;
        op
    }

    fn life(&mut self, record: &Record<'_>, template: u32, tells: u16) -> Option<Life> {
        let log = self.log;
        let mut phase = self.each[template as usize].phase;
        let form = record.form as usize;
        let mut text: &str = &record.message;
        let mut named = self.named[form];
        let mut name = "";
        let mut attempt = 0;
        if tells & (about::EVENT | about::NAME | about::STATUS | about::ATTEMPT) != 0 {
            for (key, value) in log.fields_of(record) {
                let tells = self.tells(*key);
                if tells & about::EVENT != 0
                    && let Some(of_event) = words::phase(value)
                {
                    phase = Some(of_event);
                    (text, named) = (value, false);
                }
            }
            for (key, value) in log.fields_of(record) {
                let tells = self.tells(*key);
                if tells & about::NAME != 0 {
                    name = value;
                } else if tells & about::STATUS != 0 && phase == Some(Phase::Done) {
                    phase = of_status(value).or(phase);
                } else if tells & about::ATTEMPT != 0 {
                    attempt = value.parse().unwrap_or(0);
                }
            }
        }
        let phase = phase?;
        let mut hasher = super::super::hash::Fast::default();
        if named {
            hasher.write_u32(record.form);
        } else {
            hasher.write(text.as_bytes());
        }
        hasher.write(name.as_bytes());
        hasher.write_u32(record.target);
        let content = hasher.finish();
        if let Some(&(subject, whole)) = self.by_content.get(&content) {
            return (subject != 0).then_some(Life { phase, subject, whole, attempt });
        }
        let forms = self.forms;
        if named {
            text = &forms[form].text;
        }
        let whole = words::subject(text, name, &mut self.words);
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
}
