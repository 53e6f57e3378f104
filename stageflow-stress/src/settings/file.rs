//! `stageflow.toml`.

use std::path::Path;

use serde::Deserialize;

use super::SettingsError;
use crate::journal::record::{Citation, ContextFact, Fact};

/// The file. An unknown key is an error, so that a misspelt one is not silently without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where run folders go, relative to the file.
    pub runs: Option<String>,
    /// The project's own roadmap; read by the attribute at compile time.
    #[serde(default, rename = "roadmap")]
    _roadmap: Option<String>,
    /// Severity from which an unknown finding is red.
    pub fail_on: Option<String>,
    /// The file of known findings, relative to this one.
    pub known: Option<String>,
    /// Deadline of every test that sets none.
    pub timeout: Option<String>,
    /// Whether run folders are meant to be committed.
    pub keep: Option<bool>,
    /// MiB that the log records of a process may take before they are rendered.
    pub capture_limit: Option<i64>,
    /// Sources that the tests rest on.
    #[serde(default)]
    pub citation: Vec<CitationTable>,
    /// The setting of the tests.
    pub context: Option<Context>,
    /// What is redacted besides, and what is not.
    pub redaction: Option<crate::redact::Table>,
}

/// A source: `[[citation]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CitationTable {
    title: String,
    source: String,
    #[serde(default)]
    relevance: String,
}

impl CitationTable {
    /// The source as it is recorded.
    pub fn into_citation(self) -> Citation {
        Citation { title: self.title, source: self.source, relevance: self.relevance }
    }
}

/// The setting of the tests: what the report's header and its simulation section say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    // Run configurations of other tools have this name.
    #[serde(alias = "industry_vertical")]
    industry: Option<String>,
    persona: Option<String>,
    deployment_mode: Option<String>,
    agent_model: Option<String>,
    stageflow_version: Option<String>,
    #[serde(default)]
    success_criteria: Vec<String>,
    #[serde(default)]
    data_sets: Vec<String>,
    #[serde(default)]
    mocked_services: Vec<String>,
    #[serde(default)]
    parameters: std::collections::BTreeMap<String, toml::Value>,
}

impl Context {
    /// The facts, in the order of the fields.
    pub fn into_facts(self) -> Vec<ContextFact> {
        let single = [
            (Fact::Industry, self.industry),
            (Fact::Persona, self.persona),
            (Fact::DeploymentMode, self.deployment_mode),
            (Fact::AgentModel, self.agent_model),
            (Fact::StageflowVersion, self.stageflow_version),
        ];
        let lists = [
            (Fact::SuccessCriterion, self.success_criteria),
            (Fact::DataSet, self.data_sets),
            (Fact::MockedService, self.mocked_services),
        ];
        let parameters = self.parameters.into_iter().map(|(name, value)| {
            let value = match value {
                toml::Value::String(text) => text,
                other => serde_json::to_string(&other).unwrap_or_default(),
            };
            (Fact::Parameter, format!("{name}={value}"))
        });
        single
            .into_iter()
            .filter_map(|(fact, value)| value.map(|value| (fact, value)))
            .chain(
                lists
                    .into_iter()
                    .flat_map(|(fact, values)| values.into_iter().map(move |value| (fact, value))),
            )
            .chain(parameters)
            .map(|(fact, value)| ContextFact { fact, value })
            .collect()
    }
}

/// Reads the file.
pub fn read(path: &Path) -> Result<File, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: path.to_owned(), why: error.to_string() })?;
    toml::from_str(&text).map_err(|error| SettingsError::Malformed {
        path: path.to_owned(),
        why: error.to_string().trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_named_with_those_that_exist() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stageflow.toml");
        std::fs::write(&path, "fail_onn = \"low\"\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("fail_onn") && error.contains("fail_on"), "{error}");
    }

    #[test]
    fn facts_keep_their_order_and_nothing_is_added() {
        let file: File = toml::from_str(
            "[context]\npersona = \"SRE\"\nsuccess_criteria = [\"a\", \"b\"]\n[context.parameters]\nwidth = 500\n",
        )
        .unwrap();
        let facts: Vec<_> =
            file.context.unwrap().into_facts().into_iter().map(|fact| (fact.fact, fact.value)).collect();
        assert_eq!(
            facts,
            [
                (Fact::Persona, "SRE".to_owned()),
                (Fact::SuccessCriterion, "a".to_owned()),
                (Fact::SuccessCriterion, "b".to_owned()),
                (Fact::Parameter, "width=500".to_owned()),
            ]
        );
    }

    #[test]
    fn the_industry_has_the_name_of_other_tools_too() {
        let file: File = toml::from_str("[context]\nindustry_vertical = \"retail\"\n").unwrap();
        let facts = file.context.unwrap().into_facts();
        assert_eq!((facts[0].fact, facts[0].value.as_str()), (Fact::Industry, "retail"));
    }
}
