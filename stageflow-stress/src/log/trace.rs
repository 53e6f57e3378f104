//! Finds errors in a log and joins each with the lines of its stack trace.

use super::event::{EXCEPTIONS, Log, Record, Sym};
use super::format::Level;
use super::hash::Map;

/// What an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A panic, as capture recorded it or as a child process printed it.
    Panic,
    /// A record at error level.
    Error,
    /// A stack trace that a child process printed outside every record.
    Traceback,
    /// A stack trace within a record below error level.
    TraceBelowError,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Panic => "panic",
            Kind::Error => "error",
            Kind::Traceback => "traceback",
            Kind::TraceBelowError => "trace_below_error",
        }
    }
}

/// An error with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Block {
    pub kind: Kind,
    /// Index of its first record.
    pub first: usize,
    /// Index of its last record.
    pub last: usize,
    /// Its lines, joined.
    pub text: String,
    /// What it says in one line.
    pub headline: String,
    /// The last exception of its trace, where it has one.
    pub cause: Option<String>,
    state: State,
}

/// The target of the records that capture makes of panics.
pub const PANIC_TARGET: &str = "panic";
/// How much of one error's text is kept.
const KEPT: usize = 32 * 1024;
/// How much of a line stands for an error.
const HEADLINE: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A record, possibly followed by its trace.
    Record,
    Python {
        ended: bool,
        chained: bool,
    },
    Rust {
        message_follows: bool,
    },
    Frames,
}

/// The errors of a log, by first record.
pub fn errors(log: &Log<'_>) -> Vec<Block> {
    let mut done = Vec::new();
    // Child processes write side by side, so each has its own open error.
    let mut open: Map<u32, Block> = Map::default();
    let mut last_raw: Map<u32, usize> = Map::default();
    let mut sources = Sources { numbers: Map::default(), of_target: vec![u32::MAX; log.texts.len()] };
    let exceptions = EXCEPTIONS.iter().any(|key| log.texts.find(key).is_some());
    for (index, record) in log.records.iter().enumerate() {
        if !record.is_event() {
            continue;
        }
        if let Some(level) = record.level {
            let block = of_record(index, record, level, log, exceptions);
            // Nearly all records are no errors, and stand beside none.
            if block.is_none() && open.is_empty() && last_raw.is_empty() {
                continue;
            }
            let source = sources.number(record.target, log);
            done.extend(open.remove(&source));
            last_raw.remove(&source);
            if let Some(block) = block {
                open.insert(source, block);
            }
            continue;
        }
        let source = sources.number(record.target, log);
        for line in log.full_message(record).split('\n') {
            if let Some(block) = open.get_mut(&source) {
                if block.accepts(line) {
                    block.last = index;
                    continue;
                }
                done.extend(open.remove(&source));
            }
            let started =
                start(line).map(|(kind, state)| Block::new(kind, index, line, state)).or_else(|| {
                    // Frames of an error whose text came on the line before, as Java prints them.
                    let head = *last_raw.get(&source).filter(|_| is_frame(line))?;
                    let text = log.full_message(&log.records[head]);
                    let mut block = Block::new(Kind::Traceback, head, &text, State::Frames);
                    block.accepts(line);
                    block.last = index;
                    Some(block)
                });
            match started {
                Some(block) => {
                    open.insert(source, block);
                    last_raw.remove(&source);
                }
                None if line.trim().is_empty() => {}
                None => {
                    last_raw.insert(source, index);
                }
            }
        }
    }
    done.extend(open.into_values());
    done.sort_by_key(|block| (block.first, block.last));
    for block in &mut done {
        block.text.truncate(block.text.trim_end().len());
    }
    done
}

/// Who wrote a record, as a number: its target up to a `/`, behind which child processes name their loggers.
struct Sources<'l> {
    numbers: Map<&'l str, u32>,
    of_target: Vec<u32>,
}

impl<'l> Sources<'l> {
    fn number(&mut self, target: Sym, log: &'l Log<'_>) -> u32 {
        let known = &mut self.of_target[target as usize];
        if *known == u32::MAX {
            let next = self.numbers.len() as u32;
            let source = log.texts.get(target).split('/').next().unwrap_or_default();
            *known = *self.numbers.entry(source).or_insert(next);
        }
        *known
    }
}

