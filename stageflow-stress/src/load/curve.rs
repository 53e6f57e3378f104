//! How a system degrades: one load after the other, and the point at which it no longer keeps up.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::operation::{Answer, Op};
use super::report::{LoadReport, Validity};
use super::setup::Load;
use super::{LoadError, nanos};
use crate::stats::{Fit, StatsError, power_law};

/// A step whose P99 is more than this many times that of the first one is beyond the knee.
const SLOWER: u32 = 5;

/// The share of a step's time that may pass after it until all operations have ended, beside the first step's P99.
const BACKLOG: f64 = 0.05;

/// Halvings of the interval in which a search has found the knee.
const HALVINGS: u32 = 4;

/// What a series of loads of growing rate showed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its steps, by rate.
    pub steps: Vec<CurveStep>,
}

/// One load of a series.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CurveStep {
    /// Operations per second, as planned.
    pub rate: f64,
    /// What came of it.
    pub state: StepState,
    /// What it showed.
    pub report: LoadReport,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepState {
    /// The system kept up.
    Kept,
    /// It did not, for these reasons.
    Saturated(Vec<String>),
    /// The generator did not keep up, so that nothing is known of the system.
    Invalid(Vec<String>),
}

impl Curve {
    /// The greatest rate at which the system kept up, and the next one above, at which it did not.
    ///
    /// # Errors
    /// As a text: no step was kept up with, none was not, or the generator was not good enough to tell.
    pub fn knee(&self) -> Result<(f64, f64), String> {
        let saturated = self.steps.iter().position(|step| matches!(step.state, StepState::Saturated(_)));
        let unclear = self.steps.iter().position(|step| matches!(step.state, StepState::Invalid(_)));
        match (saturated, unclear) {
            (Some(0), _) => Err(format!(
                "already the lowest rate, {} per second, is too much: begin lower",
                self.steps[0].rate
            )),
            (found, Some(at)) if found.is_none_or(|found| at < found) => Err(format!(
                "at {} per second the generator did not keep up, so nothing is known from there on",
                self.steps[at].rate
            )),
            (Some(at), _) => Ok((self.steps[at - 1].rate, self.steps[at].rate)),
            (None, _) => Err(match self.steps.last() {
                Some(last) => format!(
                    "up to {} per second, the greatest rate that was tried, the system kept up",
                    last.rate
                ),
                None => "nothing was tried".to_owned(),
            }),
        }
    }

    /// How the median response time grows with the rate, over the steps that were kept up with: the k of rate^k, with its
    /// 95 % interval. 0 is a system that does not notice the load.
    ///
    /// # Errors
    /// Fewer than three such steps, or medians of 0.
    pub fn exponent(&self) -> Result<Fit, StatsError> {
        let (rates, medians): (Vec<f64>, Vec<f64>) = self
            .steps
            .iter()
            .filter(|step| step.state == StepState::Kept)
            .filter_map(|step| {
                let median = step.report.response().percentile(0.5).ok()?;
                Some((step.rate, median.value.as_secs_f64()))
            })
            .unzip();
        power_law(&rates, &medians, 0.95)
    }

    /// As files show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                let (state, reasons) = match &step.state {
                    StepState::Kept => ("kept", Vec::new()),
                    StepState::Saturated(reasons) => ("saturated", reasons.clone()),
                    StepState::Invalid(reasons) => ("invalid", reasons.clone()),
                };
                let mut response = step.report.response().to_json();
                if let Value::Object(response) = &mut response {
                    response.remove("cdf");
                }
                json!({
                    "rate": step.rate,
                    "state": state,
                    "reasons": reasons,
                    "counts": step.report.counts,
                    "throughput": step.report.throughput(),
                    "response": response,
                })
            })
            .collect();
        let knee = match self.knee() {
            Ok((kept, saturated)) => json!({ "kept": kept, "saturated": saturated, "reason": null }),
            Err(reason) => json!({ "kept": null, "saturated": null, "reason": reason }),
        };
        json!({ "name": self.name, "steps": steps, "knee": knee, "exponent": fit(self.exponent()) })
    }
}

fn fit(fit: Result<Fit, StatsError>) -> Value {
    match fit {
        Ok(fit) => json!({
            "value": fit.slope,
            "low": fit.interval.low,
            "high": fit.interval.high,
            "r_squared": fit.r_squared,
            "reason": null,
        }),
        Err(error) => json!({
            "value": null, "low": null, "high": null, "r_squared": null, "reason": error.to_string(),
        }),
    }
}

