//! The log of the last run of a test that passed, for comparison.

use std::fs;

use crate::context::Inner;
use crate::log::LogDigest;
use crate::log::profile::Profile;

/// Runs that are looked back through.
const RUNS: usize = 10;
/// A log beyond this is not read again.
const BYTES: u64 = 8 << 20;

/// What is kept of the log of the last run in which this test passed, if that log is still there.
pub fn profile(inner: &Inner) -> Option<Profile> {
    let own = &inner.run.dir;
    let mut runs: Vec<_> = fs::read_dir(own.parent()?)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path != own && path.is_dir())
        .collect();
    runs.sort();
    runs.iter().rev().take(RUNS).find_map(|run| {
        let stats = run.join(format!("results/logs/{}_stats.json", inner.start.slug));
        let digest = LogDigest::from_json(&fs::read_to_string(stats).ok()?).ok()?;
        if digest.passed != Some(true) || !digest.loss.reasons.is_empty() {
            return None;
        }
        let log = run.join(&digest.log);
        if fs::metadata(&log).ok()?.len() > BYTES {
            return None;
        }
        Some(crate::log::public::profile_of(&fs::read(log).ok()?))
    })
}
