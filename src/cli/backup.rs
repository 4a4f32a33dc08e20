use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::data_dir::{DataDirArgs, finish, print};
use crate::config::Config;
use crate::gateway::{AdminClient, open_stopped};
use crate::kms::{BackupReader, begins_as_backup};

/// Write a backup of all keys, policies, aliases and rotations into one file
///
/// Where a server runs on the data directory, it goes on serving, and the backup is of one moment;
/// otherwise the stopped data directory is read.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile backup keystile.backup --data-dir /var/lib/keystile

Key material is in the file as it is in the store: wrapped. The root key is NOT in it; without it
the backup is worth nothing, so keep a copy of root.key, apart from the backups. The file tells the
root key's id, and after a rotation of the root key older backups need the older key.

Neither in it: credentials and credentials.toml (access keys, in the clear), the configuration and
the files of policies and identities that it names, and the audit log. Keep copies of these beside.

The file is written under another name, checked, and renamed when it is whole. --force replaces
another backup, or an empty file, and nothing else. The command reaches a running server by the file
admin.json in the data directory, so run it as the server's user.")]
pub(super) struct BackupArgs {
    /// The file to write
    file: PathBuf,
    #[command(flatten)]
    data: DataDirArgs,
    /// Replace the file if it is there and is a backup, or empty
    #[arg(long)]
    force: bool,
}

impl BackupArgs {
    pub(super) fn run(self) -> ExitCode {
        finish(async move {
            let config = self.data.config()?;
            let temporary = Temporary::beside(&self.file)?;
            self.refuse_to_replace(&config)?;
            write(&config, &temporary.0).await?;
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", self.file.display());
            let written = File::open(&temporary.0).map_err(|error| wrong(&error))?;
            let backup = BackupReader::new(BufReader::new(written)).map_err(|error| wrong(&error))?;
            let header = backup.header().clone();
            let rows = backup.check_whole().map_err(|error| wrong(&error))?;
            self.refuse_to_replace(&config)?;
            temporary.rename(&self.file).map_err(|error| wrong(&error))?;
            print(&format!(
                "{}: {rows} records of revision {}, at {}; sealed under the root key {}, which is not in it: keep it \
                 apart from the backup. Not in it either: access keys, configuration, the audit log",
                self.file.display(),
                header.revision,
                header.time,
                header.root_key_id
            ))
        })
    }

    /// Even with --force nothing is replaced but another backup: a slip of the hand must not cost
    /// the root key or the data. An empty file may be one that was made for the backup, but not
    /// among the data, where it may be in use.
    fn refuse_to_replace(&self, config: &Config) -> Result<(), String> {
        let refused = |why: &dyn std::fmt::Display| Err(format!("{} {why}", self.file.display()));
        let present = match fs::symlink_metadata(&self.file) {
            Ok(present) => present,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return refused(&format_args!("cannot be looked up: {error}")),
        };
        if !self.force {
            return refused(&"is there already; --force replaces it");
        }
        if !present.is_file() {
            return refused(&"is no regular file and is not replaced");
        }
        let folder = fs::canonicalize(directory_of(&self.file)).ok();
        if present.len() == 0 && folder != fs::canonicalize(&config.data_dir).ok() {
            return Ok(());
        }
        match File::open(&self.file).and_then(begins_as_backup) {
            Ok(true) => Ok(()),
            Ok(false) => refused(&"is no backup made by `keystile backup` and is not replaced"),
            Err(error) => refused(&format_args!("cannot be read: {error}")),
        }
    }
}

/// Writes the backup, durably.
async fn write(config: &Config, path: &Path) -> Result<(), String> {
    let stopped = open_stopped(config).await.map_err(|error| error.to_string())?;
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    let mut out = BufWriter::new(file);
    match stopped {
        None => {
            let server = AdminClient::find(&config.data_dir).map_err(|error| error.to_string())?;
            server.backup(&mut out).await.map_err(|error| error.to_string())?;
        }
        Some((_lock, kms)) => {
            let mut backup = kms.backup().await.map_err(|error| error.to_string())?;
            while let Some(piece) = backup.next().await.map_err(|error| error.to_string())? {
                out.write_all(&piece).map_err(wrong)?;
            }
        }
    }
    out.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all()).map_err(wrong)
}

/// A file that is gone again, unless it got its name.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(file: &Path) -> Result<Self, String> {
        let name = file.file_name().ok_or_else(|| format!("{} is not the name of a file", file.display()))?;
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
        Ok(Self(file.with_file_name(temporary)))
    }

    fn rename(self, file: &Path) -> std::io::Result<()> {
        fs::rename(&self.0, file)?;
        File::open(directory_of(file))?.sync_all()
    }
}

fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
