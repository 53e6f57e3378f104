//! What capture leaves behind: nothing that is secret, and everything that was recorded.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, json};

/// As they stand in what the fixture logs.
const SECRETS: [&str; 6] = [
    "sk_live_51CANARYa9Zk",
    "4111 1111 1111 1111",
    "4111111111111111",
    "canary.person@example.org",
    "AKIACANARYCANARY1234",
    "hunter2-canary",
];

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::new("capture", &[("tests/it.rs", include_str!("../fixtures/capture.rs"))]));

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for item in std::fs::read_dir(directory).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The number of files below the directory, none of which holds a secret.
#[track_caller]
fn all_clean(directory: &Path) -> usize {
    let mut found = Vec::new();
    files(directory, &mut found);
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        for secret in SECRETS {
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "{secret} is in {}", path.display());
        }
    }
    found.len()
}

fn log_of(folder: &Path) -> String {
    let mut found = Vec::new();
    files(&folder.join("results/logs"), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    std::fs::read_to_string(&found[0]).unwrap()
}

#[test]
fn a_secret_is_in_no_file_of_a_run() {
    let ran = PROJECT
        .one("secrets_in_every_file", &[("INSTA_UPDATE", "no"), ("STAGEFLOW_RUNS_DIR", "secret-runs")]);
    assert!(!ran.text.contains("could not compile"), "{}", ran.text);
    let runs = PROJECT.root().join("secret-runs");
    let n = all_clean(&runs);
    assert!(n > 20, "only {n} files");
    let folder = newest(&runs.join("GUARD-003"));
    let log = log_of(&folder);
    for kind in ["stripe_key", "card", "email", "aws_key", "password", "field"] {
        assert!(log.contains(&format!("{{{{REDACTED:{kind}:")), "{kind}:\n{log}");
        let findings = std::fs::read_to_string(folder.join("findings.json")).unwrap();
        assert!(findings.contains(&format!("{{{{REDACTED:{kind}:")), "{kind}:\n{findings}");
    }
    assert!(
        std::fs::read_to_string(folder.join("mocks/contacts.json")).unwrap().contains("{{REDACTED:email:")
    );
    let golden = std::fs::read_dir(folder.join("results/golden")).unwrap().count();
    assert!(golden > 0);
}

fn newest(entry: &Path) -> PathBuf {
    let mut folders: Vec<_> = std::fs::read_dir(entry).unwrap().map(|item| item.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders.pop().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_process_leaves_every_record_behind_and_no_secret() {
    PROJECT.one("is_killed_while_threads_log", &[("STAGEFLOW_RUNS_DIR", "killed-runs")]).red_with("SIGKILL");
    let runs = PROJECT.root().join("killed-runs");
    let segments = runs.join(".stageflow/capture");
    assert!(all_clean(&runs) > 3);
    let count = |ending: &str| {
        let items = std::fs::read_dir(&segments).unwrap();
        items.filter(|item| item.as_ref().unwrap().path().to_string_lossy().ends_with(ending)).count()
    };
    assert!(count(".seg") > 0, "the records are in segments until somebody looks");
    let folder = newest(&runs.join("OBS-001"));
    assert!(!log_of(&folder).contains("event of 0"), "the process never wrote the text");

    stageflow_stress::run::recover(&folder).unwrap();
    let log = log_of(&folder);
    let mut numbers = BTreeSet::new();
    for thread in 0..4 {
        let events: Vec<_> =
            log.lines().filter(|line| line.ends_with(&format!("| event of {thread}"))).collect();
        assert_eq!(events.len(), 5_000, "thread {thread}");
        assert!(events.iter().all(|line| line.contains(&format!("run{{id=7}}/stage{{thread={thread}}}"))));
    }
    for line in log.lines() {
        let number =
            line.split(' ').next().and_then(|word| word.parse::<u64>().ok()).filter(|number| *number > 0);
        assert!(number.is_none_or(|number| numbers.insert(number)), "twice: {line}");
    }
    assert_eq!(numbers.last(), Some(&(numbers.len() as u64)), "no number is missing");
    assert_eq!(
        log.lines().filter(|line| line.split(' ').nth(3) == Some("open")).count(),
        5,
        "spans that were open"
    );
    assert!(
        log.contains(" inside=is_killed_while_threads_log::obs_001 | run\n"),
        "the thread that was in it"
    );
    assert!(log.contains("\n#= lost: 0\n") && log.contains("its records were recovered"));
    assert_eq!((count(".seg"), count(".index")), (0, 0), "nothing is left of the process");
    all_clean(&runs);

    stageflow_stress::run::recover(&folder).unwrap();
    assert_eq!(log_of(&folder), log, "a second time changes nothing");
    let findings = json(&folder.join("findings.json"));
    assert!(findings.to_string().contains("{{REDACTED:"), "the excerpt of the log has its last lines");
}

#[test]
fn spans_become_a_trace_that_others_read() {
    PROJECT.one("leaves_a_trace", &[("STAGEFLOW_RUNS_DIR", "trace-runs")]).green();
    let folder = newest(&PROJECT.root().join("trace-runs/OBS-004"));
    let mut found = Vec::new();
    files(&folder.join("results/traces"), &mut found);
    let [path] = found.as_slice() else { panic!("{found:?}") };
    assert!(path.file_name().unwrap().to_str().unwrap().starts_with("trace_"), "{path:?}");
    let trace: Value = json(path);
    let spans = trace["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    let (root, run, chat) = (named("leaves_a_trace::obs_004"), named("pipeline"), named("chat"));
    assert_eq!((&run["parentSpanId"], &chat["parentSpanId"]), (&root["spanId"], &run["spanId"]));
    assert_eq!(
        (&root["status"]["code"], &run["status"]["code"], &chat["status"]["code"]),
        (&1.into(), &1.into(), &2.into())
    );
    assert_eq!(chat["events"][0]["name"], "too many requests");
    read_by_opentelemetry(&std::fs::read_to_string(path).unwrap());
}

/// The types that OpenTelemetry generates from the definition of the protocol read it, and see the same.
fn read_by_opentelemetry(text: &str) {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    let request: ExportTraceServiceRequest = serde_json::from_str(text).unwrap();
    let scope = &request.resource_spans[0].scope_spans[0];
    assert_eq!(scope.schema_url, "https://opentelemetry.io/schemas/1.37.0");
    let named = |name: &str| scope.spans.iter().find(|span| span.name == name).unwrap();
    let (root, run, chat) = (named("leaves_a_trace::obs_004"), named("pipeline"), named("chat"));
    assert!(scope.spans.iter().all(|span| span.trace_id.len() == 16 && span.span_id.len() == 8));
    assert!(scope.spans.iter().all(|span| span.trace_id == root.trace_id));
    assert!(scope.spans.iter().all(|span| span.start_time_unix_nano <= span.end_time_unix_nano));
    assert_eq!((&run.parent_span_id, &chat.parent_span_id), (&root.span_id, &run.span_id));
    assert!(root.start_time_unix_nano <= run.start_time_unix_nano, "the root begins first");
    assert_eq!((chat.kind, chat.status.as_ref().unwrap().message.as_str()), (3, "429"));
    let tokens = chat.attributes.iter().find(|pair| pair.key == "gen_ai.usage.input_tokens").unwrap();
    assert_eq!(tokens.value.as_ref().unwrap().value, Some(Value::IntValue(12)));
    assert_eq!(chat.events[0].name, "too many requests");
}
