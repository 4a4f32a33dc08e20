use http::HeaderMap;

use super::request::Reading;

/// Which requests of a REST service are an operation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) operation: String,
    /// In capitals; none for any.
    pub(super) method: Option<String>,
    pub(super) path: PathPattern,
    /// Names, or names with values, that the query has.
    pub(super) query: Vec<(String, Option<String>)>,
    /// The only names that the query may have beside those; none for any.
    pub(super) other_query: Option<Vec<String>>,
    /// Headers that the request has.
    pub(super) headers: Vec<String>,
}

/// `/{Bucket}/{Key+}`: segments that are a text or a variable; `+` takes all that is left, slashes
/// included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Variable(String),
    Rest(String),
}

impl Route {
    /// The variables of the path where the request is the operation's.
    pub(super) fn matches(&self, reading: &Reading<'_>) -> Option<Vec<(String, String)>> {
        let request = reading.request;
        if self.method.as_ref().is_some_and(|method| method != request.method) {
            return None;
        }
        let has = |(name, value): &(String, Option<String>)| {
            let given = reading.query_values(name);
            given.len() == 1 && value.as_ref().is_none_or(|value| given[0] == value)
        };
        if !self.query.iter().all(has) || !self.headers.iter().all(|name| has_header(request.headers, name)) {
            return None;
        }
        if let Some(others) = &self.other_query {
            let is_known = |name: &str| {
                self.query.iter().any(|(known, _)| known == name) || others.iter().any(|known| known == name)
            };
            if !reading.query().all(|(name, _)| is_known(name) && reading.query_values(name).len() == 1) {
                return None;
            }
        }
        self.path.matches(request.path)
    }
}

fn has_header(headers: &HeaderMap, name: &str) -> bool {
    headers.contains_key(name)
}

impl PathPattern {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let inside = text.strip_prefix('/').ok_or_else(|| format!("`{text}` does not begin with /"))?;
        let mut segments = Vec::new();
        for segment in inside.split('/') {
            if segments.iter().any(|segment| matches!(segment, Segment::Rest(_))) {
                return Err(format!("`{text}` goes on after the variable that takes all that is left"));
            }
            let variable = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
            segments.push(match variable.map(|name| (name, name.strip_suffix('+'))) {
                None if segment.contains(['{', '}']) => {
                    return Err(format!("`{text}` has a variable that is not the whole of its segment"));
                }
                None => Segment::Text(segment.to_owned()),
                Some(("" | "+", _)) => return Err(format!("`{text}` has a variable without a name")),
                Some((_, Some(name))) => Segment::Rest(name.to_owned()),
                Some((name, None)) => Segment::Variable(name.to_owned()),
            });
        }
        Ok(Self { segments })
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Text(_) => None,
            Segment::Variable(name) | Segment::Rest(name) => Some(name.as_str()),
        })
    }

    /// The variables, decoded; none where the path is another one. A variable is never empty.
    fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut rest = path.strip_prefix('/')?;
        let mut variables = Vec::new();
        let mut segments = self.segments.iter().peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            let (this, left) = match (segment, rest.split_once('/')) {
                (Segment::Rest(_), _) => (rest, None),
                (_, Some((this, left))) => (this, Some(left)),
                (_, None) => (rest, None),
            };
            match segment {
                Segment::Text(text) if text == this => {}
                Segment::Text(_) => return None,
                Segment::Variable(name) | Segment::Rest(name) => {
                    let value = percent_encoding::percent_decode_str(this).decode_utf8().ok()?;
                    if value.is_empty() {
                        return None;
                    }
                    variables.push((name.clone(), value.into_owned()));
                }
            }
            match left {
                None if !is_last => return None,
                Some(_) if is_last => return None,
                left => rest = left.unwrap_or_default(),
            }
        }
        Some(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_reading() {
        let cases: [(&str, &str, Option<&[(&str, &str)]>); 12] = [
            ("/", "/", Some(&[])),
            ("/", "/a", None),
            ("/{B}", "/a", Some(&[("B", "a")])),
            ("/{B}", "/", None),
            ("/{B}", "/a/", None),
            ("/{B}/", "/a/", Some(&[("B", "a")])),
            ("/{B}/{K+}", "/a/b/c%2Fd/", Some(&[("B", "a"), ("K", "b/c/d/")])),
            ("/{B}/{K+}", "/a/", None),
            ("/{B}/{K+}", "/a", None),
            ("/{B}/{K+}", "/a//b", Some(&[("B", "a"), ("K", "/b")])),
            ("/f/{N}/x", "/f/a%3Ab/x", Some(&[("N", "a:b")])),
            ("/f/{N}/x", "/f/%ff/x", None),
        ];
        for (pattern, path, expected) in cases {
            let found = PathPattern::parse(pattern).unwrap().matches(path);
            let expected = expected.map(|pairs| {
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{pattern} {path}");
        }
        for wrong in ["", "a", "/{}", "/{+}", "/a{B}", "/{B+}/c"] {
            assert!(PathPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
