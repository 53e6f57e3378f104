//! One suite for every engine: scenarios written once over [`Engine`](crate::engine::Engine).
//!
//! ```no_run
//! # use stageflow_stress::engine::*;
//! # struct MyEngine;
//! # impl MyEngine { fn new() -> Self { MyEngine } }
//! # impl Engine for MyEngine {
//! #     fn name(&self) -> String { "mine".to_owned() }
//! #     async fn run(&self, _: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
//! #         Ok(RunReport::new(RunEnd::Ok))
//! #     }
//! # }
//! stageflow_stress::conformance!(MyEngine::new());
//! # fn main() {}
//! ```
//!
//! gives a project one named test for each of [`CASES`], under every runner, with run folders as any other roadmap test.
//! [`Suite`] runs the same cases in one go and returns a [`Report`].
//!
//! * **A case says what must hold for every engine**, in terms of what its callers see. It knows no engine and no defect.
//! * Every run of every case is put to [`engine::audit`](crate::engine::audit) on top of the case's own checks.
//! * **A facility that the engine does not declare makes a case *not applicable*.** That is printed and counted; it is
//!   never a pass. A facility that it declares and then refuses is a finding.
//! * A run that does not return within its deadline is a finding, and ends its case.

mod bench;
mod cases;
mod engine;
mod macros;
#[doc(hidden)]
pub mod private;
mod suite;

pub use bench::Bench;
pub use cases::CASES;
pub use suite::{CaseReport, CaseResult, Report, Suite};

use crate::classify::{Category, Oracle};
use crate::engine::Capability;

/// One scenario.
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// Unique name, which is also the name of its test.
    pub name: &'static str,
    /// The roadmap entry that it belongs to.
    pub entry: &'static str,
    /// What must hold.
    pub about: &'static str,
    /// What it looks at.
    pub category: Category,
    /// What decides.
    pub oracle: Oracle,
    /// What the engine must be able to do for it to be applicable.
    pub needs: &'static [Capability],
    pub(crate) body: fn(&mut Bench<'_>) -> Result<(), bench::Stop>,
}

/// The case of the given name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().copied().flatten().find(|case| case.name == name)
}
