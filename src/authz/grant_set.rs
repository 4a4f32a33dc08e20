//! The grants of one grantee on one key, so indexed that a request meets those alone that can
//! decide it: tens of thousands of grants cost a look-up.

use std::collections::{BTreeMap, HashMap};

use super::Grant;
use super::grants::reads_encryption_context;
use crate::aws::ActionName;

/// Most grants that do not match which an explanation of a denial is shown.
const SHOWN: usize = 4;

/// The grants of one grantee on one key, the oldest first.
#[derive(Debug, Default)]
pub struct GrantSet {
    grants: Vec<Grant>,
    /// By operation, whatever the constraints.
    covering: HashMap<String, Vec<usize>>,
    /// By operation: without a constraint on the encryption context.
    free: HashMap<String, Vec<usize>>,
    /// By operation and the whole context of `EncryptionContextEquals`.
    equals: HashMap<(String, BTreeMap<String, String>), Vec<usize>>,
    /// By operation and the rarest pair of `EncryptionContextSubset`: what many have in common tells
    /// little.
    subsets: HashMap<(String, String, String), Vec<usize>>,
}

impl GrantSet {
    /// The set of grants that are given in the order of their creation.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Self {
        let mut set = Self::default();
        let mut times: HashMap<(&String, &String), usize> = HashMap::new();
        for pair in grants.iter().filter_map(|grant| grant.constraints.encryption_context_subset.as_ref()).flatten() {
            *times.entry(pair).or_default() += 1;
        }
        for (at, grant) in grants.iter().enumerate() {
            for operation in &grant.operations {
                let operation = operation.to_ascii_lowercase();
                let covering = set.covering.entry(operation.clone()).or_default();
                if !covering.iter().any(|known: &usize| is_of_the_same(&grants[*known], grant)) {
                    covering.push(at);
                }
                let constraints = &grant.constraints;
                let place = match (&constraints.encryption_context_equals, &constraints.encryption_context_subset) {
                    (Some(equals), _) => set.equals.entry((operation, equals.clone())).or_default(),
                    (None, Some(subset)) => {
                        let rarest = subset.iter().min_by_key(|pair| times.get(pair));
                        let (key, value) = rarest.map(|(key, value)| (key.clone(), value.clone())).unwrap_or_default();
                        set.subsets.entry((operation, key, value)).or_default()
                    }
                    (None, None) => set.free.entry(operation).or_default(),
                };
                // Of grants that decide alike the oldest stands for all.
                if !place.iter().any(|known: &usize| decides_alike(&grants[*known], grant)) {
                    place.push(at);
                }
            }
        }
        set.grants = grants;
        set
    }

    /// How many grants there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// Appends what may allow an action under an encryption context, the oldest first; where
    /// nothing does, a few that do not, for the explanation.
    pub fn candidates(&self, action: &ActionName, context: Option<&BTreeMap<String, String>>, into: &mut Vec<Grant>) {
        let operation = action.name().to_ascii_lowercase();
        let mut found: Vec<usize> = Vec::new();
        if reads_encryption_context(action) {
            found.extend(self.free.get(&operation).into_iter().flatten());
            let given = context.cloned().unwrap_or_default();
            for (key, value) in &given {
                let anchor = (operation.clone(), key.clone(), value.clone());
                found.extend(self.subsets.get(&anchor).into_iter().flatten());
            }
            found.extend(self.equals.get(&(operation, given)).into_iter().flatten());
        } else {
            found.extend(self.covering.get(&operation).into_iter().flatten());
        }
        if found.is_empty() {
            into.extend(self.grants.iter().take(SHOWN).cloned());
            return;
        }
        found.sort_unstable();
        found.dedup();
        into.extend(found.into_iter().map(|at| self.grants[at].clone()));
    }
}

/// Whether two grants of one grantee decide every request for their common operations alike.
fn decides_alike(one: &Grant, other: &Grant) -> bool {
    is_of_the_same(one, other) && one.constraints == other.constraints
}

