//! Stands in for a port of Stageflow to Rust: its shape, and no more of it than the recipe needs.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[derive(Clone, Copy, PartialEq)]
pub enum StageStatus {
    Ok,
    Skip,
    Cancel,
    Fail,
    Retry,
}

#[derive(Clone)]
pub struct StageOutput {
    pub status: StageStatus,
    pub data: Option<HashMap<String, Value>>,
    pub error: Option<String>,
}

pub struct StageContext {
    outputs: HashMap<String, StageOutput>,
}

impl StageContext {
    pub fn output(&self, stage: &str) -> Option<&StageOutput> {
        self.outputs.get(stage)
    }
}

/// `#[async_trait]` writes this signature.
pub trait Stage: Send + Sync {
    fn name(&self) -> &str;
    fn execute<'a>(&'a self, ctx: &'a StageContext) -> Boxed<'a, StageOutput>;
}

type Declared = (String, Arc<dyn Stage>, Vec<String>);

pub struct PipelineBuilder {
    stages: Vec<Declared>,
}

pub struct Pipeline {
    stages: Vec<Declared>,
}

impl PipelineBuilder {
    pub fn new(_name: &str) -> Self {
        PipelineBuilder { stages: Vec::new() }
    }

    pub fn stage(mut self, name: &str, stage: Arc<dyn Stage>, after: &[&str]) -> Result<Self, String> {
        if self.stages.iter().any(|(known, _, _)| known == name) {
            return Err(format!("duplicate stage {name}"));
        }
        if stage.name() != name {
            return Err(format!("stage {name} calls itself {}", stage.name()));
        }
        self.stages.push((name.to_owned(), stage, after.iter().map(|name| (*name).to_owned()).collect()));
        Ok(self)
    }

    pub fn build(self) -> Result<Pipeline, String> {
        Ok(Pipeline { stages: self.stages })
    }
}

impl Pipeline {
    /// Runs stages in waves, each as a task of its own.
    pub async fn execute(&self) -> Result<HashMap<String, StageOutput>, String> {
        let mut outputs: HashMap<String, StageOutput> = HashMap::new();
        while outputs.len() < self.stages.len() {
            let ready: Vec<&Declared> = self
                .stages
                .iter()
                .filter(|(name, _, after)| {
                    !outputs.contains_key(name)
                        && after.iter().all(|dependency| outputs.contains_key(dependency))
                })
                .collect();
            if ready.is_empty() {
                return Err("the remaining stages wait for each other".to_owned());
            }
            let mut wave = tokio::task::JoinSet::new();
            for (name, stage, _) in ready {
                let (name, stage, outputs) = (name.clone(), Arc::clone(stage), outputs.clone());
                wave.spawn(async move { (name, stage.execute(&StageContext { outputs }).await) });
            }
            while let Some(ended) = wave.join_next().await {
                let (name, output) = ended.map_err(|lost| match lost.try_into_panic() {
                    Ok(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
                    Err(lost) => lost.to_string(),
                })?;
                if !matches!(output.status, StageStatus::Ok | StageStatus::Skip) {
                    wave.shutdown().await;
                    return Err(format!("{name}: {}", output.error.unwrap_or_default()));
                }
                outputs.insert(name, output);
            }
        }
        Ok(outputs)
    }
}
