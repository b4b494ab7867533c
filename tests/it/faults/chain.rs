//! The chain of hashes: what was changed or dropped in a log is noticed, what was erased is not missed.

use license_core::{Breach, Entry, Event, Ledger};
use serde_json::Value;

use super::log;

#[test]
fn every_changed_field_breaks_the_chain_or_cannot_be_read() {
    let log: Vec<Value> =
        log().iter().map(|entry| serde_json::to_value(entry.to_wire()).unwrap()).collect();
    let mut changes = 0;
    for (index, entry) in log.iter().enumerate() {
        let before = replay(&log[..index]).unwrap();
        for pointer in leaves(entry) {
            for value in others(entry.pointer(&pointer).unwrap()) {
                let mut changed = entry.clone();
                *changed.pointer_mut(&pointer).unwrap() = value;
                let verdict = read(&changed).and_then(|entry| {
                    before.clone().replay(&entry).map_err(|fault| fault.to_string())
                });
                assert!(verdict.is_err(), "{pointer} of entry {} can be changed", index + 1);
                changes += 1;
            }
        }
    }
    assert!(changes > 150, "{changes} changes were tried");
}

#[test]
fn an_entry_that_was_changed_and_sealed_anew_breaks_the_chain_of_the_next() {
    let mut ledger = Ledger::new();
    let mut forged = false;
    for mut entry in log() {
        if forged {
            let fault = ledger.replay(&entry).unwrap_err();
            return assert_eq!(fault.breach, Breach::Chain);
        }
        if let Event::Refused(refused) = &mut entry.event {
            refused.times = 9;
            entry.chain = entry.link(&ledger.head().chain);
            forged = true;
        }
        ledger.replay(&entry).unwrap();
    }
    panic!("nothing was forged");
}

#[test]
fn a_dropped_entry_breaks_the_chain() {
    let log: Vec<Value> =
        log().iter().map(|entry| serde_json::to_value(entry.to_wire()).unwrap()).collect();
    // A refusal changes nothing; only sequence and chain tell that it is gone.
    let refused = log.iter().position(|entry| entry["event"]["kind"] == "refused").unwrap();
    let mut shorter = log.clone();
    shorter.remove(refused);
    for (index, entry) in shorter.iter_mut().enumerate() {
        entry["sequence"] = (index + 1).into();
    }
    assert!(replay(&log).is_ok());
    assert!(replay(&shorter).is_err());
}

#[test]
fn an_erased_description_still_verifies() {
    let mut log: Vec<Value> =
        log().iter().map(|entry| serde_json::to_value(entry.to_wire()).unwrap()).collect();
    let mut erased = 0;
    for entry in &mut log {
        erased += entry["event"].as_object_mut().unwrap().remove("description").iter().count();
    }
    assert!(erased >= 5);
    let ledger = replay(&log).unwrap();
    ledger.recount().unwrap();
    let usage: Vec<_> = ledger.usage(None).collect();
    assert_eq!(usage[0].session, license_types::Session::rest("", "S1", ""));
}

fn replay(log: &[Value]) -> Result<Ledger, String> {
    let mut ledger = Ledger::new();
    for entry in log {
        ledger.replay(&read(entry)?).map_err(|fault| fault.to_string())?;
    }
    Ok(ledger)
}

fn read(entry: &Value) -> Result<Entry, String> {
    let entry = serde_json::from_value(entry.clone()).map_err(|error| error.to_string())?;
    Entry::from_wire(entry).map_err(|fault| fault.to_string())
}

/// Pointers to every value in `value` that holds no others.
fn leaves(value: &Value) -> Vec<String> {
    let below = |name: &str, value| {
        leaves(value).into_iter().map(move |rest| format!("/{name}{rest}")).collect::<Vec<_>>()
    };
    match value {
        Value::Object(members) => members.iter().flat_map(|(name, v)| below(name, v)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, v)| below(&index.to_string(), v)).collect()
        }
        _ => vec![String::new()],
    }
}

/// Other values of the same type, such as may still fit the schema.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => {
            let mut last = text.clone();
            let end = if last.pop() == Some('1') { '2' } else { '1' };
            vec![format!("{last}{end}").into(), format!("{text}0").into(), "sleeping".into()]
                .into_iter()
                .filter(|other: &Value| other != value)
                .collect()
        }
        Value::Number(number) => vec![(number.as_u64().unwrap() + 1).into()],
        Value::Bool(flag) => vec![(!flag).into()],
        Value::Null | Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}
