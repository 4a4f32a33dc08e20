//! The schema that a translation is validated under.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Whether the text tells principals apart.
    pub(super) principal: bool,
}

/// What a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be read: every action of the catalogue is declared, with what it applies to.
    Reading,
    /// To validate. Cedar goes through each policy once for each action that applies to something
    /// and each type of principal. Actions that the same policies name are told apart by none of
    /// them: one stands for all. So does one type of principal, where no policy reads it.
    Validating,
}

/// The schema in Cedar's own syntax. `named` are the actions that each policy names.
pub(super) fn text(inputs: &Inputs, named: &[&BTreeSet<ActionUid>], of_a_key: bool, purpose: Purpose) -> String {
    let mut schema =
        String::from("namespace aws {\n  entity Account, Service, Federated, CanonicalUser, Anonymous, Resource;\n");
    let resources = if of_a_key { "[kms::Key]" } else { "[kms::Key, kms::Alias, aws::Resource]" };
    let principals = match purpose {
        Purpose::Validating if !inputs.principal => "[iam::User]",
        _ => PRINCIPALS,
    };
    let applies = format!(
        "appliesTo {{\n    principal: {principals},\n    resource: {resources},\n    context: kms::RequestContext\n  }}"
    );
    let (mut kms, mut other) = Declared::of(named, purpose);
    if !of_a_key {
        other.add_unnamed(OTHER_ACTIONS.into_iter());
    }
    schema.push_str(&other.text("", &applies));
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
    let catalogue = || catalogue::kms_actions().iter().map(|action| action.name);
    match purpose {
        Purpose::Reading => kms.speaking.extend(catalogue()),
        Purpose::Validating => kms.add_unnamed(catalogue()),
    }
    schema.push_str(&kms.text("in [\"*\"] ", &applies));
    schema.push_str("}\n");
    schema
}

/// One of these that no policy names stands for all that none names.
const OTHER_ACTIONS: [&str; 2] = ["sts:GetCallerIdentity", "s3:ListBucket"];

/// The actions of one namespace.
#[derive(Default)]
struct Declared<'a> {
    /// Those that apply to something.
    speaking: BTreeSet<&'a str>,
    /// Those that another stands for.
    silent: BTreeSet<&'a str>,
}

impl<'a> Declared<'a> {
    /// KMS's actions and those of other services.
    fn of(named: &[&'a BTreeSet<ActionUid>], purpose: Purpose) -> (Self, Self) {
        let group = ActionUid::kms_group();
        let mut namers: BTreeMap<&ActionUid, Vec<usize>> = BTreeMap::new();
        for (policy, uids) in named.iter().enumerate() {
            for uid in uids.iter().filter(|uid| **uid != group) {
                namers.entry(uid).or_default().push(policy);
            }
        }
        let (mut kms, mut other) = (Self::default(), Self::default());
        let mut seen = BTreeSet::new();
        for (uid, namers) in namers {
            let declared = if uid.kms { &mut kms } else { &mut other };
            if seen.insert((uid.kms, namers)) || purpose == Purpose::Reading {
                declared.speaking.insert(&uid.id);
            } else {
                declared.silent.insert(&uid.id);
            }
        }
        (kms, other)
    }

    fn add_unnamed(&mut self, mut candidates: impl Iterator<Item = &'a str>) {
        self.speaking.extend(candidates.find(|id| !self.speaking.contains(id) && !self.silent.contains(id)));
    }

    fn text(&self, groups: &str, applies: &str) -> String {
        let mut text = String::new();
        for (ids, applies) in [(&self.speaking, applies), (&self.silent, "")] {
            if !ids.is_empty() {
                let quoted: Vec<String> = ids.iter().map(|id| string(id)).collect();
                let _ = writeln!(text, "  action {} {groups}{applies};", quoted.join(", "));
            }
        }
        text
    }
}
