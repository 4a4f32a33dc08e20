use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::state::State;
use crate::audit::{AuditError, Record, ServiceEvent};
use crate::aws::{AccountId, Clock, Region};
use crate::kms::KmsError;

/// Longest time between two looks: a service event is in the audit log within a second of what it
/// tells of.
const TICK: Duration = Duration::from_millis(500);

/// How often the last uses of keys are saved: what a crash may lose of them.
const SAVE_USES: Duration = Duration::from_mins(1);

/// Service events that are moved into the log at once.
const EVENTS: usize = 256;

/// Why a pass of the scheduler stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    /// The engine failed; what was done is done.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The audit log does not take records; events wait in the store.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// Rotates what is due and records what the engine did by itself, until `stop` turns true.
pub(super) async fn run(state: Arc<State>, mut stop: watch::Receiver<bool>) {
    let mut failing = false;
    let mut saved = Instant::now();
    loop {
        match pass(&state).await {
            Ok(()) => failing = false,
            Err(error) => {
                state.telemetry.rotation_failures.inc();
                // Once for each time that it begins: a full disk would fill the log as well.
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "due rotations could not be done or recorded; trying again");
                }
            }
        }
        if saved.elapsed() >= SAVE_USES {
            saved = Instant::now();
            if let Err(error) = state.kms.save_uses().await {
                tracing::error!(%error, "the last uses of keys could not be saved; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = state.scheduler.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Does what is due now, to the last date, and moves service events into the audit log.
pub(super) async fn pass(state: &State) -> Result<(), PassError> {
    loop {
        let due = state.kms.next_due().await?.is_some_and(|due| due <= state.engine_clock.now());
        state.telemetry.rotations_due.set(i64::from(due));
        if !due {
            break;
        }
        let done = state.kms.rotate_due().await?;
        if done == 0 {
            break;
        }
        state.telemetry.rotations_done.inc_by(done as u64);
        record_events(state).await?;
    }
    record_events(state).await
}

/// Moves service events from the store's outbox into the audit log: into the log first, durably,
/// then out of the store. What a crash leaves in both is told by its id and not recorded twice.
async fn record_events(state: &State) -> Result<(), PassError> {
    let mut recorded = state.recorded_events.lock().await;
    loop {
        let events = match state.gateway_id {
            None => state.kms.pending_events(EVENTS).await?,
            Some(id) => state.kms.claim_events(id, state.clock.now().as_millisecond(), EVENTS).await?,
        };
        if events.is_empty() {
            return Ok(());
        }
        state.audit.check_writable()?;
        let mut on_disk = None;
        for event in events.iter().filter(|event| !recorded.contains(&event.id)) {
            let record = Record::ServiceEvent(ServiceEvent {
                time: state.clock.now(),
                event_id: event.id,
                name: &event.name,
                account: event.account.as_ref().map(AccountId::as_str),
                region: event.region.as_ref().map_or("", Region::as_str),
                resources: event.key.as_slice(),
                details: &event.details,
            });
            // The last one's being on disk means that all are: the log is written in order.
            on_disk = Some(state.audit.append_durably(&record)?);
        }
        if let Some(on_disk) = on_disk {
            on_disk.await?;
        }
        // Until the store has forgotten them they may be read again.
        recorded.extend(events.iter().map(|event| event.id));
        state.kms.forget_events(&events).await?;
        for event in &events {
            recorded.remove(&event.id);
        }
    }
}
