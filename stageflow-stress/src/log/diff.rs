//! What differs between two logs: templates that are new, gone, or far more or less frequent, and steps that one took and
//! the other did not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::digest::Compared;
use super::mask::MASK;
use super::profile::{Kept, Profile};
use crate::stats::rate_change;

/// Operations on either side from which frequencies are compared.
const OPERATIONS: u64 = 20;
/// Share of false alarms among the reported changes of frequency.
const FALSE_DISCOVERIES: f64 = 0.05;
/// Ratio from which a change of frequency matters.
const RATIO: f64 = 3.0;
/// Steps that are listed.
const EDGES: usize = 50;
/// Changes that go into the numbers of a log.
const LISTED: usize = 20;

/// How a template changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ChangeKind {
    /// Only in the second log.
    New,
    /// Only in the first log.
    Gone,
    More,
    Less,
}

impl ChangeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            ChangeKind::New => "new",
            ChangeKind::Gone => "gone",
            ChangeKind::More => "more",
            ChangeKind::Less => "less",
        }
    }

    /// For a sentence that goes on with "than in".
    pub const fn than(self) -> &'static str {
        match self {
            ChangeKind::New => "new, other",
            ChangeKind::Gone => "gone, other",
            ChangeKind::More => "more often",
            ChangeKind::Less => "less often",
        }
    }
}

/// A template that changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub kind: ChangeKind,
    pub text: String,
    pub level: String,
    pub before: u64,
    pub after: u64,
    /// Probability of such a difference without a cause, where frequencies were compared.
    pub p: Option<f64>,
    /// Line of the log that has it; of the second one where both have it.
    pub line: u64,
    pub sample: String,
    /// By which the list is ordered.
    pub weight: f64,
}

impl Change {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "kind": self.kind.as_str(),
            "template_id": format!("{:016x}", super::hash::stable(&self.text)),
            "template": self.text,
            "level": self.level,
            "before": self.before,
            "after": self.after,
            "p": self.p,
            "line": self.line,
            "sample": self.sample,
        })
    }

    /// Whether it is worth a line of a finding: what is new or gone, and changes of frequency beyond chance.
    pub fn is_notable(&self) -> bool {
        match self.kind {
            // A record that came once may come now and then.
            ChangeKind::New | ChangeKind::Gone => self.before.max(self.after) >= 2 || is_trouble(&self.level),
            ChangeKind::More | ChangeKind::Less => true,
        }
    }
}

fn is_trouble(level: &str) -> bool {
    matches!(level, "WARNING" | "ERROR" | "CRITICAL")
}

/// What differs between two logs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Difference {
    /// Most telling first.
    pub changes: Vec<Change>,
    /// Templates of both that did not change.
    pub same: u64,
    /// Steps that only the second log took, with their number.
    pub new_steps: Vec<(String, String, u64)>,
    /// Steps that only the first log took.
    pub gone_steps: Vec<(String, String, u64)>,
    /// Why frequencies were not compared, if they were not.
    pub no_rates: Option<String>,
}

impl Difference {
    /// Its numbers, with the names of the two sides.
    pub fn counts(&self, before: &str, after: &str) -> Compared {
        let of = |kind| self.changes.iter().filter(|change| change.kind == kind).count() as u64;
        Compared {
            before: before.to_owned(),
            after: after.to_owned(),
            same: self.same,
            new: of(ChangeKind::New),
            gone: of(ChangeKind::Gone),
            more: of(ChangeKind::More),
            less: of(ChangeKind::Less),
            new_steps: self.new_steps.len() as u64,
            gone_steps: self.gone_steps.len() as u64,
            frequencies_not_compared: self.no_rates.clone(),
            changes: self.changes.iter().take(LISTED).map(Change::json).collect(),
            steps: self.steps(LISTED / 2),
        }
    }

    /// So many of the steps that only one side took, of each side.
    pub fn steps(&self, most: usize) -> Vec<Value> {
        let mut steps = Vec::new();
        for (kind, list) in [("new", &self.new_steps), ("gone", &self.gone_steps)] {
            for (from, to, n) in list.iter().take(most) {
                steps.push(json!({ "kind": kind, "from": from, "to": to, "count": n }));
            }
        }
        steps
    }
}

