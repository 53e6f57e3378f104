//! `config/`: what was run with which parameters, and where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::journal::record::Fact;
use crate::run::state::RunState;

use super::facts::{Facts, setting};

/// `run_config.json`.
pub fn run_config(facts: &Facts<'_>) -> Value {
    let state = facts.state;
    let info = &state.info;
    // Several processes may share a run: each distinct value once.
    let each = |value: fn(&crate::journal::record::ProcessInfo) -> String| -> BTreeSet<String> {
        state.processes.iter().map(value).collect()
    };
    json!({
        "format": info.format,
        "roadmap_entry_id": info.entry.id,
        "roadmap_entry_title": info.entry.title,
        "tier": info.entry.tier,
        "section": info.entry.section,
        "priority": info.entry.priority,
        "risk_class": info.entry.risk,
        "phase": (info.entry.phase > 0).then_some(info.entry.phase),
        "target": info.entry.target,
        "industry": setting(state, Fact::Industry),
        "persona": setting(state, Fact::Persona),
        "deployment_mode": setting(state, Fact::DeploymentMode),
        "run_id": info.run_id,
        "agent_run_id": info.uuid,
        "invocation": info.invocation,
        "started_at": info.started_at,
        "agent_model": setting(state, Fact::AgentModel),
        "stageflow_version": setting(state, Fact::StageflowVersion),
        "test_parameters": parameters(state),
        // As text: half of all seeds are greater than what a JavaScript number holds.
        "seed": info.seed.to_string(),
        "sdk_version": each(|process| process.sdk.clone()),
        "git_commit": info.git_commit,
        "git_dirty": info.git_dirty,
        "command_lines": state.processes.iter().map(|process| &process.command).collect::<BTreeSet<_>>(),
        "runner": each(|process| process.runner.clone()),
        "ci": info.ci,
    })
}

/// Parameters by name: the value, or all values where tests differ. One without a value is null.
fn parameters(state: &RunState) -> Value {
    let mut values: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for parameter in super::facts::settings(state, Fact::Parameter) {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Value::from(value.trim())),
            None => (parameter, Value::Null),
        };
        let known = values.entry(name).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }
    let single =
        |mut values: Vec<Value>| if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
    Value::Object(
        values.into_iter().map(|(name, values)| (name.to_owned(), single(values))).collect::<Map<_, _>>(),
    )
}

/// `environment.json`. What is not known is null.
pub fn environment(state: &RunState) -> Value {
    let environment = &state.info.environment;
    let mut dependencies = environment.dependencies.clone();
    // Readers of the upstream layout know no other place for the compiler.
    if let Some(rustc) = &environment.rustc {
        dependencies.entry("rustc".to_owned()).or_insert_with(|| rustc.clone());
    }
    json!({
        "os": environment.os,
        "cpu": environment.cpu,
        "logical_cores": environment.logical_cores,
        "memory_gb": environment.memory_gb,
        "gpu": environment.gpu,
        "rustc": environment.rustc,
        "target": environment.target,
        "profile": environment.profile,
        "dependencies": dependencies,
    })
}
