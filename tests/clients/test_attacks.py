"""The attacks on a header-signed POST, over a raw socket, each with its outcome.

The numbers are those of docs/attacks.md. After each attack the server still serves.
"""

import datetime
import json
import textwrap

import pytest

from raw import Request, connect, exchange, read_answer, sha256

ISE, INC, MAT, UCE = (
    "InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException", "UnrecognizedClientException")
TOKEN = "the-session-token-of-the-nightly-rotator"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from conftest import Server
    directory = tmp_path_factory.mktemp("attacks")
    (directory / "credentials.toml").write_text(textwrap.dedent(f"""
        [[access_key]]
        id = "ASIANIGHTLYNIGHTLY00"
        secret = "nightly-secret-nightly-secret-nightly-00"
        session_token = "{TOKEN}"
        principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
        expires = "2099-01-01T00:00:00Z"

        [[access_key]]
        id = "ASIAEXPIREDEXPIRED00"
        secret = "expired-secret-expired-secret-expired-00"
        session_token = "expired-token"
        principal = "arn:aws:sts::111122223333:assumed-role/Rotator/old"
        expires = "2020-01-01T00:00:00Z"
    """))
    (directory / "keystile.toml").write_text(
        'data_dir = "keystile-data"\n[iam]\ncredentials = ["credentials.toml"]\n[limits]\nheader_timeout = "2s"\nbody_timeout = "2s"\nidle_timeout = "3s"\n')
    server = Server(directory, config=directory / "keystile.toml")
    yield server
    assert server.stop() == 0


@pytest.fixture(autouse=True)
def still_serves(server):
    yield
    assert Request(server).sign().send().status == 200


def refused(answer, *codes):
    assert answer is not None, "the server closed without an answer"
    assert answer.code in codes, answer.raw[:600]
    assert answer.status in (400, 403)
    assert answer.headers["x-amzn-requestid"]


def bare(answer, *statuses):
    """A bare HTTP refusal: the status, and never an answer of the engine."""
    assert answer is None or answer.status in statuses, answer.raw[:600]


def allowed(answer):
    assert answer.status == 200, answer.raw[:600]


# ---- the signature ---------------------------------------------------------------------------

def test_a1_one_changed_bit_of_anything_signed(server):
    request = Request(server, body={"Limit": 10}).sign()
    flipped = ("1" if request.hex[0] != "1" else "2") + request.hex[1:]
    whole = request.authorization
    request.authorization = whole.replace(request.hex, flipped)
    refused(request.send(), ISE)
    request.authorization = whole
    request.body = request.body.replace(b"10", b"11")
    refused(request.send(), ISE)
    refused(Request(server).sign().set("X-Amz-Target", "TrentService.ListAliases").send(), ISE)
    refused(Request(server).sign().set("Content-Type", "application/x-amz-json-1.0").send(), ISE, "UnknownOperationException")
    other = Request(server).sign()
    later = other.time + datetime.timedelta(seconds=1)
    refused(other.set("X-Amz-Date", later.strftime("%Y%m%dT%H%M%SZ")).send(), ISE)


@pytest.mark.parametrize("change", [lambda h: "", str.upper, lambda h: h[:-1], lambda h: h + "0", lambda h: "g" + h[1:], lambda h: "é" + h[1:]])
def test_a2_the_signature_is_64_lower_case_hex_digits(server, change):
    request = Request(server).sign()
    changed = change(request.hex)
    if changed == request.hex:
        pytest.skip("no letter in this signature")
    request.authorization = request.authorization.replace(request.hex, changed)
    answer = request.send()
    assert answer.code in (ISE, INC) or answer.status == 400


def test_a3_two_authorization_headers(server):
    request = Request(server).sign()
    refused(request.send([f"Authorization: {request.authorization}"]), INC)


