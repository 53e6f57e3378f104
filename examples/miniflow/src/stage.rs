//! Stages: what users write.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::context::StageContext;
use crate::contract::Contract;

/// The output data of a stage.
pub type Data = Map<String, Value>;
/// A future behind a pointer.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The six kinds of stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes data.
    Transform,
    /// Adds data.
    Enrich,
    /// Chooses a path.
    Route,
    /// Lets data pass or stops it.
    Guard,
    /// Acts on the world.
    Work,
    /// Decides by itself what to do.
    Agent,
}

/// How a stage ended, by its own account or the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It produced output.
    Ok,
    /// There was nothing to do.
    Skip,
    /// It stops the run on purpose.
    Cancel,
    /// It failed.
    Fail,
    /// It wants to be run again.
    Retry,
}

/// What a stage returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// Its data.
    pub data: Data,
    /// Why it did not succeed, or why it skipped.
    pub error: Option<String>,
}

impl Output {
    /// Success.
    #[must_use]
    pub fn ok(data: Data) -> Self {
        Output { status: Status::Ok, data, error: None }
    }

    /// Any other end, with its reason.
    pub fn ended(status: Status, why: impl Into<String>) -> Self {
        Output { status, data: Data::new(), error: Some(why.into()) }
    }
}

/// What kind of error a stage met. Transient ones and timeouts are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another attempt may work.
    Transient,
    /// It took too long.
    Timeout,
    /// Another attempt will not work.
    Permanent,
    /// Somebody said no: an interceptor, a breaker, an approver.
    Denied,
    /// The stage panicked.
    Panic,
}

/// An error that a stage or an interceptor raised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// What kind it is.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
}

impl StageError {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        StageError { kind, message: message.into() }
    }

    pub(crate) fn may_be_retried(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient | ErrorKind::Timeout)
    }
}

/// What runs when its turn comes.
pub trait Stage: Send + Sync {
    /// Runs once.
    fn run<'a>(&'a self, ctx: &'a StageContext) -> Boxed<'a, Result<Output, StageError>>;
}

impl<F> Stage for F
where
    F: Fn(StageContext) -> Boxed<'static, Result<Output, StageError>> + Send + Sync,
{
    fn run<'a>(&'a self, ctx: &'a StageContext) -> Boxed<'a, Result<Output, StageError>> {
        self(ctx.clone())
    }
}

/// A stage runs only if a dependency returned a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The dependency.
    pub stage: String,
    /// The key of its output.
    pub key: String,
    /// What it must be.
    pub equals: Value,
}

/// A stage as it is declared to a graph.
#[derive(Clone)]
pub struct StageDef {
    /// Unique name.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// Names of the stages that must end first.
    pub after: Vec<String>,
    /// When it runs at all.
    pub condition: Option<Condition>,
    /// Deadline of one attempt.
    pub timeout: Option<Duration>,
    /// What it promises to return.
    pub contract: Contract,
    pub(crate) body: Arc<dyn Stage>,
}

impl StageDef {
    /// A TRANSFORM stage without dependencies.
    pub fn new(name: impl Into<String>, body: impl Stage + 'static) -> Self {
        StageDef {
            name: name.into(),
            kind: Kind::Transform,
            after: Vec::new(),
            condition: None,
            timeout: None,
            contract: Contract::default(),
            body: Arc::new(body),
        }
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a dependency.
    #[must_use]
    pub fn after(mut self, stage: impl Into<String>) -> Self {
        self.after.push(stage.into());
        self
    }

    /// Runs only if the condition holds; otherwise the engine skips it.
    #[must_use]
    pub fn when(mut self, stage: impl Into<String>, key: impl Into<String>, equals: Value) -> Self {
        self.condition = Some(Condition { stage: stage.into(), key: key.into(), equals });
        self
    }

    /// Sets the deadline of one attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets what it promises to return.
    #[must_use]
    pub fn contract(mut self, contract: Contract) -> Self {
        self.contract = contract;
        self
    }
}

impl fmt::Debug for StageDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageDef")
            .field("name", &self.name)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
