use std::collections::BTreeMap;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::*;

fn store(files: &[(&str, &str)]) -> (tempfile::TempDir, FindingStore) {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join("runs").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let store = FindingStore::open(dir.path().join("runs")).unwrap();
    (dir, store)
}

fn document(entry: &str, status: &str) -> String {
    format!(
        r#"{{"metadata":{{"roadmap_entry_id":"{entry}","status":"{status}","started_at":"2026-01-16T10:00:00Z"}},
        "findings":[{{"id":"{entry}-BUG-001","type":"bug","severity":"high","title":"a <b>bold</b> | thing",
        "description":"","status":"open","created_at":"2026-01-16T10:00:00Z"}}]}}"#
    )
}

/// The tables of a Markdown text, as rows of cells.
fn tables(text: &str) -> Vec<Vec<Vec<String>>> {
    let (mut tables, mut cell) = (Vec::new(), String::new());
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Table(_)) => tables.push(Vec::new()),
            Event::Start(Tag::TableHead | Tag::TableRow) => tables.last_mut().unwrap().push(Vec::new()),
            Event::Start(Tag::TableCell) => cell.clear(),
            Event::Text(text) => cell.push_str(&text),
            Event::Html(html) | Event::InlineHtml(html) => panic!("markup: {html}"),
            Event::End(TagEnd::TableCell) => {
                let rows: &mut Vec<Vec<String>> = tables.last_mut().unwrap();
                rows.last_mut().unwrap().push(std::mem::take(&mut cell));
            }
            _ => {}
        }
    }
    tables
}

#[test]
fn without_runs_nothing_has_started_and_every_entry_is_listed() {
    let nowhere = tempfile::tempdir().unwrap();
    let entries = coverage(None, nowhere.path(), || {});
    let text = checklist(&entries, "2026-01-20");
    let tables = tables(&text);
    let listed: Vec<&Vec<String>> =
        tables.iter().filter(|table| table[0][0] == "ID").flat_map(|table| &table[1..]).collect();
    assert_eq!(listed.len(), roadmap::entries().len());
    for (row, entry) in listed.iter().zip(roadmap::entries()) {
        let expected = [entry.id, entry.title, entry.priority.as_str(), entry.risk.as_str(), "☐ Not Started"];
        assert_eq!(row[..], expected.map(str::to_owned));
    }
    // Counted, whatever the original roadmap states.
    let summary: Vec<_> = tables.iter().filter(|table| table[0][1] == "Total Items").collect();
    assert_eq!(summary.len(), 3);
    for table in &summary {
        let total = table.last().unwrap();
        assert_eq!(total[1..], ["308", "0", "0", "308", "0.0%"].map(str::to_owned));
        let sum: usize = table[1..table.len() - 1].iter().map(|row| row[1].parse::<usize>().unwrap()).sum();
        assert_eq!(sum, 308);
    }
    assert_eq!(summary[0][1][..2], ["Tier 1".to_owned(), "28".to_owned()]);
}

#[test]
fn a_status_follows_from_runs_and_says_from_which() {
    let (dir, store) = store(&[
        ("DAG-005/run-2026-01-16-001/findings.json", &document("DAG-005", "completed")),
        ("DAG-005/run-2026-01-17-001/findings.json", &document("DAG-005", "failed")),
        ("DAG-006/run-2026-01-16-001/findings.json", &document("DAG-006", "in_progress")),
        ("SHOP-001/run-2026-01-16-001/findings.json", &document("SHOP-001", "completed")),
    ]);
    std::fs::write(dir.path().join("it.rs"), "#[roadmap_test(\"DAG-007\")]\nfn seven() {}\n").unwrap();
    let entries = coverage(Some(&store), dir.path(), || {});
    let of: BTreeMap<&str, &EntryStatus> =
        entries.iter().map(|entry| (entry.row.id.as_str(), entry)).collect();
    let dag = of["DAG-005"];
    assert_eq!(dag.progress, Progress::Completed);
    assert_eq!(dag.run.as_deref(), Some("run-2026-01-16-001"));
    assert!(dag.because.contains("a later run is not counted: run-2026-01-17-001"), "{}", dag.because);
    assert_eq!(dag.open[&Severity::High], 2, "findings of other tools are never merged");
    assert_eq!(of["DAG-006"].progress, Progress::Begun);
    assert_eq!((of["DAG-007"].progress, of["DAG-007"].sources.len()), (Progress::Begun, 1));
    assert_eq!(of["DAG-008"].progress, Progress::NotStarted);
    assert!(!of["SHOP-001"].row.built_in);
    let text = checklist(&entries, "2026-01-20");
    assert!(text.contains("✅ Completed (2026-01-16), 2 open ≥ high"), "{text}");
    let rows: usize = tables(&text).iter().filter(|t| t[0][0] == "ID").map(|t| t.len() - 1).sum();
    assert_eq!(rows, 309);
}

#[test]
fn a_share_is_never_rounded_up() {
    let tally = Tally { total: 308, completed: 307, in_progress: 1 };
    assert_eq!((tally.percent().as_str(), tally.remaining()), ("99.6%", 0));
    assert_eq!(Tally { total: 3, completed: 3, in_progress: 0 }.percent(), "100.0%");
    assert_eq!(Tally::default().percent(), "–");
}
