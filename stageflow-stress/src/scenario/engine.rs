//! The shapes as pipelines for an [`Engine`](crate::engine::Engine).

use super::Violated;
use crate::engine::{
    Behavior, Engine, EngineError, PipelineSpec, RunOptions, RunReport, StageSpec, audit, compare,
};
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

/// What a differential run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compared {
    /// Pipelines that both sides ran, alike.
    pub alike: u64,
    /// Pipelines that one of them does not support, and what that is.
    pub not_comparable: Vec<String>,
}

/// Runs the same pipelines on two sides and compares: two engines, two versions of one, or one under two configurations. They must end alike,
/// with the same statuses and the same data of every stage; the types of errors are each engine's own. What one of the two does not
/// support is not compared, and told.
///
/// ```no_run
/// # use stageflow_stress::engine::*;
/// # use stageflow_stress::scenario::*;
/// # async fn body(old: impl Engine, new: impl Engine) -> Result<(), Violated> {
/// let pipelines = [diamond_pipeline(), chain_pipeline(20), fan_out_pipeline(50)];
/// let compared = differential(&pipelines, (&old, &RunOptions::new()), (&new, &RunOptions::new())).await?;
/// assert!(compared.not_comparable.is_empty());
/// // One engine, with and without room for retries that nothing needs.
/// differential(&pipelines, (&new, &RunOptions::new()), (&new, &RunOptions::new().max_attempts(5))).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// Each pipeline on which they differ, with the first difference; *unproven* if none could be compared, or a side broke down.
pub async fn differential(
    pipelines: &[PipelineSpec],
    (one, one_options): (&impl Engine, &RunOptions),
    (other, other_options): (&impl Engine, &RunOptions),
) -> Result<Compared, Violated> {
    let template = Template::TwoVersions;
    let mut compared = Compared { alike: 0, not_comparable: Vec::new() };
    let mut problems = Vec::new();
    for pipeline in pipelines {
        let first = one.run(pipeline, one_options).await;
        let second = other.run(pipeline, other_options).await;
        match (first, second) {
            (Ok(mut first), Ok(mut second)) => {
                (first.error_type, second.error_type) = (None, None);
                let found = compare("side", &first, &second);
                compared.alike += u64::from(found.is_empty());
                problems.extend(found.into_iter().map(|finding| {
                    let what =
                        finding.evidence.first().map_or(finding.title, |evidence| evidence.summary.clone());
                    format!("`{}` on {} and {}: {what}", pipeline.name, one.name(), other.name())
                }));
            }
            (Err(EngineError::Unsupported { engine, what }), _)
            | (_, Err(EngineError::Unsupported { engine, what })) => {
                compared
                    .not_comparable
                    .push(format!("`{}`: {engine} does not support {what}", pipeline.name));
            }
            (Err(error), _) | (_, Err(error)) => return Err(Violated::unproven(template, error.to_string())),
        }
    }
    if problems.is_empty() && compared.alike == 0 {
        let why = format!("no pipeline could be compared: {}", compared.not_comparable.join("; "));
        return Err(Violated::unproven(template, why));
    }
    Violated::unless(template, problems, compared)
}
