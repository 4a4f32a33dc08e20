"""The gateway over TLS: boto3, the aws CLI and curl as they are, HTTP/2, certificates that change."""

import datetime
import ipaddress
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading

import boto3
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import ACCOUNT, ALICE, BINARY, REGION, team_config


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, directory, name):
        self.directory = pathlib.Path(directory)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, [], is_authority=True)
        self.file = self.directory / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, key, hosts, is_authority):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, stem):
        """Certificate and private key of that stem, for the loopback address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem)])
        hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = self._sign(subject, key, hosts, is_authority=False)
        (self.directory / f"{stem}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.directory / f"{stem}.key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate


@pytest.fixture
def authority(tmp_path):
    authority = Authority(tmp_path, "root-ca")
    authority.issue("server")
    return authority


TLS = '[tls]\ncertificate = "server.pem"\nprivate_key = "server.key"\n'


def start(serve, tmp_path, text=TLS):
    config = tmp_path / "tls.toml"
    config.write_text(text)
    return serve(config=config)


def client(server, authority, key=None, secret=None, **how):
    if key is None:
        key, secret = server.root_key()
    return boto3.client(
        "kms", endpoint_url=server.gateway, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
        verify=str(authority.file), config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=10, **how))


def address(server):
    host, port = server.gateway.removeprefix("https://").rsplit(":", 1)
    return host, int(port)


def connect(server, authority, protocols=("http/1.1",), certificate=None, version=None):
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols(list(protocols))
    if certificate:
        context.load_cert_chain(*certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    return context.wrap_socket(socket.create_connection(address(server), timeout=10), server_hostname="localhost")


def test_a_key_is_made_and_used(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    assert server.gateway.startswith("https://")
    kms = client(server, authority)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x" * 4096
    listed = subprocess.run(
        ["aws", "kms", "list-keys", "--ca-bundle", str(authority.file)], env=server.environment(), check=True,
        capture_output=True, text=True).stdout
    assert json.loads(listed)["Keys"][0]["KeyId"] == key


@pytest.mark.parametrize("version, spoken", [("--http1.1", "1.1"), ("--http2", "2")])
def test_curl_signs_over_both_versions(serve, tmp_path, authority, version, spoken):
    server = start(serve, tmp_path)
    key, secret = server.root_key()
    told = subprocess.run(
        ["curl", "-sS", version, "--cacert", str(authority.file), "--aws-sigv4", f"aws:amz:{REGION}:kms",
         "--user", f"{key}:{secret}", "-H", "Content-Type: application/x-amz-json-1.1",
         "-H", "X-Amz-Target: TrentService.ListKeys", "-d", "{}", "-w", "\n%{http_version}", server.gateway],
        check=True, capture_output=True, text=True).stdout
    body, version = told.rsplit("\n", 1)
    assert (json.loads(body)["Keys"], version) == ([], spoken)


def test_policies_see_that_the_transport_is_secure(serve, tmp_path, authority):
    server = start(serve, tmp_path, pathlib.Path(team_config(tmp_path)).read_text() + "\n" + TLS)
    root = client(server, authority)
    key = root.create_key()["KeyMetadata"]["KeyId"]

    def policy(secure):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "Action": "kms:DescribeKey",
             "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": secure}}}]})

    alice = client(server, authority, *ALICE)
    root.put_key_policy(KeyId=key, Policy=policy("true"))
    alice.describe_key(KeyId=key)
    root.put_key_policy(KeyId=key, Policy=policy("false"))
    with pytest.raises(ClientError, match="AccessDenied"):
        alice.describe_key(KeyId=key)


def test_a_reload_brings_another_certificate_and_a_bad_one_changes_nothing(serve, tmp_path, authority):
    server = start(serve, tmp_path)

    def serial():
        with connect(server, authority) as tls:
            return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True)).serial_number

    kept = client(server, authority)
    kept.list_keys()
    first = serial()
    second = authority.issue("server").serial_number
    assert serial() == first
    server.reload()
    assert serial() == second != first
    kept.list_keys()
    Authority(tmp_path, "other-ca").issue("other")
    (tmp_path / "server.key").write_bytes((tmp_path / "other.key").read_bytes())
    server.reload()
    assert serial() == second
    assert "server.key" in (tmp_path / "stderr.txt").read_text()


def test_clients_may_have_to_show_a_certificate(serve, tmp_path, authority):
    authority.issue("client")
    certificate = (str(tmp_path / "client.pem"), str(tmp_path / "client.key"))
    server = start(serve, tmp_path, TLS + 'client_ca = "root-ca.pem"\n')
    client(server, authority, client_cert=certificate).list_keys()
    stranger = Authority(tmp_path, "strangers")
    stranger.issue("stranger")
    for shown in [None, (str(tmp_path / "stranger.pem"), str(tmp_path / "stranger.key"))]:
        with pytest.raises(OSError):
            with connect(server, authority, certificate=shown) as tls:
                tls.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if tls.recv(100) == b"":
                    raise OSError("closed")
    server.stop()
    server = start(serve, tmp_path, TLS + 'client_ca = "root-ca.pem"\nclient_certificates = "optional"\n')
    client(server, authority).list_keys()
    client(server, authority, client_cert=certificate).list_keys()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_old_versions_and_plain_text_are_not_spoken(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    with pytest.raises(OSError):
        connect(server, authority, version=ssl.TLSVersion.TLSv1_1)
    for version, spoken in [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]:
        with connect(server, authority, version=version) as tls:
            assert tls.version() == spoken
    with socket.create_connection(address(server), timeout=10) as plain:
        plain.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(1000).startswith(b"HTTP")


def test_a_handshake_that_does_not_come_holds_nobody_up(serve, tmp_path, authority):
    server = start(serve, tmp_path, TLS + '[limits]\nmax_connections = 4\nheader_timeout = "1s"\n')
    mute = [socket.create_connection(address(server), timeout=10) for _ in range(4)]
    # They have the four places; a fifth is served when their time is over.
    client(server, authority).list_keys()
    for one in mute:
        assert one.recv(100) == b""


class Http2:
    """A client of HTTP/2 that does as it is told."""

    def __init__(self, server, authority):
        self.socket = connect(server, authority, ["h2"])
        assert self.socket.selected_alpn_protocol() == "h2"
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False))
        self.http.initiate_connection()
        self._send()

    def _send(self):
        self.socket.sendall(self.http.data_to_send())

    def request(self, headers, body=b""):
        stream = self.http.get_next_available_stream_id()
        self.http.send_headers(stream, headers, end_stream=not body)
        for at in range(0, len(body), 16_384):
            self.http.send_data(stream, body[at:at + 16_384], end_stream=at + 16_384 >= len(body))
        self._send()
        return stream

    def events(self):
        while data := self.socket.recv(65535):
            try:
                yield from self.http.receive_data(data)
            except h2.exceptions.ProtocolError:
                # The library takes nothing more once it was told that the connection ends.
                yield h2.events.ConnectionTerminated()
                return
            self._send()

    def frame(self):
        """The next frame as it is: type, flags, stream and payload; none at the end."""
        def take(count):
            taken = b""
            while len(taken) < count:
                more = self.socket.recv(count - len(taken))
                if not more:
                    return None
                taken += more
            return taken

        head = take(9)
        if head is None:
            return None
        return head[3], head[4], int.from_bytes(head[5:], "big"), take(int.from_bytes(head[:3], "big"))

    def answer(self, stream):
        """Status and body; none for a stream, or a connection, that was cut."""
        status, body = None, b""
        for event in self.events():
            if isinstance(event, h2.events.ConnectionTerminated):
                return None
            if getattr(event, "stream_id", None) != stream:
                continue
            if isinstance(event, h2.events.ResponseReceived):
                status = int(dict((name.decode(), value.decode()) for name, value in event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
            elif isinstance(event, h2.events.StreamReset):
                return None
            elif isinstance(event, h2.events.StreamEnded):
                return status, body
        return None


def signed(server, authority_name, body=b"{}", **changed):
    """The headers of a signed ListKeys for HTTP/2."""
    request = AWSRequest("POST", f"https://{authority_name}/", data=body, headers={
        "content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.ListKeys", "host": authority_name})
    SigV4Auth(Credentials(*server.root_key()), "kms", REGION).add_auth(request)
    headers = [(name.lower(), value) for name, value in request.headers.items() if name.lower() != "host"]
    pseudo = {":method": "POST", ":scheme": "https", ":authority": authority_name, ":path": "/", **changed}
    return [(name, value) for name, value in pseudo.items() if value is not None] + headers


def test_the_authority_is_the_signed_host(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    status, body = http.answer(http.request(signed(server, "localhost"), b"{}"))
    assert (status, json.loads(body)["Keys"]) == (200, [])
    # A Host that says the same is fine; one that says otherwise has two readings.
    status, _ = http.answer(http.request(signed(server, "localhost") + [("host", "localhost")], b"{}"))
    assert status == 200
    status, _ = http.answer(http.request(signed(server, "localhost") + [("host", "other")], b"{}"))
    assert status == 400
    status, body = http.answer(http.request(signed(server, "localhost", **{":authority": "other"}), b"{}"))
    assert (status, b"InvalidSignatureException" in body) == (400, True)


def test_many_requests_share_a_connection(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    waiting = {http.request(signed(server, "localhost"), b"{}") for _ in range(100)}
    for event in http.events():
        if isinstance(event, h2.events.ResponseReceived):
            assert dict(event.headers)[b":status"] == b"200"
        if isinstance(event, h2.events.StreamEnded):
            waiting.discard(event.stream_id)
        if not waiting:
            break


@pytest.mark.parametrize("wrong", [
    {":path": "/a/../"}, {":path": "//"}, {":path": "*"}, {":path": ""}, {":path": None}, {":method": "GET"},
    {":method": "post"}, {":scheme": None}, {":authority": "user@localhost"}, {":authority": None}, {":method": "CONNECT"},
])
def test_what_has_two_readings_is_refused(serve, tmp_path, authority, wrong):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    told = http.answer(http.request(signed(server, "localhost", **wrong), b"{}"))
    assert told is None or told[0] == 400
    assert client(server, authority).list_keys()["Keys"] == []


@pytest.mark.parametrize("header", [
    ("connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("Upper", "case"), ("te", "gzip"),
    ("x_amz_date", "x"), ("content-length", "7"), (":method", "GET"),
])
def test_headers_of_http_1_are_refused(serve, tmp_path, authority, header):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    told = http.answer(http.request(signed(server, "localhost") + [header], b"{}"))
    assert told is None or told[0] == 400


def test_headers_have_limits(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    told = http.answer(http.request(signed(server, "localhost") + [(f"x-{n}", "1") for n in range(101)], b"{}"))
    assert told is None or told[0] == 431
    http = Http2(server, authority)
    told = http.answer(http.request(signed(server, "localhost") + [("x-long", "1" * 40_000)], b"{}"))
    assert told is None or told[0] == 431
    http = Http2(server, authority)
    told = http.answer(http.request(signed(server, "localhost", b"x" * 60_000), b"x" * 60_000))
    assert told[0] == 400
    assert client(server, authority).list_keys()["Keys"] == []


def test_requests_that_are_reset_at_once_end_the_connection(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    headers = signed(server, "localhost")
    with pytest.raises(OSError):
        for _ in range(100):
            for _ in range(100):
                stream = http.http.get_next_available_stream_id()
                http.http.send_headers(stream, headers)
                http.http.reset_stream(stream)
            http._send()
        http.socket.settimeout(5)
        if not any(isinstance(event, h2.events.ConnectionTerminated) for event in http.events()):
            raise AssertionError("nothing came of it")
        raise OSError("told to go away")
    assert client(server, authority).list_keys()["Keys"] == []


def test_an_idle_connection_is_told_to_go(serve, tmp_path, authority):
    server = start(serve, tmp_path, TLS + '[limits]\nidle_timeout = "500ms"\n')
    http = Http2(server, authority)
    assert http.answer(http.request(signed(server, "localhost"), b"{}"))[0] == 200
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in http.events())


def test_a_stop_lets_requests_of_http_2_finish(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    stream = http.http.get_next_available_stream_id()
    http.http.send_headers(stream, signed(server, "localhost"))
    http._send()
    # The head is there and the body is awaited: that a later request is answered shows it.
    assert http.answer(http.request(signed(server, "localhost"), b"{}"))[0] == 200
    stopped = threading.Thread(target=server.stop)
    stopped.start()
    kinds, ended = [], False
    while frame := http.frame():
        kind, flags, identifier, payload = frame
        kinds.append((kind, identifier))
        if kind == 6 and not flags & 1:
            http.socket.sendall(bytes([0, 0, 8, 6, 1, 0, 0, 0, 0]) + payload)
        if kind == 7 and not ended:
            # Told to go away: now the body comes.
            ended = True
            http.socket.sendall(bytes([0, 0, 2, 0, 1]) + stream.to_bytes(4, "big") + b"{}")
    assert (1, stream) in kinds and (0, stream) in kinds, kinds
    stopped.join(20)
    assert server.process.returncode == 0


def resident(server):
    """Bytes of memory that the server has."""
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_bodies_that_do_not_end_take_little_memory(serve, tmp_path, authority):
    server = start(serve, tmp_path)
    http = Http2(server, authority)
    before = resident(server)
    streams = []
    for _ in range(100):
        stream = http.http.get_next_available_stream_id()
        http.http.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/")])
        streams.append(stream)
    http._send()
    http.socket.settimeout(0.5)
    sent, quiet = dict.fromkeys(streams, 0), 0
    while quiet < 4:
        moved = 0
        for stream in streams:
            # One byte short of the largest body: none of them ever ends.
            while (room := min(16_384, http.http.local_flow_control_window(stream), (1 << 20) - 1 - sent[stream])) > 0:
                http.http.send_data(stream, b"x" * room)
                sent[stream] += room
                moved += room
            http._send()
        try:
            http.http.receive_data(http.socket.recv(65_535))
            http._send()
        except TimeoutError:
            quiet += not moved
    assert sum(sent.values()) > 1 << 20
    # Read as they came they would take a hundred.
    assert resident(server) - before < 64 << 20
    assert client(server, authority).list_keys()["Keys"] == []


@pytest.mark.parametrize("stem, text, told", [
    ("server.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is not usable"),
    ("server.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n", "holds no certificate in PEM: one does not end"),
    ("server.pem", b"nothing", "holds no certificate in PEM: there is none"),
    ("server.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "is encrypted"),
    ("server.key", b"", "holds no private key in PEM: there is none"),
    ("server.key", None, "cannot read the private key"),
])
def test_files_that_are_of_no_use_are_named_and_nothing_is_made(tmp_path, authority, stem, text, told):
    (tmp_path / "tls.toml").write_text(TLS)
    (tmp_path / stem).unlink()
    if text is not None:
        (tmp_path / stem).write_bytes(text)
    for command in [["serve", "--config", "tls.toml", "--listen", "127.0.0.1:0"], ["check", "tls.toml"]]:
        done = subprocess.run([BINARY, *command], cwd=tmp_path, capture_output=True, text=True, timeout=20)
        assert done.returncode != 0
        assert stem in done.stderr + done.stdout and told in done.stderr + done.stdout
    assert not (tmp_path / "keystile-data").exists()
