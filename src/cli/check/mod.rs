//! `check`: findings in policies and configuration.

mod checker;
mod files;
mod report;
mod rules;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::policy_type::PolicyType;
use crate::iam::lint::Level;
use checker::{Checker, Outcome};

/// Lint and validate policies and configuration
///
/// Reads policies in AWS JSON, keystile.toml, credentials files, the organization file and
/// authorization details, and what these name. A directory is searched for *.json files that are
/// policies or authorization details, and for keystile.toml, credentials.toml and
/// organization.toml. Nothing is changed, and secrets in other files or the environment are not read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  keystile check policies --strict --format sarif > check.sarif

Exit status: 0 no errors; 1 errors, or with --strict warnings; 2 unreadable input.")]
pub(super) struct Check {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What the policies are attached to, where no configuration says it; by default `key` (or
    /// `resource`) where statements have Principal elements, `identity` elsewhere
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    policy_type: Option<PolicyType>,
    /// Let warnings fail as errors do
    #[arg(long)]
    strict: bool,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        let outcome = Checker::new(self.policy_type.map(Into::into)).run(&self.paths);
        let text = match self.format {
            Format::Text => report::text(&outcome),
            Format::Json => report::json(&outcome),
            Format::Sarif => report::sarif(&outcome),
        };
        if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
            eprintln!("error: standard output: {error}");
            return ExitCode::from(2);
        }
        ExitCode::from(status(&outcome, self.strict))
    }
}

fn status(outcome: &Outcome, strict: bool) -> u8 {
    if outcome.is_unreadable() {
        return 2;
    }
    let fails = |level| level == Level::Error || strict;
    u8::from(outcome.findings.iter().any(|finding| fails(finding.rule.level)))
}
