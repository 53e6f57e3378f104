//! Roadmaps: the built-in one and the project's own, read when the attributes are compiled.

pub(crate) mod id;
mod project;
mod table;
mod target;

use std::sync::OnceLock;

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

pub(crate) use project::{Catalogue, Found};

const BUILTIN: &str = include_str!("builtin.md");

/// One row of a roadmap, with the headings above it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Identifier such as `DAG-005`.
    pub(crate) id: String,
    /// What is tested.
    pub(crate) title: String,
    /// Number and heading of the tier; 0 where the heading gives no number.
    pub(crate) tier: (u8, String),
    /// Number and heading of the section; empty where there is none.
    pub(crate) section: (String, String),
    /// Variant of `Priority`.
    pub(crate) priority: &'static str,
    /// Variant of `Risk`.
    pub(crate) risk: &'static str,
    /// Execution phase; 0 where the roadmap gives none.
    pub(crate) phase: u8,
    /// The status cell.
    pub(crate) status: String,
    /// Line in the file, from 1.
    pub(crate) line: usize,
}

/// The rows of the built-in roadmap.
pub(crate) fn builtin() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| table::parse(BUILTIN).0)
}

/// The array of the built-in entries, for the library itself.
pub(crate) fn builtin_entries() -> TokenStream {
    let entries = builtin().iter().map(|row| row.tokens(&quote!(crate::__private)));
    quote!(&[#(#entries),*])
}

impl Row {
    /// The expression of the library's entry; `private` leads to the library's hidden module.
    pub(crate) fn tokens(&self, private: &TokenStream) -> TokenStream {
        let Row { id, title, tier: (tier, tier_title), section: (section, section_title), .. } = self;
        let (phase, status) = (self.phase, &self.status);
        let (priority, risk) = (format_ident!("{}", self.priority), format_ident!("{}", self.risk));
        let target = match target::parse(title) {
            None => quote!(::core::option::Option::None),
            Some(target) => {
                let quantity = target.quantity;
                let comparison = format_ident!("{}", target.comparison);
                let value = Literal::f64_suffixed(target.value);
                let unit = format_ident!("{}", target.unit);
                quote!(::core::option::Option::Some(#private::Target::assemble(
                    #quantity,
                    #private::Comparison::#comparison,
                    #value,
                    #private::Unit::#unit,
                )))
            }
        };
        quote!(#private::Entry::assemble(
            #id, #title, #tier, #tier_title, #section, #section_title,
            #private::Priority::#priority, #private::Risk::#risk, #phase, #status, #target,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_whole() {
        let (rows, problems) = table::parse(BUILTIN);
        assert_eq!(problems, []);
        assert_eq!(rows.len(), 308);
        let per_tier: Vec<_> =
            (1..=10).map(|tier| rows.iter().filter(|row| row.tier.0 == tier).count()).collect();
        assert_eq!(per_tier, [28, 55, 33, 101, 21, 15, 14, 15, 14, 12]);
        assert_eq!(rows.iter().filter(|row| row.status.starts_with("completed")).count(), 73);
    }

    #[test]
    fn phases_follow_the_execution_order() {
        for row in builtin() {
            let expected = match (row.tier.0, row.priority, row.id.as_str()) {
                (1, "P0", _) => 1,
                (1, ..) => 0,
                (_, _, "GUARD-001" | "GUARD-002" | "GUARD-003" | "GUARD-004" | "WORK-001" | "WORK-002") => 1,
                (2 | 5, ..) => 2,
                (3 | 7, ..) => 3,
                (4, ..) => 4,
                _ => 5,
            };
            assert_eq!(row.phase, expected, "{}", row.id);
        }
    }

    #[test]
    fn an_entry_is_expanded_with_its_target() {
        let row = builtin().iter().find(|row| row.id == "SERVERLESS-001").unwrap();
        let tokens = row.tokens(&quote!(st::__private)).to_string();
        assert!(tokens.contains("Comparison :: Below"), "{tokens}");
        assert!(tokens.contains("500f64"), "{tokens}");
    }
}
