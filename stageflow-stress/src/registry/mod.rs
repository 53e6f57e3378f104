//! What the attributes submit: one static definition per test and per observer, collected per binary.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::classify::{Category, Oracle, Pattern, PipelineKind, Severity};
use crate::context::TestContext;
use crate::finding::Findings;
use crate::outcome::Outcome;
use crate::probe::{Evidence, Probe};
use crate::roadmap::Entry;

/// A registered test. Written by the attributes only.
#[derive(Debug)]
pub struct TestDef {
    /// The roadmap entry and where it is defined.
    pub entry: EntryRef,
    /// Whether the entry was named by a roadmap test or by a scenario probe.
    pub kind: TestKind,
    /// Name of the user's function.
    pub function: &'static str,
    /// Name of the generated `#[test]` function, such as `dag_005`.
    pub case: &'static str,
    /// `module_path!()` of the generated module: crate, modules, function.
    pub module_path: &'static str,
    /// `file!()` of the attribute.
    pub file: &'static str,
    /// Line of the user's function.
    pub line: u32,
    /// `CARGO_MANIFEST_DIR` of the crate under test, at compile time.
    pub manifest_dir: &'static str,
    /// Package name.
    pub package: &'static str,
    /// Package version.
    pub package_version: &'static str,
    /// Name of the crate (test binary) that holds the test.
    pub crate_name: &'static str,
    /// `#[ignore]`, with its reason or an empty text. libtest reads the attribute itself; our own main reads this.
    pub ignore: Option<&'static str>,
    /// The attribute's arguments.
    pub options: Options,
    /// The user's function.
    pub body: Body,
    /// Compares a text golden with insta from within the user's crate.
    pub golden: GoldenHook,
}

/// Calls insta's snapshot assertion with a name and a content, expanded where the test is written.
pub type GoldenHook = fn(&str, &str);

/// Where the entry of a test comes from.
#[derive(Debug, Clone, Copy)]
pub enum EntryRef {
    /// An entry of the built-in roadmap, by id.
    BuiltIn(&'static str),
    /// A row of the project's own roadmap.
    Project {
        /// The row.
        entry: &'static Entry,
        /// Path of the Markdown file, relative to the manifest directory or absolute.
        path: &'static str,
    },
}

/// Which attribute made the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestKind {
    /// `#[roadmap_test]`.
    Roadmap,
    /// `#[silent_failure_probe]`, alone or stacked under `#[roadmap_test]`.
    Probe {
        /// The patterns that the probe claims to detect. Empty: all five.
        patterns: &'static [Pattern],
    },
}

/// The user's function, behind one of four shapes.
pub enum Body {
    /// `fn(&TestContext)`.
    Sync(fn(&TestContext) -> Outcome),
    /// `async fn(&TestContext)`.
    Async(for<'a> fn(&'a TestContext) -> BoxedBody<'a>),
    /// `fn(&Probe)`.
    SyncProbe(fn(&Probe) -> Outcome),
    /// `async fn(&Probe)`.
    AsyncProbe(for<'a> fn(&'a Probe) -> BoxedBody<'a>),
}

/// The future of an asynchronous body. Not `Send`: a body may hold what it likes across an await.
pub type BoxedBody<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Body::Sync(_) => "Sync",
            Body::Async(_) => "Async",
            Body::SyncProbe(_) => "SyncProbe",
            Body::AsyncProbe(_) => "AsyncProbe",
        })
    }
}

/// The arguments of `#[roadmap_test]` and of a scenario probe.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Test category.
    pub category: Option<Category>,
    /// Pipeline kind.
    pub pipeline: Option<PipelineKind>,
    /// What decides right from wrong.
    pub oracles: &'static [Oracle],
    /// Requirement ids for traceability.
    pub requirements: &'static [&'static str],
    /// Free tags.
    pub tags: &'static [&'static str],
    /// Who answers for the test.
    pub owner: Option<&'static str>,
    /// Severity of the findings that the runtime files for this test's failures. Default high.
    pub severity: Option<Severity>,
    /// Runtime flavor.
    pub flavor: Flavor,
    /// Worker threads of a multi-thread runtime. Default: available parallelism, at least 2.
    pub worker_threads: Option<usize>,
    /// Start with the runtime's clock paused (current-thread only).
    pub start_paused: bool,
    /// Deadline of the body.
    pub timeout: Option<Duration>,
    /// How often the body runs.
    pub iterations: u32,
    /// The seed of this case, if the attribute fixes one.
    pub seed: Option<u64>,
    /// Whether the test is run twice and compared.
    pub determinism: Determinism,
    /// Limits of the child process that runs the test alone.
    pub isolate: Option<Isolate>,
    /// Leave the one-test-at-a-time gate.
    pub concurrent: bool,
    /// Whether a panic outside the body is red.
    pub background_panics: BackgroundPanics,
    /// Text that the body's panic message must contain.
    pub expect_panic: Option<&'static str>,
    /// Texts of error-level log lines that belong to the scenario.
    pub expect_errors: &'static [&'static str],
    /// Waived observations of the log analysis: detector, a part of what it sees, and why that is right.
    pub waive_log: &'static [(u8, &'static str, &'static str)],
    /// Names of waived stock observers, each with its reason or an empty text.
    pub allow: &'static [(&'static str, &'static str)],
    /// Names of stock observers, each with the severity that its findings have in this test.
    pub tune: &'static [(&'static str, Severity)],
    /// Severity from which an unknown finding is red.
    pub fail_on: Option<Severity>,
}

