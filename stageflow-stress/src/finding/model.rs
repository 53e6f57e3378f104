//! A finding: what was found, how bad it is, how to see it again, and what to do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::classify::{Severity, words};

words! {
    /// What kind of thing was found.
    pub enum FindingType: "finding type" {
        /// Incorrect behavior, crashes, data corruption.
        Bug = "bug",
        /// Vulnerabilities, injection risks, data leaks.
        Security = "security",
        /// Latency, throughput, resource issues.
        Performance = "performance",
        /// Failure handling, recovery, resilience.
        Reliability = "reliability",
        /// An error that happens without anybody being told.
        SilentFailure = "silent_failure",
        /// A problem that the logs show.
        LogIssue = "log_issue",
        /// Friction for developers.
        Dx = "dx",
        /// A suggestion.
        Improvement = "improvement",
        /// Errors or gaps of the documentation.
        Documentation = "documentation",
        /// A missing capability.
        FeatureRequest = "feature_request",
        /// Something worth keeping.
        Strength = "strength",
    }
}

impl FindingType {
    /// The code within a finding's id, such as `BUG` in `DAG-005-BUG-001`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            FindingType::Bug => "BUG",
            FindingType::Security => "SEC",
            FindingType::Performance => "PERF",
            FindingType::Reliability => "REL",
            FindingType::SilentFailure => "SIL",
            FindingType::LogIssue => "LOG",
            FindingType::Dx => "DX",
            FindingType::Improvement => "IMP",
            FindingType::Documentation => "DOC",
            FindingType::FeatureRequest => "FEAT",
            FindingType::Strength => "STR",
        }
    }

    /// The type that a code stands for. `SILENT` is read as well as `SIL`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let code = if code == "SILENT" { "SIL" } else { code };
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

words! {
    /// Where a finding stands.
    pub enum FindingStatus: "finding status" {
        /// Seen, and nobody has said anything yet.
        Open = "open",
        /// Somebody agreed that it is a defect.
        Confirmed = "confirmed",
        /// Somebody works on it.
        InProgress = "in_progress",
        /// It was fixed. Seen again, it is a regression.
        Resolved = "resolved",
        /// It stays.
        WontFix = "wont_fix",
        /// It is the same as another finding.
        Duplicate = "duplicate",
    }
}

impl FindingStatus {
    /// Whether a known finding of this status leaves a test green. Only a resolved one does not: it came back.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        !matches!(self, FindingStatus::Resolved)
    }

    /// Whether somebody still has to do something about it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, FindingStatus::Open | FindingStatus::Confirmed | FindingStatus::InProgress)
    }
}

words! {
    /// What a finding turned out to be.
    pub enum Classification: "classification" {
        /// The behavior is wrong.
        Bug = "bug",
        /// The behavior is a known limit.
        Limitation = "limitation",
        /// The behavior is meant to be so.
        ExpectedBehavior = "expected_behavior",
    }
}

words! {
    /// How often a finding was seen, by measured share: always is every time of at least three, often at least half,
    /// sometimes at least one in twenty.
    pub enum Frequency: "frequency" {
        /// Every time of at least three.
        Always = "always",
        /// At least half of the time.
        Often = "often",
        /// At least one time in twenty.
        Sometimes = "sometimes",
        /// Less often.
        Rarely = "rarely",
    }
}

words! {
    /// A risk within an impact.
    pub enum RiskLevel: "risk level" {
        /// No risk.
        None = "none",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
    }
}

words! {
    /// Estimated effort of a change.
    pub enum Effort: "effort" {
        /// Minutes.
        Trivial = "trivial",
        /// Hours.
        Small = "small",
        /// Days.
        Medium = "medium",
        /// Weeks.
        Large = "large",
        /// Months.
        Epic = "epic",
    }
}

impl Frequency {
    /// The word for a counted share. Always takes at least three trials: one of one is often, not always. Nothing seen
    /// has no word.
    #[must_use]
    pub fn of(seen: u64, trials: u64) -> Option<Self> {
        let (seen, trials) = (u128::from(seen.min(trials)), u128::from(trials));
        match seen {
            0 => None,
            _ if seen == trials && trials >= 3 => Some(Frequency::Always),
            _ if seen * 2 >= trials => Some(Frequency::Often),
            _ if seen * 20 >= trials => Some(Frequency::Sometimes),
            _ => Some(Frequency::Rarely),
        }
    }
}

