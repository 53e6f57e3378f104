//! What the attributes' expansions use. No part of it is public API: it changes without notice.

/// The insta macros, under a path that the user's crate can reach without depending on insta.
pub use ::insta;
pub use ::inventory;
pub use ::serde_json;

pub use crate::assertion::{Kind as SiteKind, RegisteredSite, Site, SiteHits};
pub use crate::classify::{Category, Oracle, Pattern, PipelineKind, Priority, Risk, Severity};
#[cfg(feature = "conformance")]
pub use crate::conformance::private as conformance;
pub use crate::outcome::IntoOutcome;
pub use crate::own_main::own_main;
pub use crate::registry::{
    BackgroundPanics, Body, BoxedBody, Determinism, EntryRef, Flavor, GoldenHook, Isolate, ObserverDef,
    Options, Registered, RegisteredObserver, TestDef, TestKind,
};
pub use crate::roadmap::{Comparison, Entry, Target, Unit};
pub use crate::runtime::libtest;

use crate::context::TestContext;
use crate::finding::Findings;
use crate::probe::{Evidence, Probe};

/// What the argument of a roadmap test is made of.
#[diagnostic::on_unimplemented(
    message = "a roadmap test cannot take `{Self}`",
    label = "take `&TestContext`, or nothing",
    note = "to take `&Probe`, add `#[silent_failure_probe]`"
)]
pub trait TestArgument<'a> {
    /// Hands the context over.
    fn from_handle(handle: &'a TestContext) -> Self;
}

impl<'a> TestArgument<'a> for &'a TestContext {
    fn from_handle(handle: &'a TestContext) -> Self {
        handle
    }
}

/// What the argument of a scenario probe is made of.
#[diagnostic::on_unimplemented(
    message = "a scenario probe cannot take `{Self}`",
    label = "take `&Probe`",
    note = "a `&Probe` does everything that a `&TestContext` does"
)]
pub trait ProbeArgument<'a> {
    /// Hands the probe over.
    fn from_handle(handle: &'a Probe) -> Self;
}

impl<'a> ProbeArgument<'a> for &'a Probe {
    fn from_handle(handle: &'a Probe) -> Self {
        handle
    }
}

/// What the first argument of an observer is made of.
#[diagnostic::on_unimplemented(
    message = "the first argument of an observer cannot be `{Self}`",
    label = "take `&Evidence`"
)]
pub trait EvidenceArgument<'a> {
    /// Hands the evidence over.
    fn from_handle(handle: &'a Evidence) -> Self;
}

impl<'a> EvidenceArgument<'a> for &'a Evidence {
    fn from_handle(handle: &'a Evidence) -> Self {
        handle
    }
}

/// What the second argument of an observer is made of.
#[diagnostic::on_unimplemented(
    message = "the second argument of an observer cannot be `{Self}`",
    label = "take `&mut Findings`"
)]
pub trait FindingsArgument<'a> {
    /// Hands the findings over.
    fn from_handle(handle: &'a mut Findings) -> Self;
}

impl<'a> FindingsArgument<'a> for &'a mut Findings {
    fn from_handle(handle: &'a mut Findings) -> Self {
        handle
    }
}
