//! nextest: attempts, stress iterations, partitions, archives, and nothing where nothing runs.

use std::path::{Path, PathBuf};

use stageflow_stress_tests::{Project, Ran, have, json};

const TESTS: &str = r#"
use stageflow_stress::prelude::*;

#[roadmap_test("WORK-001")]
fn first(cx: &TestContext) {
    cx.check("holds", true);
}

#[roadmap_test("WORK-001")]
fn second(cx: &TestContext) {
    cx.check("holds", true);
}

#[roadmap_test("WORK-001")]
fn third(cx: &TestContext) {
    cx.check("holds", true);
}

#[roadmap_test("WORK-002")]
fn passes_at_the_second_attempt(cx: &TestContext) {
    let attempt = std::env::var("NEXTEST_ATTEMPT").unwrap_or_default();
    cx.check("not the first attempt", attempt != "1");
}
"#;

fn only_folder(entry: &Path) -> PathBuf {
    let folders: Vec<_> = std::fs::read_dir(entry)
        .unwrap_or_else(|error| panic!("{}: {error}", entry.display()))
        .map(|item| item.unwrap().path())
        .filter(|path| path.join("findings.json").is_file())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.into_iter().next().unwrap()
}

fn logs(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.join("results/logs"))
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".log"))
        .collect();
    names.sort();
    names
}

#[test]
fn one_folder_holds_a_nextest_run_however_it_is_cut() {
    if !have("nextest", &["cargo", "nextest", "--version"]) {
        return;
    }
    let project = Project::new("citizen", &[("tests/it.rs", TESTS)]);
    let runs = |purpose: &str| project.root().join("target-of").join(purpose);
    let run = |purpose: &str, arguments: &[&str], variables: &[(&str, &str)]| -> Ran {
        let place = runs(purpose);
        let mut all = vec![("STAGEFLOW_RUNS_DIR", place.to_str().unwrap())];
        all.extend(variables);
        project.nextest(arguments, &all)
    };

    // Listing touches nothing.
    project.build();
    let listed =
        project.cargo(&["nextest", "list"]).env("STAGEFLOW_RUNS_DIR", runs("list")).output().unwrap();
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("first::work_001"));
    assert!(!runs("list").exists() && !project.root().join("runs").exists());

    // Every attempt of a retried test is there; the one that failed is not forgotten.
    run("retries", &["--retries", "2", "-E", "test(passes_at_the_second_attempt)"], &[]).green();
    let folder = only_folder(&runs("retries").join("WORK-002"));
    let logs_of_attempts = logs(&folder);
    assert!(
        matches!(&logs_of_attempts[..], [a, b] if a.ends_with("_a1.log") && b.ends_with("_a2.log")),
        "{logs_of_attempts:?}"
    );
    let findings = json(&folder.join("findings.json"));
    assert_eq!(findings["findings"][0]["title"], "check failed: not the first attempt");
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("1 failed test"), "{report}");

    // Each iteration of a stress run is there.
    run("stress", &["--stress-count", "3", "-E", "test(first)"], &[]).green();
    assert_eq!(logs(&only_folder(&runs("stress").join("WORK-001"))).len(), 3);

    // Partitions with one run id share a folder, whoever ran them.
    for part in ["slice:1/2", "slice:2/2"] {
        run("parts", &["--partition", part, "-E", "test(work_001)"], &[("STAGEFLOW_RUN_ID", "nightly-7")])
            .green();
    }
    let folder = only_folder(&runs("parts").join("WORK-001"));
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    for test in ["first::work_001", "second::work_001", "third::work_001"] {
        assert!(report.contains(test), "{test} in {report}");
    }
    assert_eq!(logs(&folder).len(), 3);

    // An archive runs where its sources lie elsewhere.
    let archive = project.root().join("tests.tar.zst");
    let archived =
        project.cargo(&["nextest", "archive", "--archive-file", archive.to_str().unwrap()]).output().unwrap();
    assert!(archived.status.success(), "{}", String::from_utf8_lossy(&archived.stderr));
    let remap = project.root().to_str().unwrap();
    run(
        "archive",
        &["--archive-file", archive.to_str().unwrap(), "--workspace-remap", remap, "-E", "test(first)"],
        &[],
    )
    .green();
    assert_eq!(logs(&only_folder(&runs("archive").join("WORK-001"))).len(), 1);
}
