//! The committed file of known findings, `stageflow-known.toml`: the one truth about what was accepted and why.
//!
//! A test run reads it and never writes it: a block to paste is offered, and the reason has to be written by whoever
//! accepts the finding. Only an explicit change of a finding's status writes it (`KnownFile`, feature `cli`).

mod read;
#[cfg(feature = "cli")]
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::read::{Reader, line_of};
#[cfg(feature = "cli")]
pub use self::write::{KnownFile, KnownFileError};
use super::ids::FindingId;
use super::lifecycle::{Resolution, ResolutionType, Transition};
use super::model::FindingStatus;
use crate::classify::Severity;
use crate::journal::record::KnownAs;

/// Name of the file, which lies beside `stageflow.toml`.
pub const KNOWN_FILE: &str = "stageflow-known.toml";

const KEYS: [&str; 8] =
    ["fingerprint", "id", "title", "status", "why", "duplicate_of", "resolution", "history"];

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
    /// A field that has to be there.
    #[error("`{of}` has no `{key}`")]
    Missing {
        /// `resolution` or `history`.
        of: &'static str,
        /// The field.
        key: &'static str,
    },
    /// A word that is none of a closed set.
    #[error("{0}")]
    Word(String),
    /// A time of another form.
    #[error("`{0}` is no time of RFC 3339; write it like \"2026-01-14T09:00:00Z\"")]
    NoTime(String),
    /// A resolution that belongs to another status.
    #[error("a resolution of type `{found}` with status `{status}`; write `status = \"{}\"`", found.status())]
    OtherResolution {
        /// The type of the resolution.
        found: ResolutionType,
        /// The status.
        status: FindingStatus,
    },
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
    /// How it was resolved, where it is and somebody said so.
    pub resolution: Option<Resolution>,
    /// How its status changed, oldest first.
    pub history: Vec<Transition>,
    /// Line of its table.
    pub line: usize,
}

impl KnownFinding {
    pub(super) fn new(fingerprint: &str) -> Self {
        KnownFinding {
            fingerprint: fingerprint.to_owned(),
            id: None,
            title: None,
            status: FindingStatus::Open,
            why: String::new(),
            duplicate_of: None,
            resolution: None,
            history: Vec::new(),
            line: 0,
        }
    }

    /// How many times its status was changed through requests; for [`Change::if_revision`](super::Change::if_revision).
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.history.len() as u64
    }

    /// Whether it leaves a test green, if it is no duplicate: it is not resolved, or meant to be so.
    fn stands(&self) -> bool {
        self.status != FindingStatus::Resolved || self.is_by_design()
    }

    fn is_by_design(&self) -> bool {
        self.resolution.as_ref().is_some_and(|how| how.resolution_type == ResolutionType::ByDesign)
    }
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

    /// A file that says this.
    #[cfg(test)]
    pub(super) fn of(findings: Vec<KnownFinding>) -> Self {
        let by_fingerprint = findings.into_iter().map(|known| (known.fingerprint.clone(), known)).collect();
        KnownFindings { by_fingerprint }
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
            resolution: known.resolution.clone(),
            history: known.history.clone(),
            regression: !self.accepts(fingerprint),
            fixed_at: self.stays(known).resolution.as_ref().and_then(|how| how.resolved_at.clone()),
        })
    }

    /// Whether a finding of this fingerprint leaves a test green: it is known, and not as fixed. One that is resolved as
    /// meant to be so is accepted. A duplicate is accepted if the finding that stays is, or is not listed.
    #[must_use]
    pub fn accepts(&self, fingerprint: &str) -> bool {
        self.get(fingerprint).is_some_and(|known| self.stays(known).stands())
    }

    /// Of a duplicate, the fingerprint of the finding that stays, where the file lists it.
    #[must_use]
    pub fn duplicates(&self, fingerprint: &str) -> Option<&str> {
        let known = self.get(fingerprint)?;
        let stays = self.stays(known);
        (stays.fingerprint != known.fingerprint).then_some(stays.fingerprint.as_str())
    }

    /// Of a duplicate, the finding that stays; of any other, itself.
    fn stays<'a>(&'a self, mut known: &'a KnownFinding) -> &'a KnownFinding {
        // The reader refuses circles.
        while let Some(target) = known.duplicate_of.as_ref().and_then(|target| self.find(target)) {
            known = target;
        }
        known
    }

    /// The finding of an id or a fingerprint.
    #[must_use]
    pub fn find(&self, id_or_fingerprint: &str) -> Option<&KnownFinding> {
        self.get(id_or_fingerprint).or_else(|| {
            let id = canonical(id_or_fingerprint);
            self.iter().find(|known| known.id.as_ref().is_some_and(|known| canonical(known) == id))
        })
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

/// One spelling for ids that mean the same: `SILENT` and `SIL`.
pub(super) fn canonical(id: &str) -> String {
    id.parse::<FindingId>().map_or_else(|_| id.to_owned(), |id| id.to_string())
}

#[cfg(test)]
mod tests;
