//! What AWS KMS keeps, in maps and lists, and what time does to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::kinds::SYMMETRIC;
use super::proxy::Proxy;
use super::world::{PEOPLE, Policies};

pub(super) const DAY: i64 = 86_400;

/// All that there is. Nothing is ever taken out of the lists: places in them are names.
#[derive(Default)]
pub(super) struct Model {
    /// Seconds since 1970.
    pub(super) now: i64,
    pub(super) keys: Vec<Key>,
    pub(super) families: Vec<Family>,
    pub(super) aliases: Vec<Alias>,
    pub(super) grants: Vec<Grant>,
    pub(super) tokens: Vec<ImportToken>,
    pub(super) stores: Vec<CustomKeyStore>,
    /// How the one proxy of all external key stores behaves.
    pub(super) proxy: Proxy,
    /// What ciphertexts, MACs, signatures and wrapped material are, by their text.
    pub(super) blobs: HashMap<String, Blob>,
    /// MACs that were made: the same of the same.
    pub(super) macs: HashMap<(Secret, String, String), String>,
    /// Secrets that two keys agreed on.
    pub(super) agreed: HashMap<(String, String), String>,
    /// The last item before a marker, by the marker and the list that it is of.
    pub(super) markers: HashMap<(String, String), String>,
    pub(super) policies: Vec<Policies>,
    /// Which of the organisations the accounts are in.
    pub(super) organization: usize,
    /// How often what was decided by which layer.
    pub(super) decisions: RefCell<BTreeMap<String, usize>>,
}

/// A key in one Region.
pub(super) struct Key {
    /// The step that made it.
    pub(super) made: usize,
    pub(super) account: &'static str,
    pub(super) region: &'static str,
    pub(super) id: String,
    pub(super) family: usize,
    pub(super) created: i64,
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) deletion: Option<Deletion>,
    /// None: the default.
    pub(super) policy: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) last_use: Option<Use>,
    /// What the Region has, or had, of the family's imported material, by its place there.
    pub(super) imports: BTreeMap<usize, Import>,
    /// The custom key store that it is in, and its external key.
    pub(super) store: Option<(usize, String)>,
    /// Of an AWS managed key: the service's place among [`super::managed::SERVICES`]. It is gone until
    /// its first use makes it, and never after.
    pub(super) managed: Option<usize>,
    pub(super) gone: bool,
}

/// The last use of a key.
#[derive(Clone)]
pub(super) struct Use {
    pub(super) operation: String,
    pub(super) at: i64,
    pub(super) step: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Deletion {
    /// None while replicas are there.
    pub(super) at: Option<i64>,
    pub(super) window: i64,
}

/// What the keys of a multi-Region key share; any other key has it to itself.
pub(super) struct Family {
    pub(super) spec: String,
    pub(super) usage: String,
    pub(super) origin: String,
    pub(super) multi_region: bool,
    pub(super) primary: &'static str,
    /// In the order in which they became current, one that waits for that last.
    pub(super) materials: Vec<Material>,
    /// Days, and the next date.
    pub(super) schedule: Option<(i64, i64)>,
    pub(super) on_demand: usize,
    /// Learned from the first answer that tells it.
    pub(super) public_key: Option<String>,
}

pub(super) struct Material {
    /// Learned from the first answer that tells it.
    pub(super) id: Option<String>,
    /// When and how it became current; none for the first, and for what waits.
    pub(super) rotated: Option<(i64, &'static str)>,
    pub(super) pending: bool,
    /// Of imported material: which of the test's it is.
    pub(super) number: Option<u8>,
}

/// Imported material in one Region.
#[derive(Clone, Default)]
pub(super) struct Import {
    pub(super) there: bool,
    pub(super) valid_to: Option<i64>,
    pub(super) description: Option<String>,
}

/// An external key store.
pub(super) struct CustomKeyStore {
    pub(super) made: usize,
    pub(super) account: &'static str,
    pub(super) region: &'static str,
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) name: String,
    pub(super) endpoint: String,
    pub(super) path: String,
    /// As it was given: the id of the access key, and the secret.
    pub(super) credential: (String, String),
    pub(super) connection: Connection,
    pub(super) gone: bool,
}

impl CustomKeyStore {
    /// Whether another store is of the same account and Region.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        !other.gone && (self.account, self.region) == (other.account, other.region) && self.id != other.id
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Disconnected,
    Connected,
    /// With the `ConnectionErrorCode`.
    Failed(&'static str),
}

pub(super) struct Alias {
    pub(super) account: &'static str,
    pub(super) region: &'static str,
    pub(super) name: String,
    pub(super) target: usize,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) gone: bool,
}

#[derive(Clone)]
pub(super) struct Grant {
    pub(super) made: usize,
    pub(super) key: usize,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) created: i64,
    pub(super) grantee: String,
    pub(super) retiring: Option<String>,
    pub(super) operations: Vec<String>,
    pub(super) equals: Option<BTreeMap<String, String>>,
    pub(super) subset: Option<BTreeMap<String, String>>,
    pub(super) issuer: String,
    /// All tokens that name it.
    pub(super) tokens: Vec<String>,
    pub(super) gone: bool,
}

