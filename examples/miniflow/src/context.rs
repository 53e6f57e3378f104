//! What a stage sees of its run.

use std::sync::Arc;

use serde_json::Value;

use crate::bag::lock;
use crate::defects::Defect;
use crate::graph::Graph;
use crate::run::{RunConfig, RunResult, Running};
use crate::snapshot::Snapshot;
use crate::stage::{Data, ErrorKind, StageError};
use crate::tools::Resources;

/// The view of one attempt of one stage on its run.
#[derive(Clone)]
pub struct StageContext {
    pub(crate) run: Arc<Running>,
    pub(crate) stage: usize,
    /// From 1.
    pub attempt: u32,
}

impl StageContext {
    /// The stage's name.
    #[must_use]
    pub fn stage(&self) -> &str {
        &self.run.graph.node(self.stage).def.name
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run.id
    }

    fn dependencies(&self) -> &[String] {
        &self.run.graph.node(self.stage).def.after
    }

    /// A copy of what a dependency returned.
    #[must_use]
    pub fn output(&self, stage: &str) -> Option<Data> {
        self.run.bag.get(stage)
    }

    /// The value of `key` of one dependency.
    #[must_use]
    pub fn get_from(&self, stage: &str, key: &str) -> Option<Value> {
        self.output(stage)?.remove(key)
    }

    /// The value of `key` of the first dependency, in the order of declaration, that has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.run.bag.look_up(self.dependencies(), key, self.run.defects)
    }

    /// Changes a copy of what a dependency returned, and hands it over.
    pub fn edit(&self, stage: &str, mut change: impl FnMut(&mut Data)) -> Option<Data> {
        if self.run.defects.on(Defect::OutputsAreShared) {
            return self.run.bag.change(stage, &mut change);
        }
        let mut data = self.output(stage)?;
        change(&mut data);
        Some(data)
    }

    /// What the caller of the run lets its stages reach.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.run.config.resources
    }

    /// The snapshot that the run was started with.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.run.snapshot).clone()
    }

    /// Has `callback` run at the end of the run, however that comes.
    pub fn on_cleanup(&self, callback: impl FnOnce() + Send + 'static) {
        self.run.cleanups.register(&self.run.id, Box::new(callback));
    }

    /// Calls a tool of the graph.
    ///
    /// # Errors
    /// There is no such tool, consent was not given, its deadline passed, or it failed.
    pub async fn call_tool(&self, name: &str) -> Result<(), StageError> {
        let run = &self.run;
        let Some(def) = run.graph.tool(name) else {
            return Err(StageError::new(ErrorKind::Permanent, format!("there is no tool `{name}`")));
        };
        if def.needs_approval && !run.defects.on(Defect::ApprovalIsNotAsked) {
            let answer = match &run.config.approver {
                Some(approver) => approver(name).await,
                None => None,
            };
            let granted = match answer {
                Some(answer) => answer || run.defects.on(Defect::DenialIsIgnored),
                None => run.defects.on(Defect::SilenceIsConsent),
            };
            if !granted {
                let why = if answer.is_none() { "was not approved in time" } else { "was denied" };
                return Err(StageError::new(ErrorKind::Denied, format!("the call of `{name}` {why}")));
            }
        }
        let called = match def.timeout {
            None => def.tool.call(&run.config.resources).await,
            Some(limit) if run.defects.on(Defect::ToolTimeoutDetaches) => {
                let tool = Arc::clone(&def.tool);
                let resources = run.config.resources.clone();
                let task = tokio::spawn(async move { tool.call(&resources).await });
                match tokio::time::timeout(limit, task).await {
                    Ok(Ok(called)) => called,
                    _ => Err("it took too long".to_owned()),
                }
            }
            Some(limit) => tokio::time::timeout(limit, def.tool.call(&run.config.resources))
                .await
                .unwrap_or_else(|_| Err("it took too long".to_owned())),
        };
        match called {
            Err(_) if run.defects.on(Defect::ToolErrorIsOk) => Ok(()),
            Err(error) => {
                Err(StageError::new(ErrorKind::Permanent, format!("the tool `{name}` failed: {error}")))
            }
            Ok(()) => {
                if def.undoable {
                    lock(&run.journal).push(def.clone());
                }
                Ok(())
            }
        }
    }

    /// Runs another graph within this stage: with the same snapshot, deadline and cancellation, and with a bag of its
    /// own.
    pub async fn run_child(&self, graph: &Graph) -> RunResult {
        let run = &self.run;
        let mut config = run.config.child();
        config.snapshot =
            if run.defects.on(Defect::ChildLosesSnapshot) { Snapshot::default() } else { self.snapshot() };
        let child = RunConfig { parent: Some(run.id.clone()), ..config };
        let mut result = if run.defects.on(Defect::ChildIsDetached) {
            let graph = graph.clone();
            match tokio::spawn(async move { graph.run(child).await }).await {
                Ok(result) => result,
                Err(_) => RunResult::lost(),
            }
        } else {
            graph.run(child).await
        };
        if run.defects.on(Defect::ChildWritesIntoParent) {
            for (stage, output) in &result.outputs {
                run.bag.insert(stage, output.clone(), run.defects);
            }
        }
        if run.defects.on(Defect::ChildFailureIsOk) {
            result.end = crate::run::End::Ok;
        }
        result
    }
}
