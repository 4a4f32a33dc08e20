//! S3's virtual-hosted addresses: the bucket stands before the name of the host (S3 User Guide, "Virtual
//! hosting of general purpose buckets").
//!
//! A request was verified as it came. From here on it names its bucket in the path, once: that is what is
//! decided, and what the upstream gets.

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;

/// The same request with its bucket in the path, where its host bears one.
///
/// # Errors
/// Why a host that bears something names no bucket.
pub(super) fn by_path(mut parts: Parts, hosts: &[String]) -> Result<Parts, &'static str> {
    if hosts.is_empty() {
        return Ok(parts);
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    // The longest: one of them may stand behind another.
    let borne = hosts.iter().filter_map(|base| name.strip_suffix(base.as_str())?.strip_suffix('.'));
    let Some(bucket) = borne.min_by_key(|bucket| bucket.len()) else { return Ok(parts) };
    if hosts.contains(&name) {
        return Ok(parts);
    }
    if !is_bucket(bucket) {
        return Err("the host names no bucket");
    }
    let path = match parts.uri.path() {
        "/" => "",
        path => path,
    };
    let target = match parts.uri.query() {
        Some(query) => format!("/{bucket}{path}?{query}"),
        None => format!("/{bucket}{path}"),
    };
    let target = PathAndQuery::try_from(target).map_err(|_| "the host names no bucket")?;
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = Some(target);
    parts.uri = http::Uri::from_parts(uri).map_err(|_| "the host names no bucket")?;
    Ok(parts)
}

/// S3 User Guide, "General purpose bucket naming rules".
fn is_bucket(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let is_outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(is_inner)
        && is_outer(name.bytes().next())
        && is_outer(name.bytes().last())
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn target(host: &str, uri: &str) -> Result<String, &'static str> {
        let hosts = ["s3.example.com".to_owned(), "eu.s3.example.com".to_owned()];
        let (parts, ()) = Request::builder().uri(uri).header(HOST, host).body(()).unwrap().into_parts();
        by_path(parts, &hosts).map(|parts| parts.uri.to_string())
    }

    #[test]
    fn the_bucket_of_the_host_becomes_the_first_segment_and_nothing_else_changes() {
        for (host, uri, becomes) in [
            ("reports.s3.example.com", "/a%2Fb//c?x=%2f", "/reports/a%2Fb//c?x=%2f"),
            ("Reports.S3.Example.com:4599", "/?list-type=2", "/reports?list-type=2"),
            ("a.b.s3.example.com", "/k", "/a.b/k"),
            ("reports.eu.s3.example.com", "/k", "/reports/k"),
            ("eu.s3.example.com", "/reports/k", "/reports/k"),
            ("s3.example.com", "/reports/k", "/reports/k"),
            ("127.0.0.1:4599", "/reports/k", "/reports/k"),
            ("notreally-s3.example.com", "/reports/k", "/reports/k"),
            ("example.com", "/reports/k", "/reports/k"),
        ] {
            assert_eq!(target(host, uri).as_deref(), Ok(becomes), "{host} {uri}");
        }
        for host in ["x.s3.example.com", "-ab.s3.example.com", "a_b.s3.example.com", "a..b.s3.example.com"] {
            assert!(target(host, "/k").is_err(), "{host}");
        }
        let (parts, ()) = Request::builder().uri("/k").header(HOST, "b.s3.example.com").body(()).unwrap().into_parts();
        assert_eq!(by_path(parts, &[]).unwrap().uri, "/k");
    }
}
