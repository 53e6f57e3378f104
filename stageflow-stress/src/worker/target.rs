//! The worker as a test uses it.

use std::fmt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::output::{ChildOutput, Terminal};
use super::process::{Failed, Open, Running, Surroundings};
use super::trail::Trail;
use super::{PythonWorker, WorkerDeath, WorkerError, lock, protocol};
use crate::engine::{Capabilities, Engine, EngineError, Overlap, PipelineSpec, RunOptions, RunReport};

/// How long an answer may take unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a child may take to end when it was asked to.
const END: Duration = Duration::from_secs(5);

/// A target in a child process. Clones share the child; the last one to go ends it.
///
/// The child is started by the first request, and again by the first request after it died. Requests may overlap: each
/// has its own id, and answers find their caller in any order.
///
/// ```no_run
/// use std::process::Command;
/// use stageflow_stress::worker::Worker;
///
/// # async fn scenario() -> Result<(), Box<dyn std::error::Error>> {
/// let mut command = Command::new("node");
/// command.arg("my-target.js");
/// let target = Worker::command(command).name("my target").start().await?;
/// let answer = target.call("price", serde_json::json!({ "sku": 7 })).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Worker {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    about: Mutex<String>,
    capabilities: Mutex<Capabilities>,
    deadline: Duration,
    ids: AtomicU64,
    around: Arc<Surroundings>,
    state: Mutex<State>,
}

struct State {
    command: Command,
    running: Option<Running>,
    starts: u32,
    /// Requests that every new child must have heard.
    memory: Vec<(String, Map<String, Value>)>,
    closed: bool,
}

/// What is known before the child starts.
pub struct WorkerBuilder {
    command: Command,
    name: Option<String>,
    deadline: Duration,
    output: Arc<dyn ChildOutput>,
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("command", &self.command)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

impl WorkerBuilder {
    pub(super) fn new(command: Command) -> Self {
        WorkerBuilder { command, name: None, deadline: DEADLINE, output: Arc::new(Terminal) }
    }

    pub(super) fn with_command(mut self, command: Command) -> Self {
        self.command = command;
        self
    }

    /// Names the target, as messages, reports and logs print it. The program's name unless told.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long any answer may take, on the wall clock. A run has its own timeout and grace on top. 60 s unless told.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Where the child's lines go. Unless told, to this process's standard error, without log records below WARNING.
    #[must_use]
    pub fn output(mut self, output: impl ChildOutput + 'static) -> Self {
        self.output = Arc::new(output);
        self
    }

    /// A worker whose child is started by the first request.
    #[must_use]
    pub fn build(self) -> Worker {
        let name = self.name.unwrap_or_else(|| self.command.get_program().to_string_lossy().into_owned());
        let around = Surroundings {
            output: self.output,
            deaths: Mutex::default(),
            garbage: AtomicU64::new(0),
            late_errors: AtomicU64::new(0),
        };
        let state =
            State { command: self.command, running: None, starts: 0, memory: Vec::new(), closed: false };
        Worker {
            inner: Arc::new(Inner {
                about: Mutex::new(name.clone()),
                capabilities: Mutex::default(),
                name,
                deadline: self.deadline,
                ids: AtomicU64::new(1),
                around: Arc::new(around),
                state: Mutex::new(state),
            }),
        }
    }

    /// Starts the child and waits until it answers a `ping`, so that a target that cannot start says so here.
    ///
    /// # Errors
    /// The process cannot be started, dies, or stays silent.
    pub async fn start(self) -> Result<Worker, WorkerError> {
        let worker = self.build();
        match worker.call("ping", Value::Null).await {
            // A refusal is an answer in the protocol, which is all that is asked here.
            Ok(_) | Err(WorkerError::Refused { .. }) => Ok(worker),
            Err(error) => Err(error),
        }
    }
}

impl Worker {
    /// A target that is started by the given command and speaks the protocol of `docs/worker.md`.
    #[must_use]
    pub fn command(command: Command) -> WorkerBuilder {
        WorkerBuilder::new(command)
    }

    /// The published Python Stageflow, driven by the script that this library ships.
    #[must_use]
    pub fn python() -> PythonWorker {
        PythonWorker::new()
    }

