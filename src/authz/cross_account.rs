//! Caller and resource are of two accounts (IAM User Guide, "Cross-account policy evaluation
//! logic").

use super::Decision;
use super::answer::{Answer, OwnSide, allow};
use super::flow::Question;

impl Question<'_> {
    /// The resource policy must allow, and the caller's own account too.
    pub(super) fn both_sides(&self, policy: &Answer, own: &OwnSide) -> Decision {
        if !self.inputs.applicable.cross_account || !policy.allows() {
            return self.silent_resource();
        }
        match own.silent() {
            None => allow(policy.allowing().chain(own.allowing()).collect()),
            Some(layer) => self.silent(layer),
        }
    }
}
