"""Several gateways on one PostgreSQL, a primary with a synchronous standby, as real processes that are
killed, frozen and promoted. Every test counts what was acknowledged and looks for it afterwards.

KEYSTILE_PG_KEYS: how many keys are rotated (1000 in tests/long; 60 otherwise).
"""

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from conftest import ACCOUNT, BINARY, Server
from test_tls import Authority

PG = pathlib.Path("/usr/lib/postgresql/15/bin")
KEYS = int(os.environ.get("KEYSTILE_PG_KEYS", "60"))
BOUND = 2.0
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []


class Postgres:
    """One server of PostgreSQL: reached by the Unix socket in its directory alone."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.process = None
        self.port = 5432

    @staticmethod
    def run(*command, **more):
        return subprocess.run([*AS_POSTGRES, *map(str, command)], check=True, capture_output=True, text=True, cwd="/tmp", **more)

    def initdb(self):
        self.run(PG / "initdb", "-A", "trust", "-U", "postgres", "--data-checksums", "-D", self.data)
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("listen_addresses = ''\nwal_retrieve_retry_interval = 200ms\nmax_connections = 200\n"
                       "wal_receiver_status_interval = 1s\nautovacuum_naptime = 5s\n")
        return self

    def follow(self, primary, name):
        """Becomes a standby of another server."""
        self.run(PG / "pg_basebackup", "-h", primary.directory, "-U", "postgres", "-D", self.data, "-X", "stream", "-c", "fast")
        (self.data / "standby.signal").touch()
        with open(self.data / "postgresql.auto.conf", "a") as conf:
            conf.write(f"primary_conninfo = 'host={primary.directory} user=postgres application_name={name}'\n"
                       "synchronous_standby_names = ''\n")
        if AS_POSTGRES:
            subprocess.run(["chown", "postgres:postgres", str(self.data / "standby.signal")], check=True)
        return self

    def start(self):
        log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(
            [*AS_POSTGRES, str(PG / "postgres"), "-D", str(self.data), "-k", str(self.directory)],
            stdout=log, stderr=log, cwd="/tmp", start_new_session=True)
        deadline = time.monotonic() + 20
        while subprocess.run([str(PG / "pg_isready"), "-h", str(self.directory), "-p", str(self.port), "-U", "postgres"], capture_output=True).returncode:
            assert time.monotonic() < deadline, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.05)
        return self

    def sql(self, text, database="postgres"):
        return self.run(PG / "psql", "-h", self.directory, "-p", self.port, "-U", "postgres", "-d", database, "-Atqc", text, timeout=20).stdout.strip()

    def tree(self):
        """The postmaster and its children."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def signal(self, number):
        # The postmaster first, so that it starts no other.
        for pid in self.tree():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            pids = self.tree()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()

    def restart(self):
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        return self.start()

    def promote(self):
        self.run(PG / "pg_ctl", "promote", "-w", "-D", self.data)


