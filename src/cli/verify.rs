//! `keystile verify`: the signature of one raw HTTP request, and why.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::aws::{Clock, Region, SystemClock};
use crate::sigv4::{
    Credential, CredentialSource, Payload, Profile, RawRequest, Received, Refusal, SecretKey, SessionToken, Settings,
    Times, Unavailable, Verified, Verifier, Workings, claimed_scope,
};

/// Check the signature of one raw HTTP request, and show why.
///
/// The request may be signed by header or presigned, with SigV4 or SigV4a; a body in signed chunks is
/// read with them. The key comes from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keystile verify --now 2015-08-30T12:36:00Z --format json request.http")]
pub(super) struct Args {
    /// The request, bytes as they were sent; stdin when not given
    file: Option<PathBuf>,
    /// The time to check against, such as 2015-08-30T12:36:00Z; the clock's when not given
    #[arg(long)]
    now: Option<Timestamp>,
    /// The region that it must be signed for; that of its scope when not given
    #[arg(long)]
    region: Option<Region>,
    /// The service that it must be signed for; that of its scope when not given
    #[arg(long)]
    service: Option<String>,
    /// Whether the path is normalised; false for s3 and true otherwise when not given
    #[arg(long, action = clap::ArgAction::Set, value_name = "true|false")]
    normalize_path: Option<bool>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// The result, as it is printed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Report {
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_to_sign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// The one key of the environment.
struct OneKey(Arc<Credential<()>>);

/// Exit status: 0 verified, 1 refused, 2 no request or no key to check.
pub(super) fn run(args: &Args) -> ExitCode {
    match report(args) {
        Ok(report) => {
            let printed = match args.format {
                Format::Json => serde_json::to_string(&report).unwrap_or_default() + "\n",
                Format::Text => report.text(),
            };
            if std::io::stdout().write_all(printed.as_bytes()).is_err() {
                return ExitCode::from(2);
            }
            ExitCode::from(u8::from(report.code.is_some()))
        }
        Err(message) => {
            eprintln!("keystile: {message}");
            ExitCode::from(2)
        }
    }
}

fn report(args: &Args) -> Result<Report, String> {
    let key = OneKey::from_environment()?;
    let (name, bytes) = read(args.file.as_deref())?;
    let request = RawRequest::parse(&bytes).map_err(|error| format!("{name}: {error}"))?;
    check(args, &request, &key)
}

fn read(file: Option<&Path>) -> Result<(String, Vec<u8>), String> {
    if let Some(file) = file {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|error| format!("{name}: {error}"))?;
        return Ok((name, bytes));
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("stdin: {error}"))?;
    Ok(("stdin".to_owned(), bytes))
}

fn check(args: &Args, request: &RawRequest, key: &OneKey) -> Result<Report, String> {
    let received = Received {
        method: &request.method,
        path: &request.path,
        query: request.query.as_deref(),
        headers: &request.headers,
    };
    let claimed = claimed_scope(&request.headers, request.query.as_deref());
    let claimed = claimed.as_ref().map_or("", |scope| &*scope.service);
    let mut profile = Profile::general(args.service.as_deref().unwrap_or(claimed));
    if let Some(normalize) = args.normalize_path {
        profile = profile.with_normalize_path(normalize);
    }
    // Where a set of regions leaves a choice, nothing that is printed depends on it.
    if let Some(region) = args.region.clone().or_else(|| "us-east-1".parse().ok()) {
        profile = profile.with_sigv4a(region);
    }
    let settings = Settings { regions: args.region.clone().map(|region| vec![region]), ..Settings::default() };
    let verifier = Verifier::new(settings).map_err(|error| error.to_string())?;
    let now = args.now.unwrap_or_else(|| SystemClock.now());

    let times = Times { signature: now, session: now };
    let outcome = verify(&verifier, &profile, &received, &request.body, key, times);
    let workings = Workings::of(&profile, &received, &request.body, key);
    let mut report = Report {
        canonical_request: workings.canonical_request,
        string_to_sign: workings.string_to_sign,
        signature: workings.signature,
        ..Report::default()
    };
    match outcome {
        Ok(by) => {
            report.result = "verified";
            report.access_key_id = Some(by.access_key_id().to_owned());
        }
        Err(refusal) => {
            report.result = "refused";
            report.code = Some(refusal.code());
            report.message = Some(refusal.message().to_owned());
        }
    }
    Ok(report)
}

