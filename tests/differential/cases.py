"""Cases as `keystile simulate` takes them, drawn from a seed: every layer, every operator, five services."""

import random

HOME, OTHER = "111122223333", "444455556666"
ORGANIZATION = "o-a1b2c3d4e5"
TEAMS = ["blue", "green", "Blue", "b*", ""]

# -- condition keys: what kind they are, and the values that they have in requests ---------------------

STRING, NUMBER, DATE, BOOL, IP, ARN, BINARY, LIST = "String", "Numeric", "Date", "Bool", "IpAddress", "Arn", "Binary", "List"

DATES = ["2026-01-01T00:00:00Z", "2026-03-01T12:30:00Z", "2026-03-01T13:30:00+01:00", "2027-01-01T00:00:00.250Z", "1772368200"]
ADDRESSES = ["203.0.113.7", "198.51.100.20", "10.1.2.3", "2001:db8::7", "2001:0db8:0:0:0:0:0:7", "::ffff:203.0.113.7"]
NETWORKS = ["203.0.113.0/24", "203.0.113.7", "198.51.100.20/32", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "2001:db8::7", "::/0"]
ARNS = ["arn:aws:iam::111122223333:role/Reader", "arn:aws:iam::111122223333:user/dev/alice", "arn:aws:s3:::reports",
        "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit", "arn:aws:iam::444455556666:role/Reader"]
ARN_PATTERNS = ["arn:aws:iam::111122223333:role/*", "arn:aws:iam::*:user/dev/*", "arn:aws:s3:::report?", "arn:aws:*:*:*:*",
                "arn:aws:iam::111122223333:*/${aws:username}", "arn:aws:cloudtrail:us-*:111122223333:trail/audit"]

# Values that do not fit their key's type, or barely do.
ODD = {
    STRING: ["", "\U0001d4b3", "ΑΣ", "${aws:username}", "a\\b"],
    NUMBER: ["", "1e0", "NaN", "+300", "300.", "10abc", "0x10"],
    DATE: ["2026-03-01", "yesterday", "2026-03-01T12:30Z"],
    BOOL: ["yes", "TRUE", "", " true"],
    IP: ["203.0.113.0/24", "3405803783", "::ffff:cb00:7107", "203.0.113.007", "nowhere"],
    ARN: ["alice", "arn:aws:iam::111122223333", "urn:aws:s3:::reports", "arn:aws:s3:::reports:2026"],
}

GLOBAL = {
    "aws:PrincipalTag/team": (STRING, TEAMS),
    "aws:PrincipalTag/cost-center": (STRING, ["1000", "2000"]),
    "aws:ResourceTag/team": (STRING, TEAMS),
    "aws:SourceIp": (IP, ADDRESSES),
    "aws:MultiFactorAuthPresent": (BOOL, [True, False]),
    "aws:MultiFactorAuthAge": (NUMBER, [0, 300, 3600]),
    "aws:SecureTransport": (BOOL, [True, False]),
    "aws:ViaAWSService": (BOOL, [True, False]),
    "aws:CurrentTime": (DATE, DATES[:4]),
    "aws:EpochTime": (DATE, ["1767225600", "1772368200"]),
    "aws:TokenIssueTime": (DATE, DATES[:4]),
    "aws:PrincipalOrgID": (STRING, [ORGANIZATION, "o-zzzzzzzzzz"]),
    "aws:PrincipalOrgPaths": (LIST, [f"{ORGANIZATION}/r-ab12/ou-ab12-data1234/", f"{ORGANIZATION}/r-ab12/"]),
    "aws:SourceVpce": (STRING, ["vpce-0a1b2c3d", "vpce-9f8e7d6c"]),
    "aws:SourceArn": (ARN, ARNS),
    "aws:SourceIdentity": (STRING, ["alice@example.com", "ALICE@example.com", "é(1)"]),
    "aws:CalledVia": (LIST, ["athena.amazonaws.com", "cloudformation.amazonaws.com"]),
    "aws:RequestedRegion": (STRING, ["us-east-1", "eu-west-1"]),
    "aws:PrincipalArn": (ARN, ARNS),
    "aws:PrincipalAccount": (STRING, [HOME, OTHER]),
    "aws:userid": (STRING, ["AIDAALICE", "AROAREADER:nightly"]),
}
REQUEST_TAGS = {"aws:RequestTag/team": (STRING, TEAMS), "aws:TagKeys": (LIST, ["team", "Team", "stage"])}
ENCRYPTION_CONTEXT = {
    "kms:EncryptionContext:tenant": (STRING, ["blue", "green"]),
    "kms:EncryptionContextKeys": (LIST, ["tenant", "purpose"]),
    "kms:EncryptionAlgorithm": (STRING, ["SYMMETRIC_DEFAULT"]),
    "kms:ViaService": (STRING, ["s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com"]),
}
VIA = {"kms:ViaService": ENCRYPTION_CONTEXT["kms:ViaService"]}

