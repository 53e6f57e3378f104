use super::*;

fn doubts(ledger: Ledger, bytes: &[u8]) -> Vec<String> {
    LedgerFile::parse(ledger, bytes).unwrap().lint().iter().map(ToString::to_string).collect()
}

#[test]
fn what_drifted_is_listed() {
    let bugs = doubts(Ledger::Bugs, include_bytes!("../../../../tests/fixtures/ledgers/bugs.json"));
    for expected in [
        "BUG-003: `description` holds a lone surrogate, which strict JSON readers refuse",
        "BUG-005: no `recommendation`",
        "BUG-005: `severity` is `Medium`; elsewhere it is written `medium`",
        "BUG-1001: `related` names BUG-999, which is not there",
    ] {
        assert!(bugs.iter().any(|doubt| doubt == expected), "{expected} is not among\n{}", bugs.join("\n"));
    }
    assert!(
        bugs.iter()
            .any(|doubt| doubt.starts_with("BUG-004: `type` is `documentation`, which is none of bug, "))
    );
    let strengths =
        doubts(Ledger::Strengths, include_bytes!("../../../../tests/fixtures/ledgers/strengths.json"));
    assert!(strengths.contains(&"STR-001: `impact` is `High`; elsewhere it is written `high`".to_owned()));
    assert!(strengths.contains(&"STR-055: no `context`".to_owned()));

    let wrong = br#"{"entries":[{"id":"BUG-001","created_at":"today"},{"id":"BUG-001"},{"title":"t"},{"id":"DX-001"}]}"#;
    let wrong = doubts(Ledger::Bugs, wrong);
    for expected in [
        "BUG-001: `created_at` is `today`, which is no time of RFC 3339",
        "BUG-001: the id is given twice",
        "entry 2: `` is no id of this ledger",
        "DX-001: `DX-001` is no id of this ledger",
    ] {
        assert!(wrong.iter().any(|doubt| doubt == expected), "{expected} is not among\n{}", wrong.join("\n"));
    }
}

#[test]
fn what_may_be_the_same_is_suggested_and_nothing_else() {
    let pairs =
        |ledger: Ledger, bytes: &[u8]| LedgerFile::parse(ledger, bytes).unwrap().possible_duplicates();
    let shown = |pairs: Vec<(String, String)>| -> Vec<String> {
        pairs.into_iter().map(|(later, earlier)| format!("{later} {earlier}")).collect()
    };
    let bugs = pairs(Ledger::Bugs, include_bytes!("../../../../tests/fixtures/ledgers/bugs.json"));
    assert_eq!(shown(bugs), ["BUG-002 BUG-001", "BUG-058 BUG-057", "BUG-059 BUG-057", "BUG-060 BUG-057"]);
    let dx = pairs(Ledger::Dx, include_bytes!("../../../../tests/fixtures/ledgers/dx.json"));
    assert_eq!(shown(dx), ["DX-002 DX-001"]);
    let improvements =
        pairs(Ledger::Improvements, include_bytes!("../../../../tests/fixtures/ledgers/improvements.json"));
    assert_eq!(shown(improvements), ["IMP-002 IMP-001", "IMP-104 IMP-055", "IMP-105 IMP-102"]);
    let strengths =
        pairs(Ledger::Strengths, include_bytes!("../../../../tests/fixtures/ledgers/strengths.json"));
    assert_eq!(shown(strengths), ["STR-002 STR-001", "STR-096 STR-055"]);
}
