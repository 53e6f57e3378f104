//! The ledgers of a run: strengths.json, bugs.json, dx.json, improvements.json.
//!
//! An entry is a finding seen from the ledger's side, or a note about what works or what is missing that was recorded as
//! such. Ids count within the run; `finding_id` leads to the finding.

pub(super) mod file;
pub(super) mod lint;
mod style;

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::document::{fact, time_or};
use super::ids::LedgerId;
use super::model::FindingType;
use crate::classify::{Priority, Severity};
use crate::journal::record::{Fact, Ledger, LedgerRecord};
use crate::run::state::{RunState, StoredFinding, Timed};

/// What stands in a field of the template that nobody filled in.
const NOT_RECORDED: &str = "not recorded";

/// What stands for the time of a record whose journal was damaged.
const UNKNOWN_TIME: &str = "1970-01-01T00:00:00Z";

impl Ledger {
    /// Its file within the run folder.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Ledger::Strengths => "strengths.json",
            Ledger::Bugs => "bugs.json",
            Ledger::Dx => "dx.json",
            Ledger::Improvements => "improvements.json",
        }
    }

    /// The ledger in which a finding of a type is listed.
    #[must_use]
    pub const fn of(kind: FindingType) -> Self {
        match kind {
            FindingType::Bug
            | FindingType::Security
            | FindingType::Performance
            | FindingType::Reliability
            | FindingType::SilentFailure
            | FindingType::LogIssue => Ledger::Bugs,
            FindingType::Dx | FindingType::Documentation => Ledger::Dx,
            FindingType::Improvement | FindingType::FeatureRequest => Ledger::Improvements,
            FindingType::Strength => Ledger::Strengths,
        }
    }

    /// The fields of its template, each with what belongs there.
    const fn template(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Ledger::Strengths => &[
                ("id", "STR-XXX"),
                ("agent", "who recorded it"),
                ("title", "short and descriptive"),
                ("description", "what works well"),
                ("component", "the component that works well"),
                ("evidence", "what shows it"),
                ("context", "where it was seen"),
                ("impact", "high, medium or low, or whom it helps"),
            ],
            Ledger::Bugs => &[
                ("id", "BUG-XXX"),
                ("agent", "who recorded it"),
                ("title", "short and descriptive"),
                ("description", "what happens"),
                ("type", "bug, security, performance, reliability, silent_failure or log_issue"),
                ("severity", "critical, high, medium, low or info"),
                ("component", "the component that is affected"),
                ("reproduction", "how to see it again"),
                ("expected_behavior", "what should happen"),
                ("actual_behavior", "what happens instead"),
                ("impact", "what happens if it stays"),
                ("recommendation", "what to do"),
            ],
            Ledger::Dx => &[
                ("id", "DX-XXX"),
                ("agent", "who recorded it"),
                ("title", "short and descriptive"),
                ("description", "what makes work hard"),
                ("category", "dx or documentation, or an aspect of the developer experience"),
                ("severity", "critical, high, medium, low or info"),
                ("component", "the component that is affected"),
                ("context", "where it was met"),
                ("impact", "what it costs"),
                ("recommendation", "what to do"),
            ],
            Ledger::Improvements => &[
                ("id", "IMP-XXX"),
                ("agent", "who recorded it"),
                ("title", "short and descriptive"),
                ("description", "what should be there"),
                (
                    "type",
                    "improvement, feature_request, stagekind_suggestion, component_suggestion or pattern_suggestion",
                ),
                ("priority", "P0, P1 or P2"),
                ("category", "what it belongs to"),
                ("context", "where it was missed"),
                ("rationale", "why it is worth it"),
                ("proposed_solution", "how it could look"),
                ("roleplay_perspective", "what it means to the persona"),
            ],
        }
    }
}

/// The template of a ledger, as fields in their order.
fn template_of(ledger: Ledger) -> Vec<(String, Value)> {
    ledger.template().iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect()
}

