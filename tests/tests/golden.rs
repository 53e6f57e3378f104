//! Goldens: every pair is kept, all mismatches of a test appear in one run, and nothing passes unseen.

use stageflow_stress_tests::{Project, by_title};

const TESTS: &str = r#"
use std::collections::BTreeMap;
use stageflow_stress::prelude::*;

#[roadmap_test("CORE-005")]
async fn totals(cx: &TestContext) {
    let factor: u64 = std::env::var("FACTOR").map_or(1, |text| text.parse().unwrap());
    let handle = cx.handle();
    cx.golden("small", &BTreeMap::from([("amount", 9_007_199_254_740_992_u64 + factor), ("rest", 0)]));
    // insta's settings do not follow to another thread; ours do.
    std::thread::spawn(move || handle.golden("large", &vec![factor; 3])).join().unwrap();
    cx.golden_text("plain", "stays the same");
}
"#;

#[test]
fn mismatches_are_all_found_in_one_run_and_kept() {
    let project = Project::new("golden", &[("tests/it.rs", TESTS)]);
    let missing = project.one("totals", &[("INSTA_UPDATE", "no")]);
    missing.red_with("golden `small` has no reference");
    assert_eq!(by_title(&project.findings("CORE-005")).len(), 3, "three goldens, three findings");

    let accepted = project.one("totals", &[("INSTA_UPDATE", "always")]);
    accepted.green();
    let findings = project.findings("CORE-005");
    let titles: Vec<_> = by_title(&findings).into_keys().collect();
    let expected =
        ["large", "plain", "small"].map(|name| format!("golden `{name}` was accepted without a comparison"));
    assert_eq!(titles, expected, "accepting on the fly is visible");
    assert!(project.root().join("tests/snapshots/it__totals-small.snap").is_file());

    project.one("totals", &[]).green();
    assert_eq!(by_title(&project.findings("CORE-005")).len(), 0);

    // One more in the last digit that a double could not tell apart.
    let red = project.one("totals", &[("FACTOR", "2")]);
    red.red_with("golden `small` differs from its reference");
    let findings = project.findings("CORE-005");
    let titles: Vec<_> = by_title(&findings).into_keys().collect();
    assert_eq!(
        titles,
        ["golden `large` differs from its reference", "golden `small` differs from its reference"]
    );
    let folder = project.run_folder("CORE-005");
    let attachments = by_title(&findings)["golden `small` differs from its reference"]["attachments"].clone();
    let content = |kind: &str| {
        let path = attachments
            .as_array()
            .unwrap()
            .iter()
            .find_map(|one| one["path"].as_str().filter(|path| path.contains(kind)));
        std::fs::read_to_string(folder.join(path.unwrap_or_else(|| panic!("{kind} in {attachments}"))))
            .unwrap()
    };
    assert!(content(".reference.").contains("9007199254740993"));
    assert!(content(".actual.").contains("9007199254740994"));
    assert!(content(".diff.").contains("-  \"amount\": 9007199254740993"));
    // What `cargo insta review` looks for.
    assert!(project.root().join("tests/snapshots/it__totals-small.snap.new").is_file());

    let forced = project.one("totals", &[("FACTOR", "2"), ("INSTA_FORCE_PASS", "1"), ("INSTA_UPDATE", "no")]);
    forced.green();
    let titles: Vec<_> = by_title(&project.findings("CORE-005")).into_keys().collect();
    assert_eq!(
        titles,
        [
            "golden `large` was let pass by INSTA_FORCE_PASS",
            "golden `small` was let pass by INSTA_FORCE_PASS"
        ]
    );
}
