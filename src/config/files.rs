use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ConfigError;

/// Largest file that is read, in bytes: authorization details of the largest accounts are tens of
/// megabytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Replaces a file, or makes it, with mode 0600: afterwards it holds either all of the new
/// bytes or what it held before, also after a crash. A symbolic link is followed.
///
/// # Errors
/// Names the file and what the system said.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let directory = directory_of(&target);
    let name = target.file_name().ok_or_else(|| ConfigError::file(path, "is not the name of a file"))?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
    let temporary = directory.join(temporary_name);
    let written =
        write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, &target)).and_then(|()| sync(&directory));
    written.map_err(|error| {
        // Gone already where the rename succeeded.
        let _ = fs::remove_file(&temporary);
        ConfigError::io(path, "write", &error)
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a directory's entries durable.
fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Makes it durable that a file is there, or gone.
pub(super) fn sync_directory_of(file: &Path) -> std::io::Result<()> {
    sync(&directory_of(file))
}

/// The directory that holds a file.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes a directory (0700) and its missing ancestors, durably.
///
/// # Errors
/// Names the directory and what the system said.
pub(super) fn create_private_dir(path: &Path) -> Result<(), ConfigError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| sync(&directory_of(path)));
    created.map_err(|error| ConfigError::io(path, "create the directory", &error))
}

/// A file's text.
pub(super) fn read_text(path: &Path, doing: &str) -> Result<String, ConfigError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 > MAX_FILE_BYTES => {
            Err(ConfigError::file(path, format!("is larger than {MAX_FILE_BYTES} bytes")))
        }
        Ok(_) => String::from_utf8(bytes).map_err(|error| ConfigError {
            place: Some(end_of_text(error.as_bytes())),
            ..ConfigError::file(path, "is not UTF-8 text")
        }),
        Err(error) => Err(ConfigError::io(path, doing, &error)),
    }
}

/// Line and column, both from 1, of the first byte that is not UTF-8.
pub(crate) fn end_of_text(bytes: &[u8]) -> (u32, u32) {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (number(valid.matches('\n').count() + 1), number(column))
}

/// A file's text that may be secret: zeroised when dropped.
///
/// # Errors
/// Names the file and what the system said; text that is not UTF-8, or too large.
pub fn read_secret(path: &Path, doing: &str) -> Result<Zeroizing<String>, ConfigError> {
    read_text(path, doing).map(Zeroizing::new)
}

/// A file's text; none where there is no such file.
pub(super) fn read_if_exists(path: &Path, doing: &str) -> Result<Option<Zeroizing<String>>, ConfigError> {
    match fs::exists(path) {
        Ok(false) => Ok(None),
        Ok(true) => read_secret(path, doing).map(Some),
        Err(error) => Err(ConfigError::io(path, doing, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(write_atomically(&root.path().join("none/f"), b"x").unwrap_err().to_string().contains("cannot write"));
    }

    #[test]
    fn a_symbolic_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let (target, link) = (root.path().join("target"), root.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
