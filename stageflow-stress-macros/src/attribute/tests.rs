//! Snapshots of expansions. The expander is an ordinary function, so no compiler is needed.

use super::*;

/// The expansion as formatted source.
fn expanded(attribute: Attribute, tokens: TokenStream, item: TokenStream) -> String {
    let expansion = expand_with(&Catalogue::default(), attribute, tokens, item);
    let file = syn::parse2::<syn::File>(expansion).expect("an expansion is a list of items");
    prettyplease::unparse(&file)
}

/// The messages of the errors in an expansion.
fn errors(attribute: Attribute, tokens: TokenStream, item: TokenStream) -> Vec<String> {
    let expansion = expand_with(&Catalogue::default(), attribute, tokens, item);
    let file = syn::parse2::<syn::File>(expansion).expect("an expansion is a list of items");
    let macros = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) => syn::parse2::<syn::LitStr>(item.mac.tokens.clone()).ok(),
        _ => None,
    });
    macros.map(|message| message.value()).collect()
}

#[test]
fn a_bare_test() {
    let item = quote! {
        /// Merges.
        #[cfg(unix)]
        #[ignore = "slow"]
        #[inline]
        pub fn fan_out() { assert!(true); }
    };
    insta::assert_snapshot!(expanded(Attribute::RoadmapTest, quote!("DAG-005"), item));
}

#[test]
fn an_asynchronous_test_with_seeds_and_options() {
    let arguments = quote! {
        "DAG-005", category = Scalability, oracle(Bounds, Timing), worker_threads = WORKERS, timeout = "30s",
        seeds = 1..=2, isolate(memory = "1MB"), allow(leaked_task), crate = stress
    };
    let item = quote!(
        async fn r#match(cx: &TestContext) -> Result<(), Error> {
            Ok(())
        }
    );
    insta::assert_snapshot!(expanded(Attribute::RoadmapTest, arguments, item));
}

#[test]
fn stacked_attributes_expand_alike_in_either_order() {
    let below = quote! {
        #[silent_failure_probe(patterns(PartialState))]
        async fn undo(probe: &Probe) -> Outcome { Ok(()) }
    };
    let above = quote! {
        #[roadmap_test("WORK-010", owner = "core")]
        async fn undo(probe: &Probe) -> Outcome { Ok(()) }
    };
    let expansion = expanded(Attribute::RoadmapTest, quote!("WORK-010", owner = "core"), below);
    assert_eq!(expansion, expanded(Attribute::Probe, quote!(patterns(PartialState)), above));
    insta::assert_snapshot!(expansion);
}

#[test]
fn an_observer() {
    let item = quote!(
        fn ended(evidence: &Evidence, findings: &mut Findings) {}
    );
    insta::assert_snapshot!(expanded(Attribute::Probe, quote!(after = "DAG-*"), item));
}

#[test]
fn the_item_survives_its_mistakes() {
    let item = quote!(
        #[test]
        fn broken<T>(cx: &TestContext) {
            body();
        }
    );
    let expansion = expanded(Attribute::RoadmapTest, quote!("DAG-05", flavour = "x"), item);
    insta::assert_snapshot!(expansion);
}

#[test]
fn a_body_that_does_not_parse_is_left_to_the_compiler() {
    let item = quote!(fn odd() { let = ; });
    let expansion = expand_with(&Catalogue::default(), Attribute::RoadmapTest, quote!("DAG-005"), item);
    assert!(expansion.to_string().starts_with("fn odd () { let = ; }"), "{expansion}");
}

#[test]
fn what_is_no_function_comes_back_whole() {
    let item = quote!(
        struct Whole {
            field: u8,
        }
    );
    let expansion = expand_with(&Catalogue::default(), Attribute::Probe, quote!("DAG-005"), item.clone());
    assert!(expansion.to_string().starts_with(&item.to_string()));
    assert_eq!(
        errors(Attribute::Probe, quote!("DAG-005"), item),
        ["`#[silent_failure_probe]` goes on a function"]
    );
}

#[test]
fn mistakes_of_both_attributes_and_of_the_signature_come_together() {
    let item = quote! {
        #[silent_failure_probe(patterns(Nothing))]
        unsafe fn mixed(a: &Probe, b: &Probe, c: &Probe) {}
    };
    let found = errors(Attribute::RoadmapTest, quote!("DAG-999", category = Fast), item);
    assert_eq!(found.len(), 5, "{found:#?}");
}
