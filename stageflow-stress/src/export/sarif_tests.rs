use serde_json::{Value, json};

use super::*;

#[test]
fn a_document_that_is_too_large_loses_its_last_results_and_says_so() {
    let item = |n: u64| Item {
        entry: "DAG-005".to_owned(),
        id: format!("DAG-005-BUG-{n:03}"),
        fingerprint: Some(format!(
            "sfp1:{:032x}",
            u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834)
        )),
        kind: "bug".to_owned().into(),
        severity: "high".to_owned().into(),
        status: "open".to_owned().into(),
        title: format!("finding {n}"),
        description: String::new(),
        component: None,
        tags: Vec::new(),
        created_at: None,
        updated_at: None,
        resolved_at: None,
        occurrences: 1,
        runs: vec!["run-2026-01-14-001".to_owned()],
        in_latest_run: true,
        rule: None,
        place: None,
        tests: Vec::new(),
        known: None,
        regression: false,
        document: Map::new(),
    };
    let items: Vec<Item> = (0..64).map(item).collect();
    let exported = Exported {
        items: Vec::new(),
        runs: Vec::new(),
        without_tests: Vec::new(),
        total_runs: 1,
        entry: Some("DAG-005".to_owned()),
        runs_dir: "/nowhere/runs".into(),
        one_run: false,
        problems: Vec::new(),
        at: "2026-01-14T10:00:00Z".to_owned(),
        root: "/nowhere".into(),
        git_root: "/nowhere".into(),
    };
    let left = Left { strengths: 0, settled: 0, beyond: 0 };
    let mut shown: Vec<&Item> = items.iter().collect();
    let text = fit(&exported, &mut shown, left, 3_000);
    assert!(compressed(&text) <= 3_000);
    let document: Value = serde_json::from_slice(&text).unwrap();
    let results = document["runs"][0]["results"].as_array().unwrap();
    assert!(!results.is_empty() && results.len() < 64);
    assert_eq!(document["runs"][0]["properties"]["leftOutBeyondLimits"], 64 - results.len());
    assert_eq!(results[0]["properties"]["id"], "DAG-005-BUG-000", "the first are the worst");
    check_for_code_scanning(&document);
}

#[test]
fn paths_become_references() {
    assert_eq!(uri("a b/ü%.rs"), "a%20b/%C3%BC%25.rs");
    assert_eq!(uri("/a/b.rs"), "a/b.rs");
}

#[test]
fn findings_of_other_tools_keep_their_hash_by_their_words() {
    assert_eq!(text_or("  ", "none"), "none");
    assert!(text_or(&"x".repeat(9_000), "none").ends_with("(cut)"));
    assert_eq!(json!(text_or("a", "b")), json!("a"));
}

/// What code scanning refuses, ignores or cuts, and a schema does not know. The limits are those of its documentation.
pub fn check_for_code_scanning(document: &Value) {
    fn no_empty_texts(value: &Value, path: &str) {
        match value {
            Value::String(text) => assert!(!text.trim().is_empty(), "an empty text at {path}"),
            Value::Array(list) => list.iter().for_each(|value| no_empty_texts(value, &format!("{path}[]"))),
            Value::Object(map) => {
                map.iter().for_each(|(name, value)| no_empty_texts(value, &format!("{path}.{name}")))
            }
            _ => {}
        }
    }
    no_empty_texts(document, "");
    let runs = document["runs"].as_array().unwrap();
    assert!((1..=20).contains(&runs.len()));
    let mut categories = std::collections::BTreeSet::new();
    for run in runs {
        let id = run["automationDetails"]["id"].as_str().unwrap();
        assert!(categories.insert(id.rsplit_once('/').unwrap().0), "two runs of one category");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for rule in rules {
            for field in ["shortDescription", "fullDescription", "help"] {
                assert!(rule[field]["text"].is_string(), "{field} is required");
            }
            assert!(rule["shortDescription"]["text"].as_str().unwrap().len() <= 1_024);
            assert!(rule["properties"]["tags"].as_array().unwrap().len() <= 20);
            let security = rule["properties"].get("security-severity").is_some();
            assert_ne!(security, rule["properties"].get("problem.severity").is_some());
        }
        let results = run["results"].as_array().unwrap();
        assert!(results.len() <= 5_000);
        let mut identities = std::collections::BTreeSet::new();
        let order = ["error", "warning", "note"];
        let rank = |result: &Value| order.iter().position(|level| result["level"] == *level).unwrap();
        assert!(results.windows(2).all(|pair| rank(&pair[0]) <= rank(&pair[1])), "worst first");
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(result["ruleId"], rules[index]["id"]);
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            assert!(
                !uri.starts_with('/') && !uri.contains(".."),
                "{uri} is relative to the root of the repository"
            );
            for field in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(place["region"][field].as_u64().unwrap() >= 1);
            }
            let hash = result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
            let (digits, n) = hash.split_once(':').unwrap();
            assert!(
                digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && n == "1",
                "{hash}"
            );
            assert!(
                identities.insert((result["ruleId"].to_string(), uri, hash)),
                "two results are one to code scanning"
            );
        }
    }
}
