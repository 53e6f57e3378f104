//! Shapes in which much happens at once.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinError;

use super::Violated;
use crate::effects::Effects;
use crate::roadmap::Template;

/// How each of many ended, in their order.
async fn all_at_once<T, Fut>(n: u64, operation: impl Fn(u64) -> Fut) -> Vec<Result<T, JoinError>>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    // All of them stand at the barrier before the first one goes.
    let barrier = Arc::new(Barrier::new(usize::try_from(n).unwrap_or(usize::MAX).max(1)));
    let tasks: Vec<_> = (0..n)
        .map(|number| {
            let (operation, barrier) = (operation(number), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                operation.await
            })
        })
        .collect();
    let mut ends = Vec::with_capacity(tasks.len());
    for task in tasks {
        ends.push(task.await);
    }
    ends
}

/// Runs `n` branches at once, each on a task of its own, and joins their outputs in order. Every branch must end with `Ok`.
///
/// # Errors
/// Which branches failed or panicked.
pub async fn fan_out_fan_in<T, E, Fut>(n: u64, branch: impl Fn(u64) -> Fut) -> Result<Vec<T>, Violated>
where
    T: Send + 'static,
    E: Display + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut outputs = Vec::new();
    let mut problems = Vec::new();
    for (number, end) in all_at_once(n, branch).await.into_iter().enumerate() {
        match end {
            Ok(Ok(output)) => outputs.push(output),
            Ok(Err(error)) => problems.push(format!("branch {number} failed: {error}")),
            Err(error) => problems.push(format!("branch {number} did not end: {error}")),
        }
    }
    Violated::unless(Template::FanOutFanIn, problems, outputs)
}

/// How the operations of a burst ended. `ok + failed + panicked` is the size of the burst.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Burst<T, E> {
    /// What the successful ones returned.
    pub ok: Vec<T>,
    /// The errors of the refused and failed ones.
    pub failed: Vec<E>,
    /// How many panicked.
    pub panicked: u64,
    /// From the first start to the last end.
    pub took: Duration,
}

/// Starts `n` operations at the same moment. Refusals are allowed, since that is what a limit does; panics are not, and at
/// least one operation must succeed.
///
/// # Errors
/// If operations panicked, or none succeeded.
pub async fn burst<T, E, Fut>(n: u64, operation: impl Fn(u64) -> Fut) -> Result<Burst<T, E>, Violated>
where
    T: Send + 'static,
    E: Debug + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let started = Instant::now();
    let mut burst = Burst { ok: Vec::new(), failed: Vec::new(), panicked: 0, took: Duration::ZERO };
    for end in all_at_once(n, operation).await {
        match end {
            Ok(Ok(output)) => burst.ok.push(output),
            Ok(Err(error)) => burst.failed.push(error),
            Err(_) => burst.panicked += 1,
        }
    }
    burst.took = started.elapsed();
    let mut problems = Vec::new();
    if burst.panicked > 0 {
        problems.push(format!("{} of {n} operations panicked", burst.panicked));
    }
    if burst.ok.is_empty() {
        problems.push(format!("none of {n} operations succeeded: {:?}", burst.failed.first()));
    }
    Violated::unless(Template::Burst, problems, burst)
}

/// One level of a ramp.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Level {
    /// How many operations ran at once.
    pub at_once: u64,
    /// How many ended well.
    pub ok: u64,
    /// How many failed or panicked.
    pub failed: u64,
    /// From the first start to the last end.
    pub took: Duration,
}

impl Level {
    /// Successful operations a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.ok as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Runs the operation at each of these numbers at once, one level after the other. For arrival rates, percentiles and knees
/// see the load models; this one finds where operations begin to fail.
///
/// # Errors
/// If operations fail at the first level: then there is nothing to rise from.
pub async fn ramp<T, E, Fut>(
    levels: impl IntoIterator<Item = u64>,
    operation: impl Fn(u64) -> Fut,
) -> Result<Vec<Level>, Violated>
where
    T: Send + 'static,
    E: Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut ramp: Vec<Level> = Vec::new();
    for at_once in levels {
        let started = Instant::now();
        let ends = all_at_once(at_once, &operation).await;
        let ok = ends.iter().filter(|end| matches!(end, Ok(Ok(_)))).count() as u64;
        ramp.push(Level { at_once, ok, failed: at_once - ok, took: started.elapsed() });
    }
    match ramp.first() {
        None => Err(Violated::unproven(Template::Ramp, "there is no level")),
        Some(first) if first.failed > 0 => {
            let problem =
                format!("{} of {} operations failed at the first level", first.failed, first.at_once);
            Err(Violated::Broken { template: Template::Ramp, problems: vec![problem] })
        }
        Some(_) => Ok(ramp),
    }
}

