//! Lower case, as AWS compares it.

/// Lower-casing with contextual final sigma, characters above U+FFFF as they are: those are set
/// aside, the rest is lower-cased word by word.
pub(super) fn lower(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let cased = |character: &char| character.is_alphabetic() && (character.is_lowercase() || character.is_uppercase());
    // Marks and a few signs stand between letters without ending a word.
    let ignorable = |character: &&char| {
        matches!(**character, '\'' | '.' | ':' | '^' | '`' | '\u{ad}' | '\u{b7}' | '\u{2019}' | '\u{300}'..='\u{36f}')
    };
    let mut lower = String::new();
    for (at, character) in characters.iter().enumerate() {
        if *character as u32 > 0xFFFF {
            lower.push(*character);
        } else if *character == 'Σ' {
            let before = characters[..at].iter().rev().find(|c| !ignorable(c)).is_some_and(cased);
            let after = characters[at + 1..].iter().find(|c| !ignorable(c)).is_some_and(cased);
            lower.push(if before && !after { 'ς' } else { 'σ' });
        } else {
            lower.extend(character.to_lowercase());
        }
    }
    lower
}
