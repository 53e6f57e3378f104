//! The path of the library, as seen from the user's module and from the generated one.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

use crate::arguments::Arguments;
use crate::function::Function;

/// How generated code reaches the library.
pub(crate) enum Krate {
    /// A path that means the same everywhere.
    Absolute(TokenStream),
    /// A path that means something in the user's module only, with the name under which the generated one finds it.
    Local(Path, Ident),
}

impl Krate {
    pub(crate) fn new(arguments: &Arguments, function: &Function) -> Self {
        match &arguments.krate {
            None => Krate::Absolute(quote!(::stageflow_stress)),
            Some(path) if path.leading_colon.is_some() || path.segments[0].ident == "crate" => {
                Krate::Absolute(quote!(#path))
            }
            Some(path) => {
                Krate::Local(path.clone(), format_ident!("__stageflow_crate_{}", function.plain_name()))
            }
        }
    }

    /// What the user's module needs for [`Krate::private`] to work.
    pub(crate) fn outside(&self, function: &Function) -> TokenStream {
        match self {
            Krate::Absolute(_) => TokenStream::new(),
            Krate::Local(path, alias) => {
                let conditions = function.conditions();
                quote!(#(#conditions)* #[doc(hidden)] use #path as #alias;)
            }
        }
    }

    /// The library's hidden module, from the user's module.
    pub(crate) fn private_outside(&self) -> TokenStream {
        match self {
            Krate::Absolute(path) => quote!(#path::__private),
            Krate::Local(path, _) => quote!(#path::__private),
        }
    }

    /// The library's hidden module, from the generated module.
    pub(crate) fn private(&self) -> TokenStream {
        match self {
            Krate::Absolute(path) => quote!(#path::__private),
            Krate::Local(_, alias) => quote!(super::#alias::__private),
        }
    }
}
