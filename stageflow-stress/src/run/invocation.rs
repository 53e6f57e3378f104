//! Which processes belong together: one `cargo test`, one `cargo nextest run`.

use std::env;

use super::handover::Handover;
use crate::settings::names;
use crate::sys;

/// The key of this invocation and what runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Equal for all processes of one invocation and for no other.
    pub key: String,
    /// `cargo test`, `cargo nextest` or `direct`.
    pub runner: &'static str,
}

impl Invocation {
    /// Finds the invocation of this process.
    ///
    /// In this order: `STAGEFLOW_RUN_ID`; what an isolated test's parent hands over; `NEXTEST_RUN_ID`; the cargo process that started this one, by pid and start
    /// time, so that the test binaries of one `cargo test` share a key; this process alone.
    pub fn current() -> Invocation {
        let runner = if env::var_os("NEXTEST").is_some() {
            "cargo nextest"
        } else if env::var_os("CARGO").is_some() {
            "cargo test"
        } else {
            "direct"
        };
        let named = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let key = named(names::RUN_ID)
            .map(|id| format!("id-{id}"))
            .or_else(|| Some(Handover::received()?.key.clone()))
            .or_else(|| named("NEXTEST_RUN_ID").map(|id| format!("nextest-{id}")))
            .or_else(|| {
                env::var_os("CARGO")?;
                let parent = sys::parent_pid()?;
                Some(process_key("cargo", parent, sys::start_ticks(parent)?))
            })
            .unwrap_or_else(|| process_key("process", std::process::id(), sys::own_start_ticks()));
        Invocation { key, runner }
    }

    /// A seed that all processes of the invocation agree on without talking to each other.
    pub fn seed(&self) -> u64 {
        seed_of(&["invocation", &self.key])
    }
}

fn process_key(what: &str, pid: u32, ticks: u64) -> String {
    format!("{what}-{pid}-{ticks}-{}", sys::boot_id())
}

/// A seed derived from labels: the first eight bytes of the SHA-256 of their length-prefixed texts.
pub fn seed_of(labels: &[&str]) -> u64 {
    let mut hash = hmac_sha256::Hash::new();
    for label in labels {
        hash.update((label.len() as u64).to_le_bytes());
        hash.update(label.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_depend_on_every_label_and_on_their_borders() {
        assert_eq!(seed_of(&["a", "b"]), seed_of(&["a", "b"]));
        assert_ne!(seed_of(&["a", "b"]), seed_of(&["ab", ""]));
        assert_ne!(seed_of(&["a", "b"]), seed_of(&["a", "c"]));
    }
}
