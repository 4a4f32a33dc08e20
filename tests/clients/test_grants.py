"""Grants, made and used by boto3 and the aws CLI."""

import json

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def denied(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"]


def test_a_grant_is_made_used_listed_and_revoked(team):
    server, root, alice, _ = team
    key = root.create_key()["KeyMetadata"]
    context = {"Tenant": "a"}
    use = {"KeyId": key["Arn"], "KeySpec": "AES_256", "EncryptionContext": context}
    assert denied(alice.generate_data_key, **use) == "AccessDeniedException"
    made = root.create_grant(
        KeyId=key["KeyId"], GranteePrincipal=ALICE, RetiringPrincipal=ALICE, Name="for-alice",
        Operations=["GenerateDataKey", "Decrypt", "DescribeKey"], Constraints={"EncryptionContextSubset": context})
    data_key = alice.generate_data_key(**use, GrantTokens=[made["GrantToken"]])
    for _ in range(200):
        alice.generate_data_key(**use)
    assert denied(alice.generate_data_key, KeyId=key["Arn"], KeySpec="AES_256") == "AccessDeniedException"

    # The key rotates, and what the grant allows goes on.
    root.rotate_key_on_demand(KeyId=key["KeyId"])
    opened = alice.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == data_key["Plaintext"]

    [listed] = root.list_grants(KeyId=key["KeyId"])["Grants"]
    assert listed["GrantId"] == made["GrantId"]
    assert listed["Name"] == "for-alice"
    assert listed["Constraints"] == {"EncryptionContextSubset": context}
    assert [grant["GrantId"] for grant in root.list_retirable_grants(RetiringPrincipal=ALICE)["Grants"]] == [made["GrantId"]]

    # It stops at the next request.
    root.revoke_grant(KeyId=key["KeyId"], GrantId=made["GrantId"])
    assert denied(alice.generate_data_key, **use) == "AccessDeniedException"
    assert root.list_grants(KeyId=key["KeyId"])["Grants"] == []

    records = [json.loads(line) for line in (server.data / "audit.jsonl").read_text().splitlines()]
    [creation] = [record for record in records if record["eventName"] == "CreateGrant"]
    assert creation["requestParameters"]["constraints"] == {"encryptionContextSubset": context}
    assert creation["responseElements"]["grantId"] == made["GrantId"]
    assert "grantToken" not in json.dumps(creation["responseElements"])
    [decryption] = [record for record in records if record["eventName"] == "Decrypt"]
    assert [by["layer"] for by in decryption["keystile"]["decided_by"]] == ["grant"]
    assert decryption["keystile"]["decided_by"][0]["sid"] == made["GrantId"]


def test_the_grantee_retires_its_grant_by_its_token(team):
    _, root, alice, bob = team
    key = root.create_key()["KeyMetadata"]
    made = root.create_grant(KeyId=key["KeyId"], GranteePrincipal=ALICE, Operations=["Encrypt", "RetireGrant"])
    alice.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    assert denied(alice.retire_grant, GrantToken=made["GrantToken"], DryRun=True) == "DryRunOperationException"
    alice.retire_grant(GrantToken=made["GrantToken"])
    assert denied(alice.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == "AccessDeniedException"
    # The account that issued it may, by its identity policies: bob has them.
    made = root.create_grant(KeyId=key["KeyId"], GranteePrincipal=ALICE, Operations=["Encrypt"])
    bob.retire_grant(KeyId=key["Arn"], GrantId=made["GrantId"])
    assert root.list_grants(KeyId=key["KeyId"])["Grants"] == []


def test_pages_of_grants(team):
    _, root, _, _ = team
    key = root.create_key()["KeyMetadata"]["KeyId"]
    made = {root.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"])["GrantId"] for _ in range(120)}
    pages = root.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 50})
    listed = [grant["GrantId"] for page in pages for grant in page["Grants"]]
    assert len(listed) == 120
    assert set(listed) == made


def test_a_dry_run_tells_what_would_come(team):
    _, root, alice, _ = team
    key = root.create_key()["KeyMetadata"]["KeyId"]
    assert denied(alice.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "AccessDeniedException"
    assert denied(root.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DryRunOperationException"
    blob = root.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert denied(root.decrypt, CiphertextBlob=blob, DryRun=True) == "DryRunOperationException"
    broken = blob[:-1] + bytes([blob[-1] ^ 1])
    assert denied(root.decrypt, CiphertextBlob=broken, DryRun=True) == "InvalidCiphertextException"
    ignoring = {"KeyId": key, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert denied(root.decrypt, **ignoring) == "DryRunOperationException"
    assert denied(root.decrypt, CiphertextBlob=broken, **ignoring) == "DryRunOperationException"
    assert denied(alice.decrypt, **ignoring) == "AccessDeniedException"
    assert denied(root.decrypt, **(ignoring | {"DryRun": False})) == "ValidationException"
    del ignoring["KeyId"]
    assert denied(root.decrypt, **ignoring) == "ValidationException"
    assert denied(root.re_encrypt, SourceKeyId=key, DestinationKeyId=key, **ignoring) == "DryRunOperationException"
    assert denied(root.create_grant, KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"], DryRun=True) == "DryRunOperationException"
    assert root.list_grants(KeyId=key)["Grants"] == []
