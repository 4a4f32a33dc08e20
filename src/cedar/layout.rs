//! Line breaks for people: Cedar text that is longer than a line is broken at its operators and
//! lists. What the text says is not touched.

/// Longest line, in bytes.
const WIDTH: usize = 100;

/// The expression, which begins at that column, in lines that are continued at `indent`.
pub(super) fn expression(text: &str, column: usize, indent: usize) -> String {
    if column + text.len() <= WIDTH {
        return text.to_owned();
    }
    let terms = if text.starts_with("if ") { split(text, &BRANCHES) } else { split(text, &OPERATORS) };
    if terms.len() > 1 {
        let lines: Vec<String> = terms.iter().map(|term| expression(term, indent, indent)).collect();
        return lines.join(&newline(indent));
    }
    match brackets(text) {
        Some((before, inner, after)) => {
            let within = indent + 2;
            let inner = match split(inner, &COMMA) {
                items if items.len() > 1 => filled(&items, within),
                _ => expression(inner, within, within),
            };
            format!("{before}{}{inner}{}{after}", newline(within), newline(indent))
        }
        None => text.to_owned(),
    }
}

/// The items, as many in a line as it takes.
fn filled(items: &[&str], indent: usize) -> String {
    let (mut text, mut column) = (String::new(), indent);
    for (at, item) in items.iter().enumerate() {
        if at > 0 && column + 1 + item.len() > WIDTH {
            text.truncate(text.trim_end().len());
            text.push_str(&newline(indent));
            column = indent;
        } else if at > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(item);
        column += item.len();
    }
    text
}

fn newline(indent: usize) -> String {
    format!("\n{}", " ".repeat(indent))
}

/// Where a text may be broken, and after how many of the bytes.
type Separator = (&'static str, usize);

const OPERATORS: [Separator; 2] = [(" || ", 4), (" && ", 4)];
const BRANCHES: [Separator; 2] = [(" then ", 1), (" else ", 1)];
const COMMA: [Separator; 1] = [(", ", 2)];

/// Splits at each separator that stands outside brackets and strings; no piece ends with a space.
fn split<'t>(text: &'t str, separators: &[Separator]) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, depth) in outside_strings(text) {
        if depth == 0
            && let Some((_, length)) = separators.iter().find(|(separator, _)| text[at..].starts_with(separator))
        {
            let end = at + length;
            pieces.push(text[start..end].trim_end());
            start = end;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// The text before, in and after the first of its outermost brackets that hold several things;
/// the brackets stay with the outer parts.
fn brackets(text: &str) -> Option<(&str, &str, &str)> {
    let mut places = outside_strings(text);
    loop {
        let (open, _) = places.by_ref().find(|(at, depth)| *depth == 1 && text[*at..].starts_with(['(', '[']))?;
        let (close, _) = places.by_ref().find(|(at, depth)| *depth == 0 && text[*at..].starts_with([')', ']']))?;
        let inner = &text[open + 1..close];
        if split(inner, &OPERATORS).len() > 1 || split(inner, &COMMA).len() > 1 {
            return Some((&text[..=open], inner, &text[close..]));
        }
    }
}

/// The places of characters that are in no string, each with how many brackets are open after it.
fn outside_strings(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    text.char_indices().filter_map(move |(at, character)| {
        if quoted {
            (quoted, escaped) = (escaped || character != '"', !escaped && character == '\\');
            return None;
        }
        match character {
            '"' => quoted = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((at, depth))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_at_its_operators_and_lists_and_says_the_same() {
        let long = |letter: &str| letter.repeat(40);
        let (a, b, c) = (long("a"), long("b"), long("c"));
        for (text, expected) in [
            (format!("{a} && {b}"), format!("{a} && {b}")),
            (format!("{a} && {b} && {c}"), format!("{a} &&\n  {b} &&\n  {c}")),
            (format!("x in [\"{a}\", \"{b}\", \"{c}\"]"), format!("x in [\n    \"{a}\", \"{b}\",\n    \"{c}\"\n  ]")),
            (format!("h && ({a} || {b} || \"{c}\")"), format!("h &&\n  (\n    {a} ||\n    {b} ||\n    \"{c}\"\n  )")),
            (
                format!("\"{a} && \\\" || {b}\" == \"\\\\\" && {c}"),
                format!("\"{a} && \\\" || {b}\" == \"\\\\\" &&\n  {c}"),
            ),
            (format!("if {a} then x[\"{b}\"] else {c}"), format!("if {a}\n  then x[\"{b}\"]\n  else {c}")),
            (format!("x[\"{a}\"].f(\"{b}{c}\")"), format!("x[\"{a}\"].f(\"{b}{c}\")")),
            (format!("{a}{b}{c}"), format!("{a}{b}{c}")),
        ] {
            let found = expression(&text, 2, 2);
            assert_eq!(found, expected);
            let dense = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(dense(&found), dense(&text));
        }
    }
}
