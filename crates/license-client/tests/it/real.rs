//! The client against real servers: restarted, several on one store, and with answers that get lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use license_client::{
    Client, Entry, Error, EventKind, Followed, ProblemCode, Retention, Secret, Selection, Session,
    SessionId, SessionState,
};
use license_http::{Certificate, Options, Running};
use license_pool::{CredentialRole, KeptCredential, OpenError, Pool, SAMPLE_LICENSE, ServerName};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A store with the sample license: 15 clients (0009) and one SQL connection (0025).
struct Store {
    directory: tempfile::TempDir,
}

impl Store {
    fn new() -> Store {
        let store = Store { directory: tempfile::tempdir().unwrap() };
        let pool = Pool::open(&store.url()).unwrap();
        pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
        store
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.directory.path().join("license.db").display())
    }

    /// The secret of an administrator. From now on, every request needs one.
    fn admin(&self) -> Secret {
        let pool = Pool::open(&self.url()).unwrap();
        let now = "2026-01-05T10:00:00Z".parse().unwrap();
        let (kept, secret) = KeptCredential::make(CredentialRole::Admin, None, now, None).unwrap();
        pool.keep_credential(kept).wait().unwrap();
        Secret::new(secret.reveal()).unwrap()
    }

    /// A server of it; `address` is a free port, or that of a server which stopped.
    fn serve(&self, name: &str, address: &str) -> Running {
        let since = Instant::now();
        loop {
            let options = Pool::options().server(ServerName::new(name).unwrap());
            match options.open(&self.url()) {
                // The one before has not quite ended.
                Err(OpenError::Register(_)) if since.elapsed() < Duration::from_secs(60) => {}
                pool => {
                    let listener = TcpListener::bind(address).unwrap();
                    return license_http::start(listener, pool.unwrap(), Options::new()).unwrap();
                }
            }
        }
    }
}

const FREE: &str = "127.0.0.1:0";

/// Passes everything on, but loses the first `lost` answers.
fn losing(server: &Running, lost: usize) -> String {
    let (listener, to) = (TcpListener::bind(FREE).unwrap(), server.address());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let lost = Arc::new(AtomicUsize::new(lost));
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(to).unwrap());
            let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            let lost = lost.clone();
            thread::spawn(move || pass(forth, far, |_| true));
            thread::spawn(move || {
                let lose = |left: usize| left.checked_sub(1);
                pass(back, near, |_| {
                    lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_err()
                });
            });
        }
    });
    url
}

fn pass(mut from: TcpStream, mut to: TcpStream, go_on: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !go_on(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn ann() -> Session {
    Session::rest("ann", "job-7", "127.0.0.1")
}

fn tokens(client: &Client) -> Vec<u64> {
    let held: Result<Vec<Retention>, Error> = client.usage(Some("all"), None).unwrap().collect();
    held.unwrap().iter().map(|held| held.token.get()).collect()
}

#[test]
fn the_only_license_is_looked_for_again_once_another_took_its_place() {
    let store = Store::new();
    let server = store.serve("here", FREE);
    let client = Client::connect(&server.url()).unwrap();
    client.retain("0009", "job-7", ann()).unwrap().release().unwrap();
    let old = client.licenses().unwrap().remove(0).license_number;
    let pool = Pool::open(&store.url()).unwrap();
    pool.uninstall().unwrap();
    pool.install(SAMPLE_LICENSE.replace(old.as_str(), "NEXT-1").as_bytes()).unwrap();
    client.retain("0009", "job-7", ann()).unwrap().release().unwrap();
    pool.uninstall().unwrap();
    let error = client.retain("0009", "job-7", ann()).unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::UnknownLicense));
}

