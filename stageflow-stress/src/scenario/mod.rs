//! Scenario templates: the recurring shapes of the roadmap, one line each, over any target.
//!
//! A template runs a closure of yours in its shape and judges what belongs to the shape: that nothing was lost, repeated,
//! leaked or left behind. What belongs to your target you check yourself, with what the template hands back. The target is
//! whatever the closure calls: a function, a [`Port`](crate::fault::Port), an engine.
//!
//! Each returns `Err(`[`Violated`]`)` where its rule is broken, and says *unproven* where it could not have seen a violation: a
//! flap that no call met, a tenant that never saw its own data. Both are red:
//!
//! ```no_run
//! use stageflow_stress::prelude::*;
//! use stageflow_stress::scenario;
//!
//! # mod shop { pub async fn stage(n: u64) -> Result<u64, std::io::Error> { Ok(n) } }
//! #[roadmap_test("DAG-005")]
//! async fn fan_out(cx: &TestContext) -> Outcome {
//!     let outputs = scenario::fan_out_fan_in(500, shop::stage).await?;
//!     cx.check_eq("every output is there", outputs, (0..500).collect::<Vec<_>>());
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! Which template fits an entry of the roadmap is in its [`Guide`](crate::roadmap::Guide). `docs/scenarios.md` has a line for each.

mod broken;
mod compare;
#[cfg(feature = "conformance")]
mod engine;
mod parallel;
mod sessions;
mod shapes;
#[cfg(test)]
mod tests;

pub use broken::{
    Arm, CancelPoint, Crash, cancel_everywhere, crash_after_effect, dependency_flap, fault_sweep,
    partition_heal,
};
pub use compare::{
    Attacks, Difference, Labelled, attack_set, edges, labelled_set, replay, round_trip, two_versions,
};
#[cfg(feature = "conformance")]
pub use engine::{Compared, chain_pipeline, diamond_pipeline, differential, fan_out_pipeline, run_pipeline};
pub use parallel::{Burst, Level, Party, burst, contention, duplicate_storm, fan_out_fan_in, ramp};
pub use sessions::{ColdStart, Growth, Tenant, cold_start, long_session, tenant_pairs};
pub use shapes::{chain, diamond, loop_limit, single};

use crate::roadmap::Template;

/// How many problems are shown; the rest is counted.
const SHOWN: usize = 10;

/// The rule of a template is broken, or was not put to the test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violated {
    /// The rule is broken.
    #[error("{template}: {}", shown(problems))]
    Broken {
        /// The template.
        template: Template,
        /// What was found, one by one.
        problems: Vec<String>,
    },
    /// Nothing was broken, and nothing could have been seen to be.
    #[error("{template} is unproven: {why}")]
    Unproven {
        /// The template.
        template: Template,
        /// What was missing.
        why: String,
    },
}

impl Violated {
    fn unproven(template: Template, why: impl Into<String>) -> Self {
        Violated::Unproven { template, why: why.into() }
    }

    /// `value`, unless there are problems.
    fn unless<T>(template: Template, problems: Vec<String>, value: T) -> Result<T, Self> {
        if problems.is_empty() { Ok(value) } else { Err(Violated::Broken { template, problems }) }
    }
}

fn shown(problems: &[String]) -> String {
    let mut text = problems.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}
