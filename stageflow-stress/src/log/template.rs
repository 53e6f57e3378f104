//! Templates of messages that carry no callsite: forms that differ in few tokens are one template.

use std::collections::HashMap;
use std::hash::Hasher as _;

use super::hash::{Fast, Map, stable};
use super::mask::{MASK, form};

/// How forms are merged. One setting for every log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    /// Share of tokens that two forms of one length must have in common.
    pub similarity: f64,
    /// First tokens that must be equal.
    pub depth: usize,
    /// So many words in one place are values.
    pub values: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { similarity: 0.7, depth: 2, values: 5 }
    }
}

/// Assigns every message a form, and at the end every form a template.
#[derive(Debug, Default)]
pub(crate) struct Miner {
    /// By hash. Another form of the same hash has the next free number.
    by_hash: Map<u64, u32>,
    forms: Vec<Form>,
    buffer: Vec<u8>,
    /// Messages whose form was too much for the table.
    pub coarse: u64,
}

/// Messages that are equal once values are masked.
#[derive(Debug)]
pub(crate) struct Form {
    /// Callsite, or 0.
    pub scope: u32,
    pub text: Box<str>,
    pub count: u64,
}

/// A template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// Its text, with `<*>` for what varies.
    pub text: String,
    /// The same for the same text, on every machine.
    pub id: u64,
    /// The callsite whose messages it holds, or 0.
    pub scope: u32,
}

/// Forms that are kept apart. Beyond it, messages are told apart by their first words only.
const FORMS: usize = 20_000;

impl Miner {
    /// The form of a message from a callsite; 0 where that is not known.
    pub fn add(&mut self, scope: u32, message: &str) -> u32 {
        form(message, &mut self.buffer);
        if self.forms.len() >= FORMS {
            self.coarsen(scope);
        }
        match self.find(scope) {
            Ok(id) => {
                self.forms[id as usize].count += 1;
                id
            }
            Err(hash) => {
                let id = self.forms.len() as u32;
                let text = String::from_utf8_lossy(&self.buffer).into_owned().into_boxed_str();
                self.by_hash.insert(hash, id);
                self.forms.push(Form { scope, text, count: 1 });
                id
            }
        }
    }

    /// The form in the buffer, or the hash under which it is to be kept.
    fn find(&self, scope: u32) -> Result<u32, u64> {
        let mut hasher = Fast::default();
        hasher.write_u32(scope);
        hasher.write(&self.buffer);
        let mut hash = hasher.finish();
        while let Some(&id) = self.by_hash.get(&hash) {
            let known = &self.forms[id as usize];
            if known.scope == scope && known.text.as_bytes() == self.buffer {
                return Ok(id);
            }
            hash = hash.wrapping_add(1);
        }
        Err(hash)
    }

    fn coarsen(&mut self, scope: u32) {
        const WORDS: usize = 3;
        if self.find(scope).is_ok() {
            return;
        }
        self.coarse += 1;
        let end =
            self.buffer.iter().enumerate().filter(|(_, b)| **b == b' ').nth(WORDS - 1).map(|(at, _)| at);
        if let Some(end) = end {
            self.buffer.truncate(end);
            self.buffer.extend_from_slice(b" <*>");
        }
    }

