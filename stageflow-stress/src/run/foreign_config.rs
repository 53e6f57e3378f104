//! The setting of a run that another tool made, as its `config/run_config.json` tells.

use std::path::Path;

use serde_json::{Map, Value};

use crate::journal::record::{ContextFact, Fact};

/// What an import says itself, and what belongs to the machine that made the run.
const IDENTITY: [&str; 14] = [
    "format",
    "roadmap_entry_id",
    "roadmap_entry_title",
    "tier",
    "section",
    "priority",
    "risk_class",
    "phase",
    "target",
    "run_id",
    "agent_run_id",
    "invocation",
    "started_at",
    "completed_at",
];

/// The facts in the configuration beside a findings document; none where there is none, or none that can be read.
pub fn beside(document: &Path) -> Vec<ContextFact> {
    let path = document.with_file_name("config").join("run_config.json");
    let config = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(Value::Object(config)) = config else { return Vec::new() };
    facts(&config)
}

/// Known keys, under each name that they have in the field, become their facts; every other key is kept as a parameter.
fn facts(config: &Map<String, Value>) -> Vec<ContextFact> {
    let mut facts = Vec::new();
    for (key, value) in config {
        let fact = match key.as_str() {
            "industry" | "industry_vertical" => Fact::Industry,
            "persona" | "agent_persona" => Fact::Persona,
            "deployment_mode" => Fact::DeploymentMode,
            "agent_model" => Fact::AgentModel,
            "stageflow_version" => Fact::StageflowVersion,
            "success_criteria" => Fact::SuccessCriterion,
            "data_sets" => Fact::DataSet,
            "mocked_services" => Fact::MockedService,
            key if IDENTITY.contains(&key) => continue,
            _ => Fact::Parameter,
        };
        match (fact, key.as_str(), value) {
            (_, _, Value::Null) => {}
            (Fact::Parameter, "test_parameters", Value::Object(parameters)) => {
                for (name, value) in parameters {
                    facts.push(ContextFact { fact, value: format!("{name}={}", text(value)) });
                }
            }
            (Fact::Parameter, name, value) => {
                facts.push(ContextFact { fact, value: format!("{name}={}", text(value)) });
            }
            (_, _, Value::Array(values)) => {
                for value in values {
                    facts.push(ContextFact { fact, value: text(value) });
                }
            }
            (_, _, value) => facts.push(ContextFact { fact, value: text(value) }),
        }
    }
    facts
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
