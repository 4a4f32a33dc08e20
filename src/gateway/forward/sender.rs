//! Sending to an upstream: pooled connections, time-outs, fail-over, and what is safe to try again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, sleep_until};
use tower_service::Service;

use super::super::server::BoxError;
use super::super::trust::{self, innermost};
use super::endpoint::Endpoint;
use super::outgoing::{Outgoing, Progress};
use crate::config::UpstreamSettings;

/// How long a connection that nobody uses is kept.
const KEPT: Duration = Duration::from_mins(1);

/// Sends requests to one upstream.
pub(super) struct Sender {
    client: Client<Timed<HttpsConnector<HttpConnector>>, Outgoing>,
    endpoints: Vec<Endpoint>,
    places: Arc<Semaphore>,
    place_timeout: Duration,
    response_timeout: Duration,
    unhealthy_after: u32,
    unhealthy_for: Duration,
}

/// Why there is no answer. The text is for the operator's log.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum SendError {
    /// No place was free in time.
    #[error("too many requests are under way")]
    Busy,
    /// No URL could be connected to.
    #[error("it cannot be connected to: {0}")]
    Unreachable(String),
    /// There was no answer in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// The connection broke, or what came was no HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The request could not be made.
    #[error("the request cannot be made: {0}")]
    Unsendable(String),
}

impl Sender {
    pub(super) fn new(settings: &UpstreamSettings) -> Result<Self, String> {
        let roots = if settings.urls.iter().any(|url| url.starts_with("https:")) {
            trust::roots(settings.ca_file.as_deref())?
        } else {
            rustls::RootCertStore::empty()
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Timed { connector, timeout: settings.connect_timeout });
        Ok(Self {
            client,
            endpoints: settings.urls.iter().filter_map(|url| Endpoint::new(url)).collect(),
            places: Arc::new(Semaphore::new(settings.max_requests as usize)),
            place_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            unhealthy_after: settings.unhealthy_after,
            unhealthy_for: settings.unhealthy_for,
        })
    }

    /// A place among the requests that are under way; held until the answer's body has ended.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, SendError> {
        let place = tokio::time::timeout(self.place_timeout, Arc::clone(&self.places).acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or(SendError::Busy)
    }

    /// Sends a request to the first URL that takes it. `make` makes it for a URL; `may_repeat` tells
    /// whether one that reached an upstream may be sent again.
    pub(super) async fn send(
        &self,
        progress: &Progress,
        mut make: impl FnMut(&Endpoint) -> Result<Request<Outgoing>, String>,
        may_repeat: impl Fn() -> bool,
        has_begun: impl Fn() -> bool,
    ) -> Result<Response<Incoming>, SendError> {
        let mut last = SendError::Unreachable("no URL is configured".to_owned());
        // Those that were left alone are tried when no other one answered.
        let (out, well): (Vec<&Endpoint>, Vec<&Endpoint>) =
            self.endpoints.iter().partition(|endpoint| endpoint.is_out());
        let mut repeated = false;
        for endpoint in well.into_iter().chain(out) {
            loop {
                let request = make(endpoint).map_err(SendError::Unsendable)?;
                progress.touch();
                match self.attempt(request, progress).await {
                    Ok(answer) => {
                        endpoint.answered();
                        return Ok(answer);
                    }
                    Err(error) => {
                        endpoint.failed(self.unhealthy_after, self.unhealthy_for);
                        tracing::warn!(upstream = %endpoint.authority, %error, "an upstream did not answer");
                        last = error;
                    }
                }
                match last {
                    // Nothing was sent: the next one may take it.
                    SendError::Unreachable(_) if !has_begun() => break,
                    // A kept connection may be closed at the moment of its use.
                    SendError::Broken(_) if may_repeat() && !repeated => repeated = true,
                    _ => return Err(last),
                }
            }
        }
        Err(last)
    }

    async fn attempt(&self, request: Request<Outgoing>, progress: &Progress) -> Result<Response<Incoming>, SendError> {
        let mut sending = std::pin::pin!(self.client.request(request));
        loop {
            let deadline = progress.last() + self.response_timeout;
            tokio::select! {
                answer = sending.as_mut() => return answer.map_err(|error| {
                    let cause = innermost(&error);
                    if error.is_connect() { SendError::Unreachable(cause) } else { SendError::Broken(cause) }
                }),
                () = sleep_until(deadline) => {
                    if progress.last() + self.response_timeout <= Instant::now() {
                        return Err(SendError::TimedOut);
                    }
                }
            }
        }
    }
}

/// Builds the URL of a request at an endpoint.
pub(super) fn uri(endpoint: &Endpoint, target: &str) -> Result<Uri, String> {
    Uri::builder()
        .scheme(endpoint.scheme.clone())
        .authority(endpoint.authority.clone())
        .path_and_query(target)
        .build()
        .map_err(|error| error.to_string())
}

/// A connector that gives up after a time, TLS included.
#[derive(Clone)]
struct Timed<C> {
    connector: C,
    timeout: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.timeout, self.connector.call(uri));
        Box::pin(async move { connecting.await? })
    }
}
