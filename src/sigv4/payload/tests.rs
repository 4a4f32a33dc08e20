//! Bodies that stream: those that another signer makes go through, and every attack on them is
//! noticed before the last piece is out.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{SigningParams, calculate_signature, generate_signing_key, sign_chunk};
use data_encoding::{BASE64, HEXLOWER};
use http::HeaderName;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::sigv4::{
    Credential, CredentialSource, Payload, Profile, Received, RefusalKind, SecretKey, Settings, Times, Unavailable,
    Verifier, Workings,
};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20130524T000000Z";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

const SIGNED: Payload = Payload::SignedChunks { trailer: false };
const TRAILED: Payload = Payload::SignedChunks { trailer: true };
const UNSIGNED: Payload = Payload::UnsignedChunks;
const MODES: [Payload; 3] = [SIGNED, TRAILED, UNSIGNED];

fn now() -> Timestamp {
    "2013-05-24T00:00:00Z".parse().unwrap()
}

struct OneKey;

impl CredentialSource for OneKey {
    type Identity = ();

    fn credential(&self, id: &str, _: Option<&[u8]>) -> Result<Option<std::sync::Arc<Credential<()>>>, Unavailable> {
        Ok(Some(Credential::new(id, SecretKey::from(SECRET.to_owned()), 0, ()).into()))
    }
}

