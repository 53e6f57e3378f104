//! One run of a graph: what it is given, what it returns, and its end, however that comes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::bag::{Bag, lock};
use crate::cancel::CancelToken;
use crate::cleanup::Cleanups;
use crate::coordinator::Coordinator;
use crate::defects::{Defect, Defects};
use crate::events::{Event, EventQueue, LogLine, Logger};
use crate::graph::Graph;
use crate::idempotency::Claim;
use crate::interceptor::{BreakerPolicy, Interceptor};
use crate::retry::RetryPolicy;
use crate::snapshot::Snapshot;
use crate::stage::Output;
use crate::tools::{Approver, Resources, ToolDef};

/// What a run is given.
#[derive(Clone, Default)]
pub struct RunConfig {
    /// What it is asked.
    pub snapshot: Snapshot,
    /// How often stages are run again.
    pub retry: RetryPolicy,
    /// Around every attempt of every stage, outermost first.
    pub interceptors: Vec<Arc<dyn Interceptor>>,
    /// When stages are refused.
    pub breaker: Option<BreakerPolicy>,
    /// Where events go.
    pub events: Option<Arc<EventQueue>>,
    /// Where the log goes.
    pub logger: Option<Logger>,
    /// Who consents to calls of tools; nobody consents unless told.
    pub approver: Option<Approver>,
    /// What its stages and tools can reach.
    pub resources: Resources,
    /// Cancels the run from outside.
    pub cancel: CancelToken,
    /// A request that is repeated under its key has its effects once. Another snapshot under the same key is refused.
    pub idempotency_key: Option<String>,
    /// Whether tool calls are undone if the run does not succeed.
    pub undo_on_failure: bool,
    /// The run that this one is a part of.
    pub parent: Option<String>,
}

impl RunConfig {
    /// The same surroundings for a run within this one.
    pub(crate) fn child(&self) -> Self {
        RunConfig { idempotency_key: None, ..self.clone() }
    }
}

impl fmt::Debug for RunConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunConfig").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every stage ended well.
    Ok,
    /// A stage failed.
    Failed,
    /// It was cancelled, by a stage or from outside.
    Cancelled,
}

/// What a run returns.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Its id.
    pub run_id: String,
    /// How it ended.
    pub end: End,
    /// Why it did not succeed, and what could not be undone.
    pub error: Option<String>,
    /// What stages returned, those of a run that did not succeed included.
    pub outputs: BTreeMap<String, Output>,
    /// What it was asked.
    pub snapshot: Snapshot,
    /// Whether it comes from the idempotency store.
    pub replayed: bool,
}

impl RunResult {
    /// Whether every stage ended well.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.end == End::Ok
    }

    pub(crate) fn without_stages(end: End, error: &str) -> Self {
        RunResult {
            run_id: String::new(),
            end,
            error: Some(error.to_owned()),
            outputs: BTreeMap::new(),
            snapshot: Snapshot::default(),
            replayed: false,
        }
    }

    pub(crate) fn lost() -> Self {
        Self::without_stages(End::Failed, "the run was lost")
    }
}

/// A run in progress, as its stages and its coordinator share it.
pub(crate) struct Running {
    pub(crate) id: String,
    pub(crate) graph: Graph,
    pub(crate) config: RunConfig,
    pub(crate) defects: Defects,
    pub(crate) snapshot: Mutex<Snapshot>,
    pub(crate) bag: Arc<Bag>,
    pub(crate) cleanups: Arc<Cleanups>,
    /// Tool calls that can be undone, oldest first.
    pub(crate) journal: Mutex<Vec<ToolDef>>,
    /// Stages that have started and not ended.
    pub(crate) open: Mutex<BTreeSet<usize>>,
}

impl Running {
    fn new(graph: &Graph, config: RunConfig) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = format!("run-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let defects = graph.inner.defects;
        let planted = &graph.inner.planted;
        lock(&planted.current_run).clone_from(&id);
        let shared_bag = defects.on(Defect::BagIsShared);
        let shared_cleanups = defects.on(Defect::CleanupsAreShared);
        Running {
            id,
            graph: graph.clone(),
            snapshot: Mutex::new(config.snapshot.clone()),
            config,
            defects,
            bag: if shared_bag { Arc::clone(&planted.bag) } else { Arc::default() },
            cleanups: if shared_cleanups { Arc::clone(&planted.cleanups) } else { Arc::default() },
            journal: Mutex::default(),
            open: Mutex::default(),
        }
    }

    fn told_id(&self) -> String {
        if self.defects.on(Defect::RunIdOfTheLatestRun) {
            return lock(&self.graph.inner.planted.current_run).clone();
        }
        self.id.clone()
    }

    pub(crate) fn event(&self, name: &str, stage: Option<&str>, error: Option<&str>) {
        let Some(queue) = &self.config.events else { return };
        let mut data = json!({ "run_id": self.told_id(), "pipeline": self.graph.name() });
        for (key, value) in [("stage", stage), ("error", error), ("parent", self.config.parent.as_deref())] {
            if let Some(value) = value {
                data[key] = json!(value);
            }
        }
        queue.emit(Event { name: name.to_owned(), data });
    }

