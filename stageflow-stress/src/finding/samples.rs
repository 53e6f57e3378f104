//! Run states made by hand, for tests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::fingerprint::fingerprint;
use super::model::{Classification, Effort, Finding, FindingStatus, FindingType, RiskLevel};
use crate::classify::{Priority, Risk, Severity};
use crate::journal::record::{ContextFact, Fact, KnownAs, Loss, TestStart, TestStatus};
use crate::run::state::{EntryInfo, Environment, RunInfo, RunState, StoredFinding, TestState};

/// Texts that break careless writers.
pub(crate) const HOSTILE: &str =
    "\u{0}\u{1b}[31m\"quoted\" \\ line\r\nbreak \u{2028}\u{feff} é😀 </script> | `x` ${y} \u{fffd}";

pub(crate) fn empty() -> RunState {
    RunState {
        info: RunInfo {
            format: 1,
            run_id: "run-2026-01-14-001".to_owned(),
            uuid: "0198f3a0-0000-7000-8000-000000000001".to_owned(),
            entry: EntryInfo {
                id: "DAG-005".to_owned(),
                title: "Fan-out scalability (500+ parallel stages)".to_owned(),
                tier: "Tier 1".to_owned(),
                section: "1.2".to_owned(),
                priority: Priority::P1,
                risk: Risk::Severe,
                phase: 1,
                target: None,
            },
            started_at: "2026-01-14T09:00:00.000000Z".to_owned(),
            invocation: "pid-1".to_owned(),
            seed: 7,
            git_commit: None,
            git_dirty: None,
            environment: Environment {
                os: "Linux 6.1".to_owned(),
                rustc: Some("1.89.0".to_owned()),
                target: "x86_64-unknown-linux-gnu".to_owned(),
                profile: "debug".to_owned(),
                dependencies: BTreeMap::from([
                    ("stageflow-core".to_owned(), "0.5.0".to_owned()),
                    ("serde".to_owned(), "1.0.0".to_owned()),
                ]),
                ..Environment::default()
            },
            known: None,
            citations: Vec::new(),
            settings: Vec::new(),
            ci: BTreeMap::new(),
            git_drops: Vec::new(),
            shards: Vec::new(),
        },
        dir: PathBuf::from("runs/DAG-005/run-2026-01-14-001"),
        processes: Vec::new(),
        tests: Vec::new(),
        findings: Vec::new(),
        ledger: Vec::new(),
        imports: Vec::new(),
        last_at: "2026-01-14T09:00:00Z".to_owned(),
        catalogue: None,
        losses: Vec::new(),
        unreadable_lines: 0,
    }
}

/// A test of the package `pipeline`.
pub(crate) fn test(name: &str, status: TestStatus) -> TestState {
    let start = TestStart {
        number: 0,
        name: name.to_owned(),
        slug: name.replace("::", "__"),
        function: "fan_out".to_owned(),
        crate_name: "pipeline".to_owned(),
        package: "pipeline".to_owned(),
        package_version: "0.3.0".to_owned(),
        file: "src/lib.rs".to_owned(),
        line: 7,
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
        log: "results/logs/a.log".to_owned(),
        reproduce: "cargo test".to_owned(),
    };
    TestState { status, ..TestState::new(start, "2026-01-14T09:00:00.000000Z".to_owned()) }
}

pub(crate) fn stored(finding: Finding, number: usize) -> StoredFinding {
    let at = format!("2026-01-14T09:00:{:02}.000001Z", number % 60);
    let (id, print) =
        (format!("DAG-005-{}-{number:03}", finding.kind.code()), fingerprint("DAG-005", &finding));
    StoredFinding {
        id,
        occurrences: 2,
        tests: vec!["pipeline::fan_out".to_owned()],
        updated_at: "2026-01-14T09:30:00.000000Z".to_owned(),
        ..StoredFinding::new(print, finding, "author".to_owned(), at)
    }
}

pub(crate) fn known(status: FindingStatus, duplicate_of: Option<&str>) -> Option<KnownAs> {
    Some(KnownAs {
        id: None,
        status: status.to_string(),
        why: "we wait for 0.6".to_owned(),
        duplicate_of: duplicate_of.map(str::to_owned),
        ..KnownAs::default()
    })
}

/// One finding of each type, with the severities taken in turn.
pub(crate) fn every_type() -> RunState {
    let mut state = empty();
    state.last_at = "2026-01-14T09:31:00.000000Z".to_owned();
    for (number, kind) in FindingType::ALL.iter().copied().enumerate() {
        let severity = Severity::ALL[number % Severity::ALL.len()];
        let finding = Finding::new(kind, format!("a {kind} finding")).severity(severity);
        state.findings.push(stored(finding, number + 1));
    }
    state
}

/// One finding of each status, the last one with every field set.
pub(crate) fn every_status() -> RunState {
    let mut state = every_type();
    for (stored, status) in state.findings.iter_mut().zip(FindingStatus::ALL) {
        stored.known = known(*status, None);
    }
    let first = state.findings[0].fingerprint.clone();
    state.findings[5].known = known(FindingStatus::Duplicate, Some(&first));
    state
}

/// Every field set, every text hostile, every time broken, every path bad.
pub(crate) fn hostile() -> RunState {
    let mut state = every_status();
    state.info.entry.id = HOSTILE.to_owned();
    state.info.entry.title = HOSTILE.to_owned();
    state.info.started_at = "yesterday".to_owned();
    state.last_at = HOSTILE.to_owned();
    state.info.environment.rustc = Some(HOSTILE.to_owned());
    state.info.environment.dependencies.insert("stageflow\n".to_owned(), HOSTILE.to_owned());
    state.info.settings = [Fact::StageflowVersion, Fact::AgentModel]
        .map(|fact| ContextFact { fact, value: HOSTILE.to_owned() })
        .to_vec();
    state.losses = vec![Loss { what: "log_line".to_owned(), count: u64::MAX, why: HOSTILE.to_owned() }; 2];
    state.unreadable_lines = 3;
    for (number, stored) in state.findings.iter_mut().enumerate() {
        stored.finding = Finding::new(stored.finding.kind, HOSTILE)
            .severity(stored.finding.severity)
            .description(HOSTILE)
            .component(HOSTILE)
            .tag(HOSTILE)
            .tag(HOSTILE)
            .classify(Classification::Limitation)
            .step(HOSTILE)
            .code_snippet(HOSTILE)
            .conditions(HOSTILE)
            .counted(number as u64, 10)
            .affects(HOSTILE)
            .data_risk(RiskLevel::ALL[number % RiskLevel::ALL.len()])
            .security_risk(RiskLevel::None)
            .availability_risk(RiskLevel::Critical)
            .impact(HOSTILE)
            .workaround(HOSTILE)
            .recommend(HOSTILE)
            .proposal(HOSTILE)
            .code_suggestion(HOSTILE)
            .effort(Effort::ALL[number % Effort::ALL.len()])
            .breaking(true)
            .alternative(HOSTILE)
            .related_to(HOSTILE)
            .key(HOSTILE)
            .rule(HOSTILE)
            .evidence(HOSTILE, HOSTILE, json!({ HOSTILE: [null, 1.5e300, HOSTILE] }))
            .attach(HOSTILE, "../x", HOSTILE)
            .attach("ok", "results/logs/ok.log", "log");
        stored.finding.location = Some(HOSTILE.to_owned());
        stored.finding.source_line = Some(HOSTILE.to_owned());
        stored.created_at = "2026-02-30T00:00:00Z".to_owned();
        stored.updated_at = String::new();
        stored.tests = vec![HOSTILE.to_owned()];
    }
    state
}
