"""Asks both sides about cases; each is a process of its own."""

import json
import os
import pathlib
import subprocess
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
BINARY = os.environ.get("KEYSTILE_BIN", str(ROOT / "target/release/keystile"))


def run(command, cases, **environment):
    text = "".join(json.dumps(case) + "\n" for case in cases)
    began = time.monotonic()
    done = subprocess.run(command, input=text, capture_output=True, text=True, env={**os.environ, **environment})
    return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - began, done.stderr


def keystile(cases):
    """Answers in order, and the seconds that they took."""
    answers, seconds, errors = run([BINARY, "simulate", "--format", "json"], cases)
    assert len(answers) == len(cases), errors
    return answers, seconds


def iam_simulate(cases):
    answers, _, errors = run(["node", str(HERE / "driver.mjs")], cases, TZ="UTC")
    assert len(answers) == len(cases) + 1, errors
    return answers[:-1], answers[-1]["seconds"]
