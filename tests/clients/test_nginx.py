"""nginx with `auth_request` in front of a static site, deciding through keystile."""

import os
import pathlib
import shutil
import socket
import subprocess
import textwrap
import time
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import ACCOUNT, ALICE, BOB, REGION, team_config
from test_upstreams import allow, statement

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def site(serve, tmp_path):
    """A site of two pages behind nginx: everyone of the team may read the front page, alice the report too."""
    config = team_config(tmp_path)
    config.write_text(config.read_text() + textwrap.dedent("""
        [[upstream]]
        service = "site"
        protocol = "rest-json"
        [[upstream.action]]
        name = "GetPage"
        method = "GET"
        path = "/{page+}"
        [upstream.resources]
        "GetPage" = "arn:aws:site:{region}:{account}:page/{path:page|any}"
    """))
    pages = f"arn:aws:site:{REGION}:{ACCOUNT}:page/"
    allow(tmp_path, alice=[statement("site:GetPage", pages + "*")], bob=[statement("site:GetPage", pages + "index.html")])
    server = serve(config=config)
    root = tmp_path / "site"
    root.mkdir(mode=0o755)
    (root / "index.html").write_text("front page")
    (root / "report.html").write_text("report")
    pathlib.Path(tmp_path).chmod(0o755)
    port = free_port()
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
                    auth_request /auth;
                    auth_request_set $principal $upstream_http_x_keystile_principal_arn;
                    add_header X-Principal $principal;
                    root {root};
                }}
                location = /auth {{
                    internal;
                    proxy_pass {server.admin}/auth;
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length "";
                    proxy_set_header X-Original-Method $request_method;
                    proxy_set_header X-Original-URI $request_uri;
                    proxy_set_header X-Original-Host $http_host;
                    proxy_set_header X-Original-Remote-Addr $remote_addr;
                    proxy_set_header X-Original-Scheme $scheme;
                }}
            }}
        }}
    """))
    process = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "nginx-error.log").read_text()
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait()


def get(url, key=None, path="/index.html", sent_path=None, **headers):
    """Signs for a path and asks for it, or for another one."""
    request = AWSRequest(method="GET", url=url + path)
    if key:
        SigV4Auth(Credentials(*key), "site", REGION).add_auth(request)
    request = urllib.request.Request(url + (sent_path or path), headers={**dict(request.headers.items()), **headers})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def test_nginx_asks_keystile(site):
    status, body, headers = get(site, ALICE, "/report.html")
    assert (status, body, headers["X-Principal"]) == (200, "report", f"arn:aws:iam::{ACCOUNT}:user/alice")
    assert get(site, BOB)[:2] == (200, "front page")
    assert get(site, BOB, "/report.html")[0] == 403
    assert get(site)[0] == 401
    assert get(site, (ALICE[0], "wrong"))[0] == 401
    # What was signed for one page opens no other.
    assert get(site, BOB, "/index.html", sent_path="/report.html")[0] == 401
    # The client's own words of who it is and what it asks for count for nothing.
    forged = {"X-Original-URI": "/index.html", "X-Keystile-Principal-Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    assert get(site, BOB, "/report.html", **forged)[0] == 403
