//! The committed file of known findings, `stageflow-known.toml`: the one truth about what was accepted and why.
//!
//! The library reads it and never writes it: a block to paste is offered, and the reason has to be written by whoever
//! accepts the finding.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fingerprint::is_fingerprint;
use super::ids::FindingId;
use super::model::FindingStatus;
use super::suggest::nearest;
use crate::classify::Severity;
use crate::journal::record::KnownAs;

/// Name of the file, which lies beside `stageflow.toml`.
pub const KNOWN_FILE: &str = "stageflow-known.toml";

const KEYS: [&str; 6] = ["fingerprint", "id", "title", "status", "why", "duplicate_of"];

/// What is wrong with the file of known findings, where, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {what}", file.display())]
#[non_exhaustive]
pub struct KnownError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 where the file could not be read at all.
    pub line: usize,
    /// What is wrong.
    #[source]
    pub what: KnownProblem,
}

/// What can be wrong with the file of known findings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownProblem {
    /// The file exists and cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is no TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// A key that does not belong there.
    #[error("unknown key `{key}`{}; expected one of {expected}", did_you_mean(suggestion))]
    UnknownKey {
        /// The key.
        key: String,
        /// A similar key that exists.
        suggestion: Option<String>,
        /// The keys that exist.
        expected: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` is no {expected}; write `{example}`")]
    WrongType {
        /// The key.
        key: String,
        /// What it has to be.
        expected: &'static str,
        /// How to write it.
        example: &'static str,
    },
    /// No fingerprint.
    #[error("a known finding without `fingerprint`; copy the block that the failing test prints")]
    MissingFingerprint,
    /// A fingerprint of another form.
    #[error(
        "malformed fingerprint `{0}`; write `sfp1:` and 32 digits of 0-9a-f, as the failing test prints it"
    )]
    MalformedFingerprint(String),
    /// No reason.
    #[error("`{0}` has no `why`; write `why = \"…\"` with the reason why it is accepted")]
    MissingWhy(String),
    /// A status that does not exist.
    #[error("unknown status `{found}`{}; expected one of {expected}", did_you_mean(suggestion))]
    UnknownStatus {
        /// The status.
        found: String,
        /// A similar one that exists.
        suggestion: Option<String>,
        /// Those that exist.
        expected: String,
    },
    /// An id of another form.
    #[error("{0}")]
    MalformedId(#[from] super::ids::IdError),
    /// The same fingerprint twice.
    #[error("`{fingerprint}` is already known from line {first}; remove one of the two")]
    DuplicateFingerprint {
        /// The fingerprint.
        fingerprint: String,
        /// Line of its first mention.
        first: usize,
    },
    /// The same id twice.
    #[error("id `{id}` is already given in line {first}; give this finding another number")]
    DuplicateId {
        /// The id.
        id: String,
        /// Line of its first mention.
        first: usize,
    },
    /// A duplicate of nothing.
    #[error("a duplicate without `duplicate_of`; write the id or the fingerprint of the other finding")]
    DuplicateOfNothing,
    /// A duplicate of itself, directly or around a circle.
    #[error("`duplicate_of = \"{0}\"` leads back to this finding; name the finding that stays")]
    DuplicateOfItself(String),
    /// A target on something that is no duplicate.
    #[error("`duplicate_of` with status `{0}`; write `status = \"duplicate\"` or remove `duplicate_of`")]
    NotADuplicate(FindingStatus),
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`"))
}

/// A finding that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownFinding {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The id that it keeps for ever.
    pub id: Option<String>,
    /// Its title, for whoever reads the file.
    pub title: Option<String>,
    /// Its status.
    pub status: FindingStatus,
    /// Why it is accepted.
    pub why: String,
    /// The finding of which it is a duplicate, as id or fingerprint.
    pub duplicate_of: Option<String>,
    /// Line of its table.
    pub line: usize,
}

/// What the committed file says.
///
/// ```
/// use stageflow_stress::finding::KnownFindings;
///
/// let known = KnownFindings::parse(
///     "stageflow-known.toml",
///     r#"
///     [[known]]
///     fingerprint = "sfp1:00112233445566778899aabbccddeeff"
///     id = "DAG-005-BUG-001"
///     status = "confirmed"
///     why = "fixed upstream in 0.6; we wait for the release"
///     "#,
/// )?;
/// assert!(known.accepts("sfp1:00112233445566778899aabbccddeeff"));
/// assert!(!known.accepts("sfp1:ffeeddccbbaa99887766554433221100"));
/// # Ok::<(), stageflow_stress::finding::KnownError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownFindings {
    by_fingerprint: BTreeMap<String, KnownFinding>,
}