    /// Sends a request and waits for its result. `body` is an object (or null) whose keys join `id` and `op`; any other
    /// value is sent as `arg`.
    ///
    /// # Errors
    /// The child cannot be started, dies, does not answer in time, or refuses.
    pub async fn call(&self, op: &str, body: Value) -> Result<Value, WorkerError> {
        self.call_within(op, body, self.inner.deadline).await
    }

    /// As [`call`](Worker::call), with a deadline of its own.
    ///
    /// # Errors
    /// As [`call`](Worker::call).
    pub async fn call_within(&self, op: &str, body: Value, allowed: Duration) -> Result<Value, WorkerError> {
        let body = match body {
            Value::Object(body) => body,
            Value::Null => Map::new(),
            other => Map::from_iter([("arg".to_owned(), other)]),
        };
        self.request(op, op.to_owned(), body, allowed).await.map_err(|(error, _)| error)
    }

    /// Loads a pipeline of the user's own code: `attr` of `module`, a `Pipeline` or a function that makes one. It is
    /// run by `name` from then on, in every child that this worker starts.
    ///
    /// # Errors
    /// As [`call`](Worker::call); the child refuses what it cannot import.
    pub async fn load(&self, module: &str, attr: &str, name: &str) -> Result<(), WorkerError> {
        let body = Map::from_iter([
            ("module".to_owned(), json!(module)),
            ("attr".to_owned(), json!(attr)),
            ("as".to_owned(), json!(name)),
        ]);
        let what = format!("load `{module}.{attr}`");
        self.request("load", what, body.clone(), self.inner.deadline).await.map_err(|(error, _)| error)?;
        lock(&self.inner.state).memory.push(("load".to_owned(), body));
        Ok(())
    }

    /// Runs a pipeline that is given as data.
    ///
    /// A run during which the child dies or hangs is a report as well: it ends [`Died`](crate::engine::RunEnd::Died)
    /// and holds what had been streamed by then.
    ///
    /// # Errors
    /// The pipeline is not well formed, the target does not support it, or nothing could be observed.
    pub async fn run(&self, pipeline: &PipelineSpec, options: &RunOptions) -> Result<RunReport, EngineError> {
        pipeline.check()?;
        self.run_unchecked(pipeline, options).await
    }

    async fn run_unchecked(
        &self,
        pipeline: &PipelineSpec,
        options: &RunOptions,
    ) -> Result<RunReport, EngineError> {
        let spec = serde_json::to_value(pipeline).map_err(|error| self.broken(error.to_string()))?;
        self.run_body("spec", spec, &pipeline.name, Some(pipeline), options).await
    }

