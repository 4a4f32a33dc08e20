//! Simulated cases a second, on all cores: cases that share policies, cases that are each decided
//! anew, and cases that each bring a policy of their own; and the memory that a stream takes.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use keystile::simulate::{Format, Input, Library, Simulator};
use serde_json::{Value, json};

/// Gives the same text many times over.
struct Repeated {
    text: Arc<[u8]>,
    at: usize,
    times: usize,
}

impl Read for Repeated {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() && self.times > 1 {
            (self.at, self.times) = (0, self.times - 1);
        }
        let count = into.len().min(self.text.len() - self.at);
        into[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// A key policy of five statements, with conditions on three.
fn key_policy(name: usize) -> Value {
    let account = "111122223333";
    let user = |name: &str| format!("arn:aws:iam::{account}:user/{name}");
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": format!("Enable IAM policies {name}"), "Effect": "Allow", "Principal": {"AWS": account},
         "Action": "kms:*", "Resource": "*"},
        {"Sid": "RotateWithMfa", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:role/Rotator")},
         "Action": ["kms:EnableKeyRotation", "kms:DisableKeyRotation"], "Resource": "*",
         "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"},
                       "NumericGreaterThanEquals": {"kms:RotationPeriodInDays": "180"}}},
        {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": [user("alice"), user("bob")]},
         "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*",
         "Condition": {"StringEquals": {"kms:EncryptionContext:tenant": ["a", "b"]}}},
        {"Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": user("auditor")},
         "Action": ["kms:Describe*", "kms:List*"], "Resource": "*"},
    ]})
}

fn identity_policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": ["kms:Describe*", "kms:List*", "s3:Get*"], "Resource": "*"},
        {"Sid": "Use", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:*:111122223333:key/*",
         "Condition": {"StringEquals": {"aws:PrincipalTag/team": "security"}}}]})
}

/// Lines of cases; `key` and `policy` tell which key and which policy a case has.
fn cases(count: usize, key: impl Fn(usize) -> usize, policy: impl Fn(usize) -> usize) -> Arc<[u8]> {
    let actions = ["kms:EnableKeyRotation", "kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:ScheduleKeyDeletion"];
    let principals = [
        "arn:aws:sts::111122223333:assumed-role/Rotator/nightly",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:user/bob",
        "arn:aws:iam::111122223333:user/carol",
    ];
    let mut text = String::new();
    for at in 0..count {
        let case = json!({
            "principal": principals[at % 4], "action": actions[at % 5],
            "resource": format!("arn:aws:kms:us-east-1:111122223333:key/{:08}-12ab-34cd-56ef-1234567890ab", key(at)),
            "context": {"kms:RotationPeriodInDays": ([90, 180, 365][at % 3]), "aws:MultiFactorAuthPresent": (at % 2 == 0),
                        "aws:SecureTransport": (at % 11 != 0), "kms:EncryptionContext:tenant": (["a", "b", "c"][at % 3]),
                        "aws:SourceIp": format!("10.0.{}.{}", at / 256 % 256, at % 256)},
            "key_policy": key_policy(policy(at)), "identity_policies": [identity_policy()],
        });
        text.push_str(&case.to_string());
        text.push('\n');
    }
    text.into_bytes().into()
}

/// Bytes of memory that the process has had at most; none where the system does not tell.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn measure(name: &str, text: &Arc<[u8]>, times: usize) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let refuse = |_: &std::path::Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let simulator = Simulator::new(Library::new(Box::new(refuse)), Format::Json);
    let input: Input = ("cases".into(), Box::new(Repeated { text: Arc::clone(text), at: 0, times }));
    let start = Instant::now();
    let mut faults = Vec::new();
    let tally =
        simulator.run(vec![input], threads, &mut io::sink(), &mut |fault| faults.push(fault.to_string())).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(faults.is_empty(), "{faults:?}");
    let peak = peak_memory().map_or_else(String::new, |bytes| format!(", at most {} MiB so far", bytes >> 20));
    println!(
        "{name}: {:.0} cases/s on {threads} cores ({} allowed, {} denied{peak})",
        tally.cases() as f64 / seconds,
        tally.allowed,
        tally.denied
    );
}

fn main() {
    let shared = cases(20_000, |at| at % 7, |at| at % 10);
    measure("shared policies, 200,000 cases", &shared, 10);
    measure("shared policies, 1,000,000 cases", &shared, 50);
    let distinct = cases(100_000, |at| at, |at| at % 10);
    measure("shared policies, every decision made anew, 100,000 cases", &distinct, 1);
    let own = cases(2_000, |at| at, |at| at);
    measure("a policy of its own for each of 2,000 cases", &own, 1);
}
