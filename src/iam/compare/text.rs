use std::borrow::Cow;

/// What the IgnoreCase operators compare: full lower-casing with contextual final sigma, no case
/// folding (`ß` is not `ss`); characters above U+FFFF are not mapped.
#[must_use]
pub fn lower_case(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    let lower = text.to_lowercase();
    if text.chars().all(|character| u32::from(character) <= 0xFFFF) {
        return Cow::Owned(lower);
    }
    // The sigma's form depends on its neighbours but is one character either way, so that the two
    // texts can be walked side by side.
    let mut mapped = lower.chars();
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        let count = character.to_lowercase().count();
        if u32::from(character) > 0xFFFF {
            kept.push(character);
            mapped.by_ref().take(count).for_each(drop);
        } else {
            kept.extend(mapped.by_ref().take(count));
        }
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_casing_is_full_with_a_contextual_final_sigma() {
        for (text, expected) in [
            ("ABC", "abc"),
            ("ΟΔΟΣ", "οδος"),
            ("ΟΔΟΣ Σ", "οδος σ"),
            ("ΣΑ", "σα"),
            ("İ", "i\u{307}"),
            ("ẞ", "ß"),
            ("SS", "ss"),
            ("\u{212A}", "k"),
            ("\u{10400}A", "\u{10400}a"),
            ("İ\u{10400}Σ", "i\u{307}\u{10400}ς"),
        ] {
            assert_eq!(lower_case(text), expected, "{text}");
        }
    }
}
