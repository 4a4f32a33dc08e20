"""The aws CLI and curl, as a user types them."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

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


def test_the_aws_cli_rotates_a_key_and_decrypts_with_the_old_material(year_server, tmp_path):
    server = year_server
    key = aws(server, "create-key", "--description", "cli")["KeyMetadata"]["KeyId"]
    (tmp_path / "plain").write_bytes(b"before the rotation")
    blob = aws(server, "encrypt", "--key-id", key, "--plaintext", f"fileb://{tmp_path}/plain")["CiphertextBlob"]
    aws(server, "enable-key-rotation", "--key-id", key)
    server.advance(366 * 86400)
    rotations = aws(server, "list-key-rotations", "--key-id", key)["Rotations"]
    assert [r["RotationType"] for r in rotations] == ["AUTOMATIC"]
    (tmp_path / "blob").write_bytes(base64.b64decode(blob))
    opened = aws(server, "decrypt", "--ciphertext-blob", f"fileb://{tmp_path}/blob")
    assert base64.b64decode(opened["Plaintext"]) == b"before the rotation"
    assert aws(server, "rotate-key-on-demand", "--key-id", key)["KeyId"].endswith(key)


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
