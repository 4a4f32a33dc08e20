//! Where root keys lie: the one that is configured, and beside it the one that takes its place.
//!
//! ```text
//! root.key         the root key; another name where one is configured
//! root.key.new     the next one, from before a rotation begins until after it has ended
//! root.key.<id>    one that was replaced: a backup from before the rotation needs it
//! ```
//!
//! Each is written whole and durably before the step that needs it, so a rotation that was cut
//! short anywhere finds what it needs. Where the root key is in an environment variable, the next
//! one is in the variable of the same name with `_NEW` added, and nothing is written.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use zeroize::Zeroizing;

use super::files::{read_if_exists, sync_directory_of, write_atomically};
use super::{ConfigError, RootKeySource};
use crate::seal::{Keyring, RootKey};

/// What is wrong with a text that holds no root key.
const WRONG: &str = "a root key is the base64 of exactly 32 bytes (44 characters)";

impl RootKeySource {
    /// The root key; none where there is no such file.
    ///
    /// # Errors
    /// A variable that is not set, a file that can't be read, and what is no root key.
    pub fn read(&self) -> Result<Option<RootKey>, ConfigError> {
        match self {
            Self::File(file) => read(file),
            Self::Env(name) => match read_variable(name)? {
                Some(key) => Ok(Some(key)),
                None => Err(ConfigError::member(
                    "root_key.env",
                    format!("the environment variable {name} is not set, or not text"),
                )),
            },
        }
    }

    /// The root keys with these ids, as far as they are at hand, behind the configured one.
    ///
    /// # Errors
    /// As [`RootKeySource::read`].
    pub fn find<'a>(
        &self,
        configured: RootKey,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Keyring, ConfigError> {
        let mut keys = Keyring::from(configured);
        for id in ids {
            if keys.get(id).is_some() {
                continue;
            }
            let candidates = match self {
                Self::File(file) => [read(&next_of(file))?, read(&beside(file, id))?],
                Self::Env(name) => [read_variable(&next_variable(name))?, None],
            };
            for key in candidates.into_iter().flatten().filter(|key| key.id() == id) {
                keys.add(key);
            }
        }
        Ok(keys)
    }

    /// The key that is to take the root key's place: one that the operator, or a rotation that did
    /// not begin, put there; otherwise a new one, durable before this returns. `present` is the id
    /// of the root key.
    ///
    /// # Errors
    /// Files that can't be read or written; a variable that is not set, or holds the present key.
    pub fn next(&self, present: &str) -> Result<RootKey, ConfigError> {
        match self {
            Self::File(file) => {
                let next = next_of(file);
                if let Some(key) = read(&next)? {
                    return Ok(key);
                }
                let key = RootKey::generate(&SystemRandom::new())
                    .map_err(|error| ConfigError::file(&next, error.to_string()))?;
                write(&next, &key)?;
                Ok(key)
            }
            Self::Env(name) => {
                let next = next_variable(name);
                let wrong = |message| Err(ConfigError::member("root_key.env", message));
                match read_variable(&next)? {
                    Some(key) if key.id() == present => wrong(format!(
                        "{next} holds the present root key: set {name} to it, and put a new one into {next}"
                    )),
                    Some(key) => Ok(key),
                    None => wrong(format!(
                        "the new root key must be in the environment variable {next} of whoever rotates, the server \
                         where one runs; make one with `openssl rand -base64 32`"
                    )),
                }
            }
        }
    }

    /// Puts the files in order once no rotation is under way: the key with the id `current` gets
    /// the configured name, and the one that it replaced is kept under its id. Where they are in
    /// order, and for a variable, nothing. May be cut short and called again at any point.
    ///
    /// # Errors
    /// Files that can't be read or written: they are then as a later call expects them.
    pub fn settle(&self, current: &str) -> Result<(), ConfigError> {
        let Self::File(file) = self else { return Ok(()) };
        let next = next_of(file);
        let (Some(configured), Some(new)) = (read(file)?, read(&next)?) else { return Ok(()) };
        let new_id = new.id();
        // One that is not the data's root key waits for a rotation to begin.
        if new_id != current && new_id != configured.id() {
            return Ok(());
        }
        if new_id != configured.id() {
            write(&beside(file, &configured.id()), &configured)?;
            write(file, &new)?;
        }
        let removed = fs::remove_file(&next).and_then(|()| sync_directory_of(&next));
        removed.map_err(|error| ConfigError::io(&next, "remove", &error))
    }

    /// Puts root keys in the configured place of a new data directory, the first under the
    /// configured name and the second as the next; where a file is there already, it stays.
    ///
    /// # Errors
    /// Files that can't be written.
    pub fn put(&self, current: &RootKey, next: Option<&RootKey>) -> Result<(), ConfigError> {
        let Self::File(file) = self else { return Ok(()) };
        let wanted = [Some((file.clone(), current)), next.map(|next| (next_of(file), next))];
        for (path, key) in wanted.into_iter().flatten() {
            if read(&path)?.is_none() {
                write(&path, key)?;
            }
        }
        Ok(())
    }

