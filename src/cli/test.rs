use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use super::simulate::{paint, read_policy};
use crate::config::end_of_text;
use crate::simulate::{Coverage, Gap, Library, Paint, SuiteResult, SuiteText, Tester, coverage, junit, printable};

/// Run policy test suites
///
/// A suite is a TOML file, NAME.test.toml, beside the policies that it tests. Directories are
/// searched for suites.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Example:
  keystile test policies --coverage-min 90

A suite:
  key_policy = "rotation.json"
  [[case]]
  name = "the rotator may enable rotation with MFA"
  principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
  action = "kms:EnableKeyRotation"
  resource = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  context = { "aws:MultiFactorAuthPresent" = true }
  expect = "allow"

Exit status: 0 every case holds; 1 one does not, or the coverage is too small; 2 a suite can't be
read, or there is none."#)]
pub(super) struct Args {
    /// Suites, and directories to search for them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// List the statements that no case matches, and the conditions that no case sees both hold
    /// and fail
    #[arg(long)]
    coverage: bool,
    /// Fail where fewer of the statements and conditions are covered, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    coverage_min: Option<f64>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = Shown::Text)]
    format: Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shown {
    Text,
    Json,
    Junit,
}

fn parse_percent(text: &str) -> Result<f64, String> {
    text.strip_suffix('%')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "not a percentage from 0 to 100".to_owned())
}

/// Everything that is printed.
struct Report<'a> {
    results: &'a [SuiteResult],
    /// What could not be read, suites and cases.
    errors: &'a [String],
    coverage: Option<Coverage>,
    /// What is said where the coverage is too small.
    shortfall: Option<String>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let mut found = Found::default();
    args.paths.iter().for_each(|path| found.look(path));
    let Found { suites, unread, .. } = found;
    if suites.is_empty() && unread.is_empty() {
        eprintln!("error: there is no suite (*.test.toml) in what was named");
        return ExitCode::from(2);
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let measures_coverage = args.coverage || args.coverage_min.is_some();
    let tester = Tester::new(Library::new(Box::new(read_policy))).measuring_coverage(measures_coverage);
    let results = tester.run(&suites, threads);
    let faults = results.iter().flat_map(|result| &result.faults).map(ToString::to_string);
    let errors: Vec<String> = unread.iter().cloned().chain(faults).collect();
    for error in &errors {
        eprintln!("error: {}", printable(error));
    }
    let measured = measures_coverage.then(|| coverage(&results));
    let shortfall = measured.as_ref().zip(args.coverage_min).and_then(|(coverage, least)| {
        (coverage.percent() < least)
            .then(|| format!("the coverage is {:.1} %, and at least {least} % is asked for", shown(coverage)))
    });
    let report = Report { results: &results, errors: &errors, coverage: measured, shortfall };
    let printed = match args.format {
        Shown::Text => report.text(paint(&io::stdout())),
        Shown::Json => report.json(),
        Shown::Junit => junit(&results, &unread, report.shortfall.as_deref()),
    };
    let written = io::stdout().write_all(printed.as_bytes());
    let failed = report.failed() > 0 || report.shortfall.is_some();
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: standard output: {error}");
            ExitCode::from(2)
        }
        _ if !errors.is_empty() => ExitCode::from(2),
        _ => ExitCode::from(u8::from(failed)),
    }
}

/// Suites, each once however it was named, and what can't be read.
#[derive(Default)]
struct Found {
    suites: Vec<SuiteText>,
    seen: HashSet<PathBuf>,
    unread: Vec<String>,
}

impl Found {
    /// Reads a suite, or every suite below a directory, in the order of their names.
    fn look(&mut self, path: &Path) {
        if let Err(error) = self.read(path) {
            self.unread.push(format!("{}{error}", path.display()));
        }
    }

