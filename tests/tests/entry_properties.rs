//! What the attributes register, read back from the registry.

use std::time::Duration;

use stageflow_stress::__private::{
    BackgroundPanics, Body, Determinism, EntryRef, Flavor, Isolate, ObserverDef, Registered,
    RegisteredObserver, TestDef, TestKind, inventory,
};
use stageflow_stress::prelude::*;

#[roadmap_test("DAG-005")]
fn plain() {}

#[roadmap_test(
    "LLM-REASON-001",
    category = Scalability,
    pipeline = Chaos,
    oracle(Bounds, SideEffect),
    requirement("REQ-1", "REQ-2"),
    tags("slow"),
    owner = "core",
    severity = Critical,
    flavor = "current_thread",
    start_paused,
    timeout = "1m30s",
    iterations = 4,
    seeds = [7, 18_446_744_073_709_551_615],
    determinism = "twice",
    isolate(memory = "512MB", fds = 64, stack = "2MiB", time = "10s"),
    concurrent,
    background_panics = "record",
    expect_panic = "boom",
    expect_errors("refused", "reset"),
    waive_log("D8: visited node because each node is one line", "D3 because words decide nothing"),
    allow(leaked_task = "the pool stays", background_panic),
    tune(retry_passed = Low),
    fail_on = Medium
)]
#[ignore = "registered, not run"]
async fn everything(_: &TestContext) -> Outcome {
    Ok(())
}

#[silent_failure_probe("WORK-002", patterns(PartialState, AsyncFailure), tags("probe"))]
#[ignore = "registered, not run"]
fn scenario(_: &Probe) {}

#[roadmap_test("WORK-010", owner = "above")]
#[silent_failure_probe(tags("below"))]
#[ignore = "registered, not run"]
async fn stacked(_: &Probe) {}

#[silent_failure_probe(patterns(LossyConversion))]
#[roadmap_test("WORK-010")]
#[ignore = "registered, not run"]
async fn stacked_the_other_way(_: &Probe) {}

#[silent_failure_probe(after = "WORK-*")]
fn observes_some(_: &Evidence, findings: &mut Findings) {
    let _ = findings;
}

#[silent_failure_probe]
fn observes_all(_: &Evidence, _: &mut Findings) {}

#[roadmap_test("SHOP-001")]
fn of_the_project() {}

#[roadmap_test("DAG-010")]
fn of_both() {}

#[roadmap_test("DAG-006")]
async fn r#loop() {}

fn definitions(function: &str) -> Vec<&'static TestDef> {
    let all = inventory::iter::<Registered>.into_iter().map(|registered| registered.0);
    let mut found: Vec<_> = all.filter(|test| test.function == function).collect();
    found.sort_by_key(|test| test.case);
    found
}

fn definition(function: &str) -> &'static TestDef {
    let [one] = definitions(function)[..] else { panic!("expected one `{function}`") };
    one
}

fn observer(function: &str) -> &'static ObserverDef {
    let all = inventory::iter::<RegisteredObserver>.into_iter().map(|registered| registered.0);
    let found: Vec<_> = all.filter(|observer| observer.function == function).collect();
    let [one] = found[..] else { panic!("expected one `{function}`") };
    one
}

#[test]
fn a_bare_test_has_the_defaults_and_its_place() {
    let test = definition("plain");
    assert!(matches!(test.entry, EntryRef::BuiltIn("DAG-005")));
    assert_eq!(test.kind, TestKind::Roadmap);
    assert_eq!(test.case, "dag_005");
    assert_eq!(test.module_path, "entry_properties::plain");
    assert!(test.file.ends_with("entry_properties.rs"));
    let line = include_str!("entry_properties.rs").lines().position(|line| line == "fn plain() {}").unwrap();
    assert_eq!(test.line as usize, line + 1);
    assert_eq!(test.manifest_dir, env!("CARGO_MANIFEST_DIR"));
    assert_eq!((test.package, test.crate_name), ("stageflow-stress-tests", "entry_properties"));
    assert_eq!(test.package_version, env!("CARGO_PKG_VERSION"));
    assert!(matches!(test.body, Body::Sync(_)));
    let options = test.options;
    assert!(options.category.is_none() && options.pipeline.is_none() && options.severity.is_none());
    assert!(options.oracles.is_empty() && options.requirements.is_empty() && options.tags.is_empty());
    assert!(options.timeout.is_none() && options.seed.is_none() && options.isolate.is_none());
    assert_eq!((options.iterations, options.flavor), (1, Flavor::MultiThread));
    assert_eq!((options.concurrent, options.start_paused), (false, false));
}

