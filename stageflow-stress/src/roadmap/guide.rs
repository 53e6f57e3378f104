//! What a first test of an entry looks at: one row for each built-in entry, set down by hand.

use std::sync::OnceLock;

use super::Entry;
use crate::classify::{Category, Oracle, PipelineKind, words};

/// The table as it is written. Read at first use, so that it costs nothing to build and nothing where nobody asks.
static TABLE: &str = include_str!("guide.md");

words! {
    /// What a test puts under test, which decides how it reaches it.
    pub enum Subject: "subject" {
        /// A pipeline run by an engine.
        Engine = "engine",
        /// One stage or function, called directly.
        Stage = "stage",
        /// A dependency behind a port: an API, a tool, a queue, a sink.
        Port = "port",
        /// A store whose state is audited.
        Store = "store",
        /// Something that is scored on labelled cases: a model, a classifier, a detector.
        Model = "model",
        /// A process that is limited, stopped or killed.
        Process = "process",
        /// A deployment that the test is pointed at.
        Cluster = "cluster",
        /// The project itself: its documentation, examples and tools.
        Project = "project",
    }
}

words! {
    /// The shape of a scenario. The module [`scenario`](crate::scenario) has one function for each.
    pub enum Template: "scenario template" {
        /// One call, judged by its result.
        Single = "single",
        /// One source, many parallel branches, one join.
        FanOutFanIn = "fan_out_fan_in",
        /// Steps in a row, each fed by the one before.
        Chain = "chain",
        /// Two branches between a common source and a common join.
        Diamond = "diamond",
        /// Much more work at once than usual.
        Burst = "burst",
        /// Load that rises step by step.
        Ramp = "ramp",
        /// The same request many times at once.
        DuplicateStorm = "duplicate_storm",
        /// The operation dropped at every point at which it can be.
        CancelEverywhere = "cancel_everywhere",
        /// The operation broken off after each of its effects.
        CrashAfterEffect = "crash_after_effect",
        /// Two tenants side by side, for each pair of them.
        TenantPairs = "tenant_pairs",
        /// Many turns over one state.
        LongSession = "long_session",
        /// A dependency that goes away and comes back.
        DependencyFlap = "dependency_flap",
        /// Two sides cut off from one another, then joined again.
        PartitionHeal = "partition_heal",
        /// The first use in a fresh state.
        ColdStart = "cold_start",
        /// Each kind of fault, one at a time.
        FaultSweep = "fault_sweep",
        /// Cases with known answers.
        LabelledSet = "labelled_set",
        /// Hostile cases that must be refused among harmless ones that must pass.
        AttackSet = "attack_set",
        /// The same input to two versions or configurations.
        TwoVersions = "two_versions",
        /// There and back again over values at the edges.
        RoundTrip = "round_trip",
        /// Something that would never end by itself.
        LoopLimit = "loop_limit",
        /// Several parties that want one thing.
        Contention = "contention",
        /// A recorded run, done again from its record.
        Replay = "replay",
    }
}

