//! What unit tests share.

use std::path::{Path, PathBuf};

/// A folder that is removed with its value.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("stageflow-stress-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        TempDir(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Best effort: a folder that stays behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
