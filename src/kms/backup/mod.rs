//! A copy of everything that the store holds, as one stream of bytes.
//!
//! ```text
//! "keystile backup\n" (16) ‖ format (4)
//! length (4) ‖ header: JSON
//! 1 ‖ length (4) ‖ key ‖ length (4) ‖ value          one for each row, in the order of the keys
//! 0 ‖ number of rows (8) ‖ SHA-256 (32) ‖ code (32)
//! ```
//!
//! Numbers are big-endian. The SHA-256 is of everything before it and tells a file that was cut or
//! damaged; the code authenticates it under the root key that the header names, so that nobody
//! without that key can, say, put another key policy into a backup. Key material is in it as it is
//! in the store: wrapped under a root key, which is not in it.

mod reader;
mod writer;

use serde::{Deserialize, Serialize};

pub use reader::{BackupReader, begins_as_backup, restore};
pub use writer::Backup;

/// How every backup begins, in every format.
const MAGIC: &[u8; 16] = b"keystile backup\n";
/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;
/// Longest header, in bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Before a row.
const ROW: u8 = 1;
/// Before the ending.
const END: u8 = 0;
/// What the key of the ending's code is derived for.
const CODE_LABEL: &[u8] = b"keystile backup v1";

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// The release that wrote it.
    pub release: String,
    /// When, by the engine's clock, as RFC 3339 writes it.
    pub time: String,
    /// The store's revision: every change up to it is there, and none after it.
    pub revision: u64,
    /// The id of the root key that the data is sealed under.
    pub root_key_id: String,
    /// The id of the root key that was taking its place, if one was: both are needed.
    pub next_root_key_id: Option<String>,
}

/// Why a backup was refused.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It does not begin as one.
    #[error("this is no backup made by `keystile backup`")]
    Foreign,
    /// A newer release made it.
    #[error("a newer release made this backup (format {0}; this one reads formats up to {FORMAT}): use that release")]
    Newer(u32),
    /// It ends before its ending.
    #[error("the backup is cut: it ends too early")]
    Cut,
    /// Something in it is not as it was written.
    #[error("the backup was altered or damaged: {0}")]
    Altered(&'static str),
    /// Its code is not that of the root key.
    #[error("the backup was not written by a holder of the root key {0}, or was altered since")]
    Unauthentic(String),
    /// A root key that it needs is not at hand.
    #[error("the backup is sealed under the root key {0}, and that key was not found")]
    RootKeyMissing(String),
    /// It can't be read.
    #[error("the backup cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The store took not all of it.
    #[error(transparent)]
    Commit(#[from] crate::store::CommitError),
}

#[cfg(test)]
mod tests;
