//! Where the engine's rows lie in the store: ordered keys, so that every question is a look-up
//! or one range.
//!
//! ```text
//! kms/meta                                              which root key sealed this data
//! kms/clock                                             the test clock's offset
//! kms/k/<account>/<region>/<key>                        the key's record
//! kms/p/<account>/<region>/<key>/<sha256>               its policy's text, where it is not the default
//! kms/m/<account>/<region>/<key>/<material id>          wrapped key material
//! kms/m/<account>/<region>/<store>/credential           the wrapped credential of a store's proxy
//! kms/m/sessions/sealing-key                            the wrapped key that seals session tokens
//! kms/r/<account>/<region>/<key>/<be32 number>          its rotations; both of a multi-Region key
//!                                                       under the region `multi-region`
//! kms/u/<account>/<region>/<key>                        its last use
//! kms/a/<account>/<region>/<alias name>                 aliases
//! kms/g/<account>/<region>/<key>/<grant>                its grants
//! kms/h/<account>/<region>/<key>/<grantee>              how many grants a grantee has on it, by a hash
//! kms/i/<account>/<region>/<key>/<grantee>/<grant>      its grants by grantee
//! kms/j/<account>/<region>/<key>/<hash>                 its named grants, by all that they were asked as
//! kms/c/<account>/<region>/<key>/<shard>                how many grants it has, in shards
//! kms/t/<region>/<principal>/<account>/<key>/<grant>    grants by retiring principal, by a hash
//! kms/n/<account>/<region>/<shard>                      how many keys, in shards
//! kms/xs/<account>/<region>/<store>                     a custom key store's record
//! kms/xn/<account>/<region>/<hash>                      its id, by its name
//! kms/xu/<account>/<region>/<hash>                      its id, by its proxy's endpoint and path
//! kms/xk/<account>/<region>/<store>/<external key>      its keys
//! kms/xc/<account>/<region>                             how many stores
//! kms/d/<be64 milliseconds>/<what>/<account>/<region>/<key>   what is due
//! kms/e/<be64 milliseconds>/<event id>                  service events not yet in the audit log
//! ```

use std::ops::Range;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::custom_key_stores::CustomKeyStoreName;
use super::key_id::KeyId;
use super::name::{AliasName, KeyName};
use super::xks::Place;
use crate::aws::{AccountId, Region};

pub(super) const META: &[u8] = b"kms/meta";
pub(super) const CLOCK: &[u8] = b"kms/clock";
const MATERIALS: &[u8] = b"kms/m/";
/// Among the key material, so that it moves with it to another root key, and into backups.
pub(super) const SEALING_KEY: &[u8] = b"kms/m/sessions/sealing-key";
const DUE: &[u8] = b"kms/d/";
const EVENTS: &[u8] = b"kms/e/";

/// Shards of an account's count of keys in a region, so that creations seldom meet.
pub(super) const COUNT_SHARDS: u8 = 16;

fn of_key(kind: char, name: &KeyName) -> String {
    use std::fmt::Write as _;
    let mut row = String::with_capacity(160);
    let _ = write!(row, "kms/{kind}/{}/{}/{}", name.account.as_str(), name.region.as_str(), name.id);
    row
}

pub(super) fn key(name: &KeyName) -> Vec<u8> {
    of_key('k', name).into_bytes()
}

pub(super) fn last_use(name: &KeyName) -> Vec<u8> {
    of_key('u', name).into_bytes()
}

pub(super) fn keys(account: AccountId, region: &Region) -> Vec<u8> {
    format!("kms/k/{account}/{region}/").into_bytes()
}

pub(super) fn policy(name: &KeyName, hash: &str) -> Vec<u8> {
    (of_key('p', name) + "/" + hash).into_bytes()
}

/// What all Regions of a multi-Region key have in common lies under this name.
const ALL_REGIONS: &str = "multi-region";

/// A row of what belongs to the key's material: to its Region, or to all of them.
fn of_material(kind: char, name: &KeyName) -> String {
    let region = if name.id.is_multi_region() { ALL_REGIONS } else { name.region.as_str() };
    format!("kms/{kind}/{}/{region}/{}/", name.account, name.id)
}

pub(super) fn material(name: &KeyName, id: &str) -> Vec<u8> {
    (of_material('m', name) + id).into_bytes()
}

pub(super) fn materials(name: &KeyName) -> Vec<u8> {
    of_material('m', name).into_bytes()
}

/// The key material of every key.
pub(super) fn all_materials() -> Range<Vec<u8>> {
    under(MATERIALS)
}

