//! What `#[derive(Auditable)]` makes of every shape of type.

use std::collections::BTreeMap;

use stageflow_stress::Auditable;
use stageflow_stress::probe::AuditValue;

fn map<const N: usize>(fields: [(&str, AuditValue); N]) -> AuditValue {
    AuditValue::map(fields)
}

#[derive(Auditable)]
struct Ledger<'a, T> {
    accounts: BTreeMap<String, i64>,
    r#type: T,
    note: &'a str,
    #[audit(sensitive)]
    token: String,
    #[audit(key)]
    id: u64,
    #[audit(skip)]
    _cache: std::cell::Cell<u8>,
}

#[test]
fn a_struct_is_a_map_of_its_fields() {
    let ledger = |token: &str| {
        let accounts = BTreeMap::from([("alice".to_owned(), 3)]);
        Ledger {
            accounts,
            r#type: true,
            note: "n",
            token: token.to_owned(),
            id: 7,
            _cache: Default::default(),
        }
    };
    let snapshot = ledger("secret").snapshot();
    let expected = map([
        ("accounts", map([("alice", AuditValue::Int(3))])),
        ("type", AuditValue::Bool(true)),
        ("note", AuditValue::Text("n".to_owned())),
        ("token", AuditValue::hidden(&"secret".snapshot())),
        ("id", AuditValue::Int(7)),
    ]);
    assert_eq!(snapshot, AuditValue::keyed(&[AuditValue::Int(7)], expected));
    assert!(!format!("{snapshot:?}").contains("secret"));
    assert_ne!(snapshot, ledger("other").snapshot());
}

#[derive(Auditable)]
struct Newtype(Vec<u8>);

#[derive(Auditable)]
struct Pair(
    u8,
    #[audit(skip)]
    #[expect(dead_code, reason = "skipped by the audit")]
    fn(),
    char,
);

#[derive(Auditable)]
struct Unit;

#[derive(Auditable)]
struct Empty {}

#[test]
fn tuples_are_transparent_or_numbered() {
    assert_eq!(Newtype(vec![1, 2]).snapshot(), [1_u8, 2].snapshot());
    let pair = Pair(1, || (), 'x').snapshot();
    assert_eq!(pair, map([("0", AuditValue::Int(1)), ("2", AuditValue::Text("x".to_owned()))]));
    assert_eq!(Unit.snapshot(), AuditValue::Null);
    assert_eq!(Empty {}.snapshot(), map([]));
}

#[derive(Auditable)]
enum State<const N: usize> {
    Idle,
    Busy(u8),
    Done { parts: [u8; N], r#ref: Option<Box<State<N>>> },
}

#[derive(Auditable)]
enum Never {}

#[test]
fn a_variant_is_named() {
    assert_eq!(State::<1>::Idle.snapshot(), AuditValue::Text("Idle".to_owned()));
    assert_eq!(State::<1>::Busy(3).snapshot(), map([("Busy", AuditValue::Int(3))]));
    let done = State::Done { parts: [9], r#ref: Some(Box::new(State::Idle)) }.snapshot();
    let fields = map([
        ("parts", AuditValue::List(vec![AuditValue::Int(9)])),
        ("ref", AuditValue::Text("Idle".to_owned())),
    ]);
    assert_eq!(done, map([("Done", fields)]));
    let none: Option<Never> = None;
    assert_eq!(none.snapshot(), AuditValue::Null);
}

#[derive(Auditable)]
enum Order {
    Open {
        #[audit(key)]
        shop: &'static str,
        #[audit(key)]
        number: u32,
    },
    Paid(#[audit(key)] &'static str, #[audit(key)] u32, i64),
}

#[test]
fn elements_are_known_again_by_their_keys_in_another_variant_too() {
    let before = [Order::Open { shop: "a", number: 1 }, Order::Open { shop: "a", number: 2 }].snapshot();
    let after = [Order::Open { shop: "a", number: 2 }, Order::Paid("a", 1, 90)].snapshot();
    assert_eq!(
        before.differences(&after),
        [
            "`/a,1/Open` is missing",
            "`/a,1/Paid` is new: {0, 1, 2}",
            "the whole has elements in another order: a,2, a,1",
        ]
    );
}
