use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Disk space kept aside in `<log>.reserve`, given up when the disk is full: so that the records
/// of mutations that were under way when it filled still reach the disk.
#[derive(Debug)]
pub(super) struct Reserve {
    file: File,
    bytes: usize,
    held: bool,
}

impl Reserve {
    fn path(log: &Path) -> PathBuf {
        let mut name = log.as_os_str().to_owned();
        name.push(".reserve");
        name.into()
    }

    /// Opens the file; the space is not held yet.
    pub(super) fn open(log: &Path, bytes: usize) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(Self::path(log))?;
        Ok(Self { file, bytes, held: false })
    }

    /// Takes hold of the space, where it is not held.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if self.held {
            return Ok(());
        }
        // Blocks written, not a hole: a hole holds no space.
        if let Err(error) = self.file.write_all_at(&vec![b' '; self.bytes], 0).and_then(|()| self.file.sync_data()) {
            self.release();
            return Err(error);
        }
        self.held = true;
        Ok(())
    }

    /// Gives the space up; answers whether any was held.
    pub(super) fn release(&mut self) -> bool {
        let held = std::mem::replace(&mut self.held, false);
        self.file.set_len(0).is_ok() && held
    }
}
