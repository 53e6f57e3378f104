//! What is doubtful about the entries of a ledger. Nothing here is an error: whatever a ledger says is read and kept.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use super::super::alike::Words;
use super::super::document::{RawObject, heal};
use super::super::ids::{AnyId, LedgerId};
use super::super::mask::mask;
use super::super::time::is_rfc3339;
use super::file::{LedgerEntry, LedgerFile};
use super::template_of;
use crate::journal::record::Ledger;

/// One doubtful thing, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Doubt {
    /// Where: an id, or the position of what has none.
    pub place: String,
    /// What.
    pub what: DoubtKind,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What can be doubtful about an entry, a finding or a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum DoubtKind {
    /// An id of another form or of another ledger.
    #[error("`{0}` is no id of this ledger")]
    ForeignId(String),
    /// An id that an earlier entry has.
    #[error("the id is given twice")]
    RepeatedId,
    /// A field of the template that is not there or empty.
    #[error("no `{0}`")]
    MissingField(String),
    /// A word that is none of those of the template.
    #[error("`{field}` is `{found}`, which is none of {expected}")]
    OtherWord {
        /// The field.
        field: String,
        /// The word.
        found: String,
        /// The words of the template.
        expected: String,
    },
    /// A word in another case.
    #[error("`{field}` is `{found}`; elsewhere it is written `{usual}`")]
    OtherCase {
        /// The field.
        field: String,
        /// The word.
        found: String,
        /// The usual spelling.
        usual: String,
    },
    /// A time of another form.
    #[error("`{field}` is `{found}`, which is no time of RFC 3339")]
    NoTime {
        /// The field.
        field: String,
        /// The text.
        found: String,
    },
    /// A text that is no valid Unicode: strict readers refuse the whole file.
    #[error("`{0}` holds a lone surrogate, which strict JSON readers refuse")]
    LoneSurrogate(String),
    /// An id that leads nowhere.
    #[error("`{field}` names {id}, which is not there")]
    Dangling {
        /// The field.
        field: String,
        /// The id.
        id: String,
    },
    /// Two that may be the same.
    #[error("may be the same as {0}")]
    PossibleDuplicate(String),
    /// A count that is wrong.
    #[error("`{field}` says {claimed} and there are {found}")]
    WrongTotal {
        /// The field.
        field: String,
        /// What is claimed.
        claimed: u64,
        /// What is there.
        found: u64,
    },
    /// A mean that is none.
    #[error("`overall_score` is {claimed} and the mean of its categories is {found}")]
    WrongMean {
        /// What is claimed.
        claimed: String,
        /// The mean.
        found: String,
    },
    /// A status without what it needs.
    #[error("{0}")]
    Status(String),
    /// A file that is not there.
    #[error("the attachment `{0}` is not in the run folder")]
    MissingAttachment(String),
}

/// The fields of a ledger with closed sets of words.
fn words(ledger: Ledger) -> &'static [(&'static str, &'static [&'static str])] {
    const SEVERITY: &[&str] = &["critical", "high", "medium", "low", "info"];
    match ledger {
        Ledger::Bugs => &[
            ("type", &["bug", "security", "performance", "reliability", "silent_failure", "log_issue"]),
            ("severity", SEVERITY),
        ],
        Ledger::Dx => &[
            (
                "category",
                &[
                    "discoverability",
                    "clarity",
                    "documentation",
                    "error_messages",
                    "debugging",
                    "boilerplate",
                    "flexibility",
                    "performance",
                    "dx",
                ],
            ),
            ("severity", SEVERITY),
        ],
        Ledger::Improvements => &[
            (
                "type",
                &[
                    "improvement",
                    "feature_request",
                    "stagekind_suggestion",
                    "component_suggestion",
                    "pattern_suggestion",
                ],
            ),
            ("priority", &["P0", "P1", "P2"]),
        ],
        Ledger::Strengths => &[("impact", &["high", "medium", "low"])],
    }
}

