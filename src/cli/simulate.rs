use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::config::end_of_text;
use crate::simulate::{Format, Input, Library, Paint, Simulator, printable};

/// Decide requests, and explain
///
/// A case is a JSON object: principal, action and resource, and the policies that apply, as objects
/// or as paths of files. Files, or standard input, hold one object, or one a line.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Example:
  echo '{"principal": "arn:aws:iam::111122223333:user/alice", "action": "kms:EnableKeyRotation",
         "resource": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
         "key_policy": "policies/quick-start/key-policy.json",
         "context": {"kms:RotationPeriodInDays": 90}}' | keystile simulate

Exit status: 0 every case is allowed; 1 one is denied; 2 one can't be read."#)]
pub(super) struct Args {
    /// Files of cases; `-` and none at all read standard input
    files: Vec<PathBuf>,
    /// How results are printed: text for people, json one object a line
    #[arg(long, value_enum, default_value_t = Shown::Text)]
    format: Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shown {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let mut inputs: Vec<Input> = Vec::new();
    let mut unreadable = false;
    let standard_input = [PathBuf::from("-")];
    for path in if args.files.is_empty() { &standard_input[..] } else { &args.files } {
        match open(path) {
            Ok(input) => inputs.push(input),
            Err(error) => {
                eprintln!("error: {}: {error}", printable(&path.to_string_lossy()));
                unreadable = true;
            }
        }
    }
    let format = match args.format {
        Shown::Json => Format::Json,
        Shown::Text => Format::Text(paint(&io::stdout())),
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let simulator = Simulator::new(Library::new(Box::new(read_policy)), format);
    let result = simulator.run(inputs, threads, &mut io::stdout().lock(), &mut |fault| {
        eprintln!("error: {}", printable(&fault.to_string()));
    });
    match result {
        // Who reads no further has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: standard output: {error}");
            ExitCode::from(2)
        }
        Ok(tally) => {
            if tally.cases() == 0 && !unreadable {
                eprintln!("error: there is no case in the input");
            }
            match () {
                () if unreadable || tally.unreadable > 0 || tally.cases() == 0 => ExitCode::from(2),
                () if tally.denied > 0 => ExitCode::from(1),
                () => ExitCode::SUCCESS,
            }
        }
    }
}

fn open(path: &Path) -> io::Result<Input> {
    if path == Path::new("-") {
        return Ok(("stdin".into(), Box::new(io::stdin())));
    }
    let file = std::fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    Ok((path.display().to_string().into(), Box::new(file)))
}

/// Longest policy file that is read, in bytes: far beyond any that AWS takes.
const MAX_POLICY_BYTES: u64 = 4 << 20;

/// Reads a policy's file.
pub(super) fn read_policy(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_POLICY_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_POLICY_BYTES) {
        return Err(io::Error::other(format!("the file has more than {MAX_POLICY_BYTES} bytes: no policy has")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let (line, column) = end_of_text(error.as_bytes());
        io::Error::other(format!("the text is not UTF-8 (line {line}, column {column})"))
    })
}

/// Colours on a terminal alone, and not where `NO_COLOR` is set.
pub(super) fn paint(out: &impl IsTerminal) -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if out.is_terminal() && !refused { Paint::Colours } else { Paint::Plain }
}
