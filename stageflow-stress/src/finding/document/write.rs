//! Writing findings.json: narrow. Every document validates under the schema of its profile. The file in the run folder
//! has the one that its first readers know; what that schema has no place for goes under `x_stageflow`.

use std::collections::BTreeMap;

use super::shape::{
    FindingExtension, Metadata, Out, RunExtension, Written, WrittenEnvironment, WrittenFrequency,
    WrittenImpact, WrittenKnown, WrittenRecommendation, WrittenReproduction,
};
use crate::classify::Severity;
use crate::finding::ledger;
use crate::finding::lifecycle::{Resolution, ResolutionType};
use crate::finding::model::{FindingStatus, FindingType, Impact, Recommendation};
use crate::finding::time::is_rfc3339;
use crate::journal::record::{Fact, KnownAs, TestStatus};
use crate::run::state::{RunState, StoredFinding};
use crate::schema::Schema;

/// Which schema a findings document follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// The schema of the first readers: eight types, `completed_at` always there. The exact type is in `x_stageflow`.
    #[default]
    Upstream,
    /// Our own published schema: exact types and severities, `completed_at` only once it is known.
    Extended,
}

impl Profile {
    /// The schema.
    #[must_use]
    pub const fn schema(self) -> Schema {
        match self {
            Profile::Upstream => Schema::FindingsUpstream,
            Profile::Extended => Schema::FindingsExtended,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Profile::Upstream => "upstream",
            Profile::Extended => "extended",
        }
    }
}

/// The statuses of a run that the schema knows.
const STATUSES: [&str; 4] = ["in_progress", "completed", "failed", "blocked"];

/// The content of a run's findings.json, in the profile that every reader understands.
pub fn render(state: &RunState, status: &str, summary: &str) -> Vec<u8> {
    render_as(Profile::Upstream, state, status, summary)
}

/// A findings document in a profile.
///
/// `status` is one of the schema's four words; any other is written as `failed`, and kept as detail. While the run is in
/// progress, `completed_at`, which the schema requires, is the time of the last record, and `x_stageflow.completed` says
/// that it is not the end.
pub fn render_as(profile: Profile, state: &RunState, status: &str, summary: &str) -> Vec<u8> {
    let known_status = STATUSES.into_iter().find(|known| *known == status);
    let started_at = time_or(&state.info.started_at, "1970-01-01T00:00:00Z");
    let mut tests = BTreeMap::new();
    for test in &state.tests {
        *tests.entry(test.status.as_str()).or_insert(0) += 1;
    }
    let ids = ledger::ids(state);
    let of_stageflow = of_stageflow(state);
    let completed =
        status != "in_progress" && !state.tests.iter().any(|test| test.status == TestStatus::Running);
    let upstream = profile == Profile::Upstream;
    let out = Out {
        metadata: Metadata {
            roadmap_entry_id: &state.info.entry.id,
            roadmap_entry_title: &state.info.entry.title,
            agent_run_id: &state.info.uuid,
            started_at,
            completed_at: (completed || upstream).then(|| time_or(&state.last_at, started_at)),
            schema_version: (!upstream).then_some("1.0"),
            status: known_status.unwrap_or("failed"),
            stageflow_version: fact(state, Fact::StageflowVersion),
            agent_model: fact(state, Fact::AgentModel),
            total_findings: state.findings.len(),
            summary,
            x_stageflow: RunExtension {
                format: 1,
                profile: profile.name(),
                sdk_version: env!("CARGO_PKG_VERSION"),
                run_id: &state.info.run_id,
                entry: &state.info.entry.id,
                completed,
                status_detail: known_status.is_none().then_some(status),
                tests,
                lost: state.losses.iter().fold(0, |sum, loss| sum.saturating_add(loss.count)),
                losses: &state.losses,
                unreadable_lines: state.unreadable_lines,
                shards: &state.info.shards,
            },
        },
        findings: state
            .findings
            .iter()
            .map(|stored| {
                let ledger_id = ids.get(stored.fingerprint.as_str()).map(ToString::to_string);
                written(profile, state, stored, ledger_id, &of_stageflow)
            })
            .collect(),
    };
    let mut json = serde_json::to_vec_pretty(&out).unwrap_or_default();
    json.push(b'\n');
    json
}

