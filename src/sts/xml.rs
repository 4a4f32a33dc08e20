//! Answers in XML (Smithy, "AWS Query protocol", "Response serialization").

use jiff::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::aws::xml::escaped;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element on its way: text that grew would leave secrets behind, so there is room for a long token.
pub(super) struct Element(Zeroizing<String>);

impl Element {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(64 << 10)))
    }

    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        let text = Zeroizing::new(escaped(value));
        for part in ["<", name, ">", &text, "</", name, ">"] {
            self.0.push_str(part);
        }
        self
    }

    pub(super) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn time(self, name: &str, value: Timestamp) -> Self {
        self.text(name, &format!("{value:.0}"))
    }

    pub(super) fn element(mut self, name: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        for part in ["<", name, ">"] {
            self.0.push_str(part);
        }
        let mut filled = fill(self);
        for part in ["</", name, ">"] {
            filled.0.push_str(part);
        }
        filled
    }

    /// The whole answer of an operation.
    pub(super) fn answer(operation: &str, request_id: Uuid, fill: impl FnOnce(Self) -> Self) -> Zeroizing<String> {
        let mut out = Self::new();
        for part in ["<", operation, "Response xmlns=\"", NAMESPACE, "\">"] {
            out.0.push_str(part);
        }
        let mut out = out
            .element(&format!("{operation}Result"), fill)
            .element("ResponseMetadata", |metadata| metadata.text("RequestId", &request_id.to_string()));
        for part in ["</", operation, "Response>"] {
            out.0.push_str(part);
        }
        out.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_awss_shape_and_no_text_breaks_out_of_it() {
        let answer = Element::answer("GetCallerIdentity", Uuid::nil(), |result| {
            result.text("Arn", "a<b>&c").optional("Nothing", None).time("Expiration", Timestamp::UNIX_EPOCH)
        });
        assert_eq!(
            answer.as_str(),
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>a&lt;b&gt;&amp;c</Arn><Expiration>1970-01-01T00:00:00Z</Expiration></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>"
        );
    }
}
