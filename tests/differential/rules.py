"""Where iam-simulate decides otherwise than AWS's documentation says: docs/differential.md.

A rule imitates the mistake: it rewrites a case so that keystile, asked about the rewritten one, must
come to the decision of iam-simulate about the original. So a difference is explained by what caused
it, not by what stands near it.
"""

import copy
import dataclasses
import datetime
import re
from collections.abc import Callable

POLICY_MEMBERS = ("identity_policies", "session_policies", "permissions_boundary", "key_policy", "resource_policy",
                  "service_control_policies", "resource_control_policies")


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    # The case as iam-simulate takes it; none where the rule does not touch it.
    imitate: Callable = lambda case, ignored: None
    # The case without what iam-simulate gets wrong, where keystile has no way to imitate it.
    spare: Callable = lambda case: None
    # The two decisions that the rule alone brings about, keystile's first.
    verdict: Callable = lambda case: None


# -- walking over policies -------------------------------------------------------------------------


def documents(case):
    def flat(value):
        if isinstance(value, list):
            for item in value:
                yield from flat(item)
        elif isinstance(value, dict):
            yield value
    for member in POLICY_MEMBERS:
        for document in flat(case.get(member)):
            yield member, document


def statements(case):
    for member, document in documents(case):
        several = document["Statement"]
        for statement in several if isinstance(several, list) else [several]:
            yield member, document, statement


def listed(value):
    return value if isinstance(value, list) else [value]


NEVER, ALWAYS = object(), object()


def change_conditions(case, change):
    """The case with every condition as `change(operator, key, values, present)` has it: new values, NEVER
    or ALWAYS; none leaves it. None where nothing changed."""
    case, changed = copy.deepcopy(case), False
    context = {key.lower(): value for key, value in case["context"].items()}
    for _, document, statement in statements(case):
        for operator, keys in list(statement.get("Condition", {}).items()):
            for key, values in list(keys.items()):
                new = change(operator, key, listed(values), context)
                if new is None or new == listed(values):
                    continue
                changed = True
                if new is NEVER or new is ALWAYS:
                    del keys[key]
                    if new is NEVER:
                        absent = statement["Condition"].setdefault("Null", {})
                        absent[f"keystile:never{len(absent)}"] = "false"
                else:
                    keys[key] = new
            if not keys:
                del statement["Condition"][operator]
        if "Condition" in statement and not statement["Condition"]:
            del statement["Condition"]
    return case if changed else None


def base(operator):
    return operator.split(":")[-1].removesuffix("IfExists")


def negated(operator):
    return "Not" in operator


VARIABLE = re.compile(r"\$\{([^}*?$][^}]*)\}")


def variables(value):
    """Key and default of each variable, as the documentation has them."""
    for body in VARIABLE.findall(str(value)):
        key, comma, default = body.partition(",")
        yield key.strip().lower(), default.strip().strip("'") if comma else None


# -- the rules -------------------------------------------------------------------------------------


def without_ignored_keys(case, ignored):
    if not ignored:
        return None
    case = copy.deepcopy(case)
    for key in ignored:
        case["context"].pop(key, None)
    return case


def as_version_2012(case, _):
    case, changed = copy.deepcopy(case), False
    for _, document in documents(case):
        changed |= document.get("Version") != "2012-10-17"
        document["Version"] = "2012-10-17"
    return case if changed else None


def any_address_as_one(case, _):
    def change(operator, key, values, context):
        if base(operator) in ("IpAddress", "NotIpAddress"):
            return ["0.0.0.0/32" if value == "0.0.0.0/0" else value for value in values]
    return change_conditions(case, change)


def unresolved_negations_fail(case, _):
    def change(operator, key, values, context):
        if not negated(operator) or not re.match("String|Arn", base(operator)) or context.get(key.lower()) in (None, []):
            return None
        for value in values:
            for name, default in variables(value):
                if default is None and (name not in context or isinstance(context[name], list)):
                    return NEVER
    return change_conditions(case, change)


