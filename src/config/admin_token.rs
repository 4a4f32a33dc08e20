use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ConfigError;
use super::files::read_secret;

/// Fewest characters of a token: 32 random bytes have 43 in base64, and who takes hex, or fewer bytes,
/// is still far from what can be guessed.
const LEAST: usize = 32;

/// Most characters of a token.
const MOST: usize = 1024;

/// What opens the admin listener.
#[derive(Clone)]
pub struct AdminToken(Zeroizing<String>);

impl AdminToken {
    /// Reads `admin_token_file`: one line.
    ///
    /// # Errors
    /// A file that can't be read, or that holds what is no token. It is never quoted.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read_secret(file, "read the admin listener's token")?;
        let token = text.trim_ascii();
        if !(LEAST..=MOST).contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::file(
                file,
                format!(
                    "holds no token: one line of {LEAST} to {MOST} visible ASCII characters, such as `openssl rand \
                     -base64 32` prints"
                ),
            ));
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    /// Whether it is this one; takes the same time wherever it differs.
    #[must_use]
    pub fn is(&self, shown: &[u8]) -> bool {
        shown.ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_that_nobody_guesses() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("token");
        let load = |text: &str| {
            std::fs::write(&file, text).unwrap();
            AdminToken::load(&file)
        };
        let token = "t".repeat(LEAST);
        let loaded = load(&format!("{token}\n")).unwrap();
        assert!(loaded.is(token.as_bytes()));
        for wrong in [&token[1..], "", &"t".repeat(LEAST + 1), &"u".repeat(LEAST)] {
            assert!(!loaded.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(load(&"t".repeat(MOST)).is_ok());
        let two_lines = format!("{token}\n{token}");
        for wrong in ["", &token[1..], &"t".repeat(MOST + 1), &two_lines, &"é".repeat(LEAST)] {
            let error = load(wrong).unwrap_err().to_string();
            assert!(error.contains("holds no token") && !error.contains("ttt"), "{error}");
        }
        assert_eq!(format!("{loaded:?}"), "AdminToken");
    }
}
