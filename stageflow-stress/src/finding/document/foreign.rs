//! A finding of another tool as one of ours. What there is no place for is kept beside it.

use serde_json::Value;

use super::raw::RawObject;
use super::read::DocumentFinding;
use crate::classify::Severity;
use crate::finding::fingerprint::is_fingerprint;
use crate::finding::ids::FindingId;
use crate::finding::mask::mask;
use crate::finding::model::{Classification, Finding, FindingStatus, FindingType};
use crate::finding::time::is_rfc3339;
use crate::journal::record::KnownAs;

/// A finding of another tool.
pub(crate) struct Foreign {
    /// What of it we have a place for.
    pub finding: Finding,
    /// Its id, if it is one.
    pub id: Option<String>,
    /// Its fingerprint, where this library wrote the document.
    pub fingerprint: Option<String>,
    /// When it was found, if that is a time.
    pub created_at: Option<String>,
    /// When it was changed, if that is a time.
    pub updated_at: Option<String>,
    /// What the tool said of its status, unless it is open.
    pub known: Option<KnownAs>,
    /// Everything that it says, with texts that are no valid Unicode healed.
    pub fields: Value,
}

impl Foreign {
    /// Reads the text of a finding; nothing if it is no object.
    pub fn read(json: &str) -> Option<Self> {
        let fields: RawObject = super::raw::read(serde_json::from_str(json).ok()?)?;
        let read = DocumentFinding::new(fields);
        let all: Value = serde_json::from_str(&super::raw::heal(json)).ok()?;
        let time = |at: &Option<String>| at.clone().filter(|at| is_rfc3339(at));
        Some(Foreign {
            finding: finding(&read),
            id: Some(read.id.clone()).filter(|id| id.parse::<FindingId>().is_ok()),
            fingerprint: read.fingerprint.clone().filter(|print| is_fingerprint(print)),
            created_at: time(&read.created_at),
            updated_at: time(&read.updated_at),
            known: known(&read),
            fields: all,
        })
    }
}

fn finding(read: &DocumentFinding) -> Finding {
    let kind = read.kind.known().unwrap_or_else(|| match read.kind.to_string().to_lowercase().as_str() {
        "feature" | "enhancement" => FindingType::FeatureRequest,
        "doc" | "docs" => FindingType::Documentation,
        "api_improvement" | "suggestion" => FindingType::Improvement,
        _ => FindingType::Bug,
    });
    let title = if read.title.trim().is_empty() { "a finding without a title" } else { &read.title };
    let mut finding = Finding::new(kind, title)
        .severity(read.severity.known().unwrap_or(Severity::Medium))
        .description(&read.description)
        .rule("imported")
        // The same title with another text is another finding.
        .key(mask(&read.description));
    finding.component.clone_from(&read.component);
    finding.tags.clone_from(&read.tags);
    let field = |name: &str| read.field(name).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(list) => list.iter().filter_map(text).collect(),
            Value::String(one) => vec![one.clone()],
            _ => Vec::new(),
        }
    };
    let (reproduction, impact, recommendation) =
        (field("reproduction"), field("impact"), field("recommendation"));
    finding.reproduction.steps = texts(&reproduction["steps"]);
    finding.reproduction.code_snippet = text(&reproduction["code_snippet"]);
    finding.reproduction.conditions = text(&reproduction["conditions"]);
    finding.impact.affected_users = text(&impact["affected_users"]);
    let level = |name: &str| impact[name].as_str().and_then(|level| level.parse().ok());
    finding.impact.data_risk = level("data_risk");
    finding.impact.security_risk = level("security_risk");
    finding.impact.availability_risk = level("availability_risk");
    finding.impact.business_impact = text(&impact["business_impact"]);
    finding.impact.workaround = text(&impact["workaround_description"]);
    finding.recommendation.summary = text(&recommendation["summary"]);
    finding.recommendation.detailed_proposal = text(&recommendation["detailed_proposal"]);
    finding.recommendation.code_suggestion = text(&recommendation["code_suggestion"]);
    finding.recommendation.estimated_effort =
        recommendation["estimated_effort"].as_str().and_then(|effort| effort.parse().ok());
    finding.recommendation.breaking_change = recommendation["breaking_change"].as_bool();
    finding.recommendation.alternatives = texts(&recommendation["alternatives"]);
    finding.related = texts(&field("related_findings"));
    finding.classification = read
        .extension("classification")
        .and_then(|word| word.as_str().and_then(|word| word.parse::<Classification>().ok()));
    finding
}

/// A status that somebody gave it. The committed file has the last word wherever it lists the finding.
fn known(read: &DocumentFinding) -> Option<KnownAs> {
    let status = read.status.known().filter(|status| *status != FindingStatus::Open)?;
    let resolution = read.field("resolution").and_then(|how| serde_json::from_value(how).ok());
    let resolved_at = read.field("resolved_at").and_then(|at| at.as_str().map(str::to_owned));
    let resolution = resolution.map(|how: crate::finding::Resolution| crate::finding::Resolution {
        resolved_at: resolved_at.clone().filter(|at| is_rfc3339(at)),
        ..how
    });
    Some(KnownAs {
        status: status.to_string(),
        why: "as the imported document says".to_owned(),
        duplicate_of: read
            .field("related_findings")
            .and_then(|related| related[0].as_str().map(str::to_owned)),
        resolution,
        // It was not seen here, so it cannot have come back.
        fixed_at: Some("9999-12-31T23:59:59Z".to_owned()),
        ..KnownAs::default()
    })
}
