//! `POST /authorize`: the decision alone, for services that enforce it themselves. They ask about a case,
//! in the form that `keystile simulate` reads, or about a signed request that they hold.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use http::request::Parts;
use http::{Request, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::asked::{Asked, KnownBody, Question, ask};
use super::request_id;
use super::server::Peer;
use super::state::{Live, State};
use crate::authz::{AttachedDocument, Decision, Organization, Outcome};
use crate::aws::{Arn, Principal};
use crate::identity::Directory;
use crate::sigv4::RawRequest;
use crate::simulate::{self, Known, KnownPrincipal};

/// Longest body, in bytes: a case with all its policies, or a request with its body in base64.
pub(super) const MAX_BODY_BYTES: usize = 24 << 20;

/// Answers a status and a JSON object.
pub(super) async fn decide(state: Arc<State>, peer: &Peer, body: Bytes) -> (StatusCode, String) {
    match std::str::from_utf8(&body) {
        Err(_) => unread("the body is not UTF-8"),
        Ok(text) if asks_about_a_request(text) => match Signed::read(text) {
            Ok(signed) => of_request(state, peer, signed).await,
            Err(why) => unread(&why),
        },
        Ok(_) => of_case(state, body).await,
    }
}

/// Whether the object has the member that makes it a request; a case has another.
fn asks_about_a_request(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        request: Option<IgnoredAny>,
    }
    serde_json::from_str(text).is_ok_and(|shape: Shape| shape.request.is_some())
}

fn unread(why: &str) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, json!({ "error": why }).to_string())
}

/// Decides a case by its own policies, and by those of the gateway where it gives none. Compiling a
/// policy takes a while: it stops no other request.
async fn of_case(state: Arc<State>, body: Bytes) -> (StatusCode, String) {
    let deciding = tokio::task::spawn_blocking(move || {
        let known = Standing { live: state.live.load_full() };
        let text = std::str::from_utf8(&body).unwrap_or_default();
        state.questions.answer(text, &known)
    });
    match deciding.await {
        Ok(Ok(line)) => (StatusCode::OK, line),
        Ok(Err(fault)) => unread(&fault.to_string()),
        Err(error) => {
            tracing::error!(%error, "a case could not be decided");
            (StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "the case could not be decided"}).to_string())
        }
    }
}

/// What the gateway decides with.
struct Standing {
    live: Arc<Live>,
}

impl Standing {
    fn directory(&self) -> &Directory {
        &self.live.directory
    }
}

impl Known for Standing {
    fn principal(&self, principal: &Principal) -> Option<KnownPrincipal> {
        let described = self.directory().describe(principal)?;
        Some(KnownPrincipal {
            arn: described.arn().clone(),
            id: Arc::clone(described.id()),
            tags: described.tags().to_vec(),
            policies: Arc::clone(described.policies()),
        })
    }

    fn resource_policy(&self, arn: &Arn) -> Option<AttachedDocument> {
        self.live.routes.upstream(arn.service())?.resource_policy(arn).cloned()
    }

    fn organization(&self) -> Option<&Organization> {
        self.directory().organization().map(AsRef::as_ref)
    }
}

/// A signed request that the asker holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// Request line and headers, as they came.
    request: String,
    /// The SHA-256 of the body, in hex.
    body_sha256: Option<String>,
    /// The body, in base64.
    body: Option<String>,
    /// Who sent it.
    source_ip: Option<IpAddr>,
    /// Whether it came by TLS.
    #[serde(default)]
    secure_transport: bool,
}

impl Signed {
    fn read(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return Err("write an object".to_owned());
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    fn question(&self) -> Result<Question, String> {
        let body = match (&self.body, &self.body_sha256) {
            (Some(_), Some(_)) => return Err("give body or body_sha256, not both".to_owned()),
            (Some(body), None) => {
                let bytes = BASE64.decode(body.as_bytes()).map_err(|error| format!("body is no base64: {error}"))?;
                KnownBody::Whole(bytes.into())
            }
            (None, Some(hash)) => {
                let bytes = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok();
                let hash = bytes.and_then(|bytes| bytes.try_into().ok());
                KnownBody::Sha256(hash.ok_or("body_sha256 is not 64 hexadecimal digits")?)
            }
            (None, None) => KnownBody::Untold,
        };
        Ok(Question {
            parts: parts(&self.request)?,
            body,
            source_ip: self.source_ip,
            is_secure: self.secure_transport,
            request_id: request_id::next(),
        })
    }
}

/// The head as HTTP has it.
fn parts(head: &str) -> Result<Parts, String> {
    // What follows the head is in a member of its own.
    let (head, rest) = head.split_once("\r\n\r\n").or_else(|| head.split_once("\n\n")).unwrap_or((head, ""));
    if !rest.is_empty() {
        return Err("request: it holds more than a head; the body goes into `body` or `body_sha256`".to_owned());
    }
    let raw = RawRequest::parse_head(head.as_bytes()).map_err(|error| format!("request: {error}"))?;
    let target = match &raw.query {
        Some(query) => format!("{}?{query}", raw.path),
        None => raw.path.clone(),
    };
    let request = Request::builder().method(raw.method.as_str()).uri(target).body(());
    let (mut parts, ()) = request.map_err(|error| format!("request: line 1: {error}"))?.into_parts();
    if parts.uri.path_and_query().is_none() || parts.uri.authority().is_some() {
        return Err("request: line 1: the target is no path".to_owned());
    }
    parts.headers = raw.headers;
    Ok(parts)
}

async fn of_request(state: Arc<State>, peer: &Peer, signed: Signed) -> (StatusCode, String) {
    let question = match signed.question() {
        Ok(question) => question,
        Err(why) => return unread(&why),
    };
    let content_sha256 = question.parts.headers.get("x-amz-content-sha256").cloned();
    let content_sha256 = content_sha256.as_ref().and_then(|value| value.to_str().ok());
    let ruling = match ask(state, peer, question).await {
        Asked::Unserved(why) => return unread(why),
        Asked::Unauthenticated(refusal, answer) => {
            let code = refusal.code();
            let status = if answer.status().is_server_error() { answer.status() } else { StatusCode::UNAUTHORIZED };
            return (status, json!({"error": format!("{code}: {}", refusal.message())}).to_string());
        }
        Asked::Decided(ruling) => ruling,
    };
    let failure = ruling.failure.as_ref();
    if let Some(failure) = failure.filter(|failure| failure.status.is_server_error()) {
        return (failure.status, json!({"error": failure.message}).to_string());
    }
    let decision = ruling.decision().unwrap_or_else(|| Decision {
        outcome: Outcome::ImplicitDeny,
        decided_by: Vec::new(),
        message: failure.and_then(|failure| failure.message.as_deref().map(str::to_owned)),
    });
    let explanation = ruling.report.explanation.clone().unwrap_or_default();
    let mut answer: Value = serde_json::from_str(&simulate::line(&decision, &explanation)).unwrap_or_default();
    let caller = &ruling.call.identity.caller;
    answer["principal"] = json!(caller.principal.to_string());
    answer["account"] = json!(caller.account.as_str());
    answer["service"] = json!(&*ruling.call.service);
    answer["operation"] = json!(ruling.report.operation);
    answer["resources"] = json!(ruling.report.resources.iter().map(Arn::as_str).collect::<Vec<_>>());
    answer["content_sha256"] = json!(content_sha256);
    (StatusCode::OK, answer.to_string())
}
