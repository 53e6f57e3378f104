//! Two versions of the library in one workspace, one of them from a git repository: both record into the same run, and the
//! hints of a red test lead on from there.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stageflow_stress_tests::{
    Spoken, clean, hint, install, json, only_run, repository, shell_with, target_directory,
};

/// The library in a git repository, in the next version.
fn next_version(root: &Path) {
    for name in ["stageflow-stress", "stageflow-stress-macros"] {
        copy(&repository().join(name), &root.join(name));
    }
    for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "Cargo.lock"] {
        fs::copy(repository().join(name), root.join(name)).expect("a file");
    }
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).expect("the manifest");
    let members = manifest.lines().find(|line| line.starts_with("members")).expect("the members");
    let manifest = manifest
        .replace(members, "members = [\"stageflow-stress\", \"stageflow-stress-macros\"]")
        .replace(&own_version(), "0.99.0");
    fs::write(root.join("Cargo.toml"), manifest).expect("a file");
    // Takes what is not there any more out of the lock file.
    let mut update = Command::new("cargo");
    clean(&mut update);
    let locked = update.args(["update", "--workspace", "--offline"]).current_dir(root).output().unwrap();
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    let commit = "git init -q && git add -A && git -c user.name=Ada -c user.email=a@example.org commit -qm 'the next version'";
    let made = Command::new("sh").args(["-c", commit]).current_dir(root).status().expect("a shell");
    assert!(made.success());
}

fn own_version() -> String {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).expect("the lock file");
    let own = lock.split("[[package]]").find(|table| table.contains("name = \"stageflow-stress\"\n"));
    let version = own.and_then(|table| table.split("version = \"").nth(1)).expect("the library");
    version.split('"').next().expect("a version").to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for item in fs::read_dir(from).expect("a directory") {
        let path = item.expect("an item").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file");
        }
    }
}

const NEAR: &str = r#"
use stageflow_stress::prelude::*;

#[roadmap_test("WORK-002")]
fn near(cx: &TestContext) {
    cx.finding(Finding::dx("seen by the one version").severity(Severity::Low));
    cx.check("it holds", true);
}
"#;

const FAR: &str = r#"
use stageflow_stress::prelude::*;

#[roadmap_test("WORK-002")]
fn far(cx: &TestContext) {
    cx.finding(Finding::dx("seen by the other version").severity(Severity::Low));
    cx.check("every order is charged once", std::fs::exists("fixed").unwrap());
}
"#;

#[test]
fn two_versions_share_a_run_and_the_hints_of_a_git_dependency_lead_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (origin, root) = (dir.path().join("origin"), dir.path().join("work"));
    fs::create_dir_all(&origin).expect("a directory");
    next_version(&origin);
    let member = |name: &str, dependency: &str, test: &str| {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\nstageflow-stress = {{ {dependency} }}\n"
        );
        fs::create_dir_all(root.join(name).join("tests")).expect("a directory");
        fs::create_dir_all(root.join(name).join("src")).expect("a directory");
        fs::write(root.join(name).join("Cargo.toml"), manifest).expect("a file");
        fs::write(root.join(name).join("src/lib.rs"), "").expect("a file");
        fs::write(root.join(name).join("tests/it.rs"), test).expect("a file");
    };
    member("near", &format!("path = {:?}", repository().join("stageflow-stress")), NEAR);
    member("far", &format!("git = \"file://{}\"", origin.display()), FAR);
    fs::write(root.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"near\", \"far\"]\n")
        .expect("a file");
    fs::write(root.join(".gitignore"), "/target\n").expect("a file");
    // The versions of this repository, which are there already.
    fs::copy(repository().join("Cargo.lock"), root.join("Cargo.lock")).expect("the lock file");

    // Both in one invocation: red, because of the one that comes from git.
    let bin = dir.path().join("installed/bin");
    let run = |line: &str| -> Spoken {
        let target = target_directory();
        let variables = [("CARGO_TARGET_DIR", target.to_str().unwrap()), ("CARGO_TERM_COLOR", "never")];
        shell_with(&root, line, &variables, &bin)
    };
    let red = run("cargo test --no-fail-fast").exits(101);
    let red = format!("{}{}", red.out, red.err);
    assert!(red.contains("every order is charged once"), "{red}");
    let folder = only_run(&root.join("runs/WORK-002"));
    let config = json(&folder.join("config/run_config.json"));
    assert_eq!(config["sdk_version"], Value::from(vec![own_version(), "0.99.0".to_owned()]));
    let findings = json(&folder.join("findings.json"));
    let titles: Vec<&str> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["title"].as_str())
        .collect();
    for title in ["seen by the one version", "seen by the other version", "every order is charged once"] {
        assert!(titles.iter().any(|found| found.contains(title)), "{titles:?}");
    }
    assert_eq!(json(&folder.join("results/summary.json"))["tests"]["passed"], 1);

    // What the red test prints, from the installation to the green ratchet.
    let installs = hint(&red, "stageflow-test is not installed; once:");
    assert!(installs.contains(&format!("--git file://{} --rev ", origin.display())), "{installs}");
    install(installs, bin.parent().unwrap());
    run("stageflow-test --version").exits(0).says("0.99.0");
    run(hint(&red, "reproduce:")).exits(101);
    run(hint(&red, "all about it:")).exits(0).says("every order is charged once");
    let accept = hint(&red, "to accept it as known:").replace('…', "we charge by hand this week");
    run(&format!("{accept} --by Ada")).exits(0).says("open → confirmed");
    run("cargo test -q").exits(0);
    fs::write(root.join("far/fixed"), "").expect("a file");
    let resolve = hint(&red, "once it is fixed:").replace("HASH", "0123abc").replace('…', "charged once");
    run(&format!("{resolve} --by Ada")).exits(0).says("confirmed → resolved");
    run("cargo test -q").exits(0);
    run("stageflow-test findings ratchet").exits(0);
}
