use std::fmt::Write as _;

use super::filter::Filter;
use super::request::{Reading, Undetermined};
use super::tree::Tree;

/// One `{…}` of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placeholder {
    source: Source,
    filters: Vec<Filter>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Partition,
    Region,
    Account,
    /// A variable of the route's path.
    Path(String),
    Query(String),
    /// In lower case.
    Header(String),
    /// Values of the body, by the steps to them.
    Body(Vec<String>),
    /// The names of an object's members in the body.
    Keys(Vec<String>),
}

impl Placeholder {
    /// Reads what stands between the braces.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('|').map(str::trim);
        let source = parts.next().unwrap_or_default();
        let filters = parts.map(Filter::parse).collect::<Result<_, _>>()?;
        let steps = |pointer: &str| -> Result<Vec<String>, String> {
            let steps: Vec<String> = pointer.trim_start_matches('/').split('/').map(str::to_owned).collect();
            let is_whole = steps.iter().all(|step| !step.is_empty());
            is_whole
                .then_some(steps)
                .ok_or_else(|| format!("`{pointer}` is not a way into the body, such as /TableName"))
        };
        let source = match source.split_once(':') {
            None => match source {
                "partition" => Source::Partition,
                "region" => Source::Region,
                "account" => Source::Account,
                _ => return Err(unknown(source)),
            },
            Some((_, "")) => return Err(format!("`{source}` names nothing after its colon")),
            Some(("path", name)) => Source::Path(name.to_owned()),
            Some(("query", name)) => Source::Query(name.to_owned()),
            Some(("header", name)) => Source::Header(name.to_ascii_lowercase()),
            Some(("body", pointer)) => Source::Body(steps(pointer)?),
            Some(("keys", pointer)) => Source::Keys(steps(pointer)?),
            Some(_) => return Err(unknown(source)),
        };
        Ok(Self { source, filters })
    }

    /// The variable of the path that it reads, if it does.
    pub(super) fn path_variable(&self) -> Option<&str> {
        match &self.source {
            Source::Path(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it reads the body.
    pub(super) fn reads_body(&self) -> bool {
        matches!(self.source, Source::Body(_) | Source::Keys(_))
    }

    /// Whether both read the same values, whatever they make of them.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.source == other.source
    }

    /// Whether the request itself has a say in it.
    pub(super) fn is_of_request(&self) -> bool {
        !matches!(self.source, Source::Partition | Source::Region | Source::Account)
    }

    /// Whether a value that is an ARN is the whole.
    pub(super) fn is_or_arn(&self) -> bool {
        self.filters.contains(&Filter::OrArn)
    }

    /// Whether `/` and `:` may be in its values.
    pub(super) fn is_any(&self) -> bool {
        self.filters.contains(&Filter::Any)
    }

    /// All its values in this request, filtered.
    pub(super) fn values(&self, reading: &Reading<'_>) -> Result<Vec<String>, Undetermined> {
        let request = reading.request;
        let raw: Vec<String> = match &self.source {
            Source::Partition => vec![request.region.partition().to_owned()],
            Source::Region => vec![request.region.as_str().to_owned()],
            Source::Account => vec![request.account.as_str().to_owned()],
            Source::Path(name) => reading.path.get(name).cloned().into_iter().collect(),
            Source::Query(name) => reading.query_values(name).into_iter().map(str::to_owned).collect(),
            Source::Header(name) => reading.header(name)?.into_iter().map(str::to_owned).collect(),
            Source::Body(steps) => reading
                .body()?
                .at(steps)
                .into_iter()
                .map(|value| match value {
                    Tree::Text(text) => Ok(text.clone()),
                    _ => Err(Undetermined(format!("{} of the body is not a text", pointer(steps)))),
                })
                .collect::<Result<_, _>>()?,
            Source::Keys(steps) => reading
                .body()?
                .at(steps)
                .into_iter()
                .map(|value| match value {
                    Tree::Object(members) => Ok(members.iter().map(|(name, _)| name.clone())),
                    _ => Err(Undetermined(format!("{} of the body is not an object", pointer(steps)))),
                })
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect(),
        };
        raw.into_iter().map(|value| self.filtered(&value, request.account.as_str())).collect()
    }

    fn filtered(&self, value: &str, account: &str) -> Result<String, Undetermined> {
        let filtered = self.filters.iter().try_fold(value.to_owned(), |value, filter| filter.apply(&value, account));
        filtered.ok_or_else(|| Undetermined(format!("`{}` has not the form that is expected", value.escape_debug())))
    }
}

fn pointer(steps: &[String]) -> String {
    steps.iter().fold(String::new(), |mut text, step| {
        let _ = write!(text, "/{step}");
        text
    })
}

fn unknown(source: &str) -> String {
    format!(
        "`{{{source}}}` is not a place of a request; there are {{partition}}, {{region}}, {{account}}, {{path:NAME}}, {{query:NAME}}, {{header:NAME}}, {{body:/POINTER}} and {{keys:/POINTER}}"
    )
}