/// The sweep in progress.
struct Sweep {
    load: Load,
    each: Duration,
    limit: Option<Duration>,
    steps: Vec<CurveStep>,
}

impl Sweep {
    async fn step<F, Fut>(&mut self, rate: f64, operation: &Arc<F>) -> Result<bool, LoadError>
    where
        F: Fn(Op) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Answer> + Send + 'static,
    {
        let load = self.load.clone().open(rate).for_(self.each);
        let report = load.run_shared(operation).await?;
        let state = self.state(&report);
        let kept = state == StepState::Kept;
        let at = self.steps.partition_point(|step| step.rate < rate);
        self.steps.insert(at, CurveStep { rate, state, report });
        Ok(kept)
    }

    fn state(&self, report: &LoadReport) -> StepState {
        let mut reasons = Vec::new();
        let counts = &report.counts;
        if counts.dropped > 0 {
            reasons.push(format!("{} of {} operations found no room", counts.dropped, counts.offered));
        }
        if report.fails_too_often() {
            reasons.push(format!(
                "{} of {} operations did not succeed",
                counts.unsuccessful(),
                counts.issued()
            ));
        }
        let p99 = report.response().percentile(0.99).map(|p99| p99.value).ok();
        if let (Some(limit), Some(p99)) = (self.limit, p99)
            && p99 > limit
        {
            reasons.push(format!("the P99 of the response time is {p99:?}, above {limit:?}"));
        }
        let first = self.steps.first().and_then(|first| first.report.response().percentile(0.99).ok());
        if let (Some(first), Some(p99)) = (&first, p99)
            && p99 > first.value * SLOWER
        {
            reasons.push(format!(
                "the P99 of the response time is {p99:?}, more than {SLOWER} times the {:?} of the lowest rate",
                first.value
            ));
        }
        let after = report.elapsed.saturating_sub(report.generated);
        let usual = first.map_or(Duration::ZERO, |first| first.value);
        if !self.steps.is_empty() && after > usual + report.generated.mul_f64(BACKLOG) {
            reasons.push(format!(
                "after {:?} of load it took {after:?} to finish what had begun: more came than went",
                report.generated
            ));
        }
        if !reasons.is_empty() {
            return StepState::Saturated(reasons);
        }
        match &report.validity {
            Validity::Valid => StepState::Kept,
            Validity::Invalid(reasons) => StepState::Invalid(reasons.clone()),
        }
    }
}

impl Load {
    fn sweep_of(self, limit: Option<Duration>) -> Result<(Sweep, super::setup::Host), LoadError> {
        let Some(each) = self.duration() else {
            return Err(LoadError::Setting {
                what: format!("the series `{}`", self.name),
                why: "its loads need a time: add `.for_(duration)`".to_owned(),
            });
        };
        let host = self.host.clone();
        // A step that is too much is a result here, not a defect.
        let mut load = self;
        load.host.done = None;
        Ok((Sweep { load, each, limit, steps: Vec::new() }, host))
    }

    /// Runs one load after the other in the open model, at these rates in ascending order, each for the time given with
    /// [`for_`](Load::for_). All of them are run, those beyond the knee too.
    ///
    /// # Errors
    /// Those of [`Load::run`].
    pub async fn sweep<F, Fut>(
        self,
        rates: impl IntoIterator<Item = f64>,
        operation: F,
    ) -> Result<Curve, LoadError>
    where
        F: Fn(Op) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Answer> + Send + 'static,
    {
        let name = self.name.clone();
        let (mut sweep, host) = self.sweep_of(None)?;
        let operation = Arc::new(operation);
        let mut rates: Vec<f64> = rates.into_iter().collect();
        rates.sort_by(f64::total_cmp);
        for rate in rates {
            sweep.step(rate, &operation).await?;
        }
        Ok(host.told(Curve { name, steps: sweep.steps }))
    }

