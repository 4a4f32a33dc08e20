"""Sessions of the built-in STS, as the aws CLI and boto3 get and use them."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import struct
import subprocess
import textwrap
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.exceptions
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from conftest import ACCOUNT, REGION
from xks_proxy import Authority

OTHER = "444455556666"
ISSUER = "https://idp.example.com/tenant"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com/tenant"
MFA = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
ALICE = ("AKIAALICEALICEALICE0", "alice-secret-alice-secret-alice-secret-0")
EVE = ("AKIAEVEEVEEVEEVEEVE0", "eve-secret-eve-secret-eve-secret-eve-000")
CLI = pathlib.Path(os.environ.get("VIRTUAL_ENV", pathlib.Path(os.sys.executable).parent.parent)) / "bin/aws"


def user_arn(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:user/{name}"


def role_arn(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:role/{name}"


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, *actions, **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions) or ["sts:AssumeRole"]}
    if condition:
        statement["Condition"] = condition
    return statement


def role(name, trusts, *statements, role_id=None, **more):
    return {"Path": "/", "RoleName": name, "RoleId": role_id or f"AROA{name.upper():0<17}"[:21], "Arn": role_arn(name),
            "AssumeRolePolicyDocument": policy(*trusts), "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": policy(*statements)}] if statements else [], **more}


def details():
    alice = user_arn("alice")
    every = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    return {
        "UserDetailList": [
            {"Path": "/", "UserName": "alice", "UserId": "AIDAALICEALICEALICE00", "Arn": alice,
             "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": policy(
                 allow("sts:AssumeRole", role_arn("Delegated")), allow("sts:GetFederationToken"), allow(["kms:CreateKey", "kms:ListKeys", "kms:DescribeKey"]))}],
             "Tags": [{"Key": "team", "Value": "red"}]},
        ],
        "GroupDetailList": [],
        "RoleDetailList": [
            role("Worker", [trust({"AWS": alice}, *every)], allow("kms:*"), MaxSessionDuration=7200, Tags=[{"Key": "stage", "Value": "prod"}]),
            role("Delegated", [trust({"AWS": ACCOUNT})], allow("kms:*")),
            role("Undelegated", [trust({"AWS": ACCOUNT})], allow("kms:*")),
            role("External", [trust({"AWS": alice}, StringEquals={"sts:ExternalId": "x-1"})], allow("kms:*")),
            role("WithMfa", [trust({"AWS": alice}, Bool={"aws:MultiFactorAuthPresent": "true"})], allow("kms:*")),
            role("Plain", [trust({"AWS": alice})], allow("kms:*")),
            role("Next", [trust({"AWS": role_arn("Worker")}, *every)], allow("kms:*"), MaxSessionDuration=43200),
            role("Revoked", [trust({"AWS": alice})], allow("kms:*"),
                 {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2099-01-01T00:00:00Z"}}}),
            role("Shared", [trust({"AWS": OTHER})], allow("kms:*")),
            role("Web", [trust({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", "sts:TagSession",
                               StringEquals={"idp.example.com/tenant:aud": "app", "idp.example.com/tenant:sub": "subject-1"})], allow("kms:*")),
            role("Decoder", [trust({"AWS": alice})], allow("sts:DecodeAuthorizationMessage")),
        ],
        "Policies": [{"PolicyName": "ListOnly", "PolicyId": "ANPAX", "Arn": f"arn:aws:iam::{ACCOUNT}:policy/ListOnly", "Path": "/", "DefaultVersionId": "v1",
                      "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "Document": policy(allow("kms:ListKeys"))}]}],
    }


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Provider:
    """An identity provider: it signs tokens and tells its keys."""

    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @classmethod
    def jwks(cls):
        public, point = cls.own.public_key().public_numbers(), cls.curve.public_key().public_numbers()
        return {"keys": [
            {"kty": "RSA", "kid": "rsa-1", "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)},
            {"kty": "EC", "kid": "ec-1", "use": "sig", "crv": "P-256", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))},
        ]}

    @classmethod
    def token(cls, algorithm="RS256", key=None, header=None, **changes):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "app", "sub": "subject-1", "iat": now, "exp": now + 600, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        kid = {"RS256": "rsa-1", "ES256": "ec-1"}.get(algorithm, "rsa-1")
        head = {"alg": algorithm, "kid": kid, "typ": "JWT", **(header or {})}
        signed = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        if algorithm == "RS256":
            signature = (key or cls.own).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        elif algorithm == "ES256":
            r, s = decode_dss_signature(cls.curve.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        elif algorithm == "HS256":
            public = cls.own.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            signature = hmac.new(public, signed.encode(), hashlib.sha256).digest()
        else:
            signature = b""
        return f"{signed}.{b64(signature)}"


def totp(at=None):
    step = int((time.time() if at is None else at) // 30)
    mac = hmac.new(base64.b32decode(SECRET), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[offset:offset + 4])[0] & 0x7fffffff) % 1_000_000:06}"


def write(tmp_path, own):
    (tmp_path / "own.json").write_text(json.dumps(own))
    (tmp_path / "other.json").write_text(json.dumps({
        "UserDetailList": [{"Path": "/", "UserName": "eve", "UserId": "AIDAEVEEVEEVEEVEEVE00", "Arn": user_arn("eve", OTHER),
                            "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": policy(allow("sts:AssumeRole", role_arn("Shared")), allow("sts:AssumeRole", role_arn("Worker")))}]}],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": []}))


@pytest.fixture
def config(tmp_path):
    write(tmp_path, details())
    (tmp_path / "jwks.json").write_text(json.dumps(Provider.jwks()))
    keys = [(ALICE, user_arn("alice")), (EVE, user_arn("eve", OTHER))]
    (tmp_path / "credentials.toml").write_text("\n".join(
        f'[[access_key]]\nid = "{key[0]}"\nsecret = "{key[1]}"\nprincipal = "{principal}"' for key, principal in keys))
    path = tmp_path / "keystile.toml"
    path.write_text(textwrap.dedent(f"""
        data_dir = "keystile-data"
        [iam]
        authorization_details = ["own.json", "other.json"]
        credentials = ["credentials.toml"]
        [[iam.mfa_device]]
        serial = "{MFA}"
        user = "{user_arn('alice')}"
        secret = "{SECRET}"
        [[iam.oidc_provider]]
        issuer = "{ISSUER}"
        audiences = ["app", "other-app"]
        algorithms = ["RS256", "ES256"]
        jwks_file = "jwks.json"
    """))
    return path


@pytest.fixture
def house(serve, config):
    return serve("--test-clock", config=config)


def client(server, service, credentials, **more):
    key, secret, token = (*credentials, None)[:3]
    return boto3.client(service, endpoint_url=server.gateway, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
                        aws_session_token=token, config=Config(retries={"max_attempts": 1}, **more))


def sts(server, credentials=ALICE):
    return client(server, "sts", credentials)


def kms(server, credentials):
    return client(server, "kms", credentials)


def triple(answer):
    credentials = answer["Credentials"]
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def assume(server, name="Worker", credentials=ALICE, session="nightly", **more):
    return sts(server, credentials).assume_role(RoleArn=role_arn(name), RoleSessionName=session, **more)


def refused(code, call, *arguments, **more):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*arguments, **more)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response


def cli(server, home, *arguments, succeeds=True, **environment):
    done = subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=60, env={
        "PATH": os.environ["PATH"], "HOME": str(home), "AWS_ENDPOINT_URL": server.gateway, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": str(home / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"), **environment})
    assert (done.returncode == 0) == succeeds, (done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout.strip() else done.stderr


def test_a_role_profile_works_unmodified(house, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "credentials").write_text(f"[alice]\naws_access_key_id = {ALICE[0]}\naws_secret_access_key = {ALICE[1]}\n")
    (home / "config").write_text(textwrap.dedent(f"""
        [profile worker]
        role_arn = {role_arn('Worker')}
        source_profile = alice
        role_session_name = nightly
        duration_seconds = 1800
        [profile external]
        role_arn = {role_arn('External')}
        source_profile = alice
        external_id = x-1
        [profile unknown]
        role_arn = {role_arn('External')}
        source_profile = alice
        [profile next]
        role_arn = {role_arn('Next')}
        source_profile = worker
    """))
    who = cli(house, home, "sts", "get-caller-identity", "--profile", "worker")
    assert who == {"UserId": "AROAWORKER00000000000:nightly", "Account": ACCOUNT, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/nightly"}
    key = cli(house, home, "kms", "create-key", "--profile", "worker")["KeyMetadata"]
    assert cli(house, home, "kms", "describe-key", "--key-id", key["KeyId"], "--profile", "external")["KeyMetadata"]["Arn"] == key["Arn"]
    assert "AccessDenied" in cli(house, home, "kms", "list-keys", "--profile", "unknown", succeeds=False)
    who = cli(house, home, "sts", "get-caller-identity", "--profile", "next")
    assert who["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/Next/")
    who = cli(house, home, "sts", "get-caller-identity", "--profile", "alice")
    assert who == {"UserId": "AIDAALICEALICEALICE00", "Account": ACCOUNT, "Arn": user_arn("alice")}


def test_who_may_assume_a_role(house):
    assume(house)
    assume(house, "Delegated")
    for name in ["Undelegated", "External", "WithMfa", "Shared", "Next", "NoSuchRole", "Web"]:
        answer = refused("AccessDenied", assume, house, name)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert f"is not authorized to perform: sts:AssumeRole on resource: {role_arn(name)}" in answer["Error"]["Message"]
    assume(house, "External", ExternalId="x-1")
    refused("AccessDenied", assume, house, "External", ExternalId="x-2")
    # Across accounts both sides must allow.
    assert assume(house, "Shared", EVE)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Shared/nightly"
    refused("AccessDenied", assume, house, "Worker", EVE)
    refused("AccessDenied", assume, house, "Plain", EVE)
    refused("AccessDenied", assume, house, "Worker", house.root_key())
    # Tags and a source identity need leave of their own.
    tags = [{"Key": "k", "Value": "v"}]
    assume(house, Tags=tags, SourceIdentity="alice")
    refused("AccessDenied", assume, house, "Plain", Tags=tags)
    refused("AccessDenied", assume, house, "Plain", SourceIdentity="alice")


def key_policy(**statement):
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:root"}}}
    return json.dumps(policy(root, {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", **statement}))


def test_key_policies_name_the_role_the_session_the_account_and_its_tags(house):
    worker = triple(assume(house, session="nightly", Tags=[{"Key": "Team", "Value": "blue"}], SourceIdentity="alice"))
    daily = triple(assume(house, session="daily"))
    other = triple(assume(house, "Plain"))
    root = kms(house, house.root_key())
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/nightly"
    is_tag = lambda key, value: {"StringEquals": {f"aws:PrincipalTag/{key}": value}}
    for statement, allowed in [
        ({"Principal": {"AWS": role_arn("Worker")}}, [True, True, False]),
        ({"Principal": {"AWS": session}}, [True, False, False]),
        ({"Principal": {"AWS": ACCOUNT}}, [True, True, True]),
        ({"Principal": {"AWS": user_arn("alice")}}, [False, False, False]),
        ({"Principal": "*", "Condition": is_tag("team", "blue")}, [True, False, False]),
        ({"Principal": "*", "Condition": is_tag("stage", "prod")}, [True, True, False]),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:SourceIdentity": "alice"}}}, [True, False, False]),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:userid": "AROAWORKER00000000000:*"}}}, [True, True, False]),
        ({"Principal": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}, [False, False, False]),
    ]:
        key = root.create_key(Policy=key_policy(**statement))["KeyMetadata"]["KeyId"]
        for credentials, expected in zip([worker, daily, other], allowed):
            if expected:
                kms(house, credentials).encrypt(KeyId=key, Plaintext=b"x")
            else:
                refused("AccessDeniedException", kms(house, credentials).encrypt, KeyId=key, Plaintext=b"x")


def test_session_policies_limit(house):
    inline = assume(house, Policy=json.dumps(policy(allow("kms:CreateKey"))))
    managed = assume(house, PolicyArns=[{"arn": f"arn:aws:iam::{ACCOUNT}:policy/ListOnly"}])
    assert 0 < inline["PackedPolicySize"] <= 100 and managed["PackedPolicySize"] > 0
    assert "PackedPolicySize" not in assume(house)
    kms(house, triple(inline)).create_key()
    refused("AccessDeniedException", kms(house, triple(inline)).list_keys)
    kms(house, triple(managed)).list_keys()
    refused("AccessDeniedException", kms(house, triple(managed)).create_key)
    refused("MalformedPolicyDocument", assume, house, Policy='{"Statement": 5}')
    refused("InvalidParameterValue", assume, house, PolicyArns=[{"arn": f"arn:aws:iam::{ACCOUNT}:policy/None"}])
    refused("ValidationError", assume, house, Policy=json.dumps(policy(allow("kms:" + "x" * 2048))))
    tags = [{"Key": f"k{at:02}" + "x" * 100, "Value": "v" * 256} for at in range(50)]
    refused("PackedPolicyTooLarge", assume, house, Tags=tags)


def test_sessions_end_and_roles_that_are_gone_have_none(house, tmp_path):
    short = triple(assume(house, DurationSeconds=900))
    usual = triple(assume(house))
    refused("ValidationError", assume, house, DurationSeconds=7201)
    assume(house, DurationSeconds=7200)
    house.advance(899)
    kms(house, short).list_keys()
    house.advance(1)
    refused("ExpiredTokenException", kms(house, short).list_keys)
    assert refused("ExpiredToken", sts(house, short).get_caller_identity)["ResponseMetadata"]["HTTPStatusCode"] == 403
    kms(house, usual).list_keys()
    # The role's present policies hold, and a role of another id is another role.
    own = details()
    own["RoleDetailList"][0]["RolePolicyList"] = []
    write(tmp_path, own)
    house.reload()
    refused("AccessDeniedException", kms(house, usual).list_keys)
    own["RoleDetailList"][0].update(details()["RoleDetailList"][0], RoleId="AROAANOTHERROLE000000")
    write(tmp_path, own)
    house.reload()
    refused("UnrecognizedClientException", kms(house, usual).list_keys)
    write(tmp_path, details())
    house.reload()
    kms(house, usual).list_keys()
    own["RoleDetailList"].pop(0)
    write(tmp_path, own)
    house.reload()
    refused("UnrecognizedClientException", kms(house, usual).list_keys)


def test_a_session_survives_a_restart_and_its_role_may_revoke_it(serve, config):
    server = serve(config=config)
    worker = triple(assume(server))
    server.stop()
    server = serve(config=config)
    kms(server, worker).list_keys()
    refused("AccessDeniedException", kms(server, triple(assume(server, "Revoked"))).list_keys)


def test_a_token_that_was_not_issued_is_nobodys(house):
    key, secret, token = triple(assume(house))
    other = triple(assume(house))
    for wrong in [token[:-4], token[4:], token[:100] + ("B" if token[100] == "A" else "A") + token[101:], other[2], "x", token + token]:
        refused("UnrecognizedClientException", kms(house, (key, secret, wrong)).list_keys)
        refused("InvalidClientTokenId", sts(house, (key, secret, wrong)).get_caller_identity)
    refused("UnrecognizedClientException", kms(house, (key, secret)).list_keys)
    refused("InvalidSignatureException", kms(house, (key, other[1], token)).list_keys)
    refused("UnrecognizedClientException", kms(house, (other[0], secret, token)).list_keys)
    refused("UnrecognizedClientException", kms(house, (*ALICE, token)).list_keys)


def test_roles_chain_with_transitive_tags_and_for_an_hour(house):
    worker = triple(assume(house, Tags=[{"Key": "Project", "Value": "p1"}, {"Key": "Own", "Value": "o"}], TransitiveTagKeys=["Project"], SourceIdentity="alice"))
    refused("ValidationError", assume, house, "Next", worker, DurationSeconds=3601)
    answer = assume(house, "Next", worker, DurationSeconds=3600)
    assert answer["SourceIdentity"] == "alice"
    refused("InvalidParameterValue", assume, house, "Next", worker, Tags=[{"Key": "project", "Value": "p2"}])
    refused("AccessDenied", assume, house, "Next", worker, SourceIdentity="mallory")
    root, chained = kms(house, house.root_key()), kms(house, triple(answer))
    for tag, value, allowed in [("project", "p1", True), ("own", "o", False), ("stage", "prod", False)]:
        condition = {"StringEquals": {f"aws:PrincipalTag/{tag}": value}}
        key = root.create_key(Policy=key_policy(Principal="*", Condition=condition))["KeyMetadata"]["KeyId"]
        if allowed:
            chained.encrypt(KeyId=key, Plaintext=b"x")
        else:
            refused("AccessDeniedException", chained.encrypt, KeyId=key, Plaintext=b"x")
    for call in ["get_session_token", lambda client: client.get_federation_token(Name="bob")]:
        refused("AccessDenied", lambda: getattr(sts(house, worker), call)() if isinstance(call, str) else call(sts(house, worker)))


def test_session_tokens_and_federation(house):
    own = sts(house).get_session_token(DurationSeconds=900)
    session = triple(own)
    assert sts(house, session).get_caller_identity()["Arn"] == user_arn("alice")
    kms(house, session).list_keys()
    assume(house, "Worker", session)
    for call in [lambda: sts(house, session).get_session_token(), lambda: sts(house, session).get_federation_token(Name="bob"),
                 lambda: sts(house, session).decode_authorization_message(EncodedMessage="x")]:
        refused("AccessDenied", call)
    federated = sts(house).get_federation_token(Name="bob", Policy=json.dumps(policy(allow("kms:ListKeys"))), DurationSeconds=900)
    assert federated["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:bob", "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"}
    bob, bare = triple(federated), triple(sts(house).get_federation_token(Name="carol"))
    assert sts(house, bob).get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
    kms(house, bob).list_keys()
    refused("AccessDeniedException", kms(house, bob).create_key)
    refused("AccessDeniedException", kms(house, bare).list_keys)
    refused("AccessDenied", assume, house, "Worker", bob)
    key = kms(house, house.root_key()).create_key(Policy=key_policy(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/carol"}))["KeyMetadata"]["KeyId"]
    kms(house, bare).encrypt(KeyId=key, Plaintext=b"x")
    refused("AccessDeniedException", kms(house, bob).encrypt, KeyId=key, Plaintext=b"x")
    root = triple(sts(house, house.root_key()).get_session_token(DurationSeconds=36000))
    kms(house, root).list_keys()
    house.advance(3600)
    refused("ExpiredTokenException", kms(house, root).list_keys)
    refused("ExpiredTokenException", kms(house, session).list_keys)


def test_a_second_factor(house):
    refused("AccessDenied", assume, house, "WithMfa", SerialNumber=MFA, TokenCode="000000" if totp() != "000000" else "000001")
    code = totp()
    answer = assume(house, "WithMfa", SerialNumber=MFA, TokenCode=code)
    refused("AccessDenied", assume, house, "WithMfa", SerialNumber=MFA, TokenCode=code)
    refused("AccessDenied", assume, house, "WithMfa", SerialNumber=MFA.replace("alice", "nobody"), TokenCode=totp(time.time() + 30))
    refused("AccessDenied", assume, house, "Shared", EVE, SerialNumber=MFA, TokenCode=totp(time.time() + 30))
    # With the next code: each is taken once.
    session = triple(sts(house).get_session_token(SerialNumber=MFA, TokenCode=totp(time.time() + 30)))
    assume(house, "WithMfa", session)
    key = kms(house, house.root_key()).create_key(Policy=key_policy(Principal={"AWS": user_arn("alice")}, Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "600"}}))
    key = key["KeyMetadata"]["KeyId"]
    kms(house, session).encrypt(KeyId=key, Plaintext=b"x")
    refused("AccessDeniedException", kms(house, ALICE).encrypt, KeyId=key, Plaintext=b"x")
    house.advance(600)
    refused("AccessDeniedException", kms(house, session).encrypt, KeyId=key, Plaintext=b"x")
    assert kms(house, triple(answer)).list_keys()


def web(server, token, name="Web", **more):
    unsigned = boto3.client("sts", endpoint_url=server.gateway, region_name=REGION, config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}))
    return unsigned.assume_role_with_web_identity(RoleArn=role_arn(name), RoleSessionName="web-1", WebIdentityToken=token, **more)


def test_a_web_identity_gets_a_session(house, tmp_path):
    for algorithm in ["RS256", "ES256"]:
        answer = web(house, Provider.token(algorithm))
        assert answer["SubjectFromWebIdentityToken"] == "subject-1" and answer["Audience"] == "app" and answer["Provider"] == ISSUER
        kms(house, triple(answer)).list_keys()
    root = kms(house, house.root_key())
    condition = {"StringEquals": {"aws:FederatedProvider": PROVIDER, "aws:PrincipalTag/Team": "blue"}}
    key = root.create_key(Policy=key_policy(Principal="*", Condition=condition))["KeyMetadata"]["KeyId"]
    tags = {"principal_tags": {"Team": ["blue"]}, "transitive_tag_keys": ["Team"]}
    tagged = triple(web(house, Provider.token(**{"https://aws.amazon.com/tags": tags})))
    kms(house, tagged).encrypt(KeyId=key, Plaintext=b"x")
    refused("AccessDeniedException", kms(house, triple(web(house, Provider.token()))).encrypt, KeyId=key, Plaintext=b"x")
    # A profile with a token's file, as in a cluster.
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text(Provider.token())
    who = cli(house, home, "sts", "get-caller-identity", AWS_ROLE_ARN=role_arn("Web"), AWS_WEB_IDENTITY_TOKEN_FILE=str(home / "token"), AWS_ROLE_SESSION_NAME="pod")
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Web/pod"


class Published:
    """The keys of an identity provider at an https URL."""

    def __init__(self, directory):
        self.asked, self.body, self.status = 0, json.dumps(Provider.jwks()).encode(), 200
        published = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                published.asked += 1
                self.send_response(published.status)
                self.send_header("Content-Length", str(len(published.body)))
                self.send_header("Location", "https://localhost/elsewhere")
                self.end_headers()
                self.wfile.write(published.body)

            def log_message(self, *arguments):
                pass

        self.authority = Authority(directory)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = self.authority.server_context("localhost").wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}/keys"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.mark.parametrize("mischief", ["none", "a redirection", "not keys", "another authority"])
def test_keys_are_fetched_from_a_url(serve, config, tmp_path, mischief):
    published = Published(tmp_path)
    authority = Authority(tmp_path, "other") if mischief == "another authority" else published.authority
    config.write_text(config.read_text().replace('jwks_file = "jwks.json"', f'jwks_url = "{published.url}"\nca_file = "{authority.file}"'))
    if mischief == "a redirection":
        published.status = 302
    if mischief == "not keys":
        published.body = b"{}"
    server = serve(config=config)
    assert published.asked == 0, "no key is needed yet"
    if mischief != "none":
        refused("IDPCommunicationError", web, server, Provider.token())
        refused("IDPCommunicationError", web, server, Provider.token())
        assert published.asked <= 1
        return
    for _ in range(3):
        kms(server, triple(web(server, Provider.token()))).list_keys()
    refused("InvalidIdentityToken", web, server, Provider.token(header={"kid": "unknown"}))
    assert published.asked == 1


def test_tokens_that_vouch_for_nobody(house):
    now, token = int(time.time()), Provider.token()
    head, claims, signature = token.split(".")
    for code, wrong in [
        ("InvalidIdentityToken", Provider.token(key=Provider.foreign)),
        ("InvalidIdentityToken", Provider.token("none")),
        ("InvalidIdentityToken", Provider.token("None")),
        ("InvalidIdentityToken", f"{b64(b'{}')}.{claims}."),
        ("InvalidIdentityToken", Provider.token("HS256")),
        ("InvalidIdentityToken", Provider.token(header={"kid": "ec-1"})),
        ("InvalidIdentityToken", Provider.token(header={"kid": "unknown"})),
        ("InvalidIdentityToken", Provider.token(header={"alg": "ES256"})),
        ("InvalidIdentityToken", Provider.token(header={"crit": ["b64"], "b64": False})),
        ("InvalidIdentityToken", Provider.token(aud="someone-else")),
        ("InvalidIdentityToken", Provider.token(aud=["someone-else"])),
        ("InvalidIdentityToken", Provider.token(aud=None)),
        ("InvalidIdentityToken", Provider.token(azp="someone-else")),
        ("InvalidIdentityToken", Provider.token(iss="https://evil.example.com")),
        ("InvalidIdentityToken", Provider.token(iss=ISSUER + "/")),
        ("InvalidIdentityToken", Provider.token(iss=None)),
        ("InvalidIdentityToken", Provider.token(sub=None)),
        ("InvalidIdentityToken", Provider.token(exp=None)),
        ("InvalidIdentityToken", Provider.token(iat=None)),
        ("InvalidIdentityToken", Provider.token(nbf=now + 600)),
        ("InvalidIdentityToken", Provider.token(iat=now + 600, exp=now + 1200)),
        ("InvalidIdentityToken", Provider.token(exp="soon")),
        ("ExpiredTokenException", Provider.token(iat=now - 700, exp=now - 1)),
        ("InvalidIdentityToken", f"{head}.{claims}.{signature[:-4]}AAAA"),
        ("InvalidIdentityToken", f"{head}.{b64(json.dumps({'iss': ISSUER, 'aud': 'app', 'sub': 'admin', 'exp': now + 600, 'iat': now}).encode())}.{signature}"),
        ("InvalidIdentityToken", "not.a.token"),
        ("InvalidIdentityToken", "nonsense"),
        ("InvalidIdentityToken", token + "."),
        # They hold, but the role does not trust them.
        ("AccessDenied", Provider.token(sub="subject-2")),
        ("AccessDenied", Provider.token(aud="other-app")),
        ("AccessDenied", Provider.token(**{"https://aws.amazon.com/source_identity": "alice"})),
    ]:
        refused(code, web, house, wrong)
    for name in ["Worker", "NoSuchRole"]:
        answer = refused("AccessDenied", web, house, token, name)
        assert answer["Error"]["Message"] == "Not authorized to perform sts:AssumeRoleWithWebIdentity"


def post(server, body, **headers):
    request = urllib.request.Request(server.gateway, data=body.encode(), method="POST", headers={"Content-Type": "application/x-www-form-urlencoded", **headers})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_nothing_but_a_web_identity_goes_without_a_signature(house):
    for action in ["GetCallerIdentity", "AssumeRole", "GetSessionToken", "Nonsense"]:
        status, text = post(house, f"Action={action}&Version=2011-06-15&RoleArn={role_arn('Web')}&RoleSessionName=s")
        assert status == 403 and "<Code>MissingAuthenticationToken</Code>" in text, (action, text)
    form = urllib.parse.urlencode({"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role_arn("Web"), "RoleSessionName": "web-1",
                                   "WebIdentityToken": Provider.token()})
    assert post(house, form)[0] == 200
    assert post(house, form + "&RoleArn=" + role_arn("Worker"))[0] == 403, "given twice"
    assert post(house, form.replace("2011-06-15", "2012-01-01"))[0] == 400
    assert post(house, form, Authorization="AWS4-HMAC-SHA256 nonsense")[0] in (400, 403)


def test_bad_parameters_are_told_as_aws_tells_them(house):
    message = refused("ValidationError", assume, house, session="a b")["Error"]["Message"]
    assert message == r"1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"
    refused("ValidationError", sts(house).assume_role, RoleArn=user_arn("alice"), RoleSessionName="nightly")
    refused("InvalidParameterValue", assume, house, Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}])
    refused("InvalidParameterValue", assume, house, Tags=[{"Key": "a", "Value": "1"}], TransitiveTagKeys=["b"])
    refused("AccessDenied", assume, house, TokenCode="123456")
    refused("InvalidAuthorizationMessageException", sts(house, triple(assume(house, "Decoder"))).decode_authorization_message, EncodedMessage="nonsense")
    refused("AccessDenied", sts(house).decode_authorization_message, EncodedMessage="nonsense")


def test_sessions_are_recorded_as_cloudtrail_records_them(house, tmp_path):
    answer = assume(house, SourceIdentity="alice", Tags=[{"Key": "k", "Value": "v"}])
    kms(house, triple(answer)).list_keys()
    web(house, Provider.token())
    refused("InvalidIdentityToken", web, house, Provider.token("none"))
    house.stop()
    text = (house.data / "audit.jsonl").read_text()
    assert answer["Credentials"]["SecretAccessKey"] not in text and answer["Credentials"]["SessionToken"] not in text
    records = [json.loads(line) for line in text.splitlines()]
    assumed = next(record for record in records if record["eventName"] == "AssumeRole")
    assert assumed["eventSource"] == "sts.amazonaws.com" and assumed["readOnly"] is True and assumed["userIdentity"]["type"] == "IAMUser"
    assert assumed["requestParameters"] == {"roleArn": role_arn("Worker"), "roleSessionName": "nightly", "sourceIdentity": "alice", "tags": [{"key": "k", "value": "v"}]}
    assert assumed["responseElements"]["assumedRoleUser"]["arn"].endswith("assumed-role/Worker/nightly")
    assert assumed["responseElements"]["credentials"]["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert assumed["resources"][0]["ARN"] == role_arn("Worker") and assumed["keystile"]["decision"] == "allow"
    used = next(record for record in records if record["eventName"] == "ListKeys")["userIdentity"]
    assert used["type"] == "AssumedRole" and used["sessionContext"]["sourceIdentity"] == "alice"
    assert used["sessionContext"]["sessionIssuer"]["arn"] == role_arn("Worker")
    vouched, nobody = [record for record in records if record["eventName"] == "AssumeRoleWithWebIdentity"]
    assert vouched["userIdentity"] == {"type": "WebIdentityUser", "principalId": f"{PROVIDER}:app:subject-1", "identityProvider": PROVIDER}
    assert nobody["errorCode"] == "InvalidIdentityToken" and nobody["userIdentity"]["type"] == "Unknown"
