//! The annotated function. Its body stays as it was written and is never parsed.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{FnArg, GenericParam, ReturnType, Safety, Signature, Type, Visibility};

use crate::arguments::Attribute;
use crate::errors::Errors;

/// Attributes of other tools that make a function a test.
const TESTS: &[&str] = &[
    "test",
    "bench",
    "rstest",
    "test_case",
    "test_matrix",
    "gtest",
    "quickcheck",
    "wasm_bindgen_test",
    "parameterized",
];

/// A function with its attributes.
pub(crate) struct Function {
    attrs: Vec<syn::Attribute>,
    vis: Visibility,
    pub(crate) sig: Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let attrs = input.call(syn::Attribute::parse_outer)?;
        let vis = input.parse()?;
        let head: TokenStream = input.fork().parse()?;
        if !is_function(head.clone()) {
            let name = head.into_iter().take_while(|token| match token {
                TokenTree::Ident(_) => true,
                TokenTree::Punct(punct) => matches!(punct.as_char(), '!' | '\''),
                _ => false,
            });
            let message = "this attribute goes on a function";
            return Err(syn::Error::new_spanned(name.collect::<TokenStream>(), message));
        }
        let sig = input.parse()?;
        let body: TokenStream = input.parse()?;
        match body.clone().into_iter().next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {}
            other => return Err(syn::Error::new_spanned(other, "expected a function with a body")),
        }
        Ok(Function { attrs, vis, sig, body })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Function { attrs, vis, sig, body } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}

fn is_function(tokens: TokenStream) -> bool {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "fn" => return true,
            TokenTree::Ident(ident)
                if ["const", "async", "unsafe", "safe", "extern"].iter().any(|q| ident == q) => {}
            TokenTree::Literal(_) => {}
            _ => return false,
        }
    }
    false
}

/// The attributes that the expansion moves, copies or refuses.
#[derive(Default)]
pub(crate) struct Taken {
    /// Our own, below the one that is being expanded.
    pub(crate) own: Vec<(Attribute, syn::Attribute)>,
    /// `#[ignore]`: goes to the generated `#[test]`.
    pub(crate) ignore: Vec<syn::Attribute>,
    /// Attributes that would register the function once more.
    tests: Vec<syn::Attribute>,
    /// `#[should_panic]`.
    should_panic: Vec<syn::Attribute>,
}

