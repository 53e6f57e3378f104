//! What an author says: findings, strengths, hypotheses, notes, scores.

use std::io;
use std::panic::Location;
use std::path::{Component, Path};

use serde_json::json;

use super::TestContext;
use crate::finding::{Finding, Suggestion};
use crate::journal::record::{
    Aspect, Citation, ContextFact, DocumentationAspect, DocumentationFeedback, DxScore, DxTime, DxTimed,
    Fact, Hypothesis, HypothesisResult, Ledger, LedgerRecord, Note, Record, Topic,
};
use crate::redact;
use crate::run::write_atomically;

impl TestContext {
    /// Records a finding. One at or above the test's `fail_on` that is not in the committed file of known findings makes
    /// the test red. Returns its fingerprint.
    #[track_caller]
    pub fn finding(&self, finding: Finding) -> String {
        self.inner.file(finding, "author", Some(Location::caller()))
    }

    /// Records something that works well, with what shows it.
    pub fn strength(&self, title: &str, component: &str, evidence: &str) {
        self.ledger(
            Ledger::Strengths,
            json!({ "title": title, "description": evidence, "component": component, "evidence": evidence }),
        );
    }

    /// Records a suggestion: what is missing, and how it could look.
    pub fn improvement(&self, title: &str, rationale: &str, proposed_solution: &str) {
        let entry = json!({
            "title": title, "description": rationale, "rationale": rationale, "proposed_solution": proposed_solution,
        });
        self.ledger(Ledger::Improvements, entry);
    }

    /// Records a suggestion for Stageflow Plus: a kind of stage, a component or a pattern.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # fn in_a_test(cx: &TestContext) {
    /// cx.suggest(
    ///     Suggestion::component("Batch stage", "runs its items in batches of a size that can be set")
    ///         .priority(Priority::P1)
    ///         .rationale("every pipeline gets the last, smaller batch wrong in another way"),
    /// );
    /// # }
    /// ```
    pub fn suggest(&self, suggestion: Suggestion) {
        self.ledger(Ledger::Improvements, suggestion.entry().into());
    }

    /// Records an entry of a ledger with the fields of its template; id, agent and time are given to it.
    pub fn ledger(&self, ledger: Ledger, entry: serde_json::Value) {
        let entry = match entry {
            serde_json::Value::Object(map) => map,
            other => serde_json::Map::from_iter([("description".to_owned(), other)]),
        };
        self.inner.record(Record::Ledger(LedgerRecord { ledger, entry }));
    }

    /// Records a hypothesis with what became of it and what decided that.
    pub fn hypothesis(&self, statement: &str, result: HypothesisResult, evidence: &str) {
        let hypothesis =
            Hypothesis { statement: statement.to_owned(), result, evidence: evidence.to_owned() };
        self.inner.record(Record::Hypothesis(hypothesis));
    }

    /// Records a research note.
    pub fn note(&self, topic: Topic, text: &str) {
        self.inner.record(Record::Note(Note { topic, text: text.to_owned() }));
    }

    /// Records a source: its title, where it is, and what it says that matters here.
    pub fn cite(&self, title: &str, source: &str, relevance: &str) {
        let citation =
            Citation { title: title.to_owned(), source: source.to_owned(), relevance: relevance.to_owned() };
        self.inner.record(Record::Citation(citation));
    }

    /// Records a fact about the setting of the test, such as its persona, a success criterion or a mocked service. What
    /// holds for all tests belongs into `[context]` of `stageflow.toml`.
    pub fn fact(&self, fact: Fact, value: &str) {
        self.inner.record(Record::Context(ContextFact { fact, value: value.to_owned() }));
    }

    /// Scores an aspect of the developer experience, from 1 (unacceptable) to 5 (excellent), with the reason.
    ///
    /// # Panics
    /// If the score is not between 1 and 5.
    #[track_caller]
    pub fn dx_score(&self, aspect: Aspect, score: u8, notes: &str) {
        assert!((1..=5).contains(&score), "a score is between 1 and 5, found {score}");
        self.inner.record(Record::DxScore(DxScore { aspect, score, notes: notes.to_owned() }));
    }

    /// Records how many minutes something took a developer.
    ///
    /// # Panics
    /// If the number is negative or not finite.
    #[track_caller]
    pub fn dx_minutes(&self, what: DxTimed, minutes: f64) {
        assert!(minutes.is_finite() && minutes >= 0.0, "minutes are a number from 0, found {minutes}");
        self.inner.record(Record::DxTime(DxTime { what, minutes }));
    }

    /// Records feedback on the documentation of what is tested.
    pub fn documentation(&self, aspect: DocumentationAspect, place: &str, text: &str) {
        let feedback = DocumentationFeedback { aspect, place: place.to_owned(), text: text.to_owned() };
        self.inner.record(Record::Documentation(feedback));
    }

    /// Keeps a file in the run folder, such as `mocks/data/edge_cases/empty_order_small.json`.
    ///
    /// # Errors
    /// If the path is not a plain path below the run folder, is one of the files that are made from the journal, or
    /// cannot be written.
    pub fn save(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), SaveError> {
        let refused = |why| SaveError::Path { path: path.to_owned(), why };
        let parsed = Path::new(path);
        if path.is_empty()
            || path.contains('\\')
            || !parsed.components().all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(refused(
                "write a path below the run folder, with `/`, without `..` and not absolute",
            ));
        }
        let top = path.split('/').next().unwrap_or_default();
        if !matches!(top, "mocks" | "pipelines" | "tests" | "research" | "results") || !path.contains('/') {
            return Err(refused(
                "write a path below `mocks/`, `pipelines/`, `tests/`, `research/` or `results/`",
            ));
        }
        write_atomically(&self.inner.run.dir.join(parsed), &redact::content(content.as_ref()))
            .map_err(|source| SaveError::Io { path: path.to_owned(), source })
    }
}

/// Why a file could not be kept in the run folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The path leaves the folder or names a file that is made from the journal.
    #[error("`{path}` cannot be a file of the run folder: {why}")]
    Path {
        /// The path.
        path: String,
        /// What to write instead.
        why: &'static str,
    },
    /// The file cannot be written.
    #[error("cannot write `{path}` into the run folder")]
    Io {
        /// The path.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}
