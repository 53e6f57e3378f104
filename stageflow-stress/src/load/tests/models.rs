//! Each model of load as it is planned and as it is reported: rates, stages, kinds, waits, lateness, errors.

use std::collections::HashMap;
use std::thread::{self, ThreadId};

use super::*;
use crate::load::tally::End;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_shape_begins_its_operations_as_planned() {
    let shapes = [
        ("constant", Profile::constant(400.0, MS * 100), vec![40]),
        ("ramp", Profile::ramp(0.0, 800.0, MS * 100), vec![40]),
        ("steps", Profile::steps([100.0, 300.0, 200.0], MS * 100), vec![10, 30, 20]),
        ("spike", Profile::spike(100.0, 1_000.0, MS * 50), vec![5, 50, 5]),
        ("burst", Profile::burst(20, MS * 50, 3), vec![20, 20, 20]),
        ("soak", Profile::soak(200.0, MS * 200), vec![4; 10]),
        ("recorded", Profile::recorded([MS * 30, Duration::ZERO, MS * 31]), vec![3]),
        ("poisson", Profile::poisson(400.0, MS * 100), vec![]),
    ];
    for (name, profile, expected) in shapes {
        let begun = Arc::new(Mutex::new(Vec::new()));
        let kept = begun.clone();
        let report = load(name)
            .profile(profile.clone())
            .run_sync(move |op| kept.lock().unwrap().push((op.planned().unwrap(), op.stage().to_owned())))
            .unwrap();
        let mut begun = begun.lock().unwrap().clone();
        begun.sort();
        // The plan says which operations there are and when; the seed is the only thing that it does not know.
        let stages = profile.stages();
        let planned = profile.arrivals(report.seed);
        let mut planned: Vec<_> =
            planned.map(|arrival| (arrival.at, stages[arrival.stage].name.clone())).collect();
        planned.sort();
        assert_eq!(begun, planned, "{name}");
        let by_stage: Vec<_> = report.stages.iter().map(|stage| stage.counts.succeeded).collect();
        if expected.is_empty() {
            // As many as chance will have it: within five standard deviations of 40.
            assert!((9..=71).contains(&by_stage[0]), "{by_stage:?}");
        } else {
            assert_eq!(by_stage, expected, "{name}");
        }
        assert!(sums(&report.counts) && report.is_valid(), "{name}: {:?}", report.validity);
    }
}

#[test]
fn workers_wait_between_operations_and_the_wait_is_no_service_time() {
    let think = MS * 20;
    let begun = Arc::new(Mutex::new(HashMap::<ThreadId, Vec<Instant>>::new()));
    let kept = begun.clone();
    let report = load("thinking")
        .closed(2)
        .count(10)
        .think(think)
        .run_sync(move |_| {
            kept.lock().unwrap().entry(thread::current().id()).or_default().push(Instant::now())
        })
        .unwrap();
    let begun = begun.lock().unwrap();
    let waits: Vec<_> = begun.values().flat_map(|at| at.windows(2).map(|pair| pair[1] - pair[0])).collect();
    assert!(waits.len() >= 8 && waits.iter().all(|wait| *wait >= think / 2), "{waits:?}");
    assert!(report.service().min().unwrap() < think / 2, "{:?}", report.service());

    let began = Instant::now();
    let report = on_runtime(1, async move {
        load("thinking").closed(1).count(5).think(think).run(|_| async {}).await.unwrap()
    });
    assert!(began.elapsed() >= think / 2 * 4, "{:?}", began.elapsed());
    assert!(report.service().min().unwrap() < think / 2, "{:?}", report.service());
}

#[test]
fn errors_are_told_over_time_by_stage_and_by_kind() {
    let report = on_runtime(2, async {
        load("wears out")
            .profile(Profile::steps([400.0, 400.0], MS * 200))
            .mix([("read", 1.0), ("write", 1.0)])
            .allow_errors(1.0)
            .run(|op| async move {
                let second = op.planned().unwrap() >= MS * 200;
                if second && op.kind() == "write" { Err("read only") } else { Ok(()) }
            })
            .await
            .unwrap()
    });
    let rate = |counts: &Counts| counts.error_rate().unwrap().rate();
    let [first, second] = report.stages.as_slice() else { panic!("{:?}", report.stages) };
    assert!(rate(&first.counts) == 0.0 && (0.2..0.8).contains(&rate(&second.counts)), "{second:?}");
    let of = |kind: &str| &report.kinds.iter().find(|one| one.name == kind).unwrap().counts;
    assert!(rate(of("read")) == 0.0 && (0.2..0.8).contains(&rate(of("write"))), "{:?}", report.kinds);
    // Over time: nothing fails before the second stage has begun, and every failure has its moment.
    let quiet = usize::try_from((MS * 200).as_nanos() / report.moment_width.as_nanos()).unwrap();
    let (before, after) = report.timeline.split_at(quiet);
    assert!(before.iter().all(|moment| moment.unsuccessful == 0), "{before:?}");
    assert_eq!(after.iter().map(|moment| moment.unsuccessful).sum::<u64>(), report.counts.failed);
    assert!(after.iter().filter_map(|moment| moment.error_rate().ok()).any(|rate| rate.rate() > 0.0));
    let json = report.to_json();
    assert_eq!(json["stages"][1]["error_rate"]["n"], 80);
    assert_eq!(json["kinds"][0]["error_rate"]["value"], 0.0);
}

#[test]
fn operations_that_begin_late_are_counted_as_late_and_make_the_run_invalid() {
    // The plan began a second ago.
    let names = operation::Names { stages: vec!["only".to_owned()], kinds: Vec::new() }.kept();
    let shared = engine::Shared::new(Instant::now() - SECOND, names, 1, 16, 0, MS * 100);
    let profile = Profile::constant(100.0, MS * 100);
    let raw = open::generate(&shared, &profile, None, Duration::ZERO, |_, entry| entry.end(End::Succeeded));
    assert_eq!((raw.issued.offered[0], raw.issued.late[0]), (10, 10));
    let late = Load::new("late", 1);
    let report = LoadReport::new(&late, Model::Open { profile }, names, raw);
    let Validity::Invalid(reasons) = &report.validity else { panic!("{report:?}") };
    assert!(reasons.iter().any(|reason| reason.contains("behind at the end of a plan")), "{reasons:?}");
    // From the planned moment: the wait before they began is in it.
    assert!(report.response().min().unwrap() >= SECOND - MS * 100, "{:?}", report.response());
}
