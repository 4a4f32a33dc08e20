//! The account that the load works in.

use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;

use crate::connection::Connection;
use crate::server::Server;
use crate::sign::Signer;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const CALLERS: usize = 200;

/// 200 users in one account, each with an inline policy; configuration for a server with one
/// worker thread.
pub(crate) fn write_account(directory: &Path) -> Vec<(String, String)> {
    let mut users = Vec::new();
    let mut credentials = String::new();
    let mut keys = Vec::new();
    for index in 0..CALLERS {
        let name = format!("caller-{index}");
        let id = format!("AKIALOADCALLER{index:06}");
        let secret = format!("{index:0>40}");
        let _ = write!(
            credentials,
            "[[access_key]]\nid = \"{id}\"\nsecret = \"{secret}\"\nprincipal = \"arn:aws:iam::{ACCOUNT}:user/{name}\"\n\n"
        );
        users.push(serde_json::json!({
            "Path": "/", "UserName": name, "UserId": format!("AIDALOADCALLER{index:06}"),
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "GroupList": [], "AttachedManagedPolicies": [],
            "UserPolicyList": [{"PolicyName": "kms", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Sid": "Use", "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt", "kms:Get*"],
                 "Resource": format!("arn:aws:kms:*:{ACCOUNT}:key/*"),
                 "Condition": {"StringEquals": {"aws:PrincipalType": "User"}}},
                {"Sid": "NeverDelete", "Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"}]}}],
            "Tags": [{"Key": "team", "Value": format!("team-{}", index % 10)}],
        }));
        keys.push((id, secret));
    }
    let details =
        serde_json::json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [], "Policies": []});
    std::fs::write(directory.join("details.json"), details.to_string()).unwrap();
    std::fs::write(directory.join("credentials.toml"), credentials).unwrap();
    std::fs::write(
        directory.join("keystile.toml"),
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\n\
         [iam]\nauthorization_details = [\"details.json\"]\ncredentials = [\"credentials.toml\"]\n\
         [limits]\nworker_threads = 1\n",
    )
    .unwrap();
    keys
}

/// The key policy of every other key: administrators, users, an encrypted-transport deny.
pub(crate) fn five_statements() -> serde_json::Value {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Administrators", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/caller-0")},
         "Action": ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Disable*", "kms:Get*"], "Resource": "*"},
        {"Sid": "Users", "Effect": "Allow", "Principal": {"AWS": (1..20).map(|n| format!("arn:aws:iam::{ACCOUNT}:user/caller-{n}")).collect::<Vec<_>>()},
         "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"], "Resource": "*"},
        {"Sid": "ShortPeriodsNeedTeam", "Effect": "Deny", "Principal": "*", "Action": "kms:EnableKeyRotation", "Resource": "*",
         "Condition": {"NumericLessThan": {"kms:RotationPeriodInDays": 180}, "StringNotEquals": {"aws:PrincipalTag/team": "team-0"}}},
        {"Sid": "OwnAccountOnly", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
         "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}}]})
}

/// Creates the keys over 32 connections: every other one with the policy of five statements.
pub(crate) async fn create_keys(server: &Server, root: Rc<Signer>, count: usize) -> Vec<String> {
    let host = server.gateway.to_string();
    let mut workers = Vec::new();
    for worker in 0..32 {
        let (host, root, address) = (host.clone(), Rc::clone(&root), server.gateway);
        workers.push(tokio::task::spawn_local(async move {
            let mut connection = Connection::open(address).await;
            let mut ids = Vec::new();
            for index in (worker..count).step_by(32) {
                let policy = five_statements().to_string();
                let body = if index % 2 == 0 { serde_json::json!({}) } else { serde_json::json!({"Policy": policy}) };
                let request = root.request(&host, "CreateKey", &body.to_string());
                let (status, answer) = connection.exchange(&request).await;
                let answer = &connection.buffer[answer];
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));
                let answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
                ids.push(answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned());
            }
            ids
        }));
    }
    let mut ids = Vec::new();
    for worker in workers {
        ids.append(&mut worker.await.unwrap());
    }
    ids
}