    /// The forms, by number.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The templates, and the template of every form.
    ///
    /// Forms are taken in the order of their text, so the result depends on what was logged and not on the order.
    pub fn finish(&self, config: Config) -> (Vec<Template>, Vec<u32>) {
        let mut order: Vec<u32> = (0..self.forms.len() as u32).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&self.forms[*a as usize], &self.forms[*b as usize]);
            (a.scope, &a.text).cmp(&(b.scope, &b.text))
        });
        let (scoped, free): (Vec<u32>, Vec<u32>) =
            order.iter().partition(|form| self.forms[**form as usize].scope != 0);
        let mut groups = self.by_similarity(&free, config);
        merge_words(&mut groups, config);
        groups.extend(self.by_callsite(&scoped, config));
        let mut of = vec![0u32; self.forms.len()];
        for (index, group) in groups.iter().enumerate() {
            for &form in &group.forms {
                of[form as usize] = index as u32;
            }
        }
        let templates = groups
            .into_iter()
            .map(|group| {
                let text = group.tokens.join(" ");
                Template { id: stable(&text), scope: self.forms[group.forms[0] as usize].scope, text }
            })
            .collect();
        (templates, of)
    }

    /// All forms of one statement are one template, unless they have so little in common that the statement must be one
    /// that passes on what others say.
    fn by_callsite(&self, order: &[u32], config: Config) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for of_scope in order.chunk_by(|a, b| self.forms[*a as usize].scope == self.forms[*b as usize].scope)
        {
            let tokens: Vec<Vec<&str>> =
                of_scope.iter().map(|form| self.forms[*form as usize].text.split(' ').collect()).collect();
            let shortest = tokens.iter().map(Vec::len).min().unwrap_or(0);
            let same = |at: &dyn Fn(&[&str]) -> Option<String>| {
                let first = at(&tokens[0]);
                tokens.iter().all(|other| at(other) == first)
            };
            let head = (0..shortest).take_while(|n| same(&|t| t.get(*n).map(|t| (*t).to_owned()))).count();
            let tail = (0..shortest - head)
                .take_while(|n| same(&|t| t.get(t.len() - 1 - n).map(|t| (*t).to_owned())))
                .count();
            let statics = tokens[0][..head]
                .iter()
                .chain(&tokens[0][tokens[0].len() - tail..])
                .filter(|t| **t != MASK)
                .count();
            if tokens.len() == 1 || statics > 0 {
                let mut text = tokens[0].clone();
                if tokens.len() > 1 {
                    if tokens.iter().all(|other| other.len() == text.len()) {
                        for (at, have) in text.iter_mut().enumerate() {
                            if tokens.iter().any(|other| other[at] != *have) {
                                *have = MASK;
                            }
                        }
                    } else {
                        text.splice(head..text.len() - tail, [MASK]);
                    }
                }
                groups.push(Group { tokens: text, forms: of_scope.to_vec() });
            } else {
                let mut own = self.by_similarity(of_scope, config);
                merge_words(&mut own, config);
                groups.append(&mut own);
            }
        }
        groups
    }

    /// Forms of one length with the same first tokens and the same words, whose identifiers differ.
    fn by_similarity(&self, order: &[u32], config: Config) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut buckets: HashMap<(usize, Vec<&str>), Vec<usize>> = HashMap::new();
        for &index in order {
            let tokens: Vec<&str> = self.forms[index as usize].text.split(' ').collect();
            let key = tokens.iter().take(config.depth).copied().collect();
            let bucket = buckets.entry((tokens.len(), key)).or_default();
            let best = bucket
                .iter()
                .rev()
                .take(COMPARED)
                .map(|&g| (similarity(&groups[g].tokens, &tokens), g))
                .filter(|(s, _)| *s >= config.similarity)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, g)) = best {
                groups[g].generalise(&tokens);
                groups[g].forms.push(index);
            } else {
                groups.push(Group { tokens, forms: vec![index] });
                bucket.push(groups.len() - 1);
            }
        }
        groups
    }
}

/// Templates of one length and beginning that a form is compared with.
const COMPARED: usize = 400;
/// Tokens in whose place values may be found. What follows is as it is.
const PLACES: usize = 40;

/// Forms of one template.
#[derive(Debug)]
struct Group<'a> {
    tokens: Vec<&'a str>,
    forms: Vec<u32>,
}

impl<'a> Group<'a> {
    fn generalise(&mut self, tokens: &[&'a str]) {
        for (have, token) in self.tokens.iter_mut().zip(tokens) {
            if have != token {
                *have = MASK;
            }
        }
    }
}

/// A word that differs tells a state or a verb from another and keeps templates apart, unless so many words stand in that
/// place that they must be values.
fn merge_words(groups: &mut Vec<Group<'_>>, config: Config) {
    let longest = groups.iter().map(|group| group.tokens.len()).max().unwrap_or(0);
    for position in 0..longest.min(PLACES) {
        let mut alike: HashMap<Vec<&str>, Vec<usize>> = HashMap::new();
        for (index, group) in groups.iter().enumerate() {
            if position < group.tokens.len() && group.tokens.len() > 1 {
                let mut rest = group.tokens.clone();
                rest[position] = MASK;
                if rest.iter().any(|token| *token != MASK) {
                    alike.entry(rest).or_default().push(index);
                }
            }
        }
        let mut gone = Vec::new();
        for (tokens, members) in alike {
            if members.len() >= config.values {
                let first = members[0];
                groups[first].tokens = tokens;
                for &other in &members[1..] {
                    let forms = std::mem::take(&mut groups[other].forms);
                    groups[first].forms.extend(forms);
                    gone.push(other);
                }
            }
        }
        if !gone.is_empty() {
            groups.retain(|group| !group.forms.is_empty());
        }
    }
}

/// Share of equal tokens; none if a word differs.
fn similarity(a: &[&str], b: &[&str]) -> f64 {
    let mut same = 0;
    for (a, b) in a.iter().zip(b) {
        if a == b {
            same += 1;
        } else if is_word(a) && is_word(b) {
            return 0.0;
        }
    }
    same as f64 / a.len() as f64
}

/// A word of a language rather than an identifier: letters, possibly in punctuation.
fn is_word(token: &str) -> bool {
    let core = token.trim_matches(|c: char| c.is_ascii_punctuation());
    !core.is_empty()
        && core.bytes().all(|b| b.is_ascii_alphabetic())
        && !core
            .bytes()
            .skip(1)
            .zip(core.bytes())
            .any(|(b, before)| b.is_ascii_uppercase() && before.is_ascii_lowercase())
}
