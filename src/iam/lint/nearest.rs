/// The candidate that is nearest to the text by the letters that would have to change, in any case
/// of ASCII letters; none where all are far off.
pub(super) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let most = (text.len() / 4).clamp(1, 4);
    let text: Vec<u8> = text.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(text.len()) <= most)
        .filter_map(|candidate| distance(&text, candidate.as_bytes(), most).map(|distance| (distance, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove or replace; none where they are more than `most`.
fn distance(left: &[u8], right: &[u8], most: usize) -> Option<usize> {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, left) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(*left != right.to_ascii_lowercase());
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
        if row.iter().all(|cost| *cost > most) {
            return None;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_few_letters_off() {
        let names = ["Decrypt", "DescribeKey", "Encrypt", "EnableKeyRotation"];
        for (text, expected) in [
            ("Decript", Some("Decrypt")),
            ("decrypt", Some("Decrypt")),
            ("EnableKeyRotations", Some("EnableKeyRotation")),
            ("DescribeKeys", Some("DescribeKey")),
            ("RunInstances", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, names), expected, "{text}");
        }
    }
}
