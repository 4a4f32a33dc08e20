use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Chain, Hash};

/// How far a log had come when it was last on disk, kept beside it in `<log>.head`.
///
/// A log alone can't show that lines were cut from its end; with its head it can. The head is
/// written after the log is synchronised, so after a crash it may lag behind, never run ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head(pub Chain);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text<'a> {
    records: u64,
    bytes: u64,
    last_hash: &'a str,
}

impl Head {
    /// Bytes of the file, always: one write replaces it whole.
    const LEN: usize = 192;

    /// Where the head of a log is kept.
    #[must_use]
    pub fn path(log: &Path) -> PathBuf {
        let mut name = log.as_os_str().to_owned();
        name.push(".head");
        name.into()
    }

    /// The head kept beside a log; none where there is no such file.
    ///
    /// # Errors
    /// A file that can't be read, or is no head (`InvalidData`).
    pub fn read(log: &Path) -> io::Result<Option<Self>> {
        let text = match std::fs::read_to_string(Self::path(log)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not the head of an audit log");
        let text: Text<'_> = serde_json::from_str(&text).map_err(|_| invalid())?;
        let last = Hash::parse(text.last_hash).ok_or_else(invalid)?;
        Ok(Some(Self(Chain { records: text.records, last, bytes: text.bytes })))
    }

    fn encode(self) -> Vec<u8> {
        let last = self.0.last.to_hex();
        let text = Text { records: self.0.records, bytes: self.0.bytes, last_hash: &last };
        let mut bytes = serde_json::to_vec(&text).unwrap_or_default();
        bytes.resize(Self::LEN - 1, b' ');
        bytes.push(b'\n');
        bytes
    }
}

/// The open head file of a log that is being written.
#[derive(Debug)]
pub(super) struct HeadFile(File);

impl HeadFile {
    pub(super) fn open(log: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(Head::path(log))?;
        Ok(Self(file))
    }

    pub(super) fn write(&self, head: Head) -> io::Result<()> {
        self.0.write_all_at(&head.encode(), 0)?;
        self.0.set_len(Head::LEN as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_nonsense_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("audit.jsonl");
        assert_eq!(Head::read(&log).unwrap(), None);
        let head = Head(Chain { records: u64::MAX, last: Hash::of(b"x"), bytes: u64::MAX });
        HeadFile::open(&log).unwrap().write(head).unwrap();
        assert_eq!(Head::read(&log).unwrap(), Some(head));
        std::fs::write(Head::path(&log), "{}").unwrap();
        assert!(Head::read(&log).is_err());
    }
}
