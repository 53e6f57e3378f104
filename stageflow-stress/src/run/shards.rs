//! What a merged run knows of the runs of which it is made: `.stageflow/shards/{uuid}.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::state::{RunInfo, RunState};

/// One of the runs of which a merged run is made. Written once and never changed, so that merging the same run again, in
/// whatever order, makes no difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// The run as it was.
    pub info: RunInfo,
    /// The journals that it had, by name of file.
    pub journals: BTreeSet<String>,
    /// The files that its records name, with the checksum of each.
    pub files: BTreeMap<String, u32>,
    /// The ids that its findings had.
    pub ids: BTreeMap<String, String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Shards(pub Vec<Shard>);

impl Shards {
    /// Reads them; a run that was not merged has none.
    pub fn read(dir: &Path) -> io::Result<Shards> {
        let folder = dir.join(".stageflow/shards");
        let items = match fs::read_dir(&folder) {
            Ok(items) => items,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Shards::default()),
            Err(error) => return Err(error),
        };
        let mut shards = Vec::new();
        for item in items {
            let path = item?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                shards.push(serde_json::from_slice(&fs::read(path)?).map_err(io::Error::from)?);
            }
        }
        shards.sort_by(|left: &Shard, right: &Shard| left.info.uuid.cmp(&right.info.uuid));
        Ok(Shards(shards))
    }

    /// Where a file lies that a record of a journal names: where the record says, unless several of the merged runs had
    /// different files of that name.
    pub fn place(&self, journal: &str, path: &str) -> String {
        let owner = self.0.iter().find(|shard| shard.journals.contains(journal));
        match owner.and_then(|shard| shard.files.get(path)) {
            Some(sum) if self.clashes(path) => stored_as(path, *sum),
            _ => path.to_owned(),
        }
    }

    /// Whether several runs had different files of this name.
    pub fn clashes(&self, path: &str) -> bool {
        let mut sums = self.0.iter().filter_map(|shard| shard.files.get(path));
        let first = sums.next();
        sums.any(|sum| Some(sum) != first)
    }

    /// The ids that findings had in the merged runs.
    pub fn add_ids(&self, state: &mut RunState) {
        for stored in &mut state.findings {
            let had: BTreeSet<&String> =
                self.0.iter().filter_map(|shard| shard.ids.get(&stored.fingerprint)).collect();
            for id in had {
                if !stored.aliases.contains(id) {
                    stored.aliases.push(id.clone());
                }
            }
        }
    }
}

/// The name of a file of which there are several: with its checksum before the extension.
pub fn stored_as(path: &str, sum: u32) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let (stem, extension) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((name, ""));
    let dot = if extension.is_empty() { "" } else { "." };
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{stem}.{sum:08x}{dot}{extension}")
}
