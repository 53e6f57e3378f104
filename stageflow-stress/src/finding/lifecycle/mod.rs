//! How the status of a finding may change: one table, and requests that are checked against it.
//!
//! Nothing here writes: a request gives what the committed file has to say next, or the reason why not. `KnownFile`
//! (feature `cli`) puts it into the file.

mod error;
mod resolution;
mod table;

use serde::{Deserialize, Serialize};

pub use self::error::LifecycleError;
pub use self::resolution::{Resolution, ResolutionType};
pub use self::table::{LIFECYCLE, Step, step};
use super::fingerprint::is_fingerprint;
use super::ids::FindingId;
use super::known::{KnownFinding, KnownFindings, canonical};
use super::model::FindingStatus;
use super::store::FoundFinding;
use super::time;

/// One change of a finding's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transition {
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// The status before.
    pub from: FindingStatus,
    /// The status after.
    pub to: FindingStatus,
    /// Why.
    pub why: String,
    /// The resolution that a reopening took away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// Which finding a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its id, which it keeps from now on.
    pub id: Option<String>,
    /// Its title, for whoever reads the file.
    pub title: Option<String>,
    /// When it was found: it cannot be resolved before.
    pub created_at: Option<String>,
}

impl Subject {
    /// A finding of which nothing but the fingerprint is known.
    pub fn new(fingerprint: impl Into<String>) -> Self {
        Subject { fingerprint: fingerprint.into(), id: None, title: None, created_at: None }
    }

    /// A finding of a run; nothing where another tool wrote it, because it then has no fingerprint.
    #[must_use]
    pub fn of(found: &FoundFinding) -> Option<Self> {
        Some(Subject {
            fingerprint: found.fingerprint.clone()?,
            id: Some(found.id.clone()).filter(|id| id.parse::<FindingId>().is_ok()),
            title: Some(found.title.clone()).filter(|title| !title.trim().is_empty()),
            created_at: found.latest.created_at.clone(),
        })
    }

    /// Whoever reads a message knows the id.
    fn name(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.fingerprint)
    }
}

/// A request to change the status of a finding.
///
/// ```
/// use stageflow_stress::finding::{Change, KnownFindings, Resolution, ResolutionType, Subject};
///
/// let known = KnownFindings::default();
/// let subject = Subject::new("sfp1:00112233445566778899aabbccddeeff");
/// let change = Change::resolve(Resolution::new(ResolutionType::Fixed).commit("abc123").details("CAS in OutputBag"))
///     .by("Ada")
///     .at("2026-01-15T10:00:00Z");
/// let next = change.apply(&known, &subject)?.expect("it was open");
/// assert_eq!(next.finding.status.as_str(), "resolved");
/// assert_eq!(next.finding.history.len(), 1);
/// # Ok::<(), stageflow_stress::finding::LifecycleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The wanted status.
    pub to: FindingStatus,
    /// Who asks.
    pub by: String,
    /// When, RFC 3339. Empty means now, where [`Change::apply`] is called.
    pub at: String,
    /// Why; may be empty where the resolution tells.
    pub why: String,
    /// How it was resolved.
    pub resolution: Option<Resolution>,
    /// The finding of which it is a duplicate, as id or fingerprint.
    pub duplicate_of: Option<String>,
    /// Only if the status is this one.
    pub if_status: Option<FindingStatus>,
    /// Only if the finding has changed this many times.
    pub if_revision: Option<u64>,
}

impl Change {
    fn to(to: FindingStatus) -> Self {
        Change {
            to,
            by: String::new(),
            at: String::new(),
            why: String::new(),
            resolution: None,
            duplicate_of: None,
            if_status: None,
            if_revision: None,
        }
    }

    /// Somebody agrees that it is a defect: from now on it is known.
    pub fn confirm(why: impl Into<String>) -> Self {
        Self::to(FindingStatus::Confirmed).because(why)
    }

    /// Somebody works on it.
    pub fn start(why: impl Into<String>) -> Self {
        Self::to(FindingStatus::InProgress).because(why)
    }

    /// It is not resolved after all. What was said of its resolution moves into its history.
    pub fn reopen(why: impl Into<String>) -> Self {
        Self::to(FindingStatus::Open).because(why)
    }

