//! SARIF 2.1.0, within what GitHub's code scanning takes.
//!
//! GitHub identifies a result by `partialFingerprints.primaryLocationLineHash`, its rule and its file. It refuses a file of
//! more than 10 MB (compressed) and shows the 5,000 worst results, so the export stops there and says how many it left out.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::{Exported, Item};
use crate::classify::Severity;
use crate::finding::{FindingStatus, FindingType};

/// Results that code scanning shows.
const MOST_RESULTS: usize = 5_000;
/// Bytes that code scanning takes, compressed.
const MOST_BYTES: usize = 10_000_000;
/// Tags of a rule that code scanning takes.
const MOST_TAGS: usize = 20;
/// Characters of a message. Longer ones are cut: the whole is in the run folder.
const MOST_TEXT: usize = 8_000;

/// The document.
pub fn sarif(exported: &Exported) -> Vec<u8> {
    let defects: Vec<&Item> = exported.items.iter().filter(|item| !item.is_strength()).collect();
    let mut shown: Vec<&Item> = defects.iter().copied().filter(|item| !is_settled(item)).collect();
    let left = Left {
        strengths: exported.items.len() - defects.len(),
        settled: defects.len() - shown.len(),
        beyond: shown.len().saturating_sub(MOST_RESULTS),
    };
    shown.truncate(MOST_RESULTS);
    fit(exported, &mut shown, left, MOST_BYTES)
}

/// Halves the results until the document is small enough when it is compressed.
fn fit(exported: &Exported, shown: &mut Vec<&Item>, mut left: Left, most: usize) -> Vec<u8> {
    loop {
        let mut text = serde_json::to_vec_pretty(&document(exported, shown, left)).unwrap_or_default();
        text.push(b'\n');
        if shown.is_empty() || compressed(&text) <= most {
            return text;
        }
        let keep = shown.len() / 2;
        left.beyond += shown.len() - keep;
        shown.truncate(keep);
    }
}

fn compressed(text: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Compressing in memory cannot fail; if it did, the document would be judged by its plain size.
    match encoder.write_all(text).and_then(|()| encoder.finish()) {
        Ok(bytes) => bytes.len(),
        Err(_) => text.len(),
    }
}

/// What is not among the results, and why.
#[derive(Debug, Clone, Copy)]
struct Left {
    strengths: usize,
    settled: usize,
    beyond: usize,
}

/// Resolved, and not seen again: an alert that is not in an upload is closed.
fn is_settled(item: &Item) -> bool {
    item.status.known() == Some(FindingStatus::Resolved)
}

fn document(exported: &Exported, shown: &[&Item], left: Left) -> Value {
    let rules = Rules::of(shown);
    let results: Vec<Value> = shown.iter().map(|item| result(exported, item, &rules)).collect();
    let mut notes: Vec<String> = Vec::new();
    for (n, what) in [
        (left.beyond, "findings beyond the limits of code scanning are left out, the least severe ones"),
        (left.settled, "resolved findings are left out: an alert that is not uploaded again is closed"),
        (left.strengths, "strengths are left out: they are no defects"),
    ] {
        if n > 0 {
            notes.push(format!("{n} {what}"));
        }
    }
    notes.extend(exported.problems.iter().map(|problem| format!("not read: {problem}")));
    let run_id = exported.items.iter().filter_map(|item| item.runs.last()).max();
    let run_id = run_id.map_or("none", String::as_str);
    // Everything up to the last slash is the category, within which a later upload replaces an earlier one.
    let category = match &exported.entry {
        Some(entry) => format!("stageflow/{entry}/{run_id}"),
        None => format!("stageflow/all/{run_id}"),
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "stageflow-stress",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.render(),
            }},
            "automationDetails": { "id": category },
            "columnKind": "utf16CodeUnits",
            "invocations": [{
                "executionSuccessful": exported.problems.is_empty(),
                "endTimeUtc": exported.at,
                "toolExecutionNotifications": notes
                    .iter()
                    .map(|text| json!({ "level": "note", "message": { "text": text } }))
                    .collect::<Vec<_>>(),
            }],
            "results": results,
            "properties": {
                "findings": exported.items.len(),
                "results": shown.len(),
                "leftOutBeyondLimits": left.beyond,
                "leftOutResolved": left.settled,
                "leftOutStrengths": left.strengths,
                "runs": exported.total_runs,
            },
        }],
    })
}

fn result(exported: &Exported, item: &Item, rules: &Rules<'_>) -> Value {
    let (rule, index) = rules.place(item);
    let mut message = item.title.clone();
    if !item.description.trim().is_empty() && item.description != item.title {
        message = format!("{message}\n\n{}", item.description);
    }
    if let Some(command) = item.reproduce() {
        message = format!("{message}\n\nReproduce: {command}");
    }
    let hash = hash_of(item);
    let mut fingerprints =
        Map::from_iter([("primaryLocationLineHash".to_owned(), json!(format!("{hash}:1")))]);
    if let Some(fingerprint) = &item.fingerprint {
        fingerprints.insert("stageflowFingerprint/v1".to_owned(), json!(fingerprint));
    }
    let seen_before = item.runs.len() > 1;
    let state = match (item.in_latest_run, seen_before) {
        (true, false) => "new",
        (true, true) => "unchanged",
        // Not seen is not fixed: it stays among the results.
        (false, _) => "absent",
    };
    let mut result = json!({
        "ruleId": rule,
        "ruleIndex": index,
        "level": level(item),
        "message": { "text": text_or(&message, "no title") },
        "locations": [location(exported, item)],
        "partialFingerprints": fingerprints,
        "baselineState": state,
        "occurrenceCount": item.occurrences.max(1),
        "properties": {
            "id": item.id,
            "entry": item.entry,
            "type": item.kind.to_string(),
            "severity": item.severity.to_string(),
            "status": item.status.to_string(),
            "runs": item.runs,
            "tests": item.tests,
        },
    });
    let accepted = match item.status.known() {
        Some(FindingStatus::WontFix) => Some("it stays as it is"),
        Some(FindingStatus::Duplicate) => Some("it is the same as another finding"),
        _ => None,
    };
    if let Some(otherwise) = accepted {
        let why = item.text("resolution", "resolution_details").unwrap_or(otherwise);
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": why }]);
    }
    result
}