/// Whether two grants differ in their constraints at most: a principal that was made anew under the
/// same name is another, and the issuer's account counts.
fn is_of_the_same(one: &Grant, other: &Grant) -> bool {
    one.grantee == other.grantee && one.issuing_account == other.issuing_account
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::GrantConstraints;
    use crate::aws::Principal;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn grant(id: &str, operations: &[&str], constraints: GrantConstraints) -> Grant {
        let grantee: Principal = "arn:aws:iam::111122223333:user/alice".parse().unwrap();
        Grant {
            id: Some(id.to_owned()),
            grantee: grantee.into(),
            retiring: None,
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
            constraints,
            issuing_account: "111122223333".parse().unwrap(),
        }
    }

    fn equals(of: &[(&str, &str)]) -> GrantConstraints {
        GrantConstraints { encryption_context_equals: Some(pairs(of)), ..GrantConstraints::default() }
    }

    fn subset(of: &[(&str, &str)]) -> GrantConstraints {
        GrantConstraints { encryption_context_subset: Some(pairs(of)), ..GrantConstraints::default() }
    }

    fn found(set: &GrantSet, operation: &str, context: &[(&str, &str)]) -> Vec<String> {
        let mut into = Vec::new();
        set.candidates(&format!("kms:{operation}").parse().unwrap(), Some(&pairs(context)), &mut into);
        into.into_iter().filter_map(|grant| grant.id).collect()
    }

    #[test]
    fn a_request_meets_what_may_allow_it() {
        let set = GrantSet::new(vec![
            grant("equals", &["Decrypt"], equals(&[("a", "1"), ("b", "2")])),
            grant("subset", &["Decrypt", "Encrypt"], subset(&[("a", "1")])),
            grant("free", &["Encrypt", "DescribeKey"], GrantConstraints::default()),
            grant("free again", &["Encrypt"], GrantConstraints::default()),
        ]);
        assert_eq!(found(&set, "Decrypt", &[("a", "1"), ("b", "2")]), ["equals", "subset"]);
        assert_eq!(found(&set, "decrypt", &[("a", "1"), ("c", "2")]), ["subset"]);
        assert_eq!(found(&set, "Encrypt", &[("a", "1")]), ["subset", "free"]);
        assert_eq!(found(&set, "Encrypt", &[]), ["free"]);
        assert_eq!(found(&set, "DescribeKey", &[("a", "1")]), ["free"]);
    }

    #[test]
    fn where_nothing_allows_an_explanation_has_something_to_say() {
        let all: Vec<Grant> =
            (0..100).map(|n| grant(&n.to_string(), &["Decrypt"], equals(&[("a", &n.to_string())]))).collect();
        let set = GrantSet::new(all);
        assert_eq!(found(&set, "Decrypt", &[("a", "57")]), ["57"]);
        assert_eq!(found(&set, "Decrypt", &[("a", "x")]).len(), SHOWN);
    }

    #[test]
    fn a_grant_of_the_principal_that_had_the_name_before_hides_no_later_one() {
        let of_old = grant("old", &["DescribeKey", "Decrypt"], GrantConstraints::default());
        let grantee = crate::authz::GrantPrincipal { unique_id: Some("AIDAOLD".to_owned()), ..of_old.grantee.clone() };
        let of_new = grant("new", &["DescribeKey", "Decrypt"], GrantConstraints::default());
        let set = GrantSet::new(vec![Grant { grantee, ..of_old }, of_new]);
        assert_eq!(found(&set, "DescribeKey", &[]), ["old", "new"]);
        assert_eq!(found(&set, "Decrypt", &[]), ["old", "new"]);
    }

    #[test]
    fn what_many_grants_have_in_common_is_not_what_they_are_found_by() {
        let all: Vec<Grant> = (0..1000)
            .map(|n| grant(&n.to_string(), &["Decrypt"], subset(&[("app", "x"), ("volume", &n.to_string())])))
            .collect();
        let set = GrantSet::new(all);
        assert_eq!(found(&set, "Decrypt", &[("app", "x"), ("volume", "57"), ("z", "1")]), ["57"]);
    }

    #[test]
    fn many_that_decide_alike_are_one() {
        let set = GrantSet::new(
            (0..1000).map(|n| grant(&n.to_string(), &["Decrypt"], GrantConstraints::default())).collect(),
        );
        assert_eq!(found(&set, "Decrypt", &[]), ["0"]);
        assert_eq!(set.len(), 1000);
    }
}