    /// It was resolved. The status follows from the type of the resolution.
    #[must_use]
    pub fn resolve(resolution: Resolution) -> Self {
        Change { resolution: Some(resolution.clone()), ..Self::to(resolution.resolution_type.status()) }
    }

    /// It stays.
    pub fn wont_fix(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::resolve(Resolution::new(ResolutionType::WontFix).details(why.clone())).because(why)
    }

    /// It is the same as another finding, named by id or fingerprint.
    pub fn duplicate(of: impl Into<String>) -> Self {
        Self::resolve(Resolution::new(ResolutionType::Duplicate)).of(of)
    }

    /// Names the finding of which it is a duplicate.
    #[must_use]
    pub fn of(mut self, target: impl Into<String>) -> Self {
        self.duplicate_of = Some(target.into());
        self
    }

    /// Says who asks.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = who.into();
        self
    }

    /// Says when; RFC 3339.
    #[must_use]
    pub fn at(mut self, when: impl Into<String>) -> Self {
        self.at = when.into();
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Only if the status is this one, so that a decision that rests on an old state does not undo a new one.
    #[must_use]
    pub fn if_status(mut self, status: FindingStatus) -> Self {
        self.if_status = Some(status);
        self
    }

    /// Only if the finding has changed this many times.
    #[must_use]
    pub fn if_revision(mut self, revision: u64) -> Self {
        self.if_revision = Some(revision);
        self
    }

    /// What the committed file has to say next; nothing if it says so already.
    ///
    /// # Errors
    ///
    /// A change that is not in the table, that lacks what the table asks for, or that rests on another state.
    pub fn apply(
        &self,
        known: &KnownFindings,
        subject: &Subject,
    ) -> Result<Option<NextFinding>, LifecycleError> {
        let name = || subject.name().to_owned();
        if !is_fingerprint(&subject.fingerprint) {
            return Err(LifecycleError::NoFingerprint(name()));
        }
        let now = known.get(&subject.fingerprint);
        let from = now.map_or(FindingStatus::Open, |known| known.status);
        let revision = now.map_or(0, KnownFinding::revision);
        if let Some(expected) = self.if_status.filter(|expected| *expected != from) {
            return Err(LifecycleError::OtherStatus { finding: name(), expected, found: from });
        }
        if let Some(expected) = self.if_revision.filter(|expected| *expected != revision) {
            return Err(LifecycleError::OtherRevision { finding: name(), expected, found: revision });
        }
        let step = step(from, self.to);
        let target = self.target(known, subject, step)?;
        if step == Step::Same && now.is_some() {
            return self.same(name(), now, target.as_deref());
        }
        if step == Step::Refused {
            return Err(LifecycleError::NotAllowed { finding: name(), from, to: self.to });
        }
        let at = if self.at.is_empty() { crate::journal::now() } else { self.at.clone() };
        let by = self.by.trim();
        if by.is_empty() {
            return Err(LifecycleError::NoName(name()));
        }
        let moment = time::nanos(&at).ok_or_else(|| LifecycleError::NoTime(at.clone()))?;
        let before =
            subject.created_at.iter().chain(now.and_then(|now| now.history.last()).map(|last| &last.at));
        if let Some(before) =
            before.into_iter().find(|before| time::nanos(before).is_some_and(|t| t > moment))
        {
            return Err(LifecycleError::TooEarly { finding: name(), at, before: before.clone() });
        }
        let resolution = self.resolution(&name(), step, by, &at)?;
        let why = Some(self.why.trim())
            .filter(|why| !why.is_empty())
            .map(str::to_owned)
            .or_else(|| resolution.as_ref().and_then(Resolution::reason))
            .or_else(|| target.as_ref().map(|target| format!("the same as {target}")))
            .ok_or_else(|| LifecycleError::NoReason { finding: name(), to: self.to })?;

        let mut finding = now.cloned().unwrap_or_else(|| KnownFinding::new(&subject.fingerprint));
        finding.id = finding.id.or_else(|| subject.id.clone());
        finding.title = finding.title.or_else(|| subject.title.clone());
        finding.history.push(Transition {
            at,
            by: by.to_owned(),
            from,
            to: self.to,
            why: why.clone(),
            resolution: finding.resolution.take(),
        });
        finding.status = self.to;
        finding.why = why;
        finding.resolution = resolution;
        finding.duplicate_of = target;
        let moved = self.moved(known, &finding);
        Ok(Some(NextFinding { finding, moved }))
    }

    /// The status stays. That is fine unless the request says something else than what is there.
    fn same(
        &self,
        finding: String,
        now: Option<&KnownFinding>,
        target: Option<&str>,
    ) -> Result<Option<NextFinding>, LifecycleError> {
        let Some(now) = now else { return Ok(None) };
        let says_more = match (&self.resolution, &now.resolution) {
            (Some(asked), Some(recorded)) => !asked.is_within(recorded),
            // A file that was written by hand need not say how.
            (Some(_), None) => now.status == FindingStatus::Resolved,
            (None, _) => false,
        };
        let other_target = match (target, &now.duplicate_of) {
            (Some(asked), Some(recorded)) => canonical(asked) != canonical(recorded),
            _ => false,
        };
        if says_more || other_target {
            return Err(LifecycleError::Already { finding, status: now.status, why: now.why.clone() });
        }
        Ok(None)
    }

    fn resolution(
        &self,
        finding: &str,
        step: Step,
        by: &str,
        at: &str,
    ) -> Result<Option<Resolution>, LifecycleError> {
        let needed = matches!(step, Step::NeedsResolution | Step::NeedsTarget);
        let Some(asked) = self.resolution.clone().filter(|_| needed) else {
            return match step {
                Step::NeedsResolution => {
                    Err(LifecycleError::NoResolution { finding: finding.to_owned(), to: self.to })
                }
                _ => Ok(None),
            };
        };
        if asked.resolution_type.status() != self.to {
            return Err(LifecycleError::OtherType {
                finding: finding.to_owned(),
                to: self.to,
                found: asked.resolution_type,
            });
        }
        if step == Step::NeedsResolution && asked.reason().is_none() && self.why.trim().is_empty() {
            return Err(LifecycleError::NoDetails(finding.to_owned()));
        }
        Ok(Some(Resolution {
            resolved_by: asked.resolved_by.or_else(|| Some(by.to_owned())),
            resolved_at: asked.resolved_at.or_else(|| Some(at.to_owned())),
            ..asked
        }))
    }

    /// The finding that stays, by its id if it has one. A duplicate of a duplicate is one of what that one duplicates.
    fn target(
        &self,
        known: &KnownFindings,
        subject: &Subject,
        step: Step,
    ) -> Result<Option<String>, LifecycleError> {
        let finding = || subject.name().to_owned();
        let Some(target) = self.duplicate_of.as_ref().filter(|_| self.to == FindingStatus::Duplicate) else {
            return match step {
                Step::NeedsTarget => Err(LifecycleError::NoTarget(finding())),
                _ => Ok(None),
            };
        };
        let missing = || LifecycleError::UnknownTarget { finding: finding(), target: target.clone() };
        let mut stays = known.find(target).ok_or_else(missing)?;
        if stays.fingerprint == subject.fingerprint {
            return Err(LifecycleError::OfItself(finding()));
        }
        for _ in 0..=known.iter().count() {
            let Some(next) = &stays.duplicate_of else { break };
            stays = known.find(next).ok_or_else(missing)?;
            if stays.fingerprint == subject.fingerprint {
                return Err(LifecycleError::Circle { finding: finding(), target: target.clone() });
            }
        }
        Ok(Some(stays.id.clone().unwrap_or_else(|| stays.fingerprint.clone())))
    }

    /// What was a duplicate of this finding is one of its target from now on.
    fn moved(&self, known: &KnownFindings, next: &KnownFinding) -> Vec<KnownFinding> {
        let Some(target) = &next.duplicate_of else { return Vec::new() };
        let points_here = |other: &&KnownFinding| {
            other
                .duplicate_of
                .as_ref()
                .and_then(|target| known.find(target))
                .is_some_and(|found| found.fingerprint == next.fingerprint)
        };
        known
            .iter()
            .filter(points_here)
            .map(|other| KnownFinding { duplicate_of: Some(target.clone()), ..other.clone() })
            .collect()
    }
}

/// What the committed file has to say after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextFinding {
    /// The finding.
    pub finding: KnownFinding,
    /// Duplicates that now point to another finding.
    pub moved: Vec<KnownFinding>,
}

#[cfg(test)]
mod tests;
