//! The different errors of a log, each with all its occurrences and what stands around the first.

use std::collections::HashMap;

use super::detect::{takes_back, tells_of_failure};
use super::event::{Log, Record, Sym};
use super::format::{Level, timestamp};
use super::trace::{Block, Kind, PANIC_TARGET};
use crate::finding::mask;

/// Records shown on either side of an error.
const CONTEXT: usize = 5;
/// How much of a line takes part in the comparison of errors.
const CONSIDERED: usize = 400;
/// Different errors that are written out.
pub(super) const GROUPS: usize = 500;
/// Lines that one error lists.
const LINES: usize = 200;

/// One error and all its occurrences.
#[derive(Debug, Clone)]
pub struct ErrorGroup {
    /// What it is.
    pub kind: Kind,
    /// The masked text by which occurrences are the same.
    pub key: String,
    /// Level of the first occurrence; absent for raw lines.
    pub level: Option<Level>,
    /// Target of the first occurrence.
    pub target: String,
    /// Span of the first occurrence.
    pub span: String,
    /// Whether the test announced it.
    pub expected: bool,
    /// Occurrences.
    pub count: u64,
    /// Time of the first occurrence.
    pub first: String,
    /// Time of the last occurrence.
    pub last: String,
    /// Line of the log on which the first occurrence begins.
    pub line: u64,
    /// Lines on which occurrences begin, the first ones.
    pub lines: Vec<u64>,
    /// The first occurrence, in full.
    pub sample: String,
    /// Fields of the first occurrence.
    pub fields: Vec<(String, String)>,
    /// What the context was chosen by: `span`, `target` or `file`.
    pub context_by: &'static str,
    /// Records around the first occurrence; its own first record is marked by the flag.
    pub context: Vec<(u64, String, bool)>,
}

/// Groups errors, and says which announced texts were seen. Each group comes with the index of its first record.
pub(super) fn group(
    log: &Log<'_>,
    blocks: &[Block],
    expected: &[&str],
) -> (Vec<(ErrorGroup, usize)>, Vec<bool>) {
    let mut groups: Vec<(ErrorGroup, usize)> = Vec::new();
    let mut by_key: HashMap<(bool, Kind, Sym, String), usize> = HashMap::new();
    let mut seen = vec![false; expected.len()];
    for block in blocks {
        let record = &log.records[block.first];
        // A panic that the test announced carries the announcement.
        let fields = log.fields_of(record);
        let mut is_expected = log.texts.get(record.target) == PANIC_TARGET
            && fields.iter().any(|(k, v)| log.texts.get(*k) == "expected" && v == "true");
        for (text, seen) in expected.iter().zip(&mut seen) {
            let holds = block.text.contains(text) || fields.iter().any(|(_, value)| value.contains(text));
            *seen |= holds;
            is_expected |= holds;
        }
        let mut key = masked(&block.headline);
        if let Some(cause) = &block.cause {
            key.push_str(" / ");
            key.push_str(&masked(cause));
        }
        let at = log.records[block.last].wall_micros().max(record.wall_micros());
        match by_key.entry((is_expected, block.kind, record.target, key)) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let (group, _) = &mut groups[*known.get()];
                group.count += 1;
                group.last = timestamp(at);
                if group.lines.len() < LINES {
                    group.lines.push(u64::from(record.line));
                }
            }
            std::collections::hash_map::Entry::Vacant(new) => {
                let group = ErrorGroup {
                    kind: block.kind,
                    key: new.key().3.clone(),
                    level: record.level,
                    target: log.texts.get(record.target).to_owned(),
                    span: log.texts.get(record.span).to_owned(),
                    expected: is_expected,
                    count: 1,
                    first: timestamp(record.wall_micros()),
                    last: timestamp(at),
                    line: u64::from(record.line),
                    lines: vec![u64::from(record.line)],
                    sample: block.text.clone(),
                    fields: fields
                        .iter()
                        .map(|(k, v)| (log.texts.get(*k).to_owned(), v.to_string()))
                        .collect(),
                    context_by: "file",
                    context: Vec::new(),
                };
                new.insert(groups.len());
                groups.push((group, block.first));
            }
        }
    }
    groups.sort_by_key(|(group, first)| (group.expected, *first));
    (groups, seen)
}

