//! The JSON documents that this library writes, as published schemas, and checking documents against them.
//!
//! The schemas lie in `docs/schema/` too. The check understands exactly what they use and looks at dates itself, because
//! validators differ in whether they do; a test compares it with an independent validator.

mod check;

pub use check::{Violation, ViolationKind};

use std::sync::OnceLock;

use serde_json::Value;

macro_rules! schemas {
    ($($(#[$meta:meta])* $variant:ident = $file:literal),+ $(,)?) => {
        /// A kind of document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Schema { $($(#[$meta])* $variant),+ }

        impl Schema {
            /// All of them.
            pub const ALL: &'static [Schema] = &[$(Schema::$variant),+];

            /// The schema, a JSON document of draft 7.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Schema::$variant => include_str!(concat!("../../schema/", $file, ".schema.json"))),+ }
            }

            /// The name of its file, without `.schema.json`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Schema::$variant => $file),+ }
            }
        }
    };
}

schemas! {
    /// findings.json as its first readers know it. What it has no place for lies under `x_stageflow`.
    FindingsUpstream = "findings.upstream",
    /// findings.json with exact types, identity and evidence.
    FindingsExtended = "findings.extended",
    /// strengths.json, bugs.json, dx.json, improvements.json.
    Ledger = "ledger",
    /// aggregated_findings.json.
    AggregatedFindings = "aggregated_findings",
    /// config/run_config.json.
    RunConfig = "run_config",
    /// config/environment.json.
    Environment = "environment",
    /// dx_evaluation/scores.json.
    Scores = "scores",
    /// results/metrics/latency.json.
    Latency = "latency",
    /// results/metrics/throughput.json.
    Throughput = "throughput",
    /// results/metrics/values.json.
    Values = "values",
    /// research/citations.json.
    Citations = "citations",
    /// results/logs/{slug}_stats.json.
    LogStats = "log_stats",
    /// results/logs/{slug}_errors.json.
    LogErrors = "log_errors",
    /// The difference of two logs.
    LogDiff = "log_diff",
}

impl Schema {
    /// The schema of a file of a run folder, by its path within the folder. Files of other rooms and tools have none.
    #[must_use]
    pub fn of_file(path: &str) -> Option<Self> {
        Some(match path {
            "findings.json" => Schema::FindingsUpstream,
            "strengths.json" | "bugs.json" | "dx.json" | "improvements.json" => Schema::Ledger,
            "aggregated_findings.json" => Schema::AggregatedFindings,
            "config/run_config.json" => Schema::RunConfig,
            "config/environment.json" => Schema::Environment,
            "dx_evaluation/scores.json" => Schema::Scores,
            "results/metrics/latency.json" => Schema::Latency,
            "results/metrics/throughput.json" => Schema::Throughput,
            "results/metrics/values.json" => Schema::Values,
            "research/citations.json" => Schema::Citations,
            path if path.starts_with("results/logs/") && path.ends_with("_stats.json") => Schema::LogStats,
            path if path.starts_with("results/logs/") && path.ends_with("_errors.json") => Schema::LogErrors,
            _ => return None,
        })
    }

    /// What a document violates; nothing if it is valid.
    ///
    /// ```
    /// use stageflow_stress::schema::Schema;
    ///
    /// let scores = serde_json::json!({ "overall_score": 7, "categories": {}, "documentation_gaps": [] });
    /// let violations = Schema::Scores.violations(&scores);
    /// assert!(violations.iter().any(|what| what.to_string() == "/overall_score: 7 is greater than 5"));
    /// assert!(violations.iter().any(|what| what.to_string() == "/categories: has no `discoverability`"));
    /// ```
    #[must_use]
    pub fn violations(self, document: &Value) -> Vec<Violation> {
        check::violations(self.parsed(), document)
    }

    fn parsed(self) -> &'static Value {
        static PARSED: OnceLock<Vec<Value>> = OnceLock::new();
        let parsed = PARSED.get_or_init(|| {
            // A test parses every one of them.
            Schema::ALL.iter().map(|schema| serde_json::from_str(schema.text()).unwrap_or_default()).collect()
        });
        let position = Schema::ALL.iter().position(|schema| *schema == self);
        position.and_then(|position| parsed.get(position)).unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
mod tests;
