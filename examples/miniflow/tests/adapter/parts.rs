//! The SDK's words in miniflow's, and the parts of a run that record what they are asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use miniflow::{
    Approver, Contract, Defects, ErrorKind, Event, EventSink, Interceptor, Kind, Logger, Output, Resources,
    StageContext, StageError, Status, Tool, Type,
};
use serde_json::{Map, Value};
use stageflow_stress::engine::{
    Boxed, EngineLog, Field, Hook, InterceptorSpec, PipelineSpec, Played, Raised, RunOptions, Script,
    SinkSpec, StageIo, StageKind, StageStatus, ToolSpec, ValueType,
};
use tokio::time::sleep;

pub fn kind(kind: StageKind) -> Kind {
    match kind {
        StageKind::Enrich => Kind::Enrich,
        StageKind::Route => Kind::Route,
        StageKind::Guard => Kind::Guard,
        StageKind::Work => Kind::Work,
        StageKind::Agent => Kind::Agent,
        _ => Kind::Transform,
    }
}

pub fn contract(fields: &[Field]) -> Contract {
    fields.iter().fold(Contract::default(), |contract, field| {
        let is = match field.is {
            ValueType::Integer => Type::Integer,
            ValueType::Number => Type::Number,
            ValueType::Boolean => Type::Boolean,
            ValueType::List => Type::List,
            ValueType::Object => Type::Object,
            _ => Type::Text,
        };
        if field.optional { contract.optional(&field.key, is) } else { contract.field(&field.key, is) }
    })
}

/// What a body played, as miniflow wants it.
pub fn output(played: Played) -> Result<Output, StageError> {
    let message = played.error.clone().unwrap_or_default();
    match played.raised {
        Some(Raised::Timeout) => return Err(StageError::new(ErrorKind::Timeout, message)),
        Some(Raised::Permanent) => return Err(StageError::new(ErrorKind::Permanent, message)),
        Some(_) => return Err(StageError::new(ErrorKind::Transient, message)),
        None => {}
    }
    let status = match played.status {
        StageStatus::Ok => Status::Ok,
        StageStatus::Skip => Status::Skip,
        StageStatus::Cancel => Status::Cancel,
        StageStatus::Retry => Status::Retry,
        _ => Status::Fail,
    };
    Ok(Output { status, data: played.data, error: played.error })
}

/// What a body asks of miniflow.
pub struct Io {
    /// Of this stage, with a slash behind it.
    pub path: String,
    pub ctx: StageContext,
    pub defects: Defects,
}

impl StageIo for Io {
    fn output(&self, stage: &str) -> Option<Map<String, Value>> {
        self.ctx.output(stage)
    }

    fn look_up(&self, key: &str) -> Option<Value> {
        self.ctx.get(key)
    }

    fn own_name(&self) -> Option<String> {
        Some(self.ctx.stage().to_owned())
    }

    fn run_id(&self) -> Option<String> {
        Some(self.ctx.run_id().to_owned())
    }

    fn edit(
        &self,
        stage: &str,
        change: &mut dyn FnMut(&mut Map<String, Value>),
    ) -> Option<Map<String, Value>> {
        self.ctx.edit(stage, change)
    }

    fn input(&self, key: &str) -> Option<Value> {
        self.ctx.snapshot().data().get(key).cloned()
    }

    fn on_cleanup(&self, cleanup: Box<dyn FnOnce() + Send>) {
        self.ctx.on_cleanup(cleanup);
    }

    fn call_tool<'a>(&'a self, tool: &'a str) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move { self.ctx.call_tool(tool).await.map_err(|error| error.to_string()) })
    }

    fn run_child<'a>(&'a self, pipeline: &'a PipelineSpec) -> Boxed<'a, Result<Map<String, Value>, String>> {
        Box::pin(async move {
            let graph =
                super::build(pipeline, self.defects, &self.path).map_err(|error| error.to_string())?;
            let result = self.ctx.run_child(&graph).await;
            if !result.succeeded() {
                return Err(result.error.unwrap_or_else(|| "the child did not succeed".to_owned()));
            }
            Ok(result.outputs.into_iter().map(|(stage, output)| (stage, output.data.into())).collect())
        })
    }
}

