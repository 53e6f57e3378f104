//! The score of a probe: rates with their bounds, the kill matrix, and what the strategies are worth.

use super::Strategy;
use super::proof::{How, Proof};
use crate::classify::Pattern;
use crate::stats::{Detector, Proportion, Z_95};

impl Proof {
    /// The rate of silent failures among the faults that did harm, as a bound, and what stands beside it.
    pub(crate) fn score(&self) -> String {
        let (silent, loud) = (self.accounting.silent, self.accounting.surfaced);
        let (errored, unknown) = self.ends();
        let beside = format!(
            "{} faults armed, {} not delivered, {} surfaced, {} handled, {} vanished, {} silent; of {} runs {errored} reported a \
             failure and {unknown} did not come back",
            self.accounting.armed,
            self.accounting.undelivered,
            loud,
            self.accounting.handled,
            self.accounting.vanished,
            silent,
            self.arms.len()
        );
        let rate = match Proportion::new(silent, silent + loud) {
            Ok(observed) => {
                let raw = observed.at_most(Z_95).unwrap_or_default();
                let corrected = self.bound().map_or_else(
                    || "the correction for the detector is not determined".to_owned(),
                    |high| format!("corrected for the detector ≤ {:.1} %", high * 100.0),
                );
                format!("silent failures among harmful faults: {raw}; {corrected}")
            }
            Err(_) => "no fault did harm, so there is no rate".to_owned(),
        };
        format!("{rate} ({beside})")
    }

    /// How many runs with faults reported a failure, and how many did not come back.
    pub(crate) fn ends(&self) -> (u64, u64) {
        let count = |end| self.arms.iter().filter(|arm| arm.reported == end).count() as u64;
        (count(super::Reported::Failure), count(super::Reported::Unknown))
    }

    /// The upper bound of the corrected rate, where there is one: what the roll-up of an entry takes the worst of.
    pub(crate) fn bound(&self) -> Option<f64> {
        let (silent, loud) = (self.accounting.silent, self.accounting.surfaced);
        let observed = Proportion::new(silent, silent + loud).ok()?;
        Some(self.detector()?.correct(observed, 0.95, 1).ok()?.interval.high)
    }

    /// What is known of how well the probe tells wrong from right: planted failures, and control runs.
    fn detector(&self) -> Option<Detector> {
        let (noticed, planted) = Pattern::ALL.iter().fold((0, 0), |(noticed, planted), pattern| {
            let (n, p) = self.sensitivity(*pattern);
            (noticed + n, planted + p)
        });
        let clean = self.controls - self.false_alarms.min(self.controls);
        Some(Detector {
            sensitivity: Proportion::new(noticed, planted).ok()?,
            specificity: Proportion::new(clean, self.controls).ok()?,
        })
    }

    /// The kill matrix as Markdown: which strategy noticed which planted failure.
    pub(crate) fn kill_matrix(&self) -> String {
        let mut text = String::from("| planted | pattern | at | how | noticed by |\n|---|---|---|---|---|\n");
        for planting in &self.plantings {
            let mut by: Vec<_> = planting.killed_by.iter().map(|(strategy, _)| strategy.as_str()).collect();
            by.dedup();
            let (how, verdict) = match planting.how {
                How::Nowhere => ("", "nothing here to work at".to_owned()),
                How::Equivalent => ("", "would change nothing".to_owned()),
                How::Unclaimed => ("", "its pattern is not claimed".to_owned()),
                how => (
                    if how == How::Run { "in a run" } else { "in the record" },
                    match (planting.applied, by.is_empty()) {
                        (false, _) => "changed nothing".to_owned(),
                        (true, true) => "**not noticed**".to_owned(),
                        (true, false) => by.join(", "),
                    },
                ),
            };
            let at = planting.at.as_deref().unwrap_or("");
            text.push_str(&format!(
                "| {} | {} | {at} | {how} | {verdict} |\n",
                planting.saboteur, planting.pattern
            ));
        }
        text
    }

    /// Strategies without which nothing would have gone unnoticed, and those that alone noticed something.
    pub(crate) fn ablation(&self) -> (Vec<Strategy>, Vec<Strategy>) {
        let matters = |strategy: Strategy| {
            self.plantings.iter().any(|planting| {
                !planting.killed_by.is_empty() && planting.killed_by.iter().all(|(by, _)| *by == strategy)
            })
        };
        let used = |strategy: Strategy| {
            self.plantings.iter().any(|planting| planting.killed_by.iter().any(|(by, _)| *by == strategy))
        };
        let dead = Strategy::ALL.iter().copied().filter(|strategy| !used(*strategy)).collect();
        (dead, Strategy::ALL.iter().copied().filter(|strategy| matters(*strategy)).collect())
    }
}
