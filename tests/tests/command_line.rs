//! The real `stageflow-test`, as people and scripts use it: what it says, where, and with which exit code.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use stageflow_stress_tests::{have, json as read_json, repository, shell};

/// Findings that were written by hand: the example of the original schema.
fn example() -> String {
    let path = repository().join("stageflow-stress/src/finding/document/example_upstream.json");
    fs::read_to_string(path).expect("the example")
}

/// Findings of this library: (entry, run, findings as id, fingerprint digit, severity, type).
fn document(entry: &str, run: &str, findings: &[(&str, char, &str, &str)]) -> String {
    let findings: Vec<Value> = findings
        .iter()
        .map(|(id, digit, severity, kind)| {
            json!({
                "id": id, "type": kind, "severity": severity, "title": format!("title of {id}"),
                "description": format!("\u{1b}[31mdescription\u{1b}[0m of {id}"), "status": "open",
                "created_at": "2026-01-14T09:00:00Z", "updated_at": "2026-01-14T09:00:00Z", "component": "OutputBag",
                "x_stageflow": { "fingerprint": format!("sfp1:{}", digit.to_string().repeat(32)), "ledger_id": "DX-001" },
            })
        })
        .collect();
    let uuid = format!("uuid-{entry}-{run}");
    json!({
        "metadata": {
            "roadmap_entry_id": entry, "agent_run_id": uuid, "started_at": format!("{}T09:00:00Z", &run[4..14]),
            "completed_at": format!("{}T09:10:00Z", &run[4..14]), "status": "completed", "total_findings": findings.len(),
            "x_stageflow": { "run_id": run, "completed": true },
        },
        "findings": findings,
    })
    .to_string()
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, content).expect("a file");
}

/// A project with runs of three entries: two of this library, one written by hand.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    write(root, "Cargo.toml", "[package]\nname = \"shop\"\n[workspace]\n");
    write(root, "runs/FIN-001/run-2026-01-14-001/findings.json", &example());
    let bug = ("DAG-005-BUG-001", 'a', "high", "bug");
    let strength = ("DAG-005-STR-001", 'b', "info", "strength");
    write(
        root,
        "runs/DAG-005/run-2026-01-14-001/findings.json",
        &document("DAG-005", "run-2026-01-14-001", &[bug, strength]),
    );
    write(
        root,
        "runs/DAG-005/run-2026-01-15-001/findings.json",
        &document("DAG-005", "run-2026-01-15-001", &[bug]),
    );
    let dx = ("DX-001-DX-001", 'c', "medium", "dx");
    write(
        root,
        "runs/DX-001/run-2026-01-14-001/findings.json",
        &document("DX-001", "run-2026-01-14-001", &[dx]),
    );
    dir
}

#[test]
fn the_commands_of_the_original_schema_work_as_they_stand_there() {
    let dir = project();
    let root = dir.path();
    shell(root, "stageflow-test findings list --status=open --severity=critical", &[])
        .exits(0)
        .says("FIN-001-BUG-001")
        .says("OutputBag race condition under high fan-out")
        .says("1 of 6 findings in 4 runs");
    let resolve = "stageflow-test findings resolve FIN-001-BUG-001 \\\n  --type=fixed \\\n  --commit=abc123 \\\n  --details=\"Implemented CAS in OutputBag\"";
    let who = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "user.name"), ("GIT_CONFIG_VALUE_0", "Ada")];
    shell(root, resolve, &who).exits(0).says("FIN-001-BUG-001: open → resolved");
    let written = read_json(&root.join("runs/FIN-001/run-2026-01-14-001/findings.json"));
    let bug = &written["findings"][0];
    assert_eq!(bug["status"], "resolved");
    assert_eq!(
        bug["resolution"],
        json!({ "resolution_type": "fixed", "resolution_details": "Implemented CAS in OutputBag",
            "commit_hash": "abc123", "resolved_by": "Ada" })
    );
    assert!(bug["resolved_at"].is_string());
    shell(root, "stageflow-test findings aggregate --output=aggregated_findings.json", &[])
        .exits(0)
        .says("6 findings of 4 runs");
    let aggregated = read_json(&root.join("aggregated_findings.json"));
    assert_eq!((&aggregated["total_runs"], &aggregated["total_findings"]), (&json!(4), &json!(6)));
    assert_eq!(aggregated["by_status"]["resolved"], 1);
    shell(root, "stageflow-test findings export --format=csv --output=findings.csv", &[])
        .exits(0)
        .says("6 findings written");
    let csv = fs::read_to_string(root.join("findings.csv")).expect("a file");
    assert!(csv.starts_with("id,entry,type,severity,status,title,"), "{csv}");
    assert!(csv.contains("FIN-001-BUG-001,FIN-001,bug,critical,resolved,"), "{csv}");
}

