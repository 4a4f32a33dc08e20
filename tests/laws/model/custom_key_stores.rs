//! External key stores (KMS API Reference, the operations on custom key stores; KMS Developer Guide,
//! "External key stores").

use serde_json::{Value, json};

use super::ask::{Ask, Expected, Refusal, is_hex, some};
use super::decide::{Check, On};
use super::proxy::{Failure, Question};
use super::state::{Connection, CustomKeyStore, Model, date};
use crate::interpreter::Context;

/// Stores of an account in a Region (AWS KMS quotas, "Resource quotas").
const MOST_STORES: usize = 10;

/// Members of the stores that are not served here.
const UNSERVED: [&str; 5] = [
    "CloudHsmClusterId",
    "KeyStorePassword",
    "TrustAnchorCertificate",
    "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner",
];

fn not_found() -> Refusal {
    some("CustomKeyStoreNotFoundException")
}

fn in_state() -> Refusal {
    some("CustomKeyStoreInvalidStateException")
}

/// Whether a request asks for nothing of a kind of store that is not served.
fn served(ask: &Ask<'_>) -> Result<(), Refusal> {
    if UNSERVED.iter().any(|name| !ask.body[name].is_null()) {
        return Err(some("UnsupportedOperationException"));
    }
    Ok(())
}

fn public(ask: &Ask<'_>) -> Result<bool, Refusal> {
    match ask.text("XksProxyConnectivity") {
        Some("VPC_ENDPOINT_SERVICE") => Err(some("UnsupportedOperationException")),
        given => Ok(given.is_some()),
    }
}

/// Of version 1 of the API, and spelled in one way alone.
fn path(ask: &Ask<'_>) -> Result<Option<String>, Refusal> {
    match ask.text("XksProxyUriPath") {
        Some(path) if !path.ends_with("/kms/xks/v1") || path.contains("//") => {
            Err(some("XksProxyInvalidConfigurationException"))
        }
        path => Ok(path.map(str::to_owned)),
    }
}

fn credential(ask: &Ask<'_>) -> Option<(String, String)> {
    let given = &ask.body["XksProxyAuthenticationCredential"];
    Some((given["AccessKeyId"].as_str()?.to_owned(), given["RawSecretAccessKey"].as_str()?.to_owned()))
}

impl Model {
    fn may(&self, ask: &Ask<'_>) -> Result<(), Refusal> {
        self.hold(ask, &[Check::new(ask.operation, On::Nothing, Context::new())])
    }

    /// The caller's stores in the Region.
    fn own_stores(&self, ask: &Ask<'_>) -> Vec<usize> {
        let is_own = |at: &usize| {
            let store = &self.stores[*at];
            !store.gone && store.account == ask.who().account && store.region == ask.region
        };
        (0..self.stores.len()).filter(is_own).collect()
    }

    pub(super) fn store_of_id(&self, ask: &Ask<'_>, id: &str) -> Result<usize, Refusal> {
        self.own_stores(ask).into_iter().find(|store| self.stores[*store].id == id).ok_or_else(not_found)
    }

    /// Name and proxy are one store's alone.
    fn free(&self, ask: &Ask<'_>, but: Option<usize>, name: &str, endpoint: &str, path: &str) -> Result<(), Refusal> {
        let others: Vec<&CustomKeyStore> =
            self.own_stores(ask).into_iter().filter(|at| Some(*at) != but).map(|at| &self.stores[at]).collect();
        if others.iter().any(|other| other.name == name) {
            return Err(some("CustomKeyStoreNameInUseException"));
        }
        let is_there = |other: &&CustomKeyStore| other.endpoint.eq_ignore_ascii_case(endpoint) && other.path == path;
        if others.iter().any(is_there) {
            return Err(some("XksProxyUriInUseException"));
        }
        Ok(())
    }

