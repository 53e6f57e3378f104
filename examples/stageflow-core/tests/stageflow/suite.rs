//! The shared suite, against the published Stageflow: one named test for each case.

use std::sync::OnceLock;

use stageflow_stress::engine::{
    Capabilities, Engine, EngineError, Overlap, PipelineSpec, RunOptions, RunReport,
};
use stageflow_stress::worker::{Worker, WorkerError};

/// The worker of this process. The suite builds a graph for each case, so the cases of one process can share it.
#[derive(Debug)]
struct Stageflow(Result<Worker, WorkerError>);

impl Stageflow {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Stageflow> = OnceLock::new();
        SHARED.get_or_init(|| {
            // Its child and its threads are the library's own: they belong to no test's runtime.
            let started = std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(Worker::python().version("1.2.0").start())
            });
            Stageflow(started.join().unwrap())
        })
    }

    fn worker(&self) -> Result<&Worker, EngineError> {
        self.0.as_ref().map_err(|error| {
            let engine = "stageflow-core".to_owned();
            let why = error.to_string();
            if error.is_missing_target() && !super::required() {
                EngineError::Missing { engine, why }
            } else {
                EngineError::Broken { engine, why }
            }
        })
    }
}

impl Engine for &'static Stageflow {
    fn name(&self) -> String {
        self.0.as_ref().map_or_else(|_| "stageflow-core".to_owned(), Worker::about)
    }

    /// Where it is not installed every case is asked for, and told that it is not there.
    fn capabilities(&self) -> Capabilities {
        self.0.as_ref().map_or_else(|_| Capabilities::all(), Engine::capabilities)
    }

    async fn run(&self, pipeline: &PipelineSpec, options: &RunOptions) -> Result<RunReport, EngineError> {
        Engine::run(self.worker()?, pipeline, options).await
    }

    async fn run_all(
        &self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> Result<Vec<RunReport>, EngineError> {
        self.worker()?.run_all(pipeline, runs, overlap).await
    }
}

stageflow_stress::conformance!(Stageflow::shared());
