"""boto3, unmodified, through the whole life of a key."""

import datetime
import json

import botocore.exceptions
import pytest

DAY = 86400


def code(error):
    return error.value.response["Error"]["Code"]


def test_a_key_is_created_used_and_described(server):
    kms = server.kms()
    key = kms.create_key(Description="first", Tags=[{"TagKey": "team", "TagValue": "a"}])["KeyMetadata"]
    assert key["KeyState"] == "Enabled" and key["KeySpec"] == "SYMMETRIC_DEFAULT" and key["Enabled"]
    assert key["Arn"] == f"arn:aws:kms:us-east-1:111122223333:key/{key['KeyId']}"
    kms.create_alias(AliasName="alias/first", TargetKeyId=key["KeyId"])
    context = {"tenant": "blue", "purpose": "test"}
    blob = kms.encrypt(KeyId="alias/first", Plaintext=b"hello", EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"hello"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "red"})
    assert code(error) == "InvalidCiphertextException"
    assert [a["AliasName"] for a in kms.list_aliases(KeyId=key["KeyId"])["Aliases"]] == ["alias/first"]
    assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "a"}]


def test_ninety_one_days_bring_one_rotation(year_server):
    kms = year_server.kms()
    key = kms.create_key()["KeyMetadata"]
    old = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"old")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    before = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert before["KeyRotationEnabled"] and before["RotationPeriodInDays"] == 90
    year_server.advance(91 * DAY)

    rotations = kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]
    assert [r["RotationType"] for r in rotations] == ["AUTOMATIC"]
    assert rotations[0]["RotationDate"] == before["NextRotationDate"]
    status = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert status["NextRotationDate"] - before["NextRotationDate"] == datetime.timedelta(days=90)
    described = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    assert described["CurrentKeyMaterialId"] != key["CurrentKeyMaterialId"]
    data_key = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
    assert data_key["KeyMaterialId"] == described["CurrentKeyMaterialId"]
    opened = kms.decrypt(CiphertextBlob=old)
    assert opened["Plaintext"] == b"old" and opened["KeyMaterialId"] == key["CurrentKeyMaterialId"]

    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    new = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"new")["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=new)
    assert opened["Plaintext"] == b"new" and opened["KeyMaterialId"] not in (key["CurrentKeyMaterialId"], data_key["KeyMaterialId"])
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    assert kms.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"


def test_ten_years_bring_every_rotation_once(year_server):
    kms = year_server.kms()
    key = kms.create_key()["KeyMetadata"]
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    first = kms.get_key_rotation_status(KeyId=key["KeyId"])["NextRotationDate"]
    year_server.advance(3653 * DAY)
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key["KeyId"], PaginationConfig={"PageSize": 7})
    dates = [r["RotationDate"] for page in pages for r in page["Rotations"]]
    assert dates == [first + datetime.timedelta(days=90 * n) for n in range(3653 // 90)]
    assert len(set(r["KeyMaterialId"] for page in kms.get_paginator("list_key_rotations").paginate(KeyId=key["KeyId"]) for r in page["Rotations"])) == 40


def test_rotations_survive_a_restart_that_slept_through_them(serve, tmp_path):
    first = serve("--test-clock")
    kms = first.kms()
    key = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key["KeyId"])
    first.advance(400 * DAY)
    material = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"]
    assert first.stop() == 0
    second = serve("--test-clock")
    kms = second.kms()
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"] == material
    assert len(kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]) == 1
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_the_errors_that_clients_expect(server):
    kms = server.kms()
    for call, expected in [
        (lambda: kms.describe_key(KeyId="fake-key-id"), "NotFoundException"),
        (lambda: kms.describe_key(KeyId="1234abcd-12ab-34cd-56ef-1234567890ab"), "NotFoundException"),
        (lambda: kms.enable_key_rotation(KeyId="alias/none"), "InvalidArnException"),
        (lambda: kms.create_key(KeySpec="SM2", KeyUsage="SIGN_VERIFY"), "UnsupportedOperationException"),
        (lambda: kms.create_key(Origin="AWS_CLOUDHSM"), "UnsupportedOperationException"),
        (lambda: kms.list_grants(KeyId="1234abcd-12ab-34cd-56ef-1234567890ab"), "NotFoundException"),
        (lambda: kms.describe_custom_key_stores(CustomKeyStoreId="cks-1234567890abcdef0"), "CustomKeyStoreNotFoundException"),
        (lambda: kms.create_alias(AliasName="first", TargetKeyId="1234abcd-12ab-34cd-56ef-1234567890ab"), "ValidationException"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            call()
        assert code(error) == expected


def test_a_wrong_secret_is_refused(server):
    key, _ = server.root_key()
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.kms(key, "wrong" * 8).list_keys()
    assert code(error) == "InvalidSignatureException"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        server.kms("AKIAIOSFODNN7EXAMPLE", "wrong" * 8).list_keys()
    assert code(error) == "UnrecognizedClientException"


def test_regions_are_apart(server):
    here, there = server.kms(), server.kms(region="eu-west-1")
    key = here.create_key()["KeyMetadata"]
    assert [k["KeyId"] for k in here.list_keys()["Keys"]] == [key["KeyId"]]
    assert there.list_keys()["Keys"] == []
    with pytest.raises(botocore.exceptions.ClientError) as error:
        there.describe_key(KeyId=key["Arn"])
    assert code(error) == "NotFoundException"


def test_all_key_pages_are_listed(server):
    kms = server.kms()
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(25)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 10}))
    assert [len(page["Keys"]) for page in pages] == [10, 10, 5]
    assert {key["KeyId"] for page in pages for key in page["Keys"]} == made


def test_the_policy_that_was_put_is_the_policy_that_comes_back(server):
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    text = json.dumps(policy | {"Id": "mine"}, indent=3)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=text)
    assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == text
