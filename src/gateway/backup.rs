use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::kms::{Backup, Kms, KmsError};

/// How long a reader may leave the next piece of a backup waiting: a backup keeps the store from
/// using the space of what changes meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

/// A backup on its way to a client, a piece at a time.
pub(super) struct BackupBody(mpsc::Receiver<io::Result<Bytes>>);

/// Begins a backup of everything as it is now. `turn` is given back at its end.
pub(super) async fn stream(kms: &Kms, turn: OwnedSemaphorePermit) -> Result<BackupBody, KmsError> {
    let backup = kms.backup().await?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        send(backup, &sender).await;
        drop(turn);
    });
    Ok(BackupBody(receiver))
}

async fn send(mut backup: Backup, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let revision = backup.header().revision;
    loop {
        let piece = match backup.next().await {
            Ok(Some(piece)) => Ok(piece.into()),
            Ok(None) => {
                tracing::info!(revision, rows = backup.rows(), "a backup was made");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "a backup failed");
                Err(io::Error::other("the backup failed"))
            }
        };
        let failed = piece.is_err();
        let sent = tokio::time::timeout(PATIENCE, sender.send(piece)).await;
        if failed || !matches!(sent, Ok(Ok(()))) {
            tracing::warn!(revision, "a backup was not read to its end");
            return;
        }
    }
}

impl Body for BackupBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
