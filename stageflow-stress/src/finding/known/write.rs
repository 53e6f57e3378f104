//! Writing the file: only what a change says, with everything else as somebody wrote it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use super::{KnownError, KnownFinding, KnownFindings};
use crate::finding::lifecycle::{Change, LifecycleError, NextFinding, Resolution, Subject, Transition};
use crate::run::write_atomically;

/// Why the file of known findings was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownFileError {
    /// The file is not understood, so nothing is written into it.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// The change is not allowed.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The file cannot be read, locked or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody, such as an editor, wrote the file meanwhile.
    #[error("{} was changed by somebody else in the meantime; nothing was written, try again", .0.display())]
    Changed(PathBuf),
    /// Its findings are written in a form into which nothing can be added.
    #[error("{}: the findings are no `[[known]]` tables; write each as a `[[known]]` table", .0.display())]
    Form(PathBuf),
    /// What would be written does not say what it should. Nothing is written then.
    #[error("{}: the change cannot be expressed in this file; nothing was written", .0.display())]
    Unexpressed(PathBuf),
}

/// The committed file of known findings, locked for a change.
///
/// Comments, order and spelling of everything that a change does not touch stay as they are. Two processes never change
/// the file at once, readers see the old file or the new one, and a file that somebody edits meanwhile is not
/// overwritten.
///
/// ```
/// use stageflow_stress::finding::{Change, KnownFile, KnownFindings, Resolution, ResolutionType, Subject};
/// # let dir = std::env::temp_dir().join(format!("stageflow-known-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("stageflow-known.toml");
///
/// let fingerprint = "sfp1:00112233445566778899aabbccddeeff";
/// let mut file = KnownFile::open(&path)?;
/// file.change(&Subject::new(fingerprint), &Change::confirm("we wait for 0.6").by("Ada"))?;
/// file.change(
///     &Subject::new(fingerprint),
///     &Change::resolve(Resolution::new(ResolutionType::Fixed).commit("abc123")).by("Ada"),
/// )?;
/// assert!(file.save()?);
/// let known = KnownFindings::load(&path)?;
/// assert_eq!(known.get(fingerprint).unwrap().history.len(), 2);
/// assert!(!known.accepts(fingerprint), "seen again, it would be a regression");
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct KnownFile {
    path: PathBuf,
    before: Option<String>,
    document: DocumentMut,
    known: KnownFindings,
    dirty: bool,
    /// Held until the file is saved or dropped.
    _lock: File,
}

impl KnownFile {
    /// Waits until nobody else changes the file, and reads it. One that does not exist is made by
    /// [`KnownFile::save`].
    ///
    /// # Errors
    ///
    /// A file that is not understood, or that cannot be read or locked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KnownFileError> {
        let shown = path.as_ref().to_owned();
        let failed = |source| KnownFileError::Io { path: shown.clone(), source };
        // A link stays a link: what it leads to is replaced.
        let path = fs::canonicalize(&shown).unwrap_or_else(|_| shown.clone());
        let lock = lock(&path).map_err(failed)?;
        let before = read(&path).map_err(failed)?;
        let text = before.clone().unwrap_or_default();
        let known = KnownFindings::parse(&shown, &text)?;
        let document = text.parse().map_err(|_| KnownFileError::Form(shown.clone()))?;
        Ok(KnownFile { path, before, document, known, dirty: false, _lock: lock })
    }

    /// What the file says, with the changes that were made.
    #[must_use]
    pub fn known(&self) -> &KnownFindings {
        &self.known
    }

    /// Changes the status of a finding, in memory. Nothing, if the file says so already.
    ///
    /// # Errors
    ///
    /// A change that the lifecycle does not allow, or one that the form of the file does not admit.
    pub fn change(
        &mut self,
        subject: &Subject,
        change: &Change,
    ) -> Result<Option<NextFinding>, KnownFileError> {
        let Some(next) = change.apply(&self.known, subject)? else { return Ok(None) };
        for finding in next.moved.iter().chain([&next.finding]) {
            self.put(finding)?;
        }
        let text = self.document.to_string();
        self.known = KnownFindings::parse(&self.path, &text)?;
        self.document = text.parse().map_err(|_| KnownFileError::Unexpressed(self.path.clone()))?;
        // What was written is read back by the reader that tests use: the file must say exactly what was asked for.
        let same = |finding: &KnownFinding| {
            self.known
                .get(&finding.fingerprint)
                .is_some_and(|read| *read == KnownFinding { line: read.line, ..finding.clone() })
        };
        if !next.moved.iter().chain([&next.finding]).all(same) {
            return Err(KnownFileError::Unexpressed(self.path.clone()));
        }
        self.dirty = true;
        Ok(Some(next))
    }

    /// Takes a finding out of the file: from now on it is unknown. Whether it was there.
    ///
    /// # Errors
    ///
    /// A file whose form does not admit it, or one in which the finding is the target of a duplicate.
    pub fn remove(&mut self, fingerprint: &str) -> Result<bool, KnownFileError> {
        if self.known.get(fingerprint).is_none() {
            return Ok(false);
        }
        let tables = self.tables()?;
        tables.retain(|table| table.get("fingerprint").and_then(Item::as_str) != Some(fingerprint));
        if tables.is_empty() {
            self.document.remove("known");
        }
        self.known = KnownFindings::parse(&self.path, &self.document.to_string())?;
        self.dirty = true;
        Ok(true)
    }

    /// Writes the file, and says whether there was anything to write.
    ///
    /// # Errors
    ///
    /// A file that somebody else wrote meanwhile, or that cannot be written.
    pub fn save(self) -> Result<bool, KnownFileError> {
        if !self.dirty {
            return Ok(false);
        }
        let failed = |source| KnownFileError::Io { path: self.path.clone(), source };
        if read(&self.path).map_err(failed)? != self.before {
            return Err(KnownFileError::Changed(self.path.clone()));
        }
        let mut text = self.document.to_string();
        if self.before.as_ref().is_some_and(|before| before.contains("\r\n")) {
            text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        let permissions = fs::metadata(&self.path).map(|metadata| metadata.permissions());
        write_atomically(&self.path, text.as_bytes()).map_err(failed)?;
        if let Ok(permissions) = permissions {
            // The new file has the content already; its mode is a courtesy.
            let _ = fs::set_permissions(&self.path, permissions);
        }
        Ok(true)
    }

    fn tables(&mut self) -> Result<&mut ArrayOfTables, KnownFileError> {
        let item = self.document.entry("known").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        item.as_array_of_tables_mut().ok_or_else(|| KnownFileError::Form(self.path.clone()))
    }

    fn put(&mut self, finding: &KnownFinding) -> Result<(), KnownFileError> {
        let is_first = self.known.iter().next().is_none() && self.document.to_string().trim().is_empty();
        let tables = self.tables()?;
        let of = |table: &Table| {
            table.get("fingerprint").and_then(Item::as_str) == Some(finding.fingerprint.as_str())
        };
        let position = tables.iter().position(of);
        match position.and_then(|position| tables.get_mut(position)) {
            Some(table) => fill(table, finding),
            None => {
                let mut table = Table::new();
                table.decor_mut().set_prefix(if is_first { "" } else { "\n" });
                set(&mut table, "fingerprint", Some(&finding.fingerprint));
                fill(&mut table, finding);
                tables.push(table);
            }
        }
        Ok(())
    }
}

