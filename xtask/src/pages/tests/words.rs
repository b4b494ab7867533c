//! Marks, spaces and cases in which the same words come.

use crate::pages::json_block::{self, NotJson};
use crate::pages::model::Kind;
use crate::pages::words;

#[test]
fn a_type_is_known_in_any_case_and_with_any_space() {
    let texts = || Kind::Collection(Some(Box::new(Kind::Text)));
    for (cell, kind) in [
        (" NUMÉRIQUE ", Kind::Number),
        ("Texto(enum)", Kind::Enum(Vec::new())),
        ("テキスト（enum）", Kind::Enum(Vec::new())),
        ("collection\u{a0}de\u{a0}chaînes", texts()),
        ("Colección de cadenas", texts()),
        ("string の Collection", texts()),
        ("日付 (ISO 8601)", Kind::DateTime),
        ("Date", Kind::Unknown("Date".to_owned())),
        ("collection of colours", Kind::Unknown("collection of colours".to_owned())),
        ("文字列のオブジェクト", Kind::Unknown("文字列のオブジェクト".to_owned())),
    ] {
        assert_eq!(words::kind(cell), kind, "{cell}");
    }
}

#[test]
fn values_end_with_the_list() {
    for (description, expected) in [
        ("Possible values: \"a\", \"b\" and not \"c\"", vec!["a", "b"]),
        ("Valeurs possibles\u{a0}: \"a\"", vec!["a"]),
        ("種類。取り得る値：\"a\"、\"b\"", vec!["a", "b"]),
        ("Valores posibles: “a”, “b", vec!["a"]),
        ("Such as \"a\"", vec![]),
    ] {
        assert_eq!(words::values(description), expected, "{description}");
    }
}

#[test]
fn optional_is_said_at_the_start_of_a_parenthesis() {
    for (description, expected) in [
        ("When (facultative, same format)", true),
        ("(see above) When (Opcional)", true),
        ("When（任意）", true),
        ("An optional date", false),
        ("When (not optional)", false),
    ] {
        assert_eq!(words::describes_optional(description), expected, "{description}");
    }
}

#[test]
fn a_comment_speaks_of_the_member_that_ends_on_its_line() {
    let block =
        "{\n\"a\": 1 // optional, since\n,\"b\": {...},\n// optional\n\"c\": [true,\nnull]}";
    let members = json_block::read(block, usize::MAX).unwrap().unwrap();
    let said: Vec<_> =
        members.iter().map(|member| (member.property.optional, member.property.line)).collect();
    assert_eq!(said, [(true, 2), (false, 3), (false, 5)]);
}

#[test]
fn a_block_that_is_not_json_says_where() {
    for (block, line, expected) in [
        ("{\n\"a\": string}", 2, "a value"),
        ("{\n\"a\" optional}", 2, "`:`"),
        ("{\"a\": 1\n\"b\": 2}", 2, "`,` or `}`"),
        ("{\"a\": [1\n2]}", 2, "`,` or `]`"),
        ("{\"a\n\": 1}", 1, "a string that ends"),
        ("{", 1, "`\"`"),
    ] {
        let read = json_block::read(block, usize::MAX).unwrap();
        assert_eq!(read, Err(NotJson { line, expected }), "{block}");
    }
    assert_eq!(json_block::read("above\nthe table {\n{", 3), None);
}
