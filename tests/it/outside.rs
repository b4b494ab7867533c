//! A crate outside the workspace compiles against ours and runs, offline.

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

#[test]
fn a_stranger_can_use_the_types() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = tests.join("outside");
    // The versions of the workspace are the ones that are there without a network.
    fs::copy(tests.join("../Cargo.lock"), outside.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["run", "--offline", "--quiet", "--manifest-path"])
        .arg(outside.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    expect![[r#"
        808464441 (0009) 4D Client: Ann on WS-12 (postponed)
        not as documented: /globalProductUsedCount: is missing
        {"productId":808464441,"productName":"4D Client","productUsedCount":1,"productBalance":9,"globalProductUsedCount":1,"token":1,"time":"2026-01-05T10:00:00.000Z","reason":"CLIENT","session":{"userName":"Eve","sessionID":"job-7","IPAddress":"127.0.0.1","isDatastore":false}}
        "idle" is no SessionState: expected one of "active", "postponed", "sleeping"
    "#]].assert_eq(&String::from_utf8(output.stdout).unwrap());
}
