use std::ops::Range;

use sha2::{Digest, Sha256};

use super::{BackupHeader, CODE_LABEL, END, FORMAT, MAGIC, ROW};
use crate::kms::Kms;
use crate::kms::error::KmsError;
use crate::seal::RootKey;
use crate::store::{MAX_KEY_BYTES, Snapshot};

/// Rows that are read at a time.
const PAGE: usize = 128;

/// A backup that is being written: of one moment, however long it takes. It keeps the store from
/// using the space of what changes meanwhile, so it should not be held for longer than needed.
pub struct Backup {
    snapshot: Box<dyn Snapshot>,
    header: BackupHeader,
    root_key: RootKey,
    hash: Sha256,
    rows: u64,
    stage: Stage,
}

/// What comes next.
enum Stage {
    Header,
    Rows(Range<Vec<u8>>),
    Done,
}

impl Kms {
    /// A backup of everything as it is now.
    ///
    /// # Errors
    /// Internal failures.
    pub async fn backup(&self) -> Result<Backup, KmsError> {
        let snapshot = self.store().snapshot().await?;
        let (ids, root_key) = self.root_key_of(&*snapshot).await?;
        let header = BackupHeader {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            time: self.clock_now().to_string(),
            revision: snapshot.revision(),
            root_key_id: ids.current,
            next_root_key_id: ids.next,
        };
        Ok(Backup { snapshot, header, root_key, hash: Sha256::new(), rows: 0, stage: Stage::Header })
    }
}

impl Backup {
    /// What it is of.
    #[must_use]
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// How many rows were written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next bytes; none after the ending.
    ///
    /// # Errors
    /// Internal failures: what was written so far is then no backup.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, KmsError> {
        let mut out = Vec::new();
        self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Done => return Ok(None),
            Stage::Header => {
                out.extend_from_slice(MAGIC);
                out.extend_from_slice(&FORMAT.to_be_bytes());
                let header = serde_json::to_vec(&self.header).map_err(|error| KmsError::internal(error.to_string()))?;
                put(&mut out, &header)?;
                Stage::Rows(Vec::new()..vec![u8::MAX; MAX_KEY_BYTES + 1])
            }
            Stage::Rows(mut range) => {
                let page = self.snapshot.range(range.clone(), PAGE).await?;
                for (row, found) in &page {
                    out.push(ROW);
                    put(&mut out, row)?;
                    put(&mut out, &found.value)?;
                }
                self.rows += page.len() as u64;
                let Some((last, _)) = page.into_iter().next_back() else {
                    out.push(END);
                    out.extend_from_slice(&self.rows.to_be_bytes());
                    self.hash.update(&out);
                    let hash = self.hash.finalize_reset();
                    out.extend_from_slice(&hash);
                    out.extend_from_slice(&self.root_key.authenticate(CODE_LABEL, &hash));
                    return Ok(Some(out));
                };
                range.start = last;
                range.start.push(0);
                Stage::Rows(range)
            }
        };
        self.hash.update(&out);
        Ok(Some(out))
    }
}

/// Appends bytes behind their length.
fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), KmsError> {
    let length = u32::try_from(bytes.len()).map_err(|_| KmsError::internal("a row is too long for a backup"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