#[test]
fn a_finding_lives_in_the_committed_file() {
    let dir = project();
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    say("findings confirm DAG-005-BUG-001 --by Ada --why 'we wait for 0.6'")
        .exits(0)
        .says("open → confirmed");
    say("findings confirm DAG-005-BUG-001 --by Ada --why 'we wait for 0.6'")
        .exits(0)
        .says("nothing was written");
    // Whoever decides from an old state is refused.
    say("findings start DAG-005-BUG-001 --by Ada --why x --if-status open")
        .exits(4)
        .complains("is confirmed and not open");
    say("findings start sfp1:aaaaaaaaaaaa --by Ada --why 'looking' --if-status confirmed --if-revision 1")
        .exits(0);
    let resolve = "findings resolve DAG-005-BUG-001 --type fixed --commit abc --pr https://example.org/7 --release 0.6.0 \
                   --verify 'cargo test dag_005' --verify 'look at it' --details 'CAS' --by Ada --run DAG-005/run-2026-01-15-001";
    say(resolve).exits(0).says("in_progress → resolved").says("stageflow-known.toml; commit it");
    let shown = say("findings show DAG-005-BUG-001 --json").exits(0).json();
    assert_eq!(shown["finding"]["status"], "resolved");
    assert_eq!((&shown["revision"], shown["history"].as_array().unwrap().len()), (&json!(3), 3));
    let resolution = &shown["document"]["resolution"];
    for (field, value) in [
        ("commit_hash", json!("abc")),
        ("pr_link", json!("https://example.org/7")),
        ("release_version", json!("0.6.0")),
        ("verification_steps", json!(["cargo test dag_005", "look at it"])),
        ("resolution_details", json!("CAS")),
        ("resolved_by", json!("Ada")),
    ] {
        assert_eq!(resolution[field], value, "{field}");
    }
    say("findings wont-fix DAG-005-BUG-001 --by Ada --why x").exits(4).complains("reopen it first");
    say("findings reopen DAG-005-BUG-001 --by Ada --why 'still there'").exits(0).says("resolved → open");
    say("findings duplicate DAG-005-BUG-001 --of DX-001-DX-001 --by Ada --why 'the same'")
        .exits(0)
        .says("open → duplicate");
    let known = fs::read_to_string(root.join("stageflow-known.toml")).expect("the committed file");
    assert!(known.contains("duplicate_of = \"") && known.matches("[[known]]").count() == 2, "{known}");
    say("findings list --open --json").exits(0);
    say("findings resolve DAG-005-BUG-001 --type duplicate --by Ada").exits(2).complains("--of ID");
}

