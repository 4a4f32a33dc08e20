use std::fmt::Write as _;

use super::filter::{Around, Filter, Filtered};
use super::request::{Reading, Undetermined};
use super::tree::{Step, Tree};

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
    Body(Vec<Step>),
    /// The names of an object's members in the body.
    Keys(Vec<Step>),
    /// The names in a header that holds a form, in lower case.
    FormNames(String),
    /// The values in it.
    FormValues(String),
}

/// A value and where it was found: what stands at the same place belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) place: Vec<usize>,
    pub(super) text: String,
}

impl Placeholder {
    /// Reads what stands between the braces.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('|').map(str::trim);
        let source = parts.next().unwrap_or_default();
        let filters = parts.map(Filter::parse).collect::<Result<_, _>>()?;
        let steps = |pointer: &str| -> Result<Vec<Step>, String> {
            let steps = pointer.trim_start_matches('/').split('/').map(Step::parse).collect::<Option<_>>();
            steps.ok_or_else(|| format!("`{pointer}` is not a way into the body, such as /TableName"))
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
            Some(("form-names", name)) => Source::FormNames(name.to_ascii_lowercase()),
            Some(("form-values", name)) => Source::FormValues(name.to_ascii_lowercase()),
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

    /// Whether both make as many values of the same ones.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let leaves_out =
            |place: &Self| place.filters.iter().filter(|filter| filter.leaves_out()).cloned().collect::<Vec<_>>();
        self.source == other.source && leaves_out(self) == leaves_out(other)
    }

    /// Whether the request itself has a say in it.
    pub(super) fn is_of_request(&self) -> bool {
        !matches!(self.source, Source::Partition | Source::Region | Source::Account)
    }

    /// Whether what stands before it in the template must be known.
    pub(super) fn reads_prefix(&self) -> bool {
        self.filters.iter().any(Filter::reads_prefix)
    }

    /// Whether `/` and `:` may be in its values.
    pub(super) fn is_any(&self) -> bool {
        self.filters.iter().any(Filter::is_any)
    }

    /// All its values in this request, filtered.
    pub(super) fn values(&self, reading: &Reading<'_>, prefix: &str) -> Result<Vec<Value>, Undetermined> {
        let request = reading.request;
        let one = |text: &str| vec![text.to_owned()];
        let raw = match &self.source {
            Source::Partition => numbered(one(request.region.partition())),
            Source::Region => numbered(one(request.region.as_str())),
            Source::Account => numbered(one(request.account.as_str())),
            Source::Path(name) => numbered(reading.path.get(name).cloned()),
            Source::Query(name) => numbered(reading.query_values(name).into_iter().map(str::to_owned)),
            Source::Header(name) => numbered(reading.header(name)?.into_iter().map(str::to_owned)),
            Source::Body(steps) => texts(reading.body()?, steps)?,
            Source::Keys(steps) => names(reading.body()?, steps)?,
            Source::FormNames(header) => numbered(reading.form(header)?.into_iter().map(|(name, _)| name)),
            Source::FormValues(header) => numbered(reading.form(header)?.into_iter().map(|(_, value)| value)),
        };
        let around = Around { prefix, region: request.region, account: request.account };
        let mut values = Vec::new();
        for value in raw {
            let filtered = self.filtered(&value.text, around)?;
            values.extend(filtered.into_iter().map(|text| Value { place: value.place.clone(), text }));
        }
        Ok(values)
    }

    fn filtered(&self, value: &str, around: Around<'_>) -> Result<Vec<String>, Undetermined> {
        let mut values = vec![value.to_owned()];
        for filter in &self.filters {
            let mut filtered = Vec::new();
            for value in values {
                match filter.apply(&value, around) {
                    Filtered::Values(values) => filtered.extend(values),
                    Filtered::Left => {}
                    Filtered::Refused => {
                        return Err(Undetermined(format!(
                            "`{}` has not the form that is expected",
                            value.escape_debug()
                        )));
                    }
                }
            }
            values = filtered;
        }
        Ok(values)
    }
}

fn numbered(texts: impl IntoIterator<Item = String>) -> Vec<Value> {
    texts.into_iter().enumerate().map(|(index, text)| Value { place: vec![index], text }).collect()
}

fn texts(body: &Tree, steps: &[Step]) -> Result<Vec<Value>, Undetermined> {
    let found = body.at(steps).map_err(|unreadable| Undetermined(unreadable.0))?;
    found
        .into_iter()
        .map(|found| match found.tree {
            Tree::Text(text) => Ok(Value { place: found.place, text: text.clone() }),
            _ => Err(Undetermined(format!("{} of the body is not a text", pointer(steps)))),
        })
        .collect()
}

fn names(body: &Tree, steps: &[Step]) -> Result<Vec<Value>, Undetermined> {
    let mut values = Vec::new();
    for found in body.at(steps).map_err(|unreadable| Undetermined(unreadable.0))? {
        let Tree::Object(members) = found.tree else {
            return Err(Undetermined(format!("{} of the body is not an object", pointer(steps))));
        };
        values.extend(members.iter().enumerate().map(|(index, (name, _))| {
            let place = found.place.iter().copied().chain([index]).collect();
            Value { place, text: name.clone() }
        }));
    }
    Ok(values)
}

fn pointer(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |mut text, step| {
        let _ = write!(text, "/{step}");
        text
    })
}

fn unknown(source: &str) -> String {
    format!(
        "`{{{source}}}` is not a place of a request; there are {{partition}}, {{region}}, {{account}}, {{path:NAME}}, {{query:NAME}}, {{header:NAME}}, {{body:/POINTER}}, {{keys:/POINTER}}, {{form-names:HEADER}} and {{form-values:HEADER}}"
    )
}
