//! A request of which only the head is here, because somebody else holds it and asks what to do with it:
//! verified and decided, not performed.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use uuid::Uuid;

use super::admission::{Rejection, admit};
use super::call::{Call, Report, Success, Told, unrecorded};
use super::form::Form;
use super::forward::{Content, Forward, permit};
use super::limits::Turns;
use super::pipeline::unauthenticated;
use super::request_id;
use super::respond::{Answer, Failure};
use super::route::Service;
use super::server::Peer;
use super::state::State;
use super::telemetry::Outcome;
use crate::authz::Decision;
use crate::aws::Clock;
use crate::sigv4::{Payload, Received, Refusal, Times};

/// The request that is asked about.
pub(super) struct Question {
    pub(super) parts: Parts,
    pub(super) body: KnownBody,
    /// Where it came from; none where the asker does not say, whose own address it is then.
    pub(super) source_ip: Option<IpAddr>,
    pub(super) is_secure: bool,
    pub(super) request_id: Uuid,
}

/// What the asker tells of the body.
#[derive(Clone, Debug)]
pub(super) enum KnownBody {
    /// Nothing: the signature is checked where it names the hash of the body, or there is none.
    Untold,
    /// Its SHA-256.
    Sha256([u8; 32]),
    /// All of it.
    Whole(Bytes),
}

/// What came of it.
pub(super) enum Asked {
    /// It is no request to an upstream.
    Unserved(&'static str),
    /// Nobody could be shown to have signed it; recorded.
    Unauthenticated(Refusal, Answer),
    /// It is decided; recorded.
    Decided(Box<Ruling>),
}

/// A decision on a request as a whole.
pub(super) struct Ruling {
    pub(super) call: Call,
    pub(super) report: Report,
    /// None for an allow.
    pub(super) failure: Option<Failure>,
}

impl Ruling {
    /// What was decided, by the statements about all that was asked for; none where it could not be told
    /// what that is.
    pub(super) fn decision(&self) -> Option<Decision> {
        let mut decision = Decision::clone(self.report.decisions.last()?);
        decision.decided_by.clear();
        for by in self.report.decisions.iter().flat_map(|decision| &decision.decided_by) {
            if !decision.decided_by.contains(by) {
                decision.decided_by.push(by.clone());
            }
        }
        Some(decision)
    }
}

/// Verifies and decides.
pub(super) async fn ask(state: Arc<State>, peer: &Peer, question: Question) -> Asked {
    let Question { parts, body, source_ip, is_secure, request_id } = question;
    let live = state.live.load_full();
    if let Err(rejection) = admit(&parts, live.limits.max_headers as usize) {
        return Asked::Unserved(match rejection {
            Rejection::Bare(_, why) => why,
            Rejection::Aws(_) => "the request is refused",
        });
    }
    let Ok(route) = live.routes.route(&parts) else {
        return Asked::Unserved("the request is for no service that is served here");
    };
    let Service::Upstream(upstream) = &route.service else {
        return Asked::Unserved("the request is for no [[upstream]]");
    };
    let received = Received {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let times = Times { signature: state.clock.now(), session: state.engine_clock.now() };
    let (source, profile) = (&live.sessions, &route.profile);
    let payload = Payload::of(profile, received.headers, received.query);
    let verified = match (&body, payload) {
        (KnownBody::Whole(bytes), Payload::Whole | Payload::Sha256 | Payload::Unsigned) => {
            live.verifier.verify(profile, &received, bytes, source, times)
        }
        (KnownBody::Sha256(hash), Payload::Whole | Payload::Sha256) => {
            live.verifier.verify_hashed(profile, &received, hash, source, times)
        }
        // A hash that the head does not tell is that of no body at all.
        (KnownBody::Untold, Payload::Whole) => live.verifier.verify(profile, &received, b"", source, times),
        _ => live.verifier.verify_head(profile, &received, source, times).map(|(verified, _)| verified),
    };
    let verified = match verified {
        Ok(verified) => verified,
        Err(refusal) => {
            let answer = unauthenticated(&state, route, &refusal, &parts, None, peer.origin, request_id);
            return Asked::Unauthenticated(refusal, answer);
        }
    };
    let content = match (body, payload) {
        (KnownBody::Whole(bytes), Payload::Whole | Payload::Sha256) => Content::Whole(bytes),
        (KnownBody::Untold, Payload::Whole) => Content::Whole(Bytes::new()),
        (_, Payload::Sha256) if announces_nothing(&parts) => Content::Whole(Bytes::new()),
        _ => Content::Elsewhere,
    };
    let told = Told {
        parts: &parts,
        source_ip: source_ip.or_else(|| peer.origin.ip()),
        is_secure,
        form: Form::RestJson,
        request_id,
        service: &route.name,
        now: times.session,
        turns: Turns::default(),
    };
    let call = Call::new(Arc::clone(&state), Arc::clone(&live), &verified, &told);
    drop(verified);
    let mut report = Report { read_only: true, ..Report::default() };
    let decided = match Forward::resolve(&call, Arc::clone(upstream), parts, content).await {
        Ok(forward) => permit(&call, forward, &mut report).map(drop),
        Err(failure) => Err(failure),
    };
    let mut failure = decided.err();
    let recorded = match &failure {
        None => call.record(&report, Ok(Success::default()), request_id::next()).await,
        Some(failure) => call.record(&report, Err(failure), request_id::next()).await,
    };
    if let Err(error) = recorded {
        failure = Some(unrecorded(&error, request_id));
    }
    call.count(&report, failure.as_ref().map_or(Outcome::ok, Outcome::of));
    Asked::Decided(Box::new(Ruling { call, report, failure }))
}

/// Whether the head says that the body is empty.
fn announces_nothing(parts: &Parts) -> bool {
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    parts.headers.get("x-amz-content-sha256").is_some_and(|hash| hash == NOTHING)
}