fn written<'a>(
    profile: Profile,
    state: &'a RunState,
    stored: &'a StoredFinding,
    ledger_id: Option<String>,
    of_stageflow: &BTreeMap<&'a str, &'a str>,
) -> Written<'a> {
    let finding = &stored.finding;
    let (kind, severity) = match profile {
        Profile::Upstream => as_upstream(finding.kind),
        Profile::Extended => (finding.kind, None),
    };
    let severity = severity.unwrap_or(finding.severity);
    let status = stored.status();
    let created_at = time_or(&stored.created_at, time_or(&state.info.started_at, "1970-01-01T00:00:00Z"));

    let mut tags: Vec<&str> = finding.tags.iter().map(String::as_str).collect();
    if kind != finding.kind {
        tags.push(finding.kind.as_str());
    }
    if stored.is_regression() {
        tags.push("regression");
    }
    once(&mut tags);

    let duplicate_of = match status {
        FindingStatus::Duplicate => stored.known.as_ref().and_then(|known| known.duplicate_of.as_deref()),
        _ => None,
    };
    let duplicate_of = duplicate_of.map(|target| id_of(state, target));
    let mut related: Vec<&str> =
        duplicate_of.into_iter().chain(finding.related.iter().map(String::as_str)).collect();
    once(&mut related);

    let resolution = stored.known.as_ref().and_then(|known| resolution(known, status));

    Written {
        id: &stored.id,
        kind,
        severity,
        title: &finding.title,
        description: if finding.description.is_empty() { &finding.title } else { &finding.description },
        status,
        created_at,
        updated_at: time_or(&stored.updated_at, created_at),
        component: finding.component.as_deref(),
        tags,
        reproduction: WrittenReproduction {
            steps: &finding.reproduction.steps,
            code_snippet: finding.reproduction.code_snippet.as_deref(),
            environment: WrittenEnvironment {
                os: &state.info.environment.os,
                dependencies: dependencies(state, stored, of_stageflow),
            },
            frequency: stored.frequency(),
            conditions: finding.reproduction.conditions.as_deref(),
        },
        impact: (finding.impact != Impact::default()).then(|| impact(&finding.impact)),
        recommendation: (finding.recommendation != Recommendation::default())
            .then(|| recommendation(&finding.recommendation)),
        resolved_at: stored
            .known
            .as_ref()
            .and_then(|known| known.resolution.as_ref()?.resolved_at.as_deref())
            .filter(|at| resolution.is_some() && is_rfc3339(at)),
        resolution: resolution.map(|how| Resolution { resolved_at: None, ..how }),
        related_findings: related,
        attachments: finding.attachments.iter().filter(|attachment| attachment.check().is_ok()).collect(),
        x_stageflow: FindingExtension {
            kind: finding.kind,
            severity: finding.severity,
            fingerprint: &stored.fingerprint,
            rule: &finding.rule,
            key: finding.key.as_deref(),
            locator: &finding.locator,
            source_line: finding.source_line.as_deref(),
            location: finding.location.as_deref(),
            classification: finding.classification,
            source: &stored.source,
            occurrences: stored.occurrences,
            tests: &stored.tests,
            duplicate_occurrences: stored.duplicate_occurrences,
            frequency: stored.counted().map(WrittenFrequency::of),
            known: stored.known.as_ref().map(|known| WrittenKnown {
                id: known.id.as_deref(),
                status: &known.status,
                why: &known.why,
                revision: known.history.len(),
                resolution: known.resolution.as_ref().filter(|_| stored.is_regression()),
                history: &known.history,
            }),
            duplicate_of,
            possible_duplicate_of: stored
                .possible_duplicate_of
                .iter()
                .map(|fingerprint| id_of(state, fingerprint))
                .collect(),
            aliases: &stored.aliases,
            ledger_id,
            evidence: &finding.evidence,
            sightings: &stored.sightings,
            foreign: stored.foreign.as_ref(),
            refused_attachments: finding
                .attachments
                .iter()
                .filter_map(|attachment| attachment.check().err())
                .map(|error| error.to_string())
                .collect(),
        },
    }
}