/// An object whose fields keep their order.
struct Ordered(Vec<(String, Value)>);

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What a ledger lists.
#[derive(Clone, Copy)]
enum Listed<'a> {
    Finding(&'a StoredFinding),
    Record(&'a Timed<LedgerRecord>),
}

/// The ledgers that have entries, as file names with their contents.
pub fn render(state: &RunState) -> Vec<(String, Vec<u8>)> {
    let agent = fact(state, Fact::AgentModel).unwrap_or(NOT_RECORDED);
    let mut files = Vec::new();
    for ledger in Ledger::ALL.iter().copied() {
        let entries: Vec<Ordered> = listed(state, ledger)
            .into_iter()
            .map(|(id, listed)| match listed {
                Listed::Finding(stored) => of_finding(ledger, id, agent, stored),
                Listed::Record(record) => of_record(ledger, id, agent, record),
            })
            .collect();
        if entries.is_empty() {
            continue;
        }
        let template = template_of(ledger);
        let mut content = Vec::new();
        let mut serializer = serde_json::Serializer::pretty(&mut content);
        let written = (|| {
            let mut map = serde::Serializer::serialize_map(&mut serializer, Some(2))?;
            map.serialize_entry("template", &Ordered(template))?;
            map.serialize_entry("entries", &entries)?;
            map.end()
        })();
        // Writing texts and JSON values into memory cannot fail.
        debug_assert!(written.is_ok());
        content.push(b'\n');
        files.push((ledger.file().to_owned(), content));
    }
    files
}

/// The ledger ids of a run's findings, by fingerprint.
pub(super) fn ids(state: &RunState) -> BTreeMap<&str, LedgerId> {
    let all = Ledger::ALL.iter().flat_map(|ledger| listed(state, *ledger));
    all.filter_map(|(id, listed)| match listed {
        Listed::Finding(stored) => Some((stored.fingerprint.as_str(), id)),
        Listed::Record(_) => None,
    })
    .collect()
}

/// The entries of a ledger that were recorded as such, with their ids, in their order.
pub(crate) fn records(state: &RunState, ledger: Ledger) -> Vec<(LedgerId, &LedgerRecord)> {
    let all = listed(state, ledger).into_iter();
    all.filter_map(|(id, listed)| match listed {
        Listed::Record(record) => Some((id, &record.value)),
        Listed::Finding(_) => None,
    })
    .collect()
}

/// What a ledger lists, by the time at which it was first recorded, so that an id stays when more is recorded.
fn listed(state: &RunState, ledger: Ledger) -> Vec<(LedgerId, Listed<'_>)> {
    let findings = state.findings.iter().filter(|stored| Ledger::of(stored.finding.kind) == ledger);
    let records = state.ledger.iter().filter(|record| record.value.ledger == ledger);
    let mut all: Vec<(&str, &str, Listed<'_>)> = findings
        .map(|stored| (stored.created_at.as_str(), stored.fingerprint.as_str(), Listed::Finding(stored)))
        .chain(records.map(|record| (record.at.as_str(), "", Listed::Record(record))))
        .collect();
    // Stable: records of the same time stay in the order in which they were recorded.
    all.sort_by(|left, right| (left.0, left.1).cmp(&(right.0, right.1)));
    all.into_iter().zip(1..).map(|((_, _, listed), number)| (LedgerId { ledger, number }, listed)).collect()
}

fn of_finding(ledger: Ledger, id: LedgerId, agent: &str, stored: &StoredFinding) -> Ordered {
    let finding = &stored.finding;
    let text = |value: Option<&str>| json!(value.filter(|v| !v.is_empty()).unwrap_or(NOT_RECORDED));
    let description = if finding.description.is_empty() { &finding.title } else { &finding.description };
    let context = finding.reproduction.conditions.clone().unwrap_or_else(|| stored.tests.join(", "));
    let fields = ledger.template().iter().map(|(key, _)| {
        let value = match *key {
            "id" => json!(id.to_string()),
            "agent" => json!(agent),
            "title" => json!(finding.title),
            "description" | "actual_behavior" => json!(description),
            "type" | "category" => json!(finding.kind),
            "severity" => json!(finding.severity),
            "priority" => json!(priority(finding.severity)),
            "component" => text(finding.component.as_deref()),
            "reproduction" => text(Some(&reproduction(stored))),
            "context" => text(Some(&context)),
            "evidence" => {
                let seen: Vec<String> = finding
                    .evidence
                    .iter()
                    .map(|item| format!("{}: {}", item.detector, item.summary))
                    .collect();
                text(Some(&seen.join("; ")))
            }
            "impact" | "rationale" => text(finding.impact.business_impact.as_deref()),
            "recommendation" => text(finding.recommendation.summary.as_deref()),
            "proposed_solution" => text(
                finding
                    .recommendation
                    .detailed_proposal
                    .as_deref()
                    .or(finding.recommendation.summary.as_deref()),
            ),
            _ => json!(NOT_RECORDED),
        };
        ((*key).to_owned(), value)
    });
    let mut fields: Vec<(String, Value)> = fields.collect();
    fields.push(("created_at".to_owned(), json!(time_or(&stored.created_at, UNKNOWN_TIME))));
    fields.push(("finding_id".to_owned(), json!(stored.id)));
    Ordered(fields)
}

/// An entry that was recorded as such: the fields of the template first, then whatever else it has. Id, agent and time
/// are never taken from it.
fn of_record(ledger: Ledger, id: LedgerId, agent: &str, record: &Timed<LedgerRecord>) -> Ordered {
    let entry = &record.value.entry;
    let mut fields: Vec<(String, Value)> = ledger
        .template()
        .iter()
        .map(|(key, _)| {
            let value = match *key {
                "id" => json!(id.to_string()),
                "agent" => json!(agent),
                key => {
                    entry.get(key).filter(|v| !v.is_null()).cloned().unwrap_or_else(|| json!(NOT_RECORDED))
                }
            };
            ((*key).to_owned(), value)
        })
        .collect();
    for (key, value) in entry {
        let given = key == "created_at" || key == "test" || fields.iter().any(|(known, _)| known == key);
        if !given {
            fields.push((key.clone(), value.clone()));
        }
    }
    fields.push(("created_at".to_owned(), json!(time_or(&record.at, UNKNOWN_TIME))));
    if !record.test.is_empty() {
        fields.push(("test".to_owned(), json!(record.test)));
    }
    Ordered(fields)
}

fn reproduction(stored: &StoredFinding) -> String {
    let reproduction = &stored.finding.reproduction;
    let steps = reproduction.steps.iter().map(String::as_str);
    steps.chain(reproduction.code_snippet.as_deref()).collect::<Vec<_>>().join("; ")
}

fn priority(severity: Severity) -> Priority {
    match severity {
        Severity::Critical | Severity::High => Priority::P0,
        Severity::Medium => Priority::P1,
        Severity::Low | Severity::Info => Priority::P2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::samples;

    fn files(state: &RunState) -> BTreeMap<String, Value> {
        render(state)
            .into_iter()
            .map(|(name, content)| (name, serde_json::from_slice(&content).unwrap()))
            .collect()
    }

    #[test]
    fn an_empty_run_has_no_ledgers() {
        assert_eq!(render(&samples::empty()), []);
    }

    #[test]
    fn every_type_is_listed_once_with_all_fields_of_its_template() {
        let state = samples::every_type();
        let files = files(&state);
        let mut seen = 0;
        for (name, ledger) in &files {
            let fields: Vec<&String> = ledger["template"].as_object().unwrap().keys().collect();
            for entry in ledger["entries"].as_array().unwrap() {
                assert!(fields.iter().all(|field| entry.get(field).is_some()), "{name}: {entry}");
                let id: LedgerId = entry["id"].as_str().unwrap().parse().unwrap();
                assert_eq!(id.ledger.file(), name);
                let stored = state.findings.iter().find(|stored| stored.id == entry["finding_id"]).unwrap();
                assert_eq!(Ledger::of(stored.finding.kind), id.ledger);
                assert_eq!(entry["title"], stored.finding.title);
                assert_eq!(ids(&state)[stored.fingerprint.as_str()], id);
                seen += 1;
            }
        }
        assert_eq!(seen, FindingType::ALL.len());
        assert_eq!(files.len(), 4);
        assert_eq!(files["bugs.json"]["entries"].as_array().unwrap().len(), 6);
    }

    #[test]
    fn records_keep_their_fields_but_not_their_identity() {
        let mut state = samples::empty();
        let entry = json!({ "title": "t", "id": "STR-999", "agent": "forged", "created_at": "1999", "extra": [1], "impact": null });
        let Value::Object(entry) = entry else { unreachable!("an object") };
        for at in ["2026-01-14T10:00:00.000002Z", "2026-01-14T10:00:00.000001Z"] {
            let value = LedgerRecord { ledger: Ledger::Strengths, entry: entry.clone() };
            state.ledger.push(Timed { at: at.to_owned(), test: "a::b".to_owned(), value });
        }
        let text = String::from_utf8(render(&state).remove(0).1).unwrap();
        assert_eq!(text.matches("\"created_at\"").count(), 2, "one time in each entry");
        let files = files(&state);
        let entries = files["strengths.json"]["entries"].as_array().unwrap();
        assert_eq!((&entries[0]["id"], &entries[1]["id"]), (&json!("STR-001"), &json!("STR-002")));
        assert_eq!(entries[0]["created_at"], "2026-01-14T10:00:00.000001Z", "the earlier comes first");
        assert_eq!(
            (&entries[0]["agent"], &entries[0]["impact"]),
            (&json!(NOT_RECORDED), &json!(NOT_RECORDED))
        );
        assert_eq!((&entries[0]["extra"], &entries[0]["test"]), (&json!([1]), &json!("a::b")));
    }

    #[test]
    fn ids_stay_when_more_is_recorded() {
        let mut state = samples::every_type();
        let before: Vec<(String, LedgerId)> =
            ids(&state).into_iter().map(|(f, id)| (f.to_owned(), id)).collect();
        let mut later = state.findings[0].clone();
        later.finding.kind = FindingType::Bug;
        later.finding.severity = Severity::Critical;
        later.fingerprint = "sfp1:0".to_owned();
        later.created_at = "2027-01-01T00:00:00Z".to_owned();
        state.findings.insert(0, later);
        for (fingerprint, id) in before {
            assert_eq!(ids(&state)[fingerprint.as_str()], id);
        }
    }

    #[test]
    fn fields_stand_in_the_order_of_the_template_and_the_agent_is_named() {
        let mut state = samples::every_type();
        state.info.settings.push(crate::journal::record::ContextFact {
            fact: Fact::AgentModel,
            value: "model-7".to_owned(),
        });
        let (_, content) = render(&state).into_iter().find(|(name, _)| name == "dx.json").unwrap();
        let text = String::from_utf8(content).unwrap();
        assert!(text.starts_with("{\n  \"template\": {\n    \"id\": \"DX-XXX\",\n    \"agent\": "), "{text}");
        assert!(
            text.contains("\"id\": \"DX-001\",\n      \"agent\": \"model-7\",\n      \"title\": "),
            "{text}"
        );
        assert!(text.ends_with("\n"));
    }
}
