//! D3 keywords, D4 repeated warnings, D5 inconsistent levels, D8 excessive frequency, D24 losses.

use serde_json::json;

use super::super::format::Level;
use super::super::hash::Map;
use super::super::rules::Missing;
use super::facts::Facts;
use super::{Hit, LINES, Seen, Verdict, sort_hits};
use crate::classify::Severity;
use crate::log::digest::DetectorOutcome;
use crate::markdown::count;

/// Words that tell of a failure.
const WORDS: &[&str] = &[
    "failed",
    "failure",
    "error",
    "errors",
    "exception",
    "exceptions",
    "timeout",
    "timed",
    "fatal",
    "panicked",
    "unhandled",
    "refused",
    "aborted",
    "denied",
    "unreachable",
    "corrupt",
    "corrupted",
];
/// Words near them that take it back.
const NEGATORS: &[&str] = &[
    "no",
    "not",
    "without",
    "zero",
    "corrected",
    "recovered",
    "cleared",
    "resolved",
    "fixed",
    "never",
    "ignored",
    "previous",
    "expected",
];
/// Words after them that make them a name.
const NAMES: &[&str] = &[
    "handler",
    "handlers",
    "table",
    "rate",
    "rates",
    "policy",
    "count",
    "counts",
    "page",
    "budget",
    "log",
    "level",
    "code",
    "codes",
    "threshold",
    "callback",
    "type",
    "types",
    "set",
    "of",
];

#[derive(Debug, Default, Clone)]
struct Counts {
    warnings: u64,
    /// The operation with most of them, counted while it lasts.
    ops: Map<u32, (u64, u32)>,
    lines: Vec<u32>,
    /// Whether its words tell of a failure.
    keyword: Option<&'static str>,
    /// Whether a number stands before such a word: it may be 0.
    counted: bool,
    /// How often, below warning level.
    quiet: u64,
    quiet_lines: Vec<u32>,
}

pub(super) struct Volume {
    each: Vec<Counts>,
    bytes: u64,
    records: u64,
}

impl Volume {
    pub fn new(facts: &Facts<'_, '_>) -> Self {
        let each = facts
            .templates
            .iter()
            .map(|template| Counts {
                keyword: keyword(&template.text),
                counted: template.text.contains("<*> "),
                ..Counts::default()
            })
            .collect();
        Volume { each, bytes: 0, records: 0 }
    }

    #[inline]
    pub fn see(&mut self, _: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let Some(counts) = self.each.get_mut(seen.template as usize) else { return };
        self.records += 1;
        self.bytes += seen.record.message.len() as u64 + 40;
        if seen.record.level == Some(Level::Warning) {
            counts.warnings += 1;
            let of = counts.ops.entry(seen.op).or_insert((0, seen.record.line));
            of.0 += 1;
            if counts.lines.len() < LINES {
                counts.lines.push(seen.record.line);
            }
        }
        if counts.keyword.is_some()
            && seen.record.level.is_none_or(|level| level < Level::Warning)
            && !(counts.counted && zero_counted(&seen.record.message))
        {
            counts.quiet += 1;
            if counts.quiet_lines.len() < LINES {
                counts.quiet_lines.push(seen.record.line);
            }
        }
    }

    pub fn finish(self, facts: &Facts<'_, '_>) -> Vec<Verdict> {
        vec![
            self.keywords(facts),
            self.warnings(facts),
            self.levels(facts),
            self.frequency(facts),
            losses(facts),
        ]
    }

    fn keywords(&self, facts: &Facts<'_, '_>) -> Verdict {
        let hits = self
            .each
            .iter()
            .enumerate()
            .filter(|(_, counts)| counts.quiet > 0)
            .map(|(template, counts)| {
                let word = counts.keyword.unwrap_or_default();
                let title = facts.title(template as u32);
                // A word decides nothing: this is a note for the reader and never a finding of the test.
                Hit::new(
                    Severity::Info,
                    title.clone(),
                    format!("`{word}` below WARNING: {title}"),
                    "a word of failure in a record that its author did not call one",
                )
                .times(counts.quiet)
                .at(counts.quiet_lines.iter().copied())
            })
            .collect();
        Verdict::of(3, hits, "no word of failure below WARNING")
    }

