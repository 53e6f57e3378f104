//! Load that cannot be fooled: operations begin when the plan says, on the clock of a thread that the tested runtime
//! cannot hold up, and what was dropped, late or never came back is a number of its own.
//!
//! Start with [`TestContext::load`](crate::TestContext::load):
//!
//! ```no_run
//! use std::time::Duration;
//! use stageflow_stress::prelude::*;
//! # async fn checkout(order: u64) -> Result<(), std::io::Error> { Ok(()) }
//!
//! #[roadmap_test("PERF-005", category = Performance)]
//! async fn checkout_keeps_its_latency(cx: &TestContext) -> Outcome {
//!     let report = cx
//!         .load("checkout")
//!         .open(1_000.0)
//!         .for_(Duration::from_secs(10))
//!         .run(|op| async move { checkout(op.index()).await })
//!         .await?;
//!     println!("P99 {:?}", report.response().percentile(0.99)?);
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! The guide to it is `docs/load.md`.

mod baseline;
mod closed;
mod curve;
mod engine;
mod error;
mod generate;
mod lane;
mod latency;
mod moment;
mod open;
mod operation;
mod pacer;
mod pool;
mod profile;
mod report;
mod seed;
mod setup;
mod show;
mod tally;
#[cfg(test)]
mod tests;

pub use baseline::Change;
pub(crate) use baseline::{compare, is_comparable};
pub use curve::{Curve, CurveStep, Scaling, ScalingPoint, StepState};
pub use error::LoadError;
pub use latency::{Latency, Percentile};
pub use moment::Moment;
pub use operation::{Answer, Op};
pub use profile::{Arrival, Arrivals, Profile, Stage};
pub use report::{Counts, KindReport, LoadReport, Model, StageReport, Validity};
pub(crate) use setup::Host;
pub use setup::Load;

use std::time::Duration;

/// As whole nanoseconds; what does not fit is the greatest number.
fn nanos(duration: Duration) -> u64 {
    // Without 128-bit arithmetic: this is on the path of every operation.
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// From seconds; what does not fit is the longest time.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 { Duration::MAX } else { Duration::ZERO })
}
