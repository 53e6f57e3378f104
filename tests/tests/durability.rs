//! A process that records is killed at 200 random moments: what it was told to be recorded is there afterwards, and
//! every JSON file is whole at every moment.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use stageflow_stress_tests::{Project, clean, json};

const KILLS: u32 = 200;
/// Kills per run folder: each fold reads all journals of its folder.
const BATCH: u32 = 10;

#[test]
fn two_hundred_kills_lose_nothing_that_was_recorded() {
    let project = Project::new("recorder", &[("tests/it.rs", include_str!("../fixtures/recorder.rs"))]);
    let binary = project.test_binary();
    // SplitMix64: the same moments in every run, as far as a scheduler allows.
    let mut random = 0x5eed_u64;
    let mut seen = Seen::default();
    for batch in 0..KILLS / BATCH {
        let runs = project.root().join(format!("runs-{batch}"));
        let told = project.root().join(format!("told-{batch}"));
        let mut killed = 0;
        // A process that had ended before its moment came is no kill.
        while killed < BATCH {
            let moment = Duration::from_micros(next(&mut random) % 200_000);
            if kill_after(&project, &binary, &runs, &told, batch, moment) {
                killed += 1;
                seen.killed += 1;
            } else {
                seen.ended += 1;
            }
            whole_json(&runs, &mut seen.files);
        }
        check(&runs, &told, &mut seen);
    }
    eprintln!("{seen:?}");
    // What saw nothing would show nothing: processes were killed while they recorded, and after they had written files.
    assert_eq!(seen.killed, KILLS);
    assert!(seen.metrics > 1_000 && seen.findings > 200, "{seen:?}");
    assert!(seen.files > 500 && seen.crashed > 15, "{seen:?}");
}

#[derive(Debug, Default)]
struct Seen {
    killed: u32,
    ended: u32,
    metrics: usize,
    findings: usize,
    crashed: usize,
    files: usize,
}

/// Starts the recorder and kills it after some time. Returns whether it was still running.
fn kill_after(
    project: &Project,
    binary: &Path,
    runs: &Path,
    told: &Path,
    batch: u32,
    moment: Duration,
) -> bool {
    let mut command = Command::new(binary);
    clean(&mut command);
    let mut child = command
        .current_dir(project.root())
        .env("STAGEFLOW_RUNS_DIR", runs)
        .env("STAGEFLOW_RUN_ID", format!("batch-{batch}"))
        .env("TOLD", told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    status.code().is_none()
}

/// Recovers the batch's folder, if one was claimed, and looks for everything that a process had been told is recorded.
fn check(runs: &Path, told: &Path, seen: &mut Seen) {
    let told = std::fs::read_to_string(told).unwrap_or_default();
    let Ok(items) = std::fs::read_dir(runs.join("CORE-003")) else {
        assert_eq!(told, "", "records without a folder");
        return;
    };
    let folders: Vec<PathBuf> = items
        .map(|item| item.unwrap().path())
        .filter(|path| path.join(".stageflow/run.json").is_file())
        .collect();
    let mut recorded = BTreeSet::new();
    for folder in folders {
        stageflow_stress::run::recover(&folder).unwrap();
        let findings = json(&folder.join("findings.json"));
        for finding in findings["findings"].as_array().unwrap() {
            if finding["title"] == "seen" {
                recorded.insert(format!("finding {}", finding["description"].as_str().unwrap()));
            } else if finding["title"] == "the process ended inside the test" {
                seen.crashed += 1;
            }
        }
        let values = folder.join("results/metrics/values.json");
        if values.is_file() {
            names(&json(&values), &mut recorded);
        }
        whole_json(runs, &mut seen.files);
    }
    for line in told.lines() {
        assert!(recorded.contains(line), "`{line}` was recorded and is not there");
        if line.starts_with("metric") { seen.metrics += 1 } else { seen.findings += 1 }
    }
}

/// The names of all metrics, wherever the document holds them.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(format!("metric {key}"));
                if let Some(text) = value.as_str() {
                    found.insert(format!("metric {text}"));
                }
                names(value, found);
            }
        }
        _ => {}
    }
}

/// Parses every JSON file below a directory.
fn whole_json(directory: &Path, files: &mut usize) {
    let Ok(items) = std::fs::read_dir(directory) else { return };
    for item in items {
        let path = item.unwrap().path();
        if path.is_dir() {
            whole_json(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            json(&path);
            *files += 1;
        }
    }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
