//! D22 values of the wrong type, D23 secrets.

use serde_json::json;

use super::super::event::{Kind, Sym};
use super::super::hash::Map;
use super::super::mask::MASK;
use super::facts::Facts;
use super::{Hit, LINES, Seen, Verdict, sort_hits};
use crate::classify::Severity;

/// Texts of values that were printed by mistake.
const STRANGE: &[&str] =
    &["NaN", "nan", "None", "null", "nil", "undefined", "inf", "-inf", "[object", "Infinity"];

/// A place for values: its records, and the lines of those whose value is strange or empty.
#[derive(Debug, Default, Clone)]
struct Slot(u64, Vec<u32>, Vec<u32>);

pub(super) struct Values {
    /// Per template its fields, which nearly always come in the same order.
    fields: Vec<Vec<(Sym, Slot)>>,
    secrets: Map<(String, u32), Vec<u32>>,
    redacted: u64,
    /// Forms that may hold a secret.
    suspicious: Vec<bool>,
}

impl Values {
    pub fn new(facts: &Facts<'_, '_>) -> Self {
        Values {
            fields: vec![Vec::new(); facts.templates.len()],
            secrets: Map::default(),
            redacted: 0,
            suspicious: facts
                .forms
                .iter()
                .map(|form| prefix(&form.text) || form.text.contains("{{REDACTED"))
                .collect(),
        }
    }

    #[inline]
    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let record = seen.record;
        if !matches!(record.kind, Kind::Event | Kind::Raw) {
            return;
        }
        if self.suspicious[record.form as usize] {
            self.redacted += record.message.matches("{{REDACTED:").count() as u64;
            if let Some(kind) = secret(&record.message) {
                self.secrets.entry((kind, seen.template)).or_default().push(record.line);
            }
        }
        let slots = &mut self.fields[seen.template as usize];
        for (place, (key, value)) in facts.log.fields_of(record).iter().enumerate() {
            let at = match slots.get(place) {
                Some((known, _)) if known == key => place,
                _ => slots.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
                    slots.push((*key, Slot::default()));
                    slots.len() - 1
                }),
            };
            let of = &mut slots[at].1;
            of.0 += 1;
            match value.as_bytes() {
                [] | b"[]" | b"{}" | b"\"\"" if of.2.len() < LINES => of.2.push(record.line),
                // An optional that is not there is told by `None`, and that is no mistake.
                b"NaN" | b"nan" | b"undefined" | b"inf" | b"-inf" | b"[object Object]"
                    if of.1.len() < LINES =>
                {
                    of.1.push(record.line)
                }
                [b'O', b'k', b'(', b'E', ..] | [b'E', b'r', b'r', b'(', ..] if of.1.len() < LINES => {
                    of.1.push(record.line)
                }
                [b'{', b'{', b'R', ..] => self.redacted += 1,
                bytes if bytes.len() >= 16 && bytes[0] != b'/' && may_hold_secret(bytes) => {
                    if let Some(kind) = Some(&**value).filter(|value| prefix(value)).and_then(secret) {
                        self.secrets.entry((kind, seen.template)).or_default().push(record.line);
                    }
                }
                _ => {}
            }
        }
    }

    pub fn finish(self, facts: &Facts<'_, '_>) -> Vec<Verdict> {
        vec![self.types(facts), self.secrets(facts)]
    }

    fn types(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut hits = Vec::new();
        // Forms by text, to find the one that a strange form should have been.
        let by_text: Map<(u32, &str), usize> =
            facts.forms.iter().enumerate().map(|(at, form)| ((form.scope, &*form.text), at)).collect();
        let mut slots = 0u64;
        for form in facts.forms {
            if !form.text.contains(MASK) && !form.text.contains("NaN") && !strange_in(&form.text) {
                continue;
            }
            slots += u64::from(form.text.contains(MASK));
            if !strange_in(&form.text)
                && !form.text.contains("Some(")
                && !form.text.contains("Ok(Err(")
                && !form.text.contains('\u{fffd}')
            {
                continue;
            }
            let tokens: Vec<&str> = form.text.split(' ').collect();
            for (at, token) in tokens.iter().enumerate() {
                let object = *token == "[object";
                let core = token.trim_matches(|c: char| c.is_ascii_punctuation() && c != '-' && c != '[');
                let wrapped =
                    token.starts_with("Some(") || token.starts_with("Ok(Err(") || token.contains('\u{fffd}');
                if !object && !wrapped && !STRANGE.contains(&core) {
                    continue;
                }
                let mut usual: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
                usual[at] = if wrapped { MASK.to_owned() } else { token.replace(core, MASK) };
                if object {
                    usual[at] = MASK.to_owned();
                    usual.remove((at + 1).min(tokens.len() - 1));
                }
                let text = usual.join(" ");
                let Some(&sibling) = by_text.get(&(form.scope, text.as_str())) else { continue };
                let (n, strange) = (facts.forms[sibling].count, form.count);
                if n >= 20 && (strange as f64) < 0.05 * n as f64 {
                    let line = facts.log.records.iter().find(|record| {
                        matches!(record.kind, Kind::Event | Kind::Raw)
                            && std::ptr::eq(&raw const facts.forms[record.form as usize], form)
                    });
                    hits.push(
                        Hit::new(
                            Severity::Low,
                            text.clone(),
                            format!("`{token}` where a value of another kind belongs: {text}"),
                            format!("{strange} of {} records have `{token}` in that place", n + strange),
                        )
                        .times(strange)
                        .at(line.map(|record| record.line))
                        .with(json!({ "usual": n, "strange": strange })),
                    );
                    break;
                }
            }
        }
        let fields = self.fields.iter().enumerate();
        for (template, (key, Slot(all, strange, empty))) in
            fields.flat_map(|(template, slots)| slots.iter().map(move |slot| (template as u32, slot)))
        {
            slots += 1;
            if *all < 20 {
                continue;
            }
            let name = facts.log.texts.get(*key);
            let title = facts.title(template);
            if !strange.is_empty() && (strange.len() as f64) < 0.05 * *all as f64 {
                hits.push(
                    Hit::new(
                        Severity::Low,
                        format!("{name} of {title}"),
                        format!("a value of another kind in `{name}`: {title}"),
                        format!(
                            "{} of {all} records have a value there that was printed by mistake",
                            strange.len()
                        ),
                    )
                    .times(strange.len() as u64)
                    .at(strange.iter().copied()),
                );
            } else if !empty.is_empty() && (empty.len() as f64) < 0.1 * *all as f64 {
                hits.push(
                    Hit::new(
                        Severity::Info,
                        format!("{name} of {title}"),
                        format!("`{name}` is empty where it seldom is: {title}"),
                        format!("{} of {all} records", empty.len()),
                    )
                    .times(empty.len() as u64)
                    .at(empty.iter().copied()),
                );
            }
        }
        sort_hits(&mut hits, |hit| hit.severity as u64);
        if slots == 0 {
            return Verdict::not_applicable(22, "no template has places for values");
        }
        Verdict::of(22, hits, format!("{slots} places for values, each with values of its kind"))
    }

    fn secrets(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut hits: Vec<Hit> = self
            .secrets
            .iter()
            .map(|((kind, template), lines)| {
                // The title quotes the template and never a value.
                let title: String = facts
                    .title(*template)
                    .split(' ')
                    .filter(|token| !prefix(token))
                    .collect::<Vec<_>>()
                    .join(" ");
                Hit::new(
                    Severity::High,
                    format!("{kind} in {title}"),
                    format!("a secret in the log ({kind}): {title}"),
                    "the value is not repeated here",
                )
                .times(lines.len() as u64)
                .at(lines.iter().copied())
            })
            .collect();
        sort_hits(&mut hits, |_| 0);
        let redacted = if self.redacted > 0 {
            format!("; {} were redacted at capture", self.redacted)
        } else {
            String::new()
        };
        Verdict::of(23, hits, format!("no secret of a known shape{redacted}"))
    }
}

