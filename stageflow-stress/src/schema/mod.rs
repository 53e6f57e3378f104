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
    /// results/summary.json.
    Summary = "summary",
    /// results/tests.json.
    Tests = "tests",
    /// results/metrics/load.json.
    Load = "load",
    /// results/metrics/degradation.json.
    Degradation = "degradation",
    /// results/metrics/scaling.json.
    Scaling = "scaling",
    /// results/metrics/resource_usage.json.
    ResourceUsage = "resource_usage",
    /// results/metrics/targets.json.
    Targets = "targets",
    /// results/metrics/quality.json.
    Quality = "quality",
    /// results/metrics/checkers.json.
    Checkers = "checkers",
    /// results/faults/*.plan.json and results/probes/*.plan.json.
    FaultPlan = "fault_plan",
    /// results/faults/*.report.json.
    FaultReport = "fault_report",
    /// results/probes/{slug}.json.
    Probe = "probe",
    /// results/traces/trace_*.json.
    Trace = "trace",
    /// A line of .stageflow/journal/*.jsonl.
    Journal = "journal",
    /// .stageflow/run.json.
    Run = "run",
    /// .stageflow/shards/{uuid}.json.
    Shard = "shard",
    /// .stageflow/taken.json.
    Taken = "taken",
    /// runs/{ENTRY}/findings.registry.json.
    Registry = "registry",
    /// runs/.stageflow/invocations/{key}.json.
    Invocation = "invocation",
    /// runs/.stageflow/catalog/{invocation}/*.json.
    Catalogue = "catalogue",
    /// A line of runs/.stageflow/catalog/{invocation}/*.seen.
    CatalogueSeen = "catalogue_seen",
    /// What `stageflow-test … --json` answers; each command has a definition of its name.
    CommandLine = "command_line",
}

impl Schema {
    /// The schema of a file of a run folder, by its path within the folder. What a test or another tool keeps there as it
    /// likes, goldens and mock data among them, has none.
    #[must_use]
    pub fn of_file(path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let name = &without_sum(name);
        Some(match (folder, name.as_str()) {
            ("", "findings.json") => Schema::FindingsUpstream,
            ("", "strengths.json" | "bugs.json" | "dx.json" | "improvements.json") => Schema::Ledger,
            ("", "aggregated_findings.json") => Schema::AggregatedFindings,
            ("config", "run_config.json") => Schema::RunConfig,
            ("config", "environment.json") => Schema::Environment,
            ("dx_evaluation", "scores.json") => Schema::Scores,
            ("research", "citations.json") => Schema::Citations,
            ("results", "summary.json") => Schema::Summary,
            ("results", "tests.json") => Schema::Tests,
            ("results/metrics", name) => {
                let stem = name.strip_suffix(".json")?;
                let metrics = [
                    Schema::Latency,
                    Schema::Throughput,
                    Schema::Values,
                    Schema::Load,
                    Schema::Degradation,
                    Schema::Scaling,
                    Schema::ResourceUsage,
                    Schema::Targets,
                    Schema::Quality,
                    Schema::Checkers,
                ];
                return metrics.into_iter().find(|schema| schema.name() == stem);
            }
            ("results/logs", name) if name.ends_with("_stats.json") => Schema::LogStats,
            ("results/logs", name) if name.ends_with("_errors.json") => Schema::LogErrors,
            ("results/faults" | "results/probes", name) if name.ends_with(".plan.json") => Schema::FaultPlan,
            ("results/faults", name) if name.ends_with(".report.json") => Schema::FaultReport,
            ("results/probes", name) if name.ends_with(".json") => Schema::Probe,
            ("results/traces", name) if name.starts_with("trace_") => Schema::Trace,
            (".stageflow", "run.json") => Schema::Run,
            (".stageflow", "taken.json") => Schema::Taken,
            (".stageflow/shards", name) if name.ends_with(".json") => Schema::Shard,
            (".stageflow/journal", name) if name.ends_with(".jsonl") => Schema::Journal,
            _ => return None,
        })
    }

    /// The schema of a file of a directory of runs, by its path within the directory.
    ///
    /// ```
    /// use stageflow_stress::schema::Schema;
    ///
    /// assert_eq!(Schema::of_stored("DAG-005/run-2026-01-14-001/findings.json"), Some(Schema::FindingsUpstream));
    /// assert_eq!(Schema::of_stored("DAG-005/findings.registry.json"), Some(Schema::Registry));
    /// assert_eq!(Schema::of_file("results/logs/a_stats.0a1b2c3d.json"), Some(Schema::LogStats), "one of several after a merge");
    /// assert_eq!(Schema::of_stored("DAG-005/run-2026-01-14-001/mocks/data/scale/orders.json"), None);
    /// ```
    #[must_use]
    pub fn of_stored(path: &str) -> Option<Self> {
        if let Some(hidden) = path.strip_prefix(".stageflow/") {
            return Some(match hidden.split('/').next()? {
                "invocations" => Schema::Invocation,
                "catalog" if hidden.ends_with(".seen") => Schema::CatalogueSeen,
                "catalog" if hidden.ends_with(".json") => Schema::Catalogue,
                _ => return None,
            });
        }
        match path.split_once('/') {
            None => Schema::of_file(path).filter(|schema| *schema == Schema::AggregatedFindings),
            Some((_, "findings.registry.json")) => Some(Schema::Registry),
            Some((_, below)) => Schema::of_file(below.split_once('/')?.1),
        }
    }

    /// Whether each line of a file is a document of its own.
    #[must_use]
    pub const fn is_of_lines(self) -> bool {
        matches!(self, Schema::Journal | Schema::CatalogueSeen)
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

/// The name without the checksum that a merge gave it because several machines had different files of that name.
fn without_sum(name: &str) -> String {
    let parts: Vec<&str> = name.rsplitn(3, '.').collect();
    match parts[..] {
        [ending, sum, stem] if sum.len() == 8 && sum.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{stem}.{ending}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
