//! Grants.

use super::dice::Dice;
use super::names::{
    ACCOUNT, EVE, FEDERATED, OTHER_ACCOUNT, OTHER_ROLE, OTHER_ROOT, OTHER_SESSION, ROLE, ROOT, SESSION, USER,
};
use crate::interpreter::Grant;

const GRANTEES: [&str; 11] =
    [USER, USER, ROLE, ROLE, SESSION, FEDERATED, EVE, OTHER_ROLE, OTHER_SESSION, ROOT, OTHER_ROOT];
const OPERATIONS: [&str; 8] =
    ["Decrypt", "Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey", "RetireGrant", "ReEncryptFrom", "Sign"];

pub(super) fn grant(dice: &mut Dice) -> Grant {
    let pairs = |dice: &mut Dice| {
        let names = dice.some(&["Dept", "Dept", "dept", "Tenant"], 0, 2);
        names.into_iter().map(|name| (name.to_owned(), (*dice.pick(&["dev", "a", "b"])).to_owned())).collect()
    };
    Grant {
        grantee: (*dice.pick(&GRANTEES)).to_owned(),
        retiring: dice.maybe(30, |dice| (*dice.pick(&GRANTEES)).to_owned()),
        issuing_account: dice.maybe(40, |dice| (*dice.pick(&[ACCOUNT, OTHER_ACCOUNT])).to_owned()),
        operations: dice.some(&OPERATIONS, 1, 4).into_iter().map(str::to_owned).collect(),
        equals: dice.maybe(20, pairs),
        subset: dice.maybe(20, pairs),
        source_arn: dice.maybe(10, |_| "arn:aws:s3:::b".to_owned()),
    }
}
