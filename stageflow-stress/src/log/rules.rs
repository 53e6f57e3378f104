//! What is known of a log besides its text: what its author declares, and what capture and the run say.

use super::profile::Profile;

/// What the author of a test declares of its log, and what is known of the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Whether the test passed; absent for a log that belongs to no test.
    pub passed: Option<bool>,
    /// Texts of errors that belong to the scenario.
    pub expected_errors: Vec<String>,
    /// Records that must be there.
    pub expected: Vec<Expected>,
    /// Records that come in pairs.
    pub pairs: Vec<Pair>,
    /// State machines.
    pub machines: Vec<Machine>,
    /// Fields that name the operation, before the known ones.
    pub correlation: Vec<String>,
    /// Detectors and texts of observations that are accepted; an empty text accepts all of the detector.
    pub waived: Vec<(u8, String)>,
    /// Why records may be missing.
    pub losses: Vec<String>,
    /// Memory in bytes over operations.
    pub memory: Vec<(f64, f64)>,
    /// The last good run of the same test.
    pub baseline: Option<Profile>,
}

/// A record that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// A part of its message, its target or a field's value.
    pub text: String,
    pub at_least: u64,
    pub at_most: u64,
}

/// Records that come in pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// A part of the message that begins.
    pub start: String,
    /// A part of the message that ends; one of them is enough.
    pub ends: Vec<String>,
    /// The field whose value joins them; empty where there is at most one at a time.
    pub key: String,
}

/// States that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub name: String,
    /// The field whose value tells one instance from another.
    pub key: String,
    /// The field that holds the state, or empty: then each state is a part of the message.
    pub field: String,
    /// Allowed steps. The first state of an instance is one that is the source of a step from `""`, where there is any.
    pub steps: Vec<(String, String)>,
}
