use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::ContextRule;
use super::need::Need;
use super::request::Reading;
use super::route::Route;
use super::tree::{Found, Step, Tree};
use super::{Protocol, ServiceRequest, Undetermined};
use crate::aws::{ActionName, Arn, ContextValue, DeterminedKeys};

/// What a service's requests ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub(super) protocol: Protocol,
    /// What stands before the colon of the service's actions.
    pub(super) prefix: String,
    /// What stands before the dot of `X-Amz-Target`; none for anything.
    pub(super) target: Option<Vec<String>>,
    pub(super) routes: Vec<Route>,
    /// By operation; `*` for every other one.
    pub(super) needs: BTreeMap<String, Vec<Need>>,
    pub(super) context: Vec<ContextRule>,
    pub(super) determined: Arc<DeterminedKeys>,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The operation as the service names it.
    pub operation: String,
    /// The actions and the resources that they are asked for on, at least one; no ARN is no resource.
    pub pairs: Vec<(ActionName, Option<Arn>)>,
    /// The condition keys that the request gives, by their names in lower case.
    pub context: Vec<(Cow<'static, str>, ContextValue<'static>)>,
    /// Whether the operation changes nothing, by its name and method.
    pub is_read_only: bool,
}

/// An operation that a request names, before its body is there.
struct Named<'a> {
    reading: Reading<'a>,
    operation: String,
}

impl Definition {
    /// How the service is spoken to.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What stands before the colon of its actions.
    #[must_use]
    pub fn action_prefix(&self) -> &str {
        &self.prefix
    }

    /// The condition keys that its requests can be relied on to have.
    #[must_use]
    pub fn determined(&self) -> &Arc<DeterminedKeys> {
        &self.determined
    }

    /// Whether a request is decided by what is in its body: it is then read first.
    ///
    /// # Errors
    /// [`Undetermined`]: no operation can be told.
    pub fn reads_body(&self, request: &ServiceRequest<'_>) -> Result<bool, Undetermined> {
        if !self.protocol.is_rest() {
            return Ok(true);
        }
        let named = self.name(request)?;
        let needs = self.needs_of(&named.operation)?.iter().any(Need::reads_body);
        Ok(needs || self.context_of(&named.operation).any(ContextRule::reads_body))
    }

    /// What a request asks for.
    ///
    /// # Errors
    /// [`Undetermined`]: action, resource or a condition key can't be told.
    pub fn read(&self, request: &ServiceRequest<'_>) -> Result<Asked, Undetermined> {
        let Named { reading, operation } = self.name(request)?;
        let own = self.action(&operation)?;
        let mut pairs = Vec::new();
        for need in self.needs_of(&operation)? {
            need.pairs(&reading, &own, &mut pairs)?;
        }
        if pairs.is_empty() {
            return Err(Undetermined(format!("the request does not name what {own} is for")));
        }
        let mut context = Vec::new();
        for rule in self.context_of(&operation) {
            rule.give(&reading, &mut context)?;
        }
        let is_read_only = self.is_read_only(request.method, &operation);
        Ok(Asked { operation, pairs, context, is_read_only })
    }

    /// The operation that a request names, as far as head and query tell it; for AWS Query the body too.
    fn name<'a>(&self, request: &'a ServiceRequest<'a>) -> Result<Named<'a>, Undetermined> {
        let mut reading = Reading::new(request, self.protocol)?;
        let operation = match self.protocol {
            Protocol::Json => self.of_target(&reading)?,
            Protocol::Query => of_action(&reading)?,
            Protocol::RestJson | Protocol::RestXml | Protocol::S3 => {
                let found = self.routes.iter().find_map(|route| Some((route, route.matches(&reading)?)));
                let (route, variables) =
                    found.ok_or_else(|| Undetermined("method, path and query name no operation".to_owned()))?;
                reading.path = variables.into_iter().collect();
                route.operation.clone()
            }
        };
        Ok(Named { reading, operation })
    }

    fn of_target(&self, reading: &Reading<'_>) -> Result<String, Undetermined> {
        let request = reading.request;
        if request.method != "POST" || request.path != "/" || request.query.is_some_and(|query| !query.is_empty()) {
            return Err(Undetermined("an AWS JSON request is a POST of / without a query".to_owned()));
        }
        let targets = reading.header("x-amz-target")?;
        let [target] = targets[..] else {
            return Err(Undetermined("there must be one X-Amz-Target header".to_owned()));
        };
        let (before, operation) = target.rsplit_once('.').unwrap_or(("", target));
        if self.target.as_ref().is_some_and(|targets| !targets.iter().any(|target| target == before)) {
            return Err(Undetermined(format!("the target `{}` is not of this service", target.escape_debug())));
        }
        Ok(operation.to_owned())
    }

    fn needs_of(&self, operation: &str) -> Result<&[Need], Undetermined> {
        let needs = self.needs.get(operation).or_else(|| self.needs.get("*"));
        needs
            .map(Vec::as_slice)
            .ok_or_else(|| Undetermined(format!("what resource {} is for is not configured", operation.escape_debug())))
    }

    fn context_of(&self, operation: &str) -> impl Iterator<Item = &ContextRule> {
        self.context.iter().filter(move |rule| rule.is_of(operation))
    }

    fn action(&self, operation: &str) -> Result<ActionName, Undetermined> {
        format!("{}:{operation}", self.prefix)
            .parse()
            .map_err(|_| Undetermined(format!("`{}` is not the name of an action", operation.escape_debug())))
    }

    fn is_read_only(&self, method: &str, operation: &str) -> bool {
        const READING: [&str; 8] = ["Get", "List", "Describe", "Head", "BatchGet", "Query", "Scan", "Search"];
        let by_name = READING.iter().any(|verb| operation.starts_with(verb));
        if self.protocol.is_rest() { method == "GET" || method == "HEAD" } else { by_name }
    }
}

/// The `Action` of an AWS Query request: a form in the body, or, of a GET, in the query.
fn of_action(reading: &Reading<'_>) -> Result<String, Undetermined> {
    let request = reading.request;
    let has_query = request.query.is_some_and(|query| !query.is_empty());
    let has_body = request.body.is_some_and(|body| !body.is_empty());
    let in_one_place = match request.method {
        "POST" => !has_query,
        "GET" => !has_body,
        _ => false,
    };
    // The path of another would be read by nobody here.
    if !in_one_place || request.path != "/" {
        return Err(Undetermined(
            "an AWS Query request is a POST of / with a form, or a GET of / with a query".to_owned(),
        ));
    }
    let found = reading.body()?.at(&[Step::to("Action")]).map_err(|unreadable| Undetermined(unreadable.0))?;
    match found[..] {
        [Found { tree: Tree::Text(action), .. }] => Ok(action.clone()),
        _ => Err(Undetermined("there is no parameter `Action`".to_owned())),
    }
}
