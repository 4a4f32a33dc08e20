"""Services behind the gateway decided by tags and by where a request comes from: boto3 through keystile to moto."""

import json

import boto3
import pytest
from botocore.config import Config

from conftest import ALICE, BOB, REGION
from test_upstreams import MOTO, House, allow, denied, moto, statement, upstreams  # noqa: F401

TABLES = f"arn:aws:dynamodb:{REGION}:{MOTO}:table/"
QUEUES = f"arn:aws:sqs:{REGION}:{MOTO}:"


@pytest.fixture
def house(serve, tmp_path, moto):  # noqa: F811
    """Alice is of the red team, bob of the blue one."""
    def start(trusted=None, **statements):
        config = upstreams(tmp_path, moto, services=["dynamodb", "sqs"])
        allow(tmp_path, **statements)
        details = json.loads((tmp_path / "details.json").read_text())
        for user, team in zip(details["UserDetailList"], ["red", "blue"]):
            user["Tags"] = [{"Key": "Team", "Value": team}]
        if trusted:
            details["RoleDetailList"] = [{
                "Path": "/", "RoleName": "Worker", "RoleId": "AROAWORKER00000000000", "Arn": f"arn:aws:iam::{MOTO}:role/Worker", "Tags": [{"Key": "team", "Value": "green"}],
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Principal": {"AWS": MOTO}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]},
                "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": trusted}}]}]
        (tmp_path / "details.json").write_text(json.dumps(details))
        return House(serve(config=config), tmp_path)

    return start


def make(client, name, **more):
    return client.create_table(
        TableName=name, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST", **more)


def test_by_the_tags_of_who_asks(house):
    mine = [statement(["dynamodb:GetItem", "dynamodb:PutItem"], TABLES + "*", StringEquals={"aws:PrincipalTag/team": "red"}),
            statement("sqs:SendMessage", QUEUES + "${aws:PrincipalTag/Team}-*")]
    house = house(alice=mine, bob=mine)
    root = house.client("dynamodb")
    make(root, "by-principal")
    item = {"id": {"S": "1"}}
    house.client("dynamodb", *ALICE).put_item(TableName="by-principal", Item=item)
    assert house.client("dynamodb", *ALICE).get_item(TableName="by-principal", Key=item)["Item"] == item
    message = denied(house.client("dynamodb", *BOB).put_item, TableName="by-principal", Item=item)
    assert "dynamodb:PutItem" in message
    urls = {team: house.client("sqs").create_queue(QueueName=f"{team}-jobs")["QueueUrl"] for team in ("red", "blue")}
    for user, own, other in ((ALICE, "red", "blue"), (BOB, "blue", "red")):
        house.client("sqs", *user).send_message(QueueUrl=urls[own], MessageBody="1")
        denied(house.client("sqs", *user).send_message, QueueUrl=urls[other], MessageBody="1")


def test_by_the_tags_of_a_session(house):
    """A session's own tag stands in the place of its role's."""
    house = house(
        trusted=[statement("dynamodb:DescribeTable", TABLES + "by-session-${aws:PrincipalTag/team}")],
        alice=[statement(["sts:AssumeRole", "sts:TagSession"], f"arn:aws:iam::{MOTO}:role/Worker")])
    for team in ("green", "gold"):
        make(house.client("dynamodb"), f"by-session-{team}")
    sts = house.client("sts", *ALICE)
    for tags, own, other in (([], "green", "gold"), ([{"Key": "TEAM", "Value": "gold"}], "gold", "green")):
        given = sts.assume_role(RoleArn=f"arn:aws:iam::{MOTO}:role/Worker", RoleSessionName="nightly", Tags=tags)["Credentials"]
        client = boto3.client(
            "dynamodb", endpoint_url=house.server.gateway, region_name=REGION, aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["SessionToken"], config=Config(retries={"max_attempts": 1}))
        assert client.describe_table(TableName=f"by-session-{own}")["Table"]["TableName"] == f"by-session-{own}"
        denied(client.describe_table, TableName=f"by-session-{other}")


def test_by_the_tags_of_a_request_to_dynamodb(house):
    of_red = {"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]}}
    house = house(alice=[
        statement(["dynamodb:CreateTable", "dynamodb:TagResource"], TABLES + "*", **of_red),
        statement("dynamodb:UntagResource", TABLES + "*", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["stage"]}}),
    ])
    alice = house.client("dynamodb", *ALICE)
    denied(make, client=alice, name="by-request")
    denied(make, client=alice, name="by-request", Tags=[{"Key": "team", "Value": "blue"}])
    denied(make, client=alice, name="by-request", Tags=[{"Key": "team", "Value": "red"}, {"Key": "owner", "Value": "x"}])
    table = make(alice, "by-request", Tags=[{"Key": "team", "Value": "red"}, {"Key": "stage", "Value": "test"}])["TableDescription"]["TableArn"]
    alice.tag_resource(ResourceArn=table, Tags=[{"Key": "team", "Value": "red"}])
    denied(alice.tag_resource, ResourceArn=table, Tags=[{"Key": "team", "Value": "blue"}])
    # Tags that differ in nothing but case are one key, with two values: that can't be told.
    denied(alice.tag_resource, ResourceArn=table, Tags=[{"Key": "team", "Value": "red"}, {"Key": "TEAM", "Value": "blue"}])
    denied(alice.untag_resource, ResourceArn=table, TagKeys=["stage", "team"])
    alice.untag_resource(ResourceArn=table, TagKeys=["stage"])
    tags = house.client("dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"]
    assert {(tag["Key"], tag["Value"]) for tag in tags} == {("team", "red")}