    /// Runs one graph of a pipeline that is given as data several times.
    ///
    /// # Errors
    /// The target does not support it, or nothing could be observed: where the child dies there is no report of any run.
    pub async fn run_all(
        &self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> Result<Vec<RunReport>, EngineError> {
        let broken = |error: serde_json::Error| self.broken(error.to_string());
        let body = Map::from_iter([
            ("spec".to_owned(), serde_json::to_value(pipeline).map_err(broken)?),
            ("runs".to_owned(), serde_json::to_value(runs).map_err(broken)?),
            ("overlap".to_owned(), json!(overlap)),
        ]);
        let own = runs
            .iter()
            .map(|run| {
                run.timeout_ms.unwrap_or(0).saturating_add(run.grace_ms).saturating_add(run.start_after_ms)
            })
            .fold(0, u64::saturating_add);
        let allowed = self.inner.deadline.saturating_add(Duration::from_millis(own));
        match self.request("run_all", format!("run `{}`", pipeline.name), body, allowed).await {
            Ok(reports) => serde_json::from_value(reports).map_err(|error| {
                self.broken(format!("its reports of `{}` could not be read: {error}", pipeline.name))
            }),
            Err((WorkerError::Refused { kind, message, .. }, _)) if kind == "Unsupported" => {
                Err(EngineError::Unsupported { engine: self.about(), what: message })
            }
            Err((error, _)) => Err(self.broken(error.to_string())),
        }
    }

    /// Runs a pipeline that was [loaded](Worker::load).
    ///
    /// # Errors
    /// As [`run`](Worker::run).
    pub async fn run_loaded(&self, name: &str, options: &RunOptions) -> Result<RunReport, EngineError> {
        self.run_body("pipeline", json!(name), name, None, options).await
    }

    async fn run_body(
        &self,
        key: &str,
        what: Value,
        name: &str,
        pipeline: Option<&PipelineSpec>,
        options: &RunOptions,
    ) -> Result<RunReport, EngineError> {
        let options_json = serde_json::to_value(options).map_err(|error| self.broken(error.to_string()))?;
        let body = Map::from_iter([(key.to_owned(), what), ("options".to_owned(), options_json)]);
        let own = Duration::from_millis(options.timeout_ms.unwrap_or(0).saturating_add(options.grace_ms));
        let allowed = self.inner.deadline.saturating_add(own);
        match self.request("run", format!("run `{name}`"), body, allowed).await {
            Ok(report) => serde_json::from_value(report)
                .map_err(|error| self.broken(format!("its report of `{name}` could not be read: {error}"))),
            Err((WorkerError::Died(death) | WorkerError::Deadline(death), trail)) => {
                Ok(trail.report(pipeline, &death))
            }
            Err((WorkerError::Refused { kind, message, .. }, _)) if kind == "Unsupported" => {
                Err(EngineError::Unsupported { engine: self.about(), what: message })
            }
            Err((error, _)) => Err(self.broken(error.to_string())),
        }
    }

    /// Asks the child to end and waits for it. Requests after this are refused.
    ///
    /// # Errors
    /// The child did not end in time or died on the way.
    pub async fn shutdown(&self) -> Result<(), WorkerError> {
        {
            let mut state = lock(&self.inner.state);
            state.closed = true;
            match &state.running {
                None => return Ok(()),
                Some(running) => running.expect_end(),
            }
        }
        let asked =
            self.request_of_running("shutdown", "shutdown".to_owned(), Map::new(), self.inner.deadline).await;
        let running = lock(&self.inner.state).running.take();
        if let Some(running) = running {
            running.wait(self.inner.deadline.min(END));
        }
        match asked {
            // The end of its input ends a target that does not know the operation.
            Err((WorkerError::Refused { .. }, _)) => Ok(()),
            Err((WorkerError::Died(death), _)) if death.exit == super::WorkerExit::Code(0) => Ok(()),
            other => other.map(|_| ()).map_err(|(error, _)| error),
        }
    }

    /// How often a child was started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        lock(&self.inner.state).starts
    }

    /// Every death so far, oldest first.
    #[must_use]
    pub fn deaths(&self) -> Vec<WorkerDeath> {
        lock(&self.inner.around.deaths).clone()
    }

    /// How many lines on the protocol stream were no protocol.
    #[must_use]
    pub fn garbage_lines(&self) -> u64 {
        self.inner.around.garbage.load(Ordering::Relaxed)
    }

    /// How many errors reached the event loop of the target when the report of their run had been made, or belonged to no run. Each is
    /// given to the [`ChildOutput`] as well.
    #[must_use]
    pub fn late_errors(&self) -> u64 {
        self.inner.around.late_errors.load(Ordering::Relaxed)
    }

    /// Name and version of the target, as far as it told them.
    #[must_use]
    pub fn about(&self) -> String {
        lock(&self.inner.about).clone()
    }

    /// Takes what an answer to `hello` declares; words that this version does not know are left out.
    pub(super) fn set_capabilities(&self, hello: &Value) {
        let words = hello.get("capabilities").and_then(Value::as_array).into_iter().flatten();
        *lock(&self.inner.capabilities) =
            words.filter_map(Value::as_str).filter_map(|word| word.parse().ok()).collect();
    }

    pub(super) fn set_about(&self, about: String) {
        *lock(&self.inner.about) = about;
    }

    fn broken(&self, why: String) -> EngineError {
        EngineError::Broken { engine: self.about(), why }
    }

