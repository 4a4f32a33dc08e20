//! `docs/operations.md` says what the code and its tests say: the text is made here, of the API's
//! model, of AWS's list of condition keys and of the tables that the tests run by.

use std::fmt::Write;
use std::path::Path;

use keystile::kms::operation_names;

use super::engine::{condition_keys, errors};

/// Set to rewrite the file.
const REWRITE: &str = "KEYSTILE_REWRITE_OPERATIONS";
const COMMAND: &str = "KEYSTILE_REWRITE_OPERATIONS=1 cargo test --release --test laws operations_table";

/// The reasons in the order in which they are first given.
#[derive(Default)]
struct Reasons(Vec<&'static str>);

impl Reasons {
    /// What the table has for a thing that does not come about.
    fn noted(&mut self, thing: &str, why: &'static str) -> String {
        let at = self.0.iter().position(|reason| *reason == why).unwrap_or_else(|| {
            self.0.push(why);
            self.0.len() - 1
        });
        format!("{thing} ({})", at + 1)
    }
}

fn listed(mut names: Vec<String>) -> String {
    names.sort();
    names.dedup();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What stands for the condition keys that every operation on a key has.
const OF_A_KEY: &str = "those of *a key*";

fn keys_of_a_key() -> Vec<&'static str> {
    condition_keys::keys_of("GetKeyPolicy")
}

/// One of many keys of the same beginning stands for all of them.
fn shortened(key: &str) -> &str {
    if key.starts_with("kms:RecipientAttestation:") { "kms:RecipientAttestation:*" } else { key }
}

fn table() -> String {
    let (reached, never) = (errors::reached(), errors::never());
    let mut reasons = Reasons::default();
    let mut rows = String::new();
    for operation in operation_names() {
        let (mut told, mut untold, mut given, mut ungiven) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for code in errors::errors_of(operation) {
            if errors::COMMON.contains(&code) {
                continue;
            }
            if reached.iter().any(|(name, error, _)| (*name, *error) == (operation, code)) {
                told.push(code.to_owned());
            } else if let Some(why) = never.get(&(*operation, code)) {
                untold.push(reasons.noted(code, why));
            }
        }
        let mut keys = condition_keys::keys_of(operation);
        let of_a_key = keys_of_a_key();
        if of_a_key.iter().all(|key| keys.contains(key) && condition_keys::never(operation, key).is_none()) {
            keys.retain(|key| !of_a_key.contains(key));
            given.push(OF_A_KEY.to_owned());
        }
        for key in keys {
            match condition_keys::never(operation, key) {
                Some(why) => ungiven.push(reasons.noted(shortened(key), why)),
                None => given.push(key.to_owned()),
            }
        }
        let cells = [told, untold, given, ungiven].map(listed).join(" | ");
        writeln!(rows, "| {operation} | {cells} |").unwrap();
    }
    let mut text = format!(
        "# The operations of the KMS API\n\n\
         Made by `{COMMAND}`; a test fails where this file differs.\n\n\
         All {} operations of the API are served. For each, the table has every error that the API's model lists for it\n\
         and every condition key that AWS's service authorization reference lists for its actions. What is under\n\
         \"reached\" and \"decides\", a test reaches and decides by, in `tests/laws/engine/errors.rs` and\n\
         `tests/laws/engine/condition_keys.rs`; for what does not come about there is a reason below. Beside its own\n\
         errors, a test reaches for each operation\n\
         {}. Global keys belong to no operation and are not in the table.\n\n\
         The keys of *a key* are {}.\n\n\
         | operation | errors reached | errors that do not come about | condition keys that decide | condition keys that no request gives |\n\
         | --- | --- | --- | --- | --- |\n{rows}\n## Why not\n\n",
        operation_names().len(),
        errors::COMMON.map(|code| format!("`{code}`")).join(", "),
        keys_of_a_key().join(", "),
    );
    for (at, why) in reasons.0.iter().enumerate() {
        writeln!(text, "{}. {why}.", at + 1).unwrap();
    }
    text
}

#[test]
fn the_table_of_operations_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let table = table();
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == table, "docs/operations.md is not what the code says; this rewrites it:\n{COMMAND}");
}
