use super::members::Members;
use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};

/// The only modifier of a dry run: nothing is decrypted, so that a ciphertext need not be at hand.
const IGNORE_CIPHERTEXT: &str = "IGNORE_CIPHERTEXT";

/// Whether a dry run is to look at no ciphertext (KMS API Reference, "Decrypt" and "ReEncrypt",
/// `DryRunModifiers`).
///
/// # Errors
/// `ValidationException` without `DryRun`: the request would be served in earnest.
pub(super) fn ignores_ciphertext(kind: Kind, dry_run: bool, members: &mut Members<'_>) -> Result<bool, KmsError> {
    if !matches!(kind, Kind::Decrypt | Kind::ReEncrypt) {
        return Ok(false);
    }
    let modifiers = members.texts("DryRunModifiers");
    if !dry_run && !modifiers.is_empty() {
        return Err(texts::validation("DryRunModifiers can only be specified if DryRun is true."));
    }
    Ok(modifiers.iter().any(|modifier| modifier == IGNORE_CIPHERTEXT))
}

/// Without a ciphertext, which names its key, the request must.
///
/// # Errors
/// `ValidationException` where it names none.
pub(super) fn named_without(ciphertext: &[u8], key_id: Option<&str>, member: &str) -> Result<(), KmsError> {
    if ciphertext.is_empty() && key_id.is_none() {
        return Err(texts::validation(format!("{member} is required if CiphertextBlob is not specified.")));
    }
    Ok(())
}