#[test]
fn every_call_is_understood() {
    let store = Store::new();
    let admin = Client::options().credential(store.admin());
    let server = store.serve("here", FREE);
    let stranger = Client::connect(&server.url()).unwrap();
    assert_eq!(stranger.info().unwrap_err().code(), Some(ProblemCode::Unauthorized));
    let client = admin.clone().connect(&server.url()).unwrap();
    let session = SessionId::new("job-7").unwrap();
    assert_eq!(client.licenses().unwrap().len(), 1);
    let number = client.info().unwrap().license_number;
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    assert_eq!(tokens(&client), [1]);
    assert_eq!(client.usage(None, Some("0025".parse().unwrap())).unwrap().count(), 0);
    assert!(client.store_servers().unwrap().iter().any(|server| server.name.as_str() == "here"));
    assert_eq!(client.availability("0009").unwrap().used_count.get(), 1);
    assert_eq!(client.session(&session).unwrap().held.len(), 1);
    let renewed = client.renew(&session, Some(SessionState::Sleeping)).unwrap();
    assert_eq!(renewed.held[0].retention.token, seat.token());
    let none = SessionId::new("none").unwrap();
    let list = client.renew_list(&[session.clone(), none.clone()]).unwrap();
    assert!(list.sessions[0].held.is_some() && list.sessions[1].problem.is_some());
    assert_eq!(
        client.release(&none, None, None).unwrap_err().code(),
        Some(ProblemCode::NotRetained)
    );
    let receipt = client.install(SAMPLE_LICENSE.as_bytes(), None, true).unwrap();
    assert_eq!(receipt.license_number, number);
    let named = admin.clone().license(&*number).connect(&server.url()).unwrap();
    assert_eq!(named.revoke(seat.token(), Some("a note: 1 & 2")).unwrap().released.len(), 1);
    let entries = |wanted: Selection| -> Vec<Entry> {
        client.history(&wanted).unwrap().collect::<Result<_, Error>>().unwrap()
    };
    let all = entries(Selection::default());
    assert_eq!(entries(Selection { after: 1, ..Selection::default() }), all[1..]);
    let wanted = Selection {
        after: 1,
        from: Some("2026-01-05T10:00:00+01:00".parse().unwrap()),
        to: Some("9000-01-01T00:00:00Z".parse().unwrap()),
        product: Some("0009".parse().unwrap()),
        session: Some(session),
        kinds: vec![EventKind::Retained, EventKind::Released],
    };
    let kinds: Vec<EventKind> = entries(wanted).iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, [EventKind::Retained, EventKind::Released]);
    let days = client.report(None, None, None).unwrap();
    let products: Vec<u64> = days.iter().map(|day| day.product_id.get()).collect();
    assert_eq!((products, days[0].retained.get()), (vec![808_464_441], 1));
    let day = |text: &str| Some(text.parse().unwrap());
    let (from, to) = (day("2000-01-01T00:00:00Z"), day("2000-01-02T00:00:00Z"));
    let none = client.report(from.as_ref(), to.as_ref(), Some("0009".parse().unwrap())).unwrap();
    assert_eq!(none, []);
    let unknown = admin.license("N ö/?#").connect(&server.url()).unwrap();
    assert_eq!(unknown.info().unwrap_err().code(), Some(ProblemCode::UnknownLicense));
    let refused = unknown.retain("0009", "job-7", ann()).unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::UnknownLicense));
}

#[test]
fn a_seat_outlives_a_restart_of_its_server() {
    let store = Store::new();
    let server = store.serve("here", FREE);
    let address = server.address().to_string();
    let client = Client::connect(&server.url()).unwrap();
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    server.stop();
    let waiting = client.in_background(|client| Ok(tokens(client)));
    let server = store.serve("here", &address);
    assert_eq!(waiting.wait().unwrap(), [1], "who asks while it restarts is answered after it");
    let again = client.retain("0009", "job-7", ann()).unwrap();
    assert_eq!(again.token(), seat.token());
    drop((seat, again));
    drop(client);
    assert_eq!(tokens(&Client::connect(&server.url()).unwrap()), [0; 0]);
}

#[test]
fn another_server_of_the_store_takes_over() {
    let store = Store::new();
    let (east, west) = (store.serve("east", FREE), store.serve("west", FREE));
    let client = Client::options().or(west.url()).connect(&east.url()).unwrap();
    let seat = client.retain("0025", "job-7", ann()).unwrap();
    east.stop();
    let session = SessionId::new("job-7").unwrap();
    let renewed = client.renew(&session, None).unwrap();
    assert_eq!(renewed.held[0].retention.token, seat.token());
    let refused = client.retain("0025", "job-8", ann()).unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::NoLicenseLeft));
    assert_eq!(seat.release().unwrap().token.get(), 1);
    assert_eq!(tokens(&client), [0; 0]);
}

#[test]
fn answers_that_get_lost_cost_no_license() {
    let store = Store::new();
    let server = store.serve("here", FREE);
    let direct = Client::connect(&server.url()).unwrap();
    for lost in 0..4 {
        let client = Client::connect(&losing(&server, lost)).unwrap();
        let seat = client.retain("0009", "job-7", ann()).unwrap();
        assert_eq!(tokens(&direct), [seat.token().get()]);
        drop(seat);
        drop(client);
        assert_eq!(tokens(&direct), [0; 0]);
    }
    // The release was done, although nobody could be told.
    let client = Client::connect(&server.url()).unwrap();
    drop(client.retain("0009", "job-7", ann()).unwrap());
    drop(client);
    assert_eq!(tokens(&direct), [0; 0]);
}

#[test]
fn seats_of_many_threads_come_and_go_and_leave_nothing() {
    let store = Store::new();
    let server = store.serve("here", FREE);
    let client = Client::connect(&server.url()).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for round in 0..10 {
                    // Two threads share each session, so that dropping meets retaining.
                    let session = format!("job-{}", (thread + round) % 2);
                    let seat = client.retain("0009", &session, ann()).unwrap();
                    let held = client.session(&session.parse().unwrap()).unwrap().held;
                    assert_eq!(held[0].retention.token, seat.token(), "held while the seat lives");
                }
            });
        }
    });
    client.close().wait().unwrap();
    assert_eq!(tokens(&Client::connect(&server.url()).unwrap()), [0; 0]);
}

