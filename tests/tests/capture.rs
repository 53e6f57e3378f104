//! What capture leaves behind: nothing that is secret, and everything that was recorded.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, json, shell};

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
            for form in [secret.to_owned()].into_iter().chain(base64(secret)) {
                let holds = bytes.windows(form.len()).any(|window| window == form.as_bytes());
                assert!(!holds, "{secret} is in {} as {form}", path.display());
            }
        }
    }
    found.len()
}

/// What a text is within any base64: one form for each place at which it may begin, without the characters that it shares
/// with its neighbours.
fn base64(text: &str) -> [String; 3] {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    [0, 1, 2].map(|before| {
        let bits: Vec<bool> =
            text.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
        // With `before` bytes in front, the first whole digit begins so many bits later.
        let skip = [0, 4, 2][before];
        let digits = bits[skip..].chunks_exact(6);
        digits.map(|six| char::from(DIGITS[six.iter().fold(0, |n, bit| n * 2 + usize::from(*bit))])).collect()
    })
}

#[test]
fn the_forms_in_base64_are_those_of_base64() {
    // RFC 4648: "foobar" is "Zm9vYmFy"; "xfoobar" is "eGZvb2Jhcg==", "xyfoobar" is "eHlmb29iYXI=".
    assert_eq!(base64("foobar")[0], "Zm9vYmFy");
    assert!("eGZvb2Jhcg==".contains(&base64("foobar")[1]), "{:?}", base64("foobar"));
    assert!("eHlmb29iYXI=".contains(&base64("foobar")[2]), "{:?}", base64("foobar"));
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
    // What is made of the folder later holds no more than it does.
    std::fs::create_dir_all(PROJECT.root().join("exports")).unwrap();
    for format in ["csv", "json", "jsonl", "md", "sarif", "junit", "ctrf"] {
        let line = format!(
            "stageflow-test --runs secret-runs findings export --format={format} --output=exports/{format}"
        );
        shell(PROJECT.root(), &line, &[]).exits(0);
    }
    assert_eq!(all_clean(&PROJECT.root().join("exports")), 7);
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
    // The test did not live to analyse its log: that was made up for, once.
    let mut logs = Vec::new();
    files(&folder.join("results/logs"), &mut logs);
    let of = |ending: &str| {
        let paths: Vec<_> = logs.iter().filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        let [path] = paths.as_slice() else { panic!("{ending}: {logs:?}") };
        (*path).clone()
    };
    let stats = json(&of("_stats.json"));
    assert_eq!((&stats["passed"], &stats["loss"]["holes"]), (&Value::Bool(false), &0.into()));
    assert!(stats["loss"]["reasons"][0].as_str().unwrap().contains("ended in the middle of the test"));
    assert!(stats["records"].as_u64().unwrap() >= 20_000);
    // What the test had declared before holds for it.
    let outcome = |id: &str| {
        let detectors = stats["detectors"].as_array().unwrap();
        let of = detectors.iter().find(|detector| detector["id"] == id).unwrap();
        (of["outcome"].as_str().unwrap(), of["why"].as_str().unwrap())
    };
    assert_eq!(stats["operations"], 1, "the field that was named");
    assert!(
        outcome("D15").0 == "finding" && outcome("D15").1.contains("packed → lost"),
        "{:?}",
        outcome("D15")
    );
    assert_eq!(
        (outcome("D9").0, outcome("D16").0),
        ("inconclusive", "inconclusive"),
        "what is missing may have come"
    );
    assert!(outcome("D3").1.contains("1 observation is waived by the test"), "{:?}", outcome("D3"));
    assert_eq!(stats["errors"]["expected"], 1);
    let page = std::fs::read_to_string(of("_analysis.md")).unwrap();
    assert!(page.contains("## Detectors") && page.contains("](../traces/trace_"), "{page}");
    assert!(of("_errors.json").exists());
    let mut traces = Vec::new();
    files(&folder.join("results/traces"), &mut traces);
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert!(std::fs::read_to_string(&traces[0]).unwrap().contains("ended in the middle of the test"));
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

/// A file system of its own for the segments, which is full: of a run's records, what memory takes is kept, and the rest is
/// lost and counted. The test is not killed for it, and what follows from absence is inconclusive.
#[test]
#[cfg(target_os = "linux")]
fn a_full_file_system_loses_records_and_says_so() {
    PROJECT.build();
    let runs = PROJECT.root().join("full-runs");
    let segments = runs.join(".stageflow/capture");
    std::fs::create_dir_all(&segments).unwrap();
    let script = "mount -t tmpfs -o size=300k tmpfs \"$1\" && head -c 400k /dev/zero > \"$1/ballast\" 2>/dev/null; \
        test -s \"$1/ballast\" || exit 77; shift; exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command
        .arg(&segments)
        .arg(PROJECT.test_binary())
        .args(["--exact", "logs_more_than_memory_takes::obs_005"]);
    stageflow_stress_tests::clean(&mut command);
    let ran = command
        .current_dir(PROJECT.root())
        .env("CARGO_MANIFEST_DIR", PROJECT.root())
        .env("STAGEFLOW_RUNS_DIR", "full-runs")
        .env("RECORDS", "18000")
        .output();
    let Ok(ran) = ran else { return println!("not tested: there is no unshare") };
    let said = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
    if ran.status.code() == Some(77)
        || said.contains("unshare failed")
        || said.contains("Operation not permitted")
    {
        return println!("not tested: no file system can be mounted here: {said}");
    }
    assert!(ran.status.code().is_some(), "killed: {said}");
    assert!(said.contains("no file for log records: No space left on device"), "{said}");
    let folder = newest(&runs.join("OBS-005"));
    let mut found = Vec::new();
    files(&folder.join("results/logs"), &mut found);
    let stats = found.iter().find(|path| path.to_string_lossy().ends_with("_stats.json")).unwrap();
    let stats = json(stats);
    let (kept, lost) = (stats["records"].as_u64().unwrap(), stats["loss"]["lost"].as_u64().unwrap());
    assert!(kept > 1_000 && lost > 100, "{kept} kept, {lost} lost");
    assert_eq!(kept + lost, 18_000, "each record is one or the other");
    let of = |id: &str| {
        let all = stats["detectors"].as_array().unwrap();
        all.iter().find(|detector| detector["id"] == id).unwrap()["outcome"].clone()
    };
    // The last record was announced, and it is not there: from that nothing follows.
    assert_eq!((of("D9"), of("D24")), ("inconclusive".into(), "finding".into()));
}

#[test]
fn a_limit_on_records_is_kept_and_what_is_beyond_is_counted() {
    let variables =
        [("STAGEFLOW_RUNS_DIR", "limited-runs"), ("STAGEFLOW_CAPTURE_LIMIT", "8"), ("RECORDS", "4000")];
    let ran = PROJECT.one("logs_more_than_memory_takes", &variables);
    assert!(ran.text.contains("take 8 MiB, which is the limit"), "{}", ran.text);
    let folder = newest(&PROJECT.root().join("limited-runs/OBS-005"));
    let log = log_of(&folder);
    let kept = log.lines().filter(|line| line.contains("| padded ")).count();
    let lost: usize = log.lines().find_map(|line| line.strip_prefix("#= lost: ")).unwrap().parse().unwrap();
    assert!(kept > 500 && lost > 500 && kept + lost == 4_000, "{kept} kept, {lost} lost");
    let refused = PROJECT.one(
        "logs_more_than_memory_takes",
        &[("STAGEFLOW_RUNS_DIR", "limited-runs"), ("STAGEFLOW_CAPTURE_LIMIT", "lots")],
    );
    refused.red_with("a whole number of MiB");
}

#[test]
fn what_is_declared_of_a_log_can_turn_a_test_red() {
    let variables = [("STAGEFLOW_RUNS_DIR", "declared-runs")];
    for (function, told) in [
        ("announces_what_does_not_come", "an announced record is not there as announced: ledger closed"),
        ("leaves_a_lock_taken", "a declared beginning without its end: lock taken"),
        ("takes_a_step_that_is_not_allowed", "a step that `order` does not allow: paid → created"),
        ("names_the_run_of_another", "the id of another operation"),
    ] {
        PROJECT.one(function, &variables).red_with(told);
    }
}

#[test]
fn what_is_declared_and_waived_is_in_the_journal_the_report_and_the_analysis() {
    let variables = [("STAGEFLOW_RUNS_DIR", "waived-runs")];
    PROJECT.one("names_the_run_of_another_on_purpose", &variables).green();
    let folder = newest(&PROJECT.root().join("waived-runs/OBS-001"));
    let mut journals = Vec::new();
    files(&folder.join(".stageflow"), &mut journals);
    let journal: String = journals
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    for (kind, what, why) in [
        ("waive_log", "D12: row cached", "the cache is shared by all runs"),
        ("waive_log", "D16: lock", "locks outlive this test"),
        ("correlate_logs_by", "shard", ""),
        ("expect_log", "row, at least 1", ""),
    ] {
        for (place, text) in [("journal", &journal), ("report", &report)] {
            let line = text.lines().find(|line| line.contains(what) && line.contains(kind));
            let line = line.unwrap_or_else(|| panic!("{what} is not in the {place}:\n{text}"));
            assert!(line.contains(why), "{place}: {line}");
        }
    }
    let stats = only(&folder, "_stats.json");
    let d12 = stats["detectors"].as_array().unwrap().iter().find(|detector| detector["id"] == "D12").unwrap();
    assert_eq!(d12["outcome"], "clean");
    assert_eq!(d12["why"], "1 observation is waived by the test");
}

fn only(folder: &Path, ending: &str) -> Value {
    let mut found = Vec::new();
    files(&folder.join("results/logs"), &mut found);
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    let [path] = found.as_slice() else { panic!("{ending}: {found:?}") };
    json(path)
}

#[test]
fn an_analysis_refers_to_the_trace_and_the_metrics_and_to_the_run_before_it() {
    let variables = [("STAGEFLOW_RUNS_DIR", "measured-runs")];
    PROJECT.one("is_measured", &variables).green();
    PROJECT.one("is_measured", &variables).green();
    let folder = newest(&PROJECT.root().join("measured-runs/OBS-002"));
    let logs = folder.join("results/logs");
    let mut found = Vec::new();
    files(&logs, &mut found);
    let page = found.iter().find(|path| path.to_string_lossy().ends_with("_analysis.md")).unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    let links: Vec<&str> = page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for wanted in ["../traces/trace_", "../metrics/values.json"] {
        let link = links.iter().find(|link| link.starts_with(wanted));
        let link = link.unwrap_or_else(|| panic!("no link to {wanted} in\n{page}"));
        assert!(logs.join(link).exists(), "{link} leads nowhere");
    }
    assert!(
        page.contains("Compared: the last good run → this log") && page.contains("## Earlier executions"),
        "{page}"
    );
    let stats = only(&folder, "_stats.json");
    assert_eq!(stats["history"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&stats["history"][0]["passed"], &stats["comparisons"][0]["new"]),
        (&Value::Bool(true), &0.into())
    );
    let d13 = stats["detectors"].as_array().unwrap().iter().find(|detector| detector["id"] == "D13").unwrap();
    assert_eq!(d13["outcome"], "clean", "{d13}");
}
