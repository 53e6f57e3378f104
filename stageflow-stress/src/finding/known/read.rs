//! Reading the file, with the place of everything that is wrong in it.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{KEYS, KnownFinding, KnownFindings, KnownProblem, canonical};
use crate::finding::fingerprint::is_fingerprint;
use crate::finding::ids::FindingId;
use crate::finding::lifecycle::{Resolution, ResolutionType, Transition};
use crate::finding::model::FindingStatus;
use crate::finding::suggest::nearest;
use crate::finding::time::is_rfc3339;

const RESOLUTION_KEYS: [&str; 8] = [
    "resolved_by",
    "resolution_type",
    "resolution_details",
    "commit_hash",
    "pr_link",
    "release_version",
    "verification_steps",
    "resolved_at",
];
const HISTORY_KEYS: [&str; 6] = ["at", "by", "from", "to", "why", "resolution"];

/// Byte offset of a problem, and the problem.
pub(super) type Found = (usize, KnownProblem);

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
}

impl Reader<'_> {
    pub(super) fn read(&self) -> Result<KnownFindings, Found> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (at, KnownProblem::Syntax(error.message().to_owned()))
        })?;
        let mut known = KnownFindings::default();
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for (key, value) in root.get_ref() {
            if key.get_ref() != "known" {
                return Err((key.span().start, unknown_key(key.get_ref(), &["known"])));
            }
            let wrong = |span: Range<usize>| {
                let key = "known".to_owned();
                (
                    span.start,
                    KnownProblem::WrongType { key, expected: "list of tables", example: "[[known]]" },
                )
            };
            let DeValue::Array(tables) = value.get_ref() else { return Err(wrong(value.span())) };
            for table in tables {
                let DeValue::Table(fields) = table.get_ref() else { return Err(wrong(table.span())) };
                let finding = self.finding(table.span().start, fields)?;
                if let Some(first) = known.by_fingerprint.get(&finding.fingerprint) {
                    let (fingerprint, first) = (finding.fingerprint, first.line);
                    return Err((
                        table.span().start,
                        KnownProblem::DuplicateFingerprint { fingerprint, first },
                    ));
                }
                if let Some(id) = &finding.id
                    && let Some(first) = ids.insert(canonical(id), finding.line)
                {
                    let id = id.clone();
                    return Err((table.span().start, KnownProblem::DuplicateId { id, first }));
                }
                known.by_fingerprint.insert(finding.fingerprint.clone(), finding);
            }
        }
        self.no_circles(&known)?;
        Ok(known)
    }

    fn finding(&self, at: usize, fields: &DeTable<'_>) -> Result<KnownFinding, Found> {
        only(fields, &KEYS)?;
        let (fingerprint, place) =
            text(fields, "fingerprint")?.ok_or((at, KnownProblem::MissingFingerprint))?;
        if !is_fingerprint(&fingerprint) {
            return Err((place, KnownProblem::MalformedFingerprint(fingerprint)));
        }
        let id = match text(fields, "id")? {
            Some((id, place)) => {
                id.parse::<FindingId>().map_err(|error| (place, error.into()))?;
                Some(id)
            }
            None => None,
        };
        let status = match text(fields, "status")? {
            Some((found, place)) => status_of(&found, place)?,
            None => FindingStatus::Open,
        };
        let name = id.as_ref().unwrap_or(&fingerprint);
        let why = match text(fields, "why")? {
            Some((why, place)) if why.trim().is_empty() => {
                return Err((place, KnownProblem::MissingWhy(name.clone())));
            }
            Some((why, _)) => why,
            None => return Err((at, KnownProblem::MissingWhy(name.clone()))),
        };
        let duplicate_of = match (text(fields, "duplicate_of")?, status) {
            (Some((target, place)), FindingStatus::Duplicate) => {
                if !is_fingerprint(&target) {
                    target.parse::<FindingId>().map_err(|error| (place, error.into()))?;
                }
                Some(target)
            }
            (None, FindingStatus::Duplicate) => return Err((at, KnownProblem::DuplicateOfNothing)),
            (Some((_, place)), status) => return Err((place, KnownProblem::NotADuplicate(status))),
            (None, _) => None,
        };
        let title = text(fields, "title")?.map(|(title, _)| title);
        let resolution = match table(fields, "resolution")? {
            Some((table, place)) => {
                let resolution = resolution(table, place)?;
                if resolution.resolution_type.status() != status {
                    let found = resolution.resolution_type;
                    return Err((place, KnownProblem::OtherResolution { found, status }));
                }
                Some(resolution)
            }
            None => None,
        };
        let history = history(fields)?;
        let line = line_of(self.text, at);
        Ok(KnownFinding { fingerprint, id, title, status, why, duplicate_of, resolution, history, line })
    }

    /// A chain of duplicates has to end at a finding that is none.
    fn no_circles(&self, known: &KnownFindings) -> Result<(), Found> {
        for finding in known.iter() {
            let mut at = finding;
            for _ in 0..=known.by_fingerprint.len() {
                let Some(next) = at.duplicate_of.as_ref().and_then(|target| known.find(target)) else {
                    break;
                };
                if next.fingerprint == finding.fingerprint {
                    let target = finding.duplicate_of.clone().unwrap_or_default();
                    return Err((
                        offset_of(self.text, finding.line),
                        KnownProblem::DuplicateOfItself(target),
                    ));
                }
                at = next;
            }
        }
        Ok(())
    }
}

