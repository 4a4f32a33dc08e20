//! ARNs, accounts, regions, actions, principals: what is read is written the same.

use std::fmt::Display;
use std::str::FromStr;

use keystile::aws::{AccountId, ActionName, Arn, Principal, Region};

use super::{fuzz, text};
use crate::generate::names::{EVE, FEDERATED, KEY, ROLE, ROOT, SESSION};

/// The same text, where it is read.
fn same<T: FromStr + Display>(text: &str) -> bool {
    let read = text.parse::<T>();
    if let Ok(read) = &read {
        assert_eq!(read.to_string(), text);
    }
    read.is_ok()
}

#[test]
fn an_arn_is_its_six_components() {
    let corpus = [
        KEY,
        EVE,
        FEDERATED,
        ROLE,
        ROOT,
        SESSION,
        "arn:aws:s3:::b/a:b",
        "111122223333",
        "us-east-1",
        "kms:Decrypt",
        "s3.amazonaws.com",
    ];
    let corpus = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz(
        "arn",
        corpus,
        &[
            "arn",
            "aws",
            "aws-cn",
            "kms",
            "iam",
            "sts",
            "key/",
            "user/",
            "role/",
            "assumed-role/",
            "alias/",
            "root",
            ":::",
            "//",
        ],
        |input| {
            let Some(text) = text(input) else { return String::new() };
            let arn = text.parse::<Arn>();
            if let Ok(arn) = &arn {
                let parts = [arn.partition(), arn.service(), arn.region(), arn.account(), arn.resource()];
                assert_eq!(format!("arn:{}", parts.join(":")), text);
                assert!(parts[..4].iter().all(|part| !part.contains(':')) && text.len() <= Arn::MAX_LEN);
            }
            let principal = text.parse::<Principal>();
            if let Ok(principal) = &principal {
                assert_eq!(principal.to_string(), text);
                let _ = (principal.account(), principal.name(), principal.session_role_name());
            }
            let read = [same::<AccountId>(text), same::<Region>(text), same::<ActionName>(text)];
            format!("{} {principal:?} {read:?} {}", arn.is_ok(), text.matches(':').count())
                .split('(')
                .next()
                .unwrap()
                .to_owned()
        },
    );
}
