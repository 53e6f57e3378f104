//! The three runners on one source: the same names, the same choice of tests, the same colours.

use std::process::Output;
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, have, json};

/// `it` is built with libtest's harness and `own` with its own main, from the same text.
static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let source = include_str!("../fixtures/own_main.rs");
    let project = Project::new("runners", &[("tests/it.rs", source), ("tests/own.rs", source)]);
    let manifest = std::fs::read_to_string(project.root().join("Cargo.toml")).unwrap();
    project.write("Cargo.toml", &format!("{manifest}\n[[test]]\nname = \"own\"\nharness = false\n"));
    project.build();
    project
});

/// Runs one of the two targets, with a runs directory for each `purpose`.
fn run(target: &str, purpose: &str, arguments: &[&str]) -> Output {
    let mut all = vec!["test", "--test", target, "--"];
    all.extend(arguments);
    let mut command = PROJECT.cargo(&all);
    command.env("STAGEFLOW_RUNS_DIR", runs(purpose)).output().expect("cargo runs")
}

fn runs(purpose: &str) -> std::path::PathBuf {
    PROJECT.root().join("target-of").join(purpose)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn all(output: &Output) -> String {
    format!("{}{}", stdout(output), String::from_utf8_lossy(&output.stderr))
}

/// The tests that ran, with their results, as lines that both harnesses print alike.
fn results(output: &Output) -> Vec<String> {
    let text = stdout(output);
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("test ") && line.contains(" ... "))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

/// `test result: ok. 3 passed; …` without the time.
fn result_line(output: &Output) -> String {
    let text = stdout(output);
    let line = text.lines().find(|line| line.starts_with("test result:")).unwrap_or_default();
    line.split("; finished").next().unwrap_or_default().to_owned()
}

#[test]
fn lists_are_those_of_libtest() {
    for arguments in [
        &["--list"][..],
        &["--list", "--format", "terse"],
        &["--list", "--format", "terse", "--ignored"],
        &["--list", "--format=terse", "dag_005"],
        &["--list", "nested", "--skip", "seed_2"],
        &["--list", "--exact", "green::core_001"],
        &["--list", "nothing like this"],
    ] {
        let (libtest, own) = (run("it", "lists", arguments), run("own", "lists", arguments));
        assert_eq!(stdout(&own), stdout(&libtest), "{arguments:?}");
        assert_eq!(own.status.code(), libtest.status.code());
    }
    assert!(stdout(&run("own", "lists", &["--list"])).contains("nested::wide::dag_005_seed_2: test\n"));
    assert!(!runs("lists").exists(), "listing must leave nothing behind");
}

#[test]
fn a_list_in_json_says_what_is_ignored_and_where_it_stands() {
    let text = stdout(&run("own", "lists", &["--list", "--format", "json"]));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["event"], "discovery");
    assert_eq!(lines.last().unwrap()["total"], 11);
    assert_eq!(lines.last().unwrap()["ignored"], 7);
    let long = lines.iter().find(|line| line["name"] == "long::core_002").unwrap();
    assert_eq!((&long["ignore"], &long["ignore_message"]), (&Value::from(true), &"needs a night".into()));
    assert_eq!(long["source_path"], "tests/own.rs");
}

#[test]
fn the_same_tests_run_with_the_same_results() {
    for arguments in [
        &[][..],
        &["dag_005"],
        &["dag_005", "match"],
        &["--exact", "r#match::k8s_001"],
        &["--exact", "match"],
        &["--skip", "seed_1", "--skip", "green"],
        &["--ignored", "core_002", "--skip", "leaves", "--skip", "aborts"],
        &["--include-ignored", "--skip", "leaves", "--skip", "aborts", "--test-threads", "1"],
        &["nothing like this"],
    ] {
        let (libtest, own) = (run("it", "same", arguments), run("own", "same", arguments));
        assert_eq!(results(&own), results(&libtest), "{arguments:?}\n{}", all(&own));
        assert_eq!(result_line(&own), result_line(&libtest), "{arguments:?}\n{}", all(&own));
        assert_eq!(own.status.success(), libtest.status.success(), "{arguments:?}\n{}", all(&own));
    }
    let own = run("own", "same", &["--ignored", "red_and_ignored"]);
    assert!(all(&own).contains("failures:\n    red_and_ignored::core_002\n"), "{}", all(&own));
    assert!(all(&own).contains("check failed: holds"), "{}", all(&own));
}

