"""kill -9 in the middle of a storm loses nothing that was acknowledged.

KEYSTILE_KILLS: how often (10; tests/long says 200).
"""

import json
import os
import random
import subprocess
import threading
import time

from conftest import BINARY, Server

KILLS = int(os.environ.get("KEYSTILE_KILLS", "10"))
THREADS = 4


class Worker(threading.Thread):
    """One client that owns its keys and remembers what was acknowledged."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.kms = server.kms()
        self.rotations, self.policies, self.blobs = {}, {}, []
        self.attempted_rotation = self.attempted_policy = None
        self.acknowledged = 0

    def run(self):
        try:
            while True:
                self.step()
        except Exception:  # noqa: BLE001: the server was killed; what was in flight may be either way
            return

    def step(self):
        keys = list(self.rotations)
        choice = random.random()
        if choice < 0.25 or not keys:
            key = self.kms.create_key()["KeyMetadata"]["KeyId"]
            self.rotations[key] = 0
        elif choice < 0.5:
            key = random.choice(keys)
            if self.rotations[key] < 25:
                self.attempted_rotation = key
                self.kms.rotate_key_on_demand(KeyId=key)
                self.rotations[key] += 1
                self.attempted_rotation = None
        elif choice < 0.75:
            key = random.choice(keys)
            text = json.dumps({"Version": "2012-10-17", "Id": str(random.random()), "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]})
            self.attempted_policy = (key, text)
            self.kms.put_key_policy(KeyId=key, Policy=text)
            self.policies[key] = text
            self.attempted_policy = None
        else:
            key, plaintext = random.choice(keys), random.randbytes(32)
            self.blobs.append((plaintext, self.kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]))
        self.acknowledged += 1

    def check(self, kms, sample):
        for key, count in self.rotations.items():
            listed = len(kms.list_key_rotations(KeyId=key)["Rotations"])
            assert count <= listed <= count + (key == self.attempted_rotation), (key, count, listed)
        for key, text in self.policies.items():
            allowed = {text} | ({self.attempted_policy[1]} if self.attempted_policy and self.attempted_policy[0] == key else set())
            assert kms.get_key_policy(KeyId=key)["Policy"] in allowed
        for plaintext, blob in random.sample(self.blobs, min(sample, len(self.blobs))):
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path):
    acknowledged, old_blobs = 0, []
    for _ in range(KILLS):
        server = Server(tmp_path)
        workers = [Worker(server) for _ in range(THREADS)]
        for worker in workers:
            worker.start()
        time.sleep(random.uniform(0.2, 1.5))
        server.kill()
        for worker in workers:
            worker.join()
        server = Server(tmp_path)
        try:
            kms = server.kms()
            for worker in workers:
                worker.check(kms, sample=50)
                acknowledged += worker.acknowledged
            for plaintext, blob in random.sample(old_blobs, min(20, len(old_blobs))):
                assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
            old_blobs += [pair for worker in workers for pair in worker.blobs]
        finally:
            assert server.stop() == 0
        verified = subprocess.run([BINARY, "audit", "verify", str(server.data / "audit.jsonl")], capture_output=True, text=True)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    created = sum('"eventName":"CreateKey"' in line for line in open(server.data / "audit.jsonl"))
    assert created > 0
    print(f"{KILLS} kills, {acknowledged} acknowledged operations")
    assert acknowledged > KILLS * 20
