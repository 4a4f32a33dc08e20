//! What a connection passes before it is served: who is at its other end, and whether it has too many.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;

use super::limits::{Excess, Turn};
use super::listener::Stream;
use super::origin::Origin;
use super::proxy_protocol;
use super::server::BoxError;
use crate::config::ProxyProtocolSettings;

/// The gateway's door.
#[derive(Clone)]
pub(super) struct Door {
    /// Who says by the PROXY protocol where a connection comes from; none where nobody does.
    pub(super) proxy_protocol: watch::Receiver<Option<Arc<ProxyProtocolSettings>>>,
    /// Connections that did not begin as the PROXY protocol has it.
    pub(super) unproxied: Counter,
    /// Counts a connection by where it comes from.
    pub(super) admit: Arc<dyn Fn(Origin) -> Result<Option<Turn>, Excess> + Send + Sync>,
}

impl Door {
    /// Where a connection comes from, with what it counts as for as long as it lasts.
    ///
    /// # Errors
    /// It is not to be served.
    pub(super) async fn pass(
        &self,
        stream: &mut Stream,
        origin: Origin,
        within: Duration,
    ) -> Result<(Origin, Option<Turn>), BoxError> {
        let settings = self.proxy_protocol.borrow().clone();
        let origin = match settings {
            None => origin,
            Some(settings) => {
                let told = proxy_protocol::origin(stream, origin, &settings);
                let told = tokio::time::timeout(within, told).await.map_err(BoxError::from);
                told.and_then(|told| told.map_err(BoxError::from)).inspect_err(|_| {
                    self.unproxied.inc();
                })?
            }
        };
        let turn = (self.admit)(origin).map_err(|_| format!("{origin} has too many connections"))?;
        Ok((origin, turn))
    }
}
