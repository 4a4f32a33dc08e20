"""`POST /authorize`: services that enforce themselves ask the gateway what its policies say."""

import base64
import hashlib
import json
import subprocess
import textwrap
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import ACCOUNT, ALICE, BINARY, BOB, REGION, team_config
from test_upstreams import allow, statement

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
ALICE_ARN = f"arn:aws:iam::{ACCOUNT}:user/alice"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def house(serve, tmp_path):
    """Requests to services that are not behind the gateway: it only decides them."""
    config = team_config(tmp_path)
    (tmp_path / "bucket.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "BobReads", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, "Action": "s3:GetObject",
         "Resource": "arn:aws:s3:::reports/*"}]}))
    config.write_text(config.read_text() + textwrap.dedent("""
        [explain]
        encoded_message = true
        [[upstream]]
        service = "dynamodb"
        [[upstream]]
        service = "s3"
        virtual_hosts = ["s3.example.com"]
        [[upstream.resource_policy]]
        resource = "arn:aws:s3:::reports"
        policy = "bucket.json"
    """))
    allow(tmp_path, alice=[statement("dynamodb:GetItem", TABLE), statement("s3:GetObject", "arn:aws:s3:::reports/*"),
                           statement("sts:DecodeAuthorizationMessage", "*")])
    details = json.loads((tmp_path / "details.json").read_text())
    details["UserDetailList"][1]["Tags"] = [{"Key": "Team", "Value": "blue"}]
    (tmp_path / "details.json").write_text(json.dumps(details))
    return serve(config=config)


def ask(server, question):
    """Status and answer."""
    body = question if isinstance(question, bytes) else json.dumps(question).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(server.admin + "/authorize", data=body, method="POST")) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def case(**members):
    return {"principal": ALICE_ARN, "action": "dynamodb:GetItem", "resource": TABLE, **members}


def test_a_case_is_decided_by_the_policies_of_the_gateway(house):
    status, answer = ask(house, case())
    assert (status, answer["decision"], answer["message"]) == (200, "allow", None)
    decided = answer["decided_by"][0]
    assert (decided["layer"], decided["file"].rsplit("/", 1)[-1]) == ("identity_policy", "details.json")
    status, answer = ask(house, case(action="dynamodb:PutItem"))
    assert (status, answer["decision"]) == (200, "implicit_deny")
    assert f"User: {ALICE_ARN} is not authorized to perform: dynamodb:PutItem" in answer["message"]
    # What the case gives takes the place of what is known.
    assert ask(house, case(identity_policies=[]))[1]["decision"] == "implicit_deny"
    given = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    assert ask(house, case(action="dynamodb:PutItem", identity_policies=[given]))[1]["decision"] == "allow"
    # The policies of resources are those of the upstream; nobody is known that the details do not name.
    bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
    read = {"action": "s3:GetObject", "resource": "arn:aws:s3:::reports/a", "resource_account": ACCOUNT}
    assert ask(house, case(principal=bob, **read))[1]["decided_by"][0]["sid"] == "BobReads"
    assert ask(house, case(principal=f"arn:aws:iam::{ACCOUNT}:user/nobody", **read))[1]["decision"] == "implicit_deny"


def test_tags_and_ids_of_the_principal_are_known(house):
    def by(operator, key, value):
        document = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {key: value}}}]}
        bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
        return ask(house, case(principal=bob, identity_policies=[document]))[1]["decision"]

    assert by("StringEquals", "aws:PrincipalTag/Team", "blue") == "allow"
    assert by("StringEquals", "aws:PrincipalTag/Team", "red") == "implicit_deny"
    assert by("StringEquals", "aws:userid", "AIDABOBBOBBOBBOBBOB00") == "allow"


def test_a_case_that_says_all_is_decided_as_simulate_decides_it(house):
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Rotate", "Effect": "Allow", "Principal": {"AWS": ALICE_ARN},
              "Action": "kms:EnableKeyRotation", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]}
    everything = {"identity_policies": [], "session_policies": [], "service_control_policies": [], "resource_control_policies": [],
                  "key_policy": policy, "resource": KEY, "action": "kms:EnableKeyRotation"}
    for context in [{}, {"aws:MultiFactorAuthPresent": True}]:
        question = case(context=context, **everything)
        told = subprocess.run([BINARY, "simulate", "--format", "json"], input=json.dumps(question), capture_output=True, text=True)
        assert ask(house, question) == (200, json.loads(told.stdout))


