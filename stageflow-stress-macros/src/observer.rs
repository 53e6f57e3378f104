//! An observer: no test, a function that runs after tests over what they recorded.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{LitStr, Type};

use crate::arguments::Arguments;
use crate::errors::Errors;
use crate::function::{Function, call_at};
use crate::krate::Krate;
use crate::roadmap::{Catalogue, id};

/// Reports what is wrong with an observer, and writes what registers it.
pub(crate) fn expand(
    function: &Function,
    arguments: &Arguments,
    catalogue: &Catalogue,
    errors: &mut Errors,
) -> TokenStream {
    check(function, arguments, errors);
    if let Some(after) = &arguments.after {
        check_selection(after, catalogue, errors);
    }
    let types = function.argument_types();
    let [evidence, findings] = types[..] else { return TokenStream::new() };
    if !errors.is_empty() {
        return TokenStream::new();
    }
    let krate = Krate::new(arguments, function);
    let outside = krate.outside(function);
    let private = krate.private();
    let shared = function.shared();
    let module = function.name();
    let name = function.plain_name();
    let line = function.line();
    let after = arguments.after.as_ref().map_or_else(|| "*".to_owned(), LitStr::value);
    let argument = |name: &str, role: &str, ty: &Type| {
        let name = Ident::new(name, Span::mixed_site());
        let role = format_ident!("{role}");
        let call = call_at(ty, quote!(#private::#role), "from_handle", &name);
        (name, call)
    };
    let (evidence, evidence_argument) = argument("evidence", "EvidenceArgument", evidence);
    let (findings, findings_argument) = argument("findings", "FindingsArgument", findings);
    let tracking = catalogue.tracking();
    quote! {
        #outside
        #(#shared)*
        #[doc(hidden)]
        mod #module {
            #tracking
            static OBSERVER: #private::ObserverDef = #private::ObserverDef {
                function: #name,
                module_path: ::core::module_path!(),
                file: ::core::file!(),
                line: #line,
                after: #after,
                body: |#evidence, #findings| super::#module(#evidence_argument, #findings_argument),
            };
            #private::inventory::submit! { #private::RegisteredObserver(&OBSERVER) }
        }
    }
}

fn check(function: &Function, arguments: &Arguments, errors: &mut Errors) {
    if let Some(token) = &function.sig.asyncness {
        errors.at(token, "a probe with `after` cannot be `async`");
    }
    let inputs = &function.sig.inputs;
    if !function.is_method() && inputs.len() != 2 {
        let problem = "an observer takes two arguments, `&Evidence` and `&mut Findings`";
        if inputs.is_empty() { errors.at(function.name(), problem) } else { errors.at(inputs, problem) }
    }
    if let Some(ty) = function.return_type()
        && !matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
        && !matches!(ty, Type::Never(_))
    {
        errors.at(ty, "an observer returns nothing; add what it found to `&mut Findings`");
    }
    for name in arguments.all_given().iter().filter(|name| *name != "after" && *name != "crate") {
        errors.at(name, format!("`{name}` describes a test; an observer takes `after` and `crate` alone"));
    }
}

/// An observer that follows nothing would be silent for ever.
fn check_selection(after: &LitStr, catalogue: &Catalogue, errors: &mut Errors) {
    let pattern = after.value();
    for problem in catalogue.problems() {
        errors.at(after, problem);
    }
    if !pattern.contains('*') {
        if catalogue.find(&pattern).is_none() {
            errors.at(after, catalogue.unknown(&pattern));
        }
        return;
    }
    if catalogue.rows().any(|row| selects(&pattern, &row.id)) {
        return;
    }
    // The pattern's text with its stars as digits is close to the ids that were meant.
    let near = id::nearest(&pattern.replace("-*", "-001"), catalogue.rows());
    let advice = match near.and_then(|row| row.id.rsplit_once('-')) {
        Some((prefix, _)) => format!("; did you mean `{prefix}-*`?"),
        None => String::new(),
    };
    errors.at(after, format!("`{pattern}` selects no roadmap entry{advice}"));
}

/// Whether `pattern`, in which `*` stands for any text, selects `id`. The library decides alike when it runs.
fn selects(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((head, tail)) => id.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| selects(tail, rest)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_text() {
        assert!(selects("DAG-*", "DAG-005"));
        assert!(selects("*", "DAG-005"));
        assert!(selects("*-00*", "LLM-REASON-001"));
        assert!(!selects("DAG-*", "CORE-001"));
        assert!(!selects("DAG-00", "DAG-005"));
        assert!(!selects("*-9*", "DAG-005"));
    }
}