fn entry(followed: Followed) -> Entry {
    match followed {
        Followed::Entry(entry) => *entry,
        Followed::Reset { sequence } => panic!("nothing was to be forgotten after {sequence}"),
    }
}

#[test]
fn a_log_is_followed_through_the_end_of_its_server() {
    let store = Store::new();
    let (east, west) = (store.serve("east", FREE), store.serve("west", FREE));
    let client = Client::options().or(west.url()).connect(&east.url()).unwrap();
    let mut events = client.events(None).unwrap();
    assert_eq!(events.after(), Some(1), "from now on, behind the license that was installed");
    // Nothing was heard yet when the server goes.
    east.stop();
    let direct = Client::connect(&west.url()).unwrap();
    let seats: Vec<_> =
        (0..3).map(|job| direct.retain("0009", &format!("job-{job}"), ann()).unwrap()).collect();
    drop(seats);
    direct.close().wait().unwrap();
    let heard: Vec<Entry> = events.by_ref().take(6).map(|heard| entry(heard.unwrap())).collect();
    let sequences: Vec<u64> = heard.iter().map(|entry| entry.sequence.get()).collect();
    assert_eq!(sequences, [2, 3, 4, 5, 6, 7]);
    assert!(heard[..3].iter().all(|entry| entry.event.kind() == EventKind::Retained));
    assert!(heard[3..].iter().all(|entry| entry.event.kind() == EventKind::Released));
    // Whoever comes back with what he heard last goes on from there; who heard what is not in the
    // log begins anew.
    assert_eq!(events.after(), Some(7));
    let mut later = Client::connect(&west.url()).unwrap().events(Some(5)).unwrap();
    assert_eq!(entry(later.next().unwrap().unwrap()).sequence.get(), 6);
    let mut other = Client::connect(&west.url()).unwrap().events(Some(99)).unwrap();
    assert_eq!(other.next().unwrap().unwrap(), Followed::Reset { sequence: 7 });
}

#[test]
fn who_may_not_follow_is_told_so() {
    let store = Store::new();
    store.admin();
    let server = store.serve("here", FREE);
    let stranger = Client::connect(&server.url()).unwrap();
    assert_eq!(stranger.events(None).unwrap_err().code(), Some(ProblemCode::Unauthorized));
    assert_eq!(
        stranger.report(None, None, None).unwrap_err().code(),
        Some(ProblemCode::Unauthorized)
    );
}

#[test]
fn a_server_is_believed_whose_authority_is_and_no_other() {
    let store = Store::new();
    let folder = store.directory.path();
    let file = |name: &str| folder.join(name);
    let authority = |name: &str| {
        let mut terms = CertificateParams::new([]).unwrap();
        terms.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = terms.self_signed(&key).unwrap();
        std::fs::write(file(name), certificate.pem()).unwrap();
        Issuer::new(terms, key)
    };
    let (ours, _theirs) = (authority("ours.pem"), authority("theirs.pem"));
    let key = KeyPair::generate().unwrap();
    let terms = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = terms.signed_by(&key, &ours).unwrap();
    std::fs::write(file("server.pem"), certificate.pem()).unwrap();
    std::fs::write(file("server.key"), key.serialize_pem()).unwrap();

    let certificate = Certificate::read(file("server.pem"), file("server.key")).unwrap();
    let pool = Pool::open(&store.url()).unwrap();
    let listener = TcpListener::bind(FREE).unwrap();
    let options = Options::new().certificate(certificate);
    let server = license_http::start(listener, pool, options).unwrap();
    let named = server.url().replace("127.0.0.1", "localhost");

    let trusting = |authorities: &str, url: &str| {
        let options = Client::options().authorities(file(authorities)).patience(Duration::ZERO);
        options.connect(url).unwrap().retain("0009", "job-7", ann())
    };
    let seat = trusting("ours.pem", &named).unwrap();
    assert_eq!(seat.token().get(), 1);
    drop(seat);
    // Somebody else's authority, and a name that the certificate does not bear.
    for (authorities, url) in [("theirs.pem", &named), ("ours.pem", &server.url())] {
        let error = trusting(authorities, url).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{authorities} {url}: {error}");
    }
    let plain = named.replace("https:", "http:");
    assert!(trusting("ours.pem", &plain).is_err(), "nothing is said in the clear");
    let missing = Client::options().authorities(file("none.pem")).connect(&named);
    assert!(matches!(missing, Err(Error::Setup { .. })));
    std::fs::write(file("empty.pem"), "").unwrap();
    let empty = Client::options().authorities(file("empty.pem")).connect(&named);
    assert!(matches!(empty, Err(Error::Setup { .. })));
}
