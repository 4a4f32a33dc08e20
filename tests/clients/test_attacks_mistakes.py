"""A user who misconfigures a gateway, and a client of a proxy that asks it: what can't mean anything does not start, or denies."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.parse

import pytest

from attacked import CAROL, House, Route, allow
from attacked import S3 as UPLOAD
from conftest import ACCOUNT, BINARY, REGION
from raw import Request, connect, read_answer
from recorder import Recorder

NOBODY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}
EVERYBODY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}

DYNAMODB = f'[[upstream]]\nservice = "dynamodb"\nurl = "http://127.0.0.1:1"\naccount = "{ACCOUNT}"\n'
S3 = DYNAMODB.replace("dynamodb", "s3")
ORDERS = DYNAMODB.replace("dynamodb", "orders") + 'protocol = "rest-json"\n'
ROUTE = '[[upstream.action]]\nname = "GetOrder"\nmethod = "GET"\npath = "/orders/{Id}"\n'
NEED = '[upstream.resources]\nGetOrder = "arn:aws:orders:{region}:{account}:order/{path:Id}"\n'


def of_resource(arn, policy="deny.json"):
    return f'[[upstream.resource_policy]]\nresource = "{arn}"\npolicy = "{policy}"\n'


def starts(directory, text):
    """Whether it starts, and what it says if it does not."""
    (directory / "deny.json").write_text(json.dumps(NOBODY))
    (directory / "allow.json").write_text(json.dumps(EVERYBODY))
    (directory / "broken.json").write_text("{")
    (directory / "empty").write_text("")
    (directory / "keystile.toml").write_text(text)
    process = subprocess.Popen(
        [BINARY, "serve", "--config", "keystile.toml", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    process.terminate()
    said = process.communicate(timeout=10)[1]
    return line.startswith("listening"), said


MISTAKES = {
    "a url with a path": DYNAMODB.replace(":1\"", ":1/base\""), "a url with a user": DYNAMODB.replace("127", "u:p@127"), "no scheme": DYNAMODB.replace("http://", ""),
    "another scheme": DYNAMODB.replace("http:", "ftp:"), "no url of several": DYNAMODB.replace('"http://127.0.0.1:1"', "[]"), "sts": DYNAMODB.replace("dynamodb", "sts"),
    "twice": DYNAMODB * 2, "capitals": DYNAMODB.replace("dynamodb", "DynamoDB"), "no definition": DYNAMODB.replace("dynamodb", "orders"),
    "another account's form": DYNAMODB.replace(ACCOUNT, "1111"), "no secret": DYNAMODB + 'resign = { access_key_id = "A" }\n',
    "two secrets": DYNAMODB + 'resign = { access_key_id = "A", secret = "a", secret_env = "B" }\n',
    "a secret that is not there": DYNAMODB + 'resign = { access_key_id = "A", secret_file = "nothing" }\n',
    "an empty secret": DYNAMODB + 'resign = { access_key_id = "A", secret_file = "empty" }\n',
    "no authorities": DYNAMODB.replace("http:", "https:") + 'ca_file = "empty"\n', "no policy": S3 + of_resource("arn:aws:s3:::bucket", "nothing.json"),
    "a broken policy": S3 + of_resource("arn:aws:s3:::bucket", "broken.json"), "a policy of nothing": S3 + of_resource("bucket"),
    "another variable": ORDERS + ROUTE + NEED.replace("path:Id", "path:Idd"), "another filter": ORDERS + ROUTE + NEED.replace("path:Id", "path:Id|anny"),
    "a method in lower case": ORDERS + ROUTE.replace("GET", "get") + NEED, "a key without a service": ORDERS + ROUTE + NEED + '[upstream.context]\norders = "x"\n',
    "an unknown member": DYNAMODB + 'retry = 3\n', "a negative number": DYNAMODB + "max_requests = -1\n", "no requests": DYNAMODB + "max_requests = 0\n",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_do_not_start(tmp_path, name):
    started, said = starts(tmp_path, MISTAKES[name])
    assert not started and ("keystile.toml:" in said or ".json" in said) and "panicked" not in said, said


SILENT = {
    "a port that is none": DYNAMODB.replace(":1\"", ":99999\""), "port 0": DYNAMODB.replace(":1\"", ":0\""), "no host": DYNAMODB.replace("127.0.0.1", ""),
    "no access key": DYNAMODB + 'resign = { access_key_id = "", secret = "a" }\n', "an access key of two lines": DYNAMODB + 'resign = { access_key_id = "A\\nB", secret = "a" }\n',
    "a template that is no ARN": ORDERS + ROUTE + NEED.replace("arn:aws:orders:{region}:{account}:", ""), "an operation without a route": ORDERS + ROUTE + NEED.replace("GetOrder", "PutOrder"),
}


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.xfail(strict=True, reason="it starts, and each request is 502, 500 or denied")
def test_mistakes_that_are_told_by_no_request(tmp_path, name):
    assert not starts(tmp_path, SILENT[name])[0]


WITHOUT_EFFECT = {
    "every bucket": [("arn:aws:s3:::*", "deny.json")], "a pattern": [("arn:aws:s3:::buck*", "deny.json")], "the objects of a bucket": [("arn:aws:s3:::bucket/*", "deny.json")],
    "an object": [("arn:aws:s3:::bucket/folder/key", "deny.json")], "two policies": [("arn:aws:s3:::bucket", "allow.json"), ("arn:aws:s3:::bucket", "deny.json")],
    "another service": [(f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders", "deny.json")],
}


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_a_policy_of_a_resource_has_an_effect_or_does_not_start(tmp_path, name):
    policies = "".join(of_resource(*pair) for pair in WITHOUT_EFFECT[name])
    if not starts(tmp_path, S3 + policies)[0]:
        return
    assert name != "another service"
    answer = puts(tmp_path / "house", policies)
    assert answer.code == "AccessDenied", answer.raw


def test_a_policy_of_a_bucket_has_an_effect(tmp_path):
    assert puts(tmp_path / "denied", of_resource("arn:aws:s3:::bucket")).code == "AccessDenied"
    assert puts(tmp_path / "allowed", of_resource("arn:aws:s3:::bucket", "allow.json")).status == 200
    assert puts(tmp_path / "others", of_resource("arn:aws:s3:::other")).status == 200


def puts(directory, policies):
    """What becomes of the root user's upload under policies of resources of S3."""
    directory.mkdir()
    (directory / "deny.json").write_text(json.dumps(NOBODY))
    (directory / "allow.json").write_text(json.dumps(EVERYBODY))

    house = House(directory, log="warn", extra=policies)
    try:
        return UPLOAD.request(house.server).sign().send(linger=0)
    finally:
        house.stop()


