"""The aws CLI and curl, as a user types them."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import ALICE

AWS = str(pathlib.Path(sys.executable).parent / "aws")


def aws(server, *arguments, credentials=None, expect=0):
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(server.directory), "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials or server.data / "credentials"),
    }
    result = subprocess.run(
        [AWS, "--endpoint-url", server.gateway, "--region", "us-east-1", "--output", "json", "kms", *arguments],
        env=environment, capture_output=True, text=True)
    assert result.returncode == expect, result.stderr
    return json.loads(result.stdout) if result.stdout.strip() else result.stderr


def test_the_aws_cli_rotates_a_key_and_decrypts_what_each_material_sealed(year_server, tmp_path):
    server = year_server
    key = aws(server, "create-key", "--description", "cli")["KeyMetadata"]["KeyId"]
    texts = [b"before the rotations", b"after the first", b"after both"]

    def seal(number):
        (tmp_path / "plain").write_bytes(texts[number])
        sealed = aws(server, "encrypt", "--key-id", key, "--plaintext", f"fileb://{tmp_path}/plain", "--encryption-context", "tenant=blue")
        (tmp_path / f"sealed-{number}").write_bytes(base64.b64decode(sealed["CiphertextBlob"]))

    seal(0)
    assert aws(server, "rotate-key-on-demand", "--key-id", key)["KeyId"].endswith(key)
    seal(1)
    aws(server, "enable-key-rotation", "--key-id", key)
    server.advance(366 * 86400)
    seal(2)
    rotations = aws(server, "list-key-rotations", "--key-id", key)["Rotations"]
    assert sorted(rotation["RotationType"] for rotation in rotations) == ["AUTOMATIC", "ON_DEMAND"]
    materials = set()
    for number, text in enumerate(texts):
        opened = aws(server, "decrypt", "--ciphertext-blob", f"fileb://{tmp_path}/sealed-{number}", "--encryption-context", "tenant=blue")
        assert base64.b64decode(opened["Plaintext"]) == text
        materials.add(opened["KeyMaterialId"])
    assert len(materials) == 3


def test_the_aws_cli_is_told_who_may_not(year_team, tmp_path):
    key = aws(year_team, "create-key")["KeyMetadata"]["KeyId"]
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "alice").write_text("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n".format(*ALICE))
    said = aws(year_team, "encrypt", "--key-id", key, "--plaintext", f"fileb://{tmp_path}/plain",
        credentials=tmp_path / "alice", expect=255)
    assert "(AccessDeniedException)" in said and "is not authorized to perform: kms:Encrypt" in said


def test_the_aws_cli_sees_errors_as_aws_prints_them(server):
    text = aws(server, "describe-key", "--key-id", "1234abcd-12ab-34cd-56ef-1234567890ab", expect=255)
    assert "(NotFoundException)" in text and "does not exist" in text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_signs_for_both_forms(server):
    key, secret = server.root_key()

    def curl(*arguments):
        result = subprocess.run(
            ["curl", "-sS", "--aws-sigv4", "aws:amz:us-east-1:kms", "--user", f"{key}:{secret}", *arguments, server.gateway + "/"],
            capture_output=True, text=True, check=True)
        return json.loads(result.stdout)

    made = curl("-H", "Content-Type: application/x-amz-json-1.1", "-H", "X-Amz-Target: TrentService.CreateKey", "-d", "{}")
    key_id = made["KeyMetadata"]["KeyId"]
    plain = curl("-H", "Content-Type: application/json", "-H", "X-Amz-Target: TrentService.DescribeKey", "-d", json.dumps({"KeyId": key_id}))
    assert plain["success"] is True and plain["data"]["id"] == key_id and plain["data"]["created_at"].endswith("Z")
    refused = curl("-H", "Content-Type: application/json", "-H", "X-Amz-Target: TrentService.DescribeKey", "-d", '{"KeyId": ""}')
    assert refused["success"] is False and refused["error"]["code"] == "VALIDATION_ERROR"
