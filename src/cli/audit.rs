use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::audit::{Expectation, Hash, Report, verify};

/// Work with audit logs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keystile audit verify keystile-data/audit.jsonl")]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
}

/// Check the chain of an audit log: every change, gap or cut is found
///
/// A cut at the very end shows only against the file FILE.head that the server keeps beside the
/// log, or against a count and a hash that were noted elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile audit verify keystile-data/audit.jsonl --records 1042

Exit status: 0 intact; 1 changed or cut; 2 unreadable.")]
struct Verify {
    /// The log
    file: PathBuf,
    /// The hash that the last record must have, 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = parse_hash)]
    last_hash: Option<Hash>,
    /// How many records there must be
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn parse_hash(text: &str) -> Result<Hash, String> {
    Hash::parse(text).ok_or_else(|| "not 64 hex digits".to_owned())
}

impl Audit {
    pub(super) fn run(self) -> ExitCode {
        let Command::Verify(command) = self.command;
        command.run()
    }
}

impl Verify {
    fn run(&self) -> ExitCode {
        let expected = Expectation { last_hash: self.last_hash, records: self.records };
        let report = match verify(&self.file, &expected) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("keystile: {}: {error}", self.file.display());
                return ExitCode::from(2);
            }
        };
        let printed = match self.format {
            Format::Text => self.print_text(&report),
            Format::Json => print_json(&report),
        };
        match printed {
            // Who reads no further has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                eprintln!("keystile: {error}");
                ExitCode::from(2)
            }
            _ if report.problems.is_empty() => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        }
    }

    fn print_text(&self, report: &Report) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let file = self.file.display();
        for problem in &report.problems {
            match problem.line {
                Some(line) => writeln!(out, "{file}:{line}: {}", problem.problem)?,
                None => writeln!(out, "{file}: {}", problem.problem)?,
            }
        }
        let result = if report.problems.is_empty() { "intact" } else { "NOT intact" };
        writeln!(out, "{file}: {result}: {} records, last hash {}", report.records, report.last_hash)?;
        if report.head_records.is_none() && self.last_hash.is_none() && self.records.is_none() {
            writeln!(out, "note: without {file}.head, --records or --last-hash, records cut from the end do not show")?;
        }
        out.flush()
    }
}

fn print_json(report: &Report) -> io::Result<()> {
    let result = if report.problems.is_empty() { "intact" } else { "broken" };
    let mut out = io::stdout().lock();
    let line = json!({
        "result": result,
        "records": report.records,
        "last_hash": report.last_hash.to_hex(),
        "head_records": report.head_records,
        "problems": report.problems,
    });
    writeln!(out, "{line}")?;
    out.flush()
}