    pub(crate) fn log(&self, level: &'static str, message: &str, stage: Option<&str>) {
        let Some(logger) = &self.config.logger else { return };
        let run_id = (!self.defects.on(Defect::LogsWithoutRunId)).then(|| self.told_id());
        logger(LogLine { level, message: message.to_owned(), run_id, stage: stage.map(str::to_owned) });
    }

    /// Ends what is still open, and cleans up. Done once, at the end or when the run's future is dropped.
    fn close(&self, how: Closing) {
        for stage in std::mem::take(&mut *lock(&self.open)) {
            let name = self.graph.node(stage).def.name.as_str();
            if !self.defects.on(Defect::StoppedStagesAreNotTold) {
                self.event("stage.cancelled", Some(name), None);
            }
            self.log("WARN", &format!("stage {name} was stopped"), Some(name));
        }
        let forgotten = match how {
            Closing::Ended(End::Failed) => Defect::NoCleanupAfterFailure,
            Closing::Ended(End::Cancelled) => Defect::NoCleanupAfterCancel,
            Closing::Abandoned => Defect::NoCleanupWhenAbandoned,
            Closing::Ended(End::Ok) => Defect::NoCleanupAfterSuccess,
        };
        if self.defects.on(forgotten) {
            self.cleanups.clear();
        } else {
            self.cleanups.run(&self.id, self.defects);
        }
        if !self.defects.on(Defect::FinishedRunsAreKept) {
            lock(&self.graph.inner.active).retain(|id| *id != self.id);
        }
    }

    /// Undoes the tool calls, newest first, each once. One that fails does not keep the others.
    async fn undo(&self) -> Vec<String> {
        let defects = self.defects;
        let mut calls = std::mem::take(&mut *lock(&self.journal));
        if defects.on(Defect::UndoForgetsOldest) && calls.len() > 1 {
            calls.remove(0);
        }
        if !defects.on(Defect::UndoInOrderOfCalls) {
            calls.reverse();
        }
        let mut errors = Vec::new();
        for call in calls {
            let times = if defects.on(Defect::UndoTwice) { 2 } else { 1 };
            for _ in 0..times {
                if let Err(error) = call.tool.undo(&self.config.resources).await {
                    errors.push(format!("`{}` could not be undone: {error}", call.name));
                }
            }
            if !errors.is_empty() && defects.on(Defect::UndoStopsAtError) {
                break;
            }
        }
        errors
    }
}

#[derive(Clone, Copy)]
enum Closing {
    Ended(End),
    Abandoned,
}

/// Closes a run whose future is dropped.
struct Abandoned<'a>(Option<&'a Running>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(run) = self.0 {
            run.event("pipeline.cancelled", None, Some("nobody waits for the run any more"));
            run.close(Closing::Abandoned);
        }
    }
}

impl Graph {
    /// Runs the graph. Dropping the future stops the run: its stages are aborted, its clean-ups are run.
    pub async fn run(&self, config: RunConfig) -> RunResult {
        let defects = self.inner.defects;
        let Some(key) = config
            .idempotency_key
            .clone()
            .filter(|_| !defects.on(Defect::StoreOfEachRun) && !defects.on(Defect::KeyHoldsOneStage))
        else {
            return self.execute(config).await;
        };
        let cancel = config.cancel.clone();
        let claim = tokio::select! {
            claim = self.inner.store.claim(&key, &config.snapshot, defects) => claim,
            () = cancel.cancelled() => {
                return RunResult::without_stages(End::Cancelled, "cancelled while another run had its key");
            }
        };
        match claim {
            Claim::Replay(result) => RunResult { replayed: true, ..result },
            Claim::Refused => {
                RunResult::without_stages(End::Failed, &format!("the key `{key}` belongs to another request"))
            }
            Claim::Work(reservation) => {
                let result = self.execute(config).await;
                reservation.finish(&result);
                result
            }
        }
    }

    async fn execute(&self, config: RunConfig) -> RunResult {
        let run = Arc::new(Running::new(self, config));
        let defects = run.defects;
        lock(&self.inner.active).push(run.id.clone());
        let mut abandoned = Abandoned(Some(&run));
        run.event("pipeline.started", None, None);
        run.log("INFO", "run started", None);

        let (end, mut error) = Coordinator::new(Arc::clone(&run)).drive().await;
        if run.config.undo_on_failure && (end != End::Ok || defects.on(Defect::UndoAfterSuccess)) {
            let errors = run.undo().await;
            if !errors.is_empty() && !defects.on(Defect::UndoErrorsAreLost) {
                let failed = errors.join("; ");
                error = Some(error.map_or_else(|| failed.clone(), |error| format!("{error}; {failed}")));
            }
        }
        abandoned.0 = None;
        run.close(Closing::Ended(end));
        let (name, level) = match end {
            End::Ok => ("pipeline.completed", "INFO"),
            End::Failed => ("pipeline.failed", "ERROR"),
            End::Cancelled => ("pipeline.cancelled", "WARN"),
        };
        run.event(name, None, error.as_deref());
        run.log(level, &format!("run ended: {}", error.as_deref().unwrap_or("ok")), None);
        let snapshot = lock(&run.snapshot).clone();
        RunResult { run_id: run.id.clone(), end, error, outputs: run.bag.all(), snapshot, replayed: false }
    }
}
