//! Every checker over 10,000 clean histories and over histories with a planted violation. A checker that is exported and is not in
//! the table fails the test.

use super::*;

/// A checker.
struct Row {
    name: &'static str,
    /// A clean history, which must never be found invalid.
    clean: fn(&mut Draws) -> Checked,
    /// The same with one violation in it.
    planted: fn(&mut Draws) -> Checked,
    /// How many steps the smallest witness of it has.
    steps: std::ops::RangeInclusive<usize>,
    /// What its witness must name.
    names: &'static str,
}

const CLEAN: u64 = 10_000;
const PLANTED: u64 = 300;

fn ms(ms: usize) -> Duration {
    Duration::from_millis(ms as u64)
}

/// One of these, by chance.
fn one_of<'a, T>(draws: &mut Draws, all: &'a [T]) -> &'a T {
    &all[draws.below(all.len())]
}

fn seed(draws: &mut Draws) -> u64 {
    draws.0 >> 20
}

/// A register's history with one read that returns what nobody wrote.
fn bad_register(draws: &mut Draws) -> Registers {
    let mut history = register(seed(draws), 3, 16, 0.05);
    let read = |called: &&mut Called<_, _>| called.call == RegisterCall::Read && called.end.is_some();
    match history.calls.iter_mut().find(read) {
        Some(read) => read.returned = Returned::Ok(Some(-7)),
        None => history.calls.push(Called::new(9, RegisterCall::Read, Returned::Ok(Some(-7)), 900, 901)),
    }
    history
}

fn keyed(history: &Registers, key: u8) -> impl Iterator<Item = Called<(u8, RegisterCall), Option<i64>>> {
    history.calls.iter().map(move |called| Called {
        client: called.client,
        call: (key, called.call),
        returned: called.returned.clone(),
        begin: called.begin,
        end: called.end,
    })
}

/// Moves of money between five accounts, and what was read of all of them.
fn accounts(draws: &mut Draws) -> Vec<[i64; 5]> {
    let mut balances = [100; 5];
    (0..8)
        .map(|_| {
            let (from, to, amount) = (draws.below(5), draws.below(5), draws.below(50) as i64);
            balances[from] -= amount;
            balances[to] += amount;
            balances
        })
        .collect()
}

fn versions(draws: &mut Draws) -> Vec<(u8, u8, u64)> {
    let mut newest = [[0_u64; 3]; 3];
    (0..12)
        .map(|_| {
            let (client, key) = (draws.below(3), draws.below(3));
            newest[client][key] += draws.below(3) as u64;
            (client as u8, key as u8, newest[client][key])
        })
        .collect()
}

/// Requests of six keys, and the effects of a system that keeps to what it told.
fn requests(draws: &mut Draws) -> (Vec<(u8, Acknowledged)>, Vec<u8>) {
    let (mut requests, mut effects) = (Vec::new(), Vec::new());
    for key in 0..6 {
        let told = *one_of(draws, &[Acknowledged::Done, Acknowledged::Refused, Acknowledged::Unknown]);
        requests.extend((0..=draws.below(3)).map(|_| (key, told)));
        let happened = match told {
            Acknowledged::Done => true,
            Acknowledged::Refused => false,
            Acknowledged::Unknown => draws.chance(0.5),
        };
        effects.extend(happened.then_some(key));
    }
    // One that was certainly done, to begin with.
    requests.push((9, Acknowledged::Done));
    effects.insert(0, 9);
    (requests, effects)
}

/// Nine inputs, what each of them costs, and what twice as much of it does.
fn doubled(draws: &mut Draws) -> Vec<(usize, u64, u64)> {
    let price = 1 + draws.below(500) as u64;
    (1..10).map(|n| (n, n as u64 * price, 2 * n as u64 * price)).collect()
}

fn pairs(draws: &mut Draws) -> Vec<(usize, usize)> {
    (0..=draws.below(9)).map(|key| (key, draws.below(1_000))).collect()
}

