//! One entry as one row that people can read, and back: the same columns in every database.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{
    Description, Digest, Entry, Event, Identity, Refused, Released, Retained, Stamp, Whom,
};
use license_types::{
    Batch, Count, FromJson, LeaseSeconds, Principal, ProductId, Reason, Sequence, ServerName,
    SessionId, Token,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::log::{Cause, LedgerId, LogError};

/// How many columns an entry has, beside its ledger.
pub(super) const WIDTH: usize = 19;

/// The value in one column of a row.
#[derive(Debug, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    Integer(u64),
    Text(Cow<'r, str>),
}

/// Where a column's value belongs in the entry's JSON.
enum Place {
    Entry,
    /// In the event, under this name.
    Event(&'static str),
    /// The same, and the text is JSON itself.
    EventJson(&'static str),
    /// The members of the event that have no column of their own.
    Detail,
}

/// The columns in their order, in the databases as in [`cells`].
const COLUMNS: [(&str, Place); WIDTH] = [
    ("sequence", Place::Entry),
    ("time", Place::Entry),
    ("server", Place::Entry),
    ("epoch", Place::Entry),
    ("batch", Place::Entry),
    ("principal", Place::Entry),
    ("kind", Place::Event("kind")),
    ("product_id", Place::Event("productId")),
    ("product_name", Place::Event("productName")),
    ("token", Place::Event("token")),
    ("session_id", Place::Event("sessionId")),
    ("cause", Place::Event("cause")),
    ("code", Place::Event("code")),
    ("reason", Place::Event("reason")),
    ("detail", Place::Detail),
    ("description_digest", Place::Event("descriptionDigest")),
    ("chain", Place::Entry),
    ("description", Place::EventJson("description")),
    ("document", Place::Event("document")),
];

/// The names of the columns in that order.
pub(super) const NAMES: [&str; WIDTH] = {
    let mut names = [""; WIDTH];
    let mut at = 0;
    while at < WIDTH {
        names[at] = COLUMNS[at].0;
        at += 1;
    }
    names
};

/// The row of an entry.
pub(super) fn cells(entry: &Entry) -> [Cell<'_>; WIDTH] {
    let stamp = &entry.stamp;
    let columns = columns(&entry.event);
    [
        integer(entry.sequence),
        ascii(&license_types::DateTime::digits(entry.time)),
        text(stamp.server.as_str()),
        integer(stamp.epoch),
        text(stamp.batch.as_str()),
        stamp.principal.as_ref().map_or(Cell::Null, |principal| text(principal.as_str())),
        text(columns.kind),
        columns.product_id.map_or(Cell::Null, integer),
        columns.product_name.map_or(Cell::Null, text),
        columns.token.map_or(Cell::Null, integer),
        columns.session_id.map_or(Cell::Null, text),
        columns.cause.map_or(Cell::Null, text),
        columns.code.map_or(Cell::Null, text),
        columns.reason.map_or(Cell::Null, text),
        columns.detail.map_or(Cell::Null, owned),
        columns.description_digest.map_or(Cell::Null, digest),
        digest(entry.chain),
        columns.description.map_or(Cell::Null, text),
        columns.document.map_or(Cell::Null, text),
    ]
}

/// The entry of a row whose cells `cell` reads by their place. What it has in common with the entry
/// `before` is shared with that instead of being read again.
pub(super) fn entry<'r>(
    ledger: LedgerId,
    before: Option<&Entry>,
    cell: impl Fn(usize) -> Result<Cell<'r>, Cause>,
) -> Result<Entry, LogError> {
    let unreadable = |source: Cause| {
        let sequence = match cell(0) {
            Ok(Cell::Integer(sequence)) => sequence,
            Ok(Cell::Null | Cell::Text(_)) | Err(_) => 0,
        };
        LogError::Entry { ledger, sequence, source }
    };
    match frequent(before, &cell) {
        Some(entry) => Ok(entry),
        None => any(&cell).map_err(unreadable),
    }
}

/// The entry of any row.
fn any<'r>(cell: &impl Fn(usize) -> Result<Cell<'r>, Cause>) -> Result<Entry, Cause> {
    let entry = license_types::Entry::parse(json(cell)?)?;
    Ok(Entry::from_wire(entry)?)
}

/// The entry of a row that is a retention or a release, as most are, read without building a JSON tree
/// first. None if anything about it is unusual: then the long way reads it, or says what is wrong.
fn frequent<'r>(
    before: Option<&Entry>,
    cell: &impl Fn(usize) -> Result<Cell<'r>, Cause>,
) -> Option<Entry> {
    let text = |at| match cell(at) {
        Ok(Cell::Text(text)) => Some(text),
        Ok(Cell::Null | Cell::Integer(_)) | Err(_) => None,
    };
    let integer = |at| match cell(at) {
        Ok(Cell::Integer(integer)) => Some(integer),
        Ok(Cell::Null | Cell::Text(_)) | Err(_) => None,
    };
    let is_null = |at| matches!(cell(at), Ok(Cell::Null));
    let count = |count| Count::new(count).is_ok().then_some(count);
    let kind = text(6)?;
    let (product, token) = (ProductId::new(integer(7)?).ok()?, Token::new(integer(9)?).ok()?);
    let session = Arc::new(SessionId::new(text(10)?).ok()?);
    let event = match &*kind {
        "retained" if is_null(11) && is_null(12) && is_null(18) => {
            let detail = text(14)?;
            let detail: RetainedDetail = serde_json::from_str(&detail).ok()?;
            let digest: Digest = text(15)?.parse().ok()?;
            let identity = match cell(17).ok()? {
                Cell::Null => Identity::Erased(digest),
                Cell::Text(text) => Identity::Kept(Description::kept(&text, digest)?),
                Cell::Integer(_) => return None,
            };
            Event::Retained(Arc::new(Retained {
                session,
                product,
                product_name: text(8)?.into(),
                used_count: count(detail.used_count)?,
                balance: count(detail.balance)?,
                global_used_count: count(detail.global_used_count)?,
                token,
                reason: Arc::new(Reason::new(text(13)?).ok()?),
                lease_seconds: detail.lease_seconds.map(LeaseSeconds::new).transpose().ok()?,
                identity,
            }))
        }
        "released" if [8, 12, 13, 14, 15, 17, 18].into_iter().all(is_null) => {
            let cause = text(11)?.parse().ok()?;
            Event::Released(Released { token, session, product, cause, note: None })
        }
        _ => return None,
    };
    Some(Entry {
        sequence: Sequence::new(integer(0)?).ok()?.get(),
        time: time(before, &text(1)?)?,
        stamp: stamp(before, &text(2)?, integer(3)?, &text(4)?, cell(5).ok()?)?,
        event,
        chain: text(16)?.parse().ok()?,
    })
}

