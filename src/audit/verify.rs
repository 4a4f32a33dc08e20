use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use super::open::MAX_LINE_BYTES;
use super::{Chain, Hash, Head};

/// What someone knows of a log from elsewhere: the only proof that nothing was cut from its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expectation {
    /// The hash of its last line.
    pub last_hash: Option<Hash>,
    /// How many lines it has.
    pub records: Option<u64>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1; none where it concerns the log as a whole.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Lines.
    pub records: u64,
    /// The hash of the last line.
    #[serde(serialize_with = "hex")]
    pub last_hash: Hash,
    /// The lines that the head beside the log vouches for; none where there is no head.
    pub head_records: Option<u64>,
    /// What is wrong, at most [`Report::MAX_PROBLEMS`] of it; empty where nothing is.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Most problems that are listed.
    pub const MAX_PROBLEMS: usize = 100;

    fn problem(&mut self, line: Option<u64>, problem: impl Into<String>) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(Problem { line, problem: problem.into() });
        }
    }
}

fn hex<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    previous_hash: String,
    #[serde(default)]
    event_name: Option<String>,
    #[serde(default)]
    service_event_details: Option<RepairDetails>,
}

/// What the server wrote of a log that it found shorter than its head vouched for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RepairDetails {
    #[serde(default)]
    records: u64,
    #[serde(default)]
    expected_records: Option<u64>,
}

impl Link {
    /// How many records the server found missing before this one.
    fn records_lost(&self) -> Option<u64> {
        let details =
            self.service_event_details.as_ref().filter(|_| self.event_name.as_deref() == Some("AuditLogRepaired"))?;
        details.expected_records.map(|expected| expected.saturating_sub(details.records))
    }
}

/// Checks that each line is a record that links to the line before, that the log bears out its
/// head, and that it is what was expected.
///
/// # Errors
/// The file, or its head, can't be read.
pub fn verify(path: &Path, expected: &Expectation) -> io::Result<Report> {
    let head = match Head::read(path) {
        Ok(head) => head.map(|head| head.0),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
        Err(error) => return Err(error),
    };
    let head_is_broken = head.is_none() && Head::path(path).metadata().is_ok_and(|metadata| metadata.len() > 0);
    let mut lines = BufReader::with_capacity(1 << 17, File::open(path)?);
    let mut chain = Chain::default();
    let mut report =
        Report { records: 0, last_hash: Hash::NONE, head_records: head.map(|head| head.records), problems: Vec::new() };
    if head_is_broken {
        report.problem(None, "the file beside the log is not the head of an audit log");
    }
    let mut line = Vec::new();
    let mut head_seen = head.is_none_or(|head| head.records == 0);
    loop {
        line.clear();
        if (&mut lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let number = chain.records + 1;
        if line.pop_if(|last| *last == b'\n').is_none() {
            report.problem(Some(number), "the line is torn: it has no end");
            break;
        }
        match serde_json::from_slice::<Link>(&line) {
            Err(error) => report.problem(Some(number), format!("it is not a record: {error}")),
            Ok(record) if Hash::parse(&record.previous_hash) == Some(chain.last) => {
                if let Some(lost) = record.records_lost() {
                    let found = format!(
                        "the server found the log cut or changed here at a start: {lost} records fewer than its head vouched for"
                    );
                    report.problem(Some(number), found);
                }
            }
            Ok(_) if number == 1 => {
                report.problem(Some(1), "it is not the first record of a log: lines before it are gone");
            }
            Ok(_) => report.problem(
                Some(number),
                format!(
                    "it does not link to line {}: that line was changed, or lines between were removed, added or moved",
                    number - 1
                ),
            ),
        }
        chain.accept(&line);
        if let Some(head) = head.filter(|head| head.records == chain.records) {
            head_seen = true;
            if head.last != chain.last {
                report.problem(Some(number), "it is not the record that the log's head vouches for: it was changed");
            }
        }
    }
    if let (false, Some(head)) = (head_seen, head) {
        report.problem(
            None,
            format!("the log was cut: its head vouches for {} records, it has {}", head.records, chain.records),
        );
    }
    if let Some(records) = expected.records.filter(|&records| records != chain.records) {
        report.problem(None, format!("it has {} records, expected were {records}", chain.records));
    }
    if let Some(last) = expected.last_hash.filter(|&last| last != chain.last) {
        report.problem(None, format!("its last hash is {}, expected was {last}", chain.last));
    }
    report.records = chain.records;
    report.last_hash = chain.last;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::head::HeadFile;

    /// A log of five records with its head; the change is made to its lines.
    fn problems_after(change: impl FnOnce(&mut Vec<String>), expected: &Expectation) -> Vec<Option<u64>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let (mut chain, mut bytes) = (Chain::default(), Vec::new());
        for number in 1..=5 {
            chain.push(format!(r#"{{"n":{number}}}"#).as_bytes(), &mut bytes);
        }
        HeadFile::open(&path).unwrap().write(Head(chain)).unwrap();
        let mut lines: Vec<String> =
            String::from_utf8(bytes).unwrap().lines().map(|line| format!("{line}\n")).collect();
        change(&mut lines);
        std::fs::write(&path, lines.concat()).unwrap();
        verify(&path, expected).unwrap().problems.into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn every_change_gap_and_cut_is_found() {
        let nothing = Expectation::default();
        assert_eq!(problems_after(|_| {}, &nothing), []);
        assert_eq!(problems_after(|lines| lines[1] = lines[1].replacen('2', "7", 1), &nothing), [Some(3)]);
        assert_eq!(problems_after(|lines| lines[4] = lines[4].replacen('5', "7", 1), &nothing), [Some(5)]);
        assert_eq!(
            problems_after(
                |lines| {
                    lines.remove(2);
                },
                &nothing
            ),
            [Some(3), None]
        );
        assert_eq!(
            problems_after(
                |lines| {
                    lines.remove(0);
                },
                &nothing
            ),
            [Some(1), None]
        );
        assert_eq!(problems_after(|lines| lines.truncate(3), &nothing), [None]);
        assert_eq!(problems_after(Vec::clear, &nothing), [None]);
        assert_eq!(problems_after(|lines| lines.swap(1, 2), &nothing), [Some(2), Some(3), Some(4)]);
        assert_eq!(problems_after(|lines| lines[2] = "not json\n".to_owned(), &nothing), [Some(3), Some(4)]);
        assert_eq!(
            problems_after(
                |lines| {
                    lines[4].pop();
                },
                &nothing
            ),
            [Some(5), None]
        );
    }

    #[test]
    fn what_is_known_from_elsewhere_is_held_against_it() {
        let expected = |records, last_hash| Expectation { last_hash, records };
        assert_eq!(problems_after(|_| {}, &expected(Some(5), None)), []);
        assert_eq!(problems_after(|_| {}, &expected(Some(6), Some(Hash::NONE))), [None, None]);
    }
}
