use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::files::{read_if_exists, read_secret, read_text};
use super::organization::read_organization;
use super::{Config, ConfigError, token_service};
use crate::aws::AccountId;
use crate::cedar::Documents;
use crate::identity::{
    AccessKeyEntry, AuthorizationDetails, Directory, DirectoryBuilder, ResolvedSecrets, SecretSource,
    SharedCredentials, parse_credentials,
};

/// Reads every file of identities and the organisation file that the configuration names, and the
/// data directory's own `credentials`, and compiles all their policies.
///
/// # Errors
/// The first fault, with file, line, column and member: there is no half of a directory.
pub fn load_directory(config: &Config, documents: &Documents) -> Result<Directory, ConfigError> {
    let mut builder = DirectoryBuilder::new(documents);
    for path in &config.iam.authorization_details {
        builder.add_details(read_details(path)?)?;
    }
    for (path, entries) in read_credentials(config)? {
        for entry in entries {
            let resolved = resolve(&path, &entry)?;
            builder.add_access_key(entry, &resolved)?;
        }
    }
    let own = root_credentials_file(config);
    if let Some(text) = read_if_exists(&own, "read the root user's access key")? {
        let name = name_of(&own);
        builder.add_root_key(&name, &SharedCredentials::parse(&name, &text)?)?;
    }
    if let Some(file) = &config.iam.organization {
        let (name, entries, texts) = read_organization(file)?;
        builder.set_organization(&name, &entries, &texts)?;
    }
    token_service::add_to(config, &mut builder)?;
    Ok(builder.build())
}

/// Where a new data directory's root user key is.
pub(super) fn root_credentials_file(config: &Config) -> PathBuf {
    config.data_dir.join("credentials")
}

/// The account of the first principal configured: of the first access key, else of the first
/// authorization details.
pub(super) fn first_account(config: &Config) -> Result<Option<AccountId>, ConfigError> {
    let credentials = read_credentials(config)?;
    let of_key = credentials.iter().flat_map(|(_, entries)| entries).find_map(|entry| entry.principal.account());
    if of_key.is_some() {
        return Ok(of_key);
    }
    for path in &config.iam.authorization_details {
        if let Some(account) = read_details(path)?.account() {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

fn read_details(path: &Path) -> Result<AuthorizationDetails, ConfigError> {
    let text = read_text(path, "read the authorization details")?;
    Ok(AuthorizationDetails::parse(&name_of(path), &text)?)
}

/// Configured files must exist; the data directory's `credentials.toml` need not.
fn read_credentials(config: &Config) -> Result<Vec<(PathBuf, Vec<AccessKeyEntry>)>, ConfigError> {
    let doing = "read the credentials";
    let optional = config.iam.credentials.is_none();
    let mut files = Vec::new();
    for path in config.credentials_files() {
        let text = if optional { read_if_exists(&path, doing)? } else { Some(read_secret(&path, doing)?) };
        if let Some(text) = text {
            let entries = parse_credentials(&name_of(&path), &text)?;
            files.push((path, entries));
        }
    }
    Ok(files)
}

/// Reads what an entry names in other files and in the environment.
fn resolve(path: &Path, entry: &AccessKeyEntry) -> Result<ResolvedSecrets, ConfigError> {
    let base = path.parent().unwrap_or(Path::new(""));
    let at = |place, member: &str, message: String| ConfigError {
        file: Some(entry.file.to_string()),
        place: Some(place),
        member: format!("{}.{member}", entry.member),
        message,
    };
    let secret = secret(base, &entry.secret).map_err(|(member, message)| at(entry.secret_place, member, message))?;
    let mut session_policies = Vec::with_capacity(entry.session_policies.len());
    for policy in &entry.session_policies {
        let file = base.join(&policy.path);
        let text = read_text(&file, "read the session policy")
            .map_err(|error| at(policy.place, "session_policies", error.to_string()))?;
        session_policies.push((name_of(&file), text));
    }
    Ok(ResolvedSecrets { secret, session_policies })
}

/// The secret that is named; or the member that is wrong, and how.
pub(super) fn secret(base: &Path, source: &SecretSource) -> Result<Zeroizing<String>, (&'static str, String)> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.clone()),
        SecretSource::File(file) => {
            let text =
                read_secret(&base.join(file), "read the secret").map_err(|error| ("secret_file", error.to_string()))?;
            Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        SecretSource::Env(name) => std::env::var(name)
            .map(Zeroizing::new)
            .map_err(|_| ("secret_env", format!("the environment variable {name} is not set, or not Unicode text"))),
    }
}

/// A file's name as errors show it.
pub(super) fn name_of(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Overrides;

    fn load(root: &Path, credentials: &str) -> Result<Directory, String> {
        fs::write(root.join("c.toml"), credentials).unwrap();
        let config = Config::from_text(
            Some(&root.join("keystile.toml")),
            "[iam]\ncredentials = [\"c.toml\"]",
            &Overrides::default(),
        );
        load_directory(&config.unwrap(), &Documents::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_an_entry_names_is_read_relative_to_its_file_and_faults_name_the_entry() {
        let root = tempfile::tempdir().unwrap();
        let key = |rest: &str| {
            format!(
                "[[access_key]]\nid = \"ASIAIOSFODNN7EXAMPLE\"\nsession_token = \"t\"\nprincipal = \"arn:aws:sts::111122223333:assumed-role/R/s\"\n{rest}\n"
            )
        };
        fs::write(root.path().join("secret"), "hush\n").unwrap();
        fs::write(root.path().join("empty"), "\n").unwrap();
        fs::write(root.path().join("session.json"), "{\n\"Statement\": 5}").unwrap();
        assert_eq!(load(root.path(), &key("secret_file = \"secret\"")).unwrap().access_key_count(), 1);
        for (rest, expected) in [
            ("secret_file = \"missing\"", "c.toml:5:15: access_key[0].secret_file: "),
            ("secret_file = \"empty\"", "c.toml:5:15: access_key[0].secret: the secret that is named here is empty"),
            (
                "secret_env = \"KEYSTILE_NO_SUCH_VARIABLE\"",
                "c.toml:5:14: access_key[0].secret_env: the environment variable KEYSTILE_NO_SUCH_VARIABLE is not set",
            ),
            ("secret = \"x\"\nsession_policies = [\"none.json\"]", "c.toml:6:21: access_key[0].session_policies: "),
            ("secret = \"x\"\nsession_policies = [\"session.json\"]", "session.json:2:"),
        ] {
            let error = load(root.path(), &key(rest)).unwrap_err();
            let relative = error.strip_prefix(&format!("{}/", root.path().display())).unwrap_or(&error);
            assert!(relative.starts_with(expected), "expected {expected}\n   found {error}");
        }
    }

    #[test]
    fn a_configured_file_that_is_missing_is_an_error() {
        let text = "[iam]\nauthorization_details = [\"none.json\"]";
        let config = Config::from_text(Some(Path::new("/nonexistent/k.toml")), text, &Overrides::default()).unwrap();
        let error = load_directory(&config, &Documents::default()).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/none.json: cannot read the authorization details: "), "{error}");
    }
}
