//! Cuts an input into pieces without holding it all: JSON Lines, or objects over several lines.

use std::io::{self, Read};

/// A part of an input that can be read by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The line of the input on which it begins, from 1.
    pub(super) first_line: u32,
    pub(super) text: Vec<u8>,
    pub(super) shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whole lines: each that is not blank is a case.
    Lines,
    /// One case over several lines.
    Object,
    /// What stands here is longer than [`MAX_CASE_BYTES`]; its text was not kept.
    TooLong,
}

/// Longest case, in bytes.
pub(super) const MAX_CASE_BYTES: usize = 8 << 20;

/// Bytes that are read at once, and about the size of a piece.
const PIECE_BYTES: usize = 128 << 10;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads pieces.
///
/// The first line tells what the input is: where it is whole in itself, each line is a case, for
/// ever. Where it opens an object that it does not close, lines are taken until the object is
/// closed. An input that ends before that has a torn first line if a later line is an object of
/// its own, and is one torn object otherwise.
pub(super) struct Pieces<R> {
    source: R,
    /// What was read and not yet given.
    buffer: Vec<u8>,
    /// The line on which `buffer` begins.
    line: u32,
    is_lines: bool,
    ended: bool,
}

impl<R: Read> Pieces<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), line: 0, is_lines: false, ended: false }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Where the input can't be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.line == 0 {
            self.line = 1;
            while self.buffer.len() < BYTE_ORDER_MARK.len() && self.fill()? {}
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
        }
        if !self.is_lines
            && let Some(piece) = self.object()?
        {
            return Ok(Some(piece));
        }
        self.lines()
    }

    /// All whole lines that there are.
    fn lines(&mut self) -> io::Result<Option<Piece>> {
        let mut searched = 0;
        loop {
            if let Some(last) = self.buffer[searched..].iter().rposition(|byte| *byte == b'\n') {
                return Ok(Some(self.take(searched + last + 1, Shape::Lines)));
            }
            searched = self.buffer.len();
            if self.buffer.len() > MAX_CASE_BYTES {
                return self.skip_line().map(Some);
            }
            if !self.fill()? {
                let rest = self.buffer.len();
                return Ok((rest > 0).then(|| self.take(rest, Shape::Lines)));
            }
        }
    }

    /// An object over several lines; none where the input turns out to be lines.
    fn object(&mut self) -> io::Result<Option<Piece>> {
        let (mut balance, mut at) = (Balance::default(), 0);
        let mut first_line_ended = false;
        loop {
            while let Some(byte) = self.buffer.get(at).copied() {
                at += 1;
                if byte == b'\n' && !first_line_ended && balance.first.is_some() {
                    first_line_ended = true;
                    if balance.within != Within::Structure || balance.depth == 0 {
                        self.is_lines = true;
                        return Ok(None);
                    }
                }
                balance.read(byte);
                if balance.depth == 0 && balance.first.is_some_and(|first| first != b'{') {
                    self.is_lines = true;
                    return Ok(None);
                }
                if first_line_ended && balance.is_closed() && byte == b'\n' {
                    return Ok(Some(self.take(at, Shape::Object)));
                }
            }
            if self.buffer.len() > MAX_CASE_BYTES {
                self.is_lines = self.has_object_line();
                return if self.is_lines { Ok(None) } else { self.skip_all().map(Some) };
            }
            if !self.fill()? {
                self.is_lines = !first_line_ended || (balance.depth > 0 && self.has_object_line());
                let rest = self.buffer.len();
                return Ok((!self.is_lines && rest > 0).then(|| self.take(rest, Shape::Object)));
            }
        }
    }

    /// Whether a line after the first is an object of its own.
    fn has_object_line(&self) -> bool {
        self.buffer.split(|byte| *byte == b'\n').skip(1).any(|line| {
            let mut balance = Balance::default();
            for byte in line {
                balance.read(*byte);
            }
            line.starts_with(b"{") && balance.is_closed()
        })
    }

    fn take(&mut self, length: usize, shape: Shape) -> Piece {
        let rest = self.buffer.split_off(length);
        let text = std::mem::replace(&mut self.buffer, rest);
        let first_line = self.line;
        self.count_lines(&text);
        Piece { first_line, text, shape }
    }

    fn count_lines(&mut self, text: &[u8]) {
        // In chunks whose count fits a byte, which compilers turn into vector instructions.
        let ends = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
        let lines: usize = text.chunks(usize::from(u8::MAX)).map(|chunk| usize::from(ends(chunk))).sum();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    /// Leaves out a line that is too long.
    fn skip_line(&mut self) -> io::Result<Piece> {
        let first_line = self.line;
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                self.buffer.drain(..=end);
                self.line = self.line.saturating_add(1);
                break;
            }
            self.buffer.clear();
            if !self.fill()? {
                break;
            }
        }
        Ok(Piece { first_line, text: Vec::new(), shape: Shape::TooLong })
    }

    /// Leaves out the rest of the input.
    fn skip_all(&mut self) -> io::Result<Piece> {
        self.buffer.clear();
        while self.fill()? {
            self.buffer.clear();
        }
        Ok(Piece { first_line: self.line, text: Vec::new(), shape: Shape::TooLong })
    }

    /// Reads what there is; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let before = self.buffer.len();
        self.buffer.resize(before + PIECE_BYTES, 0);
        let count = loop {
            match self.source.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + *count.as_ref().unwrap_or(&0));
        let count = count?;
        self.ended = count == 0;
        Ok(!self.ended)
    }
}

