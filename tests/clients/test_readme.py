"""The README's session works as printed."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from conftest import BINARY, ROOT


def test_the_session_of_the_readme_works_as_printed(tmp_path):
    text = (ROOT / "README.md").read_text()
    session = text[text.index("## A session"):text.index("## How it decides")]
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", session, re.S))
    # The build is there already, and the sample is not to be littered.
    commands = commands.replace("cargo build --release && ", "").replace("cd policies/quick-start", "cd quick-start")
    shutil.copytree(ROOT / "policies/quick-start", tmp_path / "quick-start",
                    ignore=shutil.ignore_patterns("keystile-data", "*.credentials", "credentials.toml"))
    path = os.pathsep.join([str(pathlib.Path(BINARY).parent), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(["bash", "-c", commands], cwd=tmp_path, env={"PATH": path, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"},
                            capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr

    printed = "".join(re.findall(r"```text\n(.*?)```", session, re.S))
    shown = result.stdout + result.stderr
    for line in filter(None, map(str.strip, printed.splitlines())):
        # What differs from run to run: ids, dates, hashes.
        pattern = re.escape(line)
        for varies in (r"[0-9a-f]{8}\\-[0-9a-f]{4}\\-[0-9a-f]{4}\\-[0-9a-f]{4}\\-[0-9a-f]{12}", r"[0-9a-f]{64}", r"1826952832\\.526", r"2027\\-11\\-24T06:53:53\\.4Z"):
            pattern = re.sub(varies, lambda _: r"[-0-9a-fTZ:.]+", pattern)
        assert re.search(pattern, shown), line
