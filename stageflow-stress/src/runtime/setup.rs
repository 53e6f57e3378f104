//! Setting a test up: its entry, its run folder, its log, its context.

use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::session::Session;
use crate::capture::{Active, LogFile};
use crate::context::{Background, Collected, Inner, TestContext};
use crate::journal::record::{LogRule, LogRuleKind, TestStart};
use crate::log::format::Header;
use crate::log::rules::Rules;
use crate::registry::{Body, Flavor, TestDef, TestKind};
use crate::roadmap::Entry;
use crate::run::{Run, create_unique, file_time, shown_below, slug, state::EntryInfo};
use crate::sys;

/// Prepares everything that a test needs before its body runs.
pub fn set_up(session: &'static Session, def: &'static TestDef) -> Result<TestContext, String> {
    let entry = resolve(def)?;
    let run = open_run(session, def)?;
    let name = def.name();
    let seed = def.options.seed.unwrap_or_else(|| session.store.test_seed(def.package, &name));
    let attempt = number_from("NEXTEST_ATTEMPT").unwrap_or(1);
    let slug = test_slug(def, &name);
    let (log_path, log_file) = create_unique(
        &run.dir.join("results/logs"),
        &format!("{slug}_{}_a{attempt}", file_time(SystemTime::now())),
        "log",
    )
    .map_err(|error| format!("cannot create a log file below {}: {error}", run.dir.display()))?;

    let options = &def.options;
    let start = TestStart {
        number: run.next_test(),
        reproduce: reproduce(def, &name, session.store.seed),
        name,
        slug,
        function: def.function.trim_start_matches("r#").to_owned(),
        crate_name: def.crate_name.to_owned(),
        package: def.package.to_owned(),
        package_version: def.package_version.to_owned(),
        file: shown_below(&session.store.settings.root, Path::new(def.file)),
        line: def.line,
        kind: match def.kind {
            TestKind::Roadmap => "roadmap_test",
            TestKind::Probe { .. } => "silent_failure_probe",
        }
        .to_owned(),
        patterns: match def.kind {
            TestKind::Roadmap => Vec::new(),
            TestKind::Probe { patterns } => patterns.to_vec(),
        },
        category: options.category,
        pipeline: options.pipeline,
        oracles: options.oracles.to_vec(),
        requirements: owned(options.requirements),
        tags: owned(options.tags),
        owner: options.owner.map(str::to_owned),
        allow: crate::context::told(options),
        fail_on: options.fail_on.unwrap_or(session.store.settings.fail_on),
        seed,
        iterations: options.iterations,
        attempt,
        stress: std::env::var("NEXTEST_STRESS_CURRENT")
            .ok()
            .filter(|value| value != "none")
            .or_else(super::repetition),
        log: run.relative(&log_path),
    };
    let log = LogFile::start(log_path, log_file, &header(def, &start, &entry, &run, session))
        .map_err(|error| format!("cannot write the log header of {}: {error}", start.name))?;
    let active = Arc::new(Active::new(log));
    Ok(TestContext {
        inner: Arc::new(Inner {
            def,
            entry,
            run,
            start,
            seed,
            active,
            known: session.known.clone(),
            root: session.store.settings.root.clone(),
            collected: Mutex::new(Collected::default()),
            iteration: AtomicU32::new(0),
            background: Background::default(),
            faults: Mutex::default(),
            proofs: Mutex::default(),
            metric_files: AtomicU32::new(0),
            fault_plan: session.store.settings.fault_plan.clone(),
        }),
    })
}

/// Takes what the attribute declares of the log.
pub fn log_rules(def: &TestDef, rules: &mut Rules) -> Vec<LogRule> {
    let options = &def.options;
    let mut declared = Vec::new();
    for text in options.expect_errors {
        declared.push(rules.declare(LogRuleKind::ExpectErrors, vec![(*text).to_owned()], None));
    }
    for (detector, text, why) in options.waive_log {
        let parts = vec![detector.to_string(), (*text).to_owned()];
        declared.push(rules.declare(LogRuleKind::Waive, parts, Some((*why).to_owned())));
    }
    declared
}

