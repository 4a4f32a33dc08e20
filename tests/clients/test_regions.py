"""Multi-Region keys through boto3 clients of several Regions."""

import pytest
from botocore.exceptions import ClientError


def test_a_key_of_two_regions(year_server):
    here, there = year_server.kms(region="us-east-1"), year_server.kms(region="eu-west-1")
    key = here.create_key(MultiRegion=True)["KeyMetadata"]
    blob = here.encrypt(KeyId=key["KeyId"], Plaintext=b"before", EncryptionContext={"a": "1"})["CiphertextBlob"]
    replica = here.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]
    assert replica["KeyId"] == key["KeyId"]
    assert replica["MultiRegionConfiguration"]["PrimaryKey"]["Arn"] == key["Arn"]
    assert there.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"})["Plaintext"] == b"before"

    here.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    year_server.advance(91 * 86400)
    current = here.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"]
    assert current != key["CurrentKeyMaterialId"]
    assert there.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"] == current
    assert there.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"})["Plaintext"] == b"before"
    assert there.get_key_rotation_status(KeyId=key["KeyId"])["RotationPeriodInDays"] == 90

    here.update_primary_region(KeyId=key["KeyId"], PrimaryRegion="eu-west-1")
    with pytest.raises(ClientError, match="multi-region replica key"):
        here.rotate_key_on_demand(KeyId=key["KeyId"])
    there.rotate_key_on_demand(KeyId=key["KeyId"])
    blob = there.encrypt(KeyId=replica["Arn"], Plaintext=b"after")["CiphertextBlob"]
    assert here.decrypt(CiphertextBlob=blob, KeyId=key["Arn"])["Plaintext"] == b"after"