impl Function {
    /// Takes what must not stay on the function.
    pub(crate) fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        for attr in std::mem::take(&mut self.attrs) {
            let name =
                attr.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            match name.as_str() {
                "roadmap_test" => taken.own.push((Attribute::RoadmapTest, attr)),
                "silent_failure_probe" => taken.own.push((Attribute::Probe, attr)),
                "ignore" => taken.ignore.push(attr),
                "should_panic" => taken.should_panic.push(attr),
                name if TESTS.contains(&name) => taken.tests.push(attr),
                _ => self.attrs.push(attr),
            }
        }
        taken
    }

    /// The attributes that generated items share with the function: conditions, and lints that it allows.
    pub(crate) fn shared(&self) -> impl Iterator<Item = &syn::Attribute> {
        self.attrs.iter().filter(|attr| ["cfg", "allow"].iter().any(|name| attr.path().is_ident(name)))
    }

    /// The conditions alone.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &syn::Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
    }

    /// The name.
    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// The name without `r#`.
    pub(crate) fn plain_name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// Whether it is `async`.
    pub(crate) fn is_async(&self) -> bool {
        self.sig.asyncness.is_some()
    }

    /// The types of the arguments.
    pub(crate) fn argument_types(&self) -> Vec<&Type> {
        let types = self.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(&*typed.ty),
            FnArg::Receiver(_) => None,
        });
        types.collect()
    }

    /// Whether the first argument is `self`.
    pub(crate) fn is_method(&self) -> bool {
        matches!(self.sig.inputs.first(), Some(FnArg::Receiver(_)))
    }

    /// The return type, if one is written.
    pub(crate) fn return_type(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }

    /// The line of the name; 1 outside the compiler.
    pub(crate) fn line(&self) -> u32 {
        if !proc_macro::is_available() {
            return 1;
        }
        u32::try_from(self.sig.ident.span().unwrap().line()).unwrap_or(u32::MAX)
    }

    /// Reports what no form of the attributes can take. `noun` is the form, such as "a roadmap test".
    pub(crate) fn check(&self, noun: &str, attribute: Attribute, taken: &Taken, errors: &mut Errors) {
        let sig = &self.sig;
        if let Some(token) = &sig.constness {
            errors.at(token, format!("{noun} cannot be `const`"));
        }
        if let Safety::Unsafe(token) = &sig.safety {
            errors.at(token, format!("{noun} cannot be `unsafe`"));
        }
        if let Some(abi) = &sig.abi {
            errors.at(abi, format!("{noun} cannot be `extern`"));
        }
        for param in &sig.generics.params {
            if !matches!(param, GenericParam::Lifetime(_)) {
                errors.at(param, format!("{noun} cannot be generic"));
            }
        }
        for input in &sig.inputs {
            match input {
                FnArg::Receiver(receiver) => {
                    errors.at(
                        receiver,
                        format!("{noun} cannot be a method; write a function outside of the `impl`"),
                    );
                }
                FnArg::Typed(typed) if has_impl_trait(&typed.ty) => {
                    errors.at(&typed.ty, format!("{noun} cannot be generic; name the type"));
                }
                FnArg::Typed(_) => {}
            }
        }
        if let Some(ty) = self.return_type().filter(|ty| matches!(ty, Type::Never(_))) {
            errors.at(ty, format!("{noun} cannot return `!`; leave the return type out"));
        }
        for attr in &taken.tests {
            let problem =
                format!("`#[{}]` already registers the test; remove this attribute", attribute.name());
            errors.at(attr, problem);
        }
        for attr in &taken.should_panic {
            let expected = expected_panic(attr).unwrap_or_else(|| "..".to_owned());
            let write = format!("write `expect_panic = \"{expected}\"` in `#[{}(..)]`", attribute.name());
            errors.at(attr, format!("`#[should_panic]` would hide the panic from the run; {write}"));
        }
    }
}

fn has_impl_trait(ty: &Type) -> bool {
    match ty {
        Type::ImplTrait(_) => true,
        Type::Reference(reference) => has_impl_trait(&reference.elem),
        Type::Paren(paren) => has_impl_trait(&paren.elem),
        Type::Group(group) => has_impl_trait(&group.elem),
        _ => false,
    }
}

/// The text of `#[should_panic(expected = "..")]`.
fn expected_panic(attr: &syn::Attribute) -> Option<String> {
    let value = match &attr.meta {
        syn::Meta::NameValue(meta) => meta.value.to_token_stream(),
        syn::Meta::List(list) => list.tokens.clone().into_iter().skip(2).collect(),
        syn::Meta::Path(_) => return None,
    };
    syn::parse2::<syn::LitStr>(value).ok().map(|text| text.value())
}

/// The last segment of a type's path, behind references. It only picks a hint: what a type is, the compiler decides.
pub(crate) fn type_hint(ty: &Type) -> Option<String> {
    match ty {
        Type::Reference(reference) => type_hint(&reference.elem),
        Type::Paren(paren) => type_hint(&paren.elem),
        Type::Group(group) => type_hint(&group.elem),
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The first and the last token's place. An expression that begins with the one and ends with the other is underlined
/// like the tokens themselves, which no single span can do.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// `path::function(argument)`, shown where `ty` is. The tokens stay generated ones, for which the compiler suggests no
/// edits.
pub(crate) fn call_at(ty: &Type, path: TokenStream, function: &str, argument: &Ident) -> TokenStream {
    let (first, last) = ends(ty);
    let path = path.into_iter().map(|mut token| {
        token.set_span(token.span().located_at(first));
        token
    });
    let path: TokenStream = path.collect();
    let last = Span::call_site().located_at(last);
    let function = Ident::new(function, last);
    let argument = Ident::new(&argument.to_string(), argument.span().located_at(last));
    let call = quote_spanned!(last=> ::#function(#argument));
    quote!(#path #call)
}
