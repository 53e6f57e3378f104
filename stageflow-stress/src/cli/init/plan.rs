//! What a test of an entry should look at, read off the entry's words.

use crate::classify::{Category, Oracle, PipelineKind};
use crate::roadmap::Entry;

/// How a test of an entry begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What it looks at.
    pub category: Category,
    /// Which kind of pipeline it runs.
    pub pipeline: PipelineKind,
    /// What decides right from wrong.
    pub oracle: Oracle,
}

/// Words and what they speak for. The first that occurs decides, so the narrower ones stand first.
const CATEGORIES: &[(&str, Category)] = &[
    ("silent", Category::SilentFailures),
    ("hallucinat", Category::SilentFailures),
    ("drift", Category::SilentFailures),
    ("misinterpret", Category::SilentFailures),
    ("race condition", Category::SilentFailures),
    ("overwrite", Category::SilentFailures),
    ("desync", Category::SilentFailures),
    ("redact", Category::Security),
    ("injection resistance", Category::Security),
    ("jailbreak", Category::Security),
    ("isolation", Category::Security),
    ("sandbox", Category::Security),
    ("bypass", Category::Security),
    ("abuse", Category::Security),
    ("complian", Category::Security),
    ("encrypt", Category::Security),
    ("secure", Category::Security),
    ("security", Category::Security),
    ("spoof", Category::Security),
    ("access control", Category::Security),
    ("privilege", Category::Security),
    ("confidential", Category::Security),
    ("token validation", Category::Security),
    ("api key", Category::Security),
    ("oauth", Category::Security),
    ("masking", Category::Security),
    ("exfiltration", Category::Security),
    ("identity", Category::Security),
    ("fuzzing", Category::Security),
    ("latency", Category::Performance),
    ("cold start", Category::Performance),
    ("overhead", Category::Performance),
    ("requests per second", Category::Performance),
    ("footprint", Category::Performance),
    ("utilization efficiency", Category::Performance),
    ("efficiency", Category::Performance),
    ("cost optimization", Category::Performance),
    ("allocation", Category::Performance),
    ("fan-out", Category::Scalability),
    ("depth", Category::Scalability),
    ("concurrent", Category::Scalability),
    ("under load", Category::Scalability),
    ("burst", Category::Scalability),
    ("high-scale", Category::Scalability),
    ("tps", Category::Scalability),
    ("scaling", Category::Scalability),
    ("memory", Category::Scalability),
    ("throughput", Category::Scalability),
    ("load handling", Category::Scalability),
    ("contention", Category::Scalability),
    ("limits", Category::Scalability),
    ("recover", Category::Reliability),
    ("failure", Category::Reliability),
    ("failover", Category::Reliability),
    ("resilien", Category::Reliability),
    ("retry", Category::Reliability),
    ("timeout", Category::Reliability),
    ("partition", Category::Reliability),
    ("deadlock", Category::Reliability),
    ("livelock", Category::Reliability),
    ("starvation", Category::Reliability),
    ("fault toleran", Category::Reliability),
    ("rollback", Category::Reliability),
    ("offline", Category::Reliability),
    ("degradation", Category::Reliability),
    ("flap", Category::Reliability),
    ("eviction", Category::Reliability),
    ("reliability", Category::Reliability),
    ("log", Category::Observability),
    ("trace", Category::Observability),
    ("span", Category::Observability),
    ("telemetry", Category::Observability),
    ("audit", Category::Observability),
    ("explainab", Category::Observability),
    ("monitoring", Category::Observability),
];

