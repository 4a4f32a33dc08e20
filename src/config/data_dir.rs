use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::directory::{first_account, root_credentials_file};
use super::files::{create_private_dir, write_atomically};
use super::{Config, ConfigError, RootKeySource, data_lock, root_key};
use crate::identity::{NewAccessKey, SharedCredentials};
use crate::seal::RootKey;

/// The data directory, ready for the store: it exists, and the root key is at hand.
pub struct DataDir {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was new: nothing was stored in it before.
    pub new: bool,
    /// The root key that is configured.
    pub root_key: RootKey,
    /// The AWS shared credentials file of the root user's access key, if it is (still) there.
    pub credentials: Option<PathBuf>,
}

impl std::fmt::Debug for DataDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataDir").field("path", &self.path).field("new", &self.new).finish_non_exhaustive()
    }
}

/// The account of the root user that is made where nothing is configured.
const DEFAULT_ACCOUNT: &str = "111122223333";

/// What a directory may hold and still be new: what is put there before the store is, and what
/// file systems put into an empty volume.
const NOT_DATA: [&str; 5] = ["credentials", "credentials.toml", "root.key", "lost+found", data_lock::FILE];

/// The folder in the data directory in which a restore is made before the data gets its name.
/// Another restore may begin anew where it is; a server must not take it for a new directory.
pub const UNFINISHED_RESTORE: &str = ".restore.tmp";

/// Makes the data directory if there is none (0700), and, in a new one alone, the root key and the
/// root user's access key (0600). Whatever fails on the way, the next start goes on from there:
/// the root key, without which nothing can be stored, is made last. The caller holds the
/// directory's [`DataLock`](super::DataLock).
///
/// # Errors
/// A root key that is missing or malformed, files that can't be read or written, credentials
/// files that can't be parsed.
pub fn prepare_data_dir(config: &Config) -> Result<DataDir, ConfigError> {
    let path = &config.data_dir;
    let new = is_new(path, config.file.as_deref())?;
    if let (false, RootKeySource::File(file)) = (new, &config.root_key) {
        require_root_key(file, path)?;
    }
    create_private_dir(path)?;
    warn_if_shared(path);
    let credentials = root_credentials_file(config);
    let mut present = fs::exists(&credentials).map_err(|error| ConfigError::io(&credentials, "look for", &error))?;
    // The root key is checked before anything is written, so that a refusal leaves no trace.
    let existing = existing_root_key(config, new)?;
    if new && !present {
        let account = match first_account(config)? {
            Some(account) => account,
            None => DEFAULT_ACCOUNT.parse().map_err(|error| ConfigError::member("account", format!("{error}")))?,
        };
        let key = NewAccessKey::generate().map_err(|error| ConfigError::file(&credentials, error.to_string()))?;
        write_atomically(&credentials, SharedCredentials::print(&key, account).as_bytes())?;
        present = true;
    }
    let root_key = match (existing, &config.root_key) {
        (Some(key), _) => key,
        (None, RootKeySource::File(file)) => root_key::create(file)?,
        (None, RootKeySource::Env(name)) => {
            return Err(ConfigError::member("root_key.env", format!("{name} is not set")));
        }
    };
    if let RootKeySource::File(file) = &config.root_key {
        warn_of_shared_root_keys(file);
    }
    Ok(DataDir { path: path.clone(), new, root_key, credentials: present.then_some(credentials) })
}