fn of_record(
    index: usize,
    record: &Record<'_>,
    level: Level,
    log: &Log<'_>,
    exceptions: bool,
) -> Option<Block> {
    let kind = match level {
        _ if log.texts.get(record.target) == PANIC_TARGET => Kind::Panic,
        Level::Error | Level::Critical => Kind::Error,
        _ => Kind::TraceBelowError,
    };
    let several = !record.extra.is_empty() || exceptions || record.message.contains('\n');
    if kind == Kind::TraceBelowError && !several && start(&record.message).is_none() {
        return None;
    }
    let message = log.full_message(record);
    if kind == Kind::TraceBelowError && message.lines().all(|line| start(line).is_none()) {
        return None;
    }
    let mut lines = message.split('\n');
    let first = lines.next().unwrap_or_default();
    let mut block = Block::new(kind, index, first, start(first).map_or(State::Record, |(_, state)| state));
    for line in lines {
        if !block.accepts(line) {
            block.push(line);
        }
    }
    Some(block)
}

impl Block {
    fn new(kind: Kind, index: usize, line: &str, state: State) -> Self {
        let line = cut(line, KEPT);
        Block {
            kind,
            first: index,
            last: index,
            text: line.to_owned(),
            headline: cut(line.trim(), HEADLINE).to_owned(),
            cause: None,
            state,
        }
    }

    fn push(&mut self, line: &str) {
        if self.text.len() + line.len() < KEPT {
            self.text.push('\n');
            self.text.push_str(line);
        } else if !self.text.ends_with("\n…") {
            self.text.push_str("\n…");
        }
    }

    /// Takes a line if it belongs to this error.
    fn accepts(&mut self, line: &str) -> bool {
        let indented = line.starts_with([' ', '\t']);
        let blank = line.trim().is_empty();
        let next = match self.state {
            State::Record => match start(line) {
                Some((_, state)) => Some(state),
                None if blank || indented || is_chain(line) => Some(State::Record),
                None => None,
            },
            State::Python { ended: false, .. } => {
                if !indented && !blank && !line.starts_with("Traceback") {
                    self.cause = Some(line.trim().to_owned());
                    Some(State::Python { ended: true, chained: false })
                } else {
                    Some(self.state)
                }
            }
            State::Python { ended: true, chained } => {
                if line.starts_with("During handling of the above")
                    || line.starts_with("The above exception was")
                {
                    Some(State::Python { ended: true, chained: true })
                } else if chained && line.starts_with("Traceback (most recent call last):") {
                    Some(State::Python { ended: false, chained: false })
                } else {
                    (blank || indented).then_some(self.state)
                }
            }
            State::Rust { message_follows: true } => {
                self.cause = Some(line.trim().to_owned());
                Some(State::Rust { message_follows: false })
            }
            State::Rust { .. } => {
                (blank || indented || line.starts_with("note: ") || line.starts_with("stack backtrace:"))
                    .then_some(self.state)
            }
            State::Frames => (blank || indented || is_chain(line)).then_some(State::Frames),
        };
        let Some(next) = next else { return false };
        if matches!(self.state, State::Frames | State::Record)
            && let Some(cause) = line.trim().strip_prefix("Caused by:").map(str::trim)
            && !cause.is_empty()
        {
            self.cause = Some(cause.to_owned());
        }
        self.state = next;
        self.push(line);
        true
    }
}

/// The beginning of a text, ending between two characters.
fn cut(text: &str, at: usize) -> &str {
    let end = (0..=at.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

/// The trace that a line begins, if it begins one.
fn start(line: &str) -> Option<(Kind, State)> {
    let line = line.trim();
    if !matches!(line.as_bytes().first(), Some(b'T' | b't' | b's' | b'E')) {
        return None;
    }
    if line.starts_with("Traceback (most recent call last):") {
        Some((Kind::Traceback, State::Python { ended: false, chained: false }))
    } else if line.starts_with("thread '") && line.contains(" panicked at ") {
        Some((Kind::Panic, State::Rust { message_follows: line.ends_with(':') }))
    } else if line.starts_with("stack backtrace:") || line.starts_with("Exception in thread ") {
        Some((Kind::Traceback, State::Frames))
    } else {
        None
    }
}

fn is_chain(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Caused by:") || line.starts_with("Suppressed:") || line.starts_with("stack backtrace:")
}

/// `\tat com.example.Main.run(Main.java:3)`.
fn is_frame(line: &str) -> bool {
    line.starts_with([' ', '\t']) && line.trim_start().starts_with("at ") && line.trim_end().ends_with(')')
}
