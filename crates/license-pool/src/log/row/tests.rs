//! Rows read back as the entries that they were, by either way.

use license_core::Ledger;
use license_types::{ReleaseCause, Session};

use super::*;

fn entries() -> Vec<Entry> {
    let session: Arc<SessionId> = Arc::new("job-7".parse().unwrap());
    let (product, token) = ("0009".parse().unwrap(), Token::new(5).unwrap());
    let id = "0123456789ABCDEF0123456789ABCDEF";
    let client = serde_json::json!({
        "type": "remote", "userName": "u", "machineName": "m", "systemUserName": "s",
        "IPAddress": "::1", "hostType": "windows", "state": "active", "ID": id,
        "persistentID": id, "creationDateTime": "2026-01-05T10:00:00Z", "licenseToken": 5,
    });
    let client = serde_json::from_value(client).unwrap();
    let rest = Session::rest("ann \"\\\u{1f}é", "job-7", "127.0.0.1");
    let identities = [rest, client].into_iter().flat_map(|session| {
        let description = Description::new(session);
        [Identity::Erased(description.digest()), Identity::Kept(description)]
    });
    let leases = [None, LeaseSeconds::new(60).ok()].into_iter().cycle();
    let retained = identities.zip(leases).map(|(identity, lease_seconds)| {
        Event::Retained(Arc::new(Retained {
            session: session.clone(),
            product,
            product_name: "4D".into(),
            used_count: 3,
            balance: 0,
            global_used_count: 7,
            token,
            reason: Arc::new("why".parse().unwrap()),
            lease_seconds,
            identity,
        }))
    });
    let released = [None, Some("gone".into())].map(|note| {
        let (session, cause) = (session.clone(), ReleaseCause::Revoked);
        Event::Released(Released { token, session, product, cause, note })
    });
    let principals = [None, Some(Arc::new("ann".parse().unwrap()))].into_iter().cycle();
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    let entry =
        |(event, principal)| Ledger::new().seal(event, &Stamp { principal, ..Stamp::local() }, now);
    retained.chain(released).chain([Event::ClockCorrected]).zip(principals).map(entry).collect()
}

fn copy<'c>(cell: &'c Cell<'_>) -> Cell<'c> {
    match cell {
        Cell::Null => Cell::Null,
        Cell::Integer(integer) => Cell::Integer(*integer),
        Cell::Text(text) => Cell::Text(Cow::Borrowed(text)),
    }
}

/// What may come before an entry: nothing, one of the same turn, one that differs in all that it
/// could have in common.
fn befores(entry: &Entry) -> [Option<Entry>; 3] {
    let stamp = Stamp {
        server: Arc::new("elsewhere".parse().unwrap()),
        epoch: 9,
        batch: Arc::new("f".repeat(32).parse().unwrap()),
        principal: Some(Arc::new("somebody".parse().unwrap())),
    };
    let other = Entry { time: Timestamp::UNIX_EPOCH, stamp, ..entry.clone() };
    [None, Some(entry.clone()), Some(other)]
}

#[test]
fn a_row_reads_back_as_its_entry_by_either_way() {
    let mut quick = 0;
    for entry in entries() {
        let cells = cells(&entry);
        let read = |at: usize| Ok(copy(&cells[at]));
        assert_eq!(any(&read).unwrap(), entry);
        for before in befores(&entry) {
            let read = frequent(before.as_ref(), &read);
            quick += usize::from(read.inspect(|it| assert_eq!(*it, entry)).is_some());
        }
    }
    assert!(quick >= 9, "retentions and plain releases take the quick way");
}

/// Whatever the quick way accepts, the long one reads alike.
#[test]
fn a_row_that_was_changed_is_judged_alike_by_either_way() {
    let odd = [
        Cell::Null,
        Cell::Integer(0),
        Cell::Integer(u64::MAX),
        text(""),
        text("{}"),
        text("null"),
        text("1"),
        text("retained"),
        text("released"),
        text("2026-01-05"),
        text(r#"{"productUsedCount":3,"productUsedCount":4}"#),
        text(r#"{"productUsedCount":3,"productBalance":0,"globalProductUsedCount":7,"more":1}"#),
        text(r#"{"productUsedCount":-3,"productBalance":0,"globalProductUsedCount":7}"#),
        text(r#"{"productUsedCount":3.0,"productBalance":0,"globalProductUsedCount":7}"#),
    ];
    let mut judged = [0, 0];
    for entry in entries() {
        let cells = cells(&entry);
        for place in 0..WIDTH {
            for odd in &odd {
                let read = |at: usize| Ok(copy(if at == place { odd } else { &cells[at] }));
                for before in befores(&entry) {
                    if let Some(quick) = frequent(before.as_ref(), &read) {
                        assert_eq!(any(&read).unwrap(), quick, "{place} {odd:?} {entry:?}");
                        judged[0] += 1;
                    }
                    judged[1] += 1;
                }
            }
        }
    }
    assert!(judged[0] > 0 && judged[0] < judged[1] / 4, "{judged:?}");
}
