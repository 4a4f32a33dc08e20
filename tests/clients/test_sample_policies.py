"""The sample policies are what policies/README.md says of them."""

import json
import subprocess
import time

import pytest

from conftest import BINARY, ROOT

POLICIES = ROOT / "policies"
SAMPLES = sorted(path.parent for path in POLICIES.glob("*/key-policy.cedar"))


def keystile(*arguments, **how):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, **how)


def test_there_are_twelve_and_the_index_names_each():
    index = (POLICIES / "README.md").read_text()
    assert len(SAMPLES) == 12
    for sample in SAMPLES:
        assert f"]({sample.name})" in index
        assert (sample / "key-policy.json").exists() and (sample / f"{sample.name}.test.toml").exists()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_cedar_is_what_translate_prints(sample):
    printed = keystile("translate", sample / "key-policy.json")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == (sample / "key-policy.cedar").read_text()


def test_every_suite_passes_in_under_a_second():
    began = time.monotonic()
    run = keystile("test", POLICIES)
    assert run.returncode == 0, run.stdout + run.stderr
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_statement_matches_and_every_condition_holds_and_fails(sample):
    run = keystile("test", "--coverage", "--coverage-min", "100", sample)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_changed_policy_fails_its_suite(tmp_path):
    """A suite that no change of its policy could fail would prove nothing."""
    for sample in SAMPLES:
        document = json.loads((sample / "key-policy.json").read_text())
        for at in range(len(document["Statement"])):
            copy = tmp_path / f"{sample.name}-{at}"
            copy.mkdir()
            changed = {**document, "Statement": [s for n, s in enumerate(document["Statement"]) if n != at]}
            # A policy without statements is none at all.
            changed["Statement"] = changed["Statement"] or [{**document["Statement"][0], "Action": "kms:ListGrants"}]
            (copy / "key-policy.json").write_text(json.dumps(changed))
            suite = (sample / f"{sample.name}.test.toml").read_text()
            (copy / "suite.test.toml").write_text(suite.replace("../", f"{POLICIES}/"))
            assert keystile("test", copy).returncode == 1, f"{sample.name} without Statement[{at}]"


def test_the_linter_finds_nothing():
    run = keystile("check", "--strict", *SAMPLES, POLICIES / "kms-full-access.json")
    assert run.returncode == 0, run.stdout + run.stderr
