use aws_lc_rs::digest::{Digest, digest};

use super::{Kms, answered, astray};
use crate::kms::Answer;
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::SignatureRequest;
use crate::kms::resolve::Key;
use crate::kms::spec::{KeySpec, KeyUsage, MessageType, SigningAlgorithm, not_served};
use crate::kms::working_key::{Signable, SigningPair, WorkingKey};

impl Kms {
    pub(super) async fn sign(&self, key: &Key, request: &SignatureRequest) -> Result<Answer, KmsError> {
        let (signable, algorithm) = (signable(key, "Sign", request)?, request.algorithm);
        let working = self.working_key(key).await?;
        let signature = match signable {
            Signable::Digest(digest) if pair_of(&working)?.is_slow() => {
                self.heavy().compute(move || signed(&working, algorithm, &Signable::Digest(digest))).await?
            }
            signable => signed(&working, algorithm, &signable),
        }?;
        Ok(answered(key, |body| body.blob("Signature", &signature).text("SigningAlgorithm", algorithm.name())))
    }

    pub(super) async fn verify(&self, key: &Key, request: &SignatureRequest) -> Result<Answer, KmsError> {
        let signable = signable(key, "Verify", request)?;
        let working = self.working_key(key).await?;
        if !pair_of(&working)?.verifies(request.algorithm, &signable, &request.signature) {
            return Err(KmsError::silent("KMSInvalidSignatureException"));
        }
        Ok(answered(key, |body| body.value("SignatureValid", &true).text("SigningAlgorithm", request.algorithm.name())))
    }
}

fn pair_of(working: &WorkingKey) -> Result<&SigningPair, KmsError> {
    match working {
        WorkingKey::Signing(pair) => Ok(pair),
        _ => Err(astray()),
    }
}

fn signed(working: &WorkingKey, algorithm: SigningAlgorithm, signable: &Signable<'_>) -> Result<Vec<u8>, KmsError> {
    let signature = pair_of(working)?.sign(algorithm, signable);
    signature.map_err(|_| KmsError::internal(format!("the library failed to sign with {}", algorithm.name())))
}

/// What a request would have signed, by a key that is for it, with an algorithm of the key.
fn signable<'a>(key: &Key, operation: &str, request: &'a SignatureRequest) -> Result<Signable<'a>, KmsError> {
    let (record, algorithm) = (&key.view().record, request.algorithm);
    if record.usage != KeyUsage::SignVerify {
        return Err(texts::wrong_usage(key.arn().as_str(), record.usage.name(), operation));
    }
    if algorithm == SigningAlgorithm::Ed25519PhSha512 && record.spec == KeySpec::EccNistEdwards25519 {
        return Err(not_served("SigningAlgorithm", algorithm.name()));
    }
    if !record.spec.signing_algorithms().contains(&algorithm) {
        return Err(texts::incompatible(algorithm.name(), record.spec.name()));
    }
    of_message(algorithm, request.message_type, &request.message)
}

fn of_message(
    algorithm: SigningAlgorithm,
    message_type: MessageType,
    message: &[u8],
) -> Result<Signable<'_>, KmsError> {
    match (message_type, algorithm.digest()) {
        (MessageType::Raw, Some(hash)) => Ok(Signable::Digest(digest(hash, message))),
        (MessageType::Raw, None) => Ok(Signable::Message(message)),
        (MessageType::Digest, Some(hash)) => Digest::import_less_safe(message, hash)
            .map(Signable::Digest)
            .map_err(|_| texts::validation(format!("Digest is invalid length for algorithm {}.", algorithm.name()))),
        // The library signs no message representative that others made.
        (MessageType::ExternalMu, _) if algorithm == SigningAlgorithm::MlDsaShake256 => {
            Err(not_served("MessageType", message_type.name()))
        }
        _ => Err(texts::validation(format!(
            "MessageType {} is not compatible with SigningAlgorithm {}.",
            message_type.name(),
            algorithm.name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_exactly_its_length() {
        for (algorithm, length) in [
            (SigningAlgorithm::EcdsaSha256, 32),
            (SigningAlgorithm::RsassaPssSha384, 48),
            (SigningAlgorithm::RsassaPkcs1V15Sha512, 64),
        ] {
            for (given, good) in [(length - 1, false), (length, true), (length + 1, false)] {
                let message = vec![1; given];
                let outcome = of_message(algorithm, MessageType::Digest, &message);
                assert_eq!(outcome.is_ok(), good, "{algorithm:?} {given}");
                if let Err(error) = outcome {
                    let text = format!("Digest is invalid length for algorithm {}.", algorithm.name());
                    assert_eq!(error, texts::validation(text));
                }
            }
        }
    }

    #[test]
    fn a_message_type_belongs_to_its_algorithms() {
        use MessageType::{Digest, ExternalMu, Raw};
        for (algorithm, message_type, code) in [
            (SigningAlgorithm::Ed25519Sha512, Raw, None),
            (SigningAlgorithm::Ed25519Sha512, Digest, Some("ValidationException")),
            (SigningAlgorithm::Ed25519Sha512, ExternalMu, Some("ValidationException")),
            (SigningAlgorithm::MlDsaShake256, Raw, None),
            (SigningAlgorithm::MlDsaShake256, Digest, Some("ValidationException")),
            (SigningAlgorithm::MlDsaShake256, ExternalMu, Some("UnsupportedOperationException")),
            (SigningAlgorithm::EcdsaSha512, Raw, None),
            (SigningAlgorithm::EcdsaSha512, ExternalMu, Some("ValidationException")),
        ] {
            let outcome = of_message(algorithm, message_type, &[0; 64]);
            assert_eq!(outcome.err().map(|error| error.code()), code, "{algorithm:?} {message_type:?}");
        }
    }
}
