use super::placeholder::Placeholder;
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
const MOST_VALUES: usize = 10_000;

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
        if pieces.is_empty() { Err("a template must not be empty".to_owned()) } else { Ok(Self { pieces }) }
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
    /// A value has neither `:` nor `/` in it, where its place does not allow any: it can't reach into
    /// another part of the ARN. An ARN that the client wrote is of the service, and of the request's
    /// Region and account: an upstream may take any other for the one of that name that it has.
    pub(super) fn arns(&self, reading: &Reading<'_>, service: &str) -> Result<Vec<Arn>, Undetermined> {
        let filled = self.fill(reading, |place, value| {
            if place.is_or_arn() && value.starts_with("arn:") {
                let (region, account) = (reading.request.region.as_str(), reading.request.account);
                let is_own = value.parse().is_ok_and(|arn: Arn| {
                    arn.service() == service
                        && ["", region].contains(&arn.region())
                        && ["", account.as_str()].contains(&arn.account())
                });
                return if is_own {
                    Ok(Filled::Whole)
                } else {
                    Err(Undetermined(format!("`{}` is of another service, Region or account", value.escape_debug())))
                };
            }
            let is_plain = |character: char| {
                !character.is_control() && (place.is_any() || !place.is_of_request() || !matches!(character, ':' | '/'))
            };
            if value.is_empty() || !value.chars().all(is_plain) {
                return Err(Undetermined(format!("`{}` is not the name of a resource", value.escape_debug())));
            }
            Ok(Filled::Part)
        })?;
        filled
            .into_iter()
            .map(|text| text.parse().map_err(|_| Undetermined(format!("`{}` is not an ARN", text.escape_debug()))))
            .collect()
    }

    /// The texts that it makes of a request; none where a place is empty.
    pub(super) fn texts(&self, reading: &Reading<'_>) -> Result<Vec<String>, Undetermined> {
        self.fill(reading, |_, _| Ok(Filled::Part))
    }

    fn fill(
        &self,
        reading: &Reading<'_>,
        check: impl Fn(&Placeholder, &str) -> Result<Filled, Undetermined>,
    ) -> Result<Vec<String>, Undetermined> {
        let mut filled: Vec<(&Placeholder, Vec<String>)> = Vec::new();
        for place in self.places() {
            let values = place.values(reading)?;
            if values.is_empty() {
                return Ok(Vec::new());
            }
            filled.push((place, values));
        }
        let count = filled.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
        if count > MOST_VALUES {
            return Err(Undetermined(format!("the request names more than {MOST_VALUES} resources")));
        }
        // Places with several values stand side by side only where they are made of the same ones.
        let mut several = filled.iter().filter(|(_, values)| values.len() > 1);
        if let Some((first, _)) = several.next()
            && several.any(|(other, values)| values.len() != count || !first.is_beside(other))
        {
            return Err(Undetermined("the request names several things, and not which belong together".to_owned()));
        }
        (0..count)
            .map(|index| {
                let mut text = String::new();
                let mut values = filled.iter();
                for piece in &self.pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Place(_) => {
                            let Some((place, values)) = values.next() else { continue };
                            let value = if values.len() == 1 { &values[0] } else { &values[index] };
                            match check(place, value)? {
                                Filled::Part => text.push_str(value),
                                Filled::Whole => return Ok(value.clone()),
                            }
                        }
                    }
                }
                Ok(text)
            })
            .collect()
    }
}

/// What a value is in the text.
enum Filled {
    Part,
    /// It is all of it.
    Whole,
}
