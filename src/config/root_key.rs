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

use super::files::{directory_of, read_if_exists, sync_directory_of, write_atomically};
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
    /// Files that can't be read or written; a key that was replaced before; a variable that is not
    /// set, or holds the present key.
    pub fn next(&self, present: &str) -> Result<RootKey, ConfigError> {
        match self {
            Self::File(file) => {
                let next = next_of(file);
                if let Some(key) = read(&next)? {
                    let retired = beside(file, &key.id());
                    // Whoever had it then has it still: it would undo a rotation.
                    if read(&retired)?.is_some() {
                        return Err(ConfigError::file(
                            &next,
                            format!(
                                "holds a root key that was replaced before ({} holds it too) and is not taken back: \
                                 remove the file, and a new key is made, or put a new key into it",
                                retired.display()
                            ),
                        ));
                    }
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
        remove(&next)
    }

    /// While `next` takes the place of `current`: where somebody swapped their files, so that the
    /// configured name is the next key's already, the present key is put under its id at once,
    /// which is where it belongs at the end. Otherwise nothing. May be cut short and called again
    /// at any point.
    ///
    /// # Errors
    /// Files that can't be read or written: they are then as a later call expects them.
    pub fn accept_swapped(&self, current: &str, next: &str) -> Result<(), ConfigError> {
        let Self::File(file) = self else { return Ok(()) };
        let (Some(configured), Some(other)) = (read(file)?, read(&next_of(file))?) else { return Ok(()) };
        if configured.id() != next || other.id() != current {
            return Ok(());
        }
        write(&beside(file, current), &other)?;
        remove(&next_of(file))
    }

    /// A file that lies where [`put`](Self::put) would put a root key with one of these ids, and
    /// holds another one: its path and the id in it.
    ///
    /// # Errors
    /// Files that can't be read, or hold no root key.
    pub fn in_the_way(&self, current: &str, next: Option<&str>) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let Self::File(file) = self else { return Ok(None) };
        let wanted = [Some((file.clone(), current)), next.map(|next| (next_of(file), next))];
        for (path, id) in wanted.into_iter().flatten() {
            if let Some(other) = read(&path)?.map(|key| key.id()).filter(|other| other != id) {
                return Ok(Some((path, other)));
            }
        }
        Ok(None)
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

/// Durably.
fn remove(file: &Path) -> Result<(), ConfigError> {
    let removed = fs::remove_file(file).and_then(|()| sync_directory_of(file));
    removed.map_err(|error| ConfigError::io(file, "remove", &error))
}

/// The files of root keys that are there: the configured one, and those named after it.
pub(super) fn files(file: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let Some(name) = file.file_name() else { return Ok(Vec::new()) };
    let directory = directory_of(file);
    let wrong = |error| ConfigError::io(&directory, "read the directory of the root key", &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).map_err(wrong)? {
        let other = entry.map_err(wrong)?.file_name();
        let rest = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b".")) {
            found.push(directory.join(other));
        }
    }
    Ok(found)
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
    fn a_key_that_was_replaced_is_not_taken_back() {
        let place = Place::new();
        let file = place.root.path().join("root.key");
        let old = place.id("root.key");
        let new = place.source.next(&old).unwrap().id();
        place.source.settle(&new).unwrap();
        fs::copy(beside(&file, &old), next_of(&file)).unwrap();
        let error = place.source.next(&new).unwrap_err().to_string();
        assert!(error.contains("root.key.new: holds a root key that was replaced before"), "{error}");
        assert_eq!((place.id("root.key"), place.id("root.key.new")), (new.clone(), old.clone()), "nothing was changed");
        fs::remove_file(next_of(&file)).unwrap();
        assert!(![old, new.clone()].contains(&place.source.next(&new).unwrap().id()));
    }

    #[test]
    fn files_that_were_swapped_amid_a_rotation_end_as_others_do() {
        // How many of the two files of it are done when it is cut short.
        for done in 0..=2 {
            let place = Place::new();
            let file = place.root.path().join("root.key");
            let old = place.id("root.key");
            let new = place.source.next(&old).unwrap().id();
            place.source.accept_swapped(&old, &new).unwrap();
            assert_eq!((place.id("root.key"), place.id("root.key.new")), (old.clone(), new.clone()), "not swapped");
            fs::rename(&file, place.root.path().join("x")).unwrap();
            fs::rename(next_of(&file), &file).unwrap();
            fs::rename(place.root.path().join("x"), next_of(&file)).unwrap();
            if done >= 1 {
                fs::copy(next_of(&file), beside(&file, &old)).unwrap();
            }
            if done >= 2 {
                fs::remove_file(next_of(&file)).unwrap();
            }
            assert!(place.finds([&old, &new]), "{done}");
            place.source.accept_swapped(&old, &new).unwrap();
            assert!(place.finds([&old, &new]), "{done}");
            place.source.settle(&new).unwrap();
            assert_eq!(place.names(), ["root.key".to_owned(), format!("root.key.{old}")].into());
            assert_eq!((place.id("root.key"), place.id(&format!("root.key.{old}"))), (new, old));
        }
    }

    #[test]
    fn the_files_of_root_keys_are_those_named_after_the_configured_one() {
        let place = Place::new();
        for name in ["root.key.new", "root.key.0123", "root.keys", "other"] {
            fs::write(place.root.path().join(name), "x").unwrap();
        }
        let mut found = files(&place.root.path().join("root.key")).unwrap();
        found.sort();
        assert_eq!(found, ["root.key", "root.key.0123", "root.key.new"].map(|name| place.root.path().join(name)));
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
