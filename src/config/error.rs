use std::fmt;
use std::path::Path;

use crate::identity::IdentityError;

/// What is wrong with the configuration, or with a file that it names, and what to do: displayed
/// as `file:line:column: member: message`, without the parts that don't apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file; none for a command-line flag or an environment variable.
    pub file: Option<String>,
    /// Line and column, both from 1, in characters.
    pub place: Option<(u32, u32)>,
    /// The member, such as `limits.header_timeout`; empty where no member is meant.
    pub member: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl ConfigError {
    /// An error of one member, without a file.
    pub(super) fn member(member: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: None, place: None, member: member.into(), message: message.into() }
    }

    /// An error of a whole file.
    pub(super) fn file(path: &Path, message: impl Into<String>) -> Self {
        Self { file: Some(path.display().to_string()), place: None, member: String::new(), message: message.into() }
    }

    /// The system refused to do something with a file.
    pub(super) fn io(path: &Path, doing: &str, error: &std::io::Error) -> Self {
        Self::file(path, format!("cannot {doing}: {error}"))
    }
}

impl From<IdentityError> for ConfigError {
    fn from(error: IdentityError) -> Self {
        Self { file: Some(error.file.to_string()), place: error.place, member: error.member, message: error.message }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some((line, column)) = self.place {
                write!(f, ":{line}:{column}")?;
            }
            separator = ": ";
        }
        if !self.member.is_empty() {
            write!(f, "{separator}{}", self.member)?;
            separator = ": ";
        }
        write!(f, "{separator}{}", self.message)
    }
}