/// Compares the second log with the first.
pub(crate) fn compare(before: &Profile, after: &Profile) -> Difference {
    let mut difference = Difference::default();
    let renamed = renamed(before, after);
    let name = |text: &str| renamed.get(text).cloned().unwrap_or_else(|| text.to_owned());
    let mut first: BTreeMap<String, Kept> = BTreeMap::new();
    for (text, kept) in &before.templates {
        first.entry(name(text)).and_modify(|known| known.count += kept.count).or_insert_with(|| kept.clone());
    }
    let rates = before.operations.min(after.operations) >= OPERATIONS;
    if !rates {
        difference.no_rates = Some(format!(
            "{} and {} operations are named, and {OPERATIONS} on either side are needed to compare frequencies",
            before.operations, after.operations
        ));
    }
    let texts: BTreeSet<&String> = first.keys().chain(after.templates.keys()).collect();
    let mut tested = Vec::new();
    for text in texts {
        let (a, b) = (first.get(text), after.templates.get(text));
        let Some(kept) = b.or(a) else { continue };
        let (n, m) = (a.map_or(0, |kept| kept.count), b.map_or(0, |kept| kept.count));
        let kind = match (n, m) {
            (0, _) => ChangeKind::New,
            (_, 0) => ChangeKind::Gone,
            _ if m > n => ChangeKind::More,
            _ => ChangeKind::Less,
        };
        let change = Change {
            kind,
            text: text.clone(),
            level: kept.level.clone(),
            before: n,
            after: m,
            p: None,
            line: kept.line,
            sample: kept.sample.clone(),
            weight: ((m as f64 + 0.5) / (n as f64 + 0.5)).ln().abs()
                * ((n + m) as f64).sqrt()
                * if is_trouble(&kept.level) { 4.0 } else { 1.0 },
        };
        if matches!(kind, ChangeKind::New | ChangeKind::Gone) {
            difference.changes.push(change);
        } else if rates {
            let p = rate_change(m, after.operations as f64, n, before.operations as f64).unwrap_or(1.0);
            let ratio = (m as f64 / after.operations as f64) / (n as f64 / before.operations as f64);
            tested.push((p, ratio, change));
        } else {
            difference.same += 1;
        }
    }
    // Benjamini and Hochberg: of what is reported, at most so many are there by chance.
    tested.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = tested.len() as f64;
    let bound = tested
        .iter()
        .enumerate()
        .filter(|(rank, (p, ..))| *p <= FALSE_DISCOVERIES * (*rank + 1) as f64 / total)
        .map(|(rank, _)| rank + 1)
        .max()
        .unwrap_or(0);
    for (rank, (p, ratio, mut change)) in tested.into_iter().enumerate() {
        if rank < bound && !(1.0 / RATIO..=RATIO).contains(&ratio) {
            change.p = Some(p);
            difference.changes.push(change);
        } else {
            difference.same += 1;
        }
    }
    difference.changes.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.text.cmp(&b.text)));
    let steps = |profile: &Profile, rename: bool| -> BTreeMap<(String, String), u64> {
        let mut steps = BTreeMap::new();
        for (a, b, n) in &profile.edges {
            let step = if rename { (name(a), name(b)) } else { (a.clone(), b.clone()) };
            *steps.entry(step).or_default() += n;
        }
        steps
    };
    let (old, new) = (steps(before, true), steps(after, false));
    let only = |these: &BTreeMap<(String, String), u64>, those: &BTreeMap<(String, String), u64>| {
        let mut list: Vec<(String, String, u64)> = these
            .iter()
            .filter(|(step, _)| !those.contains_key(*step))
            .map(|((a, b), n)| (a.clone(), b.clone(), *n))
            .collect();
        list.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
        list.truncate(EDGES);
        list
    };
    difference.gone_steps = only(&old, &new);
    difference.new_steps = only(&new, &old);
    difference
}

/// Templates of the first log under the name that the second one has for them: where only one of them saw a value vary, its
/// text has a mask where the other's has a word.
fn renamed(before: &Profile, after: &Profile) -> HashMap<String, String> {
    let mut by_length: HashMap<usize, Vec<&String>> = HashMap::new();
    for text in after.templates.keys().filter(|text| !before.templates.contains_key(*text)) {
        by_length.entry(text.split(' ').count()).or_default().push(text);
    }
    let mut renamed = HashMap::new();
    for text in before.templates.keys().filter(|text| !after.templates.contains_key(*text)) {
        let tokens: Vec<&str> = text.split(' ').collect();
        let matching = by_length.get(&tokens.len()).into_iter().flatten().find(|other| {
            let mut fixed = 0;
            let fits = other.split(' ').zip(&tokens).all(|(a, b)| {
                fixed += usize::from(a == *b && a != MASK);
                a == *b || a == MASK || *b == MASK
            });
            fits && fixed * 2 >= tokens.len()
        });
        if let Some(other) = matching {
            renamed.insert(text.clone(), (*other).clone());
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(operations: u64, templates: &[(&str, u64)]) -> Profile {
        let kept = |count| Kept { count, level: "INFO".to_owned(), line: 1, sample: String::new() };
        Profile {
            operations,
            templates: templates.iter().map(|(text, n)| ((*text).to_owned(), kept(*n))).collect(),
            edges: templates.windows(2).map(|pair| (pair[0].0.to_owned(), pair[1].0.to_owned(), 1)).collect(),
        }
    }

    fn kinds(difference: &Difference) -> Vec<(&'static str, &str)> {
        difference.changes.iter().map(|change| (change.kind.as_str(), change.text.as_str())).collect()
    }

    #[test]
    fn what_is_new_and_gone_is_told_and_chance_is_not() {
        let before = profile(100, &[("a starts", 100), ("b <*> rows", 100), ("old way taken", 50)]);
        let after = profile(100, &[("a starts", 104), ("b <*> rows", 420), ("new way taken", 60)]);
        let difference = compare(&before, &after);
        assert_eq!(
            kinds(&difference),
            [("new", "new way taken"), ("more", "b <*> rows"), ("gone", "old way taken")]
        );
        assert_eq!(difference.same, 1);
        assert_eq!(difference.new_steps, [("b <*> rows".to_owned(), "new way taken".to_owned(), 1)]);
        assert!(compare(&before, &before).changes.is_empty());
    }

    #[test]
    fn frequencies_of_few_operations_are_not_compared() {
        let difference = compare(&profile(1, &[("a starts", 1)]), &profile(1, &[("a starts", 50)]));
        assert!(difference.changes.is_empty() && difference.no_rates.is_some());
    }

    #[test]
    fn a_value_that_varied_in_one_log_only_is_no_difference() {
        let difference =
            compare(&profile(1, &[("user bob logged in", 1)]), &profile(1, &[("user <*> logged in", 5)]));
        assert_eq!(kinds(&difference), []);
        let difference = compare(&profile(1, &[("stage started", 1)]), &profile(1, &[("stage ended", 5)]));
        assert_eq!(difference.changes.len(), 2);
    }
}
