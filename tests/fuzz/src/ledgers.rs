//! Ledgers: entries of a log that nobody wrote, and requests that nobody would make.

use license_core::{Entry, Ledger, SAMPLE_LICENSE, Stamp};
use license_pool::{InstallOptions, Pool, Release, Target};
use license_types::{Session, Token, documented};
use license_validate::Validator;

/// Entries, one a line: those that can be read are the same when they are written again, and
/// applying them leaves a ledger that adds up.
pub fn entries(input: &[u8]) {
    let mut ledger = Ledger::new();
    for line in input.split(|&byte| byte == b'\n') {
        let Ok(wire) = serde_json::from_slice::<documented::Entry>(line) else { continue };
        let Ok(entry) = Entry::from_wire(wire) else { continue };
        let again = Entry::from_wire(entry.to_wire());
        assert_eq!(again.map(|again| again.to_wire()), Ok(entry.to_wire()));
        if ledger.apply(&entry).is_err() {
            // The same at the place where it would follow.
            let next = ledger.seal(entry.event, &Stamp::local(), entry.time);
            let _ = ledger.apply(&next);
        }
        ledger.recount().unwrap();
    }
}

/// Requests to a pool, one a line: each is answered, and the store is sound after them.
pub fn pool(input: &[u8]) {
    let pool = Pool::open("memory:").unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    let mut seats = Vec::new();
    for line in String::from_utf8_lossy(input).lines().take(200) {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        match (word(), word(), word(), word()) {
            ("retain", product, session, described) => {
                let described = serde_json::from_str(described)
                    .unwrap_or_else(|_| Session::rest("ann", session, "::1"));
                seats.extend(pool.retain(product, session, described));
            }
            ("renew", session, state, _) => drop(pool.renew(session, state.parse().ok())),
            ("release", session, product, _) => drop(pool.release(session, product.parse().ok())),
            ("revoke", token, ..) => {
                if let Some(token) = token.parse().ok().and_then(|token| Token::new(token).ok()) {
                    let _ = pool.release_with(Release::new(Target::Token(token))).wait();
                }
            }
            ("drop", ..) => drop(seats.pop()),
            ("install", replaces, document, more) => {
                let options = InstallOptions {
                    replaces: (!replaces.is_empty()).then(|| replaces.to_owned()),
                    ..InstallOptions::default()
                };
                let _ = pool.install_with(format!("{document} {more}").as_bytes(), options).wait();
            }
            _ => {}
        }
    }
    let check = pool.check().unwrap();
    let is_sound = check.faults.is_empty() && check.ledgers.iter().all(|ledger| ledger.sound);
    assert!(is_sound, "{check:?}");
    let usage = serde_json::to_vec(&pool.usage(None).unwrap()).unwrap();
    let validator = Validator::new("license-usage", license_validate::Profile::Documented).unwrap();
    assert_eq!(validator.check(&usage), Ok(Vec::new()));
}