    fn warnings(&self, facts: &Facts<'_, '_>) -> Verdict {
        let operations = facts.operations();
        let mut hits = Vec::new();
        let mut warned = 0u64;
        for (template, counts) in self.each.iter().enumerate() {
            if counts.warnings == 0 {
                continue;
            }
            warned += 1;
            let title = facts.title(template as u32);
            let (op, most, line) = counts
                .ops
                .iter()
                .map(|(op, (n, line))| (*op, *n, *line))
                .max_by_key(|(op, n, _)| (*n, *op))
                .unwrap_or((0, 0, 0));
            let baseline =
                facts.rules.baseline.as_ref().filter(|baseline| baseline.operations > 0 && operations > 0);
            let more_than_before = baseline.and_then(|baseline| {
                let before =
                    baseline.templates.get(&facts.templates[template].text).map_or(0, |kept| kept.count);
                let (now, then) =
                    (counts.warnings as f64 / operations as f64, before as f64 / baseline.operations as f64);
                let p = crate::stats::rate_change(
                    counts.warnings,
                    operations as f64,
                    before,
                    baseline.operations as f64,
                )
                .ok()?;
                (counts.warnings >= 5 && now >= 3.0 * then && p < 0.01).then_some((before, p))
            });
            let text = if let Some((before, p)) = more_than_before {
                format!(
                    "{} in {operations} operations; {before} in the last good run (p = {p:.1e})",
                    counts.warnings
                )
            } else if most >= 8 {
                let of = if op == 0 {
                    "outside every operation".to_owned()
                } else {
                    format!("in operation {}", facts.op_text(op))
                };
                format!("{most} times {of}, first on line {line}")
            } else if operations >= 5 && counts.warnings >= operations && counts.warnings >= 20 {
                format!("{} times in {operations} operations: every one of them warns", counts.warnings)
            } else {
                continue;
            };
            let (severity, text) = told_before(facts, template, counts.warnings, text);
            hits.push(
                Hit::new(severity, title.clone(), format!("a warning repeats: {title}"), text)
                    .times(counts.warnings)
                    .at(counts.lines.iter().copied()),
            );
        }
        sort_hits(&mut hits, |hit| hit.count);
        if warned == 0 {
            return Verdict::not_applicable(4, "no warnings");
        }
        Verdict::of(
            4,
            hits,
            format!(
                "{}, none repeats within an operation",
                count(warned, "kind of warning", "kinds of warnings")
            ),
        )
    }

