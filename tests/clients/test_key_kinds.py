"""HMAC and asymmetric keys with boto3, each answer held to another library: pyca/cryptography (whose
engine is OpenSSL), Python's hmac, and the openssl command."""

import hashlib
import hmac
import shutil
import subprocess

import botocore.exceptions
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

HASHES = {"224": hashes.SHA224(), "256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA_SPECS = ["RSA_2048", "RSA_3072", "RSA_4096"]
RSA_SIGNING = [f"RSASSA_{form}_SHA_{bits}" for form in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)]
CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1, "ECDSA_SHA_256"),
    "ECC_NIST_P384": (ec.SECP384R1, "ECDSA_SHA_384"),
    "ECC_NIST_P521": (ec.SECP521R1, "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": (ec.SECP256K1, "ECDSA_SHA_256"),
}
ML_DSA = {"ML_DSA_44": mldsa.MLDSA44PublicKey, "ML_DSA_65": mldsa.MLDSA65PublicKey, "ML_DSA_87": mldsa.MLDSA87PublicKey}
MESSAGE = b"a message of which others verify the signature"


def created(kms, spec, usage):
    return kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]


def public_key(kms, key):
    """What GetPublicKey answers, and the key in it, which is the DER that others would write."""
    told = kms.get_public_key(KeyId=key)
    loaded = load_der_public_key(told["PublicKey"])
    assert loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == told["PublicKey"]
    return told, loaded


def verify(key, algorithm, signature, message):
    """Verifies with the other library."""
    hashing = HASHES.get(algorithm[-3:])
    if algorithm.startswith("RSASSA_PSS"):
        key.verify(signature, message, padding.PSS(padding.MGF1(hashing), hashing.digest_size), hashing)
    elif algorithm.startswith("RSASSA"):
        key.verify(signature, message, padding.PKCS1v15(), hashing)
    elif algorithm.startswith("ECDSA"):
        key.verify(signature, message, ec.ECDSA(hashing))
    else:
        key.verify(signature, message)


def oaep(algorithm):
    hashing = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    return padding.OAEP(padding.MGF1(hashing), hashing, None)


def refusal(call):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call()
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize("bits", ["224", "256", "384", "512"])
def test_macs_are_of_the_key_that_never_leaves(server, bits):
    kms, algorithm = server.kms(), f"HMAC_SHA_{bits}"
    key = created(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    mac = kms.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm=algorithm)["Mac"]
    assert len(mac) == HASHES[bits].digest_size
    assert kms.verify_mac(KeyId=key, Message=MESSAGE, Mac=mac, MacAlgorithm=algorithm)["MacValid"]
    # The key is random and never told: that a MAC is HMAC itself, the vectors of the unit tests show.
    forged = hmac.new(bytes(HASHES[bits].digest_size), MESSAGE, f"sha{bits}").digest()
    for wrong in (forged, mac[:-1]):
        call = lambda: kms.verify_mac(KeyId=key, Message=MESSAGE, Mac=wrong, MacAlgorithm=algorithm)
        assert refusal(call) == "KMSInvalidMacException"
    assert refusal(lambda: kms.get_public_key(KeyId=key)) == "UnsupportedOperationException"


SIGNING = (
    [(spec, RSA_SIGNING) for spec in RSA_SPECS]
    + [(spec, [algorithm]) for spec, (_, algorithm) in CURVES.items()]
    + [("ECC_NIST_EDWARDS25519", ["ED25519_SHA_512"])]
    + [(spec, ["ML_DSA_SHAKE_256"]) for spec in ML_DSA]
)