/// The head of an upload, and what its body is signed on from.
struct Head {
    headers: Vec<(&'static str, String)>,
    seed: String,
}

impl Head {
    fn new(headers: &[(&'static str, &str)]) -> Self {
        Self::over(headers, b"")
    }

    fn over(headers: &[(&'static str, &str)], body: &[u8]) -> Self {
        let mut all = vec![("host", "s3.amazonaws.com".to_owned()), ("x-amz-date", DATE.to_owned())];
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        all.sort();
        let mut names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        names.dedup();
        let authorization = |signature: &str| {
            let names = names.join(";");
            format!("AWS4-HMAC-SHA256 Credential=AKID/{SCOPE}, SignedHeaders={names}, Signature={signature}")
        };
        let mut head = Self { headers: all, seed: String::new() };
        head.headers.push(("authorization", authorization("")));
        let map = head.map();
        head.seed = Workings::of(&Profile::s3(), &received(&map), body, &OneKey).signature.unwrap();
        head.headers.pop();
        head.headers.push(("authorization", authorization(&head.seed)));
        head
    }

    fn of(mode: Payload, length: usize) -> Self {
        let length = length.to_string();
        let common = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", &*length)];
        let (sentinel, trailer) = match mode {
            Payload::SignedChunks { trailer: false } => ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", None),
            Payload::SignedChunks { trailer: true } => ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Some(())),
            _ => ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Some(())),
        };
        let mut headers = common.to_vec();
        headers.push(("x-amz-content-sha256", sentinel));
        headers.extend(trailer.map(|()| ("x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-sha256")));
        Self::new(&headers)
    }

    fn map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    fn verifier(&self) -> Result<PayloadVerifier, Refusal> {
        self.verifier_with(Settings::default())
    }

    fn verifier_with(&self, settings: Settings) -> Result<PayloadVerifier, Refusal> {
        let map = self.map();
        let times = Times { signature: now(), session: now() };
        let verifier = Verifier::new(settings).unwrap();
        verifier.verify_head(&Profile::s3(), &received(&map), &OneKey, times).map(|(_, payload)| payload)
    }
}

fn received(headers: &HeaderMap) -> Received<'_> {
    Received { method: "PUT", path: "/examplebucket/chunkObject.txt", query: None, headers }
}

/// What goes over the wire, in parts that can be bent.
#[derive(Clone, Debug)]
struct Wire {
    signed: bool,
    chunks: Vec<Chunk>,
    trailers: Vec<(String, String)>,
    /// Behind the end.
    extra: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Chunk {
    size: String,
    signature: String,
    data: Vec<u8>,
}

impl Wire {
    /// The chunks are signed by another signer.
    fn new(mode: Payload, seed: &str, chunks: &[&[u8]]) -> Self {
        let identity = Credentials::new("AKID", SECRET, None, None, "tests").into();
        let at = SystemTime::from(now());
        let params = SigningParams::builder().identity(&identity).region("us-east-1").name("s3");
        let params = params.time(at).settings(()).build().unwrap();
        let mut signature = seed.to_owned();
        let mut list = Vec::new();
        for data in chunks.iter().copied().chain([&b""[..]]) {
            signature = sign_chunk(&Bytes::copy_from_slice(data), &signature, &params).unwrap().into_parts().1;
            let size = format!("{:x}", data.len());
            list.push(Chunk { size, signature: signature.clone(), data: data.to_vec() });
        }
        let mut trailers = Vec::new();
        if mode != SIGNED {
            let body = chunks.concat();
            let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&body);
            trailers.push(("x-amz-checksum-crc32".to_owned(), BASE64.encode(&crc.to_be_bytes())));
            trailers.push(("x-amz-checksum-sha256".to_owned(), BASE64.encode(&Sha256::digest(&body))));
        }
        if mode == TRAILED {
            trailers.push(("x-amz-trailer-signature".to_owned(), sign_trailers(&trailers, &signature)));
        }
        Self { signed: mode != UNSIGNED, chunks: list, trailers, extra: Vec::new() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for chunk in &self.chunks {
            bytes.extend_from_slice(chunk.size.as_bytes());
            if self.signed {
                bytes.extend_from_slice(format!(";chunk-signature={}", chunk.signature).as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&chunk.data);
            if !chunk.data.is_empty() {
                bytes.extend_from_slice(b"\r\n");
            }
        }
        for (name, value) in &self.trailers {
            bytes.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.extra);
        bytes
    }
}

fn sign_trailers(trailers: &[(String, String)], previous: &str) -> String {
    let lines: Vec<String> = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let hash = HEXLOWER.encode(&Sha256::digest(lines.concat()));
    let text = format!("AWS4-HMAC-SHA256-TRAILER\n{DATE}\n{SCOPE}\n{previous}\n{hash}");
    calculate_signature(generate_signing_key(SECRET, SystemTime::from(now()), "us-east-1", "s3"), text.as_bytes())
}

/// What comes out of a body that is cut into pieces of these sizes, and what was out before its end.
fn through(head: &Head, wire: &[u8], sizes: &[usize]) -> Result<(Vec<u8>, usize), Refusal> {
    let mut verifier = head.verifier()?;
    let mut out = Vec::new();
    let (mut rest, mut sizes) = (wire, sizes.iter().copied().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = after;
        let pieces = verifier.push(Bytes::copy_from_slice(piece))?;
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        out.extend_from_slice(&pieces.concat());
    }
    let before = out.len();
    out.extend_from_slice(&verifier.finish()?.last);
    Ok((out, before))
}

const BODY: [&[u8]; 3] = [b"the first chunk", b"the second one", b"3"];

fn good(mode: Payload) -> (Head, Wire) {
    let head = Head::of(mode, BODY.concat().len());
    let wire = Wire::new(mode, &head.seed, &BODY);
    (head, wire)
}

#[test]
fn what_another_signer_signed_goes_through_but_the_last_piece_waits() {
    for mode in MODES {
        let (head, wire) = good(mode);
        for sizes in [&[1][..], &[2, 7], &[1000], &[100, 1]] {
            let (out, before) = through(&head, &wire.bytes(), sizes).unwrap();
            assert_eq!(out, BODY.concat(), "{mode:?}");
            assert!(before < out.len(), "{mode:?} {before}");
        }
        assert_eq!(head.verifier().unwrap().decoded_length(), Some(30), "{mode:?}");
        let empty = Head::of(mode, 0);
        let wire = Wire::new(mode, &empty.seed, &[]);
        assert_eq!(through(&empty, &wire.bytes(), &[3]).unwrap(), (Vec::new(), 0));
    }
}

#[test]
fn the_trailers_are_told_without_their_signature() {
    for mode in [TRAILED, UNSIGNED] {
        let (head, wire) = good(mode);
        let mut verifier = head.verifier().unwrap();
        verifier.push(wire.bytes().into()).unwrap();
        let trailers = verifier.finish().unwrap().trailers;
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-amz-checksum-crc32", "x-amz-checksum-sha256"], "{mode:?}");
        assert_eq!(trailers["x-amz-checksum-crc32"], *wire.trailers[0].1);
    }
}

/// The examples of the S3 API Reference, "Signature Calculations for the Authorization Header:
/// Transferring Payload in Multiple Chunks" and "Including Trailing Headers".
#[test]
fn the_examples_of_the_reference_hold() {
    let (first, second) = ("a".repeat(65536), "a".repeat(1024));
    let common = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    let mut headers = common.to_vec();
    headers.push(("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"));
    headers.push(("content-length", "66824"));
    let head = Head::new(&headers);
    assert_eq!(head.seed, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    let body = format!(
        "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n{first}\r\n\
         400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n{second}\r\n\
         0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    );
    assert_eq!(through(&head, body.as_bytes(), &[8192]).unwrap().0.len(), 66560);

    let mut headers = common.to_vec();
    headers.push(("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"));
    headers.push(("x-amz-trailer", "x-amz-checksum-crc32c"));
    let head = Head::new(&headers);
    assert_eq!(head.seed, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    for end in ["\r\n", "\n\r\n"] {
        let body = format!(
            "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n{first}\r\n\
             400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n{second}\r\n\
             0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n\
             x-amz-checksum-crc32c:sOO8/Q=={end}\
             x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
        );
        assert_eq!(through(&head, body.as_bytes(), &[8192]).unwrap().0.len(), 66560);
    }
}

type Bend = fn(&mut Wire);

/// The attack, what it does, and the kind of refusal for chunks that are signed, signed with a
/// trailer, and unsigned; `None` where the attack does not apply.
fn attacks() -> Vec<(&'static str, Bend, [Option<RefusalKind>; 3])> {
    use RefusalKind::{BadDigest, IncompleteBody, InvalidChecksum, InvalidChunk, InvalidSignature, MalformedTrailer};

    let signed = |kind| [Some(kind), Some(kind), None];
    let trailed = |kind| [None, Some(kind), Some(kind)];
    let every = |kind| [Some(kind), Some(kind), Some(kind)];
    let changed = [Some(InvalidSignature), Some(InvalidSignature), Some(BadDigest)];
    let syntax = every(InvalidChunk);
    let mut all: Vec<(&'static str, Bend, [Option<RefusalKind>; 3])> = vec![
        (
            "signatures swapped",
            |w| {
                let first = w.chunks[0].signature.clone();
                w.chunks[0].signature = std::mem::replace(&mut w.chunks[1].signature, first);
            },
            signed(InvalidSignature),
        ),
        ("chunks swapped", |w| w.chunks.swap(0, 1), changed),
        ("a bit flipped", |w| w.chunks[1].data[3] ^= 1, changed),
        ("a bit of the last piece flipped", |w| w.chunks[2].data[0] ^= 1, changed),
        (
            "first dropped",
            |w| drop(w.chunks.remove(0)),
            [Some(InvalidSignature), Some(InvalidSignature), Some(IncompleteBody)],
        ),
        (
            "last piece dropped",
            |w| drop(w.chunks.remove(2)),
            [Some(InvalidSignature), Some(InvalidSignature), Some(IncompleteBody)],
        ),
        (
            "repeated",
            |w| w.chunks.insert(0, w.chunks[0].clone()),
            [Some(InvalidSignature), Some(InvalidSignature), Some(IncompleteBody)],
        ),
        ("final chunk dropped", |w| drop(w.chunks.pop()), syntax),
        (
            "final chunk early",
            |w| w.chunks.swap(2, 3),
            [Some(InvalidSignature), Some(InvalidSignature), Some(IncompleteBody)],
        ),
        ("final signature", |w| w.chunks[3].signature = "0".repeat(64), signed(InvalidSignature)),
        ("signature in upper case", |w| w.chunks[0].signature.make_ascii_uppercase(), signed(InvalidSignature)),
        ("signature short", |w| w.chunks[0].signature.truncate(63), signed(InvalidSignature)),
        ("signature empty", |w| w.chunks[0].signature.clear(), signed(InvalidSignature)),
        ("signature long", |w| w.chunks[0].signature.push('0'), signed(InvalidSignature)),
        ("unsigned after all", |w| w.signed = false, signed(InvalidChunk)),
        ("signed after all", |w| w.signed = true, [None, None, Some(InvalidChunk)]),
        ("data after the end", |w| w.extra = b"x".to_vec(), every(IncompleteBody)),
        ("a line end after the end", |w| w.extra = b"\r\n".to_vec(), every(IncompleteBody)),
        ("a chunk after the end", |w| w.extra = b"1\r\nx\r\n0\r\n\r\n".to_vec(), every(IncompleteBody)),
        ("size one more", |w| w.chunks[0].size = "10".to_owned(), every(InvalidChunk)),
        ("size one less", |w| w.chunks[0].size = "e".to_owned(), every(InvalidChunk)),
        (
            "size zero",
            |w| w.chunks[0].size = "0".to_owned(),
            [Some(InvalidSignature), Some(InvalidSignature), Some(IncompleteBody)],
        ),
        ("size beyond the length", |w| w.chunks[0].size = "1f".to_owned(), every(IncompleteBody)),
        ("size huge", |w| w.chunks[0].size = "ffffffffffffffff".to_owned(), every(IncompleteBody)),
        (
            "a trailer's value",
            |w| w.trailers[0].1 = "AAAAAA==".to_owned(),
            [None, Some(InvalidSignature), Some(BadDigest)],
        ),
        (
            "another trailer's value",
            |w| w.trailers[1].1 = BASE64.encode(&[0; 32]),
            [None, Some(InvalidSignature), Some(BadDigest)],
        ),
        (
            "a trailer's value malformed",
            |w| w.trailers[0].1 = "AAAA".to_owned(),
            [None, Some(InvalidSignature), Some(InvalidChecksum)],
        ),
        ("a trailer dropped", |w| drop(w.trailers.remove(0)), [None, Some(InvalidSignature), Some(MalformedTrailer)]),
        ("all trailers dropped", |w| w.trailers.clear(), trailed(MalformedTrailer)),
        ("a trailer twice", |w| w.trailers.insert(0, w.trailers[0].clone()), trailed(MalformedTrailer)),
        (
            "a trailer twice in another case",
            |w| w.trailers.insert(0, ("X-Amz-Checksum-CRC32".to_owned(), w.trailers[0].1.clone())),
            trailed(MalformedTrailer),
        ),
        (
            "a trailer that was not announced",
            |w| w.trailers.insert(0, ("x-amz-checksum-sha1".to_owned(), BASE64.encode(&[0; 20]))),
            every(MalformedTrailer),
        ),
        (
            "a39 a header in the trailer",
            |w| w.trailers.insert(0, ("x-amz-target".to_owned(), "a".to_owned())),
            every(MalformedTrailer),
        ),
        (
            "a trailer without colon",
            |w| w.trailers.insert(0, (String::new(), "\u{1}".to_owned())),
            every(MalformedTrailer),
        ),
        (
            "a line feed in a trailer",
            |w| w.trailers.insert(0, ("a".to_owned(), "b\nc:d".to_owned())),
            every(MalformedTrailer),
        ),
        (
            "a trailer of its own signature",
            |w| w.trailers.push(("x-amz-trailer-signature".to_owned(), "0".repeat(64))),
            every(MalformedTrailer),
        ),
        ("an endless trailer", |w| w.trailers.insert(0, ("a".to_owned(), "b".repeat(5000))), every(InvalidChunk)),
        ("trailer signature", |w| w.trailers[2].1 = "0".repeat(64), [None, Some(InvalidSignature), None]),
        ("trailer signature short", |w| w.trailers[2].1 = "00".to_owned(), [None, Some(InvalidSignature), None]),
        ("trailer signature dropped", |w| drop(w.trailers.pop()), [None, Some(MalformedTrailer), None]),
        ("a trailer behind the signature", |w| w.trailers.swap(1, 2), [None, Some(InvalidSignature), None]),
    ];
    let sizes: [(&'static str, Bend); 8] = [
        ("size +f", |w| w.chunks[0].size = "+f".to_owned()),
        ("size -1", |w| w.chunks[0].size = "-1".to_owned()),
        ("size 0xf", |w| w.chunks[0].size = "0xf".to_owned()),
        ("size with a space", |w| w.chunks[0].size = "f ".to_owned()),
        ("size empty", |w| w.chunks[0].size.clear()),
        ("size over 64 bits", |w| w.chunks[0].size = "1000000000000000f".to_owned()),
        ("size no number", |w| w.chunks[0].size = "g".to_owned()),
        ("an extension", |w| w.chunks[0].size = "f;a=b".to_owned()),
    ];
    all.extend(sizes.map(|(name, bend)| (name, bend, syntax)));
    all
}

#[test]
fn a54_every_attack_on_chunks_is_refused_before_the_last_piece_is_out() {
    let mut count = 0;
    for (name, bend, outcomes) in attacks() {
        for (mode, outcome) in MODES.into_iter().zip(outcomes) {
            let Some(outcome) = outcome else { continue };
            let (head, mut wire) = good(mode);
            bend(&mut wire);
            for sizes in [&[1][..], &[3, 5], &[10_000]] {
                let refusal = through(&head, &wire.bytes(), sizes).unwrap_err();
                assert_eq!(refusal.kind(), outcome, "{name} {mode:?} {refusal}");
            }
            // Fed to its end in spite of refusals, it gives out less than the whole and never finishes.
            let mut verifier = head.verifier().unwrap();
            let out: usize = wire
                .bytes()
                .chunks(1)
                .map(|piece| verifier.push(Bytes::copy_from_slice(piece)).unwrap_or_default().concat().len())
                .sum();
            assert!(out < 30, "{name} {mode:?} {out}");
            assert_eq!(verifier.finish().unwrap_err().kind(), outcome, "{name} {mode:?}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn a54_a_body_that_ends_early_is_never_whole() {
    for mode in MODES {
        let (head, wire) = good(mode);
        let bytes = wire.bytes();
        for end in 0..bytes.len() {
            let refusal = through(&head, &bytes[..end], &[1000]).unwrap_err();
            assert_eq!(refusal.kind(), RefusalKind::IncompleteBody, "{mode:?} {end}");
        }
        let unix = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
        assert!(through(&head, unix.as_bytes(), &[1000]).is_err(), "{mode:?}");
    }
}

#[test]
fn a54_what_was_signed_of_a_length_is_what_comes() {
    for mode in MODES {
        for (length, kind) in [(29, RefusalKind::IncompleteBody), (31, RefusalKind::IncompleteBody)] {
            let head = Head::of(mode, length);
            let wire = Wire::new(mode, &head.seed, &BODY);
            assert_eq!(through(&head, &wire.bytes(), &[7]).unwrap_err().kind(), kind, "{mode:?} {length}");
        }
        let sentinel = Head::of(mode, 1).map()["x-amz-content-sha256"].to_str().unwrap().to_owned();
        let trailer = ("x-amz-trailer", "x-amz-checksum-crc32");
        for length in ["", "+5", "-1", "5 5", "0x5", "18446744073709551616"] {
            let mut headers = vec![("x-amz-content-sha256", &*sentinel), ("x-amz-decoded-content-length", length)];
            headers.extend((mode != SIGNED).then_some(trailer));
            let refusal = Head::new(&headers).verifier().unwrap_err();
            assert_eq!(refusal, Refusal::missing_decoded_length(), "{mode:?} {length}");
        }
        let mut headers = vec![("x-amz-content-sha256", &*sentinel)];
        headers.extend((mode != SIGNED).then_some(trailer));
        assert_eq!(Head::new(&headers).verifier().unwrap_err(), Refusal::missing_decoded_length());
    }
}

#[test]
fn a_trailer_is_announced_by_the_mode_and_the_header_alike() {
    let length = ("x-amz-decoded-content-length", "5");
    let outcome = |sentinel: &str, trailer: Option<&str>| {
        let mut headers = vec![("x-amz-content-sha256", sentinel), length];
        headers.extend(trailer.map(|trailer| ("x-amz-trailer", trailer)));
        Head::new(&headers).verifier().map_err(|refusal| refusal.kind()).err()
    };
    let (signed, unsigned) = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let trailed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    let (known, unknown) = (Some("x-amz-checksum-crc64nvme"), Some("x-amz-checksum-xxhash64"));
    assert_eq!(outcome(signed, known), Some(RefusalKind::MalformedTrailer));
    assert_eq!(outcome(trailed, None), Some(RefusalKind::MalformedTrailer));
    assert_eq!((outcome(signed, None), outcome(trailed, known), outcome(trailed, unknown)), (None, None, None));
    assert_eq!(outcome(unsigned, known), None);
    // Nothing else vouches for such a body.
    assert_eq!(outcome(unsigned, unknown), Some(RefusalKind::InvalidChecksum));
    assert_eq!(outcome(unsigned, None), Some(RefusalKind::InvalidChecksum));
    assert_eq!(outcome(unsigned, Some("x-amz-target")), Some(RefusalKind::MalformedTrailer));
}

#[test]
fn a_signed_chunk_is_kept_up_to_a_limit() {
    for mode in [SIGNED, TRAILED] {
        let chunk = vec![7; 1000];
        let head = Head::of(mode, 1000);
        let wire = Wire::new(mode, &head.seed, &[&chunk]).bytes();
        for (limit, fits) in [(1000, true), (999, false)] {
            let settings = Settings { max_chunk_bytes: limit, ..Settings::default() };
            let mut verifier = head.verifier_with(settings).unwrap();
            let outcome = verifier.push(wire.clone().into()).map_err(|refusal| refusal.kind()).err();
            assert_eq!(outcome, (!fits).then_some(RefusalKind::ChunkTooLarge));
        }
    }
    // Unsigned chunks pass through, whatever their size.
    let head = Head::of(UNSIGNED, 1000);
    let settings = Settings { max_chunk_bytes: 1, ..Settings::default() };
    let wire = Wire::new(UNSIGNED, &head.seed, &[&[7; 1000]]).bytes();
    assert!(head.verifier_with(settings).unwrap().push(wire.into()).is_ok());
}

#[test]
fn a_whole_body_is_held_to_its_hash_and_checksums() {
    let body = b"the body";
    let hash = HEXLOWER.encode(&Sha256::digest(body));
    let md5 = BASE64.encode(&<md5::Md5 as Digest>::digest(body));
    let sha256 = BASE64.encode(&Sha256::digest(body));
    let differs = Some(RefusalKind::BadDigest);
    for (headers, bent) in [
        (vec![("x-amz-content-sha256", &*hash)], Some(RefusalKind::PayloadHash)),
        (vec![("x-amz-content-sha256", &*hash), ("content-md5", &*md5)], Some(RefusalKind::PayloadHash)),
        (vec![("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("content-md5", &*md5)], differs),
        (vec![("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-checksum-sha256", &*sha256)], differs),
        (vec![("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], None),
    ] {
        let head = Head::over(&headers, body);
        let (out, before) = through(&head, body, &[3]).unwrap();
        assert_eq!(out, body);
        // What nothing proves is not kept back.
        assert_eq!(before == body.len(), bent.is_none(), "{headers:?}");
        let outcome = through(&head, b"the bodx", &[3]).map_err(|refusal| refusal.kind()).err();
        assert_eq!(outcome, bent, "{headers:?}");
        assert_eq!(through(&head, &body[1..], &[3]).is_err(), bent.is_some(), "{headers:?}");
        // The same for a body that is there.
        let (map, verifier) = (head.map(), Verifier::new(Settings::default()).unwrap());
        let times = Times { signature: now(), session: now() };
        let whole = |body: &[u8]| verifier.verify(&Profile::s3(), &received(&map), body, &OneKey, times);
        assert!(whole(body).is_ok());
        assert_eq!(whole(b"the bodx").map_err(|refusal| refusal.kind()).err(), bent);
    }
}

#[test]
fn a_head_needs_what_its_body_is_held_to() {
    assert_eq!(Head::new(&[]).verifier().unwrap_err(), Refusal::missing_content_sha256());
    let bent = [("x-amz-content-sha256", "0")];
    assert_eq!(Head::new(&bent).verifier().unwrap_err(), Refusal::payload_hash());
}

fn mode() -> impl Strategy<Value = Payload> {
    prop_oneof![Just(SIGNED), Just(TRAILED), Just(UNSIGNED)]
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn however_a_body_is_cut_it_is_the_same(
        mode in mode(),
        chunks in chunks(),
        sizes in proptest::collection::vec(1_usize..50, 1..6),
        bend in proptest::option::of((any::<Index>(), any::<u8>())),
    ) {
        let slices: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let body = chunks.concat();
        let head = Head::of(mode, body.len());
        let mut bytes = Wire::new(mode, &head.seed, &slices).bytes();
        if let Some((at, byte)) = bend {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = through(&head, &bytes, &[usize::MAX]).map(|(out, _)| out);
        let cut = through(&head, &bytes, &sizes).map(|(out, _)| out);
        prop_assert_eq!(&whole, &cut);
        match whole {
            // A size in another case, a name in another case: the body is still the same.
            Ok(out) => prop_assert_eq!(out, body),
            Err(refusal) => prop_assert!(bend.is_some(), "{}", refusal),
        }
    }

    #[test]
    fn garbage_is_refused_and_never_panics(
        mode in mode(),
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60),
                Just(b"5;chunk-signature=".to_vec()),
                Just(b"0\r\n".to_vec()),
                Just(b"5\r\nabcde\r\n".to_vec()),
                Just(b"\r\n".to_vec()),
                Just(b"x-amz-checksum-crc32:".to_vec()),
                Just(vec![b'0'; 64]),
            ],
            0..12,
        ),
    ) {
        let head = Head::of(mode, 5);
        let mut verifier = head.verifier().unwrap();
        let mut out = 0;
        for piece in pieces {
            out += verifier.push(piece.into()).unwrap_or_default().concat().len();
        }
        prop_assert!(out < 5);
        prop_assert!(verifier.finish().is_err());
    }
}
