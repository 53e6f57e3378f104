//! A test: `#[roadmap_test]`, a scenario probe, or both stacked.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, ExprLit, Lit};

use crate::arguments::Arguments;
use crate::attribute::Form;
use crate::errors::Errors;
use crate::function::{Function, Taken, call_at, ends};
use crate::krate::Krate;
use crate::options::Flavor;
use crate::roadmap::{Catalogue, Found};

/// Reports what is wrong with a test, and writes what registers it.
pub(crate) fn expand(
    form: Form,
    function: &Function,
    arguments: &Arguments,
    taken: &Taken,
    catalogue: &Catalogue,
    errors: &mut Errors,
) -> TokenStream {
    check_arguments(form, function, arguments, errors);
    check_runtime(function, arguments, errors);
    let Some((id, found)) = entry(form, arguments, catalogue, errors) else { return TokenStream::new() };
    if !errors.is_empty() {
        return TokenStream::new();
    }
    let krate = Krate::new(arguments, function);
    let outside = krate.outside(function);
    let private = krate.private();
    let golden = format_ident!("__stageflow_golden_{}", function.plain_name());
    let golden_macro = krate.private_outside();
    let (workers, workers_item) = workers(function, arguments);

    let conditions: Vec<_> = function.conditions().collect();
    let shared: Vec<_> = function.shared().collect();
    let ignore = &taken.ignore;
    let module = function.name();
    let ignored = ignored(ignore.first());
    let definition =
        definition(form, function, arguments, &found, &private, workers.as_ref(), &golden, &ignored);
    let cases = cases(&id, arguments, function, &private, ignore);
    let tracking = catalogue.tracking();
    let text = quote!(&::core::primitive::str);
    quote! {
        #outside
        #workers_item
        #(#conditions)*
        #[doc(hidden)]
        fn #golden(name: #text, content: #text) {
            // insta's macro writes these without a path, and the user's module may call something else so.
            use ::core::{option::Option::Some, primitive::str};
            #golden_macro::insta::assert_snapshot!(name, content);
        }
        #(#shared)*
        #[doc(hidden)]
        mod #module {
            #tracking
            #definition
            #cases
        }
    }
}

/// The entry and where it was found. An observer's pattern in its place gets a message of its own.
fn entry<'a>(
    form: Form,
    arguments: &Arguments,
    catalogue: &'a Catalogue,
    errors: &mut Errors,
) -> Option<(String, Found<'a>)> {
    let (literal, _) = arguments.entry.as_ref()?;
    for problem in catalogue.problems() {
        errors.at(literal, problem);
    }
    let id = literal.value();
    if id.contains('*') {
        let write = match form {
            Form::Scenario => format!("write `after = \"{id}\"` and take `&Evidence` and `&mut Findings`"),
            _ => "a test belongs to one".to_owned(),
        };
        errors.at(literal, format!("`{id}` selects many entries; {write}"));
        return None;
    }
    let found = catalogue.find(&id);
    if found.is_none() {
        errors.at(literal, catalogue.unknown(&id));
    }
    Some((id, found?))
}

fn check_arguments(form: Form, function: &Function, arguments: &Arguments, errors: &mut Errors) {
    if function.is_method() {
        return;
    }
    let inputs = &function.sig.inputs;
    match (form, inputs.len()) {
        // Two arguments are those of an observer, and reported as such.
        (Form::RoadmapTest, 0 | 1) | (Form::Scenario | Form::Observer, 1 | 2) => {}
        (Form::RoadmapTest, _) => {
            errors.at(inputs, "a roadmap test takes at most one argument, `&TestContext`")
        }
        // Without an entry it is not even clear that a scenario was meant, which is reported.
        (_, 0) if arguments.has_entry() => {
            errors.at(function.name(), "a scenario probe takes one argument, `&Probe`");
        }
        (_, 0) => {}
        _ => errors.at(inputs, "a scenario probe takes one argument, `&Probe`"),
    }
}

fn check_runtime(function: &Function, arguments: &Arguments, errors: &mut Errors) {
    let options = &arguments.options;
    if !function.is_async() {
        for name in ["flavor", "worker_threads", "start_paused"] {
            if let Some(name) = arguments.given(name) {
                errors.at(name, format!("`{name}` needs an `async fn`"));
            }
        }
        return;
    }
    let current_thread = options.flavor == Some(Flavor::CurrentThread);
    if let Some(name) = arguments.given("start_paused").filter(|_| options.start_paused == Some(true))
        && !current_thread
    {
        errors.at(name, "`start_paused` needs `flavor = \"current_thread\"`");
    }
    if let Some(name) = arguments.given("worker_threads").filter(|_| current_thread) {
        errors.at(name, "`worker_threads` needs `flavor = \"multi_thread\"`");
    }
}

