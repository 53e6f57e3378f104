//! Templates of messages that carry no callsite: forms that differ in few tokens are one template.

use std::collections::HashMap;

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
    by_form: HashMap<Box<[u8]>, u32>,
    forms: Vec<Form>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Form {
    text: Box<str>,
    count: u64,
}

/// A template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub text: String,
    pub count: u64,
}

impl Miner {
    /// The form of a message.
    pub fn add(&mut self, message: &str) -> u32 {
        form(message, &mut self.buffer);
        if let Some(&id) = self.by_form.get(self.buffer.as_slice()) {
            self.forms[id as usize].count += 1;
            return id;
        }
        let id = self.forms.len() as u32;
        let text = String::from_utf8_lossy(&self.buffer).into_owned().into_boxed_str();
        self.by_form.insert(self.buffer.clone().into_boxed_slice(), id);
        self.forms.push(Form { text, count: 1 });
        id
    }

    /// The templates, and the template of every form.
    ///
    /// Forms are taken in the order of their text, so the result depends on what was logged and not on the order.
    pub fn finish(&self, config: Config) -> (Vec<Template>, Vec<u32>) {
        let mut order: Vec<u32> = (0..self.forms.len() as u32).collect();
        order.sort_by(|a, b| self.forms[*a as usize].text.cmp(&self.forms[*b as usize].text));
        let mut groups = self.by_similarity(&order, config);
        merge_words(&mut groups, config);
        let mut of = vec![0u32; self.forms.len()];
        for (index, group) in groups.iter().enumerate() {
            for &form in &group.forms {
                of[form as usize] = index as u32;
            }
        }
        let templates = groups
            .into_iter()
            .map(|group| Template {
                text: group.tokens.join(" "),
                count: group.forms.iter().map(|form| self.forms[*form as usize].count).sum(),
            })
            .collect();
        (templates, of)
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
    for position in 0..longest {
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
        && !core.bytes().skip(1).zip(core.bytes()).any(|(b, before)| b.is_ascii_uppercase() && before.is_ascii_lowercase())
}
