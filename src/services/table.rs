use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::context::{ContextRule, Gives};
use super::need::{Need, On};
use super::route::{PathPattern, Route};
use super::template::Template;
use super::{Definition, Protocol};
use crate::aws::ActionName;

/// A definition as it is written: the members of an `[[upstream]]` that say what its requests mean, and
/// the whole of a shipped one.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DefinitionTable {
    /// How the service is spoken to.
    pub protocol: Option<Protocol>,
    /// What stands before the colon of its actions, where that is not the service's name.
    pub action_prefix: Option<Spanned<String>>,
    /// What stands before the dot of `X-Amz-Target`: one of these.
    pub target_prefix: Option<TargetsTable>,
    /// Routes of REST services.
    pub action: Vec<Spanned<RouteTable>>,
    /// What each operation needs.
    pub resources: BTreeMap<String, Spanned<NeedsTable>>,
    /// Condition keys.
    pub context: BTreeMap<String, Spanned<ContextTable>>,
}

/// One prefix or several.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "give a prefix, or a list of them")]
pub enum TargetsTable {
    /// This.
    One(String),
    /// Any of these.
    Any(Vec<String>),
}

/// What is wrong with a definition, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The bytes of the text.
    pub at: Range<usize>,
    /// The member, such as `resources.GetItem`.
    pub member: String,
    /// What is wrong.
    pub message: String,
}

/// One of `[[action]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    name: String,
    method: Option<String>,
    path: String,
    #[serde(default)]
    query: Vec<String>,
    other_query: Option<Vec<String>>,
    #[serde(default)]
    header: Vec<String>,
}

/// What an operation needs.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "give a template, or a list of templates and of tables with `action`, `resource`, `when`, `unless` and `optional`, or with `refuse`"
)]
pub enum NeedsTable {
    /// On this.
    One(String),
    /// On all of these.
    All(Vec<NeedTable>),
}

/// One thing that an operation needs.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "give a template, or a table with `action`, `resource`, `when`, `unless` and `optional`, or with `refuse`"
)]
pub enum NeedTable {
    /// Its own action on this.
    Resource(String),
    /// In full.
    Full(FullNeedTable),
    /// What no request may have.
    Refused(RefusedTable),
}

/// One thing that an operation needs, in full.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullNeedTable {
    action: Option<String>,
    resource: String,
    when: Option<String>,
    unless: Option<String>,
    #[serde(default)]
    optional: bool,
}

/// What no request for an operation may have: it is denied where this makes something of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedTable {
    refuse: String,
}

/// What a condition key is given.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "give a template, a list of one template for several values, or a table, or a list of tables, with `value`, `values`, `keys`, `default` and `operations`"
)]
pub enum ContextTable {
    /// A value.
    One(String),
    /// Several values.
    Many([String; 1]),
    /// In full.
    Full(FullContextTable),
    /// For some operations this, for others that.
    Each(Vec<FullContextTable>),
}

/// What a condition key is given, in full.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullContextTable {
    value: Option<String>,
    values: Option<String>,
    keys: Option<String>,
    default: Option<String>,
    operations: Option<BTreeSet<String>>,
}

impl DefinitionTable {
    /// The definition of a service; what it does not say `base` says.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn resolve(&self, service: &str, base: Option<&Definition>) -> Result<Definition, Fault> {
        let whole = |message: String| Fault { at: 0..0, member: "protocol".to_owned(), message };
        let protocol = self.protocol.or(base.map(|base| base.protocol)).ok_or_else(|| {
            whole(format!(
                "no definition of `{service}` comes with keystile; say how it is spoken to: json, query, rest-json, rest-xml or s3"
            ))
        })?;
        // Another protocol's routes and ways into the body would mean something else.
        let base = base.filter(|base| base.protocol == protocol);
        let prefix = match &self.action_prefix {
            Some(prefix) => prefix.get_ref().clone(),
            None => base.map_or_else(|| service.to_owned(), |base| base.prefix.clone()),
        };
        if format!("{prefix}:X").parse::<ActionName>().is_err() {
            let at = self.action_prefix.as_ref().map_or(0..0, Spanned::span);
            let message = format!("`{prefix}` can't stand before the colon of an action");
            return Err(Fault { at, member: "action_prefix".to_owned(), message });
        }
        if !self.action.is_empty() && !protocol.is_rest() {
            let at = self.action[0].span();
            let message = "only REST services need routes: the request itself names the operation".to_owned();
            return Err(Fault { at, member: "action".to_owned(), message });
        }
        let mut routes = self.action.iter().map(route).collect::<Result<Vec<_>, _>>()?;
        routes.extend(base.into_iter().flat_map(|base| base.routes.clone()));
        if routes.is_empty() && protocol.is_rest() {
            return Err(whole(format!(
                "say which requests of `{service}` are which operation, under [[upstream.action]]"
            )));
        }
        let mut needs = base.map(|base| base.needs.clone()).unwrap_or_default();
        for (operation, table) in &self.resources {
            needs.insert(operation.clone(), needs_of(operation, table, &prefix, &routes)?);
        }
        let mut context = base.map(|base| base.context.clone()).unwrap_or_default();
        for (key, table) in &self.context {
            let rules = rules(key, table)?;
            context.retain(|known| rules.iter().all(|rule| known.key != rule.key));
            context.extend(rules);
        }
        let target = match &self.target_prefix {
            None => base.and_then(|base| base.target.clone()),
            Some(TargetsTable::One(prefix)) => Some(vec![prefix.clone()]),
            Some(TargetsTable::Any(prefixes)) => Some(prefixes.clone()),
        };
        Ok(Definition {
            protocol,
            prefix,
            target,
            determined: Arc::new(context.iter().map(|rule| Arc::clone(&rule.key)).collect()),
            routes,
            needs,
            context,
        })
    }
}

