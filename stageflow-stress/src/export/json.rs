//! JSON and JSON lines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Exported, Item, Profile};
use crate::classify::Severity;
use crate::finding::{FindingStatus, FindingType};

/// One document in the shape of `aggregated_findings.json`, with every count, zeros included.
pub fn document(exported: &Exported, profile: Profile) -> Vec<u8> {
    let findings: Vec<Value> = exported.items.iter().map(|item| aggregated(item, profile)).collect();
    let all = |words: Vec<&str>, value: fn(&Item) -> String| {
        let mut counts: BTreeMap<String, usize> = words.into_iter().map(|w| (w.to_owned(), 0)).collect();
        for item in &exported.items {
            *counts.entry(value(item)).or_default() += 1;
        }
        counts
    };
    let document = json!({
        "generated_at": exported.at,
        "total_runs": exported.total_runs,
        "total_findings": findings.len(),
        "by_type": all(FindingType::ALL.iter().map(|w| w.as_str()).collect(), |item| item.kind.to_string()),
        "by_severity": all(Severity::ALL.iter().map(|w| w.as_str()).collect(), |item| item.severity.to_string()),
        "by_status": all(FindingStatus::ALL.iter().map(|w| w.as_str()).collect(), |item| item.status.to_string()),
        "by_component": components(&exported.items),
        "problems": exported.problems,
        "findings": findings,
    });
    let mut text = serde_json::to_vec_pretty(&document).unwrap_or_default();
    text.push(b'\n');
    text
}

/// A finding with where it comes from, as an aggregate says it.
fn aggregated(item: &Item, profile: Profile) -> Value {
    let mut finding = item.object(profile);
    let run = item.runs.last().map_or_else(String::new, |run| format!("{}/{run}", item.entry));
    let added = json!({
        "entry": item.entry, "run_path": run, "runs": item.runs.len(), "occurrences": item.occurrences,
    });
    finding.insert("x_aggregate".to_owned(), added);
    Value::Object(finding)
}

/// Findings by component, which people write in different cases: the first spelling stands for all.
fn components(items: &[Item]) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for item in items {
        let name =
            item.component.as_deref().map(str::trim).filter(|name| !name.is_empty()).unwrap_or("Other");
        counts.entry(name.to_lowercase()).or_insert_with(|| (name.to_owned(), 0)).1 += 1;
    }
    counts.into_values().collect()
}

/// One finding a line.
pub fn lines(exported: &Exported, profile: Profile) -> Vec<u8> {
    let mut text = Vec::new();
    for item in &exported.items {
        text.extend(serde_json::to_vec(&item.object(profile)).unwrap_or_default());
        text.push(b'\n');
    }
    text
}
