//! Scenario probes: green only with proof, red with a plan that replays, and unproven where nothing could have been noticed.

use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, by_title, json, only_run};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let dependencies = "serde = { version = \"1\", features = [\"derive\"] }\n\
                        tokio = { version = \"1\", features = [\"rt-multi-thread\", \"time\"] }\n";
    let project = Project::with_dependencies(
        "probes",
        dependencies,
        &[("tests/it.rs", include_str!("../fixtures/probes.rs"))],
    );
    project.build();
    project
});

fn proof(entry: &str) -> Value {
    let folder = PROJECT.run_folder(entry).join("results/probes");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let document = files.into_iter().find(|path| {
        path.extension().is_some_and(|end| end == "json") && !path.to_string_lossy().ends_with(".plan.json")
    });
    json(&document.unwrap())
}

#[test]
fn an_honest_shop_is_green_and_proves_it() {
    for seed in ["1", "2", "3"] {
        PROJECT.one("honest", &[("STAGEFLOW_SEED", seed)]).green();
        let proof = proof("WORK-002");
        assert_eq!(proof["unproven"], Value::Array(Vec::new()));
        let accounting = &proof["accounting"];
        let number = |name: &str| accounting[name].as_u64().unwrap();
        assert!(number("armed") > 15, "{accounting}");
        assert_eq!(number("silent"), 0);
        let sum: u64 = ["undelivered", "surfaced", "handled", "vanished", "silent"].map(number).iter().sum();
        assert_eq!(number("armed"), sum);
        let planted = proof["plantings"].as_array().unwrap();
        assert!(planted.len() >= 20);
        let noticed =
            planted.iter().filter(|one| one["killed_by"].as_array().is_some_and(|by| !by.is_empty()));
        assert!(noticed.count() >= 14, "{planted:#?}");
    }
}

#[test]
fn a_default_that_stands_in_for_a_failure_is_found_and_replays() {
    let ran = PROJECT.one("default_quote", &[]);
    ran.red_with("high: a silent failure under error at `quote`");
    let found = by_title(&PROJECT.findings("WORK-003"));
    let finding = &found["a silent failure under error at `quote`"];
    let text = finding["description"].as_str().unwrap();
    assert!(text.contains("golden_output: order: `/quote/"), "{text}");
    let step = finding["reproduction"]["steps"].as_array().unwrap().iter().filter_map(Value::as_str);
    let replay = step.into_iter().find(|step| step.starts_with("STAGEFLOW_FAULT_PLAN=")).unwrap().to_owned();
    let plan = replay["STAGEFLOW_FAULT_PLAN=".len()..].split(' ').next().unwrap();
    // The stored plan alone shows the same, in two runs of the body.
    let again = PROJECT.one("default_quote", &[("STAGEFLOW_FAULT_PLAN", plan)]);
    again.red_with("high: a silent failure under");
    assert_eq!(proof("WORK-003")["arms"].as_array().unwrap().len(), 3, "k of 3 times");
}

#[test]
fn a_blind_retry_charges_twice_and_is_found() {
    let ran = PROJECT.one("blind_retry", &[]);
    ran.red_with("high: a silent failure under lost_reply at `charge`");
    let found = by_title(&PROJECT.findings("WORK-004"));
    let text =
        found["a silent failure under lost_reply at `charge`"]["description"].as_str().unwrap().to_owned();
    assert!(text.contains("side_effects: effects on `charges`"), "{text}");
    // Where the charge did not happen, the same retry is right: evidence, and not a finding.
    assert!(!found.contains_key("a silent failure under error at `charge`"), "{found:#?}");
}

#[test]
fn what_could_not_have_gone_red_is_unproven() {
    for (function, entry, why) in [
        (
            "blind",
            "WORK-005",
            "planted failures of the pattern incorrect_default were noticed; not noticed: ",
        ),
        ("around", "WORK-006", "the scenario calls no port, so no fault could be delivered"),
        ("elsewhere", "WORK-007", "no fault was delivered"),
        ("unsteady", "WORK-008", "two runs without faults differ, so a difference says nothing"),
        ("broken", "WORK-010", "the run without faults fails"),
    ] {
        PROJECT.one(function, &[]).red_with("high: the probe is unproven");
        let found = by_title(&PROJECT.findings(entry));
        let text = found["the probe is unproven"]["description"].as_str().unwrap();
        assert!(text.contains(why), "{function}: {text}");
    }
}

