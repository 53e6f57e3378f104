//! What the process uses while a test runs, sampled from a thread of its own, and whether it grows.
//!
//! ```no_run
//! use std::time::Duration;
//! use stageflow_stress::prelude::*;
//! use stageflow_stress::resources::Resource;
//!
//! #[roadmap_test("GAME-003")] // session memory < 5 MB per 1,000 turns
//! fn a_session_stays_small(cx: &TestContext) -> Outcome {
//!     let watch = cx.watch_resources("session", Duration::from_millis(10))?;
//!     for _turn in 0..20_000 {
//!         // one turn of the session
//!         watch.turn();
//!     }
//!     let usage = watch.finish();
//!     cx.meets_target(usage.per_1000_turns(Resource::Memory)?);
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! The guide is `docs/resources.md`.

mod growth;
mod sampler;

pub use growth::{ResourceError, Usage};
pub(crate) use sampler::{Finished, watch};
pub use sampler::{Sample, Watch};

pub use crate::sys::CountingAllocator;

use crate::classify::words;

words! {
    /// Something that a process uses.
    pub enum Resource: "resource" {
        /// Resident memory, in bytes.
        Memory = "rss_bytes",
        /// Memory that is allocated and not freed, in bytes: known where `count_allocations!` counts it.
        Heap = "heap_bytes",
        /// Processor time since the beginning, in seconds.
        Processor = "cpu_seconds",
        /// Threads.
        Threads = "threads",
        /// Open file descriptors.
        Files = "fds",
        /// Tasks of the test's runtime that are alive.
        Tasks = "tasks",
    }
}

/// Counts the allocations of the test binary, which makes [`Resource::Heap`] known. At the top of a test file:
///
/// ```
/// stageflow_stress::count_allocations!();
///
/// let watched = vec![1_u8; 1_000];
/// # drop(watched);
/// ```
///
/// Every allocation then costs a few atomic additions.
#[macro_export]
macro_rules! count_allocations {
    () => {
        #[global_allocator]
        static STAGEFLOW_COUNTS_ALLOCATIONS: $crate::resources::CountingAllocator =
            $crate::resources::CountingAllocator;
    };
}
