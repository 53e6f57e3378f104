//! The roadmap: what there is to test, with its measurable targets.

mod target;

pub use target::{Comparison, Measurement, Target, Unit};

use crate::classify::{Priority, Risk};

/// One row of a roadmap.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Identifier such as `DAG-005` or `LLM-REASON-001`.
    pub id: &'static str,
    /// What is tested.
    pub title: &'static str,
    /// Number of the tier, from 1.
    pub tier: u8,
    /// Heading of the tier.
    pub tier_title: &'static str,
    /// Number of the section, such as `1.2`.
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
