"""Bad input of every kind: a clear error, nothing half-done, and the next request is served."""

import json
import resource
import signal
import socket
import subprocess
import time

import botocore.exceptions
import pytest

from conftest import BINARY, Server


def code(error):
    return error.value.response["Error"]["Code"]


def root_policy(**more):
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}], **more}


def test_a_policy_of_33_kib_is_refused_and_the_old_one_stays(server):
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    before = kms.get_key_policy(KeyId=key)["Policy"]
    padded = json.dumps(root_policy(Id="x"))
    too_large = padded[:-1] + " " * (33 * 1024 - len(padded)) + "}"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kms.put_key_policy(KeyId=key, Policy=too_large)
    assert code(error) == "LimitExceededException"
    assert kms.get_key_policy(KeyId=key)["Policy"] == before
    largest = padded[:-1] + " " * (32 * 1024 - len(padded)) + "}"
    kms.put_key_policy(KeyId=key, Policy=largest)
    assert kms.get_key_policy(KeyId=key)["Policy"] == largest


@pytest.mark.parametrize("text,where", [
    ('{"Version":"2012-10-17","Statement":[{"Effect":"Permit","Principal":"*","Action":"kms:*","Resource":"*"}]}', "Effect"),
    ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', "Version"),
    ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringMatches":{"a":"b"}}}]}', "StringMatches"),
    ('{"Version":"2012-10-17"', "line 1"),
    ('not json', "line 1"),
])
def test_a_malformed_policy_is_refused_with_its_place(server, text, where):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.kms().create_key(Policy=text)
    assert code(error) == "MalformedPolicyDocumentException"
    assert where in error.value.response["Error"]["Message"]
    assert server.kms().list_keys()["Keys"] == []


def test_a_policy_that_names_nobody_who_exists_is_refused(server):
    policy = root_policy()
    policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/nobody"}, "Action": "kms:Decrypt", "Resource": "*"})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.kms().create_key(Policy=json.dumps(policy))
    assert code(error) == "MalformedPolicyDocumentException"


