//! Who is believed, and where a password may stand.

use std::error::Error as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::process::Command;

use license_pool::{OpenError, StoreUrl};

use super::server::Server;
use crate::pool::world::{holders, license, options, retain};

#[test]
fn a_connection_over_the_network_is_encrypted_for_whom_the_address_trusts() {
    let Some(server) = Server::stopped() else { return };
    // Where nothing listens now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    certificate(&server, "authority", None);
    certificate(&server, "server", Some("authority"));
    certificate(&server, "other", None);
    fs::write(server.path("password"), "s3:c@r/et").unwrap();
    let initdb = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"];
    let mut command = server.command("initdb");
    command.args(initdb).arg("--pwfile").arg(server.path("password")).arg("-D").arg(server.data());
    server.run(&mut command);
    fs::write(server.data().join("pg_hba.conf"), "hostssl all all all scram-sha-256\n").unwrap();
    let (certificate, key) = (server.path("server.pem"), server.path("server.key"));
    server.launch(&[
        ("listen_addresses", "127.0.0.1"),
        ("port", &port.to_string()),
        ("ssl", "on"),
        ("ssl_cert_file", certificate.to_str().unwrap()),
        ("ssl_key_file", key.to_str().unwrap()),
    ]);
    let address = |user: &str, host: &str, query: &str| {
        format!("postgres://{user}@{host}:{port}/postgres?{query}")
    };
    let trusting = |name: &str| {
        format!("sslmode=verify-full&sslrootcert={}", server.path(name).to_str().unwrap())
    };
    let refused = |address: &str, password: Option<&str>| {
        let options = password.into_iter().fold(options(), |options, it| options.password(it));
        let error = options.open(address).unwrap_err();
        let mut said = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            said += &format!(": {error}");
            source = error.source();
        }
        assert!(matches!(error, OpenError::Unavailable { .. }), "{said}");
        assert!(!said.contains("s3") && !said.contains("wrong"), "{said}");
        said
    };

    let trusted = trusting("authority.pem");
    let good = address("postgres", "localhost", &trusted);
    let said = refused(&good, Some("wrong"));
    assert!(said.contains("password authentication failed"), "{said}");
    refused(&good, None);
    // Another authority, another name, and nobody to believe at all.
    let said =
        refused(&address("postgres", "localhost", &trusting("other.pem")), Some("s3:c@r/et"));
    assert!(said.contains("certificate"), "{said}");
    let said = refused(&address("postgres", "127.0.0.1", &trusted), Some("s3:c@r/et"));
    assert!(said.contains("certificate"), "{said}");
    refused(&address("postgres", "localhost", &trusting("password")), Some("s3:c@r/et"));
    let said = refused(&address("postgres", "localhost", "sslmode=disable"), Some("s3:c@r/et"));
    assert!(said.contains("no encryption"), "{said}");

    let inside = address("postgres:s3%3Ac%40r%2Fet", "localhost", &trusted);
    for pool in [
        options().password("s3:c@r/et").open(&good).unwrap(),
        options().password("wrong, and not needed").open(&inside).unwrap(),
    ] {
        pool.install(license("A", 2).as_bytes()).unwrap();
        retain(&pool, "0009", "one").unwrap().keep();
        assert_eq!(holders(&pool), ["one"]);
        assert!(!pool.store().contains("s3"), "{}", pool.store());
    }
}

/// A key and a certificate: an authority's own, or one that it gives to `localhost`.
fn certificate(server: &Server, name: &str, authority: Option<&str>) {
    let path = |name: &str, extension: &str| server.path(&format!("{name}.{extension}"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-nodes", "-days", "3650", "-subj", &format!("/CN={name}")]);
    command.arg("-keyout").arg(path(name, "key")).arg("-out").arg(path(name, "pem"));
    if let Some(authority) = authority {
        command.arg("-CA").arg(path(authority, "pem")).arg("-CAkey").arg(path(authority, "key"));
        command.args(["-addext", "subjectAltName=DNS:localhost"]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    }
    let output = command.output().expect("openssl comes with Debian's PostgreSQL");
    assert!(output.status.success(), "{output:?}");
    let owner = fs::metadata(server.folder()).unwrap();
    chown(path(name, "key"), Some(owner.uid()), Some(owner.gid())).unwrap();
}

#[test]
fn an_address_says_what_it_lacks_and_never_shows_a_password() {
    for (address, said) in [
        ("postgres://ann:geheim@db.example/x", "sslrootcert=FILE"),
        ("postgres://ann:geheim@db.example/x?sslmode=prefer", "`verify-full`"),
        ("postgres://ann:gehe@im@db.example/x", "`%40`"),
        ("postgres://ann:geheim@localhost:port/x", "port"),
        ("postgres://ann:geheim@localhost/x?colour=red", "colour"),
        ("postgres:///x", "names no host"),
        ("postgres:ann:geheim@db.example", "://"),
        ("postgers://ann:geheim@db.example/x", "`postgres://USER@HOST/DATABASE`"),
    ] {
        let error = address.parse::<StoreUrl>().unwrap_err();
        assert!(error.to_string().contains(said), "{address}: {error}");
        assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
    }
    let url: StoreUrl = "postgres://ann:geheim@localhost/x?password=geheim".parse().unwrap();
    assert!(!format!("{url} {url:?}").contains("geheim"), "{url:?}");
    for near in ["localhost", "127.0.0.1", "[::1]", "%2Fvar%2Frun%2Fpostgresql", "localhost,[::1]"]
    {
        format!("postgres://ann@{near}/x").parse::<StoreUrl>().unwrap();
    }
}
