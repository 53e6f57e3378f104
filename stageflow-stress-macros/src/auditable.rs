//! `#[derive(Auditable)]`: state that a probe can snapshot.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Ident, Path};

use crate::errors::Errors;
use crate::function::call_at;
use crate::nearest::nearest;

/// What `#[audit(..)]` says.
#[derive(Default)]
struct Audit {
    /// Left out.
    skip: bool,
    /// Tells one value of a list from the next.
    key: bool,
    /// Only a hash is kept.
    sensitive: bool,
    /// Path of the library.
    krate: Option<Path>,
}

/// Expands the derive.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let krate = Audit::read(&input.attrs, &["crate"], &mut errors).krate;
    let krate = krate.map_or_else(|| quote!(::stageflow_stress), |path| quote!(#path));
    let probe = quote!(#krate::probe);
    let body = match &input.data {
        Data::Struct(data) => {
            let (pattern, value) = fields(&data.fields, &probe, &mut errors);
            quote!(let Self #pattern = self; #value)
        }
        Data::Enum(data) if data.variants.is_empty() => quote!(match *self {}),
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                Audit::read(&variant.attrs, &[], &mut errors);
                let (name, text) = (&variant.ident, variant.ident.unraw().to_string());
                let (pattern, value) = fields(&variant.fields, &probe, &mut errors);
                // A variant without fields is its name; with fields it is its name and they.
                let value = match variant.fields {
                    Fields::Unit => quote!(#probe::Auditable::snapshot(#text)),
                    _ => quote!(#probe::AuditValue::variant(#text, { #value })),
                };
                quote!(Self::#name #pattern => #value,)
            });
            let arms: Vec<_> = arms.collect();
            quote!(match self { #(#arms)* })
        }
        Data::Union(data) => {
            errors.at(data.union_token, "a union cannot be snapshot; write `Auditable` by hand");
            TokenStream::new()
        }
    };
    if !errors.is_empty() {
        return errors.into_tokens();
    }
    let mut generics = input.generics.clone();
    for param in &mut generics.params {
        if let GenericParam::Type(param) = param {
            param.bounds.push(syn::parse_quote!(#probe::Auditable));
        }
    }
    let (name, (imp, ty, predicates)) = (&input.ident, generics.split_for_impl());
    quote! {
        #[automatically_derived]
        impl #imp #probe::Auditable for #name #ty #predicates {
            fn snapshot(&self) -> #probe::AuditValue {
                #body
            }
        }
    }
}

/// The pattern that binds the fields, and the expression that makes a value of them.
fn fields(fields: &Fields, probe: &TokenStream, errors: &mut Errors) -> (TokenStream, TokenStream) {
    let single = matches!(fields, Fields::Unnamed(_)) && fields.len() == 1;
    let (mut bindings, mut pairs, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for (at, field) in fields.iter().enumerate() {
        let audit = Audit::read(&field.attrs, &["skip", "key", "sensitive"], errors);
        audit.check(field, errors);
        let binding = Ident::new(&format!("field_{at}"), Span::mixed_site());
        let member = field.ident.as_ref();
        let name = member.map_or_else(|| at.to_string(), |name| name.unraw().to_string());
        bindings.push(match (member, audit.skip) {
            (Some(name), true) => quote!(#name: _),
            (Some(name), false) => quote!(#name: #binding),
            (None, true) => quote!(_),
            (None, false) => quote!(#binding),
        });
        if audit.skip {
            continue;
        }
        let mut value = call_at(&field.ty, quote!(#probe::Auditable), "snapshot", &binding);
        if audit.key {
            keys.push(value.clone());
        }
        if audit.sensitive {
            value = quote!(#probe::AuditValue::hidden(&#value));
        }
        pairs.push((name, value));
    }
    let keyed = |value: TokenStream| match &keys[..] {
        [] => value,
        keys => quote!(#probe::AuditValue::keyed(&[#(#keys),*], #value)),
    };
    if single && pairs.len() == 1 {
        let value = &pairs[0].1;
        return (quote!((#(#bindings),*)), keyed(quote!(#value)));
    }
    let pairs = pairs.iter().map(|(name, value)| quote!((#name, #value)));
    let value = keyed(quote!(#probe::AuditValue::map::<&'static ::core::primitive::str>([#(#pairs),*])));
    match fields {
        Fields::Named(_) => (quote!({ #(#bindings),* }), value),
        Fields::Unnamed(_) => (quote!((#(#bindings),*)), value),
        Fields::Unit => (TokenStream::new(), quote!(#probe::AuditValue::Null)),
    }
}

impl Audit {
    /// Reads every `#[audit(..)]`; `known` are the words that may stand here.
    fn read(attrs: &[syn::Attribute], known: &[&'static str], errors: &mut Errors) -> Audit {
        let mut audit = Audit::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("audit")) {
            let parsed = attr.parse_nested_meta(|meta| {
                let word = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
                if !known.contains(&word.as_str()) {
                    return Err(meta.error(unknown(&word, known)));
                }
                let flag = match word.as_str() {
                    "skip" => &mut audit.skip,
                    "key" => &mut audit.key,
                    "sensitive" => &mut audit.sensitive,
                    _ => {
                        audit.krate = Some(meta.value()?.parse()?);
                        return Ok(());
                    }
                };
                if std::mem::replace(flag, true) {
                    return Err(meta.error(format_args!("`{word}` is given twice")));
                }
                Ok(())
            });
            errors.keep(parsed);
        }
        audit
    }

    fn check(&self, field: &Field, errors: &mut Errors) {
        if self.skip && (self.key || self.sensitive) {
            errors.at(field, "a skipped field can be neither `key` nor `sensitive`");
        }
        if self.key && self.sensitive {
            errors.at(field, "a `sensitive` field cannot be a `key`, which is shown");
        }
    }
}

fn unknown(word: &str, known: &[&'static str]) -> String {
    match (nearest(word, known.iter().copied(), str::to_owned), known) {
        (Some(near), _) => format!("unknown argument `{word}`; did you mean `{near}`?"),
        (None, []) => "`#[audit(..)]` goes on a field".to_owned(),
        (None, known) => format!("unknown argument `{word}`; expected one of {}", crate::words::list(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_shape() {
        let item = quote! {
            enum State<T> where T: Clone {
                Empty,
                One(u8),
                Pair(u8, #[audit(sensitive)] String),
                Named { #[audit(key)] id: u64, #[audit(skip)] cache: Cache, value: T },
            }
        };
        let file: syn::File = syn::parse2(expand(item)).unwrap();
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
