//! The fields of one record or span, copied from `tracing` or `log` and lent to the host.

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

use log::kv::{self, VisitSource, VisitValue};
use segue_abi::{FieldRef, ValueRef};
use tracing::field::{Field, Visit};

/// The message and the fields of one record or span. A value that only implements `Debug` is stored as text.
#[derive(Default)]
pub(crate) struct Fields {
    message: String,
    fields: Vec<(Cow<'static, str>, Value)>,
}

enum Value {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(String),
}

/// Receives the value of one field of `log`.
struct ValueVisitor(Option<Value>);

// === impl Fields ===

impl Fields {
    /// Calls `use_them` with the message and the fields, in the form that crosses the boundary.
    pub(crate) fn lend<R>(&self, use_them: impl FnOnce(&str, &[FieldRef<'_>]) -> R) -> R {
        let fields: Vec<FieldRef<'_>> = self
            .fields
            .iter()
            .map(|(name, value)| FieldRef {
                name: (**name).into(),
                value: match value {
                    Value::Bool(value) => ValueRef::Bool(*value),
                    Value::I64(value) => ValueRef::I64(*value),
                    Value::U64(value) => ValueRef::U64(*value),
                    Value::F64(value) => ValueRef::F64(*value),
                    Value::Text(text) => ValueRef::Str(text.as_str().into()),
                },
            })
            .collect();
        use_them(&self.message, &fields)
    }

    fn push(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.message = text,
            (name, value) => self.fields.push((name.into(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::U64(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, Value::F64(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // If the `Debug` fails, the text that it has written so far is used.
        let _ = write!(text, "{value:?}");
        self.push(field, Value::Text(text));
    }
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let mut visitor = ValueVisitor(None);
        value.visit(&mut visitor)?;
        self.fields.extend(visitor.0.map(|value| (key.as_str().to_owned().into(), value)));
        Ok(())
    }
}

impl<'v> VisitValue<'v> for ValueVisitor {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.0 = Some(Value::Text(value.to_string()));
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Some(Value::Bool(value));
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = Some(Value::I64(value));
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = Some(Value::U64(value));
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Some(Value::F64(value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use log::kv::ToValue;

    use super::*;

    #[test]
    fn key_values_keep_their_types() {
        let pairs: [(&str, kv::Value<'_>); 4] = [
            ("user", 7.to_value()),
            ("ratio", 0.5.to_value()),
            ("found", true.to_value()),
            ("name", "ada".to_value()),
        ];
        let mut fields = Fields::default();
        kv::Source::visit(&pairs, &mut fields).unwrap();
        let types: Vec<&str> = fields
            .fields
            .iter()
            .map(|(_, value)| match value {
                Value::Bool(_) => "bool",
                Value::I64(7) => "i64",
                Value::U64(_) => "u64",
                Value::F64(_) => "f64",
                Value::Text(text) if text == "ada" => "text",
                _ => "other",
            })
            .collect();
        assert_eq!(types, ["i64", "f64", "bool", "text"]);
    }
}
