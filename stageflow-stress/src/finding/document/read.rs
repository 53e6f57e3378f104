//! Reading findings.json: wide. Whatever was written by this library, by its predecessors or by hand is kept.

use std::fmt;

use serde_json::Value;

use super::raw::{RawObject, heal, read};
use crate::classify::Severity;
use crate::finding::model::{FindingStatus, FindingType};

/// A findings.json that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is no JSON.
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It has no list of findings.
    #[error("no list `findings`; a findings document is an object with `metadata` and `findings`")]
    NoFindings,
    /// One of its findings is no object.
    #[error("finding {0} is no object; remove it or write it as an object")]
    NoObject(usize),
}

/// A value of a closed set, or the text that stood in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<T> {
    /// A value of the set.
    Known(T),
    /// Any other text, as it was written.
    Other(String),
}

impl<T: Copy> Word<T> {
    /// The value, if it is one of the set.
    pub fn known(&self) -> Option<T> {
        match self {
            Word::Known(value) => Some(*value),
            Word::Other(_) => None,
        }
    }
}

impl<T: std::str::FromStr> From<String> for Word<T> {
    fn from(text: String) -> Self {
        text.parse().map_or(Word::Other(text), Word::Known)
    }
}

impl<T: fmt::Display> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Known(value) => value.fmt(f),
            Word::Other(text) => f.pad(text),
        }
    }
}

/// A findings document as it was read.
#[derive(Debug, Clone)]
pub struct Document {
    /// Who made it, when, and for which entry.
    pub metadata: DocumentMetadata,
    /// Its findings, in their order.
    pub findings: Vec<DocumentFinding>,
    fields: RawObject,
}

/// Metadata of a document. What is not there is absent; what is not understood is text.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DocumentMetadata {
    /// The roadmap entry.
    pub roadmap_entry_id: Option<String>,
    /// Its title.
    pub roadmap_entry_title: Option<String>,
    /// Identity of the run across machines.
    pub agent_run_id: Option<String>,
    /// When the run started, as written.
    pub started_at: Option<String>,
    /// When it completed, as written.
    pub completed_at: Option<String>,
    /// Its status, as written.
    pub status: Option<String>,
    /// Version of what was tested.
    pub stageflow_version: Option<String>,
    /// Model of the agent.
    pub agent_model: Option<String>,
    /// The number of findings that it claims.
    pub total_findings: Option<u64>,
    /// Summary of the run.
    pub summary: Option<String>,
    /// Name of the run's folder, where this library wrote the document.
    pub run_id: Option<String>,
    /// Whether the run had ended, where this library wrote the document.
    pub completed: Option<bool>,
    fields: RawObject,
}

/// A finding of a document.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DocumentFinding {
    /// Its id, as written.
    pub id: String,
    /// Its type: the exact one where this library wrote the document.
    pub kind: Word<FindingType>,
    /// Its severity: the exact one where this library wrote the document.
    pub severity: Word<Severity>,
    /// Its status.
    pub status: Word<FindingStatus>,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// The component of the system under test.
    pub component: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was found, as written.
    pub created_at: Option<String>,
    /// When it was last changed, as written.
    pub updated_at: Option<String>,
    /// Its fingerprint, where this library wrote the document.
    pub fingerprint: Option<String>,
    /// How often the run saw it; 1 where nobody counted.
    pub occurrences: u64,
    fields: RawObject,
    extension: RawObject,
}

impl Document {
    /// Reads a document. Unknown fields are kept, unknown words are text, `null` is absent, and texts that are no valid
    /// Unicode are healed in a copy only.
    ///
    /// # Errors
    ///
    /// A document that is no JSON object or has no list of findings.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        // Only keys are decoded here; a second attempt is needed for a key that is no valid Unicode.
        let fields: RawObject = match serde_json::from_str(&text) {
            Ok(fields) => fields,
            Err(_) => serde_json::from_str(&heal(&text))?,
        };
        let list = fields.get("findings").ok_or(DocumentError::NoFindings)?;
        let list: Vec<Box<serde_json::value::RawValue>> =
            serde_json::from_str(list.get()).map_err(|_| DocumentError::NoFindings)?;
        let findings = list
            .iter()
            .enumerate()
            .map(|(i, raw)| read(raw).map(DocumentFinding::new).ok_or(DocumentError::NoObject(i)))
            .collect::<Result<_, _>>()?;
        let metadata = DocumentMetadata::new(fields.read("metadata").unwrap_or_default());
        Ok(Document { metadata, findings, fields })
    }

    /// The document with every field as it was read, in its order.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.fields).unwrap_or_default()
    }

    /// The same with an empty list of findings.
    pub(crate) fn without_findings(&self) -> String {
        let mut fields = self.fields.clone();
        for (name, value) in &mut fields.0 {
            if name == "findings" {
                *value = serde_json::value::RawValue::from_string("[]".to_owned()).unwrap_or_default();
            }
        }
        serde_json::to_string(&fields).unwrap_or_default()
    }
}