    async fn request(
        &self,
        op: &str,
        what: String,
        body: Map<String, Value>,
        allowed: Duration,
    ) -> Result<Value, (WorkerError, Trail)> {
        self.ensure_running().map_err(|error| (error, Trail::default()))?;
        self.request_of_running(op, what, body, allowed).await
    }

    async fn request_of_running(
        &self,
        op: &str,
        what: String,
        body: Map<String, Value>,
        allowed: Duration,
    ) -> Result<Value, (WorkerError, Trail)> {
        let id = self.inner.ids.fetch_add(1, Ordering::Relaxed);
        let line = protocol::request(id, op, body);
        let (answer, answered) = oneshot::channel();
        let open = Box::new(Open {
            what: what.clone(),
            allowed,
            // A deadline beyond what the clock can say is none.
            deadline: Instant::now()
                .checked_add(allowed)
                .unwrap_or_else(|| Instant::now() + DEADLINE * 60 * 24),
            answer,
            trail: Trail::default(),
        });
        self.submit(id, line, open).map_err(|error| (error, Trail::default()))?;
        match answered.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(Failed::Died(death, trail))) => Err((WorkerError::Died(death), trail)),
            Ok(Err(Failed::Deadline(death, trail))) => Err((WorkerError::Deadline(death), trail)),
            Ok(Err(Failed::Refused(refusal))) => {
                let (kind, message, trace) = (refusal.kind, refusal.message, refusal.trace);
                let worker = self.inner.name.clone();
                Err((WorkerError::Refused { worker, op: what, kind, message, trace }, Trail::default()))
            }
            Err(_) => Err((self.closed(), Trail::default())),
        }
    }

    /// Hands the request to the child; one that died since the last request is replaced.
    fn submit(&self, id: u64, line: Vec<u8>, open: Box<Open>) -> Result<(), WorkerError> {
        let mut state = lock(&self.inner.state);
        let Some(running) = &state.running else { return Err(self.closed()) };
        let Err(open) = running.send(id, line.clone(), open) else { return Ok(()) };
        if state.closed {
            return Err(self.closed());
        }
        state.running = None;
        self.spawn(&mut state)?;
        match state.running.as_ref().map(|running| running.send(id, line, open)) {
            Some(Ok(())) => Ok(()),
            // It died at once: the next request says so with its death, this one has nobody to ask.
            _ => Err(match lock(&self.inner.around.deaths).last() {
                Some(death) => WorkerError::Died(Box::new(death.clone())),
                None => self.closed(),
            }),
        }
    }

    fn ensure_running(&self) -> Result<(), WorkerError> {
        let mut state = lock(&self.inner.state);
        if state.closed {
            return Err(self.closed());
        }
        if state.running.is_none() {
            self.spawn(&mut state)?;
        }
        Ok(())
    }

    fn spawn(&self, state: &mut State) -> Result<(), WorkerError> {
        state.starts += 1;
        let name = format!("{} worker {}", self.inner.name, state.starts);
        let running =
            Running::spawn(name, &mut state.command, Arc::clone(&self.inner.around)).map_err(|source| {
                let command = state.command.get_program().to_string_lossy().into_owned();
                WorkerError::Start { command, source }
            })?;
        for (op, body) in &state.memory {
            let id = self.inner.ids.fetch_add(1, Ordering::Relaxed);
            running.tell(protocol::request(id, op, body.clone()));
        }
        state.running = Some(running);
        Ok(())
    }

    fn closed(&self) -> WorkerError {
        WorkerError::Closed { worker: self.inner.name.clone() }
    }
}

impl Engine for Worker {
    fn name(&self) -> String {
        self.about()
    }

    /// Hands the pipeline over as it is: whether the target refuses one that is not well formed is worth knowing.
    async fn run(&self, pipeline: &PipelineSpec, options: &RunOptions) -> Result<RunReport, EngineError> {
        self.run_unchecked(pipeline, options).await
    }

    /// What the target said in its answer to `hello`.
    fn capabilities(&self) -> Capabilities {
        lock(&self.inner.capabilities).clone()
    }

    async fn run_all(
        &self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> Result<Vec<RunReport>, EngineError> {
        Worker::run_all(self, pipeline, runs, overlap).await
    }
}
