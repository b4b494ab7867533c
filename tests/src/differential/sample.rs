//! Texts and numbers that a schema describes, most of them, and those just beside.

use std::{iter::Peekable, str::Chars};

use fastrand::Rng;
use serde_json::Value;

/// A text that fits a pattern of the schemas' subset.
pub(super) fn pattern(pattern: &str, rng: &mut Rng) -> String {
    let mut text = String::new();
    alternatives(&mut pattern.chars().peekable(), &mut text, rng);
    text
}

/// Writes one of the alternatives up to the end of the group, and reads them all.
fn alternatives(rest: &mut Peekable<Chars<'_>>, text: &mut String, rng: &mut Rng) {
    let before = text.len();
    let mut chosen = String::new();
    let mut count = 0;
    loop {
        sequence(rest, text, rng);
        count += 1;
        let one = text.split_off(before);
        if rng.usize(..count) == 0 {
            chosen = one;
        }
        if rest.next_if_eq(&'|').is_none() {
            break;
        }
    }
    text.push_str(&chosen);
}

fn sequence(rest: &mut Peekable<Chars<'_>>, text: &mut String, rng: &mut Rng) {
    while let Some(letter) = rest.next_if(|letter| !matches!(letter, '|' | ')')) {
        match letter {
            '^' | '$' => {}
            '(' => {
                let before = text.len();
                alternatives(rest, text, rng);
                rest.next();
                if rest.next_if_eq(&'?').is_some() && rng.bool() {
                    text.truncate(before);
                }
            }
            letter => {
                let class: Vec<char> = match letter {
                    '[' => class(&rest.by_ref().take_while(|it| *it != ']').collect::<String>()),
                    letter => vec![letter],
                };
                for _ in 0..count(rest, rng) {
                    text.push(*rng.choice(&class).unwrap());
                }
            }
        }
    }
}

fn class(text: &str) -> Vec<char> {
    let mut letters = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let mut ahead = rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                letters.extend(first..=last);
                rest = ahead;
            }
            _ => letters.push(first),
        }
    }
    letters
}

fn count(rest: &mut Peekable<Chars<'_>>, rng: &mut Rng) -> u32 {
    let (minimum, maximum) = match rest.next_if(|next| "{?*+".contains(*next)) {
        None => (1, 1),
        Some('?') => (0, 1),
        Some('*') => (0, 4),
        Some('+') => (1, 4),
        Some(_) => {
            let count: String = rest.by_ref().take_while(|it| *it != '}').collect();
            let (minimum, maximum) = count.split_once(',').unwrap_or((&count, &count));
            (minimum.parse().unwrap(), maximum.parse().unwrap())
        }
    };
    match rng.u8(..4) {
        0 => maximum,
        1 => minimum,
        _ => rng.u32(minimum..=maximum.min(minimum + 8)),
    }
}

/// A text near RFC 3339.
pub(super) fn date_time(rng: &mut Rng) -> String {
    let mut part = |usual: std::ops::Range<u32>, other: &[u32]| match rng.u8(..40) {
        0 => *rng.choice(other).unwrap(),
        _ => rng.u32(usual),
    };
    let year = part(1990..2040, &[0, 1900, 2000, 2100, 9999]);
    let (month, day) = (part(1..13, &[0, 2, 13]), part(1..29, &[0, 29, 30, 31, 32]));
    let (hour, minute) = (part(0..24, &[23, 24]), part(0..60, &[59, 60]));
    let second = part(0..60, &[59, 60, 61]);
    let (ahead, beside) = (part(0..15, &[23, 24]), part(0..2, &[30, 59, 60]));
    let fraction = *rng.choice(&["", "", ".5", ".123", ".000000001", "."]).unwrap();
    let separator = *rng.choice(&["T", "T", "T", "T", "t", " "]).unwrap();
    let offset = match rng.u8(..12) {
        0..5 => "Z".to_owned(),
        5..8 => format!("+{ahead:02}:{beside:02}"),
        8..10 => format!("-{ahead:02}:{beside:02}"),
        10 => "z".to_owned(),
        _ => String::new(),
    };
    let seconds = if rng.u8(..12) == 0 { String::new() } else { format!(":{second:02}{fraction}") };
    format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}{seconds}{offset}")
}

/// A text of any kind.
pub(super) fn text(rng: &mut Rng) -> String {
    const PARTS: [&str; 16] = [
        "",
        "a",
        "Ann",
        "WS-12",
        "4D Client",
        "é",
        "漢字",
        "🎫",
        "\"",
        "\\",
        "/",
        "\n",
        "\u{7f}",
        "\u{0}",
        "\u{ffff}",
        "eight by",
    ];
    let count = if rng.u8(..10) == 0 { rng.usize(..40) } else { rng.usize(..4) };
    let parts = if rng.bool() { &PARTS[..5] } else { &PARTS };
    (0..count).map(|_| *rng.choice(parts).unwrap()).collect()
}

/// A text of so many characters, or one more or less.
pub(super) fn text_of(minimum: u64, maximum: u64, rng: &mut Rng) -> String {
    let length = match rng.u8(..8) {
        0 => maximum + 1,
        1 => maximum,
        2 => minimum,
        3 => minimum.saturating_sub(1),
        _ => rng.u64(minimum..=maximum.min(minimum + 12)),
    };
    let letter = *rng.choice(&["a", "a", "é", "🎫"]).unwrap();
    letter.repeat(length.try_into().unwrap())
}

/// An integer in or beside its bounds, in one of its spellings.
pub(super) fn integer(schema: &Value, rng: &mut Rng, odd: bool) -> String {
    let bound = |name: &str| schema[name].as_i64().unwrap_or_default();
    let (minimum, maximum) = (bound("minimum"), bound("maximum"));
    let number = match rng.u8(..12) {
        0 => minimum,
        1 => maximum,
        2 => rng.i64(minimum..=maximum),
        3 if odd => minimum - 1,
        4 if odd => maximum + 1,
        _ => rng.i64(minimum..=maximum.min(minimum.saturating_add(1000))),
    };
    if !odd {
        return number.to_string();
    }
    match rng.u8(..16) {
        0 => format!("{number}.0"),
        1 => format!("{number}.5"),
        2 => format!("{number}e0"),
        3 => format!("{number}0e-1"),
        4 => format!("{number}E+2"),
        5 => format!("-{number}"),
        6 => format!("0{number}"),
        7 => format!("+{number}"),
        8 => "-0".to_owned(),
        9 => "1e400".to_owned(),
        10 => format!("{number}{number}{number}"),
        11 => "0.1e1".to_owned(),
        12 => format!("{number}."),
        _ => number.to_string(),
    }
}