fn strange_in(text: &str) -> bool {
    text.split(' ').any(|token| {
        let core = token.trim_matches(|c: char| c.is_ascii_punctuation() && c != '-' && c != '[');
        STRANGE.contains(&core) || token.starts_with("[object")
    })
}

/// Beginnings of secrets. What they begin is judged by the shapes that redaction knows.
const PREFIXES: &[&str] = &[
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "gsk_",
    "xoxb-",
    "xoxp-",
    "AIza",
    "npm_",
    "hf_",
    "SG.",
    "eyJ",
    "Bearer ",
    "assword=",
    "-----BEGIN ",
];

/// First two bytes of the beginnings, as bits of a hash: most values hold none of them.
static FIRST_TWO: [u64; 4] = {
    let mut bits = [0; 4];
    let mut at = 0;
    while at < PREFIXES.len() {
        let prefix = PREFIXES[at].as_bytes();
        let bit = pair_of(prefix[0], prefix[1]);
        bits[(bit >> 6) as usize] |= 1 << (bit & 63);
        at += 1;
    }
    bits
};

const fn pair_of(a: u8, b: u8) -> u8 {
    a.wrapping_mul(31) ^ b
}

/// Whether a value holds the first two bytes of a beginning, or others of the same hash.
fn may_hold_secret(value: &[u8]) -> bool {
    value.windows(2).any(|pair| {
        let bit = pair_of(pair[0], pair[1]);
        FIRST_TWO[usize::from(bit >> 6)] >> (bit & 63) & 1 == 1
    })
}

fn prefix(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.contains(prefix))
}

/// The kind of the first secret that a text holds. Addresses and numbers of people are none.
fn secret(text: &str) -> Option<String> {
    let redacted = crate::redact::text(text)?;
    let kinds = redacted.split("{{REDACTED:").skip(1).filter_map(|rest| rest.split(':').next());
    let known = |kind: &str| text.contains(&format!("{{{{REDACTED:{kind}:"));
    kinds
        .filter(|kind| !matches!(*kind, "email" | "phone" | "card") && !known(kind))
        .map(str::to_owned)
        .next()
}
