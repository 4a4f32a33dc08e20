//! The command line: one file for each command.

mod access_key;
mod audit;
mod check;
mod policy_type;
mod raw_request;
mod serve;
mod simulate;
mod test;
mod translate;
mod verify;

pub use raw_request::{InvalidRequest, RawRequest};

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
    Check(check::Check),
    Simulate(simulate::Args),
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
        Command::Check(command) => command.run(),
        Command::Simulate(args) => simulate::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Verify(args) => verify::run(&args),
    }
}
