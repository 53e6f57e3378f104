//! The store under load and on hostile disks: many processes at once, a full disk, a directory that cannot be written,
//! other versions of the format, clocks that step.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use stageflow_stress_tests::{Project, clean, have, json, only_run};

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::new("store", &[("tests/it.rs", include_str!("../fixtures/store.rs"))]));

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| PROJECT.test_binary());

/// The test binary as its runner would start it.
fn start(test: &str, runs: &Path, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(&*BINARY);
    clean(&mut command);
    command
        .arg(test)
        .current_dir(PROJECT.root())
        .env("STAGEFLOW_RUNS_DIR", runs)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(test: &str, runs: &Path, variables: &[(&str, &str)]) -> (bool, String) {
    let output = start(test, runs, variables).wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn thirty_two_writers_in_eight_processes_lose_nothing() {
    const PROCESSES: usize = 8;
    let directory = in_memory();
    let runs = directory.path().join("runs");
    let children: Vec<Child> = (0..PROCESSES)
        .map(|number| {
            let writer = format!("w{number}");
            let variables = [
                ("STAGEFLOW_RUN_ID", "one"),
                ("WRITER", writer.as_str()),
                ("THREADS", "4"),
                ("EACH", "1000"),
            ];
            start("writers_find", &runs, &variables)
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let folder = only_run(&runs.join("DAG-005"));
    let document = json(&folder.join("findings.json"));
    let findings = document["findings"].as_array().unwrap();
    let keys: BTreeSet<&str> =
        findings.iter().map(|finding| finding["x_stageflow"]["key"].as_str().unwrap()).collect();
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert_eq!((findings.len(), keys.len(), ids.len()), (32_000, 32_000, 32_000));
    for number in 0..PROCESSES {
        for thread in 0..4 {
            assert!(keys.contains(format!("w{number}/{thread}/999").as_str()));
        }
    }
    assert_eq!(document["metadata"]["total_findings"], 32_000);
    assert_eq!(document["metadata"]["x_stageflow"]["lost"], 0);
    println!("stageflow-stress: 32 writers in 8 processes, 32000 of 32000 findings kept, every id once");
    println!("{}", contrast(24, 1));
    println!("{}", contrast(20, 25));
}

/// What is left of the same work when each writer reads, changes and writes one file.
fn contrast(writers: usize, each: usize) -> String {
    let directory = in_memory();
    let path = directory.path().join("bugs.json");
    fs::write(&path, r#"{"entries": []}"#).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/add_entry.py");
    let children: Vec<Child> = (0..writers)
        .filter_map(|writer| {
            Command::new("python3")
                .arg(&script)
                .args([path.to_str().unwrap(), &writer.to_string(), &each.to_string()])
                .stderr(Stdio::null())
                .spawn()
                .ok()
        })
        .collect();
    if children.is_empty() {
        return "read-modify-write script: not measured, python3 is not there".to_owned();
    }
    // All of them at once: a writer that has ended before the next one starts loses nothing.
    let ready = || {
        (0..writers)
            .filter(|writer| directory.path().join(format!("bugs.json.ready-{writer}")).exists())
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while ready() < children.len() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(directory.path().join("bugs.json.go"), "").unwrap();
    let failed =
        children.into_iter().filter_map(|mut child| child.wait().ok()).filter(|end| !end.success()).count();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let kept = serde_json::from_str::<Value>(&text).ok().map(|document| {
        let entries = document["entries"].as_array().cloned().unwrap_or_default();
        let ids: BTreeSet<String> = entries.iter().map(|entry| entry["id"].to_string()).collect();
        (entries.len(), entries.len() - ids.len())
    });
    let all = writers * each;
    match kept {
        Some((kept, twice)) => format!(
            "read-modify-write script: {kept} of {all} entries kept, {twice} ids given twice, {failed} of {writers} \
             writers crashed"
        ),
        None => format!(
            "read-modify-write script: the file of {all} entries is no JSON any more, {failed} of {writers} writers crashed"
        ),
    }
}

/// A directory that costs no disk access, where the system has one.
fn in_memory() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap()
}

/// A file system of a few hundred kilobytes; none where this user may not mount one.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(directory: &Path, kib: u32) -> Option<Tiny> {
        fs::create_dir_all(directory).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(directory)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Tiny(directory.to_owned()))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_costs_no_test_and_no_finding_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let Some(tiny) = Tiny::mount(&directory.path().join("disk"), 1536) else {
        println!("not tested: this user may not mount a file system");
        return;
    };
    let runs = tiny.0.join("runs");
    let (green, text) = run("fills_the_disk", &runs, &[("RECORDS", "20000")]);
    assert!(green, "a full disk makes no test red:\n{text}");
    assert!(text.contains("No space left on device"), "and is told:\n{text}");
    let folder = only_run(&runs.join("DAG-006"));
    let journal = only_file(&folder.join(".stageflow/journal"));
    let recorded = fs::read_to_string(journal).unwrap();
    assert!(
        recorded.contains("seen when the disk was full"),
        "the finding had room: the reserve was given up for it"
    );
    assert!(recorded.contains("\"k\":\"test_end\""), "and so had the end of the test");
    assert!(!runs.join(".stageflow/reserve").exists());
    assert!(
        recorded.ends_with('\n') && recorded.lines().all(|line| line.ends_with("\"}")),
        "no line is torn"
    );

    // Elsewhere, where there is room, the files are computed, and they say what is missing.
    let copy = directory.path().join("copy/DAG-006/run-2026-01-14-001");
    copy_tree(&folder, &copy);
    stageflow_stress::run::recover(&copy).unwrap();
    let document = json(&copy.join("findings.json"));
    assert_eq!(document["findings"][0]["title"], "seen when the disk was full");
    assert!(document["metadata"]["x_stageflow"]["lost"].as_u64().unwrap() > 1000, "{}", document["metadata"]);
    let report = fs::read_to_string(copy.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("PASS_WITH_CONCERNS") && report.contains("No space left on device"), "{report}");

    // Who cannot live with losses says so.
    fs::remove_dir_all(&runs).unwrap();
    let (green, text) =
        run("fills_the_disk", &runs, &[("RECORDS", "20000"), ("STAGEFLOW_STRICT_STORE", "1")]);
    assert!(!green && text.contains("records could not be written"), "{text}");
}

#[test]
fn directories_of_other_versions_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for (format, reason) in [("2", "format 2"), ("1.1", "format 1.1"), ("nonsense", "nonsense")] {
        let runs = directory.path().join(format);
        fs::create_dir_all(runs.join(".stageflow")).unwrap();
        fs::write(runs.join(".stageflow/FORMAT"), format!("{format}\n")).unwrap();
        let (green, text) = run("fills_the_disk", &runs, &[]);
        assert!(green, "the test is not red for it:\n{text}");
        assert!(text.contains(reason) && text.contains("recorded below"), "{text}");
        assert!(!runs.join("DAG-006").exists(), "nothing was written into it");
        let (green, _) = run("fills_the_disk", &runs, &[("STAGEFLOW_STRICT_STORE", "1")]);
        assert!(!green, "a strict store is red");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_no_reason_to_fail() {
    let directory = tempfile::tempdir().unwrap();
    let Some(tiny) = Tiny::mount(&directory.path().join("disk"), 64) else {
        println!("not tested: this user may not mount a file system");
        return;
    };
    let read_only = Command::new("mount").args(["-o", "remount,ro"]).arg(&tiny.0).status().unwrap();
    assert!(read_only.success());
    let (green, text) = run("fills_the_disk", &tiny.0.join("runs"), &[]);
    assert!(green, "{text}");
    assert!(text.contains("Read-only file system") && text.contains("recorded below"), "{text}");
}

/// The library that gives a process a clock of its own, where the system has it.
fn own_clock() -> Option<PathBuf> {
    let candidates = fs::read_dir("/usr/lib").ok()?.flatten();
    let found =
        candidates.map(|item| item.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file());
    let probe = found.as_ref().and_then(|path| path.to_str()).unwrap_or("libfaketime");
    have("faketime", &["test", "-f", probe]).then_some(found).flatten()
}

#[test]
fn a_clock_that_steps_turns_nothing_round_and_is_told() {
    let Some(library) = own_clock() else { return };
    let library = library.to_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let clock = directory.path().join("clock");
    fs::write(&clock, "+0\n").unwrap();
    // The first process of an invocation asks git and rustc; some of them do not run with a clock of their own.
    let (green, text) = run("writers_find", &runs, &[("STAGEFLOW_RUN_ID", "one"), ("WRITER", "first")]);
    assert!(green, "{text}");
    fs::remove_dir_all(runs.join("DAG-005")).unwrap();
    // Within a process: the wall clock goes back an hour in the middle of the test.
    let own = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("STAGEFLOW_RUN_ID", "one"),
    ];
    let (green, text) = run("steps_the_clock", &runs, &own);
    assert!(green, "{text}");
    let folder = only_run(&runs.join("DAG-007"));
    let journal = fs::read_to_string(only_file(&folder.join(".stageflow/journal"))).unwrap();
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let times: Vec<&str> = lines.iter().map(|line| line["ts"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:#?}");
    let summary = json(&folder.join("results/summary.json"));
    let told =
        |summary: &Value| summary["losses"].as_array().unwrap().iter().any(|loss| loss["what"] == "clock");
    assert!(told(&summary), "{summary:#}");
    assert_eq!(
        (&summary["status"], &summary["impossible"]),
        (&"completed".into(), &Value::Array(Vec::new()))
    );
    assert_eq!(summary["verdict"], "PASS_WITH_CONCERNS");
    let test = &json(&folder.join("results/tests.json"))["tests"][0];
    assert!(
        test["duration_ms"].as_f64().unwrap() >= 0.0
            && test["started_at"].as_str() <= test["ended_at"].as_str()
    );

    // Between processes of one boot: the second one's clock is three hours ahead, and its records are all there.
    let ahead = [("LD_PRELOAD", library), ("FAKETIME", "+3h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let (green, text) =
        run("writers_find", &runs, &[("STAGEFLOW_RUN_ID", "two"), ("EACH", "3"), ("WRITER", "a")]);
    assert!(green, "{text}");
    let second = [&ahead[..], &[("STAGEFLOW_RUN_ID", "two"), ("EACH", "3"), ("WRITER", "b")]].concat();
    let (green, text) = run("writers_find", &runs, &second);
    assert!(green, "{text}");
    let folder = only_run(&runs.join("DAG-005"));
    let summary = json(&folder.join("results/summary.json"));
    assert!(told(&summary), "{summary:#}");
    assert_eq!(summary["findings"]["total"], 6);
}

/// A directory of another machine, mounted through the protocol of ssh's file transfer over a pipe: a real network file
/// system, whose locks each mount keeps for itself, and which caches what the other side does not yet have.
struct Remote(PathBuf);

impl Remote {
    fn mount(served: &Path, at: &Path) -> Option<Remote> {
        let server = ["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server"];
        let server = server.into_iter().find(|path| Path::new(path).is_file()).unwrap_or("sftp-server");
        if !have(
            "sshfs",
            &["sh", "-c", &format!("command -v sshfs && test -x {server} && test -c /dev/fuse")],
        ) {
            return None;
        }
        fs::create_dir_all(at).unwrap();
        fs::create_dir_all(served).unwrap();
        let ssh = at.with_extension("ssh");
        fs::write(&ssh, format!("#!/bin/sh\nexec {server}\n")).unwrap();
        fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mounted = Command::new("sshfs")
            .arg(format!("-ossh_command={}", ssh.display()))
            .arg(format!("machine:{}", served.display()))
            .arg(at)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Remote(at.to_owned()));
        }
        println!("not tested: this user may not mount a network file system");
        None
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn machines_that_share_a_network_file_system_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let served = directory.path().join("served");
    let mounts: Option<Vec<Remote>> =
        ["a", "b"].iter().map(|name| Remote::mount(&served, &directory.path().join(name))).collect();
    let Some(mounts) = mounts else { return };
    // Two machines with two processes each, all of one invocation, at once.
    let children: Vec<Child> = (0..4)
        .map(|number| {
            let (runs, writer) = (mounts[number % 2].0.join("runs"), format!("w{number}"));
            let variables =
                [("STAGEFLOW_RUN_ID", "one"), ("WRITER", writer.as_str()), ("THREADS", "2"), ("EACH", "25")];
            start("writers_find", &runs, &variables)
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(!text.contains("recorded below"), "it was not recorded where it should be:\n{text}");
    }
    drop(mounts);
    // What may happen is that each machine claimed a folder of its own; what may not is that anything is missing.
    let runs = served.join("runs");
    let merged = directory.path().join("merged");
    let together =
        stageflow_stress::run::merge([&runs], &merged, stageflow_stress::run::Together::SameSession);
    assert_eq!(together.unwrap().len(), 1);
    let document = json(&only_run(&merged.join("DAG-005")).join("findings.json"));
    let findings = document["findings"].as_array().unwrap();
    let keys: BTreeSet<&str> =
        findings.iter().map(|finding| finding["x_stageflow"]["key"].as_str().unwrap()).collect();
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert_eq!((findings.len(), keys.len(), ids.len()), (200, 200, 200));
    assert_eq!(document["metadata"]["x_stageflow"]["lost"], 0);
    assert_eq!(document["metadata"]["x_stageflow"]["unreadable_lines"], 0);
}

fn only_file(directory: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|item| item.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
