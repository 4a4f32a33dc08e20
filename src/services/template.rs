use super::placeholder::{Placeholder, Value};
use super::request::{Reading, Undetermined};
use crate::aws::Arn;

/// A text with places in it that a request fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Placeholder),
}

/// Most texts that a template makes of one request.
///
/// S3's DeleteObjects takes as many keys; no other operation names more.
const MOST_VALUES: usize = 1_000;

impl Template {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (inside, after) = after.split_once('}').ok_or_else(|| format!("`{text}` has a {{ without its }}"))?;
            pieces.push(Piece::Place(Placeholder::parse(inside)?));
            rest = after;
        }
        if rest.contains('}') {
            return Err(format!("`{text}` has a }} without its {{"));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if pieces.is_empty() {
            return Err("a template must not be empty".to_owned());
        }
        let template = Self { pieces };
        let last =
            template.places().enumerate().filter(|(_, place)| place.reads_prefix()).map(|(index, _)| index).last();
        if template.places().take(last.unwrap_or(0)).any(Placeholder::is_of_request) {
            return Err(format!("in `{text}` what stands before an ARN's place must not be of the request"));
        }
        Ok(template)
    }

    pub(super) fn reads_body(&self) -> bool {
        self.places().any(Placeholder::reads_body)
    }

    pub(super) fn path_variables(&self) -> impl Iterator<Item = &str> {
        self.places().filter_map(Placeholder::path_variable)
    }

    fn places(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Place(place) => Some(place),
        })
    }

    /// The ARNs that it makes of a request; none where a place is empty.
    ///
    /// A value has neither `:` nor `/` nor white space in it, where its place does not allow any: it can't
    /// reach into another part of the ARN.
    pub(super) fn arns(&self, reading: &Reading<'_>) -> Result<Vec<Arn>, Undetermined> {
        let texts = self.fill(reading, |place, value| {
            let is_plain = |letter: char| {
                !letter.is_control()
                    && (place.is_any()
                        || !place.is_of_request()
                        || !(letter.is_whitespace() || matches!(letter, ':' | '/')))
            };
            if value.is_empty() || !value.chars().all(is_plain) {
                return Err(Undetermined(format!("`{}` is not the name of a resource", value.escape_debug())));
            }
            Ok(())
        })?;
        texts
            .into_iter()
            .map(|Value { text, .. }| {
                text.parse().map_err(|_| Undetermined(format!("`{}` is not an ARN", text.escape_debug())))
            })
            .collect()
    }

    /// The texts that it makes of a request; none where a place is empty.
    pub(super) fn texts(&self, reading: &Reading<'_>) -> Result<Vec<Value>, Undetermined> {
        self.fill(reading, |_, _| Ok(()))
    }

    fn fill(
        &self,
        reading: &Reading<'_>,
        check: impl Fn(&Placeholder, &str) -> Result<(), Undetermined>,
    ) -> Result<Vec<Value>, Undetermined> {
        let mut filled: Vec<(&Placeholder, Vec<Value>)> = Vec::new();
        let mut prefix = String::new();
        for piece in &self.pieces {
            let place = match piece {
                Piece::Text(text) => {
                    prefix.push_str(text);
                    continue;
                }
                Piece::Place(place) => place,
            };
            let values = place.values(reading, &prefix)?;
            let Some(first) = values.first() else { return Ok(Vec::new()) };
            if values.len() > MOST_VALUES {
                return Err(Undetermined(format!("the request names more than {MOST_VALUES} resources")));
            }
            prefix.push_str(&first.text);
            values.iter().try_for_each(|value| check(place, &value.text))?;
            filled.push((place, values));
        }
        // Places with several values stand side by side only where they are made of the same ones.
        let several: Vec<_> = filled.iter().filter(|(_, values)| values.len() > 1).collect();
        let count = several.first().map_or(1, |(_, values)| values.len());
        if several.iter().any(|(place, values)| values.len() != count || !several[0].0.is_beside(place)) {
            return Err(Undetermined("the request names several things, and not which belong together".to_owned()));
        }
        let places = several.first().map(|(_, values)| values).or(filled.last().map(|(_, values)| values));
        (0..count)
            .map(|index| {
                let mut text = String::new();
                let mut values = filled.iter();
                for piece in &self.pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Place(_) => {
                            let Some((_, values)) = values.next() else { continue };
                            text.push_str(&values.get(index).unwrap_or(&values[0]).text);
                        }
                    }
                }
                let place = places.and_then(|values| values.get(index)).map_or(Vec::new(), |value| value.place.clone());
                Ok(Value { place, text })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_place_needs_to_know_is_known() {
        for wrong in ["", "a{", "a}", "{region", "{nonsense}", "{path:}", "{body:/a//b}", "{body:/A}:{body:/B|or-arn}"]
        {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
        for good in
            ["a", "{region}", "arn:{partition}:x:{region}:{account}:{body:/A|arn}:{body:/B}", "{body:/A[b][!c]/D}"]
        {
            assert!(Template::parse(good).is_ok(), "{good}");
        }
    }
}
