//! What the arguments of a test say, and the constant that they expand to.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, LitStr};

use crate::values::duration_tokens;

/// The arguments of a test that were given. Names are those of the library's `Options`.
#[derive(Default)]
pub(crate) struct Options {
    /// Variant of `Category`.
    pub(crate) category: Option<Ident>,
    /// Variant of `PipelineKind`.
    pub(crate) pipeline: Option<Ident>,
    /// Variants of `Oracle`.
    pub(crate) oracles: Vec<Ident>,
    /// Requirement ids.
    pub(crate) requirements: Vec<LitStr>,
    /// Free tags.
    pub(crate) tags: Vec<LitStr>,
    /// Who answers for the test.
    pub(crate) owner: Option<LitStr>,
    /// Variant of `Severity`.
    pub(crate) severity: Option<Ident>,
    /// Runtime flavor.
    pub(crate) flavor: Option<Flavor>,
    /// Worker threads: a number, or a constant of the user's.
    pub(crate) worker_threads: Option<Expr>,
    /// Whether the clock starts paused.
    pub(crate) start_paused: Option<bool>,
    /// Deadline.
    pub(crate) timeout: Option<Duration>,
    /// How often the body runs.
    pub(crate) iterations: Option<u32>,
    /// One case per seed.
    pub(crate) seeds: Vec<u64>,
    /// Whether replay is checked.
    pub(crate) twice: bool,
    /// Limits of a process of its own.
    pub(crate) isolate: Option<Isolate>,
    /// Whether the test leaves the gate.
    pub(crate) concurrent: bool,
    /// Whether background panics are recorded only.
    pub(crate) record_panics: bool,
    /// Text of the panic that is expected.
    pub(crate) expect_panic: Option<LitStr>,
    /// Texts of the error-level lines that are expected.
    pub(crate) expect_errors: Vec<LitStr>,
    /// Waived observations of the log analysis: detector, text and reason.
    pub(crate) waive_log: Vec<(u8, String, String)>,
    /// Names of waived observers, with the reason where one is given.
    pub(crate) allow: Vec<(Ident, Option<LitStr>)>,
    /// Names of observers with the severity that their findings are to have.
    pub(crate) tune: Vec<(Ident, Ident)>,
    /// Variant of `Severity`.
    pub(crate) fail_on: Option<Ident>,
}

/// Which runtime runs the body.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Flavor {
    MultiThread,
    CurrentThread,
}

/// Limits of a process of its own.
#[derive(Default)]
pub(crate) struct Isolate {
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// Open files.
    pub(crate) fds: Option<u64>,
    /// Bytes of stack.
    pub(crate) stack: Option<u64>,
    /// Deadline.
    pub(crate) time: Option<Duration>,
}

impl Options {
    /// The library's constant. `private` leads to its hidden module; `workers` is the user's own constant, where
    /// `worker_threads` is no plain number.
    pub(crate) fn tokens(&self, private: &TokenStream, workers: Option<&TokenStream>) -> TokenStream {
        let mut fields = TokenStream::new();
        let some = |value: TokenStream| quote!(::core::option::Option::Some(#value));
        if let Some(word) = &self.category {
            let value = some(quote!(#private::Category::#word));
            fields.extend(quote!(category: #value,));
        }
        if let Some(word) = &self.pipeline {
            let value = some(quote!(#private::PipelineKind::#word));
            fields.extend(quote!(pipeline: #value,));
        }
        if !self.oracles.is_empty() {
            let words = &self.oracles;
            fields.extend(quote!(oracles: &[#(#private::Oracle::#words),*],));
        }
        if !self.requirements.is_empty() {
            let texts = &self.requirements;
            fields.extend(quote!(requirements: &[#(#texts),*],));
        }
        if !self.tags.is_empty() {
            let texts = &self.tags;
            fields.extend(quote!(tags: &[#(#texts),*],));
        }
        if let Some(text) = &self.owner {
            let value = some(quote!(#text));
            fields.extend(quote!(owner: #value,));
        }
        if let Some(word) = &self.severity {
            let value = some(quote!(#private::Severity::#word));
            fields.extend(quote!(severity: #value,));
        }
        if self.flavor == Some(Flavor::CurrentThread) {
            fields.extend(quote!(flavor: #private::Flavor::CurrentThread,));
        }
        if let Some(threads) = &self.worker_threads {
            let value = some(workers.cloned().unwrap_or_else(|| quote!(#threads)));
            fields.extend(quote!(worker_threads: #value,));
        }
        if self.start_paused == Some(true) {
            fields.extend(quote!(start_paused: true,));
        }
        if let Some(timeout) = self.timeout {
            let value = some(duration_tokens(timeout));
            fields.extend(quote!(timeout: #value,));
        }
        if let Some(iterations) = self.iterations {
            fields.extend(quote!(iterations: #iterations,));
        }
        if self.twice {
            fields.extend(quote!(determinism: #private::Determinism::Twice,));
        }
        if let Some(limits) = &self.isolate {
            let value = some(limits.tokens(private));
            fields.extend(quote!(isolate: #value,));
        }
        if self.concurrent {
            fields.extend(quote!(concurrent: true,));
        }
        if self.record_panics {
            fields.extend(quote!(background_panics: #private::BackgroundPanics::Record,));
        }
        if let Some(text) = &self.expect_panic {
            let value = some(quote!(#text));
            fields.extend(quote!(expect_panic: #value,));
        }
        if !self.expect_errors.is_empty() {
            let texts = &self.expect_errors;
            fields.extend(quote!(expect_errors: &[#(#texts),*],));
        }
        if !self.waive_log.is_empty() {
            let waivers = self.waive_log.iter().map(|(detector, text, why)| quote!((#detector, #text, #why)));
            fields.extend(quote!(waive_log: &[#(#waivers),*],));
        }
        if !self.allow.is_empty() {
            let pairs = self.allow.iter().map(|(name, reason)| {
                let name = name.to_string();
                match reason {
                    Some(reason) => quote!((#name, #reason)),
                    None => quote!((#name, "")),
                }
            });
            fields.extend(quote!(allow: &[#(#pairs),*],));
        }
        if !self.tune.is_empty() {
            let pairs = self.tune.iter().map(|(name, severity)| {
                let name = name.to_string();
                quote!((#name, #private::Severity::#severity))
            });
            fields.extend(quote!(tune: &[#(#pairs),*],));
        }
        if let Some(word) = &self.fail_on {
            let value = some(quote!(#private::Severity::#word));
            fields.extend(quote!(fail_on: #value,));
        }
        quote!(#private::Options { #fields ..#private::Options::DEFAULT })
    }
}

impl Isolate {
    fn tokens(&self, private: &TokenStream) -> TokenStream {
        let option = |value: Option<TokenStream>| match value {
            Some(value) => quote!(::core::option::Option::Some(#value)),
            None => quote!(::core::option::Option::None),
        };
        let number = |value: Option<u64>| option(value.map(|value| quote!(#value)));
        let (memory, fds, stack) = (number(self.memory), number(self.fds), number(self.stack));
        let time = option(self.time.map(duration_tokens));
        quote!(#private::Isolate { memory: #memory, fds: #fds, stack: #stack, time: #time })
    }
}