    pub(super) fn create_custom_key_store(&mut self, ask: &Ask<'_>) -> Expected {
        if ask.text("CustomKeyStoreType") != Some("EXTERNAL_KEY_STORE") {
            return Err(some("UnsupportedOperationException"));
        }
        served(ask)?;
        if !public(ask)? {
            return Err(some("ValidationException"));
        }
        let missing = || some("ValidationException");
        let endpoint = ask.text("XksProxyUriEndpoint").ok_or_else(missing)?.to_owned();
        let path = path(ask)?.ok_or_else(missing)?;
        let credential = credential(ask).ok_or_else(missing)?;
        self.may(ask)?;
        if self.own_stores(ask).len() >= MOST_STORES {
            return Err(some("LimitExceededException"));
        }
        let name = ask.must("CustomKeyStoreName").to_owned();
        self.free(ask, None, &name, &endpoint, &path)?;
        let health = self.proxy.asked(&endpoint, &path, &credential, Question::Health);
        health.map_err(|failure| failure.of_store())?;
        let is_new = |text: &str| {
            let digits = text.strip_prefix("cks-").unwrap_or_default();
            is_hex(digits, 17) && self.stores.iter().all(|store| store.id != text)
        };
        let id = ask.drawn("/CustomKeyStoreId", is_new);
        self.stores.push(CustomKeyStore {
            made: ask.step,
            account: ask.who().account,
            region: ask.region,
            id: id.clone(),
            created: self.now,
            name,
            endpoint,
            path,
            credential,
            connection: Connection::Disconnected,
            gone: false,
        });
        Ok(json!({"CustomKeyStoreId": id}))
    }

    /// Who describes one names it by its id or its name.
    pub(super) fn describe_custom_key_stores(&mut self, ask: &Ask<'_>) -> Expected {
        let (id, name) = (ask.text("CustomKeyStoreId"), ask.text("CustomKeyStoreName"));
        if id.is_some() && name.is_some() {
            return Err(some("ValidationException"));
        }
        self.may(ask)?;
        let about = format!("{} {}", ask.who().account, ask.region);
        self.window(ask, &about, (100, 1000))?;
        let mut stores = self.own_stores(ask);
        if id.is_some() || name.is_some() {
            let is_it = |at: &usize| {
                let store = &self.stores[*at];
                id.is_some_and(|id| store.id == id) || name.is_some_and(|name| store.name == name)
            };
            stores.retain(is_it);
            if stores.is_empty() {
                return Err(not_found());
            }
        }
        let mut items: Vec<(String, Value)> =
            stores.into_iter().map(|at| (self.stores[at].id.clone(), self.stores[at].shown())).collect();
        items.sort_by(|one, other| one.0.cmp(&other.0));
        self.page(ask, "CustomKeyStores", &about, &items, (100, 1000))
    }

    /// A name, a path and a credential may change while the store is connected, the endpoint only while
    /// it is not; the proxy must agree with what is new.
    pub(super) fn update_custom_key_store(&mut self, ask: &Ask<'_>) -> Expected {
        served(ask)?;
        public(ask)?;
        let (path, credential) = (path(ask)?, credential(ask));
        self.may(ask)?;
        let at = self.store_of_id(ask, ask.must("CustomKeyStoreId"))?;
        let store = &self.stores[at];
        let endpoint = ask.text("XksProxyUriEndpoint");
        let asks = endpoint.is_some() || path.is_some() || credential.is_some();
        let moves = endpoint.is_some_and(|endpoint| endpoint != store.endpoint);
        if matches!(store.connection, Connection::Failed(_)) || (moves && store.connection == Connection::Connected) {
            return Err(in_state());
        }
        let name = ask.text("NewCustomKeyStoreName").unwrap_or(&store.name).to_owned();
        let endpoint = endpoint.unwrap_or(&store.endpoint).to_owned();
        let path = path.unwrap_or_else(|| store.path.clone());
        let credential = credential.unwrap_or_else(|| store.credential.clone());
        self.free(ask, Some(at), &name, &endpoint, &path)?;
        if asks {
            let health = self.proxy.asked(&endpoint, &path, &credential, Question::Health);
            health.map_err(|failure| failure.of_store())?;
        }
        let store = &mut self.stores[at];
        (store.name, store.endpoint, store.path, store.credential) = (name, endpoint, path, credential);
        Ok(json!({}))
    }

    /// It is connected when it is answered, or tells why not; what is connected stays so.
    pub(super) fn connect_custom_key_store(&mut self, ask: &Ask<'_>) -> Expected {
        self.may(ask)?;
        let at = self.store_of_id(ask, ask.must("CustomKeyStoreId"))?;
        match (self.stores[at].connection, self.question(at, Question::Health)) {
            (Connection::Failed(_), _) => return Err(in_state()),
            (Connection::Connected, _) => {}
            (Connection::Disconnected, Ok(())) => self.stores[at].connection = Connection::Connected,
            (Connection::Disconnected, Err(failure)) => {
                self.stores[at].connection = Connection::Failed(failure.connection);
            }
        }
        Ok(json!({}))
    }

    pub(super) fn disconnect_custom_key_store(&mut self, ask: &Ask<'_>) -> Expected {
        self.may(ask)?;
        let at = self.store_of_id(ask, ask.must("CustomKeyStoreId"))?;
        if self.stores[at].connection == Connection::Disconnected {
            return Err(in_state());
        }
        self.stores[at].connection = Connection::Disconnected;
        Ok(json!({}))
    }

