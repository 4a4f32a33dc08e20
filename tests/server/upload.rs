//! Bodies that are too large to keep: streamed to an S3 upstream while their chunks are proven.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::raw::{Request, Response, Signer, connect};
use crate::support::{Server, Setup};

const CHUNK: usize = 1 << 20;

/// What an upstream got of an upload, without keeping it.
struct Upload {
    head: String,
    bytes: u64,
    hash: [u8; 32],
    is_whole: bool,
}

fn sink() -> (SocketAddr, Receiver<Upload>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, uploads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::with_capacity(CHUNK, stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let lower = head.to_ascii_lowercase();
            let length: u64 =
                lower.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap().trim().parse().unwrap();
            let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
            let mut body = reader.take(length);
            while let Ok(read @ 1..) = body.read(&mut buffer) {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
            let is_whole = bytes == length;
            sender.send(Upload { head, bytes, hash: hash.finalize().into(), is_whole }).unwrap();
            if is_whole {
                let _ = writer.write_all(b"HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 0\r\n\r\n");
            }
        }
    });
    (address, uploads)
}

fn gateway(upstream: SocketAddr) -> Server {
    let config = format!("[[upstream]]\nservice = \"s3\"\nurl = \"http://{upstream}\"\n");
    Setup::new().config(&config).start()
}

fn content(index: usize) -> Vec<u8> {
    (0..CHUNK).map(|at| u8::try_from((index * 31 + at * 7) % 251).unwrap()).collect()
}

/// Sends so many chunks, each signed as S3 wants it; `spoil` may change a chunk after it was signed.
fn upload(
    server: &Server,
    signer: &Signer,
    chunks: usize,
    spoil: impl Fn(usize, &mut Vec<u8>),
) -> (Option<Response>, [u8; 32]) {
    let hash = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    let framed = format!("{CHUNK:x};chunk-signature=").len() + 64 + 2 + CHUNK + 2;
    let end = "0;chunk-signature=".len() + 64 + 4;
    let request = Request::aws(server.gateway, "X", "")
        .without("x-amz-target")
        .without("content-type")
        .method("PUT")
        .target("/bucket/some/key")
        .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .header("x-amz-decoded-content-length", &(CHUNK * chunks).to_string())
        .header("content-encoding", "aws-chunked")
        .header("content-length", &(framed * chunks + end).to_string())
        .signed(signer);
    let authorization = request.headers.iter().find(|(name, _)| name == "Authorization").unwrap();
    let mut previous = String::from_utf8(authorization.1[authorization.1.len() - 64..].to_vec()).unwrap();
    let mut stream = connect(server.gateway);
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut whole = Sha256::new();
    let mut send = || -> std::io::Result<()> {
        stream.write_all(&request.head())?;
        for index in 0..=chunks {
            let mut data = if index == chunks { Vec::new() } else { content(index) };
            whole.update(&data);
            let to_sign = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
                signer.time,
                signer.scope(),
                hash(b""),
                hash(&data)
            );
            previous = signer.sign(&to_sign);
            spoil(index, &mut data);
            write!(stream, "{:x};chunk-signature={previous}\r\n", data.len())?;
            stream.write_all(&data)?;
            stream.write_all(b"\r\n")?;
        }
        Ok(())
    };
    // A server that refuses may close while we still write.
    let _ = send();
    (Response::read(&mut stream), whole.finalize().into())
}

#[test]
fn an_upload_in_signed_chunks_streams_in_bounded_memory() {
    let megabytes: usize =
        std::env::var("KEYSTILE_UPLOAD_MIB").ok().and_then(|count| count.parse().ok()).unwrap_or(192);
    let (address, uploads) = sink();
    let server = gateway(address);
    let signer = server.signer().of_service("s3");
    let (answer, hash) = upload(&server, &signer, 1, |_, _| {});
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(uploads.recv().unwrap().hash, hash);
    let before = server.peak_memory();
    let (answer, hash) = upload(&server, &signer, megabytes, |_, _| {});
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"x\"")));
    let got = uploads.recv().unwrap();
    assert!(got.is_whole && got.bytes == (megabytes * CHUNK) as u64 && got.hash == hash);
    assert!(!got.head.to_ascii_lowercase().contains("aws-chunked"), "{}", got.head);
    let grown = server.peak_memory() - before;
    assert!(grown < 48 << 20, "{} MiB more for an upload of {megabytes} MiB", grown >> 20);
}

#[test]
fn a_flipped_byte_is_refused_and_the_object_never_completed() {
    let (address, uploads) = sink();
    let server = gateway(address);
    let signer = server.signer().of_service("s3");
    let flip = |at: usize| {
        move |index: usize, data: &mut Vec<u8>| {
            if index == at {
                data[CHUNK / 2] ^= 1;
            }
        }
    };
    for (chunks, spoiled) in [(1, 0), (8, 4), (8, 7)] {
        let (answer, _) = upload(&server, &signer, chunks, flip(spoiled));
        if let Some(answer) = answer {
            assert_eq!(answer.status, 403, "{}", answer.text());
            assert!(answer.text().contains("<Code>SignatureDoesNotMatch</Code>"), "{}", answer.text());
        }
        // The first chunk is spoiled: the upstream never hears of it.
        if spoiled > 0 {
            let got = uploads.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(!got.is_whole && got.bytes <= (spoiled * CHUNK) as u64, "{} bytes", got.bytes);
        }
    }
    // So is an upload that ends too early, or whose last chunk's signature is missing.
    let cut = |index: usize, data: &mut Vec<u8>| {
        if index == 3 {
            data.truncate(CHUNK - 1);
        }
    };
    let (answer, _) = upload(&server, &signer, 4, cut);
    assert!(answer.is_none_or(|answer| answer.status >= 400));
    assert!(!uploads.recv_timeout(Duration::from_secs(20)).unwrap().is_whole);
    assert!(uploads.try_recv().is_err());
}
