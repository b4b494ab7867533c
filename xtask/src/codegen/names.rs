//! Names in Rust for names in JSON.

/// Names that a generated type must not hide, since generated code uses them; and `Self`.
#[rustfmt::skip]
const TAKEN: [&str; 34] = [
    "Box", "Clone", "Copy", "Debug", "Display", "Eq", "Err", "From", "FromJson", "Hash", "Into",
    "Invalid", "Map", "Members", "None", "Ok", "Option", "Ord", "ParseError", "Part", "PartialEq",
    "PartialOrd", "Pointer", "Result", "Rule", "Self", "Serialize", "Shape", "Some", "String",
    "Tagged", "TryFrom", "Value", "Vec",
];

/// Whether a type can bear this name.
pub(crate) fn is_type_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|it| it.is_ascii_alphanumeric())
        && !TAKEN.contains(&name)
}

/// `license-usage`, `lease_expired`, `storedProcedure` → `LicenseUsage`, …
pub(crate) fn pascal(name: &str) -> String {
    let capitalize = |word: String| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    words(name).into_iter().map(capitalize).collect()
}

/// `persistentID`, `IPAddress`, `type` → `persistent_id`, `ip_address`, `type_`.
pub(crate) fn field(name: &str) -> String {
    let name = words(name).join("_");
    if syn::parse_str::<syn::Ident>(&name).is_ok() { name } else { name + "_" }
}

/// `license-usage` → `license_usage`.
pub(crate) fn module(name: &str) -> String {
    words(name).join("_")
}

/// `ClientSession` → `client session`, for sentences.
pub(crate) fn spaced(name: &str) -> String {
    words(name).join(" ")
}

/// The words of a name, in lower case: parted by anything that is neither letter nor digit,
/// before a capital that follows a small letter, and before the last capital of several when a
/// small letter follows it.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(place + 1);
        let starts = letter.is_ascii_uppercase()
            && (before.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
                || before.is_some_and(|it| it.is_ascii_uppercase())
                    && after.is_some_and(char::is_ascii_lowercase));
        if starts || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric() {
            let word = words.last_mut().expect("there is always one");
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_habits_of_rust() {
        for (json, rust) in [
            ("IPAddress", "ip_address"),
            ("ID", "id"),
            ("persistentID", "persistent_id"),
            ("type", "type_"),
            ("isDatastore", "is_datastore"),
            ("globalProductUsedCount", "global_product_used_count"),
        ] {
            assert_eq!(field(json), rust);
        }
        for (json, rust) in [
            ("license-usage", "LicenseUsage"),
            ("lease_expired", "LeaseExpired"),
            ("storedProcedure", "StoredProcedure"),
            ("SqlSession", "SqlSession"),
        ] {
            assert_eq!(pascal(json), rust);
        }
    }
}
