//! The public keys of an identity provider: a JSON Web Key Set (RFC 7517).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::Value;

use super::SigningAlgorithm;

/// Most keys of a set: AWS takes a hundred of each kind.
const MAX_KEYS: usize = 200;

/// The keys of an identity provider. What is of no use for signatures that are taken is left out.
#[derive(Debug)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Debug)]
struct PublicKey {
    id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<SigningAlgorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point on the curve of that name.
    Ec {
        curve: &'static str,
        point: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The curves and the bytes of their coordinates.
const CURVES: [(&str, usize); 3] = [("P-256", 32), ("P-384", 48), ("P-521", 66)];

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// What is no set, or holds no key that is of use.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let set: Set = serde_json::from_slice(text).map_err(|_| "is not a JSON Web Key Set: an object with `keys`")?;
        if set.keys.len() > MAX_KEYS {
            return Err("holds too many keys");
        }
        let keys: Vec<PublicKey> = set.keys.into_iter().filter_map(PublicKey::read).collect();
        if keys.is_empty() {
            return Err("holds no RSA or EC key for signatures");
        }
        Ok(Self(keys))
    }

    /// Whether the set has a key of that id.
    #[must_use]
    pub fn has(&self, id: Option<&str>) -> bool {
        self.chosen(id).next().is_some()
    }

    /// Whether the key that a token names (the only one, where it names none) made the signature.
    #[must_use]
    pub fn verify(&self, id: Option<&str>, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        self.chosen(id).any(|key| key.verify(algorithm, message, signature))
    }

    fn chosen<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a PublicKey> {
        self.0.iter().filter(move |key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => self.0.len() == 1,
        })
    }
}

impl PublicKey {
    /// None for a key of another kind, another use, or another algorithm than any that is taken.
    fn read(value: Value) -> Option<Self> {
        let key: Key = serde_json::from_value(value).ok()?;
        if key.r#use.as_deref().is_some_and(|used| used != "sig") {
            return None;
        }
        let algorithm = match &key.alg {
            None => None,
            Some(name) => Some(SigningAlgorithm::named(name)?),
        };
        let bytes = |text: &Option<String>| BASE64URL_NOPAD.decode(text.as_ref()?.as_bytes()).ok();
        let material = match key.kty.as_str() {
            "RSA" => Material::Rsa { n: bytes(&key.n)?, e: bytes(&key.e)? },
            "EC" => {
                let (curve, length) = CURVES.into_iter().find(|(name, _)| key.crv.as_deref() == Some(*name))?;
                let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
                (x.len() == length && y.len() == length)
                    .then(|| Material::Ec { curve, point: [&[4], x.as_slice(), &y].concat() })?
            }
            _ => return None,
        };
        Some(Self { id: key.kid, algorithm, material })
    }

    fn verify(&self, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if self.algorithm.is_some_and(|only| only != algorithm) {
            return false;
        }
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, SigningAlgorithm::Rs256 | SigningAlgorithm::Rs384 | SigningAlgorithm::Rs512) => {
                let parameters = match algorithm {
                    SigningAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    SigningAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Material::Ec { curve, point }, _) => {
                let parameters = match (*curve, algorithm) {
                    ("P-256", SigningAlgorithm::Es256) => &ECDSA_P256_SHA256_FIXED,
                    ("P-384", SigningAlgorithm::Es384) => &ECDSA_P384_SHA384_FIXED,
                    ("P-521", SigningAlgorithm::Es512) => &ECDSA_P521_SHA512_FIXED,
                    _ => return false,
                };
                UnparsedPublicKey::new(parameters, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7515, appendix A.2 and A.3: a key and what it signed.
    fn rfc() -> (KeySet, Vec<(SigningAlgorithm, &'static str)>) {
        let set = json!({"keys": [
            {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
            {"kty": "RSA", "kid": "rsa",
             "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
             "e": "AQAB"},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
             "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
            {"kty": "EC", "kid": "encrypts", "use": "enc", "crv": "P-256",
             "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        ]});
        let signed = vec![
            (
                SigningAlgorithm::Rs256,
                "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                SigningAlgorithm::Es256,
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
        ];
        (KeySet::parse(set.to_string().as_bytes()).unwrap(), signed)
    }

    #[test]
    fn what_the_rfc_signed_holds_under_its_key_and_algorithm_alone() {
        let (set, signed) = rfc();
        for (algorithm, token) in signed {
            let (message, signature) = token.rsplit_once('.').unwrap();
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
            let (own, other) = if algorithm == SigningAlgorithm::Rs256 { ("rsa", "ec") } else { ("ec", "rsa") };
            for tried in SigningAlgorithm::ALL {
                let held = set.verify(Some(own), tried, message.as_bytes(), &signature);
                assert_eq!(held, tried == algorithm, "{algorithm:?} {tried:?}");
                assert!(!set.verify(Some(other), tried, message.as_bytes(), &signature));
            }
            assert!(!set.verify(None, algorithm, message.as_bytes(), &signature), "which key is not told");
            assert!(!set.verify(Some(own), algorithm, &message.as_bytes()[1..], &signature));
            assert!(!set.verify(Some("encrypts"), algorithm, message.as_bytes(), &signature));
        }
        assert!(set.has(Some("rsa")) && !set.has(Some("encrypts")) && !set.has(None));
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for text in ["", "[]", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = json!({"keys": vec![json!({}); MAX_KEYS + 1]});
        assert!(KeySet::parse(many.to_string().as_bytes()).is_err());
    }

    #[test]
    fn no_key_takes_a_secret_for_an_algorithm() {
        for name in ["none", "HS256", "HS512", "rs256", "PS256", ""] {
            assert_eq!(SigningAlgorithm::named(name), None, "{name}");
        }
    }
}
