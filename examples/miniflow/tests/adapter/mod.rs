//! Miniflow behind the SDK's `Engine`: pipelines that are given as data become graphs of it.

mod parts;

use std::sync::Arc;
use std::time::Duration;

use miniflow::{
    BreakerPolicy, BuildError, CancelToken, Defects, End, EventQueue, Graph, GraphBuilder, GuardRetryPolicy,
    Resources, RetryPolicy, RunConfig, RunResult, Snapshot, StageContext, StageDef, StageFuture, Status,
    ToolDef,
};
use parts::{Hooks, Io, Recorder, ScriptedTool, contract, kind, logger, output};
use stageflow_stress::engine::{
    Capabilities, Driven, Engine, EngineError, Overlap, PipelineSpec, RunEnd, RunOptions, RunReport, Script,
    SinkReport, SinkSpec, StageReport, StageSpec, StageStatus,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Miniflow, with or without planted defects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Miniflow {
    pub defects: Defects,
}

impl Engine for Miniflow {
    fn name(&self) -> String {
        "miniflow".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn run(&self, pipeline: &PipelineSpec, options: &RunOptions) -> Result<RunReport, EngineError> {
        let mut reports = self.run_all(pipeline, std::slice::from_ref(options), Overlap::InTurn).await?;
        Ok(reports.remove(0))
    }

    async fn run_all(
        &self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> Result<Vec<RunReport>, EngineError> {
        let graph = match build(pipeline, self.defects, "") {
            Ok(graph) => graph,
            Err(error) => return Ok(runs.iter().map(|_| refused(pipeline, &error)).collect()),
        };
        let mut reports = Vec::new();
        if overlap == Overlap::InTurn {
            for options in runs {
                reports.push(run(graph.clone(), pipeline.clone(), options.clone(), self.defects).await);
            }
            return Ok(reports);
        }
        let mut tasks = JoinSet::new();
        for (at, options) in runs.iter().cloned().enumerate() {
            let running = run(graph.clone(), pipeline.clone(), options, self.defects);
            tasks.spawn(async move { (at, running.await) });
        }
        let mut ended = tasks.join_all().await;
        ended.sort_by_key(|(at, _)| *at);
        Ok(ended.into_iter().map(|(_, report)| report).collect())
    }
}

/// A graph whose stages play what the data says. `path` is the stage that a child runs in, with a slash behind it.
fn build(pipeline: &PipelineSpec, defects: Defects, path: &str) -> Result<Graph, BuildError> {
    let mut graph = GraphBuilder::new(&pipeline.name).defects(defects);
    for spec in &pipeline.stages {
        graph = graph.stage(stage(spec, defects, path));
    }
    for tool in &pipeline.tools {
        let def = ToolDef::new(&tool.name, ScriptedTool(tool.clone()))
            .needs_approval(tool.needs_approval)
            .undoable(tool.undo.is_some())
            .timeout(tool.timeout_ms.map(Duration::from_millis));
        graph = graph.tool(def);
    }
    for retry in &pipeline.guard_retries {
        graph = graph.guard_retry(GuardRetryPolicy {
            guard: retry.guard.clone(),
            retry_stage: retry.retry_stage.clone(),
            max_attempts: retry.max_attempts,
        });
    }
    graph.build()
}

fn stage(spec: &StageSpec, defects: Defects, path: &str) -> StageDef {
    let (played, path) = (spec.clone(), path.to_owned());
    let body = move |ctx: StageContext| -> StageFuture {
        let (spec, path) = (played.clone(), path.clone());
        Box::pin(async move {
            let script = ctx.resources().get::<Script>().expect("every run has a script").clone();
            let io = Io { path: format!("{path}{}/", spec.name), ctx, defects };
            let played = match path.strip_suffix('/') {
                None => script.play(&spec, &io).await,
                Some(parent) => script.play_child(parent, &spec, &io).await,
            };
            output(played)
        })
    };
    let mut def = StageDef::new(&spec.name, body).kind(kind(spec.kind)).contract(contract(&spec.returns));
    for dependency in &spec.after {
        def = def.after(dependency);
    }
    if let Some(when) = &spec.when {
        def = def.when(&when.stage, &when.key, when.equals.clone());
    }
    match spec.timeout_ms {
        Some(ms) => def.timeout(Duration::from_millis(ms)),
        None => def,
    }
}

/// One run, from its beginning to the end of its grace window.
async fn run(graph: Graph, pipeline: PipelineSpec, options: RunOptions, defects: Defects) -> RunReport {
    sleep(Duration::from_millis(options.start_after_ms)).await;
    let script = Script::new(&pipeline);
    let mut snapshot = Snapshot::new(options.data.clone());
    snapshot.input_text.clone_from(&options.input_text);
    if options.round_trip {
        snapshot = Snapshot::decode(&snapshot.encode(defects)).expect("what was written can be read");
    }
    // A sink that takes everything at once, unless the run asks for another.
    let sink = options.sink.clone().unwrap_or_else(|| SinkSpec::new(10_000, 0));
    let queue = EventQueue::start(Arc::new(Recorder::new(&script, &sink)), sink.capacity, defects);
    let events = Arc::new(queue);
    let cancel = CancelToken::new();
    let default = RetryPolicy::default();
    let config = RunConfig {
        snapshot,
        retry: RetryPolicy {
            max_attempts: options.max_attempts,
            first_wait: options.backoff_ms.map_or(default.first_wait, Duration::from_millis),
            longest_wait: options.max_backoff_ms.map_or(default.longest_wait, Duration::from_millis),
        },
        interceptors: options.interceptors.iter().map(|spec| Hooks::shared(&script, spec)).collect(),
        breaker: options.breaker.as_ref().map(|breaker| BreakerPolicy {
            failures: breaker.failures,
            reset: Duration::from_millis(breaker.reset_ms),
        }),
        events: Some(Arc::clone(&events)),
        logger: Some(logger(&script)),
        approver: Some(parts::approver(&options)),
        resources: Resources::new(script.clone()),
        cancel: cancel.clone(),
        idempotency_key: options.idempotency_key.clone(),
        undo_on_failure: options.undo_on_failure,
        parent: None,
    };

    let (end, result) = match script.drive(&options, graph.run(config), || cancel.cancel()).await {
        Driven::Done(result) => (end_of(&result), Some(result)),
        Driven::TimedOut => (RunEnd::Timeout, None),
        Driven::Abandoned => (RunEnd::Cancelled, None),
    };
    let outcome = script.clone();
    for (stage, output) in result.iter().flat_map(|result| &result.outputs) {
        if pipeline.get(stage).is_some() {
            script.reported(stage, status(output.status), Some(output.data.clone()), output.error.clone());
        }
    }
    let error = result.as_ref().and_then(|result| result.error.clone());
    // The queue is closed as soon as the run is over; what comes later is not told, and effects after it are late.
    let (delivery, mut report) = tokio::join!(events.close(), outcome.report(&options, end, error));
    report.events = script.events();
    report.sink = options
        .sink
        .is_some()
        .then(|| SinkReport::new(delivery.emitted, delivery.delivered, delivery.dropped, delivery.failed));
    report.run_id = result.as_ref().map(|result| result.run_id.clone());
    report.snapshot = result.map(|result| result.snapshot.data().clone().into());
    report.retained = Some(graph.active_runs() as u64);
    report
}

fn end_of(result: &RunResult) -> RunEnd {
    match result.end {
        End::Ok => RunEnd::Ok,
        End::Failed => RunEnd::Error,
        End::Cancelled => RunEnd::Cancelled,
    }
}

fn status(status: Status) -> StageStatus {
    match status {
        Status::Ok => StageStatus::Ok,
        Status::Skip => StageStatus::Skip,
        Status::Cancel => StageStatus::Cancel,
        Status::Fail => StageStatus::Fail,
        Status::Retry => StageStatus::Retry,
    }
}

/// The report of a run that never began.
fn refused(pipeline: &PipelineSpec, error: &BuildError) -> RunReport {
    let mut report = RunReport::new(RunEnd::Error);
    report.stages = pipeline.stages.iter().map(|stage| StageReport::new(&stage.name)).collect();
    report.error = Some(error.to_string());
    report.error_type = Some("BuildError".to_owned());
    report
}