#[test]
fn nothing_selected_is_no_failure_and_leaves_nothing() {
    let own = run("own", "nothing", &["nothing like this"]);
    assert!(stdout(&own).contains("running 0 tests"), "{}", all(&own));
    assert!(own.status.success());
    assert!(!runs("nothing").exists());
}

#[test]
fn filters_by_what_the_attribute_and_the_roadmap_say() {
    for (arguments, expected) in [
        (&["--tag", "wide"][..], &["nested::wide::dag_005_seed_1", "nested::wide::dag_005_seed_2"][..]),
        (&["--tag", "wide", "--tag", "quick", "seed_1"], &["nested::wide::dag_005_seed_1"]),
        (&["--requirement", "REQ-1"], &["green::core_001"]),
        (&["--requirement", "REQ"], &[]),
        (&["--category", "silent_failures", "--skip", "seed_1"], &["nested::wide::dag_005_seed_2"]),
        (&["--category", "security"], &[]),
        (&["--tier", "1", "--tag", "quick"], &["green::core_001"]),
        (&["--tier", "2", "--tag", "quick"], &[]),
        (&["--priority", "P0", "--priority", "P1", "--priority", "P2", "green"], &["green::core_001"]),
        (&["--risk", "low", "--risk", "moderate", "--tag", "wide"], &[]),
    ] {
        let mut all = vec!["--list", "--format", "terse"];
        all.extend(arguments);
        let text = stdout(&run("own", "lists", &all));
        let names: Vec<&str> = text.lines().filter_map(|line| line.strip_suffix(": test")).collect();
        assert_eq!(names, expected, "{arguments:?}");
    }
}

#[test]
fn an_unknown_flag_is_refused_with_those_there_are() {
    let own = run("own", "nothing", &["--tier=1", "--shuffel"]);
    assert_eq!(own.status.code(), Some(101));
    let text = all(&own);
    assert!(text.contains("error: unknown flag `--shuffel`; the flags are"), "{text}");
    assert!(text.contains("--soak DURATION"), "{text}");
}

#[test]
fn json_is_one_object_a_line_and_nothing_else() {
    let own = run("own", "json", &["--format", "json", "green", "long"]);
    let events: Vec<Value> = stdout(&own)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let of = |name: &str| -> Vec<String> {
        let events = events.iter().filter(|event| event["name"] == name);
        events.map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of("green::core_001"), ["started", "ok"]);
    assert_eq!(of("long::core_002"), ["ignored"]);
    let last = events.last().unwrap();
    assert_eq!((&last["passed"], &last["ignored"], &last["filtered_out"]), (&1.into(), &1.into(), &9.into()));
}

#[test]
fn repetitions_are_counted_and_recorded() {
    let own = run("own", "repeat", &["green", "--repeat", "3"]);
    let text = stdout(&own);
    assert!(own.status.success(), "{}", all(&own));
    for line in [
        "repetition 1: 1 passed, 0 failed; so far 1 passed",
        "repetition 3: 1 passed, 0 failed; so far 3 passed",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("repetition 4"), "{text}");
    assert_eq!(text.matches("test green::core_001 ... ok").count(), 3, "{text}");
    assert_eq!(logs("repeat", "CORE-001"), 3);
    assert!(text.contains("findings by severity: none\n  CORE-001: none; "), "{text}");
}

