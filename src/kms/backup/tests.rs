use data_encoding::BASE64;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::seal::{Keyring, RootKey};

fn root_key(byte: u8) -> RootKey {
    RootKey::from_base64(&BASE64.encode(&[byte; 32])).unwrap()
}

/// The layout once more, by hand.
fn written(format: u32, rows: &[(&[u8], &[u8])], key: &RootKey) -> Vec<u8> {
    let header = BackupHeader {
        release: "0.1.0".to_owned(),
        time: "1970-01-01T00:00:00Z".to_owned(),
        revision: 7,
        root_key_id: root_key(1).id(),
        next_root_key_id: None,
    };
    let long = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let mut out = [&b"keystile backup\n"[..], &format.to_be_bytes()].concat();
    out.extend(long(&serde_json::to_vec(&header).unwrap()));
    for (row, value) in rows {
        out.extend([vec![1], long(row), long(value)].concat());
    }
    out.push(0);
    out.extend((rows.len() as u64).to_be_bytes());
    let hash = Sha256::digest(&out);
    out.extend(hash);
    out.extend(key.authenticate(b"keystile backup v1", &hash));
    out
}

fn check(bytes: &[u8]) -> Result<u64, BackupError> {
    BackupReader::new(bytes)?.check(&Keyring::from(root_key(1)))
}

const ROWS: &[(&[u8], &[u8])] = &[(b"kms/a", b"one"), (b"kms/b", b""), (b"kms/c", &[7; 300])];

#[test]
fn a_whole_backup_is_read() {
    let bytes = written(1, ROWS, &root_key(1));
    assert_eq!(check(&bytes).unwrap(), 3);
    let reader = BackupReader::new(&bytes[..]).unwrap();
    assert_eq!((reader.header().revision, reader.check_whole().unwrap()), (7, 3));
    assert_eq!(check(&written(1, &[], &root_key(1))).unwrap(), 0);
}

#[test]
fn each_refusal_says_why() {
    let says = |bytes: &[u8]| check(bytes).unwrap_err().to_string();
    let bytes = written(1, ROWS, &root_key(1));
    assert!(says(b"").contains("no backup"));
    assert!(says(b"{\"a\": 1, \"b\": \"something else entirely\"}").contains("no backup"));
    assert!(says(&written(2, ROWS, &root_key(1))).contains("format 2; this one reads formats up to 1"));
    assert!(says(&bytes[..bytes.len() - 1]).contains("cut"));
    assert!(says(&[&bytes[..], b"x"].concat()).contains("bytes after its end"));
    // The hash is right, but whoever wrote it had not the key.
    assert!(says(&written(1, ROWS, &root_key(2))).contains("holder of the root key"));
    let other = BackupReader::new(&bytes[..]).unwrap().check(&Keyring::from(root_key(2))).unwrap_err().to_string();
    assert!(other.contains(&root_key(1).id()) && other.contains("not found"), "{other}");
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = written(1, ROWS, &root_key(1));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(check(&bytes).is_err());
    }

    #[test]
    fn any_cut_is_refused(at: prop::sample::Index) {
        let bytes = written(1, ROWS, &root_key(1));
        prop_assert!(check(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
        prop_assert!(check(&bytes).is_err());
        let mut begun = written(1, &[], &root_key(1))[..20].to_vec();
        begun.extend(bytes);
        prop_assert!(check(&begun).is_err());
    }
}
