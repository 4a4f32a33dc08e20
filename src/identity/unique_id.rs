use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::aws::Arn;

/// A unique id for a principal that no authorization details describe: the prefix (`AIDA` for a
/// user, `AROA` for a role) and 17 characters that the ARN alone determines, so that a restart
/// does not change it. AWS's own are 21 characters as well.
pub(super) fn stand_in(prefix: &str, arn: &Arn) -> Arc<str> {
    let digest = BASE32_NOPAD.encode(&Sha256::digest(arn.as_str().as_bytes()));
    format!("{prefix}{}", &digest[..17]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_determined_by_the_arn() {
        let alice: Arn = "arn:aws:iam::111122223333:user/alice".parse().unwrap();
        let bob: Arn = "arn:aws:iam::111122223333:user/bob".parse().unwrap();
        let id = stand_in("AIDA", &alice);
        assert!(id.len() == 21 && id.starts_with("AIDA"));
        assert_eq!(id, stand_in("AIDA", &alice));
        assert_ne!(id, stand_in("AIDA", &bob));
    }
}
