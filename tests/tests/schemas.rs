//! Every JSON document of real runs, under its published schema, by a validator that is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stageflow_stress::schema::Schema;
use stageflow_stress_tests::{Project, clean, repository, shell};

/// Below these, a test keeps what it likes: the values that goldens compare, data, sources.
const OF_TESTS: [&str; 5] = ["results/golden/", "mocks/", "pipelines/", "tests/", "results/screenshots/"];

#[derive(Default)]
struct Seen {
    validators: BTreeMap<Schema, Option<jsonschema::Validator>>,
    documents: BTreeMap<Schema, usize>,
    of_tests: usize,
    wrong: Vec<String>,
}

impl Seen {
    /// Walks a directory of runs.
    fn walk(&mut self, runs: &Path) {
        let mut files = Vec::new();
        list(runs, &mut files);
        for path in files {
            let relative = path.strip_prefix(runs).unwrap().to_string_lossy().into_owned();
            let below_run = relative.splitn(3, '/').nth(2).unwrap_or_default();
            if OF_TESTS.iter().any(|folder| below_run.starts_with(folder)) {
                self.of_tests += 1;
                continue;
            }
            match Schema::of_stored(&relative) {
                None => self.wrong.push(format!("{relative} has no schema")),
                Some(schema) => {
                    self.file(schema, &relative, &fs::read_to_string(&path).expect("text"));
                }
            }
        }
    }

    fn file(&mut self, schema: Schema, name: &str, text: &str) {
        let documents: Vec<&str> = if schema.is_of_lines() { text.lines().collect() } else { vec![text] };
        let validator = self.validators.entry(schema).or_default().get_or_insert_with(|| {
            let published = repository().join(format!("docs/schema/{}.schema.json", schema.name()));
            let text = fs::read_to_string(&published).expect("the published schema");
            let parsed: Value = serde_json::from_str(&text).expect("a schema");
            jsonschema::options().should_validate_formats(true).build(&parsed).expect("a valid schema")
        });
        *self.documents.entry(schema).or_default() += documents.len();
        for document in documents {
            let Ok(document) = serde_json::from_str::<Value>(document) else {
                self.wrong.push(format!("{name} is no JSON: {document}"));
                continue;
            };
            let errors = validator.iter_errors(&document).take(3);
            self.wrong.extend(
                errors.map(|error| format!("{name} ({}) {}: {error}", schema.name(), error.instance_path())),
            );
        }
    }
}

/// Files of JSON, hidden ones too.
fn list(directory: &Path, files: &mut Vec<PathBuf>) {
    for item in fs::read_dir(directory).expect("a directory").map(|item| item.expect("an item")) {
        let path = item.path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|end| end == "json" || end == "jsonl" || end == "seen") {
            files.push(path);
        }
    }
}

/// An example of this repository as its README runs it, with its runs elsewhere.
fn example(arguments: &[&str], runs: &Path) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut command);
    let output = command
        .args(["test", "-q"])
        .args(arguments)
        .current_dir(repository())
        .env("STAGEFLOW_RUNS_DIR", runs)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_json_file_of_real_runs_has_a_published_schema_and_is_valid_under_it() {
    let dependencies = "serde = { version = \"1\", features = [\"derive\"] }\n\
                        tokio = { version = \"1\", features = [\"rt-multi-thread\", \"time\"] }\n";
    let project = Project::with_dependencies(
        "documents",
        dependencies,
        &[
            ("tests/documents.rs", include_str!("../fixtures/documents.rs")),
            ("tests/faults.rs", include_str!("../fixtures/faults.rs")),
            ("tests/probes.rs", include_str!("../fixtures/probes.rs")),
        ],
    );
    let root = project.root();
    // What is red is recorded like what is green. The second run has an earlier one to be compared with.
    let first = project.test(&["--test", "documents", "--test", "faults", "--test", "probes"], &[]);
    assert!(!first.green, "{}", first.text);
    project.test(&["--test", "documents"], &[("STAGEFLOW_SEED", "7")]).red_with("as it is meant");

    // Runs that the command line makes of others: imported, aggregated, merged, archived.
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    let theirs = repository().join("stageflow-stress/src/finding/document/example_upstream.json");
    say(&format!("findings import {}", theirs.display())).exits(0);
    say("findings aggregate --output runs/aggregated_findings.json").exits(0);
    say("--runs merged runs merge runs --everything").exits(0);
    say("runs archive GUARD-003").exits(0);

    let mut seen = Seen::default();
    seen.walk(&root.join("runs"));
    seen.walk(&root.join("merged"));
    let examples = tempfile::tempdir().expect("a directory");
    example(&["-p", "quickstart"], &examples.path().join("quickstart"));
    example(&["-p", "miniflow", "--test", "probes"], &examples.path().join("miniflow"));
    seen.walk(&examples.path().join("quickstart"));
    seen.walk(&examples.path().join("miniflow"));
    assert!(
        seen.wrong.is_empty(),
        "{} wrong:\n{}",
        seen.wrong.len(),
        seen.wrong[..seen.wrong.len().min(40)].join("\n")
    );
    // A schema that nothing was checked against would be a promise.
    let elsewhere = BTreeSet::from([Schema::FindingsExtended, Schema::LogDiff, Schema::CommandLine]);
    let checked: BTreeSet<Schema> = seen.documents.keys().copied().collect();
    let all: BTreeSet<Schema> = Schema::ALL.iter().copied().collect();
    assert_eq!(all.difference(&checked).copied().collect::<BTreeSet<_>>(), elsewhere);
    assert!(seen.of_tests > 0, "goldens and data are there, and left alone");
    println!("{:#?}, and {} files of the tests' own", seen.documents, seen.of_tests);

    // The exports that are JSON of ours, in both profiles.
    for (profile, schema) in [("upstream", Schema::FindingsUpstream), ("extended", Schema::FindingsExtended)]
    {
        let export = |format: &str| {
            say(&format!("findings export --format {format} --profile {profile}")).exits(0).out
        };
        seen.file(Schema::AggregatedFindings, "export --format json", &export("json"));
        let findings: Vec<Value> =
            export("jsonl").lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
        assert!(findings.len() > 10, "{}", findings.len());
        // Of the document only the findings are exported: the rest is that of any run.
        let metadata = json!({
            "roadmap_entry_id": "DAG-005", "roadmap_entry_title": "", "agent_run_id": "x", "started_at": "2026-01-14T09:00:00Z",
            "completed_at": "2026-01-14T09:00:00Z", "status": "completed", "schema_version": "1.0", "total_findings": findings.len(),
            "summary": "", "x_stageflow": {},
        });
        let document = json!({ "metadata": metadata, "findings": findings });
        let before = seen.wrong.len();
        seen.file(schema, &format!("jsonl {profile}"), &document.to_string());
        // The extended schema asks more of the metadata than an export has.
        let of_metadata = |text: &String| text.contains("/metadata");
        let kept = seen.wrong.split_off(before);
        seen.wrong.extend(kept.into_iter().filter(|text| !of_metadata(text)));
    }
    assert!(seen.wrong.is_empty(), "{}", seen.wrong.join("\n"));
    // The suggestions are there with their ids.
    let report = fs::read_to_string(project.run_folder("GUARD-003").join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("Batch stage") && report.contains("IMP-00"), "{report}");
}