/// How deep in brackets a text is, so far.
#[derive(Default)]
struct Balance {
    depth: usize,
    within: Within,
    /// The first byte that is not white space.
    first: Option<u8>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Structure,
    Text,
    /// After a backslash.
    Escape,
}

impl Balance {
    fn read(&mut self, byte: u8) {
        if self.first.is_none() && !byte.is_ascii_whitespace() {
            self.first = Some(byte);
        }
        match (self.within, byte) {
            (Within::Escape, _) | (Within::Structure, b'"') => self.within = Within::Text,
            (Within::Text, b'\\') => self.within = Within::Escape,
            (Within::Text, b'"') => self.within = Within::Structure,
            (Within::Structure, b'{' | b'[') => self.depth += 1,
            (Within::Structure, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            (Within::Text | Within::Structure, _) => {}
        }
    }

    /// Whether the text so far is something whole.
    fn is_closed(&self) -> bool {
        self.depth == 0 && self.within == Within::Structure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `step` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn pieces(text: &str, step: usize) -> Vec<(u32, String, Shape)> {
        let mut pieces = Pieces::new(Slow(text.as_bytes(), step));
        let mut found: Vec<(u32, String, Shape)> = Vec::new();
        while let Some(Piece { first_line, text, shape }) = pieces.next().unwrap() {
            let text = String::from_utf8(text).unwrap();
            match found.last_mut() {
                Some((_, before, Shape::Lines)) if shape == Shape::Lines => before.push_str(&text),
                _ => found.push((first_line, text, shape)),
            }
        }
        found
    }

    #[test]
    fn the_first_line_tells_lines_from_objects() {
        let lines = |text: &str| vec![(1, text.to_owned(), Shape::Lines)];
        for (text, expected) in [
            ("", vec![]),
            ("{}\n{}\n", lines("{}\n{}\n")),
            ("{}\n{\n", lines("{}\n{\n")),
            ("\n\n{}", lines("\n\n{}")),
            ("nonsense {\n{}\n", lines("nonsense {\n{}\n")),
            ("[\n{}\n]\n", lines("[\n{}\n]\n")),
            ("{\"a\": \"torn\n{}\n", lines("{\"a\": \"torn\n{}\n")),
            ("{\"a\":\n{\"b\": 1}\n", lines("{\"a\":\n{\"b\": 1}\n")),
            ("{\n  \"a\": \"}\\\"\"\n}\n", vec![(1, "{\n  \"a\": \"}\\\"\"\n}\n".to_owned(), Shape::Object)]),
            ("{\n}\n{\n}", vec![(1, "{\n}\n".to_owned(), Shape::Object), (3, "{\n}".to_owned(), Shape::Object)]),
            ("\n{\n}\n{}\n", vec![(1, "\n{\n}\n".to_owned(), Shape::Object), (4, "{}\n".to_owned(), Shape::Lines)]),
            ("{\n  \"a\": [\n", vec![(1, "{\n  \"a\": [\n".to_owned(), Shape::Object)]),
            ("\u{feff}{}\n", lines("{}\n")),
        ] {
            for step in [1, 3, 1000] {
                assert_eq!(pieces(text, step), expected, "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn a_case_past_the_limit_is_left_out_and_the_next_is_read() {
        let fits = format!("{{}}\n\"{}\"\n{{}}\n", "x".repeat(MAX_CASE_BYTES - 2));
        assert_eq!(pieces(&fits, 1 << 20).len(), 1);
        let long = format!("{{}}\n\"{}\"\n{{}}\n", "x".repeat(MAX_CASE_BYTES + PIECE_BYTES));
        let found = pieces(&long, 1 << 20);
        let shapes: Vec<(u32, Shape)> = found.iter().map(|(line, _, shape)| (*line, *shape)).collect();
        assert_eq!(shapes, [(1, Shape::Lines), (2, Shape::TooLong), (3, Shape::Lines)]);
        let open = format!("{{\n\"a\": \"{}\"\n", "x".repeat(MAX_CASE_BYTES));
        assert_eq!(pieces(&open, 1 << 20), [(1, String::new(), Shape::TooLong)]);
    }
}
