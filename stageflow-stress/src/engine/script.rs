//! The bodies of stages that are given as data, and the record of what they did: all that an adapter needs beside the
//! calls to its engine.

mod drive;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};

use super::{
    Behavior, Effect, EngineEvent, EngineLog, FlakyHow, Moment, PipelineSpec, StageReport, StageSpec,
    StageStatus,
};
pub use drive::Driven;

/// A future behind a pointer.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the body of a stage can ask of its engine. An adapter forwards each to the engine's own facility; what it leaves
/// out is answered by an error that says so.
pub trait StageIo: Send + Sync {
    /// What a dependency returned, as the engine hands it to this stage; nothing if the engine has none.
    fn output(&self, stage: &str) -> Option<Map<String, Value>>;

    /// The value that the engine's look-up over all dependencies gives for `key`.
    fn look_up(&self, key: &str) -> Option<Value> {
        let _ = key;
        None
    }

    /// Changes what the engine hands out of a dependency, in place, and returns what is there then. Engines that hand out
    /// copies have nothing to do here.
    fn edit(
        &self,
        stage: &str,
        change: &mut dyn FnMut(&mut Map<String, Value>),
    ) -> Option<Map<String, Value>> {
        let mut copy = self.output(stage)?;
        change(&mut copy);
        Some(copy)
    }

    /// The value of `key` in the run's snapshot.
    fn input(&self, key: &str) -> Option<Value> {
        let _ = key;
        None
    }

    /// The name of the stage, as the engine tells it.
    fn own_name(&self) -> Option<String> {
        None
    }

    /// The id of the run, as the engine tells it to the stage.
    fn run_id(&self) -> Option<String> {
        None
    }

    /// Registers `cleanup` with the engine, to be called at the end of the run.
    fn on_cleanup(&self, cleanup: Box<dyn FnOnce() + Send>) {
        drop(cleanup);
    }

    /// Calls a tool of the pipeline.
    fn call_tool<'a>(&'a self, tool: &'a str) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move { Err(format!("the adapter has no tools, so it cannot call {tool}")) })
    }

    /// Runs a pipeline within this stage, and returns the data of its stages by name.
    fn run_child<'a>(&'a self, pipeline: &'a PipelineSpec) -> Boxed<'a, Result<Map<String, Value>, String>> {
        Box::pin(async move {
            Err(format!("the adapter has no sub-pipelines, so it cannot run {}", pipeline.name))
        })
    }
}

/// What a body returned, to be handed to the engine in the engine's own words.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Played {
    /// Its status: ok, skip, cancel, fail or retry.
    pub status: StageStatus,
    /// Its data.
    pub data: Map<String, Value>,
    /// Its error, or its reason.
    pub error: Option<String>,
    /// Whether the body raises the error instead of returning the status, and of what kind it is.
    pub raised: Option<Raised>,
}

/// The kind of an error that a body raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Raised {
    /// One that the engine's retry facility retries.
    Transient,
    /// The platform's time-out, which it retries as well.
    Timeout,
    /// One that it does not retry.
    Permanent,
}

/// Plays the stages of one run and writes down what their bodies did, at the moment of doing it. Clones share the record.
///
/// See `docs/conformance.md` for an adapter that is built on it.
#[derive(Debug, Clone)]
pub struct Script {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    cpu_began: Option<Duration>,
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of declaration; stages of children follow as `PARENT/CHILD`.
    stages: Vec<StageReport>,
    index: BTreeMap<String, usize>,
    /// Bodies that are running, for each stage.
    open: BTreeMap<String, u32>,
    effects: Vec<Effect>,
    events: Vec<EngineEvent>,
    logs: Vec<EngineLog>,
    tool_calls: BTreeMap<String, u32>,
    ended: bool,
    /// Stages whose body has ended at least once.
    ends: BTreeSet<String>,
}