/// The head and its body: a body in chunks goes through the verifier that takes them apart.
fn verify(
    verifier: &Verifier,
    profile: &Profile,
    received: &Received<'_>,
    body: &[u8],
    key: &OneKey,
    times: Times,
) -> Result<Verified<()>, Refusal> {
    match Payload::of(profile, received.headers, received.query) {
        Payload::Whole | Payload::Sha256 | Payload::Unsigned => verifier.verify(profile, received, body, key, times),
        Payload::SignedChunks { .. } | Payload::UnsignedChunks => {
            let (by, mut payload) = verifier.verify_head(profile, received, key, times)?;
            payload.push(Bytes::copy_from_slice(body))?;
            payload.finish()?;
            Ok(by)
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = match (&self.access_key_id, self.code, &self.message) {
            (Some(key), _, _) => format!("verified: {key}\n"),
            (None, code, message) => {
                format!("refused: {}: {}\n", code.unwrap_or_default(), message.as_deref().unwrap_or_default())
            }
        };
        for (title, part) in [
            ("canonical request", &self.canonical_request),
            ("string to sign", &self.string_to_sign),
            ("signature", &self.signature),
        ] {
            if let Some(part) = part {
                text.extend(["\n", title, ":\n", part, "\n"]);
            }
        }
        text
    }
}

impl OneKey {
    fn from_environment() -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let required = |name: &str| variable(name).ok_or_else(|| format!("{name} is not set"));
        Ok(Self::new(
            &required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN"),
        ))
    }

    fn new(access_key_id: &str, secret: String, session_token: Option<String>) -> Self {
        let credential = Credential::new(access_key_id, SecretKey::from(secret), 0, ());
        Self(Arc::new(match session_token {
            Some(token) => credential.temporary(SessionToken::from(token), None),
            None => credential,
        }))
    }
}

impl CredentialSource for OneKey {
    type Identity = ();

