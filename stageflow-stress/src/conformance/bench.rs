//! What a case works with: runs that are audited, and checks.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::{Handle, Runtime};
use tokio::task::block_in_place;

use super::Case;
use super::engine::AnyEngine;
use crate::classify::Severity;
use crate::engine::{EngineError, Overlap, PipelineSpec, RunEnd, RunOptions, RunReport, audit};
use crate::finding::Finding;

/// How long a run may take beyond what its options allow. Against hangs only: nothing is judged by it.
const DEADLINE: Duration = Duration::from_secs(20);

/// Why a case ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A run could not be observed.
    Broken(EngineError),
    /// What went wrong has been filed as a finding.
    Filed,
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Stop::Broken(error)
    }
}

/// What drives the engine's futures.
pub(super) enum Host<'a> {
    /// A runtime of the suite's own.
    Own(&'a Runtime),
    /// The runtime of the test that this thread belongs to.
    Test(Handle),
}

impl Host<'_> {
    fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        match self {
            Host::Own(runtime) => runtime.block_on(future),
            Host::Test(handle) => block_in_place(|| handle.block_on(future)),
        }
    }
}

/// A check of a case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) detail: String,
}

/// What a case works with. Cases are plain functions; the bench drives the engine's futures for them.
pub struct Bench<'a> {
    pub(super) case: &'static Case,
    engine: &'a dyn AnyEngine,
    host: Host<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) checks: Vec<Checked>,
    pub(super) runs: usize,
}

impl Debug for Bench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("case", &self.case.name).finish_non_exhaustive()
    }
}

/// Options of a run after which nothing is expected to go on.
pub(crate) fn quick() -> RunOptions {
    RunOptions::new().grace(Duration::from_millis(5))
}

/// Options of a run that is watched for a while after its end.
pub(crate) fn watched() -> RunOptions {
    RunOptions::new().grace(Duration::from_millis(150))
}

impl<'a> Bench<'a> {
    pub(super) fn new(case: &'static Case, engine: &'a dyn AnyEngine, host: Host<'a>) -> Self {
        Bench { case, engine, host, findings: Vec::new(), checks: Vec::new(), runs: 0 }
    }

    /// Runs a pipeline and audits the run.
    pub(crate) fn run(&mut self, pipeline: &PipelineSpec, options: &RunOptions) -> Result<RunReport, Stop> {
        let report = self.unaudited(pipeline, options)?;
        self.audit(pipeline, options, &report);
        Ok(report)
    }

    /// Runs a pipeline to which the rules of the audit do not apply.
    pub(crate) fn unaudited(
        &mut self,
        pipeline: &PipelineSpec,
        options: &RunOptions,
    ) -> Result<RunReport, Stop> {
        let engine = self.engine;
        let report = self.within(&pipeline.name, &[options], 1, engine.run(pipeline, options))?;
        self.died(&report)?;
        Ok(report)
    }

    /// Runs one graph several times and audits each run.
    pub(crate) fn run_all(
        &mut self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> Result<Vec<RunReport>, Stop> {
        let reports = self.unaudited_runs(pipeline, runs, overlap)?;
        for (options, report) in runs.iter().zip(&reports) {
            self.audit(pipeline, options, report);
        }
        Ok(reports)
    }

    /// Runs one graph several times, where some of the runs may be answered without their stages.
    pub(crate) fn unaudited_runs(
        &mut self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> Result<Vec<RunReport>, Stop> {
        let engine = self.engine;
        let all: Vec<&RunOptions> = runs.iter().collect();
        let reports =
            self.within(&pipeline.name, &all, runs.len(), engine.run_all(pipeline, runs, overlap))?;
        self.check_eq("every run has a report", reports.len(), runs.len());
        for report in &reports {
            self.died(report)?;
        }
        if reports.len() == runs.len() { Ok(reports) } else { Err(Stop::Filed) }
    }

    /// What the cheapest of some runs cost: CPU time where the report has it, which other work on the machine does not
    /// change, and time on the wall clock elsewhere. The runs are audited.
    pub(crate) fn cheapest(
        &mut self,
        pipeline: &PipelineSpec,
        options: &RunOptions,
        of: usize,
    ) -> Result<Duration, Stop> {
        let mut cheapest = Duration::MAX;
        for _ in 0..of {
            let began = Instant::now();
            let report = self.unaudited(pipeline, options)?;
            let cpu = report.cpu_ms.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1_000.0));
            cheapest = cheapest.min(cpu.unwrap_or_else(|| began.elapsed()));
            self.audit(pipeline, options, &report);
        }
        Ok(cheapest)
    }

    pub(crate) fn audit(&mut self, pipeline: &PipelineSpec, options: &RunOptions, report: &RunReport) {
        self.findings.extend(audit(pipeline, options, report));
    }

    pub(crate) fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Records whether `passed`, and goes on.
    pub(crate) fn check(&mut self, name: &str, passed: bool, detail: impl FnOnce() -> String) -> bool {
        let detail = if passed { String::new() } else { detail() };
        self.checks.push(Checked { name: name.to_owned(), passed, detail });
        passed
    }

    /// Records whether both are equal, and goes on.
    pub(crate) fn check_eq<A: Debug + PartialEq<E>, E: Debug>(
        &mut self,
        name: &str,
        actual: A,
        expected: E,
    ) -> bool {
        let passed = actual == expected;
        self.check(name, passed, || format!("actual: {actual:?}\nexpected: {expected:?}"))
    }

    fn within<T>(
        &mut self,
        name: &str,
        runs: &[&RunOptions],
        count: usize,
        future: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, Stop> {
        let own: u64 = runs
            .iter()
            .map(|options| options.timeout_ms.unwrap_or(0).saturating_add(options.grace_ms))
            .fold(0, u64::saturating_add);
        let allowed = DEADLINE.saturating_add(Duration::from_millis(own));
        self.runs += count;
        // The timer is made inside: it belongs to the runtime that drives it.
        match self.host.drive(async { tokio::time::timeout(allowed, future).await }) {
            Ok(result) => result.map_err(Stop::Broken),
            Err(_) => {
                let summary = format!("`{name}` did not return within {allowed:?}");
                self.finding(
                    Finding::reliability("a run does not come back")
                        .severity(Severity::Critical)
                        .rule("conformance.hang")
                        .key(name)
                        .description(format!("{summary}. Its future was dropped then."))
                        .evidence("deadline", summary, json!({ "pipeline": name })),
                );
                Err(Stop::Filed)
            }
        }
    }

    /// A run whose process died has been filed by the audit; what follows would judge what is not there.
    fn died(&mut self, report: &RunReport) -> Result<(), Stop> {
        if report.end != RunEnd::Died {
            return Ok(());
        }
        self.audit(&PipelineSpec::new("the process died"), &RunOptions::new(), report);
        Err(Stop::Filed)
    }
}
