//! The table of `docs/endings.md`, measured: each ending under each runner, what lies on disk then, and what
//! `run::recover` makes of it. `STAGEFLOW_TESTS_WRITE=1` writes what was measured into the document.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use stageflow_stress_tests::{Project, by_title, have, json, repository};

/// A target with `harness = false` and `stageflow_stress::main!()`, run by cargo.
const OWN_MAIN: &str = "stageflow_stress::main!()";

const DOCUMENT: &str = "docs/endings.md";
const BEGIN: &str = "<!-- measured by tests/tests/endings_table.rs -->\n";
const END: &str = "<!-- end of what is measured -->\n";

/// How the test is brought to its end.
#[derive(Clone, Copy)]
enum By {
    Itself,
    Signal(&'static str),
    NextestTimeout,
}

const ENDINGS: &[(&str, &str, By)] = &[
    ("the body passes", "passes", By::Itself),
    ("the body returns `Err`", "returns_an_error", By::Itself),
    ("a panic", "panics", By::Itself),
    ("a panic in a drop during a panic", "panics_twice", By::Itself),
    ("`abort`", "aborts", By::Itself),
    ("stack overflow", "overflows_its_stack", By::Itself),
    ("`process::exit(0)` in the test", "exits_with_success", By::Itself),
    ("SIGTERM", "waits", By::Signal("-TERM")),
    ("SIGINT", "waits", By::Signal("-INT")),
    ("SIGKILL", "waits", By::Signal("-KILL")),
    ("nextest's own timeout", "waits", By::NextestTimeout),
    ("`abort`, with `isolate`", "aborts_alone", By::Itself),
    ("`process::exit(0)`, with `isolate`", "exits_alone", By::Itself),
];

#[test]
fn every_ending_is_as_the_document_says() {
    let project = Project::new(
        "every_ending",
        &[
            ("tests/it.rs", include_str!("../fixtures/every_ending.rs")),
            (
                ".config/nextest.toml",
                "[profile.impatient]\nslow-timeout = { period = \"1s\", terminate-after = 1, grace-period = \"1s\" }\n",
            ),
        ],
    )
    .with_own_main(include_str!("../fixtures/every_ending.rs"));
    project.build();
    let mut measured = String::new();
    for runner in ["cargo test", OWN_MAIN] {
        let more = table(&project, runner);
        assert_success_is_rare(&more);
        measured.push_str(&more);
    }
    let nextest = have("nextest", &["cargo", "nextest", "--version"]);
    if nextest {
        let more = table(&project, "cargo nextest run");
        assert_success_is_rare(&more);
        measured.push_str(&more);
    }

    let path = repository().join(DOCUMENT);
    let document = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = document.split_once(BEGIN).expect("where the measured part begins");
    let (committed, tail) = rest.split_once(END).expect("where the measured part ends");
    if std::env::var_os("STAGEFLOW_TESTS_WRITE").is_some() {
        assert!(nextest, "writing the whole table needs nextest");
        std::fs::write(&path, format!("{head}{BEGIN}{measured}{END}{tail}")).unwrap();
        return;
    }
    let holds = if nextest { committed == measured } else { committed.starts_with(&measured) };
    assert!(
        holds,
        "{DOCUMENT} says\n{committed}\nmeasured was\n{measured}\nrun this test with STAGEFLOW_TESTS_WRITE=1 if the new \
         table is right"
    );
}

/// Whatever the document says: only the test that passes may look like success.
fn assert_success_is_rare(table: &str) {
    let green: Vec<&str> = table.lines().filter(|line| line.contains("| 0 |")).collect();
    assert!(matches!(green[..], [only] if only.starts_with("| the body passes |")), "{green:#?}");
}

fn table(project: &Project, runner: &str) -> String {
    let mut text = format!(
        "\n### Under `{runner}`\n\n| ending | exit status | the journal's last word | `findings.json` | after `recover` | findings then |\n|---|---|---|---|---|---|\n"
    );
    for (number, (ending, function, by)) in ENDINGS.iter().enumerate() {
        if matches!(by, By::NextestTimeout) && runner != "cargo nextest run" {
            continue;
        }
        let runs = project
            .root()
            .join("target-of")
            .join(format!("{}-{number}", runner.replace(|c: char| !c.is_alphanumeric(), "-")));
        let status = end(project, runner, function, *by, &runs);
        let folder = only_run(&runs);
        let journal = last_word(&folder);
        let document = folder.join("findings.json");
        let before = if document.exists() {
            json(&document);
            "whole"
        } else {
            "not yet written"
        };
        assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1, "{ending}: exactly one test");
        let findings = json(&document);
        let titles: Vec<String> = by_title(&findings).into_keys().collect();
        let _ = writeln!(
            text,
            "| {ending} | {} | {journal} | {before} | {} | {} |",
            status.code().map_or("killed".to_owned(), |code| code.to_string()),
            findings["metadata"]["status"].as_str().unwrap(),
            if titles.is_empty() { "none".to_owned() } else { titles.join("; ") },
        );
    }
    text
}

fn end(project: &Project, runner: &str, function: &str, by: By, runs: &Path) -> ExitStatus {
    let ready = project.root().join(format!("ready-{}", uuid_like(runs)));
    let filter = format!("{function}::");
    let mut arguments = match runner {
        "cargo test" => vec!["test", "--test", "it", "--", &filter],
        OWN_MAIN => vec!["test", "--test", "own", "--", &filter],
        _ => vec!["nextest", "run", "--test", "it", &filter],
    };
    if matches!(by, By::NextestTimeout) {
        arguments.extend(["--profile", "impatient"]);
    }
    let mut command = project.cargo_of_a_terminal(&arguments);
    command.env("STAGEFLOW_RUNS_DIR", runs).stdout(Stdio::null()).stderr(Stdio::null());
    let By::Signal(signal) = by else { return command.status().unwrap() };
    let mut child = command.env("READY", &ready).spawn().unwrap();
    let started = Instant::now();
    let pid = loop {
        match std::fs::read_to_string(&ready).ok().filter(|text| !text.is_empty()) {
            Some(pid) => break pid,
            None if started.elapsed() > Duration::from_secs(300) => panic!("the test did not start"),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    child.wait().unwrap()
}

fn uuid_like(runs: &Path) -> String {
    runs.file_name().unwrap().to_string_lossy().into_owned()
}

fn only_run(runs: &Path) -> PathBuf {
    let mut folders = std::fs::read_dir(runs.join("CORE-001"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.join(".stageflow").is_dir());
    let folder = folders.next().unwrap();
    assert!(folders.next().is_none(), "one run folder");
    folder
}

/// What the journals say of the test before anybody recovers anything.
fn last_word(folder: &Path) -> String {
    let mut ends = Vec::new();
    let mut checked = 0;
    for item in std::fs::read_dir(folder.join(".stageflow/journal")).unwrap() {
        for line in std::fs::read_to_string(item.unwrap().path()).unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            match record["r"]["k"].as_str().unwrap() {
                "test_end" => ends.push(record["r"]["status"].as_str().unwrap().to_owned()),
                "check" => checked += 1,
                _ => {}
            }
        }
    }
    assert_eq!(checked, 1, "what was recorded before the end is there");
    if ends.is_empty() { "no end".to_owned() } else { ends.join(", then ") }
}
