//! What an author declares of the test's log.

use std::ops::RangeBounds;

use super::TestContext;
use crate::journal::record::{LogRuleKind, Record};
use crate::log::rules::Expected;

impl TestContext {
    /// Announces a record: when the test ends, so many records of its log must hold this text, in their message, their
    /// target or a field. Otherwise the test is red, unless records were lost; then the announcement is inconclusive.
    ///
    /// ```no_run
    /// use stageflow_stress::prelude::*;
    ///
    /// #[roadmap_test("OBS-001")]
    /// async fn every_stage_is_logged(cx: &TestContext) -> Outcome {
    ///     cx.expect_log("pipeline completed", 1..=1);
    ///     cx.expect_log("stage completed", 3..);
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    pub fn expect_log(&self, text: impl Into<String>, times: impl RangeBounds<u64>) {
        let Expected { text, at_least, at_most } = Expected::new(text.into(), &times);
        self.declare(LogRuleKind::ExpectLog, vec![text, at_least.to_string(), at_most.to_string()], None);
    }

    /// Declares that each record with `start` is followed by one with one of `ends`. The value of the field `key` joins
    /// them; where it is empty, there is at most one at a time. A beginning without its end makes the test red.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # fn body(cx: &TestContext) {
    /// cx.expect_log_pair("lock taken", ["lock given back", "lock expired"], "lock");
    /// # }
    /// ```
    pub fn expect_log_pair<S: Into<String>>(
        &self,
        start: impl Into<String>,
        ends: impl IntoIterator<Item = S>,
        key: impl Into<String>,
    ) {
        let mut parts = vec![start.into(), key.into()];
        parts.extend(ends.into_iter().map(Into::into));
        self.declare(LogRuleKind::Pair, parts, None);
    }

    /// Declares the states of a thing: `steps` are those that are allowed, the field `field` holds the state, and the field
    /// `key` tells one thing from another. A step from `""` says where a life may begin. Where `field` is empty, a state is
    /// a part of the message. Another step makes the test red.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # fn body(cx: &TestContext) {
    /// let steps = [("", "created"), ("created", "paid"), ("paid", "shipped"), ("created", "cancelled")];
    /// cx.log_states("order", "order_id", "state", steps);
    /// # }
    /// ```
    pub fn log_states<'s>(
        &self,
        name: impl Into<String>,
        key: impl Into<String>,
        field: impl Into<String>,
        steps: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) {
        let mut parts = vec![name.into(), key.into(), field.into()];
        parts.extend(steps.into_iter().flat_map(|(from, to)| [from.to_owned(), to.to_owned()]));
        self.declare(LogRuleKind::States, parts, None);
    }

    /// Names a field that tells which operation a record belongs to, besides `run_id`, `pipeline_run_id`,
    /// `correlation_id`, `request_id` and `trace_id`.
    pub fn correlate_logs_by(&self, field: impl Into<String>) {
        self.declare(LogRuleKind::Correlate, vec![field.into()], None);
    }

    /// Accepts what a detector of the log analysis, 1 for D1, sees about subjects that hold this text; all of it if the
    /// text is empty. `why` says why it is right. What was accepted is counted in the analysis, and the report lists it.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # fn body(cx: &TestContext) {
    /// cx.waive_log(8, "visited node", "each node is one line, and there are many");
    /// # }
    /// ```
    pub fn waive_log(&self, detector: u8, text: impl Into<String>, why: impl Into<String>) {
        self.declare(LogRuleKind::Waive, vec![detector.to_string(), text.into()], Some(why.into()));
    }

    /// Keeps a declaration for the analysis at the end, and in the journal, for an analysis after a crash.
    fn declare(&self, kind: LogRuleKind, parts: Vec<String>, why: Option<String>) {
        let rule = self.inner.collected().log_rules.declare(kind, parts, why);
        self.inner.record(Record::LogRule(rule));
    }
}
