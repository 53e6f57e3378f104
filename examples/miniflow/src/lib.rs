//! A small Stageflow-shaped engine, correct by default, with a switchboard of planted defects.
//!
//! It exists to measure stress tests: a suite that stays green on a defect has missed it. Stages of six kinds form a
//! [`Graph`]; a run has an immutable [`Snapshot`], an output bag, retry, deadlines, cancellation, an idempotency store,
//! tools with consent and undo, guards that send work back, interceptors, a circuit breaker, events behind
//! back-pressure, clean-ups, contracts, and graphs within stages. [`Defect`] lists what can be broken.
//!
//! ```
//! use miniflow::{Data, GraphBuilder, Output, RunConfig, StageContext, StageDef};
//! use serde_json::json;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let greet = StageDef::new("greet", |_: StageContext| -> miniflow::StageFuture {
//!     Box::pin(async { Ok(Output::ok(Data::from_iter([("text".to_owned(), json!("hello"))]))) })
//! });
//! let shout = StageDef::new("shout", |ctx: StageContext| -> miniflow::StageFuture {
//!     Box::pin(async move {
//!         let text = ctx.get_from("greet", "text").and_then(|text| text.as_str().map(str::to_uppercase));
//!         Ok(Output::ok(Data::from_iter([("text".to_owned(), json!(text))])))
//!     })
//! });
//! let graph = GraphBuilder::new("greeting").stage(greet).stage(shout.after("greet")).build().unwrap();
//! let result = graph.run(RunConfig::default()).await;
//! assert_eq!(result.outputs["shout"].data["text"], "HELLO");
//! # });
//! ```
#![warn(missing_docs)]

mod attempt;
mod bag;
mod cancel;
mod cleanup;
mod context;
mod contract;
mod coordinator;
mod defects;
mod events;
mod graph;
mod idempotency;
mod interceptor;
mod retry;
mod run;
mod snapshot;
mod stage;
mod tools;

pub use cancel::CancelToken;
pub use context::StageContext;
pub use contract::{Contract, Type};
pub use defects::{Defect, Defects};
pub use events::{Delivery, Event, EventQueue, EventSink, LogLine, Logger};
pub use graph::{BuildError, Graph, GraphBuilder, GuardRetryPolicy};
pub use interceptor::{BreakerPolicy, Interceptor};
pub use retry::RetryPolicy;
pub use run::{End, RunConfig, RunResult};
pub use snapshot::Snapshot;
pub use stage::{Boxed, Condition, Data, ErrorKind, Kind, Output, Stage, StageDef, StageError, Status};
pub use tools::{Approver, Resources, Tool, ToolDef};

/// What the code of a stage returns.
pub type StageFuture = Boxed<'static, Result<Output, StageError>>;
