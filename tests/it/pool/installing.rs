//! Licenses and the numbers that lead to them.

use license_pool::{Error, EventKind, InstallOptions, InstallStatus, Pool, Refusal};

use super::world::{Store, holders, is_refused, license, options, retain};

/// The same on every log.
fn on_every_log(test: impl Fn(&Pool)) {
    test(&options().open("memory:").unwrap());
    let store = Store::new();
    test(&store.open());
    #[cfg(unix)]
    if let Some(database) = crate::postgres::server::database() {
        test(&database.open());
    }
}

fn install(pool: &Pool, number: &str, count: u64) -> InstallStatus {
    pool.install(license(number, count).as_bytes()).unwrap().status
}

fn replace(pool: &Pool, number: &str, count: u64, replaces: &str) -> Result<InstallStatus, Error> {
    let options = InstallOptions { replaces: Some(replaces.to_owned()), dry_run: false };
    let receipt = pool.install_with(license(number, count).as_bytes(), options).wait();
    receipt.map(|receipt| receipt.status)
}

#[test]
fn where_nothing_is_installed_reports_are_empty_and_retentions_refused() {
    on_every_log(|pool| {
        assert_eq!(pool.usage(None).unwrap(), []);
        assert_eq!(pool.info().unwrap(), None);
        assert!(!pool.availability("0009").unwrap().available);
        assert!(pool.history().next().is_none());
        assert!(pool.licenses().unwrap().is_empty());
        let named = pool.license("A");
        for error in [
            retain(pool, "0009", "one").unwrap_err(),
            named.usage(None).unwrap_err(),
            named.info().unwrap_err(),
            named.availability("0009").unwrap_err(),
            named.history().next().unwrap().unwrap_err(),
        ] {
            assert!(matches!(error, Error::Refused(Refusal::UnknownLicense { .. })), "{error}");
        }
    });
}

#[test]
fn one_of_several_licenses_must_be_named() {
    on_every_log(|pool| {
        install(pool, "A", 1);
        let seat = retain(pool, "0009", "one").unwrap();
        install(pool, "B", 1);
        let error = retain(pool, "0009", "two").unwrap_err();
        assert_eq!(error.to_string(), "several licenses are installed (A, B): name one of them");
        let b = pool.license("B");
        let _two = retain(&b, "0009", "two").unwrap();
        assert_eq!(
            (holders(&pool.license("A")), holders(&b)),
            (vec!["one".into()], vec!["two".into()])
        );
        // A seat finds its license again whatever was installed since.
        drop(seat);
        assert!(holders(&pool.license("A")).is_empty());
        assert_eq!(pool.licenses().unwrap(), ["A", "B"]);
    });
}

#[test]
fn a_renewed_license_keeps_what_is_held_under_either_number() {
    on_every_log(|pool| {
        install(pool, "A", 1);
        let seat = retain(pool, "0009", "one").unwrap();
        assert_eq!(replace(pool, "B", 2, "A").unwrap(), InstallStatus::Replaced);
        assert_eq!(pool.licenses().unwrap(), ["B"]);
        assert_eq!(holders(&pool.license("A")), ["one"]);
        let _two = retain(&pool.license("B"), "0009", "two").unwrap();
        assert!(is_refused(retain(pool, "0009", "three")));
        drop(seat);
        assert_eq!(holders(pool), ["two"]);
        // The earlier number in force again.
        assert_eq!(replace(pool, "A", 1, "B").unwrap(), InstallStatus::Replaced);
        assert_eq!(pool.licenses().unwrap(), ["A"]);
        assert!(pool.check().unwrap().ledgers[0].sound);
    });
}

#[test]
fn only_an_installed_license_can_be_replaced_and_only_by_a_new_one() {
    on_every_log(|pool| {
        install(pool, "A", 1);
        install(pool, "B", 1);
        let error = replace(pool, "C", 1, "Z").unwrap_err();
        assert_eq!(error.to_string(), "license `Z` is not installed");
        let error = replace(pool, "B", 2, "A").unwrap_err();
        assert_eq!(error.to_string(), "license `B` is installed on its own and cannot replace `A`");
        assert_eq!(pool.license("B").history().count(), 1);
    });
}

