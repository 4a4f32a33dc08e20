use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::wire::{Json, Object};

/// What makes a member of later work a reason to refuse.
enum Unserved {
    /// Any value but these.
    OtherThan(&'static [&'static str]),
    /// Any value at all.
    Anything,
}

/// Members that name what is not served, wherever they may stand.
const UNSERVED: &[(&str, Unserved)] = &[
    ("Origin", Unserved::OtherThan(&["AWS_KMS", "EXTERNAL", "EXTERNAL_KEY_STORE"])),
    ("Recipient", Unserved::Anything),
];

/// # Errors
/// `UnsupportedOperationException` for a member that names what is not served.
pub(super) fn refuse_unserved(kind: Kind, request: &mut Object<'_>) -> Result<(), KmsError> {
    let refuse = |name: &str, value: &str| Err(texts::unsupported(format!("{name}{value} is not supported.")));
    for (name, rule) in UNSERVED {
        match (rule, request.get_mut(name)) {
            (Unserved::OtherThan(served), Some(Json::Text(text))) if !served.contains(&text.as_ref()) => {
                return refuse(name, &format!(" {text}"));
            }
            (Unserved::Anything, Some(_)) => return refuse(name, ""),
            _ => {}
        }
    }
    if kind == Kind::CreateKey
        && request.get_mut("KeySpec").is_some()
        && request.get_mut("CustomerMasterKeySpec").is_some()
    {
        return Err(texts::validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
        ));
    }
    Ok(())
}
