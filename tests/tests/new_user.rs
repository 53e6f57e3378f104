//! From nothing to a green ratchet, following only what the tools print.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use stageflow_stress_tests::{Spoken, clean, hint, install_command, repository, shell, target_directory};

fn run(root: &Path, line: &str) -> Spoken {
    shell(
        root,
        line,
        &[("CARGO_TARGET_DIR", target_directory().to_str().unwrap()), ("CARGO_TERM_COLOR", "never")],
    )
}

/// `cargo test` of somebody who has not installed the command line.
fn first_test(root: &Path) -> String {
    let mut command = Command::new("cargo");
    clean(&mut command);
    let output = command
        .args(["test"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target_directory())
        .output()
        .unwrap();
    assert!(!output.status.success(), "a test that nobody has written is red");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn from_a_red_test_to_a_green_ratchet() {
    let dir = tempfile::tempdir().unwrap();
    // A crate, as somebody makes it who has a checkout of this repository.
    let init =
        format!("stageflow-test init crate new-user --entry WORK-002 --path {}", repository().display());
    let made = run(dir.path(), &init).exits(0).says("cd new-user && cargo test");
    let root = &dir.path().join("new-user");
    // The versions of this repository, which are there already.
    fs::copy(repository().join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    let git = "git init -q && git add -A && git -c user.name=Ada -c user.email=a@example.org commit -qm 'a red test'";
    run(root, git).exits(0);
    assert!(made.out.contains("tests/work_002.rs"), "{}", made.out);

    // Red, and it says what to do.
    let red = first_test(root);
    assert!(red.contains("the test of WORK-002 is not written yet"), "{red}");
    if red.contains("stageflow-test is not installed") {
        // The helper of these tests has done exactly that.
        assert_eq!(hint(&red, "stageflow-test is not installed; once:"), install_command());
    }
    let reproduced = run(root, hint(&red, "reproduce:")).exits(101);
    assert!(reproduced.err.contains("not written yet") || reproduced.out.contains("not written yet"));
    run(root, hint(&red, "all about it:"))
        .exits(0)
        .says("WORK-002-BUG-001")
        .says("not written yet")
        .says("cargo test -p new-user");

    // Accepted as known with a reason: green, and reported.
    let accept = hint(&red, "to accept it as known:").replace("…", "we write it next week");
    run(root, &format!("{accept} --by Ada")).exits(0).says("open → confirmed");
    run(root, "cargo test -q").exits(0);
    run(root, "stageflow-test findings list --open").exits(0).says("confirmed").says("WORK-002-BUG-001");

    // Written, committed, resolved with that commit: green.
    let path = root.join("tests/work_002.rs");
    let unwritten = fs::read_to_string(&path).unwrap();
    let failing = unwritten.find("    Err(Failure::new(").unwrap();
    let end = failing + unwritten[failing..].find("\n}").unwrap();
    let written = format!(
        "{}    Ok(vec![format!(\"charged once with seed {{seed}}\")]){}",
        &unwritten[..failing],
        &unwritten[end..]
    );
    fs::write(&path, &written).unwrap();
    run(root, "git -c user.name=Ada -c user.email=a@example.org commit -qam 'write the test'").exits(0);
    let commit = run(root, "git rev-parse HEAD").exits(0).out.trim().to_owned();
    let resolve =
        hint(&red, "once it is fixed:").replace("HASH", &commit).replace("…", "the test is written");
    run(root, &format!("{resolve} --by Ada")).exits(0).says("confirmed → resolved");
    let known = fs::read_to_string(root.join("stageflow-known.toml")).unwrap();
    assert!(known.contains(&commit), "{known}");
    run(root, "cargo test -q").exits(0);
    run(root, "stageflow-test roadmap show WORK-002").exits(0).says("completed").says("tests/work_002.rs");

    // Seen again, it is a regression: red.
    fs::write(&path, &unwritten).unwrap();
    let again = run(root, "cargo test -q").exits(101);
    assert!(again.out.contains("a regression") || again.err.contains("a regression"), "{again:?}");
    run(root, "stageflow-test findings show WORK-002-BUG-001")
        .exits(0)
        .says("open (a regression)")
        .says(&commit[..7]);
    run(root, "stageflow-test findings list --min-severity high --open --exit-code").exits(1);
    run(root, "stageflow-test findings ratchet").exits(1).says("Came back").says("the ratchet does not hold");
    the_runs_are_kept(root);
}

/// What becomes of the runs of a real project: exported, archived, brought back, pruned, merged.
fn the_runs_are_kept(root: &Path) {
    let junit = run(root, "stageflow-test findings export --format junit").exits(0);
    assert!(
        junit.out.contains("name=\"work_002::work_002\"") && junit.out.contains("a regression"),
        "{}",
        junit.out
    );
    let annotations =
        run(root, "stageflow-test findings export --format github --output summary.md").exits(0);
    assert!(annotations.out.starts_with("::error file=tests/work_002.rs,line="), "{}", annotations.out);
    let page = run(root, "stageflow-test findings export --format html").exits(0);
    assert!(
        page.out.contains("WORK-002") && page.out.starts_with("<!"),
        "{}",
        &page.out[..200.min(page.out.len())]
    );
    run(root, "stageflow-test runs open --print").exits(0).says("report.html");

    // What is archived stays readable by every command and export, and comes back whole.
    let listed = run(root, "stageflow-test findings list --json").exits(0).json();
    let answers = every_answer(root);
    let runs = run(root, "stageflow-test runs list --json").exits(0).json();
    let names: Vec<String> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| format!("WORK-002/{}", run["run"].as_str().unwrap()))
        .collect();
    assert!(names.len() >= 4, "{names:?}");
    run(root, "stageflow-test runs archive --days 1").exits(0).says("0 runs archived");
    run(root, &format!("stageflow-test runs archive {}", names.join(" ")))
        .exits(0)
        .says(&format!("{} runs archived", names.len()));
    assert_eq!(
        run(root, "stageflow-test findings list --json").exits(0).json()["findings"],
        listed["findings"]
    );
    assert!(!root.join("runs").join(&names[0]).join(".stageflow/journal").exists());
    for (line, answer) in every_answer(root) {
        assert_eq!(answer, answers[&line], "`{line}` reads what is archived");
    }
    run(root, "stageflow-test runs show WORK-002").exits(0).says("archived in").says("work_002::work_002");
    run(root, &format!("stageflow-test findings export --format html --run {}", names[0]))
        .exits(0)
        .says("work_002::work_002");
    run(root, "stageflow-test runs validate --strict").exits(0);
    run(root, "stageflow-test runs recover --all").exits(0).says("nothing to recover");
    run(root, "stageflow-test --runs merged-archived runs merge runs").exits(0);
    run(root, &format!("stageflow-test runs archive --restore {}", names.join(" "))).exits(0);
    run(root, "stageflow-test runs show WORK-002").exits(0).says("work_002::work_002");
    run(root, &format!("stageflow-test runs archive --restore {}", names[0]))
        .exits(5)
        .complains("not archived");
    let dry = run(root, &format!("stageflow-test runs prune --dry-run {} --json", names[0])).exits(0).json();
    assert!(
        dry["runs"][0]["files"].as_object().unwrap().keys().any(|file| file.ends_with(".log")),
        "{dry:#}"
    );
    run(root, &format!("stageflow-test runs prune {}", names[0])).exits(0).says("1 run pruned");

    run(root, "stageflow-test --runs merged runs merge runs").exits(0).says("merged into merged");
    let merged = run(root, "stageflow-test --runs merged runs list --json").exits(0).json();
    assert_eq!(merged["total"], runs["total"]);
    run(root, "stageflow-test --runs merged runs merge nowhere").exits(3);
    run(root, "stageflow-test runs recover --all").exits(0).says("recovered");
    run(root, "stageflow-test runs validate").exits(0);
}

/// What every command that reads answers, but for the time at which it does.
fn every_answer(root: &Path) -> BTreeMap<String, String> {
    let log = fs::read_dir(root.join("runs/WORK-002"))
        .unwrap()
        .flat_map(|run| fs::read_dir(run.unwrap().path().join("results/logs")).into_iter().flatten())
        .map(|log| log.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "log"));
    static LOG: OnceLock<PathBuf> = OnceLock::new();
    let log = LOG.get_or_init(|| log.expect("a log"));
    let formats = ["csv", "json", "jsonl", "md", "sarif", "junit", "ctrf", "github", "html"];
    let exports = formats.map(|format| format!("findings export --format {format}"));
    let others = [
        "findings list --json",
        "findings list --stale --json",
        "findings show WORK-002-BUG-001 --json",
        "findings ratchet --json",
        "findings aggregate",
        "findings lint --json",
        "runs list --json",
        "roadmap show WORK-002 --json",
        "roadmap coverage --json",
        "roadmap checklist",
        "ledger export --file bug",
    ];
    let lines = exports.into_iter().chain(others.map(str::to_owned));
    lines
        .chain([format!("logs analyze {}", log.display())])
        .map(|line| {
            let said = run(root, &format!("stageflow-test {line}"));
            assert!(matches!(said.code, Some(0 | 1)), "{said:?}");
            (line, undated(&said.out))
        })
        .collect()
}

/// The text without times: that of an answer is its own.
fn undated(text: &str) -> String {
    let is_time = |word: &str| {
        let identity = word.len() == 36 && word.matches('-').count() == 4;
        let millis = word.len() == 13 && word.bytes().all(|b| b.is_ascii_digit());
        identity || millis || (word.starts_with("20") && word.len() > 18 && word.as_bytes()[10] == b'T')
    };
    let words =
        text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+')));
    words
        .map(
            |word| {
                if is_time(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())) {
                    "TIME"
                } else {
                    word
                }
            },
        )
        .collect()
}