pub(super) struct ImportToken {
    pub(super) made: usize,
    pub(super) key: usize,
    pub(super) text: String,
    pub(super) valid_to: i64,
    pub(super) algorithm: String,
}

/// What MACs and signatures are made with: the key's own material, or imported one, which other
/// keys may have too.
pub(super) type Secret = String;

#[derive(Clone, Debug)]
pub(super) enum Blob {
    Ciphertext {
        made: usize,
        family: usize,
        account: String,
        material: usize,
        algorithm: String,
        context: Context,
        plaintext: Plain,
    },
    Mac {
        made: usize,
        secret: Secret,
        algorithm: String,
        message: String,
    },
    Signature {
        made: usize,
        secret: Secret,
        algorithm: String,
        signed: String,
    },
    Wrapped {
        token: usize,
        number: u8,
        spec: String,
    },
}

pub(super) type Context = BTreeMap<String, String>;

/// A plaintext as far as the model knows it.
#[derive(Clone, Debug)]
pub(super) enum Plain {
    Known(String),
    /// Of a data key that was not shown: how many bytes; none for a private key.
    Hidden(Option<usize>),
}

impl Family {
    /// The place of the material that encrypts; none before the first.
    pub(super) fn current(&self) -> Option<usize> {
        self.materials.iter().rposition(|material| !material.pending)
    }

    pub(super) fn is_imported(&self) -> bool {
        self.origin == "EXTERNAL"
    }

    pub(super) fn is_symmetric(&self) -> bool {
        self.spec == SYMMETRIC
    }
}

impl Model {
    pub(super) fn new(now: i64) -> Self {
        let mut model =
            Self { now, policies: PEOPLE.iter().map(|someone| someone.policies).collect(), ..Self::default() };
        model.expect_managed_keys();
        model
    }

    /// Whether a Region's key has the material of a place.
    pub(super) fn has(&self, key: usize, place: usize) -> bool {
        self.keys[key].imports.get(&place).is_some_and(|import| import.there)
    }

    /// Whether all material is there that the key needs: all that was ever current.
    fn has_its_material(&self, key: usize) -> bool {
        let family = self.family(key);
        let is_good = |place: usize| family.materials[place].pending || self.has(key, place);
        !family.is_imported() || (!family.materials.is_empty() && (0..family.materials.len()).all(is_good))
    }

    /// Notes that a Region has imported material no more.
    pub(super) fn lose(&mut self, key: usize, place: usize) {
        if let Some(import) = self.keys[key].imports.get_mut(&place) {
            import.there = false;
            import.valid_to = None;
        }
    }

    /// Whether material waits that the next rotation may take: a multi-Region key rotates once each
    /// Region has it.
    pub(super) fn is_ready(&self, key: usize, place: usize) -> bool {
        let siblings = self.siblings(key);
        siblings.len() < 2 || siblings.into_iter().all(|sibling| self.has(sibling, place))
    }

    /// Whether the key's custom key store is connected, if it is in one.
    fn is_reached(&self, key: usize) -> bool {
        self.keys[key].store.as_ref().is_none_or(|(store, _)| self.stores[*store].connection == Connection::Connected)
    }

    pub(super) fn family(&self, key: usize) -> &Family {
        &self.families[self.keys[key].family]
    }

    pub(super) fn arn(&self, key: usize) -> String {
        let Key { account, region, id, .. } = &self.keys[key];
        format!("arn:aws:kms:{region}:{account}:key/{id}")
    }

