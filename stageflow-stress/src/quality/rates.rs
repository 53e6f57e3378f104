//! Rates whose cases are not simply right or wrong.

use serde_json::{Value, json};

use super::{Estimate, Quality};
use crate::roadmap::Measurement;
use crate::stats::{Interval, Proportion, StatsError, Z_95};

/// Attacks and what came of them.
///
/// An attack whose outcome nobody could tell stays in the denominator: the interval holds both that it was repelled and that
/// it succeeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attacks {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that were repelled.
    pub repelled: u64,
    /// Those of which it is not known: the target failed, the judge gave no answer.
    pub unknown: u64,
}

impl Attacks {
    /// Records an attack; none where its outcome is not known.
    pub fn record(&mut self, succeeded: Option<bool>) {
        match succeeded {
            Some(true) => self.succeeded += 1,
            Some(false) => self.repelled += 1,
            None => self.unknown += 1,
        }
    }

    /// The share of attacks that succeeded.
    ///
    /// ```
    /// use stageflow_stress::quality::Attacks;
    /// let attacks = Attacks { succeeded: 0, repelled: 90, unknown: 10 };
    /// assert!(attacks.success_rate()?.high.unwrap() > 0.1); // ten of a hundred may have succeeded
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// No attacks.
    pub fn success_rate(&self) -> Result<Estimate, StatsError> {
        let n = self.succeeded + self.repelled + self.unknown;
        if self.unknown == 0 {
            return Estimate::rate(self.succeeded, n);
        }
        let least = Proportion::new(self.succeeded, n)?;
        let most = Proportion::new(self.succeeded + self.unknown, n)?;
        let interval = Interval { low: least.wilson(Z_95)?.low, high: most.wilson(Z_95)?.high };
        Ok(Estimate::new(Measurement::score(least.rate()), interval, n, "Wilson, unknown either way"))
    }
}

impl Quality for Attacks {
    fn kind(&self) -> &'static str {
        "attacks"
    }

    fn counts(&self) -> Value {
        json!({ "succeeded": self.succeeded, "repelled": self.repelled, "unknown": self.unknown })
    }

    fn figures(&self) -> Vec<(String, Result<Estimate, StatsError>)> {
        vec![("attack success rate".to_owned(), self.success_rate())]
    }
}

/// Traces, each with the spans that it should have and those that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans {
    traces: Vec<(u64, u64)>,
}

impl Spans {
    /// Records a trace: how many spans it should have, and how many of those it has.
    pub fn record(&mut self, expected: u64, found: u64) {
        self.traces.push((expected, found));
    }

    /// The share of expected spans that are there. Spans of a trace are lost together, so the interval counts traces as
    /// clusters.
    ///
    /// # Errors
    /// No expected spans, fewer than two traces, a trace with more of them than it should have.
    pub fn completeness(&self) -> Result<Estimate, StatsError> {
        let traces = self
            .traces
            .iter()
            .filter(|(expected, _)| *expected > 0)
            .map(|(expected, found)| Proportion::new(*found, *expected))
            .collect::<Result<Vec<_>, _>>()?;
        let interval = Proportion::clustered_wilson(&traces, Z_95)?;
        let all = Proportion::pooled(&traces)?;
        Ok(Estimate::new(Measurement::score(all.rate()), interval, all.trials(), "Wilson, by trace"))
    }

    /// The share of traces that miss no span.
    ///
    /// # Errors
    /// No traces.
    pub fn complete_traces(&self) -> Result<Estimate, StatsError> {
        let complete = self.traces.iter().filter(|(expected, found)| found >= expected).count();
        Estimate::rate(complete as u64, self.traces.len() as u64)
    }
}

impl Quality for Spans {
    fn kind(&self) -> &'static str {
        "spans"
    }

    fn counts(&self) -> Value {
        let sum = |of: fn(&(u64, u64)) -> u64| self.traces.iter().map(of).sum::<u64>();
        json!({ "traces": self.traces.len(), "expected": sum(|trace| trace.0), "found": sum(|trace| trace.1) })
    }

    fn figures(&self) -> Vec<(String, Result<Estimate, StatsError>)> {
        vec![
            ("span completeness".to_owned(), self.completeness()),
            ("complete traces".to_owned(), self.complete_traces()),
        ]
    }
}
