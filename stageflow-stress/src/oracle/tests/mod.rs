use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

mod table;

/// Draws that follow from a seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 += 1;
        (crate::testing::unit_of(self.0) * n as f64) as usize
    }

    fn chance(&mut self, share: f64) -> bool {
        self.0 += 1;
        crate::testing::unit_of(self.0) < share
    }
}

type Registers = History<RegisterCall, Option<i64>>;

/// A history of a real register: each call takes effect at one moment between its beginning and its end.
fn register(seed: u64, clients: usize, calls: usize, unknown: f64) -> Registers {
    let mut draws = Draws(seed << 32);
    let (mut value, mut next, mut made) = (None, 0, 0);
    // Of each client: the call in the list, and its result once it took effect.
    let mut running: Vec<Option<(usize, Option<Option<i64>>)>> = vec![None; clients];
    let mut history: Vec<Called<RegisterCall, Option<i64>>> = Vec::new();
    let mut moment = 0;
    while made < calls || running.iter().any(Option::is_some) {
        let client = draws.below(clients);
        moment += 1;
        match running[client] {
            None if made < calls => {
                let call = match draws.below(4) {
                    0 => {
                        next += 1;
                        RegisterCall::Write(next)
                    }
                    1 => {
                        next += 1;
                        RegisterCall::CompareAndSet(draws.below(usize::try_from(next).unwrap()) as i64, next)
                    }
                    _ => RegisterCall::Read,
                };
                made += 1;
                history.push(Called::new(client as u64, call, Returned::Unknown, moment, 0));
                running[client] = Some((history.len() - 1, None));
            }
            None => {}
            Some((at, None)) => {
                let call = history[at].call;
                let result = match call {
                    RegisterCall::Read => value,
                    RegisterCall::Write(new) => {
                        value = Some(new);
                        None
                    }
                    RegisterCall::CompareAndSet(from, to) => (value == Some(from)).then(|| {
                        value = Some(to);
                        from
                    }),
                };
                running[client] = Some((at, Some(result)));
            }
            Some((at, Some(result))) => {
                if !draws.chance(unknown) {
                    history[at].returned = Returned::Ok(result);
                    history[at].end = Some(moment);
                }
                running[client] = None;
            }
        }
    }
    history.into_iter().collect()
}

#[test]
fn ten_thousand_clean_histories_have_an_order() {
    for seed in 0..10_000 {
        let history = register(seed, 4, 24, 0.05);
        let checked = linearizable(&Register::default(), &history);
        assert!(checked.is_valid(), "{seed}: {checked}\n{history:#?}");
    }
}

#[test]
fn a_read_of_what_nobody_wrote_is_found_with_a_witness_that_cannot_be_shortened() {
    for seed in 0..300 {
        let mut history = register(seed, 4, 24, 0.05);
        let reads: Vec<usize> = history
            .calls
            .iter()
            .enumerate()
            .filter(|(_, called)| called.call == RegisterCall::Read && called.end.is_some())
            .map(|(at, _)| at)
            .collect();
        let Some(&planted) = reads.get(reads.len() / 2) else { continue };
        history.calls[planted].returned = Returned::Ok(Some(-7));
        let Verdict::Invalid(witness) = linearizable(&Register::default(), &history).verdict else {
            panic!("{seed}: not found")
        };
        // It alone is wrong, so no other read is needed to show it.
        let reads = witness.steps.iter().filter(|step| step.contains("Read ->")).count();
        assert!(
            reads == 1 && witness.steps.iter().any(|step| step.contains("Read -> Some(-7)")),
            "{witness:#?}"
        );
    }
}

/// Every order of every choice of the calls of unknown outcome.
fn has_an_order(history: &Registers) -> bool {
    fn extend(history: &Registers, taken: &mut Vec<usize>, state: Option<i64>) -> bool {
        let left: Vec<usize> = (0..history.calls.len()).filter(|at| !taken.contains(at)).collect();
        if left.iter().all(|at| history.calls[*at].end.is_none()) {
            return true;
        }
        left.iter().any(|at| {
            let called = &history.calls[*at];
            // Nothing that ended before this began may come after it.
            let fits =
                left.iter().all(|other| history.calls[*other].end.is_none_or(|end| end > called.begin));
            let returned = match &called.returned {
                Returned::Ok(value) => Some(value),
                _ => None,
            };
            let Some(after) =
                fits.then(|| Register::default().step(&state, &called.call, returned)).flatten()
            else {
                return false;
            };
            taken.push(*at);
            let found = extend(history, taken, after);
            taken.pop();
            found
        })
    }
    extend(history, &mut Vec::new(), None)
}

