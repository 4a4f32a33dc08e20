//! The proxy of the external key stores: how it behaves, and what comes of asking it. Which errors a
//! failure is told with, the table says that the engine's own tests hold it to.

use super::ask::{Refusal, in_words};
use crate::engine::custom_key_stores::{Row, failures};
use crate::engine::proxy::{ACCESS_KEY, FakeProxy, HOST, KEY, Mischief, SECRET};

/// The credentials that there are.
pub(super) const CREDENTIALS: [(&str, &str); 2] =
    [(ACCESS_KEY, SECRET), ("TSRQPONMLKJIHGFEDCBA", "anothersecretanothersecretanothersecretanoth")];
/// Where proxies are below the one endpoint.
pub(super) const PATHS: [&str; 3] = ["/a/kms/xks/v1", "/b/kms/xks/v1", "/kms/xks/v1"];
/// External keys: the first four are good ones.
pub(super) const EXTERNAL_KEYS: [&str; 8] =
    [KEY, "good-key-2", "good-key-3", "good-key-4", "disabled", "one-way", "short", "unknown"];

/// How the proxy behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxy {
    /// A place among [`mischiefs`].
    pub(super) mischief: Option<usize>,
    /// Which of [`CREDENTIALS`] it takes.
    pub(super) credential: usize,
    /// Below this path there is none.
    pub(super) unknown_path: Option<&'static str>,
    /// External keys that are there no more, and that are disabled.
    pub(super) lost: Option<&'static str>,
    pub(super) disabled: Option<&'static str>,
}

/// What the proxy may be asked, about an external key.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Health,
    Metadata(&'a str),
    Encrypt(&'a str),
    /// And whether it is what was encrypted, with the context that it was encrypted with.
    Decrypt(&'a str, bool),
}

impl Question<'_> {
    fn key(self) -> Option<&'static str> {
        let (Self::Metadata(key) | Self::Encrypt(key) | Self::Decrypt(key, _)) = self else { return None };
        EXTERNAL_KEYS.into_iter().find(|known| *known == key)
    }
}

/// How a failure is told: by operations on stores, by CreateKey, as a connection's, and in which words
/// by the use of a key.
pub(super) struct Failure {
    store: &'static str,
    key: &'static str,
    pub(super) connection: &'static str,
    words: &'static str,
}

impl Failure {
    pub(super) fn of_store(&self) -> Refusal {
        in_words(self.store, self.words)
    }

    pub(super) fn of_new_key(&self) -> Refusal {
        in_words(self.key, self.words)
    }

    pub(super) fn of_use(&self) -> Refusal {
        in_words("KMSInvalidStateException", self.words)
    }
}

impl From<Row> for Failure {
    fn from((_, store, key, connection, words): Row) -> Self {
        Self { store, key, connection, words }
    }
}

/// What the proxy's own error of that name comes to.
fn named(name: &str) -> Failure {
    let is_it = |row: &Row| matches!(row.0, Mischief::Error(_, error) if error == name);
    failures().into_iter().find(is_it).map(Failure::from).expect("an error of the table")
}

fn of_use(words: &'static str) -> Failure {
    Failure { store: "", key: "", connection: "", words }
}

/// All that a proxy may do wrong.
pub(super) fn mischiefs() -> Vec<Row> {
    let unavailable = serde_json::json!([{"id": "1", "model": "m", "healthStatus": "UNAVAILABLE"}]);
    let mut all = failures();
    all.push((
        Mischief::Member("ekmFleetDetails", unavailable),
        "XksProxyUriUnreachableException",
        "",
        "XKS_PROXY_NOT_REACHABLE",
        "all external key manager instances are unavailable",
    ));
    all.push((
        Mischief::Member("ciphertextDataIntegrityValue", serde_json::json!("QQ==")),
        "",
        "",
        "",
        "cannot interpret the response",
    ));
    all.push((Mischief::WrongPlaintext, "", "", "", "submitted for decryption"));
    all
}

impl Proxy {
    pub(super) fn act(&self, proxy: &FakeProxy) {
        match self.mischief {
            Some(which) => proxy.does(mischiefs().swap_remove(which).0),
            None => proxy.behaves(),
        }
        let (access_key, secret) = CREDENTIALS[self.credential];
        proxy.trusts(access_key, secret);
        proxy.lacks(self.unknown_path, self.lost, self.disabled);
    }

    /// What comes of a question to the proxy of an endpoint and path, with a credential.
    pub(super) fn asked(
        &self,
        endpoint: &str,
        path: &str,
        credential: &(String, String),
        question: Question<'_>,
    ) -> Result<(), Failure> {
        if endpoint.to_ascii_lowercase() != format!("https://{HOST}") {
            let row = failures().into_iter().find(|row| row.4.contains("external_key_stores.hosts"));
            return Err(row.map(Failure::from).expect("a row for hosts that are not listed"));
        }
        let mischief = self.mischief.map(|which| mischiefs().swap_remove(which));
        if let Some(row @ (Mischief::Silence(_), ..)) = mischief {
            return Err(row.into());
        }
        if (credential.0.as_str(), credential.1.as_str()) != CREDENTIALS[self.credential] {
            return Err(named("AuthenticationFailedException"));
        }
        if self.unknown_path == Some(path) {
            return Err(named("InvalidUriPathException"));
        }
        let key = question.key();
        if key.is_some() && (key == self.lost || key == Some("unknown")) {
            return Err(named("KeyNotFoundException"));
        }
        let is_disabled = key.is_some() && (key == self.disabled || key == Some("disabled"));
        match question {
            Question::Encrypt(_) | Question::Decrypt(..) if is_disabled => Err(named("InvalidStateException")),
            Question::Decrypt(_, false) => Err(of_use("ciphertext or encryption context is corrupted")),
            _ => Ok(()),
        }?;
        match (mischief, question) {
            (None, _)
            | (Some((Mischief::WrongPlaintext, ..)), Question::Health | Question::Metadata(_) | Question::Encrypt(_))
            | (
                Some((Mischief::Member("ekmFleetDetails", _), ..)),
                Question::Metadata(_) | Question::Encrypt(_) | Question::Decrypt(..),
            )
            | (
                Some((Mischief::Member("ciphertextDataIntegrityValue", _), ..)),
                Question::Health | Question::Metadata(_) | Question::Decrypt(..),
            ) => {}
            (Some(row), _) => return Err(row.into()),
        }
        if let Question::Metadata(key) = question
            && (is_disabled || ["one-way", "short"].contains(&key))
        {
            return Err(Failure { key: "XksKeyInvalidConfigurationException", ..of_use("must be an AES-256") });
        }
        Ok(())
    }
}
