"""What botocore signs, keystile verifies, and they agree on what was signed.

KEYSTILE_SEED: which requests are drawn. Nothing is sent anywhere.
"""

import datetime
import io
import json
import os
import random
import subprocess
from urllib.parse import quote, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from ask import BINARY

SEED = os.environ.get("KEYSTILE_SEED", "1")
KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "AQoDYXdz/+EXAMPLE=="
TEXT = "abcXYZ019-_.~!*'()&=%?#:@,;$[] \u00e9\u1234\U0001d4b3"


def verify(raw, at, token=None, *flags):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": token or ""}
    done = subprocess.run([BINARY, "verify", "--format", "json", "--now", at, *flags], input=raw, capture_output=True, env=environment)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def raw_request(method, url, headers, body):
    """As it goes over the wire, its length in place of a transfer encoding."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    text = lambda value: value.decode() if isinstance(value, bytes) else str(value)
    fields = {text(name).lower(): text(value) for name, value in headers.items()}
    fields.setdefault("host", parts.netloc)
    fields.pop("transfer-encoding", None)
    fields["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


# -- generated requests ---------------------------------------------------------------------------------

SIGNERS = {
    ("execute-api", "header"): botocore.auth.SigV4Auth,
    ("execute-api", "query"): botocore.auth.SigV4QueryAuth,
    ("sts", "query"): botocore.auth.SigV4QueryAuth,
    ("s3", "header"): botocore.auth.S3SigV4Auth,
    ("s3", "query"): botocore.auth.S3SigV4QueryAuth,
}


def signed(dice, service, form, token):
    """A request, what its signer took as canonical, and when."""
    text = lambda most: "".join(dice.choices(TEXT, k=dice.randint(0, most)))
    segments = [text(6) for _ in range(dice.randint(0, 4))]
    # What climbs above the root is refused. Of a path that ends in a dot segment botocore drops the last
    # slash too, where RFC 3986 and other signers keep it.
    segments = [segment if segment != ".." else "dots" for segment in segments]
    if segments and segments[-1] == ".":
        segments.append("end")
    path = "/" if service == "sts" else "/" + "/".join(quote(segment, safe="~") for segment in segments)
    query = "&".join(f"{quote(text(4), safe='-_.~')}={quote(text(6), safe='-_.~')}" for _ in range(dice.randint(0, 4)))
    url = f"https://example.com{path}" + (f"?{query}" if query else "")
    headers = {f"x-{dice.choice('abcdef')}-h": f"a  {dice.randint(0, 9)} b" for _ in range(dice.randint(0, 3))}
    method = dice.choice(["GET", "POST"] if service == "sts" else ["GET", "PUT", "POST", "DELETE"])
    body = b"" if form == "query" else os.urandom(dice.randint(0, 40))
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    took = []

    class Signer(SIGNERS[service, form]):
        def canonical_request(self, request):
            took.append(super().canonical_request(request))
            return took[-1]

    Signer(Credentials(KEY_ID, SECRET, token), service, "us-east-1").add_auth(request)
    at = request.context["timestamp"]
    return raw_request(method, request.url, request.headers, body), took[-1], at


def moment(basic):
    return datetime.datetime.strptime(basic, "%Y%m%dT%H%M%SZ").strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(("service", "form"), SIGNERS, ids=[f"{service}-{form}" for service, form in SIGNERS])
def test_what_is_signed_is_read_alike(service, form):
    dice = random.Random(f"{SEED}/{service}/{form}")
    for _ in range(60):
        token = dice.choice([None, TOKEN])
        raw, canonical, at = signed(dice, service, form, token)
        report = verify(raw, moment(at), token)
        assert report["canonical_request"] == canonical, raw
        assert report["result"] == "verified", (report, raw)
        changed = raw.replace(b"/1.1\r\n", b"/1.1\r\nx-amz-new: 1\r\n", 1)
        assert verify(changed, moment(at), token)["result"] == "refused"


# -- what the clients send ------------------------------------------------------------------------------


class Caught(Exception):
    pass


def sent(service, call, **config):
    """The request of a client's call, which goes nowhere."""

    def catch(request, **_):
        body = request.body
        body = body.read() if hasattr(body, "read") else body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        raise Caught(raw_request(request.method, request.url, request.headers, body))

    client = client_of(service, **config)
    client.meta.events.register("before-send", catch)
    with pytest.raises(Caught) as caught:
        call(client)
    return caught.value.args[0]


