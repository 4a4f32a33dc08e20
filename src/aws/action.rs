use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// One action of one service, such as `kms:EnableKeyRotation`, as a request names it: no wildcards.
///
/// Comparison with a policy's action ignores case; this type keeps AWS's spelling.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionName {
    text: Cow<'static, str>,
    colon: u8,
}

/// The text is not `service:Action`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an action name (such as `kms:Decrypt`)")]
pub struct InvalidActionName(String);

impl ActionName {
    /// An action spelled in the program text, `kms:Decrypt`.
    ///
    /// # Panics
    /// At compile time in const context, when the text has no colon.
    #[must_use]
    pub const fn of(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        let mut colon = 0;
        while bytes[colon as usize] != b':' {
            colon += 1;
        }
        Self { text: Cow::Borrowed(text), colon }
    }

    /// `kms:Decrypt`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `kms`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.text[..usize::from(self.colon)]
    }

    /// `Decrypt`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[usize::from(self.colon) + 1..]
    }
}

impl FromStr for ActionName {
    type Err = InvalidActionName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidActionName(text.to_owned());
        let (service, name) = text.split_once(':').ok_or_else(invalid)?;
        let word =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if text.len() > 255 || !word(service) || !word(name) {
            return Err(invalid());
        }
        let colon = u8::try_from(service.len()).map_err(|_| invalid())?;
        Ok(Self { text: Cow::Owned(text.to_owned()), colon })
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_a_service_and_a_name() {
        const DECRYPT: ActionName = ActionName::of("kms:Decrypt");
        assert_eq!((DECRYPT.service(), DECRYPT.name()), ("kms", "Decrypt"));
        assert_eq!("kms:Decrypt".parse::<ActionName>().unwrap(), DECRYPT);
        for bad in ["", "kms", "kms:", ":Decrypt", "kms:*", "kms:De crypt", "a:b:c"] {
            assert!(bad.parse::<ActionName>().is_err(), "{bad}");
        }
    }
}
