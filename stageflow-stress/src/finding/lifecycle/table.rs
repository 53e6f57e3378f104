//! The table of the lifecycle.

use crate::finding::model::FindingStatus;

/// Whether a change of status is in the table, and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The status stays: nothing happens.
    Same,
    /// Allowed, with a reason.
    Allowed,
    /// Allowed with a [`Resolution`](super::Resolution).
    NeedsResolution,
    /// Allowed with the finding of which it is a duplicate.
    NeedsTarget,
    /// Not allowed: it has to be reopened first.
    Refused,
}

/// The lifecycle: a row for each status, with the step to each of `FindingStatus::ALL`, in that order.
pub const LIFECYCLE: [(FindingStatus, [Step; 6]); 6] = {
    use FindingStatus::{Confirmed, Duplicate, InProgress, Open, Resolved, WontFix};
    use Step::{Allowed, NeedsResolution as R, NeedsTarget as D, Refused, Same};
    [
        // to:        open     confirmed in_progress resolved wont_fix duplicate
        (Open, [Same, Allowed, Allowed, R, R, D]),
        (Confirmed, [Allowed, Same, Allowed, R, R, D]),
        (InProgress, [Allowed, Allowed, Same, R, R, D]),
        (Resolved, [Allowed, Refused, Refused, Same, Refused, Refused]),
        (WontFix, [Allowed, Refused, Refused, Refused, Same, Refused]),
        (Duplicate, [Allowed, Refused, Refused, Refused, Refused, Same]),
    ]
};

/// The step from one status to another.
///
/// ```
/// use stageflow_stress::finding::{FindingStatus, Step, step};
///
/// assert_eq!(step(FindingStatus::Open, FindingStatus::Resolved), Step::NeedsResolution);
/// assert_eq!(step(FindingStatus::Resolved, FindingStatus::WontFix), Step::Refused);
/// ```
#[must_use]
pub fn step(from: FindingStatus, to: FindingStatus) -> Step {
    let row = LIFECYCLE.iter().find(|(status, _)| *status == from);
    let column = FindingStatus::ALL.iter().position(|status| *status == to);
    match (row, column) {
        (Some((_, steps)), Some(column)) => steps[column],
        _ => Step::Refused,
    }
}
