use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;

use super::data_dir::{finish, print};
use crate::config::{Config, DataLock, Overrides};
use crate::gateway::{open_store, postgres_settings};
use crate::store::copy::copy;
use crate::store::{DATA_FILE, PostgresSettings, PostgresStore, Store};

/// How many records there are between two lines of progress.
const SHOWN_EVERY: u64 = 10_000;

/// Make, migrate or copy the store
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Init),
    Migrate(Migrate),
    Copy(Copy),
}

/// Make the tables of a new store in the PostgreSQL database of a configuration
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile store init --config keystile.toml

The database and the role must be there, and the role may make tables. Where the tables are there
already, nothing is changed and the command fails.")]
struct Init {
    /// The configuration file, with [store] engine = \"postgres\"
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Bring the tables to this release's version
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile store migrate --config keystile.toml

Tables of a newer release are refused. Make a backup of the database first.")]
struct Migrate {
    /// The configuration file, with [store] engine = \"postgres\"
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Copy everything from one store into another, new one
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile store copy --from embedded.toml --to postgres.toml

Each configuration says where its store is: [store] engine = \"postgres\", or the data directory. The
embedded store's server must be stopped. What is committed to a PostgreSQL store while it is copied
is not in the copy: stop its gateways first, unless you want a copy of one moment.

The target must be empty. Both sides are counted and hashed; no server starts on a copy that was cut
short. The root key is not copied: give the new gateways the same one.")]
struct Copy {
    /// The configuration of the store that is copied
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The configuration of the store that is made
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl StoreArgs {
    pub(super) fn run(self) -> ExitCode {
        match self.command {
            Command::Init(Init { config }) => finish(async move {
                let lineage = PostgresStore::init(postgres(&config)?).await.map_err(|error| error.to_string())?;
                print(&format!("made the store {lineage}"))
            }),
            Command::Migrate(Migrate { config }) => finish(async move {
                let migrated = PostgresStore::migrate(postgres(&config)?).await;
                let (before, now) = migrated.map_err(|error| error.to_string())?;
                if before == now {
                    return print(&format!("the store has format version {now} already"));
                }
                print(&format!("the store had format version {before} and has {now} now"))
            }),
            Command::Copy(command) => finish(command.run()),
        }
    }
}

impl Copy {
    async fn run(self) -> Result<(), String> {
        let (from, to) = (load(&self.from)?, load(&self.to)?);
        if from.store.postgres.is_none() && !fs::exists(from.data_dir.join(DATA_FILE)).unwrap_or(false) {
            return Err(format!("{}: {} holds no data", self.from.display(), from.data_dir.display()));
        }
        let (_from_lock, source) = open(&from).await.map_err(|error| format!("{}: {error}", self.from.display()))?;
        let (_to_lock, target) = open(&to).await.map_err(|error| format!("{}: {error}", self.to.display()))?;
        let shown = AtomicU64::new(0);
        let progress = |rows: u64| {
            if shown.swap(rows, Ordering::Relaxed) / SHOWN_EVERY != rows / SHOWN_EVERY {
                eprintln!("copied {rows} records so far");
            }
        };
        let copied = copy(&*source, &*target, &progress).await.map_err(|error| error.to_string())?;
        print(&format!(
            "copied {} records of revision {}; SHA-256 of both sides {}",
            copied.rows,
            copied.revision,
            HEXLOWER.encode(&copied.sha256)
        ))
    }
}

/// A store, and the lock of its data directory where it is the embedded one.
async fn open(config: &Config) -> Result<(Option<DataLock>, Arc<dyn Store>), String> {
    let lock = match config.store.postgres {
        Some(_) => None,
        None => Some(DataLock::take(&config.data_dir).map_err(|error| error.to_string())?),
    };
    let store = open_store(config).await.map_err(|error| error.to_string())?;
    Ok((lock, store))
}

fn load(file: &std::path::Path) -> Result<Config, String> {
    Config::load(Some(file), &Overrides::default()).map_err(|error| error.to_string())
}

fn postgres(file: &std::path::Path) -> Result<PostgresSettings, String> {
    let settings = postgres_settings(&load(file)?).map_err(|error| error.to_string())?;
    settings.ok_or_else(|| format!("{}: give [store] engine = \"postgres\"", file.display()))
}
