//! Findings documents of other tools as journals, so that they are never lost when files are computed anew.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(feature = "cli")]
use super::claim::{Origin, claim_import};
use super::files::write_whole;
#[cfg(feature = "cli")]
use super::state::EntryInfo;
use super::write::{FoldError, write_folder};
use crate::finding::time::is_rfc3339;
use crate::finding::{Document, DocumentError, DocumentMetadata};
use crate::journal;
#[cfg(feature = "cli")]
use crate::journal::record::{ContextFact, Fact};
use crate::journal::record::{Envelope, ImportedDocument, ImportedRecord, ProcessInfo, Record};
#[cfg(feature = "cli")]
use crate::settings::Settings;

/// Why a document was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no findings document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The files of the run cannot be computed.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// Takes the findings of a document into a run, and returns how many there were. Every field is kept: what this library has
/// no place for stands under `x_stageflow.foreign`. A finding keeps its id if it is free; otherwise the id is an alias.
/// Importing the same document again changes nothing.
///
/// ```no_run
/// let bytes = std::fs::read("other/findings.json")?;
/// let count = stageflow_stress::run::import("runs/FIN-001/run-2026-01-14-001", &bytes, "other/findings.json")?;
/// println!("{count} findings imported");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// What is no findings document, and a folder that is no run folder or cannot be written.
pub fn import(dir: impl AsRef<Path>, document: &[u8], source: &str) -> Result<usize, ImportError> {
    let dir = dir.as_ref();
    let read = Document::parse(document)?;
    write(dir, &read, source)?;
    Ok(read.findings.len())
}

/// Records a document and computes the folder anew. Whether anything of it was new.
fn write(dir: &Path, document: &Document, source: &str) -> Result<bool, ImportError> {
    let failed = |error| ImportError::Io { path: dir.to_owned(), source: error };
    // Where findings.json was there before this library, it is taken over first.
    let findings: Vec<String> = document.findings.iter().map(|finding| finding.to_json()).collect();
    let about = ImportedDocument { source: source.to_owned(), json: document.without_findings() };
    let new = record(dir, &findings, Some((about, said_at(document))), source).map_err(failed)?;
    write_folder(dir)?;
    Ok(new)
}

/// When a document was made, as it says.
fn said_at(document: &Document) -> Option<String> {
    let DocumentMetadata { completed_at, started_at, .. } = &document.metadata;
    completed_at.clone().or_else(|| started_at.clone()).filter(|at| is_rfc3339(at))
}

/// A document that has become a run of its own.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct ImportedRun {
    /// Its folder.
    pub dir: PathBuf,
    /// Whether anything of it was new.
    pub new: bool,
}

/// Takes a document over as a run of its own, and into the run that it has become before, if it has.
#[cfg(feature = "cli")]
pub(crate) fn import_as_run(
    settings: &Settings,
    entry: &EntryInfo,
    document: &Document,
    file: &Path,
) -> Result<ImportedRun, ImportError> {
    // The name alone: the same document is the same import on every machine.
    let source = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let metadata = &document.metadata;
    let digest = hmac_sha256::Hash::hash(&document.to_json());
    let identity = metadata.agent_run_id.as_deref().and_then(|id| id.parse::<uuid::Uuid>().ok());
    let uuid = identity.unwrap_or_else(|| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    });
    let fact = |fact, value: &Option<String>| value.clone().map(|value| ContextFact { fact, value });
    let mut facts: Vec<ContextFact> = [
        fact(Fact::AgentModel, &metadata.agent_model),
        fact(Fact::StageflowVersion, &metadata.stageflow_version),
    ]
    .into_iter()
    .flatten()
    .collect();
    for fact in super::foreign_config::beside(file) {
        // What the document says itself goes before.
        let said = matches!(fact.fact, Fact::AgentModel | Fact::StageflowVersion)
            && facts.iter().any(|known| known.fact == fact.fact);
        if !said {
            facts.push(fact);
        }
    }
    let origin = Origin {
        uuid: uuid.to_string(),
        started_at: metadata.started_at.clone().filter(|at| is_rfc3339(at)),
        facts,
    };
    let dir = claim_import(settings, entry, origin)
        .map_err(|source| ImportError::Io { path: settings.runs.clone(), source })?;
    let new = write(&dir, document, &source)?;
    Ok(ImportedRun { dir, new })
}

/// Where a fold notes what it wrote, so that it knows a document that somebody else wrote.
const WRITTEN: &str = ".stageflow/findings.crc";

/// Takes over what somebody else wrote into the folder's findings.json, before it is written anew.
pub(super) fn take_over(dir: &Path) -> io::Result<()> {
    let Ok(bytes) = fs::read(dir.join("findings.json")) else { return Ok(()) };
    let noted = fs::read_to_string(dir.join(WRITTEN)).unwrap_or_default();
    if noted.trim() == format!("{:08x}", crc32fast::hash(&bytes)) {
        return Ok(());
    }
    // What is no document has nothing to take over.
    let Ok(document) = Document::parse(&bytes) else { return Ok(()) };
    let foreign: Vec<String> = document
        .findings
        .iter()
        .filter(|finding| finding.fingerprint.is_none())
        .map(|finding| finding.to_json())
        .collect();
    if !foreign.is_empty() {
        record(dir, &foreign, None, "findings.json of this folder")?;
    }
    Ok(())
}

