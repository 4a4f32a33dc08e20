//! Services behind the gateway that die, hang, answer garbage and reset: a fake one that does what its
//! requests tell it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::raw::{Request, Response, connect};
use crate::support::{Server, Setup};

/// Tells the fake service how to behave.
const BEHAVE: &str = "x-test-behave";

/// A request as an upstream saw it.
pub(crate) struct Seen {
    pub(crate) head: String,
    /// As far as it came.
    pub(crate) body: Vec<u8>,
    /// Whether all of the body came.
    pub(crate) is_whole: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// A service of one's own.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Receiver<Seen>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                std::thread::spawn(move || serve(stream.unwrap(), &sender));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn next(&self) -> Seen {
        self.seen.recv_timeout(Duration::from_secs(20)).expect("a request at the upstream")
    }
}

fn serve(stream: TcpStream, seen: &Sender<Seen>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let before = head.len();
            match reader.read_line(&mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) if &head[before..] == "\r\n" => break,
                Ok(_) => {}
            }
        }
        let mut request = Seen { head, body: Vec::new(), is_whole: true };
        match request.header("content-length").map(|length| length.parse::<u64>().unwrap()) {
            Some(length) => {
                let read = (&mut reader).take(length).read_to_end(&mut request.body);
                request.is_whole = read.is_ok() && request.body.len() as u64 == length;
            }
            None if request.header("transfer-encoding").is_some() => {
                request.is_whole = read_chunks(&mut reader, &mut request.body);
            }
            None => {}
        }
        let behaviour = request.header(BEHAVE).unwrap_or("answer").to_owned();
        let is_whole = request.is_whole;
        let _ = seen.send(request);
        if !is_whole || !behave(&behaviour, &mut writer) {
            return;
        }
    }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> bool {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        let Ok(size) = u64::from_str_radix(line.trim(), 16) else { return false };
        let before = body.len() as u64;
        let read = reader.by_ref().take(size).read_to_end(body).is_ok();
        let mut end = [0; 2];
        if !read || body.len() as u64 != before + size || reader.read_exact(&mut end).is_err() {
            return false;
        }
        if size == 0 {
            return true;
        }
    }
}

/// Whether the connection goes on.
fn behave(behaviour: &str, writer: &mut TcpStream) -> bool {
    let answer: &[u8] = match behaviour {
        "answer" => b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\nkeep-alive: 5\r\nx-keystile-decision: deny\r\nconnection: keep-alive, x-private\r\nx-private: 1\r\n\r\n{}",
        "refuse" => b"HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: ResourceNotFoundException:http://x/\r\ncontent-length: 2\r\n\r\n{}",
        "redirect" => b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "switch" => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        "garbage" => b"\x16\x03\x01 this is not HTTP\r\n\r\n",
        "two-lengths" => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}",
        "half-head" => b"HTTP/1.1 200 OK\r\ncontent-",
        "half-body" | "stall" => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"half\":",
        "die" => b"",
        "hang" => {
            std::thread::sleep(Duration::from_secs(3));
            return false;
        }
        other => panic!("nobody behaves like {other}"),
    };
    let _ = writer.write_all(answer);
    if behaviour == "stall" {
        std::thread::sleep(Duration::from_secs(3));
    }
    ["answer", "refuse", "redirect"].contains(&behaviour)
}

const TIMES: &str = "response_timeout = \"300ms\"\nidle_timeout = \"300ms\"\nconnect_timeout = \"300ms\"\n";

fn gateway(upstreams: &[(&str, &[SocketAddr])]) -> Server {
    let mut config = String::new();
    for (service, addresses) in upstreams {
        let urls: Vec<String> = addresses.iter().map(|address| format!("\"http://{address}\"")).collect();
        let urls = urls.join(", ");
        let tables = format!("url = [{urls}]\nprotocol = \"json\"\n{TIMES}resources = {{ \"*\" = \"*\" }}\n");
        config = format!("{config}[[upstream]]\nservice = \"{service}\"\n{tables}");
    }
    Setup::new().config(&config).start()
}

fn request(server: &Server, service: &str, behaviour: &str) -> Request {
    Request::aws(server.gateway, "X", "{}")
        .without("x-amz-target")
        .header("X-Amz-Target", "Thing_1.DoIt")
        .signed(&server.signer().of_service(service))
        .header(BEHAVE, behaviour)
}

