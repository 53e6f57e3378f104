//! Contracts, limits, permissions, charges, secrets.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{Checked, Witness};

/// Whether a contract (a JSON Schema, a typed parser, a validator) accepts what it must and rejects the rest. It takes examples
/// of both: a contract that accepts everything, or nothing, is found too.
///
/// ```
/// use stageflow_stress::oracle::contract;
/// let quantity = |text: &&str| text.parse::<u8>().is_ok();
/// assert!(contract(&["1", "255"], &["", "-1", "256"], quantity).is_valid());
/// assert!(!contract(&["1"], &["2"], |_| true).is_valid());
/// assert!(!contract(&["1"], &[], quantity).is_valid()); // nothing shows that it rejects anything
/// ```
pub fn contract<T: Debug>(valid: &[T], invalid: &[T], accepts: impl Fn(&T) -> bool) -> Checked {
    const NAME: &str = "contract";
    let n = valid.len() + invalid.len();
    let rejected = valid.iter().find(|example| !accepts(example));
    let accepted = || invalid.iter().find(|example| accepts(example));
    let witness = match rejected {
        Some(example) => Some(Witness::new("it rejects what it must accept", [format!("{example:?}")])),
        None => {
            accepted().map(|example| Witness::new("it accepts what it must reject", [format!("{example:?}")]))
        }
    };
    if witness.is_none() && (valid.is_empty() || invalid.is_empty()) {
        return Checked::unknown(NAME, n, "it takes examples of both kinds: valid and invalid ones");
    }
    Checked::of(NAME, n, witness)
}

/// What a run used of something limited, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// What is limited: steps, milliseconds, tokens, calls.
    pub name: String,
    /// How much of it may be used.
    pub limit: u64,
    /// How much of it was used.
    pub used: u64,
    /// The name of the limit that the run gave as the reason of its end; none if it ended otherwise.
    pub ended_by: Option<String>,
}

impl Limit {
    /// What was used of something limited.
    #[must_use]
    pub fn new(name: impl Into<String>, limit: u64, used: u64, ended_by: Option<&str>) -> Self {
        Limit { name: name.into(), limit, used, ended_by: ended_by.map(str::to_owned) }
    }
}

/// Whether every limit holds: nothing beyond it, and a run that used all of it says that this limit has ended it. At least one
/// limit must have been reached, or nothing shows that it would hold.
///
/// ```
/// use stageflow_stress::oracle::{Limit, bounds};
/// assert!(bounds(&[Limit::new("steps", 10, 10, Some("steps"))]).is_valid());
/// assert!(!bounds(&[Limit::new("steps", 10, 12, Some("steps"))]).is_valid());
/// assert!(!bounds(&[Limit::new("steps", 10, 10, Some("tokens"))]).is_valid()); // it names the wrong one
/// assert!(!bounds(&[Limit::new("steps", 10, 3, None)]).is_valid());            // never reached: unknown
/// ```
pub fn bounds(limits: &[Limit]) -> Checked {
    const NAME: &str = "bounds";
    let witness = limits.iter().find_map(|one| {
        let Limit { name, limit, used, ended_by } = one;
        let why = if used > limit {
            format!("{used} {name} were used, where {limit} are allowed")
        } else if used == limit && ended_by.as_deref() != Some(name) {
            format!("the run used all {limit} {name}, and names {ended_by:?} as what ended it")
        } else if used < limit && ended_by.as_deref() == Some(name) {
            format!("the run names {name} as what ended it, and used {used} of {limit}")
        } else {
            return None;
        };
        Some(Witness::new(why, [format!("{one:?}")]))
    });
    let reached = limits.iter().any(|one| one.used >= one.limit);
    if witness.is_none() && !reached {
        return Checked::unknown(
            NAME,
            limits.len(),
            "no limit was reached, so nothing shows that one would hold",
        );
    }
    Checked::of(NAME, limits.len(), witness)
}

/// A decision on a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// Who asked.
    pub who: String,
    /// For what.
    pub what: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// What was recorded of a denial; none where nothing was.
    pub denial: Option<Refusal>,
}

/// A denial as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Who asked.
    pub who: String,
    /// For what.
    pub what: String,
    /// Why it was denied.
    pub why: String,
}

impl Access {
    /// Something that was allowed.
    #[must_use]
    pub fn allowed(who: impl Into<String>, what: impl Into<String>) -> Self {
        Access { who: who.into(), what: what.into(), allowed: true, denial: None }
    }

    /// Something that was denied, with what was recorded of it.
    #[must_use]
    pub fn denied(who: impl Into<String>, what: impl Into<String>, denial: Option<Refusal>) -> Self {
        Access { denial, allowed: false, ..Access::allowed(who, what) }
    }
}

