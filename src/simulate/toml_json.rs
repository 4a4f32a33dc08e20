//! TOML values as the JSON that they stand for.

use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::members::Member;

/// The place of a number that JSON does not have.
pub(super) struct NoNumber(pub(super) usize);

/// The member of that value.
pub(super) fn member(value: &Spanned<DeValue<'_>>) -> Result<Member<'static>, NoNumber> {
    let mut json = String::new();
    write(value, &mut json)?;
    Ok(Member { json: json.into(), offset: value.span().start, verbatim: false })
}

fn write(value: &Spanned<DeValue<'_>>, into: &mut String) -> Result<(), NoNumber> {
    let refused = || NoNumber(value.span().start);
    match value.get_ref() {
        DeValue::String(text) => quote(text, into),
        DeValue::Integer(number) => {
            let _ = write!(into, "{}", i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| refused())?);
        }
        DeValue::Float(number) => {
            let text = number.as_str();
            let unsigned = text.trim_start_matches(['+', '-']);
            if !unsigned.starts_with(|character: char| character.is_ascii_digit()) {
                return Err(refused());
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
                write(item, into)?;
            }
            into.push(']');
        }
        DeValue::Table(table) => object(table, into)?,
    }
    Ok(())
}

fn object(table: &DeTable<'_>, into: &mut String) -> Result<(), NoNumber> {
    into.push('{');
    for (at, (name, value)) in table.iter().enumerate() {
        if at > 0 {
            into.push(',');
        }
        quote(name.get_ref(), into);
        into.push(':');
        write(value, into)?;
    }
    into.push('}');
    Ok(())
}

fn quote(text: &str, into: &mut String) {
    // Text is always JSON.
    into.push_str(&serde_json::to_string(text).unwrap_or_default());
}
