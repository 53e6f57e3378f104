//! Suggestions for Stageflow Plus: what builders could take ready-made instead of writing it again.

use serde_json::{Map, Value, json};

use crate::classify::{Priority, words};

words! {
    /// What is suggested.
    pub enum SuggestionKind: "kind of suggestion" {
        /// A kind of stage beside TRANSFORM, ENRICH, ROUTE, GUARD, WORK and AGENT.
        StageKind = "stagekind_suggestion",
        /// A stage or a part of one, ready to use.
        Component = "component_suggestion",
        /// A way of putting stages together that deserves a name and an interface.
        Pattern = "pattern_suggestion",
    }
}

/// The category of improvements that are meant for Stageflow Plus.
pub(crate) const CATEGORY: &str = "plus_package";

/// A suggestion for Stageflow Plus. It becomes an entry of `improvements.json` with an id of its own, and has a place of its
/// own in the report.
///
/// ```
/// use stageflow_stress::Priority;
/// use stageflow_stress::finding::Suggestion;
///
/// let batches = Suggestion::component("Batch stage", "runs its items in batches of a size that can be set")
///     .priority(Priority::P1)
///     .context("three of our pipelines have one of their own")
///     .rationale("each of them gets the last, smaller batch wrong in another way")
///     .proposed_solution("a stage that wraps another one, with size and a policy for the rest")
///     .perspective("a hospital sends laboratory orders in batches, and may drop none");
/// assert_eq!(batches.kind().as_str(), "component_suggestion");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a suggestion is recorded by `cx.suggest(..)`"]
pub struct Suggestion {
    kind: SuggestionKind,
    fields: Map<String, Value>,
}

impl Suggestion {
    /// A suggestion of a kind: a name, and what it does.
    pub fn new(kind: SuggestionKind, title: &str, description: &str) -> Self {
        let suggestion = Suggestion { kind, fields: Map::new() };
        suggestion
            .with("title", title)
            .with("description", description)
            .with("type", kind.as_str())
            .with("category", CATEGORY)
            .priority(Priority::P2)
    }

    /// A kind of stage.
    pub fn stage_kind(title: &str, description: &str) -> Self {
        Self::new(SuggestionKind::StageKind, title, description)
    }

    /// A component.
    pub fn component(title: &str, description: &str) -> Self {
        Self::new(SuggestionKind::Component, title, description)
    }

    /// A pattern.
    pub fn pattern(title: &str, description: &str) -> Self {
        Self::new(SuggestionKind::Pattern, title, description)
    }

    /// How much it is wanted: P0 is essential, P1 is valuable, P2, which holds unless something else is said, is nice to have.
    pub fn priority(self, priority: Priority) -> Self {
        self.with("priority", priority.as_str())
    }

    /// When and how it was missed.
    pub fn context(self, text: &str) -> Self {
        self.with("context", text)
    }

    /// Why it is worth it.
    pub fn rationale(self, text: &str) -> Self {
        self.with("rationale", text)
    }

    /// How it could be made.
    pub fn proposed_solution(self, text: &str) -> Self {
        self.with("proposed_solution", text)
    }

    /// What it would mean to the persona whose part the test plays.
    pub fn perspective(self, text: &str) -> Self {
        self.with("roleplay_perspective", text)
    }

    /// What is suggested.
    #[must_use]
    pub fn kind(&self) -> SuggestionKind {
        self.kind
    }

    /// The entry of the ledger, which gets its id, its agent and its time there.
    #[must_use]
    pub fn entry(self) -> Map<String, Value> {
        self.fields
    }

    fn with(mut self, name: &str, text: &str) -> Self {
        self.fields.insert(name.to_owned(), json!(text));
        self
    }
}
