use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// AWS refuses the policy, or it does the opposite of what it says: a Deny that denies nobody,
    /// a key that nobody can manage, one that is open to everyone.
    Error,
    /// AWS takes it, and its author can hardly have meant it.
    Warning,
}

impl Level {
    /// `error`, `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is looked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which does not change: `unknown-action`.
    pub name: &'static str,
    /// How bad its findings are.
    pub level: Level,
    /// What it finds, in one line.
    pub finds: &'static str,
    /// Why that is wrong.
    pub why: &'static str,
    /// How to mend it, where the finding has nothing more exact to say.
    pub mend: &'static str,
    /// The page of AWS's documentation, or of this program's, that says so.
    pub page: &'static str,
}

/// Makes the rules, each a constant, and the table of them all.
macro_rules! rules {
    ($($(#[$doc:meta])* $id:ident = $level:ident $name:literal { $finds:literal, $why:literal, $mend:literal, $page:literal })*) => {
        $($(#[$doc])* pub(super) const $id: Rule = Rule {
            name: $name,
            level: Level::$level,
            finds: $finds,
            why: $why,
            mend: $mend,
            page: concat!("https://docs.aws.amazon.com/", $page),
        };)*

        /// Every rule of policies, in the order of `docs/checks.md`.
        pub const POLICY_RULES: &[&Rule] = &[$(&$id),*];
    };
}

rules! {
    // What AWS refuses to store.

    /// IAM User Guide, "Grammar of the IAM JSON policy language".
    SYNTAX = Error "syntax" {
        "text that is no JSON, or nested deeper than any policy",
        "A policy document is JSON.",
        "correct the JSON",
        "IAM/latest/UserGuide/reference_policies_grammar.html"
    }
    /// KMS Developer Guide, "Resource quotas"; IAM User Guide, "IAM and AWS STS quotas";
    /// Organizations User Guide, "Quotas and service limits".
    TOO_LARGE = Error "too-large" {
        "a document larger than its kind may be",
        "AWS refuses to store it.",
        "merge statements, use wildcards, or split the document",
        "IAM/latest/UserGuide/reference_iam-quotas.html"
    }
    /// IAM User Guide, "Grammar of the IAM JSON policy language": elements appear once.
    DUPLICATE_MEMBER = Error "duplicate-member" {
        "a member, a condition key (in any case) or an identity policy's Sid that stands twice",
        "AWS refuses it; other readers keep the last of the two without a word.",
        "merge the two or remove one",
        "IAM/latest/UserGuide/reference_policies_grammar.html"
    }
    /// IAM User Guide, "Grammar of the IAM JSON policy language".
    UNEXPECTED_ELEMENT = Error "unexpected-element" {
        "an element that the policy language does not have there, or not in this kind of document",
        "AWS refuses the document.",
        "remove the element",
        "IAM/latest/UserGuide/reference_policies_grammar.html"
    }
    /// IAM User Guide, "IAM JSON policy elements reference".
    MISSING_ELEMENT = Error "missing-element" {
        "an element that has to be there",
        "AWS refuses the document.",
        "add the element",
        "IAM/latest/UserGuide/reference_policies_elements.html"
    }
    /// IAM User Guide, "Grammar of the IAM JSON policy language".
    WRONG_TYPE = Error "wrong-type" {
        "a value of the wrong JSON type, or an empty list",
        "AWS refuses the document.",
        "write a value of the element's type",
        "IAM/latest/UserGuide/reference_policies_grammar.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Version".
    INVALID_VERSION = Error "invalid-version" {
        "a Version that the policy language does not have",
        "There are 2012-10-17 and 2008-10-17.",
        "write \"2012-10-17\"",
        "IAM/latest/UserGuide/reference_policies_elements_version.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Effect" and "Sid".
    INVALID_VALUE = Error "invalid-value" {
        "an Effect or a Sid that AWS does not take",
        "Effect is Allow or Deny, in that case; the Sid of an identity policy has letters and digits only.",
        "correct the value",
        "IAM/latest/UserGuide/reference_policies_elements_effect.html"
    }
    /// IAM User Guide, "AWS JSON policy elements: Principal".
    INVALID_PRINCIPAL = Error "invalid-principal" {
        "an entry of a Principal element that names no principal, or has a partial wildcard",
        "Principals are accounts, users, roles, sessions, services and identity providers, each in full; only `*` alone is a wildcard.",
        "name the principal in full, or match with a condition on aws:PrincipalArn",
        "IAM/latest/UserGuide/reference_policies_elements_principal.html"
    }
    /// IAM User Guide, "AWS JSON policy elements: NotPrincipal".
    NOT_PRINCIPAL_ALLOW = Error "not-principal-allow" {
        "NotPrincipal in a statement that allows",
        "It would allow everyone else in the world, anonymous callers included.",
        "list the principals to allow in Principal",
        "IAM/latest/UserGuide/reference_policies_elements_notprincipal.html"
    }
    /// KMS API Reference, "PutKeyPolicy"; IAM User Guide, "AWS JSON policy elements: Principal": a
    /// unique id stands where a principal was deleted.
    UNIQUE_ID = Error "unique-id" {
        "a unique id (AIDA..., AROA...) as a principal of a key policy",
        "It names a principal that is gone, and PutKeyPolicy refuses it; a principal made anew under the same name has another id.",
        "name the user or role by its ARN, or remove the entry",
        "IAM/latest/UserGuide/reference_policies_elements_principal.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Action".
    INVALID_ACTION = Error "invalid-action" {
        "an action that is not `service:Action`, or has a wildcard in its service",
        "AWS refuses the document: the service is written in full.",
        "write `service:Action` such as `kms:Decrypt`, with wildcards in the action alone",
        "IAM/latest/UserGuide/reference_policies_elements_action.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Resource".
    INVALID_RESOURCE = Error "invalid-resource" {
        "a resource that is no ARN of six components, or has a wildcard in its service, or a variable before the fifth colon",
        "AWS refuses it, or it matches nothing.",
        "write arn:partition:service:region:account:resource, or `*`",
        "IAM/latest/UserGuide/reference_policies_elements_resource.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition operators"; IfExists is not valid on Null.
    INVALID_OPERATOR = Error "invalid-operator" {
        "a condition operator that does not exist, NullIfExists among them",
        "AWS refuses the document.",
        "use an operator of the list",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition".
    INVALID_CONDITION_KEY = Error "invalid-condition-key" {
        "a condition key without a service",
        "AWS refuses the document: a key is `service:Key`.",
        "write the key with its service, such as `aws:SourceIp`",
        "IAM/latest/UserGuide/reference_policies_elements_condition.html"
    }
    /// KMS Developer Guide, "AWS KMS condition keys", kms:EncryptionContext:context-key.
    FOR_ALL_VALUES_REFUSED = Error "for-all-values-refused" {
        "ForAllValues on kms:EncryptionContext:... or aws:RequestTag/... in a resource's policy",
        "PutKeyPolicy refuses it: each of these keys has one value.",
        "remove the ForAllValues prefix",
        "kms/latest/developerguide/conditions-kms.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition operators".
    INVALID_LITERAL = Error "invalid-literal" {
        "a value that its operator can't compare: no number, date, address, ARN or base64",
        "AWS refuses an identity policy with it; in a key policy it is stored and never matches.",
        "write a value of the operator's type",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }
    /// IAM User Guide, "IAM policy elements: Variables and tags".
    MALFORMED_VARIABLE = Error "malformed-variable" {
        "a `${...}` that is no policy variable",
        "It would never resolve, and silently disarm a Deny.",
        "write `${key}`, `${key, 'default'}`, or `${*}`, `${?}`, `${$}` for the characters themselves",
        "IAM/latest/UserGuide/reference_policies_variables.html"
    }
    /// Organizations User Guide, "SCP syntax" and "RCP syntax".
    CONTROL_POLICY = Error "control-policy" {
        "what a service or resource control policy may not hold",
        "Organizations refuses it: an RCP denies only, names its actions, and is about everyone (`*`).",
        "keep to the syntax of control policies",
        "organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html"
    }

    // What opens or locks.

    /// KMS Developer Guide, "Default key policy": a key becomes unmanageable; PutKeyPolicy's lock-out check.
    LOCK_OUT = Error "lock-out" {
        "a key policy under which nobody may call kms:PutKeyPolicy",
        "Nobody could change it again. PutKeyPolicy refuses it unless BypassPolicyLockoutSafetyCheck is set, and then only AWS Support can help.",
        "allow kms:PutKeyPolicy to the account (\"Principal\": {\"AWS\": \"arn:aws:iam::ACCOUNT:root\"}) or to an administrator",
        "kms/latest/developerguide/key-policy-default.html"
    }
    /// KMS Developer Guide, "Principals in key policies": avoid `*` in an Allow without conditions
    /// that limit it; IAM User Guide, "AWS JSON policy elements: Principal", "All principals".
    OPEN_TO_EVERYONE = Error "open-to-everyone" {
        "an Allow to `*` in a key policy without a condition that pins an account, an organisation, a network or a source",
        "Every identity in every AWS account may use the key.",
        "name the principals, or add a condition such as StringEquals kms:CallerAccount or aws:PrincipalOrgID",
        "kms/latest/developerguide/key-policy-overview.html"
    }
    /// Amazon S3 User Guide, "The meaning of public"; IAM User Guide, "AWS JSON policy elements: Principal".
    PUBLIC_RESOURCE = Warning "public-resource" {
        "an Allow to `*` in a resource's policy without a condition that pins an account, an organisation, a network or a source",
        "The resource is public.",
        "name the principals, or add a condition such as StringEquals aws:PrincipalOrgID",
        "AmazonS3/latest/userguide/access-control-block-public-access.html"
    }
    /// KMS Developer Guide, "Allowing users in other accounts to use a KMS key": give the
    /// cryptographic operations; management stays with the owner.
    FOREIGN_ADMINISTRATOR = Warning "foreign-administrator" {
        "kms:* allowed to principals of several accounts",
        "One of them is not the key's owner, and may then change its policy, disable it or schedule its deletion as far as KMS allows that across accounts.",
        "give other accounts the operations that they need, such as kms:Encrypt, kms:Decrypt and kms:DescribeKey",
        "kms/latest/developerguide/key-policy-modifying-external-accounts.html"
    }
    /// IAM User Guide, "Multivalued context keys": such a key needs a set operator.
    DEAD_DENY = Error "dead-deny" {
        "a Deny on a multivalued key without ForAnyValue or ForAllValues",
        "Without a set operator a multivalued key matches nothing once it is present: the Deny denies nobody.",
        "prefix the operator with ForAnyValue: (or ForAllValues:)",
        "IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"
    }
    /// IAM User Guide, "AWS global condition context keys", aws:MultiFactorAuthPresent: it is absent
    /// from requests with long-term credentials.
    DENY_SKIPS_MISSING_KEY = Warning "deny-skips-missing-key" {
        "a Deny that a request escapes by not having the key at all",
        "A positive operator is false where the key is missing: requests with long-term credentials have no aws:MultiFactorAuthPresent, so this Deny lets them through.",
        "use the IfExists form of the operator",
        "IAM/latest/UserGuide/reference_policies_condition-keys.html"
    }
    /// IAM User Guide, "AWS JSON policy elements: NotPrincipal": name the account and the role too.
    NOT_PRINCIPAL_ANCESTORS = Warning "not-principal-ancestors" {
        "a NotPrincipal that exempts a user, role or session but not its account, or a session but not its role",
        "The Deny still meets the principal through its account or role.",
        "add the account's root, and for a session its role; better, deny `*` with ArnNotEquals on aws:PrincipalArn",
        "IAM/latest/UserGuide/reference_policies_elements_notprincipal.html"
    }
    /// IAM User Guide, "Multivalued context keys": ForAllValues is true on a missing key.
    FOR_ALL_VALUES_ALLOW = Warning "for-all-values-allow" {
        "ForAllValues in an Allow without a Null guard on its key",
        "ForAllValues holds where the request does not give the key at all.",
        "add {\"Null\": {\"KEY\": \"false\"}}",
        "IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"
    }

    // What does not exist.

    /// Service Authorization Reference, "Actions, resources, and condition keys for AWS services".
    UNKNOWN_SERVICE = Warning "unknown-service" {
        "an action or a condition key of a service that the catalogue does not know",
        "No request is made for it.",
        "correct the service's prefix",
        "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
    }
    /// Service Authorization Reference, "Actions, resources, and condition keys for AWS services".
    UNKNOWN_ACTION = Warning "unknown-action" {
        "an action that its service does not have",
        "No request is made for it: an Allow of it allows nothing, a Deny denies nothing.",
        "correct the action's name",
        "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
    }
    /// Service Authorization Reference, "Actions, resources, and condition keys for AWS services".
    ACTION_MATCHES_NOTHING = Warning "action-matches-nothing" {
        "an action pattern that matches no action of its service, or in a key policy none that is done on a key",
        "No request is made for what it matches.",
        "correct the pattern",
        "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
    }
    /// IAM User Guide, "AWS global condition context keys"; Service Authorization Reference.
    UNKNOWN_CONDITION_KEY = Warning "unknown-condition-key" {
        "a condition key that does not exist",
        "No request gives it: positive operators never match, negated ones and IfExists always.",
        "correct the key's name",
        "IAM/latest/UserGuide/reference_policies_condition-keys.html"
    }
    /// Service Authorization Reference: the keys that each action supports.
    UNSUPPORTED_KEY = Warning "unsupported-key" {
        "a condition key that an action of the statement does not support",
        "Requests for that action do not give it: positive operators never match there, negated ones and IfExists always.",
        "give that action a statement of its own",
        "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
    }
    /// IAM User Guide, "IAM policy elements: Variables and tags".
    UNKNOWN_VARIABLE = Warning "unknown-variable" {
        "a policy variable that no condition key stands behind",
        "It never resolves: positive operators do not match, negated ones do, and a resource with it matches nothing.",
        "name a condition key with a single value",
        "IAM/latest/UserGuide/reference_policies_variables.html"
    }
    /// IAM User Guide, "IAM policy elements: Variables and tags": only single-valued keys are variables.
    MULTIVALUED_VARIABLE = Warning "multivalued-variable" {
        "a policy variable of a multivalued key",
        "It never resolves where the key is present.",
        "name a condition key with a single value",
        "IAM/latest/UserGuide/reference_policies_variables.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Version": variables need 2012-10-17.
    VARIABLE_IN_OLD_VERSION = Warning "variable-in-old-version" {
        "a policy variable in a document of version 2008-10-17, or of none",
        "There `${...}` is literal text.",
        "write \"Version\": \"2012-10-17\"",
        "IAM/latest/UserGuide/reference_policies_elements_version.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Version".
    NO_VERSION = Warning "no-version" {
        "a document without Version",
        "It is of version 2008-10-17, in which policy variables are literal text.",
        "add \"Version\": \"2012-10-17\"",
        "IAM/latest/UserGuide/reference_policies_elements_version.html"
    }

    // What does not fit.

    /// IAM User Guide, "IAM JSON policy elements: Condition operators".
    OPERATOR_TYPE = Warning "operator-type" {
        "a condition operator that does not fit its key's type",
        "The comparison is not the one that the key is made for, and mostly never matches.",
        "use an operator of the key's type",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }
    /// IAM User Guide, "Multivalued context keys".
    MULTIVALUED_KEY = Warning "multivalued-key" {
        "a multivalued key without a set operator",
        "Without a set operator it matches nothing once it is present.",
        "prefix the operator with ForAnyValue: or ForAllValues:",
        "IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"
    }
    /// IAM User Guide, "Multivalued context keys": set operators are for multivalued keys.
    SET_OPERATOR_ON_SINGLE_VALUE = Warning "set-operator-on-single-value" {
        "ForAllValues or ForAnyValue on a key with a single value",
        "ForAllValues also holds where the key is missing, which opens an Allow; ForAnyValue says nothing more than the operator alone.",
        "remove the prefix",
        "IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition operators": StringLike takes wildcards.
    WILDCARD_WITHOUT_LIKE = Warning "wildcard-without-like" {
        "a wildcard in the value of a String operator that takes none",
        "StringEquals and its kin compare `*` and `?` as themselves.",
        "use StringLike (or StringNotLike), or write `${*}` where the character is meant",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition operators": Boolean values.
    ODD_BOOLEAN = Warning "odd-boolean" {
        "a value of Bool or Null that is neither true nor false",
        "AWS stores it and reads all but `true` as false.",
        "write \"true\" or \"false\"",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition operators": dates are ISO 8601.
    DATE_WITHOUT_ZONE = Warning "date-without-zone" {
        "a date without a time zone",
        "It is read as UTC, which is hours from what an author elsewhere may mean.",
        "write the zone: 2026-01-01T00:00:00Z",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Condition operators": addresses are CIDR (RFC 4632).
    IP_LEADING_ZEROS = Warning "ip-leading-zeros" {
        "an IPv4 address with leading zeros",
        "Some readers take 010 for eight, others for ten.",
        "write the numbers without leading zeros",
        "IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    }

    // What never matches, or stands twice.

    /// IAM User Guide, "IAM JSON policy elements: Condition": operators and keys are joined by AND.
    NEVER_MATCHES = Warning "never-matches" {
        "conditions that contradict each other, or a list without values",
        "All conditions of a statement must hold at once: this one never applies.",
        "put the alternatives into one list of values, or into two statements",
        "IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html"
    }
    /// IAM User Guide, "Amazon Resource Names (ARNs)": partitions.
    UNKNOWN_PARTITION = Warning "unknown-partition" {
        "an ARN of a partition that AWS does not have",
        "No resource has such an ARN; IAM refuses a policy with it.",
        "write `aws`, `aws-cn`, `aws-us-gov` or the partition that is meant",
        "IAM/latest/UserGuide/reference-arns.html"
    }
    /// Service Authorization Reference: the resource types of each action.
    RESOURCE_MISMATCH = Warning "resource-mismatch" {
        "a Resource that none of the statement's actions is ever asked for",
        "The actions are about resources of other types or of another service.",
        "name a resource of the action's type",
        "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
    }
    /// Service Authorization Reference: the resource types of each action.
    ACTION_WITHOUT_RESOURCE = Warning "action-without-resource" {
        "an action that is never asked for any Resource of its statement",
        "Requests for it are about resources of another type, or about none, which only `*` matches.",
        "give the action a statement of its own with a Resource of its type, or `*`",
        "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
    }
    /// KMS Developer Guide, "Key policies": in a key policy, Resource `*` means this key.
    KEY_POLICY_RESOURCE = Warning "key-policy-resource" {
        "a Resource other than `*` in a key policy",
        "A key policy is about the key that bears it; with the ARN of another key, or an alias, the statement never applies.",
        "write \"Resource\": \"*\", which means this key",
        "kms/latest/developerguide/key-policy-overview.html"
    }
    /// KMS Developer Guide, "Key policies": a statement without Action or Resource is accepted.
    NO_EFFECT = Warning "no-effect" {
        "a statement without Action or Resource in a key policy",
        "PutKeyPolicy takes it, and it has no effect.",
        "add the missing element, or remove the statement",
        "kms/latest/developerguide/key-policy-overview.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Action".
    REDUNDANT_ACTION = Warning "redundant-action" {
        "an action that another entry of the same list covers",
        "It adds nothing, and hides what the list says.",
        "remove the entry",
        "IAM/latest/UserGuide/reference_policies_elements_action.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Statement".
    DUPLICATE_STATEMENT = Warning "duplicate-statement" {
        "a statement that says the same as an earlier one",
        "It adds nothing.",
        "remove one of the two",
        "IAM/latest/UserGuide/reference_policies_elements_statement.html"
    }
    /// IAM User Guide, "IAM JSON policy elements: Sid": unique within a policy.
    REPEATED_SID = Warning "repeated-sid" {
        "a Sid that an earlier statement of a resource's policy has already",
        "Decisions and audit records that name it don't tell which statement decided.",
        "give each statement a Sid of its own",
        "IAM/latest/UserGuide/reference_policies_elements_sid.html"
    }
    /// Organizations User Guide, "Resource control policies", "List of AWS services that support RCPs".
    RCP_UNSUPPORTED_SERVICE = Warning "rcp-unsupported-service" {
        "an action in a resource control policy of a service that RCPs do not cover",
        "The policy does not apply to it.",
        "deny it by a service control policy, or in the resource's own policy",
        "organizations/latest/userguide/orgs_manage_policies_rcps.html"
    }
}
