//! Calls to the proxies of external key stores, over HTTPS.
//!
//! The endpoint of a store is what its creator names, so nobody is called whom the configuration does
//! not list: a name that is not in it is not even looked up. Whoever is called has a bounded time, a
//! bounded length of answer and a bounded number of requests at once, each of its own, so that a proxy
//! that hangs costs its own requests alone. No redirection is followed, and no proxy of the environment
//! is used.

use std::collections::HashMap;
use std::error::Error;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tower_service::Service;

use super::trust;
use super::trust::{innermost, within};
use crate::config::{Config, ConfigError};
use crate::kms::{XksAnswer, XksRequest, XksTransport, XksTransportError};
use crate::store::BoxFuture;

/// Longest answer of a proxy, in bytes: the longest that the API has is an eighth of it.
const MOST_ANSWER_BYTES: usize = 64 << 10;
/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Calls the proxies that the configuration lists.
pub(super) struct Outbound {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    /// By host: how many requests more it may have at once.
    places: HashMap<String, Semaphore>,
    timeout: Duration,
}

impl Outbound {
    /// # Errors
    /// A file of certificate authorities that can't be read or has none.
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let settings = &config.external_key_stores;
        let roots = roots(config)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| config.error("external_key_stores", error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new_with_resolver(Resolver {
            fixed: Arc::new(settings.connect.iter().map(|(host, address)| (host.clone(), *address)).collect()),
            system: GaiResolver::new(),
        });
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let most = usize::try_from(settings.max_requests).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let places = settings.hosts.iter().map(|host| (host.clone(), Semaphore::new(most))).collect();
        Ok(Self { client, places, timeout: settings.timeout })
    }

    async fn send(&self, places: &Semaphore, request: XksRequest) -> Result<XksAnswer, XksTransportError> {
        let _place = places.acquire().await.map_err(|_| XksTransportError::Unreachable)?;
        let host = request.host;
        let uri = Uri::builder().scheme("https").authority(host.as_str()).path_and_query(request.path).build();
        let request = uri.and_then(|uri| {
            Request::builder()
                .method(Method::POST)
                .uri(uri)
                .header(CONTENT_TYPE, "application/json")
                .header("x-amz-date", request.date)
                .header(AUTHORIZATION, request.authorization)
                .body(Full::new(Bytes::from(request.body)))
        });
        let request = request.map_err(|_| XksTransportError::Malformed)?;
        let failed = |kind: XksTransportError, cause: String| {
            tracing::warn!(host, ?kind, cause, "the proxy of an external key store did not answer");
            kind
        };
        let mut answered = self.client.request(request.clone()).await;
        // A kept connection may be closed by the proxy at the moment of its use. Each of the API's requests
        // can be made twice.
        if answered.as_ref().is_err_and(|error| !error.is_connect() && kind_of(error) == XksTransportError::Unreachable)
        {
            answered = self.client.request(request).await;
        }
        let answer = answered.map_err(|error| failed(kind_of(&error), innermost(&error)))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MOST_ANSWER_BYTES).collect().await.map_err(|error| {
            let is_cut = error.downcast_ref::<hyper::Error>().is_some_and(|error| !error.is_parse());
            failed(
                if is_cut { XksTransportError::Unreachable } else { XksTransportError::Malformed },
                innermost(&*error),
            )
        })?;
        Ok(XksAnswer { status, body: body.to_bytes().to_vec() })
    }
}

impl XksTransport for Outbound {
    fn post(&self, request: XksRequest) -> BoxFuture<'_, Result<XksAnswer, XksTransportError>> {
        let Some(places) = self.places.get(&request.host) else {
            tracing::warn!(host = request.host, "external_key_stores.hosts does not list the proxy of a key store");
            return Box::pin(ready(Err(XksTransportError::NotListed)));
        };
        let host = request.host.clone();
        Box::pin(async move {
            // All of it has one time: a place, the connection and the answer.
            let sent = tokio::time::timeout(self.timeout, self.send(places, request)).await;
            sent.unwrap_or_else(|_| {
                tracing::warn!(host, "the proxy of an external key store did not answer in time");
                Err(XksTransportError::TimedOut)
            })
        })
    }
}

/// The certificate authorities that a proxy's certificate may be of; none where no proxy is called.
fn roots(config: &Config) -> Result<RootCertStore, ConfigError> {
    let settings = &config.external_key_stores;
    if settings.hosts.is_empty() {
        return Ok(RootCertStore::empty());
    }
    trust::roots(settings.ca_file.as_deref()).map_err(|message| config.error("external_key_stores.ca_file", message))
}

/// What a failed request says of the proxy.
fn kind_of(error: &hyper_util::client::legacy::Error) -> XksTransportError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(present) = cause {
        if present.is::<rustls::Error>() {
            return XksTransportError::Tls;
        }
        if present.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return XksTransportError::Malformed;
        }
        cause = within(present);
    }
    XksTransportError::Unreachable
}

/// Looks names up, but for those whose address is configured.
#[derive(Clone)]
struct Resolver {
    fixed: Arc<HashMap<String, SocketAddr>>,
    system: GaiResolver,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if let Some(address) = self.fixed.get(name.as_str()) {
            return Box::pin(ready(Ok(vec![*address].into_iter())));
        }
        let found = self.system.call(name);
        Box::pin(async move { Ok(found.await?.collect::<Vec<_>>().into_iter()) })
    }
}
