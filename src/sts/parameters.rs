//! The parameters of a request of the Query protocol (Smithy, "AWS Query protocol").

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::StsError;
use super::constraints::Constraints;

/// Most parameters of a request: with 50 tags, 50 transitive keys and 10 policies it has 170.
const MAX_PARAMETERS: usize = 1000;

/// Parameters by name, each given once.
#[derive(Debug)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads a form: the body of a POST, or the query of a GET.
    ///
    /// # Errors
    /// `MalformedQueryString` for what is no form of UTF-8, and for a parameter that is given twice.
    pub fn parse(form: &[u8]) -> Result<Self, StsError> {
        let mut parameters = BTreeMap::new();
        for pair in form.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|&byte| byte == b'=');
            let (name, value) = equals.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err(StsError::malformed("The parameters are not a form of UTF-8 text."));
            };
            if parameters.len() == MAX_PARAMETERS {
                return Err(StsError::malformed("There are too many parameters."));
            }
            if parameters.insert(name, value).is_some() {
                return Err(StsError::malformed("A parameter is given twice."));
            }
        }
        Ok(Self(parameters))
    }

    /// The parameter of that name; an empty one is one that is not given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The parameter of that name, as it is given.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A list: `<name>.member.1<rest>` and on.
    ///
    /// # Errors
    /// Where the numbers do not go up from 1 one by one, or there are more than `most`.
    pub(super) fn list(&self, name: &str, rest: &str, most: usize) -> Result<Vec<&str>, StsError> {
        let prefix = format!("{name}.member.");
        let mut members = Vec::new();
        for (parameter, value) in self.0.range(prefix.clone()..) {
            let Some(number) = parameter.strip_prefix(&prefix) else { break };
            let Some(number) = number.strip_suffix(rest) else { continue };
            // `1.Key` where `1` is asked for is of another list.
            if let Ok(number) = number.parse::<usize>() {
                members.push((number, value.as_str()));
            }
        }
        members.sort_unstable();
        if members.len() > most {
            let what = format!("Member must have length less than or equal to {most}");
            return Err(Constraints::one(name, "list", &what));
        }
        if members.iter().zip(1..).any(|((number, _), expected)| *number != expected) {
            return Err(StsError::validation(format!("The members of {name} are not numbered from 1 one by one.")));
        }
        Ok(members.into_iter().map(|(_, value)| value).collect())
    }
}

/// Percent-decoded, `+` being a space; none where that is no UTF-8, or where a `%` begins no byte.
fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        if *byte == b'%' && !(is_hex(bytes.next()) && is_hex(bytes.next())) {
            return None;
        }
    }
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_encoding::percent_decode(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(form: &str) -> Parameters {
        Parameters::parse(form.as_bytes()).unwrap()
    }

    #[test]
    fn a_form_is_read_as_forms_are() {
        let read = parse("Action=AssumeRole&&Policy=%7B%22a+b%22%7D&Empty=&Bare&A%26b=%C3%A9");
        assert_eq!(read.get("Action"), Some("AssumeRole"));
        assert_eq!(read.get("Policy"), Some("{\"a b\"}"));
        assert_eq!((read.get("Empty"), read.get("Bare"), read.given("Bare")), (None, None, Some("")));
        assert_eq!(read.get("A&b"), Some("é"));
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for form in ["a=1&a=2", "a=1&%61=1", "a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1"] {
            assert_eq!(Parameters::parse(form.as_bytes()).unwrap_err().code, "MalformedQueryString", "{form}");
        }
        let many: Vec<String> = (0..=MAX_PARAMETERS).map(|at| format!("p{at}=")).collect();
        assert!(Parameters::parse(many[..MAX_PARAMETERS].join("&").as_bytes()).is_ok());
        assert!(Parameters::parse(many.join("&").as_bytes()).is_err());
    }

    #[test]
    fn a_list_is_numbered_from_one() {
        let tags: Vec<String> =
            (1..=11).map(|at| format!("Tags.member.{at}.Key=k{at}&Tags.member.{at}.Value=v")).collect();
        let read = parse(&tags.join("&"));
        assert_eq!(read.list("Tags", ".Key", 50).unwrap()[9..], ["k10", "k11"]);
        assert_eq!(read.list("Tags", "", 50).unwrap().len(), 0);
        assert_eq!(read.list("Tags", ".Key", 10).unwrap_err().code, "ValidationException");
        for form in ["L.member.2=a", "L.member.0=a", "L.member.1=a&L.member.3=b", "L.member.1=a&L.member.01=b"] {
            assert!(parse(form).list("L", "", 50).is_err(), "{form}");
        }
        assert!(parse("L=").list("L", "", 50).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_form_panics_the_reader(form: Vec<u8>, text in "[a-c=&%0-9.+]{0,60}") {
            let _ = Parameters::parse(&form);
            if let Ok(read) = Parameters::parse(text.as_bytes()) {
                let _ = read.list("a", "", 5);
            }
        }
    }
}
