//! How a finding was resolved.

use serde::{Deserialize, Serialize};

use crate::classify::words;
use crate::finding::model::FindingStatus;

words! {
    /// How a finding was resolved.
    pub enum ResolutionType: "resolution type" {
        /// The defect is gone. Seen again, it is a regression.
        Fixed = "fixed",
        /// It stays.
        WontFix = "wont_fix",
        /// It is the same as another finding.
        Duplicate = "duplicate",
        /// The behavior is meant to be so.
        ByDesign = "by_design",
        /// Nobody could see it again. Seen again, it is a regression.
        CannotReproduce = "cannot_reproduce",
    }
}

impl ResolutionType {
    /// The status that a finding of this resolution has.
    #[must_use]
    pub const fn status(self) -> FindingStatus {
        match self {
            ResolutionType::Fixed | ResolutionType::ByDesign | ResolutionType::CannotReproduce => {
                FindingStatus::Resolved
            }
            ResolutionType::WontFix => FindingStatus::WontFix,
            ResolutionType::Duplicate => FindingStatus::Duplicate,
        }
    }
}

/// How a finding was resolved: the fields of the findings schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resolution {
    /// Who resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// How.
    pub resolution_type: ResolutionType,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_details: Option<String>,
    /// The commit that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_hash: Option<String>,
    /// The pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr_link: Option<String>,
    /// The version that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_version: Option<String>,
    /// How to see that it is resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification_steps: Vec<String>,
    /// When it was resolved, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<String>,
}

macro_rules! setters {
    ($($(#[$meta:meta])* fn $name:ident => $field:ident)+) => {
        $($(#[$meta])* #[must_use] pub fn $name(mut self, text: impl Into<String>) -> Self {
            self.$field = Some(text.into()).filter(|text: &String| !text.trim().is_empty());
            self
        })+
    };
}

impl Resolution {
    /// A resolution without details. One of details, commit, pull request or release is needed before it is accepted.
    #[must_use]
    pub const fn new(resolution_type: ResolutionType) -> Self {
        Resolution {
            resolved_by: None,
            resolution_type,
            resolution_details: None,
            commit_hash: None,
            pr_link: None,
            release_version: None,
            verification_steps: Vec::new(),
            resolved_at: None,
        }
    }

    setters! {
        /// Says in words what was done.
        fn details => resolution_details
        /// Names the commit.
        fn commit => commit_hash
        /// Names the pull request.
        fn pr => pr_link
        /// Names the version that has it.
        fn release => release_version
    }

    /// Adds a step that shows that it is resolved.
    #[must_use]
    pub fn verify(mut self, step: impl Into<String>) -> Self {
        self.verification_steps.push(step.into());
        self
    }

    /// The reason in one line: the details, else what the other fields say.
    pub(super) fn reason(&self) -> Option<String> {
        if let Some(details) = &self.resolution_details {
            return Some(details.clone());
        }
        let named = [
            ("commit", &self.commit_hash),
            ("pull request", &self.pr_link),
            ("release", &self.release_version),
        ];
        let parts: Vec<String> = named
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
            .collect();
        (!parts.is_empty()).then(|| format!("{} in {}", self.resolution_type, parts.join(", ")))
    }

    /// Whether it says nothing that the other does not say.
    pub(super) fn is_within(&self, other: &Resolution) -> bool {
        let within = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        self.resolution_type == other.resolution_type
            && within(&self.resolution_details, &other.resolution_details)
            && within(&self.commit_hash, &other.commit_hash)
            && within(&self.pr_link, &other.pr_link)
            && within(&self.release_version, &other.release_version)
            && self.verification_steps.iter().all(|step| other.verification_steps.contains(step))
    }
}
