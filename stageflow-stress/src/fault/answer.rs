//! The forms of answers, and how they are damaged.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FaultKind;
use super::mutate::{self, Mutation};
use super::record::{Change, Strike};

/// How the answers of a port can be damaged.
pub trait Answer<T>: private::Sealed {
    #[doc(hidden)]
    fn value(answer: &T) -> Option<serde_json::Value>;
    #[doc(hidden)]
    fn from_value(value: serde_json::Value) -> Option<T>;
    #[doc(hidden)]
    fn damage(answer: T, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<T>;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Damaged<T> {
    /// As it was, and why.
    No(T, String),
    /// Damaged, and readable.
    Yes(T, Change),
    /// Damaged, and the caller's type cannot read it.
    Unreadable(Change, String),
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Opaque {}
    impl Sealed for super::Json {}
    impl Sealed for super::Text {}
}

/// Answers of which a port knows nothing: they can be lost, and not damaged.
#[derive(Debug, Clone, Copy)]
pub struct Opaque;

/// Answers that can be written as JSON and read back.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// Answers that are JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Text;

impl<T> Answer<T> for Opaque {
    fn value(_: &T) -> Option<serde_json::Value> {
        None
    }

    fn from_value(_: serde_json::Value) -> Option<T> {
        None
    }

    fn damage(answer: T, _: &Strike, _: &[serde_json::Value], _: u64) -> Damaged<T> {
        Damaged::No(
            answer,
            "the port does not know the form of its answers: call `json()` or `text()` on it".to_owned(),
        )
    }
}

impl<T: Serialize + DeserializeOwned> Answer<T> for Json {
    fn value(answer: &T) -> Option<serde_json::Value> {
        serde_json::to_value(answer).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<T> {
        serde_json::from_value(value).ok()
    }

    fn damage(answer: T, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<T> {
        let value = match serde_json::to_value(&answer) {
            Ok(value) => value,
            Err(error) => return Damaged::No(answer, format!("the answer has no JSON form: {error}")),
        };
        let Mutation { path, before, after, whole } =
            match mutate::value(&value, strike.fault.kind, strike.fault.path.as_deref(), history, seed) {
                Ok(mutation) => mutation,
                Err(why) => return Damaged::No(answer, why),
            };
        let change = |readable| Change { path, before, after, readable };
        if strike.fault.kind == FaultKind::Malformed {
            return Damaged::Unreadable(change(false), "expected JSON".to_owned());
        }
        match serde_json::from_value::<T>(whole) {
            Err(error) => Damaged::Unreadable(change(false), error.to_string()),
            // What the caller's type does not hold, it cannot meet.
            Ok(other) if serde_json::to_value(&other).is_ok_and(|seen| seen == value) => Damaged::No(
                answer,
                format!("`{}` reads the damaged answer as the sound one", type_name::<T>()),
            ),
            Ok(other) => Damaged::Yes(other, change(true)),
        }
    }
}

impl<T: AsRef<[u8]> + TryFrom<Vec<u8>>> Answer<T> for TextOf<T> {
    fn value(answer: &T) -> Option<serde_json::Value> {
        serde_json::from_slice(answer.as_ref()).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<T> {
        T::try_from(value.to_string().into_bytes()).ok()
    }

    fn damage(answer: T, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<T> {
        let fault = &strike.fault;
        let (bytes, change) =
            match mutate::text(answer.as_ref(), fault.kind, fault.path.as_deref(), history, seed) {
                Ok(damaged) => damaged,
                Err(why) => return Damaged::No(answer, why),
            };
        match T::try_from(bytes) {
            Ok(other) => Damaged::Yes(other, change),
            Err(_) => Damaged::No(answer, "the damaged text is not UTF-8".to_owned()),
        }
    }
}

/// Carries the type, so that `String` and `Vec<u8>` share what they do.
struct TextOf<T>(std::marker::PhantomData<T>);

impl<T> private::Sealed for TextOf<T> {}

impl Answer<String> for Text {
    fn value(answer: &String) -> Option<serde_json::Value> {
        serde_json::from_str(answer).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<String> {
        Some(value.to_string())
    }

    fn damage(answer: String, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<String> {
        TextOf::<String>::damage(answer, strike, history, seed)
    }
}

impl Answer<Vec<u8>> for Text {
    fn value(answer: &Vec<u8>) -> Option<serde_json::Value> {
        serde_json::from_slice(answer).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<Vec<u8>> {
        Some(value.to_string().into_bytes())
    }

    fn damage(
        answer: Vec<u8>,
        strike: &Strike,
        history: &[serde_json::Value],
        seed: u64,
    ) -> Damaged<Vec<u8>> {
        TextOf::<Vec<u8>>::damage(answer, strike, history, seed)
    }
}
