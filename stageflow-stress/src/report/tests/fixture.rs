//! Hand-made runs.

use std::collections::BTreeMap;

use serde_json::json;

use crate::classify::{Category, Oracle, Pattern, PipelineKind, Priority, Risk, Severity};
use crate::finding::{Finding, FindingType, RiskLevel};
use crate::journal::record::*;
use crate::log::{AnalysisInput, LogDigest, analyze};
use crate::run::state::*;

pub const START: &str = "2026-01-14T09:00:00.000000Z";

/// A run in which nothing has happened.
pub fn empty() -> RunState {
    RunState {
        info: RunInfo {
            format: 1,
            run_id: "run-2026-01-14-001".to_owned(),
            uuid: "019bbbbb-0000-7000-8000-000000000000".to_owned(),
            entry: EntryInfo {
                id: "DAG-005".to_owned(),
                title: "Extreme fan-out (500+ parallel stages)".to_owned(),
                tier: "1 Core".to_owned(),
                section: "1.2 DAG execution".to_owned(),
                priority: Priority::P0,
                risk: Risk::Severe,
                phase: 0,
                target: None,
            },
            started_at: START.to_owned(),
            invocation: "cargo 4242".to_owned(),
            seed: u64::MAX,
            git_commit: None,
            git_dirty: None,
            environment: Environment {
                os: "Linux 6.1".to_owned(),
                target: "x86_64-unknown-linux-gnu".to_owned(),
                profile: "debug".to_owned(),
                ..Environment::default()
            },
            known: None,
            citations: Vec::new(),
            settings: Vec::new(),
            ci: BTreeMap::new(),
            git_drops: Vec::new(),
            shards: Vec::new(),
        },
        dir: "runs/DAG-005/run-2026-01-14-001".into(),
        processes: Vec::new(),
        tests: Vec::new(),
        findings: Vec::new(),
        ledger: Vec::new(),
        imports: Vec::new(),
        last_at: START.to_owned(),
        catalogue: None,
        losses: Vec::new(),
        unreadable_lines: 0,
    }
}

/// A test that ended, without anything recorded.
pub fn test(name: &str, status: TestStatus) -> TestState {
    let slug = name.replace("::", "__");
    let ended = !matches!(status, TestStatus::Crashed | TestStatus::Running);
    let start = TestStart {
        number: 0,
        name: name.to_owned(),
        log: format!("results/logs/{slug}_20260114T090000_a1.log"),
        slug,
        function: name.rsplit("::").next().unwrap().to_owned(),
        crate_name: "pipeline".to_owned(),
        package: "pipeline".to_owned(),
        package_version: "1.2.0".to_owned(),
        file: "tests/pipeline.rs".to_owned(),
        line: 12,
        kind: "roadmap_test".to_owned(),
        patterns: Vec::new(),
        category: None,
        pipeline: None,
        oracles: Vec::new(),
        requirements: Vec::new(),
        tags: Vec::new(),
        owner: None,
        allow: Vec::new(),
        fail_on: Severity::High,
        seed: 7,
        iterations: 1,
        attempt: 1,
        stress: None,
        reproduce: format!("STAGEFLOW_SEED=7 cargo test -p pipeline {name} -- --exact"),
    };
    TestState {
        ended_at: ended.then(|| "2026-01-14T09:00:01.500000Z".to_owned()),
        status,
        end: ended.then(|| TestEnd {
            status,
            reasons: if status == TestStatus::Passed {
                Vec::new()
            } else {
                vec![format!("it {status} for a reason")]
            },
            duration_ms: 1234.5,
            red: Vec::new(),
            log: LogSummary::default(),
        }),
        ..TestState::new(start, START.to_owned())
    }
}

pub fn check(name: &str, passed: bool) -> Check {
    let detail = (!passed).then(|| "expected 500, found 499".to_owned());
    Check { name: name.to_owned(), passed, detail, file: "tests/pipeline.rs".to_owned(), line: 20 }
}

