//! The value of one argument, in the shape that the argument needs.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::LitStr;

use crate::errors::Errors;
use crate::options::Isolate;
use crate::values;
use crate::words::{self, Words};

/// What follows an argument's name.
pub(crate) enum Value {
    /// Nothing.
    Flag,
    /// `= tokens`
    Is(TokenStream),
    /// `(tokens)`
    List(TokenStream),
}

/// An argument with its name.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) value: Value,
}

impl Named<'_> {
    /// The single value of `name = value`.
    pub(crate) fn one(self, example: &str) -> syn::Result<TokenStream> {
        match self.value {
            Value::Is(tokens) => Ok(tokens),
            _ => {
                let problem = format!("expected one value, such as `{} = {example}`", self.name);
                Err(syn::Error::new_spanned(self.name, problem))
            }
        }
    }

    /// The values of `name = value`, `name = [value, ..]` or `name(value, ..)`.
    fn several(self, example: &str) -> syn::Result<Vec<TokenStream>> {
        let parts = match self.value {
            Value::Is(tokens) => values::one_or_array(tokens),
            Value::List(tokens) => values::split(tokens),
            Value::Flag => Vec::new(),
        };
        if parts.is_empty() {
            let problem = format!("expected at least one value, such as `{}({example})`", self.name);
            return Err(syn::Error::new_spanned(self.name, problem));
        }
        Ok(parts)
    }

    pub(crate) fn word(self, words: &Words) -> syn::Result<Ident> {
        words.parse(&self.one(words.all[0])?)
    }

    pub(crate) fn words(self, words: &Words, errors: &mut Errors) -> syn::Result<Vec<Ident>> {
        let parts = self.several(words.all[0])?;
        Ok(distinct(parts.iter().filter_map(|part| errors.keep(words.parse(part))).collect(), errors))
    }

    /// `name(word, word = value, ..)`: words of a set, each with what follows its sign.
    pub(crate) fn words_with(
        self,
        words: &Words,
        errors: &mut Errors,
    ) -> syn::Result<Vec<(Ident, Option<TokenStream>)>> {
        let parts = self.several(words.all[0])?;
        let mut all: Vec<(Ident, Option<TokenStream>)> = Vec::new();
        for part in parts {
            let mut rest = part.clone().into_iter();
            let first = rest.next();
            let (word, value) = match rest.next() {
                Some(TokenTree::Punct(sign)) if sign.as_char() == '=' => {
                    (first.into_iter().collect(), Some(rest.collect::<TokenStream>()))
                }
                _ => (part.clone(), None),
            };
            let Some(word) = errors.keep(words.parse(&word)) else { continue };
            if value.as_ref().is_some_and(TokenStream::is_empty) {
                errors.at(&part, format!("expected a value: `{word} = ..`"));
            } else if all.iter().any(|(known, _)| *known == word) {
                errors.at(&word, format!("`{word}` is given twice"));
            } else {
                all.push((word, value));
            }
        }
        Ok(all)
    }

    pub(crate) fn text(self) -> syn::Result<LitStr> {
        values::text(&self.one("\"..\"")?)
    }

    pub(crate) fn texts(self, errors: &mut Errors) -> syn::Result<Vec<LitStr>> {
        let parts = self.several("\"..\"")?;
        Ok(parts.iter().filter_map(|part| errors.keep(values::text(part))).collect())
    }

    /// `name` or `name = true`.
    pub(crate) fn flag(self) -> syn::Result<bool> {
        match self.value {
            Value::Flag => Ok(true),
            Value::Is(tokens) => syn::parse2::<syn::LitBool>(tokens.clone())
                .map(|value| value.value)
                .map_err(|_| syn::Error::new_spanned(tokens, "expected `true` or `false`")),
            Value::List(_) => {
                let problem = format!("`{0}` is a flag; write `{0}` alone", self.name);
                Err(syn::Error::new_spanned(self.name, problem))
            }
        }
    }

    /// One of two texts.
    pub(crate) fn choice<T: Copy>(self, what: &str, choices: [(&'static str, T); 2]) -> syn::Result<T> {
        let example = format!("\"{}\"", choices[0].0);
        let tokens = self.one(&example)?;
        let [(first, _), (second, _)] = choices;
        let expected = format!("expected `{first}` or `{second}`");
        let text = syn::parse2::<LitStr>(tokens.clone())
            .map_err(|_| syn::Error::new_spanned(&tokens, format!("{expected}, in double quotes")))?;
        let value = text.value();
        let found = choices.iter().find(|(name, _)| *name == value);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| syn::Error::new_spanned(&tokens, format!("unknown {what} `{value}`; {expected}")))
    }

    pub(crate) fn isolate(self, errors: &mut Errors) -> syn::Result<Isolate> {
        const LIMITS: &[&str] = &["memory", "fds", "stack", "time"];
        let mut limits = Isolate::default();
        let tokens = match self.value {
            Value::Flag => return Ok(limits),
            Value::List(tokens) => tokens,
            Value::Is(tokens) => {
                return Err(syn::Error::new_spanned(
                    tokens,
                    "expected `isolate` or `isolate(memory = \"512MB\", ..)`",
                ));
            }
        };
        let mut given: Vec<Ident> = Vec::new();
        for part in values::split(tokens) {
            let mut rest = part.clone().into_iter();
            let (Some(TokenTree::Ident(name)), Some(TokenTree::Punct(sign))) = (rest.next(), rest.next())
            else {
                errors.at(&part, "expected a limit such as `memory = \"512MB\"`");
                continue;
            };
            let value: TokenStream = rest.collect();
            let text = name.to_string();
            if sign.as_char() != '=' || value.is_empty() {
                errors.at(&part, format!("expected a value: `{text} = ..`"));
            } else if given.contains(&name) {
                errors.at(&name, format!("`{text}` is given twice"));
            } else if let Some(limit) = LIMITS.iter().find(|limit| text == **limit) {
                let literal = || values::text(&value);
                let spanned = |problem| syn::Error::new_spanned(&value, problem);
                let bytes = || values::bytes(&literal()?.value()).map_err(spanned);
                match *limit {
                    "memory" => limits.memory = errors.keep(bytes()),
                    "stack" => limits.stack = errors.keep(bytes()),
                    "fds" => limits.fds = errors.keep(values::positive(&value)),
                    _ => {
                        let time =
                            literal().and_then(|text| values::duration(&text.value()).map_err(spanned));
                        limits.time = errors.keep(time);
                    }
                }
            } else {
                errors.at(&name, format!("unknown limit `{text}`; expected one of {}", words::list(LIMITS)));
            }
            given.push(name);
        }
        Ok(limits)
    }
}

/// Reports every repetition.
fn distinct(idents: Vec<Ident>, errors: &mut Errors) -> Vec<Ident> {
    for (at, ident) in idents.iter().enumerate() {
        if idents[..at].contains(ident) {
            errors.at(ident, format!("`{ident}` is given twice"));
        }
    }
    idents
}
