//! Answers that are damaged, as typed callers and parsers meet them.

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    id: String,
    cents: u32,
    #[serde(default)]
    note: Option<String>,
    on: String,
    items: Vec<String>,
}

pub(super) fn order(id: u32) -> Order {
    Order {
        id: format!("o-{id}"),
        cents: 250,
        note: Some("leave at door".to_owned()),
        on: "2026-03-04".to_owned(),
        items: vec!["tea".to_owned(), "cup".to_owned()],
    }
}

/// Two calls with the fault on the second: what the caller got.
fn damaged(fault: Fault) -> (Faults, Result<Order, InjectedError>) {
    let faults = session(fault);
    let port = faults.port("shop", |id: u32| async move { Ok::<_, InjectedError>(order(id)) }).json();
    let second = on(async {
        assert_eq!(port.call(1).await.unwrap(), order(1));
        port.call(2).await
    });
    (faults, second)
}

#[test]
fn every_semantic_kind_reaches_a_typed_caller_as_another_value_or_as_an_error() {
    for kind in FaultKind::of(FaultClass::Semantic).filter(|kind| *kind != FaultKind::ExtraField) {
        let (faults, second) = damaged(nth(kind, 2));
        match second {
            Ok(other) => assert_ne!(other, order(2), "{kind}"),
            Err(error) => assert_eq!(error.kind(), kind),
        }
        let delivery = &faults.deliveries()[0];
        let change = delivery.change.as_ref().unwrap();
        assert_ne!(change.before, change.after, "{kind}");
        delivered(&faults);
    }
}

#[test]
fn what_a_type_cannot_read_is_an_error_and_what_it_reads_is_handed_on() {
    let (_, missing) = damaged(nth(FaultKind::MissingField, 2).path("/cents"));
    assert!(missing.unwrap_err().to_string().contains("missing field `cents`"));
    let (_, null) = damaged(nth(FaultKind::NullField, 2).path("/note"));
    assert_eq!(null.unwrap().note, None);
    let (_, negative) = damaged(nth(FaultKind::SchemaViolation, 2).path("/cents"));
    assert!(negative.is_err(), "an unsigned number cannot be -250");
    let (_, stale) = damaged(nth(FaultKind::Stale, 2));
    assert_eq!(stale.unwrap(), order(1));
    let (_, entity) = damaged(nth(FaultKind::WrongEntity, 2));
    assert_eq!(entity.unwrap(), Order { id: "o-1".to_owned(), ..order(2) });
    let (_, flipped) = damaged(nth(FaultKind::DateFlip, 2));
    assert_eq!(flipped.unwrap().on, "2026-04-03");
}

#[test]
fn what_the_callers_type_cannot_see_is_not_delivered() {
    let (faults, second) = damaged(nth(FaultKind::ExtraField, 2).path(""));
    assert_eq!(second.unwrap(), order(2));
    assert!(refused(&faults).contains("reads the damaged answer as the sound one"));
    // The same in a text reaches the caller's own parser.
    let faults = session(nth(FaultKind::ExtraField, 1));
    let port = faults.port("shop", |()| async { Ok::<_, InjectedError>("{\"a\":1}".to_owned()) }).text();
    assert_eq!(on(port.call(())).unwrap(), "{\"a\":1,\"unexpected_field\":\"injected\"}");
    delivered(&faults);
}

#[test]
fn a_semantic_fault_without_anything_to_change_says_so() {
    for kind in FaultKind::of(FaultClass::Semantic).filter(|kind| !matches!(kind, FaultKind::Malformed)) {
        let faults = session(nth(kind, 1).path("/nowhere"));
        let port = faults.port("shop", |()| async { Ok::<_, InjectedError>(serde_json::json!([])) }).json();
        assert_eq!(on(port.call(())).unwrap(), serde_json::json!([]));
        let why = refused(&faults);
        assert!(why.contains("no `/nowhere`") || why.contains("no earlier answer"), "{kind}: {why}");
    }
    let faults = session(nth(FaultKind::Malformed, 1));
    let port = faults.port("shop", |()| async { Err::<u32, _>("sold out".to_owned()) }).json();
    assert!(on(port.call(())).is_err());
    refused(&faults);
}

#[test]
fn a_replay_of_the_stored_plan_is_the_same_run() {
    let plan = Sites::new([("shop", 6)])
        .kinds(FaultKind::of(FaultClass::Semantic))
        .swarm(11, 20)
        .fold(FaultPlan::new().seeded(5), |plan, one| one.faults.into_iter().fold(plan, FaultPlan::with));
    let run = |plan: FaultPlan| {
        let faults = Faults::new(plan);
        let port = faults.port("shop", |id: u32| async move { Ok::<_, String>(order(id)) }).json();
        let answers: Vec<_> = on(async {
            let mut answers = Vec::new();
            for id in 0..6 {
                answers.push(port.call(id).await);
            }
            answers
        });
        let changes: Vec<_> = faults
            .deliveries()
            .into_iter()
            .map(|delivery| (delivery.id, delivery.state, delivery.change))
            .collect();
        (answers, changes)
    };
    let (first, again) = (run(plan.clone()), run(FaultPlan::parse(&plan.to_json()).unwrap()));
    assert_eq!(first, again);
    assert!(first.1.iter().any(|(_, state, _)| *state == DeliveryState::Delivered));
}