def session_policy_limits_all(case, _):
    if not case.get("session_policies"):
        return None
    case = copy.deepcopy(case)
    case.setdefault("service_control_policies", []).append(case["session_policies"])
    return case


def not_principal_exempts_the_account(case, _):
    case, changed = copy.deepcopy(case), False
    principal = case["principal"]
    if not principal.startswith("arn:"):
        return None
    account = principal.split(":")[4]
    ancestors = {account, f"arn:aws:iam::{account}:root"}
    if ":assumed-role/" in principal:
        role = principal.split("/")[1]
        ancestors |= {case.get("role_arn", ""), f"arn:aws:iam::{account}:role/{role}"}
    if ":federated-user/" in principal:
        ancestors.add(f"arn:aws:iam::{account}:user/{principal.split('/')[1]}")
    for _, _, statement in statements(case):
        exempt = statement.get("NotPrincipal")
        if isinstance(exempt, dict) and ancestors & set(listed(exempt.get("AWS", []))):
            exempt["AWS"] = [*listed(exempt["AWS"]), principal]
            changed = True
    return case if changed else None


def roles_by_name_alone(case, _):
    """A role with another path is the caller's role."""
    path = case.get("role_arn")
    if not path:
        return None
    case, changed = copy.deepcopy(case), False
    account, name = path.split(":")[4], path.split("/")[-1]
    same = re.compile(f"arn:aws:iam::{account}:role/(.*/)?{name}")
    for _, _, statement in statements(case):
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element)
            if isinstance(named, dict) and "AWS" in named:
                new = [path if same.fullmatch(text) else text for text in listed(named["AWS"])]
                changed |= new != listed(named["AWS"])
                named["AWS"] = new
    return case if changed else None


def unresolved_exceptions_fail(case, _):
    """NotResource with a variable that does not resolve: the statement does not apply."""
    context = {key.lower(): value for key, value in case["context"].items()}
    case, changed = copy.deepcopy(case), False
    for _, _, statement in statements(case):
        for value in listed(statement.get("NotResource", [])):
            if any(default is None and not isinstance(context.get(name), str) for name, default in variables(value)):
                statement["NotResource"], changed = "*", True
    return case if changed else None


def epoch_as_milliseconds(case, _):
    def shifted(value):
        if re.fullmatch(r"-?\d+", str(value)):
            moment = datetime.datetime.fromtimestamp(int(value) / 1000, datetime.timezone.utc)
            return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
        return value
    dates = set()
    def change(operator, key, values, context):
        if base(operator).startswith("Date"):
            dates.add(key.lower())
            return [shifted(value) for value in values]
    new = change_conditions(case, change) or copy.deepcopy(case)
    for key, value in new["context"].items():
        if key.lower() in dates and not isinstance(value, list):
            new["context"][key] = shifted(value)
    return None if new == case else new


def numbers_by_prefix(case, _):
    def prefix(value):
        text = str(value)
        found = re.match(r"\s*([+-]?\d+(\.\d*)?(e[+-]?\d+)?|[+-]?\.\d+)" if "." in text else r"\s*[+-]?\d+", text)
        return str(float(found[0]) if "." in text else float(int(found[0]))) if found else text
    numeric = set()
    def change(operator, key, values, context):
        if base(operator).startswith("Numeric"):
            numeric.add(key.lower())
            return [f"{float(prefix(value)):.3f}" for value in values]
    new = change_conditions(case, change)
    if new:
        for key, value in new["context"].items():
            if key.lower() in numeric and not isinstance(value, list) and re.match(r"\s*[+-]?\d", str(value)):
                new["context"][key] = f"{float(prefix(value)):.3f}"
    return new


