//! Ids of entries, findings and ledger entries, and which of them a text could mean.

use std::fmt;
use std::str::FromStr;

use super::model::FindingType;
use crate::journal::record::Ledger;

/// A text that is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {what} id; write it like `{example}`")]
#[non_exhaustive]
pub struct IdError {
    /// The text.
    pub found: String,
    /// `entry`, `finding` or `ledger`.
    pub what: &'static str,
    /// An id of the wanted kind.
    pub example: &'static str,
}

/// Id of a roadmap entry: `DAG-005`, `LLM-REASON-001`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(String);

impl EntryId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { found: text.to_owned(), what: "entry", example: "DAG-005" };
        let (prefix, digits) = text.rsplit_once('-').ok_or_else(error)?;
        number(digits).ok_or_else(error)?;
        let segment = |s: &str| {
            s.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
                && s.bytes().any(|b| b.is_ascii_uppercase())
        };
        if prefix.split('-').all(segment) { Ok(EntryId(text.to_owned())) } else { Err(error()) }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Id of a finding: `DAG-005-BUG-001`. Read from the right, because entries have two or three segments.
///
/// ```
/// use stageflow_stress::finding::FindingId;
///
/// let id: FindingId = "LLM-REASON-001-SILENT-1042".parse().unwrap();
/// assert_eq!(id.entry.as_str(), "LLM-REASON-001");
/// assert_eq!(id.to_string(), "LLM-REASON-001-SIL-1042");
/// assert!("BUG-001".parse::<FindingId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId {
    /// The entry.
    pub entry: EntryId,
    /// The type, written as its code.
    pub kind: FindingType,
    /// The number, from 1, written with at least three digits.
    pub number: u32,
}

impl FromStr for FindingId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { found: text.to_owned(), what: "finding", example: "DAG-005-BUG-001" };
        let (rest, digits) = text.rsplit_once('-').ok_or_else(error)?;
        let (entry, code) = rest.rsplit_once('-').ok_or_else(error)?;
        Ok(FindingId {
            entry: entry.parse().map_err(|_| error())?,
            kind: FindingType::from_code(code).ok_or_else(error)?,
            number: number(digits).ok_or_else(error)?,
        })
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:03}", self.entry, self.kind.code(), self.number)
    }
}

/// Id of an entry of a ledger: `BUG-001`, `STR-014`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerId {
    /// The ledger, written as its prefix.
    pub ledger: Ledger,
    /// The number, from 1, written with at least three digits.
    pub number: u32,
}

impl Ledger {
    /// The prefix of its ids.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Ledger::Strengths => "STR",
            Ledger::Bugs => "BUG",
            Ledger::Dx => "DX",
            Ledger::Improvements => "IMP",
        }
    }
}

impl FromStr for LedgerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { found: text.to_owned(), what: "ledger", example: "BUG-001" };
        let (prefix, digits) = text.rsplit_once('-').ok_or_else(error)?;
        let ledger = Ledger::ALL.iter().copied().find(|known| known.prefix() == prefix).ok_or_else(error)?;
        Ok(LedgerId { ledger, number: number(digits).ok_or_else(error)? })
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:03}", self.ledger.prefix(), self.number)
    }
}

/// What a text can mean that somebody typed as an id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnyId {
    /// A roadmap entry.
    Entry(EntryId),
    /// A finding of a run.
    Finding(FindingId),
    /// An entry of a ledger.
    Ledger(LedgerId),
}

impl AnyId {
    /// Everything that a text can mean. `DX-001` is both a roadmap entry and an entry of `dx.json`, so a caller that
    /// gets more than one meaning has to ask instead of choosing.
    ///
    /// ```
    /// use stageflow_stress::finding::AnyId;
    ///
    /// assert_eq!(AnyId::meanings("DX-001").len(), 2);
    /// assert_eq!(AnyId::meanings("DAG-005-BUG-001").len(), 1);
    /// assert!(AnyId::meanings("dag 5").is_empty());
    /// ```
    #[must_use]
    pub fn meanings(text: &str) -> Vec<AnyId> {
        let entry = text.parse().ok().map(AnyId::Entry);
        let finding = text.parse().ok().map(AnyId::Finding);
        let ledger = text.parse().ok().map(AnyId::Ledger);
        [entry, finding, ledger].into_iter().flatten().collect()
    }
}

/// At least three digits, not zero.
fn number(digits: &str) -> Option<u32> {
    let fits = digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|number| fits && *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_ids_are_read_from_the_right() {
        for kind in FindingType::ALL {
            for entry in ["DAG-005", "LLM-REASON-001", "K8S-001", "DX-014"] {
                for number in [1, 42, 999, 1000, 123_456] {
                    let id = FindingId { entry: entry.parse().unwrap(), kind: *kind, number };
                    assert_eq!(id.to_string().parse::<FindingId>().unwrap(), id);
                }
            }
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "-",
            "BUG",
            "BUG-1",
            "BUG-000",
            "DAG-005-BUG-000",
            "DAG-005",
            "DAG-005-BUG",
            "DAG-005-XXX-001",
            "DAG-BUG-001",
        ] {
            assert!(text.parse::<FindingId>().is_err(), "{text}");
        }
        for text in
            ["", "DAG", "dag-005", "DAG-5", "GUARD009", "-005", "DAG--005", "DAG-005-BUG-001", "DAG-00٣"]
        {
            assert!(text.parse::<EntryId>().is_err(), "{text}");
        }
        for text in ["", "SEC-001", "BUG-01", "BUG-+01", "DAG-005-BUG-001", "BUG-99999999999999999999"] {
            assert!(text.parse::<LedgerId>().is_err(), "{text}");
        }
        let message = "BUG-1".parse::<FindingId>().unwrap_err().to_string();
        assert_eq!(message, "`BUG-1` is no finding id; write it like `DAG-005-BUG-001`");
    }

    #[test]
    fn ambiguous_texts_have_all_their_meanings() {
        // DX, SEC and PERF are prefixes of roadmap entries as well as codes.
        assert_eq!(
            AnyId::meanings("DX-001"),
            [AnyId::Entry("DX-001".parse().unwrap()), AnyId::Ledger("DX-001".parse().unwrap())]
        );
        assert_eq!(AnyId::meanings("SEC-001"), [AnyId::Entry("SEC-001".parse().unwrap())]);
        assert_eq!(AnyId::meanings("DX-001-DX-001"), [AnyId::Finding("DX-001-DX-001".parse().unwrap())]);
    }
}
