//! The probes of an entry together: the sums of what they did, and the worst of their bounds.

use std::collections::BTreeMap;

use crate::journal::record::{Metric, PROBE_ARMED, PROBE_BOUND};
use crate::run::state::RunState;

/// What the probes of one entry came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RollUp {
    /// All of them, those that left no numbers included.
    pub probes: usize,
    /// Those of them whose rate has a bound.
    pub bounded: usize,
    /// The highest bound, in percent. Not the mean: one blind spot is not made up for by what was seen elsewhere.
    pub worst: Option<f64>,
    /// Counts of faults and of runs, summed, by their names.
    pub sums: Vec<(String, u64)>,
}

impl RollUp {
    /// The bound of the entry: none where a probe has none, since nothing is known of what that one would have missed.
    pub fn bound(&self) -> Option<f64> {
        self.worst.filter(|_| self.bounded == self.probes)
    }
}

/// Rolls up what the probes of all tests have recorded.
pub(super) fn roll_up(state: &RunState) -> RollUp {
    let mut all = RollUp::default();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for Metric { name, value, unit } in state.tests.iter().flat_map(|test| &test.metrics) {
        all.probes += usize::from(name == PROBE_ARMED);
        if name == PROBE_BOUND {
            all.bounded += 1;
            all.worst = Some(all.worst.map_or(*value, |worst| worst.max(*value)));
        }
        let Some(what) = name.strip_prefix("probe ").filter(|_| matches!(unit.as_str(), "faults" | "runs"))
        else {
            continue;
        };
        let at = *places.entry(name).or_insert_with(|| {
            all.sums.push((what.to_owned(), 0));
            all.sums.len() - 1
        });
        all.sums[at].1 += *value as u64;
    }
    // One that was skipped or did not get through its phases has shown nothing.
    let silent = state.tests.iter().filter(|test| {
        test.start.kind == "silent_failure_probe"
            && !test.metrics.iter().any(|metric| metric.name == PROBE_ARMED)
    });
    all.probes += silent.count();
    all
}
