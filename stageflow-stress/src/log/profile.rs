//! What is kept of a log to compare others with it: its templates, how often each came, and what followed what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A log, in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Operations: pipeline runs, requests, whatever has an id. 0 where nothing names any.
    pub operations: u64,
    /// Templates by text.
    pub templates: BTreeMap<String, Kept>,
    /// How often one template followed another within one operation or span, `a` → `b`, by text.
    pub edges: Vec<(String, String, u64)>,
}

/// What is kept of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub count: u64,
    pub level: String,
    pub line: u64,
    pub sample: String,
}

impl Profile {
    /// Adds another log of the same thing.
    pub fn add(&mut self, other: Profile) {
        self.operations += other.operations;
        for (text, kept) in other.templates {
            self.templates.entry(text).and_modify(|known| known.count += kept.count).or_insert(kept);
        }
        let mut edges: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (a, b, n) in std::mem::take(&mut self.edges).into_iter().chain(other.edges) {
            *edges.entry((a, b)).or_default() += n;
        }
        self.edges = edges.into_iter().map(|((a, b), n)| (a, b, n)).collect();
    }
}
