//! Fuzzing on the stable toolchain: a seeded mutator over a corpus, for a bounded time.
//!
//! A target is given bytes and panics where a law is broken; what it gives back names what became
//! of them, and an input of which something new became joins the corpus. `KEYSTILE_FUZZ_SECONDS`
//! (1) is each target's time, `KEYSTILE_SEED` (1) names the run. A finding is written below
//! `target/fuzz`, and `KEYSTILE_FUZZ_REPLAY=FILE` gives it to the target again.

mod config;
mod identities;
mod mutate;
mod names;
mod policy;
mod signature;
mod simulate;
mod values;
mod wire;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::generate::Dice;
use mutate::Mutator;

/// Longest input, in bytes.
const MAX_INPUT: usize = 40_000;
/// No input may take longer: what does is as good as hung. Generous, for busy machines.
const TOO_LONG: Duration = Duration::from_secs(10);

/// Gives mutations of the corpus to the target until its time is over.
fn fuzz(name: &str, corpus: Vec<Vec<u8>>, dictionary: &[&str], target: impl Fn(&[u8]) -> String) {
    if let Some(file) = std::env::var_os("KEYSTILE_FUZZ_REPLAY") {
        println!("{}", target(&std::fs::read(file).unwrap()));
        return;
    }
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let mut dice = Dice::new(number("KEYSTILE_SEED", 1));
    let mut mutator = Mutator::new(corpus, dictionary);
    let mut seen = HashSet::new();
    let mut tried = 0_u64;
    for input in mutator.corpus().to_vec() {
        seen.insert(attempt(name, &input, &target));
    }
    // However slow the machine, one input at least.
    let until = Instant::now() + Duration::from_secs(number("KEYSTILE_FUZZ_SECONDS", 1));
    while tried == 0 || Instant::now() < until {
        let input = mutator.mutated(&mut dice);
        if input.len() > MAX_INPUT {
            continue;
        }
        tried += 1;
        if seen.insert(attempt(name, &input, &target)) {
            mutator.keep(input);
        }
    }
    println!("{name}: {tried} inputs, {} outcomes", seen.len());
}

/// What became of the input, in words without its particulars.
fn attempt(name: &str, input: &[u8], target: &impl Fn(&[u8]) -> String) -> String {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
    let slow = started.elapsed() > TOO_LONG;
    match outcome {
        Ok(outcome) if !slow => general(&outcome),
        found => {
            let breaks = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| target(input))).is_err();
            let least = if found.is_err() { least(input, breaks) } else { input.to_vec() };
            let file = write(name, &least);
            let what = if slow { "takes too long" } else { "breaks" };
            panic!("{} {what}:\n{}", file.display(), String::from_utf8_lossy(&least));
        }
    }
}

/// Digits and quoted text aside: what is left tells kinds of outcome apart.
fn general(outcome: &str) -> String {
    let mut quoted = false;
    let kept = outcome.chars().filter(|character| {
        if matches!(character, '`' | '"' | '\'') {
            quoted = !quoted;
        }
        !quoted && !character.is_ascii_digit()
    });
    kept.take(200).collect()
}

/// The input without what can be left out while it still breaks the target.
fn least(input: &[u8], breaks: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut least = input.to_vec();
    let mut piece = least.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < least.len() {
            let mut candidate = least.clone();
            candidate.drain(at..(at + piece).min(least.len()));
            if breaks(&candidate) { least = candidate } else { at += piece }
        }
        piece /= 2;
    }
    least
}

fn write(name: &str, input: &[u8]) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    std::fs::create_dir_all(&directory).unwrap();
    let hash = input
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3));
    let file = directory.join(format!("{name}-{hash:016x}"));
    std::fs::write(&file, input).unwrap();
    file
}

/// Files below a directory of the repository whose names end so.
fn files(directory: &str, ending: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = directories.pop() {
        let mut entries: Vec<_> =
            std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The input as text; other inputs are of no interest to what takes text.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}