impl State {
    fn stage(&mut self, name: &str) -> &mut StageReport {
        let at = *self.index.entry(name.to_owned()).or_insert_with(|| {
            self.stages.push(StageReport::new(name));
            self.stages.len() - 1
        });
        &mut self.stages[at]
    }
}

impl Script {
    /// The record of a run that begins now.
    #[must_use]
    pub fn new(pipeline: &PipelineSpec) -> Self {
        let mut state = State::default();
        for stage in &pipeline.stages {
            state.stage(&stage.name);
        }
        let (began, cpu_began, moved) = (Instant::now(), crate::sys::cpu_time(), Notify::new());
        Script { inner: Arc::new(Inner { began, cpu_began, state: Mutex::new(state), moved }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.inner.began.elapsed().as_secs_f64() * 1_000.0
    }

    /// The body of a stage: clean-up, sleep, effect, behavior. To be called by the engine once for each attempt.
    ///
    /// A body of [`Behavior::Panic`] unwinds, silently: no panic hook is called.
    pub async fn play(&self, stage: &StageSpec, io: &dyn StageIo) -> Played {
        self.play_as(&stage.name, stage, io).await
    }

    /// As [`play`](Script::play), for a stage of a pipeline within the stage `parent`.
    pub async fn play_child(&self, parent: &str, stage: &StageSpec, io: &dyn StageIo) -> Played {
        self.play_as(&format!("{parent}/{}", stage.name), stage, io).await
    }

    async fn play_as(&self, name: &str, stage: &StageSpec, io: &dyn StageIo) -> Played {
        let mut body = OpenBody::enter(self, name);
        if let Some(cleanup) = &stage.cleanup {
            let (script, cleanup, owner) = (self.clone(), cleanup.clone(), name.to_owned());
            io.on_cleanup(Box::new(move || script.effect(&cleanup, Some(&owner))));
        }
        if stage.sleep_ms > 0 {
            sleep(Duration::from_millis(stage.sleep_ms)).await;
        }
        if let Some(effect) = &stage.effect {
            self.effect(effect, Some(name));
        }
        let played = self.behave(name, stage, io, body.attempt).await;
        body.leave(&played);
        played
    }

    async fn behave(&self, name: &str, stage: &StageSpec, io: &dyn StageIo, attempt: u32) -> Played {
        let reads = matches!(
            stage.behavior,
            Behavior::Echo
                | Behavior::Sum { .. }
                | Behavior::Increment
                | Behavior::Append { .. }
                | Behavior::AppendCopy { .. }
                | Behavior::Read { .. }
        );
        let mut seen = Map::new();
        if reads {
            for dependency in &stage.after {
                if let Some(data) = io.output(dependency) {
                    seen.insert(dependency.clone(), Value::Object(data));
                }
            }
            self.state().stage(name).seen = seen.clone();
        }
        let sum = |key: &str| -> Value {
            let values: Vec<&Value> =
                stage.after.iter().filter_map(|dependency| seen.get(dependency)?.get(key)).collect();
            add(&values)
        };
        match &stage.behavior {
            Behavior::Const { data } => ok(data.clone()),
            Behavior::Echo => {
                let mut names: Vec<&String> = stage.after.iter().collect();
                names.sort();
                let parts = names.into_iter().filter_map(|dependency| seen.get(dependency)?.as_object());
                ok(parts.flatten().map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            Behavior::Sum { key } => one("sum", sum(key)),
            Behavior::Increment => {
                let value = sum("value");
                one("value", add(&[&value, &json!(1)]))
            }
            Behavior::Append { key, item } => {
                let Some(dependency) = stage.after.first() else { return failed("nothing to append to") };
                let edited = io.edit(dependency, &mut |data| push(data, key, item));
                let list = edited.and_then(|mut data| data.remove(key));
                one(key, list.unwrap_or(Value::Null))
            }
            Behavior::AppendCopy { key, item } => {
                let source = stage.after.first().and_then(|dependency| seen.get(dependency));
                let mut data = source.and_then(Value::as_object).cloned().unwrap_or_default();
                push(&mut data, key, item);
                one(key, data.remove(key).unwrap_or(Value::Null))
            }
            Behavior::Read { key } => one(key, io.look_up(key).unwrap_or(Value::Null)),
            Behavior::Input { key } => one(key, io.input(key).unwrap_or(Value::Null)),
            Behavior::Named { key } => one(key, io.own_name().map_or(Value::Null, Value::from)),
            Behavior::RunId { key } => one(key, io.run_id().map_or(Value::Null, Value::from)),
            Behavior::Fail { message } => failed(message),
            Behavior::Panic { message } => self.panics(name, message),
            Behavior::Flaky { failures, how } if attempt <= *failures => {
                let message = format!("attempt {attempt} fails");
                match how {
                    FlakyHow::Fail => failed(&message),
                    FlakyHow::Retry => ended(StageStatus::Retry, &message),
                    FlakyHow::Raise => Played { raised: Some(Raised::Transient), ..failed(&message) },
                    FlakyHow::Permanent => Played { raised: Some(Raised::Permanent), ..failed(&message) },
                    FlakyHow::Timeout => Played { raised: Some(Raised::Timeout), ..failed(&message) },
                }
            }
            Behavior::Flaky { .. } => one("attempt", json!(attempt)),
            Behavior::Skip { reason } => ended(StageStatus::Skip, reason),
            Behavior::Cancel { reason } => ended(StageStatus::Cancel, reason),
            Behavior::Retry { message } => ended(StageStatus::Retry, message),
            Behavior::Block { ms } => {
                std::thread::sleep(Duration::from_millis(*ms));
                ok(Map::new())
            }
            Behavior::FailIf { key } => match io.input(key) {
                Some(Value::Bool(true)) => failed(&format!("{key} is set")),
                _ => ok(Map::new()),
            },
            Behavior::Tool { name: tool } => match io.call_tool(tool).await {
                Ok(()) => one("tool", json!(tool)),
                Err(error) => failed(&error),
            },
            Behavior::Sub { pipeline } => match io.run_child(pipeline).await {
                Ok(data) => one("child", Value::Object(data)),
                Err(error) => failed(&error),
            },
        }
    }

    fn panics(&self, name: &str, message: &str) -> Played {
        {
            let mut state = self.state();
            let now = self.now();
            let stage = state.stage(name);
            (stage.raised, stage.error) = (Some("panic".to_owned()), Some(message.to_owned()));
            stage.ended_ms = Some(now);
        }
        // `panic_any` would call the hook, which belongs to whoever runs the test.
        std::panic::resume_unwind(Box::new(message.to_owned()))
    }

    /// Records a side effect; one that happens after [`report`](Script::report) was called is late.
    pub fn effect(&self, name: &str, stage: Option<&str>) {
        let at_ms = self.now();
        let mut state = self.state();
        let after_end = state.ended;
        state.effects.push(Effect { stage: stage.map(str::to_owned), after_end, ..Effect::new(name, at_ms) });
    }

    /// Records an event that the engine emitted.
    pub fn event(&self, name: impl Into<String>, data: Value) {
        self.state().events.push(EngineEvent::new(name, data));
    }

    /// The events that were recorded so far.
    #[must_use]
    pub fn events(&self) -> Vec<EngineEvent> {
        self.state().events.clone()
    }

    /// Records a line of the engine's log.
    pub fn log(&self, line: EngineLog) {
        self.state().logs.push(line);
    }

    /// Counts a call of a tool within this run, and returns its number, from 1.
    #[must_use]
    pub fn tool_call(&self, tool: &str) -> u32 {
        let mut state = self.state();
        let calls = state.tool_calls.entry(tool.to_owned()).or_insert(0);
        *calls += 1;
        *calls
    }

    /// Records what the engine reports of a stage at the end of its run.
    pub fn reported(
        &self,
        stage: &str,
        status: StageStatus,
        data: Option<Map<String, Value>>,
        error: Option<String>,
    ) {
        let mut state = self.state();
        let report = state.stage(stage);
        (report.status, report.reported, report.data) = (status, true, data.map(Value::Object));
        if error.is_some() {
            report.error = error;
        }
    }

    /// Waits for a moment of the run.
    pub async fn moment(&self, moment: &Moment) {
        if let Moment::After { ms } = moment {
            return sleep(Duration::from_millis(*ms)).await;
        }
        loop {
            let moved = self.inner.moved.notified();
            let here = {
                let state = self.state();
                match moment {
                    Moment::Start { stage } => {
                        state.index.get(stage).is_some_and(|at| state.stages[*at].attempts > 0)
                    }
                    Moment::End { stage } => state.ends.contains(stage),
                    Moment::After { .. } => true,
                }
            };
            if here {
                return;
            }
            moved.await;
        }
    }
}

/// A body that has been entered. Dropped without having been left, it was stopped by the engine.
struct OpenBody<'a> {
    script: &'a Script,
    name: &'a str,
    attempt: u32,
    left: bool,
}

impl<'a> OpenBody<'a> {
    fn enter(script: &'a Script, name: &'a str) -> Self {
        let now = script.now();
        let mut state = script.state();
        *state.open.entry(name.to_owned()).or_insert(0) += 1;
        let stage = state.stage(name);
        stage.attempts += 1;
        stage.started_ms.get_or_insert(now);
        stage.attempt_starts_ms.push(now);
        (stage.ended_ms, stage.returned, stage.returned_data) = (None, None, None);
        (stage.raised, stage.error) = (None, None);
        let attempt = stage.attempts;
        drop(state);
        script.inner.moved.notify_waiters();
        OpenBody { script, name, attempt, left: false }
    }

    fn leave(&mut self, played: &Played) {
        self.left = true;
        let now = self.script.now();
        let mut state = self.script.state();
        let stage = state.stage(self.name);
        stage.error.clone_from(&played.error);
        match played.raised {
            Some(kind) => stage.raised = Some(format!("{kind:?}")),
            None => {
                stage.returned = Some(played.status);
                stage.returned_data = Some(Value::Object(played.data.clone()));
            }
        }
        stage.ended_ms = Some(now);
    }
}

impl Drop for OpenBody<'_> {
    fn drop(&mut self) {
        let now = self.script.now();
        {
            let mut state = self.script.state();
            if let Some(open) = state.open.get_mut(self.name) {
                *open -= 1;
            }
            let stage = state.stage(self.name);
            if !self.left && stage.ended_ms.is_none() {
                (stage.raised, stage.ended_ms) = (Some(record::STOPPED.to_owned()), Some(now));
            }
            state.ends.insert(self.name.to_owned());
        }
        self.script.inner.moved.notify_waiters();
    }
}

fn ok(data: Map<String, Value>) -> Played {
    Played { status: StageStatus::Ok, data, error: None, raised: None }
}

fn one(key: &str, value: Value) -> Played {
    ok(Map::from_iter([(key.to_owned(), value)]))
}

fn ended(status: StageStatus, why: &str) -> Played {
    Played { status, data: Map::new(), error: Some(why.to_owned()), raised: None }
}

fn failed(why: &str) -> Played {
    ended(StageStatus::Fail, why)
}

fn push(data: &mut Map<String, Value>, key: &str, item: &Value) {
    if let Value::Array(items) = data.entry(key).or_insert_with(|| json!([])) {
        items.push(item.clone());
    }
}

/// Whole numbers are added as such, so that no digit is lost; anything else as floating point.
fn add(values: &[&Value]) -> Value {
    let whole =
        values.iter().map(|value| value.as_i64()).try_fold(0i64, |sum, value| sum.checked_add(value?));
    match whole {
        Some(sum) => json!(sum),
        None => json!(values.iter().filter_map(|value| value.as_f64()).sum::<f64>()),
    }
}
