// @aws-crypto/client-node, the AWS Encryption SDK: messages under data keys of a key that rotates.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { buildClient, CommitmentPolicy, getClient, KMS as Client, KmsKeyringNode } from "@aws-crypto/client-node";
import { KMS } from "@aws-sdk/client-kms";
import { sleep, stranger } from "./surroundings.mjs";

const kms = new KMS({});
const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const { KeyId, Arn } = (await kms.createKey({})).KeyMetadata;
await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
const keyring = new KmsKeyringNode({ generatorKeyId: Arn });

const encryptionContext = { tenant: "blue", purpose: "test" };
const messages = [];
async function seal() {
  const plaintext = randomBytes(10 * 1024 + 1);
  messages.push([plaintext, (await encrypt(keyring, plaintext, { encryptionContext })).result]);
}

await seal();
await kms.rotateKeyOnDemand({ KeyId });
await seal();
await sleep(91);
await seal();

const materials = new Set();
for (const [plaintext, message] of messages) {
  const { plaintext: opened, messageHeader } = await decrypt(keyring, message);
  assert.deepEqual(opened, plaintext);
  for (const [name, value] of Object.entries(encryptionContext)) {
    assert.equal(messageHeader.encryptionContext[name], value);
  }
  const [dataKey] = messageHeader.encryptedDataKeys;
  const { KeyMaterialId } = await kms.decrypt({
    CiphertextBlob: dataKey.encryptedDataKey,
    EncryptionContext: { ...messageHeader.encryptionContext },
  });
  materials.add(KeyMaterialId);
}
assert.equal(materials.size, 3);

const clientProvider = getClient(Client, { credentials: stranger });
const denied = new KmsKeyringNode({ generatorKeyId: Arn, clientProvider });
await assert.rejects(encrypt(denied, "x", { encryptionContext }), { name: "AccessDeniedException" });
await assert.rejects(decrypt(denied, messages[0][1]), /is not authorized to perform: kms:Decrypt/);
