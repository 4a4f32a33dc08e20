"""S3 behind a gateway that speaks TLS: the aws CLI's large files to moto, and uploads that are spoilt on their way."""

import hashlib
import ssl
import subprocess
import sys
import urllib.request

import boto3
import pytest
from botocore.config import Config

from attacked import Route, houses  # noqa: F401
from conftest import ALICE, REGION
from test_tls import TLS, Authority
from test_upstreams import S3, House, allow, moto, statement, upstreams  # noqa: F401

MEBIBYTE = 1 << 20


@pytest.fixture
def house(serve, tmp_path, moto):  # noqa: F811
    authority = Authority(tmp_path, "root-ca")
    authority.issue("server")
    config = upstreams(tmp_path, moto, services=["s3"])
    objects = [statement(["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"], "arn:aws:s3:::over-tls/alice/*"), statement("s3:ListBucket", "arn:aws:s3:::over-tls")]
    secure = [statement("s3:*", "*", effect="Deny", Bool={"aws:SecureTransport": "false"})]
    allow(tmp_path, alice=objects + secure)
    config.write_text(config.read_text() + TLS)
    house = House(serve(config=config), tmp_path)
    assert house.server.gateway.startswith("https://")
    house.ca = str(authority.file)
    return house


def client(house, *key, **config):
    key = key or house.server.root_key()
    return boto3.client(
        "s3", endpoint_url=house.server.gateway, region_name=REGION, aws_access_key_id=key[0], aws_secret_access_key=key[1], verify=house.ca,
        config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=60, **S3, **config))


def test_the_cli_copies_forty_mebibytes_there_and_back(house, tmp_path):
    """In parts, each with a checksum behind its chunks, as the CLI sends them over TLS."""
    client(house).create_bucket(Bucket="over-tls")
    content = b"".join(hashlib.sha256(str(at).encode()).digest() * 32 for at in range(40 * MEBIBYTE // 1024))
    assert len(content) == 40 * MEBIBYTE
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = path\n")
    environment = {**house.server.environment(*ALICE), "AWS_ENDPOINT_URL": house.server.gateway, "AWS_CA_BUNDLE": house.ca, "AWS_CONFIG_FILE": str(tmp_path / "config")}

    def aws(*arguments):
        return subprocess.run([sys.executable, "-m", "awscli", "s3", *arguments, "--no-progress"], env=environment, capture_output=True, text=True, timeout=100)

    assert (done := aws("cp", str(tmp_path / "large"), "s3://over-tls/alice/large")).returncode == 0, done.stderr
    assert (done := aws("cp", "s3://over-tls/alice/large", str(tmp_path / "back"))).returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == content
    names = {record["eventName"] for record in house.audit()}
    assert {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "GetObject"} <= names
    refused = aws("cp", str(tmp_path / "large"), "s3://over-tls/bob/large")
    assert refused.returncode != 0 and "AccessDenied" in refused.stderr, refused.stderr


def test_checksums_of_every_kind_go_through(house):
    root = client(house)
    root.create_bucket(Bucket="over-tls")
    alice = client(house, *ALICE)
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        body = algorithm.encode() * 50_000
        alice.put_object(Bucket="over-tls", Key=f"alice/{algorithm}", Body=body, ChecksumAlgorithm=algorithm)
        assert alice.get_object(Bucket="over-tls", Key=f"alice/{algorithm}", ChecksumMode="ENABLED")["Body"].read() == body
    url = client(house, *ALICE, signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "over-tls", "Key": "alice/SHA1"}, ExpiresIn=60)
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=house.ca)) as answer:
        assert answer.read() == b"SHA1" * 50_000


DATA = bytes(range(251)) * 8192  # 2 MiB


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("transport", ["tls", "http-2"])
def test_a_byte_that_flips_within_an_upload_never_makes_an_object(houses, transport, signed):  # noqa: F811
    """The first half is with the upstream already when the byte comes that is another."""
    house = houses[transport]
    route = Route("large", "s3", "s3", "PUT", "/bucket/folder/large", chunks=dict(data=DATA, signed=signed, size=64 << 10))
    good = route.request(house.server).sign()
    answer = good.send_http_2() if transport == "http-2" else good.send(linger=0)
    assert answer.status == 200, answer.raw
    seen = house.recorder.one(timeout=20)
    assert unchunked(seen.body) == DATA
    bad = route.request(house.server).sign()
    at = len(bad.body) * 3 // 4
    bad.body = bad.body[:at] + bytes([bad.body[at] ^ 1]) + bad.body[at + 1:]
    answer = bad.send_http_2() if transport == "http-2" else bad.send(linger=0)
    assert answer is None or answer.code == ("SignatureDoesNotMatch" if signed else "BadDigest"), answer.raw[:300]
    assert house.recorder.waits(lambda seen: seen)
    [begun] = house.recorder.take()
    assert not begun.is_whole and b"x-amz-checksum-crc32:" not in begun.body


def unchunked(body):
    data, at = b"", 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if not size:
            return data
        data, at = data + body[end + 2:end + 2 + size], end + 2 + size + 2
