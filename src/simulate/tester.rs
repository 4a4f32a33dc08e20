//! Running suites.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::coverage::Coverage;
use super::fault::Fault;
use super::library::Library;
use super::outcome::{Line, Verdict, explanation};
use super::suite::{Suite, SuiteCase};
use super::{Case, decide};
use crate::authz::Authorizer;

/// What came of a suite.
#[derive(Debug)]
pub struct SuiteResult {
    /// The suite's file, as it was named.
    pub file: Arc<str>,
    /// Its cases that could be read, in order.
    pub cases: Vec<CaseResult>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    pub(super) coverage: Coverage,
}

/// What came of a case.
#[derive(Debug)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// Its line in the suite, from 1.
    pub line: u32,
    /// One for each action, in order.
    pub checks: Vec<Check>,
}

/// What came of one action of a case.
#[derive(Debug)]
pub struct Check {
    /// The action.
    pub action: String,
    /// What was expected and did not come; none where the case holds.
    pub problem: Option<String>,
    /// Why it was decided so, in indented lines; empty where the case holds.
    pub explanation: String,
    pub(super) verdict: Verdict,
}

impl CaseResult {
    /// Whether all that was expected came.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.problem.is_none())
    }
}

impl Check {
    /// The decision with its explanation, as `simulate` prints it.
    ///
    /// # Errors
    /// None is expected: every member is text, a number or null.
    pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(Line::from(&self.verdict))
    }
}

/// Runs suites, sharing the policies that they name.
#[derive(Debug)]
pub struct Tester {
    library: Library,
    authorizer: Authorizer,
    measures_coverage: bool,
}

/// A suite's file with its text.
pub type SuiteText = (PathBuf, String);

impl Tester {
    /// A tester that reads policies through a library.
    #[must_use]
    pub fn new(library: Library) -> Self {
        let authorizer = Authorizer::new(crate::authz::Settings::default());
        Self { library, authorizer, measures_coverage: false }
    }

    /// The same, that measures what of the policies the cases show: each statement is compared with
    /// each case.
    #[must_use]
    pub fn measuring_coverage(self, measures_coverage: bool) -> Self {
        Self { measures_coverage, ..self }
    }

    /// Runs suites, given by file and text, on so many threads. Their results come in order.
    #[must_use]
    pub fn run(&self, suites: &[SuiteText], threads: usize) -> Vec<SuiteResult> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<(usize, SuiteResult)>> = Mutex::new(Vec::with_capacity(suites.len()));
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, suites.len().max(1)) {
                scope.spawn(|| {
                    while let Some((index, (file, text))) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, suites.get(at)?)))
                    {
                        let result = self.suite(Suite::read(file, text, &self.library));
                        results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn suite(&self, suite: Suite) -> SuiteResult {
        let mut coverage = Coverage::default();
        let cases = suite
            .cases
            .iter()
            .map(|case| {
                if self.measures_coverage {
                    case.cases.iter().for_each(|case| coverage.see(&suite.file, case));
                }
                let checks = case.cases.iter().map(|one| self.check(case, one)).collect();
                CaseResult { name: case.name.clone(), line: case.line, checks }
            })
            .collect();
        SuiteResult { file: suite.file, cases, faults: suite.faults, coverage }
    }

    fn check(&self, expected: &SuiteCase, case: &Case) -> Check {
        let verdict = decide(&self.authorizer, case);
        let problem = problem(expected, &verdict);
        Check {
            action: case.request.action.to_string(),
            explanation: problem.as_ref().map(|_| explanation(case, &verdict)).unwrap_or_default(),
            problem,
            verdict,
        }
    }
}

/// The coverage of all the suites together.
#[must_use]
pub fn coverage(results: &[SuiteResult]) -> Coverage {
    let mut all = Coverage::default();
    for result in results {
        all.merge(result.coverage.clone());
    }
    all
}

fn problem(expected: &SuiteCase, verdict: &Verdict) -> Option<String> {
    let decision = &verdict.decision;
    if !expected.expect.is_met(decision.outcome) {
        return Some(format!("expected {}, and it is {}", expected.expect.as_str(), decision.outcome.as_str()));
    }
    let sid = expected.decided_by.as_deref()?;
    if decision.decided_by.iter().any(|by| by.sid.as_deref() == Some(sid)) {
        return None;
    }
    let sids: Vec<String> =
        decision.decided_by.iter().filter_map(|by| Some(format!("{:?}", by.sid.as_ref()?))).collect();
    let who = if sids.is_empty() { "no statement with a Sid".to_owned() } else { sids.join(", ") };
    Some(format!("expected to be decided by {sid:?}, and it is decided by {who}"))
}