impl DocumentMetadata {
    fn new(fields: RawObject) -> Self {
        let extension: RawObject = fields.read("x_stageflow").unwrap_or_default();
        DocumentMetadata {
            roadmap_entry_id: fields.text("roadmap_entry_id"),
            roadmap_entry_title: fields.text("roadmap_entry_title"),
            agent_run_id: fields.text("agent_run_id"),
            started_at: fields.text("started_at"),
            completed_at: fields.text("completed_at"),
            status: fields.text("status"),
            stageflow_version: fields.text("stageflow_version"),
            agent_model: fields.text("agent_model"),
            total_findings: fields.read("total_findings"),
            summary: fields.text("summary"),
            run_id: extension.text("run_id"),
            completed: extension.read("completed"),
            fields,
        }
    }

    /// Any field of the metadata, read from a healed copy.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Value> {
        self.fields.read(name)
    }
}

impl DocumentFinding {
    pub(super) fn new(fields: RawObject) -> Self {
        let extension: RawObject = fields.read("x_stageflow").unwrap_or_default();
        let word = |name: &str| extension.text(name).or_else(|| fields.text(name)).unwrap_or_default();
        DocumentFinding {
            id: fields.text("id").unwrap_or_default(),
            kind: word("type").into(),
            severity: word("severity").into(),
            status: fields.text("status").unwrap_or_default().into(),
            title: fields.text("title").unwrap_or_default(),
            description: fields.text("description").unwrap_or_default(),
            component: fields.text("component"),
            tags: fields.read("tags").unwrap_or_default(),
            created_at: fields.text("created_at"),
            updated_at: fields.text("updated_at"),
            fingerprint: extension.text("fingerprint"),
            occurrences: extension.read("occurrences").unwrap_or(1),
            fields,
            extension,
        }
    }

    /// Any field of the finding, such as `reproduction` or one that this library does not know, read from a healed copy.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Value> {
        self.fields.read(name)
    }

    /// The whole finding, read from a healed copy. What cannot be read even so is left out.
    #[must_use]
    pub fn to_object(&self) -> serde_json::Map<String, Value> {
        self.fields
            .0
            .iter()
            .filter_map(|(name, _)| Some((name.clone(), self.fields.read_any(name)?)))
            .collect()
    }

    /// The finding with every field as it was read, in its order.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.fields).unwrap_or_default()
    }

    /// Whether it was imported from the document of another tool, whose word on its status stands until the committed file
    /// says something else.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.extension.get("foreign").is_some()
    }

    /// Any field that this library added under `x_stageflow`, such as `evidence`.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<Value> {
        self.extension.read(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("example_upstream.json");

    #[test]
    fn the_example_of_the_schema_is_read_and_written_back_equal() {
        let document = Document::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(document.metadata.roadmap_entry_id.as_deref(), Some("FIN-001"));
        assert_eq!(document.metadata.total_findings, Some(3));
        assert_eq!(document.findings.len(), 3);
        let bug = &document.findings[0];
        assert_eq!((bug.id.as_str(), bug.kind.known()), ("FIN-001-BUG-001", Some(FindingType::Bug)));
        assert_eq!(bug.severity.known(), Some(Severity::Critical));
        assert_eq!(bug.tags.len(), 4);
        assert_eq!(bug.field("resolution"), None, "null is absent");
        assert_eq!(bug.field("reproduction").unwrap()["environment"]["python_version"], "3.11");
        assert_eq!((bug.fingerprint.clone(), bug.occurrences), (None, 1));

        let written: Value = serde_json::from_slice(&document.to_json()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(EXAMPLE).unwrap(), "`resolution: null` included");
    }

    #[test]
    fn what_is_unknown_is_kept_as_text() {
        let text = r#"{"findings":[{"id":7,"type":"feature","severity":"High","status":null,"tags":null,
            "title":"\ud83d broken","zzz":{"a":[1,"\udc00"]}}],"generated_at":"x"}"#;
        let document = Document::parse(text.as_bytes()).unwrap();
        let finding = &document.findings[0];
        assert_eq!(finding.id, "7");
        assert_eq!(finding.kind, Word::Other("feature".to_owned()));
        assert_eq!(finding.severity, Word::Known(Severity::High));
        assert_eq!(finding.status, Word::Other(String::new()));
        assert_eq!(finding.title, "\u{fffd} broken");
        assert_eq!(finding.field("zzz").unwrap()["a"][1], "\u{fffd}");
        assert_eq!(document.metadata.status, None);
        let written = String::from_utf8(document.to_json()).unwrap();
        assert!(
            written.contains(r#""\ud83d broken""#) && written.contains(r#""\udc00""#),
            "healed in a copy only"
        );
    }

    #[test]
    fn broken_keys_and_bytes_are_healed() {
        let document =
            Document::parse(b"\xef\xbb\xbf{\"\\ud83d\":1,\"findings\":[{\"title\":\"a\xffb\"}]}").unwrap();
        assert_eq!(document.findings[0].title, "a\u{fffd}b");
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for (text, message) in [
            ("{\"findings\":[", "not valid JSON: "),
            ("", "not valid JSON: "),
            ("[]", "not valid JSON: "),
            ("{}", "no list `findings`"),
            ("{\"findings\":{}}", "no list `findings`"),
            ("{\"findings\":[{},3]}", "finding 1 is no object"),
        ] {
            let error = Document::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