/// Something that was found, built step by step.
///
/// ```
/// use stageflow_stress::{Finding, FindingType, Severity};
///
/// let finding = Finding::new(FindingType::Reliability, "retry stops after one attempt")
///     .severity(Severity::High)
///     .component("RetryInterceptor")
///     .description("With max_attempts = 5 the stage was entered 2 times.")
///     .step("run a stage that fails three times with max_attempts = 5")
///     .workaround("retry inside the stage")
///     .evidence("metric validation", "attempts", serde_json::json!({ "configured": 5, "seen": 2 }));
/// assert_eq!(finding.title, "retry stops after one attempt");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingType,
    /// How bad it is.
    pub severity: Severity,
    /// Short and descriptive.
    pub title: String,
    /// What happened, in full.
    #[serde(default)]
    pub description: String,
    /// The component of the system under test.
    #[serde(default)]
    pub component: Option<String>,
    /// Searchable tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Bug, limitation or expected behavior.
    #[serde(default)]
    pub classification: Option<Classification>,
    /// How to see it again.
    #[serde(default)]
    pub reproduction: Reproduction,
    /// Whom it harms and how.
    #[serde(default)]
    pub impact: Impact,
    /// What to do about it.
    #[serde(default)]
    pub recommendation: Recommendation,
    /// Ids of related findings.
    #[serde(default)]
    pub related: Vec<String>,
    /// Files of the run folder that belong to it.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// What detectors saw.
    #[serde(default)]
    pub evidence: Vec<EvidenceItem>,
    /// The rule that made it, such as `check` or `runtime.background_panic`; part of the fingerprint.
    #[serde(default)]
    pub rule: String,
    /// The subject that distinguishes it from other findings of the rule, such as a stage; part of the fingerprint.
    #[serde(default)]
    pub key: Option<String>,
    /// Where in the test it was found: `module::function`; part of the fingerprint. Set by the runtime.
    #[serde(default)]
    pub locator: String,
    /// Normalised source text of the line that failed; part of the fingerprint for panics and errors.
    #[serde(default)]
    pub source_line: Option<String>,
    /// Source position, as `file:line`; never part of the fingerprint.
    #[serde(default)]
    pub location: Option<String>,
}

/// How to see a finding again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reproduction {
    /// Steps, in order.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Minimal code, or the command that reproduces it.
    #[serde(default)]
    pub code_snippet: Option<String>,
    /// Conditions that trigger it.
    #[serde(default)]
    pub conditions: Option<String>,
    /// How often it was seen, where somebody counted.
    #[serde(default)]
    pub counted: Option<Counted>,
}

impl Reproduction {
    /// How often it was seen, as a word; absent where nobody counted.
    #[must_use]
    pub fn frequency(&self) -> Option<Frequency> {
        self.counted.and_then(|counted| Frequency::of(counted.seen, counted.trials))
    }
}

/// How many times of how many a finding was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Times it was seen.
    pub seen: u64,
    /// Times it could have been seen.
    pub trials: u64,
}

impl Counted {
    /// The shares that the count allows, with 95 % confidence (Wilson); nothing where nobody tried.
    #[must_use]
    pub fn interval(self) -> Option<crate::stats::Interval> {
        let share = crate::stats::Proportion::new(self.seen, self.trials).ok()?;
        share.wilson(crate::stats::Z_95).ok()
    }
}

/// Whom a finding harms and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Impact {
    /// Who is affected.
    #[serde(default)]
    pub affected_users: Option<String>,
    /// Risk of data loss or corruption.
    #[serde(default)]
    pub data_risk: Option<RiskLevel>,
    /// Risk to security.
    #[serde(default)]
    pub security_risk: Option<RiskLevel>,
    /// Risk of disruption.
    #[serde(default)]
    pub availability_risk: Option<RiskLevel>,
    /// Consequences if it stays.
    #[serde(default)]
    pub business_impact: Option<String>,
    /// The workaround, if there is one.
    #[serde(default)]
    pub workaround: Option<String>,
}

