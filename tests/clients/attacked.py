"""What is attacked: every service of a gateway, over every transport, with an upstream that keeps what it gets."""

import json
import os
import textwrap

import pytest

from conftest import ACCOUNT, REGION, Server
from raw import Request, sha256
from recorder import Recorder
from test_tls import TLS, Authority

ISE, INC, MAT, UCE, EXPIRED_TOKEN, DENIED = (
    "InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException", "UnrecognizedClientException",
    "ExpiredTokenException", "AccessDeniedException")

TRANSPORTS = ["clear", "tls", "http-2"]

OTHER = "444455556666"
TOKEN = "the-session-token-of-the-nightly-rotator"
NIGHTLY = ("ASIANIGHTLYNIGHTLY00", "nightly-secret-nightly-secret-nightly-00")
EXPIRED = ("ASIAEXPIREDEXPIRED00", "expired-secret-expired-secret-expired-00")
CAROL = ("AKIACAROLCAROLCAROL0", "carol-secret-carol-secret-carol-secret-0")
DAVE = ("AKIADAVEDAVEDAVEDAVE", "dave-secret-dave-secret-dave-secret-dave")
GATEWAY = ("AKIAGATEWAYGATEWAY00", "gateway-secret-gateway-secret-gateway-00")

#: The error codes of AWS JSON services, as Query services and S3 call them: IAM User Guide, "Troubleshoot Signature
#: Version 4 signing"; STS API Reference, "Common Errors"; Amazon S3 API Reference, "Error responses".
CODES = {
    "InvalidSignatureException": ("SignatureDoesNotMatch", {
        "SignatureDoesNotMatch", "AccessDenied", "InvalidArgument", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "InvalidRequest",
        "XAmzContentSHA256Mismatch"}),
    "IncompleteSignatureException": ("IncompleteSignature", {"AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"}),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", {"AccessDenied"}),
    "UnrecognizedClientException": ("InvalidClientTokenId", {"InvalidAccessKeyId", "InvalidToken"}),
    "ExpiredTokenException": ("ExpiredToken", {"ExpiredToken"}),
    "AccessDeniedException": ("AccessDenied", {"AccessDenied"}),
}


class Route:
    """A way into the gateway: a request that is allowed, and in which words errors are told."""

    def __init__(self, name, service, form, method="POST", target="/", headers=(), body=b"", presigned=False, chunks=None):
        self.name, self.service, self.form = name, service, form
        self.how = dict(service=service, method=method, target=target, presigned=presigned)
        self.headers, self.body, self.chunks, self.presigned = list(headers), body, chunks, presigned
        self.is_upstream = service not in ("kms", "sts")

    def __repr__(self):
        return self.name

    def request(self, server, **more):
        request = Request(server, body=self.body, headers=list(self.headers), **self.how, **more)
        if self.service == "s3" and not self.presigned:
            request.headers.append(("X-Amz-Content-Sha256", sha256(self.body)))
        return request.chunked(**self.chunks) if self.chunks else request

    def codes(self, code):
        """What that error of AWS JSON is called here."""
        query, s3 = CODES[code]
        return {"json": {code}, "query": {query}, "s3": s3}[self.form]


FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
JSON = ("Content-Type", "application/x-amz-json-1.0")
OBJECT = "/bucket/folder/key"
DATA = bytes(range(256)) * 80

KMS = Route("kms", "kms", "json", headers=[("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", "TrentService.ListKeys")], body=b"{}")
STS = Route("sts", "sts", "query", headers=[FORM], body=b"Action=GetCallerIdentity&Version=2011-06-15")
DYNAMODB = Route("dynamodb", "dynamodb", "json", headers=[JSON, ("X-Amz-Target", "DynamoDB_20120810.GetItem")],
                 body=b'{"TableName":"orders","Key":{"id":{"S":"1"}}}')
SNS = Route("sns", "sns", "query", headers=[FORM], body=b"Action=Publish&Version=2010-03-31&Message=hello&TopicArn=arn%3Aaws%3Asns%3A"
            + f"{REGION}%3A{ACCOUNT}%3Anews".encode())
SNS_PRESIGNED = Route("sns-presigned", "sns", "query", "GET", "/?Action=ListTopics&Version=2010-03-31", presigned=True)
S3 = Route("s3", "s3", "s3", "PUT", OBJECT, [("Content-Type", "text/plain")], DATA)
S3_PRESIGNED = Route("s3-presigned", "s3", "s3", "GET", OBJECT + "?versionId=1", presigned=True)
S3_CHUNKS = Route("s3-chunks", "s3", "s3", "PUT", OBJECT, chunks=dict(data=DATA))
S3_UNSIGNED_CHUNKS = Route("s3-unsigned-chunks", "s3", "s3", "PUT", OBJECT, chunks=dict(data=DATA, signed=False))

