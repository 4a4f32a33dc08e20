//! What parameters may be, and how AWS tells what they are not: all faults at once.

use super::StsError;

/// The faults of a request's parameters.
#[derive(Default)]
pub(super) struct Constraints(Vec<String>);

/// Which characters a parameter may have.
#[derive(Clone, Copy)]
pub(super) enum Charset {
    /// `[\w+=,.@-]*` with these besides.
    Word(&'static str),
    /// Digits.
    Digits,
    /// Letters, numbers and spaces of any script, and `_.:/=+-@`.
    Tag,
    /// `[\u0009\u000A\u000D\u0020-\u00FF]+`
    Policy,
    /// No limit but that of control characters.
    Text,
}

impl Charset {
    fn has(self, character: char) -> bool {
        let is_word = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
        match self {
            Self::Word(more) => is_word(character) || more.contains(character),
            Self::Digits => character.is_ascii_digit(),
            Self::Tag => {
                character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character) || {
                    // \p{Z} beside the space: separators are white space that is no control character.
                    character.is_whitespace() && !character.is_control()
                }
            }
            Self::Policy => matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
            Self::Text => !character.is_control(),
        }
    }

    fn pattern(self) -> &'static str {
        match self {
            Self::Word("") => r"[\w+=,.@-]*",
            Self::Word("/") => r"[\w+=/:,.@-]*",
            Self::Word(_) => r"[\w+=,.@:\/-]*",
            Self::Digits => r"[\d]*",
            Self::Tag => r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
            Self::Policy => r"[\u0009\u000A\u000D\u0020-\u00FF]+",
            Self::Text => r"[\u0020-\uFFFD]+",
        }
    }
}

impl Constraints {
    /// Holds a text to a length in characters and to its characters.
    pub(super) fn text(&mut self, at: &str, value: &str, least: usize, most: usize, charset: Charset) {
        let length = value.chars().count();
        if length < least {
            self.fault(at, value, &format!("Member must have length greater than or equal to {least}"));
        }
        if length > most {
            self.fault(at, value, &format!("Member must have length less than or equal to {most}"));
        }
        if !value.chars().all(|character| charset.has(character)) {
            let pattern = charset.pattern();
            self.fault(at, value, &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
    }

    /// A parameter that must be there: the empty text where it is not.
    pub(super) fn required<'a>(&mut self, at: &str, value: Option<&'a str>) -> &'a str {
        value.unwrap_or_else(|| {
            self.0.push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
            ""
        })
    }

    /// A number within a range.
    pub(super) fn number(&mut self, at: &str, value: &str, least: u32, most: u32) -> Option<u32> {
        let Ok(number) = value.parse::<u32>() else {
            self.fault(at, value, "Member must be a whole number");
            return None;
        };
        if number < least {
            self.fault(at, value, &format!("Member must have value greater than or equal to {least}"));
        }
        if number > most {
            self.fault(at, value, &format!("Member must have value less than or equal to {most}"));
        }
        Some(number)
    }

    fn fault(&mut self, at: &str, value: &str, what: &str) {
        // A long value is no help to anyone.
        let shown: String = value.chars().take(256).collect();
        self.0.push(format!("Value '{shown}' at '{at}' failed to satisfy constraint: {what}"));
    }

    /// The fault of one parameter.
    pub(super) fn one(at: &str, value: &str, what: &str) -> StsError {
        let mut constraints = Self::default();
        constraints.fault(at, value, what);
        constraints.error()
    }

    /// # Errors
    /// All faults there are.
    pub(super) fn check(self) -> Result<(), StsError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.error()) }
    }

    fn error(&self) -> StsError {
        let (count, plural) = (self.0.len(), if self.0.len() == 1 { "error" } else { "errors" });
        StsError::validation(format!("{count} validation {plural} detected: {}", self.0.join("; ")))
    }
}
