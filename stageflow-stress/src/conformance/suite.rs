//! The suite in one go, and its report.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::bench::{Bench, Host, Stop};
use super::engine::AnyEngine;
use super::{CASES, Case};
use crate::classify::Severity;
use crate::engine::{Capability, Engine, EngineError};
use crate::finding::Finding;

/// Runs the cases against an engine, outside of any test.
///
/// ```
/// use stageflow_stress::conformance::Suite;
/// use stageflow_stress::engine::*;
///
/// /// Takes every pipeline, runs none of its stages, and says that all is well.
/// struct Liar;
///
/// impl Engine for Liar {
///     fn name(&self) -> String { "liar 1.0".to_owned() }
///     async fn run(&self, _: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
///         Ok(RunReport::new(RunEnd::Ok))
///     }
/// }
///
/// let report = Suite::new().paused_clock().run(&Liar);
/// assert!(report.found() > 0);
/// // What it does not declare is not applicable, and no pass.
/// assert!(report.not_applicable() > 0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Suite {
    paused: bool,
    only: Vec<String>,
    without: Vec<String>,
}

impl Suite {
    /// All cases, on the real clock and two threads.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One thread and a paused clock that jumps to the next timer whenever everything waits: fast, and the same every
    /// time. For engines that take their time from tokio; what needs threads cannot be found in this way.
    #[must_use]
    pub fn paused_clock(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Only cases whose name contains one of the given texts.
    #[must_use]
    pub fn only<I: IntoIterator<Item = S>, S: Into<String>>(mut self, names: I) -> Self {
        self.only = names.into_iter().map(Into::into).collect();
        self
    }

    /// No cases whose name contains one of the given texts.
    #[must_use]
    pub fn without<I: IntoIterator<Item = S>, S: Into<String>>(mut self, names: I) -> Self {
        self.without = names.into_iter().map(Into::into).collect();
        self
    }

    /// Runs them.
    ///
    /// # Panics
    /// If called from within an asynchronous runtime, or if a runtime cannot be made.
    #[must_use]
    pub fn run(&self, engine: &impl Engine) -> Report {
        let engine: &dyn AnyEngine = engine;
        let named =
            |names: &[String], case: &Case| names.iter().any(|name| case.name.contains(name.as_str()));
        let cases =
            CASES.iter().copied().flatten().filter(|case| {
                (self.only.is_empty() || named(&self.only, case)) && !named(&self.without, case)
            });
        Report {
            engine: engine.name(),
            // A runtime for each case: what one leaves behind is not there in the next.
            cases: cases.map(|case| judge(case, engine, Host::Own(&self.runtime())).0).collect(),
        }
    }

    #[expect(clippy::expect_used, reason = "documented; nothing can be run without a runtime")]
    fn runtime(&self) -> Runtime {
        let mut builder = if self.paused {
            let mut builder = Builder::new_current_thread();
            builder.start_paused(true);
            builder
        } else {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        };
        builder.enable_time().build().expect("failed to make a runtime for the suite")
    }
}

/// Runs one case. The bench holds what was found and checked.
pub(super) fn judge<'a>(
    case: &'static Case,
    engine: &'a dyn AnyEngine,
    host: Host<'a>,
) -> (CaseReport, Bench<'a>) {
    let missing = engine.capabilities().missing(case.needs);
    let mut bench = Bench::new(case, engine, host);
    let began = Instant::now();
    let result = if missing.is_empty() {
        // An adapter that panics is a case that could not be observed, and no end of the suite.
        match catch_unwind(AssertUnwindSafe(|| (case.body)(&mut bench))) {
            Ok(Ok(()) | Err(Stop::Filed)) => verdict(&bench),
            Ok(Err(Stop::Broken(EngineError::Unsupported { what, .. }))) => {
                bench.finding(refused(case, &what));
                verdict(&bench)
            }
            Ok(Err(Stop::Broken(error @ EngineError::Missing { .. }))) => {
                CaseResult::NotThere(error.to_string())
            }
            Ok(Err(Stop::Broken(error))) => CaseResult::Broken(error.to_string()),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
                CaseResult::Broken(format!("a panic: {text}"))
            }
        }
    } else {
        CaseResult::NotApplicable(missing)
    };
    (CaseReport { case, result, runs: bench.runs, checks: bench.checks.len(), took: began.elapsed() }, bench)
}