/// When an entry was appended: mostly when the one before it was.
fn time(before: Option<&Entry>, text: &str) -> Option<Timestamp> {
    let same = before.filter(|it| license_types::DateTime::digits(it.time) == text.as_bytes());
    match same {
        Some(before) => Some(before.time),
        None => Some(license_types::DateTime::new(text).ok()?.timestamp()),
    }
}

/// Who appended an entry, in which turn, and who asked.
fn stamp(
    before: Option<&Entry>,
    server: &str,
    epoch: u64,
    batch: &str,
    principal: Cell<'_>,
) -> Option<Stamp> {
    let before = before.map(|before| &before.stamp);
    let same_server = before.filter(|it| it.server.as_str() == server);
    let same_batch = before.filter(|it| it.batch.as_str() == batch);
    let same_principal = |text: &str| before?.principal.as_ref().filter(|it| it.as_str() == text);
    Some(Stamp {
        server: match same_server {
            Some(same) => same.server.clone(),
            None => Arc::new(ServerName::new(server).ok()?),
        },
        epoch: Count::new(epoch).is_ok().then_some(epoch)?,
        batch: match same_batch {
            Some(same) => same.batch.clone(),
            None => Arc::new(Batch::new(batch).ok()?),
        },
        principal: match principal {
            Cell::Null => None,
            Cell::Text(text) => match same_principal(&text) {
                Some(same) => Some(same.clone()),
                None => Some(Arc::new(Principal::new(text).ok()?)),
            },
            Cell::Integer(_) => return None,
        },
    })
}

/// The members of a retention that have no column of their own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetainedDetail {
    #[serde(rename = "productUsedCount")]
    used_count: u64,
    #[serde(rename = "productBalance")]
    balance: u64,
    #[serde(rename = "globalProductUsedCount")]
    global_used_count: u64,
    #[serde(rename = "leaseSeconds", skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
}

/// What an event fills of a row; the rest stays NULL.
#[derive(Default)]
struct Columns<'e> {
    kind: &'static str,
    product_id: Option<u64>,
    product_name: Option<&'e str>,
    token: Option<u64>,
    session_id: Option<&'e str>,
    cause: Option<&'static str>,
    code: Option<&'static str>,
    reason: Option<&'e str>,
    detail: Option<String>,
    description_digest: Option<Digest>,
    description: Option<&'e str>,
    document: Option<&'e str>,
}

