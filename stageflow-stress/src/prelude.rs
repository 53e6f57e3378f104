//! What a test file usually needs: `use stageflow_stress::prelude::*;`.

pub use crate::classify::{Category, Oracle, Pattern, PipelineKind, Priority, Risk, Severity};
pub use crate::context::TestContext;
pub use crate::finding::{Finding, FindingType, Findings};
pub use crate::outcome::{Failure, Outcome};
pub use crate::probe::{Auditable, Evidence, Probe};
pub use crate::{roadmap_test, silent_failure_probe};
