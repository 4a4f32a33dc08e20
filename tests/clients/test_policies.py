"""Key policies and identity policies decide, at the next request."""

import json

import botocore.exceptions
import pytest

from raw import Request

ACCOUNT = "111122223333"


def code(error):
    return error.value.response["Error"]["Code"]


def message(error):
    # KMS spells the member `Message` in authorization errors; botocore folds both.
    return error.value.response["Error"]["Message"]


def policy(*statements):
    root = {"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [root, *statements]})


def test_iam_decides_where_the_key_policy_delegates(team):
    _, root, alice, bob = team
    key = root.create_key()["KeyMetadata"]
    assert bob.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is False
    with pytest.raises(botocore.exceptions.ClientError) as error:
        alice.get_key_rotation_status(KeyId=key["KeyId"])
    assert code(error) == "AccessDeniedException"
    assert message(error) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: kms:GetKeyRotationStatus on resource: {key['Arn']} "
        "because no identity-based policy allows the kms:GetKeyRotationStatus action")


def test_a_changed_key_policy_decides_at_the_very_next_request(team):
    _, root, alice, _ = team
    key = root.create_key()["KeyMetadata"]
    name_alice = {"Sid": "Alice", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"},
                  "Action": "kms:GetKeyRotationStatus", "Resource": "*"}
    for _ in range(5):
        for _ in range(200):
            with pytest.raises(botocore.exceptions.ClientError) as error:
                alice.get_key_rotation_status(KeyId=key["KeyId"])
            assert code(error) == "AccessDeniedException"
        root.put_key_policy(KeyId=key["KeyId"], Policy=policy(name_alice))
        for _ in range(200):
            alice.get_key_rotation_status(KeyId=key["KeyId"])
        root.put_key_policy(KeyId=key["KeyId"], Policy=policy())


def test_a_deny_wins_and_its_text_says_where_it_stands(team):
    _, root, _, bob = team
    deny = {"Sid": "NotBob", "Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, "Action": "kms:Describe*", "Resource": "*"}
    key = root.create_key(Policy=policy(deny))["KeyMetadata"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        bob.describe_key(KeyId=key["KeyId"])
    assert message(error).endswith("with an explicit deny in a resource-based policy")


def test_rotation_only_with_the_period_that_the_policy_asks(team):
    _, root, alice, _ = team
    rotate = {"Sid": "Rotate", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"},
              "Action": "kms:EnableKeyRotation", "Resource": "*", "Condition": {"NumericGreaterThanEquals": {"kms:RotationPeriodInDays": "180"}}}
    key = root.create_key(Policy=policy(rotate))["KeyMetadata"]["KeyId"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        alice.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert code(error) == "AccessDeniedException"
    alice.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    alice.enable_key_rotation(KeyId=key)


def test_a_lock_out_is_refused_unless_bypassed(team):
    _, root, *_ = team
    key = root.create_key()["KeyMetadata"]["KeyId"]
    closed = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "Action": "kms:Decrypt", "Resource": "*"}]})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        root.put_key_policy(KeyId=key, Policy=closed)
    assert code(error) == "MalformedPolicyDocumentException"
    root.put_key_policy(KeyId=key, Policy=closed, BypassPolicyLockoutSafetyCheck=True)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        root.describe_key(KeyId=key)
    assert code(error) == "AccessDeniedException"


def test_a_reload_brings_new_identity_policies_and_refuses_broken_ones(team, tmp_path):
    server, root, alice, _ = team
    key = root.create_key()["KeyMetadata"]["KeyId"]
    details = json.loads((tmp_path / "details.json").read_text())
    details["UserDetailList"][0]["UserPolicyList"] = [{"PolicyName": "describe", "PolicyDocument": {
        "Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"}}}]
    with pytest.raises(botocore.exceptions.ClientError):
        alice.describe_key(KeyId=key)
    (tmp_path / "details.json").write_text(json.dumps(details))
    server.reload()
    alice.describe_key(KeyId=key)
    (tmp_path / "details.json").write_text(json.dumps(details).replace('"Allow"', '"Permit"'))
    server.reload()
    alice.describe_key(KeyId=key)
    assert "details.json" in (tmp_path / "stderr.txt").read_text()


def test_members_that_an_operation_does_not_have_take_no_part_in_its_decision(team):
    """A KeyId beside ListKeys must not bring that key's policy into the decision."""
    _, root, alice, _ = team
    everything = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "Action": "kms:*", "Resource": "*"}
    key = root.create_key(Policy=policy(everything))["KeyMetadata"]["KeyId"]
    answer = Request(team[0], "ListKeys", {"KeyId": key}, key="AKIAALICEALICEALICE0", secret="alice-secret-alice-secret-alice-secret-0").sign().send()
    assert answer.code == "AccessDeniedException"
    assert Request(team[0], "ListKeys", {"KeyId": "x"}).sign().send().status == 200


def test_the_audit_log_says_which_statement_of_which_line_decided(team, tmp_path):
    server, root, _, bob = team
    key = root.create_key()["KeyMetadata"]["KeyId"]
    bob.describe_key(KeyId=key)
    server.stop()
    records = [json.loads(line) for line in (server.data / "audit.jsonl").read_text().splitlines()]
    decided = [by for r in records if r["eventName"] == "DescribeKey" for by in r["keystile"]["decided_by"]]
    layers = {by["layer"] for by in decided}
    assert layers == {"key_policy", "identity_policy"}
    identity = next(by for by in decided if by["layer"] == "identity_policy")
    assert identity["file"].endswith("details.json") and identity["line"] == 1, "the file of this test is one line"