/// The run folder of the test's entry.
pub fn open_run(session: &Session, def: &TestDef) -> Result<Arc<Run>, String> {
    let entry = resolve(def)?;
    session.store.run(&entry_info(&entry)).map_err(|error| {
        format!("cannot open a run folder for {} below {}: {error}", entry.id, session.store.runs.display())
    })
}

/// Why the test is refused, if it is: an argument that cannot be honoured here.
pub fn refusal(def: &TestDef) -> Option<String> {
    (def.options.isolate.is_some() && !sys::CHILDREN_CAN_BE_CONFINED).then(|| {
        format!(
            "`isolate` is not available here, on {}; the test is refused rather than run without it: remove the argument, \
             or run the test on Linux",
            std::env::consts::OS
        )
    })
}

/// The entry of the test.
pub fn resolve(def: &TestDef) -> Result<Entry, String> {
    def.entry().copied().ok_or_else(|| {
        format!("the entry of {} is not in the roadmap that this library was built with", def.name())
    })
}

fn entry_info(entry: &Entry) -> EntryInfo {
    EntryInfo {
        id: entry.id.to_owned(),
        title: entry.title.to_owned(),
        tier: format!("{} {}", entry.tier, entry.tier_title),
        section: format!("{} {}", entry.section, entry.section_title),
        priority: entry.priority,
        risk: entry.risk,
        phase: entry.phase,
        target: entry.target.map(|target| target.to_string()),
    }
}

/// Two packages may have a test binary of the same name; the package tells them apart where it is not the crate itself.
pub fn test_slug(def: &TestDef, name: &str) -> String {
    let package = def.package.replace('-', "_");
    if package == def.crate_name {
        slug(&format!("{}::{name}", def.crate_name))
    } else {
        slug(&format!("{package}::{}::{name}", def.crate_name))
    }
}

fn reproduce(def: &TestDef, name: &str, seed: u64) -> String {
    let binary = if def.crate_name == def.package.replace('-', "_") {
        "--lib".to_owned()
    } else {
        format!("--test {}", def.crate_name)
    };
    format!("STAGEFLOW_SEED={seed} cargo test -p {} {binary} -- --exact {name}", def.package)
}

fn header(def: &TestDef, start: &TestStart, entry: &Entry, run: &Run, session: &Session) -> Header {
    let mut header = Header::new()
        .with("test", &start.name)
        .with("entry", entry.id)
        .with("run", &run.info.run_id)
        .with("attempt", start.attempt.to_string())
        .with("seed", start.seed.to_string())
        .with("root seed", session.store.seed.to_string())
        .with("configuration", configuration(def))
        .with("iterations", start.iterations.to_string())
        .with("sdk", env!("CARGO_PKG_VERSION"))
        .with("reproduce", &start.reproduce);
    for fact in &session.store.settings.facts {
        header = header.with(fact.fact.as_str(), &fact.value);
    }
    header
}

/// What the test runs on.
fn configuration(def: &TestDef) -> String {
    let options = &def.options;
    let mut parts = vec![match (&def.body, options.flavor) {
        (Body::Sync(_) | Body::SyncProbe(_), _) => "synchronous".to_owned(),
        (_, Flavor::CurrentThread) => "current_thread".to_owned(),
        (_, Flavor::MultiThread) => match options.worker_threads {
            Some(workers) => format!("multi_thread, {workers} workers"),
            None => "multi_thread".to_owned(),
        },
    }];
    if options.start_paused {
        parts.push("time paused".to_owned());
    }
    if options.concurrent {
        parts.push("concurrent".to_owned());
    }
    if options.isolate.is_some() {
        parts.push("isolated".to_owned());
    }
    parts.push(if cfg!(debug_assertions) { "debug build" } else { "release build" }.to_owned());
    parts.join(", ")
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn number_from(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}
