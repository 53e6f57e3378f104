//! Making a failing plan small: fewer faults first, then simpler ones.

use std::future::Future;

use super::{Fault, FaultPlan, Schedule};

/// How a plan is judged while it is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrink {
    /// A plan counts as failing if it fails this often …
    pub fails: u32,
    /// … of this many runs.
    pub of: u32,
    /// At most this many runs in all.
    pub budget: u32,
}

impl Default for Shrink {
    fn default() -> Self {
        Shrink { fails: 1, of: 1, budget: 500 }
    }
}

/// The smallest failing plan that was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Shrunk {
    /// The plan.
    pub plan: FaultPlan,
    /// How often it failed when it was last judged.
    pub failed: u32,
    /// Of how many runs.
    pub of: u32,
    /// Runs that the search took.
    pub runs: u32,
    /// Whether nothing smaller was left to try; not so where the budget ran out.
    pub minimal: bool,
}

/// Why there is nothing to make smaller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan fails {failed} of {of} times, and {needed} are needed: there is nothing to make smaller")]
#[non_exhaustive]
pub struct DoesNotFail {
    /// How often it failed.
    pub failed: u32,
    /// Of how many runs.
    pub of: u32,
    /// How often it would have to fail.
    pub needed: u32,
}

impl Shrink {
    /// Fails at least `fails` of `of` times, for failures that do not come every time.
    #[must_use]
    pub fn k_of_n(fails: u32, of: u32) -> Self {
        Shrink { fails: fails.max(1), of: of.max(1), ..Shrink::default() }
    }

    /// Makes a failing plan smaller. `fails` runs the scenario with a plan and says whether it failed.
    ///
    /// Groups of faults are left out first (Zeller and Hildebrandt's ddmin), then each remaining fault is made simpler: one
    /// strike instead of many, an earlier call, no latency that is longer than needed. Any subset strikes as before, since
    /// all is by count.
    ///
    /// ```
    /// use stageflow_stress::fault::*;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let plan = Sites::new([("a", 4), ("b", 4)]).swarm(1, 1).next().unwrap()
    ///     .add("b", FaultKind::LostReply, Schedule::First(3));
    /// let shrunk = Shrink::default()
    ///     .run(&plan, async |plan| plan.faults.iter().any(|fault| fault.kind == FaultKind::LostReply && fault.port == "b"))
    ///     .await
    ///     .unwrap();
    /// assert_eq!(shrunk.plan.len(), 1);
    /// # });
    /// ```
    ///
    /// # Errors
    /// If the plan does not fail as often as it must.
    pub async fn run<Fut>(
        self,
        plan: &FaultPlan,
        fails: impl Fn(FaultPlan) -> Fut,
    ) -> Result<Shrunk, DoesNotFail>
    where
        Fut: Future<Output = bool>,
    {
        let mut search = Search { how: self, fails, runs: 0, failed: 0 };
        if !search.judge(plan).await {
            return Err(DoesNotFail { failed: search.failed, of: self.of, needed: self.fails });
        }
        let mut best = plan.clone();
        let mut failed = search.failed;
        loop {
            let before = best.clone();
            search.fewer(&mut best, &mut failed).await;
            search.simpler(&mut best, &mut failed).await;
            if best == before || search.spent() {
                break;
            }
        }
        Ok(Shrunk { plan: best, failed, of: self.of, runs: search.runs, minimal: !search.spent() })
    }
}

struct Search<F> {
    how: Shrink,
    fails: F,
    runs: u32,
    /// How often the plan that was judged last failed.
    failed: u32,
}

impl<F, Fut> Search<F>
where
    F: Fn(FaultPlan) -> Fut,
    Fut: Future<Output = bool>,
{
    fn spent(&self) -> bool {
        self.runs + self.how.of > self.how.budget
    }

    async fn judge(&mut self, plan: &FaultPlan) -> bool {
        self.failed = 0;
        for run in 0..self.how.of {
            self.failed += u32::from((self.fails)(plan.clone()).await);
            self.runs += 1;
            // What cannot reach the number any more need not be run to its end.
            if self.failed + (self.how.of - run - 1) < self.how.fails {
                return false;
            }
        }
        self.failed >= self.how.fails
    }

    async fn fewer(&mut self, best: &mut FaultPlan, failed: &mut u32) {
        let mut parts = 2;
        while best.len() > 1 && !self.spent() {
            let size = best.len().div_ceil(parts);
            let mut smaller = None;
            for start in (0..best.len()).step_by(size) {
                let end = (start + size).min(best.len());
                let mut candidate = best.clone();
                candidate.faults.drain(start..end);
                if candidate.is_empty() || self.spent() {
                    continue;
                }
                if self.judge(&candidate).await {
                    smaller = Some(candidate);
                    break;
                }
            }
            match smaller {
                Some(candidate) => {
                    *best = candidate;
                    *failed = self.failed;
                    parts = (parts - 1).max(2);
                }
                None if size == 1 => return,
                None => parts = (parts * 2).min(best.len()),
            }
        }
    }

    async fn simpler(&mut self, best: &mut FaultPlan, failed: &mut u32) {
        for at in 0..best.len() {
            loop {
                let mut any = false;
                for fault in simpler_than(&best.faults[at]) {
                    if self.spent() {
                        return;
                    }
                    let mut candidate = best.clone();
                    candidate.faults[at] = fault;
                    if self.judge(&candidate).await {
                        *best = candidate;
                        *failed = self.failed;
                        any = true;
                        break;
                    }
                }
                if !any {
                    break;
                }
            }
        }
    }
}

