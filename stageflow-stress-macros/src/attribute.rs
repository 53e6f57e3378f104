//! From an attribute's tokens to its expansion: read everything, report everything, and only then write.

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::arguments::{self, Arguments, Attribute};
use crate::errors::Errors;
use crate::function::{Function, Taken, type_hint};
use crate::roadmap::Catalogue;
use crate::{observer, test};

/// What the attributes make of the function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// A test.
    RoadmapTest,
    /// A test that is a probe, by the lower of two attributes or by the only one.
    Scenario,
    /// No test: a function that runs after others.
    Observer,
}

impl Form {
    /// How messages call it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Form::RoadmapTest => "a roadmap test",
            Form::Scenario => "a scenario probe",
            Form::Observer => "an observer",
        }
    }
}

/// Expands `attribute` on `item`.
pub(crate) fn expand(attribute: Attribute, tokens: TokenStream, item: TokenStream) -> TokenStream {
    expand_with(&Catalogue::current(), attribute, tokens, item)
}

/// Expands with the entries of `catalogue`. The item survives every mistake, so that nothing else is reported because
/// of it.
fn expand_with(
    catalogue: &Catalogue,
    attribute: Attribute,
    tokens: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    let mut function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let message = error.to_string().replace("this attribute", &format!("`#[{}]`", attribute.name()));
            errors.push(syn::Error::new(error.span(), message));
            let errors = errors.into_tokens();
            return quote!(#item #errors);
        }
    };
    let taken = function.take();
    let (arguments, stacked) = read(attribute, tokens, &taken, &mut errors);
    let form = form(attribute, stacked, &arguments, &function, &mut errors);
    let named = if stacked { Attribute::RoadmapTest } else { attribute };
    function.check(form.noun(), named, &taken, &mut errors);
    let expansion = match form {
        Form::Observer => observer::expand(&function, &arguments, catalogue, &mut errors),
        form => test::expand(form, &function, &arguments, &taken, catalogue, &mut errors),
    };
    if errors.is_empty() {
        return quote!(#function #expansion);
    }
    let errors = errors.into_tokens();
    // Nothing calls the function now; that is not one more mistake.
    quote!(#[allow(dead_code)] #function #errors)
}

/// Reads the arguments of the attribute and of those of ours below it. Says whether both kinds are there.
fn read(attribute: Attribute, tokens: TokenStream, taken: &Taken, errors: &mut Errors) -> (Arguments, bool) {
    let mut all = vec![(attribute, tokens)];
    for (other, attr) in &taken.own {
        if all.iter().any(|(seen, _)| seen == other) {
            errors.at(attr, format!("`#[{}]` is applied twice; remove this one", other.name()));
        } else {
            all.push((*other, arguments::of(attr, errors)));
        }
    }
    // In either order the entry belongs to the roadmap test.
    all.sort_by_key(|(attribute, _)| *attribute == Attribute::Probe);
    let stacked = all.len() == 2;
    let mut arguments = Arguments::default();
    for (attribute, tokens) in all {
        arguments.read(attribute, tokens, errors);
    }
    (arguments, stacked)
}

fn form(
    attribute: Attribute,
    stacked: bool,
    arguments: &Arguments,
    function: &Function,
    errors: &mut Errors,
) -> Form {
    if (attribute == Attribute::RoadmapTest || stacked) && !arguments.has_entry() {
        let problem = "expected the id of a roadmap entry, such as `#[roadmap_test(\"DAG-005\")]`";
        errors.push(syn::Error::new(Span::call_site(), problem));
    }
    if attribute == Attribute::RoadmapTest && !stacked {
        return Form::RoadmapTest;
    }
    let types = function.argument_types();
    let inputs = &function.sig.inputs;
    let judges = types.len() == 2 || (types.len() == 1 && type_hint(types[0]).as_deref() == Some("Evidence"));
    match (stacked || arguments.has_entry(), &arguments.after) {
        (true, Some(after)) => {
            errors.at(after, "an observer has no entry of its own; remove the entry, or `after`");
            if judges { Form::Observer } else { Form::Scenario }
        }
        (true, None) => {
            if judges {
                let problem = "this function judges recorded evidence (`&Evidence`, `&mut Findings`); write `after = ..`, or take one `&Probe` to run a scenario";
                errors.at(inputs, problem);
            }
            Form::Scenario
        }
        (false, Some(after)) if !judges && types.len() == 1 => {
            let problem = "this function runs a scenario (`&Probe`); name its entry instead of `after`, or take `&Evidence` and `&mut Findings` to judge what was recorded";
            errors.at(after, problem);
            Form::Scenario
        }
        (false, _) if judges || arguments.after.is_some() => Form::Observer,
        (false, _) if types.len() == 1 => {
            let problem = "a scenario probe needs its roadmap entry: `#[silent_failure_probe(\"WORK-002\")]`, or `#[roadmap_test(..)]` above it";
            errors.push(syn::Error::new(Span::call_site(), problem));
            Form::Scenario
        }
        (false, _) => {
            let problem = "a probe takes one `&Probe` to run a scenario, or `&Evidence` and `&mut Findings` to judge what was recorded";
            errors.at(&function.sig.ident, problem);
            Form::Scenario
        }
    }
}

#[cfg(test)]
mod tests;
