use std::sync::Arc;

use http::request::Parts;

use super::super::call::Call;
use super::super::respond::Failure;
use super::{Content, Upstream, virtual_host};
use crate::authz::{AuthzRequest, Check, Resource, Subject, Supplied};
use crate::services::{Asked, ServiceRequest, Undetermined};

/// A request to an upstream with all that it asks for.
pub(in super::super) struct Forward {
    parts: Parts,
    content: Content,
    operation: String,
    is_read_only: bool,
    checks: Vec<Check>,
}

impl Subject for Forward {
    fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl Forward {
    /// Reads what a request asks for. Its body is read first where that decides.
    ///
    /// # Errors
    /// Access is denied where it can't be told; a body that is not the one that was signed is refused.
    pub(in super::super) async fn resolve(
        call: &Call,
        upstream: Arc<Upstream>,
        parts: Parts,
        content: Content,
    ) -> Result<Self, Failure> {
        let parts = virtual_host::by_path(parts, &upstream.virtual_hosts).map_err(|why| denied(call, why))?;
        let definition = &upstream.definition;
        let account = upstream.account.unwrap_or(call.identity.caller.account);
        let mut request = ServiceRequest {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            body: None,
            region: &call.surroundings.region,
            account,
        };
        let denied = |undetermined: Undetermined| denied(call, &undetermined.to_string());
        let content = match content {
            Content::Streamed(stream) if definition.reads_body(&request).map_err(denied)? => {
                let limit = upstream.max_body_bytes;
                Content::Whole(stream.collect(limit).await.map_err(|fault| Failure::of_content(&fault, call.form))?)
            }
            content => content,
        };
        if let Content::Whole(body) = &content {
            request.body = Some(body);
        }
        let Asked { operation, pairs, context, is_read_only } = definition.read(&request).map_err(denied)?;
        // What is on no resource is done for the account whose resources these are, which no policy could
        // open to another one's callers.
        let for_account = pairs.iter().find(|(_, arn)| arn.is_none());
        if let Some((action, _)) = for_account.filter(|_| account != call.identity.caller.account) {
            let principal = &call.identity.caller.principal;
            let text = format!("User: {principal} is not authorized to perform: {action} for account {account}");
            return Err(Failure::client("AccessDeniedException", text));
        }
        let check = |(action, arn): (crate::aws::ActionName, Option<crate::aws::Arn>)| Check {
            resource_policy: arn.as_ref().and_then(|arn| upstream.resource_policy(arn)).cloned(),
            request: AuthzRequest {
                caller: Arc::clone(&call.identity.caller),
                action,
                resource: arn.map_or(Resource::None, |arn| Resource::Other {
                    account: arn.account().is_empty().then_some(account),
                    arn,
                }),
                operation: context.clone(),
                surroundings: Arc::clone(&call.surroundings),
                supplied: Supplied::All,
                determined: Some(Arc::clone(definition.determined())),
            },
            grants: Vec::new(),
            encryption_context: None,
            cross_account: true,
            through_ciphertext: false,
        };
        let checks = pairs.into_iter().map(check).collect();
        Ok(Self { parts, content, operation, is_read_only, checks })
    }

    pub(in super::super) fn operation(&self) -> &str {
        &self.operation
    }

    pub(in super::super) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    pub(super) fn into_parts(self) -> (Parts, Content) {
        (self.parts, self.content)
    }
}

/// A request of which it can't be told what it asks for.
fn denied(call: &Call, why: &str) -> Failure {
    let principal = &call.identity.caller.principal;
    let text = format!("User: {principal} is not authorized: what the request asks for cannot be determined: {why}");
    Failure::client("AccessDeniedException", text)
}
