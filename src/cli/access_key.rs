use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use crate::aws::{Clock, Principal, SystemClock};
use crate::config::{AddedKey, Config, Overrides, add_access_key};
use crate::identity::SharedCredentials;

/// `keystile access-key`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keystile access-key create --principal arn:aws:iam::111122223333:user/alice")]
pub(super) struct AccessKey {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an access key and add it to the credentials file.
    #[command(
        after_help = "Example:\n  keystile access-key create --principal arn:aws:iam::111122223333:user/alice --config keystile.toml\n\n\
        The key goes into the first file of `[iam] credentials`; where none is configured, into\n\
        credentials.toml in the data directory. A running server takes it after SIGHUP."
    )]
    Create(Create),
}

#[derive(Debug, Args)]
struct Create {
    /// The ARN of a user, or of an account's root.
    #[arg(long, value_name = "ARN")]
    principal: String,
    /// The configuration; without it, the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// text is an AWS shared credentials file's profile; json is what `aws iam create-access-key` prints.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(command: &AccessKey) -> ExitCode {
    let Command::Create(create) = &command.command;
    match make(create) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "keystile: {message}");
            ExitCode::from(2)
        }
    }
}

fn make(create: &Create) -> Result<(), String> {
    let principal: Principal = create.principal.parse().map_err(|error| format!("--principal: {error}"))?;
    let config = Config::load(create.config.as_deref(), &Overrides::default()).map_err(|error| error.to_string())?;
    let added = add_access_key(&config, &principal).map_err(|error| error.to_string())?;
    let shown = match create.format {
        Format::Text => SharedCredentials::print_profile(&added.key),
        Format::Json => json(&added, &principal),
    };
    let printed = io::stdout().write_all(shown.as_bytes()).and_then(|()| io::stdout().flush());
    printed.map_err(|error| {
        format!("the key {} is in {}, but could not be printed: {error}", added.key.id, added.file.display())
    })?;
    let _ = writeln!(
        io::stderr(),
        "added to {} for {principal}; a running server takes it after SIGHUP (kill -HUP)",
        added.file.display()
    );
    Ok(())
}

/// As `aws iam create-access-key` prints it. A root user has no user name.
fn json(added: &AddedKey, principal: &Principal) -> Zeroizing<String> {
    let mut key = serde_json::Map::new();
    if let (Principal::User(_), Some(name)) = (principal, principal.name()) {
        key.insert("UserName".to_owned(), name.into());
    }
    key.insert("AccessKeyId".to_owned(), added.key.id.as_str().into());
    key.insert("Status".to_owned(), "Active".into());
    key.insert("SecretAccessKey".to_owned(), added.key.secret.as_str().into());
    key.insert("CreateDate".to_owned(), SystemClock.now().to_string().into());
    Zeroizing::new(format!("{}\n", serde_json::json!({ "AccessKey": key })))
}