#[test]
fn what_is_ambiguous_or_not_there_is_refused_with_what_could_be_meant() {
    let dir = project();
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    say("findings show DX-001")
        .exits(4)
        .complains("`DX-001` is ambiguous: the roadmap entry")
        .complains("`--ledger DX-001`")
        .complains("the finding `DX-001-DX-001`");
    say("findings show DX-001 --entry DX-001").exits(0).says("DX-001-DX-001: title");
    say("findings show DAG-005").exits(3).complains("it is a roadmap entry: `findings list --entry DAG-005`");
    say("findings show BUG-001").exits(4).complains("DAG-005-BUG-001").complains("FIN-001-BUG-001");
    say("findings show BUG-001 --entry FIN-001").exits(0).says("OutputBag race");
    say("findings show dag-005-bug-001").exits(0).says("2 times in 2 runs");
    say("findings show DAG-005-BUG-011").exits(3).complains("did you mean `DAG-005-BUG-001`?");
    say("findings list --entry DAG-05").exits(3).complains("did you mean `DAG-005`");
    say("findings list --run run-2026-01-41-001").exits(3).complains("did you mean `run-2026-01-14-001`?");
    say("findings list --status=opn").exits(2).complains("'open'");
    say("findings lst").exits(2).complains("list");
    say("runs show DAG-006").exits(3).complains("did you mean");
    say("--runs nowhere findings list").exits(3).complains("run the tests first");
    let error = say("findings show DX-001 --json").exits(4).error_json();
    assert_eq!(error["error"]["kind"], "ambiguous");
    // The entry, the ledger, and the findings of two entries whose ids end so.
    assert_eq!(error["error"]["alternatives"].as_array().unwrap().len(), 4);
}

