//! Graphs: declaration and validation.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::bag::Bag;
use crate::cleanup::Cleanups;
use crate::defects::{Defect, Defects};
use crate::idempotency::Store;
use crate::interceptor::Breakers;
use crate::stage::{Output, StageDef};
use crate::tools::ToolDef;

/// Why a graph cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Two stages have one name.
    #[error("two stages are named `{0}`")]
    Duplicate(String),
    /// A dependency does not exist.
    #[error("stage `{stage}` comes after `{dependency}`, which does not exist")]
    Unknown {
        /// The stage.
        stage: String,
        /// What it names.
        dependency: String,
    },
    /// Stages wait for each other.
    #[error("the stages {0:?} wait for each other")]
    Cycle(Vec<String>),
    /// A guard retry names stages that do not exist, or a guard that does not come after its retry stage.
    #[error("the guard retry of `{guard}` must name a stage that comes before it, found `{retry_stage}`")]
    GuardRetry {
        /// The guard.
        guard: String,
        /// The stage to be run again.
        retry_stage: String,
    },
    /// The check did not come to an end.
    #[error("the graph is too deep to be checked")]
    TooDeep,
}

/// A guard whose refusal sends the work back to an earlier stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRetryPolicy {
    /// The guard.
    pub guard: String,
    /// The stage that is run again.
    pub retry_stage: String,
    /// How often the guard may be asked.
    pub max_attempts: u32,
}

/// Collects the parts of a graph.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    name: String,
    stages: Vec<StageDef>,
    tools: Vec<ToolDef>,
    guard_retries: Vec<GuardRetryPolicy>,
    defects: Defects,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) def: StageDef,
    pub(crate) dependencies: Vec<usize>,
    pub(crate) dependents: Vec<usize>,
}

/// A checked graph. It can be run any number of times, at once and in turn; its runs share the idempotency store and
/// the circuit breakers, and nothing else.
#[derive(Clone)]
pub struct Graph {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) nodes: Vec<Node>,
    index: HashMap<String, usize>,
    tools: HashMap<String, ToolDef>,
    pub(crate) guard_retries: Vec<GuardRetryPolicy>,
    pub(crate) defects: Defects,
    pub(crate) store: Arc<Store>,
    pub(crate) breakers: Breakers,
    /// Ids of runs that have begun and not ended.
    pub(crate) active: Mutex<Vec<String>>,
    pub(crate) planted: Planted,
}

/// State that belongs to a run and that defects share between runs.
#[derive(Default)]
pub(crate) struct Planted {
    pub(crate) cleanups: Arc<Cleanups>,
    pub(crate) bag: Arc<Bag>,
    pub(crate) current_run: Mutex<String>,
    pub(crate) retries_used: Mutex<HashMap<String, u32>>,
    pub(crate) results_by_key: Mutex<HashMap<String, Output>>,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        GraphBuilder { name: name.into(), ..GraphBuilder::default() }
    }

    /// Plants defects.
    #[must_use]
    pub fn defects(mut self, defects: Defects) -> Self {
        self.defects = defects;
        self
    }

    /// Adds a stage.
    #[must_use]
    pub fn stage(mut self, stage: StageDef) -> Self {
        self.stages.push(stage);
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: ToolDef) -> Self {
        self.tools.push(tool);
        self
    }

    /// Sends the work back to an earlier stage when a guard fails.
    #[must_use]
    pub fn guard_retry(mut self, policy: GuardRetryPolicy) -> Self {
        self.guard_retries.push(policy);
        self
    }

    /// Checks the graph.
    ///
    /// # Errors
    /// Names the first thing that is wrong.
    pub fn build(mut self) -> Result<Graph, BuildError> {
        let defects = self.defects;
        if defects.on(Defect::DuplicateStageReplaces) {
            let mut kept: Vec<StageDef> = Vec::new();
            for stage in self.stages {
                match kept.iter_mut().find(|earlier| earlier.name == stage.name) {
                    Some(earlier) => *earlier = stage,
                    None => kept.push(stage),
                }
            }
            self.stages = kept;
        }
        let mut index = HashMap::new();
        for (at, stage) in self.stages.iter().enumerate() {
            if index.insert(stage.name.clone(), at).is_some() {
                return Err(BuildError::Duplicate(stage.name.clone()));
            }
        }
        let mut nodes: Vec<Node> = Vec::new();
        for def in self.stages {
            let mut dependencies = Vec::new();
            for name in def.after.iter().chain(def.condition.iter().map(|condition| &condition.stage)) {
                match index.get(name) {
                    Some(at) if dependencies.contains(at) => {}
                    Some(at) => dependencies.push(*at),
                    None if defects.on(Defect::UnknownDependencyIgnored) => {}
                    None => {
                        return Err(BuildError::Unknown { stage: def.name, dependency: name.clone() });
                    }
                }
            }
            nodes.push(Node { def, dependencies, dependents: Vec::new() });
        }
        for at in 0..nodes.len() {
            for dependency in nodes[at].dependencies.clone() {
                nodes[dependency].dependents.push(at);
            }
        }
        if defects.on(Defect::CycleCheckRecurses) {
            check_by_recursion(&nodes)?;
        }
        if !defects.on(Defect::CyclesAccepted) {
            check_for_cycles(&nodes)?;
        }
        for policy in &self.guard_retries {
            let known = index.get(&policy.guard).zip(index.get(&policy.retry_stage));
            if !known.is_some_and(|(guard, retry)| comes_before(&nodes, *retry, *guard)) {
                let (guard, retry_stage) = (policy.guard.clone(), policy.retry_stage.clone());
                return Err(BuildError::GuardRetry { guard, retry_stage });
            }
        }
        Ok(Graph {
            inner: Arc::new(Inner {
                name: self.name,
                nodes,
                index,
                tools: self.tools.into_iter().map(|tool| (tool.name.clone(), tool)).collect(),
                guard_retries: self.guard_retries,
                defects,
                store: Arc::default(),
                breakers: Breakers::default(),
                active: Mutex::default(),
                planted: Planted::default(),
            }),
        })
    }
}

