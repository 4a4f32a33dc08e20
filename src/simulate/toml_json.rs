//! TOML values as the JSON that they stand for.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use super::members::Member;

/// The member of that value, `at` its place in the file. None for numbers that JSON does not have.
pub(super) fn member(value: &DeValue<'_>, at: usize) -> Option<Member<'static>> {
    let mut json = String::new();
    write(value, &mut json)?;
    Some(Member { json: json.into(), offset: at, verbatim: false })
}

fn write(value: &DeValue<'_>, into: &mut String) -> Option<()> {
    match value {
        DeValue::String(text) => quote(text, into),
        DeValue::Integer(number) => {
            let _ = write!(into, "{}", i64::from_str_radix(number.as_str(), number.radix()).ok()?);
        }
        DeValue::Float(number) => {
            let text = number.as_str();
            let unsigned = text.trim_start_matches(['+', '-']);
            if !unsigned.starts_with(|character: char| character.is_ascii_digit()) {
                return None;
            }
            into.push_str(text.strip_prefix('+').unwrap_or(text));
        }
        DeValue::Boolean(truth) => into.push_str(if *truth { "true" } else { "false" }),
        DeValue::Datetime(time) => quote(&time.to_string(), into),
        DeValue::Array(items) => {
            into.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                write(item.get_ref(), into)?;
            }
            into.push(']');
        }
        DeValue::Table(table) => object(table, into)?,
    }
    Some(())
}

fn object(table: &DeTable<'_>, into: &mut String) -> Option<()> {
    into.push('{');
    for (at, (name, value)) in table.iter().enumerate() {
        if at > 0 {
            into.push(',');
        }
        quote(name.get_ref(), into);
        into.push(':');
        write(value.get_ref(), into)?;
    }
    into.push('}');
    Some(())
}

fn quote(text: &str, into: &mut String) {
    // Text is always JSON.
    into.push_str(&serde_json::to_string(text).unwrap_or_default());
}
