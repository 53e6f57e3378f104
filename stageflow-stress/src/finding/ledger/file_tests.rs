use serde_json::json;

use super::*;

const FILES: [(Ledger, &[u8]); 5] = [
    (Ledger::Bugs, include_bytes!("../../../../tests/fixtures/ledgers/bugs.json")),
    (Ledger::Dx, include_bytes!("../../../../tests/fixtures/ledgers/dx.json")),
    (Ledger::Improvements, include_bytes!("../../../../tests/fixtures/ledgers/improvements.json")),
    (Ledger::Strengths, include_bytes!("../../../../tests/fixtures/ledgers/strengths.json")),
    (Ledger::Bugs, include_bytes!("../../../../tests/fixtures/ledgers/scripts/bugs.json")),
];

fn entry(title: &str) -> Map<String, Value> {
    json!({ "title": title, "severity": "high", "zzz": [1], "id": "BUG-777", "agent": "forged", "created_at": "1999" })
        .as_object()
        .unwrap()
        .clone()
}

const AT: &str = "2026-02-01T00:00:00.000000Z";

#[test]
fn every_trait_of_foreign_ledgers_survives_byte_for_byte() {
    for (ledger, bytes) in FILES {
        let read = LedgerFile::parse(ledger, bytes).unwrap();
        assert!(!read.entries().is_empty());
        assert_eq!(read.to_bytes(), bytes);
        // What a strict parser of Rust says about the worst of them.
        let strict = serde_json::from_slice::<Value>(bytes);
        assert_eq!(strict.is_err(), ledger == Ledger::Bugs, "{ledger}");
        for entry in read.entries() {
            assert!(entry.text("title").is_some() && entry.id().parse::<LedgerId>().is_ok());
        }
    }
    let bugs = LedgerFile::parse(Ledger::Bugs, FILES[0].1).unwrap();
    let broken = bugs.entries().iter().find(|entry| entry.id() == "BUG-003").unwrap();
    assert_eq!(broken.text("description").unwrap(), "broken \u{fffd} and whole 😀 signs");
    assert_eq!(broken.names().last(), Some("created_at"), "the order stays");
}

#[test]
fn an_added_entry_changes_nothing_else_and_looks_like_the_others() {
    let (_, bytes) = FILES[0];
    let mut bugs = LedgerFile::parse(Ledger::Bugs, bytes).unwrap();
    let id = bugs.add(&entry("é → 😀"), " Ada ", AT).unwrap();
    assert_eq!(id.to_string(), "BUG-1002", "one more than the highest, not than the count");
    let text = String::from_utf8(bugs.to_bytes().to_vec()).unwrap();
    let old = String::from_utf8(bytes.to_vec()).unwrap();
    let kept = old.strip_suffix("\n  ]\n}").unwrap();
    assert_eq!(
        text,
        format!(
            "{kept},\n    {{\n      \"id\": \"BUG-1002\",\n      \"agent\": \"Ada\",\n      \"title\": \"\\u00e9 \\u2192 \\ud83d\\ude00\",\n      \
             \"severity\": \"high\",\n      \"zzz\": [\n        1\n      ],\n      \"created_at\": \"{AT}\"\n    }}\n  ]\n}}"
        )
    );
}