fn fill(table: &mut Table, finding: &KnownFinding) {
    set(table, "id", finding.id.as_deref());
    set(table, "title", finding.title.as_deref());
    set(table, "status", Some(finding.status.as_str()));
    set(table, "why", Some(&finding.why));
    set(table, "duplicate_of", finding.duplicate_of.as_deref());
    match &finding.resolution {
        Some(resolution) => {
            let mut fields = Table::new();
            for (key, value) in fields_of(resolution) {
                fields.insert(key, Item::Value(value));
            }
            table.insert("resolution", Item::Table(fields));
        }
        None => {
            table.remove("resolution");
        }
    }
    let kept = match table.get_mut("history") {
        Some(Item::ArrayOfTables(history)) => history.len(),
        // Written by hand as a list within one value: written anew as tables.
        Some(_) => {
            table.remove("history");
            0
        }
        None => 0,
    };
    let item = table.entry("history").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if let Some(history) = item.as_array_of_tables_mut() {
        for transition in finding.history.iter().skip(kept) {
            history.push(entry(transition));
        }
        if history.is_empty() {
            table.remove("history");
        }
    }
}

/// Sets a text, and leaves the comment behind an old one where it is.
fn set(table: &mut Table, key: &str, text: Option<&str>) {
    let Some(text) = text else {
        table.remove(key);
        return;
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) if old.as_str() == Some(text) => {}
        Some(old) => {
            let decor = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(text));
        }
    }
}

fn fields_of(resolution: &Resolution) -> Vec<(&'static str, Value)> {
    let mut fields: Vec<(&'static str, Value)> =
        vec![("resolution_type", resolution.resolution_type.as_str().into())];
    for (key, value) in [
        ("resolved_by", &resolution.resolved_by),
        ("resolved_at", &resolution.resolved_at),
        ("resolution_details", &resolution.resolution_details),
        ("commit_hash", &resolution.commit_hash),
        ("pr_link", &resolution.pr_link),
        ("release_version", &resolution.release_version),
    ] {
        fields.extend(value.as_ref().map(|value| (key, value.as_str().into())));
    }
    if !resolution.verification_steps.is_empty() {
        let steps: Array = resolution.verification_steps.iter().map(String::as_str).collect();
        fields.push(("verification_steps", steps.into()));
    }
    fields
}

fn entry(transition: &Transition) -> Table {
    let mut table = Table::new();
    for (key, text) in [
        ("at", transition.at.as_str()),
        ("by", &transition.by),
        ("from", transition.from.as_str()),
        ("to", transition.to.as_str()),
        ("why", &transition.why),
    ] {
        table.insert(key, value(text));
    }
    if let Some(resolution) = &transition.resolution {
        let fields: InlineTable = fields_of(resolution).into_iter().collect();
        table.insert("resolution", value(fields));
    }
    table
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lock is that of the directory, because the file itself is replaced, and a lock file would lie in the working tree.
fn lock(path: &Path) -> io::Result<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    let file = File::open(directory)?;
    #[cfg(not(unix))]
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(".stageflow-known.lock"))?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
