use super::{Kms, answered};
use crate::kms::Answer;
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::MacRequest;
use crate::kms::resolve::Key;
use crate::kms::spec::KeyUsage;
use crate::kms::working_key::{MacKey, WorkingKey};

impl Kms {
    pub(super) async fn generate_mac(&self, key: &Key, request: &MacRequest) -> Result<Answer, KmsError> {
        let working = self.mac_key(key, "GenerateMac", request).await?;
        let mac = mac_of(&working)?.of(&request.message);
        Ok(answered(key, |body| body.blob("Mac", mac.as_ref()).text("MacAlgorithm", request.algorithm.name())))
    }

    pub(super) async fn verify_mac(&self, key: &Key, request: &MacRequest) -> Result<Answer, KmsError> {
        let working = self.mac_key(key, "VerifyMac", request).await?;
        if !mac_of(&working)?.is_of(&request.mac, &request.message) {
            return Err(KmsError::silent("KMSInvalidMacException"));
        }
        Ok(answered(key, |body| body.text("MacAlgorithm", request.algorithm.name()).value("MacValid", &true)))
    }

    async fn mac_key(
        &self,
        key: &Key,
        operation: &str,
        request: &MacRequest,
    ) -> Result<std::sync::Arc<WorkingKey>, KmsError> {
        let record = &key.view().record;
        if record.usage != KeyUsage::GenerateVerifyMac {
            return Err(texts::wrong_usage(key.arn().as_str(), record.usage.name(), operation));
        }
        if !record.spec.mac_algorithms().contains(&request.algorithm) {
            return Err(texts::incompatible(request.algorithm.name(), record.spec.name()));
        }
        self.working_key(key).await
    }
}

fn mac_of(working: &WorkingKey) -> Result<&MacKey, KmsError> {
    match working {
        WorkingKey::Mac(key) => Ok(key),
        _ => Err(super::astray()),
    }
}