#[test]
fn filters_limits_and_exit_codes_serve_scripts() {
    let dir = project();
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    let ids = |line: &str| -> Vec<String> {
        let list = say(&format!("findings list --json {line}")).exits(0).json();
        list["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").len(), 6);
    assert_eq!(ids("--min-severity high"), ["FIN-001-BUG-001", "DAG-005-BUG-001", "FIN-001-PERF-001"]);
    assert_eq!(ids("--severity high,critical --type bug"), ["FIN-001-BUG-001", "DAG-005-BUG-001"]);
    assert_eq!(ids("--entry dag-005 --latest"), ["DAG-005-BUG-001"]);
    assert_eq!(ids("--run DAG-005/run-2026-01-14-001").len(), 2);
    assert_eq!(ids("--tag RACE-condition"), ["FIN-001-BUG-001"]);
    assert_eq!(ids("--component outputbag --text bug"), ["DAG-005-BUG-001"]);
    assert_eq!(ids("--limit 2").len(), 2);
    say("findings list --severity critical --exit-code").exits(1);
    say("findings list --severity low --exit-code").exits(0).says("0 of 6 findings");
    // A folder that cannot be read makes every answer incomplete, and the exit code says so.
    write(root, "runs/DAG-006/run-2026-01-14-001/findings.json", "{");
    let list = say("findings list --json").exits(5);
    assert!(
        list.json()["unread"][0].as_str().unwrap().contains("runs/DAG-006/run-2026-01-14-001/findings.json")
    );
    say("findings list").exits(5).complains("warning: runs/DAG-006");
    say("findings export --format sarif --output out.sarif").exits(5);
    let sarif = read_json(&root.join("out.sarif"));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn checks_say_what_is_wrong_and_where() {
    let dir = project();
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    // The example breaks its own schema in one place: `resolution` is null.
    let lint = say("findings lint runs/FIN-001/run-2026-01-14-001 --json").exits(1).json();
    assert_eq!(lint["errors"].as_array().unwrap().len(), 1, "{lint:#}");
    assert!(lint["errors"][0]["what"].as_str().unwrap().contains("resolution"), "{lint:#}");
    say("findings lint nowhere.json").exits(3);
    say("runs validate DAG-005/run-2026-01-15-001")
        .exits(1)
        .says("FINAL_REPORT.md")
        .says("every run folder has it");
    say("runs show fin-001").exits(0).says("no test is recorded").says("FIN-001-PERF-001");
    say("runs list --entry DAG-005 --limit 1").exits(0).says("run-2026-01-15-001").says("1 of 2 runs");
}

#[test]
fn the_roadmap_is_what_the_runs_say() {
    let dir = project();
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    write(root, "tests/it.rs", "#[roadmap_test(\"K8S-001\")]\nfn pods() {}\n");
    say("roadmap show k8s-001")
        .exits(0)
        .says("concurrent DAGs >= 1000")
        .says("tests/it.rs:1 pods")
        .says("scenario::burst(1_000, |n| request(n)).await?")
        .says("in progress");
    say("roadmap show DAG-005").exits(0).says("completed").says("states `completed`").says("DAG-005-BUG-001");
    let coverage = say("roadmap coverage --json").exits(0).json();
    assert_eq!(
        coverage["total"],
        json!({ "total": 308, "completed": 3, "in_progress": 1, "remaining": 304, "percent": "0.9%" })
    );
    say("roadmap coverage --require P0").exits(1).says("required and not completed: CORE-001");
    say("roadmap checklist --output ROADMAP.md").exits(0);
    let checklist = fs::read_to_string(root.join("ROADMAP.md")).expect("a file");
    assert!(checklist.contains("| DAG-005 | Fan-out scalability (500+ parallel stages) | P1 | Severe | ✅ Completed (2026-01-15), 1 open ≥ high |"), "{checklist}");
    assert!(checklist.contains("| Tier 1 | 28 | 1 | 0 | 27 | 3.5% |"), "{checklist}");
    let list = say("roadmap list --tier 1 --priority P0 --json").exits(0).json();
    assert_eq!(list["total"], 10);
    say("roadmap list --text 'prompt injection'").exits(0).says("GUARD-001").says("LLM-INPUT-003");
}

#[test]
fn a_run_folder_is_made_by_hand_and_passes_the_checks() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    let first = say("init core-001 --agent model-7 --json").exits(0).json();
    let second = say("init CORE-001 --agent model-7 --json").exits(0).json();
    let path = |made: &Value| root.join(made["dir"].as_str().unwrap());
    assert!(path(&first).ends_with("CORE-001") || path(&first).parent().unwrap().ends_with("CORE-001"));
    assert_ne!(first["dir"], second["dir"]);
    assert!(second["dir"].as_str().unwrap().ends_with("-002"), "{second}");
    for sub in [
        "research",
        "mocks/data/adversarial",
        "mocks/fixtures",
        "pipelines/stages",
        "results/screenshots",
        "config",
    ] {
        assert!(path(&first).join(sub).is_dir(), "{sub}");
    }
    say(&format!("runs validate {}", first["dir"].as_str().unwrap())).exits(0);
    let findings = read_json(&path(&first).join("findings.json"));
    assert_eq!(
        (&findings["metadata"]["status"], &findings["metadata"]["agent_model"]),
        (&json!("in_progress"), &json!("model-7"))
    );
    // What is written into it by hand stays, whatever is made anew.
    fs::write(path(&first).join("findings.json"), example()).expect("a file");
    say("runs recover --all").exits(0).says("nothing to recover");
    assert_eq!(fs::read_to_string(path(&first).join("findings.json")).unwrap(), example());
    say("init CORE-01").exits(3).complains("did you mean `CORE-001`").complains("--unlisted");
    say("init SHOP-001 --unlisted").exits(0).says("runs/SHOP-001/run-");
}

