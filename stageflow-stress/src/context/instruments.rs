//! Instruments: what measures more than one number.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Inner, TestContext};
use crate::capture;
use crate::journal::record::{Instrument, Measured, Record};
use crate::load::{Curve, Host, Load, LoadReport, Scaling, Validity};
use crate::oracle::Checked;
use crate::quality::{self, Decision, Estimate, Quality};
use crate::resources::{self, ResourceError, Watch};
use crate::roadmap::{Comparison, Measurement, Target};

impl TestContext {
    /// A load on an operation: how it is to begin is said with the methods of [`Load`], and `run` generates it.
    ///
    /// The report is recorded. A load that could not be generated as planned is red, since its figures would be about the
    /// generator; so is one that was aborted, and one in which more operations failed than
    /// [`allow_errors`](Load::allow_errors) says.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use stageflow_stress::prelude::*;
    /// # async fn checkout(order: u64) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn body(cx: &TestContext) -> Outcome {
    /// let second = Duration::from_secs(1);
    /// let report = cx.load("checkout").open(1_000.0).for_(second * 10).run(|op| checkout(op.index())).await?;
    /// cx.check("P99 below 50 ms", report.response().percentile(0.99)?.value < Duration::from_millis(50));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn load(&self, name: &str) -> Load {
        let location = Location::caller();
        let (done, curve, active) = (self.inner.clone(), self.inner.clone(), self.inner.active.clone());
        Load::new(name, self.seed()).on(Host {
            enter: Some(Arc::new(move || capture::tag_thread(&active))),
            done: Some(Arc::new(move |report| done.load_done(report, location))),
            curve: Some(Arc::new(move |series: &Curve| {
                curve.measured(Instrument::Degradation, series.to_json());
            })),
            paused: self.inner.def.options.start_paused,
        })
    }

    /// Measures how the time of `operation` grows with its size, each size `repeat` times, and records it.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # async fn fan_out(width: u64) {}
    /// # async fn body(cx: &TestContext) -> Outcome {
    /// let scaling = cx.scaling("fan out", [10, 50, 100, 500], 5, fan_out).await;
    /// cx.check("not worse than linear", scaling.exponent()?.interval.low < 1.2);
    /// # Ok(()) }
    /// ```
    pub async fn scaling<Fut: Future>(
        &self,
        name: &str,
        sizes: impl IntoIterator<Item = u64>,
        repeat: u32,
        operation: impl Fn(u64) -> Fut,
    ) -> Scaling {
        let scaling = Scaling::measure(name, sizes, repeat, operation).await;
        self.inner.measured(Instrument::Scaling, scaling.to_json());
        scaling
    }

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

    /// Records what a checker said, and returns whether it was valid. Invalid is red, with the witness; so is unknown, since
    /// what was not looked at is not known to be good.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// use stageflow_stress::oracle::{Acknowledged, exactly_once};
    /// # async fn charge(key: &str) -> bool { true }
    ///
    /// #[roadmap_test("WORK-002")]
    /// async fn duplicates_charge_once(cx: &TestContext) -> Outcome {
    ///     let charges = cx.effects("charges"); // the stage records each charge in it
    ///     let mut requests = Vec::new();
    ///     for key in ["order-1", "order-1", "order-2"] {
    ///         let told = if charge(key).await { Acknowledged::Done } else { Acknowledged::Refused };
    ///         requests.push((key.to_owned(), told));
    ///     }
    ///     cx.verdict("each order is charged once", &exactly_once(&requests, &charges.keys()));
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn verdict(&self, name: &str, checked: &Checked) -> bool {
        self.inner.measured(Instrument::Checkers, checked.to_json(name));
        self.inner.check(name, checked.is_valid(), || checked.to_string(), Location::caller())
    }

    /// Watches what the process uses, from a thread of its own, until the watch is finished. It is recorded then.
    ///
    /// # Errors
    /// An operating system that does not tell (only Linux does), an interval below a millisecond, no thread from the system.
    pub fn watch_resources(&self, name: &str, interval: Duration) -> Result<Watch, ResourceError> {
        let inner = self.inner.clone();
        let finished: resources::Finished = Box::new(move |usage| {
            inner.measured(Instrument::Resources, usage.to_json());
            // The log analysis judges growth too, where turns tell how much was done. Of several watches, the first.
            let mut collected = inner.collected();
            if collected.log_rules.memory.is_empty() && usage.samples.iter().any(|sample| sample.turns > 0) {
                collected
                    .log_rules
                    .memory
                    .extend(usage.samples.iter().map(|sample| (sample.turns as f64, sample.rss as f64)));
            }
        });
        resources::watch(name, interval, Some(finished))
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

    fn load_done(&self, report: &LoadReport, location: &Location<'_>) {
        self.measured(Instrument::Load, report.to_json());
        let name = &report.name;
        let reasons = || match &report.validity {
            Validity::Valid => String::new(),
            Validity::Invalid(reasons) => reasons.join("\n"),
        };
        self.check(&format!("load `{name}` was generated as planned"), report.is_valid(), reasons, location);
        let aborted = || report.aborted.clone().unwrap_or_default();
        self.check(&format!("load `{name}` came to its end"), report.aborted.is_none(), aborted, location);
        let failures = || {
            let errors: Vec<String> =
                report.errors.iter().map(|(text, count)| format!("{count} times: {text}")).collect();
            format!(
                "{} of {} operations did not succeed: {:?}\n{}",
                report.counts.unsuccessful(),
                report.counts.issued(),
                report.counts,
                errors.join("\n")
            )
        };
        self.check(
            &format!("operations of load `{name}` succeed"),
            !report.fails_too_often(),
            failures,
            location,
        );
    }
}