@pytest.mark.parametrize("key,operator,wanted", [
    ("aws:SourceIp", "IpAddress", "10.0.0.1"), ("aws:PrincipalArn", "StringEquals", f"arn:aws:iam::{ACCOUNT}:user/boss"), ("aws:username", "StringEquals", "boss"),
    ("aws:PrincipalTag/team", "StringEquals", "red"), ("aws:SecureTransport", "Bool", "true"), ("aws:MultiFactorAuthPresent", "Bool", "true"),
    ("aws:PrincipalAccount", "StringEquals", "444455556666"), ("aws:CurrentTime", "DateGreaterThanEquals", "2060-01-01T00:00:00Z")])
def test_a_definition_does_not_say_who_asks(tmp_path, key, operator, wanted):
    text = ORDERS + ROUTE + NEED + f'[upstream.context]\n"{key}" = "{{header:x-claim}}"\n'
    if not starts(tmp_path, text)[0]:
        return
    recorder, directory = Recorder(), tmp_path / "house"
    directory.mkdir()
    house = House(directory, log="warn", extra=text.replace("http://127.0.0.1:1", recorder.url), statements=[allow("orders:*", **{operator: {key: wanted}})])
    try:
        request = Request(house.server, b"", b"", key=CAROL[0], secret=CAROL[1], service="orders", method="GET", target="/orders/1", headers=[("X-Claim", wanted)])
        assert request.sign().send(linger=0).status == 403
    finally:
        house.stop()
        recorder.stop()


# ---- a proxy that asks -----------------------------------------------------------------------