/// What a scheduler does that gives each turn to whoever is most urgent.
fn scheduled(draws: &mut Draws) -> Vec<Waited> {
    let mut waiting: Vec<(usize, i64)> = (0..8).map(|n| (n, draws.below(4) as i64)).collect();
    let mut all = Vec::new();
    for turn in 0..8 {
        let best = waiting.iter().map(|(_, priority)| *priority).max().unwrap();
        let at = waiting.iter().position(|(_, priority)| *priority == best).unwrap();
        let (n, priority) = waiting.remove(at);
        all.push(Waited::new(format!("job {n}"), priority, ms(0), Some(ms(10 * (turn + 1)))));
    }
    all
}

fn queue(draws: &mut Draws, steered: bool) -> Vec<Pressure> {
    let mut parts = vec![Pressure::new(0, 100)];
    for _ in 0..12 {
        let pressed = parts.last().unwrap().depth >= 50;
        let accepted = if pressed && steered { 20 + draws.below(20) } else { 90 + draws.below(20) };
        parts.push(Pressure::new(if pressed { 20 } else { 60 } + draws.below(20) as u64, accepted as u64));
    }
    parts
}

/// A breaker that opens at three failures in a row, for 100 ms.
fn breaker(draws: &mut Draws) -> Vec<(Duration, BreakerEvent)> {
    use BreakerEvent::{Became, Call, Refused};
    let (mut events, mut at, mut failures) = (Vec::new(), 0, 0);
    for _ in 0..10 {
        at += 1 + draws.below(5);
        let succeeded = draws.chance(0.5);
        events.push((ms(at), Call { succeeded }));
        failures = if succeeded { 0 } else { failures + 1 };
        if failures == 3 {
            events.push((ms(at), Became(BreakerState::Open)));
            events.push((ms(at + 50), Refused));
            at += 100 + draws.below(50);
            let healed = draws.chance(0.5);
            events.push((ms(at), Became(BreakerState::HalfOpen)));
            events.push((ms(at + 1), Call { succeeded: true }));
            events.push((ms(at + 2), Became(BreakerState::Closed)));
            failures = if healed { 0 } else { 1 };
            at += 3;
            if !healed {
                events.push((ms(at), Call { succeeded: false }));
            }
        }
    }
    events
}

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 6,
    first: Duration::from_millis(100),
    factor: 2.0,
    most: Duration::from_millis(800),
    jitter: 0.5,
    tolerance: Duration::from_millis(20),
};

fn attempts(draws: &mut Draws) -> Vec<Attempt> {
    let (mut all, mut at) = (Vec::new(), 0);
    for n in 0..2 + draws.below(4) {
        let wait = (100 << n).min(800);
        all.push(Attempt::failed(ms(at), ms(at + 5)));
        at += 5 + wait / 2 + draws.below(wait);
    }
    all
}

fn used(draws: &mut Draws) -> Vec<Limit> {
    let mut limits: Vec<Limit> = ["steps", "tokens"]
        .iter()
        .map(|name| Limit::new(*name, 100, draws.below(100) as u64, None))
        .collect();
    limits.push(Limit::new("calls", 10, 10, Some("calls")));
    limits
}

fn done_in_time(draws: &mut Draws) -> Vec<(usize, Option<Duration>, Duration)> {
    (0..=draws.below(8)).map(|n| (n, Some(ms(draws.below(100))), ms(100))).collect()
}

const LEGAL: [(&str, &str); 4] =
    [("new", "running"), ("running", "waiting"), ("waiting", "running"), ("running", "done")];

fn states(draws: &mut Draws) -> Vec<&'static str> {
    let mut states = vec!["new", "running"];
    for _ in 0..draws.below(5) {
        states.extend(["waiting", "running"]);
    }
    states.push("done");
    states
}

const GRANTED: [(&str, &str); 2] = [("ada", "read"), ("ada", "write")];

fn decisions(draws: &mut Draws) -> Vec<Access> {
    let mut all: Vec<Access> = (0..=draws.below(6))
        .map(|_| {
            let (who, what) = (*one_of(draws, &["ada", "ben"]), *one_of(draws, &["read", "write", "delete"]));
            if GRANTED.contains(&(who, what)) {
                Access::allowed(who, what)
            } else {
                Access::denied(who, what, Some(Refusal::new(who, what, "no grant")))
            }
        })
        .collect();
    all.push(Access::denied("eve", "read", Some(Refusal::new("eve", "read", "no grant"))));
    all
}

