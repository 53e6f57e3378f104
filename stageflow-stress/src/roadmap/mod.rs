//! The roadmap: what there is to test, with its measurable targets.
//!
//! The built-in entries live in one table, which the attributes read as well: an id that is not in it does not compile.
//! A project adds its own with `roadmap = "docs/ROADMAP.md"` in `stageflow.toml`: a Markdown table with the columns
//! `ID`, `Target`, `Priority` and `Risk`, and `Phase` and `Status` if it likes. This module knows the built-in ones.
//!
//! ```
//! use stageflow_stress::{Priority, roadmap};
//!
//! let entry = roadmap::find("DAG-005").unwrap();
//! assert_eq!(entry.title, "Fan-out scalability (500+ parallel stages)");
//! assert_eq!(entry.target.unwrap().to_string(), "parallel stages >= 500");
//!
//! let urgent = roadmap::entries().iter().filter(|entry| entry.tier == 1 && entry.priority == Priority::P0);
//! assert_eq!(urgent.count(), 10);
//! ```
//!
//! [`Entry::guide`] says what a first test of an entry looks at: category, kind of pipeline, oracles, what is put under
//! test, the scenario template that fits, and what to assert.

mod count;
mod guide;
mod nearest;
mod target;

pub use count::{Counts, Group, counts};
pub use guide::{Guide, Subject, Template, guides};
pub use nearest::nearest;
pub use target::{Comparison, Measurement, Target, TargetError, Unit};

use crate::classify::{Priority, Risk};

static ENTRIES: &[Entry] = stageflow_stress_macros::__builtin_entries!();

/// The built-in entries, in the order of the roadmap.
#[must_use]
pub fn entries() -> &'static [Entry] {
    ENTRIES
}

/// The built-in entry with this id.
///
/// ```
/// # use stageflow_stress::roadmap;
/// assert!(roadmap::find("DAG-005").is_some());
/// assert!(roadmap::find("DAG-05").is_none());
/// ```
#[must_use]
pub fn find(id: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

/// One row of a roadmap.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Identifier such as `DAG-005` or `LLM-REASON-001`.
    pub id: &'static str,
    /// What is tested.
    pub title: &'static str,
    /// Number of the tier, from 1; 0 where a project's own roadmap does not number its headings.
    pub tier: u8,
    /// Heading of the tier.
    pub tier_title: &'static str,
    /// Number of the section, such as `1.2`; empty where a project's own roadmap does not number its headings.
    pub section: &'static str,
    /// Heading of the section.
    pub section_title: &'static str,
    /// Priority.
    pub priority: Priority,
    /// Risk class.
    pub risk: Risk,
    /// Execution phase, 1 to 5; 0 where the roadmap gives none.
    pub phase: u8,
    /// The status cell as the roadmap states it. A claim of its author: the computed status is in the reports.
    pub stated_status: &'static str,
    /// The measurable target that the title carries, if any.
    pub target: Option<Target>,
}

impl Entry {
    /// Assembles an entry; used by the macros, which cannot name the fields of a non-exhaustive type.
    #[doc(hidden)]
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "one argument a column, written by a macro")]
    pub const fn assemble(
        id: &'static str,
        title: &'static str,
        tier: u8,
        tier_title: &'static str,
        section: &'static str,
        section_title: &'static str,
        priority: Priority,
        risk: Risk,
        phase: u8,
        stated_status: &'static str,
        target: Option<Target>,
    ) -> Self {
        Entry {
            id,
            title,
            tier,
            tier_title,
            section,
            section_title,
            priority,
            risk,
            phase,
            stated_status,
            target,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn ids_are_unique_and_titles_are_not() {
        let ids: BTreeSet<_> = entries().iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), 308);
        let mut titles = BTreeMap::<_, Vec<_>>::new();
        for entry in entries() {
            titles.entry(entry.title).or_default().push(entry.id);
        }
        titles.retain(|_, ids| ids.len() > 1);
        assert_eq!(
            titles.into_iter().collect::<Vec<_>>(),
            [
                ("Confidence calibration accuracy", vec!["AGENT-009", "LLM-REASON-005"]),
                ("Hallucination detection and mitigation", vec!["AGENT-003", "LLM-REASON-001"]),
                ("Prompt injection resistance", vec!["GUARD-001", "LLM-INPUT-003"]),
            ]
        );
    }

    #[test]
    fn an_entry_knows_its_headings() {
        let entry = find("LLM-SYS-004").unwrap();
        assert_eq!((entry.tier, entry.tier_title), (5, "LLM-Specific Failure Modes"));
        assert_eq!((entry.section, entry.section_title), ("5.3", "System/Operational Failures"));
        assert_eq!((entry.priority, entry.risk, entry.phase), (Priority::P0, Risk::Severe, 2));
        assert_eq!(entry.stated_status, "not started");
    }

    #[test]
    fn what_the_roadmap_states_as_done() {
        let states =
            |start: &str| entries().iter().filter(|entry| entry.stated_status.starts_with(start)).count();
        assert_eq!((states("completed"), states("not started")), (73, 235));
        let dated = entries().iter().filter(|entry| entry.stated_status.starts_with("completed (20"));
        assert_eq!(dated.count(), 36);
    }

    #[test]
    fn fifteen_entries_have_a_target() {
        let targets: Vec<_> =
            entries().iter().filter_map(|entry| Some(format!("{}: {}", entry.id, entry.target?))).collect();
        assert_eq!(
            targets,
            [
                "CORE-002: ContextSnapshot serialization under load > 100 MB",
                "DAG-005: parallel stages >= 500",
                "DAG-006: sequential stages >= 1000",
                "GUARD-003: recall > 99 %",
                "K8S-001: concurrent DAGs >= 1000",
                "SERVERLESS-001: cold start latency < 500 ms",
                "AIRGAP-001: node drop >= 50 %",
                "MULTIREGION-001: ContextSnapshot convergence < 1 s",
                "FIN-001: high-frequency fraud detection >= 5000 TPS",
                "HEALTH-006: recall > 99.9 %",
                "GAME-002: real-time response latency < 100 ms",
                "GAME-003: session memory bounds < 5 MB/1000 turns",
                "TELECOM-002: reduction >= 40 %",
                "BIO-003: node fan-out >= 100",
                "LEGAL-002: AUC > 0.95",
            ]
        );
    }
}
