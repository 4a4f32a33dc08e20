use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::directory::name_of;
use super::files::{create_private_dir, write_atomically};
use super::{Config, ConfigError};
use crate::aws::Principal;
use crate::identity::{NewAccessKey, append_access_key};

/// An access key that is in a credentials file now.
#[derive(Debug)]
pub struct AddedKey {
    /// The key; its secret is shown once.
    pub key: NewAccessKey,
    /// The file it was added to.
    pub file: PathBuf,
}

/// Makes an access key of a user or root user and adds it to the first credentials file, which
/// keeps its text and gets mode 0600. Two that add at once both succeed.
///
/// # Errors
/// A principal that has no long-term keys, and files that can't be read, parsed or written.
pub fn add_access_key(config: &Config, principal: &Principal) -> Result<AddedKey, ConfigError> {
    match principal {
        Principal::User(_) | Principal::Root(_) => {}
        Principal::Session(_) | Principal::FederatedUser(_) => {
            return Err(ConfigError::member(
                "--principal",
                format!(
                    "{principal} is a session: its keys are temporary and need a session token; add an [[access_key]] \
                     with `session_token` and `expires` to the credentials file by hand"
                ),
            ));
        }
        Principal::Role(_) | Principal::WebIdentity(_) | Principal::Service(_) | Principal::Anonymous => {
            return Err(ConfigError::member(
                "--principal",
                format!(
                    "{principal} has no access keys; name a user (arn:aws:iam::111122223333:user/NAME) or an account's root"
                ),
            ));
        }
    }
    let file = config.credentials_files().into_iter().next().ok_or_else(|| {
        ConfigError::member("iam.credentials", "the list is empty; name the file that the key is added to")
    })?;
    if config.iam.credentials.is_none() {
        create_private_dir(&config.data_dir)?;
    }
    let key = NewAccessKey::generate().map_err(|error| ConfigError::member("--principal", error.to_string()))?;
    let (_lock, text) = lock_and_read(&file)?;
    let appended = append_access_key(&name_of(&file), &text, &key, principal)?;
    write_atomically(&file, appended.as_bytes())?;
    Ok(AddedKey { key, file })
}

/// The file's text, with a lock on the file: another that adds a key waits, and then reads what
/// this one wrote.
fn lock_and_read(path: &Path) -> Result<(File, Zeroizing<String>), ConfigError> {
    let wrong = |error| ConfigError::io(path, "read the credentials", &error);
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(wrong)?;
        file.lock().map_err(wrong)?;
        // The file that was waited for may have been replaced meanwhile.
        let current = fs::metadata(path).map_err(wrong)?;
        let locked = file.metadata().map_err(wrong)?;
        if (current.dev(), current.ino()) == (locked.dev(), locked.ino()) {
            let mut text = Zeroizing::new(String::new());
            file.read_to_string(&mut text).map_err(wrong)?;
            return Ok((file, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cedar::Documents;
    use crate::config::{Overrides, load_directory, prepare_data_dir};

    fn config(root: &Path, text: &str) -> Config {
        Config::from_text(Some(&root.join("keystile.toml")), text, &Overrides::default()).unwrap()
    }

    fn user() -> Principal {
        "arn:aws:iam::111122223333:user/alice".parse().unwrap()
    }

    #[test]
    fn a_key_that_was_added_is_loaded_and_the_data_directory_is_still_new() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "");
        let added = add_access_key(&config, &user()).unwrap();
        assert_eq!(added.file, config.data_dir.join("credentials.toml"));
        assert_eq!(fs::metadata(&added.file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(prepare_data_dir(&config).unwrap().new);
        let directory = load_directory(&config, &Documents::default()).unwrap();
        let identity = &directory.access_key(&added.key.id).unwrap().identity;
        assert_eq!(identity.caller.principal, user());
    }

    #[test]
    fn keys_that_are_added_at_once_are_all_there() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "[iam]\ncredentials = [\"c.toml\"]");
        fs::write(root.path().join("c.toml"), "# kept\n").unwrap();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| add_access_key(&config, &user()).unwrap().key.id)).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        let text = fs::read_to_string(root.path().join("c.toml")).unwrap();
        assert!(text.starts_with("# kept\n"));
        assert!(ids.iter().all(|id| text.contains(id)), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_read_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "[iam]\ncredentials = [\"c.toml\"]");
        fs::write(root.path().join("c.toml"), "[[access_key]]\nid = 1\n").unwrap();
        let error = add_access_key(&config, &user()).unwrap_err().to_string();
        assert!(error.contains("c.toml:2:6: access_key[0].id: invalid type"), "{error}");
        assert_eq!(fs::read_to_string(root.path().join("c.toml")).unwrap(), "[[access_key]]\nid = 1\n");
    }

    #[test]
    fn sessions_and_roles_are_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "");
        for (principal, reason) in [
            ("arn:aws:sts::111122223333:assumed-role/R/s", "is a session: its keys are temporary"),
            ("arn:aws:iam::111122223333:role/R", "has no access keys"),
            ("s3.amazonaws.com", "has no access keys"),
        ] {
            let error = add_access_key(&config, &principal.parse().unwrap()).unwrap_err().to_string();
            assert!(error.starts_with("--principal: ") && error.contains(reason), "{error}");
        }
        assert!(!config.data_dir.exists());
    }
}