    /// Searches the greatest rate from `from` to `to` at which the system keeps up: doubles the rate until it no longer
    /// does, then halves the interval four times. It keeps up while no operation is dropped, no more fail than
    /// [`allow_errors`](Load::allow_errors) says, the P99 of the response time stays within `limit` and within five times
    /// that of `from`, and no backlog remains.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stageflow_stress::load::Load;
    ///
    /// # tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap().block_on(async {
    /// let load = Load::new("checkout", 7).for_(Duration::from_millis(40));
    /// let curve = load.search(100.0, 400.0, Some(Duration::from_secs(1)), |_| async {}).await.unwrap();
    /// match curve.knee() {
    ///     Ok((kept, saturated)) => println!("it keeps up with {kept} and no longer with {saturated} a second"),
    ///     Err(why) => println!("{why}"), // such as: it kept up with all of them
    /// }
    /// # });
    /// ```
    ///
    /// # Errors
    /// Those of [`Load::run`].
    pub async fn search<F, Fut>(
        self,
        from: f64,
        to: f64,
        limit: Option<Duration>,
        operation: F,
    ) -> Result<Curve, LoadError>
    where
        F: Fn(Op) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Answer> + Send + 'static,
    {
        if !(from > 0.0 && from < to && to.is_finite()) {
            return Err(LoadError::Setting {
                what: format!("the search from {from} to {to} per second"),
                why: "it needs two finite rates above 0, the lower one first".to_owned(),
            });
        }
        let name = self.name.clone();
        let (mut sweep, host) = self.sweep_of(limit)?;
        let operation = Arc::new(operation);
        let (mut kept, mut rate) = (None, from);
        let mut beyond = loop {
            if !sweep.step(rate, &operation).await? {
                break Some(rate);
            }
            kept = Some(rate);
            if rate >= to {
                break None;
            }
            rate = (rate * 2.0).min(to);
        };
        if let (Some(mut low), Some(high)) = (kept, beyond.as_mut()) {
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(low, *high);
                if sweep.step(middle, &operation).await? { low = middle } else { *high = middle }
            }
        }
        Ok(host.told(Curve { name, steps: sweep.steps }))
    }
}

/// How the time of something grows with its size.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Scaling {
    /// Its name.
    pub name: String,
    /// What was measured, by size.
    pub points: Vec<ScalingPoint>,
}

/// The times that one size took.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScalingPoint {
    /// The size.
    pub size: u64,
    /// Each repetition's time, in order.
    pub times: Vec<Duration>,
}

impl Scaling {
    /// Measures each size `repeat` times, in rounds over all sizes, so that a slow moment does not hit one size alone. A
    /// first round that warms up is left out.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use stageflow_stress::load::Scaling;
    ///
    /// let scaling = Scaling::measure("sum", [1_000, 10_000, 100_000, 1_000_000], 5, |size| async move {
    ///     std::hint::black_box((0..size).map(std::hint::black_box).sum::<u64>());
    /// })
    /// .await;
    /// println!("it grows with size^{:.2}", scaling.exponent().unwrap().slope); // about 1: linear
    /// # });
    /// ```
    pub async fn measure<Fut: Future>(
        name: &str,
        sizes: impl IntoIterator<Item = u64>,
        repeat: u32,
        operation: impl Fn(u64) -> Fut,
    ) -> Self {
        let mut points: Vec<ScalingPoint> =
            sizes.into_iter().map(|size| ScalingPoint { size, times: Vec::new() }).collect();
        points.sort_by_key(|point| point.size);
        for round in 0..=repeat {
            for point in &mut points {
                let started = Instant::now();
                operation(point.size).await;
                if round > 0 {
                    point.times.push(started.elapsed());
                }
            }
        }
        Scaling { name: name.to_owned(), points }
    }

    /// The k of size^k, with its 95 % interval: 1 is linear, 2 quadratic. Every repetition is a point.
    ///
    /// # Errors
    /// Fewer than three points, one size only, sizes or times of 0.
    pub fn exponent(&self) -> Result<Fit, StatsError> {
        let (sizes, times): (Vec<f64>, Vec<f64>) = self
            .points
            .iter()
            .flat_map(|point| point.times.iter().map(|time| (point.size as f64, time.as_secs_f64())))
            .unzip();
        power_law(&sizes, &times, 0.95)
    }

    /// As files show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let points: Vec<Value> = self
            .points
            .iter()
            .map(|point| {
                let times: Vec<u64> = point.times.iter().copied().map(nanos).collect();
                json!({ "size": point.size, "nanos": times })
            })
            .collect();
        json!({ "name": self.name, "points": points, "exponent": fit(self.exponent()) })
    }
}
