//! Documents and statements: which apply to a request.

use serde_json::Value;

use super::case::{Case, Context, scalar};
use super::condition::condition;
use super::wildcard::{pattern_matches, substitute, units, wildcard};

/// A case with its whole context.
pub(super) struct Asked<'a> {
    pub(super) case: &'a Case,
    pub(super) context: Context,
}

impl Asked<'_> {
    /// The statements of that effect that apply to the request, by their places. A statement that
    /// is in error does not allow, and denies.
    pub(super) fn applying<'p>(&self, policy: &'p Value, effect: &str) -> Vec<(usize, &'p Value)> {
        let variables = policy["Version"] == "2012-10-17";
        let applies = |statement: &Value| {
            statement["Effect"] == effect && self.applies(statement, variables).unwrap_or(effect == "Deny")
        };
        statements(policy).into_iter().enumerate().filter(|(_, statement)| applies(statement)).collect()
    }

    /// Whether an Allow of the document applies.
    pub(super) fn allows(&self, policy: &Value) -> bool {
        !self.applying(policy, "Allow").is_empty()
    }

    /// Action, Resource and Condition: some truth, or none where the statement is in error.
    fn applies(&self, statement: &Value, variables: bool) -> Option<bool> {
        if !self.action_matches(statement) || !self.resource_matches(statement, variables) {
            return Some(false);
        }
        let mut all = true;
        let mut error = false;
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, values) in keys.as_object().unwrap() {
                match condition(operator, key, &list(values), &self.context, variables) {
                    None => error = true,
                    Some(holds) => all &= holds,
                }
            }
        }
        if error { None } else { Some(all) }
    }

    fn action_matches(&self, statement: &Value) -> bool {
        let matches = |patterns: &Value| {
            list(patterns).iter().any(|pattern| {
                let pattern = pattern.to_lowercase();
                if pattern == "*" {
                    return true;
                }
                let (service, name) = pattern.split_once(':').unwrap();
                let action = self.case.action.to_lowercase();
                let (asked_service, asked_name) = action.split_once(':').unwrap();
                pattern_matches(service, asked_service) && pattern_matches(name, asked_name)
            })
        };
        match (statement.get("Action"), statement.get("NotAction")) {
            (Some(patterns), _) => matches(patterns),
            (None, Some(patterns)) => !matches(patterns),
            (None, None) => false,
        }
    }

    fn resource_matches(&self, statement: &Value, variables: bool) -> bool {
        let matches = |patterns: &Value| list(patterns).iter().any(|pattern| self.resource_is(pattern, variables));
        match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(patterns), _) => matches(patterns),
            (None, Some(patterns)) => !matches(patterns),
            // A role's trust policy is about the role.
            (None, None) => {
                self.case.action.starts_with("sts:")
                    && statement.get("Principal").or(statement.get("NotPrincipal")).is_some()
            }
        }
    }

    fn resource_is(&self, pattern: &str, variables: bool) -> bool {
        if pattern == "*" {
            return true;
        }
        // An action on no resource asks for `*`, which no ARN pattern covers.
        if self.case.resource == "*" {
            return false;
        }
        let pattern: Vec<&str> = pattern.splitn(6, ':').collect();
        let resource: Vec<&str> = self.case.resource.splitn(6, ':').collect();
        (1..5).all(|at| pattern_matches(pattern[at], resource[at]))
            && match substitute(pattern[5], &self.context, variables, true) {
                None => false,
                Some(symbols) => wildcard(&symbols, &units(resource[5])),
            }
    }
}

fn statements(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// A string, number or boolean, or a list of them, as texts.
pub(super) fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        one => vec![scalar(one)],
    }
}
