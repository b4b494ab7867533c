//! `license credential`: who may ask the server of a store.

use std::fs;

use license_cli::Exit;

use super::shell::Shell;

#[test]
fn a_secret_is_shown_once_and_kept_nowhere() {
    let shell = Shell::installed();
    let made = shell.run("credential create --role client --max-seats 2 --expires 2026-02-01");
    assert_eq!(made.exit, Exit::Done, "{made}");
    let secret = made.stdout.strip_suffix('\n').unwrap();
    let (id, hidden) = secret.rsplit_once('_').unwrap();
    assert!(id.starts_with("lk_") && hidden.len() == 64, "{secret}");
    assert!(hidden.bytes().all(|digit| digit.is_ascii_hexdigit()), "256 random bits");
    assert!(made.stderr.contains(id) && !made.stderr.contains(hidden), "{made}");

    shell.clock.advance(jiff::SignedDuration::from_mins(1));
    let other = shell.json("credential create --role viewer --json", "credential-receipt");
    assert_ne!(other["secret"].as_str().unwrap(), secret);
    let list = shell.json("credential list --json", "credential-list");
    assert_eq!(list[0]["id"], id);
    assert_eq!((&list[0]["role"], &list[0]["maxSeats"]), (&"client".into(), &2.into()));
    assert_eq!(list[0]["expiresAt"], "2026-02-02T00:00:00.000Z");
    let shown = [list.to_string(), shell.run("credential list").stdout].concat();
    assert!(!shown.contains(hidden), "{shown}");
    for file in fs::read_dir(shell.directory.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let found = bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes());
        assert!(!found, "the store keeps a hash");
    }
}

#[test]
fn a_revoked_credential_stays_listed_and_is_never_in_force_again() {
    let shell = Shell::installed();
    let secret = shell.run("credential create --role admin").stdout;
    let (id, _) = secret.rsplit_once('_').unwrap();
    for _ in 0..2 {
        let revoked = shell.run(&format!("credential revoke {id}"));
        assert_eq!(revoked.exit, Exit::Done, "{revoked}");
        shell.clock.advance(jiff::SignedDuration::from_mins(1));
    }
    let list = shell.json("credential list --json", "credential-list");
    assert_eq!(list[0]["revokedAt"], "2026-01-05T10:00:00.000Z");
    assert!(shell.run("credential list").stdout.contains("revoked 2026-01-05"));
    let unknown = shell.run("credential revoke lk_000000000000");
    assert_eq!(unknown.exit, Exit::Refused, "{unknown}");
    assert!(unknown.stderr.contains("credential list"), "{unknown}");
}

#[test]
fn credentials_are_made_on_the_store_and_for_a_time_to_come() {
    let mut shell = Shell::new();
    let missing = shell.run("credential create --role admin");
    assert_eq!(missing.exit, Exit::Unreachable, "{missing}");
    let past = Shell::installed().run("credential create --role admin --expires 2026-01-04");
    assert_eq!(past.exit, Exit::Usage, "{past}");
    shell.variables.insert("LICENSE_SERVER".into(), "http://127.0.0.1:1".into());
    let remote = shell.run("credential create --role admin --server http://127.0.0.1:1");
    assert_eq!(remote.exit, Exit::Usage, "{remote}");
    assert!(remote.stderr.contains("--store"), "{remote}");
}