fn spans(draws: &mut Draws) -> Vec<SpanSeen> {
    let mut all = vec![SpanSeen::new("t", "0", None, "run", (ms(0), Some(ms(1_000))))];
    for n in 1..=1 + draws.below(6) {
        let parent = draws.below(n).to_string();
        all.push(SpanSeen::new("t", n.to_string(), Some(&parent), "stage", (ms(n), Some(ms(n + 5)))));
    }
    all
}

fn charges(draws: &mut Draws) -> (Vec<String>, Vec<Charge>) {
    let calls: Vec<String> = (0..=draws.below(6)).map(|n| format!("call-{n}")).collect();
    let charges = calls.iter().map(|call| Charge::new(call, "agent", 1 + draws.below(50) as u64)).collect();
    (calls, charges)
}

fn cost(calls: &[String], charges: &[Charge]) -> Checked {
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    let sum = charges.iter().map(|charge| charge.amount).sum();
    costs(&calls, charges, sum, 1_000)
}

fn log(draws: &mut Draws) -> String {
    let words = ["order", "accepted", "cart", "deadbeef", "Y2FydA==", "42", "retry"];
    (0..20).map(|_| *one_of(draws, &words)).collect::<Vec<_>>().join(" ")
}

const SECRET: &str = "canary-5e1f00";

fn reads_of(draws: &mut Draws) -> Vec<(usize, usize)> {
    let mut reads = vec![(0, 0), (1, 1)];
    reads.extend((0..draws.below(8)).map(|_| draws.below(4)).map(|tenant| (tenant, tenant)));
    reads
}

fn told(draws: &mut Draws) -> Vec<&'static str> {
    let mut happened: Vec<_> =
        ["retry", "fallback", "timeout", "refund"].into_iter().filter(|_| draws.chance(0.6)).collect();
    happened.push("start");
    happened
}

/// Waiting without a circle: everybody waits for somebody later in the alphabet.
fn waits(draws: &mut Draws) -> Vec<(usize, usize)> {
    (0..=draws.below(12))
        .map(|_| {
            let waiter = draws.below(9);
            (waiter, waiter + 1 + draws.below(9 - waiter))
        })
        .collect()
}

fn retries(draws: &mut Draws) -> Vec<Duration> {
    // One in each tenth of a second, somewhere in it.
    (0..60).map(|n| ms(100 * n + draws.below(100))).collect()
}

