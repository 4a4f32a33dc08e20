//! One question, in the form of a case of `keystile simulate`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A request's condition keys: name as the request spells it → values.
pub(crate) type Context = BTreeMap<String, Values>;

/// The values of one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) multivalued: bool,
    pub(crate) values: Vec<String>,
}

impl Values {
    pub(crate) fn one(value: &str) -> Self {
        Self { multivalued: false, values: vec![value.to_owned()] }
    }

    pub(crate) fn many<T: AsRef<str>>(values: &[T]) -> Self {
        Self { multivalued: true, values: values.iter().map(|value| value.as_ref().to_owned()).collect() }
    }

    fn to_json(&self) -> Value {
        if self.multivalued { json!(self.values) } else { json!(self.values[0]) }
    }

    fn from_json(value: &Value) -> Self {
        match value {
            Value::Array(values) => Self::many(&values.iter().map(scalar).collect::<Vec<_>>()),
            one => Self::one(&scalar(one)),
        }
    }
}

/// Key names ignore case.
pub(super) fn look_up<'c>(context: &'c Context, key: &str) -> Option<&'c Values> {
    let same = |name: &str| name == key || name.to_lowercase() == key.to_lowercase();
    context.iter().find(|(name, _)| same(name)).map(|(_, values)| values)
}

/// A string, number or boolean as text.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A grant on a KMS key, as `ListGrants` shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Grant {
    pub(crate) grantee: String,
    pub(crate) retiring: Option<String>,
    /// The key's account where it is not said.
    pub(crate) issuing_account: Option<String>,
    pub(crate) operations: Vec<String>,
    pub(crate) equals: Option<BTreeMap<String, String>>,
    pub(crate) subset: Option<BTreeMap<String, String>>,
    pub(crate) source_arn: Option<String>,
}

/// One request with the policies that apply to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// The ARN of a user, a root user, a role, a role session or a federated user; a service's
    /// name; or `anonymous`.
    pub(crate) principal: String,
    /// The role's ARN, path included, of a role session; without it, a role without a path.
    pub(crate) role: Option<String>,
    /// `kms:Decrypt`.
    pub(crate) action: String,
    /// An ARN, or `*` for an action on no resource.
    pub(crate) resource: String,
    /// The owner's account, where the resource's ARN names none.
    pub(crate) resource_account: Option<String>,
    pub(crate) context: Context,
    pub(crate) now: Option<String>,
    /// The key's policy, or another service's.
    pub(crate) resource_policy: Option<Value>,
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    /// No documents: the session has no policies, and they limit nothing.
    pub(crate) session: Vec<Value>,
    /// By level, from the root; no levels: no organisation.
    pub(crate) service_controls: Vec<Vec<Value>>,
    pub(crate) resource_controls: Vec<Vec<Value>>,
    pub(crate) grants: Vec<Grant>,
    /// What a case of `simulate` cannot say.
    pub(crate) beyond: Beyond,
}

/// What the gateway knows and a case of `simulate` cannot say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Beyond {
    /// The caller's unique id (`AIDA…`, or `AROA…` of a session's role).
    pub(crate) unique_id: Option<String>,
    /// Whether the caller's account is its organisation's management account.
    pub(crate) caller_in_management: bool,
    /// Whether the resource's is.
    pub(crate) resource_in_management: bool,
    /// Whether the KMS key does not exist.
    pub(crate) missing_key: bool,
}

impl Case {
    pub(crate) fn is_kms(&self) -> bool {
        self.action.starts_with("kms:")
    }

    /// The caller's account; a service and nobody have none.
    pub(crate) fn account(&self) -> Option<&str> {
        self.principal.starts_with("arn:").then(|| self.principal.split(':').nth(4).unwrap())
    }

    pub(crate) fn is_root(&self) -> bool {
        self.principal.starts_with("arn:") && self.principal.ends_with(":root")
    }

    /// The two operations that everyone may use who signs.
    pub(crate) fn needs_no_permission(&self) -> bool {
        let free = ["sts:getcalleridentity", "sts:getsessiontoken"];
        free.contains(&self.action.to_lowercase().as_str()) && self.principal != "anonymous"
    }

    /// The account that owns the resource: the ARN's, or the one that is said; an action on no
    /// resource stays within the caller's account.
    pub(crate) fn owner(&self) -> Option<&str> {
        let named = self.resource.split(':').nth(4).filter(|account| !account.is_empty());
        named.or(self.resource_account.as_deref()).or(self.account())
    }

    /// The role behind a role session.
    pub(crate) fn role_arn(&self) -> Option<String> {
        if let Some(role) = &self.role {
            return Some(role.clone());
        }
        let (start, rest) = self.principal.split_once(":assumed-role/")?;
        let start = start.replace(":sts:", ":iam:");
        Some(format!("{start}:role/{}", rest.split('/').next().unwrap()))
    }

