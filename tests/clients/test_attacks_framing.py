"""The attacks on the framing: HTTP/1.1 byte by byte, in the clear and over TLS, and the frames of HTTP/2.

The numbers are those of docs/attacks.md.
"""

import os
import socket

import h2.settings
import pytest

from attacked import (  # noqa: F401
    BY_HEADER, KMS, S3, SNS, allowed, allowed_or, bare, houses, nothing_went_on, still_serves, went_on)
from raw import Http2, connect, exchange, read_answer

pytestmark = pytest.mark.usefixtures("still_serves")

HTTP_1 = ["clear", "tls"]

each_route = pytest.mark.parametrize("route", BY_HEADER, ids=str)
over_http_1 = pytest.mark.parametrize("transport", HTTP_1)
over_both = pytest.mark.parametrize("transport", [*HTTP_1, "http-2"])


def framed(request, *lines):
    """The head with these lines for the body's length."""
    return "\r\n".join([*request.head()[:-1], *lines]).encode("latin-1") + b"\r\n\r\n"


def in_chunks(data, trailers=b""):
    """Of HTTP's own kind."""
    return (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + b"0\r\n" + trailers + b"\r\n"


# ---- HTTP/1.1 --------------------------------------------------------------------------------

@over_http_1
@each_route
@pytest.mark.parametrize("lines", [
    ["Content-Length: {}", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: {}"], ["Content-Length: 0", "Transfer-Encoding: chunked"],
    ["Content-Length: {}", "Transfer-Encoding: xchunked"], ["Content-Length: {}", "Transfer-Encoding: identity"]])
def test_a36_two_framings_smuggle_no_second_request(houses, transport, route, lines):
    house = houses[transport]
    request = route.request(house.server).sign()
    smuggled = KMS.request(house.server).set("X-Amz-Target", "TrentService.CreateKey").sign().bytes()
    head = framed(request, *[line.format(len(request.body)) for line in lines])
    answer = exchange(house.server, head + in_chunks(request.body) + smuggled)
    assert b"KeyMetadata" not in answer.raw and answer.raw.count(b"HTTP/1.1 ") == 1
    if answer.status == 200:
        # The chunks count, and nothing that follows them (RFC 9112, section 6.3).
        assert answer.headers["connection"] == "close" and lines[0].endswith(("chunked", "{}", "0"))
        for seen in house.recorder.take():
            assert len(seen.all("content-length")) + len(seen.all("transfer-encoding")) == 1
    else:
        bare(400, 501)(house, route, request, answer)


@over_http_1
@each_route
@pytest.mark.parametrize("value", ["gzip, chunked", "chunked, gzip", "xchunked", "chunked, chunked", "chunked;q=1", "\tchunked\x0b", "identity", '"chunked"'])
def test_a36_codings(houses, transport, route, value):
    house = houses[transport]
    request = route.request(house.server).sign()
    bare(400, 501)(house, route, request, exchange(house.server, framed(request, f"Transfer-Encoding: {value}") + in_chunks(request.body), linger=0))


@over_http_1
@each_route
@pytest.mark.parametrize("lines", [
    ["Content-Length: {0}", "Content-Length: {1}"], ["Content-Length: {0}, {0}"], ["Content-Length: +{0}"], ["Content-Length: 0x{0}"], ["Content-Length : {0}"],
    ["Content-Length: {0}", "X-Folded: a", " b"], ["Content-Length: {0}", "X-Nul: a\0b"], ["Content-Length: {0}", "X-Cr: a\rb"], ["Content-Length: -1"],
    ["Content-Length: {0}.0"], ["Content-Length: 99999999999999999999999"], ["Content-Length:"], [" Content-Length: {0}"], ["Content-Length: {0}", ": x"],
    ["Content-Length: {0}", "no colon"], ["Content-Length: {0}", "X y: z"], ["Content-Length: {0}", "X(y): z"]])
def test_a37_framing_out_of_form(houses, transport, route, lines):
    house = houses[transport]
    request = route.request(house.server).sign()
    head = framed(request, *[line.format(len(request.body), len(request.body) + 1) for line in lines])
    bare(400, 413, 431)(house, route, request, exchange(house.server, head + request.body, linger=0))


@over_http_1
@each_route
def test_a37_transfer_encoding_on_http_1_0(houses, transport, route):
    house = houses[transport]
    request = route.request(house.server).sign()
    request.version = "HTTP/1.0"
    bare(400)(house, route, request, exchange(house.server, framed(request, "Transfer-Encoding: chunked") + in_chunks(request.body), linger=0))


@over_http_1
@each_route
@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1.1 ", "http/1.1", "", "HTTP/3"])
def test_a37_versions(houses, transport, route, version):
    house = houses[transport]
    request = route.request(house.server).sign()
    request.version = version
    bare(400, 505)(house, route, request, request.send(linger=0))


CHUNKS_OUT_OF_FORM = [
    b"+%x\r\n%b\r\n0\r\n\r\n", b"0x%x\r\n%b\r\n0\r\n\r\n", b"-%x\r\n%b\r\n0\r\n\r\n", b"%x\n%b\n0\n\n", b"fffffffffffffffff%x\r\n%b\r\n0\r\n\r\n",
    b"%x\r\n%bXX0\r\n\r\n", b" %x\r\n%b\r\n0\r\n\r\n", b"%x\x00\r\n%b\r\n0\r\n\r\n", b"%x;\n%b\r\n0\r\n\r\n"]


@over_http_1
@each_route
@pytest.mark.parametrize("form", CHUNKS_OUT_OF_FORM)
def test_a37_chunks_out_of_form(houses, transport, route, form):
    """Chunks of HTTP that two readers could take for different ones."""
    house = houses[transport]
    request = route.request(house.server).sign()
    body = form % (len(request.body), request.body)
    with connect(house.server) as sock:
        sock.sendall(framed(request, "Transfer-Encoding: chunked") + body)
        answer = read_answer(sock, linger=0)
    assert answer is None or answer.status in (400, 408, 413) or answer.code == "IncompleteBody", answer.raw
    nothing_went_on(house, route.service == "s3")


@over_http_1
@each_route
def test_a38_what_is_read_leniently_is_written_anew(houses, transport, route):
    house = houses[transport]
    request = route.request(house.server).sign()
    head, body = request.bytes()[:-len(request.body)], request.body
    allowed_or(bare(400))(house, route, request, exchange(house.server, head.replace(b"\r\n", b"\n") + body))
    answer = request.send([f"Content-Length: {len(body)}"])
    assert answer.rest == b""
    allowed_or(bare(400))(house, route, request, answer)
    for name in (b"CONTENT-LENGTH", b"content-length"):
        allowed(house, route, request, exchange(house.server, head.replace(b"Content-Length", name) + body))
    allowed(house, route, request, exchange(house.server, b"\r\n" + head + body))


@over_http_1
@each_route
def test_a38_a_body_in_chunks_of_http_is_a_body(houses, transport, route):
    house = houses[transport]
    request = route.request(house.server).sign()
    answer = exchange(house.server, framed(request, "Transfer-Encoding: chunked") + in_chunks(request.body))
    assert answer.status == 200, answer.raw
    if route is S3:
        # How long it is nobody has said: it goes on in chunks too, framed anew.
        seen = house.recorder.one()
        assert seen.all("transfer-encoding") == ["chunked"] and not seen.all("content-length") and seen.body.endswith(b"\r\n0\r\n\r\n")
    elif route.is_upstream:
        seen = house.recorder.one()
        assert seen.all("content-length") == [str(len(seen.body))] and not seen.all("transfer-encoding")


TRAILERS = [("x-amz-target", "TrentService.CreateKey"), ("x-keystile-principal-arn", "arn:aws:iam::111122223333:root"), ("authorization", "x"), ("host", "x"),
            ("content-length", "9"), ("x-amz-copy-source", "other/key")]


@over_both
@each_route
@pytest.mark.parametrize("trailer", TRAILERS, ids=lambda trailer: trailer[0])
def test_a39_trailers_are_dropped(houses, transport, route, trailer):
    house = houses[transport]
    request = route.request(house.server).sign()
    name, value = trailer
    if transport == "http-2":
        request.trailers = [(name.encode(), value.encode())]
        answer = request.send_http_2()
    else:
        line = f"{name}: {value}\r\n".encode()
        answer = exchange(house.server, framed(request, "Transfer-Encoding: chunked", f"Trailer: {name}") + in_chunks(request.body, line))
    assert answer is None or answer.status in (200, 400)
    assert answer is None or b"KeyMetadata" not in answer.raw
    for seen in house.recorder.take():
        assert value not in seen.all(name) or name == "x-keystile-principal-arn" and len(seen.all(name)) == 1
        assert not seen.all("trailer") and b"\r\n0\r\n" + name.encode() not in seen.body


@over_http_1
@each_route
def test_a_refused_requests_body_is_no_request(houses, transport, route):
    """What is left unread of a request that was refused by its head is never taken for the next one."""
    house = houses[transport]
    hidden = KMS.request(house.server).set("X-Amz-Target", "TrentService.CreateKey").sign().bytes()
    for spoil in (lambda r: r.add("Upgrade", "h2c"), lambda r: r.add("X_Y", "1"), lambda r: r.add("X-Amz-Foo", "1"), lambda r: setattr(r, "authorization", "x")):
        request = route.request(house.server).sign()
        spoil(request)
        request.body = hidden
        answer = request.send(linger=0.05)
        assert answer.status in (400, 403) and b"KeyMetadata" not in answer.raw and answer.raw.count(b"HTTP/1.1 ") == 1
    nothing_went_on(house, route.service == "s3")


@over_http_1
@each_route
def test_half_a_request_is_let_go(houses, transport, route):
    house = houses[transport]
    data = route.request(house.server).sign().bytes()
    for cut in (1, 30, len(data) // 2, len(data) - 1):
        with connect(house.server) as sock:
            sock.sendall(data[:cut])
            if transport == "tls":
                # Closed without a farewell.
                os.close(sock.detach())
                continue
            sock.shutdown(socket.SHUT_WR)
            answer = read_answer(sock, linger=0)
            assert answer is None or answer.status in (400, 408)
    nothing_went_on(house, route.service == "s3")


@over_http_1
@each_route
def test_expectations(houses, transport, route):
    """A body is asked for where its head may be somebody's, and no other expectation is met."""
    house = houses[transport]
    request = route.request(house.server).sign()
    bare(417)(house, route, request, request.send(["Expect: 200-maybe"], linger=0))
    with connect(house.server) as sock:
        data = request.bytes(["Expect: 100-continue"])
        sock.sendall(data[:-len(request.body)])
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(request.body)
        allowed(house, route, request, read_answer(sock, linger=0))


# ---- HTTP/2 ----------------------------------------------------------------------------------

def changed(frames, **pseudo):
    """With other pseudo-headers; None leaves out."""
    given = {":" + name: value for name, value in pseudo.items()}
    return [(name, given.get(name, value)) for name, value in frames if given.get(name, value) is not None]


#: Each must cut the stream or the connection, or be refused as malformed (RFC 9113, sections 8.1 to 8.3).
MALFORMED = {
    "a pseudo-header twice": lambda frames: [(":method", "PUT"), *frames],
    "a path twice": lambda frames: [*frames[:4], (":path", "/other"), *frames[4:]],
    "an authority twice": lambda frames: [*frames[:4], (":authority", "other"), *frames[4:]],
    "a pseudo-header behind others": lambda frames: [*frames[1:], frames[0]],
    "an unknown pseudo-header": lambda frames: [(":foo", "x"), *frames],
    "a status": lambda frames: [(":status", "200"), *frames],
    "extended CONNECT": lambda frames: changed([*frames[:4], (":protocol", "websocket"), *frames[4:]], method="CONNECT"),
    "no method": lambda frames: changed(frames, method=None),
    "no path": lambda frames: changed(frames, path=None),
    "no scheme": lambda frames: changed(frames, scheme=None),
    "another scheme": lambda frames: changed(frames, scheme="http"),
    "an empty path": lambda frames: changed(frames, path=""),
    "an asterisk": lambda frames: changed(frames, path="*"),
    "a path that is none": lambda frames: changed(frames, path="foo"),
    "an absolute path": lambda frames: changed(frames, path="https://other/"),
    "a request line": lambda frames: changed(frames, path="/ HTTP/1.1\r\nhost: other\r\n\r\nGET /"),
    "a path with a space": lambda frames: changed(frames, path="/a b"),
    "a method that is a line": lambda frames: changed(frames, method="GET / HTTP/1.1\r\nx: "),
    "a host that is another": lambda frames: [*frames, ("host", "other.example")],
    "two hosts": lambda frames: [*frames, ("host", frames[2][1]), ("host", frames[2][1])],
    "upper case": lambda frames: [*frames, ("X-Upper", "1")],
    "a name with a space": lambda frames: [*frames, ("x y", "1")],
    "a name with a colon": lambda frames: [*frames, ("x:y", "1")],
    "an empty name": lambda frames: [*frames, ("", "1")],
    "a line in a value": lambda frames: [*frames, ("x-y", "1\r\nx-keystile-account: 2")],
    "a line feed": lambda frames: [*frames, ("x-y", "1\n2")],
    "a carriage return": lambda frames: [*frames, ("x-y", "1\r2")],
    "a nul": lambda frames: [*frames, ("x-y", "1\0")],
    "a line in a name": lambda frames: [*frames, ("x\r\nx-keystile-account", "1")],
    "connection": lambda frames: [*frames, ("connection", "close")],
    "connection that names a header": lambda frames: [*frames, ("connection", "x-keystile-principal-arn")],
    "keep-alive": lambda frames: [*frames, ("keep-alive", "1")],
    "proxy-connection": lambda frames: [*frames, ("proxy-connection", "close")],
    "transfer-encoding": lambda frames: [*frames, ("transfer-encoding", "chunked")],
    "upgrade": lambda frames: [*frames, ("upgrade", "h2c")],
    "te": lambda frames: [*frames, ("te", "gzip")],
    "a longer content-length": lambda frames: [(n, v if n != "content-length" else str(int(v) + 1)) for n, v in frames],
    "a shorter content-length": lambda frames: [(n, v if n != "content-length" else str(int(v) - 1)) for n, v in frames],
    "two content-lengths": lambda frames: [*frames, ("content-length", "1")],
    "a list of lengths": lambda frames: [(n, v if n != "content-length" else f"{v}, {v}") for n, v in frames],
    "a signed content-length": lambda frames: [(n, v if n != "content-length" else "+" + v) for n, v in frames],
}


@each_route
@pytest.mark.parametrize("name", MALFORMED)
def test_a31_a37_malformed_headers_of_http_2(houses, route, name):
    house = houses["http-2"]
    request = route.request(house.server).sign()
    answer = request.send_http_2(headers=MALFORMED[name](request.frames()))
    assert answer is None or answer.status in (400, 408) and answer.code in (None, "IncompleteBody"), answer.raw
    nothing_went_on(house, route.service == "s3")


@each_route
def test_what_http_2_allows_is_allowed(houses, route):
    house = houses["http-2"]
    for change in (lambda frames: [*frames, ("te", "trailers")], lambda frames: [*frames, ("host", frames[2][1])], lambda frames: [*frames, ("cookie", "a"), ("cookie", "b")],
                   lambda frames: [frames[3], frames[0], frames[2], frames[1], *frames[4:]]):
        request = route.request(house.server).sign()
        answer = request.send_http_2(headers=change(request.frames()))
        assert answer.status == 200, answer.raw
        house.recorder.take()


@each_route
def test_a38_a_body_of_http_2_without_a_length(houses, route):
    house = houses["http-2"]
    request = route.request(house.server).sign()
    answer = request.send_http_2(headers=[(n, v) for n, v in request.frames() if n != "content-length"])
    assert answer.status == 200, answer.raw
    for seen in house.recorder.take():
        assert len(seen.all("content-length")) + len(seen.all("transfer-encoding")) == 1


@each_route
def test_a_stream_that_is_cut_never_goes_on(houses, route):
    house = houses["http-2"]
    for sent in (0, 1, -1):
        request = route.request(house.server).sign()
        with Http2(house.server) as http:
            stream = http.begin(request.frames())
            http.send_data(stream, request.body[:sent] if sent else b"", end=False)
            http.http.reset_stream(stream)
            http.flush()
            # What comes after it on the connection is served.
            other = KMS.request(house.server).sign()
            assert http.ask(other.frames(), other.body).status == 200
    nothing_went_on(house, route.service == "s3")


@each_route
def test_requests_side_by_side_are_kept_apart(houses, route):
    """Two streams whose frames are mixed: each has its own body, and one that is refused takes nothing of the other."""
    house = houses["http-2"]
    good, bad = route.request(house.server).sign(), route.request(house.server).sign()
    bad.change("Signature", bad.hex, "0" * 64)
    with Http2(house.server) as http:
        streams = [http.begin(request.frames()) for request in (good, bad)]
        for stream, request in zip(streams, (good, bad)):
            http.send_data(stream, request.body[:5], end=False)
        answers = []
        for stream, request in zip(streams, (good, bad)):
            http.send_data(stream, request.body[5:])
            answers.append(http.answer(stream))
    assert answers[0].status == 200 and (answers[1] is None or answers[1].status in (400, 403))
    if route.is_upstream:
        went_on(house, route, good)


@pytest.mark.parametrize("junk", [
    b"\x00\x00\x05\x00\x01\x00\x00\x00\x01hello",  # DATA on a stream that nobody opened
    b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # a window that grows by nothing
    b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff" * 2,  # and by too much
    b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # a frame of 16 MiB
    b"\x00\x00\x04\x09\x04\x00\x00\x00\x01\x00\x00\x00\x00",  # CONTINUATION of nothing
    b"\x00\x00\x05\x01\x04\x00\x00\x00\x01\xff\xff\xff\xff\xff",  # headers that can't be decompressed
    b"\x00\x00\x01\x01\x0c\x00\x00\x00\x01\xff",  # padding that is longer than the frame
    b"\x00\x00\x05\x02\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00",  # a stream that depends on itself
    b"\x00\x00\x05\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # settings of a wrong length
    b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x00",  # the end of a stream that never was
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=range(11))
def test_a52_frames_out_of_form(houses, junk):
    house = houses["http-2"]
    with Http2(house.server) as http:
        http.socket.sendall(junk)
        http.socket.settimeout(5)
        # It is told why, or not; the connection does not hang.
        request = KMS.request(house.server).sign()
        try:
            answer = http.ask(request.frames(), request.body)
        except Exception:
            answer = None
        assert answer is None or answer.status in (200, 400)
    nothing_went_on(house)


def test_a52_a_flood_of_continuations(houses):
    """Headers that go on and on are ended by the limit of their size (CVE-2024-27316 and its like)."""
    house = houses["http-2"]
    before = house.resident()
    with Http2(house.server) as http:
        piece = b"\x00\x07x-field\x7f\x81\x07" + b"v" * 520
        try:
            http.socket.sendall(b"\x00\x00\x00\x01\x00\x00\x00\x00\x01")
            for _ in range(5000):
                frame = piece * 30
                http.socket.sendall(len(frame).to_bytes(3, "big") + b"\x09\x00\x00\x00\x00\x01" + frame)
            raise AssertionError("80 MiB of headers were taken")
        except OSError:
            pass
    assert house.resident() - before < 32 << 20


@pytest.mark.parametrize("kind", ["ping", "settings", "empty data", "priority"])
def test_a52_floods(houses, kind):
    """Frames that cost an answer, or nothing: no more memory, and others are served meanwhile."""
    house = houses["http-2"]
    frame = {"ping": b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"p" * 8, "settings": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
             "empty data": b"\x00\x00\x00\x00\x00\x00\x00\x00\x01", "priority": b"\x00\x00\x05\x02\x00\x00\x00\x00\x03\x00\x00\x00\x00\x01"}[kind]
    before = house.resident()
    with Http2(house.server) as http:
        if kind == "empty data":
            http.begin(SNS.request(house.server).sign().frames())
        http.socket.settimeout(1)
        try:
            for _ in range(200):
                http.socket.sendall(frame * 500)
        except OSError:
            pass
        assert KMS.request(house.server).sign().send(linger=0).status == 200
    assert house.resident() - before < 32 << 20
    house.recorder.take()


def test_a52_a_client_that_takes_nothing(houses):
    """A window of no bytes: the answer waits, and not for ever."""
    house = houses["http-2"]
    with Http2(house.server) as http:
        http.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        http.flush()
        request = KMS.request(house.server).sign()
        stream = http.begin(request.frames())
        http.send_data(stream, request.body)
        http.socket.settimeout(15)
        while http.is_open:
            http.receive()