@pytest.mark.parametrize("question, why", [
    (b"", "a case is a JSON object"),
    (b"[]", "a case is a JSON object"),
    (b"\xff", "UTF-8"),
    ({"action": "s3:GetObject"}, "principal"),
    (case(unknown=1), "unknown member `unknown`"),
    (case(identity_policies=["/etc/passwd"]), "no file is read here"),
    (case(action="kms:Decrypt", resource=KEY), "key_policy is missing"),
    ({"request": "GET / HTTP/1.1", "bodi": ""}, "unknown field"),
    ({"request": "GET /\n"}, "line 1"),
    ({"request": "GET / HTTP/1.1\nhost: h\n\nrest"}, "more than a head"),
    ({"request": "GET / HTTP/1.1\nhost: h", "body": "%"}, "base64"),
    ({"request": "GET / HTTP/1.1\nhost: h", "body_sha256": "00"}, "64 hexadecimal"),
    ({"request": "GET / HTTP/1.1\nhost: h", "body_sha256": "0" * 64, "body": ""}, "not both"),
    ({"request": "POST / HTTP/1.1\nhost: h"}, "no [[upstream]]"),
])
def test_what_cannot_be_read_is_told_so(house, question, why):
    status, answer = ask(house, question)
    assert status == 400 and why in answer["error"], answer


def test_other_methods_are_told_so(house):
    with pytest.raises(urllib.error.HTTPError) as error:
        house.get("/authorize")
    assert (error.value.code, error.value.headers["allow"]) == (405, "POST")


def signed(service, method, url, body=b"", key=ALICE, **headers):
    """The head of a signed request, as HTTP has it."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(*key), service, REGION).add_auth(request)
    host, path = url.removeprefix("http://").split("/", 1)
    lines = [f"{method} /{path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join(lines)


def test_a_signed_request_is_verified_and_decided(house):
    body = json.dumps({"TableName": "orders", "Key": {"id": {"S": "1"}}}).encode()
    headers = {"x-amz-target": "DynamoDB_20120810.GetItem", "content-type": "application/x-amz-json-1.0"}
    head = signed("dynamodb", "POST", "http://db.internal/", body, **headers)
    status, answer = ask(house, {"request": head, "body": base64.b64encode(body).decode()})
    assert (status, answer["decision"], answer["operation"], answer["resources"]) == (200, "allow", "GetItem", [TABLE])
    assert (answer["principal"], answer["account"], answer["service"]) == (ALICE_ARN, ACCOUNT, "dynamodb")
    # A hash proves the signature, and does not tell the table.
    status, answer = ask(house, {"request": head, "body_sha256": hashlib.sha256(body).hexdigest()})
    assert (status, answer["decision"]) == (200, "implicit_deny")
    assert "cannot be determined" in answer["message"]
    other = base64.b64encode(body.replace(b"orders", b"salary")).decode()
    for wrong in [{"body": other}, {"body_sha256": "0" * 64}, {}]:
        status, answer = ask(house, {"request": head, **wrong})
        assert status == 401 and answer["error"].startswith("InvalidSignatureException: "), answer
    forbidden = signed("dynamodb", "POST", "http://db.internal/", body, BOB, **headers)
    status, answer = ask(house, {"request": forbidden, "body": base64.b64encode(body).decode()})
    assert (status, answer["decision"], answer["decided_by"][0]["layer"]) == (200, "implicit_deny", "identity_policy")


def test_an_object_is_told_by_its_head_and_by_its_host(house):
    url = "http://s3.example.com/reports/a"
    assert ask(house, {"request": signed("s3", "GET", url)})[1]["resources"] == ["arn:aws:s3:::reports/a"]
    status, answer = ask(house, {"request": signed("s3", "GET", "http://reports.s3.example.com:8080/a")})
    assert (status, answer["decision"], answer["resources"]) == (200, "allow", ["arn:aws:s3:::reports/a"])
    status, answer = ask(house, {"request": signed("s3", "GET", "http://salaries.s3.example.com/reports/a")})
    assert (answer["decision"], answer["resources"]) == ("implicit_deny", ["arn:aws:s3:::salaries/reports/a"])
    status, answer = ask(house, {"request": signed("s3", "GET", "http://ab.s3.example.com/a")})
    assert (answer["decision"], answer["resources"]) == ("implicit_deny", [])
    # What the signature says of the body is the asker's to hold it to.
    content = signed("s3", "GET", url)
    assert ask(house, {"request": content})[1]["content_sha256"] == hashlib.sha256(b"").hexdigest()


def test_a_denial_carries_a_message_that_its_account_can_decode(house):
    status, answer = ask(house, {"request": signed("s3", "DELETE", "http://s3.example.com/reports/a")})
    assert (status, answer["decision"]) == (200, "implicit_deny")
    assert "Encoded" not in answer["message"]
    with pytest.raises(Exception) as error:
        boto3.client("kms", endpoint_url=house.gateway, region_name=REGION, aws_access_key_id=ALICE[0],
                     aws_secret_access_key=ALICE[1]).create_key()
    text, encoded = str(error.value).split(" Encoded authorization failure message: ")
    assert "kms:CreateKey" in text and "alice" not in encoded
    sts = {key: boto3.client("sts", endpoint_url=house.gateway, region_name=REGION, aws_access_key_id=key[0],
                             aws_secret_access_key=key[1]) for key in [ALICE, BOB]}
    told = json.loads(sts[ALICE].decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert (told["allowed"], told["context"]["action"], told["context"]["principal"]["arn"]) == (False, "kms:CreateKey", ALICE_ARN)
    with pytest.raises(Exception, match="AccessDenied"):
        sts[BOB].decode_authorization_message(EncodedMessage=encoded)
