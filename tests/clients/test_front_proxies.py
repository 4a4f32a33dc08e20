"""Real clients and real proxies in front: curl's PROXY protocol over TLS, nginx by headers, Unix-domain sockets."""

import http.client
import json
import pathlib
import subprocess
import textwrap
import time
import urllib.parse

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from conftest import BINARY, REGION
from test_nginx import NGINX, free_port
from test_tls import Authority, TLS


def curl(server, url, *arguments):
    """`kms:ListKeys` by curl, signed by the root user: status and body."""
    key, secret = server.root_key()
    result = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", "--aws-sigv4", f"aws:amz:{REGION}:kms", "--user", f"{key}:{secret}",
         "-H", "Content-Type: application/x-amz-json-1.1", "-H", "X-Amz-Target: TrentService.ListKeys", "-d", "{}",
         *arguments, url],
        capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    body, status = result.stdout.rsplit("\n", 1)
    return int(status), body


def origins(server, count):
    """Where the recorded requests came from."""
    log = server.data / "audit.jsonl"
    for _ in range(200):
        records = [json.loads(line) for line in log.read_text().splitlines()]
        if len(records) >= count:
            return [record["sourceIPAddress"] for record in records]
        time.sleep(0.05)
    raise AssertionError(records)


def configured(directory, text):
    config = pathlib.Path(directory) / "keystile.toml"
    config.write_text('data_dir = "keystile-data"\n' + textwrap.dedent(text))
    return config


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_the_proxy_protocol_comes_before_tls(serve, tmp_path, version):
    authority = Authority(tmp_path, "ca")
    authority.issue("server")
    server = serve(config=configured(tmp_path, TLS + '[proxy_protocol]\naddresses = ["127.0.0.1"]\n'))
    trust = ["--cacert", str(authority.file), version]
    # curl tells the addresses of its own connection.
    assert curl(server, server.gateway, "--haproxy-protocol", *trust)[0] == 200
    refused = subprocess.run(["curl", "-sS", *trust, server.gateway], capture_output=True, text=True)
    assert refused.returncode != 0
    assert origins(server, 1) == ["127.0.0.1"]


@pytest.fixture
def nginx(tmp_path):
    processes = []

    def start(upstream):
        """nginx that passes everything on, under its own Host, with the headers that tell of the client."""
        port = free_port()
        pathlib.Path(tmp_path).chmod(0o755)
        (tmp_path / "nginx.conf").write_text(textwrap.dedent(f"""
            daemon off;
            user root;
            pid {tmp_path}/nginx.pid;
            error_log {tmp_path}/nginx-error.log;
            events {{ worker_connections 64; }}
            http {{
                access_log off;
                client_body_temp_path {tmp_path}/body;
                proxy_temp_path {tmp_path}/proxy;
                fastcgi_temp_path {tmp_path}/fastcgi;
                uwsgi_temp_path {tmp_path}/uwsgi;
                scgi_temp_path {tmp_path}/scgi;
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        proxy_pass {upstream};
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_set_header X-Forwarded-Proto $scheme;
                        proxy_set_header X-Forwarded-Host $http_host;
                    }}
                }}
            }}
        """))
        processes.append(subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL))
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            if subprocess.run(["curl", "-s", "-o", "/dev/null", url]).returncode == 0:
                return url
            assert processes[-1].poll() is None, (tmp_path / "nginx-error.log").read_text()
            time.sleep(0.05)
        raise AssertionError("nginx does not listen")

    yield start
    for process in processes:
        process.terminate()
        process.wait()


def listing(server, url, source, headers):
    """The status of `kms:ListKeys` from a source address, with headers that nobody signed."""
    request = AWSRequest(method="POST", url=url + "/", data=b"{}", headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"})
    SigV4Auth(Credentials(*server.root_key()), "kms", REGION).add_auth(request)
    at = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname, at.port, source_address=(source, 0))
    connection.request("POST", "/", b"{}", {**dict(request.headers.items()), **headers})
    return connection.getresponse().status


def kms(server, url):
    key, secret = server.root_key()
    return boto3.client("kms", endpoint_url=url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1}))


def test_nginx_in_front_tells_the_client_and_the_host_that_was_signed(serve, tmp_path, nginx):
    server = serve(config=configured(tmp_path, '[trusted_forwarders]\naddresses = ["127.0.0.1"]\n'))
    url = nginx(server.gateway)
    before = len(origins(server, 0))
    # The client's own words stand to the left of what nginx adds, and are nobody's.
    assert listing(server, url, "127.0.0.5", {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "https"}) == 200
    assert kms(server, url).list_keys()["Keys"] == []
    assert origins(server, before + 2)[before:] == ["127.0.0.5", "127.0.0.1"]


def test_without_trust_the_host_that_nginx_asks_is_not_the_one_that_was_signed(serve, tmp_path, nginx):
    server = serve(config=configured(tmp_path, ""))
    assert curl(server, nginx(server.gateway))[0] != 200


def socket_server(tmp_path, text=""):
    """A server on Unix-domain sockets, with what its root user signs by."""
    config = configured(tmp_path, f"""
        listen = "unix:gateway.sock"
        admin_listen = "unix:admin.sock"
        {text}
    """)
    errors = open(tmp_path / "stderr.txt", "ab")
    process = subprocess.Popen([BINARY, "serve", "--config", str(config)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors, text=True)
    lines = [process.stdout.readline().strip() for _ in range(2)]
    assert lines == [f"listening gateway unix:{tmp_path}/gateway.sock", f"listening admin unix:{tmp_path}/admin.sock"], lines
    return process


class Data:
    """The data directory of a server that is not the fixture's."""

    def __init__(self, directory):
        self.data = pathlib.Path(directory) / "keystile-data"

    def root_key(self):
        lines = (self.data / "credentials").read_text().splitlines()
        values = dict(map(str.strip, line.split("=", 1)) for line in lines if "=" in line)
        return values["aws_access_key_id"], values["aws_secret_access_key"]


def test_curl_and_nginx_reach_a_unix_domain_socket(tmp_path, nginx):
    process = socket_server(tmp_path, '[trusted_forwarders]\naddresses = ["unix"]')
    try:
        server, gateway = Data(tmp_path), tmp_path / "gateway.sock"
        assert curl(server, "http://localhost/", "--unix-socket", str(gateway))[0] == 200
        url = nginx(f"http://unix:{gateway}")
        before = len(origins(server, 1))
        assert curl(server, url, "--interface", "127.0.0.5")[0] == 200
        told = origins(server, before + 1)
        assert (told[0], told[-1]) == (None, "127.0.0.5")
        health = subprocess.run(["curl", "-sS", "--unix-socket", str(tmp_path / "admin.sock"), "http://localhost/healthz"],
            capture_output=True, text=True)
        assert health.stdout == "ok\n"
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert not gateway.exists()
