//! Steps about external key stores and their proxy.

use serde_json::{Value, json};

use super::draw::{Draw, HOMES};
use super::proxy::{CREDENTIALS, EXTERNAL_KEYS, PATHS, Proxy, mischiefs};
use super::state::{Connection, CustomKeyStore};
use super::step::Step;
use super::world::{self, ACCOUNTS, PEOPLE};
use crate::engine::proxy::HOST;
use crate::engine::requests::is_of_stores;

impl Draw<'_> {
    /// The proxy behaves in another way, mostly as it should.
    pub(super) fn proxy(&mut self) -> Step {
        let present = &self.model.proxy;
        let rows = mischiefs().len();
        let mut proxy = Proxy { credential: present.credential, ..Proxy::default() };
        match self.dice.below(12) {
            0..=2 => proxy.mischief = Some(self.dice.below(rows)),
            3 => proxy.credential = self.dice.below(CREDENTIALS.len()),
            4 => proxy.unknown_path = Some(*self.dice.pick(&PATHS)),
            5..=6 => proxy.lost = Some(*self.dice.pick(&EXTERNAL_KEYS[..3])),
            7 => proxy.disabled = Some(*self.dice.pick(&EXTERNAL_KEYS[..3])),
            _ => {}
        }
        Step::Proxy(proxy)
    }

    /// Whether the proxy does anything wrong.
    pub(super) fn is_troubled(&self) -> bool {
        self.model.proxy != Proxy { credential: self.model.proxy.credential, ..Proxy::default() }
    }

    /// The request of an operation on custom key stores.
    pub(super) fn of_stores(&mut self, operation: &'static str) -> Step {
        let wanted = |connection: &Connection| match operation {
            "ConnectCustomKeyStore" => *connection == Connection::Disconnected,
            "DisconnectCustomKeyStore" => *connection != Connection::Disconnected,
            _ => true,
        };
        let there = |at: &usize| !self.model.stores[*at].gone;
        let all: Vec<usize> = (0..self.model.stores.len()).filter(there).collect();
        let fitting: Vec<usize> = all.iter().copied().filter(|at| wanted(&self.model.stores[*at].connection)).collect();
        // What fails is disconnected soon.
        let failed = all.iter().copied().find(|at| matches!(self.model.stores[*at].connection, Connection::Failed(_)));
        let store = match self.dice.below(20) {
            0 if !self.model.stores.is_empty() => Some(self.dice.below(self.model.stores.len())),
            1..=3 if !all.is_empty() => Some(*self.dice.pick(&all)),
            4..=12 if operation == "DisconnectCustomKeyStore" && failed.is_some() => failed,
            _ if fitting.is_empty() => None,
            _ => Some(*self.dice.pick(&fitting)),
        };
        // Without any there is one to be made.
        let operation = if store.is_none() && self.dice.percent(70) { "CreateCustomKeyStore" } else { operation };
        let (account, region) = match store {
            Some(store) if operation != "CreateCustomKeyStore" => {
                (self.model.stores[store].account, self.model.stores[store].region)
            }
            // Where there is one already, it may be in the way.
            Some(store) if self.dice.percent(60) => (self.model.stores[store].account, self.model.stores[store].region),
            _ => (*self.dice.pick(&[world::A, world::A, world::B]), *self.dice.pick(&HOMES)),
        };
        let root = ACCOUNTS.iter().position(|one| *one == account).unwrap();
        let caller = match self.dice.below(10) {
            0..=5 => root,
            6..=8 => {
                let own: Vec<usize> = (0..PEOPLE.len()).filter(|who| PEOPLE[*who].account == account).collect();
                *self.dice.pick(&own)
            }
            _ => self.dice.below(PEOPLE.len()),
        };
        let id = match store {
            Some(store) if self.dice.percent(97) => format!("<{}.CustomKeyStoreId>", self.model.stores[store].made),
            _ => (*self.dice.pick(&["cks-00000000000000000", "nonsense", ""])).to_owned(),
        };
        let mut body = match operation {
            "CreateCustomKeyStore" => self.new_store(),
            "UpdateCustomKeyStore" => self.changed_store(&id, store),
            "DescribeCustomKeyStores" => {
                let mut body = match self.dice.below(10) {
                    0..=2 => json!({"CustomKeyStoreId": id}),
                    3..=4 => json!({"CustomKeyStoreName": self.store_name()}),
                    5 => json!({"CustomKeyStoreId": id, "CustomKeyStoreName": self.store_name()}),
                    _ => json!({}),
                };
                if body == json!({}) {
                    self.page(&mut body);
                }
                body
            }
            _ => json!({"CustomKeyStoreId": id}),
        };
        if self.dice.percent(2) {
            self.spoil(operation, &mut body);
        }
        debug_assert!(is_of_stores(operation));
        Step::Request { region, caller, operation, body }
    }

    fn store_name(&mut self) -> String {
        (*self.dice.pick(&["one", "two", "three", "four"])).to_owned()
    }

    fn endpoint(&mut self) -> String {
        match self.dice.below(30) {
            0 => "https://elsewhere.example.com".to_owned(),
            1 => format!("http://{HOST}"),
            2 => format!("https://{HOST}:8443"),
            3..=6 => format!("https://{}", HOST.replace("xks", "XKS")),
            _ => format!("https://{HOST}"),
        }
    }

    fn path(&mut self) -> String {
        match self.dice.below(30) {
            0 => "/a/kms/xks/v2".to_owned(),
            1 => "/a//kms/xks/v1".to_owned(),
            2 => "/nonsense".to_owned(),
            _ => (*self.dice.pick(&PATHS)).to_owned(),
        }
    }

    /// That which the proxy takes, mostly.
    fn credential(&mut self) -> Value {
        let which =
            if self.dice.percent(90) { self.model.proxy.credential } else { self.dice.below(CREDENTIALS.len()) };
        let (access_key, secret) = CREDENTIALS[which];
        match self.dice.below(30) {
            0 => json!({"AccessKeyId": "A", "RawSecretAccessKey": secret}),
            1 => json!({"AccessKeyId": access_key}),
            _ => json!({"AccessKeyId": access_key, "RawSecretAccessKey": secret}),
        }
    }

    fn new_store(&mut self) -> Value {
        let mut body = json!({
            "CustomKeyStoreName": self.store_name(),
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            "XksProxyUriEndpoint": self.endpoint(),
            "XksProxyUriPath": self.path(),
            "XksProxyAuthenticationCredential": self.credential(),
        });
        match self.dice.below(40) {
            0 => body["CustomKeyStoreType"] = json!("AWS_CLOUDHSM"),
            1 => body["XksProxyConnectivity"] = json!("VPC_ENDPOINT_SERVICE"),
            2 => body["KeyStorePassword"] = json!("password"),
            3 => {
                let members: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
                let member = self.dice.pick(&members).clone();
                body.as_object_mut().unwrap().remove(&member);
            }
            _ => {}
        }
        body
    }

    fn changed_store(&mut self, id: &str, store: Option<usize>) -> Value {
        let mut body = json!({"CustomKeyStoreId": id});
        if self.dice.percent(30) {
            body["NewCustomKeyStoreName"] = json!(self.store_name());
        }
        if self.dice.percent(45) {
            body["XksProxyUriPath"] = json!(self.path());
            // One that another store has.
            let stores = &self.model.stores;
            let is_beside = |other: &&CustomKeyStore| store.is_some_and(|at| stores[at].is_beside(other));
            let others: Vec<&str> = stores.iter().filter(is_beside).map(|other| other.path.as_str()).collect();
            if !others.is_empty() && self.dice.percent(40) {
                body["XksProxyUriPath"] = json!(*self.dice.pick(&others));
            }
        }
        if self.dice.percent(20) {
            body["XksProxyUriEndpoint"] = json!(self.endpoint());
        }
        if self.dice.percent(40) {
            body["XksProxyAuthenticationCredential"] = self.credential();
        }
        match self.dice.below(40) {
            0 => body["XksProxyConnectivity"] = json!("VPC_ENDPOINT_SERVICE"),
            1 => body["KeyStorePassword"] = json!("password"),
            2 => body["XksProxyConnectivity"] = json!("PUBLIC_ENDPOINT"),
            _ => {}
        }
        body
    }

    /// Where keys in a custom key store may be made: a store that is connected, mostly.
    pub(super) fn store_for_key(&mut self) -> Option<usize> {
        let there = |at: &usize| !self.model.stores[*at].gone;
        let connected = |at: &usize| there(at) && self.model.stores[*at].connection == Connection::Connected;
        let all: Vec<usize> = (0..self.model.stores.len()).filter(there).collect();
        let connected: Vec<usize> = all.iter().copied().filter(connected).collect();
        let from = if connected.is_empty() || self.dice.percent(15) { all } else { connected };
        if from.is_empty() { None } else { Some(*self.dice.pick(&from)) }
    }

    /// A request for a key in a store.
    pub(super) fn key_in_store(&mut self, store: Option<usize>) -> Value {
        let id = match store {
            Some(store) => format!("<{}.CustomKeyStoreId>", self.model.stores[store].made),
            None => "cks-00000000000000000".to_owned(),
        };
        let external =
            if self.dice.percent(75) { *self.dice.pick(&EXTERNAL_KEYS[..4]) } else { *self.dice.pick(&EXTERNAL_KEYS) };
        let mut body = json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": id, "XksKeyId": external});
        match self.dice.below(30) {
            0 => body["MultiRegion"] = json!(true),
            1 => body["KeySpec"] = json!("HMAC_256"),
            2 => body["XksKeyId"] = json!(*self.dice.pick(&["..", "a/b"])),
            3 => {
                let member = *self.dice.pick(&["Origin", "CustomKeyStoreId", "XksKeyId"]);
                body.as_object_mut().unwrap().remove(member);
            }
            4 => body["Origin"] = json!(*self.dice.pick(&["AWS_CLOUDHSM", "EXTERNAL", "AWS_KMS"])),
            _ => {}
        }
        if body["KeySpec"].is_string() {
            body["KeyUsage"] = json!("GENERATE_VERIFY_MAC");
        }
        body
    }
}
