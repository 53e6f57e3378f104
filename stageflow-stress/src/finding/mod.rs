//! Findings: what was found, under one identity for as long as it lives.

pub(crate) mod alike;
#[cfg(feature = "cli")]
mod by_hand;
mod check;
pub(crate) mod document;
mod fingerprint;
mod ids;
mod known;
pub(crate) mod ledger;
mod lifecycle;
mod mask;
mod model;
mod query;
mod registry;
#[cfg(test)]
pub(crate) mod samples;
mod store;
mod suggest;
mod suggestion;
pub(crate) mod time;

pub use crate::journal::record::{KnownAs, Ledger};
#[cfg(feature = "cli")]
pub use by_hand::{ByHandError, change_by_hand};
pub use check::FindingError;
pub(crate) use document::Foreign;
pub use document::{Document, DocumentError, DocumentFinding, DocumentMetadata, Profile, Word};
pub use fingerprint::{fingerprint, is_fingerprint};
pub use ids::{AnyId, EntryId, FindingId, IdError, LedgerId};
pub use known::{KNOWN_FILE, KnownError, KnownFinding, KnownFindings, KnownProblem, paste_block};
#[cfg(feature = "cli")]
pub use known::{KnownFile, KnownFileError};
pub use ledger::file::{Imported, LedgerEntry, LedgerError, LedgerFile};
pub use ledger::lint::{Doubt, DoubtKind};
pub use lifecycle::{
    Change, LIFECYCLE, LifecycleError, NextFinding, Resolution, ResolutionType, Step, Subject, Transition,
    step,
};
pub use mask::{MASK, mask};
pub use model::{
    Attachment, Classification, Counted, Effort, EvidenceItem, Finding, FindingStatus, FindingType,
    Frequency, Impact, Recommendation, Reproduction, RiskLevel,
};
pub use query::Query;
pub(crate) use registry::run_order;
pub use registry::{LoadedRegistry, REGISTRY_FILE, Registered, Registry, RegistryError};
pub use store::{FindingStore, FoundFinding, StoreError, StoreProblem, StoreProblemKind, StoredRun};
#[cfg(feature = "cli")]
pub(crate) use suggest::nearest;
pub use suggestion::{Suggestion, SuggestionKind};

/// Findings that an observer makes.
#[derive(Debug, Default)]
pub struct Findings {
    pub(crate) made: Vec<Finding>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.made.push(finding);
    }

    /// How many were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.made.len()
    }

    /// Whether none was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }
}
