//! Inputs from inputs: bytes and pieces changed, and where an input is JSON its structure.

use serde_json::{Value, json};

use crate::generate::Dice;

/// A corpus and the tokens that are put into its inputs.
pub(super) struct Mutator {
    corpus: Vec<Vec<u8>>,
    dictionary: Vec<Vec<u8>>,
}

/// What breaks readers of text.
const ODD: [&str; 22] = [
    "",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "😀",
    "é",
    "İ",
    "Σ",
    "\u{ffff}",
    "${",
    "${a",
    "${*}",
    "${a,'b'}",
    "*",
    "?",
    ":",
    "arn:",
    "\\u0000",
    "\\ud800",
    "18446744073709551616",
    "-0",
    "1e99999",
];

impl Mutator {
    /// Most inputs of a corpus.
    const MOST: usize = 5_000;

    pub(super) fn new(corpus: Vec<Vec<u8>>, dictionary: &[&str]) -> Self {
        assert!(!corpus.is_empty(), "a mutator needs something to mutate");
        let dictionary = dictionary.iter().chain(&ODD).map(|token| token.as_bytes().to_vec()).collect();
        Self { corpus, dictionary }
    }

    pub(super) fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    /// Adds an input, unless there are very many already.
    pub(super) fn keep(&mut self, input: Vec<u8>) {
        if self.corpus.len() < Self::MOST {
            self.corpus.push(input);
        }
    }

    /// One of the inputs, changed once or several times.
    pub(super) fn mutated(&self, dice: &mut Dice) -> Vec<u8> {
        let mut input = dice.pick(&self.corpus).clone();
        for _ in 0..dice.between(1, 4) {
            match serde_json::from_slice::<Value>(&input) {
                Ok(mut value) if dice.percent(60) => {
                    self.change(&mut value, dice);
                    input = value.to_string().into_bytes();
                }
                _ => self.change_bytes(&mut input, dice),
            }
        }
        input
    }

    fn token(&self, dice: &mut Dice) -> &[u8] {
        dice.pick::<Vec<u8>>(&self.dictionary)
    }

    fn change_bytes(&self, input: &mut Vec<u8>, dice: &mut Dice) {
        let at = dice.below(input.len() + 1);
        let end = (at + dice.between(1, 16)).min(input.len());
        match dice.below(9) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                insert(input, at, &piece);
            }
            // The same piece many times: depth and length.
            3 => {
                let piece = input[at..(at + dice.between(1, 3)).min(input.len())].to_vec();
                insert(input, at, &piece.repeat(dice.between(2, 200)));
            }
            4 => input.truncate(at),
            5 => {
                let other = dice.pick(&self.corpus);
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            6 => {
                input.drain(at..end);
                insert(input, at, self.token(dice));
            }
            7 if at < input.len() => input[at] = *dice.pick(b"\"{}[],:\\'0 \n\t-+.${*?}#=\xff\x80"),
            _ => insert(input, at, self.token(dice)),
        }
    }

    /// Changes one place of a JSON value.
    fn change(&self, root: &mut Value, dice: &mut Dice) {
        let count = places(root);
        let place = nth(root, &mut dice.below(count)).unwrap();
        let token = String::from_utf8_lossy(self.token(dice)).into_owned();
        match (dice.below(6), &mut *place) {
            (0, Value::Object(members)) if !members.is_empty() => {
                let name = members.keys().nth(dice.below(members.len())).unwrap().clone();
                members.remove(&name);
            }
            (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(dice.below(items.len()))),
            (1, Value::Object(members)) if !members.is_empty() => {
                let name = members.keys().nth(dice.below(members.len())).unwrap().clone();
                let value = members.remove(&name).unwrap();
                members.insert(if dice.percent(50) { token } else { name + &token }, value);
            }
            (1, Value::Array(items)) if !items.is_empty() => {
                let again = dice.pick(items).clone();
                items.extend(std::iter::repeat_n(again, dice.between(1, 3)));
            }
            (1, Value::String(text)) => text.push_str(&token),
            (2, place) => *place = self.elsewhere(dice),
            (3, place) => *place = json!([place.take()]),
            (4, place) => place.clone_from(dice.pick(&[
                json!(null),
                json!(true),
                json!(0),
                json!(-1.5),
                json!([]),
                json!({}),
                json!(""),
            ])),
            (_, Value::Object(members)) => drop(members.insert(token, self.elsewhere(dice))),
            (_, Value::Array(items)) => items.push(self.elsewhere(dice)),
            (_, place) => *place = json!(token),
        }
    }

    /// A part of any input that is JSON; or a token.
    fn elsewhere(&self, dice: &mut Dice) -> Value {
        match serde_json::from_slice::<Value>(dice.pick::<Vec<u8>>(&self.corpus)) {
            Ok(mut other) if dice.percent(60) => {
                let count = places(&other);
                nth(&mut other, &mut dice.below(count)).unwrap().take()
            }
            _ => json!(String::from_utf8_lossy(self.token(dice))),
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

fn places(value: &Value) -> usize {
    1 + match value {
        Value::Object(members) => members.values().map(places).sum(),
        Value::Array(items) => items.iter().map(places).sum::<usize>(),
        _ => 0,
    }
}

fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Object(members) => members.values_mut().find_map(|value| nth(value, left)),
        Value::Array(items) => items.iter_mut().find_map(|value| nth(value, left)),
        _ => None,
    }
}