@pytest.mark.parametrize("spec, algorithms", SIGNING, ids=[spec for spec, _ in SIGNING])
def test_what_is_signed_verifies_elsewhere(server, spec, algorithms):
    kms = server.kms()
    key = created(kms, spec, "SIGN_VERIFY")
    told, loaded = public_key(kms, key)
    assert told["KeySpec"] == spec and told["KeyUsage"] == "SIGN_VERIFY"
    assert sorted(told["SigningAlgorithms"]) == sorted(algorithms)
    if spec in RSA_SPECS:
        assert isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size == int(spec[4:])
    elif spec in CURVES:
        assert isinstance(loaded.curve, CURVES[spec][0])
    else:
        assert isinstance(loaded, ML_DSA.get(spec, ed25519.Ed25519PublicKey))
    for algorithm in algorithms:
        signatures = [kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]]
        if algorithm.startswith(("RSASSA", "ECDSA")):
            digest = hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest()
            hashed = {"KeyId": key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": algorithm}
            signatures.append(kms.sign(**hashed)["Signature"])
            assert kms.verify(**hashed, Signature=signatures[0])["SignatureValid"]
        for signature in signatures:
            verify(loaded, algorithm, signature, MESSAGE)
            with pytest.raises(InvalidSignature):
                verify(loaded, algorithm, signature, b"another")
            asked = {"KeyId": key, "Signature": signature, "SigningAlgorithm": algorithm}
            assert kms.verify(**asked, Message=MESSAGE)["SignatureValid"]
            assert refusal(lambda: kms.verify(**asked, Message=b"another")) == "KMSInvalidSignatureException"


@pytest.mark.parametrize("spec", RSA_SPECS)
def test_what_others_encrypt_decrypts_here(server, spec):
    kms = server.kms()
    key = created(kms, spec, "ENCRYPT_DECRYPT")
    _, loaded = public_key(kms, key)
    for algorithm, overhead in (("RSAES_OAEP_SHA_1", 42), ("RSAES_OAEP_SHA_256", 66)):
        for plaintext in (b"x", bytes(range(256))[: int(spec[4:]) // 8 - overhead]):
            blob = loaded.encrypt(plaintext, oaep(algorithm))
            opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
            assert opened["Plaintext"] == plaintext and "KeyMaterialId" not in opened
            sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionAlgorithm=algorithm)["CiphertextBlob"]
            again = kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm=algorithm)
            assert again["Plaintext"] == plaintext


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_a_secret_is_shared_with_another_library(server, spec):
    kms = server.kms()
    key = created(kms, spec, "KEY_AGREEMENT")
    told, loaded = public_key(kms, key)
    assert told["KeyAgreementAlgorithms"] == ["ECDH"] and "SigningAlgorithms" not in told
    own = ec.generate_private_key(CURVES[spec][0]())
    peer = own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    derived = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    assert derived["SharedSecret"] == own.exchange(ec.ECDH(), loaded)
    assert derived["KeyOrigin"] == "AWS_KMS"
    other = ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    call = lambda: kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=other)
    assert refusal(call) == "ValidationException"


@pytest.mark.parametrize("spec", [*RSA_SPECS, *CURVES, "ECC_NIST_EDWARDS25519"])
def test_a_data_key_pair_works_elsewhere(server, spec):
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]
    context = {"tenant": "blue"}
    made = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec=spec, EncryptionContext=context)
    assert made["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    hidden = kms.generate_data_key_pair_without_plaintext(KeyId=key["KeyId"], KeyPairSpec=spec, EncryptionContext=context)
    assert "PrivateKeyPlaintext" not in hidden
    for pair in (made, hidden):
        opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=context)["Plaintext"]
        private = load_der_private_key(opened, None)
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert public == pair["PublicKey"]
        assert opened == pair.get("PrivateKeyPlaintext", opened)
        if spec in RSA_SPECS:
            assert private.key_size == int(spec[4:]) and private.public_key().public_numbers().e == 65537
    call = lambda: kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    assert refusal(call) == "InvalidCiphertextException"


def test_signatures_made_elsewhere_with_a_data_key_pair_are_of_that_pair(server):
    """The private key that comes back signs what its public key verifies."""
    kms = server.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    private = load_der_private_key(pair["PrivateKeyPlaintext"], None)
    digest = hashlib.sha256(MESSAGE).digest()
    signature = private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    load_der_public_key(pair["PublicKey"]).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")
@pytest.mark.parametrize(
    "spec, algorithm, options",
    [
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", []),
        ("RSA_2048", "RSASSA_PSS_SHA_384", ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]),
        ("ECC_NIST_P521", "ECDSA_SHA_512", []),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", []),
    ],
)
def test_the_openssl_command_verifies(server, tmp_path, spec, algorithm, options):
    kms = server.kms()
    key = created(kms, spec, "SIGN_VERIFY")
    (tmp_path / "public.der").write_bytes(kms.get_public_key(KeyId=key)["PublicKey"])
    (tmp_path / "signature").write_bytes(kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"])
    (tmp_path / "message").write_bytes(MESSAGE)
    command = ["openssl", "dgst", f"-sha{algorithm[-3:]}", "-keyform", "DER", "-verify", "public.der", *options,
        "-signature", "signature", "message"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Verified OK" in done.stdout, done


def test_keys_of_every_kind_survive_kill(serve, tmp_path):
    server = serve()
    kms = server.kms()
    signing, mac = created(kms, "ECC_NIST_P256", "SIGN_VERIFY"), created(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    rsa_key = created(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    signature = kms.sign(KeyId=signing, Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    made = kms.generate_mac(KeyId=mac, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")["Mac"]
    blob = kms.encrypt(KeyId=rsa_key, Plaintext=b"kept", EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
    server.kill()
    kms = serve().kms()
    assert kms.verify(KeyId=signing, Message=MESSAGE, Signature=signature, SigningAlgorithm="ECDSA_SHA_256")["SignatureValid"]
    assert kms.verify_mac(KeyId=mac, Message=MESSAGE, Mac=made, MacAlgorithm="HMAC_SHA_256")["MacValid"]
    opened = kms.decrypt(KeyId=rsa_key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert opened["Plaintext"] == b"kept"
