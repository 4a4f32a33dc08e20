"""Two accounts and a session: what one account may learn of the other, and what a session carries."""

import json
import textwrap

import botocore.exceptions
import pytest

OWN, OTHER = "111122223333", "444455556666"


def user(account, name, *statements):
    return {"Path": "/", "UserName": name, "UserId": f"AIDA{name.upper():0<17}", "Arn": f"arn:aws:iam::{account}:user/{name}",
            "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}]}


def statement(effect, action, **more):
    return {"Effect": effect, "Action": action, "Resource": "*", **more}


@pytest.fixture
def neighbours(serve, tmp_path):
    allow = statement("Allow", "kms:*")
    revoked = statement("Deny", "*", Condition={"DateLessThan": {"aws:TokenIssueTime": "2026-06-01T00:00:00Z"}})
    own = {"UserDetailList": [user(OWN, "first", allow), user(OWN, "silent", statement("Allow", "kms:ListKeys"))], "GroupDetailList": [], "Policies": [],
           "RoleDetailList": [{"Path": "/", "RoleName": "R", "RoleId": "AROARRRRRRRRRRRRRRRRR", "Arn": f"arn:aws:iam::{OWN}:role/R",
                               "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                               "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow, revoked]}}]}]}
    other = {"UserDetailList": [user(OTHER, "eve", allow), user(OTHER, "dan", allow, statement("Deny", "kms:*"))],
             "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    (tmp_path / "own.json").write_text(json.dumps(own))
    (tmp_path / "other.json").write_text(json.dumps(other))
    keys, secrets = "", {}
    for account, name in [(OWN, "first"), (OWN, "silent"), (OTHER, "eve"), (OTHER, "dan")]:
        key, secret = f"AKIA{name.upper():X<16}", f"{name}-secret".ljust(40, "0")
        secrets[name] = (key, secret)
        keys += f'[[access_key]]\nid = "{key}"\nsecret = "{secret}"\nprincipal = "arn:aws:iam::{account}:user/{name}"\n\n'
    for name, issued in [("old", ""), ("new", 'issued_at = "2026-07-01T00:00:00Z"\n')]:
        key, secret = f"ASIA{name.upper():X<16}", f"{name}-secret".ljust(40, "0")
        secrets[name] = (key, secret, name)
        keys += (f'[[access_key]]\nid = "{key}"\nsecret = "{secret}"\nsession_token = "{name}"\n'
                 f'principal = "arn:aws:sts::{OWN}:assumed-role/R/{name}"\nexpires = "2099-01-01T00:00:00Z"\n{issued}\n')
    (tmp_path / "credentials.toml").write_text(keys)
    (tmp_path / "keystile.toml").write_text(textwrap.dedent("""
        data_dir = "keystile-data"
        [iam]
        authorization_details = ["own.json", "other.json"]
        credentials = ["credentials.toml"]
    """))
    server = serve(config=tmp_path / "keystile.toml")
    return lambda name=None: server.kms(*secrets[name]) if name else server.kms()


def error(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def missing(arn):
    return arn[:-12] + "0" * 12


def test_another_accounts_aliases_are_not_listed_and_its_keys_not_told(neighbours):
    root, eve = neighbours(), neighbours("eve")
    key = root.create_key()["KeyMetadata"]["Arn"]
    root.create_alias(AliasName="alias/hidden", TargetKeyId=key)
    answers = {error(eve.list_aliases, KeyId=arn)[1].replace(arn, "") for arn in (key, missing(key))}
    assert len(answers) == 1
    assert root.list_aliases(KeyId=key)["Aliases"][0]["AliasName"] == "alias/hidden"


@pytest.mark.parametrize("name", ["eve", "dan"])
def test_another_accounts_keys_and_missing_ones_are_denied_alike(neighbours, name):
    root, caller = neighbours(), neighbours(name)
    key = root.create_key()["KeyMetadata"]["Arn"]
    root.create_alias(AliasName="alias/s", TargetKeyId=key)
    base = key.rsplit(":", 1)[0]
    answers = {error(caller.describe_key, KeyId=each) for each in (key, missing(key), f"{base}:alias/s", f"{base}:alias/nope")}
    assert len(answers) == 1 and answers.pop()[0] == "AccessDeniedException"


def test_a_session_that_was_issued_too_early_is_revoked(neighbours):
    key = neighbours().create_key()["KeyMetadata"]["Arn"]
    assert error(neighbours("old").describe_key, KeyId=key)[0] == "AccessDeniedException"
    neighbours("new").describe_key(KeyId=key)


def test_a_denied_decrypt_does_not_tell_the_key_inside_the_ciphertext(neighbours):
    root = neighbours()
    key = root.create_key()["KeyMetadata"]["Arn"]
    blob = root.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    own = error(neighbours("silent").decrypt, CiphertextBlob=blob)[1]
    assert own == (f"User: arn:aws:iam::{OWN}:user/silent is not authorized to perform: kms:Decrypt on the resource associated with this "
                   "ciphertext because no identity-based policy allows the kms:Decrypt action")
    foreign = error(neighbours("eve").decrypt, CiphertextBlob=blob)[1]
    assert foreign.endswith("on the resource associated with this ciphertext because the resource does not exist in this Region, no "
                            "resource-based policies allow access, or a resource-based policy explicitly denies access")
