//! The schema that a translation is validated under.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::aws::catalogue;

use super::actions::ActionUid;
use super::attributes::Attribute;
use super::resources::ARN_TYPE;
use super::text::string;

const PRINCIPALS: &str = "[iam::User, iam::RootUser, iam::Role, iam::Session, sts::FederatedUser, aws::Service, aws::Federated, aws::CanonicalUser, aws::Anonymous]";

/// What a translation reads of the context.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub(super) attributes: BTreeSet<Attribute>,
    /// Names of atoms.
    pub(super) atoms: Vec<String>,
    pub(super) resource: bool,
}

/// The schema in Cedar's own syntax. `named` are the actions that the policies name; the whole
/// catalogue is declared only for people, since a request environment for each action that
/// differs in nothing but its name costs time to validate.
pub(super) fn text(inputs: &Inputs, named: &BTreeSet<ActionUid>, of_a_key: bool, whole_catalogue: bool) -> String {
    let mut schema =
        String::from("namespace aws {\n  entity Account, Service, Federated, CanonicalUser, Anonymous, Resource;\n");
    let resources = if of_a_key { "[kms::Key]" } else { "[kms::Key, kms::Alias, aws::Resource]" };
    let applies = format!(
        "appliesTo {{\n    principal: {PRINCIPALS},\n    resource: {resources},\n    context: kms::RequestContext\n  }}"
    );
    let quoted = |actions: &[&str]| actions.iter().map(|id| string(id)).collect::<Vec<_>>().join(", ");
    let other: Vec<&str> = named.iter().filter(|uid| !uid.kms).map(|uid| uid.id.as_str()).collect();
    if !other.is_empty() {
        let _ = writeln!(schema, "  action {} {applies};", quoted(&other));
    }
    schema.push_str("}\n\nnamespace iam {\n  entity UniqueId;\n  entity Role, User in [aws::Account, UniqueId];\n  entity RootUser in [aws::Account];\n  entity Session in [Role, aws::Account, UniqueId];\n}\n\nnamespace sts {\n  entity FederatedUser in [aws::Account];\n}\n\nnamespace kms {\n  entity Key, Alias;\n  type RequestContext = {\n");
    if inputs.resource {
        let _ = writeln!(schema, "    resource?: {ARN_TYPE},");
    }
    for attribute in &inputs.attributes {
        let _ = writeln!(schema, "    {}?: {},", string(&attribute.name()), attribute.cedar_type());
    }
    if !inputs.atoms.is_empty() {
        let atoms: Vec<String> = inputs.atoms.iter().map(|name| format!("{name}: Bool")).collect();
        let _ = writeln!(schema, "    atoms: {{ {} }},", atoms.join(", "));
    }
    schema.push_str("  };\n  action \"*\";\n");
    let group = ActionUid::kms_group();
    let mut kms: Vec<&str> = named.iter().filter(|uid| uid.kms && **uid != group).map(|uid| uid.id.as_str()).collect();
    if whole_catalogue {
        kms.extend(catalogue::KMS_ACTIONS);
    } else {
        // One more stands for all that are not named.
        kms.push("DescribeKey");
    }
    kms.sort_unstable();
    kms.dedup();
    let _ = writeln!(schema, "  action {} in [\"*\"] {applies};\n}}", quoted(&kms));
    schema
}
