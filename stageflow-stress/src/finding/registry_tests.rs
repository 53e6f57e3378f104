use super::*;
use crate::finding::samples;
use crate::testing::TempDir;

const RUN: &str = "run-2026-01-14-001";

fn document(findings: &[(&str, Option<&str>)]) -> String {
    let findings: Vec<_> = findings
        .iter()
        .map(|(id, fingerprint)| match fingerprint {
            Some(fingerprint) => {
                serde_json::json!({ "id": id, "x_stageflow": { "fingerprint": fingerprint } })
            }
            None => serde_json::json!({ "id": id }),
        })
        .collect();
    serde_json::json!({ "metadata": {}, "findings": findings }).to_string()
}

/// Id and fingerprint of each finding.
type Findings<'a> = &'a [(&'a str, Option<&'a str>)];

fn entry_with_runs(runs: &[(&str, Findings<'_>)]) -> (TempDir, PathBuf) {
    let dir = TempDir::new();
    let entry = dir.path().join("DAG-005");
    std::fs::create_dir(&entry).unwrap();
    for (run, findings) in runs {
        std::fs::create_dir(entry.join(run)).unwrap();
        std::fs::write(entry.join(run).join("findings.json"), document(findings)).unwrap();
    }
    let path = entry.join(REGISTRY_FILE);
    (dir, path)
}

#[test]
fn ids_count_per_code_and_stay() {
    let mut registry = Registry::new("LLM-REASON-001");
    assert_eq!(registry.assign("a", FindingType::Bug, None, RUN), "LLM-REASON-001-BUG-001");
    assert_eq!(registry.assign("b", FindingType::Bug, None, RUN), "LLM-REASON-001-BUG-002");
    assert_eq!(registry.assign("c", FindingType::SilentFailure, None, RUN), "LLM-REASON-001-SIL-001");
    let before = registry.clone();
    assert_eq!(registry.assign("a", FindingType::Bug, None, RUN), "LLM-REASON-001-BUG-001");
    assert_eq!(registry, before, "asking again changes nothing");
}

#[test]
fn runs_are_counted_once() {
    let mut registry = Registry::new("DAG-005");
    for run in
        [RUN, RUN, "run-2026-01-14-999", "run-2026-01-14-1000", "run-2026-01-14-999", "run-2026-01-14-1000"]
    {
        registry.assign("a", FindingType::Bug, None, run);
    }
    let known = &registry.findings["a"];
    assert_eq!((known.first_seen.as_str(), known.last_seen.as_str()), (RUN, "run-2026-01-14-1000"));
    assert_eq!(known.occurrences, 3);
}

#[test]
fn an_id_is_never_given_twice() {
    let mut registry = Registry::new("DAG-005");
    for fingerprint in ["a", "b", "c"] {
        registry.assign(fingerprint, FindingType::Bug, None, RUN);
    }
    let removed = registry.findings.remove("c").unwrap();
    registry.bury(removed.id);
    assert_eq!(registry.assign("d", FindingType::Bug, None, RUN), "DAG-005-BUG-004");
    let numbers: Vec<String> =
        (0..1000).map(|n| registry.assign(&format!("x{n}"), FindingType::Bug, None, RUN)).collect();
    assert_eq!(numbers.last().unwrap(), "DAG-005-BUG-1004");
    assert_eq!(registry.repeated_id(), None);
}

#[test]
fn the_committed_id_wins_and_whoever_had_it_gets_another() {
    let mut registry = Registry::new("DAG-005");
    registry.assign("a", FindingType::Bug, None, RUN);
    registry.assign("b", FindingType::Bug, None, RUN);
    assert_eq!(registry.assign("b", FindingType::Bug, Some("DAG-005-BUG-001"), RUN), "DAG-005-BUG-001");
    let other = registry.assign("a", FindingType::Bug, None, RUN);
    assert_eq!(other, "DAG-005-BUG-003");
    assert!(registry.tombstones.contains("DAG-005-BUG-002"), "what b had before is not given again");
    assert_eq!(registry.repeated_id(), None);
}

#[test]
fn committed_ids_are_reserved_before_they_are_seen() {
    let fingerprint = "sfp1:00112233445566778899aabbccddeeff";
    let known = KnownFindings::parse(
        "f",
        &format!(
            "[[known]]\nfingerprint = \"{fingerprint}\"\nid = \"DAG-005-SILENT-001\"\nwhy = \"w\"\n[[known]]\n\
             fingerprint = \"sfp1:ffeeddccbbaa99887766554433221100\"\nid = \"CORE-001-SIL-007\"\nwhy = \"w\"\n"
        ),
    )
    .unwrap();
    let mut registry = Registry::new("DAG-005");
    registry.reserve_known(&known);
    assert_eq!(registry.assign("new", FindingType::SilentFailure, None, RUN), "DAG-005-SIL-002");
    let id = registry.assign(fingerprint, FindingType::SilentFailure, Some("DAG-005-SILENT-001"), RUN);
    assert_eq!(id, "DAG-005-SILENT-001");
    assert_eq!(registry.assign("next", FindingType::SilentFailure, None, RUN), "DAG-005-SIL-003");

    // The alias is the same id: a finding that had it under its other spelling makes room.
    let mut registry = Registry::new("DAG-005");
    assert_eq!(registry.assign("new", FindingType::SilentFailure, None, RUN), "DAG-005-SIL-001");
    registry.reserve_known(&known);
    assert_eq!(registry.findings["new"].id, "DAG-005-SIL-002");
}

#[test]
fn the_file_is_read_back() {
    let (_dir, path) = entry_with_runs(&[]);
    let mut registry = Registry::load(&path).unwrap().registry;
    assert_eq!(registry, Registry::new("DAG-005"));
    registry.assign("a", FindingType::Dx, None, RUN);
    registry.bury("DAG-005-DX-007".to_owned());
    std::fs::write(&path, registry.to_json()).unwrap();
    let loaded = Registry::load(&path).unwrap();
    assert_eq!((loaded.registry, loaded.message), (registry, None));
}

#[test]
fn a_damaged_file_is_set_aside_and_ids_stay() {
    let (_dir, path) = entry_with_runs(&[
        ("run-2026-01-14-1000", &[("DAG-005-BUG-001", Some("later")), ("DAG-005-BUG-004", Some("a"))]),
        ("run-2026-01-14-002", &[("DAG-005-BUG-001", Some("a")), ("DAG-005-BUG-009", None)]),
        ("archive", &[("DAG-005-BUG-050", Some("archived"))]),
    ]);
    for (number, content) in
        ["{\"format\":1,", "", "{\"format\":1,\"entry\":\"CORE-001\",\"findings\":{}}"].iter().enumerate()
    {
        std::fs::write(&path, content).unwrap();
        let loaded = Registry::load(&path).unwrap();
        let message = loaded.message.unwrap();
        assert!(message.contains("was damaged") && message.contains("rebuilt from 2 run(s)"), "{message}");
        let aside = path.with_file_name(format!("{REGISTRY_FILE}.damaged-{}", number + 1));
        assert_eq!(std::fs::read_to_string(aside).unwrap(), *content);
        assert!(!path.exists());

        let mut registry = loaded.registry;
        assert_eq!(registry.assign("a", FindingType::Bug, None, "run-2026-01-15-001"), "DAG-005-BUG-001");
        assert_eq!(registry.findings["a"].first_seen, "run-2026-01-14-002");
        assert_eq!(registry.findings["a"].occurrences, 3);
        assert_eq!(
            registry.assign("later", FindingType::Bug, None, RUN),
            "DAG-005-BUG-010",
            "009 was foreign"
        );
        assert_eq!(registry.repeated_id(), None);
    }
}

#[test]
fn a_file_with_a_repeated_id_is_damaged() {
    let (_dir, path) = entry_with_runs(&[]);
    let mut registry = Registry::new("DAG-005");
    for fingerprint in ["a", "b"] {
        registry.findings.insert(fingerprint.to_owned(), Registered::new("DAG-005-BUG-001".to_owned(), RUN));
    }
    std::fs::write(&path, registry.to_json()).unwrap();
    assert!(Registry::load(&path).unwrap().message.unwrap().contains("gives id `DAG-005-BUG-001` twice"));
}

#[test]
fn a_newer_file_is_left_alone() {
    let (_dir, path) = entry_with_runs(&[]);
    let content = "{\"format\":2,\"anything\":\"else\"}";
    std::fs::write(&path, content).unwrap();
    let error = Registry::load(&path).unwrap_err();
    assert!(matches!(error, RegistryError::Newer { found: 2, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[test]
fn a_rebuilt_id_stays_with_the_run_that_had_it_first() {
    let runs: Vec<(String, String)> = [2, 999, 1000, 1, 3, 998, 1001, 4, 997, 1002]
        .map(|n| (format!("run-2026-01-14-{n:03}"), format!("f{n}")))
        .into();
    let findings: Vec<[(&str, Option<&str>); 1]> =
        runs.iter().map(|(_, fingerprint)| [("DAG-005-BUG-001", Some(fingerprint.as_str()))]).collect();
    let given: Vec<(&str, Findings<'_>)> =
        runs.iter().zip(&findings).map(|((run, _), findings)| (run.as_str(), &findings[..])).collect();
    let (_dir, path) = entry_with_runs(&given);
    // A missing file is rebuilt as well.
    let loaded = Registry::load(&path).unwrap();
    assert_eq!(loaded.registry.findings.keys().collect::<Vec<_>>(), ["f1"]);
    assert_eq!(loaded.message, None);
}

#[test]
fn no_id_stands_twice_in_a_run_when_a_committed_one_comes_late() {
    let mut findings: Vec<StoredFinding> =
        (1..=3).map(|n| samples::stored(crate::finding::Finding::bug("b").key(n.to_string()), n)).collect();
    // The last one to be found has the committed id that the first one would get.
    findings[2].known = samples::known(crate::finding::FindingStatus::Confirmed, None);
    findings[2].known.as_mut().unwrap().id = Some("DAG-005-BUG-001".to_owned());
    findings.reverse();
    let mut registry = Registry::new("DAG-005");
    for _ in 0..2 {
        registry.assign_all(&mut findings, RUN);
        let ids: Vec<&str> = findings.iter().map(|stored| stored.id.as_str()).collect();
        assert_eq!(ids, ["DAG-005-BUG-001", "DAG-005-BUG-003", "DAG-005-BUG-002"]);
    }
}
