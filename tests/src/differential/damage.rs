//! Bytes that no writer of JSON would write.

use fastrand::Rng;

/// What is put into a document: tokens of JSON, and what breaks or changes them.
const TOKENS: [&[u8]; 44] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\r\n",
    b"\t",
    b"\x0b",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xa9",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"\\ud83c",
    b"\\udfab",
    b"\\ud83c\\udfab",
    b"\\u00e9",
    b"\\x",
    b"\\u12",
    b"null",
    b"true",
    b"0",
    b"-",
    b".",
    b"e",
    b"1",
    b"/* */",
    b"//",
    b"'",
    b"NaN",
    b"\"x\":1,",
    b",\"\":null",
    b"\xe2\x80\xa8",
];

/// Damages a document in one place.
pub(super) fn damage(document: &mut Vec<u8>, rng: &mut Rng) {
    let length = document.len();
    let mut at = rng.usize(..=length);
    if rng.bool() {
        // Damage is subtlest beside the marks that hold a document together.
        let mark = document[at..].iter().position(|byte| b"{}[],:\"".contains(byte));
        at += mark.map_or(0, |mark| mark + rng.usize(..2));
    }
    let span = at..(at + rng.usize(..=12)).min(length);
    match rng.u8(..10) {
        0..3 => drop(document.splice(at..at, rng.choice(&TOKENS).unwrap().iter().copied())),
        3 => drop(document.splice(span, rng.choice(&TOKENS).unwrap().iter().copied())),
        4 => drop(document.drain(span)),
        5 => document.truncate(at),
        6 => {
            if let Some(byte) = document.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
        7 => {
            if let Some(byte) = document.get_mut(at) {
                *byte = rng.u8(..);
            }
        }
        8 => {
            let copied = document[span].to_vec();
            let to = rng.usize(..=length);
            drop(document.splice(to..to, copied));
        }
        _ => repeat_member(document, at, rng),
    }
}

/// Copies a member to another place of the document, by the looks of its bytes.
fn repeat_member(document: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let comma =
        |from: usize| document[from..].iter().position(|&byte| byte == b',').map(|it| from + it);
    let Some(start) = comma(at.min(document.len())) else { return };
    let Some(end) = comma(start + 1) else { return };
    let member = document[start..end].to_vec();
    let to = if rng.bool() { start } else { end };
    drop(document.splice(to..to, member));
}