/// What to do about a finding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recommendation {
    /// In one sentence.
    #[serde(default)]
    pub summary: Option<String>,
    /// In full.
    #[serde(default)]
    pub detailed_proposal: Option<String>,
    /// Suggested code.
    #[serde(default)]
    pub code_suggestion: Option<String>,
    /// Estimated effort.
    #[serde(default)]
    pub estimated_effort: Option<Effort>,
    /// Whether the change would break users.
    #[serde(default)]
    pub breaking_change: Option<bool>,
    /// Other ways.
    #[serde(default)]
    pub alternatives: Vec<String>,
}

/// A file of the run folder that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attachment {
    /// Shown name.
    pub name: String,
    /// Path relative to the run folder, with `/`, without `..`.
    pub path: String,
    /// Kind of file: `log`, `diff`, `code`, `trace`, `data`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What one detector saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvidenceItem {
    /// The strategy or detector, such as `side-effect verification`.
    pub detector: String,
    /// What it saw, in one line.
    pub summary: String,
    /// The data behind it.
    pub data: Value,
}

impl Finding {
    /// A finding of medium severity.
    pub fn new(kind: FindingType, title: impl Into<String>) -> Self {
        Finding {
            kind,
            severity: Severity::Medium,
            title: title.into(),
            description: String::new(),
            component: None,
            tags: Vec::new(),
            classification: None,
            reproduction: Reproduction::default(),
            impact: Impact::default(),
            recommendation: Recommendation::default(),
            related: Vec::new(),
            attachments: Vec::new(),
            evidence: Vec::new(),
            rule: String::new(),
            key: None,
            locator: String::new(),
            source_line: None,
            location: None,
        }
    }

    /// A [`FindingType::Bug`].
    pub fn bug(title: impl Into<String>) -> Self {
        Self::new(FindingType::Bug, title)
    }

    /// A [`FindingType::SilentFailure`].
    pub fn silent_failure(title: impl Into<String>) -> Self {
        Self::new(FindingType::SilentFailure, title)
    }

    /// A [`FindingType::Reliability`] issue.
    pub fn reliability(title: impl Into<String>) -> Self {
        Self::new(FindingType::Reliability, title)
    }

    /// A [`FindingType::Performance`] issue.
    pub fn performance(title: impl Into<String>) -> Self {
        Self::new(FindingType::Performance, title)
    }

    /// A [`FindingType::Security`] issue.
    pub fn security(title: impl Into<String>) -> Self {
        Self::new(FindingType::Security, title)
    }

    /// A [`FindingType::Dx`] issue.
    pub fn dx(title: impl Into<String>) -> Self {
        Self::new(FindingType::Dx, title)
    }

    /// A [`FindingType::Documentation`] issue.
    pub fn documentation(title: impl Into<String>) -> Self {
        Self::new(FindingType::Documentation, title)
    }
}

