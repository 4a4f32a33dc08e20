use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::ConfigError;
use super::files::create_private_dir;

/// The file that is locked, in the data directory. It stays there: were it removed, one process
/// could hold the lock of the removed file and another one that of its successor.
pub(super) const FILE: &str = "keystile.lock";

/// What the file says. It is not left empty, so that nothing takes it for a file without a use.
const TEXT: &[u8] = b"While a process of keystile uses this data directory, it holds a lock on this file.\n";

/// The right to use a data directory, of one process at a time: a server, or a command that works
/// without one. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock; the directory is made (0700) if there is none.
    ///
    /// # Errors
    /// Another process has it, or the file can't be made, opened or locked.
    pub fn take(data_dir: &Path) -> Result<Self, ConfigError> {
        Self::try_take(data_dir)?.ok_or_else(|| {
            ConfigError::file(
                data_dir,
                "another process uses this data directory: a server, or a command that is at work; wait for its end, \
                 or stop it",
            )
        })
    }

    /// Takes the lock; none where another process has it. The directory is made (0700) if there is
    /// none.
    ///
    /// # Errors
    /// The file can't be made, opened or locked.
    pub fn try_take(data_dir: &Path) -> Result<Option<Self>, ConfigError> {
        create_private_dir(data_dir)?;
        let path = data_dir.join(FILE);
        let wrong = |error: &std::io::Error| ConfigError::io(&path, "lock the data directory", error);
        let opened = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = opened.map_err(|error| wrong(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(wrong(&error)),
        }
        if file.metadata().map_err(|error| wrong(&error))?.len() == 0 {
            file.write_all(TEXT).map_err(|error| wrong(&error))?;
        }
        Ok(Some(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_by_one_until_that_one_lets_go() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        let held = DataLock::take(&data).unwrap();
        assert!(DataLock::try_take(&data).unwrap().is_none());
        assert!(DataLock::take(&data).unwrap_err().to_string().contains("another process uses this data directory"));
        assert_eq!(std::fs::read(data.join(FILE)).unwrap(), TEXT);
        drop(held);
        DataLock::take(&data).unwrap();
        assert_eq!(std::fs::read(data.join(FILE)).unwrap(), TEXT, "written once");
    }
}