def empty_values_do_not_resolve(case, _):
    """An empty value in a variable: the default takes its place, or nothing matches."""
    def change(operator, key, values, context):
        if not re.match("String|Arn", base(operator)):
            return None
        return [substitute(value, context) for value in values]
    def substitute(value, context):
        def one(match):
            name, default = next(variables(match[0]))
            if context.get(name) != "":
                return match[0]
            return default or "\u0001"
        return VARIABLE.sub(one, value) if isinstance(value, str) else value
    return in_resources(change_conditions(case, change) or copy.deepcopy(case), substitute, case)


def defaults_of_multivalued_keys(case, _):
    """A variable of a key with several values: its default takes its place."""
    def substitute(value, context):
        def one(match):
            name, default = next(variables(match[0]))
            return default if default and isinstance(context.get(name), list) else match[0]
        return VARIABLE.sub(one, value) if isinstance(value, str) else value
    def change(operator, key, values, context):
        if re.match("String|Arn", base(operator)):
            return [substitute(value, context) for value in values]
    return in_resources(change_conditions(case, change) or copy.deepcopy(case), substitute, case)


def in_resources(new, substitute, case):
    context = {key.lower(): value for key, value in case["context"].items()}
    for _, _, statement in statements(new):
        for element in ("Resource", "NotResource"):
            if element in statement:
                changed = [substitute(value, context) for value in listed(statement[element])]
                statement[element] = changed if isinstance(statement[element], list) else changed[0]
    return None if new == case else new


def single_addresses_as_text(case, _):
    """An address without prefix holds for the same text alone, and negated for none of the other family."""
    def change(operator, key, values, context):
        given = context.get(key.lower())
        if base(operator) not in ("IpAddress", "NotIpAddress") or not isinstance(given, str):
            return None
        new = []
        for value in values:
            if "/" in value:
                new.append(value)
            elif (":" in value) != (":" in given):
                if negated(operator):
                    return NEVER
            elif value == given:
                new.append(value)
        return new or (ALWAYS if negated(operator) else NEVER)
    return change_conditions(case, change)


def mapped_addresses_as_ipv6(case, _):
    """`::ffff:203.0.113.7` is an IPv6 address like any other."""
    case, changed = copy.deepcopy(case), False
    for key, value in case["context"].items():
        if isinstance(value, str) and value.startswith("::ffff:"):
            case["context"][key], changed = "::fffe:cb00:7107", True
    return case if changed else None


def leading_zeros_are_no_address(case, _):
    """`203.0.113.007` is no address: neither inside nor outside of any block."""
    padded = re.compile(r"(^|\.)0\d")
    def change(operator, key, values, context):
        given = context.get(key.lower())
        if base(operator) in ("IpAddress", "NotIpAddress") and isinstance(given, str) and ":" not in given and padded.search(given):
            return NEVER
    return change_conditions(case, change)


def unreadable_values_fail_negations(case, _):
    """A request's value that is no number, or no date: it equals none, and is not unequal either."""
    readable = {"Numeric": re.compile(r"\s*[+-]?(\d|\.\d)"), "Date": re.compile(r"\d")}
    def change(operator, key, values, context):
        given = context.get(key.lower())
        kind = base(operator).removesuffix("NotEquals")
        if negated(operator) and kind in readable and given is not None and not readable[kind].match(str(given)):
            return NEVER
    return change_conditions(case, change)


def any_scheme_is_an_arn(case, _):
    case, changed = copy.deepcopy(case), False
    for key, value in case["context"].items():
        if isinstance(value, str) and value.count(":") >= 5 and not value.startswith("arn:"):
            case["context"][key], changed = "arn:" + value.split(":", 1)[1], True
    return case if changed else None


def five_parts_are_an_arn(case, _):
    """`arn:aws:iam::111122223333` is an ARN, unlike every other."""
    case, changed = copy.deepcopy(case), False
    for key, value in case["context"].items():
        if isinstance(value, str) and value.startswith("arn:") and value.count(":") == 4:
            case["context"][key], changed = value + ":none", True
    return case if changed else None