impl Template {
    /// Its use, as one line of a test.
    ///
    /// ```
    /// use stageflow_stress::roadmap::Template;
    ///
    /// assert_eq!(Template::Burst.line(), "burst(1_000, |n| request(n)).await?");
    /// ```
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Template::Single => "single(op).await?",
            Template::FanOutFanIn => "fan_out_fan_in(500, |n| stage(n)).await?",
            Template::Chain => "chain(1_000, start, |n, value| step(n, value)).await?",
            Template::Diamond => "diamond(source, left, right, join).await?",
            Template::Burst => "burst(1_000, |n| request(n)).await?",
            Template::Ramp => "ramp([1, 8, 64], |n| request(n)).await?",
            Template::DuplicateStorm => "duplicate_storm(500, &effects, || request()).await?",
            Template::CancelEverywhere => {
                "cancel_everywhere(|| (state, run), |state, at| audit(state)).await?"
            }
            Template::CrashAfterEffect => {
                "crash_after_effect(\"effects\", |faults| run(faults), |crash| audit(crash)).await?"
            }
            Template::TenantPairs => "tenant_pairs(&[\"a\", \"b\"], |tenant| run(tenant)).await?",
            Template::LongSession => "long_session(10_000, limit, measure, |n| turn(n)).await?",
            Template::DependencyFlap => {
                "dependency_flap(\"index\", (2, 2, 3), |faults, n| request(faults, n), right).await?"
            }
            Template::PartitionHeal => {
                "partition_heal(\"link\", limit, |faults| work(faults), || agree()).await?"
            }
            Template::ColdStart => "cold_start(10, || start(), |state| first_use(state)).await?",
            Template::FaultSweep => "fault_sweep(kinds, |faults| run(faults), |arm| judge(arm)).await?",
            Template::LabelledSet => "labelled_set(0.99, cases, |case| answer(case)).await?",
            Template::AttackSet => "attack_set(hostile, harmless, |case| refuses(case)).await?",
            Template::TwoVersions => "two_versions(inputs, old, new).await?",
            Template::RoundTrip => "round_trip(edges(), encode, decode)?",
            Template::LoopLimit => "loop_limit(time, \"max_steps\", op).await?",
            Template::Contention => "contention(8, 100, wait, |party, turn| use_it(party, turn)).await?",
            Template::Replay => "replay(|| run(), |record| again(record)).await?",
        }
    }
}

/// What a first test of a roadmap entry looks at.
///
/// A starting point set down by hand for each entry, and a default where a test says nothing else: a test that knows
/// better names its own category, pipeline and oracles.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guide {
    /// Identifier of the entry.
    pub id: &'static str,
    /// The test category.
    pub category: Category,
    /// The kind of pipeline.
    pub pipeline: PipelineKind,
    /// What decides right from wrong: one to three, the leading one first.
    pub oracles: Vec<Oracle>,
    /// What is put under test.
    pub subject: Subject,
    /// The scenario template that fits.
    pub template: Template,
    /// What a first test should assert, as the rest of a sentence that begins "a first test asserts that".
    pub hint: &'static str,
}

/// The guides of the built-in entries, in the order of the roadmap.
///
/// ```
/// use stageflow_stress::roadmap::{self, Template};
///
/// let flaps = roadmap::guides().iter().filter(|guide| guide.template == Template::DependencyFlap);
/// assert!(flaps.map(|guide| guide.id).any(|id| id == "CHAOS-002"));
/// ```
#[must_use]
pub fn guides() -> &'static [Guide] {
    static GUIDES: OnceLock<Vec<Guide>> = OnceLock::new();
    GUIDES.get_or_init(|| TABLE.lines().filter_map(row).collect())
}

impl Entry {
    /// What a first test of this entry looks at; `None` for an entry of a project's own roadmap.
    ///
    /// ```
    /// use stageflow_stress::{Category, Oracle, roadmap};
    ///
    /// let guide = roadmap::find("WORK-002").unwrap().guide().unwrap();
    /// assert_eq!((guide.category, guide.oracles[0]), (Category::SilentFailures, Oracle::Idempotency));
    /// assert_eq!(guide.template.as_str(), "duplicate_storm");
    /// assert!(guide.hint.starts_with("500 requests with one key have one effect"));
    /// ```
    #[must_use]
    pub fn guide(&self) -> Option<&'static Guide> {
        guides().iter().find(|guide| guide.id == self.id)
    }
}

