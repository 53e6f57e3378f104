//! Why a status was not changed.

use super::resolution::ResolutionType;
use crate::finding::model::FindingStatus;

/// A change that was not made, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// A finding of another tool has no identity of its own.
    #[error("`{0}` has no fingerprint, so its status cannot be kept; import it into a run first")]
    NoFingerprint(String),
    /// Not in the table.
    #[error("{finding} is {from} and cannot become {to}; reopen it first")]
    NotAllowed {
        /// The finding.
        finding: String,
        /// Its status.
        from: FindingStatus,
        /// The wanted one.
        to: FindingStatus,
    },
    /// Somebody else was faster.
    #[error("{finding} is {found} and not {expected}; look at it again")]
    OtherStatus {
        /// The finding.
        finding: String,
        /// The expected status.
        expected: FindingStatus,
        /// The status.
        found: FindingStatus,
    },
    /// Somebody else was faster.
    #[error("{finding} has changed {found} times and not {expected}; look at it again")]
    OtherRevision {
        /// The finding.
        finding: String,
        /// The expected number of changes.
        expected: u64,
        /// The number of changes.
        found: u64,
    },
    /// It has that status for another reason.
    #[error("{finding} is already {status} ({why}); reopen it first to say something else")]
    Already {
        /// The finding.
        finding: String,
        /// Its status.
        status: FindingStatus,
        /// Why.
        why: String,
    },
    /// Nobody said who.
    #[error("nobody is named for the change of {0}; say who makes it")]
    NoName(String),
    /// No reason.
    #[error("no reason why {finding} becomes {to}; say why")]
    NoReason {
        /// The finding.
        finding: String,
        /// The wanted status.
        to: FindingStatus,
    },
    /// No time.
    #[error("`{0}` is no time of RFC 3339; write it like 2026-01-14T09:00:00Z")]
    NoTime(String),
    /// The clock of one of the two is wrong.
    #[error("{finding} cannot change at {at}, before {before}; compare the clocks")]
    TooEarly {
        /// The finding.
        finding: String,
        /// The time of the change.
        at: String,
        /// When it was found or last changed.
        before: String,
    },
    /// No resolution.
    #[error("{finding} becomes {to} only with a resolution; say how it was resolved")]
    NoResolution {
        /// The finding.
        finding: String,
        /// The wanted status.
        to: FindingStatus,
    },
    /// A resolution of another status.
    #[error("a resolution `{found}` makes no finding {to}; {finding} stays as it is")]
    OtherType {
        /// The finding.
        finding: String,
        /// The wanted status.
        to: FindingStatus,
        /// The type of the resolution.
        found: ResolutionType,
    },
    /// A resolution that says nothing.
    #[error("the resolution of {0} says nothing; give details, a commit, a pull request or a release")]
    NoDetails(String),
    /// No target.
    #[error("{0} is a duplicate of what? name the finding that stays")]
    NoTarget(String),
    /// The target is not in the file.
    #[error(
        "{finding} cannot be a duplicate of {target}, which is not in the file of known findings; confirm {target} first"
    )]
    UnknownTarget {
        /// The finding.
        finding: String,
        /// The target.
        target: String,
    },
    /// The target is the finding.
    #[error("{0} cannot be a duplicate of itself; name the finding that stays")]
    OfItself(String),
    /// The target leads back to the finding.
    #[error("{finding} cannot be a duplicate of {target}, which is one of {finding}; reopen {target} first")]
    Circle {
        /// The finding.
        finding: String,
        /// The target.
        target: String,
    },
}