fn verdict(bench: &Bench<'_>) -> CaseResult {
    let failed = bench.checks.iter().filter(|check| !check.passed).map(|check| {
        Finding::bug(format!("does not hold: {}", check.name))
            .severity(Severity::High)
            .rule(format!("conformance.{}", bench.case.name))
            .key(&check.name)
            .description(&check.detail)
            .evidence("conformance", &check.detail, json!({ "about": bench.case.about }))
    });
    let findings: Vec<Finding> = bench.findings.iter().cloned().chain(failed).collect();
    match (findings.is_empty(), bench.runs) {
        (false, _) => CaseResult::Found(findings),
        (true, 0) => CaseResult::Broken("the case ran nothing".to_owned()),
        (true, _) => CaseResult::Passed,
    }
}

/// What an engine declares and then refuses.
pub(super) fn refused(case: &Case, what: &str) -> Finding {
    let declared: Vec<&str> = case.needs.iter().copied().map(Capability::as_str).collect();
    let summary = format!("it declares {declared:?} and does not support {what}");
    Finding::bug("the engine refuses what it declares")
        .severity(Severity::High)
        .rule("conformance.refused")
        .key(what)
        .description(format!("{summary}."))
        .evidence("capabilities", summary, json!({ "declared": declared, "refused": what }))
}

/// What became of one case.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaseReport {
    /// The case.
    pub case: &'static Case,
    /// Its result.
    pub result: CaseResult,
    /// How many runs of pipelines it made.
    pub runs: usize,
    /// How many checks it made, the audits of its runs aside.
    pub checks: usize,
    /// How long it took on the wall clock.
    pub took: Duration,
}

/// The result of a case.
#[derive(Debug)]
#[non_exhaustive]
pub enum CaseResult {
    /// Everything held.
    Passed,
    /// Something did not hold.
    Found(Vec<Finding>),
    /// The engine does not declare these facilities.
    NotApplicable(Vec<Capability>),
    /// The engine is not there.
    NotThere(String),
    /// The engine could not be observed.
    Broken(String),
}

/// What became of all cases. Printed with `{}`, it lists what is no pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Name of the engine.
    pub engine: String,
    /// Each case, in the order of the suite.
    pub cases: Vec<CaseReport>,
}

impl Report {
    fn count(&self, is: fn(&CaseResult) -> bool) -> usize {
        self.cases.iter().filter(|case| is(&case.result)).count()
    }

    /// Cases in which everything held.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::Passed))
    }

    /// Cases in which something was found.
    #[must_use]
    pub fn found(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::Found(_)))
    }

    /// Cases that do not apply.
    #[must_use]
    pub fn not_applicable(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::NotApplicable(_)))
    }

    /// Cases whose engine was not there.
    #[must_use]
    pub fn not_there(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::NotThere(_)))
    }

    /// Cases that could not be observed.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::Broken(_)))
    }

    /// Runs of pipelines, over all cases.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.cases.iter().map(|case| case.runs).sum()
    }

    /// Every finding, with the case that made it.
    pub fn findings(&self) -> impl Iterator<Item = (&'static Case, &Finding)> {
        self.cases.iter().flat_map(|case| {
            let findings: &[Finding] = match &case.result {
                CaseResult::Found(findings) => findings,
                _ => &[],
            };
            findings.iter().map(|finding| (case.case, finding))
        })
    }

    /// Whether every case that applies passed. An engine without facilities has few.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found() + self.broken() + self.not_there() == 0 && self.passed() > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} of {} cases passed, {} found something, {} could not be observed, {} are not applicable, {} had no \
             engine; {} runs",
            self.engine,
            self.passed(),
            self.cases.len(),
            self.found(),
            self.broken(),
            self.not_applicable(),
            self.not_there(),
            self.runs(),
        )?;
        for CaseReport { case, result, .. } in &self.cases {
            match result {
                CaseResult::Passed => {}
                CaseResult::Found(findings) => {
                    writeln!(f, "  {} {}:", case.entry, case.name)?;
                    for finding in findings {
                        writeln!(f, "    {} {}: {}", finding.severity, finding.rule, finding.title)?;
                    }
                }
                CaseResult::NotApplicable(missing) => {
                    let missing: Vec<&str> = missing.iter().copied().map(Capability::as_str).collect();
                    writeln!(
                        f,
                        "  {} {}: not applicable without {}",
                        case.entry,
                        case.name,
                        missing.join(", ")
                    )?;
                }
                CaseResult::NotThere(why) | CaseResult::Broken(why) => {
                    writeln!(f, "  {} {}: {why}", case.entry, case.name)?;
                }
            }
        }
        Ok(())
    }
}
