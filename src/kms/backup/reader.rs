use std::io::{ErrorKind, Read};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{BackupError, BackupHeader, CODE_LABEL, END, FORMAT, MAGIC, MAX_HEADER_BYTES, ROW};
use crate::seal::Keyring;
use crate::store::{Commit, MAX_KEY_BYTES, MAX_VALUE_BYTES, Store, Write};

/// Most bytes of rows that one commit restores.
const COMMIT_BYTES: usize = 1 << 20;
/// Most rows that one commit restores.
const COMMIT_ROWS: usize = 2048;

/// Reads a backup. Nothing of it is to be believed before [`check`](BackupReader::check) has read
/// all of it.
pub struct BackupReader<R> {
    bytes: R,
    hash: Sha256,
    header: BackupHeader,
    rows: u64,
}

/// The ending of a backup that was read to its end: its SHA-256, and the code of that.
struct Ending {
    hash: [u8; 32],
    code: [u8; 32],
}

/// A row, or the ending.
enum Next {
    Row(Vec<u8>, Vec<u8>),
    End(Ending),
}

/// Whether a file begins as every backup does, in every format.
///
/// # Errors
/// It can't be read.
pub fn begins_as_backup(bytes: impl Read) -> std::io::Result<bool> {
    let mut beginning = Vec::new();
    bytes.take(MAGIC.len() as u64).read_to_end(&mut beginning)?;
    Ok(beginning == MAGIC)
}

impl<R: Read> BackupReader<R> {
    /// Reads the beginning of a backup. `bytes` should be buffered.
    ///
    /// # Errors
    /// What is no backup, or one of a newer release.
    pub fn new(bytes: R) -> Result<Self, BackupError> {
        let header = BackupHeader {
            release: String::new(),
            time: String::new(),
            revision: 0,
            root_key_id: String::new(),
            next_root_key_id: None,
        };
        let mut reader = Self { bytes, hash: Sha256::new(), header, rows: 0 };
        let magic = reader.take(MAGIC.len()).map_err(|error| match error {
            BackupError::Cut => BackupError::Foreign,
            other => other,
        })?;
        if magic != MAGIC {
            return Err(BackupError::Foreign);
        }
        let format = reader.number()?;
        if format > FORMAT {
            return Err(BackupError::Newer(format));
        }
        if format == 0 {
            return Err(BackupError::Altered("there is no format 0"));
        }
        let header = reader.text(MAX_HEADER_BYTES)?;
        reader.header = serde_json::from_slice(&header).map_err(|_| BackupError::Altered("its header is malformed"))?;
        Ok(reader)
    }

    /// What the backup says that it is of.
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// Reads the backup to its end and answers how many rows it has: it is whole and as it was
    /// written, and a holder of its root key wrote it.
    ///
    /// # Errors
    /// A backup that is cut, altered, or sealed under a root key that is not at hand.
    pub fn check(mut self, root_keys: &Keyring) -> Result<u64, BackupError> {
        for id in [Some(&self.header.root_key_id), self.header.next_root_key_id.as_ref()].into_iter().flatten() {
            root_keys.get(id).ok_or_else(|| BackupError::RootKeyMissing(id.clone()))?;
        }
        let ending = self.skim()?;
        self.authenticate(&ending, root_keys)?;
        Ok(self.rows)
    }

    /// A holder of the root key that the header names wrote it.
    fn authenticate(&self, ending: &Ending, root_keys: &Keyring) -> Result<(), BackupError> {
        let id = &self.header.root_key_id;
        let root_key = root_keys.get(id).ok_or_else(|| BackupError::RootKeyMissing(id.clone()))?;
        let code = root_key.authenticate(CODE_LABEL, &ending.hash);
        if bool::from(code.ct_eq(&ending.code)) { Ok(()) } else { Err(BackupError::Unauthentic(id.clone())) }
    }

    /// Reads the backup to its end and answers how many rows it has: it is whole and undamaged.
    /// Who wrote it is not asked.
    ///
    /// # Errors
    /// A backup that is cut or altered.
    pub fn check_whole(mut self) -> Result<u64, BackupError> {
        self.skim()?;
        Ok(self.rows)
    }

    fn skim(&mut self) -> Result<Ending, BackupError> {
        loop {
            if let Next::End(ending) = self.next()? {
                return Ok(ending);
            }
        }
    }

    fn next(&mut self) -> Result<Next, BackupError> {
        match *self.take(1)? {
            [ROW] => {
                let key = self.text(MAX_KEY_BYTES)?;
                let value = self.text(MAX_VALUE_BYTES)?;
                self.rows += 1;
                Ok(Next::Row(key, value))
            }
            [END] => {
                let count = self.take(8)?;
                if count != self.rows.to_be_bytes() {
                    return Err(BackupError::Altered("the number of its rows is not the one that it tells"));
                }
                let hash: [u8; 32] = self.hash.finalize_reset().into();
                if self.take(32)? != hash {
                    return Err(BackupError::Altered("its SHA-256 is not the one that it tells"));
                }
                let code = self.take(32)?;
                let code = code.try_into().map_err(|_| BackupError::Cut)?;
                if self.bytes.read(&mut [0])? != 0 {
                    return Err(BackupError::Altered("there are bytes after its end"));
                }
                Ok(Next::End(Ending { hash, code }))
            }
            _ => Err(BackupError::Altered("there is neither a row nor an end where one must be")),
        }
    }

    fn number(&mut self) -> Result<u32, BackupError> {
        let bytes = self.take(4)?.try_into().map_err(|_| BackupError::Cut)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// Bytes behind their length.
    fn text(&mut self, limit: usize) -> Result<Vec<u8>, BackupError> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > limit {
            return Err(BackupError::Altered("a length is greater than any that is written"));
        }
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, BackupError> {
        let mut bytes = vec![0; length];
        self.bytes.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::Cut,
            _ => error.into(),
        })?;
        self.hash.update(&bytes);
        Ok(bytes)
    }
}

/// Writes the rows of a backup into a new store, and answers how many. The backup should have been
/// checked before; it is found out again that it is whole and that a holder of its root key wrote
/// it, since the file may have been changed between the two readings.
///
/// # Errors
/// As [`BackupReader::check`], and where the store fails: what the store holds then is of no use.
pub async fn restore<R: Read>(
    mut backup: BackupReader<R>,
    root_keys: &Keyring,
    store: &dyn Store,
) -> Result<u64, BackupError> {
    let (mut writes, mut bytes) = (Vec::new(), 0);
    loop {
        let next = backup.next()?;
        let ended = matches!(next, Next::End(_));
        match next {
            Next::Row(key, value) => {
                bytes += key.len() + value.len();
                writes.push(Write::Put(key, value));
            }
            Next::End(ending) => backup.authenticate(&ending, root_keys)?,
        }
        if ended || bytes >= COMMIT_BYTES || writes.len() >= COMMIT_ROWS {
            bytes = 0;
            let writes = std::mem::take(&mut writes);
            store.commit(Commit { id: Uuid::new_v4(), preconditions: Vec::new(), writes }).await?;
        }
        if ended {
            return Ok(backup.rows);
        }
    }
}
