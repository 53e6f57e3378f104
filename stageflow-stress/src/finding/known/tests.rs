use super::*;

const A: &str = "sfp1:00112233445566778899aabbccddeeff";
const B: &str = "sfp1:ffeeddccbbaa99887766554433221100";

fn refuse(text: &str) -> (usize, String) {
    let error = KnownFindings::parse("stageflow-known.toml", text).unwrap_err();
    (error.line, error.to_string())
}

#[test]
fn a_missing_file_knows_nothing() {
    let known = KnownFindings::load("/nonexistent/stageflow-known.toml").unwrap();
    assert_eq!(known, KnownFindings::default());
    assert_eq!(known.lookup(A), None);
    assert!(!known.accepts(A));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let error = KnownFindings::load(std::env::temp_dir()).unwrap_err();
    assert!(matches!(error.what, KnownProblem::Unreadable(_)), "{error}");
    assert_eq!(error.line, 0);
}

#[test]
fn all_fields_are_read() {
    let text = format!(
        "# known\n\n[[known]]\nfingerprint = \"{A}\"\nid = \"DAG-005-BUG-001\"\ntitle = \"t\"\n\
         status = \"duplicate\"\nduplicate_of = \"DAG-005-BUG-007\"\nwhy = \"because\"\n"
    );
    let known = KnownFindings::parse("f", &text).unwrap();
    let expected = KnownFinding {
        fingerprint: A.to_owned(),
        id: Some("DAG-005-BUG-001".to_owned()),
        title: Some("t".to_owned()),
        status: FindingStatus::Duplicate,
        why: "because".to_owned(),
        duplicate_of: Some("DAG-005-BUG-007".to_owned()),
        resolution: None,
        history: Vec::new(),
        line: 3,
    };
    assert_eq!(known.iter().collect::<Vec<_>>(), [&expected]);
    let looked_up = known.lookup(A).unwrap();
    assert_eq!(looked_up.status, "duplicate");
    assert_eq!(looked_up.duplicate_of.as_deref(), Some("DAG-005-BUG-007"));
}

#[test]
fn every_status_but_resolved_is_accepted() {
    for status in FindingStatus::ALL {
        let target =
            if *status == FindingStatus::Duplicate { "duplicate_of = \"DAG-005-BUG-007\"" } else { "" };
        let text =
            format!("[[known]]\nfingerprint = \"{A}\"\nwhy = \"w\"\nstatus = \"{status}\"\n{target}\n");
        let known = KnownFindings::parse("f", &text).unwrap();
        assert_eq!(known.accepts(A), *status != FindingStatus::Resolved, "{status}");
        assert!(!known.accepts(B));
    }
    let known = KnownFindings::parse("f", &format!("[[known]]\nfingerprint = \"{A}\"\nwhy = \"w\"")).unwrap();
    assert_eq!(known.get(A).unwrap().status, FindingStatus::Open);
}

