//! Who starts the stages of a run when their turn has come, and ends the run.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use crate::attempt::run_stage;
use crate::bag::lock;
use crate::defects::Defect;
use crate::run::{End, Running};
use crate::stage::{Condition, Data, ErrorKind, Kind, Output, StageError, Status};

type Ended = Result<Output, StageError>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Started,
    Done,
}

/// What the end of a stage means for its run.
enum Next {
    GoOn,
    Stop(End, Option<String>),
}

pub(crate) struct Coordinator {
    run: Arc<Running>,
    states: Vec<State>,
    /// For each stage, how many of its dependencies have not ended.
    waiting: Vec<usize>,
    tasks: JoinSet<Ended>,
    stages: HashMap<Id, usize>,
    /// How often each guard with a retry was asked.
    asked: HashMap<usize, u32>,
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // The set aborts its tasks when it is dropped.
        if self.run.defects.on(Defect::AbandonedStagesGoOn) {
            self.tasks.detach_all();
        }
    }
}

impl Coordinator {
    pub(crate) fn new(run: Arc<Running>) -> Self {
        let nodes = &run.graph.inner.nodes;
        let wraps = run.defects.on(Defect::DependencyCountWraps);
        let waiting = nodes
            .iter()
            .map(|node| {
                let count = node.dependencies.len();
                if wraps { usize::from(count as u8) } else { count }
            })
            .collect();
        Coordinator {
            states: vec![State::Waiting; nodes.len()],
            waiting,
            tasks: JoinSet::new(),
            stages: HashMap::new(),
            asked: HashMap::new(),
            run,
        }
    }

    /// Runs the stages to the end of the run. None of them is running any more when it returns.
    pub(crate) async fn drive(mut self) -> (End, Option<String>) {
        let defects = self.run.defects;
        let (end, error) = self.until_the_end().await;
        let left_alone = end == End::Failed && defects.on(Defect::FailedRunLeavesSiblings);
        if left_alone {
            self.tasks.detach_all();
        } else {
            self.tasks.shutdown().await;
        }
        if end == End::Cancelled && defects.on(Defect::CancelledRunIsOk) {
            return (End::Ok, None);
        }
        let error = error
            .map(|text| if defects.on(Defect::ErrorTextIsLost) { "stage failed".to_owned() } else { text });
        (end, error)
    }

    async fn until_the_end(&mut self) -> (End, Option<String>) {
        let defects = self.run.defects;
        let cancel = self.run.config.cancel.clone();
        let ready = (0..self.waiting.len()).filter(|at| self.waiting[*at] == 0).collect();
        if let Next::Stop(end, error) = self.start(ready).await {
            return (end, error);
        }
        loop {
            let deaf = defects.on(Defect::CancelIsIgnored) || defects.on(Defect::CancelWaitsForStages);
            let joined = tokio::select! {
                biased;
                () = cancel.cancelled(), if !deaf => {
                    return (End::Cancelled, Some("cancelled from outside".to_owned()));
                }
                joined = self.tasks.join_next_with_id() => joined,
            };
            if defects.on(Defect::CancelWaitsForStages) && cancel.is_cancelled() {
                while self.tasks.join_next().await.is_some() {}
                return (End::Cancelled, Some("cancelled from outside".to_owned()));
            }
            let Some(joined) = joined else { break };
            let (id, ended) = match joined {
                Ok((id, ended)) => (id, ended),
                Err(lost) => (lost.id(), Err(lost_task(&lost))),
            };
            let Some(at) = self.stages.remove(&id) else { continue };
            if let Next::Stop(end, error) = self.ended(at, ended).await {
                return (end, error);
            }
        }
        let stuck = self.states.iter().filter(|state| **state != State::Done).count();
        if stuck > 0 && !defects.on(Defect::CyclesAccepted) && !defects.on(Defect::SkipBlocksDependents) {
            return (End::Failed, Some(format!("{stuck} stages wait for something that does not come")));
        }
        (End::Ok, None)
    }

    /// Starts stages whose dependencies have ended; those whose condition does not hold are skipped, which may make
    /// others ready.
    async fn start(&mut self, mut ready: Vec<usize>) -> Next {
        while let Some(at) = ready.pop() {
            if self.states[at] != State::Waiting {
                continue;
            }
            let def = &self.run.graph.node(at).def;
            let name = def.name.clone();
            if let Some(condition) = &def.condition
                && !self.holds(condition)
            {
                let reason = format!("`{}` of `{}` is something else", condition.key, condition.stage);
                self.states[at] = State::Done;
                if !self.run.defects.on(Defect::SkipsAreNotTold) {
                    self.run.event("stage.skipped", Some(&name), Some(&reason));
                }
                let output = Output::ended(Status::Skip, reason);
                self.run.bag.insert(&name, output, self.run.defects);
                ready.extend(self.release(at, true));
                continue;
            }
            self.states[at] = State::Started;
            lock(&self.run.open).insert(at);
            self.run.event("stage.started", Some(&name), None);
            self.run.log("INFO", &format!("stage {name} started"), Some(&name));
            let task = self.tasks.spawn(run_stage(Arc::clone(&self.run), at));
            self.stages.insert(task.id(), at);
        }
        Next::GoOn
    }

    fn holds(&self, condition: &Condition) -> bool {
        let defects = self.run.defects;
        let found = self.run.bag.get(&condition.stage).and_then(|mut data| data.remove(&condition.key));
        match found {
            None => defects.on(Defect::MissingConditionHolds),
            Some(value) if defects.on(Defect::ConditionsCompareText) => {
                let text = |value: &serde_json::Value| value.to_string().trim_matches('"').to_lowercase();
                text(&value) == text(&condition.equals)
            }
            Some(value) => value == condition.equals,
        }
    }

