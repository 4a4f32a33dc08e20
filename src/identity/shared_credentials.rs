use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::access_key::{id_fault, secret_fault};
use super::{IdentityError, NewAccessKey, Source};
use crate::aws::AccountId;

/// The root user's access key that a new data directory gets, as an AWS shared credentials file
/// keeps it (AWS SDKs and Tools Reference, "Shared config and credentials files").
pub struct SharedCredentials {
    /// `aws_access_key_id`.
    pub id: String,
    /// `aws_secret_access_key`.
    pub secret: Zeroizing<String>,
    /// `aws_account_id`: whose root user it is.
    pub account: AccountId,
    /// The line of the id, from 1.
    pub line: u32,
}

impl SharedCredentials {
    /// The file's text for a new key: one profile, `default`.
    #[must_use]
    pub fn print(key: &NewAccessKey, account: AccountId) -> Zeroizing<String> {
        Zeroizing::new(format!("{}aws_account_id = {account}\n", Self::print_profile(key).as_str()))
    }

    /// The profile of any key, without the account.
    #[must_use]
    pub fn print_profile(key: &NewAccessKey) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            key.id,
            key.secret.as_str()
        ))
    }

    /// Reads the profile `default`; other profiles and settings are left alone.
    ///
    /// # Errors
    /// Lines that are no profile, setting or comment; a missing, repeated or malformed setting.
    pub fn parse(file: &Arc<str>, text: &str) -> Result<Self, IdentityError> {
        let source = Source::new(file, text);
        let mut profile = None;
        let names = ["aws_access_key_id", "aws_secret_access_key", "aws_account_id"];
        let mut found: [Option<(u32, &str)>; 3] = [None; 3];
        for (number, line) in (1u32..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                profile = Some(name.trim());
                continue;
            }
            let Some((name, value)) = line.split_once('=').filter(|_| profile.is_some()) else {
                return Err(source.error(
                    Some((number, 1)),
                    "",
                    "is neither a profile (`[default]`), a setting (`name = value`) nor a comment",
                ));
            };
            let name = name.trim();
            if let (Some("default"), Some(at)) = (profile, names.iter().position(|known| *known == name)) {
                if found[at].is_some() {
                    return Err(source.error(Some((number, 1)), name, "is given twice; keep one"));
                }
                found[at] = Some((number, value.trim()));
            }
        }
        let setting = |at: usize| {
            found[at].ok_or_else(|| source.error(None, names[at], "is missing in the profile `default`; add it"))
        };
        let (line, id) = setting(0)?;
        if let Some(fault) = id_fault(id) {
            return Err(source.error(Some((line, 1)), names[0], fault));
        }
        let (secret_line, secret) = setting(1)?;
        if let Some(fault) = secret_fault(secret) {
            return Err(source.error(Some((secret_line, 1)), names[1], fault));
        }
        let (account_line, account) = setting(2)?;
        let account =
            account.parse().map_err(|error| source.error(Some((account_line, 1)), names[2], format!("{error}")))?;
        Ok(Self { id: id.to_owned(), secret: Zeroizing::new(secret.to_owned()), account, line })
    }
}

impl fmt::Debug for SharedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCredentials")
            .field("id", &self.id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        SharedCredentials::parse(&"credentials".into(), text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let key = NewAccessKey::generate().unwrap();
        let text = SharedCredentials::print(&key, "111122223333".parse().unwrap());
        let read = SharedCredentials::parse(&"credentials".into(), &text).unwrap();
        assert_eq!((read.id, read.secret, read.account.as_str(), read.line), (key.id, key.secret, "111122223333", 2));
    }

    #[test]
    fn other_profiles_settings_and_comments_are_left_alone() {
        let text = "# mine\n[other]\naws_access_key_id = X\n[default]\nregion = us-east-1\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = a=b\naws_account_id = 111122223333\n";
        let read = SharedCredentials::parse(&"credentials".into(), text).unwrap();
        assert_eq!((read.id.as_str(), read.secret.as_str()), ("AKIAIOSFODNN7EXAMPLE", "a=b"));
    }

    #[test]
    fn faults_name_the_line_and_never_the_secret() {
        assert_eq!(error(""), "credentials: aws_access_key_id: is missing in the profile `default`; add it");
        assert!(error("[default]\nnonsense\n").starts_with("credentials:2:1: is neither a profile"));
        assert!(error("aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n").starts_with("credentials:1:1: is neither"));
        let two = "[default]\naws_secret_access_key = hush\naws_secret_access_key = hush\n";
        assert_eq!(error(two), "credentials:3:1: aws_secret_access_key: is given twice; keep one");
        let spaced =
            "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = hu sh\naws_account_id = 1\n";
        assert_eq!(error(spaced), "credentials:3:1: aws_secret_access_key: holds white space or a control character");
    }
}