#[test]
fn every_mistake_names_its_line_and_what_to_write() {
    let head = format!("[[known]]\nfingerprint = \"{A}\"\n");
    let (line, message) = refuse("[[known]]\nfingerprint = \n");
    assert_eq!(line, 2);
    assert!(message.starts_with("stageflow-known.toml:2: not valid TOML: "), "{message}");

    let cases = [
        (
            format!("{head}wyh = \"x\"\nwhy = \"y\"\nzzz = 1"),
            3,
            "unknown key `wyh`; expected one of fingerprint, id, title, status, why, duplicate_of, \
             resolution, history",
        ),
        (
            format!("{head}titel = \"x\"\n"),
            3,
            "unknown key `titel`; expected one of fingerprint, id, title, status, why, duplicate_of, \
             resolution, history",
        ),
        (
            format!("{head}stauts2 = \"x\"\n"),
            3,
            "unknown key `stauts2`; expected one of fingerprint, id, title, status, why, duplicate_of, \
             resolution, history",
        ),
        (
            format!("{head}statuss = \"x\"\n"),
            3,
            "unknown key `statuss`; did you mean `status`; expected one of fingerprint, id, title, status, why, \
             duplicate_of, resolution, history",
        ),
        ("[[knwon]]\n".to_owned(), 1, "unknown key `knwon`; expected one of known"),
        ("[[knowns]]\n".to_owned(), 1, "unknown key `knowns`; did you mean `known`; expected one of known"),
        ("\nknown = 3".to_owned(), 2, "`known` is no list of tables; write `[[known]]`"),
        ("known = [3]".to_owned(), 1, "`known` is no list of tables; write `[[known]]`"),
        (
            "\n[[known]]\nwhy = \"x\"".to_owned(),
            2,
            "a known finding without `fingerprint`; copy the block that the failing test prints",
        ),
        ("[[known]]\nfingerprint = 3".to_owned(), 2, "`fingerprint` is no text; write `key = \"text\"`"),
        (
            "[[known]]\nfingerprint = \"sfp1:12\"".to_owned(),
            2,
            "malformed fingerprint `sfp1:12`; write `sfp1:` and 32 digits of 0-9a-f, as the failing test prints it",
        ),
        (head.clone(), 1, "has no `why`; write `why = \"…\"` with the reason why it is accepted"),
        (
            format!("{head}id = \"DAG-005-BUG-001\"\nwhy = \" \\t\""),
            4,
            "`DAG-005-BUG-001` has no `why`; write `why = \"…\"` with the reason why it is accepted",
        ),
        (
            format!("{head}why = \"w\"\nid = \"BUG-001\""),
            4,
            "`BUG-001` is no finding id; write it like `DAG-005-BUG-001`",
        ),
        (
            format!("{head}why = \"w\"\nstatus = \"confirmd\""),
            4,
            "unknown status `confirmd`; did you mean `confirmed`; expected one of open, confirmed, in_progress, \
             resolved, wont_fix, duplicate",
        ),
        (
            format!("{head}why = \"w\"\n{head}why = \"w\""),
            4,
            "is already known from line 1; remove one of the two",
        ),
        (
            format!(
                "{head}id = \"A-001-SIL-001\"\nwhy = \"w\"\n[[known]]\nfingerprint = \"{B}\"\n\
                 id = \"A-001-SILENT-001\"\nwhy = \"w\""
            ),
            5,
            "id `A-001-SILENT-001` is already given in line 1; give this finding another number",
        ),
        (
            format!("{head}why = \"w\"\nstatus = \"duplicate\""),
            1,
            "a duplicate without `duplicate_of`; write the id or the fingerprint of the other finding",
        ),
        (
            format!("{head}why = \"w\"\nduplicate_of = \"{B}\""),
            4,
            "`duplicate_of` with status `open`; write `status = \"duplicate\"` or remove `duplicate_of`",
        ),
        (
            format!("{head}why = \"w\"\nstatus = \"duplicate\"\nduplicate_of = \"{A}\""),
            1,
            "leads back to this finding; name the finding that stays",
        ),
    ];
    for (text, line, message) in cases {
        let (got_line, got) = refuse(&text);
        assert!(got.ends_with(message), "{text}\n  got: {got}\nwant: {message}");
        assert_eq!(got_line, line, "{text}: {got}");
    }
}

#[test]
fn duplicates_may_not_run_in_a_circle() {
    let text = format!(
        "[[known]]\nfingerprint = \"{A}\"\nid = \"DAG-005-BUG-001\"\nwhy = \"w\"\nstatus = \"duplicate\"\n\
         duplicate_of = \"{B}\"\n[[known]]\nfingerprint = \"{B}\"\nwhy = \"w\"\nstatus = \"duplicate\"\n\
         duplicate_of = \"DAG-005-BUG-001\"\n"
    );
    assert_eq!(refuse(&text).0, 1);
    let straight = text.replace("duplicate_of = \"DAG-005-BUG-001\"", "duplicate_of = \"DAG-005-BUG-002\"");
    assert_eq!(KnownFindings::parse("f", &straight).unwrap().iter().count(), 2);
}

#[test]
fn the_pasted_block_needs_only_its_reason() {
    let hostile = "a \"quoted\" \\ title\nover ''' lines \u{1b} # é";
    let block = paste_block(A, "DAG-005-BUG-001", hostile, Severity::High);
    let (line, message) = refuse(&block);
    assert!(message.contains("has no `why`"), "{message}");
    assert_eq!(line, 6);
    let filled = block.replace("why = \"\"", "why = \"known upstream\"");
    let known = KnownFindings::parse("f", &filled).unwrap();
    assert!(known.accepts(A));
    assert_eq!(
        known.get(A).unwrap().title.as_deref(),
        Some("a \"quoted\" \\ title over ''' lines \u{1b} # é")
    );
    let without_id = paste_block(A, "", "t", Severity::High).replace("why = \"\"", "why = \"w\"");
    assert_eq!(KnownFindings::parse("f", &without_id).unwrap().get(A).unwrap().id, None);
    // Two blocks after each other are two findings.
    let second = paste_block(B, "DAG-005-BUG-002", "x", Severity::Low).replace("why = \"\"", "why = \"w\"");
    assert_eq!(KnownFindings::parse("f", &format!("{filled}{second}")).unwrap().iter().count(), 2);
}
