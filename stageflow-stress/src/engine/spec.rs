//! What is run: stages with kind, dependencies and behavior, plus options of one run.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parts::{Condition, Field, GuardRetry, ToolSpec};
use crate::classify::words;

words! {
    /// The six kinds of Stageflow stages.
    pub enum StageKind: "stage kind" {
        /// Changes data.
        Transform = "TRANSFORM",
        /// Adds data.
        Enrich = "ENRICH",
        /// Chooses a path.
        Route = "ROUTE",
        /// Lets data pass or stops it.
        Guard = "GUARD",
        /// Acts on the world.
        Work = "WORK",
        /// Decides by itself what to do.
        Agent = "AGENT",
    }
}

/// A pipeline as data.
///
/// ```
/// use stageflow_stress::engine::{Behavior, PipelineSpec, StageSpec};
///
/// let mut pipeline = PipelineSpec::new("sum");
/// for n in 0..3 {
///     pipeline = pipeline.stage(StageSpec::new(format!("n{n}"), Behavior::emit("value", n)));
/// }
/// let pipeline = pipeline.stage(StageSpec::new("sum", Behavior::sum("value")).after(["n0", "n1", "n2"]));
/// pipeline.check().unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PipelineSpec {
    /// Name of the pipeline.
    pub name: String,
    /// The stages, in the order in which they are declared to the engine.
    pub stages: Vec<StageSpec>,
    /// Tools that its stages can call.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tools: Vec<ToolSpec>,
    /// Guards whose refusal sends the work back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub guard_retries: Vec<GuardRetry>,
}

impl PipelineSpec {
    /// An empty pipeline.
    pub fn new(name: impl Into<String>) -> Self {
        PipelineSpec { name: name.into(), stages: Vec::new(), tools: Vec::new(), guard_retries: Vec::new() }
    }

    /// Adds a stage.
    #[must_use]
    pub fn stage(mut self, stage: StageSpec) -> Self {
        self.stages.push(stage);
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: ToolSpec) -> Self {
        self.tools.push(tool);
        self
    }

    /// Sends the work back to `retry_stage` when `guard` fails, until the guard was asked `max_attempts` times.
    #[must_use]
    pub fn guard_retry(
        mut self,
        guard: impl Into<String>,
        retry_stage: impl Into<String>,
        max_attempts: u32,
    ) -> Self {
        self.guard_retries.push(GuardRetry::new(guard, retry_stage, max_attempts));
        self
    }