    pub(super) fn state(&self, key: usize) -> &'static str {
        let this = &self.keys[key];
        match this.deletion {
            Some(Deletion { at: None, .. }) => "PendingReplicaDeletion",
            Some(_) => "PendingDeletion",
            None if !self.has_its_material(key) => "PendingImport",
            None if !self.is_reached(key) => "Unavailable",
            None if this.enabled => "Enabled",
            None => "Disabled",
        }
    }

    pub(super) fn is_replica(&self, key: usize) -> bool {
        self.family(key).multi_region && self.family(key).primary != self.keys[key].region
    }

    /// The keys of the same family that are there, by Region.
    pub(super) fn siblings(&self, key: usize) -> Vec<usize> {
        let family = self.keys[key].family;
        let mut all: Vec<usize> = (0..self.keys.len())
            .filter(|other| self.keys[*other].family == family && !self.keys[*other].gone)
            .collect();
        all.sort_by_key(|other| self.keys[*other].region);
        all
    }

    pub(super) fn primary(&self, key: usize) -> usize {
        let region = self.family(key).primary;
        self.siblings(key).into_iter().find(|other| self.keys[*other].region == region).unwrap_or(key)
    }

    pub(super) fn has_replicas(&self, key: usize) -> bool {
        !self.is_replica(key) && self.siblings(key).len() > 1
    }

    /// The names of a key's aliases, sorted.
    pub(super) fn aliases_of(&self, key: usize) -> Vec<String> {
        if let Some(service) = self.keys[key].managed {
            return vec![super::managed::alias(service)];
        }
        let own = self.aliases.iter().filter(|alias| !alias.gone && alias.target == key);
        let mut names: Vec<String> = own.map(|alias| alias.name.clone()).collect();
        names.sort();
        names
    }

    pub(super) fn grants_of(&self, key: usize) -> Vec<usize> {
        (0..self.grants.len()).filter(|at| self.grants[*at].key == key && !self.grants[*at].gone).collect()
    }

    pub(super) fn secret(&self, key: usize) -> Secret {
        let family = self.family(key);
        match family.materials.first().and_then(|material| material.number) {
            Some(number) => format!("imported {} {number}", family.spec),
            None => format!("of family {}", self.keys[key].family),
        }
    }

    /// Notes that the key's material waits no more.
    pub(super) fn rotate(&mut self, family: usize, date: i64, how: &'static str) {
        let family = &mut self.families[family];
        if let Some(waiting) = family.materials.iter_mut().find(|material| material.pending) {
            waiting.pending = false;
            waiting.rotated = Some((date, how));
        } else {
            family.materials.push(Material { id: None, rotated: Some((date, how)), pending: false, number: None });
        }
    }

    /// A date that passed while the key could not rotate is made up for at once.
    pub(super) fn make_up(&mut self, key: usize) {
        let family = self.keys[key].family;
        if self.is_replica(key) {
            return;
        }
        if let Some((days, next)) = self.families[family].schedule
            && next <= self.now
        {
            self.rotate(family, self.now, "AUTOMATIC");
            self.families[family].schedule = Some((days, self.now + days * DAY));
        }
    }

    pub(super) fn sleep(&mut self, seconds: i64) {
        self.now += seconds;
        while let Some((date, due)) = self.first_due() {
            self.do_what_is_due(date, &due);
        }
    }

    fn first_due(&self) -> Option<(i64, Due)> {
        let mut all = Vec::new();
        for (at, key) in self.keys.iter().enumerate().filter(|(_, key)| !key.gone) {
            if let Some(Deletion { at: Some(date), .. }) = key.deletion {
                all.push((date, Due::Deletion(at)));
            }
            if let Some((_, next)) = self.family(at).schedule
                && !self.is_replica(at)
                && self.state(at) == "Enabled"
            {
                all.push((next, Due::Rotation(key.family)));
            }
            for (place, import) in &key.imports {
                if let Import { there: true, valid_to: Some(date), .. } = import {
                    all.push((*date, Due::Expiry(at, *place)));
                }
            }
        }
        all.into_iter().filter(|(date, _)| *date <= self.now).min_by_key(|(date, _)| *date)
    }

    fn do_what_is_due(&mut self, date: i64, due: &Due) {
        match *due {
            Due::Rotation(family) => {
                self.rotate(family, date, "AUTOMATIC");
                let schedule = &mut self.families[family].schedule;
                *schedule = schedule.map(|(days, next)| (days, next + days * DAY));
            }
            Due::Expiry(key, place) => self.lose(key, place),
            Due::Deletion(key) => {
                let (primary, was_replica) = (self.primary(key), self.is_replica(key));
                self.keys[key].gone = true;
                self.aliases.iter_mut().filter(|alias| alias.target == key).for_each(|alias| alias.gone = true);
                self.grants.iter_mut().filter(|grant| grant.key == key).for_each(|grant| grant.gone = true);
                // The last replica's end begins the waiting period of a primary that waits for it.
                if was_replica
                    && self.siblings(primary).len() == 1
                    && let Some(Deletion { at: None, window }) = self.keys[primary].deletion
                {
                    self.keys[primary].deletion = Some(Deletion { at: Some(date + window * DAY), window });
                }
            }
        }
    }
}

enum Due {
    Rotation(usize),
    /// The material at a place, of one Region's key.
    Expiry(usize, usize),
    Deletion(usize),
}

/// A date as AWS JSON has it.
#[expect(clippy::cast_precision_loss, reason = "dates of this era are exact in a double")]
pub(super) fn date(seconds: i64) -> Value {
    json!(seconds as f64)
}
