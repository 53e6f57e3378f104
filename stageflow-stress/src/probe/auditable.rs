//! State that can be snapshot and compared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, RwLock};

/// A snapshot of state: a plain value that can be compared and printed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AuditValue {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A floating-point number, by its bits: NaN equals NaN, `0.0` differs from `-0.0`.
    Float(u64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<AuditValue>),
    /// Values by key.
    Map(BTreeMap<String, AuditValue>),
    /// A value that must not be shown: only a hash of it is kept.
    Hidden(String),
    /// A value with the key that tells it from its neighbours in a list.
    Keyed(String, Box<AuditValue>),
}

impl AuditValue {
    /// A map of named values, as the derive makes it of a struct.
    #[must_use]
    pub fn map<K: Into<String>>(fields: impl IntoIterator<Item = (K, AuditValue)>) -> Self {
        AuditValue::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The variant of an enum, as the derive makes it: the key of its fields is that of the whole, so that an element is known again
    /// in another variant.
    #[doc(hidden)]
    #[must_use]
    pub fn variant(name: &str, fields: AuditValue) -> Self {
        match fields {
            AuditValue::Keyed(key, fields) => {
                AuditValue::Keyed(key, Box::new(AuditValue::map([(name, *fields)])))
            }
            fields => AuditValue::map([(name, fields)]),
        }
    }

    /// Gives a value the key by which [`AuditValue::differences`] knows it again in a list, of one part or of several.
    #[must_use]
    pub fn keyed(key: &[AuditValue], value: AuditValue) -> Self {
        let parts: Vec<String> = key
            .iter()
            .map(|part| match part {
                AuditValue::Text(text) => text.clone(),
                AuditValue::Int(number) => number.to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        AuditValue::Keyed(parts.join(","), Box::new(value))
    }

    /// Hides a value behind the SHA-256 of its debug text, so that a change is seen and the content is not.
    #[must_use]
    pub fn hidden(value: &AuditValue) -> Self {
        let digest = hmac_sha256::Hash::hash(format!("{value:?}").as_bytes());
        AuditValue::Hidden(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// State that a probe can snapshot: derive it for structs and enums, or write it by hand for stores.
///
/// ```
/// use std::collections::BTreeMap;
/// use stageflow_stress::{Auditable, probe::AuditValue};
///
/// #[derive(Auditable)]
/// struct Ledger {
///     accounts: BTreeMap<String, i64>,
///     #[audit(skip)]
///     cache: Option<Vec<u8>>,
/// }
///
/// let ledger = Ledger { accounts: BTreeMap::from([("alice".to_owned(), 3)]), cache: None };
/// let before = ledger.snapshot();
/// assert_eq!(before, ledger.snapshot());
/// assert!(matches!(before, AuditValue::Map(fields) if fields.len() == 1));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be snapshot",
    label = "needs `Auditable`: derive it, write it by hand, or put `#[audit(skip)]` on the field"
)]
pub trait Auditable {
    /// The state as it is now.
    fn snapshot(&self) -> AuditValue;
}

macro_rules! ints {
    ($($ty:ty),+) => { $(impl Auditable for $ty {
        fn snapshot(&self) -> AuditValue { AuditValue::Int(i128::from(*self)) }
    })+ };
}
ints!(i8, i16, i32, i64, i128, u8, u16, u32, u64);

impl Auditable for usize {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Int(*self as i128)
    }
}

impl Auditable for isize {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Int(*self as i128)
    }
}

impl Auditable for f64 {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Float(if self.is_nan() { f64::NAN.to_bits() } else { self.to_bits() })
    }
}

impl Auditable for f32 {
    fn snapshot(&self) -> AuditValue {
        f64::from(*self).snapshot()
    }
}

impl Auditable for bool {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Bool(*self)
    }
}

impl Auditable for str {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Text(self.to_owned())
    }
}

impl Auditable for String {
    fn snapshot(&self) -> AuditValue {
        self.as_str().snapshot()
    }
}

impl Auditable for char {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Text(self.to_string())
    }
}

impl Auditable for () {
    fn snapshot(&self) -> AuditValue {
        AuditValue::Null
    }
}

impl<T: Auditable + ?Sized> Auditable for &T {
    fn snapshot(&self) -> AuditValue {
        (**self).snapshot()
    }
}

impl<T: Auditable + ?Sized> Auditable for Box<T> {
    fn snapshot(&self) -> AuditValue {
        (**self).snapshot()
    }
}

impl<T: Auditable + ?Sized> Auditable for Arc<T> {
    fn snapshot(&self) -> AuditValue {
        (**self).snapshot()
    }
}

/// A poisoned lock is read all the same: what it protects is what an audit wants to see.
impl<T: Auditable> Auditable for Mutex<T> {
    fn snapshot(&self) -> AuditValue {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).snapshot()
    }
}

/// A poisoned lock is read all the same: what it protects is what an audit wants to see.
impl<T: Auditable> Auditable for RwLock<T> {
    fn snapshot(&self) -> AuditValue {
        self.read().unwrap_or_else(std::sync::PoisonError::into_inner).snapshot()
    }
}

impl<T: Auditable> Auditable for Option<T> {
    fn snapshot(&self) -> AuditValue {
        self.as_ref().map_or(AuditValue::Null, Auditable::snapshot)
    }
}

macro_rules! lists {
    ($($ty:ty),+) => { $(impl<T: Auditable> Auditable for $ty {
        fn snapshot(&self) -> AuditValue { AuditValue::List(self.iter().map(Auditable::snapshot).collect()) }
    })+ };
}
lists!([T], Vec<T>, VecDeque<T>, BTreeSet<T>);

impl<T: Auditable, const N: usize> Auditable for [T; N] {
    fn snapshot(&self) -> AuditValue {
        self.as_slice().snapshot()
    }
}

/// In the order of the values' debug texts, since the set has none.
impl<T: Auditable, S> Auditable for HashSet<T, S> {
    fn snapshot(&self) -> AuditValue {
        let mut values: Vec<_> = self.iter().map(Auditable::snapshot).collect();
        values.sort_by_cached_key(|value| format!("{value:?}"));
        AuditValue::List(values)
    }
}

impl<K: std::fmt::Display, V: Auditable> Auditable for BTreeMap<K, V> {
    fn snapshot(&self) -> AuditValue {
        AuditValue::map(self.iter().map(|(key, value)| (key.to_string(), value.snapshot())))
    }
}

impl<K: std::fmt::Display, V: Auditable, S> Auditable for HashMap<K, V, S> {
    fn snapshot(&self) -> AuditValue {
        AuditValue::map(self.iter().map(|(key, value)| (key.to_string(), value.snapshot())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_two_to_the_53_stay_apart() {
        assert_ne!(9_007_199_254_740_993_u64.snapshot(), 9_007_199_254_740_992_u64.snapshot());
    }

    #[test]
    fn hidden_values_show_a_change_and_no_content() {
        let before = AuditValue::hidden(&"secret".snapshot());
        let after = AuditValue::hidden(&"secret2".snapshot());
        assert_ne!(before, after);
        assert!(!format!("{before:?}").contains("secret"));
    }

    #[test]
    fn nan_is_equal_to_itself_and_the_zeros_differ() {
        assert_eq!(f64::NAN.snapshot(), (-f64::NAN).snapshot());
        assert_ne!(0.0_f64.snapshot(), (-0.0_f64).snapshot());
    }
}