macro_rules! setters {
    ($($(#[$meta:meta])* fn $name:ident($self:ident, $($arg:ident: $ty:ty),+) $body:block)+) => {
        impl Finding {
            $($(#[$meta])* #[must_use] pub fn $name(mut $self, $($arg: $ty),+) -> Self { $body $self })+
        }
    };
}

setters! {
    /// Sets the severity.
    fn severity(self, severity: Severity) { self.severity = severity; }
    /// Sets the full description.
    fn description(self, text: impl Into<String>) { self.description = text.into(); }
    /// Names the component of the system under test.
    fn component(self, name: impl Into<String>) { self.component = Some(name.into()); }
    /// Adds a tag.
    fn tag(self, tag: impl Into<String>) { self.tags.push(tag.into()); }
    /// Says whether it is a bug, a limitation or expected behavior.
    fn classify(self, classification: Classification) { self.classification = Some(classification); }
    /// Adds a step of the reproduction.
    fn step(self, step: impl Into<String>) { self.reproduction.steps.push(step.into()); }
    /// Sets minimal code that reproduces it. The command that runs the test alone is always added by the runtime.
    fn code_snippet(self, code: impl Into<String>) { self.reproduction.code_snippet = Some(code.into()); }
    /// Says under which conditions it happens.
    fn conditions(self, text: impl Into<String>) { self.reproduction.conditions = Some(text.into()); }
    /// Says how many times of how many it was seen. The frequency follows from it.
    fn counted(self, seen: u64, trials: u64) { self.reproduction.counted = Some(Counted { seen, trials }); }
    /// Says who is affected.
    fn affects(self, who: impl Into<String>) { self.impact.affected_users = Some(who.into()); }
    /// Sets the risk to data.
    fn data_risk(self, level: RiskLevel) { self.impact.data_risk = Some(level); }
    /// Sets the risk to security.
    fn security_risk(self, level: RiskLevel) { self.impact.security_risk = Some(level); }
    /// Sets the risk to availability.
    fn availability_risk(self, level: RiskLevel) { self.impact.availability_risk = Some(level); }
    /// Says what happens if it stays.
    fn impact(self, text: impl Into<String>) { self.impact.business_impact = Some(text.into()); }
    /// Describes a workaround.
    fn workaround(self, text: impl Into<String>) { self.impact.workaround = Some(text.into()); }
    /// Recommends what to do, in one sentence.
    fn recommend(self, text: impl Into<String>) { self.recommendation.summary = Some(text.into()); }
    /// Describes the proposal in full.
    fn proposal(self, text: impl Into<String>) { self.recommendation.detailed_proposal = Some(text.into()); }
    /// Suggests code.
    fn code_suggestion(self, code: impl Into<String>) { self.recommendation.code_suggestion = Some(code.into()); }
    /// Estimates the effort.
    fn effort(self, effort: Effort) { self.recommendation.estimated_effort = Some(effort); }
    /// Says whether the change would break users.
    fn breaking(self, breaking: bool) { self.recommendation.breaking_change = Some(breaking); }
    /// Adds an alternative.
    fn alternative(self, text: impl Into<String>) { self.recommendation.alternatives.push(text.into()); }
    /// Names a related finding.
    fn related_to(self, id: impl Into<String>) { self.related.push(id.into()); }
    /// Adds what a detector saw.
    fn evidence(self, detector: impl Into<String>, summary: impl Into<String>, data: Value) {
        self.evidence.push(EvidenceItem { detector: detector.into(), summary: summary.into(), data });
    }
    /// Distinguishes this finding from others of the same rule in the same test, such as by the stage it is about.
    fn key(self, subject: impl Into<String>) { self.key = Some(subject.into()); }
    /// Names the rule that made it.
    fn rule(self, rule: impl Into<String>) { self.rule = rule.into(); }
    /// Attaches a file of the run folder. The path is relative to the folder; a path that leaves it is refused when
    /// the finding is recorded.
    fn attach(self, name: impl Into<String>, path: impl Into<String>, kind: impl Into<String>) {
        self.attachments.push(Attachment { name: name.into(), path: path.into(), kind: kind.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_a_counted_share_follows_from_the_count() {
        use Frequency::{Always, Often, Rarely, Sometimes};
        for (seen, trials, word) in [
            (0, 0, None),
            (0, 9, None),
            (1, 1, Some(Often)),
            (2, 2, Some(Often)),
            (3, 3, Some(Always)),
            (5, 3, Some(Always)),
            (99, 100, Some(Often)),
            (50, 100, Some(Often)),
            (49, 100, Some(Sometimes)),
            (5, 100, Some(Sometimes)),
            (4, 100, Some(Rarely)),
            (u64::MAX, u64::MAX, Some(Always)),
        ] {
            assert_eq!(Frequency::of(seen, trials), word, "{seen} of {trials}");
        }
    }

    #[test]
    fn codes_are_unambiguous() {
        for kind in FindingType::ALL {
            assert_eq!(FindingType::from_code(kind.code()), Some(*kind));
        }
        assert_eq!(FindingType::from_code("SILENT"), Some(FindingType::SilentFailure));
        assert_eq!(FindingType::from_code("bug"), None);
    }

    #[test]
    fn a_finding_survives_its_journal() {
        let finding =
            Finding::bug("t").counted(3, 4).workaround("w").evidence("d", "s", serde_json::json!([1]));
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
    }
}
