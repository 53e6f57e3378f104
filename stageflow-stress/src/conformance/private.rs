//! What the expansion of [`conformance!`](crate::conformance!) uses.

use std::panic::Location;

use tokio::runtime::Handle;

use super::bench::Host;
pub use super::engine::AnyEngine;
use super::suite::judge;
use super::{CaseResult, find};
use crate::context::{Fact, TestContext};
use crate::engine::Capability;
use crate::outcome::{Failure, Outcome};
use crate::registry::{BackgroundPanics, Body, BoxedBody, EntryRef, GoldenHook, Options, TestDef, TestKind};

/// Where the macro was written.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// `file!()`.
    pub file: &'static str,
    /// `line!()`.
    pub line: u32,
    /// `CARGO_MANIFEST_DIR`.
    pub manifest_dir: &'static str,
    /// `CARGO_PKG_NAME`.
    pub package: &'static str,
    /// `CARGO_PKG_VERSION`.
    pub package_version: &'static str,
    /// `CARGO_CRATE_NAME`.
    pub crate_name: &'static str,
}

/// The definition of the test of one case.
#[must_use]
pub const fn definition(
    place: Place,
    entry: &'static str,
    function: &'static str,
    case: &'static str,
    module_path: &'static str,
    body: Body,
    golden: GoldenHook,
) -> TestDef {
    TestDef {
        entry: EntryRef::BuiltIn(entry),
        kind: TestKind::Roadmap,
        function,
        case,
        module_path,
        file: place.file,
        line: place.line,
        manifest_dir: place.manifest_dir,
        package: place.package,
        package_version: place.package_version,
        crate_name: place.crate_name,
        ignore: None,
        options: Options { background_panics: BackgroundPanics::Record, ..Options::DEFAULT },
        body,
        golden,
    }
}

/// The body of the test of one case.
pub fn test<'a>(
    name: &'static str,
    engine: fn() -> Box<dyn AnyEngine>,
    cx: &'a TestContext,
) -> BoxedBody<'a> {
    Box::pin(async move { run(name, &*engine(), cx) })
}

#[track_caller]
fn run(name: &str, engine: &dyn AnyEngine, cx: &TestContext) -> Outcome {
    let Some(case) = find(name) else {
        return Err(Failure::new(format!("the suite of this version has no case `{name}`")));
    };
    cx.fact(Fact::StageflowVersion, &engine.name());
    let (report, bench) = judge(case, engine, Host::Test(Handle::current()));
    for finding in bench.findings {
        cx.finding(finding.component(engine.name()));
    }
    for check in bench.checks {
        cx.inner.check(&check.name, check.passed, || check.detail, Location::caller());
    }
    match report.result {
        CaseResult::Passed | CaseResult::Found(_) => Ok(()),
        CaseResult::NotApplicable(missing) => {
            let missing: Vec<&str> = missing.iter().copied().map(Capability::as_str).collect();
            let engine = engine.name();
            Err(Failure::skip(format!("not applicable: {engine} does not declare {}", missing.join(", "))))
        }
        CaseResult::NotThere(why) => Err(Failure::skip(why)),
        CaseResult::Broken(why) => Err(Failure::new(why)),
    }
}