#[test]
fn the_search_agrees_with_a_search_of_everything() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..4_000 {
        let mut history = register(seed, 3, 7, 0.15);
        let mut draws = Draws((seed << 32) + 1_000_000);
        // Half of them with returns that may be wrong.
        if seed % 2 == 1 {
            for called in &mut history.calls {
                if called.call == RegisterCall::Read && called.end.is_some() && draws.chance(0.4) {
                    called.returned = Returned::Ok(match draws.below(4) {
                        0 => None,
                        value => Some(value as i64),
                    });
                }
            }
        }
        if history.calls.iter().all(|called| called.end.is_none()) {
            continue;
        }
        let expected = has_an_order(&history);
        let checked = linearizable(&Register::default(), &history);
        assert_eq!(checked.is_valid(), expected, "{seed}: {checked}\n{history:#?}");
        if expected { valid += 1 } else { invalid += 1 }
    }
    assert!(valid > 1_000 && invalid > 300, "{valid} {invalid}");
}

#[test]
fn a_search_that_gives_up_says_unknown_and_so_does_nothing_at_all() {
    let history = register(1, 16, 2_000, 0.0);
    let few = linearizable_within(&Register::default(), &history, Limits::new(10, Duration::from_secs(60)));
    assert_eq!(few.verdict, Verdict::Unknown("more than 10 states".to_owned()));
    assert!(matches!(linearizable(&Register::default(), &Registers::default()).verdict, Verdict::Unknown(_)));
}

#[test]
fn ten_thousand_operations_of_sixteen_clients_have_an_order() {
    assert!(linearizable(&Register::default(), &register(3, 16, 10_000, 0.0)).is_valid());
}

#[test]
fn a_queue_that_reorders_is_found_and_keys_are_checked_apart() {
    fn call<C>(client: u64, call: C, value: Option<i64>, at: u64) -> Called<C, Option<i64>> {
        Called::new(client, call, Returned::Ok(value), at, at + 1)
    }
    let history: History<QueueCall, Option<i64>> = [
        call(0, QueueCall::Push(1), None, 0),
        call(0, QueueCall::Push(2), None, 2),
        call(1, QueueCall::Pop, Some(2), 4),
    ]
    .into_iter()
    .collect();
    assert!(!linearizable(&Queue, &history).is_valid());

    let keyed = |stale| -> History<(&str, RegisterCall), Option<i64>> {
        [
            call(0, ("a", RegisterCall::Write(1)), None, 0),
            call(0, ("b", RegisterCall::Write(2)), None, 2),
            call(1, ("a", RegisterCall::Read), Some(stale), 4),
        ]
        .into_iter()
        .collect()
    };
    assert!(linearizable_per_key(&Register::default(), &keyed(1)).is_valid());
    let checked = linearizable_per_key(&Register::default(), &keyed(2));
    assert!(checked.to_string().contains("key \"a\""), "{checked}");
}

/// A history of transactions that were run one after the other.
fn transactions(seed: u64) -> Vec<Transaction<u8>> {
    let mut draws = Draws(seed << 32);
    let mut lists: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
    let mut next = 0;
    (0..12)
        .map(|_| {
            let rolled_back = draws.chance(0.1);
            let before = lists.clone();
            let steps: Vec<_> = (0..=draws.below(3))
                .map(|_| {
                    let key = draws.below(3) as u8;
                    let list = lists.entry(key).or_default();
                    if draws.chance(0.5) {
                        next += 1;
                        list.push(next);
                        Micro::Append(key, next)
                    } else {
                        Micro::Read(key, list.clone())
                    }
                })
                .collect();
            if rolled_back {
                lists = before;
                Transaction::aborted(steps)
            } else {
                Transaction::committed(steps)
            }
        })
        .collect()
}

#[test]
fn ten_thousand_serial_histories_have_no_cycle() {
    for seed in 0..10_000 {
        let checked = append_cycles(&transactions(seed));
        assert!(!matches!(checked.verdict, Verdict::Invalid(_)), "{seed}: {checked}");
    }
}