/// One row of the table; `None` for every other line. That no row is lost this way is a test.
fn row(line: &'static str) -> Option<Guide> {
    let cells: Vec<&'static str> =
        line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [id, category, pipeline, oracles, subject, template, hint] = cells[..] else { return None };
    Some(Guide {
        id,
        category: category.parse().ok()?,
        pipeline: pipeline.parse().ok()?,
        oracles: oracles.split(", ").map(str::parse).collect::<Result<_, _>>().ok()?,
        subject: subject.parse().ok()?,
        template: template.parse().ok()?,
        hint,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::roadmap::entries;

    #[test]
    fn every_entry_has_its_guide_in_the_same_order() {
        let ids: Vec<_> = guides().iter().map(|guide| guide.id).collect();
        let expected: Vec<_> = entries().iter().map(|entry| entry.id).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn no_row_of_the_table_is_lost() {
        let written =
            TABLE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ID ")).count();
        assert_eq!(guides().len(), written);
    }

    #[test]
    fn oracles_are_one_to_three_and_distinct() {
        for guide in guides() {
            let distinct: BTreeSet<_> = guide.oracles.iter().collect();
            assert!((1..=3).contains(&guide.oracles.len()), "{}", guide.id);
            assert_eq!(distinct.len(), guide.oracles.len(), "{}", guide.id);
        }
    }

    #[test]
    fn hints_are_sentences_of_their_own() {
        let mut seen = BTreeMap::new();
        for guide in guides() {
            assert!((40..=130).contains(&guide.hint.len()), "{}: {} bytes", guide.id, guide.hint.len());
            assert!(!guide.hint.ends_with('.') && guide.hint.is_ascii(), "{}", guide.id);
            assert_eq!(seen.insert(guide.hint, guide.id), None, "{} repeats a hint", guide.id);
        }
    }

    #[test]
    fn every_word_is_used_and_none_swallows_the_rest() {
        fn shares<T: Ord + Copy>(words: &[T], of: impl Fn(&Guide) -> Vec<T>, most: usize) -> bool {
            words.iter().all(|word| {
                let n = guides().iter().filter(|guide| of(guide).contains(word)).count();
                (1..=most).contains(&n)
            })
        }
        assert!(shares(Category::ALL, |guide| vec![guide.category], 100));
        assert!(shares(PipelineKind::ALL, |guide| vec![guide.pipeline], 100));
        assert!(shares(Oracle::ALL, |guide| guide.oracles.clone(), 154));
        assert!(shares(Subject::ALL, |guide| vec![guide.subject], 100));
        assert!(shares(Template::ALL, |guide| vec![guide.template], 50));
    }

    /// What follows from the row of the roadmap itself, whatever the judgement was.
    #[test]
    fn guides_fit_what_the_roadmap_says() {
        for entry in entries() {
            let guide = entry.guide().unwrap();
            let words = |of: &str| entry.title.to_lowercase().contains(of);
            if entry.section.starts_with("8.") {
                assert_eq!(guide.category, Category::Security, "{}", entry.id);
            }
            if words("compliance") && entry.section_title.contains("Compliance") {
                assert!(
                    guide.oracles.iter().any(|o| matches!(o, Oracle::Permission | Oracle::Security)),
                    "{}",
                    entry.id
                );
            }
            if words("latency") || words("timeout") {
                assert!(guide.oracles.contains(&Oracle::Timing), "{}", entry.id);
            }
            if words("idempoten") {
                assert_eq!(guide.oracles[0], Oracle::Idempotency, "{}", entry.id);
            }
            if words("cost") {
                assert!(guide.oracles.contains(&Oracle::Cost), "{}", entry.id);
            }
            if words("schema") {
                assert!(guide.oracles.contains(&Oracle::Schema) || words("mapping"), "{}", entry.id);
            }
            if words("memory") && !words("agent memory") {
                assert!(guide.oracles.contains(&Oracle::Bounds), "{}", entry.id);
            }
            if let Some(target) = entry.target
                && target.to_string().contains("recall")
            {
                assert_eq!(guide.template, Template::LabelledSet, "{}", entry.id);
            }
        }
    }

    #[test]
    fn the_line_of_a_template_is_that_of_the_guide() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scenarios.md");
        // In a package of this crate alone the guide is not there.
        let Ok(guide) = std::fs::read_to_string(guide) else { return };
        let guide = guide.replace("\\|", "|");
        for template in Template::ALL {
            let line = template.line();
            assert!(guide.contains(&format!("| `{template}` | `{line}` |")), "{template}: {line}");
            assert!(line.starts_with(template.as_str()), "{line}");
        }
    }
}
