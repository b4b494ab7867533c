//! One entry as one row that people can read, and back.

use license_core::{Digest, Entry, Event, Identity};
use license_types::FromJson;
use rusqlite::types::{FromSqlError, ValueRef};
use rusqlite::{Connection, Row, named_params};
use serde_json::{Map, Value};

use crate::log::{Cause, LedgerId, LogError};

/// Entries of a ledger after a sequence, for [`read`].
pub(super) const SELECT: &str = "SELECT sequence, time, server, epoch, batch, principal, kind, \
    product_id, product_name, token, session_id, cause, code, reason, detail, description_digest, \
    chain, description, document \
    FROM entry WHERE ledger = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";

const INSERT: &str = "INSERT INTO entry (ledger, sequence, time, server, epoch, batch, principal, \
    kind, product_id, product_name, token, session_id, cause, code, reason, detail, \
    description_digest, chain, description, document) \
    VALUES (:ledger, :sequence, :time, :server, :epoch, :batch, :principal, \
    :kind, :product_id, :product_name, :token, :session_id, :cause, :code, :reason, :detail, \
    :description_digest, :chain, :description, :document)";

/// Writes new entries of one ledger.
pub(super) fn insert(
    connection: &Connection,
    ledger: LedgerId,
    entries: &[Entry],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(INSERT)?;
    for entry in entries {
        let stamp = &entry.stamp;
        let columns = columns(&entry.event);
        statement.execute(named_params! {
            ":ledger": ledger.0,
            ":sequence": entry.sequence,
            ":time": license_types::DateTime::from(entry.time).as_str(),
            ":server": stamp.server.as_str(),
            ":epoch": stamp.epoch,
            ":batch": stamp.batch.as_str(),
            ":principal": stamp.principal.as_ref().map(|principal| principal.as_str()),
            ":kind": columns.kind,
            ":product_id": columns.product_id,
            ":product_name": columns.product_name,
            ":token": columns.token,
            ":session_id": columns.session_id,
            ":cause": columns.cause,
            ":code": columns.code,
            ":reason": columns.reason,
            ":detail": columns.detail,
            ":description_digest": columns.description_digest.map(|digest| digest.to_string()),
            ":chain": entry.chain.to_string(),
            ":description": columns.description,
            ":document": columns.document,
        })?;
    }
    Ok(())
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
        Event::Retained(retained) => Columns {
            kind: "retained",
            product_id: Some(retained.product.get()),
            product_name: Some(&retained.product_name),
            token: Some(retained.token.get()),
            session_id: Some(retained.session.as_str()),
            reason: Some(retained.reason.as_str()),
            detail: Some(detail([
                ("productUsedCount", retained.used_count.into()),
                ("productBalance", retained.balance.into()),
                ("globalProductUsedCount", retained.global_used_count.into()),
                ("leaseSeconds", retained.lease_seconds.map(|lease| lease.get()).into()),
            ])),
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
            session_id: Some(refused.session.as_str()),
            code: Some(refused.code.as_str()),
            reason: Some(refused.reason.as_str()),
            detail: Some(detail([
                ("allowedCount", refused.allowed_count.into()),
                ("usedCount", refused.used_count.into()),
                ("times", refused.times.into()),
            ])),
            ..described(&refused.identity)
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

/// Reads a row of [`SELECT`].
pub(super) fn read(ledger: LedgerId, row: &Row<'_>) -> Result<Entry, LogError> {
    let unreadable = |source: Cause| LogError::Entry {
        ledger,
        sequence: row.get("sequence").unwrap_or_default(),
        source,
    };
    let json = json(row).map_err(unreadable)?;
    let entry = license_types::Entry::parse(json).map_err(|error| unreadable(error.into()))?;
    Entry::from_wire(entry).map_err(|error| unreadable(error.into()))
}

/// The entry's JSON, of the columns that have a member of their own and of `detail`.
fn json(row: &Row<'_>) -> Result<Value, Cause> {
    const ENTRY: [&str; 7] = ["sequence", "time", "server", "epoch", "batch", "principal", "chain"];
    const EVENT: [(&str, &str); 10] = [
        ("kind", "kind"),
        ("product_id", "productId"),
        ("product_name", "productName"),
        ("token", "token"),
        ("session_id", "sessionId"),
        ("cause", "cause"),
        ("code", "code"),
        ("reason", "reason"),
        ("description_digest", "descriptionDigest"),
        ("document", "document"),
    ];
    let nested = |column| match row.get_ref(column)?.as_str_or_null()? {
        Some(json) => Ok::<Value, Cause>(serde_json::from_str(json)?),
        None => Ok(Value::Null),
    };
    let mut event = match nested("detail")? {
        Value::Object(detail) => detail,
        _ => Map::new(),
    };
    for (column, member) in EVENT {
        put(&mut event, member, scalar(row.get_ref(column)?)?);
    }
    put(&mut event, "description", nested("description")?);
    let mut entry = Map::new();
    for column in ENTRY {
        put(&mut entry, column, scalar(row.get_ref(column)?)?);
    }
    entry.insert("event".to_owned(), Value::Object(event));
    Ok(Value::Object(entry))
}

/// Adds a member; NULL is an absent one.
fn put(object: &mut Map<String, Value>, member: &str, value: Value) {
    if !value.is_null() {
        object.insert(member.to_owned(), value);
    }
}

fn scalar(value: ValueRef<'_>) -> Result<Value, FromSqlError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(integer) => Ok(integer.into()),
        ValueRef::Text(_) => value.as_str().map(Value::from),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(FromSqlError::InvalidType),
    }
}
