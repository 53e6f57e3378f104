//! What checkers said.

use std::panic::Location;

use super::TestContext;
use crate::journal::record::Instrument;
use crate::oracle::Checked;

impl TestContext {
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
}