/// How a finding was resolved. A file that was written by hand says only why.
fn resolution(known: &KnownAs, status: FindingStatus) -> Option<Resolution> {
    let kind = match status {
        FindingStatus::WontFix => ResolutionType::WontFix,
        FindingStatus::Duplicate => ResolutionType::Duplicate,
        FindingStatus::Resolved => ResolutionType::Fixed,
        // One that was seen again is not resolved.
        _ => return None,
    };
    let mut resolution = known.resolution.clone().unwrap_or_else(|| Resolution::new(kind));
    resolution.resolution_details.get_or_insert_with(|| known.why.clone());
    Some(resolution)
}

/// A type in the words of the schema, and the severity that it has there if not its own. The exact
/// ones are kept under `x_stageflow`, the exact type also as tag.
pub fn as_upstream(kind: FindingType) -> (FindingType, Option<Severity>) {
    match kind {
        FindingType::SilentFailure => (FindingType::Reliability, None),
        FindingType::LogIssue => (FindingType::Bug, None),
        FindingType::Strength => (FindingType::Improvement, Some(Severity::Info)),
        kind => (kind, None),
    }
}

fn impact(impact: &Impact) -> WrittenImpact<'_> {
    WrittenImpact {
        affected_users: impact.affected_users.as_deref(),
        data_risk: impact.data_risk,
        security_risk: impact.security_risk,
        availability_risk: impact.availability_risk,
        business_impact: impact.business_impact.as_deref(),
        workaround_available: impact.workaround.is_some().then_some(true),
        workaround_description: impact.workaround.as_deref(),
    }
}

fn recommendation(recommendation: &Recommendation) -> WrittenRecommendation<'_> {
    WrittenRecommendation {
        summary: recommendation.summary.as_deref(),
        detailed_proposal: recommendation.detailed_proposal.as_deref(),
        code_suggestion: recommendation.code_suggestion.as_deref(),
        estimated_effort: recommendation.estimated_effort,
        breaking_change: recommendation.breaking_change,
        alternatives: &recommendation.alternatives,
    }
}

/// Stageflow's packages. The whole list is in `config/environment.json`, once, instead of in every finding.
fn of_stageflow(state: &RunState) -> BTreeMap<&str, &str> {
    let all = state.info.environment.dependencies.iter();
    all.filter(|(name, _)| name.contains("stageflow"))
        .map(|(name, version)| (name.as_str(), version.as_str()))
        .collect()
}

/// The compiler, Stageflow's packages and the packages whose tests saw the finding.
fn dependencies<'a>(
    state: &'a RunState,
    stored: &'a StoredFinding,
    of_stageflow: &BTreeMap<&'a str, &'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let environment = &state.info.environment;
    let mut dependencies = of_stageflow.clone();
    for test in state.tests.iter().filter(|test| stored.tests.contains(&test.start.name)) {
        dependencies.insert(&test.start.package, &test.start.package_version);
    }
    dependencies.extend(environment.rustc.as_deref().map(|version| ("rustc", version)));
    dependencies
}

/// The id of a duplicate's target, where it is a fingerprint of this run.
fn id_of<'a>(state: &'a RunState, target: &'a str) -> &'a str {
    state
        .findings
        .iter()
        .find(|stored| stored.fingerprint == target)
        .map_or(target, |stored| stored.id.as_str())
}

/// A fact of the setting: what a test said, else what `stageflow.toml` says.
pub(in crate::finding) fn fact(state: &RunState, wanted: Fact) -> Option<&str> {
    state
        .tests
        .iter()
        .flat_map(|test| &test.facts)
        .chain(&state.info.settings)
        .find(|fact| fact.fact == wanted)
        .map(|fact| fact.value.as_str())
}

/// Keeps the first of equal values.
fn once(values: &mut Vec<&str>) {
    let mut seen = std::collections::BTreeSet::new();
    values.retain(|value| seen.insert(*value));
}

/// The time if it is one. A damaged journal must not make a document that nobody can read.
pub(in crate::finding) fn time_or<'a>(time: &'a str, otherwise: &'a str) -> &'a str {
    if is_rfc3339(time) { time } else { otherwise }
}

/// The schema that every rendered document satisfies.
#[cfg(test)]
fn schema() -> serde_json::Value {
    serde_json::from_str(Schema::FindingsUpstream.text()).expect("a schema")
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
