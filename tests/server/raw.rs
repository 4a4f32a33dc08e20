//! Requests of which every byte can be changed, signed or not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::REGION;

/// Signs with an access key, at a time.
pub(crate) struct Signer {
    id: String,
    secret: String,
    /// `20260101T000000Z`.
    pub(crate) time: String,
    service: String,
}

/// A request in its parts.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "clients sign with wall-clock time")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

impl Signer {
    pub(crate) fn new(id: &str, secret: &str) -> Self {
        let time = jiff::Timestamp::try_from(now()).unwrap().strftime("%Y%m%dT%H%M%SZ").to_string();
        Self { id: id.to_owned(), secret: secret.to_owned(), time, service: "kms".to_owned() }
    }

    /// The same for another service.
    pub(crate) fn of_service(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    /// The credential scope.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{REGION}/{}/aws4_request", &self.time[..8], self.service)
    }

    /// The signature of a string to sign, in hex.
    pub(crate) fn sign(&self, to_sign: &str) -> String {
        let at: jiff::civil::DateTime = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &self.time).unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let key = generate_signing_key(&self.secret, at.into(), REGION, &self.service);
        calculate_signature(key, to_sign.as_bytes())
    }
}

impl Request {
    /// An AWS JSON 1.1 request as botocore sends it, without a signature.
    pub(crate) fn aws(host: SocketAddr, operation: &str, body: &str) -> Self {
        Self {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: vec![],
            body: body.as_bytes().to_vec(),
        }
        .header("Host", &host.to_string())
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", &format!("TrentService.{operation}"))
        .header("User-Agent", "raw/1.0")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    pub(crate) fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), value.to_vec()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Signs what stands there now: host, content-type and every x-amz header, for the path and the
    /// query of the target as they are. What is changed later is not covered.
    pub(crate) fn signed(mut self, signer: &Signer) -> Self {
        self = self.header("X-Amz-Date", &signer.time);
        let mut covered: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(value).trim().to_owned()))
            .filter(|(name, _)| ["host", "content-type"].contains(&name.as_str()) || name.starts_with("x-amz-"))
            .collect();
        covered.sort();
        let names: Vec<&str> = covered.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String =
            covered.iter().flat_map(|(name, value)| [name.as_ref(), ":", value.as_ref(), "\n"]).collect();
        let mut query: Vec<String> = self
            .target
            .split_once('?')
            .map(|(_, query)| query.split('&').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default();
        query.sort();
        let hash = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        let announced = covered.iter().find(|(name, _)| name == "x-amz-content-sha256");
        let payload = announced.map_or_else(|| hash(&self.body), |(_, value)| value.clone());
        let path = self.target.split('?').next().unwrap();
        let canonical = format!("{}\n{path}\n{}\n{lines}\n{names}\n{payload}", self.method, query.join("&"));
        let scope = signer.scope();
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", signer.time, hash(canonical.as_bytes()));
        let signature = signer.sign(&to_sign);
        let value =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", signer.id);
        self.header("Authorization", &value)
    }

    /// The head, with the Content-Length of the body unless the framing is given.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let framed =
            |name: &String| ["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().trim());
        if !self.headers.iter().any(|(name, _)| framed(name)) {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(crate) fn send(&self, to: SocketAddr) -> Response {
        exchange(to, &self.bytes())
    }
}

impl Response {
    /// Reads one answer; `None` where the connection ends without one.
    pub(crate) fn read(stream: &mut impl Read) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                _ => return None,
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        let mut lines = text.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        if status == 100 {
            return Self::read(stream);
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Self { status, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The error's code; empty for an answer that is none.
    pub(crate) fn code(&self) -> String {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|body| body["__type"].as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends bytes on a connection of their own and reads one answer.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8]) -> Response {
    let mut stream = connect(to);
    // A server that refuses early may close while we still write.
    let _ = stream.write_all(bytes);
    Response::read(&mut stream).expect("an answer")
}
