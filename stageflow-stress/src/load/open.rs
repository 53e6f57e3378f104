//! The open model: operations begin when the plan says, whatever became of those before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::engine::{Entry, Issued, Raw, Shared};
use super::operation::Op;
use super::pacer;
use super::profile::Profile;
use super::{nanos, seconds};

/// From here on, an operation counts as late.
const LATE: u64 = 1_000_000;

/// Follows the plan on the current thread. `issue` hands an operation over and returns at once.
pub(super) fn generate(
    shared: &Arc<Shared>,
    profile: &Profile,
    budget: Option<f64>,
    drain: Duration,
    mut issue: impl FnMut(Op, Entry),
) -> Raw {
    pacer::prepare_thread();
    let kinds = shared.names.kinds.len().max(1);
    let cells = shared.names.stages.len() * kinds;
    let layout = shared.shards.own().layout;
    let mut issued = Issued {
        offered: vec![0; cells],
        dropped: vec![0; cells],
        late: vec![0; cells],
        due: vec![0; layout.buckets],
        ..Issued::default()
    };
    let (mut index, mut slot) = (0, 0);
    for arrival in profile.arrivals(shared.seed) {
        let Some(now) = pacer::wait_until(shared.start + arrival.at, &shared.stop) else {
            issued.aborted = Some("the test went on without waiting for its end".to_owned());
            break;
        };
        if shared.over_budget(budget, index) {
            issued.aborted = Some(format!(
                "{} of {index} operations had failed after {:.3} s, which is more than the budget of {} %",
                shared.unsuccessful(),
                seconds(shared.now() as f64 / 1e9).as_secs_f64(),
                budget.unwrap_or_default() * 100.0
            ));
            break;
        }
        let op = shared.op(index, arrival.stage, Some(arrival.at));
        index += 1;
        let cell = op.stage * kinds + op.kind;
        let planned = nanos(arrival.at);
        issued.offered[cell] += 1;
        let bucket = usize::try_from(planned / layout.bucket_width).unwrap_or(usize::MAX);
        issued.due[bucket.min(layout.buckets - 1)] += 1;
        let Some(free) = shared.free_slot(slot) else {
            issued.dropped[cell] += 1;
            continue;
        };
        slot = free;
        let lag = nanos(now.saturating_duration_since(shared.start)).saturating_sub(planned);
        issued.lag.record(lag);
        issued.last_lag = lag;
        issued.late[cell] += u64::from(lag > LATE);
        let entry = shared.open(&op, slot, Some(planned), planned);
        issue(op, entry);
    }
    if issued.aborted.is_none() {
        // The last operation is seldom the end of the plan: a rate needs its whole time.
        pacer::wait_until(shared.start + profile.duration(), &shared.stop);
    }
    let generated = shared.now();
    shared.stop.store(true, Ordering::Relaxed);
    let (tally, pending) = shared.drain(drain);
    Raw { issued, tally, pending, generated }
}