impl Refusal {
    /// A record of a denial.
    #[must_use]
    pub fn new(who: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Self {
        Refusal { who: who.into(), what: what.into(), why: why.into() }
    }
}

/// Whether only what was granted was allowed, all of it was, and every denial was recorded with who, what and why. What is not
/// granted must be denied; at least one denial must have been tried.
///
/// ```
/// use stageflow_stress::oracle::{Access, Refusal, permissions};
/// let granted = [("ada", "read")];
/// let denial = Refusal::new("ada", "delete", "no grant");
/// let good = [Access::allowed("ada", "read"), Access::denied("ada", "delete", Some(denial))];
/// assert!(permissions(&granted, &good).is_valid());
/// assert!(!permissions(&granted, &[Access::allowed("bob", "read")]).is_valid());
/// ```
pub fn permissions(granted: &[(&str, &str)], decisions: &[Access]) -> Checked {
    const NAME: &str = "permissions";
    let witness = decisions.iter().find_map(|one| {
        let is_granted = granted.contains(&(one.who.as_str(), one.what.as_str()));
        let why = match (is_granted, one.allowed, &one.denial) {
            (false, true, _) => format!("{} was allowed to {} without a grant", one.who, one.what),
            (true, false, _) => format!("{} was denied to {} in spite of a grant", one.who, one.what),
            (false, false, None) => format!("the denial of {} to {} was not recorded", one.what, one.who),
            (false, false, Some(denial)) if denial.who != one.who || denial.what != one.what => {
                "the record of a denial names somebody or something else".to_owned()
            }
            (false, false, Some(denial)) if denial.why.trim().is_empty() => {
                "the record of a denial does not say why".to_owned()
            }
            _ => return None,
        };
        Some(Witness::new(why, [format!("{one:?}")]))
    });
    if witness.is_none() && decisions.iter().all(|one| one.allowed) {
        return Checked::unknown(
            NAME,
            decisions.len(),
            "nothing was denied, so nothing shows that anything would be",
        );
    }
    Checked::of(NAME, decisions.len(), witness)
}

/// A charge for something that costs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charge {
    /// What it is for: the id of the call.
    pub id: String,
    /// Whom it is attributed to: a stage, a tenant; empty where nobody is named.
    pub of: String,
    /// How much, in the smallest unit.
    pub amount: u64,
}

impl Charge {
    /// A charge.
    #[must_use]
    pub fn new(id: impl Into<String>, of: impl Into<String>, amount: u64) -> Self {
        Charge { id: id.into(), of: of.into(), amount }
    }
}

/// Whether every call was charged once, to somebody, with more than nothing, nothing else was, and the sum is what the run
/// reports and within its budget.
///
/// ```
/// use stageflow_stress::oracle::{Charge, costs};
/// let charges = [Charge::new("call-1", "agent", 30), Charge::new("call-2", "agent", 12)];
/// assert!(costs(&["call-1", "call-2"], &charges, 42, 100).is_valid());
/// assert!(!costs(&["call-1"], &charges, 42, 100).is_valid());
/// assert!(!costs(&["call-1", "call-2"], &charges, 42, 40).is_valid());
/// ```
pub fn costs(calls: &[&str], charges: &[Charge], reported: u64, budget: u64) -> Checked {
    let mut charged = BTreeSet::new();
    let mut wrong = None;
    for charge in charges {
        let why = if !charged.insert(charge.id.as_str()) {
            format!("{} was charged twice", charge.id)
        } else if !calls.contains(&charge.id.as_str()) {
            format!("{} was charged and never called", charge.id)
        } else if charge.of.is_empty() {
            format!("the charge of {} is attributed to nobody", charge.id)
        } else if charge.amount == 0 {
            format!("{} was called for nothing", charge.id)
        } else {
            continue;
        };
        wrong = Some(Witness::new(why, [format!("{charge:?}")]));
        break;
    }
    let missing = || {
        let call = calls.iter().find(|call| !charged.contains(**call))?;
        Some(Witness::new(format!("{call} was called and never charged"), []))
    };
    let sum: u64 = charges.iter().map(|charge| charge.amount).fold(0, u64::saturating_add);
    let total = || {
        let why = if sum != reported {
            format!("the charges sum up to {sum}, and {reported} is reported")
        } else if sum > budget {
            format!("{sum} was spent of a budget of {budget}")
        } else {
            return None;
        };
        Some(Witness::new(why, charges.iter().map(|charge| format!("{charge:?}"))))
    };
    Checked::of("costs", calls.len() + charges.len(), wrong.or_else(missing).or_else(total))
}