#[test]
fn a_document_of_another_tool_is_taken_over_and_lives_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    write(root, "theirs.json", &example());
    let made = say("findings import theirs.json --json").exits(0).json();
    assert_eq!((&made["imported"], &made["findings"]), (&json!(true), &json!(3)));
    assert_eq!(made["status"], "completed", "as the document states");
    let run = root.join(made["dir"].as_str().unwrap());
    assert!(
        run.ends_with("runs/FIN-001/run-2026-01-14-001"),
        "the run is as old as it says: {}",
        run.display()
    );
    let findings = || read_json(&run.join("findings.json"));
    let before = findings();
    let metadata = &before["metadata"];
    assert_eq!(
        (&metadata["status"], &metadata["completed_at"], &metadata["agent_model"]),
        (&json!("completed"), &json!("2026-01-14T15:30:00Z"), &json!("llama-3.1-8b"))
    );
    let summary = metadata["summary"].as_str().unwrap();
    assert!(summary.contains("Imported from theirs.json, which states `completed`."), "{summary}");
    // Every field of every finding is there, under the id that it had.
    let theirs: Value = serde_json::from_str(&example()).unwrap();
    for finding in theirs["findings"].as_array().unwrap() {
        let kept = before["findings"].as_array().unwrap().iter().find(|kept| kept["id"] == finding["id"]);
        assert_eq!(&kept.unwrap()["x_stageflow"]["foreign"], finding);
    }
    // Again: nothing changes, from whatever place, and whatever is made anew.
    say("findings import theirs.json").exits(0).says("has it already");
    write(root, "elsewhere/theirs.json", &example());
    say("findings import elsewhere/theirs.json").exits(0).says("has it already");
    say("runs recover --all").exits(0);
    assert_eq!(findings(), before);
    say("runs validate").exits(0);
    say("roadmap show FIN-001").exits(0).says("imported, states `completed`; no test is recorded");
    // The same document on another machine is the same run: merging the two makes one.
    shell(root, "stageflow-test --runs other findings import theirs.json", &[]).exits(0);
    say("runs merge other").exits(0);
    assert_eq!(say("runs list --json").exits(0).json()["total"], 1);
    assert_eq!(findings(), before);
    // A later version of it is added to the same run, and the later word counts.
    let later = example().replacen(
        "\"status\": \"open\"",
        "\"status\": \"confirmed\", \"updated_at\": \"2026-02-01T00:00:00Z\"",
        1,
    );
    write(root, "theirs.json", &later);
    say("findings import theirs.json").exits(0).says("imported into runs/FIN-001/run-2026-01-14-001");
    say("findings show FIN-001-BUG-001").exits(0).says("confirmed");
    assert_eq!(findings()["metadata"]["total_findings"], 3);
    say("findings wont-fix FIN-001-DX-001 --why 'by contract' --by Ada").exits(0).says("open → wont_fix");
    say("findings list --status wont_fix").exits(0).says("FIN-001-DX-001");
    write(root, "nameless.json", "{\"findings\": []}");
    say("findings import nameless.json").exits(2).complains("--entry ID");
    say("findings import nameless.json --entry SHOP-001").exits(0).says("runs/SHOP-001/run-");
    // The configuration beside it is the setting, under the names that it has there, and nothing of it is dropped.
    write(root, "upstream/findings.json", "{\"findings\": [], \"metadata\": {\"agent_model\": \"model-7\"}}");
    write(
        root,
        "upstream/config/run_config.json",
        &json!({
            "run_id": "run-2026-01-20-001", "industry_vertical": "finance", "agent_model": "another",
            "success_criteria": ["no lost order", "p99 below 2 s"], "test_parameters": { "stages": 40 }, "region": "eu",
        })
        .to_string(),
    );
    let made = say("findings import upstream/findings.json --entry SHOP-002 --json").exits(0).json();
    let folder = root.join(made["dir"].as_str().unwrap());
    let config = read_json(&folder.join("config/run_config.json"));
    assert_eq!(config["industry"], "finance", "{config}");
    assert_eq!(config["agent_model"], "model-7", "the document goes before: {config}");
    assert_eq!(config["test_parameters"], json!({ "stages": "40", "region": "eu" }));
    let report = fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("no lost order") && report.contains("p99 below 2 s"), "{report}");
    say("findings import nowhere.json").exits(5);
    // Nothing of it is in the committed file, so nothing of it is new or accepted there.
    say("findings ratchet").exits(1).says("the ratchet does not hold");
    say("findings list --stale").exits(0).says("0 findings");
}

