/// One piece of a wildcard pattern over units of `U` (bytes, or UTF-16 units).
pub(super) enum Piece<'a, U> {
    Text(&'a [U]),
    Star,
    Question,
    /// Matches nothing: an unresolved variable.
    Never,
}

/// Whether the whole text matches the pieces. `*` is tried at its shortest first and only the
/// last one met is ever lengthened, so the work is at most pattern × text.
pub(super) fn glob<'a, U>(
    count: usize,
    piece: impl Fn(usize) -> Piece<'a, U>,
    text: &[U],
    equal: impl Fn(&[U], &[U]) -> bool,
) -> bool
where
    U: 'a,
{
    let (mut at, mut position) = (0, 0);
    // The piece after the last star, and where in the text that piece was last tried.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let taken = if at == count {
            if position == text.len() {
                return true;
            }
            None
        } else {
            match piece(at) {
                Piece::Star => {
                    at += 1;
                    if at == count {
                        return true;
                    }
                    retry = Some((at, position));
                    continue;
                }
                Piece::Question => (position < text.len()).then_some(1),
                Piece::Text(literal) => text
                    .get(position..position + literal.len())
                    .is_some_and(|found| equal(found, literal))
                    .then_some(literal.len()),
                Piece::Never => return false,
            }
        };
        match (taken, &mut retry) {
            (Some(length), _) => {
                at += 1;
                position += length;
            }
            (None, Some((after_star, tried))) if *tried < text.len() => {
                *tried += 1;
                (at, position) = (*after_star, *tried);
            }
            (None, _) => return false,
        }
    }
}
