//! Targets: what a measurement says about a bound.

use std::panic::Location;

use serde_json::{Value, json};

use super::{Inner, TestContext};
use crate::journal::record::{Instrument, Measured, Record};
use crate::quality::{self, Decision, Estimate, Quality};
use crate::roadmap::{Comparison, Measurement, Target};

impl TestContext {
    /// Records decisions, scores, attacks or spans with all figures that follow from them.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// use stageflow_stress::quality::Confusion;
    /// # fn cases() -> Vec<(String, bool)> { Vec::new() }
    /// # fn is_redacted(text: &str) -> bool { true }
    ///
    /// #[roadmap_test("GUARD-003")] // recall > 99 %
    /// fn redaction_finds_what_is_sensitive(cx: &TestContext) -> Outcome {
    ///     let mut redaction = Confusion::default();
    ///     for (text, sensitive) in cases() {
    ///         redaction.record(sensitive, is_redacted(&text));
    ///     }
    ///     cx.quality("redaction", &redaction);
    ///     cx.meets_target(redaction.recall()?);
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    pub fn quality(&self, name: &str, quality: &dyn Quality) {
        self.inner.measured(Instrument::Quality, quality::to_json(name, quality));
    }

    /// Compares a measurement with the target of the test's roadmap entry, records both, and returns whether the target is
    /// met. It is met if the whole 95 % interval of the measurement reaches it; where only a part of the interval does, it is
    /// *undecided*, which is red like a miss and says how many more cases it takes. An entry without a target is red.
    ///
    /// Takes a plain [`Measurement`] as well, for what is counted and not estimated.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use stageflow_stress::prelude::*;
    /// # async fn cold_start() -> Result<(), std::io::Error> { Ok(()) }
    /// #[roadmap_test("SERVERLESS-001")] // cold start latency < 500 ms
    /// async fn cold_starts_are_quick(cx: &TestContext) -> Outcome {
    ///     let report = cx.load("cold start").open(5.0).for_(Duration::from_secs(120)).run(|_| cold_start()).await?;
    ///     cx.meets_target(report.response().percentile(0.99)?);
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn meets_target(&self, measured: impl Into<Estimate>) -> bool {
        let measured = measured.into();
        let location = Location::caller();
        match self.inner.entry.target {
            Some(target) => self.inner.decide(&target.to_string(), &target, &measured, true, location),
            None => {
                let id = self.inner.entry.id;
                let why = || format!("{id} has no measurable target: say it with `is_above` or `is_below`");
                self.inner.check("the entry has a target", false, why, location)
            }
        }
    }

    /// Records whether the whole 95 % interval of a measurement is above a bound: a target of the test's own. As with
    /// [`meets_target`](TestContext::meets_target), what is undecided is red.
    #[track_caller]
    pub fn is_above(&self, name: &str, measured: impl Into<Estimate>, bound: Measurement) -> bool {
        let target = Target::assemble("", Comparison::Above, bound.value, bound.unit);
        self.inner.decide(&format!("{name}{target}"), &target, &measured.into(), false, Location::caller())
    }

    /// Records whether the whole 95 % interval of a measurement is below a bound.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use stageflow_stress::prelude::*;
    /// # use stageflow_stress::resources::Resource;
    /// # fn body(cx: &TestContext) -> Outcome {
    /// let watch = cx.watch_resources("session", Duration::from_millis(10))?;
    /// # watch.turn();
    /// let usage = watch.finish();
    /// let growth = usage.without_first(0.2).per_1000_turns(Resource::Memory)?;
    /// cx.is_below("growth of a session", growth, Measurement::megabytes_per_1000_turns(5.0));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn is_below(&self, name: &str, measured: impl Into<Estimate>, bound: Measurement) -> bool {
        let target = Target::assemble("", Comparison::Below, bound.value, bound.unit);
        self.inner.decide(&format!("{name}{target}"), &target, &measured.into(), false, Location::caller())
    }
}

impl Inner {
    /// Records what an instrument measured.
    pub(super) fn measured(&self, instrument: Instrument, entry: Value) {
        self.record(Record::Measured(Box::new(Measured { instrument, entry })));
    }

    fn decide(
        &self,
        name: &str,
        target: &Target,
        measured: &Estimate,
        of_entry: bool,
        location: &Location<'_>,
    ) -> bool {
        let decision = measured.decide(target);
        let (word, why) = match &decision {
            Ok(Decision::Met) => ("met", measured.to_string()),
            Ok(Decision::Missed) => ("missed", format!("measured: {measured}")),
            Ok(Decision::Undecided(why)) => ("undecided", why.clone()),
            Err(error) => ("undecided", error.to_string()),
        };
        self.measured(
            Instrument::Targets,
            json!({
                "name": name,
                "of_entry": of_entry,
                "quantity": target.quantity,
                "comparison": target.comparison,
                "bound": target.value,
                "bound_unit": target.unit,
                "measured": {
                    "value": measured.value,
                    "low": measured.low,
                    "high": measured.high,
                    "unit": measured.unit,
                    "n": measured.n,
                    "method": measured.method,
                },
                "decision": word,
                "why": why,
            }),
        );
        let met = decision == Ok(Decision::Met);
        self.check(&format!("target: {name}"), met, || format!("{word}: {why}"), location)
    }
}
