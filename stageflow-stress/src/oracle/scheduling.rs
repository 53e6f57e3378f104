//! Who is served, who waits, and whether anything moves.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use super::graph::shortest_cycle;
use super::{Checked, Witness};

/// How often somebody was served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Who.
    pub who: String,
    /// How often.
    pub times: u64,
}

impl Served {
    /// Somebody who was served so often.
    #[must_use]
    pub fn new(who: impl Into<String>, times: u64) -> Self {
        Served { who: who.into(), times }
    }
}

#[doc = include_str!("../../docs/checkers/fairness.md")]
pub fn fair(served: &[Served], least: f64) -> Checked {
    const NAME: &str = "fair";
    let sum: f64 = served.iter().map(|one| one.times as f64).sum();
    let squares: f64 = served.iter().map(|one| (one.times as f64).powi(2)).sum();
    if served.len() < 2 || sum == 0.0 {
        return Checked::unknown(NAME, served.len(), "fewer than two were there, or nobody was served");
    }
    let index = sum * sum / (served.len() as f64 * squares);
    let witness = (index < least).then(|| {
        let mut sorted: Vec<&Served> = served.iter().collect();
        sorted.sort_by_key(|one| one.times);
        let ends = [sorted[0], sorted[sorted.len() - 1]];
        Witness::new(
            format!("the index of fairness is {index:.4}, below {least}"),
            ends.map(|one| format!("{} was served {} times", one.who, one.times)),
        )
    });
    Checked::of(NAME, served.len(), witness)
}

/// Something that waited for its turn. Times are from any common beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// What it is.
    pub name: String,
    /// The greater, the sooner it should have its turn.
    pub priority: i64,
    /// When it began to wait.
    pub since: Duration,
    /// When it had its turn; none if it never had.
    pub until: Option<Duration>,
}

impl Waited {
    /// Something that waited.
    #[must_use]
    pub fn new(name: impl Into<String>, priority: i64, since: Duration, until: Option<Duration>) -> Self {
        Waited { name: name.into(), priority, since, until }
    }

    fn shown(&self) -> String {
        let until =
            self.until.map_or_else(|| "never had its turn".to_owned(), |until| format!("turn at {until:?}"));
        format!("{} (priority {}): waited since {:?}, {until}", self.name, self.priority, self.since)
    }
}

/// Whether nothing waited longer than `limit`. What never had its turn waited until `end`.
///
/// ```
/// use std::time::Duration;
/// use stageflow_stress::oracle::{Waited, no_starvation};
/// let ms = Duration::from_millis;
/// let waited = [Waited::new("a", 0, ms(0), Some(ms(5))), Waited::new("b", 0, ms(1), None)];
/// assert!(no_starvation(&waited, ms(50), ms(20)).is_valid());
/// assert!(!no_starvation(&waited, ms(50), ms(100)).is_valid()); // b waits for 99 ms
/// ```
pub fn no_starvation(waited: &[Waited], limit: Duration, end: Duration) -> Checked {
    let time = |one: &Waited| one.until.unwrap_or(end).saturating_sub(one.since);
    let longest = waited.iter().max_by_key(|one| time(one)).filter(|one| time(one) > limit);
    let witness = longest.map(|one| {
        Witness::new(format!("{} waited {:?}, longer than {limit:?}", one.name, time(one)), [one.shown()])
    });
    Checked::of("no_starvation", waited.len(), witness)
}

#[doc = include_str!("../../docs/checkers/priority-inversion.md")]
pub fn no_priority_inversion(waited: &[Waited], tolerance: Duration) -> Checked {
    let inverted = |low: &&Waited| {
        let turn = low.until?;
        waited.iter().find(|high| {
            high.priority > low.priority
                && high.since + tolerance < turn
                && high.until.is_none_or(|until| until > turn)
        })
    };
    let witness = waited.iter().find_map(|low| {
        let high = inverted(&low)?;
        let why = format!("{} had its turn while {} waited", low.name, high.name);
        Some(Witness::new(why, [high.shown(), low.shown()]))
    });
    Checked::of("no_priority_inversion", waited.len(), witness)
}

#[doc = include_str!("../../docs/checkers/deadlock.md")]
pub fn no_deadlock<N: Ord + Debug>(waits: &[(N, N)]) -> Checked {
    let mut names: Vec<&N> = waits.iter().flat_map(|(waiter, holder)| [waiter, holder]).collect();
    names.sort_unstable();
    names.dedup();
    let at = |name: &N| names.binary_search(&name).unwrap_or(0);
    let mut edges: Vec<Vec<(usize, ())>> = vec![Vec::new(); names.len()];
    for (waiter, holder) in waits {
        edges[at(waiter)].push((at(holder), ()));
    }
    let witness = shortest_cycle(&edges, |()| true).map(|cycle| {
        let next = |n: usize| cycle[(n + 1) % cycle.len()];
        let steps = cycle
            .iter()
            .enumerate()
            .map(|(n, waiter)| format!("{:?} waits for {:?}", names[*waiter], names[next(n)]));
        Witness::new(format!("{} wait for each other in a circle", cycle.len()), steps)
    });
    Checked::of("no_deadlock", waits.len(), witness)
}

#[doc = include_str!("../../docs/checkers/livelock.md")]
pub fn no_livelock<N: Ord + Debug, P: PartialEq + Debug>(steps: &[(N, P)], within: usize) -> Checked {
    const NAME: &str = "no_livelock";
    if steps.len() <= within {
        let why = format!("{} steps do not show whether there is progress within {within}", steps.len());
        return Checked::unknown(NAME, steps.len(), why);
    }
    let mut since = 0;
    for (at, (_, progress)) in steps.iter().enumerate() {
        if *progress != steps[since].1 {
            since = at;
        } else if at - since >= within {
            let mut counts: BTreeMap<&N, u64> = BTreeMap::new();
            for (who, _) in &steps[since + 1..=at] {
                *counts.entry(who).or_default() += 1;
            }
            let why = format!(
                "{} steps after step {} achieved nothing: still at {progress:?}",
                at - since,
                since + 1
            );
            let steps = counts.into_iter().map(|(who, times)| format!("{who:?} made {times} of them"));
            return Checked::of(NAME, at + 1, Some(Witness::new(why, steps)));
        }
    }
    Checked::of(NAME, steps.len(), None)
}