impl Options {
    /// What an attribute without arguments means.
    pub const DEFAULT: Options = Options {
        category: None,
        pipeline: None,
        oracles: &[],
        requirements: &[],
        tags: &[],
        owner: None,
        severity: None,
        flavor: Flavor::MultiThread,
        worker_threads: None,
        start_paused: false,
        timeout: None,
        iterations: 1,
        seed: None,
        determinism: Determinism::Once,
        isolate: None,
        concurrent: false,
        background_panics: BackgroundPanics::Fail,
        expect_panic: None,
        expect_errors: &[],
        waive_log: &[],
        allow: &[],
        tune: &[],
        fail_on: None,
    };
}

/// Which tokio runtime runs the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// Several worker threads: what stress tests usually want, and the default.
    MultiThread,
    /// One thread; needed for a paused clock.
    CurrentThread,
}

/// How replay is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Determinism {
    /// Not checked.
    Once,
    /// Run twice with one seed and compare the event streams.
    Twice,
}

/// What a panic outside the body means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackgroundPanics {
    /// The test fails.
    Fail,
    /// It is recorded as a finding of low severity.
    Record,
}

/// Limits of an isolated test's child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isolate {
    /// Bytes of data memory.
    pub memory: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Bytes of stack per thread.
    pub stack: Option<u64>,
    /// Wall-clock deadline.
    pub time: Option<Duration>,
}

impl Isolate {
    /// No limits: only a process of its own.
    pub const NONE: Isolate = Isolate { memory: None, fds: None, stack: None, time: None };
}

/// A registered observer: `#[silent_failure_probe(after = "DAG-*")]`.
#[derive(Debug)]
pub struct ObserverDef {
    /// Name of the user's function.
    pub function: &'static str,
    /// `module_path!()` of the generated module.
    pub module_path: &'static str,
    /// `file!()` of the attribute.
    pub file: &'static str,
    /// Line of the user's function.
    pub line: u32,
    /// Which entries it follows: an id or a pattern with `*`. `*` follows every test.
    pub after: &'static str,
    /// The user's function.
    pub body: fn(&Evidence, &mut Findings),
}

/// What the attribute of a test submits.
pub struct Registered(pub &'static TestDef);
inventory::collect!(Registered);

/// What the attribute of an observer submits.
pub struct RegisteredObserver(pub &'static ObserverDef);
inventory::collect!(RegisteredObserver);

/// The tests of this binary, sorted by path as the runner prints it.
pub fn tests() -> Vec<&'static TestDef> {
    let mut tests: Vec<_> = inventory::iter::<Registered>.into_iter().map(|test| test.0).collect();
    tests.sort_by_cached_key(|test| (test.name(), test.crate_name));
    tests
}

impl TestDef {
    /// The test's path as its runner prints it: modules, function, case, without the crate. libtest prints `r#match` for
    /// a function of that name, so this does.
    pub fn name(&self) -> String {
        match self.module_path.split_once("::") {
            Some((_, path)) => format!("{path}::{}", self.case),
            None => self.case.to_owned(),
        }
    }

    /// The roadmap entry; `None` if this library was built with another roadmap than the test.
    pub fn entry(&self) -> Option<&'static Entry> {
        match self.entry {
            EntryRef::Project { entry, .. } => Some(entry),
            EntryRef::BuiltIn(id) => crate::roadmap::find(id),
        }
    }
}

/// The observers of this binary that follow `entry`, sorted by path.
pub fn observers_of(entry: &str) -> Vec<&'static ObserverDef> {
    let mut observers: Vec<_> = inventory::iter::<RegisteredObserver>
        .into_iter()
        .map(|registered| registered.0)
        .filter(|observer| selects(observer.after, entry))
        .collect();
    observers.sort_by_key(|observer| observer.module_path);
    observers
}

/// Whether `pattern` (an id, possibly with `*`) selects `id`.
pub fn selects(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((head, tail)) => id.strip_prefix(head).is_some_and(|rest| {
            if tail.contains('*') {
                (0..=rest.len()).any(|at| rest.is_char_boundary(at) && selects(tail, &rest[at..]))
            } else {
                rest.ends_with(tail)
            }
        }),
    }
}

#[cfg(test)]
mod tests_of_selection {
    use super::selects;

    #[test]
    fn stars_match_any_run_of_characters() {
        assert!(selects("DAG-*", "DAG-005"));
        assert!(selects("*", "LLM-REASON-001"));
        assert!(selects("*-00*", "DAG-005"));
        assert!(!selects("DAG-*", "CORE-001"));
        assert!(!selects("DAG-005", "DAG-0055"));
    }
}
