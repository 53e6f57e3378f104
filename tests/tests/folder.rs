//! The run folder of a downstream project: complete, true, readable by others, and without a trace in git.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, by_title, have, json, only_run, repository};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::new(
        "folder",
        &[
            ("tests/it.rs", include_str!("../fixtures/folder.rs")),
            ("tests/second.rs", include_str!("../fixtures/second.rs")),
            ("tests/routing.rs", include_str!("../fixtures/routing.rs")),
            ("tests/paths.rs", include_str!("../fixtures/paths.rs")),
            (
                "stageflow.toml",
                "[context]\nindustry = \"retail\"\npersona = \"store clerk\"\n[[citation]]\ntitle = \"Privacy by design\"\nsource = \"a book\"\n",
            ),
        ],
    )
});

fn validate(document: &Value) -> Vec<String> {
    let schema = json(&repository().join("docs/schema/findings.upstream.schema.json"));
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn read(folder: &Path, path: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_file_that_is_always_there_is_there_and_true() {
    let runs = PROJECT.root().join("target-of/complete");
    let ran = PROJECT.test(
        &["--test", "it"],
        &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap()), ("STAGEFLOW_SEED", "0x2a")],
    );
    ran.green();
    let folder = only_run(&runs.join("GUARD-003"));

    let findings = json(&folder.join("findings.json"));
    assert_eq!(validate(&findings), [""; 0]);
    assert_eq!(findings["metadata"]["roadmap_entry_id"], "GUARD-003");
    assert_eq!(findings["metadata"]["roadmap_entry_title"], "PII/PHI redaction accuracy (>99% recall)");
    assert_eq!(findings["metadata"]["total_findings"], findings["findings"].as_array().unwrap().len());

    let config = json(&folder.join("config/run_config.json"));
    assert_eq!(config["roadmap_entry_id"], "GUARD-003");
    assert_eq!(config["priority"], "P0");
    assert_eq!(config["risk_class"], "Severe");
    assert_eq!(config["industry"], "retail");
    assert_eq!(config["agent_model"], Value::Null, "nobody named a model: {config:#}");
    assert!(config.to_string().contains("42"), "the seed is recorded: {config:#}");
    let environment = json(&folder.join("config/environment.json"));
    assert!(environment["rustc"].as_str().unwrap().starts_with("1."), "{environment:#}");
    assert!(environment["dependencies"]["tracing"].is_string(), "{environment:#}");

    let scores = json(&folder.join("dx_evaluation/scores.json"));
    assert_eq!(scores["categories"]["clarity"]["score"].as_f64(), Some(4.0));
    assert_eq!(scores["categories"]["debugging"]["score"], Value::Null);

    for path in ["README.md", "FINAL_REPORT.md"] {
        let text = read(&folder, path);
        assert!(
            text.contains("GUARD-003") && text.contains("one article in ten is not redacted"),
            "{path}:\n{text}"
        );
    }
    let report = read(&folder, "FINAL_REPORT.md");
    for section in 1..=10 {
        assert!(report.contains(&format!("\n## {section} ")), "section {section} in:\n{report}");
    }
    for recorded in
        ["redaction holds under load", "store clerk", "recall", "the API is small", "400 sentences"]
    {
        assert!(report.contains(recorded), "`{recorded}` in:\n{report}");
    }
    assert!(read(&folder, "research/hypotheses.md").contains("confirmed"));
    let sources = json(&folder.join("research/citations.json")).to_string();
    assert!(sources.contains("RFC 5322") && sources.contains("Privacy by design"), "{sources}");
    assert_eq!(read(&folder, "mocks/data/edge_cases/empty_text_small.json"), "[]");
    assert_eq!(json(&folder.join("strengths.json"))["entries"][0]["id"], "STR-001");
    assert_eq!(json(&folder.join("improvements.json"))["entries"][0]["id"], "IMP-001");
    assert_eq!(json(&folder.join("bugs.json"))["entries"][0]["severity"], "medium");
    let latency = json(&folder.join("results/metrics/latency.json")).to_string();
    assert!(
        latency.contains("redact") && latency.contains("\"count\":50") || latency.contains("\"n\":50"),
        "{latency}"
    );

    let logs: Vec<String> = std::fs::read_dir(folder.join("results/logs"))
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    for ending in [".log", "_analysis.md", "_stats.json", "_errors.json"] {
        assert_eq!(logs.iter().filter(|name| name.ends_with(ending)).count(), 1, "{ending}: {logs:?}");
    }
}

