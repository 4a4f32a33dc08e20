//! Imported key material (KMS Developer Guide, "Importing key material in AWS KMS keys").

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::ask::{Ask, Expected, Refusal, said, silent, some};
use super::decide::conditions;
use super::state::{Blob, DAY, ImportToken, Material, Model, date};
use crate::interpreter::Context;

/// How many different materials there are of a spec, beside 0, which is of no key.
pub(super) const MATERIALS: u8 = 3;

type Materials = Vec<Vec<u8>>;

/// Material in the form that is imported. 0 is too short for any spec.
pub(super) fn material(spec: &str, number: u8) -> Vec<u8> {
    static PAIRS: LazyLock<Vec<(&str, Materials)>> = LazyLock::new(|| {
        let ec = |algorithm: &'static EcdsaSigningAlgorithm| {
            (0..MATERIALS)
                .map(|_| EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec())
                .collect()
        };
        let edwards = || Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
        let rsa = || {
            let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
            let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            der.as_ref().to_vec()
        };
        vec![
            ("ECC_NIST_P256", ec(&ECDSA_P256_SHA256_ASN1_SIGNING)),
            ("ECC_NIST_P384", ec(&ECDSA_P384_SHA384_ASN1_SIGNING)),
            ("ECC_NIST_P521", ec(&ECDSA_P521_SHA512_ASN1_SIGNING)),
            ("ECC_SECG_P256K1", ec(&ECDSA_P256K1_SHA256_ASN1_SIGNING)),
            ("ECC_NIST_EDWARDS25519", (0..MATERIALS).map(|_| edwards()).collect()),
            ("RSA_2048", (0..MATERIALS).map(|_| rsa()).collect()),
        ]
    });
    let length = match spec {
        _ if number == 0 => 5,
        "HMAC_224" => 28,
        "HMAC_384" => 48,
        "HMAC_512" => 64,
        _ => 32,
    };
    match PAIRS.iter().find(|(of, _)| *of == spec && number > 0) {
        Some((_, materials)) => materials[usize::from(number - 1)].clone(),
        None => vec![number; length],
    }
}

