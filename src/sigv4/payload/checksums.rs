use aws_lc_rs::digest;
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};
use data_encoding::BASE64;
use http::HeaderMap;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

use crate::sigv4::query;
use crate::sigv4::refusal::Refusal;
use crate::sigv4::verify::Received;

/// The headers, and trailers, that carry a checksum of the body, in base64. Others of the name
/// `x-amz-checksum-…` are left to whom the body goes to.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
const KINDS: [(&str, Kind); 8] = [
    ("content-md5", Kind::Md5),
    ("x-amz-checksum-crc32", Kind::Crc32),
    ("x-amz-checksum-crc32c", Kind::Crc32c),
    ("x-amz-checksum-crc64nvme", Kind::Crc64Nvme),
    ("x-amz-checksum-md5", Kind::Md5),
    ("x-amz-checksum-sha1", Kind::Sha1),
    ("x-amz-checksum-sha256", Kind::Sha256),
    ("x-amz-checksum-sha512", Kind::Sha512),
];

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// The checksums that a request has for its body, each with that of what came so far.
#[derive(Default)]
pub(in crate::sigv4) struct Checksums(Vec<Checksum>);

struct Checksum {
    header: &'static str,
    /// As it was sent; `None` until its trailer comes.
    expected: Option<Vec<u8>>,
    sum: Sum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

enum Sum {
    Crc32(crc::Digest<'static, u32, Table<16>>),
    Crc64(crc::Digest<'static, u64, Table<16>>),
    Md5(Md5),
    Sha1(digest::Context),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Checksums {
    /// Those in the headers. Where an upload is completed, they are the object's and not the
    /// body's: `Content-MD5` alone then counts.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
    pub(in crate::sigv4) fn of_head(received: &Received<'_>) -> Result<Self, Refusal> {
        let completes_upload = received.method == "POST" && query::has(received.query, "uploadId");
        let mut checksums = Self::default();
        for (header, kind) in KINDS {
            if completes_upload && header != "content-md5" {
                continue;
            }
            for value in received.headers.get_all(header) {
                let expected = Some(kind.read(header, value.as_bytes())?);
                checksums.0.push(Checksum { header, expected, sum: kind.begin() });
            }
        }
        Ok(checksums)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A trailer will have one. Whether it is of a kind that is known.
    pub(super) fn announce(&mut self, name: &str) -> bool {
        let known = KINDS.into_iter().find(|(header, _)| *header == name);
        if let Some((header, kind)) = known {
            self.0.push(Checksum { header, expected: None, sum: kind.begin() });
        }
        known.is_some()
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for checksum in &mut self.0 {
            checksum.sum.update(bytes);
        }
    }

    /// The trailers came.
    pub(super) fn expect_all(&mut self, trailers: &HeaderMap) -> Result<(), Refusal> {
        for checksum in self.0.iter_mut().filter(|checksum| checksum.expected.is_none()) {
            let value = trailers.get(checksum.header).map(|value| value.as_bytes()).unwrap_or_default();
            let kind = KINDS.into_iter().find(|(header, _)| *header == checksum.header);
            checksum.expected = kind.map(|(header, kind)| kind.read(header, value)).transpose()?;
        }
        Ok(())
    }

    /// The whole of a body at once.
    pub(in crate::sigv4) fn check(mut self, body: &[u8]) -> Result<(), Refusal> {
        self.update(body);
        self.finish()
    }

    pub(super) fn finish(self) -> Result<(), Refusal> {
        for Checksum { header, expected, sum } in self.0 {
            if expected != Some(sum.finish()) {
                return Err(Refusal::checksum_differs(header));
            }
        }
        Ok(())
    }
}

impl Kind {
    fn begin(self) -> Sum {
        match self {
            Self::Crc32 => Sum::Crc32(CRC32.digest()),
            Self::Crc32c => Sum::Crc32(CRC32C.digest()),
            Self::Crc64Nvme => Sum::Crc64(CRC64NVME.digest()),
            Self::Md5 => Sum::Md5(Md5::new()),
            Self::Sha1 => Sum::Sha1(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            Self::Sha256 => Sum::Sha256(Sha256::new()),
            Self::Sha512 => Sum::Sha512(Box::new(Sha512::new())),
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Base64 of as many bytes as the kind has.
    fn read(self, header: &str, value: &[u8]) -> Result<Vec<u8>, Refusal> {
        let bytes = BASE64.decode(value.trim_ascii()).ok().filter(|bytes| bytes.len() == self.size());
        bytes.ok_or_else(|| Refusal::checksum_syntax(header))
    }
}

impl Sum {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(sum) => sum.update(bytes),
            Self::Crc64(sum) => sum.update(bytes),
            Self::Md5(sum) => sum.update(bytes),
            Self::Sha1(sum) => sum.update(bytes),
            Self::Sha256(sum) => sum.update(bytes),
            Self::Sha512(sum) => sum.update(bytes),
        }
    }

    /// Big-endian, as all of them are sent.
    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(sum) => sum.finalize().to_be_bytes().to_vec(),
            Self::Crc64(sum) => sum.finalize().to_be_bytes().to_vec(),
            Self::Md5(sum) => sum.finalize().to_vec(),
            Self::Sha1(sum) => sum.finish().as_ref().to_vec(),
            Self::Sha256(sum) => sum.finalize().to_vec(),
            Self::Sha512(sum) => sum.finalize().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `123456789`, as the catalogues of the algorithms have them.
    const CHECKS: [(&str, &str); 8] = [
        ("content-md5", "25f9e794323b453885f5181f1b624d0b"),
        ("x-amz-checksum-crc32", "cbf43926"),
        ("x-amz-checksum-crc32c", "e3069283"),
        ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
        ("x-amz-checksum-md5", "25f9e794323b453885f5181f1b624d0b"),
        ("x-amz-checksum-sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("x-amz-checksum-sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        (
            "x-amz-checksum-sha512",
            "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
        ),
    ];

    fn base64(hex: &str) -> String {
        BASE64.encode(&data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap())
    }

    fn of(method: &str, query: Option<&str>, header: &str, value: &str) -> Result<Checksums, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(http::HeaderName::from_bytes(header.as_bytes()).unwrap(), value.parse().unwrap());
        Checksums::of_head(&Received { method, path: "/", query, headers: &headers })
    }

    #[test]
    fn each_kind_is_that_of_its_catalogue_and_notices_another_body() {
        assert_eq!(CHECKS.map(|(header, _)| header), KINDS.map(|(header, _)| header));
        for (header, hex) in CHECKS {
            let checksums = || of("PUT", None, header, &base64(hex)).unwrap();
            assert_eq!(checksums().check(b"123456789"), Ok(()), "{header}");
            assert_eq!(checksums().check(b"123456780"), Err(Refusal::checksum_differs(header)));
            let mut pieces = checksums();
            pieces.update(b"1234");
            pieces.update(b"");
            assert_eq!(pieces.check(b"56789"), Ok(()));
        }
    }

    #[test]
    fn what_is_no_checksum_is_refused() {
        for (header, hex) in CHECKS {
            let good = base64(hex);
            let longer = base64(&format!("{hex}00"));
            let shorter = base64(&hex[2..]);
            for bad in ["", "x", &good[1..], hex, &longer, &shorter, &format!("{good}-3")] {
                let refusal = of("PUT", None, header, bad).err();
                assert_eq!(refusal, Some(Refusal::checksum_syntax(header)), "{header} {bad}");
            }
        }
    }

    #[test]
    fn the_checksums_of_a_completed_upload_are_the_objects() {
        for (method, query, header, counts) in [
            ("POST", Some("uploadId=1"), "x-amz-checksum-crc32", false),
            ("POST", Some("a&upload%49d=1"), "x-amz-checksum-crc32", false),
            ("POST", Some("uploadId=1"), "content-md5", true),
            ("POST", Some("delete"), "x-amz-checksum-crc32", true),
            ("PUT", Some("partNumber=1&uploadId=1"), "x-amz-checksum-crc32", true),
        ] {
            let (_, hex) = CHECKS.into_iter().find(|(known, _)| *known == header).unwrap();
            let checksums = of(method, query, header, &base64(hex)).unwrap();
            assert_eq!(checksums.check(b"another").is_err(), counts, "{method} {query:?} {header}");
        }
    }
}