/// Whether nothing was stored there yet.
fn is_new(path: &Path, config_file: Option<&Path>) -> Result<bool, ConfigError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(ConfigError::io(path, "read the data directory", &error)),
    };
    let config_name = config_file.and_then(Path::file_name);
    for entry in entries {
        let name = entry.map_err(|error| ConfigError::io(path, "read the data directory", &error))?.file_name();
        let text = name.to_string_lossy();
        let unfinished = text.starts_with('.') && text.ends_with(".tmp");
        let other_root_key = text.starts_with("root.key.");
        if !unfinished && !other_root_key && !NOT_DATA.contains(&text.as_ref()) && config_name != Some(name.as_os_str())
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn require_root_key(file: &Path, data_dir: &Path) -> Result<(), ConfigError> {
    match fs::exists(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(ConfigError::file(
            file,
            format!(
                "there is no root key, and one is made only in a new data directory; {} holds data already: put its \
                 root key back, or name another data directory",
                data_dir.display()
            ),
        )),
        Err(error) => Err(ConfigError::io(file, "look for the root key", &error)),
    }
}

/// The root key that is there; none where one is to be made.
fn existing_root_key(config: &Config, new: bool) -> Result<Option<RootKey>, ConfigError> {
    match (config.root_key.read()?, &config.root_key) {
        (None, RootKeySource::File(file)) if !new || *file != config.data_dir.join("root.key") => {
            Err(ConfigError::file(
                file,
                "there is no such root key, and one is made only as `root.key` in a new data directory; make it with \
                 `openssl rand -base64 32`",
            ))
        }
        (found, _) => Ok(found),
    }
}

/// Refuses a data directory in which something is stored; one that is not there is new.
///
/// # Errors
/// Names the directory.
pub fn require_new_data_dir(config: &Config) -> Result<(), ConfigError> {
    if is_new(&config.data_dir, config.file.as_deref())? {
        return Ok(());
    }
    Err(ConfigError::file(
        &config.data_dir,
        "is not empty: name a new data directory (root keys, `credentials` and `credentials.toml` may be there already)",
    ))
}

/// The root key's file, the next one's, and those that were replaced: each opens some backup.
fn warn_of_shared_root_keys(file: &Path) {
    let files = root_key::files(file).unwrap_or_else(|error| {
        tracing::warn!(%error, "whether others may read the root keys could not be looked up");
        Vec::new()
    });
    for path in files.into_iter().filter(|path| is_shared(path)) {
        tracing::warn!(path = %path.display(), "the file of a root key is open to other users; chmod 600 closes it");
    }
}

fn is_shared(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

fn warn_if_shared(path: &Path) {
    if is_shared(path) {
        tracing::warn!(path = %path.display(), "the data directory is open to other users; chmod 700 closes it");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cedar::Documents;
    use crate::config::{Overrides, load_directory};

    fn config(root: &Path, text: &str) -> Config {
        let file = root.join("keystile.toml");
        Config::from_text(Some(&file), text, &Overrides::default()).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(path: &Path) -> BTreeSet<String> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_new_data_directory_gets_a_root_key_and_a_root_users_access_key_once() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "");
        let first = prepare_data_dir(&config).unwrap();
        assert!(first.new);
        assert_eq!(mode(&first.path), 0o700);
        assert_eq!(names(&first.path), ["credentials", "root.key"].map(String::from).into());
        assert_eq!(mode(&first.path.join("root.key")), 0o600);
        assert_eq!(mode(first.credentials.as_deref().unwrap()), 0o600);
        let text = fs::read_to_string(first.credentials.as_deref().unwrap()).unwrap();
        assert!(text.starts_with("[default]\naws_access_key_id = AKIA"), "{text}");

        fs::write(first.path.join("keystile.redb"), "data").unwrap();
        let again = prepare_data_dir(&config).unwrap();
        assert!(!again.new);
        assert_eq!(again.root_key.id(), first.root_key.id());
        assert_eq!(fs::read_to_string(again.credentials.unwrap()).unwrap(), text);

        let directory = load_directory(&config, &Documents::default()).unwrap();
        let id = text.lines().nth(1).unwrap().rsplit(' ').next().unwrap();
        let identity = &directory.access_key(id).unwrap().identity;
        assert_eq!(identity.caller.principal.to_string(), "arn:aws:iam::111122223333:root");
    }

    #[test]
    fn the_root_users_account_is_that_of_the_first_principal_configured() {
        let root = tempfile::tempdir().unwrap();
        let keys = "[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"s\"\nprincipal = \"arn:aws:iam::444455556666:user/a\"\n";
        fs::write(root.path().join("c.toml"), keys).unwrap();
        let config = config(root.path(), "[iam]\ncredentials = [\"c.toml\"]");
        let data = prepare_data_dir(&config).unwrap();
        assert!(fs::read_to_string(data.credentials.unwrap()).unwrap().contains("aws_account_id = 444455556666"));
        assert_eq!(load_directory(&config, &Documents::default()).unwrap().access_key_count(), 2);
    }

    #[test]
    fn a_lost_root_key_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "");
        let data = prepare_data_dir(&config).unwrap();
        fs::write(data.path.join("keystile.redb"), "data").unwrap();
        fs::remove_file(data.path.join("root.key")).unwrap();
        let error = prepare_data_dir(&config).unwrap_err().to_string();
        assert!(
            error.contains("root.key: there is no root key, and one is made only in a new data directory"),
            "{error}"
        );
        assert!(!data.path.join("root.key").exists());
    }

    #[test]
    fn a_root_key_that_was_named_must_exist_and_hold_32_bytes() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "[root_key]\nfile = \"my.key\"");
        let error = prepare_data_dir(&config).unwrap_err().to_string();
        assert!(error.contains("my.key: there is no such root key"), "{error}");
        for wrong in ["", "c2hvcnQ=", "not base64"] {
            fs::write(root.path().join("my.key"), wrong).unwrap();
            let error = prepare_data_dir(&config).unwrap_err().to_string();
            assert!(error.ends_with("my.key: a root key is the base64 of exactly 32 bytes (44 characters)"), "{error}");
        }
        assert!(names(&config.data_dir).is_empty(), "a refusal leaves nothing behind");
        let text = data_encoding::BASE64.encode(&[7; 32]);
        fs::write(root.path().join("my.key"), format!("{text}\n")).unwrap();
        assert_eq!(prepare_data_dir(&config).unwrap().root_key.id(), RootKey::from_base64(&text).unwrap().id());
    }

    #[test]
    fn the_default_path_named_in_the_file_is_created_in_a_new_data_directory() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "data_dir = \"d\"\n[root_key]\nfile = \"d/root.key\"");
        prepare_data_dir(&config).unwrap();
        assert!(root.path().join("d/root.key").exists());
    }

    #[test]
    fn a_start_that_was_cut_short_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "");
        let data = prepare_data_dir(&config).unwrap();
        let credentials = fs::read(data.path.join("credentials")).unwrap();
        fs::remove_file(data.path.join("root.key")).unwrap();
        fs::write(data.path.join(".root.key.0.tmp"), "half").unwrap();
        assert!(prepare_data_dir(&config).unwrap().new);
        assert_eq!(fs::read(data.path.join("credentials")).unwrap(), credentials);
    }

    #[test]
    fn an_environment_variable_that_is_not_set_is_named() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "[root_key]\nenv = \"KEYSTILE_NO_SUCH_VARIABLE\"");
        assert_eq!(
            prepare_data_dir(&config).unwrap_err().to_string(),
            "root_key.env: the environment variable KEYSTILE_NO_SUCH_VARIABLE is not set, or not text"
        );
    }
}