#[test]
fn each_test_has_its_own_lines_in_its_own_log() {
    let runs = PROJECT.root().join("target-of/logs");
    PROJECT
        .test(
            &["--test", "routing", "--", "--test-threads", "8"],
            &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())],
        )
        .green();
    let folder = only_run(&runs.join("OBS-001"));
    let mut seen = 0;
    for item in std::fs::read_dir(folder.join("results/logs")).unwrap() {
        let path = item.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mine = ["one", "two", "three"]
                .into_iter()
                .find(|name| text.contains(&format!("test: {name}::")))
                .unwrap();
            assert_eq!(text.matches(&format!("| line of {mine}")).count(), 60, "{}:\n{text}", path.display());
            assert_eq!(
                text.matches("| line of ").count(),
                60,
                "lines of others in {}:\n{text}",
                path.display()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn tests_of_one_entry_share_a_folder_over_all_binaries_of_one_command() {
    let runs = PROJECT.root().join("target-of/shared");
    let variables = [("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())];
    PROJECT.test(&["--test", "it", "--test", "second"], &variables).green();
    let folder = only_run(&runs.join("GUARD-003"));
    let report = read(&folder, "FINAL_REPORT.md");
    assert!(
        report.contains("addresses_are_redacted::guard_003")
            && report.contains("in_another_binary::guard_003"),
        "{report}"
    );
    // The next command has its own.
    PROJECT.test(&["--test", "second"], &variables).green();
    assert_eq!(
        std::fs::read_dir(runs.join("GUARD-003"))
            .unwrap()
            .filter(|item| item.as_ref().unwrap().path().is_dir())
            .count(),
        2
    );

    if have("nextest", &["cargo", "nextest", "--version"]) {
        let runs = PROJECT.root().join("target-of/nextest");
        PROJECT
            .nextest(
                &["--test", "it", "--test", "second", "--test", "routing"],
                &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())],
            )
            .green();
        let folder = only_run(&runs.join("GUARD-003"));
        assert_eq!(read(&folder, "FINAL_REPORT.md"), {
            let report = read(&folder, "FINAL_REPORT.md");
            assert!(
                report.contains("addresses_are_redacted::guard_003")
                    && report.contains("in_another_binary::guard_003"),
                "{report}"
            );
            report
        });
        assert_eq!(
            std::fs::read_dir(folder.join(".stageflow/journal")).unwrap().count(),
            2,
            "one journal a process"
        );
        assert_eq!(validate(&json(&folder.join("findings.json"))), [""; 0]);
    }
}

#[test]
fn a_run_leaves_no_trace_in_git() {
    if !have("git", &["git", "--version"]) {
        return;
    }
    let project = Project::new("clean", &[("tests/it.rs", include_str!("../fixtures/folder.rs"))]);
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(project.root()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    // The first build may complete the lock file; what the tests do afterwards is what counts.
    project.build();
    git(&["add", "-A"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "all"]);
    project.test(&[], &[]).green();
    assert_eq!(git(&["status", "--porcelain"]), "");
    assert!(project.run_folder("GUARD-003").join("README.md").is_file());
    let config = json(&project.run_folder("GUARD-003").join("config/run_config.json")).to_string();
    assert!(config.contains(git(&["rev-parse", "HEAD"]).trim()), "{config}");
}

#[test]
fn a_place_that_cannot_be_written_loses_nothing() {
    // A file system that takes no files from anybody, root included.
    let ran = PROJECT.test(&["--test", "second"], &[("STAGEFLOW_RUNS_DIR", "/proc/stageflow-runs")]);
    ran.green();
    assert!(ran.text.contains("cannot write to /proc/stageflow-runs"), "{}", ran.text);
    let report = ran
        .text
        .lines()
        .find_map(|line| line.strip_prefix("stageflow-stress: GUARD-003 "))
        .expect("the place of the report");
    assert!(std::fs::read_to_string(report).unwrap().contains("in_another_binary::guard_003"));
    std::fs::remove_dir_all(Path::new(report).ancestors().nth(3).unwrap()).unwrap();

    let strict = PROJECT.test(
        &["--test", "second"],
        &[("STAGEFLOW_RUNS_DIR", "/proc/stageflow-runs"), ("STAGEFLOW_STRICT_STORE", "1")],
    );
    strict.red_with("cannot write to /proc/stageflow-runs");
}

#[test]
fn settings_that_are_not_understood_make_no_test_green() {
    let ran = PROJECT.test(&["--test", "second"], &[("STAGEFLOW_RUNS_DIR", "../elsewhere")]);
    ran.red_with("STAGEFLOW_RUNS_DIR is `../elsewhere`; write an absolute path");
    PROJECT
        .test(&["--test", "second"], &[("STAGEFLOW_SEED", "many")])
        .red_with("STAGEFLOW_SEED is `many`; write a whole number");

    let project = Project::new(
        "settings",
        &[("tests/it.rs", "use stageflow_stress::prelude::*;\n#[roadmap_test(\"DAG-001\")]\nfn a() {}\n")],
    );
    project.write("stageflow.toml", "fail_onn = \"low\"\n");
    project.test(&[], &[]).red_with("unknown field `fail_onn`");
    project.write("stageflow.toml", "fail_on = \"urgent\"\n");
    project.test(&[], &[]).red_with("fail_on is `urgent`; write one of info, low, medium, high, critical");
}

#[test]
fn a_path_that_leaves_the_folder_is_refused_and_the_finding_is_kept() {
    let runs = PROJECT.root().join("target-of/paths");
    PROJECT.test(&["--test", "paths"], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]).green();
    let folder = only_run(&runs.join("SEC-001"));
    let findings = json(&folder.join("findings.json"));
    let finding = &by_title(&findings)["kept all the same"];
    assert!(finding.to_string().contains("../../secret"), "what was removed is said: {finding:#}");
    assert_eq!(finding["attachments"].as_array().map_or(0, Vec::len), 0);
    assert!(!runs.join("secret").exists() && !runs.parent().unwrap().join("secret").exists());
}