#[test]
fn until_fail_stops_at_the_first_red_test() {
    let own = run("own", "until_fail", &["--ignored", "third_time", "--until-fail"]);
    let text = stdout(&own);
    assert_eq!(own.status.code(), Some(101), "{}", all(&own));
    assert!(text.contains("repetition 3: 0 passed, 1 failed; so far 2 passed, 1 failed"), "{text}");
    assert!(!text.contains("repetition 4"), "{text}");
    let report = text.lines().find_map(|line| line.strip_prefix("  CORE-002: 1 high; ")).expect(&text);
    assert!(std::fs::read_to_string(report).unwrap().contains("check failed: not yet"));
}

#[test]
fn a_soak_runs_every_test_at_least_once() {
    let own = run("own", "soak", &["dag_005", "--soak", "1ms"]);
    let text = stdout(&own);
    assert!(own.status.success(), "{}", all(&own));
    assert!(text.contains("repetition 1: 2 passed, 0 failed; so far 2 passed"), "{text}");
    assert!(!text.contains("repetition 2"), "{text}");
}

#[test]
fn isolated_tests_survive_the_end_of_their_neighbours() {
    let own = run("own", "isolate", &["--isolate", "--include-ignored", "--skip", "third", "--skip", "long"]);
    let text = stdout(&own);
    assert_eq!(own.status.code(), Some(101), "{}", all(&own));
    for line in [
        "test aborts::core_002 ... FAILED",
        "test green::core_001 ... ok",
        "test leaves::core_002 ... FAILED",
        "test nested::wide::dag_005_seed_2 ... ok",
        "---- red_and_ignored::core_002 output ----",
        "the answer was printed",
        "signal: 6",
        "exit status: 101",
    ] {
        assert!(text.contains(line), "expected `{line}` in {text}");
    }
    // All processes write one folder for an entry, and what a killed one left is in it.
    let folders = std::fs::read_dir(runs("isolate").join("CORE-002")).unwrap();
    let folders: Vec<_> = folders.map(|item| item.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert_eq!(folders.len(), 1);
    let titles = json(&folders[0].join("findings.json"))["findings"].to_string();
    for title in
        ["the process ended inside the test", "the process exited inside the test", "check failed: holds"]
    {
        assert!(titles.contains(title), "{titles}");
    }
}

#[test]
fn a_test_that_cannot_run_is_no_plain_pass_in_a_process_of_its_own_either() {
    for arguments in [&["cannot_run", "--ignored"][..], &["cannot_run", "--ignored", "--isolate"]] {
        let own = run("own", "skipped", arguments);
        let text = stdout(&own);
        assert!(own.status.success(), "{}", all(&own));
        assert!(
            text.contains("1 of the passed tests said that they cannot run here"),
            "{arguments:?}: {text}"
        );
    }
    let own = run("own", "skipped", &["green", "--isolate"]);
    assert!(!stdout(&own).contains("cannot run here"), "{}", all(&own));
}

#[test]
#[cfg(target_os = "linux")]
fn the_attribute_isolates_under_every_harness() {
    for target in ["it", "own"] {
        let ran = run(target, "apart", &["apart", "--ignored"]);
        assert!(ran.status.success(), "{target}: {}", all(&ran));
        let mut command = PROJECT.cargo(&["test", "--test", target, "--", "apart", "--ignored"]);
        command.env("STAGEFLOW_RUNS_DIR", runs(&format!("apart_{target}"))).env("CHILD_IS_RED", "1");
        let ran = command.output().unwrap();
        assert_eq!(ran.status.code(), Some(101), "{target}: {}", all(&ran));
        let folders = std::fs::read_dir(runs(&format!("apart_{target}")).join("GUARD-002")).unwrap();
        let folders: Vec<_> = folders.map(|item| item.unwrap().path()).filter(|path| path.is_dir()).collect();
        assert_eq!(folders.len(), 1);
        let titles = json(&folders[0].join("findings.json"))["findings"].to_string();
        assert!(titles.contains("check failed: the child holds"), "{titles}");
        assert_eq!(logs(&format!("apart_{target}"), "GUARD-002"), 1, "the test has one log, the child's");
    }
}

/// The test binary itself, on a terminal. `script` makes one.
#[test]
#[cfg(target_os = "linux")]
fn a_terminal_shows_progress_and_colours_and_a_pipe_shows_neither() {
    if !have("script", &["script", "--version"]) {
        return;
    }
    let built =
        PROJECT.cargo(&["test", "--test", "own", "--no-run", "--message-format=json"]).output().unwrap();
    let binary = stdout(&built)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|line| Some(line["executable"].as_str()?.to_owned()))
        .expect("the binary");
    let tests = "dag_005 core_001";
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-qec", &format!("{binary} {tests}"), "/dev/null"]).current_dir(PROJECT.root());
    stageflow_stress_tests::clean(&mut terminal);
    let shown = stdout(&terminal.env("STAGEFLOW_RUNS_DIR", runs("terminal")).output().unwrap());
    for text in ["... \x1b[32mok\x1b[0m", "3 tests ended, ", " tests/s, 0 findings so far", "\r\x1b[2K"] {
        assert!(shown.contains(text), "{text:?} is missing in {shown:?}");
    }
    let progress = shown.find("3 tests ended").unwrap();
    let wiped = shown[progress..].find("\r\x1b[2K").unwrap();
    assert!(
        shown[progress..][wiped..].contains("test result:"),
        "the progress is wiped before the result: {shown:?}"
    );

    let piped = all(&run("own", "piped", &["green"]));
    assert!(!piped.contains('\x1b') && !piped.contains("tests ended"), "{piped:?}");
    let always = stdout(&run("own", "piped", &["green", "--color", "always"]));
    assert!(always.contains("\x1b[32mok\x1b[0m"), "{always:?}");
    assert!(!always.contains("tests ended"), "{always:?}");
    let mut never = std::process::Command::new("script");
    never.args(["-qec", &format!("{binary} {tests} --color never"), "/dev/null"]).current_dir(PROJECT.root());
    stageflow_stress_tests::clean(&mut never);
    let never = stdout(&never.env("STAGEFLOW_RUNS_DIR", runs("terminal")).output().unwrap());
    assert!(!never.contains("\x1b[32m") && never.contains("3 tests ended"), "{never:?}");
}