#[test]
fn ledgers_take_the_entries_of_the_original_script() {
    let dir = project();
    let root = dir.path();
    let say = |line: &str| shell(root, &format!("stageflow-test {line}"), &[]);
    let add = "ledger add --file bug --entry '{\n  \"title\": \"Memory leak in RetryStage\",\n  \"description\": \"Connections not closed on failure\",\n  \"type\": \"reliability\",\n  \"severity\": \"high\"\n}' --agent claude-3.5-sonnet";
    say(add).exits(0).says("BUG-001 added to bugs.json");
    say(add).exits(0).says("BUG-002 added");
    // A suggestion for Stageflow Plus, in the words of the procedure or with flags: the same entry.
    say("ledger add --file improvement --entry '{\"title\": \"Batch stage\", \"description\": \"in batches\", \"type\": \"component_suggestion\", \"priority\": \"P1\", \"category\": \"plus_package\", \"roleplay_perspective\": \"less to write\"}' --agent me")
        .exits(0)
        .says("IMP-001 added to improvements.json");
    say("ledger add --suggest component --title 'Batch stage' --description 'in batches' --priority p1 --perspective 'less to write' --agent me --json")
        .exits(0)
        .json();
    let improvements = read_json(&root.join("improvements.json"));
    let strip = |n: usize| {
        let mut entry = improvements["entries"][n].clone();
        entry.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "id" | "created_at"));
        entry
    };
    assert_eq!(improvements["entries"][1]["id"], "IMP-002");
    assert_eq!(strip(0), strip(1));
    say("ledger add --suggest stagekind --title 'Event stage' --agent me").exits(0).says("IMP-003");
    say("ledger add --suggest pattern --agent me").exits(2).complains("--title");
    say("ledger add --suggest poem --title x").exits(2).complains("component");
    say("ledger add --agent me").exits(2).complains("--file");
    say("ledger add --file dx --entry 'title'").exits(2).complains("no JSON object");
    say("ledger add --file dx --entry '{}' --agent me").exits(2).complains("title");
    write(
        root,
        "other/bugs.json",
        "{\"template\": {}, \"entries\": [{\"id\": \"BUG-001\", \"title\": \"another\"}]}",
    );
    let imported = say("ledger import other/bugs.json --json").exits(0).json();
    assert_eq!(imported["renamed"], json!([{ "from": "BUG-001", "to": "BUG-003" }]));
    say("ledger import other/bugs.json").exits(0).says("0 entries added").says("1 there already");
    let whole = say("ledger export --file bug --output all.json").exits(0);
    assert!(whole.out.contains("3 entries of 1 file"), "{}", whole.out);
}

