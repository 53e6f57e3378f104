//! What is known of a log besides its text: what its author declares, and what capture and the run say.

use super::digest::Execution;
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
    /// Observations that are accepted.
    pub waived: Vec<Waiver>,
    /// Why records may be missing.
    pub losses: Vec<Missing>,
    /// Memory in bytes over operations.
    pub memory: Vec<(f64, f64)>,
    /// The last good run of the same test.
    pub baseline: Option<Profile>,
    /// Why there is none, where that is known.
    pub no_baseline: Option<String>,
    /// Other logs to compare with.
    pub comparisons: Vec<Comparison>,
    /// Earlier executions of the same test, oldest first.
    pub history: Vec<Execution>,
}

/// Observations that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiver {
    /// 1 for D1.
    pub detector: u8,
    /// A part of what the detector sees; empty for all of it.
    pub text: String,
    /// Why it is right.
    pub why: String,
}

impl std::fmt::Display for Waiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.text.is_empty() { "all that it sees" } else { &self.text };
        write!(f, "D{}: {what}", self.detector)
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.text, self.bounds())
    }
}

impl Expected {
    /// How often, in words.
    pub fn bounds(&self) -> String {
        match (self.at_least, self.at_most) {
            (least, u64::MAX) => format!("at least {least}"),
            (least, most) if least == most => format!("{least}"),
            (least, most) => format!("{least} to {most}"),
        }
    }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} … {}", self.start, self.ends.join(" or "))?;
        if self.key.is_empty() { Ok(()) } else { write!(f, ", joined by {}", self.key) }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(|(from, to)| format!("{from} → {to}")).collect();
        write!(f, "{}: {}", self.name, steps.join(", "))
    }
}

/// Why records may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Capture was partial, and says why. The runtime files that as a finding of its own.
    Partial(String),
    /// Anything else, in words.
    Told(String),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Missing::Partial(why) => write!(f, "capture was partial: {why}"),
            Missing::Told(why) => f.write_str(why),
        }
    }
}

impl Rules {
    /// All reasons in one sentence.
    pub fn missing(&self) -> String {
        self.losses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Two logs of the same thing, in short.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub before: Side,
    pub after: Side,
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// What reports call it.
    pub name: String,
    /// What is kept of it; absent for the log at hand.
    pub profile: Option<Profile>,
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
