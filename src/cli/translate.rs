use std::borrow::Cow;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::policy_type::{PolicyType, has_principals};
use crate::cedar::{CompileError, CompiledDocument, Translation};
use crate::config::end_of_text;
use crate::iam::{DocumentKind, ParseError};
use crate::simulate::printable;

/// Prints the Cedar that a policy becomes
///
/// One Cedar policy for each statement (several where a Principal list mixes kinds), then the
/// table of atoms: the truth values that Cedar cannot compute and reads from the context.
///
/// Example: keystile translate rotation.json --schema
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy in AWS JSON; `-` reads standard input
    policy: PathBuf,
    /// Print the Cedar schema that the policies validate under
    #[arg(long)]
    schema: bool,
    /// What the policy is attached to; by default `key` where statements have Principal elements,
    /// `identity` elsewhere
    #[arg(long = "type", value_enum)]
    kind: Option<PolicyType>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

const SAYS_NO: u8 = 1;
const UNREADABLE: u8 = 2;

/// Exit status: 0 translated; 1 a statement can't be translated; 2 unreadable input.
pub(super) fn run(args: &Args) -> ExitCode {
    let text = match read(&args.policy) {
        Ok(text) => text,
        Err(error) => return fail(UNREADABLE, &format!("{}{error}", name(&args.policy))),
    };
    let kind = match args.kind {
        Some(policy_type) => policy_type.into(),
        None if has_principals(&serde_json::from_str(&text).unwrap_or_default()) => DocumentKind::KeyPolicy,
        None => DocumentKind::IdentityPolicy,
    };
    match CompiledDocument::translate(kind, &text) {
        Ok(translation) => print(args, &translation),
        Err(error) => fail(status(&error), &format!("{}{}", name(&args.policy), place(&error))),
    }
}

/// A text that is no policy at all is unreadable; a policy with a statement that can't be translated
/// is a no.
fn status(error: &CompileError) -> u8 {
    match &error.parse {
        Some(parse) if !parse.path.starts_with("Statement[") && !parse.path.starts_with("Statement.") => UNREADABLE,
        _ => SAYS_NO,
    }
}

/// `:line:column: message`, as far as the place is known.
fn place(error: &CompileError) -> String {
    match (error.line, &error.parse) {
        (_, Some(ParseError { line, column, path, message, .. })) if path.is_empty() => {
            format!(":{line}:{column}: {message}")
        }
        (_, Some(ParseError { line, column, path, message, .. })) => format!(":{line}:{column}: {path}: {message}"),
        (Some(line), None) => format!(":{line}: {error}"),
        (None, None) => format!(": {error}"),
    }
}

fn name(path: &Path) -> Cow<'_, str> {
    if path == Path::new("-") { Cow::Borrowed("stdin") } else { path.to_string_lossy() }
}

fn print(args: &Args, translation: &Translation) -> ExitCode {
    for warning in &translation.warnings {
        eprintln!("warning: {}", printable(warning));
    }
    for statement in &translation.without_effect {
        eprintln!("warning: Statement[{statement}] has no effect and becomes no policy");
    }
    let text = match args.format {
        Format::Text => as_text(translation, args.schema),
        Format::Json => as_json(translation, args.schema),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads no further has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(UNREADABLE, &format!("standard output: {error}")),
    }
}

fn as_text(translation: &Translation, schema: bool) -> String {
    if schema {
        return translation.schema.clone();
    }
    let mut text = translation.policies.clone();
    if !text.is_empty() {
        text.push('\n');
    }
    if !translation.atoms.is_empty() {
        text.push_str("\n// Atoms, computed for each request:\n");
        for atom in &translation.atoms {
            text.extend(["// ", &atom.to_string(), "\n"]);
        }
    }
    text
}

fn as_json(translation: &Translation, schema: bool) -> String {
    let atoms: serde_json::Map<String, serde_json::Value> = translation
        .atoms
        .iter()
        .map(|atom| {
            let text = atom.to_string();
            let definition = text.split_once(" := ").map_or(text.as_str(), |(_, definition)| definition);
            (atom.name().to_owned(), definition.into())
        })
        .collect();
    let mut object = serde_json::json!({ "policies": translation.policies, "atoms": atoms });
    if schema {
        object["schema"] = translation.schema.clone().into();
    }
    format!("{object}\n")
}

/// The text, or why there is none, as it follows the file's name.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| format!(": {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let (line, column) = end_of_text(error.as_bytes());
        format!(":{line}:{column}: the text is not UTF-8")
    })
}

fn fail(status: u8, message: &str) -> ExitCode {
    eprintln!("error: {}", printable(message));
    ExitCode::from(status)
}
