//! What the built-in token service is told of: multi-factor devices and identity providers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::directory::name_of;
use super::files::{read_secret, read_text};
use super::{Config, ConfigError};
use crate::aws::{AccountId, Arn, Principal};
use crate::identity::{
    DirectoryBuilder, KeySet, KeySource, MfaDevice, OidcProvider, SecretText, SigningAlgorithm, Source,
};

/// One `[[iam.mfa_device]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaDeviceSettings {
    /// Line and column in the configuration file.
    place: (u32, u32),
    /// Its ARN.
    pub serial: String,
    /// Whose it is: a user or a root user.
    pub user: Principal,
    /// Where the base32 of its secret is.
    pub secret: MfaSecret,
}

/// Where the secret of a multi-factor device is.
#[derive(Clone, PartialEq, Eq)]
pub enum MfaSecret {
    /// In the configuration itself.
    Inline(Zeroizing<String>),
    /// In that file.
    File(PathBuf),
    /// In that environment variable.
    Env(String),
}

/// One `[[iam.oidc_provider]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProviderSettings {
    /// Line and column in the configuration file.
    place: (u32, u32),
    /// Its URL, as its tokens name it.
    pub issuer: String,
    /// The audiences that tokens may be for.
    pub audiences: Vec<String>,
    /// The algorithms that tokens may be signed with. Default RS256 alone.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Where its keys are.
    pub keys: KeySetSource,
    /// The certificate authorities of the keys' URL, as PEM; none for the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where the keys of an identity provider are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetSource {
    /// In that file.
    File(PathBuf),
    /// At that https URL.
    Url(String),
}

impl fmt::Debug for MfaSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(redacted)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MfaDeviceTable {
    serial: String,
    user: String,
    secret: Option<SecretText>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcProviderTable {
    issuer: String,
    audiences: Vec<String>,
    algorithms: Option<Vec<String>>,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<String>,
    ca_file: Option<PathBuf>,
}

const DEVICE: &str = "iam.mfa_device";
const PROVIDER: &str = "iam.oidc_provider";

impl MfaDeviceTable {
    pub(super) fn resolve(
        table: Spanned<Self>,
        base: &Path,
        source: Source<'_>,
    ) -> Result<MfaDeviceSettings, ConfigError> {
        let at = table.span().start;
        let table = table.into_inner();
        let fault = |member: &str, message: &str| source.at(at, format!("{DEVICE}.{member}"), message);
        let is_device = |arn: &Arn| {
            arn.service() == "iam" && arn.account().parse::<AccountId>().is_ok() && arn.resource().starts_with("mfa/")
        };
        let serial = table.serial.parse::<Arn>().ok().filter(is_device).filter(|arn| arn.as_str().len() <= 256);
        let serial = serial.ok_or_else(|| {
            fault("serial", "is not the ARN of a device, such as arn:aws:iam::111122223333:mfa/alice")
        })?;
        let is_user = |user: &Principal| matches!(user, Principal::User(_) | Principal::Root(_));
        let user = table.user.parse().ok().filter(is_user).ok_or_else(|| {
            fault("user", "is not the ARN of a user or a root user, such as arn:aws:iam::111122223333:user/alice")
        })?;
        if user.account().as_ref().map(AccountId::as_str) != Some(serial.account()) {
            return Err(fault("user", "is of another account than the device").into());
        }
        let secret = match (table.secret, table.secret_file, table.secret_env) {
            (Some(secret), None, None) => MfaSecret::Inline(secret.into_inner()),
            (None, Some(file), None) => MfaSecret::File(base.join(file)),
            (None, None, Some(name)) if !name.is_empty() && !name.contains(['=', '\0']) => MfaSecret::Env(name),
            (None, None, Some(_)) => {
                return Err(fault("secret_env", "is not the name of an environment variable").into());
            }
            _ => {
                return Err(source
                    .at(at, DEVICE, "give exactly one of `secret`, `secret_file` and `secret_env`")
                    .into());
            }
        };
        Ok(MfaDeviceSettings { place: source.position(at), serial: table.serial, user, secret })
    }
}

impl OidcProviderTable {
    pub(super) fn resolve(
        table: Spanned<Self>,
        base: &Path,
        source: Source<'_>,
    ) -> Result<OidcProviderSettings, ConfigError> {
        let at = table.span().start;
        let table = table.into_inner();
        let fault = |member: &str, message: &str| source.at(at, format!("{PROVIDER}.{member}"), message);
        if !is_url(&table.issuer) || table.issuer.len() > 255 {
            return Err(fault("issuer", "is not an https URL without a query, such as https://idp.example.com").into());
        }
        if table.audiences.is_empty() || table.audiences.iter().any(String::is_empty) {
            return Err(fault("audiences", "give at least one audience; a token must name one of them").into());
        }
        let names = table.algorithms.unwrap_or_else(|| vec!["RS256".to_owned()]);
        let algorithms: Option<Vec<_>> = names.iter().map(|name| SigningAlgorithm::named(name)).collect();
        let algorithms = algorithms
            .filter(|algorithms| !algorithms.is_empty())
            .ok_or_else(|| fault("algorithms", "give one or several of RS256, RS384, RS512, ES256, ES384 and ES512"))?;
        let keys = match (table.jwks_file, table.jwks_url) {
            (Some(file), None) if table.ca_file.is_none() => KeySetSource::File(base.join(file)),
            (Some(_), None) => return Err(fault("ca_file", "is for a `jwks_url` alone").into()),
            (None, Some(url)) if is_url(&url) => KeySetSource::Url(url),
            (None, Some(_)) => return Err(fault("jwks_url", "is not an https URL without a query").into()),
            _ => return Err(source.at(at, PROVIDER, "give exactly one of `jwks_file` and `jwks_url`").into()),
        };
        Ok(OidcProviderSettings {
            place: source.position(at),
            issuer: table.issuer,
            audiences: table.audiences,
            algorithms,
            keys,
            ca_file: table.ca_file.map(|file| base.join(file)),
        })
    }
}

/// Whether this is `https://host[:port][/path]`, with nothing that could be read in two ways.
fn is_url(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        !host.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/%".contains(&byte))
    })
}

