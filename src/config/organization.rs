use std::path::Path;
use std::sync::Arc;

use super::ConfigError;
use super::directory::name_of;
use super::files::read_text;
use crate::identity::{ControlPolicyTexts, OrganizationEntry, parse_organization};

/// Reads an organisation file and each control policy that it names, once, however many accounts
/// name it.
///
/// # Errors
/// The first fault, with file, line, column and member.
pub(super) fn read_organization(
    path: &Path,
) -> Result<(Arc<str>, Vec<OrganizationEntry>, ControlPolicyTexts), ConfigError> {
    let name = name_of(path);
    let entries = parse_organization(&name, &read_text(path, "read the organization")?)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let mut texts = ControlPolicyTexts::new();
    let levels =
        entries.iter().flat_map(|entry| entry.service_control_policies.iter().chain(&entry.resource_control_policies));
    for policy in levels.flatten() {
        if texts.contains_key(&policy.path) {
            continue;
        }
        let file = base.join(&policy.path);
        let text = read_text(&file, "read the control policy").map_err(|error| ConfigError {
            file: Some(name.to_string()),
            place: Some(policy.place),
            member: policy.member.clone(),
            message: error.to_string(),
        })?;
        texts.insert(policy.path.clone(), (name_of(&file), text));
    }
    Ok((name, entries, texts))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::cedar::Documents;
    use crate::config::{Config, Overrides, load_directory};
    use crate::identity::Directory;
    use std::path::Path;

    const SCP: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;

    fn load(root: &Path, organization: &str) -> Result<Directory, String> {
        fs::write(root.join("o.toml"), organization).unwrap();
        let text = "[iam]\norganization = \"o.toml\"";
        let config = Config::from_text(Some(&root.join("keystile.toml")), text, &Overrides::default()).unwrap();
        load_directory(&config, &Documents::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn policies_are_read_beside_the_organisation_file_and_faults_name_the_entry_or_the_policy() {
        let root = tempfile::tempdir().unwrap();
        let account = |rest: &str| format!("[[account]]\nid = \"111122223333\"\n{rest}\n");
        fs::create_dir(root.path().join("scp")).unwrap();
        fs::write(root.path().join("scp/full.json"), SCP).unwrap();
        fs::write(root.path().join("scp/broken.json"), "{\n\"Statement\": 5}").unwrap();
        let directory = load(root.path(), &account("service_control_policies = [[\"scp/full.json\"]]")).unwrap();
        let organization = directory.organization().unwrap();
        let controls = organization.account("111122223333".parse().unwrap()).unwrap();
        assert_eq!(controls.service_control_policies().len(), 1);
        assert!(controls.resource_control_policies().is_empty() && !controls.is_management());
        assert!(organization.account("444455556666".parse().unwrap()).is_none());
        for (rest, expected) in [
            (
                "service_control_policies = [[\"scp/full.json\"], [\"scp/none.json\"]]",
                "o.toml:3:49: account[0].service_control_policies[1][0]: ",
            ),
            ("service_control_policies = [[\"scp/broken.json\"]]", "scp/broken.json:2:14: Statement: "),
            ("resource_control_policies = [[\"scp/full.json\"]]", "scp/full.json:1:"),
        ] {
            let error = load(root.path(), &account(rest)).unwrap_err();
            let relative = error.strip_prefix(&format!("{}/", root.path().display())).unwrap_or(&error);
            assert!(relative.starts_with(expected), "expected {expected}\n   found {error}");
        }
    }

    #[test]
    fn no_file_is_no_organisation_and_a_missing_one_is_an_error() {
        let of = |text: &str| Config::from_text(Some(Path::new("/nonexistent/k.toml")), text, &Overrides::default());
        assert!(load_directory(&of("").unwrap(), &Documents::default()).unwrap().organization().is_none());
        let named = of("[iam]\norganization = \"o.toml\"").unwrap();
        let error = load_directory(&named, &Documents::default()).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/o.toml: cannot read the organization: "), "{error}");
    }
}