pub fn stored(n: usize, finding: Finding, tests: &[&str]) -> StoredFinding {
    StoredFinding {
        id: format!("DAG-005-{}-{n:03}", finding.kind.code()),
        occurrences: tests.len() as u64,
        tests: tests.iter().map(|test| (*test).to_owned()).collect(),
        ..StoredFinding::new(format!("sfp1:{n:032x}"), finding, "runtime".to_owned(), START.to_owned())
    }
}

/// What a clean pass is: one test, one check, an analysed log.
pub fn passed() -> RunState {
    let mut state = empty();
    let mut one = test("fan_out::dag_005", TestStatus::Passed);
    one.checks.push(check("every output merged", true));
    state.tests.push(one);
    state
}

/// Analyses of the tests' logs, which are empty.
pub fn analysed(state: &RunState) -> Vec<LogDigest> {
    let input = |test: &TestState| {
        let summary = test.end.as_ref().map(|end| end.log.clone()).unwrap_or_default();
        analyze(
            b"",
            &AnalysisInput {
                test: &test.start.name,
                slug: &test.start.slug,
                log: &test.start.log,
                reproduce: &test.start.reproduce,
                passed: Some(test.status == TestStatus::Passed),
                summary: &summary,
                expected: &[],
                rules: None,
            },
        )
        .digest
    };
    state.tests.iter().filter(|test| test.end.is_some()).map(input).collect()
}

fn fact(fact: Fact, value: &str) -> ContextFact {
    ContextFact { fact, value: value.to_owned() }
}

