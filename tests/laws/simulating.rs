//! `keystile simulate` decides as the plain interpreter does: a case goes in as the line that a user
//! would write.

use std::io::{Cursor, ErrorKind};

use keystile::simulate::{Format, Library, Simulator};
use serde_json::Value;

use crate::generate::{World, cases, hold};
use crate::interpreter::{self, Beyond, Case, Outcome};
use crate::library::layer_of;

const CASES_IN_A_STREAM: u64 = 100;

fn simulated(cases: &[Case]) -> Vec<Value> {
    let lines: Vec<String> = cases.iter().map(|case| case.to_simulate().to_string()).collect();
    let simulator = Simulator::new(Library::new(Box::new(|_| Err(ErrorKind::NotFound.into()))), Format::Json);
    let mut out = Vec::new();
    let input = Box::new(Cursor::new(lines.join("\n").into_bytes()));
    simulator.run(vec![("cases.jsonl".into(), input)], 1, &mut out, &mut |fault| panic!("{fault}")).unwrap();
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn simulate_decides_as_the_interpreter_does() {
    hold(cases(3_000), |dice| {
        let world = World::new(dice);
        let sayable = |mut case: Case| {
            case.beyond = Beyond { unique_id: None, missing_key: false, ..case.beyond };
            case
        };
        let cases: Vec<Case> = (0..CASES_IN_A_STREAM).map(|_| sayable(world.case(dice))).collect();
        let found = simulated(&cases);
        if found.len() != cases.len() {
            return Err(format!("{} answers to {} cases", found.len(), cases.len()));
        }
        for (case, line) in cases.iter().zip(&found) {
            let verdict = interpreter::decide(case);
            let decision = match verdict.outcome {
                Outcome::Allow => "allow",
                Outcome::ImplicitDeny => "implicit_deny",
                Outcome::ExplicitDeny => "explicit_deny",
            };
            let layer = serde_json::to_value(layer_of(verdict.layer, case)).unwrap();
            let decided_by = line["decided_by"].as_array().cloned().unwrap_or_default();
            let by_layer = match verdict.outcome {
                Outcome::Allow if case.is_root() || case.needs_no_permission() => true,
                Outcome::Allow => decided_by.iter().any(|by| by["layer"] == layer),
                _ => decided_by.first().is_some_and(|by| {
                    by["layer"] == layer && by["level"].as_u64() == verdict.level.map(|level| level as u64)
                }),
            };
            if line["decision"] != decision || !by_layer {
                return Err(format!("simulate: {line}\nthe interpreter: {verdict:?}\n{}", case.to_simulate()));
            }
        }
        Ok(CASES_IN_A_STREAM)
    });
}