impl LedgerFile {
    /// What is doubtful: missing and empty fields of the template, words and ids that drifted, times, texts that are no
    /// valid Unicode, references that lead nowhere, and entries that may be the same.
    ///
    /// ```
    /// use stageflow_stress::finding::{Ledger, LedgerFile};
    ///
    /// let text = br#"{"entries":[{"id":"STR-001","title":"t","impact":"High"}]}"#;
    /// let doubts = LedgerFile::parse(Ledger::Strengths, text)?.lint();
    /// assert!(doubts.iter().any(|doubt| doubt.to_string() == "STR-001: `impact` is `High`; elsewhere it is written `high`"));
    /// # Ok::<(), stageflow_stress::finding::LedgerError>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let ids: BTreeSet<String> = self.entries().iter().map(LedgerEntry::id).collect();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for (position, entry) in self.entries().iter().enumerate() {
            let id = entry.id();
            let place = if id.is_empty() { format!("entry {position}") } else { id.clone() };
            let mut doubt = |what| doubts.push(Doubt { place: place.clone(), what });
            if id.parse::<LedgerId>().map_or(true, |id| id.ledger != self.ledger()) {
                doubt(DoubtKind::ForeignId(id.clone()));
            } else if !seen.insert(id.clone()) {
                doubt(DoubtKind::RepeatedId);
            }
            self.fields(entry, &mut doubt);
            for name in self.with_lone_surrogate(entry) {
                doubt(DoubtKind::LoneSurrogate(name));
            }
            for name in ["related", "related_entries", "related_findings", "duplicate_of"] {
                let Some(value) = entry.field(name) else { continue };
                let named: Vec<String> = match &value {
                    serde_json::Value::Array(list) => {
                        list.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
                    }
                    serde_json::Value::String(text) => vec![text.clone()],
                    _ => Vec::new(),
                };
                let of_here = |id: &String| {
                    AnyId::meanings(id)
                        .iter()
                        .any(|meaning| matches!(meaning, AnyId::Ledger(id) if id.ledger == self.ledger()))
                };
                for id in named.into_iter().filter(of_here).filter(|id| !ids.contains(id)) {
                    doubt(DoubtKind::Dangling { field: name.to_owned(), id });
                }
            }
        }
        doubts.extend(
            self.possible_duplicates()
                .into_iter()
                .map(|(later, earlier)| Doubt { place: later, what: DoubtKind::PossibleDuplicate(earlier) }),
        );
        doubts
    }

    fn fields(&self, entry: &LedgerEntry, doubt: &mut impl FnMut(DoubtKind)) {
        for (name, _) in template_of(self.ledger()) {
            let empty = match entry.field(&name) {
                None => true,
                Some(serde_json::Value::String(text)) => text.trim().is_empty(),
                Some(_) => false,
            };
            if empty {
                doubt(DoubtKind::MissingField(name));
            }
        }
        for (field, expected) in words(self.ledger()) {
            let Some(found) = entry.text(field).filter(|found| !found.is_empty()) else { continue };
            if expected.contains(&found.as_str()) {
                continue;
            }
            let field = (*field).to_owned();
            match expected.iter().find(|usual| usual.eq_ignore_ascii_case(found.trim())) {
                Some(usual) => doubt(DoubtKind::OtherCase { field, found, usual: (*usual).to_owned() }),
                None => doubt(DoubtKind::OtherWord { field, found, expected: expected.join(", ") }),
            }
        }
        if let Some(found) = entry.text("created_at").filter(|found| !is_rfc3339(found)) {
            doubt(DoubtKind::NoTime { field: "created_at".to_owned(), found });
        }
    }

    /// Pairs of entries that may be the same, the later one first: the same title, or the same type and component with a
    /// title or a description in nearly the same words.
    #[must_use]
    pub fn possible_duplicates(&self) -> Vec<(String, String)> {
        struct Compared {
            id: String,
            kind: String,
            title: String,
            words: [Words; 2],
        }
        let entries: Vec<Compared> = self
            .entries()
            .iter()
            .map(|entry| {
                let text = |name: &str| entry.text(name).unwrap_or_default();
                let kind = entry.text("type").or_else(|| entry.text("category")).unwrap_or_default();
                let title = mask(&text("title")).to_lowercase();
                Compared {
                    id: entry.id(),
                    kind: format!("{kind} {}", text("component").trim()).to_lowercase(),
                    words: [Words::of(&title), Words::of(&text("description"))],
                    title,
                }
            })
            .collect();
        let mut pairs = Vec::new();
        for (at, later) in entries.iter().enumerate() {
            // Of several earlier ones, the earliest.
            let found = entries[..at].iter().find(|earlier| {
                let close = |which: usize| earlier.words[which].alike(&later.words[which]);
                let same_title = !later.title.is_empty() && earlier.title == later.title;
                same_title || (earlier.kind == later.kind && (close(0) || close(1)))
            });
            pairs.extend(found.map(|earlier| (later.id.clone(), earlier.id.clone())));
        }
        pairs
    }

    /// The fields whose text in the file is no valid Unicode.
    fn with_lone_surrogate(&self, entry: &LedgerEntry) -> Vec<String> {
        let text = String::from_utf8_lossy(self.raw(entry));
        let Ok(fields) = serde_json::from_str::<RawObject>(&text) else { return Vec::new() };
        fields
            .0
            .into_iter()
            .filter(|(_, value)| matches!(heal(value.get()), Cow::Owned(_)))
            .map(|(name, _)| name)
            .collect()
    }
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