/// A run in which something of everything has happened.
pub fn rich() -> RunState {
    let mut state = empty();
    let info = &mut state.info;
    info.git_commit = Some("3f2a1bc".to_owned());
    info.git_dirty = Some(true);
    info.entry.target = Some("parallel stages >= 500".to_owned());
    info.entry.phase = 2;
    info.settings = vec![
        fact(Fact::Industry, "healthcare"),
        fact(Fact::StageflowVersion, "0.9.1"),
        fact(Fact::Parameter, "width=500"),
    ];
    info.environment.rustc = Some("1.95.0".to_owned());
    info.environment.cpu = Some("EPYC".to_owned());
    info.environment.logical_cores = Some(2);
    info.environment.memory_gb = Some(16.8);
    info.environment.dependencies = BTreeMap::from([("tokio".to_owned(), "1.47.0".to_owned())]);
    info.ci = BTreeMap::from([("job".to_owned(), "nightly".to_owned())]);
    state.processes.push(ProcessInfo {
        journal: "j1".to_owned(),
        host: "builder".to_owned(),
        pid: 4242,
        start_ticks: 1,
        boot: String::new(),
        up: None,
        sdk: "0.1.0".to_owned(),
        command: vec!["pipeline".to_owned(), "--exact".to_owned()],
        runner: "cargo test".to_owned(),
    });
    state.last_at = "2026-01-14T09:00:04.250000Z".to_owned();

    let mut fan_out = test("fan_out::dag_005", TestStatus::Failed);
    fan_out.start.category = Some(Category::Performance);
    fan_out.start.pipeline = Some(PipelineKind::Stress);
    fan_out.start.oracles = vec![Oracle::Timing, Oracle::Bounds];
    fan_out.start.requirements = vec!["REQ-7".to_owned()];
    fan_out.start.owner = Some("core team".to_owned());
    fan_out.checks = vec![check("every output merged", false), check("order kept", true)];
    fan_out.samples = (1..=120).map(|n| Sample { series: "fan_out".to_owned(), nanos: n * 1_000 }).collect();
    fan_out.throughputs =
        vec![Throughput { series: "merge".to_owned(), count: 10_000, failed: 5_000, nanos: 2_000_000_000 }];
    fan_out.metrics = vec![Metric { name: "keys".to_owned(), value: 499.0, unit: "count".to_owned() }];
    fan_out.measured = instruments();
    fan_out.goldens = vec![
        GoldenRecord {
            name: "merged".to_owned(),
            outcome: GoldenOutcome::Mismatch,
            files: vec!["results/golden/merged.diff".to_owned()],
            why: "1 line differs".to_owned(),
            diff: "-500\n+499".to_owned(),
            file: "tests/pipeline.rs".to_owned(),
            line: 22,
        },
        GoldenRecord {
            name: "order".to_owned(),
            outcome: GoldenOutcome::New,
            files: Vec::new(),
            why: "there is no reference".to_owned(),
            diff: String::new(),
            file: "tests/pipeline.rs".to_owned(),
            line: 23,
        },
    ];
    fan_out.panics = vec![PanicRecord {
        thread: "tokio-rt-worker".to_owned(),
        message: "index out of bounds".to_owned(),
        file: "src/merge.rs".to_owned(),
        line: 9,
        backtrace: String::new(),
        background: true,
        expected: false,
        route: "span".to_owned(),
    }];
    fan_out.hypotheses = vec![Hypothesis {
        statement: "merging drops keys".to_owned(),
        result: HypothesisResult::Confirmed,
        evidence: "499 of 500".to_owned(),
    }];
    fan_out.notes = vec![
        Note { topic: Topic::Industry, text: "HIPAA asks for audits.".to_owned() },
        Note { topic: Topic::Technical, text: "Two lines\nof a note.".to_owned() },
    ];
    fan_out.citations = vec![Citation {
        title: "On merging".to_owned(),
        source: "https://example.org/merge".to_owned(),
        relevance: "names the race".to_owned(),
    }];
    fan_out.facts = vec![
        fact(Fact::Persona, "architect of a hospital"),
        fact(Fact::Parameter, "width=600"),
        fact(Fact::Parameter, "fast"),
    ];
    fan_out.dx_scores = vec![
        DxScore { aspect: Aspect::Clarity, score: 4, notes: "names are clear".to_owned() },
        DxScore { aspect: Aspect::Clarity, score: 3, notes: "but many".to_owned() },
        DxScore { aspect: Aspect::Debugging, score: 2, notes: String::new() },
    ];
    fan_out.dx_times = vec![DxTime { what: DxTimed::FirstPipeline, minutes: 25.0 }];
    fan_out.documentation = vec![
        DocumentationFeedback {
            aspect: DocumentationAspect::Coverage,
            place: "guide".to_owned(),
            text: "no word on merging".to_owned(),
        },
        DocumentationFeedback {
            aspect: DocumentationAspect::Improvement,
            place: "guide".to_owned(),
            text: "draw the order".to_owned(),
        },
    ];
    fan_out.observers =
        vec![ObserverRecord { name: "late".to_owned(), findings: 0, panicked: Some("oops".to_owned()) }];
    let end = fan_out.end.as_mut().unwrap();
    end.red = vec![format!("sfp1:{:032x}", 1)];
    end.log =
        LogSummary { records: 40, lost: 2, routes: BTreeMap::from([("span".to_owned(), 40)]), partial: None };
    fan_out.findings = (1..=3).map(|n| format!("sfp1:{n:032x}")).collect();

    let mut probe = test("probes::swallowed", TestStatus::Passed);
    probe.start.kind = "silent_failure_probe".to_owned();
    probe.start.patterns = vec![Pattern::SwallowedException];
    probe.start.category = Some(Category::SilentFailures);
    probe.start.pipeline = Some(PipelineKind::Chaos);
    probe.findings = vec![format!("sfp1:{:032x}", 4)];
    let plain = test("plain", TestStatus::Passed);
    let skipped = test("needs_gpu", TestStatus::Skipped);
    let crashed = test("dies", TestStatus::Crashed);
    state.tests = vec![fan_out, probe, plain, skipped, crashed];

    let bug = Finding::bug("merge drops a key")
        .severity(Severity::High)
        .component("OutputBag")
        .description("Of 500 outputs 499 arrived.\nThe lost one differs from run to run.")
        .step("fan out to 500 stages")
        .step("merge")
        .data_risk(RiskLevel::Critical)
        .impact("patients without data")
        .workaround("merge one by one")
        .recommend("merge under one lock")
        .evidence("check", "499 of 500", json!({ "expected": 500, "found": 499 }))
        .attach("difference", "results/golden/merged.diff", "diff")
        .rule("check");
    let mut log_issue =
        Finding::new(FindingType::LogIssue, "an error was logged in a passing test: order <*> lost")
            .severity(Severity::Low)
            .rule("log.error_in_passing_test")
            .evidence(
                "log analysis D2",
                "error from app, 2 times",
                json!({ "excerpt": [" 4: before", ">5: order 17 lost"] }),
            );
    log_issue.component = None;
    let dx = Finding::dx("errors do not name the stage")
        .severity(Severity::Medium)
        .description("Only the parent is named.");
    let silent = Finding::silent_failure("a lost write goes unseen")
        .severity(Severity::Medium)
        .tag("swallowed_exception")
        .component("Store")
        .evidence("state audit", "1 row missing", json!({ "missing": 1 }));
    state.findings = vec![
        stored(1, bug, &["fan_out::dag_005"]),
        stored(2, dx, &["fan_out::dag_005"]),
        stored(4, silent, &["probes::swallowed"]),
        stored(3, log_issue, &["fan_out::dag_005"]),
    ];
    state.findings[1].known = Some(KnownAs {
        id: None,
        status: "confirmed".to_owned(),
        why: "planned for 1.0".to_owned(),
        ..KnownAs::default()
    });
    let entry = |ledger, value: serde_json::Value| Timed {
        at: START.to_owned(),
        test: String::new(),
        value: LedgerRecord { ledger, entry: value.as_object().unwrap().clone() },
    };
    state.ledger = vec![
        entry(
            Ledger::Strengths,
            json!({ "title": "clear stages", "component": "Stage", "evidence": "built in 25 minutes", "impact": "high" }),
        ),
        entry(
            Ledger::Improvements,
            json!({ "title": "a batch stage", "type": "component_suggestion", "priority": "P1", "description": "runs items in batches", "roleplay_perspective": "hospitals batch" }),
        ),
        entry(
            Ledger::Improvements,
            json!({ "title": "name stages in errors", "type": "api_improvement", "priority": "P0", "rationale": "faster debugging" }),
        ),
    ];
    state.losses = vec![Loss { what: "record".to_owned(), count: 3, why: "disk full".to_owned() }];
    state.unreadable_lines = 1;
    state
}

