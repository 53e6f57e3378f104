//! A ledger as a file of its own: read whoever wrote it, and changed without touching a byte of anything else.
//!
//! The text is kept as it is. An entry is a place in it, so that a file that nobody changed is written back byte for
//! byte, whatever its key order, escapes, indentation and line ends, and a changed one differs only where it changed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::document::{RawObject, RawSlices, same_length};
use super::super::ids::LedgerId;
use super::style::Style;
use super::{Ordered, template_of};
use crate::journal::record::Ledger;
use crate::run::{locked, write_atomically};

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// It cannot be read, locked or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no JSON.
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It has no list of entries.
    #[error("no list `entries`; a ledger is an object with `template` and `entries`")]
    NoEntries,
    /// One of its entries is no object.
    #[error("entry {0} is no object; remove it or write it as an object")]
    NoObject(usize),
    /// Which ledger it is cannot be told.
    #[error(
        "neither the name `{0}` nor the ids of its entries tell which ledger it is; name it strengths.json, bugs.json, dx.json or improvements.json"
    )]
    WhichLedger(String),
    /// The entries of two ledgers.
    #[error("entries of {found} cannot be imported into {wanted}")]
    OtherLedger {
        /// The ledger of the file.
        wanted: Ledger,
        /// That of the imported one.
        found: Ledger,
    },
    /// An entry without a title.
    #[error("an entry without `title`; say in one line what it is about")]
    NoTitle,
    /// An entry without an agent.
    #[error("nobody is named as `agent`; say who records the entry")]
    NoAgent,
}

/// A ledger file.
///
/// ```
/// use stageflow_stress::finding::{Ledger, LedgerFile};
///
/// let upstream = br#"{
///   "template": {"id": "BUG-XXX"},
///   "entries": [
///     {
///       "id": "BUG-001",
///       "title": "broken \ud83d text",
///       "created_at": "2026-01-14T09:00:00+00:00"
///     }
///   ]
/// }"#;
/// let mut ledger = LedgerFile::parse(Ledger::Bugs, upstream)?;
/// assert_eq!(ledger.to_bytes(), upstream, "nothing is lost, invalid Unicode included");
/// assert_eq!(ledger.entries()[0].text("title").as_deref(), Some("broken \u{fffd} text"));
///
/// let entry = serde_json::json!({ "title": "lost outputs", "severity": "high", "id": "BUG-001" });
/// let id = ledger.add(entry.as_object().unwrap(), "Ada", "2026-01-15T09:00:00.000000Z")?;
/// assert_eq!(id.to_string(), "BUG-002", "ids are never taken from an entry");
/// # Ok::<(), stageflow_stress::finding::LedgerError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LedgerFile {
    ledger: Ledger,
    bytes: Vec<u8>,
    /// The list of entries, with its brackets.
    list: Range<usize>,
    entries: Vec<LedgerEntry>,
    tombstones: BTreeSet<u32>,
}

/// One entry of a ledger file.
#[derive(Debug, Clone)]
pub struct LedgerEntry {
    place: Range<usize>,
    fields: RawObject,
}

impl LedgerEntry {
    /// A field, read from a copy in which invalid Unicode is healed.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Value> {
        self.fields.read(name)
    }

    /// A field as text; a number or a boolean counts as the text that stands there.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.fields.text(name)
    }

    /// Its id, as written.
    #[must_use]
    pub fn id(&self) -> String {
        self.text("id").unwrap_or_default()
    }

    /// The names of its fields, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.0.iter().map(|(name, _)| name.as_str())
    }
}

/// What became of an imported entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Its id where it came from.
    pub from: String,
    /// Its id here.
    pub id: LedgerId,
    /// Whether it is new here; otherwise it was there already.
    pub added: bool,
}

