"""Services behind the gateway: boto3 through keystile to moto's server, allowed and denied by IAM."""

import hashlib
import http.server
import io
import json
import subprocess
import sys
import textwrap
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from conftest import ACCOUNT, ALICE, BOB, REGION, team_config

SERVICES = ["dynamodb", "sqs", "sns", "secretsmanager", "ssm", "s3"]

# moto's resources are of its own account.
MOTO = "123456789012"


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class House:
    """A gateway before moto, for an account with alice and bob, whose policies a test gives."""

    def __init__(self, server, directory):
        self.server, self.directory = server, directory

    def client(self, service, key=None, secret=None, **config):
        if key is None:
            key, secret = self.server.root_key()
        return boto3.client(
            service, endpoint_url=self.server.gateway, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30, **config),
        )

    def audit(self):
        return [json.loads(line) for line in (self.directory / "keystile-data" / "audit.jsonl").read_text().splitlines()]


def upstreams(directory, url, extra="", services=SERVICES):
    """The configuration of a team whose services are at one URL."""
    config = team_config(directory)
    for name in ["details.json", "credentials.toml"]:
        path = directory / name
        path.write_text(path.read_text().replace(ACCOUNT, MOTO))
    tables = "".join(
        f'[[upstream]]\nservice = "{service}"\nurl = "{url}"\nresign = {{ access_key_id = "AKIAMOTO", secret = "moto" }}\n{extra}\n'
        for service in services
    )
    config.write_text(config.read_text() + tables)
    return config


def allow(directory, **statements):
    """Gives users their policies, as `alice=[statement, …]`."""
    details = json.loads((directory / "details.json").read_text())
    for user in details["UserDetailList"]:
        given = statements.get(user["UserName"], [])
        user["UserPolicyList"] = [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": given}}] if given else []
    (directory / "details.json").write_text(json.dumps(details))


def statement(actions, resources, effect="Allow", **condition):
    return {"Effect": effect, "Action": actions, "Resource": resources, **({"Condition": condition} if condition else {})}


@pytest.fixture
def house(serve, tmp_path, moto):
    def start(extra="", **statements):
        config = upstreams(tmp_path, moto, extra)
        allow(tmp_path, **statements)
        return House(serve(config=config), tmp_path)

    return start


def denied(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), error.value
    return error.value.response["Error"].get("Message", "")


def test_dynamodb_by_table(house):
    table = f"arn:aws:dynamodb:{REGION}:{MOTO}:table/orders"
    house = house(alice=[statement(["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:BatchGetItem"], table)])
    root, alice = house.client("dynamodb"), house.client("dynamodb", *ALICE)
    for name in ["orders", "secrets"]:
        root.create_table(
            TableName=name, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
        )
    alice.put_item(TableName="orders", Item={"id": {"S": "1"}, "v": {"N": "7"}})
    assert alice.get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]["v"] == {"N": "7"}
    # A table may be named by its ARN.
    assert alice.get_item(TableName=table, Key={"id": {"S": "1"}})["Item"]["v"] == {"N": "7"}
    message = denied(alice.get_item, TableName="secrets", Key={"id": {"S": "1"}})
    assert f"dynamodb:GetItem on resource: {table.replace('orders', 'secrets')}" in message
    denied(alice.delete_table, TableName="orders")
    keys = {"Keys": [{"id": {"S": "1"}}]}
    alice.batch_get_item(RequestItems={"orders": keys})
    denied(alice.batch_get_item, RequestItems={"orders": keys, "secrets": keys})
    denied(house.client("dynamodb", *BOB).list_tables)
    record = next(record for record in house.audit() if record["eventName"] == "PutItem")
    assert (record["eventSource"], record["keystile"]["decision"]) == ("dynamodb.amazonaws.com", "allow")
    assert record["resources"] == [{"accountId": MOTO, "type": "AWS::DynamoDB::Table", "ARN": table}]
    assert record["readOnly"] is False


def test_a_service_without_an_upstream_has_a_clear_error(server):
    client = boto3.client("glue", endpoint_url=server.gateway, region_name=REGION, aws_access_key_id="AKIDAKIDAKIDAKID", aws_secret_access_key="x")
    with pytest.raises(ClientError) as error:
        client.get_databases()
    assert "a service that is served here, not 'glue'" in str(error.value)
