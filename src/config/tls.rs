use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::files::{read_secret, read_text};
use crate::identity::Source;

/// `[tls]`: the gateway's listener speaks TLS (1.2 or 1.3), and HTTP/2 to who asks for it by ALPN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM: the server's certificate, then those that lead to a root that clients know.
    pub certificate: PathBuf,
    /// PEM: the certificate's private key (PKCS#8, PKCS#1 or SEC1).
    pub private_key: PathBuf,
    /// What is asked of clients; none where they need no certificate.
    pub clients: Option<(PathBuf, ClientCertificates)>,
}

/// What a client must show that `client_ca` signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// A certificate, or no connection.
    #[default]
    Required,
    /// A certificate, if it has one.
    Optional,
}

/// `[tls]` as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsTable {
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    client_certificates: Option<ClientCertificates>,
}

impl TlsTable {
    /// # Errors
    /// A member that is missing.
    pub(super) fn resolve(table: Spanned<Self>, base: &Path, source: Source<'_>) -> Result<TlsSettings, ConfigError> {
        let place = table.span().start;
        let wrong = |message: &str| ConfigError::from(source.at(place, "tls", message));
        let table = table.into_inner();
        let (Some(certificate), Some(private_key)) = (table.certificate, table.private_key) else {
            return Err(wrong("give both `certificate` and `private_key`"));
        };
        let clients = match (table.client_ca, table.client_certificates) {
            (None, Some(_)) => return Err(wrong("`client_certificates` needs the `client_ca` that signs them")),
            (client_ca, asked) => client_ca.map(|file| (base.join(file), asked.unwrap_or_default())),
        };
        Ok(TlsSettings { certificate: base.join(certificate), private_key: base.join(private_key), clients })
    }
}

impl TlsSettings {
    /// Reads the files that are named.
    ///
    /// # Errors
    /// Names the file: it can't be read, holds no PEM of its kind, or the key is not the certificate's.
    pub fn load(&self) -> Result<Arc<ServerConfig>, ConfigError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates(&self.certificate)?;
        for certificate in &chain {
            ParsedCertificate::try_from(certificate)
                .map_err(|error| ConfigError::file(&self.certificate, format!("is not usable: {error}")))?;
        }
        let text = read_secret(&self.private_key, "read the private key")?;
        if text.contains("ENCRYPTED") {
            return Err(ConfigError::file(
                &self.private_key,
                "is encrypted; give the private key without a passphrase",
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|error| not_pem(&self.private_key, "private key", &error))?;
        let wrong =
            |file: &Path, error: &dyn std::fmt::Display| ConfigError::file(file, format!("is not usable: {error}"));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&self.certificate, &error))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some((file, asked)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| wrong(file, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match asked {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| wrong(file, &error))?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| wrong(&self.private_key, &error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read_text(file, "read the certificates")?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(not_pem(file, "certificate", &pem::Error::NoItemsFound)),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(not_pem(file, "certificate", &error)),
    }
}

fn not_pem(file: &Path, what: &str, error: &pem::Error) -> ConfigError {
    let why = match error {
        pem::Error::NoItemsFound => "there is none",
        pem::Error::MissingSectionEnd { .. } => "one does not end",
        pem::Error::IllegalSectionStart { .. } => "one does not begin as it should",
        _ => "one is not base64",
    };
    ConfigError::file(file, format!("holds no {what} in PEM: {why}"))
}
