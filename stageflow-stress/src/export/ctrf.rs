//! The Common Test Report Format.

use serde_json::{Map, Value, json};

use super::Exported;
use super::cases::{Attempt, Case, Fate, Suite, suites};

/// Version of the format that is written.
const SPEC: &str = "0.0.0";

/// The report.
pub fn ctrf(exported: &Exported) -> Vec<u8> {
    let suites = suites(exported);
    let mut tests = Vec::new();
    let (mut begin, mut end): (Option<i64>, Option<i64>) = (None, None);
    for suite in &suites {
        for case in &suite.cases {
            for attempt in &case.attempts {
                let (start, stop) =
                    (millis(attempt.started_at.as_deref()), millis(attempt.ended_at.as_deref()));
                begin = [begin, start].into_iter().flatten().min();
                end = [end, stop, start].into_iter().flatten().max();
            }
            tests.push(test(suite, case));
        }
    }
    let count = |status: &str| tests.iter().filter(|test| test["status"] == status).count();
    let at = millis(Some(&exported.at)).unwrap_or(0);
    let mut results = json!({
        "tool": { "name": "stageflow-stress", "version": env!("CARGO_PKG_VERSION") },
        "summary": {
            "tests": tests.len(),
            "passed": count("passed"),
            "failed": count("failed"),
            "skipped": count("skipped"),
            "pending": count("pending"),
            "other": count("other"),
            "flaky": tests.iter().filter(|test| test["flaky"] == true).count(),
            "suites": suites.len(),
            "start": begin.unwrap_or(at),
            "stop": end.unwrap_or(at),
            "extra": { "findings": exported.items.len(), "problems": exported.problems },
        },
        "tests": tests,
    });
    if let Some(environment) = environment(exported) {
        results["environment"] = environment;
    }
    let mut report = json!({
        "reportFormat": "CTRF",
        "specVersion": SPEC,
        "reportId": uuid::Uuid::now_v7().to_string(),
        "timestamp": exported.at,
        "generatedBy": "stageflow-test",
        "results": results,
    });
    // Shards of one invocation share it; over several invocations there is no one run.
    let mut invocations: Vec<&str> =
        exported.runs.iter().map(|state| state.info.invocation.as_str()).collect();
    invocations.dedup();
    if let [invocation] = invocations[..] {
        report["runId"] = json!(invocation);
    }
    let mut text = serde_json::to_vec_pretty(&report).unwrap_or_default();
    text.push(b'\n');
    text
}

fn test(suite: &Suite<'_>, case: &Case<'_>) -> Value {
    let mut test = Map::new();
    let mut put = |name: &str, value: Value| {
        test.insert(name.to_owned(), value);
    };
    let Some((last, earlier)) = case.attempts.split_last() else { return Value::Null };
    put("testId", json!(test_id(case)));
    put("name", json!(case.name));
    put("status", json!(status(last.fate)));
    put("rawStatus", json!(last.raw));
    put("duration", json!(duration(last)));
    put("suite", json!([suite.entry, case.class]));
    put("retries", json!(earlier.len()));
    put("flaky", json!(case.is_flaky()));
    for (name, value) in
        [("start", millis(last.started_at.as_deref())), ("stop", millis(last.ended_at.as_deref()))]
    {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    if !last.reasons.is_empty() {
        put("message", json!(last.reasons.join("\n")));
    }
    if let Some((file, line)) = &case.place {
        put("filePath", json!(file));
        put("line", json!(line));
    }
    if !case.tags.is_empty() {
        put("tags", json!(case.tags));
    }
    if !earlier.is_empty() {
        put("retryAttempts", Value::Array(case.attempts.iter().map(retry).collect()));
    }
    let attachments: Vec<Value> = last
        .log
        .iter()
        .map(|log| json!({ "name": "log", "contentType": "text/plain", "path": format!("{}/{log}", suite.run) }))
        .collect();
    if !attachments.is_empty() {
        put("attachments", Value::Array(attachments));
    }
    let findings: Vec<Value> = case
        .findings
        .iter()
        .map(|item| {
            json!({
                "id": item.id, "type": item.kind.to_string(), "severity": item.severity.to_string(),
                "status": item.status.to_string(), "title": item.title, "fingerprint": item.fingerprint,
            })
        })
        .collect();
    put("extra", json!({ "run": suite.run, "reproduce": case.reproduce, "findings": findings }));
    Value::Object(test)
}

/// The same test has the same id in every report.
fn test_id(case: &Case<'_>) -> String {
    let mut hash = hmac_sha256::Hash::new();
    for text in [&case.class, &case.name] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn retry(attempt: &Attempt) -> Value {
    let mut retry = json!({
        "attempt": attempt.number.max(1),
        "status": status(attempt.fate),
        "duration": duration(attempt),
    });
    if !attempt.reasons.is_empty() {
        retry["message"] = json!(attempt.reasons.join("\n"));
    }
    retry
}

const fn status(fate: Fate) -> &'static str {
    match fate {
        Fate::Passed => "passed",
        Fate::Failed | Fate::Died => "failed",
        Fate::Inconclusive => "other",
        Fate::Skipped => "skipped",
        Fate::NotRun => "pending",
    }
}

/// Whole milliseconds, as the format wants them.
fn duration(attempt: &Attempt) -> u64 {
    u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX)
}

fn millis(time: Option<&str>) -> Option<i64> {
    Some(chrono::DateTime::parse_from_rfc3339(time?).ok()?.timestamp_millis())
}

/// The machine of the runs, where they are all of one.
fn environment(exported: &Exported) -> Option<Value> {
    let first = &exported.runs.first()?.info;
    if exported.runs.iter().any(|state| state.info.environment != first.environment) {
        return None;
    }
    let mut environment = json!({
        "osPlatform": first.environment.os,
        "extra": { "target": first.environment.target, "profile": first.environment.profile, "rustc": first.environment.rustc },
    });
    if let Some(commit) = &first.git_commit
        && exported.runs.iter().all(|state| state.info.git_commit.as_ref() == Some(commit))
    {
        environment["commit"] = json!(commit);
    }
    Some(environment)
}