/// What names a row's material: its account, region, key (or custom key store) and id, as the row
/// spells them.
pub(super) fn material_name(row: &[u8]) -> Option<&[u8]> {
    row.strip_prefix(MATERIALS)
}

pub(super) fn rotations(name: &KeyName) -> Vec<u8> {
    of_material('r', name).into_bytes()
}

pub(super) fn rotation(name: &KeyName, number: u32) -> Vec<u8> {
    let mut row = rotations(name);
    row.extend_from_slice(&number.to_be_bytes());
    row
}

pub(super) fn alias(name: &AliasName) -> Vec<u8> {
    format!("kms/a/{}/{}/{}", name.account, name.region, name.name).into_bytes()
}

pub(super) fn aliases(account: AccountId, region: &Region) -> Vec<u8> {
    format!("kms/a/{account}/{region}/").into_bytes()
}

pub(super) fn counts(account: AccountId, region: &Region) -> Vec<u8> {
    format!("kms/n/{account}/{region}/").into_bytes()
}

pub(super) fn count(name: &KeyName) -> Vec<u8> {
    let shard = name.id.bytes()[0] % COUNT_SHARDS;
    let mut row = counts(name.account, &name.region);
    row.extend_from_slice(format!("{shard:02x}").as_bytes());
    row
}

pub(super) fn grants(name: &KeyName) -> Vec<u8> {
    (of_key('g', name) + "/").into_bytes()
}

pub(super) fn grant(name: &KeyName, id: &str) -> Vec<u8> {
    (of_key('g', name) + "/" + id).into_bytes()
}

/// Everything of a key's grants but the grants: the prefixes of its indexes.
pub(super) fn grant_indexes(name: &KeyName) -> [Vec<u8>; 4] {
    ['h', 'i', 'j', 'c'].map(|kind| (of_key(kind, name) + "/").into_bytes())
}

pub(super) fn grantee(name: &KeyName, principal: &str) -> Vec<u8> {
    (of_key('h', name) + "/" + &short_hash(principal)).into_bytes()
}

pub(super) fn grants_of_grantee(name: &KeyName, principal: &str) -> Vec<u8> {
    (of_key('i', name) + "/" + &short_hash(principal) + "/").into_bytes()
}

pub(super) fn grant_of_grantee(name: &KeyName, principal: &str, id: &str) -> Vec<u8> {
    [grants_of_grantee(name, principal).as_slice(), id.as_bytes()].concat()
}

pub(super) fn named_grant(name: &KeyName, hash: &str) -> Vec<u8> {
    (of_key('j', name) + "/" + hash).into_bytes()
}

pub(super) fn grant_counts(name: &KeyName) -> Vec<u8> {
    (of_key('c', name) + "/").into_bytes()
}

/// The shard of a key's count of grants that a grant is counted in.
pub(super) fn grant_count(name: &KeyName, id: &str) -> Vec<u8> {
    let shard = id.bytes().next().map_or('0', char::from);
    (of_key('c', name) + "/" + &shard.to_string()).into_bytes()
}

/// Shards of a key's count of grants: a grant's id is hexadecimal.
pub(super) const GRANT_COUNT_SHARDS: usize = 16;

pub(super) fn retirable(region: &Region, principal: &str) -> Vec<u8> {
    format!("kms/t/{region}/{}/", short_hash(principal)).into_bytes()
}

pub(super) fn retirable_grant(name: &KeyName, principal: &str, id: &str) -> Vec<u8> {
    let of_principal = retirable(&name.region, principal);
    [of_principal.as_slice(), format!("{}/{}/{id}", name.account, name.id).as_bytes()].concat()
}

/// What a row of the index by retiring principal says: the key and the grant's id.
pub(super) fn read_retirable<'a>(region: &Region, rest: &'a [u8]) -> Option<(KeyName, &'a str)> {
    let mut parts = std::str::from_utf8(rest).ok()?.split('/');
    let (account, id, grant) = (parts.next()?, parts.next()?, parts.next()?);
    Some((KeyName { account: account.parse().ok()?, region: region.clone(), id: KeyId::read(id)? }, grant))
}

/// 128 bits of a text's hash: names are long, and hold slashes.
fn short_hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..16])
}

fn of_store(kind: &str, name: &CustomKeyStoreName) -> String {
    format!("kms/{kind}/{}/{}/{}", name.account, name.region, name.id)
}

pub(super) fn custom_key_store(name: &CustomKeyStoreName) -> Vec<u8> {
    of_store("xs", name).into_bytes()
}