# -- actions: what they are done to, and the keys of their own ------------------------------------------

KEY = "arn:aws:kms:us-east-1:{account}:key/{id}"
KEYS = ["1234abcd-12ab-34cd-56ef-1234567890ab", "0987dcba-09fe-87dc-65ba-ab0987654321"]
ALIAS = "arn:aws:kms:us-east-1:{account}:alias/orders"
OBJECT, BUCKET = "arn:aws:s3:::reports/{name}", "arn:aws:s3:::reports"
QUEUE = "arn:aws:sqs:us-east-1:{account}:orders"
ROLE, USER = "arn:aws:iam::{account}:role/{name}", "arn:aws:iam::{account}:user/dev/{name}"

ACTIONS = [
    ("kms:Decrypt", KEY, ENCRYPTION_CONTEXT),
    ("kms:Encrypt", KEY, ENCRYPTION_CONTEXT),
    ("kms:GenerateDataKey", KEY, ENCRYPTION_CONTEXT),
    ("kms:ReEncryptFrom", KEY, {**ENCRYPTION_CONTEXT, "kms:ReEncryptOnSameKey": (BOOL, [True, False])}),
    ("kms:DescribeKey", KEY, {**VIA, "kms:RequestAlias": (STRING, ["alias/orders", "alias/reports"])}),
    ("kms:EnableKeyRotation", KEY, {**VIA, "kms:RotationPeriodInDays": (NUMBER, [90, 180, 365])}),
    ("kms:PutKeyPolicy", KEY, {**VIA, "kms:BypassPolicyLockoutSafetyCheck": (BOOL, [True, False])}),
    ("kms:ScheduleKeyDeletion", KEY, {**VIA, "kms:ScheduleKeyDeletionPendingWindowInDays": (NUMBER, [7, 30])}),
    ("kms:TagResource", KEY, {**VIA, **REQUEST_TAGS}),
    ("kms:CreateGrant", KEY, {**VIA, "kms:GrantOperations": (LIST, ["Decrypt", "DescribeKey"]),
                              "kms:GrantIsForAWSResource": (BOOL, [True, False]), "kms:GranteePrincipal": (ARN, ARNS)}),
    ("kms:RetireGrant", KEY, ENCRYPTION_CONTEXT),
    ("kms:UpdateAlias", ALIAS, VIA),
    ("kms:CreateKey", "*", {**VIA, **REQUEST_TAGS, "kms:KeySpec": (STRING, ["SYMMETRIC_DEFAULT", "RSA_2048"])}),
    ("kms:ListKeys", "*", {}),
    ("s3:GetObject", OBJECT, {"s3:signatureAge": (NUMBER, ["600000", "10abc", "1e3", "0600000"])}),
    ("s3:PutObject", OBJECT, {"s3:x-amz-acl": (STRING, ["private", "public-read"]),
                              "s3:object-lock-remaining-retention-days": (NUMBER, ["10", "10.5", "9007199254740993"])}),
    ("s3:DeleteObject", OBJECT, {}),
    ("s3:ListBucket", BUCKET, {"s3:prefix": (STRING, ["home/alice/", "home/", "", "a[b]?c"]), "s3:max-keys": (NUMBER, ["10", "1000", " 10"])}),
    ("s3:GetBucketPolicy", BUCKET, {}),
    ("s3:ListAllMyBuckets", "*", {}),
    ("sqs:SendMessage", QUEUE, {}),
    ("sqs:ReceiveMessage", QUEUE, {}),
    ("sqs:PurgeQueue", QUEUE, {}),
    ("sts:AssumeRole", ROLE, {**REQUEST_TAGS, "sts:ExternalId": (STRING, ["partner-42", "QUJD"]), "sts:RoleSessionName": (STRING, ["nightly", "alice"])}),
    ("sts:TagSession", ROLE, REQUEST_TAGS),
    ("sts:DecodeAuthorizationMessage", "*", {}),
    ("sts:GetCallerIdentity", "*", {}),
    ("iam:GetUser", USER, {}),
    ("iam:CreateAccessKey", USER, {}),
    ("iam:CreateUser", USER, {**REQUEST_TAGS, "iam:PermissionsBoundary": (ARN, ARNS)}),
    ("iam:PassRole", ROLE, {"iam:PassedToService": (STRING, ["ec2.amazonaws.com", "lambda.amazonaws.com"])}),
    ("iam:AttachRolePolicy", ROLE, {"iam:PolicyARN": (ARN, ["arn:aws:iam::aws:policy/AdministratorAccess", *ARNS])}),
    ("iam:ListUsers", "*", {}),
]
# Resources that bear a policy.
BEARERS = {KEY: 1.0, OBJECT: 0.6, BUCKET: 0.6, QUEUE: 0.6}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def often(self, probability):
        return self.random.random() < probability

    def pick(self, options):
        return self.random.choice(options)

    # -- the request -----------------------------------------------------------------------------

    def case(self):
        action, template, keys = self.pick(ACTIONS)
        self.service = action.split(":")[0]
        caller_account = HOME if self.often(0.8) else OTHER
        self.owner = HOME if template != "*" else caller_account
        self.caller(caller_account)
        self.resource = template.format(account=self.owner, id=self.pick(KEYS), name=self.pick(["alice", "a/b c.txt", "Reader", "x"]))
        if template == USER or template == ROLE:
            self.resource = template.format(account=self.owner, name=self.pick(["alice", "Reader"]))
        self.action, self.keys = action, {**GLOBAL, **keys}
        self.own_keys = list(keys)
        self.context = self.request_context(keys)
        case = {"principal": self.principal, "action": action, "resource": self.resource, "resource_account": self.owner}
        if self.role_arn and self.role_arn.count("/") > 1:
            case["role_arn"] = self.role_arn
        self.layers(case, template)
        case["context"] = self.context
        return case

    def caller(self, account):
        self.role_arn = None
        kind = self.random.choices(["user", "session", "root", "federated", "service", "anonymous"], [40, 40, 6, 5, 5, 4])[0]
        if self.service in ("kms", "sts", "iam") and kind == "anonymous":
            kind = "user"
        self.kind, self.account = kind, account
        if kind == "user":
            self.name = self.pick(["alice", "bob"])
            self.principal = f"arn:aws:iam::{account}:user/dev/{self.name}"
        elif kind == "session":
            role = self.pick(["Reader", "team/Reader", "Writer"])
            self.role_arn = f"arn:aws:iam::{account}:role/{role}"
            self.principal = f"arn:aws:sts::{account}:assumed-role/{role.split('/')[-1]}/nightly"
        elif kind == "root":
            self.principal = f"arn:aws:iam::{account}:root"
        elif kind == "federated":
            self.principal = f"arn:aws:sts::{account}:federated-user/alice"
        elif kind == "service":
            self.principal = "cloudtrail.amazonaws.com"
        else:
            self.principal = "anonymous"

    def request_context(self, keys):
        """Also what keystile would fill in by itself: both sides see the same keys."""
        context = {"aws:ResourceAccount": self.owner}
        if self.kind not in ("service", "anonymous"):
            context["aws:PrincipalAccount"] = self.account
            context["aws:PrincipalArn"] = self.role_arn or self.principal
            types = {"user": "User", "session": "AssumedRole", "root": "Account", "federated": "FederatedUser"}
            context["aws:PrincipalType"] = types[self.kind]
            if self.service == "kms":
                context["kms:CallerAccount"] = self.account
        else:
            context["aws:PrincipalType"] = "Anonymous" if self.kind == "anonymous" else "AWSService"
        if self.kind == "user":
            context["aws:username"] = self.name
        for key, (kind, values) in self.random.sample(sorted(GLOBAL.items()), self.random.randint(2, 7)):
            context.setdefault(key, self.value(kind, values))
        for key, (kind, values) in sorted(keys.items()):
            if self.often(0.7) or key == "kms:RotationPeriodInDays":
                context[key] = self.value(kind, values)
        return context

    def value(self, kind, values):
        if kind == LIST:
            return self.random.sample(values, self.random.randint(1, len(values)))
        return self.pick(ODD[kind] if self.often(0.04) else values)

    # -- the policies ----------------------------------------------------------------------------

    def layers(self, case, template):
        has_identity = self.kind in ("user", "session", "federated")
        if has_identity and self.often(0.85):
            case["identity_policies"] = [self.policy("identity") for _ in range(1 if self.often(0.8) else 2)]
        if has_identity and self.often(0.15):
            case["permissions_boundary"] = self.policy("limit")
        if self.kind in ("session", "federated") and self.often(0.25):
            case["session_policies"] = [self.policy("limit")]
        if self.often(1.0 if self.service == "sts" and template == ROLE else BEARERS.get(template, 0.0)):
            case["key_policy" if self.service == "kms" else "resource_policy"] = self.policy("resource")
        if template == KEY and has_identity and self.often(0.1):
            case["grants"] = [{"GranteePrincipal": self.pick([self.principal, self.role_arn or self.principal]),
                               "Operations": self.random.sample(["Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey", "CreateGrant"], 3)}]
        if self.kind not in ("anonymous", "root") and self.often(0.15):
            case["service_control_policies"] = [[self.policy("limit")] for _ in range(self.random.randint(1, 3))]
        if self.often(0.12):
            case["resource_control_policies"] = [[self.policy("rcp")] for _ in range(self.random.randint(1, 2))]

    def policy(self, layer):
        document = {}
        if layer == "rcp" or self.often(0.85):
            document["Version"] = "2012-10-17"
        elif self.often(0.5):
            document["Version"] = "2008-10-17"
        statements = [self.statement(layer, at) for at in range(self.random.choices([1, 2, 3], [50, 35, 15])[0])]
        document["Statement"] = statements[0] if len(statements) == 1 and self.often(0.3) else statements
        return document

    def statement(self, layer, at):
        deny = layer == "rcp" or (at > 0 and self.often(0.4)) or self.often(0.08)
        statement = {"Sid": f"S{at}", "Effect": "Deny" if deny else "Allow"}
        if layer in ("resource", "rcp"):
            not_principal = layer == "resource" and deny and self.often(0.3)
            statement["NotPrincipal" if not_principal else "Principal"] = "*" if layer == "rcp" else self.principals(not_principal)
        is_trust = layer == "resource" and self.service == "sts"
        not_action = layer != "rcp" and not is_trust and self.often(0.08)
        statement["NotAction" if not_action else "Action"] = self.one_or_more(
            self.not_action_pattern if not_action else lambda: self.action_pattern(layer))
        if not is_trust:
            if layer == "resource" and self.service == "kms":
                statement["Resource"] = "*"
            else:
                not_resource = self.resource != "*" and self.often(0.08)
                statement["NotResource" if not_resource else "Resource"] = self.one_or_more(self.resource_pattern)
        conditions = {}
        for _ in range(self.random.choices([0, 1, 2, 3], [35, 40, 18, 7])[0]):
            operator, key, value = self.condition(layer)
            if key.lower() not in map(str.lower, conditions.get(operator, {})):
                conditions.setdefault(operator, {})[key] = value
        if conditions:
            statement["Condition"] = conditions
        return statement

    def one_or_more(self, draw):
        if self.often(0.6):
            return draw()
        return [draw() for _ in range(self.random.randint(1, 2))]

    def principals(self, exact):
        def one():
            account = self.account if self.often(0.8) else HOME
            role = self.role_arn if self.role_arn and self.often(0.9) else f"arn:aws:iam::{account}:role/Reader"
            mine = self.principal if self.principal.startswith("arn:") else f"arn:aws:iam::{account}:user/dev/alice"
            options = [mine, mine, role, f"arn:aws:iam::{account}:root", account, f"arn:aws:iam::{account}:user/dev/bob",
                       f"arn:aws:sts::{account}:assumed-role/Reader/nightly", "arn:aws:iam::777788889999:root"]
            return self.pick(options)
        if not exact and self.often(0.3):
            return self.pick(["*", {"AWS": "*"}])
        if self.kind == "service" and self.often(0.8):
            return {"Service": self.pick([self.principal, [self.principal, "logs.amazonaws.com"]])}
        drawn = [one() for _ in range(self.random.randint(1, 2))]
        return {"AWS": drawn if len(drawn) > 1 or self.often(0.3) else drawn[0]}

    def action_pattern(self, layer):
        service, name = self.action.split(":")
        options = [self.action] * 6 + [f"{service}:*", "*", f"{service}:{name[:4]}*", f"{service}:?{name[1:]}", self.action.lower(),
                                       f"{service.upper()}:{name}", f"{service}:{name[:3]}*{name[-2:]}", "ec2:DescribeInstances", f"{service}:List*"]
        if layer == "rcp":
            options.remove("*")
        if layer == "resource" and service == "sts":
            options = [option for option in options if option.lower().startswith("sts:")]
        return self.pick(options)


    def not_action_pattern(self):
        service, _ = self.action.split(":")
        return self.pick(["ec2:*", f"{service}:List*", self.action, "iam:*", f"{service}:Describe*"])

    def resource_pattern(self):
        if self.resource == "*":
            return self.pick(["*", "*", "*", "arn:aws:s3:::other"])
        head, part = self.resource.rsplit(":", 1)
        options = ["*"] * 5 + [self.resource] * 3 + [f"{head}:*", self.resource[:-2] + "*", self.resource[:-1] + "?", self.resource + "x"]
        if "/" in part:
            kind, name = part.split("/", 1)
            wild = head.replace("us-east-1", "us-*").replace(HOME, "*")
            options += [f"{head}:{kind}/*", f"{wild}:{kind}/*", f"{head}:{kind}/${{aws:username}}", f"{head}:{kind}/${{aws:userid}}", f"{head}:{kind}/${{aws:PrincipalTag/team, '{name}'}}",
                        f"{head}:{kind}/*{name[-1]}"]
        return self.pick(options)

    # -- conditions ------------------------------------------------------------------------------

    def condition(self, layer):
        present = [key for key in self.context if key in self.keys]
        key = self.pick(present) if present and self.often(0.75) else self.pick(sorted(self.keys) + self.own_keys * 3)
        kind, values = self.keys[key]
        if self.often(0.08):
            return "Null", key, self.pick(["true", "false", True, False, "TRUE"])
        draw = getattr(self, f"{kind.lower()}_condition")
        operator, value = draw(key, values)
        if kind == LIST:
            quantifier = self.random.choices(["ForAllValues:", "ForAnyValue:", ""], [45, 45, 10])[0]
        else:
            # A key policy takes no ForAllValues on most of these.
            for_all = 0 if layer == "resource" and self.service == "kms" else 4
            quantifier = self.random.choices(["", "ForAllValues:", "ForAnyValue:"], [92, for_all, 4])[0]
        operator = quantifier + operator + ("IfExists" if self.often(0.2) else "")
        if self.often(0.1):
            key = key.swapcase() if "/" not in key else key.split("/")[0].upper() + "/" + key.split("/")[1].title()
        return operator, key, value

    def values(self, options):
        if self.often(0.55):
            return self.pick(options)
        return self.random.sample(options, min(len(options), self.random.randint(1, 3)))

    def string_condition(self, key, values):
        operator = self.pick(["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"])
        options = [value for value in values if isinstance(value, str)]
        given = self.context.get(key)
        if isinstance(given, str):
            options = options + [given] * 2
        options = options + [value.upper() for value in options[:1]]
        options += ["${aws:username}", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team, 'blue'}", "${aws:SourceVpce, 'blue'}",
                    "${aws:TagKeys, 'blue'}", "${aws:CalledVia}", "${aws:SourceVpce}", "${*}", "x${$}y"]
        if "Like" in operator:
            options += ["*", "?*", "*e*", "b?ue", "${aws:PrincipalTag/team}*", "*.amazonaws.com"]
        if operator == "StringEquals" and self.often(0.05):
            return "BinaryEquals", self.pick(["QUJD", "YmFzZTY0"])
        return operator, self.values(options)

    def list_condition(self, key, values):
        operator = self.pick(["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"])
        return operator, self.values([*values, "absent", *([v[:3] + "*" for v in values] if "Like" in operator else [])])

    def numeric_condition(self, key, values):
        operator = "Numeric" + self.pick(["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"])
        options = [int(v) if isinstance(v, int) else v for v in values if str(v).replace(".", "", 1).isdigit()]
        return operator, self.values([*options, "180", 300, "10", "10.5", "1e1", "0010", "9007199254740992", "-1"])

    def date_condition(self, key, values):
        operator = "Date" + self.pick(["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"])
        return operator, self.values([*DATES, "2026-03-01", "2026-03-01T12:30:00.0004Z"])

    def bool_condition(self, key, values):
        if self.often(0.05):
            return "StringEquals", self.pick(["true", "false"])
        return "Bool", self.values(["true", "false", True, False, "TRUE", "no"])

    def ipaddress_condition(self, key, values):
        return self.pick(["IpAddress", "NotIpAddress"]), self.values([*NETWORKS, "10.1.2.3/8", "2001:DB8::7/128"])

    def arn_condition(self, key, values):
        operator = self.pick(["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringLike"])
        return operator, self.values([*values, *ARN_PATTERNS])


def cases(seed, count):
    generator = Generator(seed)
    for _ in range(count):
        yield generator.case()