def test_by_the_tags_of_a_request_to_sqs(house):
    house = house(alice=[statement(["sqs:CreateQueue", "sqs:TagQueue"], QUEUES + "*", StringLike={"aws:RequestTag/team": "r*"}, Null={"aws:TagKeys": "false"})])
    alice = house.client("sqs", *ALICE)
    denied(alice.create_queue, QueueName="tagged")
    denied(alice.create_queue, QueueName="tagged", tags={"team": "blue"})
    url = alice.create_queue(QueueName="tagged", tags={"team": "red"})["QueueUrl"]
    alice.tag_queue(QueueUrl=url, Tags={"team": "rose"})
    denied(alice.tag_queue, QueueUrl=url, Tags={"Team ": "rose"})
    assert house.client("sqs").list_queue_tags(QueueUrl=url)["Tags"] == {"team": "rose"}


@pytest.mark.parametrize("effect,condition", [
    ("Allow", {"StringEquals": {"aws:ResourceTag/team": "red"}}), ("Deny", {"StringEquals": {"aws:ResourceTag/team": "blue"}}),
    ("Deny", {"StringEqualsIfExists": {"aws:ResourceTag/team": "blue"}}), ("Allow", {"Null": {"aws:ResourceTag/team": "true"}})])
def test_by_the_tags_of_a_resource_is_not_told_and_denied(house, effect, condition):
    """What a table has in the upstream is not known here: a policy that asks for it can't be decided by."""
    statements = [statement("dynamodb:GetItem", TABLES + "by-resource", effect=effect, **condition)]
    if effect == "Deny":
        statements.append(statement("dynamodb:*", "*"))
    house = house(alice=statements, bob=[statement("dynamodb:GetItem", TABLES + "by-resource")])
    root = house.client("dynamodb")
    if "by-resource" not in root.list_tables()["TableNames"]:
        make(root, "by-resource", Tags=[{"Key": "team", "Value": "red"}])
    message = denied(house.client("dynamodb", *ALICE).get_item, TableName="by-resource", Key={"id": {"S": "1"}})
    assert "cannot be determined" in message
    assert "Item" not in house.client("dynamodb", *BOB).get_item(TableName="by-resource", Key={"id": {"S": "1"}})


def test_by_where_a_request_comes_from(house):
    house = house(
        alice=[statement("sqs:ListQueues", "*", IpAddress={"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}), statement("sqs:*", "*", effect="Deny", Bool={"aws:SecureTransport": "true"})],
        bob=[statement("sqs:ListQueues", "*"), statement("sqs:*", "*", effect="Deny", NotIpAddress={"aws:SourceIp": "10.0.0.0/8"})])
    house.client("sqs", *ALICE).list_queues()
    bob = house.client("sqs", *BOB)
    denied(bob.list_queues)
    # Nobody says of himself where he is.
    bob.meta.events.register("before-sign.*", lambda request, **_: [
        request.headers.add_header(name, value) for name, value in [("X-Forwarded-For", "10.0.0.1"), ("X-Real-Ip", "10.0.0.1"), ("Forwarded", "for=10.0.0.1")]])
    denied(bob.list_queues)
    house.server.stop()
    assert {record["sourceIPAddress"] for record in house.audit()} == {"127.0.0.1"}
