//! The run folder: where it lies, how it is claimed, and how its files are made from the journals.

mod aggregate;
mod catalogue;
mod claim;
mod contents;
mod crashed;
mod environment;
mod files;
mod fold;
#[cfg(feature = "cli")]
mod foreign_config;
mod handover;
mod history;
mod ignored;
mod import;
mod invocation;
mod merge;
#[cfg(test)]
mod replay_tests;
mod retention;
mod shards;
mod slug;
mod stale;
pub(crate) mod state;
mod store;
mod unchanged;
mod validate;
mod write;

pub use aggregate::{Aggregate, AggregateOptions, AggregatedFinding, aggregate};
pub use ignored::{IgnoreProblem, IgnoreProblemKind, ignored};
#[cfg(feature = "cli")]
pub(crate) use import::import_as_run;
pub use import::{ImportError, import};
pub use merge::{MergeError, Merged, Together, merge};
#[cfg(feature = "cli")]
pub use retention::{Archived, archive, restore};
pub use retention::{PrunePolicy, RetentionError, Taken, TakenFile, due, is_kept, prunable, prune};
pub use stale::{Absence, Ratchet, Stale, ratchet, stale};
pub use validate::{Problem, ProblemKind, Validation, validate, validate_file};
pub(crate) use write::recover_logs;
pub use write::{FoldError, findings_as, recover};

#[cfg(all(test, feature = "cli"))]
pub(crate) use catalogue::CatalogueState;
pub(crate) use catalogue::{Catalogue, Catalogued, PlaceState, Registered, test_key};
#[cfg(feature = "cli")]
pub(crate) use claim::claim_by_hand;
#[cfg(any(feature = "cli", feature = "load"))]
pub(crate) use claim::read_info;
pub(crate) use claim::{folders_of, newer_major_format};
#[cfg(feature = "html")]
pub(crate) use contents::Contents;
#[cfg(feature = "cli")]
pub(crate) use contents::read_stored;
pub(crate) use crashed::write_trace;
pub(crate) use files::{create_unique, locked, shown_below, write_atomically, write_whole};
#[cfg(feature = "cli")]
pub(crate) use fold::read_state;
pub(crate) use handover::Handover;
pub(crate) use invocation::{Invocation, seed_of};
pub(crate) use slug::{file_time, slug};
pub(crate) use store::{Run, Store};
#[cfg(feature = "cli")]
pub(crate) use write::digests;
pub(crate) use write::write_folder;
