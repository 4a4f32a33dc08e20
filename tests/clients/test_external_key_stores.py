"""External key stores with boto3 and the aws CLI, and a proxy of another implementation over HTTPS."""

import base64
import json
import pathlib
import subprocess
import sys
import textwrap
import threading
import time

import botocore.exceptions
import pytest

from conftest import BINARY
from xks_proxy import CREDENTIAL, HOST, PATH, Authority, Proxy

AWS = str(pathlib.Path(sys.executable).parent / "aws")
# Long enough for a busy machine, short enough to wait for.
TIMEOUT = 2


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def proxy(authority):
    proxy = Proxy(authority)
    yield proxy
    proxy.close()


def config(directory, port, authority, hosts=(HOST,)):
    file = directory / "keystile.toml"
    connect = "".join(f'"{host}" = "127.0.0.1:{port}"\n' for host in hosts)
    file.write_text(textwrap.dedent(f"""
        data_dir = "keystile-data"
        [external_key_stores]
        ca_file = "{authority.file}"
        timeout = "{TIMEOUT}s"
        [external_key_stores.connect]
    """) + connect)
    return file


@pytest.fixture
def server(serve, tmp_path, proxy, authority):
    return serve(config=config(tmp_path, proxy.port, authority))


def create(kms, name="first", **more):
    asked = {"CustomKeyStoreName": name, "CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT",
             "XksProxyUriEndpoint": f"https://{HOST}", "XksProxyUriPath": PATH, "XksProxyAuthenticationCredential": CREDENTIAL}
    return kms.create_custom_key_store(**asked | more)["CustomKeyStoreId"]


def connected(kms, **more):
    store = create(kms, **more)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert state(kms, store) == ("CONNECTED", None)
    return store


def connect_again(kms, store):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.connect_custom_key_store(CustomKeyStoreId=store)


def state(kms, store):
    shown = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]
    return shown["ConnectionState"], shown.get("ConnectionErrorCode")


def key_in(kms, store, external="key-1"):
    return kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external)["KeyMetadata"]


