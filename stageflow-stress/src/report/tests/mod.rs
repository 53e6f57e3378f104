pub(super) mod fixture;
mod gate;
pub(super) mod hostile;
mod numbers;

use serde_json::Value;

use super::*;
use fixture::{analysed, empty, rich};

/// The content of a file.
#[track_caller]
fn file(files: &[(String, Vec<u8>)], path: &str) -> String {
    let (_, content) = files.iter().find(|(known, _)| known == path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(content.clone()).unwrap()
}

fn others() -> Vec<OtherFile> {
    vec![OtherFile { path: "findings.json".to_owned(), holds: "4 findings".to_owned() }]
}

#[test]
fn a_rich_run() {
    let (state, logs) = (rich(), analysed(&rich()));
    let files = render(&state, &logs, &others());
    insta::assert_snapshot!(
        "rich_paths",
        files.iter().map(|(path, _)| format!("{path}\n")).collect::<String>()
    );
    insta::assert_snapshot!("rich_readme", file(&files, "README.md"));
    insta::assert_snapshot!("rich_report", file(&files, "FINAL_REPORT.md"));
    insta::assert_snapshot!("rich_run_config", file(&files, "config/run_config.json"));
    insta::assert_snapshot!("rich_environment", file(&files, "config/environment.json"));
    insta::assert_snapshot!("rich_scores", file(&files, "dx_evaluation/scores.json"));
    insta::assert_snapshot!("rich_friction", file(&files, "dx_evaluation/friction_points.md"));
    insta::assert_snapshot!("rich_suggestions", file(&files, "dx_evaluation/suggestions.md"));
    insta::assert_snapshot!("rich_hypotheses", file(&files, "research/hypotheses.md"));
    insta::assert_snapshot!("rich_notes", file(&files, "research/notes.md"));
    insta::assert_snapshot!("rich_latency", file(&files, "results/metrics/latency.json"));
    insta::assert_snapshot!("rich_summary", file(&files, "results/summary.json"));
    insta::assert_snapshot!("rich_throughput", file(&files, "results/metrics/throughput.json"));
}

#[test]
fn an_empty_run_invents_nothing() {
    let files = render(&empty(), &[], &[]);
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "FINAL_REPORT.md",
            "README.md",
            "config/environment.json",
            "config/run_config.json",
            "dx_evaluation/scores.json",
            "results/summary.json",
            "results/tests.json"
        ]
    );
    insta::assert_snapshot!("empty_readme", file(&files, "README.md"));
    insta::assert_snapshot!("empty_report", file(&files, "FINAL_REPORT.md"));
    let scores: Value = serde_json::from_str(&file(&files, "dx_evaluation/scores.json")).unwrap();
    assert_eq!(scores["overall_score"], Value::Null);
    assert!(scores["categories"].as_object().unwrap().values().all(|category| category["score"].is_null()));
    assert_eq!(scores["categories"].as_object().unwrap().len(), 8);
}

#[test]
fn the_same_state_gives_the_same_bytes() {
    let (state, logs) = (rich(), analysed(&rich()));
    let reversed: Vec<_> = logs.iter().rev().cloned().collect();
    assert_eq!(render(&state, &logs, &others()), render(&state, &reversed, &others()));
}

#[test]
fn every_json_file_is_json_and_large_seeds_survive_javascript() {
    let files = render(&rich(), &analysed(&rich()), &others());
    let mut seen = 0;
    for (path, content) in &files {
        if path.ends_with(".json") {
            let value: Value =
                serde_json::from_slice(content).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(value.is_object(), "{path}");
            seen += 1;
        }
    }
    assert_eq!(seen, 16);
    let config: Value = serde_json::from_str(&file(&files, "config/run_config.json")).unwrap();
    assert_eq!(config["seed"], "18446744073709551615");
}

/// Every link of the two pages leads to a file that is rendered here or that another room writes.
#[test]
fn links_lead_to_files_that_exist() {
    let state = rich();
    let files = render(&state, &analysed(&state), &others());
    let mut known: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
    known.push("findings.json".to_owned());
    for test in &state.tests {
        known.push(test.start.log.clone());
        known.extend(
            ["_analysis.md", "_stats.json", "_errors.json"]
                .map(|end| format!("results/logs/{}{end}", test.start.slug)),
        );
        known.extend(test.goldens.iter().flat_map(|golden| golden.files.clone()));
    }
    known.extend(
        state.findings.iter().flat_map(|stored| &stored.finding.attachments).map(|file| file.path.clone()),
    );
    let mut links = 0;
    for page in ["README.md", "FINAL_REPORT.md"] {
        for event in hostile::parser(&file(&files, page)) {
            if let pulldown_cmark::Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) = event {
                assert!(known.iter().any(|path| *path == *dest_url), "{page} links to {dest_url}");
                links += 1;
            }
        }
    }
    assert!(links > 20, "{links}");
}