#[test]
fn nextest_runs_it_like_any_other() {
    if !have("cargo-nextest", &["cargo", "nextest", "--version"]) {
        return;
    }
    let nextest = |target: &str, arguments: &[&str]| -> Ran {
        let mut all = vec!["--test", target, "--color", "never"];
        all.extend(arguments);
        PROJECT.nextest(&all, &[("STAGEFLOW_RUNS_DIR", runs(&format!("nextest_{target}")).to_str().unwrap())])
    };
    let tests = |ran: &Ran, target: &str| {
        let mut lines: Vec<String> = ran
            .text
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with("PASS") || line.starts_with("FAIL"))
            .filter_map(|line| {
                Some(format!("{} {}", &line[..4], line.split(&format!("runners::{target} ")).nth(1)?))
            })
            .collect();
        lines.sort();
        lines.dedup();
        lines
    };
    for arguments in [
        &[][..],
        &["-E", "test(dag_005)"],
        &["--run-ignored", "only", "-E", "test(red_and_ignored) | test(long) | test(leaves)"],
    ] {
        let (libtest, own) = (nextest("it", arguments), nextest("own", arguments));
        assert_eq!(tests(&own, "own"), tests(&libtest, "it"), "{}\n{}", own.text, libtest.text);
        assert!(!tests(&own, "own").is_empty(), "{}", own.text);
        assert_eq!(own.code, libtest.code, "{}", own.text);
    }
}

fn logs(purpose: &str, entry: &str) -> usize {
    let folders = std::fs::read_dir(runs(purpose).join(entry)).unwrap();
    let logs = folders
        .filter_map(|item| std::fs::read_dir(item.unwrap().path().join("results/logs")).ok())
        .flatten();
    logs.filter(|item| item.as_ref().unwrap().path().extension().is_some_and(|end| end == "log")).count()
}
