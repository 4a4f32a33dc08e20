//! The house's one direction of imports, as `docs/architecture.md` draws it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Room → rooms that it may import. The same table stands in `docs/architecture.md`.
const MAY_IMPORT: [(&str, &[&str]); 16] = [
    ("aws", &[]),
    ("sigv4", &["aws"]),
    ("iam", &["aws"]),
    ("cedar", &["iam", "aws"]),
    ("authz", &["cedar", "iam", "aws"]),
    ("seal", &["aws"]),
    ("store", &["aws"]),
    ("services", &["aws"]),
    ("identity", &["authz", "cedar", "iam", "seal", "sigv4", "store", "aws"]),
    ("kms", &["authz", "cedar", "iam", "seal", "store", "aws"]),
    ("sts", &["authz", "cedar", "iam", "identity", "seal", "aws"]),
    ("audit", &["authz", "store", "aws"]),
    ("config", &["identity", "cedar", "iam", "seal", "services", "aws"]),
    ("simulate", &["authz", "cedar", "iam", "aws"]),
    (
        "gateway",
        &[
            "audit", "authz", "aws", "cedar", "config", "iam", "identity", "kms", "seal", "services", "sigv4",
            "simulate", "store", "sts",
        ],
    ),
    (
        "cli",
        &[
            "audit", "authz", "aws", "cedar", "config", "gateway", "iam", "identity", "kms", "seal", "services",
            "sigv4", "simulate", "store", "sts",
        ],
    ),
];

/// Libraries that stay in the rooms named.
const STAYS_IN: [(&str, &[&str]); 5] = [
    ("hyper", &["gateway"]),
    ("cedar_policy", &["cedar", "authz"]),
    ("moka", &["authz", "cedar", "gateway", "identity", "kms", "sigv4", "store"]),
    ("redb", &["store"]),
    ("tokio_postgres", &["store"]),
];

fn sources() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    fn collect(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = BTreeMap::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let mut files = Vec::new();
            collect(&path, &mut files);
            rooms.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), files);
        }
    }
    rooms
}

/// The words that follow `prefix` in the code of a file, comments left out; `prefix{a::x, b}` gives both.
fn words_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (index, character) in group.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        found.insert(word(&group[index..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(word(rest));
        }
    }
    found
}

#[test]
fn every_import_goes_the_allowed_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    let mut wrong = Vec::new();
    for (room, files) in sources() {
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("`{room}` is not in the table of rooms"));
        for (path, text) in files {
            for target in words_after(&text, "crate::") {
                if target != room && allowed.contains_key(target.as_str()) && !may.contains(&target.as_str()) {
                    wrong.push(format!("{}: {room} may not import {target}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (room, files) in sources() {
        for (path, text) in files {
            for (library, rooms) in STAYS_IN {
                let used = text.lines().any(|line| {
                    let code = line.trim_start();
                    !code.starts_with("//")
                        && code.match_indices(library).any(|(at, _)| {
                            code[at + library.len()..].starts_with("::")
                                && !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                        })
                });
                if used && !rooms.contains(&room.as_str()) {
                    wrong.push(format!("{}: {library} stays in {rooms:?}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_in_the_architecture_is_this_one() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for (room, may) in MAY_IMPORT {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| {room} |")))
            .unwrap_or_else(|| panic!("docs/architecture.md has no row for {room}"));
        let cell = row.split('|').nth(2).unwrap().trim();
        let expected: BTreeSet<&str> = may.iter().copied().collect();
        let written: BTreeSet<&str> = match cell {
            "nothing of ours" => BTreeSet::new(),
            "everything but cli" => {
                MAY_IMPORT.iter().map(|row| row.0).filter(|r| !["cli", "gateway"].contains(r)).collect()
            }
            "everything" => MAY_IMPORT.iter().map(|row| row.0).filter(|r| *r != "cli").collect(),
            list => list.split(", ").collect(),
        };
        assert_eq!(written, expected, "{room}");
    }
}