#[test]
fn a_synchronous_scenario_has_all_phases_but_those_of_a_runtime() {
    PROJECT.one("synchronous", &[]).green();
    let proof = proof("WORK-009");
    assert!(proof["arms"].as_array().unwrap().len() > 10);
}

#[test]
fn pairs_along_a_dependency_find_what_single_faults_do_not() {
    PROJECT
        .one("retried_once", &[])
        .red_with("high: a silent failure under error at `quote` and error at `quote`");
    let proof = proof("DAG-001");
    let silent: Vec<&Value> = proof["arms"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|arm| arm["accounting"]["silent"].as_u64() > Some(0))
        .collect();
    assert!(silent.iter().all(|arm| arm["phase"] != "single"), "{silent:#?}");
    assert!(silent.iter().any(|arm| arm["phase"] == "pair"));
    assert!(proof["planned"]["pair"][0].as_u64() > Some(0), "{}", proof["planned"]);
}

#[test]
fn what_differs_by_itself_is_masked_value_by_value_listed_and_capped() {
    PROJECT.one("one_stamp", &[]).green();
    let masks = proof("DAG-002")["masked"].clone();
    assert_eq!(masks, serde_json::json!(["order: `/stamps/0`, differed between two runs without faults"]));
    PROJECT.one("many_stamps", &[]).red_with("5 of 7 values of the output `order` differ");
    PROJECT.one("declared_stamps", &[]).green();
    assert_eq!(proof("DAG-004")["masked"], serde_json::json!(["order: `/stamps/*`, declared"]));
}

#[test]
fn a_failure_is_made_small_and_the_printed_command_replays_it() {
    PROJECT.one("large", &[]).red_with("high: a silent failure under error at `charge`");
    let findings = PROJECT.findings("DAG-005");
    let found = by_title(&findings);
    let finding = &found["a silent failure under error at `charge`"];
    let step = finding["reproduction"]["steps"].as_array().unwrap().iter().filter_map(Value::as_str);
    let command = step.into_iter().find(|step| step.starts_with("STAGEFLOW_FAULT_PLAN=")).unwrap().to_owned();
    let path = command["STAGEFLOW_FAULT_PLAN=".len()..].split(' ').next().unwrap();
    let plan = json(&PROJECT.root().join(path));
    assert_eq!(
        plan,
        serde_json::json!({
            "faults": [{ "port": "charge", "kind": "error", "schedule": { "nth": 2 } }],
            "load": { "orders": 1 },
            "shape": { "branches": 1 },
            "inputs": { "cart": [{ "cents": 0, "item": "" }, { "cents": 100, "item": "" }] },
        })
    );
    assert!(finding["description"].as_str().unwrap().contains("fails 3 of 3 times"), "{finding:#}");
    // The command as it is printed, by a shell.
    let target = stageflow_stress_tests::target_directory();
    let ran = std::process::Command::new("sh")
        .args(["-c", &command])
        .current_dir(PROJECT.root())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(!ran.status.success() && text.contains("a silent failure under error at `charge`"), "{text}");
}

#[test]
fn telemetry_that_is_lost_in_any_run_is_told() {
    PROJECT.one("quiet", &[]).green();
    let found = by_title(&PROJECT.findings("DAG-006"));
    let finding = &found["runs that report success lack lines of the log"];
    assert_eq!(finding["severity"], "low");
    assert!(finding["description"].as_str().unwrap().contains("the rate is known"), "{finding:#}");
}

#[test]
fn records_that_are_lost_leave_a_probe_unproven() {
    PROJECT.one("talkative", &[]).green();
    PROJECT.one("talkative", &[("STAGEFLOW_CAPTURE_LIMIT", "1")]).red_with("high: the probe is unproven");
    let found = by_title(&PROJECT.findings("CORE-009"));
    let text = found["the probe is unproven"]["description"].as_str().unwrap();
    assert!(text.contains("log records were lost over the runs"), "{text}");
}

#[test]
fn what_is_left_behind_a_reported_failure_is_found() {
    let ran = PROJECT.one("half_undone", &[]);
    ran.red_with("high: something is left behind a failure under error at `ship`");
}

