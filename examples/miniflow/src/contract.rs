//! Typed contracts: what a stage promises to return.

use serde_json::Value;

use crate::defects::{Defect, Defects};
use crate::stage::Data;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Type {
    fn holds(self, value: &Value) -> bool {
        match self {
            Type::Text => value.is_string(),
            Type::Integer => value.is_i64() || value.is_u64(),
            Type::Number => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::List => value.is_array(),
            Type::Object => value.is_object(),
        }
    }
}

/// The keys that a stage promises.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contract {
    fields: Vec<(String, Type, bool)>,
}

impl Contract {
    /// Promises a key of a type.
    #[must_use]
    pub fn field(mut self, key: impl Into<String>, is: Type) -> Self {
        self.fields.push((key.into(), is, false));
        self
    }

    /// Promises a type for a key that may be absent.
    #[must_use]
    pub fn optional(mut self, key: impl Into<String>, is: Type) -> Self {
        self.fields.push((key.into(), is, true));
        self
    }

    pub(crate) fn check(&self, data: &Data, defects: Defects) -> Result<(), String> {
        for (key, is, optional) in &self.fields {
            match data.get(key) {
                None if *optional => {}
                None => return Err(format!("the contract promises `{key}`, which is absent")),
                Some(_) if defects.on(Defect::ContractChecksPresenceOnly) => {}
                Some(_) if *optional && defects.on(Defect::OptionalFieldsUnchecked) => {}
                Some(value) if is.holds(value) => {}
                Some(value) => return Err(format!("the contract promises `{key}` as {is:?}, found {value}")),
            }
        }
        Ok(())
    }
}
