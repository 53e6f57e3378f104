use super::*;
use crate::finding::{FindingStatus, ResolutionType};

const A: &str = "sfp1:00000000000000000000000000000001";
const B: &str = "sfp1:00000000000000000000000000000002";

fn subject(fingerprint: &str, id: &str) -> Subject {
    let mut subject = Subject::new(fingerprint);
    subject.id = Some(id.to_owned());
    subject.title = Some("lost \"outputs\" \\ over\nlines, é😀".to_owned());
    subject
}

fn resolve() -> Change {
    let how = Resolution::new(ResolutionType::Fixed)
        .commit("abc")
        .details("'''quotes''' and \"\"\"more\"\"\"\n\u{1b}");
    Change::resolve(how.verify("run\tit").verify("look")).by("Ada")
}

#[test]
fn comments_order_and_spelling_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stageflow-known.toml");
    let before = format!(
        "# What we know.\n\n[[known]] # the first\nwhy = 'because' # high: say why\nfingerprint = \"{A}\"\n\
         id     = \"DAG-005-BUG-001\"\n# a remark\nstatus = \"confirmed\"   # for now\n\n\n[[known]]\n\
         fingerprint = '{B}' # second\nwhy = \"w\"\n# the end\n"
    );
    fs::write(&path, &before).unwrap();
    let mut file = KnownFile::open(&path).unwrap();
    file.change(&Subject::new(A), &resolve().at("2026-01-15T10:00:00Z")).unwrap().unwrap();
    assert!(file.save().unwrap());
    let after = fs::read_to_string(&path).unwrap();
    for kept in [
        "# What we know.\n\n[[known]] # the first\nwhy = ",
        " # high: say why\nfingerprint = ",
        "\nid     = \"DAG-005-BUG-001\"\n# a remark\nstatus = \"resolved\"   # for now\n",
        &format!("\n\n[[known]]\nfingerprint = '{B}' # second\nwhy = \"w\"\n# the end\n"),
    ] {
        assert!(after.contains(kept), "{kept:?} is not in\n{after}");
    }
    let known = KnownFindings::load(&path).unwrap();
    assert_eq!(known.get(A).unwrap().resolution.as_ref().unwrap().verification_steps, ["run\tit", "look"]);
    assert_eq!(known.get(B).unwrap().status, FindingStatus::Open);

    // And back: the second table is still as it was, whatever happens to the first.
    let mut file = KnownFile::open(&path).unwrap();
    file.change(&Subject::new(A), &Change::reopen("came back").by("Bo")).unwrap().unwrap();
    file.change(&Subject::new(A), &resolve()).unwrap().unwrap();
    file.change(&Subject::new(B), &Change::start("on it").by("Bo")).unwrap().unwrap();
    file.save().unwrap();
    let known = KnownFindings::load(&path).unwrap();
    assert_eq!((known.get(A).unwrap().revision(), known.get(B).unwrap().revision()), (3, 1));
    assert_eq!(
        known.get(A).unwrap().history[1].resolution.as_ref().unwrap().commit_hash.as_deref(),
        Some("abc")
    );
    assert!(fs::read_to_string(&path).unwrap().ends_with("# the end\n"));
}

#[test]
fn a_new_file_is_made_and_unchanged_ones_are_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stageflow-known.toml");
    let mut file = KnownFile::open(&path).unwrap();
    file.change(&subject(A, "DAG-005-BUG-001"), &Change::confirm("seen").by("Ada")).unwrap();
    file.change(&subject(B, "DAG-005-BUG-002"), &Change::duplicate("DAG-005-BUG-001").by("Ada")).unwrap();
    file.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("[[known]]\nfingerprint = "), "{text}");
    let known = KnownFindings::load(&path).unwrap();
    assert_eq!(known.get(B).unwrap().duplicate_of.as_deref(), Some("DAG-005-BUG-001"));
    assert_eq!(known.get(A).unwrap().title.as_deref(), Some("lost \"outputs\" \\ over\nlines, é😀"));

    let mut file = KnownFile::open(&path).unwrap();
    assert_eq!(file.change(&Subject::new(A), &Change::confirm("again").by("Ada")).unwrap(), None);
    assert!(!file.save().unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let mut file = KnownFile::open(&path).unwrap();
    assert!(!file.remove("sfp1:00000000000000000000000000000009").unwrap());
    assert!(file.remove(B).unwrap() && file.remove(A).unwrap());
    file.save().unwrap();
    assert_eq!(KnownFindings::load(&path).unwrap().iter().count(), 0);
}

#[test]
fn what_cannot_be_expressed_or_was_changed_meanwhile_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stageflow-known.toml");
    let inline = format!("known = [{{ fingerprint = \"{A}\", why = \"w\" }}]\n");
    fs::write(&path, &inline).unwrap();
    let mut file = KnownFile::open(&path).unwrap();
    let error = file.change(&Subject::new(A), &resolve()).unwrap_err();
    assert!(matches!(error, KnownFileError::Form(_)), "{error}");
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), inline);

    fs::write(&path, format!("[[known]]\r\nfingerprint = \"{A}\"\r\nwhy = \"w\"\r\n")).unwrap();
    let mut file = KnownFile::open(&path).unwrap();
    file.change(&Subject::new(A), &resolve()).unwrap();
    file.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");

    let mut file = KnownFile::open(&path).unwrap();
    file.change(&Subject::new(A), &Change::reopen("r").by("Ada")).unwrap();
    fs::write(&path, "# an editor was faster\n").unwrap();
    assert!(matches!(file.save().unwrap_err(), KnownFileError::Changed(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "# an editor was faster\n");
}

#[test]
fn many_writers_lose_no_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stageflow-known.toml");
    std::thread::scope(|scope| {
        for writer in 0..8_u32 {
            let path = &path;
            scope.spawn(move || {
                for n in 0..8_u32 {
                    let print = format!("sfp1:{:032x}", writer * 100 + n);
                    let mut file = KnownFile::open(path).unwrap();
                    file.change(&Subject::new(print), &Change::confirm("seen").by("Ada")).unwrap();
                    file.save().unwrap();
                }
            });
        }
    });
    assert_eq!(KnownFindings::load(&path).unwrap().iter().count(), 64);
}