/// Notes what was written.
pub(super) fn note_written(dir: &Path, document: &[u8]) -> io::Result<()> {
    write_whole(&dir.join(WRITTEN), format!("{:08x}\n", crc32fast::hash(document)).as_bytes())
}

/// Writes a journal of imported findings, unless it is there. Its name is that of its content, and it says nothing of who
/// imported them and when: the same document makes the same journal on every machine, and merging finds one.
fn record(
    dir: &Path,
    findings: &[String],
    about: Option<(ImportedDocument, Option<String>)>,
    source: &str,
) -> io::Result<bool> {
    let (about, at) = about.map_or((None, None), |(about, at)| (Some(about), at));
    let parts = about.iter().map(|about| about.json.as_str()).chain(findings.iter().map(String::as_str));
    let digest = hmac_sha256::Hash::hash(parts.collect::<Vec<_>>().join("\n").as_bytes());
    let id: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = dir.join(format!(".stageflow/journal/import-{id}.jsonl"));
    if path.exists() {
        return Ok(false);
    }
    let ts = at.unwrap_or_else(|| journal::timestamp(SystemTime::now()));
    let process = ProcessInfo {
        journal: id,
        host: String::new(),
        pid: 0,
        start_ticks: 0,
        boot: String::new(),
        up: None,
        sdk: env!("CARGO_PKG_VERSION").to_owned(),
        command: Vec::new(),
        runner: "import".to_owned(),
    };
    let records = findings.iter().zip(0..).map(|(json, position)| {
        let record = ImportedRecord { source: source.to_owned(), position, json: json.clone() };
        Record::Imported(Box::new(record))
    });
    let mut text = String::new();
    let first = [Some(Record::Open(Box::new(process))), about.map(Record::ImportedDocument)];
    let first = first.into_iter().flatten();
    for (record, seq) in first.chain(records).zip(0..) {
        let envelope = Envelope { v: journal::FORMAT, seq, t: seq, ts: ts.clone(), test: None, r: record };
        text.push_str(&journal::encode(&envelope).map_err(io::Error::from)?);
    }
    fs::create_dir_all(dir.join(".stageflow/journal"))?;
    // Whole or not at all: a journal of half a document would be taken for all of it.
    let temporary = path.with_extension("part");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::schema::Schema;

    fn folder(root: &Path) -> PathBuf {
        let dir = root.join("DAG-005/run-2026-01-14-001");
        fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
        let info = crate::report::fixture_run().info;
        fs::write(dir.join(".stageflow/run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
        dir
    }

    const FOREIGN: &str = r#"{"metadata":{},"findings":[
        {"id":"DAG-005-BUG-007","type":"bug","severity":"critical","title":"keys are lost","description":"one way","status":"resolved",
         "created_at":"2026-01-14T11:23:00Z","reproduction":{"steps":["a","b"],"frequency":"often"},"resolution":{"resolution_type":"fixed","commit_hash":"abc"},
         "resolved_at":"2026-01-15T00:00:00Z","zzz":[1.50,"\ud83d"],"impact":{"data_risk":"critical","business_impact":"i"}},
        {"id":"DAG-005-BUG-007","type":"feature","severity":"High","title":"keys are lost","description":"another way","status":"new","created_at":"once"}]}"#;

    #[test]
    fn a_document_of_another_tool_survives_every_rebuild() {
        let directory = tempfile::tempdir().unwrap();
        let dir = folder(directory.path());
        fs::write(dir.join("findings.json"), FOREIGN).unwrap();
        let mut before = Vec::new();
        for round in 0..3 {
            crate::run::recover(&dir).unwrap();
            let bytes = fs::read(dir.join("findings.json")).unwrap();
            assert!(round == 0 || bytes == before, "a rebuild changes nothing");
            before = bytes;
        }
        let document: Value = serde_json::from_slice(&before).unwrap();
        assert_eq!(Schema::FindingsUpstream.violations(&document), []);
        let findings = document["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 2, "the same title, another text: two findings");
        let first = findings.iter().find(|finding| finding["description"] == "one way").unwrap();
        assert_eq!(first["id"], "DAG-005-BUG-007", "it keeps its id");
        assert_eq!(
            (&first["severity"], &first["created_at"]),
            (&json!("critical"), &json!("2026-01-14T11:23:00Z"))
        );
        assert_eq!(first["reproduction"]["steps"], json!(["a", "b"]));
        assert_eq!(
            (&first["status"], &first["resolution"]["commit_hash"]),
            (&json!("resolved"), &json!("abc"))
        );
        assert_eq!(first["x_stageflow"]["foreign"]["zzz"], json!([1.5, "\u{fffd}"]));
        let second = findings.iter().find(|finding| finding["description"] == "another way").unwrap();
        assert_eq!(second["x_stageflow"]["type"], "feature_request");
        assert_eq!(second["x_stageflow"]["foreign"]["id"], "DAG-005-BUG-007");
        assert_ne!(second["id"], "DAG-005-BUG-007");
        assert_eq!((&second["severity"], &second["status"]), (&json!("high"), &json!("open")));

        assert_eq!(import(&dir, FOREIGN.as_bytes(), "x").unwrap(), 2, "again: the same journal");
        let again: Value = serde_json::from_slice(&fs::read(dir.join("findings.json")).unwrap()).unwrap();
        assert_eq!(again["findings"].as_array().unwrap().len(), 2);
        assert!(import(&dir, b"[]", "x").is_err());
    }
}