#[test]
fn every_kind_of_anomaly_is_found_by_its_name_and_with_as_few_transactions_as_it_takes() {
    use Micro::{Append, Read};
    let all = |steps: Vec<Micro<&'static str>>| Transaction::committed(steps);
    let last = || all(vec![Read("x", vec![1, 2]), Read("y", vec![2, 1])]);
    for (name, transactions, history) in [
        (
            "G0",
            2,
            vec![
                all(vec![Append("x", 1), Append("y", 1)]),
                all(vec![Append("x", 2), Append("y", 2)]),
                last(),
            ],
        ),
        (
            "G1c",
            2,
            vec![
                all(vec![Append("x", 1), Read("y", vec![1])]),
                all(vec![Append("y", 1), Read("x", vec![1])]),
            ],
        ),
        (
            "G-single",
            2,
            vec![
                all(vec![Read("x", vec![]), Read("y", vec![1])]),
                all(vec![Append("x", 1), Append("y", 1)]),
                all(vec![Read("x", vec![1])]),
            ],
        ),
        ("G1a", 2, vec![Transaction::aborted([Append("x", 1)]), all(vec![Read("x", vec![1])])]),
        ("nobody appended", 1, vec![all(vec![Read("x", vec![9])])]),
        ("contradict", 2, {
            let appends = all(vec![Append("x", 1), Append("x", 2)]);
            vec![appends, all(vec![Read("x", vec![1, 2])]), all(vec![Read("x", vec![2])])]
        }),
        ("appended itself", 1, vec![all(vec![Append("x", 1), Read("x", vec![])])]),
    ] {
        let Verdict::Invalid(witness) = append_cycles(&history).verdict else {
            panic!("{name} was not found")
        };
        assert!(witness.why.contains(name), "{name}: {witness:#?}");
        assert_eq!(witness.steps.len(), transactions, "{name}: {witness:#?}");
    }
    // The same element twice leaves nothing to infer from.
    let twice = [all(vec![Append("x", 1)]), all(vec![Append("x", 1), Read("x", vec![1])])];
    assert!(matches!(append_cycles(&twice).verdict, Verdict::Unknown(_)));
}

/// A set and a counter that work, and reads that overlap additions.
fn set_and_counter(seed: u64) -> (History<SetCall<usize>, Vec<usize>>, History<CounterCall, i64>) {
    let mut draws = Draws(seed << 32);
    let (mut sets, mut counts) = (Vec::new(), Vec::new());
    let (mut elements, mut sum, mut moment) = (Vec::new(), 0, 0);
    let mut open: Vec<(usize, bool)> = Vec::new();
    for client in 0..16_u64 {
        moment += 10;
        if draws.chance(0.6) {
            let element = sets.len();
            // Of additions without an answer, half happened.
            let unknown = draws.chance(0.2);
            if !unknown || draws.chance(0.5) {
                elements.push(element);
                sum += element as i64;
            }
            let returned = |known| if known { Returned::Ok(Vec::new()) } else { Returned::Unknown };
            sets.push(Called::new(client, SetCall::Add(element), returned(!unknown), moment, moment + 5));
            let count = if unknown { Returned::Unknown } else { Returned::Ok(0) };
            counts.push(Called::new(client, CounterCall::Add(element as i64), count, moment, moment + 5));
            open.push((element, unknown));
        } else {
            sets.push(Called::new(client, SetCall::Read, Returned::Ok(elements.clone()), moment, moment + 5));
            counts.push(Called::new(client, CounterCall::Read, Returned::Ok(sum), moment, moment + 5));
        }
    }
    (sets.into_iter().collect(), counts.into_iter().collect())
}

#[test]
fn ten_thousand_clean_sets_and_counters_and_one_lost_element_in_each() {
    let (mut lost, mut wrong) = (0, 0);
    for seed in 0..10_000 {
        let (mut set, mut count) = set_and_counter(seed);
        for checked in [set_full(&set), counter(&count)] {
            assert!(!matches!(checked.verdict, Verdict::Invalid(_)), "{seed}: {checked}");
        }
        // The last read forgets an element that was there.
        if let Some(read) = set.calls.iter_mut().rev().find(|called| called.call == SetCall::Read)
            && let Returned::Ok(elements) = &mut read.returned
        {
            let acknowledged = |element: &usize| !elements.is_empty() && *element == elements[0];
            if let Some(first) = elements.first().copied().filter(acknowledged) {
                elements.remove(0);
                let known = set.calls.iter().any(|called| {
                    called.call == SetCall::Add(first) && matches!(called.returned, Returned::Ok(_))
                });
                if known {
                    lost += 1;
                    let Verdict::Invalid(witness) = set_full(&set).verdict else {
                        panic!("{seed}: not found")
                    };
                    assert!(
                        witness.why.contains("lost") && (2..=3).contains(&witness.steps.len()),
                        "{witness:?}"
                    );
                }
            }
        }
        if let Some(read) = count.calls.iter_mut().find(|called| called.call == CounterCall::Read)
            && let Returned::Ok(sum) = &mut read.returned
        {
            *sum -= 1_000;
            wrong += 1;
            assert!(matches!(counter(&count).verdict, Verdict::Invalid(_)), "{seed}: not found");
        }
    }
    assert!(lost > 3_000 && wrong > 9_000, "{lost} {wrong}");
}

