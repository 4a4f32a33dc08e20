use std::fs::{self, File};
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::data_dir::{DataDirArgs, finish, print};
use crate::config::{Config, DataLock, RootKeySource, UNFINISHED_RESTORE, require_new_data_dir};
use crate::kms::{BackupHeader, BackupReader, restore};
use crate::seal::{Keyring, RootKey};
use crate::store::{DATA_FILE, RedbSettings, RedbStore};

/// Make a new data directory from a backup
///
/// The whole backup is checked before anything is written, and the data gets its name last: all of
/// it is there or nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile restore keystile.backup --data-dir /var/lib/keystile --root-key-file /safe/root.key

The root key that the backup is sealed under must be at hand: where the configuration says (by
default root.key in the data directory: put it there first), or in the file that --root-key-file
names, which is then copied to where the configuration says. After a rotation of the root key an
older backup needs the older key, kept as root.key.ID.

The backup must be a regular file. The data directory must be new or empty, but for root keys,
credentials and credentials.toml. Put back what no backup holds: credentials and credentials.toml (or
make a key with `keystile access-key create`), the configuration and the files that it names. The
audit log begins anew. After a restore that was cut short, run it again.

Changes made after the backup are lost with it: a key that was created later is not there, and what
a later rotation encrypted does not decrypt.")]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    data: DataDirArgs,
    /// The file of the root key that the backup is sealed under
    #[arg(long, value_name = "FILE")]
    root_key_file: Option<PathBuf>,
}

impl RestoreArgs {
    pub(super) fn run(self) -> ExitCode {
        finish(async move {
            let config = self.data.config()?;
            if config.store.postgres.is_some() {
                return Err(
                    "a backup is restored into a data directory: give a configuration without [store] engine = \
                            \"postgres\", and then copy that with `keystile store copy`"
                        .to_owned(),
                );
            }
            require_new_data_dir(&config).map_err(|error| error.to_string())?;
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", self.file.display());
            // Before it is opened, which for a pipe would wait for a writer.
            if !fs::metadata(&self.file).map_err(|error| wrong(&error))?.is_file() {
                return Err(wrong(&"a regular file is needed, since it is read twice"));
            }
            let mut file = File::open(&self.file).map_err(|error| wrong(&error))?;
            let open = |file| BackupReader::new(BufReader::with_capacity(1 << 16, file));
            let backup = open(file.try_clone().map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            let header = backup.header().clone();
            let root_keys = self.root_keys(&config, &header)?;
            backup.check(&root_keys).map_err(|error| wrong(&error))?;

            // Asked again of the directory, now that no other process can change the answers.
            let _lock = DataLock::take(&config.data_dir).map_err(|error| error.to_string())?;
            require_new_data_dir(&config).map_err(|error| error.to_string())?;
            let root_keys = self.root_keys(&config, &header)?;
            file.rewind().map_err(|error| wrong(&error))?;
            let backup = open(file).map_err(|error| wrong(&error))?;
            if *backup.header() != header {
                return Err(wrong(&"the backup was changed while it was read"));
            }
            let place = DataPlace::new(&config.data_dir)?;
            let rows = place.fill(backup, &root_keys).await.map_err(|error| wrong(&error))?;
            if self.root_key_file.is_some() {
                let (current, next) = needed(&root_keys, &header);
                let current = current.ok_or("the root key is not at hand")?;
                config.root_key.put(current, next).map_err(|error| error.to_string())?;
            }
            place.finish().map_err(|error| format!("{}: {error}", config.data_dir.display()))?;
            print(&format!(
                "restored {rows} records of revision {}, from {}, into {}; sealed under the root key {}. Not in a \
                 backup: access keys (credentials, credentials.toml), configuration, the audit log",
                header.revision,
                header.time,
                config.data_dir.display(),
                header.root_key_id
            ))
        })
    }

    /// The root keys that the backup needs, as far as they are at hand. One that lies where a named
    /// one would be copied to must be the same.
    fn root_keys(&self, config: &Config, header: &BackupHeader) -> Result<Keyring, String> {
        let ids = [Some(header.root_key_id.as_str()), header.next_root_key_id.as_deref()];
        let find = |source: &RootKeySource| {
            let configured = source.read().map_err(|error| error.to_string())?;
            let found = configured.map(|key| source.find(key, ids.into_iter().flatten())).transpose();
            found.map_err(|error| error.to_string())
        };
        let Some(named) = &self.root_key_file else {
            return find(&config.root_key)?.ok_or_else(|| {
                format!(
                    "there is no root key where the configuration says: put the one with the id {} there, or name its \
                     file with --root-key-file",
                    header.root_key_id
                )
            });
        };
        let keys = find(&RootKeySource::File(named.clone()))?
            .ok_or_else(|| format!("{}: there is no such root key", named.display()))?;
        if let RootKeySource::Env(_) = config.root_key {
            return Ok(keys);
        }
        if let Some(present) = find(&config.root_key)?
            && ids.into_iter().flatten().all(|id| present.get(id).is_some())
        {
            return Ok(keys);
        }
        let in_the_way = config.root_key.in_the_way(&header.root_key_id, header.next_root_key_id.as_deref());
        match in_the_way.map_err(|error| error.to_string())? {
            Some((file, id)) => {
                Err(format!("{}: another root key ({id}) is there, and is not replaced: move it away", file.display()))
            }
            None => Ok(keys),
        }
    }
}

fn needed<'a>(root_keys: &'a Keyring, header: &BackupHeader) -> (Option<&'a RootKey>, Option<&'a RootKey>) {
    let next = header.next_root_key_id.as_ref().and_then(|id| root_keys.get(id));
    (root_keys.get(&header.root_key_id), next)
}

/// A data directory that is being made.
struct DataPlace {
    path: PathBuf,
    unfinished: PathBuf,
}

impl DataPlace {
    fn new(path: &Path) -> Result<Self, String> {
        let unfinished = path.join(UNFINISHED_RESTORE);
        // One that was cut short before.
        if let Err(error) = fs::remove_dir_all(&unfinished)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(format!("{}: {error}", unfinished.display()));
        }
        Ok(Self { path: path.to_owned(), unfinished })
    }

    /// Writes the rows; the store is closed afterwards.
    async fn fill(&self, backup: BackupReader<BufReader<File>>, root_keys: &Keyring) -> Result<u64, String> {
        let store = RedbStore::open(&self.unfinished, &RedbSettings::default()).map_err(|error| error.to_string())?;
        restore(backup, root_keys, &store).await.map_err(|error| error.to_string())
    }

    /// The data gets its name, durably. A link, and no renaming, which would replace a file that
    /// something without the lock had put there.
    fn finish(&self) -> std::io::Result<()> {
        fs::hard_link(self.unfinished.join(DATA_FILE), self.path.join(DATA_FILE))?;
        File::open(&self.path)?.sync_all()?;
        // Its own name is new as well.
        File::open(self.path.canonicalize()?.parent().unwrap_or(Path::new("/")))?.sync_all()
    }
}

impl Drop for DataPlace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.unfinished);
    }
}
