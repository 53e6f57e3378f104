//! Errors of tasks that nobody awaits: whose run they are told of, and what becomes of those that come too late.

use stageflow_stress::engine::{RunEnd, RunOptions};
use stageflow_stress::prelude::*;
use stageflow_stress::worker::Worker;

use super::stageflow;

async fn with_pipelines(cx: &TestContext) -> Outcome<Worker> {
    let worker = stageflow(cx).await?;
    for name in ["forgetting", "keeping", "waiting", "letting_go"] {
        worker.load("pipelines.forgetful", name, name).await?;
    }
    Ok(worker)
}

/// An error of the event loop goes to the run whose task it was, and not to another that is there at the time.
#[roadmap_test("OBS-008", category = Observability, pipeline = Recovery, oracle = Trace, expect_errors("was never retrieved"))]
async fn an_error_goes_to_the_run_whose_task_it_was(cx: &TestContext) -> Outcome {
    let worker = with_pipelines(cx).await?;
    let options = RunOptions::new();
    let other = {
        let (worker, options) = (worker.clone(), options.clone());
        cx.spawn(async move { worker.run_loaded("waiting", &options).await })
    };
    let own = worker.run_loaded("forgetting", &options).await?;
    let other = other.await.map_err(|error| Failure::new(error.to_string()))??;
    cx.check_eq("its own run has it", own.loop_errors.len(), 1);
    cx.check("with its cause", own.loop_errors.iter().any(|error| error.contains("nobody awaits this")));
    cx.check_eq("a run beside it has none", other.loop_errors, Vec::<String>::new());
    cx.check_eq("the run beside it is ok", other.end, RunEnd::Ok);
    cx.check_eq("none was too late", worker.late_errors(), 0);
    Ok(())
}

/// An error that comes when the report of its run has been made is counted, and not given to the run that is there at the time.
#[roadmap_test(
    "OBS-008",
    category = Observability,
    pipeline = Recovery,
    oracle = Trace,
    expect_errors("was never retrieved")
)]
async fn an_error_that_comes_too_late_is_counted(cx: &TestContext) -> Outcome {
    let worker = with_pipelines(cx).await?;
    let options = RunOptions::new();
    let own = worker.run_loaded("keeping", &options).await?;
    cx.check_eq("nobody has told of it yet", own.loop_errors, Vec::<String>::new());
    let later = worker.run_loaded("letting_go", &options).await?;
    cx.check_eq("a later run does not have it", later.loop_errors, Vec::<String>::new());
    cx.check_eq("it is counted", worker.late_errors(), 1);
    Ok(())
}
