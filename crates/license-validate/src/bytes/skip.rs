//! Values of members that no schema names: any JSON.

use super::{Rest, boolean, elements, members, null, number, text};

/// Levels that such a value may have. With those around it, it stays below the reference's limit of
/// 127, and the stack that it takes is bounded.
pub(super) const DEPTH: usize = 64;

/// Any value.
#[inline(never)]
pub(crate) fn anything(input: &[u8]) -> Rest<'_> {
    within(input, DEPTH)
}

fn within(input: &[u8], depth: usize) -> Rest<'_> {
    let inside = |input| within(input, depth.checked_sub(1)?);
    match input.first()? {
        b'"' => text(input),
        b'{' => members(input, |_, value| inside(value)),
        b'[' => elements(input, inside),
        b't' | b'f' => boolean(input),
        b'n' => null(input),
        _ => number::number(input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_is_passed_over() {
        for text in [
            r#"{"a":[1,-2.5e3,{"b":null}],"c":"\u0041","":true}"#,
            "[ ]",
            "{ }",
            "0",
            "false",
            r#"["x",[],{}]"#,
        ] {
            assert_eq!(anything(text.as_bytes()), Some(&b""[..]), "{text}");
        }
        for text in
            ["", "nul", "tru", "[1", "{\"a\"", "{1:2}", "[1 2]", "'a'", "NaN", "]", "\"\\ud800\""]
        {
            assert_eq!(anything(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(anything(&nested(DEPTH)).is_some());
        assert!(anything(&nested(DEPTH + 2)).is_none());
        assert!(anything(&vec![b'['; 10_000_000]).is_none());
    }
}
