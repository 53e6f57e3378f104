//! The arguments of both attributes: `"DAG-005", category = Stress, tags("slow")`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{LitStr, Path};

use crate::errors::Errors;
use crate::nearest::nearest;
use crate::options::{Flavor, Isolate, Options};
use crate::values;
use crate::words::{self, Words};

/// Every argument's name, for "did you mean".
const NAMES: &[&str] = &[
    "after",
    "allow",
    "background_panics",
    "category",
    "concurrent",
    "crate",
    "determinism",
    "expect_errors",
    "expect_panic",
    "fail_on",
    "flavor",
    "isolate",
    "iterations",
    "oracle",
    "owner",
    "patterns",
    "pipeline",
    "requirement",
    "seeds",
    "severity",
    "start_paused",
    "tags",
    "timeout",
    "worker_threads",
];

/// Which attribute an argument stands in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Attribute {
    /// `#[roadmap_test]`
    RoadmapTest,
    /// `#[silent_failure_probe]`
    Probe,
}

impl Attribute {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Attribute::RoadmapTest => "roadmap_test",
            Attribute::Probe => "silent_failure_probe",
        }
    }
}

/// What the arguments of one attribute, or of two stacked ones, say.
#[derive(Default)]
pub(crate) struct Arguments {
    /// The entry, with the attribute that names it.
    pub(crate) entry: Option<(LitStr, Attribute)>,
    /// Which entries an observer follows.
    pub(crate) after: Option<LitStr>,
    /// Variants of `Pattern` that a probe claims.
    pub(crate) patterns: Vec<Ident>,
    /// Path of the library.
    pub(crate) krate: Option<Path>,
    /// Everything else.
    pub(crate) options: Options,
    /// The names as written, in order.
    given: Vec<Ident>,
    /// Whether an entry was given that could not be read.
    broken_entry: bool,
}

/// One argument after its name.
enum Value {
    /// Nothing.
    Flag,
    /// `= tokens`
    Is(TokenStream),
    /// `(tokens)`
    List(TokenStream),
}

impl Arguments {
    /// Reads the arguments of `attribute` in addition to those already read.
    pub(crate) fn read(&mut self, attribute: Attribute, tokens: TokenStream, errors: &mut Errors) {
        for part in values::split(tokens) {
            if let Err(error) = self.argument(attribute, part, errors) {
                errors.push(error);
            }
        }
    }

    /// The name of an argument as written, if it was given.
    pub(crate) fn given(&self, name: &str) -> Option<&Ident> {
        self.given.iter().find(|given| *given == name)
    }

    /// Whether an entry was given, even if it could not be read.
    pub(crate) fn has_entry(&self) -> bool {
        self.entry.is_some() || self.broken_entry
    }

    /// The names as written, in order.
    pub(crate) fn all_given(&self) -> &[Ident] {
        &self.given
    }

    fn argument(&mut self, attribute: Attribute, part: TokenStream, errors: &mut Errors) -> syn::Result<()> {
        let mut tokens = part.clone().into_iter();
        let name = match tokens.next() {
            Some(TokenTree::Ident(name)) => name,
            _ => return self.positional(attribute, &part),
        };
        let text = name.to_string();
        if text.starts_with(|first: char| first.is_ascii_uppercase()) {
            return self.positional(attribute, &part);
        }
        if !NAMES.contains(&text.as_str()) {
            return Err(syn::Error::new_spanned(&name, unknown(&text)));
        }
        let value = match tokens.next() {
            None => Value::Flag,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => Value::Is(tokens.collect()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                if let Some(extra) = tokens.next() {
                    return Err(syn::Error::new_spanned(extra, "expected a comma"));
                }
                Value::List(group.stream())
            }
            Some(other) => {
                return Err(syn::Error::new_spanned(other, format!("expected `=` after `{text}`")));
            }
        };
        if let Value::Is(tokens) = &value {
            if tokens.is_empty() {
                return Err(syn::Error::new_spanned(&name, format!("expected a value: `{text} = ..`")));
            }
        }
        if self.given(&text).is_some() {
            return Err(syn::Error::new_spanned(&name, format!("`{text}` is given twice")));
        }
        let at = Named { name: &name, value };
        self.given.push(name.clone());
        self.set(attribute, &text, at, errors)
    }

    fn positional(&mut self, attribute: Attribute, part: &TokenStream) -> syn::Result<()> {
        let Ok(id) = syn::parse2::<LitStr>(part.clone()) else {
            self.broken_entry = true;
            let problem =
                "expected a roadmap id in double quotes, such as `\"DAG-005\"`, or a named argument";
            return Err(syn::Error::new_spanned(part, problem));
        };
        match &self.entry {
            Some((_, first)) if *first != attribute => {
                let problem = format!("the entry comes from `#[{}]`; remove this one", first.name());
                Err(syn::Error::new_spanned(part, problem))
            }
            Some(_) => Err(syn::Error::new_spanned(part, "the entry is given twice")),
            None => {
                self.entry = Some((id, attribute));
                Ok(())
            }
        }
    }