const ORACLES: &[(&str, Oracle)] = &[
    ("idempoten", Oracle::Idempotency),
    ("retry", Oracle::Idempotency),
    ("correlation", Oracle::Trace),
    ("span", Oracle::Trace),
    ("trace", Oracle::Trace),
    ("audit", Oracle::Trace),
    ("cost", Oracle::Cost),
    ("billing", Oracle::Cost),
    ("schema", Oracle::Schema),
    ("validat", Oracle::Schema),
    ("contract", Oracle::Schema),
    ("typed", Oracle::Schema),
    ("format", Oracle::Schema),
    ("access control", Oracle::Permission),
    ("role-based", Oracle::Permission),
    ("isolation", Oracle::Permission),
    ("privilege", Oracle::Permission),
    ("sandbox", Oracle::Permission),
    ("policy", Oracle::Permission),
    ("latency", Oracle::Timing),
    ("timeout", Oracle::Timing),
    ("delay", Oracle::Timing),
    ("cold start", Oracle::Timing),
    ("real-time", Oracle::Timing),
    ("real time", Oracle::Timing),
    ("convergence", Oracle::Timing),
    ("deadlock", Oracle::Timing),
    ("livelock", Oracle::Timing),
    ("clock", Oracle::Timing),
    ("power failure", Oracle::Durability),
    ("crash", Oracle::Durability),
    ("persist", Oracle::Durability),
    ("storage", Oracle::Durability),
    ("node failure", Oracle::Durability),
    ("rollback", Oracle::StateChange),
    ("state", Oracle::StateChange),
    ("lifecycle", Oracle::StateChange),
    ("saga", Oracle::SideEffect),
    ("tool", Oracle::SideEffect),
    ("fulfillment", Oracle::SideEffect),
    ("depth", Oracle::Bounds),
    ("limit", Oracle::Bounds),
    ("memory", Oracle::Bounds),
    ("bounds", Oracle::Bounds),
    ("fan-out", Oracle::Bounds),
    ("load", Oracle::Bounds),
    ("tps", Oracle::Bounds),
    ("concurrent", Oracle::Bounds),
    ("recall", Oracle::Bounds),
    ("accuracy", Oracle::Bounds),
    ("throughput", Oracle::Bounds),
];

/// The plan of an entry.
pub fn plan(entry: &Entry) -> Plan {
    let words = format!("{} {}", entry.title, entry.section_title).to_lowercase();
    let title = entry.title.to_lowercase();
    let first = |text: &str| CATEGORIES.iter().find(|(word, _)| text.contains(word)).map(|(_, category)| *category);
    let category = first(&title).unwrap_or_else(|| match entry.tier {
        6 => Category::Observability,
        7 => Category::Reliability,
        8 => Category::Security,
        10 => Category::Performance,
        _ => first(&words).unwrap_or(Category::Correctness),
    });
    let oracle = |text: &str| ORACLES.iter().find(|(word, _)| text.contains(word)).map(|(_, oracle)| *oracle);
    let oracle = oracle(&title).unwrap_or(match category {
        Category::Security => Oracle::Security,
        Category::Performance => Oracle::Timing,
        Category::Scalability => Oracle::Bounds,
        Category::Observability => Oracle::Observability,
        Category::Reliability => Oracle::StateChange,
        Category::Correctness | Category::SilentFailures => Oracle::Consistency,
    });
    let has = |words: &[&str]| words.iter().any(|word| title.contains(word));
    let pipeline = if has(&["recover", "rollback", "failover", "rehydrat"]) {
        PipelineKind::Recovery
    } else if category == Category::Security {
        PipelineKind::Adversarial
    } else if entry.tier == 7 || has(&["failure", "partition", "flap", "outage", "fuzz", "malformed", "noisy"]) {
        PipelineKind::Chaos
    } else if matches!(category, Category::Scalability | Category::Performance)
        || has(&["race", "contention", "deadlock", "concurren"])
    {
        PipelineKind::Stress
    } else {
        PipelineKind::Baseline
    };
    Plan { category, pipeline, oracle }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::roadmap::{entries, find};

    #[test]
    fn an_entry_is_looked_at_for_what_it_says() {
        for (id, category, oracle) in [
            ("DAG-005", Category::Scalability, Oracle::Bounds),
            ("K8S-001", Category::Scalability, Oracle::Timing),
            ("WORK-002", Category::Correctness, Oracle::Idempotency),
            ("GUARD-001", Category::Security, Oracle::Security),
            ("CORE-001", Category::SilentFailures, Oracle::Bounds),
            ("OBS-001", Category::Observability, Oracle::Trace),
            ("EDGE-002", Category::Reliability, Oracle::Durability),
            ("SERVERLESS-001", Category::Performance, Oracle::Timing),
        ] {
            let plan = plan(find(id).unwrap());
            assert_eq!((plan.category, plan.oracle), (category, oracle), "{id}");
        }
    }

    #[test]
    fn every_category_and_pipeline_is_somebodys() {
        let (mut categories, mut pipelines) = (BTreeMap::new(), BTreeMap::new());
        for entry in entries() {
            let plan = plan(entry);
            *categories.entry(plan.category).or_insert(0) += 1;
            *pipelines.entry(plan.pipeline).or_insert(0) += 1;
        }
        assert_eq!(categories.len(), Category::ALL.len(), "{categories:?}");
        assert_eq!(pipelines.len(), PipelineKind::ALL.len(), "{pipelines:?}");
        // A plan that calls most entries the same says nothing about any of them.
        assert!(categories.values().all(|n| *n < entries().len() / 2), "{categories:?}");
    }
}
