//! A probe that is built by hand: within a roadmap test, or over many variants of a target.

use std::sync::PoisonError;

use super::campaign::{Campaign, Scenario};
use super::proof::Proof;
use super::{Probe, Strategy};
use crate::classify::Pattern;
use crate::context::TestContext;
use crate::fault::Accounting;
use crate::outcome::Outcome;
use crate::registry::BoxedBody;

/// A probe that is built by hand, made by [`TestContext::probe`].
#[derive(Debug)]
#[must_use = "a probe does nothing until it is run"]
pub struct ProbeBuilder<'c> {
    cx: &'c TestContext,
    name: String,
    patterns: Vec<Pattern>,
}

struct Given<F>(F);

impl<F: AsyncFn(&Probe) -> Outcome> Scenario for Given<F> {
    fn body<'a>(&'a self, probe: &'a Probe) -> BoxedBody<'a> {
        Box::pin((self.0)(probe))
    }
}

impl TestContext {
    /// A probe within a test: the phases of `#[silent_failure_probe]` over a scenario that is given as a closure. The test is red for
    /// what it finds, and for what it cannot prove.
    ///
    /// ```no_run
    /// use stageflow_stress::prelude::*;
    ///
    /// # async fn charge(shop: &str, cents: i64) -> Result<i64, std::io::Error> { Ok(cents) }
    /// #[roadmap_test("WORK-002")]
    /// async fn every_shop_charges_once(cx: &TestContext) -> Outcome {
    ///     for shop in ["north", "south"] {
    ///         let report = cx
    ///             .probe(shop)
    ///             .patterns([Pattern::PartialState])
    ///             .run(async |probe: &Probe| {
    ///                 let charges = probe.effects("charges");
    ///                 let port = probe.port("charge", move |cents: i64| {
    ///                     charges.record(cents.to_string());
    ///                     async move { Ok::<_, Failure>(cents) }
    ///                 });
    ///                 port.call(100).await?;
    ///                 Ok(())
    ///             })
    ///             .await?;
    ///         cx.check("it has proved itself", report.is_green());
    ///     }
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    pub fn probe(&self, name: &str) -> ProbeBuilder<'_> {
        ProbeBuilder { cx: self, name: name.to_owned(), patterns: Pattern::ALL.to_vec() }
    }
}

impl ProbeBuilder<'_> {
    /// The patterns that it claims to detect; all five unless told.
    pub fn patterns(mut self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.patterns = patterns.into_iter().collect();
        self
    }

    /// Runs all phases. What they find makes the test red, as with the attribute; the report says it, too.
    ///
    /// # Errors
    /// The error of the first run without faults.
    pub async fn run(self, scenario: impl AsyncFn(&Probe) -> Outcome) -> Outcome<ProbeReport> {
        let scenario = Given(scenario);
        let (proof, outcome) = Campaign::new(self.cx, &scenario, self.patterns, true).all().await;
        let report = ProbeReport::of(&proof);
        self.cx.inner.proofs.lock().unwrap_or_else(PoisonError::into_inner).push((Some(self.name), proof));
        outcome.map(|()| report)
    }

    /// Runs the phases and only reports: for a target of which it is known that something is wrong with it, such as one with a planted
    /// defect. Nothing becomes a finding, nothing is made small, and what is wrong without faults already needs no campaign.
    pub async fn examine(self, scenario: impl AsyncFn(&Probe) -> Outcome) -> ProbeReport {
        let scenario = Given(scenario);
        let (proof, outcome) = Campaign::new(self.cx, &scenario, self.patterns, false).all().await;
        let mut report = ProbeReport::of(&proof);
        report.control_error = outcome.err().map(|failure| failure.to_string());
        report
    }
}

/// What a probe that was built by hand came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Why it is not proven; empty where it is.
    pub unproven: Vec<String>,
    /// The error of the run without faults.
    pub control_error: Option<String>,
    /// What was wrong in the run without faults already.
    pub control_wrong: Vec<(Strategy, String)>,
    /// Silent failures: the faults, and what was seen of each.
    pub silent: Vec<(String, Vec<(Strategy, String)>)>,
    /// Runs with faults that did not come back.
    pub hanging: usize,
    /// What became of the faults.
    pub accounting: Accounting,
    /// Of the time of the probe, the share of its self-check.
    pub check_share: f64,
}

impl ProbeReport {
    fn of(proof: &Proof) -> Self {
        ProbeReport {
            unproven: proof.unproven.clone(),
            control_error: None,
            control_wrong: proof.control_wrong.clone(),
            silent: proof.failures.iter().map(|failure| (failure.said(), failure.seen.clone())).collect(),
            hanging: proof.hanging(),
            accounting: proof.accounting().clone(),
            check_share: proof.check_share(),
        }
    }

    /// Whether it has proved itself and found nothing.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.unproven.is_empty() && !self.has_found()
    }

    /// Whether it has found something: with faults or without.
    #[must_use]
    pub fn has_found(&self) -> bool {
        self.control_error.is_some()
            || !self.control_wrong.is_empty()
            || !self.silent.is_empty()
            || self.hanging > 0
    }
}