/// Sends one request `n` times at the same moment. All that are answered must be answered alike, and `effects` must have one
/// effect more than before.
///
/// # Errors
/// If there are other than one effect, or different answers, or no answer at all.
pub async fn duplicate_storm<T, E, Fut>(
    n: u64,
    effects: &Effects,
    request: impl Fn() -> Fut,
) -> Result<T, Violated>
where
    T: PartialEq + Debug + Send + 'static,
    E: Debug + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let before = effects.count();
    let mut answer: Option<T> = None;
    let mut problems = Vec::new();
    let mut refused = 0_u64;
    let mut first_refusal = String::new();
    for end in all_at_once(n, |_| request()).await {
        match end {
            Ok(Ok(other)) => match &answer {
                None => answer = Some(other),
                Some(answer) if *answer == other => {}
                Some(answer) => {
                    problems.push(format!("one request has two answers: {answer:?} and {other:?}"))
                }
            },
            Ok(Err(error)) => {
                refused += 1;
                if first_refusal.is_empty() {
                    first_refusal = format!("{error:?}");
                }
            }
            Err(error) => problems.push(format!("a request did not end: {error}")),
        }
    }
    let after = effects.count() - before;
    if after != 1 {
        problems.push(format!("{n} equal requests had {after} effects on `{}`", effects.name()));
    }
    match answer {
        Some(answer) => Violated::unless(Template::DuplicateStorm, problems, answer),
        None => {
            problems.push(format!("all {refused} requests were refused: {first_refusal}"));
            Err(Violated::Broken { template: Template::DuplicateStorm, problems })
        }
    }
}

/// What one party of a contention got.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Party {
    /// Its number.
    pub number: u64,
    /// Turns that ended well.
    pub done: u64,
    /// Turns that failed.
    pub failed: u64,
    /// The longest it waited for a turn.
    pub longest: Duration,
}

/// Lets `parties` want the same thing `turns` times each, all at once. Every party must get every turn, each within `limit`:
/// none starves, nothing locks up.
///
/// # Errors
/// Which party failed, waited too long or never came to an end.
pub async fn contention<E, Fut>(
    parties: u64,
    turns: u64,
    limit: Duration,
    turn: impl Fn(u64, u64) -> Fut + Send + Sync + 'static,
) -> Result<Vec<Party>, Violated>
where
    E: Display + Send + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
{
    let turn = Arc::new(turn);
    let ends = all_at_once(parties, |number| {
        let turn = turn.clone();
        async move {
            let mut party = Party { number, done: 0, failed: 0, longest: Duration::ZERO };
            let mut problem = None;
            for round in 0..turns {
                let started = Instant::now();
                match tokio::time::timeout(limit, turn(number, round)).await {
                    Ok(Ok(())) => party.done += 1,
                    Ok(Err(error)) => {
                        party.failed += 1;
                        problem = problem
                            .or_else(|| Some(format!("party {number} failed in turn {round}: {error}")));
                    }
                    Err(_) => {
                        party.failed += 1;
                        problem = Some(format!("party {number} waited more than {limit:?} for turn {round}"));
                        break;
                    }
                }
                party.longest = party.longest.max(started.elapsed());
            }
            (party, problem)
        }
    })
    .await;
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for (number, end) in ends.into_iter().enumerate() {
        match end {
            Ok((party, problem)) => {
                all.push(party);
                problems.extend(problem);
            }
            Err(error) => problems.push(format!("party {number} did not end: {error}")),
        }
    }
    Violated::unless(Template::Contention, problems, all)
}