def refusal(call, *arguments, **members):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*arguments, **members)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_key_whose_other_half_is_elsewhere(server, proxy):
    kms = server.kms()
    proxy.add_key("key-1")
    store = connected(kms)
    key = key_in(kms, store)
    assert (key["Origin"], key["CustomKeyStoreId"], key["XksKeyConfiguration"]) == ("EXTERNAL_KEY_STORE", store, {"Id": "key-1"})
    context = {"tenant": "blue"}
    for plaintext in (b"x", b"y" * 4096):
        sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"]
        assert len(sealed) <= 6144
        assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == plaintext
        code, message = refusal(kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"tenant": "red"})
        assert (code, "encryption context is corrupted" in message) == ("KMSInvalidStateException", True)
    data = kms.generate_data_key(KeyId=key["Arn"], KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]
    assert proxy.connections < len(proxy.asked), "connections are used again"

    own = kms.create_key()["KeyMetadata"]["KeyId"]
    there = kms.re_encrypt(CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=own)["CiphertextBlob"]
    back = kms.re_encrypt(CiphertextBlob=there, DestinationKeyId=key["KeyId"])["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=back)["Plaintext"] == plaintext

    # Both logs name a request alike, and neither holds a secret.
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"z")
    metadata = proxy.asked[-1][1]["requestMetadata"]
    deadline = time.monotonic() + 10
    while True:  # A record of a read is written soon, not at once.
        log = (server.data / "audit.jsonl").read_text()
        records = [json.loads(line) for line in log.splitlines() if line.endswith("}")]
        names = [record["eventName"] for record in records if record.get("requestID") == metadata["kmsRequestId"]]
        if names or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert names == ["Encrypt"], metadata
    assert metadata["awsPrincipalArn"].endswith(":root") and metadata["kmsKeyArn"] == key["Arn"]
    assert CREDENTIAL["RawSecretAccessKey"] not in log

    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Unavailable"
    unavailable = ("KMSInvalidStateException", f"{key['Arn']} is unavailable.")
    assert refusal(kms.decrypt, CiphertextBlob=back) == unavailable
    assert refusal(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == unavailable
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert kms.decrypt(CiphertextBlob=back)["Plaintext"] == plaintext


def test_what_the_proxy_refuses_is_told(server, proxy):
    kms = server.kms()
    proxy.add_key("key-1")
    proxy.add_key("key-2", status="DISABLED")
    wrong = CREDENTIAL | {"RawSecretAccessKey": "w" * 43}
    code, _ = refusal(create, kms, XksProxyAuthenticationCredential=wrong)
    assert code == "XksProxyIncorrectAuthenticationCredentialException"
    code, _ = refusal(create, kms, XksProxyUriPath="/tenant-2/kms/xks/v1")
    assert code == "XksProxyInvalidConfigurationException"
    store = connected(kms)
    assert refusal(key_in, kms, store, "key-2")[0] == "XksKeyInvalidConfigurationException"
    assert refusal(key_in, kms, store, "key-3")[0] == "XksKeyNotFoundException"
    key = key_in(kms, store)["KeyId"]
    assert refusal(key_in, kms, store)[0] == "XksKeyAlreadyInUseException"
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    proxy.keys["key-1"]["status"] = "DISABLED"
    code, message = refusal(kms.decrypt, CiphertextBlob=sealed)
    assert (code, "not enabled in the external key manager" in message) == ("KMSInvalidStateException", True)
    proxy.keys["key-1"]["status"] = "ENABLED"
    for mischief, words in [
        ("garbage", "cannot interpret the response"), ("huge", "cannot interpret the response"),
        ("redirect", "cannot interpret the response"), ("no http", "cannot interpret the response"),
        ("close", "cannot communicate with the external key store proxy"),
    ]:
        proxy.mischief = mischief
        code, message = refusal(kms.decrypt, CiphertextBlob=sealed)
        assert (code, words in message) == ("KMSInvalidStateException", True), (mischief, message)
        proxy.mischief = None
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    # The credential of the proxy is rotated, and the store's after it, while it is in use.
    new = {"AccessKeyId": "TSRQPONMLKJIHGFEDCBA", "RawSecretAccessKey": "n" * 43}
    proxy.secrets = {new["AccessKeyId"]: new["RawSecretAccessKey"]}
    code, message = refusal(kms.decrypt, CiphertextBlob=sealed)
    assert (code, "could not authenticate" in message) == ("KMSInvalidStateException", True)
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=new)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"