impl LedgerFile {
    /// An empty ledger with its template.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        let template = serde_json::to_string_pretty(&Ordered(template_of(ledger))).unwrap_or_default();
        let text =
            format!("{{\n  \"template\": {},\n  \"entries\": []\n}}\n", template.replace('\n', "\n  "));
        let at = text.len() - "[]\n}\n".len();
        LedgerFile {
            ledger,
            bytes: text.into_bytes(),
            list: at..at + 2,
            entries: Vec::new(),
            tombstones: BTreeSet::new(),
        }
    }

    /// Reads a ledger: any fields, any words, any escapes.
    ///
    /// # Errors
    ///
    /// What is no object with a list of entries that are objects.
    pub fn parse(ledger: Ledger, bytes: &[u8]) -> Result<Self, LedgerError> {
        let healed = same_length(bytes);
        let start = if healed.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let text = &healed[start..];
        let top: RawSlices<'_> = serde_json::from_str(text)?;
        let list = top.get("entries").ok_or(LedgerError::NoEntries)?;
        let raws: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(|_| LedgerError::NoEntries)?;
        // Places in the healed copy are places in the file, because healing keeps the length.
        let place = |raw: &RawValue| {
            let at = raw.get().as_ptr() as usize - healed.as_ptr() as usize;
            at..at + raw.get().len()
        };
        let mut entries = Vec::with_capacity(raws.len());
        for (position, raw) in raws.into_iter().enumerate() {
            let fields = serde_json::from_str(raw.get()).map_err(|_| LedgerError::NoObject(position))?;
            entries.push(LedgerEntry { place: place(raw), fields });
        }
        let tombstones = top
            .get("x_stageflow")
            .and_then(|raw| serde_json::from_str::<RawObject>(raw.get()).ok())
            .and_then(|fields| fields.read::<Vec<u32>>("tombstones"))
            .unwrap_or_default();
        let list = place(list);
        Ok(LedgerFile {
            ledger,
            bytes: bytes.to_vec(),
            list,
            entries,
            tombstones: tombstones.into_iter().collect(),
        })
    }

    /// Reads a ledger file. Its name tells which ledger it is, else the ids of its entries do.
    ///
    /// # Errors
    ///
    /// See [`LedgerFile::parse`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })?;
        Self::recognise(path, &bytes)
    }

    fn recognise(path: &Path, bytes: &[u8]) -> Result<Self, LedgerError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(ledger) = Ledger::ALL.iter().find(|ledger| ledger.file() == name) {
            return Self::parse(*ledger, bytes);
        }
        let read = Self::parse(Ledger::Bugs, bytes)?;
        let of = |entry: &LedgerEntry| entry.id().parse::<LedgerId>().ok().map(|id| id.ledger);
        let ledger = read.entries.iter().find_map(of).ok_or(LedgerError::WhichLedger(name))?;
        Ok(LedgerFile { ledger, ..read })
    }

    /// Changes the ledger at a path while nobody else does, and writes it as a whole. One that does not exist is made.
    ///
    /// ```
    /// use stageflow_stress::finding::{Ledger, LedgerFile};
    /// # let dir = std::env::temp_dir().join(format!("stageflow-ledger-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let path = dir.join("bugs.json");
    /// let entry = serde_json::json!({ "title": "lost outputs" });
    /// let id = LedgerFile::edit(&path, Ledger::Bugs, |ledger| {
    ///     ledger.add(entry.as_object().unwrap(), "Ada", "2026-01-15T09:00:00.000000Z")
    /// })?;
    /// assert_eq!(id.to_string(), "BUG-001");
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A file that cannot be read, locked or written, and whatever the change says.
    pub fn edit<T>(
        path: impl AsRef<Path>,
        ledger: Ledger,
        change: impl FnOnce(&mut LedgerFile) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let path = path.as_ref();
        let failed = |source| LedgerError::Io { path: path.to_owned(), source };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut result = None;
        locked(&path.with_file_name(format!(".{name}.lock")), || {
            result = Some((|| {
                let mut file = match fs::read(path) {
                    Ok(bytes) => Self::parse(ledger, &bytes)?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Self::new(ledger),
                    Err(error) => return Err(failed(error)),
                };
                let value = change(&mut file)?;
                write_atomically(path, &file.bytes).map_err(failed)?;
                Ok(value)
            })());
            Ok(())
        })
        .map_err(failed)?;
        result.unwrap_or_else(|| Err(failed(io::Error::other("the lock was not taken"))))
    }

    /// Which ledger it is.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Its entries, in their order.
    #[must_use]
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An entry as it stands in the file.
    #[must_use]
    pub fn raw(&self, entry: &LedgerEntry) -> &[u8] {
        self.bytes.get(entry.place.clone()).unwrap_or_default()
    }

    /// Adds an entry, and gives it the next id. Id, agent and time are never taken from the entry.
    ///
    /// # Errors
    ///
    /// An entry without a title, or without somebody who records it.
    pub fn add(
        &mut self,
        entry: &Map<String, Value>,
        agent: &str,
        created_at: &str,
    ) -> Result<LedgerId, LedgerError> {
        if entry.get("title").and_then(Value::as_str).is_none_or(|title| title.trim().is_empty()) {
            return Err(LedgerError::NoTitle);
        }
        if agent.trim().is_empty() {
            return Err(LedgerError::NoAgent);
        }
        let id = self.next_id();
        let given = |key: &str| matches!(key, "id" | "agent" | "created_at");
        let mut fields: Vec<(String, Value)> = vec![
            ("id".to_owned(), Value::from(id.to_string())),
            ("agent".to_owned(), Value::from(agent.trim())),
        ];
        let template: Vec<String> = template_of(self.ledger).into_iter().map(|(key, _)| key).collect();
        // The order of the template, then whatever else there is.
        let known = template.iter().filter(|key| !given(key)).filter_map(|key| Some((key, entry.get(key)?)));
        fields.extend(known.map(|(key, value)| (key.clone(), value.clone())));
        let others = entry.iter().filter(|(key, _)| !given(key) && !template.contains(key));
        fields.extend(others.map(|(key, value)| (key.clone(), value.clone())));
        fields.push(("created_at".to_owned(), Value::from(created_at)));
        let pretty = serde_json::to_string_pretty(&Ordered(fields))?;
        self.splice(&pretty)?;
        Ok(id)
    }

    /// Takes an entry out. Its id is never given again.
    ///
    /// # Errors
    ///
    /// A file that cannot be changed.
    pub fn remove(&mut self, id: &str) -> Result<bool, LedgerError> {
        let Some(position) = self.entries.iter().position(|entry| entry.id() == id) else { return Ok(false) };
        let place = self.entries[position].place.clone();
        // With the comma and the space before it, or those behind it if it is the first.
        let range = match (position.checked_sub(1), self.entries.get(position + 1)) {
            (Some(before), _) => self.entries[before].place.end..place.end,
            (None, Some(next)) => place.start..next.place.start,
            (None, None) => self.list.start + 1..self.list.end - 1,
        };
        self.bytes.drain(range);
        if let Ok(id) = id.parse::<LedgerId>() {
            self.tombstones.insert(id.number);
        }
        let again = Self::parse(self.ledger, &self.bytes)?;
        let tombstones = std::mem::take(&mut self.tombstones);
        *self = LedgerFile { tombstones, ..again };
        self.write_tombstones()?;
        Ok(true)
    }

    /// Takes the entries of another ledger that are not here yet. Where an id is taken, the imported entry gets the next
    /// one and says under `aliases` which it had. Importing the same file again adds nothing.
    ///
    /// # Errors
    ///
    /// A ledger of another kind.
    pub fn import(&mut self, other: &LedgerFile) -> Result<Vec<Imported>, LedgerError> {
        if self.ledger != other.ledger {
            return Err(LedgerError::OtherLedger { wanted: self.ledger, found: other.ledger });
        }
        let mut imported = Vec::new();
        for entry in &other.entries {
            let from = entry.id();
            let same = self.entries.iter().find(|own| {
                let was = own.field("aliases").is_some_and(|aliases| {
                    aliases.as_array().is_some_and(|list| list.iter().any(|alias| alias == from.as_str()))
                });
                (own.id() == from || was) && content(own) == content(entry)
            });
            if let Some(id) = same.and_then(|own| own.id().parse().ok()) {
                imported.push(Imported { from, id, added: false });
                continue;
            }
            let free = from.parse::<LedgerId>().ok().filter(|id| {
                id.ledger == self.ledger && !self.taken(id.number) && !self.tombstones.contains(&id.number)
            });
            let text = String::from_utf8_lossy(other.raw(entry)).into_owned();
            let (id, text) = match free {
                Some(id) => (id, text),
                None => {
                    let id = self.next_id();
                    (id, renamed(entry, &from, id)?)
                }
            };
            self.splice(&text)?;
            imported.push(Imported { from, id, added: true });
        }
        Ok(imported)
    }

    fn taken(&self, number: u32) -> bool {
        self.numbers().any(|taken| taken == number)
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().filter_map(|entry| Some(entry.id().parse::<LedgerId>().ok()?.number))
    }

    /// One more than the highest number that there ever was.
    fn next_id(&self) -> LedgerId {
        let highest = self.numbers().chain(self.tombstones.iter().copied()).max().unwrap_or(0);
        LedgerId { ledger: self.ledger, number: highest.saturating_add(1) }
    }

    /// Puts an entry behind the last one, in the manner of the file.
    fn splice(&mut self, entry: &str) -> Result<(), LedgerError> {
        let style = Style::of(&self.bytes, &self.list, self.entries.first().map(|entry| &entry.place));
        let entry = style.apply(entry);
        match self.entries.last() {
            Some(last) => {
                let at = last.place.end;
                let text = format!(",{}{entry}", style.before_entry);
                self.bytes.splice(at..at, text.into_bytes());
            }
            None => {
                let text = format!("[{}{entry}{}]", style.before_entry, style.after_list);
                self.bytes.splice(self.list.clone(), text.into_bytes());
            }
        }
        let tombstones = std::mem::take(&mut self.tombstones);
        *self = LedgerFile { tombstones, ..Self::parse(self.ledger, &self.bytes)? };
        Ok(())
    }

    /// Keeps the numbers that must not be given again, where a removal was the only reason to know them.
    fn write_tombstones(&mut self) -> Result<(), LedgerError> {
        let healed = same_length(&self.bytes);
        let start = if healed.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let list: Vec<u32> = self.tombstones.iter().copied().collect();
        let value = serde_json::json!({ "tombstones": list }).to_string();
        let top: RawSlices<'_> = serde_json::from_str(&healed[start..])?;
        match top.get("x_stageflow") {
            Some(raw) => {
                let at = raw.get().as_ptr() as usize - healed.as_ptr() as usize;
                self.bytes.splice(at..at + raw.get().len(), value.into_bytes());
            }
            None => {
                let style =
                    Style::of(&self.bytes, &self.list, self.entries.first().map(|entry| &entry.place));
                let at = self.list.end;
                let text = format!(",{}\"x_stageflow\": {value}", style.before_key);
                self.bytes.splice(at..at, text.into_bytes());
            }
        }
        let tombstones = std::mem::take(&mut self.tombstones);
        *self = LedgerFile { tombstones, ..Self::parse(self.ledger, &self.bytes)? };
        Ok(())
    }
}

/// An entry without what an import changes.
fn content(entry: &LedgerEntry) -> Vec<(&str, Option<Value>)> {
    let mut fields: Vec<(&str, Option<Value>)> = entry
        .names()
        .filter(|name| !matches!(*name, "id" | "aliases"))
        .map(|name| (name, entry.field(name)))
        .collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

/// The text of an entry with another id. Every other field stays as it was written.
fn renamed(entry: &LedgerEntry, from: &str, id: LedgerId) -> Result<String, LedgerError> {
    let mut fields = entry.fields.clone();
    let raw = |value: &Value| RawValue::from_string(value.to_string());
    let mut aliases = entry.field("aliases").and_then(|list| list.as_array().cloned()).unwrap_or_default();
    aliases.push(Value::from(from));
    fields.0.retain(|(name, _)| name != "aliases");
    let new = raw(&Value::from(id.to_string()))?;
    match fields.0.iter_mut().find(|(name, _)| name == "id") {
        Some((_, value)) => *value = new,
        None => fields.0.insert(0, ("id".to_owned(), new)),
    }
    fields.0.push(("aliases".to_owned(), raw(&Value::from(aliases))?));
    Ok(serde_json::to_string_pretty(&fields)?)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