/// Material wrapped under the public key of an import token, in Base64; none where the algorithm
/// wraps nothing of that length.
pub(super) fn wrapped(public_key: &str, algorithm: &str, material: &[u8]) -> Option<String> {
    let hash = if algorithm.ends_with("_1") { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
    let public_key = PublicEncryptingKey::from_der(&BASE64.decode(public_key.as_bytes()).ok()?).ok()?;
    let key = OaepPublicEncryptingKey::new(public_key).ok()?;
    let encrypt = |bytes: &[u8]| {
        let mut out = vec![0; key.ciphertext_size()];
        key.encrypt(hash, bytes, &mut out, None).ok().map(|sealed| sealed.to_vec())
    };
    if algorithm.starts_with("RSAES") {
        return Some(BASE64.encode(&encrypt(material)?));
    }
    let mut out = vec![0; material.len() + 15];
    let body = AesKek::new(&AES_256, &[9; 32]).ok()?.wrap_with_padding(material, &mut out).ok()?;
    Some(BASE64.encode(&[encrypt(&[9; 32])?.as_slice(), body].concat()))
}

impl Model {
    fn of_external(&self, key: usize) -> Result<(), Refusal> {
        if self.family(key).is_imported() { Ok(()) } else { Err(self.wrong_origin(key)) }
    }

    fn for_symmetric(&self, ask: &Ask<'_>, key: usize, members: &[(&str, &str)]) -> Result<(), Refusal> {
        for (member, parameter) in members {
            if !ask.body[member].is_null() && !self.family(key).is_symmetric() {
                let text = format!("Input parameter {parameter} can only be used with symmetric keys.");
                return Err(said("ValidationException", text));
            }
        }
        Ok(())
    }

    pub(super) fn get_parameters_for_import(&mut self, ask: &Ask<'_>) -> Expected {
        let (algorithm, spec) = (ask.must("WrappingAlgorithm"), ask.must("WrappingKeySpec"));
        if algorithm == "RSAES_PKCS1_V1_5" || algorithm == "SM2PKE" || spec == "SM2" {
            return Err(some("UnsupportedOperationException"));
        }
        let key =
            self.one_key(ask, conditions([("kms:WrappingAlgorithm", algorithm), ("kms:WrappingKeySpec", spec)]))?;
        self.of_external(key)?;
        let is_new = |text: &str| !text.is_empty() && self.tokens.iter().all(|token| token.text != text);
        let text = ask.drawn("/ImportToken", is_new);
        let valid_to = self.now + DAY;
        self.tokens.push(ImportToken {
            made: ask.step,
            key,
            text: text.clone(),
            valid_to,
            algorithm: algorithm.to_owned(),
        });
        Ok(json!({
            "KeyId": self.arn(key),
            "ImportToken": text,
            "PublicKey": ask.drawn("/PublicKey", |text| !text.is_empty()),
            "ParametersValidTo": date(valid_to),
        }))
    }

    pub(super) fn import_key_material(&mut self, ask: &Ask<'_>) -> Expected {
        let expires = ask.text("ExpirationModel") != Some("KEY_MATERIAL_DOES_NOT_EXPIRE");
        let valid_to = ask.number("ValidTo");
        if expires != valid_to.is_some() {
            return Err(some("ValidationException"));
        }
        let (import_type, expected_id) = (ask.text("ImportType"), ask.text("KeyMaterialId"));
        if import_type == Some("NEW_KEY_MATERIAL") && expected_id.is_some() {
            return Err(some("ValidationException"));
        }
        let mut context = conditions([(
            "kms:ExpirationModel",
            if expires { "KEY_MATERIAL_EXPIRES" } else { "KEY_MATERIAL_DOES_NOT_EXPIRE" },
        )]);
        if let Some(date) = valid_to {
            let date = jiff::Timestamp::from_second(date).unwrap().to_string();
            context.extend(conditions([("kms:ValidTo", date.as_str())]));
        }
        let key = self.one_key(ask, context)?;
        self.of_external(key)?;
        self.for_symmetric(
            ask,
            key,
            &[
                ("ImportType", "importType"),
                ("KeyMaterialDescription", "keyMaterialDescription"),
                ("KeyMaterialId", "keyMaterialId"),
            ],
        )?;
        if valid_to.is_some_and(|date| date <= self.now || date > self.now + 365 * DAY) {
            return Err(some("ValidationException"));
        }
        let token = self.tokens.iter().find(|token| token.text == ask.must("ImportToken") && token.key == key);
        let Some(token) = token else { return Err(silent("InvalidImportTokenException")) };
        // At that very second it is still good: nobody recorded that.
        if token.valid_to < self.now {
            return Err(silent("ExpiredImportTokenException"));
        }
        let (number, of_spec) = match self.blobs.get(ask.must("EncryptedKeyMaterial")) {
            Some(Blob::Wrapped { token: under, number, spec }) if *under == token.made => (*number, spec.clone()),
            _ => return Err(silent("InvalidCiphertextException")),
        };
        let family = self.keys[key].family;
        let is_of_key = material(&of_spec, number).len() == material(&self.families[family].spec, 1).len();
        if number == 0 || (of_spec != self.families[family].spec && !is_of_key) {
            return Err(some("IncorrectKeyMaterialException"));
        }
        let place = self.place_of_import(ask, key, number, import_type, expected_id)?;
        let import = self.keys[key].imports.entry(place).or_default();
        import.there = true;
        import.valid_to = valid_to;
        if let Some(text) = ask.text("KeyMaterialDescription") {
            import.description = Some(text.to_owned()).filter(|text| !text.is_empty());
        }
        self.keys[key].enabled = true;
        Ok(self.of_material(ask, key, Some(place)))
    }

    /// Where the material belongs among those of the key (KMS API Reference, "ImportKeyMaterial",
    /// `ImportType`: the first is new, any other one is known unless it is said to be new).
    fn place_of_import(
        &mut self,
        ask: &Ask<'_>,
        key: usize,
        number: u8,
        import_type: Option<&str>,
        expected_id: Option<&str>,
    ) -> Result<usize, Refusal> {
        let arn = self.arn(key);
        let family = self.keys[key].family;
        let materials = &self.families[family].materials;
        let is_first = materials.is_empty();
        let is_it = |material: &Material| material.number == Some(number);
        let known = materials.iter().position(is_it);
        let is_new = import_type.map_or(is_first, |kind| kind == "NEW_KEY_MATERIAL");
        // Who imports new material can't know its id.
        if is_new && expected_id.is_some() {
            return Err(some("ValidationException"));
        }
        // What is new comes in through the primary.
        if is_new && self.is_replica(key) {
            return Err(some("UnsupportedOperationException"));
        }
        match (is_new, known) {
            (false, Some(place)) => {
                let id = self.families[family].materials[place].id.clone();
                if expected_id.is_none() || id.as_deref() == expected_id {
                    Ok(place)
                } else {
                    Err(some("IncorrectKeyMaterialException"))
                }
            }
            (false, None) | (true, Some(_)) => Err(some("IncorrectKeyMaterialException")),
            (true, None) => {
                let waiting = materials.iter().position(|material| material.pending);
                if let Some(waiting) = waiting.filter(|place| self.has(key, *place)) {
                    let waiting = &materials[waiting];
                    // The id of what is refused is told as well.
                    let (waiting, told) =
                        (waiting.id.clone().unwrap_or_default(), ask.told["message"].as_str().unwrap_or_default());
                    let id = told.split_once("(id: ").and_then(|(_, rest)| rest.get(..64)).unwrap_or_default();
                    let text = format!(
                        "New key material (id: {id}) cannot be imported into KMS key {arn}, because another key material (id: {waiting}) is pending rotation."
                    );
                    return Err(said("KMSInvalidStateException", text));
                }
                // What was lost before its rotation came makes room, in every Region.
                if let Some(lost) = waiting {
                    self.families[family].materials.remove(lost);
                    for sibling in self.siblings(key) {
                        self.keys[sibling].imports.remove(&lost);
                    }
                }
                let new = Material { id: None, rotated: None, pending: !is_first, number: Some(number) };
                self.families[family].materials.push(new);
                Ok(self.families[family].materials.len() - 1)
            }
        }
    }

    /// The answer about imported material: its id is told of symmetric keys alone.
    fn of_material(&mut self, ask: &Ask<'_>, key: usize, place: Option<usize>) -> Value {
        let mut answer = json!({"KeyId": self.arn(key)});
        if let Some(place) = place.filter(|_| self.family(key).is_symmetric()) {
            answer["KeyMaterialId"] = json!(self.material_id(key, place, ask.told["KeyMaterialId"].as_str()));
        }
        answer
    }

    /// Of the current material where none is named; what is not there is no error.
    pub(super) fn delete_imported_key_material(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.of_external(key)?;
        self.for_symmetric(ask, key, &[("KeyMaterialId", "keyMaterialId")])?;
        let arn = self.arn(key);
        let family = self.keys[key].family;
        let place = match ask.text("KeyMaterialId") {
            None => self.families[family].current(),
            Some(id) => {
                let found =
                    self.families[family].materials.iter().position(|material| material.id.as_deref() == Some(id));
                if found.is_none() {
                    let text = format!("Key material with ID {id} has never been imported into KMS key {arn}.");
                    return Err(said("ValidationException", text));
                }
                found
            }
        };
        if let Some(place) = place {
            // What waits goes everywhere, where it is the primary's.
            let is_shared = self.families[family].materials[place].pending && !self.is_replica(key);
            let losing = if is_shared { self.siblings(key) } else { vec![key] };
            for key in losing {
                self.lose(key, place);
            }
        }
        Ok(self.of_material(ask, key, place))
    }
}
