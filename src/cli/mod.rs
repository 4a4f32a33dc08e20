//! The command line: one file for each command.

mod access_key;
mod audit;
mod backup;
mod check;
mod data_dir;
mod policy_type;
mod restore;
mod root_key;
mod serve;
mod simulate;
mod store;
mod test;
mod translate;
mod verify;

use std::process::ExitCode;

use clap::Parser;

/// An authorization gateway that speaks AWS: it verifies SigV4, decides with KMS key policies
/// and IAM policies, and rotates real keys.
#[derive(Debug, Parser)]
#[command(
    name = "keystile",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Example:\n  keystile serve\n\nEvery command has a --help of its own, with an example."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::Serve),
    /// Make access keys.
    AccessKey(access_key::AccessKey),
    Audit(audit::Audit),
    Backup(backup::BackupArgs),
    Check(check::Check),
    Restore(restore::RestoreArgs),
    RootKey(root_key::RootKeyArgs),
    Simulate(simulate::Args),
    Store(store::StoreArgs),
    Test(test::Args),
    Translate(translate::Args),
    Verify(verify::Args),
}

/// Runs the command line. Exit status: 0 yes; 1 a check or decision says no; 2 usage or
/// unreadable input.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(command) => command.run(),
        Command::AccessKey(command) => access_key::run(&command),
        Command::Audit(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Store(command) => command.run(),
        Command::RootKey(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Simulate(args) => simulate::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Verify(args) => verify::run(&args),
    }
}