class House:
    """A primary with a synchronous standby, and gateways."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self.gateways = []
        for name in ("p1", "p2"):
            (self.home / name).mkdir()
        if AS_POSTGRES:
            subprocess.run(["chown", "-R", "postgres:postgres", str(self.home)], check=True)
        self.p1, self.p2 = Postgres(self.home / "p1").initdb().start(), Postgres(self.home / "p2")
        self.p1.sql("CREATE DATABASE keystile")
        self.p2.follow(self.p1, "s2").start()
        self.p1.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (s2)'")
        self.p1.sql("SELECT pg_reload_conf()")
        self.eventually(10, lambda: self.p1.sql("SELECT sync_state FROM pg_stat_replication") == "quorum")
        (tmp_path / "root.key").write_text(base64.b64encode(os.urandom(32)).decode())
        (tmp_path / "root.key").chmod(0o600)
        subprocess.run([BINARY, "store", "init", "--config", str(self.config("init"))], check=True)

    @staticmethod
    def eventually(seconds, holds):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return
            except (subprocess.SubprocessError, ClientError, BotoCoreError, OSError):
                pass
            assert time.monotonic() < deadline, "it did not come to be"
            time.sleep(0.05)

    def config(self, name, hosts=None, more=""):
        hosts = json.dumps([str(host.directory) for host in hosts or (self.p1, self.p2)])
        directory = self.tmp_path / name
        directory.mkdir(exist_ok=True)
        config = directory / "keystile.toml"
        config.write_text(textwrap.dedent(f"""
            data_dir = "keystile-data"
            [root_key]
            file = "../root.key"
            [store]
            engine = "postgres"
            hosts = {hosts}
            user = "postgres"
        """) + more)
        return config

    def gateway(self, name, *arguments, hosts=None):
        config = self.config(name, hosts)
        server = Server(config.parent, *arguments, config=config)
        self.gateways.append(server)
        return server

    def close(self):
        for server in self.gateways:
            if server.process.poll() is None:
                server.kill()
        for postgres in (self.p1, self.p2):
            postgres.kill()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()


def readyz(server):
    try:
        return 200, server.get("/readyz")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(server, name):
    for line in server.get("/metrics").splitlines():
        if line.split(" ")[0] in (f"keystile_{name}", f"keystile_{name}_total"):
            return float(line.split(" ")[1])
    raise AssertionError(name)


def policy(allows):
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [root] if allows else [root, deny]})


def encrypts(kms, key):
    try:
        kms.encrypt(KeyId=key, Plaintext=b"x")
        return True
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException", error
        return False


class Tagger(threading.Thread):
    """Writes tags on a key of its own, and remembers what was acknowledged and when."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.kms = server.kms()
        self.acknowledged, self.times, self.stopped = {}, [], False
        self.key = self.kms.create_key()["KeyMetadata"]["KeyId"]

    def run(self):
        n = 0
        while not self.stopped:
            n += 1
            try:
                self.kms.tag_resource(KeyId=self.key, Tags=[{"TagKey": f"k{n % 40}", "TagValue": str(n)}])
            except (ClientError, BotoCoreError):
                # Unknown or refused: it may be there or not, but nothing older may be.
                continue
            self.acknowledged[f"k{n % 40}"] = n
            self.times.append(time.monotonic())

    def check(self, kms):
        tags, marker = {}, {}
        while True:
            page = kms.list_resource_tags(KeyId=self.key, **marker)
            tags |= {tag["TagKey"]: int(tag["TagValue"]) for tag in page["Tags"]}
            if not page["Truncated"]:
                break
            marker = {"Marker": page["NextMarker"]}
        for tag, n in self.acknowledged.items():
            assert tags.get(tag, 0) >= n, (tag, n, tags.get(tag))


def test_three_gateways_share_one_truth(house):
    """Keys, policies, ciphertexts; denied on one is denied on all, at once for who carries the revision."""
    a, b, c = (house.gateway(name) for name in "abc")
    ka, kb, kc = a.kms(), b.kms(), c.kms()
    key = ka.create_key()["KeyMetadata"]["KeyId"]
    blob = kb.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    assert kc.decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
    changes = int(os.environ.get("KEYSTILE_PG_POLICIES", "60"))
    worst = 0.0
    for n in range(changes):
        allows = n % 2 == 1
        answer = ka.put_key_policy(KeyId=key, Policy=policy(allows))
        began = time.monotonic()
        revision = answer["ResponseMetadata"]["HTTPHeaders"]["x-keystile-revision"]
        if n % 3 == 0:
            def carry(request, **_):
                request.headers["x-keystile-revision"] = revision
            kb.meta.events.register("before-send.kms", carry)
            assert encrypts(kb, key) == allows, "who carries the revision is served nothing older"
            kb.meta.events.unregister("before-send.kms", carry)
        while encrypts(kc, key) != allows:
            assert time.monotonic() - began < BOUND, "a decision beyond the bound"
        worst = max(worst, time.monotonic() - began)
    print(f"{changes} changes, the last gateway followed within {worst * 1000:.0f} ms")
    # A revision of another history, or one that never was, is nothing to wait for.
    for odd in ("00000000-999999999", revision.split("-")[0] + "-999999999", "x"):
        def carry_odd(request, **_):
            request.headers["x-keystile-revision"] = odd
        kb.meta.events.register("before-send.kms", carry_odd)
        kb.describe_key(KeyId=key)
        kb.meta.events.unregister("before-send.kms", carry_odd)
    assert metric(b, "store_reloads") == 0 and metric(b, "store_fresh") == 1


