use std::fmt;
use std::sync::Arc;

/// Why a case, a suite or an input can't be read: displayed as `file:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// The file as it was named; `stdin` for standard input.
    pub file: Arc<str>,
    /// Line and column, both from 1, the column in characters; none where the whole file is meant.
    pub place: Option<(u32, u32)>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What is wrong with a part of a text, as far as who reads that part alone can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Byte of the text.
    pub(super) offset: usize,
    /// Line and column within what stands at `offset`, from 1, where that is a text of its own.
    pub(super) within: Option<(u32, u32)>,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn at(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, within: None, message: message.into() }
    }
}

/// A text with the place where it stands in its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) file: &'a Arc<str>,
    /// The line of the file on which the text begins, from 1.
    pub(super) first_line: u32,
    pub(super) text: &'a str,
}

impl Place<'_> {
    /// The fault of a problem with this text.
    pub(super) fn fault(&self, problem: Problem) -> Fault {
        let (line, column) = self.position(problem.offset);
        let place = match problem.within {
            None => (line, column),
            Some((1, within)) => (line, column.saturating_add(within).saturating_sub(1)),
            Some((down, within)) => (line.saturating_add(down).saturating_sub(1), within),
        };
        Fault { file: Arc::clone(self.file), place: Some(place), message: problem.message }
    }

    /// Line of the file and column, both from 1, of a byte of the text.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let line = self.first_line.saturating_add(number(before.matches('\n').count()));
        (line, number(before[line_start..].chars().count() + 1))
    }
}

/// The offset of the byte that serde_json means: it counts lines and, in bytes, columns from 1.
pub(super) fn json_offset(text: &str, error: &serde_json::Error) -> usize {
    let start = match error.line() {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    (start + error.column().saturating_sub(1)).min(text.len())
}

/// serde_json's message without its place.
pub(super) fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    ["unknown", "duplicate", "missing"]
        .iter()
        .fold(message.to_owned(), |message, what| message.replace(&format!("{what} field"), &format!("{what} member")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_place_in_the_file() {
        let file: Arc<str> = "cases.jsonl".into();
        let place = Place { file: &file, first_line: 7, text: "{\"é\": \n  x}" };
        assert_eq!(place.fault(Problem::at(4, "m")).to_string(), "cases.jsonl:7:4: m");
        assert_eq!(place.fault(Problem::at(10, "m")).to_string(), "cases.jsonl:8:3: m");
        let within = |within| Problem { offset: 4, within: Some(within), message: "m".to_owned() };
        assert_eq!(place.fault(within((1, 3))).to_string(), "cases.jsonl:7:6: m");
        assert_eq!(place.fault(within((2, 3))).to_string(), "cases.jsonl:8:3: m");
        let whole = Fault { file, place: None, message: "m".to_owned() };
        assert_eq!(whole.to_string(), "cases.jsonl: m");
    }

    #[test]
    fn the_json_readers_place_becomes_an_offset() {
        let text = "{\"a\":\n 1,,}";
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        assert_eq!(json_offset(text, &error), 9);
    }
}