ROUTES = [KMS, STS, DYNAMODB, SNS, SNS_PRESIGNED, S3, S3_PRESIGNED, S3_CHUNKS, S3_UNSIGNED_CHUNKS]
PRESIGNED = [SNS_PRESIGNED, S3_PRESIGNED]
BY_HEADER = [route for route in ROUTES if route not in PRESIGNED]
CHUNKED = [S3_CHUNKS, S3_UNSIGNED_CHUNKS]
# Services whose signature is over the body's own hash.
HASHED = [KMS, STS, DYNAMODB, SNS]


def user(name, *statements, account=ACCOUNT):
    return {"Path": "/", "UserName": name, "UserId": f"AIDA{name.upper():0<17}"[:21], "Arn": f"arn:aws:iam::{account}:user/{name}",
            "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}] if statements else []}


def allow(action, resource="*", **condition):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **({"Condition": condition} if condition else {})}


def key(pair, principal, extra=""):
    return f'[[access_key]]\nid = "{pair[0]}"\nsecret = "{pair[1]}"\nprincipal = "arn:aws:{principal}"\n{extra}\n'


#: Alone, carol may do what she is given; the root user may do everything.
OWN = [
    allow(["dynamodb:GetItem", "dynamodb:BatchGetItem"], f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"),
    allow(["sns:Publish", "sns:GetTopicAttributes"], f"arn:aws:sns:{REGION}:{ACCOUNT}:news"),
    allow("sns:ListTopics"), allow("iam:PassRole"), allow("sns:SetTopicAttributes", f"arn:aws:sns:{REGION}:{ACCOUNT}:news"),
    allow(["sns:CreateTopic", "sns:TagResource"], f"arn:aws:sns:{REGION}:{ACCOUNT}:tagged",
          **{"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
    allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"),
    allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "arn:aws:s3:::bucket/carol/*"),
]

LIMITS = '[limits]\nheader_timeout = "2s"\nbody_timeout = "2s"\nidle_timeout = "3s"\ndrain_timeout = "5s"\n'


class House:
    """A gateway before a recorder of everything."""

    def __init__(self, directory, tls=None, log="trace", limits=LIMITS, extra="", statements=OWN, max_body_bytes="64KiB", response_timeout="3s", more="",
                 account=ACCOUNT):
        self.directory, self.recorder, self.max_body_bytes = directory, Recorder(), max_body_bytes
        self.response_timeout, self.more, self.account = response_timeout, more, account
        # Dave may do everything that his own account, another one, can let him do.
        for name, who in [("details", user("carol", *statements)), ("other", user("dave", allow("*"), account=OTHER))]:
            details = {"UserDetailList": [who], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
            (directory / f"{name}.json").write_text(json.dumps(details))
        session = "sts::111122223333:assumed-role/Rotator"
        (directory / "credentials.toml").write_text(
            key(NIGHTLY, f"{session}/nightly", f'session_token = "{TOKEN}"\nexpires = "2099-01-01T00:00:00Z"')
            + key(EXPIRED, f"{session}/old", 'session_token = "expired-token"\nexpires = "2020-01-01T00:00:00Z"')
            + key(CAROL, f"iam::{ACCOUNT}:user/carol") + key(DAVE, f"iam::{OTHER}:user/dave"))
        self.config = directory / "keystile.toml"
        self.config.write_text(textwrap.dedent("""\
            data_dir = "keystile-data"
            [iam]
            authorization_details = ["details.json", "other.json"]
            credentials = ["credentials.toml"]
            """) + f'[log]\nlevel = "{log}"\n' + limits + (tls or "") + "".join(map(self.upstream, ["dynamodb", "sns", "sqs", "s3"])) + extra)
        self.server = Server(directory, config=self.config)

    def upstream(self, service):
        return (f'[[upstream]]\nservice = "{service}"\nurl = "{self.recorder.url}"\naccount = "{self.account}"\nmax_body_bytes = "{self.max_body_bytes}"\n'
                f'response_timeout = "{self.response_timeout}"\nidle_timeout = "1s"\nconnect_timeout = "1s"\nunhealthy_after = 1000\n{self.more}\n')

    def stop(self):
        status = self.server.stop()
        self.recorder.stop()
        return status

    def said(self):
        return (self.directory / "stderr.txt").read_bytes() + (self.server.data / "audit.jsonl").read_bytes()

    def files(self):
        """How many files and sockets the gateway has open."""
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def resident(self):
        """Bytes of memory that the gateway has."""
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A gateway in the clear and one with TLS, each before an upstream of its own."""
    clear = House(tmp_path_factory.mktemp("clear"))
    directory = tmp_path_factory.mktemp("tls")
    Authority(directory, "root-ca").issue("server")
    secure = House(directory, tls=TLS)
    yield {"clear": clear, "tls": secure, "http-2": secure}
    for house in (clear, secure):
        assert KMS.request(house.server).sign().send(linger=0).status == 200
        assert house.stop() == 0
        # Nothing was late, and nothing of a secret was said at the finest level of logging (A58).
        nothing_went_on(house)
        text = house.said()
        for _, secret in (house.server.root_key(), NIGHTLY, EXPIRED, CAROL):
            assert secret.encode() not in text
        assert TOKEN.encode() not in text


@pytest.fixture
def still_serves(houses):
    """After each attack the gateways still serve, and the upstreams begin anew. (TLS takes its time: once, at the end.)"""
    yield
    for house in houses.values():
        house.recorder.take()
        assert house.server.process.poll() is None
    assert KMS.request(houses["clear"].server).sign().send(linger=0).status == 200


# ---- sending ---------------------------------------------------------------------------------

def send(house, transport, request, extra=()):
    return request.send_http_2(extra) if transport == "http-2" else request.send(extra, linger=0)


def by(pair, request, token=None):
    """The same request of another access key."""
    request.key, request.secret, request.token = *pair, token
    if token is not None and not request.presigned:
        request.headers.append(("X-Amz-Security-Token", token))
    return request


def with_query(request, query):
    request.target += ("&" if "?" in request.target else "?") + query
    return request


# ---- outcomes: each looks at an answer, and at what reached the upstream -----------------------

def nothing_went_on(house, is_upload=False):
    """A streamed upload may have begun; it never comes to its end. What is left of one may come while the next test runs."""
    seen = house.recorder.take()
    assert not any(request.is_whole for request in seen), [request.head for request in seen]
    assert is_upload or all(request.target.startswith("/bucket/") for request in seen), [request.head for request in seen]


def refused(*codes, s3=None):
    """With the service's own word for one of these errors; `s3` where it has another one than the kind's."""
    def check(house, route, request, answer):
        assert answer is not None, "closed without an answer"
        expected = {s3} if s3 and route.form == "s3" else set().union(*(route.codes(code) for code in codes))
        assert answer.code in expected and answer.status in (400, 403), answer.raw[:600]
        assert answer.headers.keys() & {"x-amzn-requestid", "x-amz-request-id"}
        nothing_went_on(house, route.service == "s3")
    return check


def bare(*statuses):
    """An HTTP status without an answer of the service, or a stream that is cut."""
    def check(house, route, request, answer):
        assert answer is None or answer.status in statuses and answer.code is None, answer.raw[:600]
        nothing_went_on(house)
    return check


def nobodys(house, route, request, answer):
    """Refused, in whatever words: whose request it is can't be told."""
    assert answer is None or 400 <= answer.status < 500, answer.raw[:600]
    nothing_went_on(house)


def allowed(house, route, request, answer):
    assert answer is not None and answer.status == 200, answer and answer.raw[:600]
    if route.is_upstream:
        went_on(house, route, request)


def allowed_or(outcome):
    def check(house, route, request, answer):
        if answer is not None and answer.status == 200:
            return allowed(house, route, request, answer)
        outcome(house, route, request, answer)
    return check


def went_on(house, route, request):
    """One request, whose method, target and body are those that were verified, without the signature."""
    seen = house.recorder.one()
    path, _, query = request.target.partition("#")[0].partition("?")
    query = "&".join(pair for pair in query.split("&") if pair and not pair.startswith("X-Amz-"))
    assert (seen.method, seen.target) == (request.method, path + ("?" + query if query else ""))
    body = request.body
    if route in CHUNKED:
        data = request.chunks["data"]
        trailer = request.pieces(data, signed=False)[-2]
        body = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(data), data, trailer)
    assert seen.body == body
    own = [("x-keystile-principal-arn", "arn:aws:iam::111122223333:root"), ("x-keystile-decision", "allow"), ("x-forwarded-for", "127.0.0.1")]
    for name, value in own:
        assert seen.all(name) == [value]
    gone = ["authorization", "x-amz-security-token", "connection", "te", "trailer", "transfer-encoding", "upgrade", "expect", "keep-alive", "forwarded"]
    assert not [name for name in gone if seen.all(name)], seen.head
    assert len(seen.all("content-length")) <= 1
    return seen