fn needs_of(operation: &str, table: &Spanned<NeedsTable>, prefix: &str, routes: &[Route]) -> Result<Vec<Need>, Fault> {
    let fault = |message| Fault { at: table.span(), member: format!("resources.{operation}"), message };
    let plain = |resource: &String| Ok(Need { on: on(resource)?, ..NEED });
    let needs = match table.get_ref() {
        NeedsTable::One(resource) => plain(resource).map(|need| vec![need]),
        NeedsTable::All(all) if all.is_empty() => Err("an operation needs something".to_owned()),
        NeedsTable::All(all) => all
            .iter()
            .map(|one| match one {
                NeedTable::Resource(resource) => plain(resource),
                NeedTable::Full(full) => need(full, prefix),
                NeedTable::Refused(RefusedTable { refuse }) => {
                    Ok(Need { on: On::Refused, when: Some(Template::parse(refuse)?), ..NEED })
                }
            })
            .collect(),
    };
    let needs = needs.map_err(fault)?;
    for name in needs.iter().flat_map(Need::path_variables) {
        let is_known = |route: &Route| route.path.variables().any(|variable| variable == name);
        if routes.iter().any(|route| route.operation == operation && !is_known(route)) {
            return Err(fault(format!("the path of {operation} has no variable `{name}`")));
        }
    }
    Ok(needs)
}

/// The operation's own action, without any condition.
const NEED: Need = Need { action: None, on: On::Nothing, when: None, unless: None, optional: false };

fn need(table: &FullNeedTable, prefix: &str) -> Result<Need, String> {
    let parse = |condition: &Option<String>| condition.as_deref().map(Template::parse).transpose();
    let action = table.action.as_ref().map(|action| {
        let whole = if action.contains(':') { action.clone() } else { format!("{prefix}:{action}") };
        whole.parse().map_err(|error| format!("{error}"))
    });
    Ok(Need {
        action: action.transpose()?,
        on: on(&table.resource)?,
        when: parse(&table.when)?,
        unless: parse(&table.unless)?,
        optional: table.optional,
    })
}

fn on(resource: &str) -> Result<On, String> {
    if resource == "*" { Ok(On::Nothing) } else { Template::parse(resource).map(On::Resources) }
}

fn route(table: &Spanned<RouteTable>) -> Result<Route, Fault> {
    let fault = |message| Fault { at: table.span(), member: "action".to_owned(), message };
    let RouteTable { name, method, path, query, other_query, header } = table.get_ref();
    if let Some(method) = method
        && !["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"].contains(&method.as_str())
    {
        return Err(fault(format!("`{method}` is not a method; give GET, HEAD, POST, PUT, DELETE or PATCH")));
    }
    let query = query.iter().map(|text| match text.split_once('=') {
        None => (text.clone(), None),
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
    });
    Ok(Route {
        operation: name.clone(),
        method: method.clone(),
        path: PathPattern::parse(path).map_err(fault)?,
        query: query.collect(),
        other_query: other_query.clone(),
        headers: header.iter().map(|name| name.to_ascii_lowercase()).collect(),
    })
}

/// Whether a global condition key is not a service's own to give.
fn is_the_gateways(key: &str) -> bool {
    let key = key.to_lowercase();
    let name = key.split('/').next().unwrap_or_default();
    name.starts_with("aws:") && !["aws:requesttag", "aws:tagkeys", "aws:resourcetag"].contains(&name)
}

fn rules(key: &str, table: &Spanned<ContextTable>) -> Result<Vec<ContextRule>, Fault> {
    let fault = |message: String| Fault { at: table.span(), member: format!("context.{key}"), message };
    if !key.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
        return Err(fault(format!("`{key}` is not a condition key, such as dynamodb:Select")));
    }
    if is_the_gateways(key) {
        return Err(fault(format!("`{key}` is what the gateway itself knows of a request; no request tells it")));
    }
    let plain = |gives| vec![ContextRule { key: key.to_lowercase().into(), gives, operations: None, default: None }];
    let parse = |text: &String| Template::parse(text).map_err(fault);
    let full = |table: &FullContextTable| {
        let FullContextTable { value, values, keys, default, operations } = table;
        let gives = match (value, values, keys) {
            (Some(value), None, None) => Gives::One(parse(value)?),
            (None, Some(values), None) if default.is_none() => Gives::Many(parse(values)?),
            (None, Some(values), Some(keys)) if default.is_none() => {
                Gives::Tags { keys: parse(keys)?, values: parse(values)? }
            }
            _ => return Err(fault("give `value` (and `default`), or `values`, or `keys` and `values`".to_owned())),
        };
        let (operations, default) = (operations.clone(), default.clone());
        Ok(ContextRule { key: key.to_lowercase().into(), gives, operations, default })
    };
    match table.get_ref() {
        ContextTable::One(value) => Ok(plain(Gives::One(parse(value)?))),
        ContextTable::Many([values]) => Ok(plain(Gives::Many(parse(values)?))),
        ContextTable::Full(table) => Ok(vec![full(table)?]),
        ContextTable::Each(tables) => tables.iter().map(full).collect(),
    }
}