#[test]
fn every_argument_arrives() {
    let [first, second] = definitions("everything")[..] else { panic!("expected a test for each seed") };
    assert_eq!(
        (first.case, first.options.seed),
        ("llm_reason_001_seed_18446744073709551615", Some(u64::MAX))
    );
    assert_eq!((second.case, second.options.seed), ("llm_reason_001_seed_7", Some(7)));
    assert!(matches!(first.body, Body::Async(_)));
    let options = first.options;
    assert_eq!(options.category, Some(Category::Scalability));
    assert_eq!(options.pipeline, Some(PipelineKind::Chaos));
    assert_eq!(options.oracles, [Oracle::Bounds, Oracle::SideEffect]);
    assert_eq!(options.requirements, ["REQ-1", "REQ-2"]);
    assert_eq!(options.tags, ["slow"]);
    assert_eq!(options.owner, Some("core"));
    assert_eq!(options.severity, Some(Severity::Critical));
    assert_eq!(options.flavor, Flavor::CurrentThread);
    assert!(options.start_paused);
    assert_eq!(options.timeout, Some(Duration::from_secs(90)));
    assert_eq!(options.iterations, 4);
    assert_eq!(options.determinism, Determinism::Twice);
    let limits = Isolate {
        memory: Some(512_000_000),
        fds: Some(64),
        stack: Some(2 << 20),
        time: Some(Duration::from_secs(10)),
    };
    assert_eq!(options.isolate, Some(limits));
    assert!(options.concurrent);
    assert_eq!(options.background_panics, BackgroundPanics::Record);
    assert_eq!(options.expect_panic, Some("boom"));
    assert_eq!(options.expect_errors, ["refused", "reset"]);
    assert_eq!(
        options.waive_log,
        [(8, "visited node", "each node is one line"), (3, "", "words decide nothing")]
    );
    assert_eq!(options.allow, [("leaked_task", "the pool stays"), ("background_panic", "")]);
    assert_eq!(options.tune, [("retry_passed", Severity::Low)]);
    assert_eq!(options.fail_on, Some(Severity::Medium));
}

#[test]
fn a_probe_is_a_test_of_its_own_kind() {
    let test = definition("scenario");
    assert!(matches!(test.entry, EntryRef::BuiltIn("WORK-002")));
    assert_eq!(test.kind, TestKind::Probe { patterns: &[Pattern::PartialState, Pattern::AsyncFailure] });
    assert!(matches!(test.body, Body::SyncProbe(_)));
    assert_eq!(test.options.tags, ["probe"]);
}

#[test]
fn two_stacked_attributes_make_one_test() {
    let test = definition("stacked");
    assert!(matches!(test.entry, EntryRef::BuiltIn("WORK-010")));
    assert_eq!(test.kind, TestKind::Probe { patterns: &[] });
    assert!(matches!(test.body, Body::AsyncProbe(_)));
    assert_eq!((test.options.owner, test.options.tags), (Some("above"), &["below"][..]));
    let other = definition("stacked_the_other_way");
    assert!(matches!(other.entry, EntryRef::BuiltIn("WORK-010")));
    assert_eq!(other.kind, TestKind::Probe { patterns: &[Pattern::LossyConversion] });
}

#[test]
fn observers_follow_what_they_name() {
    assert_eq!(observer("observes_some").after, "WORK-*");
    assert_eq!(observer("observes_all").after, "*");
    assert_eq!(observer("observes_all").module_path, "entry_properties::observes_all");
    assert!(definitions("observes_all").is_empty());
}

#[test]
fn a_project_adds_and_replaces_entries() {
    let EntryRef::Project { entry, path } = definition("of_the_project").entry else {
        panic!("expected a row")
    };
    assert_eq!(path, "fixtures/roadmap.md");
    assert_eq!((entry.id, entry.title), ("SHOP-001", "Checkout (<250ms)"));
    assert_eq!((entry.tier, entry.tier_title), (1, "Shop"));
    assert_eq!((entry.section, entry.section_title), ("1.1", "Basket"));
    assert_eq!((entry.priority, entry.risk, entry.phase), (Priority::P0, Risk::Severe, 2));
    assert_eq!(entry.stated_status, "begun");
    assert_eq!(entry.target.map(|target| target.to_string()).as_deref(), Some("checkout < 250 ms"));
    let EntryRef::Project { entry, .. } = definition("of_both").entry else {
        panic!("expected the project's row")
    };
    assert_eq!(entry.title, "Burst load of the shop");
}

#[test]
fn a_raw_name_is_registered_without_its_prefix() {
    assert_eq!(definition("loop").case, "dag_006");
}

/// The runner's name of a test is its module's path without the crate, and the case.
#[test]
fn names_are_those_of_the_runner() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed: Vec<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for test in inventory::iter::<Registered> {
        let (_, path) = test.0.module_path.split_once("::").unwrap();
        let name = format!("{path}::{}", test.0.case);
        assert!(listed.contains(&name.as_str()), "{name} is not among {listed:?}");
    }
}
