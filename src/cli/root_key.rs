use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::data_dir::{DataDirArgs, finish, print};
use crate::config::{Config, RootKeySource};
use crate::gateway::{AdminClient, RotationStatus, open_stopped, rotate_root_key};

/// How often a running server is asked how it goes.
const POLL: Duration = Duration::from_millis(200);
/// Between two lines that tell how far it is.
const SHOWN_EVERY: u64 = 10_000;

/// Rotate the root key, which wraps all key material
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keystile root-key rotate --data-dir /var/lib/keystile")]
pub(super) struct RootKeyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rotate(Rotate),
}

/// Wrap all key material anew, under a new root key
///
/// Where a server runs on the data directory, it does the work and goes on serving; otherwise this
/// command does it. A rotation that was cut short is completed, by the server when it starts or by
/// this command. Until the end both root keys are needed. Ciphertexts are not concerned: what was
/// encrypted before decrypts after.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile root-key rotate --config keystile.toml

The new root key is made beside the present one as root.key.new, and at the end gets its name; the
present one is kept as root.key.ID. Keep that for as long as there are backups from before, apart
from them. A root.key.new that is there already is taken (`openssl rand -base64 32` makes one),
unless its key was replaced before.

Where the configuration names an environment variable, [root_key] env = \"NAME\", put the new root
key into NAME_NEW, of the server where one runs (restart it with both), and run this command. Then
set NAME to the new key, and unset NAME_NEW, before the next start.

The command reaches a running server by the file admin.json in the data directory, so run it as the
server's user.")]
struct Rotate {
    #[command(flatten)]
    data: DataDirArgs,
}

impl RootKeyArgs {
    pub(super) fn run(self) -> ExitCode {
        let Command::Rotate(command) = self.command;
        finish(async move {
            let config = command.data.config()?;
            let outcome = rotate(&config).await?;
            print(&told(&config.root_key, &outcome))
        })
    }
}

/// What came of the rotation that a call began, completed or joined.
enum Outcome {
    /// It ended with this.
    Ended(RotationStatus),
    /// It ended, and a later one had begun before its end was seen: this was seen last of it.
    Superseded(RotationStatus),
}

async fn rotate(config: &Config) -> Result<Outcome, String> {
    match open_stopped(config).await.map_err(|error| error.to_string())? {
        None => rotate_online(config).await,
        Some((_lock, kms)) => {
            let total = AtomicU64::new(0);
            let progress = |count| {
                let before = total.fetch_add(count, Ordering::Relaxed);
                show(before, before + count);
            };
            let status = rotate_root_key(&kms, &config.root_key, &progress).await.map_err(|error| error.to_string())?;
            Ok(Outcome::Ended(RotationStatus { rewrapped: total.into_inner(), ..status }))
        }
    }
}

async fn rotate_online(config: &Config) -> Result<Outcome, String> {
    let server = AdminClient::find(&config.data_dir).map_err(|error| error.to_string())?;
    let mut status = server.rotate_root_key().await.map_err(|error| error.to_string())?;
    while status.under_way {
        if let Some(error) = status.error {
            return Err(format!(
                "the rotation is under way and stopped: {error}; the server tries again by itself, and this command \
                 waits for it when it is run again"
            ));
        }
        tokio::time::sleep(POLL).await;
        let next = server.root_key_rotation().await.map_err(|error| error.to_string())?;
        // One begins only when the one before has ended.
        if next.to != status.to {
            return Ok(Outcome::Superseded(status));
        }
        show(status.rewrapped, next.rewrapped);
        status = next;
    }
    Ok(Outcome::Ended(status))
}

/// A line for each ten thousand.
fn show(before: u64, now: u64) {
    if before / SHOWN_EVERY != now / SHOWN_EVERY {
        eprintln!("re-wrapped {now} so far");
    }
}

fn told(source: &RootKeySource, outcome: &Outcome) -> String {
    let (Outcome::Ended(status) | Outcome::Superseded(status)) = outcome;
    let (from, to) = (status.from.as_deref().unwrap_or_default(), status.to.as_deref().unwrap_or_default());
    if let Outcome::Superseded(_) = outcome {
        return format!(
            "the root key {to} took the place of {from}, and another rotation began after that; {}",
            source.describe_old(from)
        );
    }
    let keys = if status.rewrapped == 1 { "key" } else { "keys" };
    format!(
        "re-wrapped {} {keys}: the root key is now {to}, no longer {from}; {}",
        status.rewrapped,
        source.describe_old(from)
    )
}