pub(super) fn custom_key_stores(account: AccountId, region: &Region) -> Vec<u8> {
    format!("kms/xs/{account}/{region}/").into_bytes()
}

pub(super) fn custom_key_store_count(account: AccountId, region: &Region) -> Vec<u8> {
    format!("kms/xc/{account}/{region}").into_bytes()
}

pub(super) fn custom_key_store_named(account: AccountId, region: &Region, name: &str) -> Vec<u8> {
    format!("kms/xn/{account}/{region}/{}", short_hash(name)).into_bytes()
}

pub(super) fn custom_key_store_at(account: AccountId, region: &Region, place: &Place) -> Vec<u8> {
    let hash = short_hash(&[place.host.as_str(), place.path.as_str()].concat());
    format!("kms/xu/{account}/{region}/{hash}").into_bytes()
}

/// Among the key material, so that whatever wraps that anew wraps this too.
pub(super) fn proxy_credential(name: &CustomKeyStoreName) -> Vec<u8> {
    (of_store("m", name) + "/credential").into_bytes()
}

pub(super) fn external_keys(name: &CustomKeyStoreName) -> Vec<u8> {
    (of_store("xk", name) + "/").into_bytes()
}

pub(super) fn external_key(name: &CustomKeyStoreName, xks_key: &str) -> Vec<u8> {
    (of_store("xk", name) + "/" + xks_key).into_bytes()
}

/// What falls due for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Rotation,
    Deletion,
    /// Of imported key material.
    Expiry,
}

pub(super) fn due(when: i64, what: Due, name: &KeyName) -> Vec<u8> {
    let mut row = DUE.to_vec();
    row.extend_from_slice(&milliseconds(when));
    row.extend_from_slice(match what {
        Due::Rotation => b"/rotation/",
        Due::Deletion => b"/deletion/",
        Due::Expiry => b"/expiry/",
    });
    row.extend_from_slice(format!("{}/{}/{}", name.account, name.region, name.id).as_bytes());
    row
}

/// Everything due at `now` or before.
pub(super) fn due_until(now: Timestamp) -> Range<Vec<u8>> {
    let mut end = DUE.to_vec();
    end.extend_from_slice(&milliseconds(now.as_millisecond().saturating_add(1)));
    DUE.to_vec()..end
}

pub(super) fn all_due() -> Range<Vec<u8>> {
    under(DUE)
}

/// What a row of the index of dates says.
pub(super) fn read_due(row: &[u8]) -> Option<(i64, KeyName)> {
    let rest = row.strip_prefix(DUE)?;
    let (when, rest) = rest.split_at_checked(8)?;
    let when = i64::try_from(u64::from_be_bytes(when.try_into().ok()?)).ok()?;
    let mut parts = std::str::from_utf8(rest).ok()?.strip_prefix('/')?.split('/').skip(1);
    let (account, region, id) = (parts.next()?, parts.next()?, parts.next()?);
    Some((when, KeyName { account: account.parse().ok()?, region: region.parse().ok()?, id: KeyId::read(id)? }))
}

pub(super) fn event(when: i64, id: Uuid) -> Vec<u8> {
    let mut row = EVENTS.to_vec();
    row.extend_from_slice(&milliseconds(when));
    row.push(b'/');
    row.extend_from_slice(id.as_hyphenated().to_string().as_bytes());
    row
}

pub(super) fn all_events() -> Range<Vec<u8>> {
    under(EVENTS)
}

/// All rows that begin with a prefix.
pub(super) fn under(prefix: &[u8]) -> Range<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    prefix.to_vec()..end
}

/// All rows that begin with a prefix and come after one of them.
pub(super) fn under_after(prefix: &[u8], last: &[u8]) -> Range<Vec<u8>> {
    let mut start = [prefix, last].concat();
    start.push(0);
    start..under(prefix).end
}

fn milliseconds(when: i64) -> [u8; 8] {
    u64::try_from(when).unwrap_or(0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_dates_sorts_by_date_and_reads_back() {
        let name = KeyName {
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            id: KeyId::of([7; 16], false),
        };
        let (early, late) = (due(1, Due::Rotation, &name), due(1 << 40, Due::Deletion, &name));
        assert!(early < late);
        assert_eq!(read_due(&late), Some((1 << 40, name.clone())));
        let until = due_until(Timestamp::from_millisecond(1).unwrap());
        assert!(until.contains(&early) && !until.contains(&due(2, Due::Rotation, &name)));
        assert!(all_due().contains(&late));
    }
}