/// Takes away stages that wait for nothing until none is left.
fn check_for_cycles(nodes: &[Node]) -> Result<(), BuildError> {
    let mut waiting: Vec<usize> = nodes.iter().map(|node| node.dependencies.len()).collect();
    let mut ready: Vec<usize> = (0..nodes.len()).filter(|at| waiting[*at] == 0).collect();
    let mut done = 0;
    while let Some(at) = ready.pop() {
        done += 1;
        for dependent in &nodes[at].dependents {
            waiting[*dependent] -= 1;
            if waiting[*dependent] == 0 {
                ready.push(*dependent);
            }
        }
    }
    if done == nodes.len() {
        return Ok(());
    }
    let left = (0..nodes.len()).filter(|at| waiting[*at] > 0).map(|at| nodes[at].def.name.clone()).collect();
    Err(BuildError::Cycle(left))
}

/// The check that a recursive function with a limited stack makes: it follows dependencies from the first declared stage.
fn check_by_recursion(nodes: &[Node]) -> Result<(), BuildError> {
    const STACK: usize = 400;
    fn visit(nodes: &[Node], at: usize, depth: usize, seen: &mut [bool]) -> Result<(), BuildError> {
        if depth > STACK {
            return Err(BuildError::TooDeep);
        }
        if std::mem::replace(&mut seen[at], true) {
            return Ok(());
        }
        nodes[at].dependencies.iter().try_for_each(|next| visit(nodes, *next, depth + 1, seen))
    }
    let mut seen = vec![false; nodes.len()];
    (0..nodes.len()).try_for_each(|at| visit(nodes, at, 0, &mut seen))
}

/// Whether `late` depends on `early`, directly or not.
fn comes_before(nodes: &[Node], early: usize, late: usize) -> bool {
    let mut open = vec![early];
    let mut seen = vec![false; nodes.len()];
    while let Some(at) = open.pop() {
        for next in &nodes[at].dependents {
            if *next == late {
                return true;
            }
            if !std::mem::replace(&mut seen[*next], true) {
                open.push(*next);
            }
        }
    }
    false
}

impl Graph {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// How many runs have begun and not ended.
    #[must_use]
    pub fn active_runs(&self) -> usize {
        crate::bag::lock(&self.inner.active).len()
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.inner.nodes[at]
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&ToolDef> {
        self.inner.tools.get(name)
    }

    pub(crate) fn at(&self, name: &str) -> Option<usize> {
        self.inner.index.get(name).copied()
    }

    /// The stages that a guard's refusal runs again: from `retry_stage` on every way to the guard, both included.
    pub(crate) fn between(&self, retry_stage: usize, guard: usize) -> Vec<usize> {
        let nodes = &self.inner.nodes;
        let on_way = |at: usize| {
            (at == retry_stage || comes_before(nodes, retry_stage, at))
                && (at == guard || comes_before(nodes, at, guard))
        };
        (0..nodes.len()).filter(|at| on_way(*at)).collect()
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("name", &self.inner.name)
            .field("stages", &self.inner.nodes.len())
            .finish_non_exhaustive()
    }
}