    fn set(&mut self, attribute: Attribute, text: &str, at: Named, errors: &mut Errors) -> syn::Result<()> {
        let options = &mut self.options;
        match text {
            "category" => options.category = Some(at.word(&words::CATEGORY)?),
            "pipeline" => options.pipeline = Some(at.word(&words::PIPELINE)?),
            "oracle" => options.oracles = at.words(&words::ORACLE, errors)?,
            "severity" => options.severity = Some(at.word(&words::SEVERITY)?),
            "fail_on" => options.fail_on = Some(at.word(&words::SEVERITY)?),
            "requirement" => options.requirements = at.texts(errors)?,
            "tags" => options.tags = at.texts(errors)?,
            "owner" => options.owner = Some(at.text()?),
            "flavor" => {
                options.flavor = Some(at.choice(
                    "runtime flavor",
                    [("multi_thread", Flavor::MultiThread), ("current_thread", Flavor::CurrentThread)],
                )?);
            }
            "worker_threads" => {
                let tokens = at.one("4")?;
                if syn::parse2::<syn::LitInt>(tokens.clone()).is_ok() {
                    values::positive::<usize>(&tokens)?;
                }
                options.worker_threads = Some(syn::parse2(tokens.clone()).map_err(|_| {
                    syn::Error::new_spanned(
                        &tokens,
                        "expected a whole number greater than zero, or a constant",
                    )
                })?);
            }
            "start_paused" => options.start_paused = Some(at.flag()?),
            "concurrent" => options.concurrent = at.flag()?,
            "timeout" => {
                let text = at.text()?;
                let timeout = values::duration(&text.value());
                options.timeout = Some(timeout.map_err(|problem| syn::Error::new_spanned(&text, problem))?);
            }
            "iterations" => options.iterations = Some(values::positive(&at.one("100")?)?),
            "seeds" => options.seeds = values::seeds(&at.one("1..=8")?)?,
            "determinism" => options.twice = at.choice("determinism", [("once", false), ("twice", true)])?,
            "background_panics" => {
                options.record_panics =
                    at.choice("treatment of panics", [("fail", false), ("record", true)])?;
            }
            "isolate" => options.isolate = Some(at.isolate(errors)?),
            "expect_panic" => options.expect_panic = Some(at.text()?),
            "expect_errors" => options.expect_errors = at.texts(errors)?,
            "allow" => options.allow = at.names(errors)?,
            "crate" => {
                let tokens = at.one("stageflow_stress")?;
                let path = syn::parse2::<Path>(tokens.clone());
                let problem = "expected the path of the library without quotes, such as `crate = stress`";
                self.krate = Some(path.map_err(|_| syn::Error::new_spanned(&tokens, problem))?);
            }
            "patterns" | "after" if attribute == Attribute::RoadmapTest => {
                let problem = format!("`{text}` belongs to `#[silent_failure_probe]`; write it there");
                return Err(syn::Error::new_spanned(at.name, problem));
            }
            "patterns" => self.patterns = at.words(&words::PATTERN, errors)?,
            "after" => self.after = Some(at.text()?),
            _ => return Err(syn::Error::new_spanned(at.name, unknown(text))),
        }
        Ok(())
    }
}

fn unknown(name: &str) -> String {
    // What other tools call the same thing.
    let renamed = match name {
        "seed" => Some("seeds"),
        "tag" => Some("tags"),
        "oracles" => Some("oracle"),
        "requirements" => Some("requirement"),
        "pattern" => Some("patterns"),
        "name" | "id" | "entry" => {
            return format!("unknown argument `{name}`; the entry comes first and bare, as in `\"DAG-005\"`");
        }
        _ => nearest(name, NAMES.iter().copied(), str::to_owned),
    };
    match renamed {
        Some(near) => format!("unknown argument `{name}`; did you mean `{near}`?"),
        None => format!("unknown argument `{name}`; expected one of {}", words::list(NAMES)),
    }
}

/// An argument with its name, to read the value in the shape that it needs.
struct Named<'a> {
    name: &'a Ident,
    value: Value,
}

impl Named<'_> {
    /// The single value of `name = value`.
    fn one(self, example: &str) -> syn::Result<TokenStream> {
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

    fn word(self, words: &Words) -> syn::Result<Ident> {
        words.parse(&self.one(words.all[0])?)
    }

    fn words(self, words: &Words, errors: &mut Errors) -> syn::Result<Vec<Ident>> {
        let parts = self.several(words.all[0])?;
        Ok(distinct(parts.iter().filter_map(|part| errors.keep(words.parse(part))).collect(), errors))
    }

    fn text(self) -> syn::Result<LitStr> {
        values::text(&self.one("\"..\"")?)
    }

    fn texts(self, errors: &mut Errors) -> syn::Result<Vec<LitStr>> {
        let parts = self.several("\"..\"")?;
        Ok(parts.iter().filter_map(|part| errors.keep(values::text(part))).collect())
    }

    /// Bare names, or the same in quotes.
    fn names(self, errors: &mut Errors) -> syn::Result<Vec<Ident>> {
        let parts = self.several("leaked_task")?;
        let name = |part: &TokenStream| {
            syn::parse2::<Ident>(part.clone()).map_err(|_| {
                syn::Error::new_spanned(part, "expected the bare name of an observer, such as `leaked_task`")
            })
        };
        Ok(distinct(parts.iter().filter_map(|part| errors.keep(name(part))).collect(), errors))
    }

    /// `name` or `name = true`.
    fn flag(self) -> syn::Result<bool> {
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
    fn choice<T: Copy>(self, what: &str, choices: [(&'static str, T); 2]) -> syn::Result<T> {
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

    fn isolate(self, errors: &mut Errors) -> syn::Result<Isolate> {
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

/// The arguments of an attribute that stands on an item, such as the second of two stacked ones.
pub(crate) fn of(attribute: &syn::Attribute, errors: &mut Errors) -> TokenStream {
    match &attribute.meta {
        syn::Meta::Path(_) => TokenStream::new(),
        syn::Meta::List(list) => list.tokens.clone(),
        syn::Meta::NameValue(meta) => {
            errors.at(meta, format!("expected `#[{}(..)]`", meta.path.to_token_stream()));
            TokenStream::new()
        }
    }
}
