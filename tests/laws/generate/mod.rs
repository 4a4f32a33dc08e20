//! Policies and requests at random, biased so that they often meet. Everything comes from a seed:
//! `KEYSTILE_SEED` (1) names the run, `KEYSTILE_CASES` how many cases a law tries.

mod condition;
mod dice;
mod document;
mod families;
mod grant;
pub(crate) mod names;
mod world;

pub(crate) use condition::{base_context, condition};
pub(crate) use dice::Dice;
pub(crate) use document::{Kind, document};
pub(crate) use families::all_values;
pub(crate) use world::World;

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// How many cases a law tries: `KEYSTILE_CASES`, or `short`.
pub(crate) fn cases(short: u64) -> u64 {
    number("KEYSTILE_CASES").unwrap_or(short)
}

/// Holds a law to so many throws of the dice, on all cores. The law gives how many cases it tried,
/// or what it found wrong.
pub(crate) fn hold(cases: u64, law: impl Fn(&mut Dice) -> Result<u64, String> + Sync) {
    let seed = number("KEYSTILE_SEED").unwrap_or(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let law = &law;
            scope.spawn(move || {
                let (mut tried, mut at) = (0, thread);
                while tried < cases / threads + 1 {
                    let _told = Told { seed, at };
                    match law(&mut Dice::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(at))) {
                        Ok(more) => tried += more.max(1),
                        Err(wrong) => panic!("{wrong}"),
                    }
                    at += threads;
                }
            });
        }
    });
}

/// Tells which throw it was when a law panics.
struct Told {
    seed: u64,
    at: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("KEYSTILE_SEED={}, throw {}", self.seed, self.at);
        }
    }
}