def only_true_and_false_are_booleans(case, _):
    def change(operator, key, values, context):
        if base(operator) == "Bool":
            given = context.get(key.lower())
            if given is not None and not isinstance(given, list) and str(given).lower() not in ("true", "false"):
                return NEVER
            known = [value for value in values if str(value).lower() in ("true", "false")]
            if known != values:
                return known or NEVER
    return change_conditions(case, change)


def root_needs_policies(case, _):
    if not case["principal"].endswith(":root"):
        return None
    user = {**case, "principal": case["principal"].removesuffix("root") + "user/nobody"}
    return not_principal_exempts_the_account(user, None) or user


def services_have_control_policies(case):
    if case["principal"].endswith(".amazonaws.com") and case.get("service_control_policies"):
        return {key: value for key, value in case.items() if key != "service_control_policies"}


def any_value_if_exists_needs_the_key(case, _):
    case, changed = copy.deepcopy(case), False
    for _, _, statement in statements(case):
        for operator in list(statement.get("Condition", {})):
            if operator.startswith("ForAnyValue:") and operator.endswith("IfExists"):
                keys = statement["Condition"].pop(operator)
                known = statement["Condition"].setdefault(operator.removesuffix("IfExists"), {})
                while known.keys() & keys.keys():
                    keys = {key.swapcase(): values for key, values in keys.items()}
                known.update(keys)
                changed = True
    return case if changed else None


def without_grants(case, _):
    return {key: value for key, value in case.items() if key != "grants"} if "grants" in case else None


WORKS_ACROSS_ACCOUNTS = {"Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "DescribeKey", "CreateGrant"}


def works_in_its_account_alone(case):
    service, name = case["action"].split(":")
    principal = case["principal"]
    elsewhere = principal.startswith("arn:") and principal.split(":")[4] != case["resource_account"]
    if service == "kms" and elsewhere and name not in WORKS_ACROSS_ACCOUNTS:
        return "implicit_deny", "allow"


def no_policy_allows_to_retire(case):
    if case["action"] == "kms:RetireGrant":
        return "implicit_deny", "allow"


def retiring_has_no_resource_control_policies(case):
    if case["action"] == "kms:RetireGrant" and case.get("resource_control_policies"):
        return {key: value for key, value in case.items() if key != "resource_control_policies"}


RULES = [
    Rule("ignored-context-keys", imitate=without_ignored_keys),
    Rule("version-2008", imitate=as_version_2012),
    Rule("any-address", imitate=any_address_as_one),
    Rule("mapped-address", imitate=mapped_addresses_as_ipv6),
    Rule("leading-zeros", imitate=leading_zeros_are_no_address),
    Rule("single-address", imitate=single_addresses_as_text),
    Rule("epoch-seconds", imitate=epoch_as_milliseconds),
    Rule("numbers", imitate=numbers_by_prefix),
    Rule("unreadable-value", imitate=unreadable_values_fail_negations),
    Rule("arn-scheme", imitate=any_scheme_is_an_arn),
    Rule("arn-parts", imitate=five_parts_are_an_arn),
    Rule("booleans", imitate=only_true_and_false_are_booleans),
    Rule("empty-value", imitate=empty_values_do_not_resolve),
    Rule("multivalued-default", imitate=defaults_of_multivalued_keys),
    Rule("unresolved-negation", imitate=unresolved_negations_fail),
    Rule("unresolved-exception", imitate=unresolved_exceptions_fail),
    Rule("role-path", imitate=roles_by_name_alone),
    Rule("session-grant", imitate=session_policy_limits_all),
    Rule("not-principal", imitate=not_principal_exempts_the_account),
    Rule("root-user", imitate=root_needs_policies),
    Rule("service-control-policy", spare=services_have_control_policies),
    Rule("any-value-if-exists", imitate=any_value_if_exists_needs_the_key),
    Rule("grants", imitate=without_grants),
    Rule("retire-grant", verdict=no_policy_allows_to_retire, spare=retiring_has_no_resource_control_policies),
    Rule("cross-account-operation", verdict=works_in_its_account_alone),
]
