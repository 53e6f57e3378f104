//! Back-pressure, circuit breakers, retries.

use std::time::Duration;

use super::{Checked, Witness};

/// A part of the time, of equal length, as a queue saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Pressure {
    /// Items in the queue at its end.
    pub depth: u64,
    /// Items that were let in during it.
    pub accepted: u64,
}

impl Pressure {
    /// A part of the time.
    #[must_use]
    pub fn new(depth: u64, accepted: u64) -> Self {
        Pressure { depth, accepted }
    }
}

#[doc = include_str!("../../docs/checkers/back-pressure.md")]
pub fn back_pressure(parts: &[Pressure], limit: u64, share: f64) -> Checked {
    const NAME: &str = "back_pressure";
    if let Some((at, part)) = parts.iter().enumerate().find(|(_, part)| part.depth > limit) {
        let why = format!("the queue held {} in part {}, above its limit of {limit}", part.depth, at + 1);
        return Checked::of(NAME, parts.len(), Some(Witness::new(why, [format!("{part:?}")])));
    }
    let (mut pressed, mut free) = (Vec::new(), Vec::new());
    for pair in parts.windows(2) {
        let under = pair[0].depth * 2 >= limit;
        if under { &mut pressed } else { &mut free }.push(pair[1].accepted as f64);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    if pressed.is_empty() || free.is_empty() || mean(&free) == 0.0 {
        let why = format!(
            "{} parts under pressure and {} without: it takes both to compare them",
            pressed.len(),
            free.len()
        );
        return Checked::unknown(NAME, parts.len(), why);
    }
    let reduced = mean(&pressed) / mean(&free);
    let witness = (reduced > share).then(|| {
        Witness::new(
            format!(
                "under pressure it lets in {:.0} % of what it does otherwise, above {:.0} %",
                reduced * 100.0,
                share * 100.0
            ),
            [
                format!("{} parts under pressure: {:.1} accepted on average", pressed.len(), mean(&pressed)),
                format!("{} parts without: {:.1} accepted on average", free.len(), mean(&free)),
            ],
        )
    });
    Checked::of(NAME, parts.len(), witness)
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// One call goes through, to see.
    HalfOpen,
}

/// What happened at a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerEvent {
    /// A call reached the target, and succeeded or not.
    Call {
        /// Whether it succeeded.
        succeeded: bool,
    },
    /// A call was refused by the breaker.
    Refused,
    /// It changed its state.
    Became(BreakerState),
}

#[doc = include_str!("../../docs/checkers/circuit-breaker.md")]
pub fn circuit_breaker(events: &[(Duration, BreakerEvent)], failures: u32, open_for: Duration) -> Checked {
    use BreakerState::{Closed, HalfOpen, Open};
    let (mut state, mut since, mut in_a_row) = (Closed, Duration::ZERO, 0);
    // In the half-open state: what came of the one call.
    let mut tried: Option<bool> = None;
    let mut wrong = None;
    for (n, (at, event)) in events.iter().enumerate() {
        let problem = match (state, event) {
            (Closed, BreakerEvent::Call { .. }) if in_a_row >= failures => {
                Some(format!("a call went through after {in_a_row} failures in a row"))
            }
            (Closed, BreakerEvent::Call { succeeded }) => {
                in_a_row = if *succeeded { 0 } else { in_a_row + 1 };
                None
            }
            (Closed, BreakerEvent::Refused) => Some("a call was refused while it was closed".to_owned()),
            (Closed, BreakerEvent::Became(Open)) if in_a_row < failures => {
                Some(format!("it opened after {in_a_row} failures in a row instead of {failures}"))
            }
            (Open, BreakerEvent::Call { .. }) => Some("a call went through while it was open".to_owned()),
            (Open, BreakerEvent::Became(HalfOpen)) if at.saturating_sub(since) < open_for => {
                Some(format!("it was open for {:?} only, not for {open_for:?}", at.saturating_sub(since)))
            }
            (HalfOpen, BreakerEvent::Call { .. }) if tried.is_some() => {
                Some("a second call went through while it was half open".to_owned())
            }
            (HalfOpen, BreakerEvent::Call { succeeded }) => {
                tried = Some(*succeeded);
                None
            }
            (HalfOpen, BreakerEvent::Became(Closed)) if tried != Some(true) => {
                Some("it closed without a call that succeeded".to_owned())
            }
            (HalfOpen, BreakerEvent::Became(Open)) if tried != Some(false) => {
                Some("it opened again without a call that failed".to_owned())
            }
            (Closed, BreakerEvent::Became(Open))
            | (Open, BreakerEvent::Became(HalfOpen))
            | (HalfOpen, BreakerEvent::Became(Closed | Open))
            | (Open | HalfOpen, BreakerEvent::Refused) => None,
            (from, BreakerEvent::Became(to)) => Some(format!("it went from {from:?} to {to:?}")),
        };
        if let Some(problem) = problem {
            // What led there: everything since the last change before.
            let from = events[..n]
                .iter()
                .rposition(|(_, event)| matches!(event, BreakerEvent::Became(_)))
                .unwrap_or(0);
            let steps = events[from..=n].iter().map(|(at, event)| format!("at {at:?}: {event:?}"));
            wrong = Some(Witness::new(problem, steps));
            break;
        }
        if let BreakerEvent::Became(to) = event {
            (state, since, in_a_row, tried) = (*to, *at, 0, None);
        }
    }
    Checked::of("circuit_breaker", events.len(), wrong)
}

