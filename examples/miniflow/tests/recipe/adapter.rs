use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use stageflow_stress::engine::{
    Capabilities, Capability, Driven, Engine, EngineError, PipelineSpec, RunEnd, RunOptions, RunReport,
    Script, StageIo, StageSpec, StageStatus,
};

use super::engine as stageflow;

/// A stage that plays what the suite asks for.
struct Played {
    script: Script,
    spec: StageSpec,
}

impl stageflow::Stage for Played {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn execute<'a>(
        &'a self,
        ctx: &'a stageflow::StageContext,
    ) -> stageflow::Boxed<'a, stageflow::StageOutput> {
        Box::pin(async move {
            let played = self.script.play(&self.spec, &Io(ctx)).await;
            let status = match (played.raised, played.status) {
                (Some(_), _) => stageflow::StageStatus::Fail,
                (None, StageStatus::Ok) => stageflow::StageStatus::Ok,
                (None, StageStatus::Skip) => stageflow::StageStatus::Skip,
                (None, StageStatus::Cancel) => stageflow::StageStatus::Cancel,
                (None, StageStatus::Retry) => stageflow::StageStatus::Retry,
                (None, _) => stageflow::StageStatus::Fail,
            };
            let data: HashMap<String, Value> = played.data.into_iter().collect();
            stageflow::StageOutput { status, data: Some(data), error: played.error }
        })
    }
}

/// What a stage asks of the engine.
struct Io<'a>(&'a stageflow::StageContext);

impl StageIo for Io<'_> {
    fn output(&self, stage: &str) -> Option<Map<String, Value>> {
        Some(self.0.output(stage)?.data.clone().unwrap_or_default().into_iter().collect())
    }
}

pub struct MyEngine;

impl Engine for MyEngine {
    fn name(&self) -> String {
        "my port".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::from_iter([Capability::Abandon])
    }

    async fn run(&self, pipeline: &PipelineSpec, options: &RunOptions) -> Result<RunReport, EngineError> {
        let script = Script::new(pipeline);
        let mut builder = stageflow::PipelineBuilder::new(&pipeline.name);
        for spec in &pipeline.stages {
            let stage = Arc::new(Played { script: script.clone(), spec: spec.clone() });
            let after: Vec<&str> = spec.after.iter().map(String::as_str).collect();
            builder = match builder.stage(&spec.name, stage, &after) {
                Ok(builder) => builder,
                Err(error) => return Ok(script.report(options, RunEnd::Error, Some(error)).await),
            };
        }
        let built = match builder.build() {
            Ok(built) => built,
            Err(error) => return Ok(script.report(options, RunEnd::Error, Some(error)).await),
        };
        let (end, error) = match script.drive(options, built.execute(), || {}).await {
            Driven::TimedOut => (RunEnd::Timeout, None),
            Driven::Abandoned => (RunEnd::Cancelled, None),
            Driven::Done(Err(error)) if error.contains("not needed") => (RunEnd::Cancelled, Some(error)),
            Driven::Done(Err(error)) => (RunEnd::Error, Some(error)),
            Driven::Done(Ok(outputs)) => {
                for (stage, output) in outputs {
                    let status = match output.status {
                        stageflow::StageStatus::Skip => StageStatus::Skip,
                        _ => StageStatus::Ok,
                    };
                    let data = output.data.map(|data| data.into_iter().collect());
                    script.reported(&stage, status, data, output.error);
                }
                (RunEnd::Ok, None)
            }
        };
        Ok(script.report(options, end, error).await)
    }
}
