//! `store copy`: what it prints and says, and what a sealed store answers.

use expect_test::expect;

use super::shell::{Shell, conforming};

#[test]
fn a_store_is_copied_and_sealed_in_words() {
    let shell = Shell::installed();
    shell.run("retain --product 0009 --session ws-12");
    expect![[r#"
        $ license store copy sqlite:backup.db
        copied 2 entries of 1 license from sqlite:/dir/license.db to sqlite:/dir/backup.db
        ! license: the store that was copied goes on: keep the copy as a backup; --seal would move it

        $ license store copy sqlite:moved.db --seal
        copied 2 entries of 1 license from sqlite:/dir/license.db to sqlite:/dir/moved.db
        ! license: the store that was copied is sealed: start its servers on the copy

        $ license retain --product 0009 --session ws-13
        ! license: the store is sealed: sqlite:/dir/moved.db took its place
        ! hint: name the other with --store or LICENSE_STORE; this one can only be read
        [exit code 4]

        $ license release --session ws-12
        ! license: the store is sealed: sqlite:/dir/moved.db took its place
        ! hint: name the other with --store or LICENSE_STORE; this one can only be read
        [exit code 4]

        $ license available 0009
        yes: 808464441 (0009) has 14 of 15 left
        ! license: warning: the store is sealed: sqlite:/dir/moved.db took its place, and knows what happened since

        $ license usage --json --product 0025
        []
        ! license: warning: the store is sealed: sqlite:/dir/moved.db took its place, and knows what happened since

        $ license store copy sqlite:old.db
        copied 2 entries of 1 license from sqlite:/dir/license.db to sqlite:/dir/old.db
        ! license: the store that was copied is sealed: sqlite:/dir/moved.db took its place, and knows what happened since

        $ license store copy sqlite:again.db --seal
        ! license: sqlite:/dir/license.db is sealed: sqlite:/dir/moved.db took its place
        ! hint: name the other with --store or LICENSE_STORE; this one can only be read
        [exit code 4]

        $ license release --session ws-12 --store sqlite:moved.db
        released token 1: 808464441 (0009)

    "#]].assert_eq(&shell.transcript(
        "store copy sqlite:backup.db
         store copy sqlite:moved.db --seal
         retain --product 0009 --session ws-13
         release --session ws-12
         available 0009
         usage --json --product 0025
         store copy sqlite:old.db
         store copy sqlite:again.db --seal
         release --session ws-12 --store sqlite:moved.db",
    ));
    assert!(shell.run("info").stderr.contains("moved.db took its place"));
    let copied = shell.json("store copy sqlite:newer.db --json", "store-copy");
    assert!(copied["successor"].as_str().unwrap().ends_with("moved.db"), "{copied}");
    let (before, after) =
        (shell.run("history --json"), shell.run("history --json --store sqlite:moved.db"));
    assert!(after.stdout.starts_with(&before.stdout), "{before} {after}");
}

#[test]
fn what_cannot_be_copied_is_said_with_the_cure() {
    let shell = Shell::installed();
    shell.run("store copy sqlite:backup.db");
    shell.file("notes.txt", "not a store");
    expect![[r#"
        $ license store copy sqlite:backup.db
        ! license: the copy cannot be made there: there is something at /dir/backup.db already: a copy needs a place of its own
        [exit code 2]

        $ license store copy sqlite:license.db
        ! license: the copy cannot be made there: there is something at /dir/license.db already: a copy needs a place of its own
        [exit code 2]

        $ license store copy sqlite:notes.txt
        ! license: the copy cannot be made there: there is something at /dir/notes.txt already: a copy needs a place of its own
        [exit code 2]

        $ license store copy sqlite:no/such/folder.db
        ! license: the store at /dir/no/such/folder.db cannot be opened: No such file or directory (os error 2)
        ! hint: create the folder /dir/no/such first
        [exit code 4]

        $ license store copy memory:
        ! license: a store in memory cannot be copied
        [exit code 2]

        $ license store copy backup.db
        ! license: `backup.db` is no store
        ! hint: a store is `sqlite:PATH`, such as sqlite:license.db, `postgres://USER@HOST/DATABASE` or `memory:`
        ! hint: for this file, write sqlite:backup.db
        [exit code 2]

        $ license store copy sqlite:new.db --store sqlite:none.db
        ! license: there is no store at /dir/none.db: install a license to create one
        ! hint: --store or LICENSE_STORE names another
        [exit code 4]

    "#]].assert_eq(&shell.transcript(
        "store copy sqlite:backup.db
         store copy sqlite:license.db
         store copy sqlite:notes.txt
         store copy sqlite:no/such/folder.db
         store copy memory:
         store copy backup.db
         store copy sqlite:new.db --store sqlite:none.db",
    ));
}

#[test]
fn programs_read_what_was_copied_and_what_was_wrong_before() {
    let shell = Shell::installed();
    shell.run("retain --product 0009 --session ws-12");
    let copied = shell.json("store copy sqlite:a.db --json", "store-copy");
    assert_eq!((&copied["entries"], &copied["sealed"]), (&2.into(), &false.into()));
    let bytes = std::fs::read(shell.path("license.db")).unwrap();
    let at = bytes.windows(5).position(|window| window == b"ws-12").unwrap();
    shell.file("license.db", [&bytes[..at], b"ws-13", &bytes[at + 5..]].concat());
    let output = shell.run("store copy sqlite:b.db --json");
    let copied = conforming(&output.stdout, "store-copy");
    let fault = "license DEMO-2001: entry 2: its chain value is not the hash of the chain before and itself";
    assert_eq!((output.exit.code(), &copied["faults"][0]), (3, &fault.into()));
    assert!(shell.run("store check --store sqlite:b.db").stdout.contains("entry 2"));
}
