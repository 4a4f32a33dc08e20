use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::kms::error::{KmsError, texts};

/// One JSON value of a request.
pub(crate) enum Json<'a> {
    /// `null`: as good as absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits.
    Integer(i64),
    /// Any other number, as near as a double comes: dates alone take one.
    Fraction(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A blob member's bytes, once the model has said that it is one.
    Blob(Zeroizing<Vec<u8>>),
    /// `[…]`.
    List(Vec<Json<'a>>),
    /// `{…}`.
    Object(Object<'a>),
}

/// Members in the request's order, each name once.
pub(crate) struct Object<'a>(pub(crate) Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// The member of that name; none where it is absent or `null`.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Json<'a>> {
        self.0
            .iter_mut()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Json::Null))
    }

    /// Takes the member of that name out; none where it is absent or `null`.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json<'a>> {
        self.get_mut(name).map(|value| std::mem::replace(value, Json::Null))
    }
}

/// Reads a request's body. Nesting is bounded (128 deep, `serde_json`'s own bound).
///
/// # Errors
/// `SerializationException` for anything but one JSON object: other JSON, text after it, a byte
/// order mark, lone surrogates, numbers beyond a double, members that stand twice at any depth.
pub(crate) fn parse(body: &[u8]) -> Result<Object<'_>, KmsError> {
    match serde_json::from_slice::<Json<'_>>(body) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(texts::serialization("The request's body is not a JSON object.")),
        Err(error) => Err(texts::serialization(format!("The request's body is not valid JSON: {error}"))),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "no member takes a number of that size")]
        let fraction = value as f64;
        Ok(i64::try_from(value).map_or(Json::Fraction(fraction), Json::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Fraction(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = sequence.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::with_capacity(4);
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        match duplicate(&members) {
            Some(name) => Err(A::Error::custom(format!("the member `{name}` stands twice"))),
            None => Ok(Json::Object(Object(members))),
        }
    }
}

/// A member's name, borrowed unless it was spelled with escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(value.to_owned())))
            }
            fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(value)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A name that stands twice. Pairs are compared while they are few; many are sorted.
fn duplicate(members: &[(Cow<'_, str>, Json<'_>)]) -> Option<String> {
    if members.len() <= 8 {
        return members
            .iter()
            .enumerate()
            .find(|(at, (name, _))| members[..*at].iter().any(|(earlier, _)| earlier == name))
            .map(|(_, (name, _))| name.to_string());
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_stand_twice_are_refused_however_they_are_spelled() {
        let many = (0..20).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
        for body in [
            r#"{"KeyId":"a","KeyId":"b"}"#.to_owned(),
            r#"{"KeyId":"a","\u004beyId":"b"}"#.to_owned(),
            r#"{"x":{"y":[{"a":1,"a":2}]}}"#.to_owned(),
            format!("{{{many},\"k3\":2}}"),
        ] {
            assert_eq!(parse(body.as_bytes()).err().map(|e| e.code()), Some("SerializationException"), "{body}");
        }
        assert!(parse(format!("{{{many}}}").as_bytes()).is_ok());
        assert!(parse(br#"{"KeyId":"a","keyid":"b"}"#).is_ok(), "names are case-sensitive");
    }

    #[test]
    fn what_is_not_one_json_object_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for body in [
            &b""[..],
            b"null",
            b"[]",
            b"{",
            b"{}x",
            b"{} {}",
            b"\xef\xbb\xbf{}",
            br#"{"a":NaN}"#,
            br#"{"a":1e999}"#,
            br#"{"a":"\ud800"}"#,
            b"{\"a\":\"\xff\"}",
            b"{'a':1}",
            br#"{"a":01}"#,
            br#"{"a":1,}"#,
            deep.as_bytes(),
        ] {
            assert_eq!(
                parse(body).err().map(|e| e.code()),
                Some("SerializationException"),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
        assert!(parse(b" {} \n").is_ok());
    }
}
