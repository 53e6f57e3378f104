//! One operation, as the tested code sees it.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::seed;
use super::tally::{End, error_text};

/// An operation of a load: which one it is, and random numbers that are its own.
#[derive(Debug, Clone)]
pub struct Op {
    pub(super) index: u64,
    pub(super) seed: u64,
    pub(super) stage: usize,
    pub(super) kind: usize,
    pub(super) planned: Option<Duration>,
    pub(super) start: Instant,
    pub(super) names: &'static Names,
}

/// Names of stages and kinds.
#[derive(Debug, PartialEq)]
pub(super) struct Names {
    pub(super) stages: Vec<String>,
    /// With the share of each, cumulated, up to 1.
    pub(super) kinds: Vec<(String, f64)>,
}

impl Names {
    /// These names for as long as the process lives, so that operations can carry them without counting references. Loads
    /// that look alike share them.
    pub(super) fn kept(self) -> &'static Names {
        static KEPT: Mutex<Vec<&'static Names>> = Mutex::new(Vec::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.iter().find(|known| ***known == self) {
            Some(known) => known,
            None => {
                let names: &'static Names = Box::leak(Box::new(self));
                kept.push(names);
                names
            }
        }
    }

    /// The kind of an operation follows from its seed.
    pub(super) fn kind_of(&self, seed: u64) -> usize {
        if self.kinds.len() < 2 {
            return 0;
        }
        let drawn = seed::unit(seed::derive(seed, 1));
        self.kinds.iter().position(|(_, up_to)| drawn < *up_to).unwrap_or(self.kinds.len() - 1)
    }
}

impl Op {
    /// Its position in the load, from 0. No two operations of a load have the same one.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its seed. It follows from the seed of the test, the name of the load and the index, so it stays the same where
    /// other operations are left out.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A random number from 0 to below 1 that follows from the seed: another one for each name.
    #[must_use]
    pub fn random(&self, name: &str) -> f64 {
        seed::unit(seed::derive_named(self.seed, name))
    }

    /// The kind that [`Load::mix`](super::Load::mix) gave it; `operation` without a mix.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.names.kinds.get(self.kind).map_or("operation", |(name, _)| name)
    }

    /// The name of its stage.
    #[must_use]
    pub fn stage(&self) -> &str {
        self.names.stages.get(self.stage).map_or("", String::as_str)
    }

    /// When it was to begin, from the beginning of the load. In a closed loop nothing is planned.
    #[must_use]
    pub fn planned(&self) -> Option<Duration> {
        self.planned
    }

    /// The same as a moment: what a tested system measures its own answer from.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        Some(self.start + self.planned?)
    }
}

/// What an operation returns: nothing, or a result whose error counts as a failure.
pub trait Answer {
    #[doc(hidden)]
    fn failure(self) -> Option<String>;
}

impl Answer for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T, E: Display> Answer for Result<T, E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error_text(&error))
    }
}

pub(super) fn end_of(answer: impl Answer) -> End {
    match answer.failure() {
        None => End::Succeeded,
        Some(text) => End::Failed(text),
    }
}
