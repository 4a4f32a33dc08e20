//! The rules of what is no policy; those of policies are `iam::lint`'s.

use crate::iam::lint::{Level, Rule};

/// Every rule of this file, in the order of `docs/checks.md`.
pub(super) const FILE_RULES: [&Rule; 6] =
    [&UNREADABLE, &CONFIGURATION, &CREDENTIALS, &MISSING_CREDENTIALS, &ORGANIZATION, &AUTHORIZATION_DETAILS];

/// docs/checks.md: exit status 2.
pub(super) const UNREADABLE: Rule = Rule {
    name: "unreadable",
    level: Level::Error,
    finds: "a file that can't be read, or is not the JSON or TOML that it should be",
    why: "Nothing can be said of what it holds.",
    mend: "correct the path or the file",
    page: "https://github.com/keystile/keystile/blob/main/docs/checks.md",
};

/// docs/configuration.md.
pub(super) const CONFIGURATION: Rule = Rule {
    name: "configuration",
    level: Level::Error,
    finds: "a keystile.toml that `serve` refuses",
    why: "The server does not start with it, and a running one does not reload it.",
    mend: "correct the member",
    page: "https://github.com/keystile/keystile/blob/main/docs/configuration.md",
};

/// docs/configuration.md, "Credentials".
pub(super) const CREDENTIALS: Rule = Rule {
    name: "credentials",
    level: Level::Error,
    finds: "a credentials file that `serve` refuses",
    why: "The server does not start with it, and a running one does not reload it.",
    mend: "correct the member",
    page: "https://github.com/keystile/keystile/blob/main/docs/configuration.md",
};

/// docs/configuration.md, "Credentials": a configured file must exist.
pub(super) const MISSING_CREDENTIALS: Rule = Rule {
    name: "missing-credentials",
    level: Level::Warning,
    finds: "a credentials file that is configured and not there",
    why: "It may be a secret that is put there later; without it the server does not start.",
    mend: "put it there before the server starts, such as by `keystile access-key create`",
    page: "https://github.com/keystile/keystile/blob/main/docs/configuration.md",
};

/// docs/configuration.md: levels from the root to the account.
pub(super) const ORGANIZATION: Rule = Rule {
    name: "organization",
    level: Level::Error,
    finds: "an organization file that `serve` refuses",
    why: "The server does not start with it, and a running one does not reload it.",
    mend: "correct the member",
    page: "https://github.com/keystile/keystile/blob/main/docs/configuration.md",
};

/// IAM API Reference, "GetAccountAuthorizationDetails".
pub(super) const AUTHORIZATION_DETAILS: Rule = Rule {
    name: "authorization-details",
    level: Level::Error,
    finds: "authorization details that `serve` refuses",
    why: "The server does not start with them, and a running one does not reload them.",
    mend: "print them again with `aws iam get-account-authorization-details`",
    page: "https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html",
};

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::*;
    use crate::iam::lint::POLICY_RULES;

    /// `docs/checks.md` from its headings: the tables are the program's own.
    fn tables() -> [String; 2] {
        [FILE_RULES.as_slice(), POLICY_RULES].map(|rules| {
            let mut text =
                String::from("| rule | level | finds | why | to mend it |\n| --- | --- | --- | --- | --- |\n");
            for Rule { name, level, finds, why, mend, page } in rules {
                let cell = |text: &str| text.replace('|', "\\|");
                let _ = writeln!(
                    text,
                    "| [`{name}`]({page}) | {level} | {} | {} | {} |",
                    cell(finds),
                    cell(why),
                    cell(mend)
                );
            }
            text
        })
    }

    /// With `KEYSTILE_WRITE_DOCS=1` the page is rewritten instead.
    #[test]
    fn the_page_of_checks_has_the_rules_of_the_program() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let mut expected = page.clone();
        for (heading, table) in ["## Files", "## Policies"].into_iter().zip(tables()) {
            let start = expected.find(heading).unwrap_or_else(|| panic!("docs/checks.md has no {heading}"));
            let first = start + expected[start..].find("| rule |").unwrap();
            let last = first + expected[first..].find("\n\n").map_or(expected.len() - first, |end| end + 1);
            expected.replace_range(first..last, &table);
        }
        if std::env::var_os("KEYSTILE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        } else {
            assert!(
                page == expected,
                "docs/checks.md differs from the rules: run the tests with KEYSTILE_WRITE_DOCS=1"
            );
        }
    }
}
