//! The attributes of stageflow-stress. Use them through that crate, which documents them.
#![forbid(unsafe_code)]

mod argument;
mod arguments;
mod attribute;
mod auditable;
mod errors;
mod function;
mod krate;
mod nearest;
mod observer;
mod options;
mod roadmap;
mod test;
mod values;
mod words;

use proc_macro::TokenStream;

use crate::arguments::Attribute;

#[proc_macro_attribute]
#[expect(missing_docs, reason = "documented where the library re-exports it")]
pub fn roadmap_test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expand(Attribute::RoadmapTest, arguments.into(), item.into()).into()
}

#[proc_macro_attribute]
#[expect(missing_docs, reason = "documented where the library re-exports it")]
pub fn silent_failure_probe(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expand(Attribute::Probe, arguments.into(), item.into()).into()
}

/// Lets a probe snapshot a struct or an enum, field by field.
#[proc_macro_derive(Auditable, attributes(audit))]
pub fn auditable(item: TokenStream) -> TokenStream {
    auditable::expand(item.into()).into()
}

/// The built-in roadmap, for the library itself.
#[doc(hidden)]
#[proc_macro]
pub fn __builtin_entries(_: TokenStream) -> TokenStream {
    roadmap::builtin_entries().into()
}
