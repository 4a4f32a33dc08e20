use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use uuid::Uuid;

use super::{AuditError, Chain, Hash, Head};

/// The longest line that is looked for, in bytes: a request of the largest body, escaped.
pub(super) const MAX_LINE_BYTES: u64 = 16 << 20;

/// How much of a log's end is searched for service events that were recorded before, in bytes.
const TAIL_BYTES: u64 = 8 << 20;

/// What was found when a log was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// How far the log had come.
    pub chain: Chain,
    /// Bytes of an unfinished last line that were cut off.
    pub torn_bytes: u64,
    /// The head kept beside the log, where the log does not bear it out: lines it knew are gone
    /// or were changed.
    pub missing: Option<Chain>,
    /// Whether the file beside the log is no head.
    pub head_unreadable: bool,
    /// Ids of the service events near the log's end: an event that was recorded, but not yet
    /// forgotten by its source when the server was killed, is not recorded again.
    pub recent_service_events: HashSet<Uuid>,
}

/// Opens a log for writing, alone, and cuts off an unfinished last line.
pub(super) fn open(path: &Path) -> Result<(File, Recovery), AuditError> {
    let failed = |reason: String| AuditError::Open { file: path.display().to_string(), reason };
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(failed("it is not a regular file".to_owned()));
    }
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(|error| failed(error.to_string()))?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => failed("another process is writing it".to_owned()),
        std::fs::TryLockError::Error(error) => failed(error.to_string()),
    })?;
    let recovery = recover(&file, path).map_err(|error| failed(error.to_string()))?;
    Ok((file, recovery))
}

fn recover(file: &File, path: &Path) -> io::Result<Recovery> {
    let mut recovery = Recovery::default();
    match Head::read(path) {
        Ok(None) => {}
        Ok(Some(Head(head))) if bears_out(file, head)? => recovery.chain = head,
        Ok(Some(Head(head))) => recovery.missing = Some(head),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => recovery.head_unreadable = true,
        Err(error) => return Err(error),
    }
    let length = file.metadata()?.len();
    let mut rest = BufReader::with_capacity(1 << 16, file);
    rest.seek(SeekFrom::Start(recovery.chain.bytes))?;
    let mut line = Vec::new();
    loop {
        line.clear();
        // A tail of any length is cut, but memory is not filled with it.
        (&mut rest).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            break;
        }
        recovery.chain.accept(&line);
    }
    recovery.torn_bytes = length - recovery.chain.bytes;
    if recovery.torn_bytes > 0 {
        file.set_len(recovery.chain.bytes)?;
        file.sync_data()?;
    }
    recovery.recent_service_events = recent_service_events(file, recovery.chain.bytes)?;
    Ok(recovery)
}

/// Whether the line that ends where a head says has the hash that the head says.
fn bears_out(file: &File, head: Chain) -> io::Result<bool> {
    if head.bytes == 0 {
        return Ok(head == Chain::default());
    }
    if head.bytes > file.metadata()?.len() {
        return Ok(false);
    }
    let mut window = 1u64 << 14;
    loop {
        let start = head.bytes.saturating_sub(window);
        let bytes = read_range(file, start, head.bytes)?;
        let Some((b'\n', line)) = bytes.split_last() else { return Ok(false) };
        match line.iter().rposition(|&byte| byte == b'\n') {
            Some(before) => return Ok(Hash::of(&line[before + 1..]) == head.last),
            None if start == 0 => return Ok(Hash::of(line) == head.last),
            None if window > MAX_LINE_BYTES => return Ok(false),
            None => window *= 8,
        }
    }
}

fn read_range(file: &File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(end - start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

fn recent_service_events(file: &File, end: u64) -> io::Result<HashSet<Uuid>> {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(rename = "eventID")]
        id: &'a str,
    }
    let tail = read_range(file, end.saturating_sub(TAIL_BYTES), end)?;
    let events = tail
        .split(|&byte| byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter(|line| line.contains(r#""eventType":"AwsServiceEvent""#))
        .filter_map(|line| serde_json::from_str::<Event<'_>>(line).ok());
    Ok(events.filter_map(|event| Uuid::parse_str(event.id).ok()).collect())
}