SITE = f"""[[upstream]]
service = "site"
protocol = "rest-json"
account = "{ACCOUNT}"
[[upstream.action]]
name = "GetPage"
method = "GET"
path = "/{{page+}}"
[upstream.resources]
GetPage = "arn:aws:site:{{region}}:{{account}}:page/{{path:page|any}}"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("site"), log="trace", extra=SITE, statements=[allow("site:GetPage", f"arn:aws:site:{REGION}:{ACCOUNT}:page/public/*")])
    yield house
    assert house.stop() == 0


def asks(site, uri, signed=None, change=lambda lines: lines):
    """A proxy's question about a request of carol's; `signed` is what she signed."""
    request = Request(site.server, b"", b"", key=CAROL[0], secret=CAROL[1], service="site", method="GET", target=signed or uri, headers=[]).set("Host", "site.example").sign()
    lines = {"Host": "admin", "X-Original-Method": "GET", "X-Original-URI": uri, "X-Original-Host": "site.example", "X-Original-Remote-Addr": "192.0.2.1",
             "X-Original-Scheme": "https", "X-Amz-Date": request.stamp, "Authorization": request.authorization}
    lines = change(list(lines.items()))
    url = urllib.parse.urlsplit(site.server.admin)
    with socket.create_connection((url.hostname, url.port), timeout=5) as sock:
        sock.sendall(("GET /auth HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n").encode("latin-1"))
        answer = read_answer(sock, linger=0)
    assert (answer.status == 200) == (answer.headers.get("x-keystile-principal-arn") == f"arn:aws:iam::{ACCOUNT}:user/carol")
    return answer.status


def test_a_question_is_answered(site):
    assert asks(site, "/public/a") == 200
    assert asks(site, "/public/a?x=/private") == 200
    assert asks(site, "/private/a") == 403


@pytest.mark.parametrize("uri,signed", [
    ("/private/a", "/public/a"), ("/public/../private/a", "/private/a"), ("/public/../private/a", None), ("/public/%2e%2e/private/a", None), ("/public/%2e%2e/private/a", "/private/a"),
    ("/public//a", None), ("/public//a", "/public/a"), ("//public/a", "/public/a"), ("/public/./a", "/public/a"), ("/public/%2F..%2Fprivate", None), ("/public/%00", None),
    ("http://site.example/private/a", "/public/a"), ("public/a", "/public/a"), ("*", "/public/a"), ("/public/a b", "/public/a%20b"), ("", "/public/a"), ("/public/%ff", None),
    ("/public/a%zz", "/public/a"), ("/public/\u00e9", "/public/%C3%A9")])
def test_questions_about_another_page(site, uri, signed):
    assert asks(site, uri, signed) in (400, 401, 403)


@pytest.mark.parametrize("uri,signed", [("/public/a#/../../private/a", "/public/a"), ("/public/a#", "/public/a")])
def test_questions_about_a_page_and_a_fragment(site, uri, signed):
    assert asks(site, uri, signed) in (400, 401, 403)


@pytest.mark.parametrize("change", [
    lambda lines: [*lines, ("X-Original-URI", "/private/a")], lambda lines: [*lines, ("X-Original-Method", "POST")], lambda lines: [*lines, ("X-Original-Host", "other")],
    lambda lines: [*lines, ("X-Original-Remote-Addr", "10.0.0.1")], lambda lines: [*lines, ("X_Original_URI", "/public/a")],
    lambda lines: [line for line in lines if line[0] != "X-Original-URI"], lambda lines: [line for line in lines if line[0] != "X-Original-Host"],
    lambda lines: [line for line in lines if line[0] != "X-Original-Method"], lambda lines: [line for line in lines if line[0] != "Authorization"],
    lambda lines: [(name, "post" if name == "X-Original-Method" else value) for name, value in lines], lambda lines: [(name, "POST" if name == "X-Original-Method" else value) for name, value in lines],
    lambda lines: [(name, "other" if name == "X-Original-Host" else value) for name, value in lines], lambda lines: [(name, "u@site.example" if name == "X-Original-Host" else value) for name, value in lines],
    lambda lines: [(name, "10.0.0.1, 10.0.0.2" if name == "X-Original-Remote-Addr" else value) for name, value in lines],
    lambda lines: [*lines, ("Authorization", dict(lines)["Authorization"])], lambda lines: [*lines, ("X-Amz-Foo", "1")], lambda lines: [*lines, ("X-HTTP-Method-Override", "POST")]], ids=range(17))
def test_questions_out_of_form(site, change):
    assert asks(site, "/public/a", change=change) in (400, 401, 403)


# ---- memory ----------------------------------------------------------------------------------

def test_uploads_in_large_chunks_take_little_memory(tmp_path):
    house = House(tmp_path, log="warn", limits="")
    data, socks = b"y" * (16 << 20), []
    try:
        before = house.resident()
        for at in range(12):
            route = Route("large", "s3", "s3", "PUT", f"/bucket/{at}", chunks=dict(data=data, trailer=False, size=16 << 20))
            socks.append(connect(house.server))
            # A chunk that is too large is refused before its end.
            with contextlib.suppress(ConnectionError):
                socks[-1].sendall(route.request(house.server).sign().bytes()[:-200])
        time.sleep(0.5)
        assert house.resident() - before < 64 << 20, (house.resident() - before) >> 20
    finally:
        for sock in socks:
            sock.close()
        house.stop()
