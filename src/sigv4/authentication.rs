use std::borrow::Cow;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::algorithm::Algorithm;
use super::authorization::Authorization;
use super::profile::Profile;
use super::query::{self, Parameters};
use super::refusal::Refusal;
use super::verify::Received;

/// Where a request says how it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In its `Authorization` header.
    Header,
    /// In its query string: it is presigned.
    Query,
}

/// What a request says of its signature, in either form, each part as it was sent.
#[derive(Debug)]
pub(super) struct Authentication<'a> {
    pub(super) form: Form,
    pub(super) algorithm: Algorithm,
    pub(super) credential: Option<Cow<'a, str>>,
    pub(super) signed_headers: Option<Cow<'a, str>>,
    pub(super) signature: Option<Cow<'a, str>>,
    /// What else the query string of a presigned request says. Of a request that is signed by
    /// header, headers say the same.
    pub(super) presigned: Presigned<'a>,
}

/// The parameters of a presigned request that have a header of the same meaning, or none.
#[derive(Debug, Default)]
pub(super) struct Presigned<'a> {
    pub(super) date: Option<Cow<'a, str>>,
    pub(super) expires: Option<Cow<'a, str>>,
    pub(super) security_token: Option<Cow<'a, str>>,
    pub(super) region_set: Option<Cow<'a, str>>,
    pub(super) content_sha256: Option<Cow<'a, str>>,
}

impl<'a> Authentication<'a> {
    /// By header or, where the service takes that, by query: one of them and not both.
    pub(super) fn read(received: &Received<'a>, profile: &Profile) -> Result<Self, Refusal> {
        let by_query = query::authentication(received.query)?;
        let mut authorizations = received.headers.get_all(AUTHORIZATION).iter();
        let authentication = match authorizations.next() {
            Some(_) if authorizations.next().is_some() => {
                return Err(Refusal::repeated_header(AUTHORIZATION.as_str()));
            }
            Some(_) if by_query.any => return Err(Refusal::two_ways_of_signing()),
            Some(header) => {
                query::check_plus(received.query)?;
                Self::of_header(Authorization::parse(header.as_bytes())?)
            }
            None if by_query.algorithm && profile.presigned => {
                query::check_plus(received.query)?;
                Self::of_query(Parameters::read(received.query)?)?
            }
            None if by_query.any && !by_query.algorithm => return Err(Refusal::orphan_query_parameter()),
            None => return Err(Refusal::not_signed()),
        };
        authentication.algorithm.check(profile)?;
        Ok(authentication)
    }

    /// Whatever there is to read, by no profile's rules: for those who ask what is claimed.
    pub(super) fn claimed(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<Self> {
        match headers.get(AUTHORIZATION) {
            Some(header) => Authorization::parse(header.as_bytes()).ok().map(Self::of_header),
            None => Self::of_query(Parameters::read(query).ok()?).ok(),
        }
    }

    /// The parameters that are missing, and whether a date is.
    pub(super) fn missing(&self, date: bool) -> Refusal {
        let parts = [
            ("Credential", self.credential.is_none()),
            ("Signature", self.signature.is_none()),
            ("SignedHeaders", self.signed_headers.is_none()),
            ("Date", date && self.form == Form::Query),
        ];
        let missing: Vec<&str> = parts.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect();
        match self.form {
            Form::Header => Refusal::missing_parts(&missing, date),
            Form::Query => Refusal::missing_parameters(&missing),
        }
    }

    fn of_header(authorization: Authorization<'a>) -> Self {
        Self {
            form: Form::Header,
            algorithm: authorization.algorithm,
            credential: authorization.credential.map(Cow::Borrowed),
            signed_headers: authorization.signed_headers.map(Cow::Borrowed),
            signature: authorization.signature.map(Cow::Borrowed),
            presigned: Presigned::default(),
        }
    }

    fn of_query(parameters: Parameters<'a>) -> Result<Self, Refusal> {
        Ok(Self {
            form: Form::Query,
            algorithm: Algorithm::parse(parameters.algorithm.as_deref().unwrap_or_default())?,
            credential: parameters.credential,
            signed_headers: parameters.signed_headers,
            signature: parameters.signature,
            presigned: parameters.presigned,
        })
    }
}
