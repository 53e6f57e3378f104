//! What a test body touches.
//!
//! Everything that a [`TestContext`] takes is recorded at once and survives the process. It works from the body, from
//! spawned tasks and from threads: [`TestContext::handle`] gives a clone that can be moved there.

mod background;
mod checks;
#[cfg(feature = "worker")]
mod child;
#[cfg(feature = "load")]
mod earlier;
mod faults;
mod inner;
#[cfg(feature = "load")]
mod load;
mod logs;
mod notes;
#[cfg(feature = "load")]
mod resources;
mod stock;
mod suspend;
mod targets;
#[cfg(feature = "oracle")]
mod verdict;
mod work;

pub use crate::journal::record::{
    Aspect, DocumentationAspect, DxTimed, Fact, HypothesisResult, Ledger, Topic,
};
pub use notes::SaveError;
pub use work::JoinHandle;

pub(crate) use background::{Background, Diagnosis};
pub(crate) use inner::{Collected, Inner, LogArm, findings_filed};
pub(crate) use stock::told;
pub(crate) use suspend::{Followed, FutureState};

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::roadmap::Entry;

/// The context of a test.
///
/// ```no_run
/// use stageflow_stress::prelude::*;
///
/// #[roadmap_test("DAG-005", category = Scalability, pipeline = Stress)]
/// async fn fan_out_keeps_every_output(cx: &TestContext) -> Outcome {
///     let outputs = cx.measure("fan_out", async { (0..500).collect::<Vec<_>>() }).await;
///     cx.check_eq("every output merged", outputs.len(), 500);
///     cx.golden("sum", &outputs.iter().sum::<i32>());
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct TestContext {
    pub(crate) inner: Arc<Inner>,
}

impl TestContext {
    /// A clone for spawned tasks and threads.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # fn body(cx: &TestContext) {
    /// let handle = cx.handle();
    /// std::thread::spawn(move || handle.check("seen from a thread", true)).join().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.clone())
    }

    /// The roadmap entry of the test, with its measurable target if its title carries one.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.inner.entry
    }

    /// The seed of the test: the same whenever the invocation's seed is the same. Every random choice of a test should
    /// come from it, so that the printed command replays the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.inner.seed
    }

    /// Declares that a field of log records differs by design from run to run, such as a nonce: `determinism = "twice"`
    /// leaves it out. Fields whose names say that they are times, process ids, thread ids or ports are left out anyway.
    ///
    /// ```no_run
    /// use stageflow_stress::prelude::*;
    ///
    /// #[roadmap_test("DAG-005", determinism = "twice", flavor = "current_thread")]
    /// async fn replays_from_its_seed(cx: &TestContext) {
    ///     cx.volatile_field("nonce");
    /// }
    /// # fn main() {}
    /// ```
    pub fn volatile_field(&self, name: &str) {
        self.inner.collected().volatile.push(name.to_owned());
    }

    /// The number of the current iteration, from 0.
    #[must_use]
    pub fn iteration(&self) -> u32 {
        self.inner.iteration()
    }

    /// The path of the test, as its runner prints it.
    #[must_use]
    pub fn test_name(&self) -> &str {
        &self.inner.start.name
    }

    /// The run folder.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.inner.run.dir
    }
}

impl std::fmt::Debug for TestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestContext")
            .field("entry", &self.inner.entry.id)
            .field("test", &self.inner.start.name)
            .finish()
    }
}

/// A clone of a [`TestContext`] for spawned tasks and threads, with the same methods.
#[derive(Debug, Clone)]
pub struct Handle(TestContext);

impl Deref for Handle {
    type Target = TestContext;

    fn deref(&self) -> &TestContext {
        &self.0
    }
}