/// What every instrument leaves, in the form of `docs/run-folder.md`.
fn instruments() -> Vec<Measured> {
    let percentile = |value: u64| json!({ "value": value, "low": value - 1, "high": value + 1, "at_least": false, "n": 900 });
    let times = json!({
        "count": 900, "in_flight": 3, "min": 1_000_000, "mean": 4e6, "max": 95_000_000,
        "percentiles": {
            "p50": percentile(2_000_000),
            "p99": { "value": 90_000_000, "low": 80_000_000, "high": null, "at_least": true, "n": 900 },
            "p99.9": { "value": null, "n": 900, "reason": "needs at least 1000 operations" },
        },
        "cdf": [[1_000_000, 1], [2_000_000, 450], [90_000_000, 891], [95_000_000, 900]],
    });
    let moment = |n: u64| json!({ "due": 25, "succeeded": 20, "unsuccessful": n % 7, "p50": 2_000_000, "p99": null, "max": 9_000_000 + n * 1_000_000 });
    let counts = json!({
        "offered": 1000, "succeeded": 900, "failed": 90, "panicked": 2, "cancelled": 1, "dropped": 4, "in_flight": 3, "late": 7,
    });
    let step = |rate: u64, state: &str, p99: u64| {
        let percentiles =
            json!({ "p50": percentile(1_000_000), "p95": percentile(p99 / 2), "p99": percentile(p99) });
        json!({ "rate": rate, "state": state, "reasons": [], "counts": counts, "response": { "count": 100, "percentiles": percentiles } })
    };
    let rows: Vec<_> = (0..20_u64)
        .map(|n| json!([n, n * 10, 100_000_000 + n * 2_000_000, null, n as f64 * 0.5, 8, 20 + n, null]))
        .collect();
    let entries = [
        (
            Instrument::Load,
            json!({
                "name": "checkout", "model": { "kind": "open" }, "valid": false, "reasons": ["the generator lagged"], "aborted": null,
                "offered_per_second": 500.0, "issued_per_second": 498.0, "counts": counts,
                "error_rate": { "value": 0.096, "low": 0.079, "high": 0.116, "n": 996 }, "response": times, "service": times,
                "timeline": { "width_seconds": 0.05, "moments": (0..40).map(moment).collect::<Vec<_>>() },
                "errors": [{ "text": "no stock", "count": 90 }], "other_errors": 3,
            }),
        ),
        (
            Instrument::Degradation,
            json!({
                "name": "checkout", "knee": { "kept": 200.0, "saturated": 400.0, "reason": null },
                "steps": [step(100, "kept", 3_000_000), step(200, "kept", 5_000_000), step(400, "saturated", 400_000_000), step(800, "invalid", 10)],
                "exponent": { "value": 0.4, "low": 0.1, "high": 0.7, "r_squared": 0.9, "reason": null },
            }),
        ),
        (
            Instrument::Scaling,
            json!({
                "name": "fan out", "exponent": { "value": null, "reason": "needs three sizes" },
                "points": [{ "size": 10, "nanos": [1_000, 1_100, 900] }, { "size": 100, "nanos": [11_000, 12_000] }],
            }),
        ),
        (
            Instrument::Resources,
            json!({
                "name": "soak", "samples": 20, "missed": 1, "interval_seconds": 1.0, "rows": rows,
                "columns": ["at_seconds", "turns", "rss_bytes", "heap_bytes", "cpu_seconds", "threads", "fds", "tasks"],
                "trends": [
                    { "resource": "rss_bytes", "per": "second", "slope": 2e6, "low": 1.9e6, "high": 2.1e6, "trend": "rises", "reason": null },
                    { "resource": "tasks", "per": "second", "slope": null, "low": null, "high": null, "trend": "not shown", "reason": "not measured" },
                ],
            }),
        ),
        (
            Instrument::Quality,
            json!({
                "name": "fraud", "kind": "confusion", "counts": { "hits": 97, "misses": 3 },
                "figures": [
                    { "name": "recall", "value": 0.97, "low": 0.915, "high": 0.99, "n": 100, "method": "Wilson", "reason": null },
                    { "name": "AUC", "value": null, "n": 0, "reason": "no scores" },
                ],
            }),
        ),
        (
            Instrument::Targets,
            json!({
                "name": "width", "of_entry": true, "quantity": "parallel stages", "comparison": ">=", "bound": 500, "bound_unit": "parallel stages",
                "measured": { "value": 499.0, "low": 450.0, "high": 510.0, "unit": "stages", "n": 3, "method": "count" },
                "decision": "undecided", "why": "the interval holds the bound",
            }),
        ),
        (
            Instrument::Checkers,
            json!({ "name": "ledger", "checker": "linearizable", "looked_at": 40, "verdict": "unknown", "why": "too many orders", "witness": ["a", "b"] }),
        ),
    ];
    let measured = |(instrument, entry)| Measured { instrument, entry };
    entries.into_iter().map(measured).collect()
}