#[test]
fn files_of_other_layouts_keep_theirs() {
    for text in [
        "{\"entries\":[]}",
        "{\"entries\": [ ] , \"template\": {}}",
        "{\"entries\":[{\"id\":\"BUG-001\",\"title\":\"t\"}]}",
        "{\r\n\t\"entries\": [\r\n\t\t{\r\n\t\t\t\"id\": \"BUG-001\"\r\n\t\t}\r\n\t]\r\n}\r\n",
        "\u{feff}{\n    \"entries\": []\n}\n",
        "{\n  \"entries\": [\n    {\"id\": \"BUG-001\", \"title\": \"ü\"},\n    {\"id\": \"BUG-002\"}\n  ]\n}",
    ] {
        let mut ledger = LedgerFile::parse(Ledger::Bugs, text.as_bytes()).unwrap();
        assert_eq!(ledger.to_bytes(), text.as_bytes());
        let before = ledger.entries().len();
        ledger.add(&entry("é"), "Ada", AT).unwrap();
        ledger.add(&entry("second"), "Ada", AT).unwrap();
        let written = String::from_utf8(ledger.to_bytes().to_vec()).unwrap();
        let value: Value = serde_json::from_str(written.trim_start_matches('\u{feff}')).unwrap();
        assert_eq!(value["entries"].as_array().unwrap().len(), before + 2, "{written}");
        assert_eq!(value["entries"][before]["title"], "é");
        let wrong_ends =
            text.contains("\r\n") && written.matches('\n').count() != written.matches("\r\n").count();
        assert!(!wrong_ends, "{written:?}");
        assert_eq!(written.contains('\n'), text.contains('\n'), "{written:?}");
    }
    for text in ["", "[]", "{}", "{\"entries\":{}}", "{\"entries\":[1]}"] {
        assert!(LedgerFile::parse(Ledger::Bugs, text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let bytes = b"{\"entries\":[{\"id\":\"BUG-001\",\"title\":\"a\xff\xfe\xe2\x82b\"}]}";
    let mut ledger = LedgerFile::parse(Ledger::Bugs, bytes).unwrap();
    assert_eq!(ledger.entries()[0].text("title").as_deref(), Some("a????b"));
    ledger.add(&entry("t"), "Ada", AT).unwrap();
    assert!(ledger.to_bytes().starts_with(&bytes[..bytes.len() - 2]));
}

#[test]
fn numbers_are_never_given_again() {
    let mut ledger = LedgerFile::new(Ledger::Bugs);
    for title in ["a", "b", "c"] {
        ledger.add(&entry(title), "Ada", AT).unwrap();
    }
    assert!(ledger.remove("BUG-003").unwrap() && ledger.remove("BUG-001").unwrap());
    assert!(!ledger.remove("BUG-003").unwrap());
    // Who reads the file again knows it too.
    let mut again = LedgerFile::parse(Ledger::Bugs, ledger.to_bytes()).unwrap();
    assert_eq!(again.add(&entry("d"), "Ada", AT).unwrap().to_string(), "BUG-004");
    assert!(again.remove("BUG-002").unwrap() && again.remove("BUG-004").unwrap());
    let mut empty = LedgerFile::parse(Ledger::Bugs, again.to_bytes()).unwrap();
    assert_eq!(empty.add(&entry("e"), "Ada", AT).unwrap().to_string(), "BUG-005");
    let value: Value = serde_json::from_slice(empty.to_bytes()).unwrap();
    assert_eq!(value["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn what_says_nothing_is_refused() {
    let mut ledger = LedgerFile::new(Ledger::Dx);
    assert!(matches!(ledger.add(&entry(" "), "Ada", AT), Err(LedgerError::NoTitle)));
    assert!(matches!(ledger.add(&entry("t"), " ", AT), Err(LedgerError::NoAgent)));
    assert!(ledger.entries().is_empty());
}

#[test]
fn an_import_renames_what_clashes_and_adds_nothing_twice() {
    let mut bugs = LedgerFile::parse(Ledger::Bugs, FILES[0].1).unwrap();
    let scripts = LedgerFile::parse(Ledger::Bugs, FILES[4].1).unwrap();
    let imported = bugs.import(&scripts).unwrap();
    let shown: Vec<(&str, String, bool)> =
        imported.iter().map(|one| (one.from.as_str(), one.id.to_string(), one.added)).collect();
    assert_eq!(
        shown,
        [
            ("BUG-001", "BUG-1002".to_owned(), true),
            ("BUG-002", "BUG-1003".to_owned(), true),
            // The very entry that is here under this id.
            ("BUG-001", "BUG-001".to_owned(), false),
        ]
    );
    let renamed = &bugs.entries()[bugs.entries().len() - 2];
    assert_eq!(renamed.field("aliases"), Some(json!(["BUG-001"])));
    let raw = String::from_utf8(bugs.raw(renamed).to_vec()).unwrap();
    assert!(bugs.to_bytes().starts_with(FILES[0].1.strip_suffix(b"\n  ]\n}").unwrap()));
    assert_eq!(renamed.text("title").as_deref(), Some("Another defect under a used id"), "{raw}");

    let after = bugs.to_bytes().to_vec();
    assert!(bugs.import(&scripts).unwrap().iter().all(|one| !one.added));
    assert_eq!(bugs.to_bytes(), after);
    let dx = LedgerFile::parse(Ledger::Dx, FILES[1].1).unwrap();
    assert!(matches!(bugs.import(&dx), Err(LedgerError::OtherLedger { .. })));

    // Into an empty ledger everything comes as it is.
    let mut empty = LedgerFile::new(Ledger::Dx);
    assert!(empty.import(&dx).unwrap().iter().all(|one| one.added && one.from == one.id.to_string()));
    assert_eq!(empty.entries().len(), dx.entries().len());
}

#[test]
fn writers_of_one_file_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bugs.json");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for n in 0..10 {
                    let entry = entry(&format!("{writer} {n}"));
                    LedgerFile::edit(path, Ledger::Bugs, |ledger| ledger.add(&entry, "Ada", AT)).unwrap();
                }
            });
        }
    });
    let ledger = LedgerFile::load(&path).unwrap();
    let ids: BTreeSet<String> = ledger.entries().iter().map(LedgerEntry::id).collect();
    assert_eq!((ledger.entries().len(), ids.len()), (80, 80));
    // The name does not tell, so the ids do.
    let other = directory.path().join("other.json");
    fs::copy(&path, &other).unwrap();
    assert_eq!(LedgerFile::load(&other).unwrap().ledger(), Ledger::Bugs);
    fs::write(&other, "{\"entries\":[]}").unwrap();
    assert!(matches!(LedgerFile::load(&other), Err(LedgerError::WhichLedger(_))));
}
