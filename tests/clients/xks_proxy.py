"""An external key store's proxy over HTTPS with a key manager behind it, after AWS's published XKS Proxy
API, version 1. Signatures are verified by botocore, keys and certificates are pyca/cryptography's."""

import base64
import datetime
import hashlib
import http.server
import json
import os
import ssl
import threading
from http.client import HTTPMessage

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "xks.example.com"
PATH = "/tenant-1/kms/xks/v1"
CREDENTIAL = {"AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": "proxy-secret".replace("-", "/") * 4}


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _signed(self, subject, public_key, extension):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(days=1)).add_extension(extension, critical=True)
                .sign(self.key, hashes.SHA256()))

    def server_context(self, host):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._signed(subject, key.public_key(), x509.SubjectAlternativeName([x509.DNSName(host)]))
        file = self.directory / f"{host}-{os.urandom(4).hex()}.pem"
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class SignedHeadersOnly(SigV4Auth):
    """botocore's signer over the headers that the request names."""

    def headers_to_sign(self, request):
        headers = HTTPMessage()
        for name in ("host", "x-amz-date"):
            headers[name] = request.headers[name]
        return headers


class Refused(Exception):
    def __init__(self, status, name):
        self.status, self.body = status, {"errorName": name, "errorMessage": "for the log of the proxy alone"}


class Proxy:
    """Serves until it is closed. `mischief` makes it misbehave."""

    def __init__(self, authority, host=HOST):
        self.keys = {}
        self.secrets = {CREDENTIAL["AccessKeyId"]: CREDENTIAL["RawSecretAccessKey"]}
        self.mischief = None
        self.asked = []
        self.connections = 0
        self.released = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                proxy.connections += 1

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if proxy.mischief == "hang":
                    proxy.released.wait(30)
                if proxy.mischief == "close":
                    self.close_connection = True
                    return
                if proxy.mischief == "no http":
                    self.wfile.write(b"this is not HTTP\r\n\r\n")
                    self.close_connection = True
                    return
                if proxy.mischief == "redirect":
                    return self.answer(307, b"", {"location": f"https://{HOST}{PATH}/health"})
                if proxy.mischief == "garbage":
                    return self.answer(200, b"garbage")
                if proxy.mischief == "huge":
                    return self.answer(200, b" " * (1 << 20))
                try:
                    status, answer = 200, proxy.answer(self.path, self.headers, body)
                except Refused as refused:
                    status, answer = refused.status, refused.body
                self.answer(status, json.dumps(answer).encode())

            def answer(self, status, body, headers=None):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(405, b"")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        # The handshake is of the connection's own thread.
        context = authority.server_context(host)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def add_key(self, name, status="ENABLED"):
        self.keys[name] = {"material": os.urandom(32), "status": status}

    def answer(self, path, headers, body):
        self.verify(path, headers, body)
        if headers["content-type"] != "application/json":
            raise Refused(400, "ValidationException")
        if not path.startswith(PATH + "/"):
            raise Refused(404, "InvalidUriPathException")
        request = json.loads(body)
        self.asked.append((path, request))
        match path[len(PATH) + 1:].split("/"):
            case ["health"]:
                return {"xksProxyFleetSize": 1, "xksProxyVendor": "test", "xksProxyModel": "test 1", "ekmVendor": "test",
                        "ekmFleetDetails": [{"id": "1", "model": "test", "healthStatus": "ACTIVE"}]}
            case ["keys", name, operation]:
                if name not in self.keys:
                    raise Refused(404, "KeyNotFoundException")
                key = self.keys[name]
                if operation == "metadata":
                    return {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": key["status"]}
                if key["status"] != "ENABLED":
                    raise Refused(400, "InvalidStateException")
                return getattr(self, operation)(key["material"], request)
        raise Refused(404, "InvalidUriPathException")

    def verify(self, path, headers, body):
        scheme, rest = headers["authorization"].split(" ", 1)
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        access_key, date, region, service, end = parts["Credential"].split("/")
        signed_at = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        age = abs(datetime.datetime.now(datetime.timezone.utc) - signed_at)
        good = (scheme == "AWS4-HMAC-SHA256" and (service, end) == ("kms-xks-proxy", "aws4_request")
                and parts["SignedHeaders"] == "host;x-amz-date" and age < datetime.timedelta(minutes=5)
                and headers["host"] == HOST and access_key in self.secrets)
        if good:
            request = AWSRequest("POST", f"https://{HOST}{path}", data=body, headers={"host": headers["host"], "x-amz-date": headers["x-amz-date"]})
            request.context["timestamp"] = headers["x-amz-date"]
            signer = SignedHeadersOnly(Credentials(access_key, self.secrets[access_key]), service, region)
            good = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request) == parts["Signature"]
        if not good:
            raise Refused(401, "AuthenticationFailedException")

    @staticmethod
    def _bound(request, metadata):
        aad = base64.b64decode(request.get("additionalAuthenticatedData", ""), validate=True)
        return aad, len(aad).to_bytes(2, "big") + aad + bytes([len(metadata)]) + metadata

    def encrypt(self, material, request):
        plaintext = base64.b64decode(request["plaintext"], validate=True)
        assert len(plaintext) <= 4300 and request["encryptionAlgorithm"] == "AES_GCM"
        assert request["ciphertextDataIntegrityValueAlgorithm"] == "SHA_256"
        metadata, vector = b"key_version=1", os.urandom(12)
        aad, bound = self._bound(request, metadata)
        assert len(aad) <= 8192
        sealed = AESGCM(material).encrypt(vector, plaintext, bound)
        ciphertext, tag = sealed[:-16], sealed[-16:]
        encoded = lambda data: base64.b64encode(data).decode()
        return {"ciphertext": encoded(ciphertext), "ciphertextMetadata": encoded(metadata), "initializationVector": encoded(vector),
                "authenticationTag": encoded(tag),
                "ciphertextDataIntegrityValue": encoded(hashlib.sha256(aad + metadata + vector + ciphertext + tag).digest())}

    def decrypt(self, material, request):
        decoded = lambda name: base64.b64decode(request.get(name, ""), validate=True)
        _, bound = self._bound(request, decoded("ciphertextMetadata"))
        try:
            plaintext = AESGCM(material).decrypt(
                decoded("initializationVector"), decoded("ciphertext") + decoded("authenticationTag"), bound)
        except InvalidTag:
            raise Refused(400, "InvalidCiphertextException") from None
        return {"plaintext": base64.b64encode(plaintext).decode()}
