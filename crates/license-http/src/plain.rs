//! A fast path for the body of a retain, by far the most frequent request: the form that nearly every
//! client sends is read straight into its type. To validate it as a tree of JSON takes as long as
//! everything else that this crate does for the request.

use std::fmt;
use std::marker::PhantomData;

use license_types::{LeaseSeconds, Reason, RestSession, RetainRequest, Session};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A [`RetainRequest`] with a session of the REST shape and nothing unusual.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plain {
    #[serde(default, deserialize_with = "present")]
    reason: Option<String>,
    session: Object<PlainSession>,
    #[serde(default, deserialize_with = "present")]
    lease_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlainSession {
    user_name: String,
    #[serde(rename = "sessionID")]
    session_id: String,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    is_datastore: bool,
}

/// A member that may be absent, but not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A value that must be written as an object; serde by itself would also accept an array of its fields.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<T>, D::Error> {
        from.deserialize_map(Members(PhantomData)).map(Object)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// The request in `body`, exactly as [`license_validate::parse`] reads it. `None` if it is not plain
/// (another shape, a repeated member, anything not allowed): then the schema has to judge it.
pub(crate) fn retain_request(body: &[u8]) -> Option<RetainRequest> {
    let Object(Plain { reason, session, lease_seconds }) = serde_json::from_slice(body).ok()?;
    let Object(PlainSession { user_name, session_id, ip_address, is_datastore }) = session;
    let session = Session::Rest(RestSession {
        user_name,
        session_id,
        ip_address,
        is_datastore,
        license_token: None,
    });
    let reason = reason.map(Reason::new).transpose().ok()?;
    let lease_seconds = lease_seconds.map(LeaseSeconds::new).transpose().ok()?;
    Some(RetainRequest { reason, session, lease_seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str =
        r#"{"userName":"a\u00e9\n","sessionID":"8F","IPAddress":"192.0.2.1","isDatastore":false}"#;

    #[test]
    fn what_is_plain_is_read_as_the_schema_reads_it() {
        for members in [
            format!(r#""session":{SESSION}"#),
            format!(r#" "leaseSeconds" : 90 , "session" : {SESSION} , "reason" : "CLIENT" "#),
        ] {
            let body = format!("{{{members}}}\n");
            let read = retain_request(body.as_bytes());
            assert!(read.is_some(), "{body}");
            assert_eq!(read, license_validate::parse(body.as_bytes()).ok(), "{body}");
        }
    }

    #[test]
    fn what_is_not_is_left_to_the_schema() {
        let unusual = [
            String::new(),
            "{}".to_owned(),
            format!(r#"{{"session":{SESSION},"reason":null}}"#),
            format!(r#"{{"session":{SESSION},"leaseSeconds":null}}"#),
            format!(r#"{{"session":{SESSION},"leaseSeconds":1}}"#),
            format!(r#"{{"session":{SESSION},"leaseSeconds":90.0}}"#),
            format!(r#"{{"session":{SESSION},"reason":"{}"}}"#, "x".repeat(1025)),
            format!(r#"{{"session":{SESSION},"session":{SESSION}}}"#),
            format!(r#"{{"session":{SESSION},"more":1}}"#),
            format!(r#"{{"session":{SESSION}}} {{}}"#),
            format!("\u{feff}{{\"session\":{SESSION}}}"),
            format!(r#"{{"session":{}}}"#, SESSION.replace("false", r#"false,"licenseToken":1"#)),
            format!(r#"{{"session":{}}}"#, SESSION.replace("8F", r"\ud800")),
            format!(r#"["CLIENT",{SESSION},90]"#),
            r#"{"session":["ann","8F","192.0.2.1",false]}"#.to_owned(),
        ];
        for body in unusual {
            assert_eq!(retain_request(body.as_bytes()), None, "{body}");
        }
    }
}
