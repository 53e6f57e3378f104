//! Clean-ups: what stages want done at the end of the run, however that comes.

use std::sync::Mutex;

use crate::bag::lock;
use crate::defects::{Defect, Defects};

type Callback = Box<dyn FnOnce() + Send>;

/// The clean-ups of one run. The last registered runs first.
#[derive(Default)]
pub(crate) struct Cleanups {
    callbacks: Mutex<Vec<(String, Callback)>>,
}

impl Cleanups {
    pub(crate) fn register(&self, run: &str, callback: Callback) {
        lock(&self.callbacks).push((run.to_owned(), callback));
    }

    /// Runs those of `run`, once.
    pub(crate) fn run(&self, run: &str, defects: Defects) {
        let registered = std::mem::take(&mut *lock(&self.callbacks));
        // Every run has a registry of its own, unless a defect shares one: then those of other runs are lost here.
        let own = registered.into_iter().filter(|(of, _)| of == run);
        let mut callbacks: Vec<Callback> = own.map(|(_, callback)| callback).collect();
        if defects.on(Defect::CleanupForgetsLast) {
            callbacks.pop();
        }
        if defects.on(Defect::CleanupInOrder) {
            callbacks.reverse();
        }
        while let Some(callback) = callbacks.pop() {
            // One that panics must not keep the others from running.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback));
        }
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        lock(&self.callbacks).clear();
    }
}
