//! What is known of a log besides its text: what its author declares, and what capture and the run say.

use super::digest::Execution;
use super::profile::Profile;
use crate::journal::record::{LogRule, LogRuleKind};

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
    /// A record that must be there so often.
    pub fn new(text: String, times: &impl std::ops::RangeBounds<u64>) -> Self {
        use std::ops::Bound;
        let at_least = match times.start_bound() {
            Bound::Included(n) => *n,
            Bound::Excluded(n) => n.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let at_most = match times.end_bound() {
            Bound::Included(n) => *n,
            Bound::Excluded(n) => n.saturating_sub(1),
            Bound::Unbounded => u64::MAX,
        };
        Expected { text, at_least, at_most }
    }

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
    /// Takes a declaration, part by part as the journal holds it, and returns what the journal is told. The same happens
    /// while the test runs and when its log is analysed after a crash. Parts of another version declare nothing.
    pub fn declare(&mut self, kind: LogRuleKind, parts: Vec<String>, why: Option<String>) -> LogRule {
        let text = self.take(kind, &parts, why.as_deref()).unwrap_or_else(|| parts.join(" "));
        LogRule { kind, text, why, parts }
    }

    /// What was declared, in words.
    fn take(&mut self, kind: LogRuleKind, parts: &[String], why: Option<&str>) -> Option<String> {
        Some(match (kind, parts) {
            (LogRuleKind::ExpectErrors, [text]) => {
                self.expected_errors.push(text.clone());
                text.clone()
            }
            (LogRuleKind::ExpectLog, [text, least, most]) => {
                let (at_least, at_most) = (least.parse().ok()?, most.parse().ok()?);
                said(&mut self.expected, Expected { text: text.clone(), at_least, at_most })
            }
            (LogRuleKind::Pair, [start, key, ends @ ..]) => {
                let pair = Pair { start: start.clone(), ends: ends.to_vec(), key: key.clone() };
                said(&mut self.pairs, pair)
            }
            (LogRuleKind::States, [name, key, field, steps @ ..]) => {
                let (steps, []) = steps.as_chunks::<2>() else { return None };
                let machine = Machine {
                    name: name.clone(),
                    key: key.clone(),
                    field: field.clone(),
                    steps: steps.iter().map(|[from, to]| (from.clone(), to.clone())).collect(),
                };
                said(&mut self.machines, machine)
            }
            (LogRuleKind::Correlate, [field]) => {
                self.correlation.push(field.clone());
                field.clone()
            }
            (LogRuleKind::Waive, [detector, text]) => {
                let (detector, why) = (detector.parse().ok()?, why.unwrap_or_default().to_owned());
                said(&mut self.waived, Waiver { detector, text: text.clone(), why })
            }
            _ => return None,
        })
    }

    /// All reasons in one sentence.
    pub fn missing(&self) -> String {
        self.losses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Adds a declaration, and says it in words.
fn said<T: std::fmt::Display>(list: &mut Vec<T>, new: T) -> String {
    let text = new.to_string();
    list.push(new);
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_holds_declares_the_same_again() {
        use LogRuleKind as K;
        let declared: [(K, &[&str], &str); 6] = [
            (K::ExpectErrors, &["disk is full"], "disk is full"),
            (K::ExpectLog, &["closed", "1", "3"], "closed, 1 to 3"),
            (
                K::Pair,
                &["taken", "lock", "given back", "expired"],
                "taken … given back or expired, joined by lock",
            ),
            (K::States, &["order", "id", "state", "", "made", "made", "paid"], "order:  → made, made → paid"),
            (K::Correlate, &["order_id"], "order_id"),
            (K::Waive, &["8", "visited"], "D8: visited"),
        ];
        let (mut first, mut second) = (Rules::default(), Rules::default());
        for (kind, parts, text) in declared {
            let parts = parts.iter().map(|part| (*part).to_owned()).collect();
            let told = first.declare(kind, parts, Some("because".to_owned()));
            assert_eq!(told.text, text);
            let line = serde_json::to_string(&told).unwrap();
            let read: LogRule = serde_json::from_str(&line).unwrap();
            assert_eq!(second.declare(read.kind, read.parts, read.why), told);
        }
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(
            (&second.expected_errors[..], &second.correlation[..]),
            (&["disk is full".to_owned()][..], &["order_id".to_owned()][..])
        );
        assert_eq!(second.pairs[0].ends, ["given back", "expired"]);
        assert_eq!(second.machines[0].steps.len(), 2);
        assert_eq!((second.expected[0].at_least, second.expected[0].at_most), (1, 3));
        assert_eq!(second.waived[0].why, "because");
    }

    #[test]
    fn parts_that_are_not_understood_declare_nothing() {
        use LogRuleKind as K;
        let mut rules = Rules::default();
        let untouched = format!("{rules:?}");
        for (kind, parts) in [
            (K::ExpectLog, vec!["closed"]),
            (K::ExpectLog, vec!["closed", "one", "3"]),
            (K::States, vec!["order", "id", "state", "made"]),
            (K::Waive, vec!["300", "visited"]),
            (K::Correlate, vec![]),
        ] {
            rules.declare(kind, parts.into_iter().map(str::to_owned).collect(), None);
        }
        assert_eq!(format!("{rules:?}"), untouched);
    }
}
