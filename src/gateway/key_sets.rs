//! Fetches the keys of identity providers, over HTTPS: of those URLs alone that the configuration names,
//! within a bounded time and length. No redirection is followed, and no proxy of the environment is used.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::trust::{self, innermost};
use crate::config::{Config, ConfigError, KeySetSource};
use crate::sts::KeySetTransport;

/// Longest set of keys, in bytes.
const MOST_BYTES: usize = 256 << 10;
/// For all of a fetch.
const TIMEOUT: Duration = Duration::from_secs(5);

type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Fetches from the URLs of the configuration.
pub(super) struct KeySetFetcher(HashMap<String, HttpsClient>);

impl KeySetFetcher {
    /// # Errors
    /// A file of certificate authorities that can't be read or has none.
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut clients = HashMap::new();
        for provider in &config.iam.oidc_providers {
            let KeySetSource::Url(url) = &provider.keys else { continue };
            let refused = |message: String| config.error("iam.oidc_provider", message);
            let roots = trust::roots(provider.ca_file.as_deref()).map_err(refused)?;
            let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| refused(error.to_string()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let mut connector = HttpConnector::new();
            connector.enforce_http(false);
            let connector =
                HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(connector);
            // Keys are fetched once an hour: no connection is kept.
            let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
            clients.insert(url.clone(), client);
        }
        Ok(Self(clients))
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let client = self.0.get(url).ok_or_else(|| "it is not in the configuration any more".to_owned())?;
        let request = Request::get(url).header(ACCEPT, "application/json").body(Empty::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = client.request(request).await.map_err(|error| innermost(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        Ok(body.map_err(|error| innermost(&*error))?.to_bytes().to_vec())
    }
}

impl KeySetTransport for KeySetFetcher {
    fn fetch<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>> {
        Box::pin(async move {
            let fetched = tokio::time::timeout(TIMEOUT, self.get(url)).await;
            fetched.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))
        })
    }
}
