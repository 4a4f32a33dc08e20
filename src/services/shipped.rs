use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{Definition, DefinitionTable};

/// The definitions that come with keystile, by the service's name in the credential scope.
const TEXTS: [(&str, &str); 8] = [
    ("dynamodb", include_str!("definitions/dynamodb.toml")),
    ("kms", include_str!("definitions/kms.toml")),
    ("lambda", include_str!("definitions/lambda.toml")),
    ("s3", include_str!("definitions/s3.toml")),
    ("secretsmanager", include_str!("definitions/secretsmanager.toml")),
    ("sns", include_str!("definitions/sns.toml")),
    ("sqs", include_str!("definitions/sqs.toml")),
    ("ssm", include_str!("definitions/ssm.toml")),
];

/// Whether a definition of the service comes with keystile.
#[must_use]
pub fn is_shipped(service: &str) -> bool {
    TEXTS.iter().any(|(name, _)| *name == service)
}

/// The definition of a service that comes with keystile.
#[must_use]
pub fn shipped(service: &str) -> Option<Arc<Definition>> {
    static READ: OnceLock<HashMap<&'static str, Arc<Definition>>> = OnceLock::new();
    let all = READ.get_or_init(|| {
        // One that could not be read would be missing: a test reads them all.
        TEXTS.iter().filter_map(|(service, text)| Some((*service, Arc::new(read(service, text).ok()?)))).collect()
    });
    all.get(service).map(Arc::clone)
}

fn read(service: &str, text: &str) -> Result<Definition, String> {
    let table: DefinitionTable = toml::from_str(text).map_err(|error| error.to_string())?;
    table.resolve(service, None).map_err(|fault| format!("{}: {}", fault.member, fault.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_can_be_read() {
        for (service, text) in TEXTS {
            if let Err(fault) = read(service, text) {
                panic!("{service}: {fault}");
            }
        }
    }
}