    fn levels(&self, facts: &Facts<'_, '_>) -> Verdict {
        // Statements have templates of their own, so the same text may stand in several.
        let mut by_text: Map<&str, Vec<u32>> = Map::default();
        for (index, template) in facts.templates.iter().enumerate() {
            by_text.entry(template.text.as_str()).or_default().push(index as u32);
        }
        let mut hits = Vec::new();
        let mut levelled = false;
        for (text, templates) in by_text {
            let mut levels = [0u64; 7];
            for &template in &templates {
                for (sum, n) in levels.iter_mut().zip(facts.each[template as usize].levels) {
                    *sum += n;
                }
            }
            levelled |= levels[..6].iter().any(|n| *n > 0);
            let calm: u64 = levels[..3].iter().sum();
            let bad: u64 = levels[4..6].iter().sum();
            // What is told to be fine here and an error there. A warning that becomes an error is an escalation.
            if calm.min(bad) < 3 || !text.contains(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let lines = templates.iter().map(|template| facts.each[*template as usize].first_line);
            let places: Vec<String> = templates
                .iter()
                .map(|template| {
                    let scope = facts.templates[*template as usize].scope;
                    let target = facts.log.texts.get(facts.each[*template as usize].target);
                    if scope == 0 { target.to_owned() } else { facts.log.texts.get(scope).to_owned() }
                })
                .collect();
            hits.push(
                Hit::new(
                    Severity::Low,
                    text,
                    format!("one text at several levels: {text}"),
                    format!("{calm} up to INFO and {bad} at ERROR, from {}", places.join(", ")),
                )
                .times(calm.min(bad))
                .at(lines)
                .with(json!({ "up_to_info": calm, "error": bad, "from": places })),
            );
        }
        sort_hits(&mut hits, |_| 0);
        if !levelled {
            return Verdict::not_applicable(5, "no record has a level");
        }
        Verdict::of(5, hits, "no text stands at levels that contradict each other")
    }

    fn frequency(&self, facts: &Facts<'_, '_>) -> Verdict {
        let operations = facts.operations();
        let mut hits = Vec::new();
        for (template, own) in facts.each.iter().enumerate() {
            let n: u64 = own.levels.iter().sum();
            // Who turns TRACE on asks for it.
            if n < 500 || own.levels[0] * 2 > n {
                continue;
            }
            let share = own.bytes as f64 / (self.bytes.max(1)) as f64;
            let per_op = n as f64 / operations.max(1) as f64;
            let too_many = if operations >= 3 {
                per_op > 100.0 || (share > 0.3 && per_op > 30.0 && n > 2_000)
            } else {
                share > 0.8 && n >= 5_000 && facts.templates.len() > 3
            };
            if too_many {
                let title = facts.title(template as u32);
                let text = if operations >= 3 {
                    format!(
                        "{n} records, {per_op:.0} per operation, {:.0} % of the log's bytes",
                        share * 100.0
                    )
                } else {
                    format!("{n} records, {:.0} % of the log's bytes", share * 100.0)
                };
                let (severity, text) = told_before(facts, template, n, text);
                hits.push(
                    Hit::new(
                        severity,
                        title.clone(),
                        format!("a statement logs without measure: {title}"),
                        text,
                    )
                    .times(n)
                    .at([own.first_line]),
                );
            }
        }
        if self.records < 500 {
            return Verdict::not_applicable(
                8,
                format!("{} are too few to be many", count(self.records, "record", "records")),
            );
        }
        Verdict::of(8, hits, "no statement logs more than 100 records per operation")
    }
}

/// What the last good run logged as often, for each operation, is a note and no finding.
fn told_before(facts: &Facts<'_, '_>, template: usize, n: u64, text: String) -> (Severity, String) {
    let now = n as f64 / facts.operations().max(1) as f64;
    let before = facts.rules.baseline.as_ref().and_then(|before| {
        let kept = before.templates.get(&facts.templates[template].text)?;
        Some(kept.count as f64 / before.operations.max(1) as f64)
    });
    match before {
        Some(before) if now < 3.0 * before => (
            Severity::Info,
            format!("{text}; in the last good run it was {before:.1} for each operation, now {now:.1}"),
        ),
        _ => (Severity::Low, text),
    }
}

/// D24: what is missing, and how much was understood.
fn losses(facts: &Facts<'_, '_>) -> Verdict {
    let log = facts.log;
    let mut hits = Vec::new();
    for reason in &facts.rules.losses {
        let mut hit = Hit::new(
            Severity::Medium,
            reason.to_string(),
            format!("the log is not whole: {reason}"),
            "what is concluded from absence is inconclusive",
        );
        hit.filed_elsewhere = matches!(reason, Missing::Partial(_));
        hits.push(hit);
    }
    if log.holes > 0 && facts.rules.losses.is_empty() {
        let holes = count(log.holes, "record number is", "record numbers are");
        hits.push(
            Hit::new(Severity::Medium, "holes", format!("the log is not whole: {holes} missing"), "")
                .times(log.holes),
        );
    }
    if hits.is_empty() && log.records.is_empty() {
        return Verdict::not_applicable(24, "no records");
    }
    if hits.is_empty() && log.torn {
        return Verdict {
            detector: 24,
            outcome: DetectorOutcome::Inconclusive,
            why: "the last line has no end".to_owned(),
            hits,
        };
    }
    if hits.is_empty() && !log.numbered {
        return Verdict::inconclusive(24, "records have no numbers, so a lost one leaves no trace");
    }
    Verdict::of(24, hits, "no number is missing and nothing was dropped")
}

/// The word of failure in a template, unless others take it back.
fn keyword(text: &str) -> Option<&'static str> {
    let words: Vec<&str> = text.split(' ').collect();
    for (at, token) in words.iter().enumerate() {
        // `error_rate=<*>` is a name, and so is `timeout=<*>`.
        if token.contains(['=', '_', '/', '<']) {
            continue;
        }
        let word = token.trim_matches(|c: char| c.is_ascii_punctuation());
        let Some(found) = WORDS.iter().find(|known| known.eq_ignore_ascii_case(word)) else { continue };
        let near = words[at.saturating_sub(3)..(at + 4).min(words.len())].iter();
        let is = |list: &[&str], word: &str| {
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
            list.iter().any(|known| known.eq_ignore_ascii_case(word))
        };
        if near.clone().any(|word| is(NEGATORS, word)) {
            continue;
        }
        if words.get(at + 1).is_some_and(|next| is(NAMES, next)) && !matches!(*found, "failed" | "timed") {
            continue;
        }
        return Some(found);
    }
    None
}

/// `0 errors`, `0 failed`.
fn zero_counted(message: &str) -> bool {
    let bytes = message.as_bytes();
    memchr::memchr_iter(b'0', bytes).any(|at| {
        if bytes.get(at + 1) != Some(&b' ')
            || at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'.')
        {
            return false;
        }
        let word = message[at + 2..].split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

/// Whether an error says of itself that it was dealt with.
pub(crate) fn takes_back(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| {
        ["corrected", "recovered", "cleared", "resolved"].iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

/// Whether an error tells of a failure. One that says it was dealt with does not, nor does one that is no more than a name
/// with its value: a register, an address, a counter, printed to go with the error before it.
pub(crate) fn tells_of_failure(text: &str) -> bool {
    !takes_back(text) && !is_detail(text)
}

/// `instruction address: 0x0000df30`, `machine check enable..............1`.
fn is_detail(text: &str) -> bool {
    let text = text.trim();
    if text.contains('\n') {
        return false;
    }
    let Some((name, value)) = text.split_once(": ").or_else(|| text.split_once("..")) else { return false };
    let value = value.trim_matches(['.', ' ']);
    let number = value.strip_prefix("0x").unwrap_or(value);
    let plain = !number.is_empty()
        && number.len() <= 20
        && number.bytes().all(|b| b.is_ascii_hexdigit())
        && number.bytes().any(|b| b.is_ascii_digit());
    let words = name.split_whitespace().count();
    let failure = name
        .split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)));
    plain && words <= 8 && !failure
}
