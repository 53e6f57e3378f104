//! Stress tests of stageflow-core. The scenarios are pipelines as data; what is right and wrong is decided by
//! [`audit`](stageflow_stress::engine::audit), which knows no defect of any engine. Each file holds scenarios in which
//! something is found, and controls in which the same audit finds nothing.

mod breaker;
mod cancellation;
mod depth;
mod fan_out;
mod idempotency;
mod immutability;
mod loop_errors;
mod nondeterminism;
mod own_pipeline;
mod retry;
mod suite;
mod telemetry;

use stageflow_stress::engine::{PipelineSpec, RunOptions, RunReport, audit};
use stageflow_stress::prelude::*;
use stageflow_stress::worker::Worker;

/// Starts the published Stageflow for one test. What is held in its process (stores, breakers) ends with the test.
///
/// Where it is not installed the test is skipped, with the command that installs it; where `STAGEFLOW_TESTS_REQUIRE` names
/// `python`, as in continuous integration, it fails.
async fn stageflow(cx: &TestContext) -> Outcome<Worker> {
    match Worker::python().version("1.2.0").output(cx.handle()).start().await {
        Ok(worker) => {
            cx.fact(Fact::StageflowVersion, &worker.about());
            Ok(worker)
        }
        Err(error) if error.is_missing_target() && !required() => Err(Failure::skip(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn required() -> bool {
    std::env::var("STAGEFLOW_TESTS_REQUIRE").is_ok_and(|names| names.split(',').any(|name| name == "python"))
}

/// Runs a pipeline and files what the audit finds.
async fn audited(
    cx: &TestContext,
    worker: &Worker,
    pipeline: &PipelineSpec,
    options: &RunOptions,
) -> Outcome<RunReport> {
    let report = worker.run(pipeline, options).await?;
    for finding in audit(pipeline, options, &report) {
        cx.finding(finding.component("stageflow-core"));
    }
    Ok(report)
}

/// Runs a pipeline in which the audit must find nothing: it proves that the audit is not red whatever happens.
async fn control(
    cx: &TestContext,
    worker: &Worker,
    pipeline: &PipelineSpec,
    options: &RunOptions,
) -> Outcome<RunReport> {
    let report = worker.run(pipeline, options).await?;
    let found: Vec<String> = audit(pipeline, options, &report)
        .into_iter()
        .map(|finding| format!("{}: {}", finding.rule, finding.title))
        .collect();
    cx.check_eq(&format!("the audit finds nothing in {}", pipeline.name), found, Vec::<String>::new());
    Ok(report)
}
