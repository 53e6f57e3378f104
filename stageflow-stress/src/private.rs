//! What the attributes' expansions use. No part of it is public API: it changes without notice.

pub use ::inventory;
pub use ::serde_json;

pub use crate::outcome::IntoOutcome;
pub use crate::registry::{
    BackgroundPanics, Body, BoxedBody, Determinism, EntryRef, Flavor, GoldenHook, Isolate, ObserverDef,
    Options, Registered, RegisteredObserver, TestDef, TestKind,
};
pub use crate::runtime::libtest;

/// Takes the reference that a roadmap test's parameter must be.
pub trait ContextArgument {
    /// The reference itself.
    type Context;
}

/// The insta macros, under a path that the user's crate can reach without depending on insta.
pub use ::insta;

/// Expands, in the user's crate, to the function that compares one golden.
#[doc(hidden)]
#[macro_export]
macro_rules! __golden_hook {
    ($krate:path) => {
        |name: &str, content: &str| {
            use $krate as __stageflow_stress;
            __stageflow_stress::__private::insta::assert_snapshot!(name, content)
        }
    };
}
