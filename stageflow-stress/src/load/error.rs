//! Why there is no load.

/// Why a load could not be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no runtime to run asynchronous operations on.
    #[error("load `{load}` has no runtime: make the test an `async fn`, or use `run_sync`")]
    NoRuntime {
        /// Its name.
        load: String,
    },
    /// The clock of the runtime stands still or jumps.
    #[error(
        "load `{load}` cannot be timed on a paused clock: it paces in real time; remove `start_paused` or `tokio::time::pause`"
    )]
    PausedClock {
        /// Its name.
        load: String,
    },
    /// A setting that makes no sense.
    #[error("{what} cannot be used: {why}")]
    Setting {
        /// Which one.
        what: String,
        /// Why.
        why: String,
    },
    /// The system refuses a thread.
    #[error("the system refuses a thread for load `{load}`")]
    Thread {
        /// Its name.
        load: String,
        /// What it says.
        source: std::io::Error,
    },
    /// The thread that generated the load is gone.
    #[error("the generator of load `{load}` ended without a report")]
    Gone {
        /// Its name.
        load: String,
    },
}
