use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::admin_access::AdminAccess;
use super::listener::Stream;
use super::root_key::RotationStatus;
use crate::config::{ConfigError, ListenAddress};

/// Longest answer that is no backup, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Why the running server did not do what a command asked it for.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another process uses the data directory, and no server says how to reach it.
    #[error(
        "another process uses this data directory: a command that is at work, or a server that is starting or \
         stopping; try again at its end ({0})"
    )]
    Unknown(#[from] ConfigError),
    /// It was not reached, or broke off.
    #[error(
        "another process uses this data directory, and the server that admin.json names does not answer at {address}: \
         {error}"
    )]
    Unreachable {
        /// Where its admin listener is said to be.
        address: ListenAddress,
        /// What went wrong.
        error: String,
    },
    /// It said no, or failed.
    #[error("{0}")]
    Refused(String),
    /// What it sent could not be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

/// A way to the server that uses a data directory, for commands.
pub struct AdminClient {
    access: AdminAccess,
}

impl AdminClient {
    /// Finds the server that uses a data directory.
    ///
    /// # Errors
    /// Where it has not written where it is.
    pub fn find(data_dir: &Path) -> Result<Self, AdminError> {
        Ok(Self { access: AdminAccess::read(data_dir)? })
    }

    /// Begins a rotation of the root key, or joins the one that is under way.
    ///
    /// # Errors
    /// What the server says.
    pub async fn rotate_root_key(&self) -> Result<RotationStatus, AdminError> {
        self.status(Method::POST).await
    }

    /// How the rotation of the root key goes.
    ///
    /// # Errors
    /// What the server says.
    pub async fn root_key_rotation(&self) -> Result<RotationStatus, AdminError> {
        self.status(Method::GET).await
    }

    /// Writes a backup of everything as it is now.
    ///
    /// # Errors
    /// What the server says; the connection, which may break in the middle; the writing.
    pub async fn backup(&self, out: &mut impl Write) -> Result<(), AdminError> {
        let mut body = self.ask(Method::POST, "/backup").await?;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| self.unreachable(&error))?.into_data() {
                out.write_all(&data)?;
            }
        }
        Ok(())
    }

    async fn status(&self, method: Method) -> Result<RotationStatus, AdminError> {
        let body = self.ask(method, "/root-key/rotation").await?;
        let answer = self.collect(body).await?;
        serde_json::from_slice(&answer).map_err(|error| self.unreachable(&error))
    }

    /// The body of an answer of success.
    async fn ask(&self, method: Method, path: &str) -> Result<Incoming, AdminError> {
        let address = &self.access.address;
        let stream = Stream::connect(address).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(&error))?;
        // What ends a connection early is seen by who reads the answer.
        tokio::spawn(connection);
        let header = self.access.header().ok_or_else(|| self.unreachable(&"its token is malformed"))?;
        let host = match address {
            ListenAddress::Tcp(address) => address.to_string(),
            ListenAddress::Unix(_) => "localhost".to_owned(),
        };
        let request = Request::builder().method(method).uri(path).header(HOST, host);
        let request = request.header(AUTHORIZATION, header).body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.unreachable(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer.into_body());
        }
        let body = self.collect(answer.into_body()).await?;
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        let said = said.as_ref().and_then(|said| said["error"].as_str());
        Err(AdminError::Refused(said.map_or_else(|| format!("the server answered {status}"), str::to_owned)))
    }

    async fn collect(&self, body: Incoming) -> Result<Bytes, AdminError> {
        let collected = http_body_util::Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        Ok(collected.map_err(|error| self.unreachable(&error))?.to_bytes())
    }

    fn unreachable(&self, error: &dyn ToString) -> AdminError {
        AdminError::Unreachable { address: self.access.address.clone(), error: error.to_string() }
    }
}
