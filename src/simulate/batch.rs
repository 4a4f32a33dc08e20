//! Many cases, on all cores, in order.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Given;
use super::fault::{Fault, Place, Problem};
use super::members::Members;
use super::outcome::{Line, Paint, Verdict, text};
use super::stream::{MAX_CASE_BYTES, Piece, Pieces, Shape};
use super::{Case, Library, decide};
use crate::authz::{Authorizer, Outcome};

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text(Paint),
    /// One JSON object a line.
    Json,
}

/// What came out of all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that were allowed.
    pub allowed: u64,
    /// Cases that were denied, implicitly or explicitly.
    pub denied: u64,
    /// Cases that could not be read.
    pub unreadable: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.unreadable += other.unreadable;
    }

    /// Cases of every kind.
    #[must_use]
    pub fn cases(&self) -> u64 {
        self.allowed + self.denied + self.unreadable
    }
}

/// An input of cases: its name for messages, and its bytes.
pub type Input = (Arc<str>, Box<dyn Read + Send>);

/// Decides cases of many inputs. What it holds in memory does not grow with them.
#[derive(Debug)]
pub struct Simulator {
    library: Library,
    authorizer: Authorizer,
    format: Format,
}

impl Simulator {
    /// Most memory that decisions may take, in bytes.
    const MAX_DECISION_BYTES: u64 = 64 << 20;

    /// Pieces that a thread has before it at most.
    const PIECES_AHEAD: usize = 4;

    /// A simulator that reads policies through a library.
    #[must_use]
    pub fn new(library: Library, format: Format) -> Self {
        let settings = crate::authz::Settings { max_bytes: Self::MAX_DECISION_BYTES };
        Self { library, authorizer: Authorizer::new(settings), format }
    }

    /// Decides every case of the inputs on so many threads: results go to `out` in order, faults
    /// to `complain`.
    ///
    /// # Errors
    /// Where `out` does not take what is written.
    pub fn run(
        &self,
        inputs: Vec<Input>,
        threads: usize,
        out: &mut dyn Write,
        complain: &mut dyn FnMut(&Fault),
    ) -> io::Result<Tally> {
        let threads = threads.max(1);
        let (work, todo) = sync_channel::<(Job, Sender<Done>)>(threads);
        // Results in the order of their pieces; a full channel stops the reader.
        let (order, results) = sync_channel::<Receiver<Done>>(threads * Self::PIECES_AHEAD);
        let todo = Arc::new(Mutex::new(todo));
        std::thread::scope(|scope| {
            scope.spawn(move || read(inputs, &work, &order));
            for _ in 0..threads {
                let todo = Arc::clone(&todo);
                scope.spawn(move || {
                    loop {
                        // The lock is held while waiting: whoever has it takes the next job.
                        let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((job, done)) = next else { break };
                        let _ = done.send(self.piece(job));
                    }
                });
            }
            drop(todo);
            write(results, out, complain)
        })
    }

    fn piece(&self, job: Job) -> Done {
        let mut done = Done::default();
        let Task { file, piece } = match job {
            Ok(job) => job,
            Err(fault) => {
                done.fault(fault);
                return done;
            }
        };
        let Piece { first_line, text, shape } = piece;
        match (shape, std::str::from_utf8(&text)) {
            (Shape::TooLong, _) => self.too_long(&file, first_line, &mut done),
            (Shape::Object, Ok(text)) => self.case(Place { file: &file, first_line, text }, &mut done),
            (Shape::Object, Err(_)) => self.not_text(&file, first_line, &text, &mut done),
            (Shape::Lines, Ok(text)) => {
                for (first_line, text) in (first_line..).zip(text.split('\n')) {
                    self.line(Place { file: &file, first_line, text }, &mut done);
                }
            }
            (Shape::Lines, Err(_)) => {
                for (line, bytes) in (first_line..).zip(text.split(|byte| *byte == b'\n')) {
                    match std::str::from_utf8(bytes) {
                        Ok(text) => self.line(Place { file: &file, first_line: line, text }, &mut done),
                        Err(_) => self.not_text(&file, line, bytes, &mut done),
                    }
                }
            }
        }
        done
    }

