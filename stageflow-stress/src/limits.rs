//! Up to where does it work? Sweeps and bisections that are the same every time, and that show every probe they made.
//!
//! ```
//! use stageflow_stress::limits::depth_sweep;
//!
//! let limit = depth_sweep(1, 1_000, |depth| depth <= 77);
//! assert_eq!((limit.survived, limit.failed), (Some(77), Some(78)));
//! ```

use std::fmt;

use crate::context::TestContext;

/// One question and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitProbe {
    /// What was tried.
    pub n: u64,
    /// Whether it survived.
    pub survived: bool,
}

/// Where the limit lies, as far as the probes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The largest `n` that was seen to survive; `None` if none did.
    pub survived: Option<u64>,
    /// The smallest `n` that was seen to fail; `None` if none did: the limit lies beyond what was tried.
    pub failed: Option<u64>,
    /// Every probe, in the order in which it was made.
    pub probes: Vec<LimitProbe>,
}

impl Limit {
    /// Records the limit as a metric called `name` and each probe as a line of the test's log. Where nothing failed, the
    /// metric is the largest `n` that was tried, and the log says that it is no limit.
    ///
    /// ```no_run
    /// use stageflow_stress::{limits::depth_sweep, prelude::*};
    ///
    /// #[roadmap_test("DAG-006", isolate(memory = "512MB", stack = "2MB", time = "60s"))]
    /// fn deep_chains_are_refused_in_time(cx: &TestContext) {
    ///     let limit = depth_sweep(1, 100_000, |depth| build_chain(depth).is_ok());
    ///     limit.record(cx, "depth");
    ///     cx.check("a thousand stages", limit.survived >= Some(1_000));
    /// }
    /// # fn build_chain(_: u64) -> Result<(), ()> { Ok(()) }
    /// # fn main() {}
    /// ```
    pub fn record(&self, cx: &TestContext, name: &str) {
        for probe in &self.probes {
            tracing::info!(limit = name, n = probe.n, survived = probe.survived, "probe of a limit");
        }
        tracing::info!(limit = name, "{self}");
        // Past 2^53 a metric is rounded; the log has every digit.
        cx.metric(name, self.survived.unwrap_or(0) as f64, "");
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.survived, self.failed) {
            (Some(survived), Some(failed)) => write!(f, "survives {survived}, fails at {failed}"),
            (Some(survived), None) => write!(f, "survives {survived}, the largest that was tried"),
            (None, Some(failed)) => write!(f, "fails at {failed}, the smallest that was tried"),
            (None, None) => f.write_str("nothing was tried"),
        }?;
        write!(f, " ({} probes)", self.probes.len())
    }
}

/// Finds the largest `n` from `start` to `max` that survives: doubles from `start` until one fails, then bisects between
/// the last that survived and the first that failed.
///
/// Exact if whatever survives at `n` survives at every smaller number too; otherwise it is *a* border between a number
/// that survived and its successor that did not. The same answers give the same probes. A start of 0 is tried, then 1.
///
/// `survives` decides by its answer, so it must come back: what ends the process, such as an overflow of the stack, has
/// to happen in a process that `survives` starts. Of `isolate`, an overflow in the test itself is the test's end.
///
/// ```
/// use stageflow_stress::limits::depth_sweep;
///
/// // Parses nested lists with a parser that refuses at some depth.
/// let parse = |depth: usize| {
///     let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
///     serde_json::from_str::<serde_json::Value>(&text).is_ok()
/// };
/// let limit = depth_sweep(1, 10_000, |depth| parse(depth as usize));
/// assert_eq!(limit.to_string(), "survives 127, fails at 128 (14 probes)");
/// ```
pub fn depth_sweep(start: u64, max: u64, mut survives: impl FnMut(u64) -> bool) -> Limit {
    let mut limit = Limit { survived: None, failed: None, probes: Vec::new() };
    let mut n = start;
    while n <= max {
        limit.ask(n, &mut survives);
        if limit.failed.is_some() || n == max {
            break;
        }
        n = n.saturating_mul(2).max(1).min(max);
    }
    limit.bisect(&mut survives);
    limit
}

/// Finds the border between `low`, which should survive, and `high`, which should not, by bisection. Both are tried first:
/// if `low` fails or `high` survives, there is no border between them, and the answer says so.
///
/// ```
/// use stageflow_stress::limits::bisect_limit;
///
/// let limit = bisect_limit(0, 100, |n| n < 42);
/// assert_eq!((limit.survived, limit.failed), (Some(41), Some(42)));
/// assert_eq!(bisect_limit(0, 100, |_| true).failed, None);
/// ```
pub fn bisect_limit(low: u64, high: u64, mut survives: impl FnMut(u64) -> bool) -> Limit {
    let mut limit = Limit { survived: None, failed: None, probes: Vec::new() };
    if low > high {
        return limit;
    }
    limit.ask(low, &mut survives);
    if limit.failed.is_none() && high > low {
        limit.ask(high, &mut survives);
    }
    limit.bisect(&mut survives);
    limit
}

impl Limit {
    fn ask(&mut self, n: u64, survives: &mut impl FnMut(u64) -> bool) {
        let survived = survives(n);
        self.probes.push(LimitProbe { n, survived });
        if survived { self.survived = Some(n) } else { self.failed = Some(n) }
    }

    fn bisect(&mut self, survives: &mut impl FnMut(u64) -> bool) {
        while let (Some(low), Some(high)) = (self.survived, self.failed)
            && high - low > 1
        {
            self.ask(low + (high - low) / 2, survives);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_found_exactly_with_few_probes() {
        for (start, max) in [(0, 300), (1, 300), (7, 300), (300, 300)] {
            for border in 0..=310 {
                let limit = depth_sweep(start, max, |n| n < border);
                let expected = (border > start).then(|| (border - 1).min(max));
                assert_eq!(limit.survived, expected, "{start} {border}");
                let failed = (border <= max).then_some(border.max(start));
                assert_eq!(limit.failed, failed, "{start} {border}");
                assert!(limit.probes.len() <= 19, "{} probes", limit.probes.len());
            }
        }
        for border in 0..=101 {
            let limit = bisect_limit(0, 100, |n| n < border);
            assert_eq!(limit.survived, border.checked_sub(1).map(|n| n.min(100)), "{border}");
            assert_eq!(limit.failed, (border <= 100).then_some(border));
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow_and_an_empty_range_asks_nothing() {
        assert_eq!(depth_sweep(1, u64::MAX, |_| true).survived, Some(u64::MAX));
        assert_eq!(depth_sweep(2, 1, |_| true).to_string(), "nothing was tried (0 probes)");
        assert_eq!(bisect_limit(2, 1, |_| true).probes, []);
        assert_eq!(bisect_limit(5, 5, |_| true).probes.len(), 1);
    }

    #[test]
    fn probes_are_kept_in_the_order_in_which_they_were_made() {
        let asked: Vec<u64> = depth_sweep(1, 100, |n| n <= 5).probes.iter().map(|probe| probe.n).collect();
        assert_eq!(asked, [1, 2, 4, 8, 6, 5]);
    }
}
