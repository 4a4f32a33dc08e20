"""The policies that AWS itself writes: each becomes Cedar that validates strictly, without a warning."""

import concurrent.futures
import json
import os
import subprocess

import pytest

from conftest import BINARY


@pytest.fixture(scope="module")
def managed(tmp_path_factory):
    # moto is here for this data alone.
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    directory = tmp_path_factory.mktemp("managed")
    for name, policy in json.loads(aws_managed_policies_data).items():
        (directory / f"{name}.json").write_text(json.dumps(policy["Document"], indent=1))
    return sorted(directory.iterdir())


def translate(path, *arguments):
    return subprocess.run([BINARY, "translate", *arguments, str(path)], capture_output=True, text=True)


def test_every_managed_policy_translates_without_a_warning(managed):
    assert len(managed) == 1485
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda path: translate(path, "--type", "identity"), managed))
    failed = {path.stem: run.stderr for path, run in zip(managed, done) if run.returncode != 0 or run.stderr}
    assert not failed
    # Each says something.
    assert all("permit (" in run.stdout or "forbid (" in run.stdout for run in done)


def test_a_policy_that_does_not_translate_is_told_of(tmp_path):
    """The test above could not fail otherwise."""
    path = tmp_path / "policy.json"
    path.write_text('{"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:k*:us-east-1:1:key/a"}}')
    refused = translate(path, "--type", "identity")
    assert refused.returncode == 1 and "Resource" in refused.stderr
