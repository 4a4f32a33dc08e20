"""A client that sends what no SDK would: SigV4 by the book, then every byte open to change."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import select
import socket
import ssl
import urllib.parse
import zlib

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def quote(text, safe="-_.~"):
    return urllib.parse.quote(text, safe=safe)


def encoded_once(text, leave=("/",)):
    """A path as S3 signs it, or a part of a query: every byte in its one spelling."""
    def spell(match):
        byte = bytes([int(match[1], 16)]) if match[1] else match[0].encode("latin-1")
        return byte.decode("latin-1") if byte.isalnum() and byte.isascii() or byte in b"-_.~" else "%%%02X" % byte[0]
    return re.sub("%([0-9a-fA-F]{2})|(?s:.)", lambda match: match[0] if match[0] in leave else spell(match), text)


class Request:
    """A signed request, as botocore makes it. Change what you like before or after `sign`.

    By default it is a POST to KMS; with other arguments it is any other service's.
    """

    def __init__(self, server, operation="ListKeys", body=b"{}", key=None, secret=None, region="us-east-1", token=None,
                 service="kms", method="POST", target="/", headers=None, presigned=False):
        self.server = server
        self.key, self.secret = (key, secret) if key else server.root_key()
        self.region, self.service, self.terminator = region, service, "aws4_request"
        self.algorithm = "AWS4-HMAC-SHA256"
        self.time = datetime.datetime.now(datetime.timezone.utc)
        self.method, self.target, self.version = method, target, "HTTP/1.1"
        self.host = urllib.parse.urlsplit(server.gateway).netloc
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.presigned, self.token = presigned, token
        #: What a presigned request's query says, in the order of sending; None leaves out.
        self.expires = 60
        if headers is None:
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", f"TrentService.{operation}")]
        self.headers = [("Host", self.host), *headers]
        if not presigned:
            self.headers.append(("X-Amz-Date", self.stamp))
            if token is not None:
                self.headers.append(("X-Amz-Security-Token", token))
        self.unsigned = {"user-agent"}
        self.headers.append(("User-Agent", "raw"))
        self.authorization = None
        #: A body in chunks: what `chunked` was told.
        self.chunks = None
        #: Trailers of HTTP, behind the body.
        self.trailers = []

    @property
    def stamp(self):
        return self.time.strftime("%Y%m%dT%H%M%SZ")

    # -- headers ------------------------------------------------------------------------------

    def set(self, name, value):
        self.headers = [(n, value if n.lower() == name.lower() else v) for n, v in self.headers]
        return self

    def add(self, name, value, signed=False):
        self.headers.append((name, value))
        if not signed:
            self.unsigned.add(name.lower())
        return self

    def drop(self, name):
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()]
        return self

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def at(self, moment):
        self.time = moment
        return self.set("X-Amz-Date", self.stamp)

    # -- signing ------------------------------------------------------------------------------

    def signed_names(self):
        return sorted({name.lower() for name, _ in self.headers} - self.unsigned)

    def canonical(self, names, body_hash=None, path=None, query=None):
        own_path, _, own_query = self.target.partition("?")
        if path is None:
            path = encoded_once(own_path) if self.service == "s3" else quote(own_path, "/-_.~")
        if query is None:
            pairs = [pair.partition("=")[::2] for pair in own_query.split("&") if pair]
            query = "&".join(sorted(encoded_once(name, ()) + "=" + encoded_once(value, ()) for name, value in pairs))
        lines = "".join(
            name + ":" + ",".join(" ".join(v.split()) for n, v in self.headers if n.lower() == name) + "\n" for name in names)
        if body_hash is None:
            unsigned = "UNSIGNED-PAYLOAD" if self.presigned and self.service == "s3" else sha256(self.body)
            body_hash = self.get("X-Amz-Content-Sha256") if self.service == "s3" else None
            body_hash = body_hash or unsigned
        return "\n".join([self.method, path or "/", query, lines, ";".join(names), body_hash])

    def signing_key(self, date):
        key = b"AWS4" + self.secret.encode()
        for part in (date, self.region, self.service, self.terminator):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def scope(self, date=None):
        return f"{date or self.time.strftime('%Y%m%d')}/{self.region}/{self.service}/{self.terminator}"

    def signature(self, canonical, scope_date=None):
        scope = self.scope(scope_date)
        text = "\n".join([self.algorithm, self.stamp, scope, sha256(canonical.encode())])
        key = self.signing_key(scope_date or self.time.strftime("%Y%m%d"))
        return f"{self.key}/{scope}", hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def sign(self, names=None, **how):
        """Signs what stands there now; what is changed later is not covered."""
        names = names or self.signed_names()
        scope_date = how.pop("scope_date", None)
        self.names = ";".join(names)
        if self.presigned:
            pairs = [("X-Amz-Algorithm", self.algorithm), ("X-Amz-Credential", f"{self.key}/{self.scope(scope_date)}"), ("X-Amz-Date", self.stamp),
                     ("X-Amz-Expires", self.expires), ("X-Amz-SignedHeaders", self.names), ("X-Amz-Security-Token", self.token)]
            added = "&".join(f"{name}={quote(str(value))}" for name, value in pairs if value is not None)
            self.target += ("&" if "?" in self.target else "?") + added
        self.credential, self.hex = self.signature(self.canonical(names, **how), scope_date)
        if self.presigned:
            self.target += f"&X-Amz-Signature={self.hex}"
        else:
            self.authorization = f"{self.algorithm} Credential={self.credential}, SignedHeaders={self.names}, Signature={self.hex}"
        if self.chunks:
            self.body = self._framed(**self.chunks)
        return self

    def change(self, part, old, new):
        """Changes one part of the signature (`Credential`, `SignedHeaders`, `Signature`) where it stands."""
        if self.presigned:
            self.target = self.target.replace(f"X-Amz-{part}={quote(old)}", f"X-Amz-{part}={quote(new)}")
        else:
            self.authorization = self.authorization.replace(f"{part}={old}", f"{part}={new}")
        return self

    # -- aws-chunked --------------------------------------------------------------------------

    def chunked(self, data, signed=True, trailer=True, size=8192):
        """Sends the data in chunks (Amazon S3 API Reference, "Transferring payload in multiple chunks"), made by `sign`."""
        mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signed else "STREAMING-UNSIGNED-PAYLOAD"
        self.set("X-Amz-Content-Sha256", mode + ("-TRAILER" if trailer else ""))
        self.headers += [("X-Amz-Decoded-Content-Length", str(len(data))), ("Content-Encoding", "aws-chunked")]
        if trailer:
            self.headers.append(("X-Amz-Trailer", "x-amz-checksum-crc32"))
        self.chunks = dict(data=data, signed=signed, trailer=trailer, size=size)
        return self

    def pieces(self, data, signed=True, trailer=True, size=8192):
        """The framing in its parts, each of which a test may change: chunks, and the end with its trailers."""
        key, previous = self.signing_key(self.time.strftime("%Y%m%d")), self.hex

        def proven(kind, *hashes):
            text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", self.stamp, self.scope(), previous, *hashes])
            return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

        pieces = []
        for start in [*range(0, len(data), size), len(data)]:
            piece = data[start:start + size]
            line = f"{len(piece):x}"
            if signed:
                previous = proven("PAYLOAD", sha256(b""), sha256(piece))
                line += f";chunk-signature={previous}"
            pieces.append(line.encode() + b"\r\n" + (piece + b"\r\n" if piece else b""))
        if trailer:
            checksum = "x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
            pieces.append(f"{checksum}\r\n".encode())
            if signed:
                pieces.append(f"x-amz-trailer-signature:{proven('TRAILER', sha256((checksum + chr(10)).encode()))}\r\n".encode())
        return [*pieces, b"\r\n"]

    def _framed(self, **how):
        return b"".join(self.pieces(**how))

    # -- sending ------------------------------------------------------------------------------

    def head(self, extra=()):
        lines = [f"{self.method} {self.target} {self.version}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.authorization is not None:
            lines.append(f"Authorization: {self.authorization}")
        if not any(n.lower() in ("content-length", "transfer-encoding") for n, _ in self.headers) and (self.body or self.method != "GET"):
            lines.append(f"Content-Length: {len(self.body)}")
        return lines + list(extra)

    def bytes(self, extra=()):
        return "\r\n".join(self.head(extra)).encode("latin-1") + b"\r\n\r\n" + self.body

    def send(self, extra=(), linger=0.05):
        return exchange(self.server, self.bytes(extra), linger=linger)

    def frames(self, extra=()):
        """Pseudo-headers and headers of HTTP/2, in the order of sending."""
        headers = [(":method", self.method), (":scheme", "https"), (":authority", self.get("Host") or ""), (":path", self.target)]
        headers += [(name.lower(), value) for name, value in self.headers if name.lower() != "host"]
        if self.body and self.get("Content-Length") is None:
            headers.append(("content-length", str(len(self.body))))
        if self.authorization is not None:
            headers.append(("authorization", self.authorization))
        return headers + [(name.lower(), value) for name, value in (line.split(": ", 1) for line in extra)]

    def send_http_2(self, extra=(), headers=None):
        with Http2(self.server) as http:
            return http.ask(headers or self.frames(extra), self.body, self.trailers)


class Answer:
    def __init__(self, raw, method=None):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
        length = int(self.headers.get("content-length", len(self.body)))
        self.rest = self.body[length:]
        self.body = self.body[:length]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The error's code, in JSON or XML."""
        if found := re.search(rb"<Code>([^<]*)</Code>", self.body):
            return found[1].decode()
        try:
            return self.json["__type"]
        except Exception:
            return None

    @property
    def message(self):
        return self.json.get("message", self.json.get("Message"))


