//! The root keys that are at hand: one most of the time, two while one takes the other's place.

use super::RootKey;

/// Root keys, told apart by their ids; the first is the one that is configured.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Vec<(String, RootKey)>,
}

impl Keyring {
    /// The root key with an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&RootKey> {
        self.keys.iter().find(|(own, _)| own == id).map(|(_, key)| key)
    }

    /// Adds a key, if it is not there yet.
    pub fn add(&mut self, key: RootKey) {
        let id = key.id();
        if self.get(&id).is_none() {
            self.keys.push((id, key));
        }
    }

    /// The id of the key that is configured.
    #[must_use]
    pub fn first_id(&self) -> &str {
        self.keys.first().map_or("", |(id, _)| id)
    }

    /// Every key with its id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RootKey)> {
        self.keys.iter().map(|(id, key)| (id.as_str(), key))
    }
}

impl From<RootKey> for Keyring {
    fn from(key: RootKey) -> Self {
        Self { keys: vec![(key.id(), key)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;

    #[test]
    fn keys_are_found_by_their_ids_and_held_once() {
        let key = |byte: u8| RootKey::from_base64(&BASE64.encode(&[byte; 32])).unwrap();
        let mut ring = Keyring::from(key(1));
        ring.add(key(2));
        ring.add(key(1));
        assert_eq!(ring.iter().count(), 2);
        assert_eq!(ring.first_id(), key(1).id());
        assert_eq!(ring.get(&key(2).id()).unwrap().id(), key(2).id());
        assert!(ring.get(&key(3).id()).is_none());
    }
}