def test_a_proxy_that_hangs_costs_its_own_requests_alone(server, proxy):
    kms = server.kms()
    proxy.add_key("key-1")
    store = connected(kms)
    key, own = key_in(kms, store)["KeyId"], kms.create_key()["KeyMetadata"]["KeyId"]
    proxy.mischief = "hang"
    outcomes = []

    def use(client):
        begun = time.monotonic()
        outcomes.append((refusal(client.encrypt, KeyId=key, Plaintext=b"x"), time.monotonic() - begun))

    threads = [threading.Thread(target=use, args=(server.kms(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    for _ in range(20):
        kms.encrypt(KeyId=own, Plaintext=b"x")
        kms.describe_key(KeyId=key)
    assert time.monotonic() - begun < TIMEOUT, "they waited for the proxy"
    for thread in threads:
        thread.join()
    for (code, message), took in outcomes:
        assert (code, "did not respond in time" in message) == ("KMSInvalidStateException", True)
        assert TIMEOUT * 0.9 < took < TIMEOUT * 5
    connect_again(kms, store)
    assert state(kms, store) == ("FAILED", "XKS_PROXY_TIMED_OUT")
    proxy.mischief = None
    proxy.released.set()
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_a_restart_in_the_middle_loses_nothing(serve, tmp_path, proxy, authority):
    file = config(tmp_path, proxy.port, authority)
    server = serve(config=file)
    proxy.add_key("key-1")
    store = connected(server.kms())
    key = key_in(server.kms(), store)["KeyId"]
    sealed = server.kms().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    server.kill()
    server = serve(config=file)
    assert state(server.kms(), store) == ("CONNECTED", None)
    assert server.kms().decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    server.kms().disconnect_custom_key_store(CustomKeyStoreId=store)
    server.kill()
    server = serve(config=file)
    assert refusal(server.kms().decrypt, CiphertextBlob=sealed)[0] == "KMSInvalidStateException"
    server.kms().connect_custom_key_store(CustomKeyStoreId=store)
    assert server.kms().decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"


def test_nobody_is_called_who_is_not_listed(serve, tmp_path, proxy, authority):
    file = config(tmp_path, proxy.port, authority, hosts=())
    server = serve(config=file)
    kms = server.kms()
    for host in (HOST, "localhost", "metadata.internal", "127.0.0.1"):
        code, message = refusal(create, kms, XksProxyUriEndpoint=f"https://{host}")
        assert (code, "external_key_stores.hosts" in message) == ("XksProxyInvalidConfigurationException", True), host
    assert proxy.connections == 0
    config(tmp_path, proxy.port, authority)
    server.reload()
    store = connected(kms)
    config(tmp_path, proxy.port, authority, hosts=())
    server.reload()
    connect_again(kms, store)
    assert state(kms, store) == ("FAILED", "XKS_PROXY_INVALID_CONFIGURATION")


def test_a_proxy_must_be_who_it_says(serve, tmp_path, authority):
    kms = None
    for presented in (Authority(tmp_path, "other-ca"), authority):
        host = HOST if presented is not authority else "other.example.com"
        proxy = Proxy(presented, host=host)
        if kms is None:
            server = serve(config=config(tmp_path, proxy.port, authority))
            kms = server.kms()
        else:
            config(tmp_path, proxy.port, authority)
            server.reload()
        code, message = refusal(create, kms)
        assert (code, "TLS" in message) == ("XksProxyUriUnreachableException", True), host
        proxy.close()
    code, message = refusal(create, kms)
    assert (code, "cannot communicate" in message) == ("XksProxyUriUnreachableException", True)


def test_certificate_authorities_that_cannot_be_read_stop_the_start(tmp_path, authority):
    file = config(tmp_path, 443, authority)
    for content, words in [(None, "No such file"), ("no certificate", "there is no certificate in it")]:
        authority.file.unlink(missing_ok=True)
        if content is not None:
            authority.file.write_text(content)
        result = subprocess.run(
            [BINARY, "serve", "--config", str(file), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
            cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert result.returncode != 0
        assert f"{file}:4:1: external_key_stores.ca_file: {authority.file}: " in result.stderr, result.stderr
        assert words in result.stderr, result.stderr


def test_the_aws_cli(server, proxy):
    proxy.add_key("key-1")

    def aws(*arguments):
        result = subprocess.run(
            [AWS, "--output", "json", "kms", *arguments], env=server.environment(), capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout) if result.stdout.strip() else None

    # As JSON: the first version of the CLI takes an argument that begins with https:// for a page to load.
    asked = {"CustomKeyStoreName": "cli", "CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT",
             "XksProxyUriEndpoint": f"https://{HOST}", "XksProxyUriPath": PATH, "XksProxyAuthenticationCredential": CREDENTIAL}
    store = aws("create-custom-key-store", "--cli-input-json", json.dumps(asked))["CustomKeyStoreId"]
    aws("connect-custom-key-store", "--custom-key-store-id", store)
    shown = aws("describe-custom-key-stores", "--custom-key-store-name", "cli")["CustomKeyStores"]
    assert [(entry["CustomKeyStoreId"], entry["ConnectionState"]) for entry in shown] == [(store, "CONNECTED")]
    assert CREDENTIAL["RawSecretAccessKey"] not in json.dumps(shown)
    key = aws("create-key", "--origin", "EXTERNAL_KEY_STORE", "--custom-key-store-id", store, "--xks-key-id", "key-1")
    key = key["KeyMetadata"]["KeyId"]
    data = aws("generate-data-key", "--key-id", key, "--key-spec", "AES_256")
    (server.directory / "sealed").write_bytes(base64.b64decode(data["CiphertextBlob"]))
    opened = aws("decrypt", "--ciphertext-blob", f"fileb://{server.directory}/sealed")
    assert opened["Plaintext"] == data["Plaintext"]
    aws("schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
    aws("disconnect-custom-key-store", "--custom-key-store-id", store)