/// Adds the devices and providers that are configured to a directory.
pub(super) fn add_to(config: &Config, builder: &mut DirectoryBuilder<'_>) -> Result<(), ConfigError> {
    for device in &config.iam.mfa_devices {
        let fault = |member: &str, message: String| config.at(device.place, &format!("{DEVICE}.{member}"), message);
        let (member, text) = match &device.secret {
            MfaSecret::Inline(text) => ("secret", text.clone()),
            MfaSecret::File(file) => {
                let text = read_secret(file, "read the secret");
                ("secret_file", text.map_err(|error| fault("secret_file", error.to_string()))?)
            }
            MfaSecret::Env(name) => {
                let text = std::env::var(name).map(Zeroizing::new);
                let unset = |_| fault("secret_env", format!("the environment variable {name} is not set, or no text"));
                ("secret_env", text.map_err(unset)?)
            }
        };
        let secret = MfaDevice::read_secret(&text).map_err(|what| fault(member, format!("the secret {what}")))?;
        let device = MfaDevice { serial: device.serial.clone(), user: device.user.clone(), secret };
        builder
            .add_mfa_device(device)
            .map_err(|twice| fault("serial", format!("{} is given twice; remove one", twice.serial)))?;
    }
    for provider in &config.iam.oidc_providers {
        let fault = |member: &str, message: String| config.at(provider.place, &format!("{PROVIDER}.{member}"), message);
        let keys = match &provider.keys {
            KeySetSource::Url(url) => KeySource::Url(url.clone()),
            KeySetSource::File(file) => {
                let text = read_text(file, "read the keys of the identity provider")
                    .map_err(|error| fault("jwks_file", error.to_string()))?;
                let set = KeySet::parse(text.as_bytes());
                KeySource::Fixed(Arc::new(set.map_err(|what| fault("jwks_file", format!("{} {what}", name_of(file))))?))
            }
        };
        let OidcProviderSettings { issuer, audiences, algorithms, .. } = provider.clone();
        builder
            .add_oidc_provider(OidcProvider { issuer, audiences, algorithms, keys })
            .map_err(|twice| fault("issuer", format!("{} is given twice; remove one", twice.issuer)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cedar::Documents;
    use crate::config::{Overrides, load_directory};

    fn load(root: &Path, text: &str) -> Result<crate::identity::Directory, String> {
        let config = Config::from_text(Some(&root.join("k.toml")), text, &Overrides::default());
        let config = config.map_err(|error| error.to_string())?;
        load_directory(&config, &Documents::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn devices_and_providers_are_read_and_each_fault_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("secret"), "GEZDGNBVGY3TQOJQ\n").unwrap();
        let key = r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#;
        fs::write(root.path().join("jwks.json"), key).unwrap();
        fs::write(root.path().join("none.json"), "{}").unwrap();
        let device =
            |rest: &str| format!("[[iam.mfa_device]]\nserial = \"arn:aws:iam::111122223333:mfa/alice\"\n{rest}\n");
        let alice = "user = \"arn:aws:iam::111122223333:user/alice\"";
        let provider = |rest: &str| format!("[[iam.oidc_provider]]\nissuer = \"https://idp.example.com/a\"\n{rest}\n");
        let good = [
            device(&format!("{alice}\nsecret_file = \"secret\"")),
            provider("audiences = [\"app\"]\njwks_file = \"jwks.json\""),
        ];
        let directory = load(root.path(), &good.concat()).unwrap();
        assert!(directory.mfa_device("arn:aws:iam::111122223333:mfa/alice").is_some());
        let found = directory.oidc_provider("https://idp.example.com/a").unwrap();
        assert_eq!(found.algorithms, [SigningAlgorithm::Rs256]);
        for (text, expected) in [
            (
                device(&format!("{alice}\nsecret = \"hush-hush\"")),
                "k.toml:1:1: iam.mfa_device.secret: the secret is not base32",
            ),
            (device(&format!("{alice}\nsecret = 1234567890123456")), "k.toml:4:10: "),
            (device(alice), "k.toml:1:1: iam.mfa_device: give exactly one"),
            (device("user = \"alice\"\nsecret = \"x\""), "k.toml:1:1: iam.mfa_device.user: is not the ARN"),
            (
                device("user = \"arn:aws:iam::444455556666:user/eve\"\nsecret = \"x\""),
                "k.toml:1:1: iam.mfa_device.user: is of another account",
            ),
            (
                good[0].repeat(2),
                "k.toml:5:1: iam.mfa_device.serial: arn:aws:iam::111122223333:mfa/alice is given twice",
            ),
            (provider("audiences = []\njwks_file = \"jwks.json\""), "k.toml:1:1: iam.oidc_provider.audiences: give"),
            (provider("audiences = [\"a\"]"), "k.toml:1:1: iam.oidc_provider: give exactly one of"),
            (
                provider("audiences = [\"a\"]\njwks_url = \"http://idp.example.com\""),
                "k.toml:1:1: iam.oidc_provider.jwks_url: is not an https URL",
            ),
            (
                provider("audiences = [\"a\"]\njwks_file = \"jwks.json\"\nalgorithms = [\"HS256\"]"),
                "k.toml:1:1: iam.oidc_provider.algorithms: give one or several",
            ),
            (provider("audiences = [\"a\"]\njwks_file = \"none.json\""), "k.toml:1:1: iam.oidc_provider.jwks_file: "),
            (good[1].repeat(2), "k.toml:5:1: iam.oidc_provider.issuer: https://idp.example.com/a is given twice"),
        ] {
            let error = load(root.path(), &text).err().unwrap_or_default();
            let relative = error.strip_prefix(&format!("{}/", root.path().display())).unwrap_or(&error);
            assert!(
                relative.starts_with(expected) && !error.contains("hush") && !error.contains("1234567890123"),
                "expected {expected}\n   found {error}"
            );
        }
    }

    #[test]
    fn a_url_has_one_reading() {
        for (text, expected) in [
            ("https://a.example.com", true),
            ("https://a.example.com:8443/x/y", true),
            ("http://a.example.com", false),
            ("https://", false),
            ("https:///x", false),
            ("https://u@a.example.com", false),
            ("https://a.example.com/?q", false),
            ("https://a.example.com#f", false),
            ("https://a b", false),
        ] {
            assert_eq!(is_url(text), expected, "{text}");
        }
    }
}
