"""A real server for real clients: each test gets what it asks for, on ports of the server's choice."""

import json
import os
import pathlib
import signal
import subprocess
import textwrap
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("KEYSTILE_BIN", str(ROOT / "target/release/keystile"))
REGION = "us-east-1"
ACCOUNT = "111122223333"


class Server:
    """`keystile serve` as a child process."""

    def __init__(self, directory, *arguments, config=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "keystile-data"
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *arguments]
        if config is not None:
            command += ["--config", str(config)]
        self.errors = open(self.directory / "stderr.txt", "ab")
        self.process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            # Leaves SIGXFSZ ignored, as Python has it: a full disk is an error, not a signal.
            restore_signals=False)
        self.gateway = self._listening("gateway")
        self.admin = self._listening("admin")

    def _listening(self, name):
        line = self.process.stdout.readline()
        prefix = f"listening {name} "
        assert line.startswith(prefix), (line, (self.directory / "stderr.txt").read_text())
        return line[len(prefix):].strip()

    def root_key(self):
        lines = (self.data / "credentials").read_text().splitlines()
        values = dict(map(str.strip, line.split("=", 1)) for line in lines if "=" in line)
        return values["aws_access_key_id"], values["aws_secret_access_key"]

    def environment(self, key=None, secret=None):
        """What a program finds the server by, and the credentials of who runs it (the root user's, if none are given)."""
        if key is None:
            key, secret = self.root_key()
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.directory), "AWS_ENDPOINT_URL_KMS": self.gateway,
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
        }

    def kms(self, key=None, secret=None, token=None, region=REGION):
        if key is None:
            key, secret = self.root_key()
        return boto3.client(
            "kms", endpoint_url=self.gateway, region_name=region, aws_access_key_id=key,
            aws_secret_access_key=secret, aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30),
        )

    def advance(self, seconds):
        request = urllib.request.Request(f"{self.admin}/clock", data=json.dumps({"advance_seconds": seconds}).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["now"]

    def get(self, path):
        with urllib.request.urlopen(self.admin + path) as answer:
            return answer.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(timeout=20)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def reload(self):
        """SIGHUP, and wait until the server has taken it (or refused it)."""
        before = self._reloads()
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while self._reloads() == before:
            assert time.monotonic() < deadline, "the server took no notice of SIGHUP"
            time.sleep(0.02)

    def _reloads(self):
        return [line for line in self.get("/metrics").splitlines() if "reload" in line and not line.startswith("#")]


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(*arguments, config=None, directory=None):
        server = Server(directory or tmp_path, *arguments, config=config)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def year_server(serve):
    """A server whose clock the test moves."""
    return serve("--test-clock")


ALICE = ("AKIAALICEALICEALICE0", "alice-secret-alice-secret-alice-secret-0")
BOB = ("AKIABOBBOBBOBBOBBOB0", "bob-secret-bob-secret-bob-secret-bob-000")


def team_config(tmp_path):
    """The configuration of an account with two users: alice has no policies, bob may do everything by IAM."""
    details = {
        "UserDetailList": [
            {"Path": "/", "UserName": "alice", "UserId": "AIDAALICEALICEALICE00", "Arn": f"arn:aws:iam::{ACCOUNT}:user/alice"},
            {"Path": "/", "UserName": "bob", "UserId": "AIDABOBBOBBOBBOBBOB00", "Arn": f"arn:aws:iam::{ACCOUNT}:user/bob",
             "UserPolicyList": [{"PolicyName": "all", "PolicyDocument": {
                 "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}}]},
        ],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
    }
    (tmp_path / "details.json").write_text(json.dumps(details))
    (tmp_path / "credentials.toml").write_text(textwrap.dedent(f"""
        [[access_key]]
        id = "{ALICE[0]}"
        secret = "{ALICE[1]}"
        principal = "arn:aws:iam::{ACCOUNT}:user/alice"

        [[access_key]]
        id = "{BOB[0]}"
        secret = "{BOB[1]}"
        principal = "arn:aws:iam::{ACCOUNT}:user/bob"
    """))
    config = tmp_path / "keystile.toml"
    config.write_text(textwrap.dedent("""
        data_dir = "keystile-data"
        [iam]
        authorization_details = ["details.json"]
        credentials = ["credentials.toml"]
    """))
    return config


@pytest.fixture
def team(serve, tmp_path):
    """The server of that account, with clients of the root user, of alice and of bob."""
    server = serve(config=team_config(tmp_path))
    return server, server.kms(), server.kms(*ALICE), server.kms(*BOB)


@pytest.fixture
def year_team(serve, tmp_path):
    """The server of that account, whose clock the test moves."""
    return serve("--test-clock", config=team_config(tmp_path))
