//! What can go wrong between a test and its worker.

use std::io;

use super::death::WorkerDeath;

/// Why a worker could not be started or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// There is no Python interpreter where one was looked for.
    #[error("no python interpreter found; looked at {}; run `{command}`, or set STAGEFLOW_PYTHON", .looked.join(", "))]
    NoInterpreter {
        /// Where it was looked for, with what was found there.
        looked: Vec<String>,
        /// What to run.
        command: String,
    },
    /// The interpreter cannot import the package.
    #[error("{python} (found through {found_by}) cannot import stageflow: {why}; run `{command}`")]
    NoPackage {
        /// The interpreter.
        python: String,
        /// What led to it.
        found_by: String,
        /// The interpreter's own words.
        why: String,
        /// What to run.
        command: String,
    },
    /// The package is there in another version than the script was written for.
    #[error("{python} has stageflow-core {found}, the worker needs {expected}; run `{command}`")]
    WrongVersion {
        /// The interpreter.
        python: String,
        /// The version that was found.
        found: String,
        /// The version that is needed.
        expected: String,
        /// What to run.
        command: String,
    },
    /// The process could not be started.
    #[error("`{command}` could not be started")]
    Start {
        /// The command.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// The child died before it had answered.
    #[error("{0}")]
    Died(Box<WorkerDeath>),
    /// The child did not answer in time and was killed.
    #[error("no answer in time: {0}")]
    Deadline(Box<WorkerDeath>),
    /// The child answered that it cannot do what it was asked for.
    #[error("{worker} refused {op}: {kind}: {message}")]
    Refused {
        /// Which child.
        worker: String,
        /// What it was asked for.
        op: String,
        /// Type of its error.
        kind: String,
        /// Text of its error.
        message: String,
        /// Its stack, where it sent one.
        trace: Option<String>,
    },
    /// The child's answer has another shape than the operation promises.
    #[error("the answer of {worker} to {op} could not be read: {why}")]
    Answer {
        /// Which child.
        worker: String,
        /// What it was asked for.
        op: String,
        /// What is wrong with it.
        why: String,
    },
    /// The worker was shut down.
    #[error("{worker} has been shut down")]
    Closed {
        /// Which worker.
        worker: String,
    },
}

impl WorkerError {
    /// How the child died, if that is what happened.
    #[must_use]
    pub fn death(&self) -> Option<&WorkerDeath> {
        match self {
            WorkerError::Died(death) | WorkerError::Deadline(death) => Some(death),
            _ => None,
        }
    }

    /// Whether the target is not installed here: a reason to skip a test visibly rather than to fail it.
    #[must_use]
    pub fn is_missing_target(&self) -> bool {
        matches!(self, WorkerError::NoInterpreter { .. } | WorkerError::NoPackage { .. })
    }
}
