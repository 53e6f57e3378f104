//! The files of a run folder, wherever they lie: in it, or in the archive beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::retention::Taken;

/// What a run folder holds, its archive included. Of a run that is not archived it costs nothing.
#[derive(Debug)]
pub struct Contents {
    dir: PathBuf,
    archived: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    /// Opens a run folder.
    ///
    /// # Errors
    ///
    /// An archive that cannot be read or does not hold what the folder gave away.
    pub fn open(dir: &Path) -> io::Result<Contents> {
        let taken = Taken::of(dir);
        let archived = if taken.is_archived() { archived(dir, &taken)? } else { BTreeMap::new() };
        Ok(Contents { dir: dir.to_owned(), archived })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file, by its path within the folder.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.archived.get(path) {
            Some(content) => Ok(content.clone()),
            None => fs::read(self.dir.join(path)),
        }
    }

    /// The files of the archive, by their path within the folder.
    pub fn archived(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.archived.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// The names of the journals.
    pub fn journals(&self) -> io::Result<BTreeSet<String>> {
        const FOLDER: &str = ".stageflow/journal";
        let is_journal = |name: &String| name.ends_with(".jsonl");
        let below = |path: &String| Some(path.strip_prefix(FOLDER)?.strip_prefix('/')?.to_owned());
        let mut names: BTreeSet<String> = self.archived.keys().filter_map(below).filter(is_journal).collect();
        match fs::read_dir(self.dir.join(FOLDER)) {
            Ok(items) => {
                for item in items {
                    let name = item?.file_name().to_string_lossy().into_owned();
                    names.extend(Some(name).filter(is_journal));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !names.is_empty() => {}
            Err(error) => return Err(error),
        }
        Ok(names)
    }
}

/// A file of a run folder by its whole path, also where the run is archived.
///
/// # Errors
///
/// What reading says. Where neither the file nor an archive with it is there: that the file is not there.
#[cfg(feature = "cli")]
pub fn read_stored(path: &Path) -> io::Result<Vec<u8>> {
    let missing = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        read => return read,
    };
    let archived = path.ancestors().skip(1).find(|dir| Taken::of(dir).is_archived());
    let Some(dir) = archived else { return Err(missing) };
    Contents::open(dir)?.read(&super::shown_below(dir, path))
}

#[cfg(feature = "cli")]
fn archived(dir: &Path, taken: &Taken) -> io::Result<BTreeMap<String, Vec<u8>>> {
    super::retention::held(dir, taken).map_err(io::Error::other)
}

#[cfg(not(feature = "cli"))]
fn archived(_: &Path, _: &Taken) -> io::Result<BTreeMap<String, Vec<u8>>> {
    Err(io::Error::other(
        "it is archived; the command line (feature `cli`) reads it where it is, and `stageflow-test runs archive --restore` brings \
         it back",
    ))
}