def connect(server, protocols=("http/1.1",)):
    """A connection, over TLS where the server speaks it. Whose certificate it is does not matter here."""
    url = urllib.parse.urlsplit(server.gateway)
    sock = socket.create_connection((url.hostname, url.port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if url.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        sock = context.wrap_socket(sock, server_hostname="localhost")
    return sock


def exchange(server, data, half_close=False, linger=0.05):
    """Sends the bytes and reads one answer (with whatever follows it, until quiet or closed)."""
    with connect(server) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        return read_answer(sock, linger)


def read_answer(sock, linger=0.05):
    """One answer; `linger` is how long to wait for what must not follow it."""
    raw = b""
    while True:
        try:
            piece = sock.recv(65536)
        except (ConnectionResetError, TimeoutError, ssl.SSLError):
            break
        raw += piece
        if not piece:
            break
        head, separator, body = raw.partition(b"\r\n\r\n")
        if separator:
            lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths and len(body) >= int(lengths[0]):
                if not linger:
                    break
                # A second, smuggled answer would follow at once.
                sock.settimeout(linger)
            elif not lengths and b"\r\ntransfer-encoding: chunked" in head.lower() and body.endswith(b"0\r\n\r\n"):
                if not linger:
                    break
                sock.settimeout(linger)
    return Answer(raw) if raw else None


class Http2:
    """A connection of HTTP/2 that sends what it is told, and checks nothing of it."""

    def __init__(self, server):
        self.socket = connect(server, ("h2",))
        config = h2.config.H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False)
        self.http = h2.connection.H2Connection(config)
        self.http.initiate_connection()
        self.flush()
        #: By stream: its events so far.
        self.seen = {}
        self.is_open = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        try:
            self.socket.sendall(self.http.data_to_send())
        except OSError:
            self.is_open = False

    def receive(self):
        """Takes in what comes next."""
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.is_open = False
            return
        try:
            events = self.http.receive_data(data)
        except h2.exceptions.ProtocolError:
            # Frames behind the server's farewell.
            self.is_open = False
            return
        for event in events:
            if isinstance(event, h2.events.ConnectionTerminated):
                self.is_open = False
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream := getattr(event, "stream_id", None):
                self.seen.setdefault(stream, []).append(event)
        self.flush()

    def ask(self, headers, body=b"", trailers=()):
        stream = self.begin(headers, end=not (body or trailers))
        if body or trailers:
            self.send_data(stream, body, end=not trailers)
        if trailers and self.is_open:
            self.http.send_headers(stream, trailers, end_stream=True)
            self.flush()
        return self.answer(stream)

    def begin(self, headers, end=False):
        stream = self.http.get_next_available_stream_id()
        encoded = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers]
        self.http.send_headers(stream, encoded, end_stream=end)
        self.flush()
        return stream

    def send_data(self, stream, data, end=True):
        """Sends a body as fast as it is taken, until it is refused."""
        while data and self.is_open:
            if self._is_over(stream):
                return
            room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(data))
            if room:
                self.http.send_data(stream, data[:room])
                data = data[room:]
                self.flush()
            # What the server says meanwhile: that it takes more, or no more.
            if not room or self._is_readable():
                self.receive()
        if end and self.is_open and not self._is_over(stream):
            self.http.end_stream(stream)
            self.flush()

    def _is_over(self, stream):
        """Whether the server wants no more of it."""
        return any(isinstance(event, (h2.events.StreamReset, h2.events.StreamEnded)) for event in self.seen.get(stream, ()))

    def _is_readable(self):
        return self.socket.pending() or select.select([self.socket], [], [], 0)[0]

    def answer(self, stream):
        """The answer; none where the stream, or the connection, was cut."""
        while True:
            events = self.seen.get(stream, [])
            if any(isinstance(event, h2.events.StreamReset) for event in events) and not any(
                    isinstance(event, h2.events.StreamEnded) for event in events):
                return None
            if any(isinstance(event, h2.events.StreamEnded) for event in events) or not self.is_open:
                break
            self.receive()
        headers = next((event.headers for event in events if isinstance(event, h2.events.ResponseReceived)), None)
        if headers is None:
            return None
        body = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
        status = dict(headers)[b":status"]
        # In the words of HTTP/1.1, so that there is one reader of answers.
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers if not name.startswith(b":"))
        return Answer(b"HTTP/2 " + status + b" \r\n" + lines + b"\r\n" + body)
