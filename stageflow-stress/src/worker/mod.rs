//! Targets that live in a child process and speak JSON lines, the published Python Stageflow among them.
//!
//! A [`Worker`] starts a process, sends it requests, one JSON object per line, and takes its answers and what it streams
//! meanwhile: log records, events, starts and ends of stages, effects. It is an [`Engine`](crate::engine::Engine), so
//! every scenario that is written as data runs on it:
//!
//! ```no_run
//! use stageflow_stress::engine::{Behavior, PipelineSpec, RunOptions, StageSpec, audit};
//! use stageflow_stress::worker::Worker;
//!
//! # async fn scenario() -> Result<(), Box<dyn std::error::Error>> {
//! let stageflow = Worker::python().start().await?;
//! let pipeline = PipelineSpec::new("two")
//!     .stage(StageSpec::new("greet", Behavior::emit("text", "hello")))
//!     .stage(StageSpec::new("read", Behavior::read("text")).after(["greet"]));
//! let options = RunOptions::new();
//! let report = stageflow.run(&pipeline, &options).await?;
//! assert!(audit(&pipeline, &options, &report).is_empty());
//! # Ok(()) }
//! ```
//!
//! # What it guarantees
//! * **A deadline from outside.** It runs on the wall clock, on a thread of its own: neither a paused clock nor a
//!   blocked loop, here or in the child, can hold it up. When it passes, the child is asked for its stacks, then killed;
//!   everything that it had streamed is kept.
//! * **A death is a value.** [`WorkerDeath`] says how, during what, and with which last lines; a run that dies is a
//!   report with [`RunEnd::Died`](crate::engine::RunEnd::Died) and all that was streamed of it. The next request starts
//!   a new child.
//! * **Nothing is left behind.** Dropping the last clone of a worker kills its process group, reaps the child and joins
//!   the threads. A child whose parent is killed sees the end of its input and ends itself.
//! * **Every line is delivered.** What the child logs or prints goes to a [`ChildOutput`]; lines on its protocol stream
//!   that are no protocol are counted and delivered as [`ChildStream::Garbage`].
//!
//! The protocol, and how to bring a target of one's own, is described in `docs/worker.md`.

mod death;
mod error;
mod output;
mod process;
mod protocol;
mod python;
mod search;
mod target;
mod trail;
mod watch;

pub use death::{WorkerDeath, WorkerExit, WorkerKill};
pub use error::WorkerError;
pub use output::{ChildOutput, ChildRecord, ChildStream, Collected};
pub use python::PythonWorker;
pub use target::{Worker, WorkerBuilder};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks without regard to poison: what is guarded here is valid between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