fn limits_of_text(draws: &mut Draws) -> (Vec<String>, Vec<String>) {
    let text = |n: usize| "x".repeat(n);
    let valid = (0..=draws.below(4)).map(|_| text(1 + draws.below(9))).collect();
    let invalid = (0..=draws.below(4)).map(|_| text(10 + draws.below(9))).collect();
    (valid, invalid)
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "linearizable", steps: 1..=16, names: "no order",
        clean: |d| linearizable(&Register::default(), &register(seed(d), 3, 16, 0.05)),
        planted: |d| linearizable(&Register::default(), &bad_register(d)) },
    Row { name: "linearizable_per_key", steps: 1..=16, names: "key 2",
        clean: |d| linearizable_per_key(&Register::default(), &(0..3).flat_map(|k| keyed(&register(seed(d) + u64::from(k), 2, 6, 0.0), k).collect::<Vec<_>>()).collect()),
        planted: |d| linearizable_per_key(&Register::default(), &keyed(&register(seed(d), 2, 6, 0.0), 1).chain(keyed(&bad_register(d), 2)).collect()) },
    Row { name: "set_full", steps: 2..=3, names: "777",
        clean: |d| set_full(&set_and_counter(seed(d)).0),
        planted: |d| { let (mut set, _) = set_and_counter(seed(d));
            set.calls.push(Called::new(0, SetCall::Add(777), Returned::Ok(vec![]), 1_000, 1_001));
            set.calls.push(Called::new(1, SetCall::Read, Returned::Ok((0..set.calls.len()).filter(|e| set.calls.iter().any(|c| c.call == SetCall::Add(*e) && !matches!(c.returned, Returned::Fail))).collect()), 1_002, 1_003));
            set_full(&set) } },
    Row { name: "counter", steps: 1..=17, names: "-1000",
        clean: |d| counter(&set_and_counter(seed(d)).1),
        planted: |d| { let (_, mut count) = set_and_counter(seed(d));
            count.calls.push(Called::new(1, CounterCall::Read, Returned::Ok(-1_000), 1_000, 1_001));
            counter(&count) } },
    Row { name: "append_cycles", steps: 2..=2, names: "G2",
        clean: |d| append_cycles(&transactions(seed(d))),
        planted: |d| { use Micro::{Append, Read};
            let mut all = transactions(seed(d));
            all.push(Transaction::committed([Read(8, vec![]), Append(9, 1_001)]));
            all.push(Transaction::committed([Read(9, vec![]), Append(8, 1_002)]));
            all.push(Transaction::committed([Read(8, vec![1_002]), Read(9, vec![1_001])]));
            append_cycles(&all) } },
    Row { name: "bank", steps: 5..=5, names: "sums up to 501",
        clean: |d| bank(500, &accounts(d)),
        planted: |d| { let mut reads = accounts(d); let at = d.below(8); reads[at][d.below(5)] += 1; bank(500, &reads) } },
    Row { name: "monotonic_versions", steps: 2..=2, names: "after version",
        clean: |d| monotonic_versions(&versions(d)),
        planted: |d| { let mut seen = versions(d); seen.extend([(1, 1, 900), (1, 1, 899)]); monotonic_versions(&seen) } },
    Row { name: "exactly_once", steps: 3..=3, names: "9 had its effect 2 times",
        clean: |d| { let (requests, effects) = requests(d); exactly_once(&requests, &effects) },
        planted: |d| { let (requests, mut effects) = requests(d); effects.push(9); exactly_once(&requests, &effects) } },
    Row { name: "side_effects", steps: 2..=2, names: "not the intended one",
        clean: |d| { let all = pairs(d); side_effects(&all, &all) },
        planted: |d| { let mut all = pairs(d); all.push((77, 0)); let mut other = all.clone(); other.pop(); side_effects(&all, &other) } },
    Row { name: "durable", steps: 1..=1, names: "is gone",
        clean: |d| { let told = pairs(d); let mut found = told.clone(); found.push((99, 1)); durable(&told, &found) },
        planted: |d| { let told = pairs(d); let mut found = told.clone(); found.remove(d.below(told.len())); durable(&told, &found) } },
    Row { name: "converged", steps: 2..=2, names: "differ",
        clean: |d| { let state = d.below(9); converged(&(0..2 + d.below(5)).map(|copy| (copy, state)).collect::<Vec<_>>()) },
        planted: |d| { let mut copies: Vec<_> = (0..2 + d.below(5)).map(|copy| (copy, 1)).collect(); let at = d.below(copies.len()); copies[at].1 = 2; converged(&copies) } },
    Row { name: "fair", steps: 2..=2, names: "index of fairness",
        clean: |d| fair(&(0..4).map(|n| Served::new(n.to_string(), 95 + d.below(11) as u64)).collect::<Vec<_>>(), 0.9),
        planted: |d| fair(&(0..4).map(|n| Served::new(n.to_string(), if n == 0 { 1 } else { 95 + d.below(11) as u64 })).collect::<Vec<_>>(), 0.9) },
    Row { name: "no_starvation", steps: 1..=1, names: "starving waited",
        clean: |d| no_starvation(&scheduled(d), ms(100), ms(200)),
        planted: |d| { let mut all = scheduled(d); let at = d.below(all.len()); all.insert(at, Waited::new("starving", 0, ms(0), None)); no_starvation(&all, ms(100), ms(200)) } },
    Row { name: "no_priority_inversion", steps: 2..=2, names: "low had its turn while urgent waited",
        clean: |d| no_priority_inversion(&scheduled(d), ms(1)),
        planted: |d| { let mut all = scheduled(d); let at = d.below(all.len());
            all.insert(at, Waited::new("urgent", 99, ms(100), Some(ms(300)))); all.push(Waited::new("low", -1, ms(0), Some(ms(200)))); no_priority_inversion(&all, ms(1)) } },
    Row { name: "no_deadlock", steps: 2..=2, names: "2 wait for each other",
        clean: |d| no_deadlock(&waits(d)),
        planted: |d| { let mut all = waits(d); let at = d.below(all.len()); all.insert(at, (50, 51)); all.push((51, 50)); no_deadlock(&all) } },
    Row { name: "no_livelock", steps: 1..=2, names: "achieved nothing",
        clean: |d| no_livelock(&(0..20).scan(0, |done, n| { *done += usize::from(n % 3 == 0); Some((d.below(2), *done)) }).collect::<Vec<_>>(), 4),
        planted: |d| { let at = d.below(10); no_livelock(&(0..20).map(|n| (d.below(2), n.min(at))).collect::<Vec<_>>(), 4) } },
    Row { name: "back_pressure", steps: 2..=2, names: "under pressure it lets in",
        clean: |d| back_pressure(&queue(d, true), 100, 0.6),
        planted: |d| back_pressure(&queue(d, false), 100, 0.6) },
    Row { name: "circuit_breaker", steps: 2..=3, names: "while it was open",
        clean: |d| circuit_breaker(&breaker(d), 3, ms(100)),
        planted: |d| { let mut events = breaker(d); let fine = BreakerEvent::Call { succeeded: true }; let failed = BreakerEvent::Call { succeeded: false };
            let mut bad = vec![(ms(0), fine), (ms(0), failed), (ms(0), failed), (ms(0), failed), (ms(0), BreakerEvent::Became(BreakerState::Open)), (ms(1), fine)];
            bad.append(&mut events); circuit_breaker(&bad, 3, ms(100)) } },
    Row { name: "retry_schedule", steps: 2..=2, names: "wait 1 is",
        clean: |d| retry_schedule(&attempts(d), &POLICY),
        planted: |d| { let mut all = attempts(d); for late in &mut all[1..] { late.at -= ms(40); late.ended -= ms(40); } all[1].at = ms(5 + d.below(45)); retry_schedule(&all, &POLICY) } },
    Row { name: "no_thundering_herd", steps: 1..=1, names: "came within",
        clean: |d| no_thundering_herd(&retries(d), ms(50), 0.1),
        planted: |d| { let mut all = retries(d); let at = d.below(6_000); all.extend((0..20).map(|n| ms(at + n))); no_thundering_herd(&all, ms(50), 0.1) } },
    Row { name: "bounds", steps: 1..=1, names: "where 100 are allowed",
        clean: |d| bounds(&used(d)),
        planted: |d| { let mut all = used(d); all[d.below(2)].used = 101; bounds(&all) } },
    Row { name: "timing", steps: 1..=1, names: "1 of",
        clean: |d| timing(&done_in_time(d)),
        planted: |d| { let mut all = done_in_time(d); let at = d.below(all.len()); all[at].1 = Some(ms(101)); timing(&all) } },
    Row { name: "transitions", steps: 1..=1, names: "is not legal",
        clean: |d| transitions(&states(d), "new", &LEGAL, &["done"]),
        planted: |d| { let mut all = states(d); all.insert(1 + d.below(all.len() - 1), "new"); transitions(&all, "new", &LEGAL, &["done"]) } },
    Row { name: "contract", steps: 1..=1, names: "it accepts what it must reject",
        clean: |d| { let (valid, invalid) = limits_of_text(d); contract(&valid, &invalid, |text| text.len() < 10) },
        planted: |d| { let (valid, invalid) = limits_of_text(d); let most = invalid.iter().map(String::len).min().unwrap(); contract(&valid, &invalid, |text| text.len() <= most) } },
    Row { name: "permissions", steps: 1..=1, names: "eve was allowed to write",
        clean: |d| permissions(&GRANTED, &decisions(d)),
        planted: |d| { let mut all = decisions(d); let at = d.below(all.len()); all.insert(at, Access::allowed("eve", "write")); permissions(&GRANTED, &all) } },
    Row { name: "complete_trace", steps: 1..=1, names: "lacks span 77",
        clean: |d| complete_trace(&spans(d), &["run", "stage"]),
        planted: |d| { let mut all = spans(d); all.push(SpanSeen::new("t", "78", Some("77"), "stage", (ms(1), Some(ms(2))))); complete_trace(&all, &["run", "stage"]) } },
    Row { name: "costs", steps: 1..=1, names: "was charged twice",
        clean: |d| { let (calls, charges) = charges(d); cost(&calls, &charges) },
        planted: |d| { let (calls, mut charges) = charges(d); let twice = one_of(d, &charges).clone(); charges.push(twice); cost(&calls, &charges) } },
    Row { name: "no_secrets", steps: 1..=1, names: "secret 1 is in log",
        clean: |d| no_secrets(&[SECRET], &[("log", &log(d))]),
        planted: |d| { let mut text = log(d); text.push_str(one_of::<&str>(d, &[SECRET, "63616e6172792d356531663030", " Y2FuYXJ5LTVlMWYwMA=="])); no_secrets(&[SECRET], &[("log", &text)]) } },
    Row { name: "no_cross_tenant_reads", steps: 1..=1, names: "read what belongs to",
        clean: |d| no_cross_tenant_reads(&reads_of(d)),
        planted: |d| { let mut all = reads_of(d); let at = d.below(all.len()); all.insert(at, (7, 8)); no_cross_tenant_reads(&all) } },
    Row { name: "attacks_refused", steps: 1..=1, names: "an attack got through",
        clean: |d| { let (harmless, attacks) = limits_of_text(d); attacks_refused(&attacks, &harmless, |text| text.len() >= 10) },
        planted: |d| { let (harmless, attacks) = limits_of_text(d); let least = attacks.iter().map(String::len).min().unwrap(); attacks_refused(&attacks, &harmless, |text| text.len() > least) } },
    Row { name: "observable", steps: 2..=2, names: "do not tell of",
        clean: |d| { let all = told(d); observable(&all, &[("logs", &all), ("metrics", &all)]) },
        planted: |d| { let all = told(d); let less = &all[1..]; observable(&all, &[("logs", &all), ("metrics", less)]) } },
    Row { name: "metamorphic", steps: 3..=3, names: "twice as much: broken for 1 of 9 inputs",
        clean: |d| metamorphic("twice as much", &doubled(d), |one, twice| *twice == 2 * one),
        planted: |d| { let mut cases = doubled(d); let at = d.below(9); cases[at].2 += 1; metamorphic("twice as much", &cases, |one, twice| *twice == 2 * one) } },
];

