use crate::aws::Arn;
use crate::aws::json::{raw, text};

/// Appends the keys and aliases concerned, as CloudTrail's member `resources`.
pub(super) fn write(arns: &[Arn], out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'[');
    for (index, arn) in arns.iter().enumerate() {
        raw(out, if index == 0 { "{" } else { ",{" });
        // A bucket's name does not tell its account.
        if !arn.account().is_empty() {
            raw(out, "\"accountId\":");
            text(out, arn.account())?;
            out.push(b',');
        }
        if let Some(resource_type) = resource_type(arn) {
            raw(out, "\"type\":\"");
            raw(out, resource_type);
            raw(out, "\",");
        }
        raw(out, "\"ARN\":");
        text(out, arn.as_str())?;
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}

/// The type as AWS CloudFormation names it; none where keystile does not know it.
fn resource_type(arn: &Arn) -> Option<&'static str> {
    let resource = arn.resource();
    match arn.service() {
        "kms" if resource.starts_with("alias/") => Some("AWS::KMS::Alias"),
        "kms" => Some("AWS::KMS::Key"),
        "iam" if resource.starts_with("role/") => Some("AWS::IAM::Role"),
        "dynamodb" if resource.starts_with("table/") => Some("AWS::DynamoDB::Table"),
        "sqs" => Some("AWS::SQS::Queue"),
        "sns" => Some("AWS::SNS::Topic"),
        "secretsmanager" => Some("AWS::SecretsManager::Secret"),
        "ssm" if resource.starts_with("parameter/") => Some("AWS::SSM::Parameter"),
        "lambda" if resource.starts_with("function:") => Some("AWS::Lambda::Function"),
        "s3" if resource.contains('/') => Some("AWS::S3::Object"),
        "s3" => Some("AWS::S3::Bucket"),
        _ => None,
    }
}
