//! Deciding without a server: cases from files and streams, and suites of them that must hold.
//!
//! A case names its request and bears or names its policies; it is decided by [`crate::authz`] as
//! the gateway's requests are. Nothing here reads a file but through what it is given.

mod batch;
mod case;
mod context;
mod coverage;
mod fault;
mod grants;
mod junit;
mod library;
mod members;
mod outcome;
mod policy_set;
mod question;
mod stream;
mod suite;
mod tester;
mod toml_json;

pub use batch::{Format, Input, Simulator, Tally};
pub use coverage::{Coverage, Gap};
pub use fault::Fault;
pub use junit::junit;
pub use library::{Library, ReadFile};
pub use outcome::{Paint, printable};
pub use question::{Known, KnownPrincipal, Questions, line};
pub use tester::{CaseResult, Check, SuiteResult, SuiteText, Tester, coverage};

use std::sync::Arc;

use case::Case;
use outcome::Verdict;

/// Decides one case, and explains.
fn decide(authorizer: &crate::authz::Authorizer, case: &Case) -> Verdict {
    let applicable = case.applicable();
    let mut decision = authorizer.decide(&case.request, &applicable);
    let mut explanation = crate::authz::explain(&case.request, &applicable, &decision);
    if case.leaves_grants_out() {
        let near = explanation.near_misses.iter_mut().map(|miss| &mut miss.statement);
        Arc::make_mut(&mut decision).decided_by.iter_mut().chain(near).for_each(|by| case.name_grant(by));
    }
    Verdict { decision, explanation }
}