@pytest.mark.parametrize("text,words", [
    ('listen = "127.0.0.1:0"\nlisten_on = "x"\n', ["keystile.toml", "2", "listen_on"]),
    ('listen = 5\n', ["keystile.toml", "1", "listen"]),
    ('listen = "nowhere"\n', ["keystile.toml", "listen"]),
    ('[signature]\nmax_skew_seconds = 5\n', ["keystile.toml", "max_skew_seconds", "60", "900"]),
    ('[iam]\ncredentials = ["absent.toml"]\n', ["absent.toml"]),
    ('[decision_cache]\nmax_bytes = "lots"\n', ["keystile.toml", "max_bytes"]),
    ('listen = "127.0.0.1:0\n', ["keystile.toml", "1"]),
])
def test_a_broken_configuration_does_not_start(tmp_path, text, words):
    (tmp_path / "keystile.toml").write_text(text)
    result = subprocess.run([BINARY, "serve", "--config", "keystile.toml"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr, result.stderr
    assert not (tmp_path / "keystile-data").exists()


def test_a_data_directory_serves_one_process(server):
    result = subprocess.run(
        [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        cwd=server.directory, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and "another process" in result.stderr


def test_a_wrong_root_key_does_not_open_the_data(serve, tmp_path):
    first = serve()
    first.kms().create_key()
    first.stop()
    key = tmp_path / "keystile-data/root.key"
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    result = subprocess.run(
        [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and "root key" in result.stderr


def test_a_data_directory_whose_clock_was_moved_opens_with_the_test_clock_only(serve, tmp_path):
    first = serve("--test-clock")
    first.advance(10)
    first.stop()
    result = subprocess.run(
        [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and "--test-clock" in result.stderr
    assert serve("--test-clock").kms().list_keys()["Keys"] == []


def test_a_full_disk_refuses_writes_and_recovers(serve):
    """No file may grow past a limit, as on a full disk; then the limit goes."""
    server = serve()
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    largest = max(path.stat().st_size for path in server.data.iterdir())
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest + 65536, resource.RLIM_INFINITY))
    made, refused = [], 0
    text = json.dumps(root_policy(Id="x" * 20000))
    for _ in range(2000):
        try:
            made.append(kms.create_key(Policy=text)["KeyMetadata"]["KeyId"])
        except botocore.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500, error
            refused += 1
            if refused == 5:
                break
    assert refused == 5, "the disk never filled"
    assert server.process.poll() is None
    for each in [key, *made]:
        kms.describe_key(KeyId=each)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    after = kms.create_key()["KeyMetadata"]["KeyId"]
    listed = {k["KeyId"] for page in kms.get_paginator("list_keys").paginate() for k in page["Keys"]}
    assert {key, after, *made} <= listed and len(listed) <= len(made) + 2 + refused
    assert server.stop() == 0
    verified = subprocess.run([BINARY, "audit", "verify", str(server.data / "audit.jsonl")], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--nonsense"], ["serve", "--listen", "nowhere"], ["verify", "absent.txt"],
                                       ["translate", "absent.json"], ["audit", "verify", "absent.jsonl"]])
def test_wrong_usage_is_exit_2(tmp_path, arguments):
    result = subprocess.run([BINARY, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and result.stderr and result.stdout == ""


def test_sigterm_stops_an_idle_server_at_once_with_0(serve):
    server = serve()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) == 0


def test_every_command_has_help_with_an_example():
    for command in ([], ["serve"], ["verify"], ["translate"], ["access-key", "create"], ["audit", "verify"]):
        result = subprocess.run([BINARY, *command, "--help"], capture_output=True, text=True)
        assert result.returncode == 0
        if command:
            assert "Example" in result.stdout, command


def test_only_the_listeners_are_on_stdout(tmp_path):
    server = Server(tmp_path)
    server.kms().create_key()
    server.process.send_signal(signal.SIGTERM)
    rest, _ = server.process.communicate(timeout=20)
    assert rest == ""
    assert "AWS_SHARED_CREDENTIALS_FILE=" in (tmp_path / "stderr.txt").read_text()


def audit_verify(server):
    return subprocess.run([BINARY, "audit", "verify", str(server.data / "audit.jsonl")], capture_output=True, text=True)


def test_a_cut_audit_log_stays_cut_after_a_restart(serve):
    server = serve()
    for _ in range(3):
        server.kms().create_key()
    server.stop()
    log = server.data / "audit.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:1]))
    assert audit_verify(server).returncode == 1
    serve().stop()
    verified = audit_verify(server)
    assert verified.returncode == 1 and "2 records" in verified.stdout + verified.stderr


def test_a_root_key_that_is_put_into_a_new_data_directory_is_used(serve, tmp_path):
    data = tmp_path / "keystile-data"
    data.mkdir(mode=0o700)
    (data / "root.key").write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    serve().kms().create_key()
    assert (data / "root.key").read_text() == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


@pytest.mark.parametrize("body", ["[5]", "{}", '{"advance_seconds": -1}', '{"advance_seconds": 1.5}', '{"advance_seconds": 1, "x": 2}', "", '{"advance_seconds": 300000000000}'])
def test_the_clock_takes_an_object_with_whole_seconds_only(year_server, body):
    import urllib.error
    import urllib.request
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(year_server.admin + "/clock", data=body.encode(), method="POST"))
    assert error.value.code == 400


def test_a_client_that_takes_no_answers_is_given_up(serve, tmp_path):
    config = tmp_path / "impatient.toml"
    config.write_text('[limits]\nheader_timeout = "1s"\nidle_timeout = "1s"\n')
    server = serve(config=config)
    host, port = server.gateway.removeprefix("http://").rsplit(":", 1)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.settimeout(3)
    requests = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" * 1000
    with pytest.raises(OSError):
        # Until no more is taken, and then until the connection is gone.
        for _ in range(1000):
            client.sendall(requests)
    deadline = time.monotonic() + 10
    while "keystile_connections 0" not in server.get("/metrics"):
        assert time.monotonic() < deadline, "it holds its connection for ever"
        time.sleep(0.1)
    client.close()