/// Where `worker_threads` is no plain number: the call, and a function in the user's scope that it calls.
fn workers(function: &Function, arguments: &Arguments) -> (Option<TokenStream>, TokenStream) {
    match &arguments.options.worker_threads {
        None | Some(Expr::Lit(ExprLit { lit: Lit::Int(_), .. })) => (None, TokenStream::new()),
        Some(expr) => {
            let name = format_ident!("__stageflow_workers_{}", function.plain_name());
            let conditions = function.conditions();
            let item = quote! {
                #(#conditions)*
                #[doc(hidden)]
                const fn #name() -> ::core::primitive::usize {
                    let workers: ::core::primitive::usize = #expr;
                    ::core::assert!(workers > 0, "`worker_threads` must be greater than zero");
                    workers
                }
            };
            (Some(quote!(super::#name())), item)
        }
    }
}

/// `#[ignore]` as a value: without the standard harness nobody reads the attribute.
fn ignored(attr: Option<&syn::Attribute>) -> TokenStream {
    let Some(attr) = attr else { return quote!(::core::option::Option::None) };
    let reason = match &attr.meta {
        syn::Meta::NameValue(meta) => meta.value.to_token_stream(),
        _ => quote!(""),
    };
    quote!(::core::option::Option::Some(#reason))
}

/// `const fn definition(case, seed) -> TestDef`, from which the cases differ in nothing else.
#[expect(clippy::too_many_arguments, reason = "one argument for each part of the definition")]
fn definition(
    form: Form,
    function: &Function,
    arguments: &Arguments,
    found: &Found<'_>,
    private: &TokenStream,
    workers: Option<&TokenStream>,
    golden: &Ident,
    ignored: &TokenStream,
) -> TokenStream {
    let options = arguments.options.tokens(private, workers);
    let (row, entry) = match found {
        Found::BuiltIn(row) => {
            let id = &row.id;
            (TokenStream::new(), quote!(#private::EntryRef::BuiltIn(#id)))
        }
        Found::Project(row, path) => {
            let row = row.tokens(private);
            (
                quote!(static ROW: #private::Entry = #row;),
                quote!(#private::EntryRef::Project { entry: &ROW, path: #path }),
            )
        }
    };
    let kind = match form {
        Form::Scenario => {
            let patterns = &arguments.patterns;
            quote!(#private::TestKind::Probe { patterns: &[#(#private::Pattern::#patterns),*] })
        }
        _ => quote!(#private::TestKind::Roadmap),
    };
    let body = body(form, function, private);
    let name = function.plain_name();
    let line = function.line();
    quote! {
        #row
        const OPTIONS: #private::Options = #options;
        const fn definition(
            case: &'static ::core::primitive::str,
            seed: ::core::option::Option<::core::primitive::u64>,
        ) -> #private::TestDef {
            #private::TestDef {
                entry: #entry,
                kind: #kind,
                function: #name,
                case,
                module_path: ::core::module_path!(),
                file: ::core::file!(),
                line: #line,
                manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
                package: ::core::env!("CARGO_PKG_NAME"),
                package_version: ::core::env!("CARGO_PKG_VERSION"),
                crate_name: ::core::env!("CARGO_CRATE_NAME"),
                ignore: #ignored,
                options: #private::Options { seed, ..OPTIONS },
                body: #body,
                golden: super::#golden,
            }
        }
    }
}

/// The stored call. It is placed where the signature is, so that a wrong type is reported there, and once.
fn body(form: Form, function: &Function, private: &TokenStream) -> TokenStream {
    let types = function.argument_types();
    let (first, last) = match function.return_type() {
        Some(ty) => ends(ty),
        None => ends(function.name()),
    };
    let mut name = function.name().clone();
    name.set_span(name.span().located_at(first));
    let argument = match form {
        Form::Scenario => quote!(ProbeArgument),
        _ => quote!(TestArgument),
    };
    // Local names resolve where they are introduced, whatever macro the types come from.
    let handle = Ident::new("handle", Span::mixed_site());
    let argument = types.first().map(|ty| call_at(ty, quote!(#private::#argument), "from_handle", &handle));
    let path = quote_spanned!(first=> super::#name);
    let mut call = quote_spanned!(last=> (#argument));
    call = quote!(#path #call);
    if function.is_async() {
        let awaited = quote_spanned!(last=> .await);
        call = quote!(#call #awaited);
    }
    let handle = if argument.is_some() { handle.into_token_stream() } else { quote!(_) };
    let outcome = quote!(#private::IntoOutcome::into_outcome(#call));
    let variant = match (form, function.is_async()) {
        (Form::Scenario, false) => quote!(SyncProbe),
        (Form::Scenario, true) => quote!(AsyncProbe),
        (_, false) => quote!(Sync),
        (_, true) => quote!(Async),
    };
    if function.is_async() {
        quote!(#private::Body::#variant(|#handle| ::std::boxed::Box::pin(async move { #outcome })))
    } else {
        quote!(#private::Body::#variant(|#handle| #outcome))
    }
}

/// One static, one submission and one `#[test]` for each seed, or for the test itself.
fn cases(
    id: &str,
    arguments: &Arguments,
    function: &Function,
    private: &TokenStream,
    ignore: &[syn::Attribute],
) -> TokenStream {
    let stem = id.to_lowercase().replace('-', "_");
    let case = |case: String, entry: Ident, seed: TokenStream| {
        let test = Ident::new(&case, Span::call_site().located_at(function.name().span()));
        quote! {
            static #entry: #private::TestDef = definition(#case, #seed);
            #private::inventory::submit! { #private::Registered(&#entry) }
            #[::core::prelude::v1::test]
            #(#ignore)*
            fn #test() {
                #private::libtest(&#entry);
            }
        }
    };
    let seeds = &arguments.options.seeds;
    if seeds.is_empty() {
        return case(stem, format_ident!("ENTRY"), quote!(::core::option::Option::None));
    }
    let cases = seeds.iter().map(|seed| {
        let entry = format_ident!("ENTRY_{seed}");
        case(format!("{stem}_seed_{seed}"), entry, quote!(::core::option::Option::Some(#seed)))
    });
    cases.collect()
}
