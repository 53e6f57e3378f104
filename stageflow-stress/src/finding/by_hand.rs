//! Findings that were written by hand or by another tool: they have no fingerprint, so their own document is the one truth
//! about their status, and changes are written into it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::document::{Document, DocumentError, DocumentFinding, with_fields};
use super::known::{KnownError, KnownFindings};
use super::lifecycle::{Change, LifecycleError, Resolution, Subject};
use super::model::FindingStatus;
use crate::run::{locked, write_atomically};

/// Why a document was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ByHandError {
    /// The change is not allowed.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The document is none.
    #[error("{}: {source}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The statuses of the document contradict each other.
    #[error("the statuses of the document cannot be: {0}")]
    Statuses(#[from] KnownError),
    /// It has no such finding, or several.
    #[error("{}: {n} findings have the id `{id}`; give each finding one of its own", path.display())]
    Id {
        /// The file.
        path: PathBuf,
        /// The id.
        id: String,
        /// How many have it.
        n: usize,
    },
    /// It cannot be read, locked or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Changes the status of a finding in the findings.json at a path, under the same rules as in the committed file. Every
/// other byte of the document stays. The new status, or none if it was so already.
///
/// # Errors
/// A change that is not allowed, or a document that cannot be changed.
pub fn change_by_hand(path: &Path, id: &str, change: &Change) -> Result<Option<FindingStatus>, ByHandError> {
    let failed = |source| ByHandError::Io { path: path.to_owned(), source };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut result = None;
    locked(&path.with_file_name(format!(".{name}.lock")), || {
        result = Some((|| {
            let bytes = fs::read(path).map_err(failed)?;
            let Some((text, status)) = changed(path, &bytes, id, change)? else { return Ok(None) };
            write_atomically(path, &text).map_err(failed)?;
            Ok(Some(status))
        })());
        Ok(())
    })
    .map_err(failed)?;
    result.unwrap_or_else(|| Err(failed(io::Error::other("the lock was not taken"))))
}

fn changed(
    path: &Path,
    bytes: &[u8],
    id: &str,
    change: &Change,
) -> Result<Option<(Vec<u8>, FindingStatus)>, ByHandError> {
    let wrong = |source| ByHandError::Document { path: path.to_owned(), source };
    let document = Document::parse(bytes).map_err(wrong)?;
    let same: Vec<usize> =
        (0..document.findings.len()).filter(|position| document.findings[*position].id == id).collect();
    let [position] = same[..] else {
        return Err(ByHandError::Id { path: path.to_owned(), id: id.to_owned(), n: same.len() });
    };
    let finding = &document.findings[position];
    // The rules are those of the committed file, so the document is told as one: a stand-in fingerprint for each finding.
    let known = KnownFindings::parse(path, &as_known(&document, position))?;
    let mut change = change.clone();
    if let Some(target) = &change.duplicate_of {
        let target = document.findings.iter().position(|other| other.id == *target);
        change.duplicate_of = target.map(stand_in).or(change.duplicate_of);
    }
    let mut subject = Subject::new(stand_in(position));
    subject.id = Some(id.to_owned());
    subject.created_at.clone_from(&finding.created_at);
    let Some(next) = change.apply(&known, &subject)? else { return Ok(None) };
    let next = next.finding;
    let Some(step) = next.history.last() else { return Ok(None) };

    let mut extension =
        finding.field("x_stageflow").and_then(|own| own.as_object().cloned()).unwrap_or_default();
    let mut history = extension.get("history").and_then(|list| list.as_array().cloned()).unwrap_or_default();
    history.push(serde_json::to_value(step).unwrap_or_default());
    extension.insert("history".to_owned(), json!(history));
    let target = next.duplicate_of.as_deref().and_then(|target| {
        (0..document.findings.len())
            .find(|other| stand_in(*other) == target)
            .map(|other| document.findings[other].id.clone())
    });
    let mut related: Vec<Value> =
        finding.field("related_findings").and_then(|list| list.as_array().cloned()).unwrap_or_default();
    match &target {
        Some(target) => {
            extension.insert("duplicate_of".to_owned(), json!(target));
            related.retain(|other| other != target);
            related.insert(0, json!(target));
        }
        None => drop(extension.remove("duplicate_of")),
    }
    let resolution = next.resolution.as_ref().map(resolution_of);
    let resolved_at = (next.status == FindingStatus::Resolved).then(|| json!(step.at));
    let changes = [
        ("status", Some(json!(next.status.as_str()))),
        ("updated_at", Some(json!(step.at))),
        ("resolved_at", resolved_at),
        ("resolution", resolution.map(Value::Object)),
        ("related_findings", target.map(|_| json!(related)).or_else(|| finding.field("related_findings"))),
        ("x_stageflow", Some(Value::Object(extension))),
    ];
    let text = with_fields(bytes, position, &changes).map_err(wrong)?;
    Ok(Some((text, next.status)))
}

/// The resolution in the fields of the schema, of which `resolved_at` is none.
fn resolution_of(resolution: &Resolution) -> Map<String, Value> {
    let mut fields = serde_json::to_value(resolution)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .unwrap_or_default();
    fields.remove("resolved_at");
    fields
}

/// A fingerprint that stands in for the one that a finding of this document lacks.
fn stand_in(position: usize) -> String {
    format!("sfp1:{position:032x}")
}

fn as_known(document: &Document, subject: usize) -> String {
    let mut text = String::new();
    for (position, finding) in document.findings.iter().enumerate() {
        let status = if position == subject { status_of(finding) } else { FindingStatus::Confirmed };
        // A duplicate may do what a finding that stays may, and of what it is one does not matter here.
        let status = if status == FindingStatus::Duplicate { FindingStatus::WontFix } else { status };
        text.push_str(&format!(
            "[[known]]\nfingerprint = \"{}\"\nstatus = \"{status}\"\nwhy = \"as its document states\"\n",
            stand_in(position),
        ));
        if position == subject {
            text.push_str(&resolution_as_known(finding, status).unwrap_or_default());
        }
    }
    text
}

/// The resolution that the document states, if it is one of this status.
fn resolution_as_known(finding: &DocumentFinding, status: FindingStatus) -> Option<String> {
    let mut stated = finding.field("resolution")?;
    stated.as_object_mut()?.remove("resolved_at");
    if let Some(at) = finding.field("resolved_at") {
        stated["resolved_at"] = at;
    }
    let resolution: Resolution = serde_json::from_value(stated).ok()?;
    if resolution.resolution_type.status() != status {
        return None;
    }
    let fields = serde_json::to_value(&resolution).ok()?;
    // Strings and lists of strings are written alike in JSON and TOML.
    let lines = fields.as_object()?.iter().map(|(name, value)| format!("{name} = {value}\n"));
    Some(format!("[known.resolution]\n{}", lines.collect::<String>()))
}

/// A status that nobody knows is open.
fn status_of(finding: &DocumentFinding) -> FindingStatus {
    finding.status.known().unwrap_or(FindingStatus::Open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::ResolutionType;

    const EXAMPLE: &str = include_str!("document/example_upstream.json");

    fn written() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("findings.json");
        fs::write(&path, EXAMPLE).unwrap();
        (dir, path)
    }

    fn fixed() -> Change {
        Change::resolve(Resolution::new(ResolutionType::Fixed).commit("abc123").details("CAS in OutputBag"))
            .by("Ada")
    }

    #[test]
    fn a_finding_is_resolved_and_reopened_and_nothing_else_changes() {
        let (_dir, path) = written();
        let id = "FIN-001-BUG-001";
        assert_eq!(change_by_hand(&path, id, &fixed()).unwrap(), Some(FindingStatus::Resolved));
        let text = fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let bug = &value["findings"][0];
        assert_eq!(
            (&bug["status"], &bug["resolution"]["commit_hash"]),
            (&json!("resolved"), &json!("abc123"))
        );
        assert_eq!(bug["resolution"]["resolved_by"], "Ada");
        assert_eq!(bug["x_stageflow"]["history"][0]["from"], "open");
        assert!(crate::schema::Schema::FindingsUpstream.violations(&value).is_empty());
        // The other findings stand as they stood.
        let from = |text: &str| text[text.find("\"FIN-001-PERF-001\"").unwrap()..].to_owned();
        assert_eq!(from(&text), from(EXAMPLE));
        // Again changes nothing; another status needs a reopening; reopened it is as it was, with its history.
        assert_eq!(change_by_hand(&path, id, &fixed()).unwrap(), None);
        let refused = change_by_hand(&path, id, &Change::confirm("x").by("Ada")).unwrap_err();
        assert!(matches!(refused, ByHandError::Lifecycle(LifecycleError::NotAllowed { .. })), "{refused}");
        assert_eq!(
            change_by_hand(&path, id, &Change::reopen("it is back").by("Ada")).unwrap(),
            Some(FindingStatus::Open)
        );
        let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(value["findings"][0].get("resolution").is_none());
        assert_eq!(value["findings"][0]["x_stageflow"]["history"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_duplicate_names_the_finding_that_stays() {
        let (_dir, path) = written();
        let change = Change::duplicate("FIN-001-BUG-001").by("Ada").because("the same race");
        assert_eq!(change_by_hand(&path, "FIN-001-DX-001", &change).unwrap(), Some(FindingStatus::Duplicate));
        let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let dx = &value["findings"][2];
        assert_eq!(
            (&dx["related_findings"][0], &dx["x_stageflow"]["duplicate_of"]),
            (&json!("FIN-001-BUG-001"), &json!("FIN-001-BUG-001"))
        );
        let itself = Change::duplicate("FIN-001-BUG-001").by("Ada").because("x");
        assert!(change_by_hand(&path, "FIN-001-BUG-001", &itself).is_err());
    }

    #[test]
    fn an_id_that_is_not_there_is_refused() {
        let (_dir, path) = written();
        assert!(matches!(
            change_by_hand(&path, "FIN-001-BUG-009", &fixed()),
            Err(ByHandError::Id { n: 0, .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), EXAMPLE);
    }
}
