//! Shapes over time and over tenants.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use super::Violated;
use crate::roadmap::Template;
use crate::run::seed_of;
use crate::stats::{Slope, theil_sen};

/// A tenant of [`tenant_pairs`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// A text that is its own secret: nobody else may ever see it.
    pub canary: String,
}

/// Runs the operation for each two tenants at the same time, on tasks of their own, and looks for the canary of one in what the other got.
/// `operation` puts the tenant's canary in where its data goes in, and returns all that the tenant can see, as text.
///
/// # Errors
/// Which tenant saw another's canary, or failed. *Unproven* if a tenant did not see its own: then a leak could not be seen either.
pub async fn tenant_pairs<E, Fut>(
    tenants: &[&str],
    operation: impl Fn(Tenant) -> Fut,
) -> Result<u64, Violated>
where
    E: Display + Send + 'static,
    Fut: Future<Output = Result<String, E>> + Send + 'static,
{
    let tenant = |name: &str, round: u64| Tenant {
        name: name.to_owned(),
        canary: format!("canary-{name}-{:016x}", seed_of(&["canary", name, &round.to_string()])),
    };
    let (mut pairs, mut problems, mut blind) = (0, Vec::new(), Vec::new());
    for (at, one) in tenants.iter().enumerate() {
        for other in &tenants[at + 1..] {
            pairs += 1;
            let both = [tenant(one, pairs), tenant(other, pairs)];
            let tasks = both.clone().map(|tenant| tokio::spawn(operation(tenant)));
            let mut seen = Vec::new();
            for (task, tenant) in tasks.into_iter().zip(&both) {
                match task.await {
                    Ok(Ok(text)) => seen.push((tenant, text)),
                    Ok(Err(error)) => problems.push(format!("`{}` failed: {error}", tenant.name)),
                    Err(error) => problems.push(format!("`{}` did not end: {error}", tenant.name)),
                }
            }
            for (tenant, text) in &seen {
                if !text.contains(&tenant.canary) {
                    blind.push(tenant.name.clone());
                }
                // Those of earlier rounds too: a cache may give them back much later.
                for (foreign, round) in
                    tenants.iter().flat_map(|name| (1..=pairs).map(move |round| (*name, round)))
                {
                    if foreign != tenant.name && text.contains(&self::canary(foreign, round)) {
                        problems.push(format!("`{}` saw what belongs to `{foreign}`", tenant.name));
                    }
                }
            }
        }
    }
    if problems.is_empty() && !blind.is_empty() {
        blind.dedup();
        let why =
            format!("{} did not see their own canary, so nobody's could have been seen", blind.join(", "));
        return Err(Violated::unproven(Template::TenantPairs, why));
    }
    if pairs == 0 {
        return Err(Violated::unproven(Template::TenantPairs, "two tenants are needed"));
    }
    Violated::unless(Template::TenantPairs, problems, pairs)
}

fn canary(name: &str, round: u64) -> String {
    format!("canary-{name}-{:016x}", seed_of(&["canary", name, &round.to_string()]))
}

/// How a measured quantity grew over the turns of a session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Growth {
    /// Turns that were made.
    pub turns: u64,
    /// The growth for each thousand turns, with its 95 % interval, without the first tenth of the turns.
    pub per_thousand: Slope,
    /// The measurements: turn and value.
    pub samples: Vec<(u64, f64)>,
}

/// Makes `turns` turns over one state, measures forty times on the way (bytes, entries, anything), and bounds the growth: the upper end
/// of its 95 % interval must stay below `limit` for each thousand turns.
///
/// # Errors
/// If a turn fails, or growth below the limit is not shown; *unproven* with fewer than twenty turns.
pub async fn long_session<E, Fut>(
    turns: u64,
    limit: f64,
    measure: impl Fn() -> f64,
    turn: impl Fn(u64) -> Fut,
) -> Result<Growth, Violated>
where
    E: Display,
    Fut: Future<Output = Result<(), E>>,
{
    let template = Template::LongSession;
    let every = (turns / 40).max(1);
    let mut samples = Vec::new();
    for number in 0..turns {
        if let Err(error) = turn(number).await {
            let problem = format!("turn {number} of {turns} failed: {error}");
            return Err(Violated::Broken { template, problems: vec![problem] });
        }
        if number % every == 0 {
            samples.push((number, measure()));
        }
    }
    let warm: Vec<_> = samples.iter().filter(|(turn, _)| *turn >= turns / 10).collect();
    let (x, y): (Vec<f64>, Vec<f64>) =
        warm.iter().map(|(turn, value)| (*turn as f64 / 1_000.0, *value)).unzip();
    let per_thousand =
        theil_sen(&x, &y, 0.95).map_err(|error| Violated::unproven(template, error.to_string()))?;
    let upper = per_thousand.interval.high;
    let growth = Growth { turns, per_thousand, samples };
    let problems = if upper < limit {
        Vec::new()
    } else {
        vec![format!("it grows by up to {upper:.3} for each thousand turns, the limit is {limit}")]
    };
    Violated::unless(template, problems, growth)
}

/// What a start took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColdStart {
    /// The first use of each fresh state.
    pub cold: Vec<Duration>,
    /// The second use of the same.
    pub warm: Vec<Duration>,
}

/// Makes a fresh state `n` times and uses each twice: the first use is cold, the second warm. Both must return the same.
///
/// # Errors
/// If a start or a use fails, or the second use returns something else than the first.
pub async fn cold_start<S, T, E, Start, Use>(
    n: u32,
    start: impl Fn() -> Start,
    usage: impl Fn(S) -> Use,
) -> Result<ColdStart, Violated>
where
    T: PartialEq + std::fmt::Debug,
    E: Display,
    Start: Future<Output = Result<S, E>>,
    Use: Future<Output = Result<(T, S), E>>,
{
    let template = Template::ColdStart;
    let broken = |problem: String| Violated::Broken { template, problems: vec![problem] };
    let mut times = ColdStart { cold: Vec::new(), warm: Vec::new() };
    for number in 0..n {
        let started = Instant::now();
        let state = start().await.map_err(|error| broken(format!("start {number} failed: {error}")))?;
        let (first, state) =
            usage(state).await.map_err(|error| broken(format!("the first use failed: {error}")))?;
        times.cold.push(started.elapsed());
        let started = Instant::now();
        let (second, _) =
            usage(state).await.map_err(|error| broken(format!("the second use failed: {error}")))?;
        times.warm.push(started.elapsed());
        if first != second {
            return Err(broken(format!("the first use returned {first:?} and the second {second:?}")));
        }
    }
    if n == 0 {
        return Err(Violated::unproven(template, "nothing was started"));
    }
    Ok(times)
}
