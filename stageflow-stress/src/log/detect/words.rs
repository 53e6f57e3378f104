//! What the keys of fields and the words of messages tell.

use super::super::format::Level;
use super::super::mask::MASK;
use super::super::rules::Rules;

/// Fields that name an operation. Names of one family may stand for one another.
pub(super) const CORRELATION: &[(&str, u8)] = &[
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

/// What keys of fields tell, as bits: decided once for each key.
pub(super) mod about {
    /// Names the operation.
    pub const OPERATION: u16 = 1;
    /// Names the part that a record tells of.
    pub const NAME: u16 = 2;
    pub const STATUS: u16 = 4;
    pub const ATTEMPT: u16 = 8;
    /// Holds what happened, in the place of the message.
    pub const EVENT: u16 = 16;
    /// Names what an operation was given.
    pub const INPUT: u16 = 32;
    /// Tells which way an operation went.
    pub const BRANCH: u16 = 64;
    /// Announces a wait.
    pub const WAIT: u16 = 128;
    pub const UNKNOWN: u16 = 1 << 15;
}

pub(super) fn tells(key: &str, declared: &[String]) -> u16 {
    let mut tells = match key {
        "status" | "outcome" | "result" => about::STATUS,
        "attempt" => about::ATTEMPT,
        "event" => about::EVENT,
        "input" | "input_hash" | "input_sha256" | "input_id" | "case" => about::INPUT,
        _ => 0,
    };
    if CORRELATION.iter().any(|(known, _)| *known == key) || declared.iter().any(|known| known == key) {
        tells |= about::OPERATION;
    }
    if NAMES.contains(&key) {
        tells |= about::NAME;
    }
    if matches!(key, "stage" | "step" | "branch" | "route" | "path" | "task") {
        tells |= about::BRANCH;
    }
    if ["delay", "wait", "backoff", "sleep", "pause", "retry_after", "interval"]
        .iter()
        .any(|word| key.contains(word))
    {
        tells |= about::WAIT;
    }
    tells
}

/// Whether the words of a form announce a wait.
pub(super) fn announces_wait(form: &str) -> bool {
    form.len() < 200
        && ["sleeping", "waiting", "retry in", "Retrying", "backing off"]
            .iter()
            .any(|word| form.contains(word))
}

/// Whether the words that say what a message is about are the same in all messages of a form: pairs aside, nothing varies
/// before its first bracket or comma.
pub(super) fn names_itself(form: &str) -> bool {
    let head = form.split(['(', ',']).next().unwrap_or_default();
    head.split(' ').all(|token| !token.contains(MASK) || token.contains('='))
}

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

/// Leaves the words in `out` that say what a text is about, without those that say what happens to
/// it. Returns whether it is the operation itself rather than a part of it.
pub(super) fn subject(text: &str, name: &str, out: &mut String) -> bool {
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
    out.clear();
    out.push_str(&words.join(" "));
    whole
}

/// `run{run_id=7}/stage{name=load}`: the value of the first known key, and its family.
pub(super) fn in_path<'p>(path: &'p str, rules: &Rules) -> Option<(&'p str, u8)> {
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

pub(super) fn of_status(value: &str) -> Option<Phase> {
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
pub(super) fn phase(text: &str) -> Option<Phase> {
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