#[test]
fn a_probe_that_is_built_by_hand_has_the_same_phases_and_verdicts() {
    PROJECT.one("by_hand", &[]).green();
    PROJECT
        .one("by_hand_and_silent", &[])
        .red_with("a silent failure under error at `quote` of the probe `default quote`");
    let ran = PROJECT.one("by_hand_and_unproven", &[]);
    for name in ["never delivered", "broken oracle", "survivors"] {
        ran.red_with(&format!("high: the probe is unproven of the probe `{name}`"));
    }
    assert!(ran.text.contains("no fault was delivered"), "{}", ran.text);
    assert!(!ran.text.contains("check failed"), "{}", ran.text);
}

#[test]
fn saboteurs_that_survive_leave_a_probe_unproven() {
    PROJECT.one("blind_to_swallowing", &[]).red_with("high: the probe is unproven");
    let found = by_title(&PROJECT.findings("CORE-001"));
    let text = found["the probe is unproven"]["description"].as_str().unwrap();
    assert!(
        text.contains("planted failures of the pattern swallowed_exception were noticed; not noticed: "),
        "{text}"
    );
}

#[test]
fn the_log_of_runs_with_faults_is_compared_with_that_of_runs_without() {
    PROJECT.one("honest", &[("STAGEFLOW_RUNS_DIR", "compared-runs")]).green();
    let folder = only_run(&PROJECT.root().join("compared-runs/WORK-002"));
    let of = |ending: &str| {
        let files = std::fs::read_dir(folder.join("results/logs")).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
    };
    let stats = json(&of("_stats.json"));
    let [compared] = stats["comparisons"].as_array().unwrap().as_slice() else { panic!("{stats}") };
    assert!(compared["before"].as_str().unwrap().ends_with("runs without faults"), "{compared}");
    assert!(compared["after"].as_str().unwrap().ends_with("runs with faults"), "{compared}");
    // Faults are told of where there are some, and nowhere else; what both log is the same.
    let number = |name: &str| compared[name].as_u64().unwrap();
    assert!(number("new") > 0 && number("same") > 0, "{compared}");
    let page = std::fs::read_to_string(of("_analysis.md")).unwrap();
    assert!(page.contains("runs without faults → "), "{page}");
}

/// No fault and no single late page shows the defect: it takes two of them in the wrong combination.
#[test]
fn what_depends_on_the_order_of_tasks_is_found_by_jitter() {
    let title = "a silent failure under another order of its tasks";
    let ran = PROJECT.one("one_pass", &[("STAGEFLOW_SEED", "1")]);
    ran.red_with(&format!("high: {title}"));
    let shown = proof("CORE-006");
    let wrong_in = |phase: &str| {
        let arms = shown["arms"].as_array().unwrap().iter().filter(|arm| arm["phase"] == phase);
        let (all, wrong): (Vec<_>, Vec<_>) =
            (arms.clone().collect(), arms.filter(|arm| arm["wrong"] != Value::Array(Vec::new())).collect());
        (all.len(), wrong.len())
    };
    for phase in ["single", "pair", "swarm"] {
        let (runs, wrong) = wrong_in(phase);
        assert_eq!((runs > 0, wrong), (phase != "pair", 0), "{phase}");
    }
    let (repeats, wrong) = wrong_in("jitter");
    assert_eq!(repeats, 8);
    assert!(wrong > 0 && wrong < repeats, "{wrong} of {repeats}");
    // The stored plan has the seed of the waits, and shows the same.
    let finding = &by_title(&PROJECT.findings("CORE-006"))[title];
    let steps = finding["reproduction"]["steps"].as_array().unwrap().iter().filter_map(Value::as_str);
    let replay = steps.into_iter().find(|step| step.starts_with("STAGEFLOW_FAULT_PLAN=")).unwrap().to_owned();
    let plan = replay["STAGEFLOW_FAULT_PLAN=".len()..].split(' ').next().unwrap();
    let stored = json(&PROJECT.root().join(plan));
    assert!(stored["jitter"].is_u64() && stored["faults"] == Value::Array(Vec::new()), "{stored}");
    PROJECT.one("one_pass", &[("STAGEFLOW_FAULT_PLAN", plan)]).red_with(&format!("high: {title}"));
    // Without the repeated runs the same probe is green, with all its proof.
    PROJECT.one("one_pass_without_repeats", &[("STAGEFLOW_SEED", "1")]).green();
    assert!(proof("CORE-007")["arms"].as_array().unwrap().iter().all(|arm| arm["phase"] != "jitter"));
}
