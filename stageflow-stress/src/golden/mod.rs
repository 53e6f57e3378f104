//! Goldens: a value is compared with its stored reference. insta stores and reviews, we record every pair.
//!
//! insta answers by panicking or not, and by calling the comparator or not. The four combinations tell a match, a
//! mismatch, a missing reference and one that was accepted on the fly apart.

mod canonical;
mod diff;

pub use canonical::canonical_json;
pub use diff::{pointers, unified};

use std::sync::{Arc, Mutex, PoisonError};

use insta::comparator::Comparator;
use insta::internals::SnapshotContents;

use crate::capture::{payload_text, quietly};
use crate::journal::record::GoldenOutcome;
use crate::registry::GoldenHook;

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What it is called.
    pub outcome: GoldenOutcome,
    /// The stored reference, where there is one.
    pub reference: Option<String>,
    /// Explanation of anything but a match.
    pub why: String,
}

/// Compares `content` with the reference `name` beside the user's test. Works on every thread.
pub fn compare(hook: GoldenHook, name: &str, content: &str) -> Compared {
    let seen = Seen::default();
    let mut settings = insta::Settings::clone_current();
    settings.set_comparator(Box::new(seen.clone()));
    settings.set_omit_expression(true);
    let result = quietly(|| settings.bind(|| hook(name, content)));
    let pair = seen.pair.lock().unwrap_or_else(PoisonError::into_inner).take();
    let panicked = result.err().map(|payload| payload_text(&*payload));
    judge(
        pair,
        panicked,
        std::env::var("INSTA_FORCE_PASS").is_ok_and(|value| !matches!(value.as_str(), "" | "0")),
    )
}

fn judge(pair: Option<Pair>, panicked: Option<String>, forced: bool) -> Compared {
    let with = |outcome, reference, why: String| Compared { outcome, reference, why };
    match (pair, panicked) {
        (Some(pair), None) if pair.equal => with(GoldenOutcome::Match, Some(pair.reference), String::new()),
        (Some(pair), Some(_)) if !pair.equal => with(
            GoldenOutcome::Mismatch,
            Some(pair.reference),
            "the value differs from its reference; `cargo insta review` shows both and can accept it"
                .to_owned(),
        ),
        (Some(pair), None) if forced => with(
            GoldenOutcome::Forced,
            Some(pair.reference),
            "the value differs from its reference and INSTA_FORCE_PASS let it pass".to_owned(),
        ),
        (Some(pair), None) => with(
            GoldenOutcome::Accepted,
            Some(pair.reference),
            "the value differed and its reference was replaced in this very run, so nothing was compared"
                .to_owned(),
        ),
        (None, Some(message)) if message.contains("snapshot assertion") => with(
            GoldenOutcome::New,
            None,
            "there is no reference yet; `cargo insta review` shows the value and can accept it".to_owned(),
        ),
        (None, None) if forced => with(
            GoldenOutcome::Forced,
            None,
            "there is no reference and INSTA_FORCE_PASS let it pass".to_owned(),
        ),
        (None, None) => with(
            GoldenOutcome::Accepted,
            None,
            "the reference was written in this very run, so nothing was compared".to_owned(),
        ),
        (pair, Some(message)) => with(GoldenOutcome::Unusable, pair.map(|pair| pair.reference), message),
    }
}

#[derive(Debug)]
struct Pair {
    reference: String,
    equal: bool,
}

/// Compares as insta does and keeps what it was shown.
#[derive(Debug, Clone, Default)]
struct Seen {
    pair: Arc<Mutex<Option<Pair>>>,
}

impl Comparator for Seen {
    fn matches(&self, reference: &insta::Snapshot, test: &insta::Snapshot) -> bool {
        let equal = reference.contents() == test.contents();
        let reference = match reference.contents() {
            SnapshotContents::Text(text) => text.to_string(),
            SnapshotContents::Binary(_) => String::new(),
        };
        *self.pair.lock().unwrap_or_else(PoisonError::into_inner) = Some(Pair { reference, equal });
        equal
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(self.clone())
    }
}

/// The name in the message that insta's own macros panic with; `None` for every other message.
pub fn bare_assertion(message: &str) -> Option<&str> {
    let (name, line) = message.strip_prefix("snapshot assertion for '")?.split_once("' failed in line ")?;
    line.parse::<u32>().is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(equal: bool) -> Option<Pair> {
        Some(Pair { reference: "r".to_owned(), equal })
    }

    #[test]
    fn each_combination_has_one_meaning() {
        let assertion = || Some("snapshot assertion for 'x' failed in line 3".to_owned());
        let outcome = |pair, panicked, forced| judge(pair, panicked, forced).outcome;
        assert_eq!(outcome(pair(true), None, false), GoldenOutcome::Match);
        assert_eq!(outcome(pair(true), None, true), GoldenOutcome::Match);
        assert_eq!(outcome(pair(false), assertion(), false), GoldenOutcome::Mismatch);
        assert_eq!(outcome(pair(false), None, true), GoldenOutcome::Forced);
        assert_eq!(outcome(pair(false), None, false), GoldenOutcome::Accepted);
        assert_eq!(outcome(None, assertion(), false), GoldenOutcome::New);
        assert_eq!(outcome(None, None, false), GoldenOutcome::Accepted);
        assert_eq!(outcome(None, None, true), GoldenOutcome::Forced);
        assert_eq!(
            outcome(None, Some("invalid value for INSTA_UPDATE".to_owned()), false),
            GoldenOutcome::Unusable
        );
    }
}
