//! The keys of identity providers that publish them at a URL: fetched when a token needs them, and kept.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::StsError;
use crate::identity::{KeySet, KeySource, OidcProvider};

/// How long keys are used before they are fetched anew, in seconds.
const FRESH_SECONDS: i64 = 3600;
/// How long keys are used when they can't be fetched anew, in seconds.
const STALE_SECONDS: i64 = 24 * 3600;
/// A provider is asked again no sooner, in seconds: a token may name any key.
const PAUSE_SECONDS: i64 = 60;

/// Fetches what an identity provider publishes.
pub trait KeySetTransport: Send + Sync {
    /// The body that a GET of an https URL answers with 200. What it calls, how long it waits and how
    /// much it reads is bounded by itself.
    fn fetch<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;
}

/// Calls nobody.
pub(super) struct NoTransport;

impl KeySetTransport for NoTransport {
    fn fetch<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>> {
        Box::pin(ready(Err("no identity provider is called".to_owned())))
    }
}

/// The key sets that were fetched, by URL. There are as many as are configured.
#[derive(Default)]
pub(super) struct KeySets(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Fetched>>>>);

#[derive(Default)]
struct Fetched {
    set: Option<(Arc<KeySet>, i64)>,
    /// When the provider was asked last, in seconds since 1970.
    asked: Option<i64>,
}

impl Fetched {
    fn younger_than(&self, seconds: i64, now: i64) -> Option<&Arc<KeySet>> {
        self.set.as_ref().filter(|(_, at)| now.saturating_sub(*at) < seconds).map(|(set, _)| set)
    }
}

impl KeySets {
    /// The keys of a provider, among them the one of that id if it can be had.
    ///
    /// # Errors
    /// Where there are none, and none can be fetched.
    pub(super) async fn of(
        &self,
        provider: &OidcProvider,
        id: Option<&str>,
        transport: &dyn KeySetTransport,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, StsError> {
        let url = match &provider.keys {
            KeySource::Fixed(set) => return Ok(Arc::clone(set)),
            KeySource::Url(url) => url,
        };
        let entry = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(url.clone()).or_default())
        };
        let now = now.as_second();
        // One request fetches, and those that need the same wait for it.
        let mut fetched = entry.lock().await;
        if let Some(set) = fetched.younger_than(FRESH_SECONDS, now)
            && set.has(id)
        {
            return Ok(Arc::clone(set));
        }
        if fetched.asked.is_none_or(|asked| now.saturating_sub(asked) >= PAUSE_SECONDS) {
            fetched.asked = Some(now);
            let answer = transport.fetch(url).await;
            match answer.and_then(|text| KeySet::parse(&text).map_err(|what| format!("what it answers {what}"))) {
                Ok(set) => fetched.set = Some((Arc::new(set), now)),
                Err(cause) => tracing::warn!(url, cause, "the keys of an identity provider could not be fetched"),
            }
        }
        fetched.younger_than(STALE_SECONDS, now).map(Arc::clone).ok_or_else(|| {
            let why = "The identity provider could not be reached to verify the incoming identity token.";
            StsError::new("IDPCommunicationError", why)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::identity::SigningAlgorithm;

    /// Answers what it is given next, and counts.
    #[derive(Default)]
    struct Provider {
        asked: AtomicUsize,
        answer: Mutex<Option<Vec<u8>>>,
    }

    impl KeySetTransport for Provider {
        fn fetch<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(ready(self.answer.lock().unwrap().clone().ok_or_else(|| "down".to_owned())))
        }
    }

    fn set(id: &str) -> Vec<u8> {
        let set = json!({"keys": [{"kty": "EC", "kid": id, "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]});
        set.to_string().into_bytes()
    }

    #[tokio::test]
    async fn keys_are_fetched_when_they_are_needed_and_seldom() {
        let provider = OidcProvider {
            issuer: "https://idp.example.com".to_owned(),
            audiences: Vec::new(),
            algorithms: vec![SigningAlgorithm::Es256],
            keys: KeySource::Url("https://idp.example.com/keys".to_owned()),
        };
        let (sets, transport) = (KeySets::default(), Provider::default());
        let ask = async |id: &'static str, seconds: i64| {
            let now = Timestamp::from_second(1_000_000 + seconds).unwrap();
            let found = sets.of(&provider, Some(id), &transport, now).await;
            (found.map(|set| set.has(Some(id))).map_err(|error| error.code), transport.asked.load(Ordering::Relaxed))
        };
        assert_eq!(ask("a", 0).await, (Err("IDPCommunicationError"), 1));
        *transport.answer.lock().unwrap() = Some(set("a"));
        assert_eq!(ask("a", PAUSE_SECONDS - 1).await, (Err("IDPCommunicationError"), 1), "not so soon");
        assert_eq!(ask("a", PAUSE_SECONDS).await, (Ok(true), 2));
        assert_eq!(ask("a", PAUSE_SECONDS + 1).await, (Ok(true), 2));
        // The provider has another key now.
        *transport.answer.lock().unwrap() = Some(set("b"));
        assert_eq!(ask("b", PAUSE_SECONDS + 1).await, (Ok(false), 2));
        assert_eq!(ask("b", 2 * PAUSE_SECONDS).await, (Ok(true), 3));
        // And then it does not answer any more.
        *transport.answer.lock().unwrap() = None;
        let fetched = 2 * PAUSE_SECONDS;
        assert_eq!(ask("b", fetched + FRESH_SECONDS).await, (Ok(true), 4));
        assert_eq!(ask("b", fetched + STALE_SECONDS - 1).await, (Ok(true), 5));
        assert_eq!(ask("b", fetched + STALE_SECONDS).await, (Err("IDPCommunicationError"), 5));
    }
}
