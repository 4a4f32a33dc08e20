use crate::aws::Arn;
use crate::aws::json::{raw, text};

/// Appends the keys and aliases concerned, as CloudTrail's member `resources`.
pub(super) fn write(arns: &[Arn], out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'[');
    for (index, arn) in arns.iter().enumerate() {
        raw(out, if index == 0 { "{\"accountId\":" } else { ",{\"accountId\":" });
        text(out, arn.account())?;
        let is_alias = arn.resource().starts_with("alias/");
        raw(out, ",\"type\":\"");
        raw(out, if is_alias { "AWS::KMS::Alias" } else { "AWS::KMS::Key" });
        raw(out, "\",\"ARN\":");
        text(out, arn.as_str())?;
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}