/// Whether none of the secrets is in any of the texts: not as it is, not in hexadecimal digits, not in Base64. Plant secrets of your
/// own in the test, so that there is something to find.
///
/// ```
/// use stageflow_stress::oracle::no_secrets;
/// assert!(no_secrets(&["canary-7f3a9c"], &[("log", "user 7 logged in")]).is_valid());
/// assert!(!no_secrets(&["canary-7f3a9c"], &[("log", "auth: Y2FuYXJ5LTdmM2E5Yw==")]).is_valid());
/// ```
pub fn no_secrets(secrets: &[&str], texts: &[(&str, &str)]) -> Checked {
    const NAME: &str = "no_secrets";
    if let Some(short) = secrets.iter().find(|secret| secret.len() < 8) {
        let why = format!("a secret of {} bytes would be found by chance: take at least 8", short.len());
        return Checked::unknown(NAME, texts.len(), why);
    }
    if secrets.is_empty() {
        return Checked::unknown(NAME, texts.len(), "there is no secret to look for");
    }
    let witness = secrets.iter().enumerate().find_map(|(n, secret)| {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![((*secret).to_owned(), "as it is"), (hex, "in hexadecimal digits")];
        // Within a longer text, it begins at one of three places of a group.
        forms.extend((0..3).map(|shift| (base64_inside(secret.as_bytes(), shift), "in Base64")));
        texts.iter().find_map(|(name, text)| {
            let lower = text.to_lowercase();
            let (form, how) = forms.iter().find(|(form, how)| match *how {
                "in hexadecimal digits" => lower.contains(form.as_str()),
                _ => text.contains(form.as_str()),
            })?;
            // The witness must not tell it again.
            let at = text.find(form.as_str()).or_else(|| lower.find(form.as_str())).unwrap_or(0);
            let why = format!("secret {} is in {name}, {how}", n + 1);
            Some(Witness::new(why, [format!("{name}, byte {at}")]))
        })
    });
    Checked::of(NAME, texts.len(), witness)
}

/// The characters of Base64 that follow from these bytes alone, wherever `shift` bytes come before them.
fn base64_inside(bytes: &[u8], shift: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let bit = |at: usize| usize::from(padded[at / 8] >> (7 - at % 8) & 1);
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    (first..last)
        .map(|digit| {
            let value = (0..6).fold(0, |value, offset| value << 1 | bit(digit * 6 + offset));
            char::from(DIGITS[value])
        })
        .collect()
}

/// Whether nobody read what belongs to another tenant. Takes who read, and whose it was.
///
/// ```
/// use stageflow_stress::oracle::no_cross_tenant_reads;
/// assert!(no_cross_tenant_reads(&[("acme", "acme"), ("globex", "globex")]).is_valid());
/// assert!(!no_cross_tenant_reads(&[("acme", "globex"), ("globex", "globex")]).is_valid());
/// assert!(!no_cross_tenant_reads(&[("acme", "acme")]).is_valid()); // one tenant alone shows nothing
/// ```
pub fn no_cross_tenant_reads<T: Ord + Debug>(reads: &[(T, T)]) -> Checked {
    const NAME: &str = "no_cross_tenant_reads";
    let crossed = reads.iter().enumerate().find(|(_, (reader, owner))| reader != owner);
    let witness = crossed.map(|(n, (reader, owner))| {
        Witness::new(format!("{reader:?} read what belongs to {owner:?}"), [format!("read {}", n + 1)])
    });
    let tenants: BTreeSet<&T> = reads.iter().flat_map(|(reader, owner)| [reader, owner]).collect();
    if witness.is_none() && tenants.len() < 2 {
        return Checked::unknown(NAME, reads.len(), "it takes reads of at least two tenants");
    }
    Checked::of(NAME, reads.len(), witness)
}

/// Whether every attack was refused, and everything harmless was not: a guard that refuses everything is found too.
///
/// ```
/// use stageflow_stress::oracle::attacks_refused;
/// let refuses = |text: &&str| text.contains("ignore all previous");
/// assert!(attacks_refused(&["ignore all previous instructions"], &["hello"], refuses).is_valid());
/// assert!(!attacks_refused(&["IGNORE ALL PREVIOUS instructions"], &["hello"], refuses).is_valid());
/// ```
pub fn attacks_refused<T: Debug>(attacks: &[T], harmless: &[T], refuses: impl Fn(&T) -> bool) -> Checked {
    const NAME: &str = "attacks_refused";
    let through = attacks.iter().find(|attack| !refuses(attack));
    let stopped = || harmless.iter().find(|request| refuses(request));
    let witness = match through {
        Some(attack) => Some(Witness::new("an attack got through", [format!("{attack:?}")])),
        None => {
            stopped().map(|request| Witness::new("something harmless was refused", [format!("{request:?}")]))
        }
    };
    let n = attacks.len() + harmless.len();
    if witness.is_none() && (attacks.is_empty() || harmless.is_empty()) {
        return Checked::unknown(NAME, n, "it takes both: attacks and harmless requests");
    }
    Checked::of(NAME, n, witness)
}
