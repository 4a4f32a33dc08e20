//! A verified call of the STS API.

use bytes::Bytes;
use http::request::Parts;

use super::call::{Call, Report};
use super::respond::{Answer, Failure};

/// Performs what a request asks of STS.
pub(super) async fn perform(call: Call, _parts: &Parts, _body: Bytes) -> Answer {
    let report = Report { read_only: true, ..Report::default() };
    call.refuse(&report, Failure::client("UnknownOperationException", "STS is not served.")).await
}