#[test]
fn exports_reach_files_pipes_and_github() {
    let dir = project();
    let root = dir.path();
    let say =
        |line: &str, variables: &[(&str, &str)]| shell(root, &format!("stageflow-test {line}"), variables);
    for format in ["csv", "json", "jsonl", "md", "sarif", "junit", "ctrf"] {
        let piped = say(&format!("findings export --format {format}"), &[]).exits(0);
        assert!(!piped.out.is_empty() && !piped.out.contains('\u{1b}'), "{format}");
        say(&format!("findings export --format {format} --output out/x.{format}"), &[])
            .exits(0)
            .says("6 findings written");
    }
    let one =
        say("findings export --format json --entry DAG-005 --min-severity high --profile extended", &[])
            .json();
    assert_eq!(one["total_findings"], 1);
    let summary = root.join("summary.md");
    fs::write(&summary, "before\n").expect("a file");
    let said = say("findings export --format github", &[("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())])
        .exits(0);
    assert!(said.out.lines().all(|line| line.starts_with("::")), "{}", said.out);
    assert!(said.out.contains("::error title=FIN-001-BUG-001 critical bug::OutputBag race"), "{}", said.out);
    let text = fs::read_to_string(&summary).expect("a file");
    assert!(text.starts_with("before\n") && text.contains("FIN-001-BUG-001"), "{text}");
}

#[test]
fn a_terminal_gets_colors_and_its_width_and_a_pipe_gets_neither() {
    let dir = project();
    let root = dir.path();
    let escape = '\u{1b}';
    let piped = shell(root, "stageflow-test findings list", &[]).exits(0);
    assert!(!piped.out.contains(escape), "{}", piped.out);
    assert!(shell(root, "stageflow-test --color always findings list", &[]).out.contains(escape));
    // What a finding says is never obeyed by a terminal, wherever it goes.
    let shown = shell(root, "stageflow-test findings show DAG-005-BUG-001", &[]).exits(0);
    assert!(!shown.out.contains(escape) && shown.out.contains("description"), "{}", shown.out);
    // A reader that has seen enough is no error.
    shell(root, "stageflow-test roadmap list | head -1", &[]).exits(0).says("PRIORITY").complains("");
    let head = shell(root, "(stageflow-test roadmap list; echo $? >&3) 3>code | head -1; cat code", &[]);
    assert!(head.out.ends_with("0\n") && head.err.is_empty(), "{head:?}");
    if !have("script", &["script", "--version"]) {
        return;
    }
    let terminal = |line: &str, variables: &[(&str, &str)]| {
        let line = format!("script -qec 'stty cols 60 rows 24; {line}' /dev/null");
        shell(root, &line, &[&[("TERM", "xterm")], variables].concat()).exits(0).out
    };
    let wide = "stageflow-test findings list";
    let text = terminal(wide, &[]);
    assert!(text.contains(escape), "{text:?}");
    assert!(!terminal(wide, &[("NO_COLOR", "1")]).contains(escape));
    let longest = terminal("stageflow-test --color never findings list", &[])
        .lines()
        .map(|line| line.trim_end().chars().count())
        .max();
    assert!(longest <= Some(60), "{longest:?}");
}

#[test]
fn completions_and_manual_come_from_the_same_definition() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        shell(root, &format!("stageflow-test completions {name} > completions.{name}"), &[]).exits(0);
    }
    let complete = r#"bash -c '
        source completions.bash
        COMP_WORDS=(stageflow-test findings list --severity cr); COMP_CWORD=4
        complete=$(complete -p stageflow-test); complete=${complete#*-F }; complete=${complete%% *}
        $complete stageflow-test cr --severity
        echo "${COMPREPLY[@]}"
        COMP_WORDS=(stageflow-test findings wo); COMP_CWORD=2
        $complete stageflow-test wo findings
        echo "${COMPREPLY[@]}"'"#;
    if have("bash", &["bash", "--version"]) {
        let said = shell(root, complete, &[]).exits(0);
        assert_eq!(said.out, "critical\nwont-fix\n", "{}", said.err);
    }
    shell(root, "stageflow-test man", &[]).exits(0).says(".TH stageflow-test 1");
    shell(root, "stageflow-test man --dir man1", &[]).exits(0).says("pages in man1");
    let page = fs::read_to_string(root.join("man1/stageflow-test-findings-resolve.1")).expect("a page");
    assert!(page.contains("\\-\\-commit"), "{page}");
    // Every command has help, and help is no error.
    let help = shell(root, "stageflow-test help findings export", &[]).exits(0);
    assert!(help.out.contains("--excel-safe"), "{}", help.out);
    shell(root, "stageflow-test", &[]).exits(2);
}

#[test]
fn every_example_of_the_documentation_is_a_command_that_exists() {
    let text = fs::read_to_string(repository().join("docs/command-line.md")).expect("the page");
    let dir = project();
    let mut examples = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("stageflow-test ")) {
        let words: Vec<&str> = line
            .split_whitespace()
            .take_while(|word| !word.starts_with(['-', '<', '#', '\\', '|', '>']))
            .collect();
        let depth =
            if matches!(words[0], "findings" | "runs" | "roadmap" | "ledger" | "logs") { 2 } else { 1 };
        let command = words[..depth.min(words.len())].join(" ");
        let help = shell(dir.path(), &format!("stageflow-test {command} --help"), &[]).exits(0);
        for flag in line.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
            let flag = flag.split('=').next().unwrap_or(flag);
            let nested = help.out.contains("[COMMAND]") || help.out.contains("<COMMAND>");
            assert!(nested || help.out.contains(&format!("--{flag}")), "`{command}` has no --{flag}");
        }
        examples += 1;
    }
    assert!(examples > 25, "{examples} examples");
}