def client_of(service, token=None, **config):
    return boto3.client(service, region_name="us-east-1", aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, aws_session_token=token, config=Config(retries={"max_attempts": 0}, **config))


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stream(io.RawIOBase):
    """A body that can't be rewound, so that its checksum can only follow it."""

    def __init__(self, body):
        self.inner = io.BytesIO(body)

    def read(self, size=-1):
        return self.inner.read(size)

    def tell(self):
        return self.inner.tell()

    def seek(self, *where):
        return self.inner.seek(*where)


@pytest.mark.parametrize("algorithm", [None, "CRC32", "SHA1", "SHA256"])
def test_an_upload_with_its_checksum_behind_it(algorithm):
    body = b"0123456789" * 200_000
    extra = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    raw = sent("s3", lambda s3: s3.put_object(Bucket="b", Key="a b/\u00e9", Body=Stream(body), **extra))
    assert b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" in raw
    assert verify(raw, now())["result"] == "verified"
    at = raw.rindex(b"0123456789")
    assert verify(raw[:at] + b"1" + raw[at + 1:], now())["result"] == "refused"


@pytest.mark.parametrize("call", [
    lambda s3: s3.put_object(Bucket="b", Key="a b/\u00e9", Body=b"text", ContentType="text/plain"),
    lambda s3: s3.put_object(Bucket="b", Key="../a//./b", Body=b"text", ContentMD5="HLIpMn3Qo0BSpyQqMKmuWg=="),
    lambda s3: s3.get_object(Bucket="b", Key="a+b~c"),
    lambda s3: s3.list_objects_v2(Bucket="b", Prefix="a b/", Delimiter="/"),
    lambda s3: s3.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "a"}]}),
    lambda s3: s3.complete_multipart_upload(Bucket="b", Key="a", UploadId="u", ChecksumCRC32="AAAAAA==",
                                            MultipartUpload={"Parts": [{"ETag": "e", "PartNumber": 1}]}),
], ids=["put", "put-dots", "get", "list", "delete", "complete"])
@pytest.mark.parametrize("signed_payload", [True, False])
def test_calls_of_s3(call, signed_payload):
    raw = sent("s3", call, s3={"payload_signing_enabled": signed_payload, "addressing_style": "path"})
    report = verify(raw, now())
    if b"content-md5: HLIp" in raw:
        assert report["result"] == "refused" and "Content-MD5" in report["message"]
    else:
        assert report["result"] == "verified", report


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize(("operation", "method"), [("get_object", "GET"), ("put_object", "PUT")])
def test_presigned_urls_of_s3(operation, method, token):
    s3 = client_of("s3", token=token, signature_version="s3v4")
    url = s3.generate_presigned_url(operation, Params={"Bucket": "b", "Key": "a b/\u00e9+c"}, ExpiresIn=600)
    body = b"anything" if method == "PUT" else b""
    assert verify(raw_request(method, url, {}, body), now(), token)["result"] == "verified"
    assert verify(raw_request("DELETE", url, {}, body), now(), token)["code"] == "InvalidSignatureException"
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=602)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "Signature expired" in verify(raw_request(method, url, {}, body), later, token)["message"]


@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_presigned_caller_identity_that_clusters_take_for_a_token(token):
    sts = client_of("sts", token=token)
    cluster = lambda request, **_: request.headers.add_header("x-k8s-aws-id", "cluster")
    sts.meta.events.register("before-sign.sts.GetCallerIdentity", cluster)
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    assert "x-k8s-aws-id" in url
    assert verify(raw_request("GET", url, {"x-k8s-aws-id": "cluster"}, b""), now(), token)["result"] == "verified"
    assert verify(raw_request("GET", url, {"x-k8s-aws-id": "another"}, b""), now(), token)["result"] == "refused"
    assert verify(raw_request("GET", url, {}, b""), now(), token)["result"] == "refused"


@pytest.mark.parametrize("service", ["sts", "dynamodb", "lambda", "sqs"])
def test_calls_of_other_services(service):
    calls = {
        "sts": lambda client: client.get_caller_identity(),
        "dynamodb": lambda client: client.get_item(TableName="t", Key={"k": {"S": "\u00e9"}}),
        "lambda": lambda client: client.invoke(FunctionName="arn:aws:lambda:us-east-1:111122223333:function:f", Payload=b"{}"),
        "sqs": lambda client: client.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/1/q", MessageBody="m"),
    }
    assert verify(sent(service, calls[service]), now())["result"] == "verified"
