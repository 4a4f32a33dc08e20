"""Imported key material with boto3. The wrapping is another library's: RSA-OAEP and, for the hybrid
form, AES key wrap with padding, both of pyca/cryptography."""

import datetime
import hashlib
import hmac
import os

import botocore.exceptions
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

ALGORITHMS = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
DAY = 86_400


def oaep(algorithm):
    hashing = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    return padding.OAEP(padding.MGF1(hashing), hashing, None)


def wrap(public_key, algorithm, material):
    key = load_der_public_key(public_key)
    if algorithm.startswith("RSAES"):
        return key.encrypt(material, oaep(algorithm))
    aes = os.urandom(32)
    return key.encrypt(aes, oaep(algorithm)) + aes_key_wrap_with_padding(aes, material)


def created(kms, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
    return kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]


def imported(kms, key, material, algorithm="RSAES_OAEP_SHA_256", wrapping_spec="RSA_2048", **more):
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping_spec)
    wrapped = wrap(given["PublicKey"], algorithm, material)
    more = more or FOREVER
    if "ValidTo" not in more:
        more = FOREVER | more
    return kms.import_key_material(KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=wrapped, **more)


def refusal(call):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call()
    return error.value.response["Error"]["Code"]


def pkcs8(private):
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_of(private):
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("wrapping_spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_symmetric_material_that_another_library_wrapped(server, algorithm, wrapping_spec):
    kms = server.kms()
    key = created(kms)
    assert (key["KeyState"], key["Enabled"], key["Origin"]) == ("PendingImport", False, "EXTERNAL")
    given = kms.get_parameters_for_import(
        KeyId=key["KeyId"], WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping_spec)
    assert len(given["ImportToken"]) <= 6144
    loaded = load_der_public_key(given["PublicKey"])
    assert loaded.key_size == int(wrapping_spec[4:]) and loaded.public_numbers().e == 65537
    left = given["ParametersValidTo"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(hours=23, minutes=50) < left <= datetime.timedelta(hours=24, minutes=1)
    answer = kms.import_key_material(
        KeyId=key["KeyId"], ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(given["PublicKey"], algorithm, os.urandom(32)), **FOREVER)
    assert answer["KeyId"] == key["Arn"] and len(answer["KeyMaterialId"]) == 64
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["KeyMaterialId"] == answer["KeyMaterialId"]


@pytest.mark.parametrize("bits", ["224", "256", "384", "512"])
def test_a_mac_is_that_of_the_imported_key(server, bits):
    kms = server.kms()
    key = created(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")["KeyId"]
    material = os.urandom(int(bits) // 8)
    for wrong in (material[:-1], material + b"x"):
        assert refusal(lambda: imported(kms, key, wrong)) == "IncorrectKeyMaterialException"
    assert "KeyMaterialId" not in imported(kms, key, material)
    mac = kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
    assert mac == hmac.new(material, b"m", f"sha{bits}").digest()


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_an_rsa_key_that_was_made_elsewhere(server, size):
    kms = server.kms()
    private = rsa.generate_private_key(65537, size)
    key = created(kms, f"RSA_{size}", "ENCRYPT_DECRYPT")["KeyId"]
    other = rsa.generate_private_key(65537, 3072 if size == 2048 else 2048)
    wrapping = "RSA_AES_KEY_WRAP_SHA_256"
    assert refusal(lambda: imported(kms, key, pkcs8(other), wrapping)) == "IncorrectKeyMaterialException"
    imported(kms, key, pkcs8(private), wrapping)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == public_of(private)
    blob = private.public_key().encrypt(b"secret", oaep("RSAES_OAEP_SHA_256"))
    opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert opened["Plaintext"] == b"secret"


CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1(), 256),
    "ECC_NIST_P384": (ec.SECP384R1(), 384),
    "ECC_NIST_P521": (ec.SECP521R1(), 512),
    "ECC_SECG_P256K1": (ec.SECP256K1(), 256),
}


@pytest.mark.parametrize("spec", CURVES)
def test_an_elliptic_curve_key_that_was_made_elsewhere(server, spec):
    kms, (curve, bits) = server.kms(), CURVES[spec]
    private = ec.generate_private_key(curve)
    key = created(kms, spec, "SIGN_VERIFY")["KeyId"]
    imported(kms, key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_1")
    assert kms.get_public_key(KeyId=key)["PublicKey"] == public_of(private)
    signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm=f"ECDSA_SHA_{bits}")["Signature"]
    hashing = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[bits]
    private.public_key().verify(signature, b"m", ec.ECDSA(hashing))
    wrong = ec.generate_private_key(curve)
    assert refusal(lambda: imported(kms, key, pkcs8(wrong), "RSA_AES_KEY_WRAP_SHA_1")) == "IncorrectKeyMaterialException"


def test_an_ed25519_key_that_was_made_elsewhere(server):
    kms, private = server.kms(), ed25519.Ed25519PrivateKey.generate()
    key = created(kms, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY")["KeyId"]
    imported(kms, key, pkcs8(private), "RSAES_OAEP_SHA_1")
    signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512")["Signature"]
    assert signature == private.sign(b"m")


def test_a_shared_secret_of_an_imported_key(server):
    kms, private = server.kms(), ec.generate_private_key(ec.SECP256R1())
    key = created(kms, "ECC_NIST_P256", "KEY_AGREEMENT")["KeyId"]
    imported(kms, key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    peer = ec.generate_private_key(ec.SECP256R1())
    derived = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=public_of(peer))
    assert derived["SharedSecret"] == peer.exchange(ec.ECDH(), private.public_key())
    assert derived["KeyOrigin"] == "EXTERNAL"


def test_material_expires_and_comes_back(year_server):
    kms = year_server.kms()
    key = created(kms)["KeyId"]
    material = os.urandom(32)
    now = datetime.datetime.fromisoformat(year_server.advance(1).replace("Z", "+00:00"))
    valid_to = (now + datetime.timedelta(days=30)).replace(microsecond=0)
    imported(kms, key, material, ValidTo=valid_to)
    told = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (told["ExpirationModel"], told["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", valid_to)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    year_server.advance(29 * DAY)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    year_server.advance(DAY + 1)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert refusal(lambda: kms.decrypt(CiphertextBlob=sealed)) == "KMSInvalidStateException"
    assert refusal(lambda: imported(kms, key, material, ValidTo=valid_to)) == "ValidationException"
    assert refusal(lambda: imported(kms, key, os.urandom(32))) == "IncorrectKeyMaterialException"
    imported(kms, key, material)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    year_server.stop()
    log = (year_server.data / "audit.jsonl").read_text()
    assert log.count('"DeleteExpiredKeyMaterial"') == 1
    assert log.count('"ImportKeyMaterial"') == 4


def test_a_token_is_good_for_a_day(year_server):
    kms = year_server.kms()
    key = created(kms)["KeyId"]
    algorithm = "RSAES_OAEP_SHA_256"
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    wrapped = wrap(given["PublicKey"], algorithm, bytes(range(32)))
    call = lambda: kms.import_key_material(
        KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=wrapped, **FOREVER)
    first = call()
    assert call()["KeyMaterialId"] == first["KeyMaterialId"]
    year_server.advance(DAY + 1)
    assert refusal(call) == "ExpiredImportTokenException"


def test_rotation_between_materials_that_were_imported(server):
    kms = server.kms()
    key = created(kms)["KeyId"]
    materials = [os.urandom(32) for _ in range(3)]
    ids, sealed = [], []
    for at, material in enumerate(materials):
        more = {"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": f"of quarter {at}"}
        ids.append(imported(kms, key, material, **more)["KeyMaterialId"])
        if at > 0:
            assert kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"][-1][
                "KeyMaterialState"] == "PENDING_ROTATION"
            kms.rotate_key_on_demand(KeyId=key)
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == ids[-1]
        sealed.append(kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"])
    assert [kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] for blob in sealed] == ids
    entries = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [entry["KeyMaterialId"] for entry in entries] == ids
    assert [entry["KeyMaterialState"] for entry in entries] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
    assert [entry["KeyMaterialDescription"] for entry in entries] == ["of quarter 0", "of quarter 1", "of quarter 2"]

    deleted = kms.delete_imported_key_material(KeyId=key, KeyMaterialId=ids[1])
    assert deleted["KeyMaterialId"] == ids[1]
    for blob in sealed:
        assert refusal(lambda: kms.decrypt(CiphertextBlob=blob)) == "KMSInvalidStateException"
    assert refusal(lambda: imported(kms, key, materials[0], KeyMaterialId=ids[1])) == "IncorrectKeyMaterialException"
    imported(kms, key, materials[1], KeyMaterialId=ids[1])
    assert [kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] for blob in sealed] == ids
    unknown = hashlib.sha256(b"unknown").hexdigest()
    call = lambda: kms.delete_imported_key_material(KeyId=key, KeyMaterialId=unknown)
    assert refusal(call) == "ValidationException"


def test_an_import_survives_a_kill(serve, tmp_path):
    server = serve()
    kms = server.kms()
    key = created(kms)["KeyId"]
    algorithm = "RSAES_OAEP_SHA_256"
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    wrapped = wrap(given["PublicKey"], algorithm, os.urandom(32))
    request = {"KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped, **FOREVER}
    kms.import_key_material(**request)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    server.kill()
    server = serve()
    kms = server.kms()
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    kms.delete_imported_key_material(KeyId=key)
    server.kill()
    kms = serve().kms()
    assert refusal(lambda: kms.decrypt(CiphertextBlob=sealed)) == "KMSInvalidStateException"
    # The token is sealed under the root key, which is the same: it outlives the process.
    kms.import_key_material(**request)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"


def test_a_multi_region_key_has_its_material_in_each_region(year_server):
    here, there = year_server.kms(region="us-east-1"), year_server.kms(region="eu-west-1")
    key = here.create_key(Origin="EXTERNAL", MultiRegion=True)["KeyMetadata"]["KeyId"]
    first, second = os.urandom(32), os.urandom(32)
    current = imported(here, key, first)["KeyMaterialId"]
    replica = here.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]
    assert (replica["KeyState"], replica["CurrentKeyMaterialId"]) == ("PendingImport", current)
    blob = here.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert refusal(lambda: there.decrypt(CiphertextBlob=blob)) == "KMSInvalidStateException"
    assert refusal(lambda: imported(there, key, second)) == "IncorrectKeyMaterialException"
    assert imported(there, key, first)["KeyMaterialId"] == current
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"

    # A rotation is the primary's, of material that each Region has.
    def waiting(kms):
        return kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"][-1]

    new = imported(here, key, second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    assert waiting(there)["ImportState"] == "PENDING_IMPORT"
    assert waiting(here)["KeyMaterialState"] == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert refusal(lambda: here.rotate_key_on_demand(KeyId=key)) == "KMSInvalidStateException"
    now = datetime.datetime.fromisoformat(year_server.advance(1).replace("Z", "+00:00"))
    imported(there, key, second, ImportType="EXISTING_KEY_MATERIAL", ValidTo=now + datetime.timedelta(days=30))
    assert waiting(here)["KeyMaterialState"] == "PENDING_ROTATION"
    here.rotate_key_on_demand(KeyId=key)
    assert there.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == new
    recent = there.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    assert here.decrypt(CiphertextBlob=recent)["KeyMaterialId"] == new

    # It expires in one Region alone.
    year_server.advance(30 * DAY + 1)
    assert there.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert here.decrypt(CiphertextBlob=recent)["Plaintext"] == b"new"
    imported(there, key, second)
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