    fn credential(
        &self,
        access_key_id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<()>>>, Unavailable> {
        Ok((*self.0.access_key_id == *access_key_id).then(|| Arc::clone(&self.0)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SIGNED_AT: &str = "--now=2015-08-30T12:36:00Z";

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(list: &[&str]) -> Args {
        Line::parse_from(std::iter::once(&"verify").chain(list)).args
    }

    fn fixture(suite: &str, case: &str, file: &str) -> Option<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(suite).join(case).join(file);
        std::fs::read_to_string(path).ok()
    }

    fn checked_of(suite: &str, case: &str, list: &[&str]) -> Report {
        let request = RawRequest::parse(fixture(suite, case, "request.http").unwrap().as_bytes()).unwrap();
        let token = fixture(suite, case, "session-token.txt");
        check(&args(list), &request, &OneKey::new("AKIDEXAMPLE", SECRET.to_owned(), token)).unwrap()
    }

    fn checked(case: &str, list: &[&str]) -> Report {
        checked_of("sigv4", case, list)
    }

    #[test]
    fn every_case_of_aws_test_suite_agrees_at_every_stage() {
        for suite in ["sigv4", "sigv4-presigned", "sigv4a", "sigv4a-presigned"] {
            let cases = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(suite)).unwrap();
            let mut count = 0;
            for case in cases.map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
                let case = case.file_name().into_string().unwrap();
                let normalize = if case.ends_with("unnormalized") { "false" } else { "true" };
                let report = checked_of(suite, &case, &[SIGNED_AT, "--normalize-path", normalize]);
                count += 1;
                if case == "post-sts-header-after" {
                    // Its token was added after signing: by header that is seen, by query it is not.
                    assert_eq!(report.code, Some("InvalidSignatureException"), "{suite} {case}");
                    if suite.ends_with("presigned") {
                        continue;
                    }
                } else {
                    assert_eq!((report.result, report.message), ("verified", None), "{suite} {case}");
                }
                assert_eq!(report.canonical_request, fixture(suite, &case, "canonical-request.txt"), "{suite} {case}");
                assert_eq!(report.string_to_sign, fixture(suite, &case, "string-to-sign.txt"), "{suite} {case}");
                if suite.starts_with("sigv4a") {
                    assert_ne!(report.signature, None, "{suite} {case}");
                } else {
                    assert_eq!(report.signature, fixture(suite, &case, "signature.txt"), "{suite} {case}");
                }
            }
            assert!(count >= 30, "only {count} cases of {suite} were found");
        }
    }

    /// The example of the S3 API Reference, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn a_presigned_url_of_s3_leaves_its_body_out() {
        let request = |signature: &str| {
            format!(
                "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F\
                 us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                 &X-Amz-Signature={signature} HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n\r\n"
            )
        };
        let good = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let key = OneKey::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(), None);
        for (signature, now, result) in [
            (good, "--now=2013-05-24T00:00:00Z", "verified"),
            (good, "--now=2013-05-25T00:00:00Z", "verified"),
            (good, "--now=2013-05-25T00:00:01Z", "refused"),
            (&good.replace('a', "b"), "--now=2013-05-24T00:00:00Z", "refused"),
        ] {
            let request = RawRequest::parse(request(signature).as_bytes()).unwrap();
            let report = check(&args(&[now]), &request, &key).unwrap();
            assert_eq!((report.result, report.signature.as_deref()), (result, Some(good)), "{now}");
        }
    }

    /// The example of a chunked upload in the S3 API Reference, "Signature Calculations for the
    /// Authorization Header: Transferring Payload in Multiple Chunks".
    #[test]
    fn a_body_in_chunks_is_read_with_its_signatures() {
        let head = "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\n\
            x-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\nAuthorization: \
            AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=\
            content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
            x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n\
            x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Encoding: aws-chunked\r\n\
            x-amz-decoded-content-length: 66560\r\nContent-Length: 66824\r\n\r\n";
        let body = |last: &str| {
            let (first, second) = ("a".repeat(65536), "a".repeat(1024));
            format!(
                "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n{first}\r\n\
                 400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n{second}\r\n\
                 0;chunk-signature={last}\r\n\r\n"
            )
        };
        let key = OneKey::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(), None);
        let report = |last: &str| {
            let request = RawRequest::parse(format!("{head}{}", body(last)).as_bytes()).unwrap();
            check(&args(&["--now=2013-05-24T00:00:00Z"]), &request, &key).unwrap()
        };
        let good = report("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
        assert_eq!((good.result, good.message), ("verified", None));
        let bad = report("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df8");
        assert_eq!((bad.result, bad.code), ("refused", Some("InvalidSignatureException")));
        assert_eq!(bad.signature, good.signature);
    }

    #[test]
    fn a_refusal_shows_what_was_computed() {
        for list in
            [&["--now=2015-08-30T12:41:01Z"][..], &[SIGNED_AT, "--region=eu-west-1"], &[SIGNED_AT, "--service=kms"]]
        {
            let report = checked("get-vanilla", list);
            assert_eq!((report.result, report.code), ("refused", Some("InvalidSignatureException")));
            assert_eq!(report.canonical_request, fixture("sigv4", "get-vanilla", "canonical-request.txt"));
            assert_eq!(report.signature, fixture("sigv4", "get-vanilla", "signature.txt"));
        }
    }

    #[test]
    fn the_default_of_path_normalisation_is_that_of_the_service() {
        let report = checked("get-slashes-normalized", &[SIGNED_AT]);
        assert_eq!(report.result, "verified");
        let report = checked("get-slashes-unnormalized", &[SIGNED_AT, "--service=s3"]);
        assert_eq!(report.canonical_request, fixture("sigv4", "get-slashes-unnormalized", "canonical-request.txt"));
    }

    #[test]
    fn no_signature_is_shown_for_a_key_that_is_not_ours() {
        let request = RawRequest::parse(fixture("sigv4", "get-vanilla", "request.http").unwrap().as_bytes()).unwrap();
        let report = check(&args(&[SIGNED_AT]), &request, &OneKey::new("AKIDOTHER", SECRET.to_owned(), None)).unwrap();
        assert_eq!((report.code, report.signature.as_deref()), (Some("UnrecognizedClientException"), None));
        assert!(report.string_to_sign.is_some());
    }

    #[test]
    fn results_are_printed_as_json_members_or_as_text() {
        let report = checked("get-vanilla", &[SIGNED_AT]);
        let json = serde_json::to_value(&report).unwrap();
        let mut members: Vec<&String> = json.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["access_key_id", "canonical_request", "result", "signature", "string_to_sign"]);
        assert!(report.text().starts_with("verified: AKIDEXAMPLE\n\ncanonical request:\nGET\n/\n"));
        let request = RawRequest::parse(b"GET / HTTP/1.1\nHost: h\n").unwrap();
        let refused = check(&args(&[]), &request, &OneKey::new("a", "b".to_owned(), None)).unwrap();
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"result":"refused","code":"MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}"#
        );
    }
}
