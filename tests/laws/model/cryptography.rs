//! What keys are for: encryption, data keys, MACs, signatures, key agreement.

use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::ask::{Ask, Expected, Refusal, bytes, said, silent, some};
use super::decide::{Check, conditions, of_pairs};
use super::keys::request_alias;
use super::kinds;
use super::naming::{Named, Names, names_of};
use super::state::{Blob, Context as Pairs, Model, Plain, Use};
use crate::interpreter::{Context, Values};

/// The pairs of an encryption context.
pub(super) fn pairs(value: &Value) -> Pairs {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn is_blob(text: &str) -> bool {
    bytes(text).is_some_and(|bytes| !bytes.is_empty())
}

impl Model {
    /// The condition keys of an operation with an encryption context.
    fn of_encryption(id: Option<&str>, context: &Pairs, algorithm: Option<&str>) -> Context {
        let mut all = id.map(request_alias).unwrap_or_default();
        of_pairs(context, &mut all);
        all.insert("kms:EncryptionAlgorithm".to_owned(), Values::one(algorithm.unwrap_or(kinds::SYMMETRIC)));
        all
    }

    fn wrong_usage(&self, ask: &Ask<'_>, key: usize) -> Refusal {
        let text = format!(
            "{} key usage is {} which is not valid for {}.",
            self.arn(key),
            self.family(key).usage,
            ask.operation
        );
        said("InvalidKeyUsageException", text)
    }

    /// Whether the key is for that, with that algorithm.
    fn fits(&self, ask: &Ask<'_>, key: usize, usage: &str, algorithm: &str) -> Result<(), Refusal> {
        let family = self.family(key);
        if family.usage != usage {
            return Err(self.wrong_usage(ask, key));
        }
        if kinds::algorithms(&family.spec, usage).1.contains(&algorithm) {
            return Ok(());
        }
        let text = format!("Algorithm {algorithm} and key spec {} are incompatible with each other.", family.spec);
        Err(said("InvalidKeyUsageException", text))
    }

    /// Notes the use of keys, if it was one.
    fn used(&mut self, ask: &Ask<'_>, keys: &[usize]) -> Result<(), Refusal> {
        Self::unless_dry(ask)?;
        for key in keys {
            self.keys[*key].last_use = Some(Use { operation: ask.operation.to_owned(), at: self.now, step: ask.step });
        }
        Ok(())
    }

    /// A ciphertext of RSA has no place for a context, and holds only so many bytes.
    fn fits_rsa(&self, key: usize, context: &Pairs, length: usize, algorithm: &str) -> Result<(), Refusal> {
        if algorithm == kinds::SYMMETRIC {
            return Ok(());
        }
        let most = if algorithm == "RSAES_OAEP_SHA_1" { 214 } else { 190 };
        if !context.is_empty() || (length > most && self.family(key).spec == "RSA_2048") {
            return Err(some("ValidationException"));
        }
        Ok(())
    }

    /// Notes what a ciphertext is that the key made now.
    #[expect(clippy::too_many_arguments, reason = "all that a ciphertext is")]
    fn sealed(
        &mut self,
        ask: &Ask<'_>,
        pointer: &str,
        key: usize,
        context: &Pairs,
        algorithm: &str,
        plaintext: Plain,
        told: Option<&str>,
    ) -> (String, Option<String>) {
        let blob = ask.drawn(pointer, |text| is_blob(text) && !self.blobs.contains_key(text));
        let material = self.family(key).current().unwrap_or_default();
        let family = self.keys[key].family;
        let account = self.keys[key].account.to_owned();
        self.blobs.insert(
            blob.clone(),
            Blob::Ciphertext {
                made: ask.step,
                family,
                account,
                material,
                algorithm: algorithm.to_owned(),
                context: context.clone(),
                plaintext,
            },
        );
        let id = (algorithm == kinds::SYMMETRIC).then(|| self.material_id(key, material, told));
        (blob, id)
    }

    pub(super) fn encrypt(&mut self, ask: &Ask<'_>) -> Expected {
        let context = pairs(&ask.body["EncryptionContext"]);
        let algorithm = ask.text("EncryptionAlgorithm").unwrap_or(kinds::SYMMETRIC);
        let key = self.one_key(ask, Self::of_encryption(ask.text("KeyId"), &context, Some(algorithm)))?;
        self.fits(ask, key, "ENCRYPT_DECRYPT", algorithm)?;
        let length = bytes(ask.must("Plaintext")).map_or(0, |bytes| bytes.len());
        self.fits_rsa(key, &context, length, algorithm)?;
        self.encrypts_outside(key)?;
        self.used(ask, &[key])?;
        let plaintext = Plain::Known(ask.must("Plaintext").to_owned());
        let (blob, _) = self.sealed(ask, "/CiphertextBlob", key, &context, algorithm, plaintext, None);
        Ok(json!({"KeyId": self.arn(key), "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm}))
    }

    /// The key that a ciphertext names in this Region; tampered with or not.
    fn named_by(&self, ask: &Ask<'_>, blob: &str) -> Result<Named, Refusal> {
        match self.meant(blob) {
            Some(Blob::Ciphertext { family, account, algorithm, .. }) if algorithm == kinds::SYMMETRIC => {
                let id =
                    self.keys.iter().find(|key| key.family == *family).map(|key| key.id.as_str()).unwrap_or_default();
                Ok(self.by_id(account, ask.region, id))
            }
            _ => Err(silent("InvalidCiphertextException")),
        }
    }

    /// What a text is, or was before its last byte was changed.
    fn meant(&self, text: &str) -> Option<&Blob> {
        self.blobs.get(text).or_else(|| self.blobs.get(&tampered(text)?))
    }

    /// The family of the key that a ciphertext or a grant's token names.
    pub(super) fn family_of(&self, text: &str) -> Option<usize> {
        if let Some(Blob::Ciphertext { family, .. }) = self.meant(text) {
            return Some(*family);
        }
        let grant = self.grants.iter().find(|grant| grant.tokens.iter().any(|token| token == text))?;
        Some(self.keys[grant.key].family)
    }

    /// What a ciphertext decrypts to under a key, and by which material.
    fn opened(&self, key: usize, blob: &str, context: &Pairs, algorithm: &str) -> Result<(Plain, usize), Refusal> {
        let bad = || silent("InvalidCiphertextException");
        if algorithm != kinds::SYMMETRIC {
            self.fits_rsa(key, context, 0, algorithm)?;
            return match self.blobs.get(blob) {
                Some(Blob::Ciphertext { family, algorithm: with, plaintext, material, .. })
                    if *family == self.keys[key].family && with == algorithm =>
                {
                    Ok((plaintext.clone(), *material))
                }
                _ => Err(bad()),
            };
        }
        match self.meant(blob) {
            Some(Blob::Ciphertext { algorithm, .. }) if algorithm != kinds::SYMMETRIC => Err(bad()),
            Some(Blob::Ciphertext { family, .. }) if *family != self.keys[key].family => Err(incorrect_key()),
            Some(Blob::Ciphertext { context: with, plaintext, material, .. }) => {
                let is_whole = self.blobs.contains_key(blob) && with == context;
                self.decrypts_outside(key, is_whole)?;
                if is_whole { Ok((plaintext.clone(), *material)) } else { Err(bad()) }
            }
            _ => Err(bad()),
        }
    }

    /// Whether a dry run is to look at no ciphertext (KMS API Reference, "Decrypt", `DryRunModifiers`).
    pub(super) fn ignores_ciphertext(ask: &Ask<'_>) -> Result<bool, Refusal> {
        let is_asked = ask.body["DryRunModifiers"].as_array().is_some_and(|modifiers| !modifiers.is_empty());
        if is_asked && !ask.is_dry() { Err(some("ValidationException")) } else { Ok(is_asked) }
    }

    /// A request's ciphertext; empty where it names its key and the ciphertext is not looked at.
    fn ciphertext<'a>(ask: &Ask<'a>, id: Option<&str>) -> Result<&'a str, Refusal> {
        match ask.body["CiphertextBlob"].as_str() {
            Some(blob) => Ok(blob),
            None if Self::ignores_ciphertext(ask)? && id.is_some() => Ok(""),
            None => Err(some("ValidationException")),
        }
    }

    pub(super) fn decrypt(&mut self, ask: &Ask<'_>) -> Expected {
        let context = pairs(&ask.body["EncryptionContext"]);
        let algorithm = ask.text("EncryptionAlgorithm").unwrap_or(kinds::SYMMETRIC);
        let id = ask.text("KeyId");
        if id.is_none() && algorithm != kinds::SYMMETRIC {
            return Err(some("ValidationException"));
        }
        let blob = Self::ciphertext(ask, id)?;
        let named = self.source(ask, id, blob)?;
        let given = Self::of_encryption(id, &context, Some(algorithm));
        let check = Check { by_ciphertext: id.is_none(), ..Check::new("Decrypt", named.on(), given) };
        self.hold(ask, &[check])?;
        let key = named.there()?;
        self.in_state("Decrypt", key)?;
        self.fits(ask, key, "ENCRYPT_DECRYPT", algorithm)?;
        if Self::ignores_ciphertext(ask)? {
            self.fits_rsa(key, &context, 0, algorithm)?;
            Self::unless_dry(ask)?;
        }
        let (plaintext, material) = self.opened(key, blob, &context, algorithm)?;
        self.used(ask, &[key])?;
        let shown = shown_plain(ask, &plaintext);
        if let Some(Blob::Ciphertext { plaintext, .. }) = self.blobs.get_mut(blob) {
            *plaintext = Plain::Known(shown.clone());
        }
        let mut answer = json!({"KeyId": self.arn(key), "Plaintext": shown, "EncryptionAlgorithm": algorithm});
        if algorithm == kinds::SYMMETRIC {
            answer["KeyMaterialId"] = json!(self.material_id(key, material, ask.told["KeyMaterialId"].as_str()));
        }
        Ok(answer)
    }

    /// The key to decrypt under: a sibling's ARN in another Region is none here.
    fn source(&self, ask: &Ask<'_>, id: Option<&str>, blob: &str) -> Result<Named, Refusal> {
        let Some(id) = id else { return self.named_by(ask, blob) };
        if id.contains(":key/mrk-") && id.split(':').nth(3) != Some(ask.region) {
            return Err(incorrect_key());
        }
        self.named(ask, id, Names::Aliases)
    }

    pub(super) fn re_encrypt(&mut self, ask: &Ask<'_>) -> Expected {
        let (from, to) =
            (pairs(&ask.body["SourceEncryptionContext"]), pairs(&ask.body["DestinationEncryptionContext"]));
        let algorithm = |member: &str| ask.text(member).unwrap_or(kinds::SYMMETRIC);
        let (source_algorithm, new_algorithm) =
            (algorithm("SourceEncryptionAlgorithm"), algorithm("DestinationEncryptionAlgorithm"));
        let id = ask.text("SourceKeyId");
        if id.is_none() && source_algorithm != kinds::SYMMETRIC {
            return Err(some("ValidationException"));
        }
        let blob = Self::ciphertext(ask, id)?;
        let source = self.source(ask, id, blob)?;
        let destination = self.named(ask, ask.must("DestinationKeyId"), Names::Aliases)?;
        let is_same = matches!((&source, &destination), (Named::Key(one), Named::Key(other)) if one == other);
        let given = |id: Option<&str>, context: &Pairs, algorithm: &str| {
            let mut all = Self::of_encryption(id, context, Some(algorithm));
            all.insert("kms:ReEncryptOnSameKey".to_owned(), Values::one(if is_same { "true" } else { "false" }));
            all
        };
        let to_key = ask.text("DestinationKeyId");
        self.hold(
            ask,
            &[
                Check {
                    by_ciphertext: id.is_none(),
                    ..Check::new("ReEncryptFrom", source.on(), given(id, &from, source_algorithm))
                },
                Check::new("ReEncryptTo", destination.on(), given(to_key, &to, new_algorithm)),
            ],
        )?;
        let source = source.there()?;
        self.in_state("ReEncrypt", source)?;
        let destination = destination.there()?;
        self.in_state("ReEncrypt", destination)?;
        if Self::ignores_ciphertext(ask)? {
            for (key, context, algorithm) in [(source, &from, source_algorithm), (destination, &to, new_algorithm)] {
                self.fits(ask, key, "ENCRYPT_DECRYPT", algorithm)?;
                self.fits_rsa(key, context, 0, algorithm)?;
            }
            Self::unless_dry(ask)?;
        }
        self.fits(ask, source, "ENCRYPT_DECRYPT", source_algorithm)?;
        self.fits(ask, destination, "ENCRYPT_DECRYPT", new_algorithm)?;
        let (plaintext, material) = self.opened(source, blob, &from, source_algorithm)?;
        let length = match &plaintext {
            Plain::Known(text) => bytes(text).map_or(0, |bytes| bytes.len()),
            Plain::Hidden(Some(length)) => *length,
            // A private key that was never shown is as long as the answer says.
            Plain::Hidden(None) if ask.told["CiphertextBlob"].is_string() || ask.is_dry() => 0,
            Plain::Hidden(None) => usize::MAX,
        };
        self.fits_rsa(destination, &to, length, new_algorithm)?;
        self.encrypts_outside(destination)?;
        self.used(ask, &[source, destination])?;
        let told = ask.told["DestinationKeyMaterialId"].as_str();
        let (blob, id) = self.sealed(ask, "/CiphertextBlob", destination, &to, new_algorithm, plaintext, told);
        let mut answer = json!({
            "KeyId": self.arn(destination),
            "SourceKeyId": self.arn(source),
            "CiphertextBlob": blob,
            "SourceEncryptionAlgorithm": source_algorithm,
            "DestinationEncryptionAlgorithm": new_algorithm,
        });
        if source_algorithm == kinds::SYMMETRIC {
            let told = ask.told["SourceKeyMaterialId"].as_str();
            answer["SourceKeyMaterialId"] = json!(self.material_id(source, material, told));
        }
        if let Some(id) = id {
            answer["DestinationKeyMaterialId"] = json!(id);
        }
        Ok(answer)
    }

    /// Data keys and data key pairs are of symmetric keys alone.
    fn for_data_keys(&self, ask: &Ask<'_>, mut context: Context) -> Result<usize, Refusal> {
        context.extend(Self::of_encryption(ask.text("KeyId"), &pairs(&ask.body["EncryptionContext"]), None));
        let key = self.one_key(ask, context)?;
        if self.family(key).is_symmetric() { Ok(key) } else { Err(self.wrong_usage(ask, key)) }
    }

    pub(super) fn generate_data_key(&mut self, ask: &Ask<'_>) -> Expected {
        let length = match (ask.text("KeySpec"), ask.number("NumberOfBytes")) {
            (Some("AES_128"), None) => 16,
            (Some(_), None) => 32,
            (None, Some(length)) => usize::try_from(length).unwrap(),
            _ => return Err(some("ValidationException")),
        };
        let key = self.for_data_keys(ask, Context::new())?;
        self.encrypts_outside(key)?;
        self.used(ask, &[key])?;
        let shown = (ask.operation == "GenerateDataKey")
            .then(|| ask.drawn("/Plaintext", |text| bytes(text).is_some_and(|bytes| bytes.len() == length)));
        let plaintext = shown.clone().map_or(Plain::Hidden(Some(length)), Plain::Known);
        let context = pairs(&ask.body["EncryptionContext"]);
        let told = ask.told["KeyMaterialId"].as_str();
        let (blob, id) = self.sealed(ask, "/CiphertextBlob", key, &context, kinds::SYMMETRIC, plaintext, told);
        let mut answer = json!({"KeyId": self.arn(key), "CiphertextBlob": blob, "KeyMaterialId": id});
        if let Some(shown) = shown {
            answer["Plaintext"] = json!(shown);
        }
        Ok(answer)
    }

    pub(super) fn generate_data_key_pair(&mut self, ask: &Ask<'_>) -> Expected {
        let spec = ask.must("KeyPairSpec");
        if spec == "SM2" {
            return Err(some("UnsupportedOperationException"));
        }
        let key = self.for_data_keys(ask, conditions([("kms:DataKeyPairSpec", spec)]))?;
        self.is_in_no_store(key)?;
        self.used(ask, &[key])?;
        let is_der = |text: &str| bytes(text).is_some_and(|bytes| bytes.first() == Some(&0x30));
        let shown = (ask.operation == "GenerateDataKeyPair").then(|| ask.drawn("/PrivateKeyPlaintext", is_der));
        let plaintext = shown.clone().map_or(Plain::Hidden(None), Plain::Known);
        let context = pairs(&ask.body["EncryptionContext"]);
        let told = ask.told["KeyMaterialId"].as_str();
        let (blob, id) =
            self.sealed(ask, "/PrivateKeyCiphertextBlob", key, &context, kinds::SYMMETRIC, plaintext, told);
        let mut answer = json!({
            "KeyId": self.arn(key),
            "PrivateKeyCiphertextBlob": blob,
            "PublicKey": ask.drawn("/PublicKey", is_der),
            "KeyPairSpec": spec,
            "KeyMaterialId": id,
        });
        if let Some(shown) = shown {
            answer["PrivateKeyPlaintext"] = json!(shown);
        }
        Ok(answer)
    }

    pub(super) fn mac(&mut self, ask: &Ask<'_>) -> Expected {
        let (algorithm, message) = (ask.must("MacAlgorithm"), ask.must("Message"));
        let mut context = request_alias(ask.must("KeyId"));
        context.extend(conditions([("kms:MacAlgorithm", algorithm)]));
        let key = self.one_key(ask, context)?;
        self.fits(ask, key, "GENERATE_VERIFY_MAC", algorithm)?;
        let secret = self.secret(key);
        let mut answer = json!({"KeyId": self.arn(key), "MacAlgorithm": algorithm});
        if ask.operation == "VerifyMac" {
            let is_good = matches!(self.blobs.get(ask.must("Mac")), Some(Blob::Mac { secret: of, algorithm: with, message: on, .. })
                if *of == secret && with == algorithm && on == message);
            if !is_good {
                return Err(silent("KMSInvalidMacException"));
            }
            self.used(ask, &[key])?;
            answer["MacValid"] = json!(true);
            return Ok(answer);
        }
        self.used(ask, &[key])?;
        let of = (secret.clone(), algorithm.to_owned(), message.to_owned());
        let mac = match self.macs.get(&of) {
            Some(known) => known.clone(),
            None => ask.drawn("/Mac", |text| is_blob(text) && !self.blobs.contains_key(text)),
        };
        self.macs.insert(of, mac.clone());
        let (algorithm, message) = (algorithm.to_owned(), message.to_owned());
        self.blobs.insert(mac.clone(), Blob::Mac { made: ask.step, secret, algorithm, message });
        answer["Mac"] = json!(mac);
        Ok(answer)
    }

    pub(super) fn signature(&mut self, ask: &Ask<'_>) -> Expected {
        let algorithm = ask.must("SigningAlgorithm");
        if algorithm == "SM2DSA" {
            return Err(some("UnsupportedOperationException"));
        }
        let message_type = ask.text("MessageType").unwrap_or("RAW");
        let mut context = request_alias(ask.must("KeyId"));
        context.extend(conditions([("kms:SigningAlgorithm", algorithm), ("kms:MessageType", message_type)]));
        let key = self.one_key(ask, context)?;
        // Neither is served: the library signs nothing that was hashed in these ways before.
        let is_edwards = self.family(key).spec == "ECC_NIST_EDWARDS25519";
        if is_edwards && algorithm == "ED25519_PH_SHA_512" {
            return Err(some("UnsupportedOperationException"));
        }
        self.fits(ask, key, "SIGN_VERIFY", algorithm)?;
        if message_type == "EXTERNAL_MU" && algorithm.starts_with("ML_DSA") {
            return Err(some("UnsupportedOperationException"));
        }
        let Some(signed) = signed(algorithm, message_type, ask.must("Message")) else {
            return Err(some("ValidationException"));
        };
        let secret = self.secret(key);
        let mut answer = json!({"KeyId": self.arn(key), "SigningAlgorithm": algorithm});
        if ask.operation == "Verify" {
            let is_good = matches!(self.blobs.get(ask.must("Signature")), Some(Blob::Signature { secret: of, algorithm: with, signed: what, .. })
                if *of == secret && with == algorithm && *what == signed);
            if !is_good {
                return Err(silent("KMSInvalidSignatureException"));
            }
            self.used(ask, &[key])?;
            answer["SignatureValid"] = json!(true);
            return Ok(answer);
        }
        self.used(ask, &[key])?;
        let signature = ask.drawn("/Signature", is_blob);
        let algorithm = algorithm.to_owned();
        self.blobs.insert(signature.clone(), Blob::Signature { made: ask.step, secret, algorithm, signed });
        answer["Signature"] = json!(signature);
        Ok(answer)
    }

    pub(super) fn get_public_key(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, request_alias(ask.must("KeyId")))?;
        if self.family(key).is_symmetric() || self.family(key).usage == "GENERATE_VERIFY_MAC" {
            return Err(silent("UnsupportedOperationException"));
        }
        if self.state(key) == "PendingImport" {
            return Err(said("KMSInvalidStateException", format!("{} is pending import.", self.arn(key))));
        }
        let family = &mut self.families[self.keys[key].family];
        let is_der = |text: &str| bytes(text).is_some_and(|bytes| bytes.first() == Some(&0x30));
        let public_key = family.public_key.clone().unwrap_or_else(|| ask.drawn("/PublicKey", is_der));
        family.public_key = Some(public_key.clone());
        let (member, algorithms) = kinds::algorithms(&family.spec, &family.usage);
        let mut answer = json!({
            "PublicKey": public_key,
            "CustomerMasterKeySpec": family.spec,
            "KeySpec": family.spec,
            "KeyUsage": family.usage,
            "KeyId": self.arn(key),
        });
        answer[member] = json!(algorithms);
        Ok(answer)
    }

    pub(super) fn derive_shared_secret(&mut self, ask: &Ask<'_>) -> Expected {
        let mut context = request_alias(ask.must("KeyId"));
        context.extend(conditions([("kms:KeyAgreementAlgorithm", ask.must("KeyAgreementAlgorithm"))]));
        let named = self.named(ask, ask.must("KeyId"), names_of(ask.operation))?;
        self.hold(ask, &[Check::new(ask.operation, named.on(), context)])?;
        let key = named.there()?;
        self.in_state(ask.operation, key)?;
        if self.family(key).usage != "KEY_AGREEMENT" {
            return Err(self.wrong_usage(ask, key));
        }
        let peer = ask.must("PublicKey");
        let of_peer = self
            .families
            .iter()
            .position(|family| family.public_key.as_deref() == Some(peer) && family.spec == self.family(key).spec);
        let Some(of_peer) = of_peer else { return Err(some("ValidationException")) };
        self.used(ask, &[key])?;
        // Both sides come to the same.
        let secret_of = |family: usize| {
            let of = self.keys.iter().position(|key| key.family == family).unwrap();
            self.secret(of)
        };
        let mut both = [secret_of(self.keys[key].family), secret_of(of_peer)];
        both.sort();
        let [one, other] = both;
        let secret = match self.agreed.get(&(one.clone(), other.clone())) {
            Some(known) => known.clone(),
            None => ask.drawn("/SharedSecret", is_blob),
        };
        self.agreed.insert((one, other), secret.clone());
        Ok(json!({
            "KeyId": self.arn(key),
            "SharedSecret": secret,
            "KeyAgreementAlgorithm": "ECDH",
            "KeyOrigin": self.family(key).origin,
        }))
    }
}

fn incorrect_key() -> Refusal {
    said("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
}

/// The text with its last byte changed.
pub(super) fn tampered(text: &str) -> Option<String> {
    let mut changed = bytes(text)?;
    *changed.last_mut()? ^= 1;
    Some(data_encoding::BASE64.encode(&changed))
}

fn shown_plain(ask: &Ask<'_>, plaintext: &Plain) -> String {
    match plaintext {
        Plain::Known(text) => text.clone(),
        Plain::Hidden(length) => ask.drawn("/Plaintext", |text| {
            bytes(text).is_some_and(|bytes| length.is_none_or(|length| bytes.len() == length))
        }),
    }
}

/// The digest of a message under the hash of an algorithm, in Base64.
pub(super) fn digest(algorithm: &str, message: &[u8]) -> String {
    let digest = match &algorithm[algorithm.len() - 3..] {
        "384" => Sha384::digest(message).to_vec(),
        "512" => Sha512::digest(message).to_vec(),
        _ => Sha256::digest(message).to_vec(),
    };
    data_encoding::BASE64.encode(&digest)
}

/// What is signed: the digest, or the message of an algorithm that takes no digests; none where type
/// and algorithm don't go together or the digest has not its length.
fn signed(algorithm: &str, message_type: &str, message: &str) -> Option<String> {
    let takes_digests = !algorithm.starts_with("ED25519") && !algorithm.starts_with("ML_DSA");
    match (message_type, takes_digests) {
        ("RAW", true) => Some(digest(algorithm, &bytes(message)?)),
        ("RAW", false) => Some(message.to_owned()),
        ("DIGEST", true) => {
            let length = bytes(&digest(algorithm, b""))?.len();
            (bytes(message)?.len() == length).then(|| message.to_owned())
        }
        _ => None,
    }
}