    /// The same pipeline with its stages declared in the opposite order.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.stages.reverse();
        self
    }

    /// The stage with the given name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Checks that names are unique and that every dependency exists.
    ///
    /// # Errors
    /// Names the first stage that is wrong. Cycles are left to the engine under test: finding them is its work.
    pub fn check(&self) -> Result<(), SpecError> {
        let mut names = BTreeSet::new();
        for stage in &self.stages {
            if !names.insert(stage.name.as_str()) {
                return Err(SpecError::Duplicate { stage: stage.name.clone() });
            }
        }
        for stage in &self.stages {
            if let Some(missing) = stage.after.iter().find(|name| !names.contains(name.as_str())) {
                return Err(SpecError::UnknownDependency {
                    stage: stage.name.clone(),
                    dependency: missing.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Why a pipeline is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Two stages have one name.
    #[error("two stages are named `{stage}`; stage names must be unique")]
    Duplicate {
        /// The name.
        stage: String,
    },
    /// A stage depends on one that does not exist.
    #[error("stage `{stage}` comes after `{dependency}`, which is not a stage of the pipeline")]
    UnknownDependency {
        /// The stage.
        stage: String,
        /// What it names.
        dependency: String,
    },
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageSpec {
    /// Unique name.
    pub name: String,
    /// Kind; [`StageKind::Transform`] unless told.
    pub kind: StageKind,
    /// Names of the stages that must end first.
    pub after: Vec<String>,
    /// What the stage does after its sleep and its effect.
    pub behavior: Behavior,
    /// How long it sleeps first, in milliseconds.
    pub sleep_ms: u64,
    /// The side effect that it records, after the sleep and before the behavior.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effect: Option<String>,
    /// The engine's own deadline for one attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    /// When it runs at all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub when: Option<Condition>,
    /// The side effect of a clean-up that it registers with the engine when it is entered, before its sleep. The engine
    /// owes it at the end of the run, however that comes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cleanup: Option<String>,
    /// What it promises to return, as its contract with the engine.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub returns: Vec<Field>,
}

impl StageSpec {
    /// A TRANSFORM stage without dependencies.
    pub fn new(name: impl Into<String>, behavior: Behavior) -> Self {
        StageSpec {
            name: name.into(),
            kind: StageKind::Transform,
            after: Vec::new(),
            behavior,
            sleep_ms: 0,
            effect: None,
            timeout_ms: None,
            when: None,
            cleanup: None,
            returns: Vec::new(),
        }
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: StageKind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds dependencies.
    #[must_use]
    pub fn after<I: IntoIterator<Item = S>, S: Into<String>>(mut self, stages: I) -> Self {
        self.after.extend(stages.into_iter().map(Into::into));
        self
    }

    /// Sleeps before acting. Whole milliseconds; what is below is cut off.
    #[must_use]
    pub fn sleep(mut self, duration: Duration) -> Self {
        self.sleep_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Records a side effect before the behavior.
    #[must_use]
    pub fn effect(mut self, name: impl Into<String>) -> Self {
        self.effect = Some(name.into());
        self
    }

    /// Sets the engine's own deadline for one attempt, in milliseconds.
    #[must_use]
    pub fn timeout_ms(mut self, ms: u64) -> Self {
        self.timeout_ms = Some(ms);
        self
    }

    /// Runs only if `stage`, which becomes a dependency, returned `equals` under `key`.
    #[must_use]
    pub fn when(
        mut self,
        stage: impl Into<String>,
        key: impl Into<String>,
        equals: impl Into<Value>,
    ) -> Self {
        let stage = stage.into();
        if !self.after.contains(&stage) {
            self.after.push(stage.clone());
        }
        self.when = Some(Condition { stage, key: key.into(), equals: equals.into() });
        self
    }

    /// Registers a clean-up when it is entered.
    #[must_use]
    pub fn cleanup(mut self, effect: impl Into<String>) -> Self {
        self.cleanup = Some(effect.into());
        self
    }

    /// Promises a key of its output.
    #[must_use]
    pub fn returns(mut self, field: Field) -> Self {
        self.returns.push(field);
        self
    }
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Behavior {
    /// Returns the given data.
    Const {
        /// Keys and values of the output.
        data: serde_json::Map<String, Value>,
    },
    /// Returns the outputs of its dependencies, merged in the order of their names.
    Echo,
    /// Returns `{"sum": n}`: the sum of `key` over its dependencies.
    Sum {
        /// The key that is summed.
        key: String,
    },
    /// Returns `{"value": n + 1}` where `n` is `value` of its single dependency, or 0 without one.
    Increment,
    /// Appends `item` to the list `key` that its dependency returned, in place, and returns the list under `key`.
    Append {
        /// The key that holds a list.
        key: String,
        /// What is appended.
        item: Value,
    },
    /// As [`Append`](Behavior::Append), on a copy of the list: what the dependency returned stays as it was.
    AppendCopy {
        /// The key that holds a list.
        key: String,
        /// What is appended.
        item: Value,
    },
    /// Returns, under `key`, what the engine's own look-up gives for `key` among the stage's dependencies.
    Read {
        /// The key.
        key: String,
    },
    /// Ends with the status `fail`.
    Fail {
        /// The error text.
        message: String,
    },
    /// Raises an exception (or panics, in an engine that has panics).
    Panic {
        /// The error text.
        message: String,
    },
    /// Fails on the first `failures` attempts and succeeds afterwards.
    Flaky {
        /// Attempts that fail.
        failures: u32,
        /// How they fail.
        how: FlakyHow,
    },
    /// Ends with the status `skip`.
    Skip {
        /// The reason.
        reason: String,
    },
    /// Ends with the status `cancel`.
    Cancel {
        /// The reason.
        reason: String,
    },
    /// Ends with the status `retry` on every attempt.
    Retry {
        /// The error text.
        message: String,
    },
    /// Blocks its thread for the given time without yielding.
    Block {
        /// Milliseconds.
        ms: u64,
    },
    /// Returns, under `key`, the snapshot's value of that key; null if it has none.
    Input {
        /// The key.
        key: String,
    },
    /// Returns, under `key`, the name of the stage as the engine tells it; null if it does not.
    Named {
        /// The key.
        key: String,
    },
    /// Returns, under `key`, the id of the run as the engine tells it; null if it does not.
    RunId {
        /// The key.
        key: String,
    },
    /// Ends with the status `fail` if the snapshot's value of `key` is true, and returns nothing otherwise.
    FailIf {
        /// The key.
        key: String,
    },
    /// Calls a tool of the pipeline and returns `{"tool": NAME}`. If the engine says that the call failed or was denied,
    /// the stage fails.
    Tool {
        /// The tool.
        name: String,
    },
    /// Runs another pipeline within this one, through the engine's own facility, and returns `{"child": {STAGE: DATA}}`.
    /// If the engine says that it did not succeed, the stage fails. Stages of the child are reported as `PARENT/CHILD`.
    Sub {
        /// The child.
        pipeline: Box<PipelineSpec>,
    },
}

words! {
    /// How an attempt of a flaky stage fails.
    pub enum FlakyHow: "way of failing" {
        /// It raises an error of a kind that the engine's retry facility retries by default.
        Raise = "raise",
        /// It raises the platform's timeout error.
        Timeout = "timeout",
        /// It raises an error of a kind that the engine's retry facility does not retry by default.
        Permanent = "permanent",
        /// It returns the status `fail`.
        Fail = "fail",
        /// It returns the status `retry`.
        Retry = "retry",
    }
}

impl Behavior {
    /// Returns one value under one key.
    pub fn emit(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Behavior::Const { data: serde_json::Map::from_iter([(key.into(), value.into())]) }
    }

    /// Returns the snapshot's value of `key`.
    pub fn input(key: impl Into<String>) -> Self {
        Behavior::Input { key: key.into() }
    }

    /// Fails if the snapshot says so.
    pub fn fail_if(key: impl Into<String>) -> Self {
        Behavior::FailIf { key: key.into() }
    }

    /// Calls a tool.
    pub fn tool(name: impl Into<String>) -> Self {
        Behavior::Tool { name: name.into() }
    }

    /// Runs another pipeline.
    #[must_use]
    pub fn sub(pipeline: PipelineSpec) -> Self {
        Behavior::Sub { pipeline: Box::new(pipeline) }
    }

    /// Sums `key` over the dependencies.
    pub fn sum(key: impl Into<String>) -> Self {
        Behavior::Sum { key: key.into() }
    }

    /// Returns the value that the engine finds under `key`.
    pub fn read(key: impl Into<String>) -> Self {
        Behavior::Read { key: key.into() }
    }

    /// Appends to the list of its dependency, in place.
    pub fn append(key: impl Into<String>, item: impl Into<Value>) -> Self {
        Behavior::Append { key: key.into(), item: item.into() }
    }

    /// Appends to a copy of the list of its dependency.
    pub fn append_copy(key: impl Into<String>, item: impl Into<Value>) -> Self {
        Behavior::AppendCopy { key: key.into(), item: item.into() }
    }

    /// Fails on the first `failures` attempts.
    #[must_use]
    pub fn flaky(failures: u32, how: FlakyHow) -> Self {
        Behavior::Flaky { failures, how }
    }

    /// Raises an error.
    pub fn panic(message: impl Into<String>) -> Self {
        Behavior::Panic { message: message.into() }
    }

    /// Ends with the status `fail`.
    pub fn fail(message: impl Into<String>) -> Self {
        Behavior::Fail { message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_with_a_missing_dependency_is_named() {
        let pipeline = PipelineSpec::new("p").stage(StageSpec::new("a", Behavior::Echo).after(["b"]));
        assert_eq!(
            pipeline.check().unwrap_err().to_string(),
            "stage `a` comes after `b`, which is not a stage of the pipeline"
        );
    }

    #[test]
    fn behavior_is_one_tagged_object() {
        let json = serde_json::to_string(&Behavior::emit("n", 3)).unwrap();
        assert_eq!(json, r#"{"do":"const","data":{"n":3}}"#);
    }
}
