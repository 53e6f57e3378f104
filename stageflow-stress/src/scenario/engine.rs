//! The shapes as pipelines for an [`Engine`](crate::engine::Engine).

use super::Violated;
use crate::engine::{Behavior, Engine, PipelineSpec, RunOptions, RunReport, StageSpec, audit};
use crate::finding::Finding;
use crate::roadmap::Template;

/// A source, `n` branches that each emit their number, and a join that adds them up under `sum`.
#[must_use]
pub fn fan_out_pipeline(n: u64) -> PipelineSpec {
    let names: Vec<_> = (0..n).map(|number| format!("branch-{number}")).collect();
    let pipeline =
        PipelineSpec::new(format!("fan-out-{n}")).stage(StageSpec::new("source", Behavior::emit("start", 1)));
    let pipeline = names.iter().enumerate().fold(pipeline, |pipeline, (number, name)| {
        pipeline.stage(StageSpec::new(name, Behavior::emit("n", number as u64)).after(["source"]))
    });
    pipeline.stage(StageSpec::new("join", Behavior::sum("n")).after(names))
}

/// `n` stages in a row.
#[must_use]
pub fn chain_pipeline(n: u64) -> PipelineSpec {
    (0..n).fold(PipelineSpec::new(format!("chain-{n}")), |pipeline, number| {
        let stage = StageSpec::new(format!("step-{number}"), Behavior::emit("n", number));
        pipeline.stage(if number == 0 { stage } else { stage.after([format!("step-{}", number - 1)]) })
    })
}

/// Two branches between a source and a join that adds them up.
#[must_use]
pub fn diamond_pipeline() -> PipelineSpec {
    PipelineSpec::new("diamond")
        .stage(StageSpec::new("source", Behavior::emit("start", 1)))
        .stage(StageSpec::new("left", Behavior::emit("n", 1)).after(["source"]))
        .stage(StageSpec::new("right", Behavior::emit("n", 2)).after(["source"]))
        .stage(StageSpec::new("join", Behavior::sum("n")).after(["left", "right"]))
}

/// Runs a pipeline on an engine and audits the report by the invariants that hold for every pipeline on every engine.
///
/// # Errors
/// What the audit found; *unproven* if the run could not be observed.
pub async fn run_pipeline(
    engine: &impl Engine,
    pipeline: &PipelineSpec,
    options: &RunOptions,
) -> Result<RunReport, Violated> {
    let report = engine
        .run(pipeline, options)
        .await
        .map_err(|error| Violated::unproven(Template::Single, error.to_string()))?;
    let said = |finding: Finding| format!("{} ({})", finding.title, finding.rule);
    let mut problems: Vec<String> = audit(pipeline, options, &report).into_iter().map(said).collect();
    // A stage of which nothing is said breaks no rule about what is said.
    let silent = pipeline.stages.iter().filter(|stage| report.stage(&stage.name).is_none());
    problems.extend(silent.map(|stage| format!("the report says nothing of the stage `{}`", stage.name)));
    Violated::unless(Template::Single, problems, report)
}
