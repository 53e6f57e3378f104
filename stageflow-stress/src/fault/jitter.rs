//! Seeded waits around calls, so that concurrent tasks come in another order.

use std::time::Duration;

use super::calling::Calling;
use super::wait::sleep;
use crate::run::seed_of;

/// Turns of the scheduler that a wait takes at most.
const TURNS: u64 = 7;

/// What a call waits for at one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Nothing,
    Turns(u64),
    Millis(u64),
}

/// Drawn from the seed, the port, the number of the call and which end of it: no matter what runs beside.
fn drawn(seed: u64, port: &str, call: u64, end: &str) -> Wait {
    let draw = seed_of(&["jitter", &seed.to_string(), port, &call.to_string(), end]);
    let most = draw >> 8;
    match draw % 4 {
        0 => Wait::Nothing,
        1 => Wait::Millis(1 + most % 2),
        _ => Wait::Turns(1 + most % TURNS),
    }
}

impl Calling<'_> {
    fn jitter(&self, end: &str) -> Wait {
        match self.faults.state.plan.jitter {
            Some(seed) => drawn(seed, self.port, self.call.number, end),
            None => Wait::Nothing,
        }
    }

    /// Waits at the given end of the call, if the plan has jitter.
    pub async fn jittered(&self, end: &str) {
        match self.jitter(end) {
            Wait::Nothing => {}
            Wait::Turns(turns) => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            Wait::Millis(millis) => sleep(Duration::from_millis(millis)).await,
        }
    }

    /// The same, of a synchronous call.
    pub fn jittered_blocking(&self, end: &str) {
        match self.jitter(end) {
            Wait::Nothing => {}
            Wait::Turns(turns) => (0..turns).for_each(|_| std::thread::yield_now()),
            Wait::Millis(millis) => std::thread::sleep(Duration::from_millis(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_follows_from_the_seed_and_the_call() {
        let of = |seed, port, end| (1..200).map(|call| drawn(seed, port, call, end)).collect::<Vec<_>>();
        let all = |seed| of(seed, "a", "before");
        assert_eq!(all(1), all(1));
        for other in [all(2), of(1, "b", "before"), of(1, "a", "after")] {
            assert_ne!(all(1), other);
        }
        let kinds = |is: fn(&Wait) -> bool| all(3).iter().filter(|wait| is(wait)).count();
        assert!(kinds(|wait| *wait == Wait::Nothing) > 20);
        assert!(kinds(|wait| matches!(wait, Wait::Turns(1..=TURNS))) > 50);
        assert!(kinds(|wait| matches!(wait, Wait::Millis(1..=2))) > 20);
    }
}