fn resolution(fields: &DeTable<'_>, at: usize) -> Result<Resolution, Found> {
    only(fields, &RESOLUTION_KEYS)?;
    let (found, place) = text(fields, "resolution_type")?
        .ok_or((at, KnownProblem::Missing { of: "resolution", key: "resolution_type" }))?;
    let kind: ResolutionType = found
        .parse()
        .map_err(|error: crate::classify::UnknownWord| (place, KnownProblem::Word(error.to_string())))?;
    let mut resolution = Resolution::new(kind);
    for (key, field) in [
        ("resolved_by", &mut resolution.resolved_by),
        ("resolution_details", &mut resolution.resolution_details),
        ("commit_hash", &mut resolution.commit_hash),
        ("pr_link", &mut resolution.pr_link),
        ("release_version", &mut resolution.release_version),
    ] {
        *field = text(fields, key)?.map(|(text, _)| text);
    }
    resolution.resolved_at = time(fields, "resolved_at")?;
    let Some(steps) = fields.get("verification_steps") else { return Ok(resolution) };
    let wrong = |at: usize| {
        let key = "verification_steps".to_owned();
        (
            at,
            KnownProblem::WrongType {
                key,
                expected: "list of texts",
                example: "verification_steps = [\"text\"]",
            },
        )
    };
    let DeValue::Array(list) = steps.get_ref() else { return Err(wrong(steps.span().start)) };
    for step in list {
        match step.get_ref() {
            DeValue::String(text) => resolution.verification_steps.push(text.to_string()),
            _ => return Err(wrong(step.span().start)),
        }
    }
    Ok(resolution)
}

fn history(fields: &DeTable<'_>) -> Result<Vec<Transition>, Found> {
    let Some(value) = fields.get("history") else { return Ok(Vec::new()) };
    let wrong = |at: usize| {
        let key = "history".to_owned();
        (at, KnownProblem::WrongType { key, expected: "list of tables", example: "[[known.history]]" })
    };
    let DeValue::Array(list) = value.get_ref() else { return Err(wrong(value.span().start)) };
    let mut history = Vec::new();
    for item in list {
        let at = item.span().start;
        let DeValue::Table(fields) = item.get_ref() else { return Err(wrong(at)) };
        only(fields, &HISTORY_KEYS)?;
        let missing = |key: &'static str| (at, KnownProblem::Missing { of: "history", key });
        let status = |key: &'static str| {
            let (found, place) = text(fields, key)?.ok_or(missing(key))?;
            status_of(&found, place)
        };
        history.push(Transition {
            at: time(fields, "at")?.ok_or(missing("at"))?,
            by: text(fields, "by")?.map(|(by, _)| by).ok_or(missing("by"))?,
            from: status("from")?,
            to: status("to")?,
            why: text(fields, "why")?.map(|(why, _)| why).unwrap_or_default(),
            resolution: match table(fields, "resolution")? {
                Some((table, place)) => Some(resolution(table, place)?),
                None => None,
            },
        });
    }
    Ok(history)
}

fn only(fields: &DeTable<'_>, keys: &[&str]) -> Result<(), Found> {
    match fields.keys().find(|key| !keys.contains(&&**key.get_ref())) {
        Some(key) => Err((key.span().start, unknown_key(key.get_ref(), keys))),
        None => Ok(()),
    }
}

/// A table with its offset.
fn table<'a>(fields: &'a DeTable<'_>, key: &'static str) -> Result<Option<(&'a DeTable<'a>, usize)>, Found> {
    match fields.get(key).map(|value| (value.get_ref(), value.span().start)) {
        None => Ok(None),
        Some((DeValue::Table(table), at)) => Ok(Some((table, at))),
        Some((_, at)) => {
            let key = key.to_owned();
            Err((at, KnownProblem::WrongType { key, expected: "table", example: "[known.resolution]" }))
        }
    }
}

/// A time as text.
fn time(fields: &DeTable<'_>, key: &'static str) -> Result<Option<String>, Found> {
    match text(fields, key)? {
        Some((found, place)) if !is_rfc3339(&found) => Err((place, KnownProblem::NoTime(found))),
        Some((found, _)) => Ok(Some(found)),
        None => Ok(None),
    }
}

/// A text value with its offset.
fn text(fields: &DeTable<'_>, key: &'static str) -> Result<Option<(String, usize)>, Found> {
    let value: Option<&Spanned<DeValue<'_>>> = fields.get(key);
    match value.map(|value| (value.get_ref(), value.span().start)) {
        None => Ok(None),
        Some((DeValue::String(text), at)) => Ok(Some((text.to_string(), at))),
        Some((_, at)) => Err((
            at,
            KnownProblem::WrongType { key: key.to_owned(), expected: "text", example: "key = \"text\"" },
        )),
    }
}

fn unknown_key(key: &str, expected: &[&str]) -> KnownProblem {
    KnownProblem::UnknownKey {
        key: key.to_owned(),
        suggestion: nearest(key, expected.iter().copied()).map(str::to_owned),
        expected: expected.join(", "),
    }
}

fn status_of(found: &str, place: usize) -> Result<FindingStatus, Found> {
    found.parse().map_err(|_| (place, unknown_status(found)))
}

fn unknown_status(found: &str) -> KnownProblem {
    let known: Vec<&str> = FindingStatus::ALL.iter().map(|status| status.as_str()).collect();
    KnownProblem::UnknownStatus {
        found: found.to_owned(),
        suggestion: nearest(found, known.iter().copied()).map(str::to_owned),
        expected: known.join(", "),
    }
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

fn offset_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}