def test_another_root_key_refuses_to_start(house):
    house.gateway("a")
    config = house.config("other")
    (house.tmp_path / "other.key").write_text(base64.b64encode(os.urandom(32)).decode())
    (house.tmp_path / "other.key").chmod(0o600)
    config.write_text(config.read_text().replace("../root.key", "../other.key"))
    started = subprocess.run([BINARY, "serve", "--config", str(config), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
                             capture_output=True, text=True, timeout=30)
    assert started.returncode == 2 and "root key is not the one" in started.stderr, started.stderr


def test_tls_verifies_the_servers_name(house, tmp_path):
    """A certificate of another authority, or for another name, is refused; the right one is served over."""
    ours, theirs = Authority(house.home, "ours"), Authority(house.home, "theirs")
    ours.issue("server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if AS_POSTGRES:
        subprocess.run(["chown", "postgres", str(house.home / "server.key")], check=True)
    (house.home / "server.key").chmod(0o600)
    for setting in (f"port = {port}", "listen_addresses = '127.0.0.1', '127.0.0.2'", "ssl = on", f"ssl_cert_file = '{house.home}/server.pem'",
                    f"ssl_key_file = '{house.home}/server.key'"):
        house.p1.sql(f"ALTER SYSTEM SET {setting}")
    house.p1.sql("ALTER ROLE postgres PASSWORD 'a secret'")
    hba = house.p1.data / "pg_hba.conf"
    hba.write_text("local all all trust\nlocal replication all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    # The standby looks for the socket of the other port: it is not needed here.
    house.p1.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
    house.p1.kill()
    house.p1.port = port
    house.p1.restart()
    directory = tmp_path / "tls"
    directory.mkdir()
    config = directory / "keystile.toml"
    (directory / "password").write_text("a secret\n")

    def serve(host, ca, password="password"):
        config.write_text(
            f'data_dir = "keystile-data"\n[root_key]\nfile = "../root.key"\n[store]\nengine = "postgres"\n'
            f'hosts = ["{host}:{port}"]\nuser = "postgres"\ntls = "verify-full"\nca_file = "{ca.file}"\n'
            f'password_file = "{password}"\n')
        command = [BINARY, "store", "migrate", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert "a secret" not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    assert serve("127.0.0.1", ours)[0] == 0
    assert serve("localhost", ours)[0] == 0
    status, why = serve("127.0.0.1", theirs)
    assert status == 2 and "certificate" in why, why
    status, why = serve("127.0.0.2", ours)
    assert status == 2 and "certificate not valid for name" in why, why
    (directory / "wrong").write_text("another secret\n")
    status, why = serve("127.0.0.1", ours, "wrong")
    assert status == 2 and "authentication failed" in why and "another secret" not in why, why
    serve("localhost", ours)
    gateway = Server(directory, config=config)
    house.gateways.append(gateway)
    assert gateway.kms().create_key()


def test_pg_kill_primary_promote(house):
    gateways = [house.gateway(name) for name in "abc"]
    taggers = [Tagger(server) for server in gateways]
    for tagger in taggers:
        tagger.start()
    time.sleep(2)
    house.p1.kill()
    house.p2.promote()
    promoted = time.monotonic()
    time.sleep(3)
    for tagger in taggers:
        tagger.stopped = True
    for tagger in taggers:
        tagger.join()
        first = min((at for at in tagger.times if at > promoted), default=None)
        assert first is not None, "nothing was written after the promotion"
        print(f"{len(tagger.times)} acknowledged; the first {1000 * (first - promoted):.0f} ms after the promotion")
        assert first - promoted < 1.0
        for server in gateways:
            tagger.check(server.kms())


def test_pg_deposed_primary_head_blocks(house):
    """A gateway that reaches the deposed primary alone fails closed at the bound, and says why."""
    a = house.gateway("a", hosts=[house.p1])
    b = house.gateway("b", hosts=[house.p2, house.p1])
    ka = a.kms()
    key = ka.create_key()["KeyMetadata"]["KeyId"]
    assert encrypts(ka, key)
    house.p2.promote()
    deposed = time.monotonic()
    House.eventually(5, lambda: b.kms().put_key_policy(KeyId=key, Policy=policy(False)))
    denied = time.monotonic()
    while True:
        asked = time.monotonic()
        try:
            ka.encrypt(KeyId=key, Plaintext=b"x")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
            assert error.response["Error"]["Code"] == "DependencyTimeoutException"
            assert "retry-after" in error.response["ResponseMetadata"]["HTTPHeaders"]
            break
        assert asked < denied + BOUND, "it decided by what was changed longer ago than the bound"
        time.sleep(0.02)
    status, why = readyz(a)
    assert status == 503 and "no answer within" in why, why
    print(f"failed closed {asked - deposed:.2f} s after the promotion: {why.strip()}")
    for _ in range(3):
        with pytest.raises(ClientError):
            ka.encrypt(KeyId=key, Plaintext=b"x")
        time.sleep(0.05)


def test_pg_frozen_primary_client_failover(house):
    gateways = [house.gateway(name) for name in "ab"]
    taggers = [Tagger(server) for server in gateways]
    for tagger in taggers:
        tagger.start()
    time.sleep(1)
    house.p1.freeze()
    frozen = time.monotonic()
    house.p2.promote()
    House.eventually(15, lambda: all(tagger.times[-1] > frozen + 0.5 for tagger in taggers))
    print(f"writing again {time.monotonic() - frozen:.1f} s after the freeze")
    # The old primary comes back, and says that it is the primary.
    house.p1.thaw()
    time.sleep(3)
    for tagger in taggers:
        tagger.stopped = True
        tagger.join()
        for server in gateways:
            tagger.check(server.kms())
    assert all(readyz(server)[0] == 200 for server in gateways)


def test_pg_syncrep_cancel_is_unknown(house):
    """Cancelling the wait for the standby makes PostgreSQL answer success: it is never acknowledged."""
    a = house.gateway("a")
    kms = a.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    house.p2.freeze()
    outcome = []

    def write():
        try:
            kms.update_key_description(KeyId=key, Description="cancelled")
            outcome.append("acknowledged")
        except (ClientError, BotoCoreError) as error:
            outcome.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    cancelled = 0
    while writer.is_alive():
        told = house.p1.sql("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        cancelled += int(told)
        time.sleep(0.1)
    assert cancelled > 0 and outcome != ["acknowledged"], outcome
    assert house.p1.sql("SELECT count(*) FROM ks_kv WHERE position('cancelled' in convert_from(v, 'LATIN1')) > 0", "keystile") in ("0", "1")
    assert readyz(a)[0] == 503
    house.p2.thaw()
    House.eventually(10, lambda: readyz(a)[0] == 200)
    House.eventually(10, lambda: kms.update_key_description(KeyId=key, Description="after"))
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "after"


def test_standby_loss_blocks_writes(house):
    a = house.gateway("a")
    kms = a.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    house.p2.kill()
    with pytest.raises((ClientError, BotoCoreError)):
        kms.create_key()
    assert readyz(a)[0] == 503
    with pytest.raises(ClientError):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    waiting = int(house.p1.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'keystile'"))
    time.sleep(4)
    later = int(house.p1.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'keystile'"))
    assert later <= waiting + 6, f"connections pile up: {waiting}, then {later}"
    house.p2.restart()
    House.eventually(15, lambda: readyz(a)[0] == 200)
    assert encrypts(kms, key)
    House.eventually(10, kms.create_key)


def test_pg_crash_restart_unacked_visible(house):
    """What a crashed primary recovers that no standby has is not served before one has it."""
    a = house.gateway("a")
    kms = a.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert encrypts(kms, key)
    house.p2.freeze()
    with pytest.raises((ClientError, BotoCoreError)):
        kms.put_key_policy(KeyId=key, Policy=policy(False))
    house.p1.kill()
    house.p1.restart()
    for _ in range(4):
        with pytest.raises(ClientError) as refused:
            kms.encrypt(KeyId=key, Plaintext=b"x")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        time.sleep(0.05)
    house.p2.thaw()
    House.eventually(20, lambda: readyz(a)[0] == 200)
    rows = house.p1.sql("SELECT count(*) FROM ks_change", "keystile")
    denied = not encrypts(kms, key)
    print(f"{rows} changes; the change that was never acknowledged {'is' if denied else 'is not'} there")


def test_rotation_exactly_once_kill(house):
    """A year's rotation of many keys by three gateways; the primary and a gateway are killed amid it."""
    a = house.gateway("a", "--test-clock")
    kms = a.kms()
    keys = []
    for _ in range(KEYS):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        keys.append(key)

    def advance():
        try:
            a.advance(91 * 86_400)
        except (OSError, urllib.error.URLError):
            pass

    advancing = threading.Thread(target=advance)
    advancing.start()
    House.eventually(10, lambda: house.p1.sql("SELECT count(*) FROM ks_kv WHERE k = 'kms/clock'", "keystile") == "1")
    b, c = house.gateway("b", "--test-clock"), house.gateway("c", "--test-clock")
    a.kill()
    house.p1.kill()
    house.p2.promote()
    advancing.join()
    a = house.gateway("a", "--test-clock")
    kms = c.kms()
    for key in keys:
        House.eventually(60, lambda key=key: len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1)

    def recorded():
        events = []
        for server in (a, b, c):
            for line in open(server.data / "audit.jsonl"):
                record = json.loads(line)
                if record["eventName"] == "RotateKey":
                    events.append(record["resources"][0]["ARN"])
        return events

    House.eventually(30, lambda: len(recorded()) >= KEYS)
    time.sleep(1.5)
    events = recorded()
    assert len(events) == len(set(events)) == KEYS, "each rotation is in one log, once"
    for key in keys[:5]:
        assert len(b.kms().list_key_rotations(KeyId=key)["Rotations"]) == 1


def test_copy_there_and_back(house, tmp_path):
    """From the embedded store to PostgreSQL and back: equal, and old ciphertexts decrypt."""
    embedded = tmp_path / "embedded"
    embedded.mkdir()
    config = embedded / "keystile.toml"
    config.write_text('data_dir = "keystile-data"\n[root_key]\nfile = "../root.key"\n')
    server = Server(embedded, config=config)
    house.gateways.append(server)
    kms = server.kms()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(20)]
    blobs = [kms.encrypt(KeyId=key, Plaintext=key.encode())["CiphertextBlob"] for key in keys]

    def copy(source, target):
        done = subprocess.run([BINARY, "store", "copy", "--from", str(source), "--to", str(target)], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    shared = house.config("a")
    status, told = copy(config, shared)
    assert status == 2 and "another process" in told, told
    assert server.stop() == 0
    status, there = copy(config, shared)
    assert status == 0, there
    status, told = copy(config, shared)
    assert status == 2 and "not empty" in told, told
    gateway = house.gateway("a")
    for key, blob in zip(keys, blobs):
        assert gateway.kms().decrypt(CiphertextBlob=blob)["Plaintext"] == key.encode()
    assert gateway.stop() == 0
    back = tmp_path / "back"
    back.mkdir()
    (back / "keystile.toml").write_text(config.read_text())
    status, told = copy(shared, back / "keystile.toml")
    assert status == 0, told
    # Access keys are not in a store.
    shutil.copy(embedded / "keystile-data/credentials", back / "keystile-data/credentials")
    server = Server(back, config=back / "keystile.toml")
    house.gateways.append(server)
    kms = server.kms()
    for key, blob in zip(keys, blobs):
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == key.encode()
    assert server.stop() == 0