#[test]
fn an_upstream_is_told_who_asks_and_nobody_forges_it() {
    let fake = Fake::start();
    let server = gateway(&[("thing", &[fake.address])]);
    let answer = request(&server, "thing", "answer")
        .header("x-keystile-principal-arn", "arn:aws:iam::111122223333:user/mallory")
        .header("X-Keystile-Nonsense", "1")
        .header("X-Forwarded-For", "10.0.0.1")
        .header("Forwarded", "for=10.0.0.1")
        .header("X-Unsigned", "kept")
        .send(server.gateway);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    for gone in ["keep-alive", "x-private", "x-keystile-decision"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert!(answer.header("x-keystile-request-id").is_some());
    let seen = fake.next();
    assert!(seen.head.starts_with("POST / HTTP/1.1\r\n"), "{}", seen.head);
    assert_eq!((seen.body.as_slice(), seen.is_whole), (&b"{}"[..], true));
    for (name, value) in [
        ("x-keystile-principal-arn", "arn:aws:iam::111122223333:root"),
        ("x-keystile-account", "111122223333"),
        ("x-keystile-decision", "allow"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-amz-target", "Thing_1.DoIt"),
        ("x-unsigned", "kept"),
        ("host", server.gateway.to_string().as_str()),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    for gone in ["authorization", "x-keystile-nonsense", "forwarded", "x-keystile-session-name"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    let record = &server.audit(1)[0];
    assert_eq!((&record["eventSource"], &record["eventName"]), (&"thing.amazonaws.com".into(), &"DoIt".into()));
}

/// What comes of each behaviour: the status, and the error's code where it is the gateway's.
const OUTCOMES: [(&str, u16, &str); 9] = [
    ("answer", 200, ""),
    ("refuse", 400, ""),
    // Passed on, and not followed.
    ("redirect", 302, ""),
    ("switch", 502, "BadGateway"),
    ("garbage", 502, "BadGateway"),
    ("two-lengths", 502, "BadGateway"),
    ("half-head", 502, "BadGateway"),
    ("die", 502, "BadGateway"),
    ("hang", 504, "GatewayTimeout"),
];

#[test]
fn whatever_an_upstream_does_the_client_gets_an_answer_in_time() {
    let fake = Fake::start();
    let server = gateway(&[("thing", &[fake.address])]);
    for (behaviour, status, code) in OUTCOMES {
        let began = Instant::now();
        let answer = request(&server, "thing", behaviour).send(server.gateway);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{behaviour}: {}", answer.text());
        assert!(began.elapsed() < Duration::from_secs(2), "{behaviour}");
    }
    // The head went on already: the client sees that the body is cut, and does not wait for ever.
    for behaviour in ["half-body", "stall"] {
        let began = Instant::now();
        let mut stream = connect(server.gateway);
        stream.write_all(&request(&server, "thing", behaviour).bytes()).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("{\"half\":"), "{behaviour}: {text}");
        assert!(began.elapsed() < Duration::from_secs(2), "{behaviour}");
    }
    let failed: Vec<_> =
        server.audit(11).iter().filter_map(|record| record["errorCode"].as_str().map(str::to_owned)).collect();
    assert_eq!(failed[0], "ResourceNotFoundException");
    assert!(failed.contains(&"GatewayTimeout".to_owned()) && failed.contains(&"BadGateway".to_owned()), "{failed:?}");
}

#[test]
fn the_next_url_takes_over_and_the_dead_one_is_left_alone() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fake = Fake::start();
    let server = gateway(&[("thing", &[dead, fake.address])]);
    for _ in 0..10 {
        assert_eq!(request(&server, "thing", "answer").send(server.gateway).status, 200);
    }
    let tried = server.said().matches(&format!("upstream={dead}")).count();
    assert!((3..=5).contains(&tried), "{tried} times in {}", server.said());
    let nobody = gateway(&[("thing", &[dead])]);
    let answer = request(&nobody, "thing", "answer").send(nobody.gateway);
    assert_eq!((answer.status, answer.code().as_str()), (502, "BadGateway"));
}

#[test]
fn an_upstream_that_hangs_slows_no_other_and_nothing_leaks() {
    let count: usize = std::env::var("KEYSTILE_FAULTS").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let (bad, good) = (Fake::start(), Fake::start());
    let server = Arc::new(gateway(&[("bad", &[bad.address]), ("good", &[good.address])]));
    assert_eq!(request(&server, "good", "answer").send(server.gateway).status, 200);
    let before = server.open_files();
    let next = Arc::new(AtomicUsize::new(0));
    let slowest = Arc::new(Mutex::new(Duration::ZERO));
    let workers: Vec<_> = (0..32)
        .map(|_| {
            let (server, next, slowest) = (Arc::clone(&server), Arc::clone(&next), Arc::clone(&slowest));
            std::thread::spawn(move || {
                let ask = |service, behaviour| {
                    let mut stream = connect(server.gateway);
                    stream.write_all(&request(&server, service, behaviour).bytes()).unwrap();
                    Response::read(&mut stream).map(|answer| answer.status)
                };
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= count {
                        return;
                    }
                    if turn % 8 == 0 {
                        let began = Instant::now();
                        assert_eq!(ask("good", "answer"), Some(200));
                        let mut slowest = slowest.lock().unwrap();
                        *slowest = (*slowest).max(began.elapsed());
                    } else {
                        // One in a few hundred hangs: each holds its client for the time-out.
                        let (behaviour, status, _) = OUTCOMES[if turn % 301 == 1 { 8 } else { turn % 8 }];
                        assert_eq!(ask("bad", behaviour), Some(status), "{behaviour}");
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(*slowest.lock().unwrap() < Duration::from_secs(2), "{slowest:?}");
    // Kept connections to an upstream may stay, a few for each; what is left of a failed one may not.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let (files, metrics) = (server.open_files(), server.admin("GET", "/metrics", "").1);
        if files <= before + 80 && metrics.contains("keystile_connections 0\n") {
            return;
        }
        assert!(Instant::now() < deadline, "{files} files are open, {before} were: {metrics}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