/// The text by which two occurrences are the same: masked as fingerprints are, so that one error of a log is one finding.
fn masked(line: &str) -> String {
    mask(&line.chars().take(CONSIDERED).collect::<String>())
}

/// Gives the errors that are written out the records around their first occurrence: of their span, else of their
/// target, else of the file.
pub(super) fn add_context(log: &Log<'_>, groups: &mut [(ErrorGroup, usize)]) {
    if groups.is_empty() {
        return;
    }
    // Only records of the spans and targets that have errors are of interest.
    let mut spans: HashMap<Sym, Vec<usize>> = HashMap::new();
    let mut targets: HashMap<Sym, Vec<usize>> = HashMap::new();
    let mut wanted = vec![(false, false); log.texts.len()];
    for (_, first) in groups.iter().take(GROUPS) {
        let record = &log.records[*first];
        wanted[record.span as usize].0 = record.span != 0;
        wanted[record.target as usize].1 = true;
    }
    let mut events = Vec::new();
    for (index, record) in log.records.iter().enumerate().filter(|(_, record)| record.is_event()) {
        if wanted[record.span as usize].0 {
            spans.entry(record.span).or_default().push(index);
        }
        if wanted[record.target as usize].1 {
            targets.entry(record.target).or_default().push(index);
        }
        events.push(index);
    }
    let chosen: Vec<(&'static str, Vec<usize>)> = groups
        .iter()
        .take(GROUPS)
        .map(|(_, first)| {
            let own = |list: &[usize]| {
                let at = list.partition_point(|index| index < first);
                list[at.saturating_sub(CONTEXT)..(at + 1 + CONTEXT).min(list.len())].to_vec()
            };
            let record = &log.records[*first];
            let of_span = spans.get(&record.span).filter(|list| list.len() > 1);
            let of_target = targets.get(&record.target).filter(|list| list.len() > 1);
            match (of_span, of_target) {
                (Some(list), _) => ("span", own(list)),
                (None, Some(list)) => ("target", own(list)),
                (None, None) => ("file", own(&events)),
            }
        })
        .collect();
    for ((group, first), (by, indexes)) in groups.iter_mut().zip(chosen) {
        group.context_by = by;
        group.context = indexes
            .into_iter()
            .map(|index| {
                let record = &log.records[index];
                (u64::from(record.line), one_line(log, record), index == *first)
            })
            .collect();
    }
}

/// A record as context shows it: cut, because a context is there to be skimmed.
fn one_line(log: &Log<'_>, record: &Record<'_>) -> String {
    let level = record.level.map_or("-", Level::as_str);
    let mut text = format!("{} {level} {}: ", timestamp(record.wall_micros()), log.texts.get(record.target));
    let message = log.full_message(record);
    text.extend(message.chars().take(300).map(|c| if c == '\n' { '⏎' } else { c }));
    let fields = log.fields_of(record).iter().filter(|(_, value)| !record.holds(value));
    for (key, value) in fields.take(8) {
        text.push_str(&format!(" {}=", log.texts.get(*key)));
        text.extend(value.chars().take(80));
    }
    text
}

impl ErrorGroup {
    /// Whether it is no more than a value that goes with the error before it, or says of itself that it was dealt with.
    pub(super) fn is_detail(&self) -> bool {
        self.kind == Kind::Error && !tells_of_failure(&self.sample)
    }

    /// Whether it is a finding in a test that passed. Panics have findings of their own, and a trace below error level
    /// was told at the level that its author chose.
    pub(super) fn is_finding(&self) -> bool {
        !self.expected && matches!(self.kind, Kind::Error | Kind::Traceback) && !takes_back(&self.key)
    }
}
