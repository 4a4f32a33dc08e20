//! The engine beside a plain account of AWS KMS: random histories of its operations, over several
//! accounts, Regions and principals, in which both must answer alike, step by step.
//!
//! The model knows what the API's published model, AWS's documentation and recorded answers say, and
//! nothing of the engine; it decides by the plain interpreter of IAM. What the engine draws (ids,
//! ciphertexts) it learns from answers, if it is as it should be.
//!
//! `KEYSTILE_STEPS` says how many steps there are in all, `KEYSTILE_SEED` which.

mod aliases;
mod answer;
mod ask;
mod cryptography;
mod custom_key_stores;
mod decide;
mod draw;
mod draw_errands;
mod draw_stores;
mod grants;
mod history;
mod imports;
mod keys;
mod kinds;
mod managed;
mod names;
mod naming;
mod proxy;
mod rotation;
mod shape;
mod shrink;
mod state;
mod step;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;

use draw::Draw;
use history::History;
use step::Step;

use crate::engine::errors;
use crate::engine::requests::all_operations;
use crate::generate::{Dice, number};

/// The steps of one history, reviews aside.
const STEPS: usize = 300;
/// After so many steps, all that can be seen is looked at.
const REVIEW: usize = 25;

/// How often an operation was answered with a code, with none where it was done; and beside no
/// operation, how often it was decided so.
type Tally = BTreeMap<(&'static str, String), usize>;

/// Plays a history of the dice's. The steps that led to a difference are shrunk to what shows it.
async fn play(dice: &mut Dice, steps: usize) -> Result<Tally, String> {
    let mut history = History::new().await;
    let mut taken: Vec<(usize, Step)> = Vec::new();
    for at in 0..steps {
        let number = taken.len();
        let mut draw = Draw { dice: &mut *dice, model: &history.model, names: &history.names, number };
        // Some requests come again, and a few very often.
        let again = taken.last().filter(|_| draw.dice.percent(4)).map(|(_, step)| step.clone());
        let times = if draw.dice.percent(20) { 28 } else { 1 };
        let mut next = draw.errand();
        if next.is_empty() {
            next = again.map_or_else(|| vec![draw.step()], |step| vec![step; times]);
        }
        if at % REVIEW == REVIEW - 1 {
            next.extend(draw.review());
        }
        for step in next {
            let number = taken.len();
            taken.push((number, step.clone()));
            if let Err(difference) = history.take(number, &step).await {
                let short = shrink::shrunk(&taken).await;
                return Err(format!("at step {number}:\n{difference}\n{short}"));
            }
        }
    }
    let decisions = history.model.decisions.take().into_iter().map(|(said, times)| (("", said), times));
    Ok(history.tally.into_iter().chain(decisions).collect())
}

#[test]
fn the_engine_answers_as_the_model_does() {
    let steps = usize::try_from(number("KEYSTILE_STEPS").unwrap_or(3_000)).unwrap();
    let seed = number("KEYSTILE_SEED").unwrap_or(1);
    let histories = steps.div_ceil(STEPS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (tally, wrong) = (Mutex::new(Tally::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (tally, wrong) = (&tally, &wrong);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for history in (thread..histories).step_by(threads) {
                    if !wrong.lock().unwrap().is_empty() {
                        return;
                    }
                    let mut dice = Dice::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(history as u64));
                    match runtime.block_on(play(&mut dice, STEPS.min(steps))) {
                        Ok(of_history) => {
                            let mut all = tally.lock().unwrap();
                            for (answer, times) in of_history {
                                *all.entry(answer).or_default() += times;
                            }
                        }
                        Err(difference) => {
                            wrong
                                .lock()
                                .unwrap()
                                .push(format!("KEYSTILE_SEED={seed}, history {history}, {difference}"));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let tally = tally.into_inner().unwrap();
    if steps >= 3_000 {
        each_operation(&tally);
    }
    if steps >= 30_000 {
        each_way(&tally);
    }
}

/// Each operation was done, and refused.
fn each_operation(tally: &Tally) {
    let is_lacking = |operation: &&str| {
        let codes: Vec<&str> = tally.keys().filter(|(of, _)| of == operation).map(|(_, code)| code.as_str()).collect();
        !codes.contains(&"") || codes.len() == 1
    };
    let lacking: Vec<&str> = all_operations().filter(is_lacking).collect();
    assert!(lacking.is_empty(), "done and refused: {lacking:?}");
}

/// Each operation was denied; each error was told that other tests reach; each layer of the policies
/// had its say.
fn each_way(tally: &Tally) {
    let mut lacking: Vec<String> = all_operations()
        .filter(|operation| !tally.contains_key(&(operation, "AccessDeniedException".to_owned())))
        .map(|operation| format!("{operation} was never denied"))
        .collect();
    let codes = errors::reached().into_iter().map(|(_, code, _)| code).filter(|code| *code != "KMSInternalException");
    let said = codes.chain(DECISIONS).filter(|said| tally.keys().all(|(_, told)| told != said));
    lacking.extend(said.map(|said| format!("never: {said}")));
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

/// What must have been decided, and by which layer; across accounts too.
const DECISIONS: [&str; 18] = [
    "Allow by Resource",
    "Allow by Identity",
    "Allow by Grant",
    "Allow by Resource across accounts",
    "Allow by Grant across accounts",
    "ImplicitDeny by Resource",
    "ImplicitDeny by Identity",
    "ImplicitDeny by Boundary",
    "ImplicitDeny by Session",
    "ImplicitDeny by Resource across accounts",
    "ImplicitDeny by Identity across accounts",
    "ExplicitDeny by Resource",
    "ExplicitDeny by Identity",
    "ExplicitDeny by Boundary",
    "ImplicitDeny by ServiceControl",
    "ExplicitDeny by ServiceControl",
    "ExplicitDeny by ResourceControl",
    "ExplicitDeny by ResourceControl across accounts",
];
