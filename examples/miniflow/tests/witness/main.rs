//! What miniflow does without defects, and that each switch changes it: written with miniflow alone, without the SDK, so
//! that a defect which the suite does not find is never one whose switch is dead.

mod facilities;
mod flow;
mod lab;

use std::collections::BTreeSet;

use lab::{Scenario, play};
use miniflow::{Defect, Defects};

fn all() -> impl Iterator<Item = &'static Scenario> {
    flow::SCENARIOS.iter().chain(facilities::SCENARIOS)
}

#[test]
fn without_defects_everything_is_as_it_should_be() {
    let mut wrong = Vec::new();
    for scenario in all() {
        let seen = play(scenario, Defects::NONE);
        if seen != scenario.right {
            wrong.push(format!("{}:\n  {seen}\n  {}", scenario.name, scenario.right));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_switch_changes_what_happens() {
    let mut dead = Vec::new();
    for scenario in all() {
        for defect in scenario.shows {
            if play(scenario, Defects::only(*defect)) == scenario.right {
                dead.push((scenario.name, *defect));
            }
        }
    }
    assert_eq!(dead, []);
}

#[test]
fn every_defect_has_its_scenario() {
    let shown: BTreeSet<Defect> = all().flat_map(|scenario| scenario.shows).copied().collect();
    // This one costs time and changes nothing else: it is measured below.
    let missing: Vec<&Defect> = Defect::ALL.iter().filter(|defect| !shown.contains(defect)).collect();
    assert_eq!(missing, [&Defect::BagCopiedPerStage]);
}

#[test]
fn copying_the_bag_for_every_stage_costs_many_times_the_run() {
    let time = |defects| {
        let runs = (0..3).map(|_| {
            let began = std::time::Instant::now();
            play(&flow::WIDE, defects);
            began.elapsed()
        });
        runs.min().unwrap()
    };
    let (right, copied) = (time(Defects::NONE), time(Defects::only(Defect::BagCopiedPerStage)));
    assert!(copied > right * 2, "{right:?}, with copies {copied:?}");
}