#[test]
fn sets_that_forget_for_a_while_make_things_up_or_repeat_themselves() {
    let add = |element, returned, at| Called::new(0, SetCall::Add(element), returned, at, at + 1);
    let read = |elements, at| Called::new(1, SetCall::Read, Returned::Ok(elements), at, at + 1);
    let ok = || Returned::Ok(Vec::new());
    for (why, calls) in [
        ("is back later", vec![add(1, ok(), 0), read(vec![], 2), read(vec![1], 4)]),
        ("seen", vec![add(1, Returned::Unknown, 0), read(vec![1], 2), read(vec![], 4)]),
        ("never added", vec![read(vec![3], 0)]),
        ("refused", vec![add(1, Returned::Fail, 0), read(vec![1], 2)]),
        ("twice", vec![add(1, ok(), 0), read(vec![1, 1], 2)]),
        ("before it was added", vec![read(vec![1], 0), add(1, ok(), 2)]),
    ] {
        let checked = set_full(&calls.into_iter().collect::<History<_, _>>());
        assert!(
            checked.to_string().starts_with("invalid") && checked.to_string().contains(why),
            "{why}: {checked}"
        );
    }
    let late = vec![add(1, Returned::Unknown, 0), read(vec![], 2), read(vec![1], 4)];
    assert!(set_full(&late.into_iter().collect::<History<_, _>>()).is_valid());
}

#[test]
fn breakers_that_misbehave() {
    use BreakerEvent::{Became, Call, Refused};
    use BreakerState::{Closed, HalfOpen, Open};
    let failed = Call { succeeded: false };
    let fine = Call { succeeded: true };
    let open = [failed, failed, Became(Open)];
    let after = |more: &[(u64, BreakerEvent)]| -> Vec<(Duration, BreakerEvent)> {
        let begin = open.iter().map(|event| (Duration::ZERO, *event));
        begin.chain(more.iter().map(|(ms, event)| (Duration::from_millis(*ms), *event))).collect()
    };
    let check = |events: &[(Duration, BreakerEvent)]| circuit_breaker(events, 2, Duration::from_millis(100));
    let whole =
        after(&[(5, Refused), (100, Became(HalfOpen)), (101, fine), (102, Became(Closed)), (103, fine)]);
    assert!(check(&whole).is_valid());
    assert!(check(&after(&[(100, Became(HalfOpen)), (101, failed), (102, Became(Open))])).is_valid());
    for (why, events) in [
        ("while it was open", after(&[(5, fine)])),
        ("for 50ms only", after(&[(50, Became(HalfOpen))])),
        ("second call", after(&[(100, Became(HalfOpen)), (101, fine), (102, fine)])),
        ("without a call that succeeded", after(&[(100, Became(HalfOpen)), (101, Became(Closed))])),
        ("without a call that failed", after(&[(100, Became(HalfOpen)), (101, fine), (102, Became(Open))])),
        ("from Open to Closed", after(&[(100, Became(Closed))])),
        ("refused while it was closed", vec![(Duration::ZERO, Refused)]),
        ("after 0 failures", vec![(Duration::ZERO, Became(Open))]),
    ] {
        let checked = check(&events);
        assert!(checked.to_string().contains(why), "{why}: {checked}");
    }
}