def test_a4_header_and_query_authentication_together(server):
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Signature=" + "0" * 64
    request = Request(server).sign(query="&".join(sorted(query.split("&"))))
    request.target = "/?" + query
    refused(request.send(), ISE)
    orphan = Request(server).sign(query="X-Amz-Credential=x")
    orphan.target = "/?X-Amz-Credential=x"
    refused(orphan.send(), ISE)


@pytest.mark.parametrize("algorithm", ["AWS4-HMAC-SHA512", "aws4-hmac-sha256", "AWS4-ECDSA-P256-SHA256", "Bearer", "AWS"])
def test_a5_another_algorithm(server, algorithm):
    request = Request(server)
    request.algorithm = algorithm
    refused(request.sign().send(), INC)


@pytest.mark.parametrize("parameter", ["Credential", "SignedHeaders", "Signature"])
def test_a6_a_parameter_twice(server, parameter):
    request = Request(server).sign()
    value = {"Credential": request.credential, "SignedHeaders": request.names, "Signature": request.hex}[parameter]
    request.authorization += f", {parameter}={value}"
    refused(request.send(), INC)


def test_a7_host_is_not_signed(server):
    request = Request(server)
    refused(request.sign([n for n in request.signed_names() if n != "host"]).send(), ISE)


@pytest.mark.parametrize("change", [
    lambda names: ";".join(reversed(names.split(";"))), str.upper, lambda names: names + ";x-amz-target",
    lambda names: names.replace(";", ";;", 1), lambda names: names + ";zz-absent", lambda names: ";" + names, lambda names: names + ";"])
def test_a8_signed_headers_out_of_form(server, change):
    request = Request(server)
    names = change(";".join(request.signed_names())).split(";")
    refused(request.sign(names).send(), ISE)


def test_a9_a_signed_name_that_is_only_in_the_query(server):
    request = Request(server)
    names = sorted([*request.signed_names(), "x-amz-foo"])
    request.sign(names, query="x-amz-foo=")
    request.target = "/?x-amz-foo="
    refused(request.send(), ISE)


def test_a10_the_target_is_not_signed(server):
    request = Request(server)
    refused(request.sign([n for n in request.signed_names() if n != "x-amz-target"]).send(), ISE)


def session(server, **more):
    return Request(server, key="ASIANIGHTLYNIGHTLY00", secret="nightly-secret-nightly-secret-nightly-00", **more)


def test_a11_the_security_token_is_signed(server):
    refused(session(server).sign().add("X-Amz-Security-Token", TOKEN).send(), ISE)
    refused(session(server, token=TOKEN).sign().set("X-Amz-Security-Token", TOKEN + "x").send(), ISE, UCE)
    answer = session(server, token=TOKEN).sign().send()
    assert answer.code == "AccessDeniedException", "a session without policies is known, and may nothing"


def test_a12_a_token_belongs_to_its_key(server):
    refused(session(server).sign().send(), UCE)
    refused(session(server, token="expired-token").sign().send(), UCE)
    refused(Request(server, token=TOKEN).sign().send(), UCE)
    refused(session(server, token="").sign().send(), UCE)


def test_a13_an_expired_token_with_a_valid_signature(server):
    request = Request(server, key="ASIAEXPIREDEXPIRED00", secret="expired-secret-expired-secret-expired-00", token="expired-token")
    refused(request.sign().send(), "ExpiredTokenException")


def test_a14_an_unknown_key_says_nothing_of_secrets(server):
    unknown = Request(server, key="AKIAUNKNOWNUNKNOWN00", secret="x").sign().send()
    refused(unknown, UCE)
    assert unknown.message == "The security token included in the request is invalid."


def test_a15_an_unsigned_amz_header(server):
    refused(Request(server).add("X-Amz-Foo", "1").sign().send(), ISE)


def test_a16_the_content_hash_is_that_of_the_body(server):
    refused(Request(server).add("X-Amz-Content-Sha256", sha256(b"other"), signed=True).sign().send(), ISE)
    refused(Request(server).add("X-Amz-Content-Sha256", sha256(b"other")).sign().send(), ISE)
    allowed(Request(server).add("X-Amz-Content-Sha256", sha256(b"{}"), signed=True).sign().send())