    /// The case as `keystile simulate` reads it. What that cannot say of management accounts is
    /// said by leaving out the policies that do not apply.
    pub(crate) fn to_simulate(&self) -> Value {
        let mut case = self.to_json();
        let members = case.as_object_mut().unwrap();
        members.remove("beyond");
        if self.beyond.caller_in_management {
            members.remove("service_control_policies");
        }
        if self.beyond.resource_in_management {
            members.remove("resource_control_policies");
        }
        case
    }

    /// All of the case; [`Case::from_json`] reads it again.
    pub(crate) fn to_json(&self) -> Value {
        let mut case = Map::new();
        let mut put = |name: &str, value: Value| {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !empty && value != json!({}) {
                case.insert(name.to_owned(), value);
            }
        };
        put("principal", json!(self.principal));
        put("role_arn", json!(self.role));
        put("action", json!(self.action));
        put("resource", json!(self.resource));
        put("resource_account", json!(self.resource_account));
        put("context", self.context.iter().map(|(key, values)| (key.clone(), values.to_json())).collect());
        put("now", json!(self.now));
        put(if self.is_kms() { "key_policy" } else { "resource_policy" }, json!(self.resource_policy));
        put("identity_policies", json!(self.identity));
        put("permissions_boundary", json!(self.boundary));
        put("session_policies", json!(self.session));
        put("service_control_policies", json!(self.service_controls));
        put("resource_control_policies", json!(self.resource_controls));
        put("grants", self.grants.iter().map(Grant::to_json).collect());
        put("beyond", self.beyond.to_json());
        Value::Object(case)
    }

    /// A case from what [`Case::to_json`] gives, written by hand too.
    pub(crate) fn from_json(case: &Value) -> Self {
        let text = |name: &str| case[name].as_str().map(str::to_owned);
        let document = |name: &str| Some(case[name].clone()).filter(|document| !document.is_null());
        let documents = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let levels = |name: &str| documents(&case[name]).iter().map(documents).collect();
        let context = case["context"].as_object().into_iter().flatten();
        Self {
            principal: text("principal").unwrap_or_default(),
            role: text("role_arn"),
            action: text("action").unwrap_or_default(),
            resource: text("resource").unwrap_or_default(),
            resource_account: text("resource_account"),
            context: context.map(|(key, value)| (key.clone(), Values::from_json(value))).collect(),
            now: text("now"),
            resource_policy: document("key_policy").or(document("resource_policy")),
            identity: documents(&case["identity_policies"]),
            boundary: document("permissions_boundary"),
            session: documents(&case["session_policies"]),
            service_controls: levels("service_control_policies"),
            resource_controls: levels("resource_control_policies"),
            grants: documents(&case["grants"]).iter().map(Grant::from_json).collect(),
            beyond: Beyond::from_json(&case["beyond"]),
        }
    }
}

impl Beyond {
    fn to_json(&self) -> Value {
        if *self == Self::default() {
            return Value::Null;
        }
        json!({
            "unique_id": self.unique_id,
            "caller_in_management": self.caller_in_management,
            "resource_in_management": self.resource_in_management,
            "missing_key": self.missing_key,
        })
    }

    fn from_json(value: &Value) -> Self {
        let flag = |name: &str| value[name].as_bool().unwrap_or_default();
        Self {
            unique_id: value["unique_id"].as_str().map(str::to_owned),
            caller_in_management: flag("caller_in_management"),
            resource_in_management: flag("resource_in_management"),
            missing_key: flag("missing_key"),
        }
    }
}

impl Grant {
    fn to_json(&self) -> Value {
        let mut grant = json!({"GranteePrincipal": self.grantee, "Operations": self.operations});
        let mut constraints = Map::new();
        let mut constrain = |name: &str, value: Value| {
            if !value.is_null() {
                constraints.insert(name.to_owned(), value);
            }
        };
        constrain("EncryptionContextEquals", json!(self.equals));
        constrain("EncryptionContextSubset", json!(self.subset));
        constrain("SourceArn", json!(self.source_arn));
        if !constraints.is_empty() {
            grant["Constraints"] = Value::Object(constraints);
        }
        if let Some(retiring) = &self.retiring {
            grant["RetiringPrincipal"] = json!(retiring);
        }
        if let Some(account) = &self.issuing_account {
            grant["IssuingAccount"] = json!(account);
        }
        grant
    }

    fn from_json(grant: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pairs = |value: &Value| {
            value.as_object().map(|pairs| pairs.iter().map(|(name, value)| (name.clone(), scalar(value))).collect())
        };
        Self {
            grantee: text(&grant["GranteePrincipal"]).unwrap_or_default(),
            retiring: text(&grant["RetiringPrincipal"]),
            issuing_account: text(&grant["IssuingAccount"]),
            operations: grant["Operations"].as_array().into_iter().flatten().map(scalar).collect(),
            equals: pairs(&grant["Constraints"]["EncryptionContextEquals"]),
            subset: pairs(&grant["Constraints"]["EncryptionContextSubset"]),
            source_arn: text(&grant["Constraints"]["SourceArn"]),
        }
    }
}
