// @aws-sdk/client-kms: a key of which each ciphertext opens again, whatever rotated since.

import assert from "node:assert/strict";
import { InvalidCiphertextException, KMS, KMSServiceException } from "@aws-sdk/client-kms";
import { sleep, stranger } from "./surroundings.mjs";

const kms = new KMS({});
const { KeyId, Arn, CurrentKeyMaterialId: first } = (await kms.createKey({ Description: "node" })).KeyMetadata;
await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });

const EncryptionContext = { tenant: "blue" };
const sealed = [];
async function seal(text) {
  const made = await kms.encrypt({ KeyId, Plaintext: Buffer.from(text), EncryptionContext });
  assert.equal(made.KeyId, Arn);
  sealed.push([text, made.CiphertextBlob]);
}

await seal("before the rotations");
await kms.rotateKeyOnDemand({ KeyId });
await seal("after the first");
await sleep(91);
await seal("after both");

const materials = [];
for (const [text, CiphertextBlob] of sealed) {
  const opened = await kms.decrypt({ CiphertextBlob, EncryptionContext });
  assert.equal(Buffer.from(opened.Plaintext).toString(), text);
  materials.push(opened.KeyMaterialId);
  await assert.rejects(kms.decrypt({ CiphertextBlob }), InvalidCiphertextException);
}
assert.equal(materials[0], first);
assert.equal(new Set(materials).size, 3);
const { Rotations } = await kms.listKeyRotations({ KeyId });
assert.deepEqual(Rotations.map((rotation) => rotation.RotationType).sort(), ["AUTOMATIC", "ON_DEMAND"]);
assert.ok(Rotations.every((rotation) => rotation.RotationDate instanceof Date));

const denied = new KMS({ credentials: stranger });
for (const refused of [
  () => denied.encrypt({ KeyId: Arn, Plaintext: Buffer.from("x") }),
  () => denied.decrypt({ CiphertextBlob: sealed[0][1], EncryptionContext }),
]) {
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof KMSServiceException);
    assert.equal(error.name, "AccessDeniedException");
    assert.match(error.message, /is not authorized to perform: kms:/);
    assert.equal(error.$metadata.httpStatusCode, 400);
    return true;
  });
}
