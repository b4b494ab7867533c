//! Streams that nobody would write but to be a nuisance: what they take must stay in proportion.

/// A kind of stream, made about so many bytes long.
pub struct Hostile {
    /// What it is.
    pub name: &'static str,
    /// Whether most of it is one record, whose tree may have to be held.
    pub is_one_record: bool,
    make: fn(usize) -> Vec<u8>,
}

const START: &str = r#"{"productId":1,"productName":"","productUsedCount":1,"productBalance":0,"time":"2021-12-01T15:36Z","reason":"","session":{"IPAddress":"","userAgent":"","userName":"","userId":1}"#;

/// All kinds.
pub const KINDS: [Hostile; 25] = [
    small("records without members", |bytes| repeated("", "{}\n", bytes, "")),
    small("elements without members", |bytes| repeated("[{}", ",{}", bytes, "]")),
    small("elements far apart", |bytes| repeated("[{}", ",  \n {}", bytes, "")),
    small("elements that are not closed", |bytes| repeated("[", "{},   {", bytes, "")),
    small("lines that are not closed", |bytes| repeated("", "{\"a\":\n", bytes, "")),
    small("lines that are not closed, later", |bytes| repeated("{}\n", "{\"a\":\n", bytes, "")),
    small("members that are not closed", |bytes| {
        repeated("{}\n", "{\"session\":{\"x\":[{},\n", bytes, "")
    }),
    small("brackets on lines", |bytes| repeated("{}\n", "[\n", bytes, "")),
    small("brackets", |bytes| repeated("", "[", bytes, "")),
    large("brackets around many lines", |bytes| {
        repeated(&("{}\n".to_owned() + &"[\n".repeat(126)), "[1],\n", bytes, "")
    }),
    small("brackets around many lines, again and again", |bytes| {
        let block = "[\n".repeat(126) + &"1,\n".repeat(1000);
        repeated("{}\n", &block, bytes, "")
    }),
    small("quotes", |bytes| repeated("", "\"\n", bytes, "")),
    small("texts that are not closed", |bytes| {
        repeated("", &format!("\"{}\n", "x".repeat(200)), bytes, "")
    }),
    small("blank lines", |bytes| repeated("", "\n", bytes, "")),
    small("bytes that are not UTF-8", |bytes| {
        repeated("", "{\"a\": 1}\n", bytes, "").into_iter().map(|it| it ^ 0x80).collect()
    }),
    large("brackets that never close", |bytes| repeated("{}\n[", "1,\n", bytes, "")),
    large("products without members", |bytes| repeated("{\"products\":[{}", ",{}", bytes, "]}")),
    large("unknown members", |bytes| {
        repeated(&format!("{START},\"token\":0"), ",\"a\":1,\"b\":2", bytes, "}\n")
    }),
    large("an unknown list", |bytes| {
        repeated(&format!("{START},\"token\":0,\"x\":[0"), ",0", bytes, "]}\n")
    }),
    large("a member again and again", |bytes| {
        repeated(&format!("{START},\"token\":0"), ",\"token\":0", bytes, "}\n")
    }),
    large("escapes", |bytes| repeated(&format!("{START},\"token\":\""), "\\u0041", bytes, "\"}\n")),
    large("a long text", |bytes| repeated(&format!("{START},\"token\":\""), "x", bytes, "\"}\n")),
    large("a long integer", |bytes| repeated(&format!("{START},\"token\":1"), "0", bytes, "}\n")),
    large("a long fraction", |bytes| {
        repeated(&format!("{START},\"token\":1.0"), "0", bytes, "}\n")
    }),
    large("an exponent", |bytes| repeated(&format!("{START},\"token\":1e0"), "0", bytes, "}\n")),
];

impl Hostile {
    /// A stream of about so many bytes.
    pub fn stream(&self, bytes: usize) -> Vec<u8> {
        (self.make)(bytes)
    }
}

const fn small(name: &'static str, make: fn(usize) -> Vec<u8>) -> Hostile {
    Hostile { name, is_one_record: false, make }
}

const fn large(name: &'static str, make: fn(usize) -> Vec<u8>) -> Hostile {
    Hostile { name, is_one_record: true, make }
}

fn repeated(before: &str, part: &str, bytes: usize, after: &str) -> Vec<u8> {
    [before, &part.repeat(bytes.div_ceil(part.len())), after].concat().into_bytes()
}