    /// The stages that have nothing left to wait for once `at` has ended.
    fn release(&mut self, at: usize, skipped: bool) -> Vec<usize> {
        if skipped && self.run.defects.on(Defect::SkipBlocksDependents) {
            return Vec::new();
        }
        let mut ready = Vec::new();
        for dependent in &self.run.graph.node(at).dependents {
            let waiting = &mut self.waiting[*dependent];
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 && self.states[*dependent] == State::Waiting {
                ready.push(*dependent);
            }
        }
        ready
    }

    async fn ended(&mut self, at: usize, ended: Ended) -> Next {
        let run = Arc::clone(&self.run);
        let defects = run.defects;
        let def = &run.graph.node(at).def;
        let name = def.name.as_str();
        lock(&run.open).remove(&at);
        let (output, failure) = match ended {
            Ok(output) => {
                let failure = match output.status {
                    Status::Ok | Status::Skip | Status::Cancel => None,
                    Status::Retry if defects.on(Defect::RetryTakenForOk) => None,
                    Status::Retry => Some("asked to be run again too often".to_owned()),
                    Status::Fail => Some("failed".to_owned()),
                };
                let why = failure.map(|what| match &output.error {
                    Some(error) => format!("stage {name} {what}: {error}"),
                    None => format!("stage {name} {what}"),
                });
                (output, why)
            }
            Err(error) => {
                let why = format!("stage {name}: {error}");
                (Output::ended(Status::Fail, error.message), Some(why))
            }
        };
        let Some(why) = failure else { return self.succeeded(at, output).await };

        if let Some(next) = self.sent_back(at).await {
            return next;
        }
        if def.kind == Kind::Enrich && defects.on(Defect::FailedEnrichIsOk) {
            return self.succeeded(at, Output::ok(Data::new())).await;
        }
        let told =
            if defects.on(Defect::FailuresAreToldAsCompleted) { "stage.completed" } else { "stage.failed" };
        run.event(told, Some(name), Some(&why));
        run.log("ERROR", &why, Some(name));
        run.bag.insert(name, output, defects);
        if defects.on(Defect::FailedStageIsTolerated) && !run.graph.node(at).dependents.is_empty() {
            self.states[at] = State::Done;
            let ready = self.release(at, false);
            return self.start(ready).await;
        }
        Next::Stop(End::Failed, Some(why))
    }

    async fn succeeded(&mut self, at: usize, output: Output) -> Next {
        let run = Arc::clone(&self.run);
        let defects = run.defects;
        let name = run.graph.node(at).def.name.as_str();
        self.states[at] = State::Done;
        let status = output.status;
        let reason = output.error.clone();
        let told = match status {
            Status::Skip if defects.on(Defect::SkipsAreNotTold) => None,
            Status::Skip => Some("stage.skipped"),
            Status::Cancel => Some("stage.cancelled"),
            _ if defects.on(Defect::CompletionsAreNotTold) => None,
            _ => Some("stage.completed"),
        };
        if let Some(told) = told {
            run.event(told, Some(name), reason.as_deref());
        }
        run.log("INFO", &format!("stage {name} ended"), Some(name));
        if defects.on(Defect::OutputsLeakIntoSnapshot) {
            lock(&run.snapshot).data_mut().extend(output.data.clone());
        }
        run.bag.insert(name, output, defects);
        if status == Status::Cancel {
            let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
            return Next::Stop(End::Cancelled, Some(format!("stage {name} cancelled the run: {reason}")));
        }
        let ready = self.release(at, status == Status::Skip);
        self.start(ready).await
    }

    /// Sends the work back if `at` is a guard that may be asked again.
    async fn sent_back(&mut self, at: usize) -> Option<Next> {
        let run = Arc::clone(&self.run);
        let defects = run.defects;
        let name = &run.graph.node(at).def.name;
        let policy = run.graph.inner.guard_retries.iter().find(|policy| policy.guard == *name)?;
        let asked = self.asked.entry(at).or_insert(0);
        *asked += 1;
        let allowed = policy.max_attempts + u32::from(defects.on(Defect::GuardIsAskedOnceMore));
        if *asked >= allowed {
            if defects.on(Defect::ExhaustedGuardPasses) {
                return Some(self.succeeded(at, Output::ok(Data::new())).await);
            }
            return None;
        }
        // Known since the graph was built.
        let retry_stage = run.graph.at(&policy.retry_stage)?;
        run.event("stage.sent_back", Some(name), Some(&policy.retry_stage));
        let again = if defects.on(Defect::GuardRetrySkipsTheStage) {
            vec![at]
        } else {
            run.graph.between(retry_stage, at)
        };
        for stage in &again {
            run.bag.remove(&run.graph.node(*stage).def.name, defects);
            self.states[*stage] = State::Waiting;
        }
        // Stages behind that have not started wait again for those that will be run again.
        for (stage, node) in run.graph.inner.nodes.iter().enumerate() {
            if self.states[stage] == State::Waiting {
                self.waiting[stage] =
                    node.dependencies.iter().filter(|on| self.states[**on] != State::Done).count();
            }
        }
        let first = again.iter().copied().filter(|stage| self.waiting[*stage] == 0).collect();
        Some(self.start(first).await)
    }
}

fn lost_task(lost: &JoinError) -> StageError {
    StageError::new(ErrorKind::Panic, format!("the task of the stage was lost: {lost}"))
}