impl KnownFindings {
    /// Reads the file. One that does not exist knows nothing.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong in the file: nothing is accepted from a file that was not understood.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, KnownError> {
        let path = path.as_ref();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(KnownError { file: path.to_owned(), line: 0, what: error.into() }),
        }
    }

    /// Reads the content of the file; the path only serves messages.
    ///
    /// # Errors
    ///
    /// See [`KnownFindings::load`].
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Self, KnownError> {
        Reader { text }.read().map_err(|(at, what)| KnownError {
            file: path.as_ref().to_owned(),
            line: line_of(text, at),
            what,
        })
    }

    /// What the file says of a fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: &str) -> Option<&KnownFinding> {
        self.by_fingerprint.get(fingerprint)
    }

    /// What the file says of a fingerprint, as it is recorded with the finding.
    #[must_use]
    pub fn lookup(&self, fingerprint: &str) -> Option<KnownAs> {
        self.get(fingerprint).map(|known| KnownAs {
            id: known.id.clone(),
            status: known.status.to_string(),
            why: known.why.clone(),
            duplicate_of: known.duplicate_of.clone(),
        })
    }

    /// Whether a finding of this fingerprint leaves a test green: it is known, and not as resolved.
    #[must_use]
    pub fn accepts(&self, fingerprint: &str) -> bool {
        self.get(fingerprint).is_some_and(|known| known.status.is_accepted())
    }

    /// The known findings, by fingerprint.
    pub fn iter(&self) -> impl Iterator<Item = &KnownFinding> {
        self.by_fingerprint.values()
    }
}

/// The block to paste into the file so that a finding is accepted. Its `why` is empty, which the reader refuses: a
/// reason has to be written. An empty id is left out: the finding then keeps the id that its runs gave it.
#[must_use]
pub fn paste_block(fingerprint: &str, id: &str, title: &str, severity: Severity) -> String {
    let id = if id.is_empty() { String::new() } else { format!("id = {}\n", quote(id)) };
    let (fingerprint, title) = (quote(fingerprint), quote(title));
    format!(
        "[[known]]\nfingerprint = {fingerprint}\n{id}title = {title}\nstatus = \"confirmed\"\n\
         why = \"\"  # {severity}: say why it is accepted\n"
    )
}

/// A text as a TOML string on one line.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Byte offset of a problem, and the problem.
type Found = (usize, KnownProblem);

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn read(&self) -> Result<KnownFindings, Found> {
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
        for key in fields.keys() {
            if !KEYS.contains(&&**key.get_ref()) {
                return Err((key.span().start, unknown_key(key.get_ref(), &KEYS)));
            }
        }
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
            Some((found, place)) => found.parse().map_err(|_| (place, unknown_status(&found)))?,
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
        Ok(KnownFinding { fingerprint, id, title, status, why, duplicate_of, line: line_of(self.text, at) })
    }

    /// A chain of duplicates has to end at a finding that is none.
    fn no_circles(&self, known: &KnownFindings) -> Result<(), Found> {
        let by_id: BTreeMap<String, &KnownFinding> =
            known.iter().filter_map(|finding| Some((canonical(finding.id.as_ref()?), finding))).collect();
        for finding in known.iter() {
            let mut at = finding;
            for _ in 0..=known.by_fingerprint.len() {
                let Some(target) = &at.duplicate_of else { break };
                let Some(next) = known.get(target).or_else(|| by_id.get(&canonical(target)).copied()) else {
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

/// One spelling for ids that mean the same: `SILENT` and `SIL`.
fn canonical(id: &str) -> String {
    id.parse::<FindingId>().map_or_else(|_| id.to_owned(), |id| id.to_string())
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

fn unknown_status(found: &str) -> KnownProblem {
    let known: Vec<&str> = FindingStatus::ALL.iter().map(|status| status.as_str()).collect();
    KnownProblem::UnknownStatus {
        found: found.to_owned(),
        suggestion: nearest(found, known.iter().copied()).map(str::to_owned),
        expected: known.join(", "),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

fn offset_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
