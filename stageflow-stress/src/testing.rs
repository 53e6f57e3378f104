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

/// A number from 0 to below 1 for a number, the same on every machine: what tests draw from. The mixing is SplitMix64's.
pub(crate) fn unit_of(number: u64) -> f64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    (mix(mix(number.wrapping_add(STEP)) ^ STEP) >> 11) as f64 / (1_u64 << 53) as f64
}
