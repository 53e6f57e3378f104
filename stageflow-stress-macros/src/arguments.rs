//! The arguments of both attributes: `"DAG-005", category = Stress, tags("slow")`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{LitStr, Path};

use crate::argument::{Named, Value};
use crate::errors::Errors;
use crate::nearest::nearest;
use crate::options::{Flavor, Options};
use crate::{values, words};

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
    "tune",
    "waive_log",
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
        if let Value::Is(tokens) = &value
            && tokens.is_empty()
        {
            return Err(syn::Error::new_spanned(&name, format!("expected a value: `{text} = ..`")));
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
            "waive_log" => {
                let texts = at.texts(errors)?;
                options.waive_log =
                    texts.iter().filter_map(|text| errors.keep(values::waiver(text))).collect();
            }
            "allow" => {
                for (observer, reason) in at.words_with(&words::OBSERVER, errors)? {
                    let reason = reason.map(|tokens| values::text(&tokens)).transpose();
                    if let Some(reason) = errors.keep(reason) {
                        options.allow.push((observer, reason));
                    }
                }
            }
            "tune" => {
                for (observer, severity) in at.words_with(&words::OBSERVER, errors)? {
                    let Some(severity) = severity else {
                        errors.at(&observer, format!("expected a severity: `{observer} = Medium`"));
                        continue;
                    };
                    if let Some(severity) = errors.keep(words::SEVERITY.parse(&severity)) {
                        options.tune.push((observer, severity));
                    }
                }
                for (observer, _) in &options.tune {
                    if options.allow.iter().any(|(waived, _)| waived == observer) {
                        errors.at(
                            observer,
                            format!("`{observer}` is waived by `allow`; remove one of the two"),
                        );
                    }
                }
            }
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