#[test]
fn the_test_that_is_written_for_every_entry_compiles() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let list = run(root, "stageflow-test roadmap list --json").exits(0).json();
    let ids: Vec<&str> =
        list["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 308);
    let init = format!("stageflow-test init crate every-entry --path {}", repository().display());
    run(root, &init).exits(0);
    let root = &root.join("every-entry");
    fs::copy(repository().join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    fs::remove_dir_all(root.join("tests")).unwrap();
    fs::create_dir_all(root.join("tests/all")).unwrap();
    // One binary with a module for each, written by one shell: 308 processes, one build.
    let writes: Vec<String> = ids
        .iter()
        .map(|id| format!("stageflow-test -q init test {id} --output tests/all/{}.rs >/dev/null", module(id)))
        .collect();
    run(root, &format!("set -e\n{}", writes.join("\n"))).exits(0);
    let modules: String = ids.iter().map(|id| format!("mod {};\n", module(id))).collect();
    fs::write(
        root.join("tests/all/main.rs"),
        format!("#![deny(warnings)]\n#![allow(clippy::all)]\n{modules}"),
    )
    .unwrap();
    run(root, "cargo check -q --tests").exits(0);
    // The attributes say what the guide of each entry says: the binary's own list has all of them.
    let source = fs::read_to_string(root.join("tests/all/k8s_001.rs")).unwrap();
    assert!(
        source.contains("#[roadmap_test(\"K8S-001\", category = ")
            && source.contains("Target: concurrent DAGs >= 1000."),
        "{source}"
    );
    run(root, "stageflow-test init test K8S-001 --output tests/all/k8s_001.rs")
        .exits(4)
        .complains("is there already");
}

fn module(id: &str) -> String {
    id.to_lowercase().replace('-', "_")
}
