//! The shipped definitions, held to AWS's catalogue, to what clients send and to what attackers would.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::need::On;
use super::{Asked, ServiceRequest, Undetermined, is_shipped, shipped};
use crate::aws::catalogue;
use crate::aws::{ContextValue, Region};

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/fixtures/services/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A request of `fixtures/services`.
#[derive(Deserialize)]
struct Recorded {
    service: String,
    operation: String,
    method: String,
    path: String,
    query: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

/// A request as a test writes it.
struct Sent<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

fn read(service: &str, sent: &Sent<'_>) -> Result<Asked, Undetermined> {
    let (path, query) = sent.target.split_once('?').map_or((sent.target, None), |(path, query)| (path, Some(query)));
    let mut headers = HeaderMap::new();
    for (name, value) in sent.headers {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let region: Region = "us-east-1".parse().unwrap();
    let mut request = ServiceRequest {
        method: sent.method,
        path,
        query,
        headers: &headers,
        body: None,
        region: &region,
        account: "111122223333".parse().unwrap(),
    };
    let definition = shipped(service).unwrap();
    // As the gateway does: a body that does not decide is not there.
    if definition.reads_body(&request)? {
        request.body = Some(sent.body.as_bytes());
    }
    definition.read(&request)
}

/// The pairs as text, without the first parts of ARNs that are of the request.
fn pairs(asked: &Asked) -> Vec<String> {
    let name = |arn: &crate::aws::Arn| {
        let own = format!("arn:aws:{}:us-east-1:111122223333:", arn.service());
        arn.as_str()
            .strip_prefix(&own)
            .or(arn.as_str().strip_prefix("arn:aws:s3:::"))
            .unwrap_or(arn.as_str())
            .to_owned()
    };
    asked.pairs.iter().map(|(action, arn)| format!("{action} {}", arn.as_ref().map_or("*".to_owned(), name))).collect()
}

fn context(asked: &Asked) -> Vec<String> {
    let text = |(key, value): &(Cow<'_, str>, ContextValue<'_>)| format!("{key}={}", value.texts().join(","));
    asked.context.iter().map(text).collect()
}

fn json<'a>(headers: &'a [(&'a str, &'a str); 2], body: &'a str) -> Sent<'a> {
    Sent { method: "POST", target: "/", headers, body }
}

fn target(service: &str) -> (&'static str, &'static str) {
    match service {
        "dynamodb" => ("DynamoDB_20120810", "application/x-amz-json-1.0"),
        "sqs" => ("AmazonSQS", "application/x-amz-json-1.0"),
        "secretsmanager" => ("secretsmanager", "application/x-amz-json-1.1"),
        "ssm" => ("AmazonSSM", "application/x-amz-json-1.1"),
        "kms" => ("TrentService", "application/x-amz-json-1.1"),
        _ => panic!("{service} does not speak AWS JSON"),
    }
}

fn read_json(service: &str, operation: &str, body: &str) -> Result<Asked, Undetermined> {
    let (prefix, content_type) = target(service);
    let target = format!("{prefix}.{operation}");
    read(service, &json(&[("x-amz-target", &target), ("content-type", content_type)], body))
}

fn read_form(service: &str, body: &str) -> Result<Asked, Undetermined> {
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    read(service, &Sent { method: "POST", target: "/", headers: &headers, body })
}

fn read_rest(
    service: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Asked, Undetermined> {
    read(service, &Sent { method, target, headers, body })
}

/// Why requests of an operation are denied whatever the policies say.
const DENIED: &[(&str, &[&str], &str)] = &[
    ("dynamodb", &["BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"], "tables are named in PartiQL"),
    ("dynamodb", &["GetRecords"], "a shard iterator does not tell its stream"),
    (
        "dynamodb",
        &["CancelBulkOperation", "DescribeBulkOperation", "ListBulkOperations", "StartBulkPutItems"],
        "no action",
    ),
    ("kms", &["DeleteAlias", "UpdateAlias"], "the key behind an alias is the upstream's to know"),
    ("lambda", &["DeleteDurableExecution", "PauseDurableExecution", "ResumeDurableExecution"], "no action"),
    (
        "lambda",
        &[
            "SendDurableExecutionCallbackFailure",
            "SendDurableExecutionCallbackHeartbeat",
            "SendDurableExecutionCallbackSuccess",
        ],
        "a callback's id does not tell its function",
    ),
    ("s3", &["CreateSession", "RenameObject"], "directory buckets are another service's"),
    ("s3", &["WriteGetObjectResponse"], "Object Lambda is another service"),
    (
        "s3",
        &[
            "CreateBucketMetadataConfiguration",
            "CreateBucketMetadataTableConfiguration",
            "UpdateBucketMetadataAnnotationTableConfiguration",
            "UpdateBucketMetadataInventoryTableConfiguration",
            "UpdateBucketMetadataJournalTableConfiguration",
        ],
        "what they need of S3 Tables can't be told",
    ),
    (
        "secretsmanager",
        &["AssociateCrossAccountReplica", "DisassociateCrossAccountReplica", "ListResourcePolicies"],
        "no action",
    ),
    ("sqs", &["CancelMessageMoveTask"], "a task handle does not tell its queue"),
    (
        "ssm",
        &[
            "CreateAssociation",
            "CreateAssociationBatch",
            "DeleteAssociation",
            "DescribeAssociation",
            "DescribeEffectiveInstanceAssociations",
            "DescribeInstanceAssociationsStatus",
            "DescribeInstancePatchStates",
            "DescribeInstancePatches",
            "GetConnectionStatus",
            "GetDeployablePatchSnapshotForInstance",
            "PutComplianceItems",
            "PutInventory",
            "SendCommand",
            "StartAccessRequest",
            "StartAssociationsOnce",
            "StartAutomationExecution",
            "StartChangeRequestExecution",
            "StartExecutionPreview",
            "StartSession",
            "UpdateAssociation",
            "UpdateAssociationStatus",
            "UpdateManagedInstanceRole",
        ],
        "instances are other services', by id or by tags",
    ),
    (
        "ssm",
        &[
            "CreateActivation",
            "CreateCloudConnector",
            "CreateOpsMetadata",
            "CreateResourceDataSync",
            "DeleteOpsMetadata",
            "DeleteResourceDataSync",
            "GetOpsMetadata",
            "GetOpsSummary",
            "ListNodes",
            "ListNodesSummary",
            "UpdateCloudConnector",
            "UpdateOpsMetadata",
            "UpdateResourceDataSync",
            "ValidateCloudConnector",
        ],
        "roles, buckets or names that are made later",
    ),
    (
        "ssm",
        &[
            "CancelMaintenanceWindowExecution",
            "DeregisterTargetFromMaintenanceWindow",
            "DeregisterTaskFromMaintenanceWindow",
            "RegisterTargetWithMaintenanceWindow",
            "RegisterTaskWithMaintenanceWindow",
            "UpdateMaintenanceWindowTarget",
            "UpdateMaintenanceWindowTask",
        ],
        "what runs in a window is other services'",
    ),
    (
        "ssm",
        &[
            "GetAccessToken",
            "GetDefaultPatchBaseline",
            "GetExecutionPreview",
            "DeregisterDefaultHostManagementConfiguration",
            "RegisterDefaultHostManagementConfiguration",
        ],
        "the resource is not named",
    ),
];

/// Operations that S3 has under two names.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("ListDirectoryBuckets", "ListBuckets"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
];

#[test]
fn what_clients_send_is_told_or_denied_with_a_reason() {
    let denied = |service: &str, operation: &str| {
        DENIED.iter().any(|(of, operations, _)| *of == service && operations.contains(&operation))
    };
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    for line in fixture("requests.jsonl").lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        // The streams of DynamoDB are signed for DynamoDB.
        let service = recorded.service.strip_suffix("streams").unwrap_or(&recorded.service);
        let headers: Vec<_> = recorded.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let target =
            recorded.query.as_ref().map_or(recorded.path.clone(), |query| format!("{}?{query}", recorded.path));
        let body = recorded.body.unwrap_or_default();
        let sent = Sent { method: &recorded.method, target: &target, headers: &headers, body: &body };
        let operation = recorded.operation.as_str();
        let name = OTHER_NAMES.iter().find(|(other, _)| *other == operation).map_or(operation, |(_, name)| name);
        match read(service, &sent) {
            Ok(asked) if denied(service, operation) => {
                wrong.push(format!("{service} {operation}: {:?}", pairs(&asked)));
            }
            Ok(asked) if asked.operation != name => wrong.push(format!("{service} {operation}: {}", asked.operation)),
            Ok(asked) => {
                for (action, arn) in &asked.pairs {
                    if let Err(fault) =
                        hold_to_catalogue(action.service(), action.name(), arn.as_ref().map(crate::aws::Arn::as_str))
                    {
                        wrong.push(format!("{service} {operation}: {fault}"));
                    }
                }
                lines.push(format!("{service} {name}: {}", pairs(&asked).join(", ")));
            }
            Err(_) if denied(service, operation) => {}
            Err(undetermined) => wrong.push(format!("{service} {operation}: {undetermined}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let expected = fixture("asked.txt");
    let expected: Vec<&str> = expected.lines().collect();
    assert!(lines == expected, "asked.txt should be\n{}", lines.join("\n"));
}

/// An action of the catalogue, on a resource of a type that it has there, or on none where it needs none.
fn hold_to_catalogue(service: &str, action: &str, arn: Option<&str>) -> Result<(), String> {
    let known = catalogue::service(service).ok_or(format!("{service} is no service"))?;
    let found = known.action(action).filter(|found| found.name == action);
    let found = found.ok_or(format!("{service}:{action} is no action"))?;
    let types: Vec<_> = known.resource_types_of(found).collect();
    let is_right = match arn {
        // A secret need not be named to try a policy out.
        None => action == "ValidateResourcePolicy" || !types.iter().any(|(_, needed)| *needed),
        Some(arn) => types.iter().any(|(kind, _)| is_like(arn, kind.arn)),
    };
    is_right.then_some(()).ok_or(format!("{service}:{action} is not on {}", arn.unwrap_or("*")))
}

fn is_like(text: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return text == pattern };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| is_like(&rest[at..], after))
}

#[test]
fn definitions_name_what_the_catalogue_knows() {
    for service in ["dynamodb", "kms", "lambda", "s3", "secretsmanager", "sns", "sqs", "ssm"] {
        assert!(is_shipped(service));
        let definition = shipped(service).unwrap();
        for (operation, needs) in &definition.needs {
            for need in needs {
                let (service, action) = match &need.action {
                    Some(action) => (action.service().to_owned(), action.name().to_owned()),
                    None => (service.to_owned(), operation.clone()),
                };
                if need.on != On::Refused {
                    let found = catalogue::service(&service).and_then(|known| known.action(&action));
                    assert!(found.is_some_and(|found| found.name == action), "{service}:{action} of {operation}");
                }
            }
            let is_routed = definition.routes.iter().any(|route| route.operation == *operation);
            assert!(is_routed || !definition.protocol().is_rest(), "{operation} has no route");
        }
        for route in &definition.routes {
            assert!(definition.needs.contains_key(&route.operation), "{} has no resources", route.operation);
            assert!(route.other_query.is_some(), "{} may have any query", route.operation);
        }
        for rule in &definition.context {
            for operation in rule.operations.iter().flatten() {
                assert!(definition.needs.contains_key(operation), "{} of {operation}", rule.key);
            }
            let known = catalogue::service(service).unwrap();
            let key = if matches!(&*rule.key, "aws:requesttag" | "s3:requestobjecttag") {
                format!("{}/a", rule.key)
            } else {
                rule.key.to_string()
            };
            let is_known = known.keys().iter().any(|entry| entry.matches(&key)) || &*rule.key == "iam:passedtoservice";
            assert!(is_known, "{} is no condition key", rule.key);
        }
    }
}

/// A request that must be told, with the pairs and the condition keys that it has.
fn hold(asked: Result<Asked, Undetermined>, what: &str, expected: &[&str], keys: &[&str]) {
    let asked = asked.unwrap_or_else(|undetermined| panic!("{what}: {undetermined}"));
    assert_eq!(pairs(&asked), expected, "{what}");
    for key in keys {
        assert!(context(&asked).iter().any(|given| given == key), "{what}: {key} in {:?}", context(&asked));
    }
}

#[test]
fn dynamodb_is_told_by_table_and_index() {
    const TABLE: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/t";
    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        ("GetItem", r#"{"TableName":"t"}"#, &["dynamodb:GetItem table/t"], &[]),
        (
            "PutItem",
            r#"{"TableName":"t","ReturnValues":"ALL_OLD"}"#,
            &["dynamodb:PutItem table/t"],
            &["dynamodb:returnvalues=ALL_OLD"],
        ),
        (
            "UpdateItem",
            r#"{"TableName":"arn:aws:dynamodb:us-east-1:111122223333:table/t"}"#,
            &["dynamodb:UpdateItem table/t"],
            &[],
        ),
        ("DeleteItem", r#"{"TableName":"t","Key":{"a":{},"A":{}}}"#, &["dynamodb:DeleteItem table/t"], &[]),
        ("Query", r#"{"TableName":"t","Select":"COUNT"}"#, &["dynamodb:Query table/t"], &["dynamodb:select=COUNT"]),
        ("Query", r#"{"TableName":"t","IndexName":"i"}"#, &["dynamodb:Query table/t/index/i"], &[]),
        (
            "Scan",
            r#"{"TableName":"arn:aws:dynamodb:us-east-1:111122223333:table/t","IndexName":"i"}"#,
            &["dynamodb:Scan table/t/index/i"],
            &[],
        ),
        ("Scan", r#"{"TableName":"t","IndexName":null}"#, &["dynamodb:Scan table/t"], &[]),
        (
            "BatchGetItem",
            r#"{"RequestItems":{"a":{},"b":{}}}"#,
            &["dynamodb:BatchGetItem table/a", "dynamodb:BatchGetItem table/b"],
            &[],
        ),
        ("BatchWriteItem", r#"{"RequestItems":{"a":[]}}"#, &["dynamodb:BatchWriteItem table/a"], &[]),
        (
            "TransactWriteItems",
            r#"{"TransactItems":[{"Put":{"TableName":"a"}},{"Update":{"TableName":"b"}},{"ConditionCheck":{"TableName":"a"}},{"Delete":{"TableName":"c"}}]}"#,
            &[
                "dynamodb:ConditionCheckItem table/a",
                "dynamodb:DeleteItem table/c",
                "dynamodb:PutItem table/a",
                "dynamodb:UpdateItem table/b",
            ],
            &["dynamodb:enclosingoperation=TransactWriteItems"],
        ),
        (
            "CreateTable",
            r#"{"TableName":"t","Tags":[{"Key":"Team","Value":"a"},{"Key":"x","Value":""}]}"#,
            &["dynamodb:CreateTable table/t", "dynamodb:TagResource table/t"],
            &["aws:requesttag/team=a", "aws:requesttag/x=", "aws:tagkeys=Team,x"],
        ),
        ("ListTables", "{}", &["dynamodb:ListTables *"], &[]),
    ];
    for (operation, body, expected, keys) in cases {
        hold(read_json("dynamodb", operation, body), operation, expected, keys);
    }
    let streams =
        [("x-amz-target", "DynamoDBStreams_20120810.ListStreams"), ("content-type", "application/x-amz-json-1.0")];
    hold(read("dynamodb", &json(&streams, "{}")), "streams", &["dynamodb:ListStreams *"], &[]);
    let hostile = [
        ("GetItem", r#"{"TableName":"t","TableName":"u"}"#.to_owned()),
        ("GetItem", r#"{"TableName":"t","tableName":"u"}"#.to_owned()),
        ("GetItem", r#"{"tablename":"t"}"#.to_owned()),
        ("GetItem", r#"{"TableName":"t/index/i"}"#.to_owned()),
        ("GetItem", r#"{"TableName":"t:u"}"#.to_owned()),
        ("GetItem", r#"{"TableName":""}"#.to_owned()),
        ("GetItem", r#"{"TableName":" t"}"#.to_owned()),
        ("GetItem", r#"{"TableName":{"S":"t"}}"#.to_owned()),
        ("GetItem", "{}".to_owned()),
        ("GetItem", String::new()),
        ("GetItem", format!(r#"{{"TableName":"{TABLE}/index/i"}}"#)),
        ("GetItem", format!(r#"{{"TableName":"{}"}}"#, TABLE.replace("us-east-1", "eu-west-1"))),
        ("GetItem", format!(r#"{{"TableName":"{}"}}"#, TABLE.replace("111122223333", "444455556666"))),
        ("GetItem", format!(r#"{{"TableName":"{}"}}"#, TABLE.replace("dynamodb", "sqs"))),
        ("GetItem", format!(r#"{{"TableName":"{}"}}"#, TABLE.replace("aws:", "aws-cn:"))),
        // An index that some readers do not see, and one that is no text.
        ("Query", r#"{"TableName":"t","IndexName":""}"#.to_owned()),
        ("Query", r#"{"TableName":"t","indexName":"i"}"#.to_owned()),
        ("Query", r#"{"TableName":"t","IndexName":"i/../j"}"#.to_owned()),
        (
            "TransactWriteItems",
            r#"{"TransactItems":[{"Put":{"TableName":"a"},"Upsert":{"TableName":"b"}}]}"#.to_owned(),
        ),
        ("TransactWriteItems", r#"{"TransactItems":[{"put":{"TableName":"a"}}]}"#.to_owned()),
        ("TransactWriteItems", r#"{"TransactItems":[null,{"Put":{"TableName":"a"}}]}"#.to_owned()),
        ("TransactWriteItems", r#"{"TransactItems":[]}"#.to_owned()),
        ("TransactGetItems", r#"{"TransactItems":[{"Get":{"TableName":"a"}},{"Put":{"TableName":"b"}}]}"#.to_owned()),
        ("BatchGetItem", format!(r#"{{"RequestItems":{{"{TABLE}/stream/x":{{}}}}}}"#)),
        ("UpdateTable", r#"{"TableName":"t","ReplicaUpdates":[{"Create":{"RegionName":"eu-west-1"}}]}"#.to_owned()),
        ("DeleteBackup", format!(r#"{{"BackupArn":"{TABLE}"}}"#)),
        ("TagResource", r#"{"ResourceArn":"table/t","Tags":[]}"#.to_owned()),
        // Values that stand beside other names than they seem to.
        ("CreateTable", r#"{"TableName":"t","Tags":[{"Key":"a","Value":["1","2"]},{"Key":"b"}]}"#.to_owned()),
        ("CreateTable", r#"{"TableName":"t","Tags":[{"Key":"a","Value":"1"},{"Key":"A","Value":"2"}]}"#.to_owned()),
        ("NoSuchOperation", r#"{"TableName":"t"}"#.to_owned()),
    ];
    for (operation, body) in hostile {
        assert!(read_json("dynamodb", operation, &body).is_err(), "{operation} {body}");
    }
}

#[test]
fn a_request_is_of_one_protocol() {
    let body = r#"{"QueueUrl":"https://h/111122223333/q","MessageBody":"&Action=DeleteQueue&QueueUrl=x"}"#;
    let target = ("x-amz-target", "AmazonSQS.SendMessage");
    hold(
        read("sqs", &json(&[target, ("content-type", "application/x-amz-json-1.0")], body)),
        "sqs",
        &["sqs:SendMessage q"],
        &[],
    );
    for content_type in [
        "application/x-www-form-urlencoded",
        "application/x-amz-cbor-1.1",
        "text/plain",
        "application/x-amz-json-1.0; charset=utf-16",
        "",
    ] {
        assert!(read("sqs", &json(&[target, ("content-type", content_type)], body)).is_err(), "{content_type}");
    }
    let both =
        [target, ("content-type", "application/x-amz-json-1.0"), ("content-type", "application/x-www-form-urlencoded")];
    let post = |headers: &[(&str, &str)], target: &str| read("sqs", &Sent { method: "POST", target, headers, body });
    assert!(post(&both, "/").is_err());
    assert!(post(&both[..2], "/queue").is_err() && post(&both[..2], "/?Action=DeleteQueue").is_err());
    assert!(post(&[target, target, both[1]], "/").is_err());
    assert!(post(&[("x-amz-target", "Other.SendMessage"), both[1]], "/").is_err());
    assert!(post(&[both[1]], "/").is_err() && post(&[target], "/").is_err());
    assert!(post(&[target, both[1], ("content-encoding", "gzip")], "/").is_err());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let publish = "Action=ListTopics&Version=2010-03-31";
    let sns = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        read("sns", &Sent { method, target, headers, body })
    };
    hold(sns("POST", "/", &[form], publish), "sns", &["sns:ListTopics *"], &[]);
    hold(sns("GET", &format!("/?{publish}"), &[], ""), "sns", &["sns:ListTopics *"], &[]);
    assert!(sns("POST", "/", &[], publish).is_err());
    assert!(sns("POST", "/?Action=DeleteTopic", &[form], publish).is_err());
    assert!(sns("POST", "/", &[form], publish).is_ok());
    for path in ["//", "/x", "/moto-api/reset", "/a/../"] {
        assert!(sns("POST", path, &[form], publish).is_err(), "{path}");
    }
    assert!(sns("GET", &format!("/?{publish}"), &[form], publish).is_err());
    assert!(sns("POST", "/", &[form, ("x-amz-target", "x.y")], publish).is_err());
    assert!(
        sns("POST", "/", &[("content-type", "application/x-www-form-urlencoded; charset=utf-7")], publish).is_err()
    );
}

#[test]
fn sqs_and_sns_are_told_by_queue_and_topic() {
    let url = r#""QueueUrl":"https://sqs.us-east-1.amazonaws.com/111122223333/q""#;
    for operation in
        ["SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue", "SetQueueAttributes", "AddPermission"]
    {
        hold(read_json("sqs", operation, &format!("{{{url}}}")), operation, &[&format!("sqs:{operation} q")], &[]);
    }
    for (operation, action) in [
        ("SendMessageBatch", "SendMessage"),
        ("DeleteMessageBatch", "DeleteMessage"),
        ("ChangeMessageVisibilityBatch", "ChangeMessageVisibility"),
    ] {
        hold(read_json("sqs", operation, &format!("{{{url}}}")), operation, &[&format!("sqs:{action} q")], &[]);
    }
    let create = r#"{"QueueName":"q.fifo","tags":{"Team":"a"}}"#;
    hold(
        read_json("sqs", "CreateQueue", create),
        "tags",
        &["sqs:CreateQueue q.fifo", "sqs:TagQueue q.fifo"],
        &["aws:requesttag/team=a", "aws:tagkeys=Team"],
    );
    let tag = format!(r#"{{{url},"Tags":{{"Team":"a"}}}}"#);
    hold(read_json("sqs", "TagQueue", &tag), "tags", &["sqs:TagQueue q"], &["aws:requesttag/team=a"]);
    for body in [
        r#"{"QueueName":"q","Tags":{"Team":"a"}}"#,
        r#"{"QueueName":"q","tags":{"a":["1","2"],"b":[]}}"#,
        r#"{"QueueName":"a/b"}"#,
        r#"{"QueueName":"arn:aws:sqs:us-east-1:111122223333:q"}"#,
    ] {
        assert!(read_json("sqs", "CreateQueue", body).is_err(), "{body}");
    }
    let owner = |owner: &str| {
        read_json("sqs", "GetQueueUrl", &format!(r#"{{"QueueName":"q","QueueOwnerAWSAccountId":"{owner}"}}"#))
    };
    hold(owner("111122223333"), "owner", &["sqs:GetQueueUrl q"], &[]);
    assert!(owner("444455556666").is_err());
    assert!(
        read_json("sqs", "StartMessageMoveTask", r#"{"SourceArn":"arn:aws:sqs:us-east-1:111122223333:d"}"#).is_err()
    );

    let topic = "TopicArn=arn:aws:sns:us-east-1:111122223333:t";
    let cases: &[(String, &[&str], &[&str])] = &[
        (format!("Action=Publish&{topic}&Message=a"), &["sns:Publish t"], &[]),
        (format!("Action=PublishBatch&{topic}"), &["sns:Publish t"], &[]),
        ("Action=Publish&PhoneNumber=%2B15550100&Message=a".to_owned(), &["sns:Publish *"], &[]),
        (
            "Action=Publish&TargetArn=arn:aws:sns:us-east-1:111122223333:endpoint/GCM/app/1".to_owned(),
            &["sns:Publish endpoint/GCM/app/1"],
            &[],
        ),
        (
            format!("Action=Subscribe&{topic}&Protocol=https&Endpoint=https://h/"),
            &["sns:Subscribe t"],
            &["sns:protocol=https", "sns:endpoint=https://h/"],
        ),
        (
            "Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:111122223333:t:1-2".to_owned(),
            &["sns:Unsubscribe t"],
            &[],
        ),
        (
            "Action=CreateTopic&Name=t&Tags.member.1.Key=Team&Tags.member.1.Value=a".to_owned(),
            &["sns:CreateTopic t", "sns:TagResource t"],
            &["aws:requesttag/team=a", "aws:tagkeys=Team"],
        ),
        (
            format!(
                "Action=SetTopicAttributes&{topic}&AttributeName=HTTPSuccessFeedbackRoleArn&AttributeValue=arn:aws:iam::111122223333:role/r"
            ),
            &["sns:SetTopicAttributes t", "iam:PassRole arn:aws:iam::111122223333:role/r"],
            &["iam:passedtoservice=sns.amazonaws.com"],
        ),
    ];
    for (body, expected, keys) in cases {
        hold(read_form("sns", body), body, expected, keys);
    }
    // More than one target asks for all of them.
    hold(
        read_form("sns", &format!("Action=Publish&{topic}&PhoneNumber=1")),
        "both",
        &["sns:Publish t", "sns:Publish *"],
        &[],
    );
    for body in [
        format!("Action=Publish&{topic}&{topic}u"),
        format!("Action=Publish&Action=DeleteTopic&{topic}"),
        format!("Action=Publish&{topic}:u"),
        format!("Action=Publish&{topic}&topicArn=x"),
        "Action=Publish&TopicArn=t".to_owned(),
        "Action=Publish&Message=a".to_owned(),
        "Action=Publish&Message=a;PhoneNumber=1".to_owned(),
        "Action=Publish&TopicArn=arn:aws:sns:eu-west-1:111122223333:t".to_owned(),
        "Action=Publish&TopicArn=arn:aws:sqs:us-east-1:111122223333:t".to_owned(),
        "Action=CreateTopic&Name=t&Attributes.entry.1.key=LambdaSuccessFeedbackRoleArn&Attributes.entry.1.value=x"
            .to_owned(),
        "Action=CreateTopic&Name=t&Tags.member.1.Key=a&Tags.member.2.Value=b".to_owned(),
        topic.to_owned(),
    ] {
        assert!(read_form("sns", &body).is_err(), "{body}");
    }
}

#[test]
fn secrets_and_parameters_are_told_by_their_names() {
    let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:";
    let get = |id: &str| read_json("secretsmanager", "GetSecretValue", &format!(r#"{{"SecretId":"{id}"}}"#));
    hold(get("prod/db"), "name", &["secretsmanager:GetSecretValue secret:prod/db-??????"], &[]);
    hold(get("prod-master"), "name", &["secretsmanager:GetSecretValue secret:prod-master-??????"], &[]);
    hold(get(&format!("{arn}prod/db-AbC123")), "ARN", &["secretsmanager:GetSecretValue secret:prod/db-AbC123"], &[]);
    hold(get(&format!("{arn}prod/db")), "part", &["secretsmanager:GetSecretValue secret:prod/db-??????"], &[]);
    hold(
        get(&format!("{arn}prod-master")),
        "either",
        &[
            "secretsmanager:GetSecretValue secret:prod-master",
            "secretsmanager:GetSecretValue secret:prod-master-??????",
        ],
        &[],
    );
    for id in ["", "a:b", "a*", "db-??????", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db"] {
        assert!(get(id).is_err(), "{id}");
    }
    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        (
            "BatchGetSecretValue",
            r#"{"SecretIdList":["a","b"]}"#,
            &["BatchGetSecretValue *", "GetSecretValue secret:a-??????", "GetSecretValue secret:b-??????"],
            &[],
        ),
        (
            "CreateSecret",
            r#"{"Name":"a","Tags":[{"Key":"k","Value":"v"}],"AddReplicaRegions":[{"Region":"eu-west-1"}]}"#,
            &[
                "CreateSecret secret:a-??????",
                "TagResource secret:a-??????",
                "ReplicateSecretToRegions secret:a-??????",
            ],
            &["aws:requesttag/k=v", "secretsmanager:name=a", "secretsmanager:addreplicaregions=eu-west-1"],
        ),
        (
            "DeleteSecret",
            r#"{"SecretId":"a","ForceDeleteWithoutRecovery":true}"#,
            &["DeleteSecret secret:a-??????"],
            &["secretsmanager:forcedeletewithoutrecovery=true"],
        ),
        (
            "DeleteSecret",
            r#"{"SecretId":"a"}"#,
            &["DeleteSecret secret:a-??????"],
            &["secretsmanager:forcedeletewithoutrecovery=false"],
        ),
        ("ValidateResourcePolicy", "{}", &["ValidateResourcePolicy *"], &[]),
    ];
    for (operation, body, expected, keys) in cases {
        let expected: Vec<String> = expected.iter().map(|pair| format!("secretsmanager:{pair}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        hold(read_json("secretsmanager", operation, body), operation, &expected, keys);
    }
    for (operation, body) in [
        ("BatchGetSecretValue", r#"{"Filters":[{"Key":"all"}]}"#),
        ("BatchGetSecretValue", r#"{"SecretIdList":["a"],"Filters":[{"Key":"all"}]}"#),
        ("CreateSecret", r#"{"Name":"arn:aws:secretsmanager:us-east-1:111122223333:secret:a"}"#),
        ("ValidateResourcePolicy", r#"{"SecretId":""}"#),
    ] {
        assert!(read_json("secretsmanager", operation, body).is_err(), "{operation} {body}");
    }

    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        ("GetParameter", r#"{"Name":"a"}"#, &["GetParameter parameter/a"], &[]),
        ("GetParameter", r#"{"Name":"/a/b:3"}"#, &["GetParameter parameter/a/b"], &[]),
        (
            "GetParameter",
            r#"{"Name":"arn:aws:ssm:us-east-1:111122223333:parameter/a/b"}"#,
            &["GetParameter parameter/a/b"],
            &[],
        ),
        (
            "GetParameters",
            r#"{"Names":["a","/b/c"]}"#,
            &["GetParameters parameter/a", "GetParameters parameter/b/c"],
            &[],
        ),
        ("GetParametersByPath", r#"{"Path":"/"}"#, &["GetParametersByPath parameter/"], &["ssm:recursive=false"]),
        (
            "GetParametersByPath",
            r#"{"Path":"/a/","Recursive":true}"#,
            &["GetParametersByPath parameter/a"],
            &["ssm:recursive=true"],
        ),
        ("PutParameter", r#"{"Name":"a","Overwrite":true}"#, &["PutParameter parameter/a"], &["ssm:overwrite=true"]),
        ("PutParameter", r#"{"Name":"a"}"#, &["PutParameter parameter/a"], &["ssm:overwrite=false"]),
        (
            "PutParameter",
            r#"{"Name":"a","Tags":[{"Key":"k","Value":"v"}]}"#,
            &["PutParameter parameter/a", "AddTagsToResource parameter/a"],
            &["aws:requesttag/k=v"],
        ),
        ("DeleteParameters", r#"{"Names":["a"]}"#, &["DeleteParameters parameter/a"], &[]),
        (
            "ListTagsForResource",
            r#"{"ResourceType":"Document","ResourceId":"d"}"#,
            &["ListTagsForResource document/d"],
            &[],
        ),
        ("GetDocument", r#"{"Name":"d"}"#, &["GetDocument document/d"], &[]),
    ];
    for (operation, body, expected, keys) in cases {
        let expected: Vec<String> = expected.iter().map(|pair| format!("ssm:{pair}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        hold(read_json("ssm", operation, body), operation, &expected, keys);
    }
    for (operation, body) in [
        ("GetParameter", r#"{"Name":"/aws/reference/secretsmanager/db"}"#),
        ("GetParameter", r#"{"Name":"arn:aws:ssm:us-east-1:444455556666:parameter/a"}"#),
        ("GetParameter", r#"{"Name":"/a/../b"}"#),
        ("GetParameter", r#"{"Name":"//a"}"#),
        ("GetParameters", r#"{"Names":["a","b:c:d"]}"#),
        ("GetParameters", r#"{"Names":[]}"#),
        ("ListTagsForResource", r#"{"ResourceType":"Other","ResourceId":"d"}"#),
        ("SendCommand", r#"{"DocumentName":"d"}"#),
    ] {
        assert!(read_json("ssm", operation, body).is_err(), "{operation} {body}");
    }
}

#[test]
fn a_key_behind_the_gateway_is_told_by_its_id() {
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{id}");
    for key in [id, arn.as_str()] {
        let asked = read_json("kms", "Decrypt", &format!(r#"{{"KeyId":"{key}","CiphertextBlob":"AA=="}}"#));
        hold(asked, key, &[&format!("kms:Decrypt key/{id}")], &[]);
    }
    let both = format!(r#"{{"SourceKeyId":"{id}","DestinationKeyId":"mrk-1"}}"#);
    hold(
        read_json("kms", "ReEncrypt", &both),
        "both",
        &[&format!("kms:ReEncryptFrom key/{id}"), "kms:ReEncryptTo key/mrk-1"],
        &[],
    );
    for (operation, body) in [
        ("Decrypt", r#"{"CiphertextBlob":"AA=="}"#),
        ("Encrypt", r#"{"KeyId":"alias/a"}"#),
        ("Encrypt", r#"{"KeyId":"arn:aws:kms:us-east-1:111122223333:alias/a"}"#),
        ("Encrypt", r#"{"KeyId":"arn:aws:kms:eu-west-1:111122223333:key/1"}"#),
        ("ReEncrypt", r#"{"DestinationKeyId":"mrk-1"}"#),
        ("UpdateAlias", r#"{"AliasName":"alias/a","TargetKeyId":"mrk-1"}"#),
        ("RetireGrant", r#"{"GrantToken":"t"}"#),
        ("RetireGrant", r#"{"GrantToken":"t","KeyId":"mrk-1"}"#),
    ] {
        assert!(read_json("kms", operation, body).is_err(), "{operation} {body}");
    }
}

#[test]
fn a_function_is_told_with_its_qualifier() {
    const F: &str = "/2015-03-31/functions";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("POST", "/f/invocations", "", &["lambda:InvokeFunction function:f"]),
        ("POST", "/f:prod/invocations", "", &["lambda:InvokeFunction function:f:prod"]),
        ("POST", "/f/invocations?Qualifier=prod", "", &["lambda:InvokeFunction function:f:prod"]),
        ("POST", "/111122223333:function:f:1/invocations", "", &["lambda:InvokeFunction function:f:1"]),
        (
            "POST",
            "/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Af/invocations",
            "",
            &["lambda:InvokeFunction function:f"],
        ),
        (
            "POST",
            "/arn:aws:lambda:us-east-1:111122223333:function:f:1/invocations",
            "",
            &["lambda:InvokeFunction function:f:1"],
        ),
        ("GET", "/f", "", &["lambda:GetFunction function:f"]),
        ("GET", "/", "", &["lambda:ListFunctions *"]),
        ("GET", "?MaxItems=1", "", &["lambda:ListFunctions *"]),
        ("DELETE", "/f?Qualifier=1", "", &["lambda:DeleteFunction function:f:1"]),
        ("PUT", "/f/code", r#"{"ZipFile":"AA=="}"#, &["lambda:UpdateFunctionCode function:f"]),
        (
            "PUT",
            "/f/code",
            r#"{"S3Bucket":"code","S3Key":"a/b.zip"}"#,
            &["lambda:UpdateFunctionCode function:f", "s3:GetObject code/a/b.zip"],
        ),
        (
            "POST",
            "",
            r#"{"FunctionName":"f","Role":"arn:aws:iam::111122223333:role/r","Code":{"ZipFile":""},"Tags":{"k":"v"}}"#,
            &[
                "lambda:CreateFunction function:f",
                "iam:PassRole arn:aws:iam::111122223333:role/r",
                "lambda:TagResource function:f",
            ],
        ),
    ];
    let headers = [("content-type", "application/json")];
    for (method, target, body, expected) in cases {
        hold(read_rest("lambda", method, &format!("{F}{target}"), &headers, body), target, expected, &[]);
    }
    let layer = read_rest("lambda", "GET", "/2018-10-31/layers/l/versions/3", &[], "");
    hold(layer, "layer", &["lambda:GetLayerVersion layer:l:3"], &[]);
    let untag = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Af?tagKeys=a&tagKeys=b";
    hold(
        read_rest("lambda", "DELETE", untag, &[], ""),
        "tags",
        &["lambda:UntagResource function:f"],
        &["aws:tagkeys=a,b"],
    );
    for (method, target, body) in [
        ("POST", "/function:f/invocations", ""),
        ("POST", "/111122223333:f/invocations", ""),
        ("POST", "/us-east-1:f/invocations", ""),
        ("POST", "/444455556666:function:f/invocations", ""),
        ("POST", "/f:prod/invocations?Qualifier=test", ""),
        ("POST", "/f/invocations?Qualifier=", ""),
        ("POST", "/f/invocations?Qualifier=a&Qualifier=b", ""),
        ("POST", "/f/invocations?Other=a", ""),
        ("POST", "/f%2Fg/invocations", ""),
        ("POST", "/../functions/f/invocations", ""),
        ("POST", "/x/%2e%2e/f/invocations", ""),
        ("POST", "//f/invocations", ""),
        ("POST", "/arn:aws:lambda:eu-west-1:111122223333:function:f/invocations", ""),
        ("PUT", "/f:prod/code", r#"{"ZipFile":"AA=="}"#),
        ("PUT", "/f/code", r#"{"ImageUri":"111122223333.dkr.ecr.us-east-1.amazonaws.com/a"}"#),
        ("PUT", "/f/configuration", r#"{"Role":"r"}"#),
        ("POST", "", r#"{"FunctionName":"f","Code":{}}"#),
    ] {
        assert!(read_rest("lambda", method, &format!("{F}{target}"), &headers, body).is_err(), "{method} {target}");
    }
    assert!(read_rest("lambda", "GET", "/2018-10-31/layers/l/versions/03", &[], "").is_err());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert!(read_rest("lambda", "PUT", &format!("{F}/f/code"), &form, r#"{"ZipFile":"AA=="}"#).is_err());
    let other = [("x-http-method-override", "DELETE")];
    assert!(read_rest("lambda", "GET", &format!("{F}/f"), &other, "").is_err());
}

#[test]
fn an_object_is_told_by_bucket_key_and_version() {
    type Hostile<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a [&'a str], &'a [&'a str]);
    const DELETE: &str =
        "<Delete><Object><Key>a</Key></Object><Object><Key>b/c</Key><VersionId>1</VersionId></Object></Delete>";
    let cases: &[Case<'_>] = &[
        ("GET", "/", &[], "", &["s3:ListAllMyBuckets *"], &[]),
        ("GET", "/bkt/a/b%20c", &[], "", &["s3:GetObject bkt/a/b c"], &["s3:resourceaccount=111122223333"]),
        ("HEAD", "/bkt/k?x-id=HeadObject", &[], "", &["s3:GetObject bkt/k"], &[]),
        ("GET", "/bkt/k?versionId=3", &[], "", &["s3:GetObjectVersion bkt/k"], &[]),
        ("GET", "/bkt/k?X-Amz-Signature=0&X-Amz-Date=x", &[], "", &["s3:GetObject bkt/k"], &[]),
        ("GET", "/bkt/k?tagging", &[], "", &["s3:GetObjectTagging bkt/k"], &[]),
        ("GET", "/bkt/k?acl=&versionId=3", &[], "", &["s3:GetObjectVersionAcl bkt/k"], &[]),
        ("GET", "/bkt/k?attributes", &[], "", &["s3:GetObject bkt/k", "s3:GetObjectAttributes bkt/k"], &[]),
        ("GET", "/bkt/k?uploadId=1", &[], "", &["s3:ListMultipartUploadParts bkt/k"], &[]),
        ("PUT", "/bkt/k", &[], "", &["s3:PutObject bkt/k"], &["s3:objectcreationoperation=true"]),
        ("PUT", "/bkt/folder/", &[], "", &["s3:PutObject bkt/folder/"], &[]),
        (
            "PUT",
            "/bkt/k",
            &[("x-amz-acl", "private"), ("x-amz-tagging", "Team=a%20b&x"), ("x-amz-object-lock-mode", "GOVERNANCE")],
            "",
            &[
                "s3:PutObject bkt/k",
                "s3:PutObjectAcl bkt/k",
                "s3:PutObjectTagging bkt/k",
                "s3:PutObjectRetention bkt/k",
            ],
            &["s3:x-amz-acl=private", "s3:requestobjecttag/team=a b", "s3:requestobjecttagkeys=Team,x"],
        ),
        (
            "PUT",
            "/bkt/k?partNumber=1&uploadId=u",
            &[],
            "",
            &["s3:PutObject bkt/k"],
            &["s3:objectcreationoperation=false"],
        ),
        (
            "PUT",
            "/bkt/k",
            &[("x-amz-copy-source", "/src/a%2Fb")],
            "",
            &["s3:GetObject src/a/b", "s3:PutObject bkt/k"],
            &["s3:x-amz-copy-source=src/a/b"],
        ),
        (
            "PUT",
            "/bkt/k?partNumber=1&uploadId=u",
            &[("x-amz-copy-source", "src/a?versionId=3")],
            "",
            &["s3:GetObjectVersion src/a", "s3:PutObject bkt/k"],
            &[],
        ),
        ("POST", "/bkt/k?uploads", &[], "", &["s3:PutObject bkt/k"], &[]),
        ("POST", "/bkt/k?uploadId=u", &[], "", &["s3:PutObject bkt/k"], &[]),
        ("DELETE", "/bkt/k?uploadId=u", &[], "", &["s3:AbortMultipartUpload bkt/k"], &[]),
        (
            "DELETE",
            "/bkt/k?versionId=3",
            &[("x-amz-bypass-governance-retention", "true")],
            "",
            &["s3:DeleteObjectVersion bkt/k", "s3:BypassGovernanceRetention bkt/k"],
            &[],
        ),
        ("POST", "/bkt?delete", &[], DELETE, &["s3:DeleteObject bkt/a", "s3:DeleteObjectVersion bkt/b/c"], &[]),
        (
            "GET",
            "/bkt?list-type=2&prefix=a%2F&delimiter=%2F&max-keys=5",
            &[],
            "",
            &["s3:ListBucket bkt"],
            &["s3:prefix=a/", "s3:delimiter=/", "s3:max-keys=5"],
        ),
        ("GET", "/bkt/", &[], "", &["s3:ListBucket bkt"], &[]),
        ("GET", "/bkt?versions", &[], "", &["s3:ListBucketVersions bkt"], &[]),
        ("GET", "/bkt?uploads", &[], "", &["s3:ListBucketMultipartUploads bkt"], &[]),
        ("HEAD", "/bkt", &[], "", &["s3:ListBucket bkt"], &[]),
        ("PUT", "/bkt", &[("x-amz-acl", "private")], "", &["s3:CreateBucket bkt", "s3:PutBucketAcl bkt"], &[]),
        ("GET", "/bkt?location", &[], "", &["s3:GetBucketLocation bkt"], &[]),
        ("PUT", "/bkt?policy", &[], "{}", &["s3:PutBucketPolicy bkt"], &[]),
        ("DELETE", "/bkt?cors", &[], "", &["s3:PutBucketCORS bkt"], &[]),
        (
            "PUT",
            "/bkt/k?tagging",
            &[],
            "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>",
            &["s3:PutObjectTagging bkt/k"],
            &["s3:requestobjecttag/a=1", "s3:requestobjecttag/b=", "s3:requestobjecttagkeys=a,b"],
        ),
    ];
    for (method, target, headers, body, expected, keys) in cases {
        hold(read_rest("s3", method, target, headers, body), &format!("{method} {target}"), expected, keys);
    }
    let hostile: &[Hostile<'_>] = &[
        // Sub-resources that nobody knows, that are two, or that hide as something else.
        ("GET", "/bkt/k?unknown", &[], ""),
        ("GET", "/bkt/k?acl&tagging", &[], ""),
        ("GET", "/bkt/k?ACL", &[], ""),
        ("GET", "/bkt/k?versionId=1&versionId=2", &[], ""),
        ("GET", "/bkt/k?versionId=", &[], ""),
        ("GET", "/bkt/k?a;acl", &[], ""),
        ("GET", "/bkt?session", &[], ""),
        ("PUT", "/bkt/k?X-Amz-Acl=public-read", &[], ""),
        ("PUT", "/bkt/k?x-amz-copy-source=src%2Fa", &[], ""),
        ("PUT", "/bkt/k?renameObject", &[("x-amz-rename-source", "a")], ""),
        // Keys that another reader finds elsewhere.
        ("GET", "/bkt/a/../b", &[], ""),
        ("GET", "/bkt/a%2F..%2Fb", &[], ""),
        ("GET", "/bkt/%2e%2e/other/k", &[], ""),
        ("GET", "/bkt//k", &[], ""),
        ("GET", "//bkt/k", &[], ""),
        ("GET", "/bkt%2Fk", &[], ""),
        ("GET", "/bkt/%ff", &[], ""),
        // Buckets that are something else.
        ("GET", "/arn%3Aaws%3As3%3Aus-east-1%3A111122223333%3Aaccesspoint%2Fp/k", &[], ""),
        ("GET", "/point-abc-s3alias/k", &[], ""),
        ("GET", "/b--use1-az1--x-s3/k", &[], ""),
        ("GET", "/Bucket/k", &[], ""),
        // Copies.
        ("PUT", "/bkt/k", &[("x-amz-copy-source", "")], ""),
        ("PUT", "/bkt/k", &[("x-amz-copy-source", "src/a+b")], ""),
        ("PUT", "/bkt/k", &[("x-amz-copy-source", "src/../other/a")], ""),
        ("PUT", "/bkt/k", &[("x-amz-copy-source", "src/a?versionId=1?versionId=2")], ""),
        ("PUT", "/bkt/k", &[("x-amz-tagging", "a=1;b=2")], ""),
        ("PUT", "/bkt/k", &[("x-amz-tagging", "a=1&A=2")], ""),
        ("PUT", "/bkt/k", &[("x-amz-acl", "private"), ("x-amz-acl", "public-read")], ""),
        ("PUT", "/bkt/k", &[("x-http-method-override", "DELETE")], ""),
        ("PUT", "/bkt/k", &[("x-amz-target", "DynamoDB_20120810.DeleteTable")], ""),
        // Lists that are read in two ways.
        ("POST", "/bkt?delete", &[("content-type", "multipart/form-data; boundary=b")], DELETE),
        ("POST", "/bkt", &[("content-type", "multipart/form-data; boundary=b")], ""),
        ("POST", "/bkt?delete", &[], ""),
        ("POST", "/bkt?delete", &[], "<Delete/>"),
        ("POST", "/bkt?delete", &[], "<Delete><Object/></Delete>"),
        ("POST", "/bkt?delete", &[], "<Delete><Object><key>a</key></Object></Delete>"),
        ("POST", "/bkt?delete", &[], "<Delete><Object><Key>a</Key><VersionId/></Object></Delete>"),
        ("POST", "/bkt?delete", &[], "<Delete><Object><Key>a<!-- -->b</Key></Object></Delete>"),
        ("POST", "/bkt?delete", &[], "<Delete><Object><Key> a</Key></Object></Delete>"),
        ("POST", "/bkt?delete", &[], "<Delete><Object><Key>a/../b</Key></Object></Delete>"),
        (
            "POST",
            "/bkt?delete",
            &[],
            "<!DOCTYPE d [<!ENTITY e \"a\">]><Delete><Object><Key>&e;</Key></Object></Delete>",
        ),
        (
            "POST",
            "/bkt?delete",
            &[],
            "<?xml version=\"1.0\" encoding=\"UTF-16\"?><Delete><Object><Key>a</Key></Object></Delete>",
        ),
        (
            "PUT",
            "/bkt/k?tagging",
            &[],
            "<Tagging><TagSet><Tag><Key>a</Key><Key>x</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value><Value>3</Value></Tag></TagSet></Tagging>",
        ),
        (
            "POST",
            "/bkt/k?restore",
            &[],
            "<RestoreRequest><OutputLocation><S3><BucketName>b</BucketName></S3></OutputLocation></RestoreRequest>",
        ),
        ("PATCH", "/bkt/k", &[], ""),
    ];
    for (method, target, headers, body) in hostile {
        let asked = read_rest("s3", method, target, headers, body);
        assert!(asked.is_err(), "{method} {target} {headers:?} {body}: {:?}", asked.map(|asked| pairs(&asked)));
    }
    // As many as S3 takes, and one more.
    let many = |count: usize| {
        let objects: String = (0..count)
            .flat_map(|index| ["<Object><Key>".to_owned(), index.to_string(), "</Key></Object>".to_owned()])
            .collect();
        read_rest("s3", "POST", "/bkt?delete", &[], &format!("<Delete>{objects}</Delete>"))
    };
    assert_eq!(many(1_000).unwrap().pairs.len(), 1_000);
    assert!(many(1_001).is_err());
}

#[test]
fn a_large_body_is_read_only_where_it_decides() {
    let headers = HeaderMap::new();
    let region: Region = "us-east-1".parse().unwrap();
    let reads = |service: &str, method: &str, path: &str, query: Option<&str>| {
        let account = "111122223333".parse().unwrap();
        let request = ServiceRequest { method, path, query, headers: &headers, body: None, region: &region, account };
        shipped(service).unwrap().reads_body(&request).unwrap()
    };
    assert!(!reads("s3", "PUT", "/bkt/k", None));
    assert!(!reads("s3", "PUT", "/bkt/k", Some("partNumber=1&uploadId=u")));
    assert!(!reads("s3", "GET", "/bkt/k", None));
    assert!(reads("s3", "POST", "/bkt", Some("delete")));
    assert!(!reads("lambda", "POST", "/2015-03-31/functions/f/invocations", None));
    assert!(reads("lambda", "POST", "/2015-03-31/functions", None));
}
