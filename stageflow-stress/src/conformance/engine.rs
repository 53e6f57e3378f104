//! Engines behind a pointer, so that cases are compiled once.

use crate::engine::{Boxed, Capabilities, Engine, EngineError, Overlap, PipelineSpec, RunOptions, RunReport};

/// [`Engine`] with its futures behind pointers.
pub trait AnyEngine: Send + Sync {
    /// See [`Engine::name`].
    fn name(&self) -> String;
    /// See [`Engine::capabilities`].
    fn capabilities(&self) -> Capabilities;
    /// See [`Engine::run`].
    fn run<'a>(
        &'a self,
        pipeline: &'a PipelineSpec,
        options: &'a RunOptions,
    ) -> Boxed<'a, Result<RunReport, EngineError>>;
    /// See [`Engine::run_all`].
    fn run_all<'a>(
        &'a self,
        pipeline: &'a PipelineSpec,
        runs: &'a [RunOptions],
        overlap: Overlap,
    ) -> Boxed<'a, Result<Vec<RunReport>, EngineError>>;
}

impl<E: Engine> AnyEngine for E {
    fn name(&self) -> String {
        Engine::name(self)
    }

    fn capabilities(&self) -> Capabilities {
        Engine::capabilities(self)
    }

    fn run<'a>(
        &'a self,
        pipeline: &'a PipelineSpec,
        options: &'a RunOptions,
    ) -> Boxed<'a, Result<RunReport, EngineError>> {
        Box::pin(Engine::run(self, pipeline, options))
    }

    fn run_all<'a>(
        &'a self,
        pipeline: &'a PipelineSpec,
        runs: &'a [RunOptions],
        overlap: Overlap,
    ) -> Boxed<'a, Result<Vec<RunReport>, EngineError>> {
        Box::pin(Engine::run_all(self, pipeline, runs, overlap))
    }
}