    fn read(&mut self, path: &Path) -> Result<(), String> {
        let said = |error: io::Error| format!(": {error}");
        let one_name = std::fs::canonicalize(path).map_err(said)?;
        if !one_name.is_dir() {
            if self.seen.insert(one_name) {
                let text = String::from_utf8(std::fs::read(path).map_err(said)?).map_err(|error| {
                    let (line, column) = end_of_text(error.as_bytes());
                    format!(":{line}:{column}: the text is not UTF-8")
                })?;
                self.suites.push((path.to_owned(), text));
            }
            return Ok(());
        }
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = entries.map_err(said)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let is_suite = entry.file_name().to_string_lossy().ends_with(".test.toml");
            // A link to a directory may lead back up, and a pipe may never end.
            let is_directory = entry.file_type().map_err(said)?.is_dir();
            if is_suite && std::fs::metadata(entry.path()).is_ok_and(|found| !found.is_dir() && !found.is_file()) {
                self.unread.push(format!("{}: is no regular file", entry.path().display()));
            } else if is_suite || is_directory {
                self.look(&entry.path());
            }
        }
        Ok(())
    }
}

impl Report<'_> {
    fn cases(&self) -> usize {
        self.results.iter().map(|result| result.cases.len()).sum()
    }

    fn failed(&self) -> usize {
        self.results.iter().flat_map(|result| &result.cases).filter(|case| !case.passed()).count()
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for result in self.results {
            for case in &result.cases {
                let word = if case.passed() { paint.green("ok  ") } else { paint.red("FAIL") };
                let _ = writeln!(text, "{word}  {}:{}  {}", printable(&result.file), case.line, printable(&case.name));
                for check in &case.checks {
                    let Some(problem) = &check.problem else { continue };
                    let _ = writeln!(text, "      {}: {problem}", check.action);
                    for line in check.explanation.lines() {
                        let _ = writeln!(text, "      {line}");
                    }
                }
            }
        }
        let faults = self.errors.len();
        let (cases, failed) = (self.cases(), self.failed());
        let unread = if faults == 0 { String::new() } else { format!(", {faults} unreadable") };
        let suites = self.results.len();
        let _ = writeln!(text, "{suites} suites, {cases} cases: {} passed, {failed} failed{unread}", cases - failed);
        if let Some(coverage) = &self.coverage {
            let (total, gaps) = (coverage.total(), coverage.gaps());
            let _ = writeln!(
                text,
                "coverage {:.1} %: {} of {total} statements and conditions",
                shown(coverage),
                total - gaps.len()
            );
            text.extend(gaps.iter().map(|gap| format!("  {}\n", printable(&gap_text(gap)))));
        }
        if let Some(shortfall) = &self.shortfall {
            let _ = writeln!(text, "{}  {shortfall}", paint.red("FAIL"));
        }
        text
    }

    fn json(&self) -> String {
        let cases: Vec<serde_json::Value> = self
            .results
            .iter()
            .flat_map(|result| result.cases.iter().map(move |case| (&result.file, case)))
            .map(|(file, case)| {
                let checks: Vec<serde_json::Value> = case
                    .checks
                    .iter()
                    .map(|check| {
                        json!({
                            "action": check.action,
                            "passed": check.problem.is_none(),
                            "problem": check.problem,
                            "result": check.to_json().unwrap_or_default(),
                        })
                    })
                    .collect();
                json!({
                    "suite": &**file, "line": case.line, "name": case.name, "passed": case.passed(), "checks": checks,
                })
            })
            .collect();
        let (total, failed) = (self.cases(), self.failed());
        let coverage = self.coverage.as_ref().map(|coverage| {
            let gaps = coverage.gaps();
            json!({
                "percent": coverage.percent(),
                "covered": coverage.total() - gaps.len(),
                "total": coverage.total(),
                "gaps": gaps,
            })
        });
        let report = json!({
            "suites": self.results.len(), "cases": cases, "passed": total - failed, "failed": failed,
            "errors": self.errors, "coverage": coverage,
        });
        format!("{report}\n")
    }
}

/// Rounded down: 100 is all of it.
fn shown(coverage: &Coverage) -> f64 {
    (coverage.percent() * 10.0).floor() / 10.0
}

fn gap_text(gap: &Gap) -> String {
    let line = gap.line.map_or_else(String::new, |line| format!(":{line}"));
    let sid = gap.sid.as_ref().map_or_else(String::new, |sid| format!(" {sid:?}"));
    let condition = gap.condition.as_ref().map_or_else(String::new, |condition| format!(", {condition}"));
    let Gap { file, layer, statement, missing, .. } = gap;
    format!("{file}{line}  {layer}, statement {statement}{sid}{condition}: {missing}")
}
