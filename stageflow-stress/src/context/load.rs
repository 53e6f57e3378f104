//! Loads, and what a load leaves in the record.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::{Inner, TestContext};
use crate::capture;
use crate::journal::record::Instrument;
use crate::load::{Curve, Host, Load, LoadReport, Scaling, Validity};

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
}

impl Inner {
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