#[test]
fn a_license_is_uninstalled_once_nobody_holds_any_of_it() {
    on_every_log(|pool| {
        install(pool, "A", 2);
        let [one, two] = ["one", "two"].map(|session| retain(pool, "0009", session).unwrap());
        drop(one);
        let error = pool.uninstall().unwrap_err();
        assert!(matches!(error, Error::Refused(Refusal::InUse { held: 1 })), "{error}");
        assert_eq!(error.to_string(), "the license cannot be uninstalled: one of it is in use");
        let mut license = pool.license("A");
        drop(two);
        assert_eq!(pool.uninstall().unwrap().license_number, "A");

        // What it is now is what is nowhere; what it was can still be told.
        assert!(pool.licenses().unwrap().is_empty());
        assert_eq!(pool.info().unwrap(), None);
        for pool in [pool.must_be_installed(), license.clone()] {
            for error in [
                retain(&pool, "0009", "one").unwrap_err(),
                pool.renew("one", None).unwrap_err(),
                pool.usage(None).unwrap_err(),
                pool.info().unwrap_err(),
                pool.uninstall().unwrap_err(),
            ] {
                assert!(matches!(error, Error::Refused(Refusal::UnknownLicense { .. })), "{error}");
            }
        }
        let kinds: Vec<_> = license.history().map(|entry| entry.unwrap().event.kind()).collect();
        assert_eq!(kinds.last(), Some(&EventKind::Uninstalled));
        assert_eq!(kinds.len(), 6);
        let check = license.verify_chain(|_| {}).unwrap();
        assert!(check.fault.is_none() && check.last == 6, "{check:?}");
        let always = jiff::Timestamp::MIN..jiff::Timestamp::MAX;
        let days = license.days(always).wait().unwrap();
        assert_eq!((days[0].peak_used_count.get(), days[0].allowed_count.get()), (2, 0));

        // Another takes its place, and then the same again goes on where it ended.
        install(pool, "B", 1);
        assert_eq!(pool.info().unwrap().unwrap().license_number, "B");
        assert_eq!(install(pool, "A", 2), InstallStatus::Installed);
        assert_eq!(pool.licenses().unwrap(), ["A", "B"]);
        let seat = retain(&license, "0009", "three").unwrap();
        assert_eq!(seat.token().get(), 3);
        assert!(pool.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
        license = pool.license("B");
        license.uninstall().unwrap();
        assert_eq!(holders(pool), ["three"]);
    });
}

#[test]
fn an_uninstalled_license_stays_so_for_those_who_come_later() {
    let store = Store::new();
    stays_uninstalled(|| store.open());
    #[cfg(unix)]
    if let Some(database) = crate::postgres::server::database() {
        stays_uninstalled(|| database.open());
    }
}

/// Where each pool is a process of its own.
fn stays_uninstalled(open: impl Fn() -> Pool) {
    let other = open();
    install(&other, "A", 1);
    let seat = retain(&other, "0009", "one").unwrap();
    // Another process still knows it as installed, and one reads only a snapshot.
    let pool = open();
    assert!(is_refused(retain(&pool, "0009", "two")));
    drop(seat);
    other.uninstall().unwrap();
    assert!(pool.availability("0009").is_ok_and(|it| !it.available));
    assert!(matches!(
        retain(&pool, "0009", "two"),
        Err(Error::Refused(Refusal::UnknownLicense { .. }))
    ));
    pool.archive().unwrap();
    drop((pool, other));
    let pool = open();
    assert_eq!(pool.info().unwrap(), None);
    assert!(pool.licenses().unwrap().is_empty());
    assert!(pool.check().unwrap().ledgers[0].sound);
    assert_eq!(install(&pool, "A", 1), InstallStatus::Installed);
    assert_eq!(retain(&pool, "0009", "two").unwrap().token().get(), 2);
}

#[test]
fn the_same_document_again_appends_nothing_and_a_dry_run_neither() {
    on_every_log(|pool| {
        let options = InstallOptions { replaces: None, dry_run: true };
        let dry = pool.install_with(license("A", 1).as_bytes(), options.clone()).wait().unwrap();
        assert_eq!(dry.status, InstallStatus::Installed);
        assert!(pool.licenses().unwrap().is_empty());
        install(pool, "A", 1);
        assert_eq!(install(pool, "A", 1), InstallStatus::Unchanged);
        let dry = pool.install_with(license("A", 9).as_bytes(), options).wait().unwrap();
        assert_eq!(dry.status, InstallStatus::Replaced);
        assert_eq!(dry.products[0].allowed_after.get(), 9);
        assert_eq!(pool.history().count(), 1);
        let _seat = retain(pool, "0009", "one").unwrap();
        assert!(is_refused(retain(pool, "0009", "two")));
    });
}

#[test]
fn the_exact_text_of_a_document_is_kept() {
    on_every_log(|pool| {
        let text = format!("\u{feff}// bought in May\n{}", license("A", 1));
        let receipt = pool.install(text.as_bytes()).unwrap();
        assert!(!receipt.signed);
        let entry = pool.history().next().unwrap().unwrap();
        let license_pool::Event::Installed(installed) = entry.event else { panic!("{entry:?}") };
        assert_eq!(installed.document, text);
        assert_eq!(installed.document_digest, receipt.document_digest);
    });
}

#[test]
fn malformed_ids_are_told_apart_from_refusals() {
    on_every_log(|pool| {
        install(pool, "A", 1);
        for error in [
            retain(pool, "client", "one").unwrap_err(),
            retain(pool, "0009", "one session").unwrap_err(),
            pool.renew("", None).unwrap_err(),
            pool.release("ö", None).unwrap_err(),
            pool.availability("-1").unwrap_err(),
        ] {
            assert!(matches!(error, Error::Input(_)), "{error}");
        }
        assert_eq!(pool.history().count(), 1);
    });
}

#[test]
fn a_license_that_was_replaced_is_put_back_only_by_who_says_so() {
    on_every_log(|pool| {
        install(pool, "A", 1);
        let seat = retain(pool, "0009", "one").unwrap();
        replace(pool, "B", 2, "A").unwrap();
        // The file of old, found again: what is in force stays so.
        for count in [1, 3] {
            let error = pool.install(license("A", count).as_bytes()).unwrap_err();
            assert!(matches!(error, Error::NumberReplaced { .. }), "{error}");
        }
        assert_eq!(pool.info().unwrap().unwrap().license_number, "B");
        assert_eq!(pool.history().count(), 3);
        assert_eq!(install(pool, "B", 2), InstallStatus::Unchanged);
        assert_eq!(replace(pool, "A", 1, "B").unwrap(), InstallStatus::Replaced);
        assert_eq!(holders(pool), ["one"]);
        drop(seat);
    });
}
