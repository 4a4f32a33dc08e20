use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What is wrong in a file that describes identities, and where: displayed as
/// `file:line:column: member: what is wrong and what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct IdentityError {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Line and column, both from 1, in characters; none where the whole file is meant.
    pub place: Option<(u32, u32)>,
    /// The member, such as `access_key[1].principal`; empty where no member is meant.
    pub member: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.member.is_empty() {
            write!(f, ": {}", self.member)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A text with its file's name: makes errors that name the place.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    file: &'a Arc<str>,
    text: &'a str,
}

impl<'a> Source<'a> {
    /// The text of that file.
    #[must_use]
    pub fn new(file: &'a Arc<str>, text: &'a str) -> Self {
        Self { file, text }
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &'a Arc<str> {
        self.file
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// An error at that byte of the text.
    #[must_use]
    pub fn at(&self, offset: usize, member: impl Into<String>, message: impl Into<String>) -> IdentityError {
        self.error(Some(self.position(offset)), member, message)
    }

    /// An error at a line and column of the text.
    #[must_use]
    pub fn error(
        &self,
        place: Option<(u32, u32)>,
        member: impl Into<String>,
        message: impl Into<String>,
    ) -> IdentityError {
        IdentityError { file: Arc::clone(self.file), place, member: member.into(), message: message.into() }
    }

    /// What the TOML reader found wrong.
    #[must_use]
    pub fn toml(&self, error: &toml::de::Error) -> IdentityError {
        let mut bare = error.clone();
        // Without the text, the error's display ends with the path of the member.
        bare.set_input(None);
        let shown = bare.to_string();
        let path =
            shown.rsplit_once("\nin `").and_then(|(_, rest)| rest.trim_end().strip_suffix('`')).unwrap_or_default();
        // The path of an unknown member is that of its table.
        let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let member = match unknown {
            Some(name) if path.is_empty() => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None => path.to_owned(),
        };
        let place = error.span().map(|Range { start, .. }| self.position(start));
        self.error(place, member, error.message().replace('\n', " "))
    }

    /// What the TOML reader found wrong in a file of `[[table]]`s: the reader's path of a member
    /// does not tell which of them it is in; its line does.
    pub(super) fn toml_of_tables(&self, error: &toml::de::Error, table: &str) -> IdentityError {
        let mut error = self.toml(error);
        let lines = error.place.map_or(0, |(line, _)| usize::try_from(line).unwrap_or(usize::MAX));
        let header = format!("[[{table}]]");
        let headers = self.text.lines().take(lines).filter(|line| line.trim_start().starts_with(&header)).count();
        if let (Some(index), Some(rest)) = (headers.checked_sub(1), error.member.strip_prefix(table)) {
            error.member = format!("{table}[{index}]{rest}");
        }
        error
    }

    /// What the JSON reader found wrong.
    #[must_use]
    pub fn json(&self, error: &serde_json::Error) -> IdentityError {
        let shown = error.to_string();
        // The place stands in front already.
        let message = shown.split(" at line ").next().unwrap_or(&shown);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let place = (error.line() > 0).then(|| (number(error.line()), number(error.column().max(1))));
        self.error(place, "", message)
    }

    /// Line and column of a byte of the text, both from 1.
    #[must_use]
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (number(before.matches('\n').count() + 1), number(before[line_start..].chars().count() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_column_in_characters() {
        let file: Arc<str> = "f".into();
        let source = Source::new(&file, "ab\nçd\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(3), (2, 1));
        assert_eq!(source.position(4), (2, 1), "inside a character");
        assert_eq!(source.position(5), (2, 2));
        assert_eq!(source.position(99), (3, 1));
        assert_eq!(source.at(5, "m", "wrong").to_string(), "f:2:2: m: wrong");
    }
}