fn script(resources: &Resources) -> &Script {
    resources.get().expect("every run has a script")
}

/// A tool that is given as data.
pub struct ScriptedTool(pub ToolSpec);

impl Tool for ScriptedTool {
    fn call<'a>(&'a self, resources: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            let (tool, script) = (&self.0, script(resources));
            let call = script.tool_call(&tool.name);
            sleep(Duration::from_millis(tool.sleep_ms)).await;
            if let Some(effect) = &tool.effect {
                script.effect(effect, None);
            }
            if call <= tool.failures { Err(format!("call {call} fails")) } else { Ok(()) }
        })
    }

    fn undo<'a>(&'a self, resources: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            if let Some(effect) = &self.0.undo {
                script(resources).effect(effect, None);
            }
            if self.0.undo_fails { Err("refused".to_owned()) } else { Ok(()) }
        })
    }
}

pub fn approver(options: &RunOptions) -> Approver {
    let answers = options.approvals.clone();
    Arc::new(move |tool| {
        let answer = answers.get(tool).copied();
        Box::pin(async move { answer })
    })
}

/// An interceptor that is given as data.
pub struct Hooks {
    script: Script,
    spec: InterceptorSpec,
}

impl Hooks {
    pub fn shared(script: &Script, spec: &InterceptorSpec) -> Arc<dyn Interceptor> {
        Arc::new(Hooks { script: script.clone(), spec: spec.clone() })
    }

    fn act(&self, when: &str, stage: &str, hook: &Hook) -> Result<Option<Output>, StageError> {
        if self.spec.on.as_ref().is_some_and(|on| on != stage) {
            return Ok(None);
        }
        self.script.effect(&format!("{} {when} {stage}", self.spec.name), None);
        match hook {
            Hook::Raise { message } => Err(StageError::new(ErrorKind::Permanent, message)),
            Hook::Answer { data } => Ok(Some(Output::ok(data.clone()))),
            _ => Ok(None),
        }
    }
}

impl Interceptor for Hooks {
    fn before<'a>(&'a self, stage: &'a str) -> Boxed<'a, Result<Option<Output>, StageError>> {
        Box::pin(async move { self.act("before", stage, &self.spec.before) })
    }

    fn after<'a>(&'a self, stage: &'a str) -> Boxed<'a, Result<(), StageError>> {
        Box::pin(async move { self.act("after", stage, &self.spec.after).map(|_| ()) })
    }
}

/// A sink that takes its time, refuses as often as told, and writes down the rest.
pub struct Recorder {
    script: Script,
    delay: Duration,
    refusals: AtomicU32,
}

impl Recorder {
    pub fn new(script: &Script, sink: &SinkSpec) -> Self {
        Recorder {
            script: script.clone(),
            delay: Duration::from_millis(sink.delay_ms),
            refusals: AtomicU32::new(sink.failures),
        }
    }
}

impl EventSink for Recorder {
    fn take(&self, event: Event) -> Boxed<'_, Result<(), String>> {
        Box::pin(async move {
            if !self.delay.is_zero() {
                sleep(self.delay).await;
            }
            if self
                .refusals
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
            {
                return Err("not now".to_owned());
            }
            self.script.event(event.name, event.data);
            Ok(())
        })
    }
}

pub fn logger(script: &Script) -> Logger {
    let script = script.clone();
    Arc::new(move |line| {
        let mut log = EngineLog::new(line.level, "miniflow", line.message);
        for (key, value) in [("run_id", line.run_id), ("stage", line.stage)] {
            if let Some(value) = value {
                log = log.field(key, value);
            }
        }
        script.log(log);
    })
}
