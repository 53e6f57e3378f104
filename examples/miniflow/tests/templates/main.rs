//! Every scenario template over miniflow, in one line each: green on miniflow as it is, red with a defect that fits.

mod shop;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use miniflow::Defect::*;
use miniflow::{Defect, Defects};
use serde_json::json;
use shop::Shop;
use stageflow_stress::fault::FaultKind;
use stageflow_stress::roadmap::Template;
use stageflow_stress::scenario::{self, Violated};

type Played = Pin<Box<dyn Future<Output = Result<(), Violated>>>>;

/// A template, its use, and the defect with which its rule is broken.
type Row = (Template, fn(Shop) -> Played, Defect);

/// A row: the template, the defect, and the line.
macro_rules! row {
    ($template:ident, $defect:ident, |$shop:ident| $line:expr) => {
        (Template::$template, |$shop| Box::pin(async move { $line.await.map(drop) }), $defect)
    };
}

const ROWS: &[Row] = &[
    row!(Single, RetriesOnce, |shop| scenario::single(shop.flaky(2))),
    row!(FanOutFanIn, BagIsShared, |shop| scenario::fan_out_fan_in(100, |n| shop.clone().own_answer(n))),
    row!(Chain, OutputNumbersAreFloats, |shop| scenario::chain(10, 1 << 53, |_, n| shop.clone().next(n))),
    row!(Diamond, LongTextIsCut, |shop| {
        let (left, right) = (shop.clone(), shop.clone());
        scenario::diamond(
            shop.clone().text(2_000),
            |t| left.same(t),
            |t| right.same(t),
            |l, r| shop.longer(l, r),
        )
    }),
    row!(Burst, PanicIsSwallowed, |shop| scenario::burst(100, |n| shop.clone().explodes_on_odd(n))),
    row!(Ramp, RetriesCountAcrossRuns, |shop| scenario::ramp([4, 16], |_| shop.clone().flaky(1))),
    row!(DuplicateStorm, CheckThenAct, |shop| async move {
        scenario::duplicate_storm(100, &shop.charges, || shop.clone().charge("order-1")).await
    }),
    row!(CancelEverywhere, NoCleanupWhenAbandoned, |shop| {
        scenario::cancel_everywhere(
            move || shop.clone().opens_and_closes(),
            |(opened, closed), _| async move {
                if opened.count() == closed.count() {
                    Ok(())
                } else {
                    Err("a connection stays open".to_owned())
                }
            },
        )
    }),
    row!(CrashAfterEffect, UndoForgetsOldest, |shop| {
        scenario::crash_after_effect(
            "effects",
            move |faults| shop.clone().books(faults),
            |crash| {
                if crash.result.done == crash.result.undone {
                    Ok(())
                } else {
                    Err(format!("{:?}", crash.result))
                }
            },
        )
    }),
    row!(TenantPairs, BagIsShared, |shop| {
        scenario::tenant_pairs(&["ada", "ben", "cam"], move |tenant| shop.clone().echo(tenant.canary))
    }),
    row!(LongSession, FinishedRunsAreKept, |shop| {
        let held = shop.clone();
        scenario::long_session(400, 1.0, move || held.held(), move |n| shop.clone().turn(n))
    }),
    row!(DependencyFlap, FailedEnrichIsOk, |shop| {
        scenario::dependency_flap(
            "index",
            (2, 2, 3),
            move |f, n| shop.clone().search(f, n),
            |n, hits| *hits == json!([n]),
        )
    }),
    row!(PartitionHeal, FailuresAreReplayed, |shop| {
        let (there, agree) = (shop.clone(), shop.clone());
        let limit = Duration::from_secs(5);
        scenario::partition_heal("link", limit, move |f| there.sends(f), move || agree.clone().sent())
    }),
    row!(ColdStart, BreakerCountsForEver, |shop| {
        scenario::cold_start(
            3,
            move || shop.fresh(),
            |shop| async move { Ok::<_, String>((shop.trips().await, shop)) },
        )
    }),
    row!(FaultSweep, FailedEnrichIsOk, |shop| {
        let kinds = [FaultKind::Error, FaultKind::Reset, FaultKind::Dns];
        scenario::fault_sweep(
            kinds,
            move |f| shop.clone().search(f, 7),
            |arm| match &arm.result {
                Ok(hits) if *hits != json!([7]) => Err(format!("a success with {hits}")),
                _ => Ok(()),
            },
        )
    }),
    row!(LabelledSet, ConditionsCompareText, |shop| {
        let cases = (0..60).map(|n| if n % 2 == 0 { (json!(7), true) } else { (json!("7"), false) });
        scenario::labelled_set(0.9, cases, move |value| shop.clone().takes_for_seven(value))
    }),
    row!(AttackSet, GuardErrorPasses, |shop| {
        scenario::attack_set(["'; drop table", "../../etc"], ["tea", "cup"], move |text| {
            shop.clone().refuses(text)
        })
    }),
    row!(TwoVersions, OutputNumbersAreFloats, |shop| {
        let one = Shop::new(Defects::NONE);
        scenario::two_versions(
            scenario::edges(),
            move |v| one.clone().keeps(v),
            move |v| shop.clone().keeps(v),
        )
    }),
    row!(RoundTrip, SnapshotDropsNulls, |shop| async move {
        scenario::round_trip(scenario::edges(), |value| shop.encode(value), |text| shop.decode(text))
    }),
    row!(LoopLimit, ExhaustedGuardPasses, |shop| {
        scenario::loop_limit(Duration::from_secs(60), "check", shop.corrects_for_ever())
    }),
    row!(Contention, AbandonedKeyStaysTaken, |shop| async move {
        shop.clone().abandon("order-1").await;
        let turn = move |_, _| {
            let shop = shop.clone();
            async move { shop.charge("order-1").await.map(drop) }
        };
        scenario::contention(4, 3, Duration::from_secs(5), turn).await
    }),
    row!(Replay, SnapshotNumbersAreFloats, |shop| {
        let again = shop.clone();
        scenario::replay(move || shop.recorded(json!(i64::MAX)), move |record| again.replays(record))
    }),
];

/// Plays a row on a paused clock.
fn play(row: &Row, defects: Defects) -> Result<(), Violated> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(row.1(Shop::new(defects)))
}

#[test]
fn every_template_is_here() {
    for template in Template::ALL {
        assert_eq!(ROWS.iter().filter(|row| row.0 == *template).count(), 1, "{template}");
    }
    assert_eq!(ROWS.len(), Template::ALL.len());
}

#[test]
fn on_miniflow_as_it_is_every_template_is_green() {
    for row in ROWS {
        play(row, Defects::NONE).unwrap_or_else(|violated| panic!("{violated}"));
    }
}

#[test]
fn with_a_defect_that_fits_every_template_is_red() {
    for row in ROWS {
        let (template, _, defect) = row;
        match play(row, Defects::only(*defect)) {
            Err(Violated::Broken { template: by, problems }) => {
                assert_eq!(by, *template);
                println!("{template} with {}: {}", defect.name(), problems[0]);
            }
            other => panic!("{template} with {}: {other:?}", defect.name()),
        }
    }
}