/// Sixteen hexadecimal digits that stay with the finding wherever its line moves.
fn hash_of(item: &Item) -> String {
    let fingerprint = item.fingerprint.as_deref().and_then(|text| text.split_once(':'));
    if let Some(digits) = fingerprint.and_then(|(_, digits)| digits.get(..16)) {
        return digits.to_owned();
    }
    // Another tool's finding: its id begins anew in every run, so its words have to do.
    let mut hash = hmac_sha256::Hash::new();
    for text in [&item.entry, item.component.as_ref().unwrap_or(&String::new()), &item.title] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where it was found. A finding without a place is placed at the document that tells of it, because code scanning takes
/// no result without one.
fn location(exported: &Exported, item: &Item) -> Value {
    let (file, line) = match &item.place {
        Some((file, line)) => (file.clone(), (*line).max(1)),
        None => match exported.test_of(item) {
            Some((file, line)) => (file, line.max(1)),
            None => {
                let run = item.runs.last().map_or("", String::as_str);
                (format!("runs/{}/{run}/findings.json", item.entry), 1)
            }
        },
    };
    let end = exported.line_length(&file, line).map_or(1, |length| length + 1);
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&exported.below_git_root(&file)), "uriBaseId": "%SRCROOT%" },
        "region": { "startLine": line, "startColumn": 1, "endLine": line, "endColumn": end },
    }})
}

/// A relative path as a reference of RFC 3986.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn level(item: &Item) -> &'static str {
    match item.severity.known() {
        Some(Severity::Critical | Severity::High) => "error",
        // A severity that nobody knows is not made small.
        Some(Severity::Medium) | None => "warning",
        Some(Severity::Low | Severity::Info) => "note",
    }
}

/// The rules of a document, by id.
struct Rules<'a>(BTreeMap<String, Vec<&'a Item>>);

impl<'a> Rules<'a> {
    fn of(items: &[&'a Item]) -> Self {
        let mut rules: BTreeMap<String, Vec<&Item>> = BTreeMap::new();
        for item in items {
            rules.entry(rule_id(item)).or_default().push(item);
        }
        Rules(rules)
    }

    fn place(&self, item: &Item) -> (String, usize) {
        let id = rule_id(item);
        let index = self.0.keys().position(|known| *known == id).unwrap_or(0);
        (id, index)
    }

    fn render(&self) -> Vec<Value> {
        self.0.iter().map(|(id, items)| rule(id, items)).collect()
    }
}

/// A rule that makes both security findings and others is two: `security-severity` makes every result of its rule one of
/// security.
fn rule_id(item: &Item) -> String {
    let rule = item.rule.as_deref().map(str::trim).filter(|rule| !rule.is_empty());
    match (rule, is_security(item)) {
        (Some(rule), true) => format!("{rule}.security"),
        (Some(rule), false) => rule.to_owned(),
        (None, _) => format!("finding.{}", text_or(&item.kind.to_string(), "unknown")),
    }
}

fn is_security(item: &Item) -> bool {
    item.kind.known() == Some(FindingType::Security)
}

fn rule(id: &str, items: &[&Item]) -> Value {
    let worst = items.iter().filter_map(|item| item.severity.known()).max().unwrap_or(Severity::Medium);
    let kinds: std::collections::BTreeSet<String> =
        items.iter().map(|item| item.kind.to_string()).filter(|kind| !kind.is_empty()).collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
    let mut tags: Vec<String> = vec!["stageflow".to_owned()];
    tags.extend(items.iter().flat_map(|item| &item.tags).filter(|tag| !tag.trim().is_empty()).cloned());
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    let security = items.iter().any(|item| is_security(item));
    if security && !tags.iter().any(|tag| tag == "security") {
        tags.insert(1, "security".to_owned());
    }
    tags.truncate(MOST_TAGS);
    let mut properties = json!({ "tags": tags });
    if security {
        let score = match worst {
            Severity::Critical => "9.5",
            Severity::High => "8.0",
            Severity::Medium => "5.5",
            Severity::Low | Severity::Info => "2.0",
        };
        properties["security-severity"] = json!(score);
    } else {
        properties["problem.severity"] = json!(match worst {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Low | Severity::Info => "recommendation",
        });
    }
    let short = format!("{id}: findings of type {kinds}");
    let full = format!("Findings that the rule `{id}` of the stress tests made, of type {kinds}.");
    let help = "Each finding names the command that reproduces it; the run folder has its log, its evidence and its \
                report. `stageflow-test findings show ID` shows all of it.";
    json!({
        "id": id,
        "shortDescription": { "text": short },
        "fullDescription": { "text": full },
        "help": { "text": help, "markdown": help },
        "defaultConfiguration": { "level": items.first().map_or("warning", |item| level(item)) },
        "properties": properties,
    })
}

/// A text of at most so many characters that is never empty: code scanning refuses empty ones.
fn text_or(text: &str, otherwise: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return otherwise.to_owned();
    }
    match text.char_indices().nth(MOST_TEXT) {
        Some((at, _)) => format!("{} … (cut)", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
pub mod tests;