    /// For people: where the next root key lies, and where the old one is kept at the end.
    #[must_use]
    pub fn describe_old(&self, old: &str) -> String {
        match self {
            Self::File(file) => {
                format!("the old one is kept as {} for backups from before", beside(file, old).display())
            }
            Self::Env(name) => format!(
                "set {name} to what {} holds before the next start, unset that one, and keep the old key for backups \
                 from before",
                next_variable(name)
            ),
        }
    }
}

/// Makes a root key in a file of its own.
pub(super) fn create(file: &Path) -> Result<RootKey, ConfigError> {
    let key = RootKey::generate(&SystemRandom::new()).map_err(|error| ConfigError::file(file, error.to_string()))?;
    write(file, &key)?;
    Ok(key)
}

fn read(file: &Path) -> Result<Option<RootKey>, ConfigError> {
    let Some(text) = read_if_exists(file, "read the root key")? else { return Ok(None) };
    RootKey::from_base64(&text).map(Some).map_err(|_| ConfigError::file(file, WRONG))
}

fn read_variable(name: &str) -> Result<Option<RootKey>, ConfigError> {
    let Ok(text) = std::env::var(name).map(Zeroizing::new) else { return Ok(None) };
    RootKey::from_base64(&text).map(Some).map_err(|_| ConfigError::member("root_key.env", format!("{name}: {WRONG}")))
}

fn write(file: &Path, key: &RootKey) -> Result<(), ConfigError> {
    write_atomically(file, Zeroizing::new(format!("{}\n", key.to_base64().as_str())).as_bytes())
}

fn next_of(file: &Path) -> PathBuf {
    beside(file, "new")
}

/// The file's name with a dot and a text added.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn next_variable(name: &str) -> String {
    format!("{name}_NEW")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Place {
        root: tempfile::TempDir,
        source: RootKeySource,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join("root.key");
            create(&file).unwrap();
            Self { root, source: RootKeySource::File(file) }
        }

        fn id(&self, name: &str) -> String {
            read(&self.root.path().join(name)).unwrap().unwrap().id()
        }

        fn names(&self) -> BTreeSet<String> {
            fs::read_dir(self.root.path())
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect()
        }

        /// Both keys are found whatever happened to the files.
        fn finds(&self, ids: [&str; 2]) -> bool {
            let configured = self.source.read().unwrap().unwrap();
            let keys = self.source.find(configured, ids).unwrap();
            ids.iter().all(|id| keys.get(id).is_some())
        }
    }

    #[test]
    fn a_rotation_that_is_cut_short_between_any_two_files_is_settled_later() {
        // How many of the three files of settling are done when it is cut short.
        for done in 0..=3 {
            let place = Place::new();
            let file = place.root.path().join("root.key");
            let old = place.id("root.key");
            let new = place.source.next(&old).unwrap().id();
            assert_eq!(place.source.next(&old).unwrap().id(), new, "one that is there is taken");
            assert_eq!(fs::metadata(next_of(&file)).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(place.finds([&old, &new]));
            place.source.settle(&old).unwrap();
            assert_eq!(place.id("root.key.new"), new, "a rotation that has not begun leaves its key be");

            if done >= 1 {
                fs::copy(&file, beside(&file, &old)).unwrap();
            }
            if done >= 2 {
                fs::copy(next_of(&file), &file).unwrap();
            }
            if done >= 3 {
                fs::remove_file(next_of(&file)).unwrap();
            }
            assert!(place.finds([&old, &new]), "{done}");
            place.source.settle(&new).unwrap();
            place.source.settle(&new).unwrap();
            assert_eq!(place.names(), ["root.key".to_owned(), format!("root.key.{old}")].into());
            assert_eq!((place.id("root.key"), place.id(&format!("root.key.{old}"))), (new.clone(), old.clone()));
            assert!(place.finds([&old, &new]));
        }
    }

    #[test]
    fn a_next_key_that_is_none_is_refused_and_stays() {
        let place = Place::new();
        fs::write(place.root.path().join("root.key.new"), "not a key").unwrap();
        let error = place.source.next("any").unwrap_err().to_string();
        assert!(
            error.ends_with("root.key.new: a root key is the base64 of exactly 32 bytes (44 characters)"),
            "{error}"
        );
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = RootKeySource::Env("KEYSTILE_NO_SUCH_VARIABLE".to_owned());
        assert!(source.next("any").unwrap_err().to_string().contains("KEYSTILE_NO_SUCH_VARIABLE_NEW"));
        source.settle("any").unwrap();
    }
}
