//! Scores beside the truth: how well they order, and whether they mean what they say.

use serde_json::{Value, json};

use super::confusion::resampled;
use super::{Confusion, Estimate, Quality};
use crate::roadmap::Measurement;
use crate::stats::{Interval, StatsError, Z_95};

/// Parts of the range from 0 to 1 in which scores are compared with how often they are right.
const BINS: usize = 10;

/// Scores, each with whether it is so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    cases: Vec<(f64, bool)>,
}

impl Scores {
    /// Records a case: whether it is so, and the score that it was given.
    pub fn record(&mut self, actual: bool, score: f64) {
        self.cases.push((score, actual));
    }

    /// The decisions of a threshold: a score of at least this is a yes.
    #[must_use]
    pub fn at(&self, threshold: f64) -> Confusion {
        let mut confusion = Confusion::default();
        for (score, actual) in &self.cases {
            confusion.record(*actual, *score >= threshold);
        }
        confusion
    }

    /// The area under the curve of sensitivity over 1 - specificity: the chance that a case which is so scores higher than
    /// one which is not; ties count a half. The interval is Newcombe's score interval (Confidence intervals for an effect
    /// size measure based on the Mann-Whitney statistic, 2006, method 5), which does not shrink to nothing where the orders
    /// are perfect.
    ///
    /// ```
    /// use stageflow_stress::quality::Scores;
    /// let mut scores = Scores::default();
    /// for n in 0..10 {
    ///     scores.record(n >= 5, f64::from(n));
    /// }
    /// let auc = scores.auc()?;
    /// assert_eq!(auc.value, 1.0);
    /// assert!(auc.low.unwrap() < 0.8); // ten cases do not show much
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// All cases of one kind, a score that is not finite.
    pub fn auc(&self) -> Result<Estimate, StatsError> {
        self.finite()?;
        let mut sorted = self.cases.clone();
        sorted.sort_by(|left, right| left.0.total_cmp(&right.0));
        let yes = sorted.iter().filter(|(_, actual)| *actual).count() as f64;
        let no = sorted.len() as f64 - yes;
        if yes == 0.0 || no == 0.0 {
            return Err(StatsError::Undetermined { why: "all cases are of one kind" });
        }
        let (mut below, mut pairs) = (0.0, 0.0);
        for group in sorted.chunk_by(|left, right| left.0 == right.0) {
            let here = group.iter().filter(|(_, actual)| *actual).count() as f64;
            let others = group.len() as f64 - here;
            pairs += here * (below + others / 2.0);
            below += others;
        }
        let auc = pairs / (yes * no);
        let more = f64::midpoint(yes, no) - 1.0;
        let spread = |theta: f64| {
            let shape = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta);
            (theta * (1.0 - theta) * (1.0 + more * shape) / (yes * no)).max(0.0).sqrt()
        };
        // The value of theta beyond which the finding would be too far off, between the finding and the end of the range.
        let end = |mut far: f64| {
            let mut near = auc;
            for _ in 0..100 {
                let middle = f64::midpoint(near, far);
                if (auc - middle).abs() <= Z_95 * spread(middle) { near = middle } else { far = middle }
            }
            near
        };
        let interval = Interval { low: end(0.0), high: end(1.0) };
        Ok(Estimate::new(Measurement::score(auc), interval, sorted.len() as u64, "Newcombe"))
    }

    /// How far scores are from how often they are right, as a mean over ten equal parts of the range from 0 to 1, weighted
    /// by cases (Naeini, Cooper and Hauskrecht, 2015); its interval by bootstrap. Small samples overstate it: even perfectly
    /// calibrated scores have some.
    ///
    /// # Errors
    /// Fewer than two cases, or more than 5,000; a score that is not within 0 and 1.
    pub fn calibration_error(&self) -> Result<Estimate, StatsError> {
        self.finite()?;
        if let Some((score, _)) = self.cases.iter().find(|(score, _)| !(0.0..=1.0).contains(score)) {
            return Err(StatsError::OutOfRange {
                what: "a score",
                found: *score,
                expected: "within 0 and 1",
            });
        }
        resampled(self.cases.len(), |chosen| {
            let mut bins = [(0.0, 0.0); BINS];
            for choice in chosen {
                let (score, actual) = self.cases[*choice as usize];
                let bin = &mut bins[((score * BINS as f64) as usize).min(BINS - 1)];
                bin.0 += score;
                bin.1 += f64::from(u8::from(actual));
            }
            Ok(bins.iter().map(|(scores, right)| (scores - right).abs()).sum::<f64>() / chosen.len() as f64)
        })
    }

    #[cfg(test)]
    pub(super) fn cases(&self) -> &[(f64, bool)] {
        &self.cases
    }

    fn finite(&self) -> Result<(), StatsError> {
        if self.cases.is_empty() {
            return Err(StatsError::Empty { what: "cases" });
        }
        match self.cases.iter().position(|(score, _)| !score.is_finite()) {
            Some(index) => Err(StatsError::NotFinite { what: "scores", index, value: self.cases[index].0 }),
            None => Ok(()),
        }
    }
}

impl Quality for Scores {
    fn kind(&self) -> &'static str {
        "scores"
    }

    fn counts(&self) -> Value {
        let yes = self.cases.iter().filter(|(_, actual)| *actual).count();
        json!({ "positive": yes, "negative": self.cases.len() - yes })
    }

    fn figures(&self) -> Vec<(String, Result<Estimate, StatsError>)> {
        vec![("auc".to_owned(), self.auc()), ("calibration error".to_owned(), self.calibration_error())]
    }
}