/// Simpler faults, the simplest first. Each step makes something strictly smaller, so that the search ends.
fn simpler_than(fault: &Fault) -> Vec<Fault> {
    let with = |schedule| Fault { schedule, ..fault.clone() };
    let mut simpler = match &fault.schedule {
        Schedule::Nth(n) if *n > 1 => {
            vec![with(Schedule::Nth(1)), with(Schedule::Nth(n / 2)), with(Schedule::Nth(n - 1))]
        }
        Schedule::Nth(_) => Vec::new(),
        Schedule::First(n) => {
            let mut all = vec![with(Schedule::Nth(1)), with(Schedule::Nth(*n))];
            if *n > 1 {
                all.push(with(Schedule::First(n / 2)));
                all.push(with(Schedule::First(n - 1)));
            }
            all
        }
        Schedule::At(calls) => {
            let mut all: Vec<_> = calls.iter().map(|call| with(Schedule::Nth(*call))).collect();
            if calls.len() > 1 {
                all.extend((0..calls.len()).map(|gone| {
                    let mut fewer = calls.clone();
                    fewer.remove(gone);
                    with(Schedule::At(fewer))
                }));
            }
            all
        }
        Schedule::Every(n) => vec![with(Schedule::Nth(*n)), with(Schedule::First(*n))],
        Schedule::After(n) => vec![with(Schedule::Nth(n + 1))],
        Schedule::Alternate { down, .. } => vec![with(Schedule::Nth(1)), with(Schedule::First(*down))],
    };
    if let Some(millis) = fault.millis.filter(|millis| millis.unsigned_abs() > 1) {
        simpler.push(Fault { millis: Some(millis / 2), ..fault.clone() });
    }
    simpler.retain(|other| other != fault);
    simpler
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::fault::FaultKind;

    fn on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn big() -> FaultPlan {
        (1..=40).fold(FaultPlan::new(), |plan, call| {
            plan.add(format!("p{}", call % 7), FaultKind::Error, Schedule::Nth(call))
        })
    }

    #[test]
    fn two_faults_that_need_each_other_are_what_is_left() {
        let needs = |plan: &FaultPlan| {
            let strikes = |port: &str, call| {
                plan.faults.iter().any(|fault| fault.port == port && fault.schedule.strikes(call))
            };
            strikes("p3", 3) && strikes("p5", 33)
        };
        let shrunk = on(Shrink::default().run(&big(), async |plan| needs(&plan))).unwrap();
        let left: Vec<_> =
            shrunk.plan.faults.iter().map(|fault| (fault.port.as_str(), fault.schedule.clone())).collect();
        assert_eq!(left, [("p3", Schedule::Nth(3)), ("p5", Schedule::Nth(33))]);
        assert!(shrunk.minimal && shrunk.runs < 200, "{} runs", shrunk.runs);
    }

    #[test]
    fn a_schedule_becomes_one_strike_and_a_latency_shorter() {
        let plan =
            FaultPlan::new().with(Fault::new("db", FaultKind::Latency, Schedule::Every(4)).millis(1_000));
        let fails = |plan: FaultPlan| {
            let fault = &plan.faults[0];
            let failed = fault.schedule.strikes(4) && fault.millis.is_some_and(|millis| millis >= 100);
            std::future::ready(failed)
        };
        let shrunk = on(Shrink::default().run(&plan, fails)).unwrap();
        assert_eq!(shrunk.plan.faults[0].schedule, Schedule::Nth(4));
        assert!((100..200).contains(&shrunk.plan.faults[0].millis.unwrap()));
    }

    #[test]
    fn what_fails_now_and_then_is_judged_k_of_n() {
        let runs = Cell::new(0);
        // Fails every other time with the culprit, and once by accident without it.
        let fails = |plan: FaultPlan| {
            runs.set(runs.get() + 1);
            let culprit = plan.faults.iter().any(|fault| fault.port == "p3");
            std::future::ready((culprit && runs.get() % 2 == 0) || runs.get() == 7)
        };
        let shrunk = on(Shrink::k_of_n(2, 6).run(&big(), fails)).unwrap();
        assert_eq!(shrunk.plan.len(), 1);
        assert_eq!(shrunk.plan.faults[0].port, "p3");
        assert!(shrunk.failed >= 2);
    }

    #[test]
    fn what_does_not_fail_is_refused_and_a_spent_budget_is_told() {
        let refused = on(Shrink::k_of_n(2, 4).run(&big(), |_| std::future::ready(false))).unwrap_err();
        assert_eq!((refused.failed, refused.needed), (0, 2));
        let few = Shrink { budget: 5, ..Shrink::default() };
        let shrunk = on(few.run(&big(), |_| std::future::ready(true))).unwrap();
        assert!(!shrunk.minimal && shrunk.runs <= 5);
    }
}
