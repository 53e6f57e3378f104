//! Decisions beside the truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Estimate, Quality};
use crate::roadmap::Measurement;
use crate::stats::{Interval, StatsError, bootstrap};

/// Resamples of a bootstrap.
pub(super) const RESAMPLES: usize = 1_000;

/// Decisions between yes and no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// It was so, and was called so.
    pub true_positives: u64,
    /// It was not so, and was called so.
    pub false_positives: u64,
    /// It was not so, and was not called so.
    pub true_negatives: u64,
    /// It was so, and was not called so.
    pub false_negatives: u64,
}

impl Confusion {
    /// Records a case: whether it is so, and whether it was called so.
    pub fn record(&mut self, actual: bool, called: bool) {
        let count = match (actual, called) {
            (true, true) => &mut self.true_positives,
            (false, true) => &mut self.false_positives,
            (false, false) => &mut self.true_negatives,
            (true, false) => &mut self.false_negatives,
        };
        *count += 1;
    }

    /// Cases in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.true_positives + self.false_positives + self.true_negatives + self.false_negatives
    }

    /// The share of cases that were called right.
    ///
    /// # Errors
    /// No cases.
    pub fn accuracy(&self) -> Result<Estimate, StatsError> {
        Estimate::rate(self.true_positives + self.true_negatives, self.total())
    }

    /// Of those called so, the share that is so.
    ///
    /// # Errors
    /// None was called so.
    pub fn precision(&self) -> Result<Estimate, StatsError> {
        Estimate::rate(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Of those that are so, the share that was called so.
    ///
    /// # Errors
    /// None is so.
    pub fn recall(&self) -> Result<Estimate, StatsError> {
        Estimate::rate(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Of those that are not so, the share that was not called so.
    ///
    /// # Errors
    /// All are so.
    pub fn specificity(&self) -> Result<Estimate, StatsError> {
        Estimate::rate(self.true_negatives, self.true_negatives + self.false_positives)
    }

    /// The harmonic mean of precision and recall. Its interval is that of the share of true positives among all but true
    /// negatives, J, mapped by F = 2J / (1 + J) (Hand, Christen and Kirielle, F*: an interpretable transformation, 2021).
    ///
    /// # Errors
    /// Nothing but true negatives.
    pub fn f1(&self) -> Result<Estimate, StatsError> {
        let n = self.true_positives + self.false_positives + self.false_negatives;
        let share = Estimate::rate(self.true_positives, n)?;
        let f1 = |share: f64| 2.0 * share / (1.0 + share);
        let interval = Interval { low: share.low.map_or(0.0, f1), high: share.high.map_or(1.0, f1) };
        Ok(Estimate::new(Measurement::score(f1(share.value)), interval, n, "Wilson of F*"))
    }
}

impl Quality for Confusion {
    fn kind(&self) -> &'static str {
        "confusion"
    }

    fn counts(&self) -> Value {
        json!({
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "true_negatives": self.true_negatives,
            "false_negatives": self.false_negatives,
        })
    }

    fn figures(&self) -> Vec<(String, Result<Estimate, StatsError>)> {
        [
            ("accuracy", self.accuracy()),
            ("precision", self.precision()),
            ("recall", self.recall()),
            ("specificity", self.specificity()),
            ("f1", self.f1()),
        ]
        .map(|(name, figure)| (name.to_owned(), figure))
        .to_vec()
    }
}

/// Decisions between any number of classes.
///
/// ```
/// use stageflow_stress::quality::ConfusionMatrix;
///
/// let mut routes = ConfusionMatrix::default();
/// for (actual, called) in [("billing", "billing"), ("billing", "support"), ("support", "support")] {
///     routes.record(actual, called);
/// }
/// assert_eq!(routes.of("support").precision()?.value, 0.5);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    cells: BTreeMap<(String, String), u64>,
}

impl ConfusionMatrix {
    /// Records a case: its class, and the class that it was called.
    pub fn record(&mut self, actual: &str, called: &str) {
        *self.cells.entry((actual.to_owned(), called.to_owned())).or_default() += 1;
    }

    /// How many cases of one class were called another.
    #[must_use]
    pub fn count(&self, actual: &str, called: &str) -> u64 {
        self.cells.get(&(actual.to_owned(), called.to_owned())).copied().unwrap_or(0)
    }

    /// The classes, whether they occurred or were only called.
    #[must_use]
    pub fn classes(&self) -> Vec<&str> {
        let all: BTreeSet<&str> = self.cells.keys().flat_map(|(a, b)| [a.as_str(), b.as_str()]).collect();
        all.into_iter().collect()
    }

    /// One class against all others.
    #[must_use]
    pub fn of(&self, class: &str) -> Confusion {
        let mut confusion = Confusion::default();
        for ((actual, called), count) in &self.cells {
            match (actual == class, called == class) {
                (true, true) => confusion.true_positives += count,
                (false, true) => confusion.false_positives += count,
                (false, false) => confusion.true_negatives += count,
                (true, false) => confusion.false_negatives += count,
            }
        }
        confusion
    }

    /// The share of cases that were called right.
    ///
    /// # Errors
    /// No cases.
    pub fn accuracy(&self) -> Result<Estimate, StatsError> {
        let right = self.cells.iter().filter(|((actual, called), _)| actual == called).map(|(_, n)| n).sum();
        Estimate::rate(right, self.cells.values().sum())
    }

    /// The mean of the F1 of all classes, each counting the same; its interval by bootstrap over the cases.
    ///
    /// # Errors
    /// Fewer than two cases, or more than 5,000: their intervals are better had one class at a time.
    pub fn macro_f1(&self) -> Result<Estimate, StatsError> {
        let classes = self.classes();
        let position = |class: &str| classes.iter().position(|known| *known == class).unwrap_or(0);
        let cases: Vec<(usize, usize)> = self
            .cells
            .iter()
            .flat_map(|((actual, called), count)| {
                std::iter::repeat_n(
                    (position(actual), position(called)),
                    usize::try_from(*count).unwrap_or(0),
                )
            })
            .collect();
        let mean = |chosen: &[f64]| {
            let mut counts = vec![(0_u64, 0_u64); classes.len()];
            for choice in chosen {
                let (actual, called) = cases[*choice as usize];
                if actual == called {
                    counts[actual].0 += 1;
                } else {
                    counts[actual].1 += 1;
                    counts[called].1 += 1;
                }
            }
            let of = |(right, wrong): &(u64, u64)| {
                let all = (2 * right + wrong) as f64;
                // A class that a resample does not hold is neither right nor wrong in it.
                (all > 0.0).then(|| 2.0 * *right as f64 / all)
            };
            let present: Vec<f64> = counts.iter().filter_map(of).collect();
            crate::stats::mean(&present)
        };
        resampled(cases.len(), mean)
    }
}

/// A statistic of cases, given by their positions, with its bootstrap interval.
pub(super) fn resampled(
    n: usize,
    statistic: impl Fn(&[f64]) -> Result<f64, StatsError>,
) -> Result<Estimate, StatsError> {
    const MOST: usize = 5_000;
    if n > MOST {
        return Err(StatsError::TooMany { what: "cases", found: n as u64, limit: MOST as u64 });
    }
    let positions: Vec<f64> = (0..n).map(|position| position as f64).collect();
    let value = statistic(&positions)?;
    let interval = bootstrap(&positions, &statistic, 0.95, RESAMPLES, 0)?;
    Ok(Estimate::new(Measurement::score(value), interval, n as u64, "bootstrap"))
}

impl Quality for ConfusionMatrix {
    fn kind(&self) -> &'static str {
        "confusion_matrix"
    }

    fn counts(&self) -> Value {
        let cells: Vec<Value> = self
            .cells
            .iter()
            .map(|((actual, called), count)| json!({ "actual": actual, "called": called, "count": count }))
            .collect();
        json!({ "classes": self.classes(), "cells": cells })
    }

    fn figures(&self) -> Vec<(String, Result<Estimate, StatsError>)> {
        let mut figures =
            vec![("accuracy".to_owned(), self.accuracy()), ("macro f1".to_owned(), self.macro_f1())];
        for class in self.classes() {
            let of = self.of(class);
            figures.push((format!("precision of {class}"), of.precision()));
            figures.push((format!("recall of {class}"), of.recall()));
        }
        figures
    }
}
