//! What a test file usually needs: `use stageflow_stress::prelude::*;`.

pub use crate::classify::{Category, Oracle, Pattern, PipelineKind, Priority, Risk, Severity};
pub use crate::context::{
    Aspect, DocumentationAspect, DxTimed, Fact, HypothesisResult, Ledger, TestContext, Topic,
};
pub use crate::finding::{Finding, FindingType, Findings, RiskLevel, Suggestion};
pub use crate::outcome::{Failure, Outcome};
pub use crate::probe::{Auditable, Evidence, Probe};
pub use crate::roadmap::Measurement;
pub use crate::{roadmap_test, silent_failure_probe};