    /// Not while there is a key in it, be it one that is to be deleted.
    pub(super) fn delete_custom_key_store(&mut self, ask: &Ask<'_>) -> Expected {
        self.may(ask)?;
        let at = self.store_of_id(ask, ask.must("CustomKeyStoreId"))?;
        if self.keys.iter().any(|key| !key.gone && key.store.as_ref().is_some_and(|(store, _)| *store == at)) {
            return Err(some("CustomKeyStoreHasCMKsException"));
        }
        if self.stores[at].connection != Connection::Disconnected {
            return Err(in_state());
        }
        self.stores[at].gone = true;
        Ok(json!({}))
    }

    /// Asks the proxy of a store.
    fn question(&self, store: usize, question: Question<'_>) -> Result<(), Failure> {
        let CustomKeyStore { endpoint, path, credential, .. } = &self.stores[store];
        self.proxy.asked(endpoint, path, credential, question)
    }

    /// Whether the members of a new key that name a custom key store go together (KMS API Reference,
    /// "CreateKey"): symmetric encryption keys of one Region alone are in one.
    pub(super) fn fits_store(ask: &Ask<'_>, origin: &str, spec: &str, multi_region: bool) -> Result<(), Refusal> {
        let (store, external) = (ask.text("CustomKeyStoreId"), ask.text("XksKeyId"));
        if origin != "EXTERNAL_KEY_STORE" {
            return if store.is_some() || external.is_some() { Err(some("ValidationException")) } else { Ok(()) };
        }
        if spec != super::kinds::SYMMETRIC || multi_region {
            return Err(some("UnsupportedOperationException"));
        }
        match (store, external) {
            (Some(_), Some(external)) if ![".", ".."].contains(&external) => Ok(()),
            _ => Err(some("ValidationException")),
        }
    }

    /// The store of a new key, with the external key that it is to have, which must be there, fit and free.
    pub(super) fn store_of_new_key(&self, ask: &Ask<'_>) -> Result<Option<(usize, String)>, Refusal> {
        let (Some(id), Some(external)) = (ask.text("CustomKeyStoreId"), ask.text("XksKeyId")) else { return Ok(None) };
        let store = self.store_of_id(ask, id)?;
        if self.stores[store].connection != Connection::Connected {
            return Err(in_state());
        }
        let place = (store, external.to_owned());
        if self.keys.iter().any(|key| !key.gone && key.store.as_ref() == Some(&place)) {
            return Err(some("XksKeyAlreadyInUseException"));
        }
        self.question(store, Question::Metadata(external)).map_err(|failure| failure.of_new_key())?;
        Ok(Some(place))
    }

    /// Has the proxy encrypt, if the key's material is half of it.
    pub(super) fn encrypts_outside(&self, key: usize) -> Result<(), Refusal> {
        let Some((store, external)) = &self.keys[key].store else { return Ok(()) };
        self.question(*store, Question::Encrypt(external)).map_err(|failure| failure.of_use())
    }

    /// Has the proxy decrypt; it tells by itself what is not whole.
    pub(super) fn decrypts_outside(&self, key: usize, is_whole: bool) -> Result<(), Refusal> {
        let Some((store, external)) = &self.keys[key].store else { return Ok(()) };
        self.question(*store, Question::Decrypt(external, is_whole)).map_err(|failure| failure.of_use())
    }

    /// What keys in custom key stores are not for.
    pub(super) fn is_in_no_store(&self, key: usize) -> Result<(), Refusal> {
        if self.keys[key].store.is_some() { Err(self.wrong_origin(key)) } else { Ok(()) }
    }
}

impl CustomKeyStore {
    /// Of the credential the id of the access key alone.
    fn shown(&self) -> Value {
        let state = match self.connection {
            Connection::Disconnected => "DISCONNECTED",
            Connection::Connected => "CONNECTED",
            Connection::Failed(_) => "FAILED",
        };
        let mut shown = json!({
            "CustomKeyStoreId": self.id,
            "CustomKeyStoreName": self.name,
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "ConnectionState": state,
            "CreationDate": date(self.created),
            "XksProxyConfiguration": {
                "Connectivity": "PUBLIC_ENDPOINT",
                "AccessKeyId": self.credential.0,
                "UriEndpoint": self.endpoint,
                "UriPath": self.path,
            },
        });
        if let Connection::Failed(code) = self.connection {
            shown["ConnectionErrorCode"] = json!(code);
        }
        shown
    }
}