@pytest.mark.parametrize("mode", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-NEW"])
def test_a17_no_unsigned_or_streamed_payload(server, mode):
    refused(Request(server).add("X-Amz-Content-Sha256", mode, signed=True).sign(body_hash=mode).send(), ISE)


@pytest.mark.parametrize("seconds,expected", [(-295, None), (295, None), (-306, ISE), (306, ISE)])
def test_a18_the_window(server, seconds, expected):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    answer = Request(server).at(moment).sign().send()
    if expected is None:
        allowed(answer)
    else:
        refused(answer, expected)
        assert answer.message.startswith("Signature expired: " if seconds < 0 else "Signature not yet current: ")


def test_a19_the_scope_has_the_requests_date(server):
    request = Request(server)
    yesterday = (request.time - datetime.timedelta(days=1)).strftime("%Y%m%d")
    answer = request.sign(scope_date=yesterday).send()
    refused(answer, ISE)
    assert answer.message.startswith("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")


def test_a20_dates_twice(server):
    request = Request(server)
    stamp = request.time.strftime("%Y%m%dT%H%M%SZ")
    refused(request.add("X-Amz-Date", stamp, signed=True).sign().send(), INC)
    other = Request(server).add("Date", "Mon, 01 Jan 2001 00:00:00 GMT")
    allowed(other.sign().send())


@pytest.mark.parametrize("part,value,code", [
    ("region", "eu west", ISE), ("region", "", ISE), ("service", "s3", ISE), ("terminator", "aws3_request", ISE),
    ("terminator", "aws4_request/more", INC), ("terminator", "", ISE)])
def test_a21_the_scope(server, part, value, code):
    request = Request(server)
    setattr(request, part, value)
    refused(request.sign().send(), code)


def test_a21_four_parts(server):
    request = Request(server).sign()
    request.authorization = request.authorization.replace("/aws4_request", "")
    refused(request.send(), INC)


def test_a22_a_signature_for_another_service(server):
    # One for STS is a call of STS, which this is not; what nobody serves is nobody's.
    request = Request(server)
    request.service = "sts"
    answer = request.sign().send()
    assert answer.status == 400 and b"<Code>MalformedQueryString</Code>" in answer.body, answer.raw
    request = Request(server)
    request.service = "dynamodb"
    refused(request.sign().send(), ISE)


def test_a23_an_exact_replay_inside_the_window_is_served(server):
    data = Request(server).sign().bytes()
    assert [exchange(server, data).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("query", ["X-Amz-Expires=604801", "X-Amz-Credential=a&x-amz-credential=b", "X-Amz-Credential=a&X-Amz-Credential=a"])
def test_a24_a25_presigned_parameters_beside_a_signed_header(server, query):
    request = Request(server).sign(query="&".join(sorted(query.split("&"))))
    request.target = "/?" + query
    refused(request.send(), ISE, INC)


# ---- the path and the request line -----------------------------------------------------------

@pytest.mark.parametrize("path", ["/a/../", "//", "/./", "/%2e%2e", "/%2F", "/\\", "/x"])
def test_a26_only_the_root_path(server, path):
    request = Request(server).sign()
    request.target = path
    answer = request.send()
    assert answer.status in (400, 404) and answer.code != "AccessDeniedException"
    assert b"Keys" not in answer.body


@pytest.mark.parametrize("target", ["/%zz", "/%", "/?a=%zz", "/?a=%"])
def test_a27_broken_escapes(server, target):
    request = Request(server).sign()
    request.target = target
    bare(request.send(), 400)


def test_a28_an_absolute_target_with_another_host(server):
    request = Request(server).sign()
    request.target = "http://other.example/"
    bare(request.send(), 400)


@pytest.mark.parametrize("line", ["GET foo HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT example.com:443 HTTP/1.1", "POST * HTTP/1.1", "POST foo HTTP/1.1"])
def test_a29_other_forms_of_target(server, line):
    request = Request(server).sign()
    request.method, request.target, request.version = line.split(" ")
    bare(request.send(), 400, 404, 405)


def test_a30_hosts(server):
    bare(Request(server).sign().drop("Host").send(), 400)
    bare(Request(server).sign().send(["Host: other.example"]), 400)
    request = Request(server)
    bare(request.set("Host", "user@" + request.host).sign().send(), 400)


def test_a32_a_lower_case_method(server):
    request = Request(server)
    request.method = "post"
    bare(request.sign().send(), 400, 405)


def test_a33_a_fragment(server):
    request = Request(server).sign()
    request.target = "/#fragment"
    answer = request.send()
    assert answer.status in (200, 400)


def test_a34_bytes_that_are_not_text(server):
    request = Request(server).sign()
    request.target = "/\u00e9"
    bare(request.send(), 400)
    bare(Request(server).add("User-Agent", "\u00e9\u00ff").sign().send(), 400)
    bare(Request(server).add("X-Amz-Foo", "\u00ff", signed=True).sign().send(), 400)


def test_a35_underscores_in_header_names(server):
    bare(Request(server).add("X_Amz_Target", "TrentService.CreateKey").sign().send(), 400)


# ---- framing ---------------------------------------------------------------------------------

def test_a36_content_length_with_transfer_encoding(server):
    request = Request(server).sign()
    smuggled = Request(server, "CreateKey").sign().bytes()
    body = b"2\r\n{}\r\n0\r\n\r\n" + smuggled
    head = "\r\n".join([*request.head()[:-1], "Content-Length: 2", "Transfer-Encoding: chunked"]).encode()
    answer = exchange(server, head + b"\r\n\r\n" + body)
    assert answer.status == 400 or b"KeyMetadata" not in answer.raw
    for value in ("gzip, chunked", "chunked, gzip", "xchunked"):
        head = "\r\n".join([*request.head()[:-1], f"Transfer-Encoding: {value}"]).encode()
        answer = exchange(server, head + b"\r\n\r\n" + b"2\r\n{}\r\n0\r\n\r\n")
        bare(answer, 400, 501)


@pytest.mark.parametrize("lines", [
    ["Content-Length: 2", "Content-Length: 3"], ["Content-Length: 2, 2"], ["Content-Length: +2"], ["Content-Length: 0x2"],
    ["Content-Length : 2"], ["Content-Length: 2", "X-Folded: a", " b"], ["Content-Length: 2", "X-Nul: a\0b"], ["Content-Length: 2", "X-Cr: a\rb"]])
def test_a37_framing_out_of_form(server, lines):
    request = Request(server).sign()
    head = "\r\n".join([*request.head()[:-1], *lines]).encode("latin-1")
    bare(exchange(server, head + b"\r\n\r\n{}"), 400)


def test_a37_transfer_encoding_on_http_1_0(server):
    request = Request(server).sign()
    request.version = "HTTP/1.0"
    head = "\r\n".join([*request.head()[:-1], "Transfer-Encoding: chunked"]).encode()
    bare(exchange(server, head + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 400)


def test_a38_bare_line_feeds_and_repeated_lengths_change_nothing(server):
    request = Request(server).sign()
    answer = exchange(server, request.bytes().replace(b"\r\n", b"\n"))
    assert answer is None or answer.status in (200, 400)
    answer = request.send(["Content-Length: 2"])
    assert answer.status in (200, 400) and answer.rest == b""


def test_a39_trailers_are_dropped(server):
    request = Request(server).sign()
    head = "\r\n".join([*request.head()[:-1], "Transfer-Encoding: chunked", "Trailer: X-Amz-Target"]).encode()
    answer = exchange(server, head + b"\r\n\r\n2\r\n{}\r\n0\r\nX-Amz-Target: TrentService.CreateKey\r\n\r\n")
    assert b"KeyMetadata" not in answer.raw
    assert answer.status in (200, 400)


@pytest.mark.parametrize("value", ["X-Amz-Date", "close, Authorization", "X-Keystile-Principal-Arn"])
def test_a40_connection_names_headers(server, value):
    bare(Request(server).add("Connection", value).sign().send(), 400)


def test_a41_forged_identity_headers_have_no_effect(server):
    request = session(server, token=TOKEN)
    for name in ("X-Keystile-Principal-Arn", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded"):
        request.add(name, "arn:aws:iam::111122223333:root")
    answer = request.sign().send()
    assert answer.code == "AccessDeniedException" or answer.status == 400


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
def test_a42_no_upgrade(server, upgrade):
    bare(Request(server).add("Upgrade", upgrade).add("Connection", "Upgrade").sign().send(), 400)


# ---- the body --------------------------------------------------------------------------------

def test_a43_no_content_encoding(server):
    refused(Request(server).add("Content-Encoding", "gzip").sign().send(), "SerializationException")


@pytest.mark.parametrize("body", [
    b'{"KeyId":"a","KeyId":"b"}', b'{"KeyId":"a","Key\\u0049d":"b"}',
    b'{"KeyId":"a","Plaintext":"AA==","EncryptionContext":{"a":"1","a":"2"}}',
    b'{"KeyId":"a","Plaintext":"AA==","Unknown":{"deep":[{"x":1,"x":2}]}}'])
def test_a44_duplicate_members(server, body):
    refused(Request(server, "Encrypt", body).sign().send(), "SerializationException")


def test_a45_another_case_is_another_member(server):
    answer = Request(server, "DescribeKey", b'{"keyid":"1234abcd-12ab-34cd-56ef-1234567890ab"}').sign().send()
    refused(answer, "ValidationException")


@pytest.mark.parametrize("body", [
    b'{"Limit":NaN}', b'{"Limit":1e999}', b'{"Marker":"\\ud800"}', b'\xef\xbb\xbf{}', b'{} {}', b'{}x', b'[]', b'"x"', b'', b'{', b'{"Limit":"1"}',
    b'{"Limit":1.5}', b'{"Marker":"\xff"}', b'\x00'])
def test_a46_json_out_of_form(server, body):
    refused(Request(server, "ListKeys", body).sign().send(), "SerializationException")


def test_a47_depth(server):
    for depth in (129, 100_000):
        body = b'{"Unknown":' + b"[" * depth + b"]" * depth + b"}"
        refused(Request(server, "ListKeys", body).sign().send(), "SerializationException")


@pytest.mark.parametrize("target", ["TrentService.Nothing", "Other.ListKeys", "trentservice.ListKeys", "TrentService.listkeys", "ListKeys", ""])
def test_a48_targets(server, target):
    answer = Request(server).set("X-Amz-Target", target).sign().send()
    assert answer.code == "UnknownOperationException", answer.raw


def test_a48_two_targets(server):
    answer = Request(server).add("X-Amz-Target", "TrentService.CreateKey", signed=True).sign().send()
    assert answer.status == 400 and b"KeyMetadata" not in answer.body


def test_a49_an_alias_is_resolved_once(server):
    kms = server.kms()
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    kms.create_alias(AliasName="alias/moves", TargetKeyId=first)
    assert kms.generate_data_key(KeyId="alias/moves", KeySpec="AES_256")["KeyId"].endswith(first)
    kms.update_alias(AliasName="alias/moves", TargetKeyId=second)
    assert kms.generate_data_key(KeyId="alias/moves", KeySpec="AES_256")["KeyId"].endswith(second)
    for spelling in (f" {first}", f"{first}\u200b", first.upper(), f"key/{first}"):
        answer = Request(server, "DescribeKey", {"KeyId": spelling}).sign().send()
        assert answer.code in ("NotFoundException", "ValidationException", "InvalidArnException"), answer.raw


def test_a50_decrypt_is_decided_on_the_key_inside_the_ciphertext(server):
    kms = server.kms()
    denied = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["kms:Decrypt", "kms:ReEncryptFrom"], "Resource": "*"}]})
    closed = kms.create_key(Policy=denied)["KeyMetadata"]["KeyId"]
    opened = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=closed, Plaintext=b"x")["CiphertextBlob"]
    for call in (lambda: kms.decrypt(CiphertextBlob=blob), lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=opened)):
        with pytest.raises(kms.exceptions.ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == "AccessDeniedException"


# ---- sizes and slowness ----------------------------------------------------------------------

def test_a51_bodies_past_the_limit(server):
    request = Request(server).sign()
    head = "\r\n".join([*request.head()[:-1], f"Content-Length: {4 << 30}"]).encode()
    with connect(server) as sock:
        sock.sendall(head + b"\r\n\r\n")
        answer = read_answer(sock)
    assert answer.status == 413
    with connect(server) as sock:
        sock.sendall("\r\n".join([*request.head()[:-1], "Transfer-Encoding: chunked"]).encode() + b"\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            for _ in range(256):
                sock.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = read_answer(sock)
    bare(answer, 413)


def test_a52_slow_clients_are_let_go_and_others_served(server):
    request = Request(server).sign().bytes()
    slow = [connect(server) for _ in range(3)]
    slow[0].sendall(request[:40])
    slow[1].sendall(request[:-1])
    for _ in range(5):
        allowed(Request(server).sign().send())
    for sock in slow:
        answer = read_answer(sock)
        assert answer is None or answer.status in (400, 408), answer.raw
        sock.close()


def test_a53_too_much_of_everything(server):
    many = Request(server)
    for index in range(300):
        many.add(f"X-Filler-{index}", "1")
    bare(many.sign().send(), 400, 431)
    long = Request(server).sign()
    long.target = "/?" + "a" * 65536
    bare(long.send(), 400, 414, 431)
    bare(Request(server).add("X-Filler", "a" * 400 * 1024).sign().send(), 400, 431)


def test_half_a_request_is_let_go(server):
    data = Request(server).sign().bytes()
    for cut in (1, 30, len(data) // 2, len(data) - 1):
        answer = exchange(server, data[:cut], half_close=True)
        assert answer is None or answer.status in (400, 408)


# ---- caches and logs -------------------------------------------------------------------------

def test_a55_a_disabled_key_is_refused_at_the_next_request(server):
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(20):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.disable_key(KeyId=key)
    with pytest.raises(kms.exceptions.DisabledException):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_a57_no_credentials_at_all(server):
    request = Request(server)
    answer = request.send()
    refused(answer, MAT)
    assert answer.message == "Request is missing Authentication Token"
    request.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=" + "0" * 64
    answer = request.send()
    assert answer.status in (400, 403) and answer.code in (ISE, INC, MAT)


def test_a58_a59_nothing_secret_and_no_control_characters_are_logged(server):
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.encrypt(KeyId=key, Plaintext=b"very-secret-plaintext-here")
    request = Request(server).sign()
    request.authorization = request.authorization.replace(request.key, "AKIA\x1b[31mRED")
    request.send()
    import base64
    _, secret = server.root_key()
    text = (server.directory / "stderr.txt").read_bytes() + (server.data / "audit.jsonl").read_bytes()
    for hidden in (secret.encode(), TOKEN.encode(), base64.b64encode(data_key["Plaintext"]), base64.b64encode(b"very-secret-plaintext-here"), b"very-secret-plaintext-here", b"\x1b[31mRED"):
        assert hidden not in text


def test_the_answer_bears_what_clients_look_for(server):
    answer = Request(server).sign().send()
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    stamp = datetime.datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
    assert abs((stamp - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)).total_seconds()) < 5
