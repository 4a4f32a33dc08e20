//! Which files there are to check, and what each is.

use std::path::{Path, PathBuf};

/// A file that was named or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// Whether the user named it: one that was found in a directory may be none of ours.
    pub(super) named: bool,
}

/// Files and the files below directories, in order; what can't be listed comes with the reason.
/// Hidden files and directories are left out, suites of `test` too.
pub(super) fn candidates(paths: &[PathBuf]) -> (Vec<Candidate>, Vec<(PathBuf, std::io::Error)>) {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            search(path, &mut found, &mut failed);
        } else {
            found.push(Candidate { path: path.clone(), named: true });
        }
    }
    found.retain(|candidate| !name(&candidate.path).ends_with(".test.toml"));
    (found, failed)
}

fn search(directory: &Path, found: &mut Vec<Candidate>, failed: &mut Vec<(PathBuf, std::io::Error)>) {
    let listed = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            failed.push((directory.to_path_buf(), error));
            return;
        }
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if name(&path).starts_with('.') {
            continue;
        }
        // A link to a directory is not followed: it may lead back up.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => search(&path, found, failed),
            // A pipe may never end.
            Ok(_) if is_ours(&path) && std::fs::metadata(&path).is_ok_and(|file| !file.is_dir() && !file.is_file()) => {
                failed.push((path, std::io::Error::other("no regular file")));
            }
            Ok(_) if is_ours(&path) => found.push(Candidate { path, named: false }),
            Ok(_) => {}
            Err(error) => failed.push((path, error)),
        }
    }
}

fn is_ours(path: &Path) -> bool {
    is_json(path) || ["keystile.toml", "credentials.toml", "organization.toml"].contains(&name(path).as_str())
}

/// What a file is read as, by its name and, for TOML, its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It names the others, and says what they are: first.
    Configuration,
    Credentials,
    Organization,
    Json,
}

/// The role of a file with that text.
pub(super) fn role(path: &Path, text: &str) -> Role {
    let has_table = |header: &str| text.lines().any(|line| line.trim_start().starts_with(header));
    if path.extension().is_none_or(|extension| extension != "toml") {
        Role::Json
    } else if name(path) == "keystile.toml" {
        Role::Configuration
    } else if name(path) == "credentials.toml" || has_table("[[access_key]]") {
        Role::Credentials
    } else if name(path) == "organization.toml" || has_table("[[account]]") {
        Role::Organization
    } else {
        Role::Configuration
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