    fn line(&self, place: Place<'_>, done: &mut Done) {
        if place.text.len() > MAX_CASE_BYTES {
            self.too_long(place.file, place.first_line, done);
        } else if !place.text.trim_start().is_empty() {
            self.case(place, done);
        }
    }

    fn too_long(&self, file: &Arc<str>, line: u32, done: &mut Done) {
        let message = format!("a case of more than {MAX_CASE_BYTES} bytes");
        self.unread(done, Fault { file: Arc::clone(file), place: Some((line, 1)), message });
    }

    fn not_text(&self, file: &Arc<str>, first_line: u32, bytes: &[u8], done: &mut Done) {
        let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let place = Place { file, first_line, text: valid };
        self.unread(done, place.fault(Problem::at(valid.len(), "the text is not UTF-8")));
    }

    fn case(&self, place: Place<'_>, done: &mut Done) {
        let read = Members::read(place.text)
            .and_then(|members| Case::new(&members, &Given::default(), &self.library, Path::new("")));
        let case = match read {
            Ok(case) => case,
            Err(problem) => return self.unread(done, place.fault(problem)),
        };
        let verdict = decide(&self.authorizer, &case);
        if verdict.decision.outcome == Outcome::Allow {
            done.tally.allowed += 1;
        } else {
            done.tally.denied += 1;
        }
        self.print(&case, &verdict, &mut done.text);
    }

    fn print(&self, case: &Case, verdict: &Verdict, into: &mut Vec<u8>) {
        match self.format {
            Format::Text(paint) => into.extend_from_slice(text(case, verdict, paint).as_bytes()),
            Format::Json => {
                // Writing to memory does not fail, and every member is text, a number or null.
                let _ = serde_json::to_writer(&mut *into, &Line::from(verdict));
                into.push(b'\n');
            }
        }
    }

    fn unread(&self, done: &mut Done, fault: Fault) {
        if self.format == Format::Json {
            let line = serde_json::json!({ "error": fault.to_string() });
            done.text.extend_from_slice(format!("{line}\n").as_bytes());
        }
        done.fault(fault);
    }
}

/// A piece of an input, or why there is none.
type Job = Result<Task, Fault>;

struct Task {
    file: Arc<str>,
    piece: Piece,
}

/// What came of a piece.
#[derive(Default)]
struct Done {
    text: Vec<u8>,
    faults: Vec<Fault>,
    tally: Tally,
}

impl Done {
    fn fault(&mut self, fault: Fault) {
        self.tally.unreadable += 1;
        self.faults.push(fault);
    }
}

/// Cuts the inputs into pieces until there are no more, or nobody takes them.
fn read(inputs: Vec<Input>, work: &SyncSender<(Job, Sender<Done>)>, order: &SyncSender<Receiver<Done>>) {
    let give = |job: Job| {
        let (done, result) = channel();
        order.send(result).is_ok() && work.send((job, done)).is_ok()
    };
    for (file, source) in inputs {
        let mut pieces = Pieces::new(source);
        loop {
            let job = match pieces.next() {
                Ok(Some(piece)) => Ok(Task { file: Arc::clone(&file), piece }),
                Ok(None) => break,
                Err(error) => Err(Fault { file: Arc::clone(&file), place: None, message: error.to_string() }),
            };
            let is_fault = job.is_err();
            if !give(job) {
                return;
            }
            if is_fault {
                break;
            }
        }
    }
}

fn write(
    results: Receiver<Receiver<Done>>,
    out: &mut dyn Write,
    complain: &mut dyn FnMut(&Fault),
) -> io::Result<Tally> {
    let mut tally = Tally::default();
    for result in results {
        let Ok(Done { text, faults, tally: more }) = result.recv() else {
            return Err(io::Error::other("a case could not be decided"));
        };
        out.write_all(&text)?;
        out.flush()?;
        faults.iter().for_each(&mut *complain);
        tally.add(more);
    }
    Ok(tally)
}
