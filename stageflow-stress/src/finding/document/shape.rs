//! What stands in findings.json, in its order.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::classify::Severity;
use crate::finding::lifecycle::{Resolution, Transition};
use crate::finding::model::{
    Attachment, Classification, Counted, Effort, EvidenceItem, FindingStatus, FindingType, Frequency,
    RiskLevel,
};
use crate::journal::record::Loss;
use crate::run::state::Sighting;

#[derive(Serialize)]
pub struct Out<'a> {
    pub metadata: Metadata<'a>,
    pub findings: Vec<Written<'a>>,
}

#[derive(Serialize)]
pub struct Metadata<'a> {
    pub roadmap_entry_id: &'a str,
    pub roadmap_entry_title: &'a str,
    pub agent_run_id: &'a str,
    pub started_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<&'a str>,
    pub status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stageflow_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_model: Option<&'a str>,
    pub total_findings: usize,
    pub summary: &'a str,
    pub x_stageflow: RunExtension<'a>,
}

#[derive(Serialize)]
pub struct RunExtension<'a> {
    pub format: u32,
    pub profile: &'static str,
    pub sdk_version: &'static str,
    pub run_id: &'a str,
    pub entry: &'a str,
    pub completed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<&'a str>,
    pub tests: BTreeMap<&'static str, usize>,
    pub lost: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub losses: &'a [Loss],
    pub unreadable_lines: u64,
    /// Identities of the runs that were merged into this one.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub shards: &'a [String],
}

#[derive(Serialize)]
pub struct Written<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: FindingType,
    pub severity: Severity,
    pub title: &'a str,
    pub description: &'a str,
    pub status: FindingStatus,
    pub created_at: &'a str,
    pub updated_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<&'a str>,
    pub tags: Vec<&'a str>,
    pub reproduction: WrittenReproduction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<WrittenImpact<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<WrittenRecommendation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_findings: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<&'a Attachment>,
    pub x_stageflow: FindingExtension<'a>,
}

#[derive(Serialize)]
pub struct WrittenReproduction<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub steps: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_snippet: Option<&'a str>,
    pub environment: WrittenEnvironment<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<&'a str>,
}

#[derive(Serialize)]
pub struct WrittenEnvironment<'a> {
    pub os: &'a str,
    pub dependencies: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
pub struct WrittenImpact<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affected_users: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_risk: Option<RiskLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_risk: Option<RiskLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_risk: Option<RiskLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_impact: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workaround_available: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workaround_description: Option<&'a str>,
}

#[derive(Serialize)]
pub struct WrittenRecommendation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed_proposal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_suggestion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaking_change: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub alternatives: &'a [String],
}

/// What the committed file says. Its word for a regression is `resolved`, while the finding is open.
#[derive(Serialize)]
pub struct WrittenKnown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    pub status: &'a str,
    pub why: &'a str,
    pub revision: usize,
    /// Of a regression: the schema has no place for a resolution of an open finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<&'a Resolution>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub history: &'a [Transition],
}

#[derive(Serialize)]
pub struct FindingExtension<'a> {
    #[serde(rename = "type")]
    pub kind: FindingType,
    pub severity: Severity,
    pub fingerprint: &'a str,
    pub rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    pub locator: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    pub source: &'a str,
    pub occurrences: u64,
    pub tests: &'a [String],
    /// What was seen of duplicates of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicate_occurrences: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<WrittenFrequency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<WrittenKnown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub possible_duplicate_of: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub aliases: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_id: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub evidence: &'a [EvidenceItem],
    /// Other sightings of it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub sightings: &'a [Sighting],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_attachments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<&'a serde_json::Value>,
}

/// How often it was seen, with the interval that the count allows.
#[derive(Serialize)]
pub struct WrittenFrequency {
    pub seen: u64,
    pub trials: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    pub confidence: f64,
}

impl WrittenFrequency {
    pub fn of(counted: Counted) -> Self {
        let interval = counted.interval();
        // Four digits: the rest is noise, and makes the same records give other bytes on another processor.
        let short = |bound: f64| (bound * 10_000.0).round() / 10_000.0;
        WrittenFrequency {
            seen: counted.seen,
            trials: counted.trials,
            low: interval.map(|interval| short(interval.low)),
            high: interval.map(|interval| short(interval.high)),
            confidence: 0.95,
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