/// An attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// When it began.
    pub at: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// How long the answer asked to wait.
    pub retry_after: Option<Duration>,
}

impl Attempt {
    /// An attempt that failed.
    #[must_use]
    pub fn failed(at: Duration, ended: Duration) -> Self {
        Attempt { at, ended, succeeded: false, retry_after: None }
    }

    /// An attempt that succeeded.
    #[must_use]
    pub fn succeeded(at: Duration, ended: Duration) -> Self {
        Attempt { succeeded: true, ..Attempt::failed(at, ended) }
    }

    /// The same, with an answer that asked to wait.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Attempt { retry_after: Some(wait), ..self }
    }
}

/// How retries should come.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts at most, the first one among them.
    pub attempts: usize,
    /// The wait after the first attempt.
    pub first: Duration,
    /// What each wait is multiplied by for the next one.
    pub factor: f64,
    /// The longest wait.
    pub most: Duration,
    /// By which share of it a wait may be shorter or longer, by chance.
    pub jitter: f64,
    /// How much longer a wait may take, since nobody wakes up in time.
    pub tolerance: Duration,
}

impl RetryPolicy {
    /// Waits that double, without jitter, at most a minute, with 50 ms of tolerance.
    #[must_use]
    pub fn doubling(attempts: usize, first: Duration) -> Self {
        RetryPolicy {
            attempts,
            first,
            factor: 2.0,
            most: Duration::from_secs(60),
            jitter: 0.0,
            tolerance: Duration::from_millis(50),
        }
    }

    /// The same with jitter.
    #[must_use]
    pub fn jitter(self, share: f64) -> Self {
        RetryPolicy { jitter: share, ..self }
    }
}

#[doc = include_str!("../../docs/checkers/retry-schedule.md")]
pub fn retry_schedule(attempts: &[Attempt], policy: &RetryPolicy) -> Checked {
    const NAME: &str = "retry_schedule";
    let done = |witness| Checked::of(NAME, attempts.len(), witness);
    let shown = |n: usize| format!("attempt {}: {:?}", n + 1, attempts[n]);
    if attempts.len() > policy.attempts {
        let why = format!("{} attempts, where {} are allowed", attempts.len(), policy.attempts);
        return done(Some(Witness::new(why, [shown(policy.attempts)])));
    }
    for (n, pair) in attempts.windows(2).enumerate() {
        let wait = pair[1].at.saturating_sub(pair[0].ended);
        let planned = policy.first.as_secs_f64() * policy.factor.powi(i32::try_from(n).unwrap_or(i32::MAX));
        let planned = planned.min(policy.most.as_secs_f64());
        let bound = |share: f64| Duration::try_from_secs_f64(planned * share).unwrap_or(Duration::MAX);
        let (least, most) = (bound((1.0 - policy.jitter).max(0.0)), bound(1.0 + policy.jitter));
        let asked = pair[0].retry_after.unwrap_or_default();
        let why = if pair[0].succeeded {
            "an attempt came after one that had succeeded".to_owned()
        } else if wait < asked {
            format!("a wait of {wait:?}, where the answer asked for {asked:?}")
        } else if wait < least {
            format!("wait {} is {wait:?}, below {least:?}", n + 1)
        } else if wait > most.max(asked).saturating_add(policy.tolerance) {
            format!("wait {} is {wait:?}, above {:?}", n + 1, most.max(asked))
        } else {
            continue;
        };
        return done(Some(Witness::new(why, [shown(n), shown(n + 1)])));
    }
    done(None)
}

/// Whether retries of many clients are spread: in no window of this length are there more than `share` of all of them.
///
/// ```
/// use std::time::Duration;
/// use stageflow_stress::oracle::no_thundering_herd;
/// let ms = Duration::from_millis;
/// let spread: Vec<_> = (0..100).map(|n| ms(10 * n)).collect();
/// assert!(no_thundering_herd(&spread, ms(50), 0.2).is_valid());
/// let herd: Vec<_> = (0..100).map(|n| ms(1_000 * (n % 3))).collect();
/// assert!(!no_thundering_herd(&herd, ms(50), 0.2).is_valid());
/// ```
pub fn no_thundering_herd(retries: &[Duration], window: Duration, share: f64) -> Checked {
    const NAME: &str = "no_thundering_herd";
    let mut sorted = retries.to_vec();
    sorted.sort_unstable();
    // With fewer, one alone is more than the share.
    let needed = (2.0 / share.max(f64::MIN_POSITIVE)).ceil();
    if (sorted.len() as f64) < needed {
        let why = format!("{} retries, where it takes {needed} to see whether they are spread", sorted.len());
        return Checked::unknown(NAME, sorted.len(), why);
    }
    let within = |from: usize| sorted.partition_point(|at| *at <= sorted[from] + window) - from;
    let densest = (0..sorted.len()).max_by_key(|from| within(*from)).unwrap_or(0);
    let witness = (within(densest) as f64 > share * sorted.len() as f64).then(|| {
        let from = sorted[densest];
        Witness::new(
            format!("{} of {} retries came within {window:?}", within(densest), sorted.len()),
            [format!("from {from:?} to {:?}", sorted[densest + within(densest) - 1])],
        )
    });
    Checked::of(NAME, sorted.len(), witness)
}