/// The checkers that the room exports: what is written in lower case in its `pub use` lines.
fn exported() -> Vec<&'static str> {
    let source = include_str!("../mod.rs");
    let uses = source.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let words = uses.flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'));
    // Modules come before their `::{`; what is left begins in lower case and is a function.
    let modules: Vec<&str> =
        source.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()) && !modules.contains(word))
        .filter(|word| *word != "linearizable_within")
        .collect()
}

#[test]
fn every_checker_is_in_the_table() {
    let mut exported = exported();
    let mut rows: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    exported.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, exported);
}

#[test]
fn ten_thousand_clean_histories_of_every_checker_have_no_violation() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let mut valid = 0;
        for seed in 0..CLEAN {
            let checked = (row.clean)(&mut Draws(seed << 32));
            if matches!(checked.verdict, Verdict::Invalid(_)) {
                wrong.push(format!("{}, seed {seed}: {checked}", row.name));
                break;
            }
            valid += u64::from(checked.is_valid());
        }
        // Some histories are too short to tell; those must be few, or nothing was shown.
        if valid * 10 < CLEAN * 9 {
            wrong.push(format!("{}: only {valid} of {CLEAN} are valid", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_checker_finds_what_is_planted_with_a_witness_as_small_as_it_can_be() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let bad = (0..PLANTED).find_map(|seed| {
            let checked = (row.planted)(&mut Draws(seed << 32));
            let found = match &checked.verdict {
                Verdict::Invalid(witness) => {
                    row.steps.contains(&witness.steps.len()) && witness.why.contains(row.names)
                }
                _ => false,
            };
            (!found).then(|| format!("{}, seed {seed}: {checked}", row.name))
        });
        wrong.extend(bad);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
