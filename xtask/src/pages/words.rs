//! The words by which the pages' five languages name columns, types, options and values.
//!
//! A page that uses a new word is cured here, and nowhere else.

use std::cmp::Reverse;
use std::sync::LazyLock;

use super::model::Kind;

/// The language of a table, told by the header of its first column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Language {
    English,
    French,
    Spanish,
    Portuguese,
    Japanese,
}

const NAME_HEADERS: &[(&str, Language)] = &[
    ("property name", Language::English),
    ("property", Language::English),
    ("nom de la propriété", Language::French),
    ("propriété", Language::French),
    ("nombre de la propiedad", Language::Spanish),
    ("propiedad", Language::Spanish),
    ("nome de propriedadeame", Language::Portuguese),
    ("nome de propriedade", Language::Portuguese),
    ("nome da propriedade", Language::Portuguese),
    ("nome propriedade", Language::Portuguese),
    ("propriedade", Language::Portuguese),
    ("プロパティ名", Language::Japanese),
    ("プロパティ", Language::Japanese),
];

const TYPE_HEADERS: &[&str] = &["type", "tipo", "型"];

/// A plural stands before its singular, so that the longest word is taken.
const OTHER_HEADERS: &[&str] = &[
    "description",
    "descripción",
    "descrição",
    "詳細",
    "説明",
    "examples",
    "example",
    "exemples",
    "exemple",
    "ejemplos",
    "ejemplo",
    "exemplos",
    "exemplo",
    "例",
];

const NUMBERS: &[&str] = &["number", "numérique", "número", "数値"];
const TEXTS: &[&str] =
    &["text", "texte", "texto", "テキスト", "string", "chaîne", "cadena", "文字列"];
const BOOLEANS: &[&str] = &["boolean", "booléen", "booleano", "ブール"];
const OBJECTS: &[&str] = &["object", "objet", "objeto", "オブジェクト"];
const DATES: &[&str] =
    &["date iso 8601", "fecha iso 8601", "data iso 8601", "日付 (iso 8601)", "日付 iso 8601"];
const COLLECTIONS: &[&str] = &["collection", "colección", "coleção", "uma coleção", "コレクション"];
/// Beginnings, so that both `facultatif` and `facultative` count.
const OPTIONALS: &[&str] =
    &["optional", "facultati", "optionnel", "opcional", "任意", "オプション"];
const VALUES: &[&str] = &[
    "possible values",
    "valeurs possibles",
    "valores posibles",
    "valores possíveis",
    "取り得る値",
    "取りうる値",
];

/// Every word for a type, the longest first.
static KINDS: LazyLock<Vec<(&str, Kind)>> = LazyLock::new(|| {
    let words = [
        (NUMBERS, Kind::Number),
        (TEXTS, Kind::Text),
        (BOOLEANS, Kind::Boolean),
        (OBJECTS, Kind::Object(Vec::new())),
        (DATES, Kind::DateTime),
        (COLLECTIONS, Kind::Collection(None)),
    ];
    let mut kinds: Vec<_> = words
        .iter()
        .flat_map(|(words, kind)| words.iter().map(|word| (*word, kind.clone())))
        .collect();
    kinds.sort_by_key(|(word, _)| Reverse(word.len()));
    kinds
});

/// The language of a table whose first header is `cell`, if it is one that lists properties.
pub(crate) fn name_header(cell: &str) -> Option<Language> {
    NAME_HEADERS.iter().find(|(word, _)| is(cell, word)).map(|(_, language)| *language)
}

/// Whether `cell` heads the column of types.
pub(crate) fn is_type_header(cell: &str) -> bool {
    TYPE_HEADERS.iter().any(|word| is(cell, word))
}

/// Whether `cell` heads a column of descriptions or examples.
pub(crate) fn is_other_header(cell: &str) -> bool {
    OTHER_HEADERS.iter().any(|word| is(cell, word))
}

/// The language of a line that consists of header words without separators.
pub(crate) fn flattened_header(line: &str) -> Option<Language> {
    let follows = |rest: &str| !rest.is_empty() && is_all_headers(rest);
    NAME_HEADERS
        .iter()
        .find(|(word, _)| strip(line, word).is_some_and(follows))
        .map(|(_, language)| *language)
}

