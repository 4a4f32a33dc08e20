use http::request::Parts;

use super::form::Form;
use super::respond::Failure;

const TARGET: &str = "x-amz-target";
const QUERY_TARGET: &str = "X-Amz-Target=";

/// What stands before the operation's name in a target.
const PREFIX: &str = "TrentService.";

/// The operation that a verified request names, as it names it: whether KMS has it is asked of
/// the engine.
pub(super) fn operation(parts: &Parts, form: Option<Form>) -> Result<&str, Failure> {
    let mut headers = parts.headers.get_all(TARGET).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(unknown("there is more than one X-Amz-Target header"));
    }
    let query = parts.uri.query().filter(|query| !query.is_empty());
    let target = match (form, header, query) {
        (None, _, _) => {
            return Err(unknown("the Content-Type must be application/x-amz-json-1.1, or application/json"));
        }
        (_, Some(header), None) => header.to_str().map_err(|_| unknown("the X-Amz-Target header is not ASCII"))?,
        (Some(Form::PlainJson), None, Some(query)) => query
            .strip_prefix(QUERY_TARGET)
            .filter(|target| !target.contains('&'))
            .ok_or_else(|| validation("the query may hold X-Amz-Target and nothing else"))?,
        (Some(Form::PlainJson), Some(_), Some(_)) => {
            return Err(validation("the target is given in the header or in the query, not in both"));
        }
        (Some(_), _, Some(_)) => return Err(validation("the query must be empty")),
        (_, None, None) => return Err(unknown("there is no X-Amz-Target")),
    };
    target.strip_prefix(PREFIX).ok_or_else(|| unknown("the target must be TrentService.<Operation>"))
}

fn unknown(why: &'static str) -> Failure {
    Failure::client("UnknownOperationException", why)
}

fn validation(why: &'static str) -> Failure {
    Failure::client("ValidationException", why)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of(form: Option<Form>, uri: &str, targets: &[&str]) -> Result<String, &'static str> {
        let builder = Request::builder().uri(uri);
        let builder = targets.iter().fold(builder, |builder, target| builder.header(TARGET, *target));
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        operation(&parts, form).map(str::to_owned).map_err(|failure| failure.code)
    }

    #[test]
    fn the_target_is_in_one_place_and_spelled_in_one_way() {
        let (aws, plain) = (Some(Form::AwsJson), Some(Form::PlainJson));
        let name = Ok("CreateKey".to_owned());
        assert_eq!(of(aws, "/", &["TrentService.CreateKey"]), name);
        assert_eq!(of(plain, "/?", &["TrentService.CreateKey"]), name);
        assert_eq!(of(plain, "/?X-Amz-Target=TrentService.CreateKey", &[]), name);
        let (unknown, invalid) = (Err("UnknownOperationException"), Err("ValidationException"));
        assert_eq!(of(None, "/", &["TrentService.CreateKey"]), unknown);
        assert_eq!(of(aws, "/", &[]), unknown);
        assert_eq!(of(aws, "/", &["TrentService.CreateKey", "TrentService.CreateKey"]), unknown);
        assert_eq!(of(aws, "/", &["trentservice.CreateKey"]), unknown);
        assert_eq!(of(aws, "/", &["DynamoDB.CreateKey"]), unknown);
        assert_eq!(of(aws, "/?X-Amz-Target=TrentService.CreateKey", &[]), invalid);
        assert_eq!(of(plain, "/?X-Amz-Target=TrentService.CreateKey", &["TrentService.CreateKey"]), invalid);
        assert_eq!(of(plain, "/?X-Amz-Target=TrentService.CreateKey&a=b", &[]), invalid);
        assert_eq!(of(plain, "/?x-amz-target=TrentService.CreateKey", &[]), invalid);
    }
}