/// The column of each member of an event; `detail` holds the others under their own names.
fn columns(event: &Event) -> Columns<'_> {
    match event {
        Event::Installed(installed) => Columns {
            kind: "installed",
            detail: Some(detail([
                ("licenseNumber", installed.license.number().into()),
                ("replacedNumber", installed.replaced_number.as_deref().into()),
                ("signed", installed.signed.into()),
                ("documentDigest", installed.license.digest().to_string().into()),
            ])),
            document: Some(installed.license.text()),
            ..Columns::default()
        },
        Event::Uninstalled { number } => Columns {
            kind: "uninstalled",
            detail: Some(detail([("licenseNumber", (&**number).into())])),
            ..Columns::default()
        },
        Event::Retained(retained) => Columns {
            kind: "retained",
            product_id: Some(retained.product.get()),
            product_name: Some(&retained.product_name),
            token: Some(retained.token.get()),
            session_id: Some(retained.session.as_str()),
            reason: Some(retained.reason.as_str()),
            detail: Some(retained_detail(retained)),
            ..described(&retained.identity)
        },
        Event::Released(released) => Columns {
            kind: "released",
            product_id: Some(released.product.get()),
            token: Some(released.token.get()),
            session_id: Some(released.session.as_str()),
            cause: Some(released.cause.as_str()),
            detail: released.note.as_deref().map(|note| detail([("note", note.into())])),
            ..Columns::default()
        },
        Event::Refused(refused) => Columns {
            kind: "refused",
            product_id: Some(refused.product.get()),
            code: Some(refused.code.as_str()),
            ..refused_columns(refused)
        },
        Event::StateChanged { session, state } => Columns {
            kind: "state_changed",
            session_id: Some(session.as_str()),
            detail: Some(detail([("state", state.as_str().into())])),
            ..Columns::default()
        },
        Event::Described { session, identity } => {
            Columns { kind: "described", session_id: Some(session.as_str()), ..described(identity) }
        }
        Event::Moved { sessions } => Columns {
            kind: "moved",
            detail: Some(detail([(
                "sessionIds",
                sessions.iter().map(|session| session.as_str()).collect(),
            )])),
            ..Columns::default()
        },
        Event::Adopted { from_server, from_epoch } => Columns {
            kind: "adopted",
            detail: Some(detail([
                ("fromServer", from_server.as_str().into()),
                ("fromEpoch", (*from_epoch).into()),
            ])),
            ..Columns::default()
        },
        Event::ClockCorrected => Columns { kind: "clock_corrected", ..Columns::default() },
    }
}

fn refused_columns(refused: &Refused) -> Columns<'_> {
    let detail = |(name, value): (&str, Option<u64>)| {
        detail([
            ("allowedCount", refused.allowed_count.into()),
            ("usedCount", refused.used_count.into()),
            ("times", refused.times.into()),
            (name, value.into()),
        ])
    };
    match &refused.whom {
        Whom::Session { session, reason, identity, waited_seconds } => Columns {
            session_id: Some(session.as_str()),
            reason: Some(reason.as_str()),
            detail: Some(detail(("waitedSeconds", *waited_seconds))),
            ..described(identity)
        },
        Whom::Others { sessions } => {
            Columns { detail: Some(detail(("sessions", Some(*sessions)))), ..Columns::default() }
        }
    }
}

fn described(identity: &Identity) -> Columns<'_> {
    Columns {
        description_digest: Some(identity.digest()),
        description: identity.kept().map(|description| description.text()),
        ..Columns::default()
    }
}

/// Members that have no column of their own, as JSON; those without a value are left out.
fn detail<const N: usize>(members: [(&str, Value); N]) -> String {
    let members = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect()).to_string()
}

/// What [`detail`] would write, with less work, since retentions are the most frequent entries.
fn retained_detail(retained: &Retained) -> String {
    let detail = RetainedDetail {
        used_count: retained.used_count,
        balance: retained.balance,
        global_used_count: retained.global_used_count,
        lease_seconds: retained.lease_seconds.map(LeaseSeconds::get),
    };
    serde_json::to_string(&detail).expect("a detail has only text keys")
}

/// The entry's JSON.
fn json<'r>(cell: impl Fn(usize) -> Result<Cell<'r>, Cause>) -> Result<Value, Cause> {
    let (mut entry, mut event) = (Map::new(), Map::new());
    for (at, (column, place)) in COLUMNS.iter().enumerate() {
        let value = match cell(at)? {
            // NULL is an absent member.
            Cell::Null => continue,
            Cell::Integer(integer) => integer.into(),
            Cell::Text(text) => match place {
                Place::Entry | Place::Event(_) => text.into_owned().into(),
                Place::EventJson(_) | Place::Detail => serde_json::from_str::<Value>(&text)?,
            },
        };
        match (place, value) {
            (Place::Entry, value) => drop(entry.insert((*column).to_owned(), value)),
            (Place::Event(member) | Place::EventJson(member), value) => {
                event.insert((*member).to_owned(), value);
            }
            (Place::Detail, Value::Object(detail)) => event.extend(detail),
            (Place::Detail, _) => {}
        }
    }
    entry.insert("event".to_owned(), Value::Object(event));
    Ok(Value::Object(entry))
}

fn integer(integer: u64) -> Cell<'static> {
    Cell::Integer(integer)
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn owned(text: String) -> Cell<'static> {
    Cell::Text(text.into())
}

fn digest(digest: Digest) -> Cell<'static> {
    ascii(&license_types::Digest::digits(digest.bytes()))
}

fn ascii(text: &[u8]) -> Cell<'static> {
    owned(String::from_utf8(text.to_vec()).expect("it is ASCII"))
}

#[cfg(test)]
mod tests;