#[test]
fn schedules_that_misbehave() {
    let ms = Duration::from_millis;
    let policy = RetryPolicy::doubling(3, ms(100)).jitter(0.5);
    let at = |times: &[u64]| times.iter().map(|at| Attempt::failed(ms(*at), ms(*at))).collect::<Vec<_>>();
    assert!(retry_schedule(&at(&[0, 60, 200]), &policy).is_valid());
    let mut after_success = at(&[0, 100]);
    after_success[0].succeeded = true;
    for (why, attempts) in [
        ("4 attempts", at(&[0, 100, 300, 700])),
        ("wait 1 is 40ms, below 50ms", at(&[0, 40])),
        ("wait 2 is 500ms, above 300ms", at(&[0, 100, 600])),
        ("had succeeded", after_success),
    ] {
        let checked = retry_schedule(&attempts, &policy);
        assert!(checked.to_string().contains(why), "{why}: {checked}");
    }
    assert!(matches!(retry_schedule(&[], &policy).verdict, Verdict::Unknown(_)));
    assert!(matches!(no_thundering_herd(&[ms(1); 3], ms(5), 0.1).verdict, Verdict::Unknown(_)));
}

#[test]
fn secrets_are_found_in_disguise_and_not_told_again() {
    let secret = "canary-5e1f00";
    // A text of one, two and three bytes before it, as Base64 of the whole.
    for encoded in ["eGNhbmFyeS01ZTFmMDA=", "eHhjYW5hcnktNWUxZjAw", "eHh4Y2FuYXJ5LTVlMWYwMA=="] {
        let checked = no_secrets(&[secret], &[("log", encoded)]);
        assert!(checked.to_string().contains("in Base64"), "{encoded}: {checked}");
    }
    let hex = no_secrets(&[secret], &[("log", "63616E6172792D356531663030")]);
    assert!(hex.to_string().contains("hexadecimal") && !hex.to_string().contains(secret), "{hex}");
    assert!(matches!(no_secrets(&["short"], &[("log", "")]).verdict, Verdict::Unknown(_)));
}

#[test]
fn nothing_to_look_at_is_never_valid() {
    let none: [&str; 0] = [];
    for checked in [
        bank::<[i64; 0]>(0, &[]),
        monotonic_versions::<u8, u8, u8>(&[]),
        exactly_once::<u8>(&[], &[]),
        side_effects::<u8>(&[], &[]),
        durable::<u8, u8>(&[], &[]),
        converged::<u8, u8>(&[]),
        fair(&[], 0.9),
        no_starvation(&[], Duration::ZERO, Duration::ZERO),
        no_priority_inversion(&[], Duration::ZERO),
        no_deadlock::<u8>(&[]),
        no_livelock::<u8, u8>(&[], 3),
        back_pressure(&[], 10, 0.5),
        circuit_breaker(&[], 3, Duration::ZERO),
        bounds(&[]),
        timing::<u8>(&[]),
        transitions(&none, "a", &[], &[]),
        contract(&none, &none, |_| true),
        permissions(&[], &[]),
        complete_trace(&[], &[]),
        costs(&[], &[], 0, 0),
        no_secrets(&["long enough"], &[]),
        no_cross_tenant_reads::<u8>(&[]),
        attacks_refused(&none, &none, |_| true),
        observable(&[], &[]),
        set_full::<u8>(&History::default()),
        counter(&History::default()),
        append_cycles::<u8>(&[]),
    ] {
        assert!(matches!(checked.verdict, Verdict::Unknown(_)), "{checked}");
    }
}

#[test]
fn a_relation_that_nothing_shows_to_be_able_to_break_is_not_valid() {
    let twice = |one: &i64, twice: &i64| *twice == 2 * one;
    let unknown = |checked: Checked| matches!(checked.verdict, Verdict::Unknown(_));
    // One case, whether or not the relation says anything.
    let alone = metamorphic("twice", &[(1, 1, 2)], twice);
    assert!(alone.to_string().contains("one case alone"), "{alone}");
    assert!(unknown(alone));
    assert!(unknown(metamorphic("anything", &[(1, 1, 2)], |_: &i64, _| true)));
    assert!(unknown(metamorphic("nothing to look at", &[] as &[(i64, i64, i64)], twice)));
    // The same case again tells nothing more.
    assert!(unknown(metamorphic("twice", &[(1, 1, 2), (1, 1, 2)], twice)));
    assert!(metamorphic("twice", &[(1, 1, 2), (3, 3, 6)], twice).is_valid());
    // A single case that breaks it is enough.
    assert!(matches!(metamorphic("twice", &[(1, 1, 3)], twice).verdict, Verdict::Invalid(_)));
}
