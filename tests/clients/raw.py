"""A client that sends what no SDK would: SigV4 by the book, then every byte open to change."""

import datetime
import hashlib
import hmac
import json
import socket
import urllib.parse


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Request:
    """A signed POST to KMS as botocore makes it. Change what you like before or after `sign`."""

    def __init__(self, server, operation="ListKeys", body=b"{}", key=None, secret=None, region="us-east-1", token=None):
        self.server = server
        self.key, self.secret = (key, secret) if key else server.root_key()
        self.region, self.service, self.terminator = region, "kms", "aws4_request"
        self.algorithm = "AWS4-HMAC-SHA256"
        self.time = datetime.datetime.now(datetime.timezone.utc)
        self.method, self.target, self.version = "POST", "/", "HTTP/1.1"
        self.host = urllib.parse.urlsplit(server.gateway).netloc
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = [
            ("Host", self.host),
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Date", self.time.strftime("%Y%m%dT%H%M%SZ")),
            ("X-Amz-Target", f"TrentService.{operation}"),
        ]
        if token is not None:
            self.headers.append(("X-Amz-Security-Token", token))
        self.unsigned = {"user-agent"}
        self.headers.append(("User-Agent", "raw"))
        self.authorization = None

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

    def at(self, moment):
        self.time = moment
        return self.set("X-Amz-Date", moment.strftime("%Y%m%dT%H%M%SZ"))

    # -- signing ------------------------------------------------------------------------------

    def signed_names(self):
        return sorted({name.lower() for name, _ in self.headers} - self.unsigned)

    def canonical(self, names, body_hash=None, path=None, query=""):
        lines = "".join(
            name + ":" + ",".join(" ".join(v.split()) for n, v in self.headers if n.lower() == name) + "\n" for name in names)
        return "\n".join([self.method, path or "/", query, lines, ";".join(names), body_hash or sha256(self.body)])

    def signature(self, canonical, scope_date=None):
        date = scope_date or self.time.strftime("%Y%m%d")
        key = b"AWS4" + self.secret.encode()
        for part in (date, self.region, self.service, self.terminator):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        scope = f"{date}/{self.region}/{self.service}/{self.terminator}"
        stamp = self.time.strftime("%Y%m%dT%H%M%SZ")
        text = "\n".join([self.algorithm, stamp, scope, sha256(canonical.encode())])
        return f"{self.key}/{scope}", hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def sign(self, names=None, **how):
        names = names or self.signed_names()
        scope_date = how.pop("scope_date", None)
        self.credential, self.hex = self.signature(self.canonical(names, **how), scope_date)
        self.names = ";".join(names)
        self.authorization = f"{self.algorithm} Credential={self.credential}, SignedHeaders={self.names}, Signature={self.hex}"
        return self

    # -- sending ------------------------------------------------------------------------------

    def head(self, extra=()):
        lines = [f"{self.method} {self.target} {self.version}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.authorization is not None:
            lines.append(f"Authorization: {self.authorization}")
        if not any(n.lower() in ("content-length", "transfer-encoding") for n, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return lines + list(extra)

    def bytes(self, extra=()):
        return "\r\n".join(self.head(extra)).encode("latin-1") + b"\r\n\r\n" + self.body

    def send(self, extra=()):
        return exchange(self.server, self.bytes(extra))


class Answer:
    def __init__(self, raw):
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
        try:
            return self.json["__type"]
        except Exception:
            return None

    @property
    def message(self):
        return self.json.get("message", self.json.get("Message"))


def connect(server):
    url = urllib.parse.urlsplit(server.gateway)
    return socket.create_connection((url.hostname, url.port), timeout=20)


def exchange(server, data, half_close=False):
    """Sends the bytes and reads one answer (with whatever follows it, until quiet or closed)."""
    with connect(server) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_answer(sock)


def read_answer(sock):
    raw = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            break
        except TimeoutError:
            break
        raw += piece
        if not piece:
            break
        head, separator, body = raw.partition(b"\r\n\r\n")
        if separator:
            lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths and len(body) >= int(lengths[0]):
                # A second, smuggled answer would follow at once.
                sock.settimeout(0.05)
    return Answer(raw) if raw else None
