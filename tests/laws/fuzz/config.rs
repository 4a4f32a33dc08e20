//! `keystile.toml`.

use std::path::Path;

use keystile::config::{Config, Overrides};

use super::{files, fuzz, text};

#[test]
fn a_configuration_is_read_or_refused_with_its_place() {
    let mut corpus = files("policies", "keystile.toml");
    corpus.push(
        br#"listen = "127.0.0.1:4599"
admin_listen = "127.0.0.1:4600"
data_dir = "keystile-data"
regions = ["us-east-1", "eu-west-1"]

[iam]
authorization_details = ["iam/111122223333.json"]
credentials = ["iam/credentials.toml"]
organization = "iam/organization.toml"

[signature]
max_skew_seconds = 300

[decision_cache]
max_bytes = "256MiB"

[root_key]
env = "KEYSTILE_ROOT_KEY"

[audit]
file = "keystile-data/audit.jsonl"

[log]
format = "json"
level = "info"
"#
        .to_vec(),
    );
    let dictionary = [
        "listen",
        "data_dir",
        "regions",
        "[iam]",
        "[[iam]]",
        "organization",
        "[signature]",
        "max_skew_seconds",
        "60",
        "900",
        "901",
        "[decision_cache]",
        "max_bytes",
        "\"1KiB\"",
        "\"-1\"",
        "[root_key]",
        "file",
        "env",
        "[limits]",
        "[limits.caller]",
        "[limits.source]",
        "requests_per_second",
        "connections_at_once",
        "[proxy_protocol]",
        "[trusted_forwarders]",
        "addresses",
        "\"10.0.0.0/8\"",
        "\"unix:/run/k.sock\"",
        "listen_mode",
        "\"0660\"",
        "[engine]",
        "[store]",
        "[log]",
        "level",
        "= true",
        "= 1979-05-27",
        "'''",
        "0x",
        "\"[::1]:0\"",
        "= []",
        "= {}",
        ".",
        "#",
    ];
    fuzz("configuration", corpus, &dictionary, |input| {
        let Some(text) = text(input) else { return String::new() };
        match Config::from_text(Some(Path::new("keystile.toml")), text, &Overrides::default()) {
            Ok(_) => "read".to_owned(),
            Err(error) => {
                let told = error.to_string();
                assert!(told.contains("keystile.toml"), "names no file: {told}");
                told
            }
        }
    });
}
