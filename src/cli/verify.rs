//! `keystile verify`: the signature of one raw HTTP request, and why.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::aws::{Clock, Region, SystemClock};
use crate::sigv4::{
    Credential, CredentialSource, Profile, Received, SecretKey, SessionToken, Settings, Times, Unavailable, Verifier,
    Workings, claimed_scope,
};

use super::raw_request::RawRequest;

/// Check the signature of one raw HTTP request, and show why.
///
/// The key comes from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
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
    let settings = Settings { regions: args.region.clone().map(|region| vec![region]), ..Settings::default() };
    let verifier = Verifier::new(settings).map_err(|error| error.to_string())?;
    let now = args.now.unwrap_or_else(|| SystemClock.now());

    let outcome = verifier.verify(&profile, &received, &request.body, key, Times { signature: now, session: now });
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

    fn fixture(case: &str, file: &str) -> Option<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sigv4").join(case).join(file);
        std::fs::read_to_string(path).ok()
    }

    fn checked(case: &str, list: &[&str]) -> Report {
        let request = RawRequest::parse(fixture(case, "request.http").unwrap().as_bytes()).unwrap();
        let token = fixture(case, "session-token.txt");
        check(&args(list), &request, &OneKey::new("AKIDEXAMPLE", SECRET.to_owned(), token)).unwrap()
    }

    #[test]
    fn every_case_of_aws_test_suite_agrees_at_every_stage() {
        let cases = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sigv4")).unwrap();
        let mut count = 0;
        for case in cases.map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
            let case = case.file_name().into_string().unwrap();
            let normalize = if case.ends_with("unnormalized") { "false" } else { "true" };
            let report = checked(&case, &[SIGNED_AT, "--normalize-path", normalize]);
            assert_eq!(report.canonical_request, fixture(&case, "canonical-request.txt"), "{case}");
            assert_eq!(report.string_to_sign, fixture(&case, "string-to-sign.txt"), "{case}");
            assert_eq!(report.signature, fixture(&case, "signature.txt"), "{case}");
            if case == "post-sts-header-after" {
                assert_eq!(report.code, Some("InvalidSignatureException"), "{case}");
            } else {
                assert_eq!((report.result, report.message), ("verified", None), "{case}");
            }
            count += 1;
        }
        assert!(count >= 30, "only {count} cases were found");
    }

    #[test]
    fn a_refusal_shows_what_was_computed() {
        for list in
            [&["--now=2015-08-30T12:41:01Z"][..], &[SIGNED_AT, "--region=eu-west-1"], &[SIGNED_AT, "--service=kms"]]
        {
            let report = checked("get-vanilla", list);
            assert_eq!((report.result, report.code), ("refused", Some("InvalidSignatureException")));
            assert_eq!(report.canonical_request, fixture("get-vanilla", "canonical-request.txt"));
            assert_eq!(report.signature, fixture("get-vanilla", "signature.txt"));
        }
    }

    #[test]
    fn the_default_of_path_normalisation_is_that_of_the_service() {
        let report = checked("get-slashes-normalized", &[SIGNED_AT]);
        assert_eq!(report.result, "verified");
        let report = checked("get-slashes-unnormalized", &[SIGNED_AT, "--service=s3"]);
        assert_eq!(report.canonical_request, fixture("get-slashes-unnormalized", "canonical-request.txt"));
    }

    #[test]
    fn no_signature_is_shown_for_a_key_that_is_not_ours() {
        let request = RawRequest::parse(fixture("get-vanilla", "request.http").unwrap().as_bytes()).unwrap();
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
