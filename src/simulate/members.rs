//! The members of a case as they stand in their file, before any of them is understood.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::{Problem, json_message, json_offset};

/// The value of one member.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    /// As JSON.
    pub(super) json: Cow<'a, str>,
    /// Where it stands in its text, in bytes.
    pub(super) offset: usize,
    /// Whether what stands there is `json` itself, so that places within it are the text's.
    pub(super) verbatim: bool,
}

macro_rules! members {
    ($($name:ident),+ $(,)?) => {
        /// Every member of a case; none where it is absent or null.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Members<'a> {
            /// Where the case stands in its text, in bytes.
            pub(super) offset: usize,
            $(pub(super) $name: Option<Member<'a>>,)+
        }

        /// The names of the members.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),+];

        impl<'a> Members<'a> {
            /// Reads one JSON object.
            pub(super) fn read(text: &'a str) -> Result<Self, Problem> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Raw<'a> {
                    $(#[serde(borrow, default)] $name: Option<&'a RawValue>,)+
                }
                // A list would be taken for the members in their order.
                let start = text.len() - text.trim_start().len();
                if !text[start..].starts_with('{') {
                    return Err(Problem::at(start, "a case is a JSON object"));
                }
                let raw: Raw<'a> = serde_json::from_str(text)
                    .map_err(|error| Problem::at(json_offset(text, &error), json_message(&error)))?;
                let member = |raw: &'a RawValue| Member {
                    json: Cow::Borrowed(raw.get()),
                    offset: raw.get().as_ptr().addr().saturating_sub(text.as_ptr().addr()),
                    verbatim: true,
                };
                Ok(Self { offset: start, $($name: raw.$name.map(member),)+ })
            }

            /// Sets the member of that name; false where there is none of that name.
            pub(super) fn set(&mut self, name: &str, member: Member<'a>) -> bool {
                match name {
                    $(stringify!($name) => self.$name = Some(member),)+
                    _ => return false,
                }
                true
            }

            /// These members, and those of `defaults` that are not among them.
            pub(super) fn or(&self, defaults: &Self) -> Self {
                Self { offset: self.offset, $($name: self.$name.clone().or_else(|| defaults.$name.clone()),)+ }
            }
        }
    };
}

members! {
    principal,
    action,
    resource,
    context,
    key_policy,
    resource_policy,
    identity_policies,
    permissions_boundary,
    session_policies,
    service_control_policies,
    resource_control_policies,
    grants,
    now,
    role_arn,
    resource_account,
}

impl<'a> Members<'a> {
    /// The members that hold or name policies, each at its place.
    pub(super) fn policies(&self) -> [Option<&Member<'a>>; 7] {
        [
            self.key_policy.as_ref(),
            self.resource_policy.as_ref(),
            self.identity_policies.as_ref(),
            self.permissions_boundary.as_ref(),
            self.session_policies.as_ref(),
            self.service_control_policies.as_ref(),
            self.resource_control_policies.as_ref(),
        ]
    }
}

impl Member<'_> {
    /// A problem with the whole value.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.offset, message)
    }

    /// A problem at a byte of the value.
    pub(super) fn problem_at(&self, at: usize, message: impl Into<String>) -> Problem {
        Problem::at(if self.verbatim { self.offset + at } else { self.offset }, message)
    }

    /// A problem that the JSON reader found in the value.
    pub(super) fn json_problem(&self, name: &str, error: &serde_json::Error) -> Problem {
        self.problem_at(json_offset(&self.json, error), format!("{name}: {}", json_message(error)))
    }

    /// The value, where it is a string.
    pub(super) fn text(&self, name: &str) -> Result<Cow<'_, str>, Problem> {
        text(&self.json).ok_or_else(|| self.problem(format!("{name}: write a string")))
    }

    /// The items of a list, each a part of `json`.
    pub(super) fn items(&self, name: &str, what: &str) -> Result<Vec<Member<'_>>, Problem> {
        if !self.json.starts_with('[') {
            return Err(self.problem(format!("{name}: write a list of {what}")));
        }
        let items: Vec<&RawValue> =
            serde_json::from_str(&self.json).map_err(|error| self.json_problem(name, &error))?;
        Ok(items.into_iter().map(|item| self.part(item.get())).collect())
    }

    /// A slice of `json` as a value of its own.
    pub(super) fn part<'p>(&self, json: &'p str) -> Member<'p> {
        let within = json.as_ptr().addr().saturating_sub(self.json.as_ptr().addr());
        let offset = if self.verbatim { self.offset + within } else { self.offset };
        Member { json: Cow::Borrowed(json), offset, verbatim: self.verbatim }
    }
}

/// The text of a JSON string, borrowed where it has no escapes.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_knows_where_it_stands() {
        let text = r#"{"principal": "anonymous", "context": {"a": 1}, "permissions_boundary": null}"#;
        let members = Members::read(text).unwrap();
        assert_eq!(members.principal.as_ref().unwrap().offset, 14);
        assert_eq!(members.context.unwrap().json, r#"{"a": 1}"#);
        assert!(members.permissions_boundary.is_none() && members.action.is_none());
    }

    #[test]
    fn unknown_and_repeated_members_and_other_values_are_refused() {
        for (text, offset, message) in [
            (r#"{"principle": 1}"#, 11, "unknown member `principle`"),
            (r#"{"action": 1, "action": 2}"#, 21, "duplicate member `action`"),
            ("[]", 0, "a case is a JSON object"),
            (" 3", 1, "a case is a JSON object"),
            ("{} {}", 3, "trailing characters"),
            (r#"{"action": }"#, 11, "expected value"),
            ("", 0, "a case is a JSON object"),
        ] {
            let problem = Members::read(text).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem:?}");
            assert_eq!(problem.offset, offset, "{text}: {problem:?}");
        }
    }
}
