//! What the process uses while a test runs.

use std::time::Duration;

use super::TestContext;
use crate::journal::record::Instrument;
use crate::resources::{self, ResourceError, Watch};

impl TestContext {
    /// Watches what the process uses, from a thread of its own, until the watch is finished. It is recorded then.
    ///
    /// # Errors
    /// An operating system that does not tell (only Linux does), an interval below a millisecond, no thread from the system.
    pub fn watch_resources(&self, name: &str, interval: Duration) -> Result<Watch, ResourceError> {
        let inner = self.inner.clone();
        let finished: resources::Finished = Box::new(move |usage| {
            inner.measured(Instrument::Resources, usage.to_json());
            // The log analysis judges growth too, where turns tell how much was done. Of several watches, the first.
            let mut collected = inner.collected();
            if collected.log_rules.memory.is_empty() && usage.samples.iter().any(|sample| sample.turns > 0) {
                collected
                    .log_rules
                    .memory
                    .extend(usage.samples.iter().map(|sample| (sample.turns as f64, sample.rss as f64)));
            }
        });
        resources::watch(name, interval, Some(finished))
    }
}
