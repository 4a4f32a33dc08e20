"""AWS managed keys through boto3: their first use makes them, and nobody changes them."""

import json

import pytest
from botocore.exceptions import ClientError

YEAR = 365 * 86400


def listed(kms):
    pages = kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 5})
    return {alias["AliasName"]: alias for page in pages for alias in page["Aliases"]}


def test_a_managed_key_from_its_first_use_on(year_server):
    kms = year_server.kms()
    before = listed(kms)
    assert "TargetKeyId" not in before["alias/aws/s3"] and "CreationDate" not in before["alias/aws/s3"]
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (key["KeyManager"], key["Description"]) == (
        "AWS", "Default key that protects my S3 objects when no other key is defined")
    assert listed(kms)["alias/aws/s3"]["TargetKeyId"] == key["KeyId"]
    assert listed(kms).keys() == before.keys()
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    assert policy["Statement"][0]["Condition"]["StringEquals"] == {
        "kms:CallerAccount": key["AWSAccountId"], "kms:ViaService": "s3.us-east-1.amazonaws.com"}

    for call in [
        lambda: kms.encrypt(KeyId="alias/aws/s3", Plaintext=b"a"),
        lambda: kms.generate_data_key(KeyId=key["Arn"], KeySpec="AES_256"),
        lambda: kms.disable_key(KeyId=key["KeyId"]),
        lambda: kms.schedule_key_deletion(KeyId=key["KeyId"]),
        lambda: kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy)),
        lambda: kms.create_alias(AliasName="alias/mine", TargetKeyId=key["KeyId"]),
        lambda: kms.delete_alias(AliasName="alias/aws/s3"),
    ]:
        with pytest.raises(ClientError, match="because no resource-based policy allows the kms:"):
            call()

    year_server.advance(YEAR + 1)
    status = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 365)
    assert len(kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]) == 1
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"] == key["KeyId"]


def test_who_may_look_at_no_key_makes_none(team):
    _, _, alice, bob = team
    with pytest.raises(ClientError, match="AccessDenied"):
        alice.describe_key(KeyId="alias/aws/ebs")
    assert "TargetKeyId" not in listed(bob)["alias/aws/ebs"]
    key = bob.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert listed(bob)["alias/aws/ebs"]["TargetKeyId"] == key["KeyId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        bob.encrypt(KeyId="alias/aws/ebs", Plaintext=b"a")