/// The type that `cell` names.
pub(crate) fn kind(cell: &str) -> Kind {
    match kind_at_start(cell.trim()) {
        Some((kind, "")) => kind,
        _ => Kind::Unknown(cell.trim().to_owned()),
    }
}

/// The type that the longest phrase at the start of `text` names, and what follows it.
pub(crate) fn kind_at_start(text: &str) -> Option<(Kind, &str)> {
    let (kind, rest) = word_at_start(text)?;
    let longer = enum_after(&kind, rest)
        .or_else(|| collection_after(&kind, rest))
        .or_else(|| element_after(&kind, rest));
    longer.or(Some((kind, rest)))
}

fn word_at_start(text: &str) -> Option<(Kind, &str)> {
    KINDS.iter().find_map(|(word, kind)| Some((kind.clone(), strip(text, word)?)))
}

/// `Text (enum)`.
fn enum_after<'a>(kind: &Kind, rest: &'a str) -> Option<(Kind, &'a str)> {
    let rest = strip(rest.trim_start(), "(enum)")?;
    (*kind == Kind::Text).then_some((Kind::Enum(Vec::new()), rest))
}

/// `collection of strings`.
fn element_after<'a>(kind: &Kind, rest: &'a str) -> Option<(Kind, &'a str)> {
    let element = [" of ", " de ", " d'"].iter().find_map(|of| strip(rest, of))?;
    let (element, rest) = word_at_start(element)?;
    let collection = Kind::Collection(Some(Box::new(element)));
    (*kind == Kind::Collection(None)).then_some((collection, strip(rest, "s").unwrap_or(rest)))
}

/// `文字列のコレクション`.
fn collection_after<'a>(kind: &Kind, rest: &'a str) -> Option<(Kind, &'a str)> {
    let collection = strip(rest.trim_start(), "の")?.trim_start();
    let rest = COLLECTIONS.iter().find_map(|word| strip(collection, word))?;
    Some((Kind::Collection(Some(Box::new(kind.clone()))), rest))
}

/// Whether a description has a parenthesis that begins by saying that the property is optional.
pub(crate) fn describes_optional(description: &str) -> bool {
    description.split(['(', '（']).skip(1).any(is_optional)
}

/// Whether `text` begins by saying that a property is optional.
pub(crate) fn is_optional(text: &str) -> bool {
    OPTIONALS.iter().any(|word| strip(text.trim_start(), word).is_some())
}

/// The quoted words that follow "possible values" in a description.
pub(crate) fn values(description: &str) -> Vec<String> {
    let tails = description.char_indices().map(|(at, _)| &description[at..]);
    let after = |tail| VALUES.iter().find_map(|word| strip(tail, word));
    let mut values = Vec::new();
    let Some(mut rest) = tails.into_iter().find_map(after) else { return values };
    rest = rest.trim_start().trim_start_matches([':', '：']);
    while let Some(quoted) = rest.trim_start().strip_prefix(['"', '“', '«']) {
        let Some((value, after)) = quoted.split_once(['"', '”', '»']) else { break };
        values.push(value.trim().to_owned());
        match after.trim_start().strip_prefix([',', '、', '，']) {
            Some(after) => rest = after,
            None => break,
        }
    }
    values
}

fn is_all_headers(text: &str) -> bool {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut words = TYPE_HEADERS.iter().chain(OTHER_HEADERS);
        match words.find_map(|word| strip(rest, word)) {
            Some(after) => rest = after.trim_start(),
            None => return false,
        }
    }
    true
}

fn is(text: &str, word: &str) -> bool {
    strip(text.trim(), word) == Some("")
}

/// What follows `word` at the start of `text`, whatever the case, the spaces and the marks.
fn strip<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    let is_same = word.chars().all(|expected| rest.next().map(plain) == Some(plain(expected)));
    is_same.then_some(rest.as_str())
}

fn plain(character: char) -> char {
    match character {
        ascii if ascii.is_ascii_graphic() => ascii.to_ascii_lowercase(),
        '’' => '\'',
        '（' => '(',
        '）' => ')',
        space if space.is_whitespace() => ' ',
        other => other.to_lowercase().next().unwrap_or(other),
    }
}
