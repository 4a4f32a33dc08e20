//! The key policy of an AWS managed key, in the form in which AWS prints it.

use super::Service;
use crate::aws::{AccountId, Region};

/// A statement of such a policy.
pub(super) struct Statement {
    pub(super) sid: &'static str,
    pub(super) effect: &'static str,
    pub(super) who: Who,
    pub(super) actions: &'static [&'static str],
    pub(super) when: &'static [When],
}

/// Its principal.
pub(super) enum Who {
    Everyone,
    /// The key's account, whose policies then decide.
    Account,
    Service(&'static str),
}

/// A condition: all of them must hold.
pub(super) enum When {
    /// The caller is of the key's account.
    CallerAccount,
    /// The request comes through the service of that endpoint in the key's Region.
    Via(&'static str),
    /// The request comes through the service of that endpoint, wherever.
    ViaAnyRegion(&'static str),
    /// A grant is of these operations alone.
    GrantOperations(&'static [&'static str]),
    /// A grant is made by a service.
    GrantIsForAwsResource,
    /// Data goes from the key to another, or comes from another.
    OtherKey,
}

impl When {
    /// Operator, condition key and values as JSON.
    fn test(&self, account: AccountId, region: &Region) -> (&'static str, &'static str, String) {
        match self {
            Self::CallerAccount => ("StringEquals", "kms:CallerAccount", text(account.as_str())),
            Self::Via(service) => {
                ("StringEquals", "kms:ViaService", text(&format!("{service}.{region}.amazonaws.com")))
            }
            Self::ViaAnyRegion(service) => {
                ("StringLike", "kms:ViaService", text(&format!("{service}.*.amazonaws.com")))
            }
            Self::GrantOperations(names) => ("ForAllValues:StringEquals", "kms:GrantOperations", texts(names)),
            Self::GrantIsForAwsResource => ("Bool", "kms:GrantIsForAWSResource", text("true")),
            Self::OtherKey => ("Bool", "kms:ReEncryptOnSameKey", text("false")),
        }
    }
}

impl Statement {
    fn print(&self, account: AccountId, region: &Region) -> String {
        let principal = match self.who {
            Who::Everyone => member("AWS", &text("*")),
            Who::Account => member("AWS", &text(&format!("arn:{}:iam::{account}:root", region.partition()))),
            Who::Service(name) => member("Service", &text(name)),
        };
        let mut members = vec![
            member("Sid", &text(self.sid)),
            member("Effect", &text(self.effect)),
            member("Principal", &object(&[principal], 2)),
            member("Action", &texts(self.actions)),
            member("Resource", &text("*")),
        ];
        let mut operators: Vec<(&str, Vec<String>)> = Vec::new();
        for (operator, key, values) in self.when.iter().map(|when| when.test(account, region)) {
            let test = member(key, &values);
            match operators.iter_mut().find(|(other, _)| *other == operator) {
                Some((_, tests)) => tests.push(test),
                None => operators.push((operator, vec![test])),
            }
        }
        if !operators.is_empty() {
            let tests: Vec<String> =
                operators.iter().map(|(operator, tests)| member(operator, &object(tests, 3))).collect();
            members.push(member("Condition", &object(&tests, 2)));
        }
        object(&members, 1)
    }
}

/// The key policy of a service's AWS managed key in an account and Region.
pub(in crate::kms) fn policy(service: &Service, account: AccountId, region: &Region) -> String {
    let statements: Vec<String> = service.statements.iter().map(|statement| statement.print(account, region)).collect();
    object(
        &[
            member("Version", &text("2012-10-17")),
            member("Id", &text(service.policy)),
            member("Statement", &format!("[ {} ]", statements.join(", "))),
        ],
        0,
    )
}

/// Text that needs no escape in JSON: that of the table, account ids and Regions.
fn text(text: &str) -> String {
    format!("\"{text}\"")
}

/// One text, or a list of several.
fn texts(all: &[&str]) -> String {
    match all {
        [one] => text(one),
        _ => format!("[ {} ]", all.iter().map(|one| text(one)).collect::<Vec<_>>().join(", ")),
    }
}

fn member(name: &str, value: &str) -> String {
    format!("\"{name}\" : {value}")
}

fn object(members: &[String], depth: usize) -> String {
    let indent = "  ".repeat(depth);
    format!("{{\n{indent}  {}\n{indent}}}", members.join(&format!(",\n{indent}  ")))
}

#[cfg(test)]
mod tests {
    use super::super::SERVICES;
    use super::*;
    use crate::cedar::Documents;
    use crate::iam::DocumentKind;

    fn printed(service: &str, region: &str) -> String {
        policy(Service::named(service).unwrap(), "111122223333".parse().unwrap(), &region.parse().unwrap())
    }

    #[test]
    fn a_policy_is_printed_as_aws_prints_it() {
        assert_eq!(
            printed("ebs", "us-west-2"),
            r#"{
  "Version" : "2012-10-17",
  "Id" : "auto-ebs-2",
  "Statement" : [ {
    "Sid" : "Allow access through EBS for all principals in the account that are authorized to use EBS",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "111122223333",
        "kms:ViaService" : "ec2.us-west-2.amazonaws.com"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}"#
        );
        assert!(printed("s3", "cn-north-1").contains("\"arn:aws-cn:iam::111122223333:root\""));
        assert!(printed("acm", "us-east-1").contains(
            r#""Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "111122223333",
        "kms:ViaService" : "acm.us-east-1.amazonaws.com"
      },
      "ForAllValues:StringEquals" : {
        "kms:GrantOperations" : "Decrypt"
      },
      "Bool" : {
        "kms:GrantIsForAWSResource" : "true"
      }
    }"#
        ));
    }

    #[test]
    fn every_policy_is_one_and_allows_everyone_something_through_a_service_alone() {
        let documents = Documents::default();
        let mut ids = Vec::new();
        for service in SERVICES {
            let text = printed(service.name, "eu-central-1");
            documents.compile(DocumentKind::KeyPolicy, &text).unwrap_or_else(|error| panic!("{text}: {error}"));
            ids.push(service.policy);
            let read_only = ["kms:DescribeKey", "kms:ListGrants", "kms:RevokeGrant", "kms:GetKeyPolicy"];
            for statement in service.statements.iter().filter(|statement| statement.effect == "Allow") {
                if let Who::Everyone = statement.who {
                    let via = |when: &When| matches!(when, When::Via(_) | When::ViaAnyRegion(_));
                    assert!(statement.when.iter().any(|when| matches!(when, When::CallerAccount)), "{text}");
                    let harmless = statement.actions.iter().all(|action| read_only.contains(action));
                    assert!(harmless || statement.when.iter().any(via), "{text}");
                } else {
                    let metadata = ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"];
                    assert!(statement.actions.iter().all(|action| metadata.contains(action)), "{text}");
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), SERVICES.len());
    }
}
