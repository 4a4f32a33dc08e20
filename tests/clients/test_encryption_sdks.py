"""Client-side encryption with AWS's own libraries, unmodified: data keys of a key that rotates."""

import json
import pathlib
import secrets
import subprocess
import sys

import boto3
import pytest
from botocore.exceptions import ClientError
from dynamodb_encryption_sdk.encrypted.table import EncryptedTable
from dynamodb_encryption_sdk.exceptions import UnwrappingError, WrappingError
from dynamodb_encryption_sdk.identifiers import CryptoAction
from dynamodb_encryption_sdk.material_providers.aws_kms import AwsKmsCryptographicMaterialsProvider
from dynamodb_encryption_sdk.structures import AttributeActions
from moto import mock_aws

from conftest import ALICE, REGION

DAY = 86400
ENCRYPTION_CLI = pathlib.Path(sys.executable).parent / "aws-encryption-cli"


def rotating_key(kms):
    key = kms.create_key()["KeyMetadata"]
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    return key["Arn"]


def rotations_between(server, key):
    """What goes on between one message and the next: a rotation on demand, then one by the calendar."""
    yield lambda: server.kms().rotate_key_on_demand(KeyId=key)
    yield lambda: server.advance(91 * DAY)


def rotation_types(kms, key):
    return sorted(rotation["RotationType"] for rotation in kms.list_key_rotations(KeyId=key)["Rotations"])


def test_the_encryption_cli_opens_what_it_sealed_before_each_rotation(year_team, tmp_path):
    kms = year_team.kms()
    key = rotating_key(kms)

    def cli(*arguments, environment=None, expect=0):
        command = [ENCRYPTION_CLI, *arguments, "--wrapping-keys", f"key={key}", "--suppress-metadata"]
        done = subprocess.run(command, env=environment or year_team.environment(), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == expect, done.stderr
        return done.stderr

    plain = []

    def seal():
        plain.append(secrets.token_bytes(10 * 1024 + 1))
        (tmp_path / "plain").write_bytes(plain[-1])
        cli("--encrypt", "--input", "plain", "--output", f"sealed-{len(plain)}", "--encryption-context", "tenant=blue")

    seal()
    for rotate in rotations_between(year_team, key):
        rotate()
        seal()
    assert rotation_types(kms, key) == ["AUTOMATIC", "ON_DEMAND"]
    for number, expected in enumerate(plain, 1):
        cli("--decrypt", "--input", f"sealed-{number}", "--output", "opened", "--encryption-context", "tenant=blue")
        assert (tmp_path / "opened").read_bytes() == expected

    # Of what KMS answers, the CLI tells when it encrypts; when it decrypts, that no key opened the message.
    stranger = year_team.environment(*ALICE)
    said = cli("--encrypt", "-vv", "--input", "plain", "--output", "nothing", environment=stranger, expect=1)
    assert "GenerateKeyError" in said and "AccessDeniedException" in said, said
    said = cli("--decrypt", "--input", "sealed-1", "--output", "nothing", environment=stranger, expect=1)
    assert "DecryptKeyError" in said, said
    assert not (tmp_path / "nothing").exists()
    year_team.stop()
    records = [json.loads(line) for line in (year_team.data / "audit.jsonl").read_text().splitlines()]
    refused = [record["eventName"] for record in records if record.get("errorCode") == "AccessDenied"]
    assert refused == ["GenerateDataKey", "Decrypt"]


@mock_aws
def test_the_dynamodb_encryption_client_opens_items_from_before_each_rotation(year_team):
    kms = year_team.kms()
    key = rotating_key(kms)
    dynamodb = boto3.resource("dynamodb", region_name=REGION)
    table = dynamodb.create_table(
        TableName="patients", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    actions = AttributeActions(attribute_actions={"shown": CryptoAction.DO_NOTHING})

    def encrypted(client):
        provider = AwsKmsCryptographicMaterialsProvider(key_id=key, regional_clients={REGION: client})
        return EncryptedTable(table=table, materials_provider=provider, attribute_actions=actions)

    patients, items = encrypted(kms), []

    def put():
        items.append({"id": f"patient-{len(items)}", "note": secrets.token_hex(2048), "age": 40 + len(items), "shown": "yes"})
        patients.put_item(Item=items[-1])

    put()
    for rotate in rotations_between(year_team, key):
        rotate()
        put()
    assert rotation_types(kms, key) == ["AUTOMATIC", "ON_DEMAND"]
    for item in items:
        name = {"id": item["id"]}
        stored = table.get_item(Key=name)["Item"]
        assert stored["shown"] == "yes" and item["note"].encode() not in bytes(stored["note"])
        assert patients.get_item(Key=name)["Item"] == item

    stranger = encrypted(year_team.kms(*ALICE))
    for call, expected in (
        (lambda: stranger.put_item(Item=items[0]), WrappingError),
        (lambda: stranger.get_item(Key={"id": "patient-0"}), UnwrappingError),
    ):
        with pytest.raises(expected) as error:
            call()
        reason = error.value.__context__
        assert isinstance(reason, ClientError) and reason.response["Error"]["Code"] == "AccessDeniedException"
