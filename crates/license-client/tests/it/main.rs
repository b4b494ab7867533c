//! The client against servers that follow a script, for every answer that a real one gives rarely, and
//! against real ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod patience;
mod real;
mod stub;

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use license_client::{Client, Error, Notice, ProblemCode, Retain, Secret, Session, SessionId};
use serde_json::json;
use stub::{
    Reply, Stub, granted, nobody, problem, problem_for, problem_of, raw, released, renewed,
};

const RETAIN: &str = "PUT /v1/licenses/N-1/sessions/job-7/products/808464441";
const RENEW: &str = "POST /v1/licenses/N-1/renew";
const RELEASE: &str = "DELETE /v1/licenses/N-1/sessions/job-7/products/808464441?token=5";

fn ann() -> Session {
    Session::rest("ann", "job-7", "127.0.0.1")
}

/// A client that gives up soon.
fn client(server: &str) -> Client {
    Client::options().patience(Duration::ZERO).connect(server).unwrap()
}

fn is_unreachable<T>(answer: Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Unreachable { .. }))
}

#[test]
fn a_seat_is_retained_renewed_and_released() {
    let server = Stub::new(|request| match request.line.as_str() {
        RETAIN => granted(5),
        RENEW => renewed("job-7", 5),
        _ => released(5),
    });
    let client = client(&server.url);
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    assert_eq!((seat.token().get(), seat.record().product_name.as_str()), (5, "4D Client"));
    assert_eq!(server.next().line, "GET /v1/licenses");
    let retain = server.next();
    assert_eq!(retain.line, RETAIN);
    assert_eq!(retain.body, json!({"session": serde_json::to_value(ann()).unwrap()}));
    assert_eq!(retain.header("content-type"), Some("application/json"));
    for _ in 0..2 {
        let renew = server.next();
        assert_eq!(renew.line, RENEW);
        assert_eq!(renew.body, json!({"sessions": [{"sessionId": "job-7"}]}));
    }
    assert!(seat.notices().try_next().is_none());
    drop(seat);
    drop(client);
    assert_eq!(server.lines(), [RELEASE], "released before the last handle was gone");
}

#[test]
fn a_license_that_is_lost_is_told_and_not_retained_again() {
    let server = Stub::new(|request| match request.line.as_str() {
        RETAIN => granted(5),
        RENEW => {
            let problem = problem_of(404, "not_retained");
            Reply::Json(200, json!({"sessions": [{"sessionId": "job-7", "problem": problem}]}))
        }
        _ => released(5),
    });
    let client = client(&server.url);
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    assert!(matches!(seat.notices().wait(), Some(Notice::Lost)));
    let notices = seat.notices();
    drop(seat);
    assert!(notices.wait().is_none());
    drop(client);
    assert_eq!(server.lines(), [RETAIN, RENEW]);
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    let mut lost = 0;
    let server = Stub::new(move |request| match request.line.as_str() {
        RETAIN if lost < 3 => {
            lost += 1;
            Reply::Cut
        }
        RETAIN => granted(5),
        _ => released(5),
    });
    let client = Client::connect(&server.url).unwrap();
    assert_eq!(client.retain("0009", "job-7", ann()).unwrap().token().get(), 5);
    drop(client);
    assert_eq!(server.lines(), [RETAIN, RETAIN, RETAIN, RETAIN, RELEASE]);
}

#[test]
fn another_server_is_asked_when_one_fails_and_no_sooner() {
    for failure in
        [|| Reply::Cut, || problem(503, "draining"), || problem(503, "store_unavailable")]
    {
        let mut asked = 0;
        let first = Stub::new(move |_| {
            asked += 1;
            if asked == 1 { granted(5) } else { failure() }
        });
        let second = Stub::new(|request| match request.line.as_str() {
            RELEASE => released(5),
            _ => Reply::Json(200, json!({"held": []})),
        });
        let options = Client::options().or(&second.url).or(nobody()).patience(Duration::ZERO);
        let client = options.connect(&first.url).unwrap();
        let seat = client.retain("0009", "job-7", ann()).unwrap();
        assert_eq!(second.lines(), [""; 0]);
        let session = SessionId::new("job-7").unwrap();
        client.renew(&session, None).unwrap();
        client.renew(&session, None).unwrap();
        seat.release().unwrap();
        let renew = "POST /v1/licenses/active/sessions/job-7/renew";
        assert_eq!(first.lines(), [RETAIN, renew]);
        assert_eq!(second.lines(), [renew, renew, RELEASE]);
    }
    let nobody = Client::options().or(nobody()).patience(Duration::ZERO).connect(&nobody());
    assert!(is_unreachable(nobody.unwrap().licenses()));
}

#[test]
fn what_a_server_could_not_decide_is_asked_again() {
    let problems = [
        (503, "store_unavailable"),
        (503, "store_busy"),
        (503, "outcome_unknown"),
        (503, "clock_skew"),
        (503, "draining"),
        (503, "queue_full"),
        (429, "too_many_requests"),
        (500, "internal"),
    ];
    let by_servers = problems.map(|(status, code)| (code, problem(status, code)));
    // A proxy whose server is away says so in words of its own.
    let by_proxies =
        [502, 503, 504].map(|status| ("a proxy", Reply::Raw(raw(status, "text/html", "<p>away"))));
    for (who, reply) in by_servers.into_iter().chain(by_proxies) {
        let mut reply = Some(reply);
        let server = Stub::new(move |request| match request.line.as_str() {
            RETAIN => reply.take().unwrap_or_else(|| granted(5)),
            _ => released(5),
        });
        let client = Client::connect(&server.url).unwrap();
        let seat = client.retain("0009", "job-7", ann());
        assert!(seat.is_ok(), "{who}: {seat:?}");
        assert_eq!(server.lines(), [RETAIN, RETAIN], "{who}");
    }
}

#[test]
fn what_no_server_of_a_store_can_answer_now_is_not_asked_of_the_others() {
    let first = Stub::new(|_| problem(503, "store_busy"));
    let second = Stub::new(|_| granted(5));
    let options = Client::options().license("N-1").or(&second.url).patience(Duration::ZERO);
    let client = options.connect(&first.url).unwrap();
    let error = client.retain("0009", "job-7", ann()).unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::StoreBusy));
    assert_eq!(first.lines(), [RETAIN]);
    assert_eq!(second.lines(), [""; 0]);
}

#[test]
fn however_long_a_rest_a_server_asks_for_it_is_asked_again_soon() {
    let mut busy = Some(problem_for(3600, 503, "store_busy"));
    let server = Stub::new(move |request| match request.line.as_str() {
        RETAIN => busy.take().unwrap_or_else(|| granted(5)),
        _ => released(5),
    });
    let client = Client::options().patience(Duration::from_secs(600)).connect(&server.url).unwrap();
    let _seat = client.retain("0009", "job-7", ann()).unwrap();
    assert_eq!(server.lines(), [RETAIN, RETAIN], "a grant is not asked for once more");
}

#[test]
fn what_the_server_says_is_told_with_its_code_and_not_asked_again() {
    let server = Stub::new(|_| problem(409, "no_license_left"));
    let client = Client::connect(&server.url).unwrap();
    let error = client.retain("0009", "job-7", ann()).unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::NoLicenseLeft));
    assert_eq!(error.to_string(), "the server says no_license_left");
    assert_eq!(server.lines(), [RETAIN]);
}

#[test]
fn a_seat_is_released_though_its_session_was_refused_later() {
    let mut asked = 0;
    let server = Stub::new(move |request| match request.line.as_str() {
        RETAIN => {
            asked += 1;
            if asked == 1 { granted(5) } else { problem(403, "not_permitted") }
        }
        _ => released(5),
    });
    let client = client(&server.url);
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    client.retain("0009", "job-7", ann()).unwrap_err();
    drop(seat);
    drop(client);
    assert_eq!(server.lines(), [RETAIN, RETAIN, RELEASE]);
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = Stub::new(|_| granted(5));
    let to = format!("{}/v1/licenses/N-1", elsewhere.url);
    let server = Stub::new(move |_| {
        Reply::Raw(format!("HTTP/1.1 307 -\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"))
    });
    let client = Client::connect(&server.url).unwrap();
    let error = client.retain("0009", "job-7", ann()).unwrap_err();
    assert!(matches!(error, Error::Foreign { status: 307, .. }), "{error}");
    assert!(matches!(client.info(), Err(Error::Foreign { status: 307, .. })));
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn the_credential_is_shown_to_the_server_and_to_nobody_else() {
    let server = Stub::new(|_| problem(401, "unauthorized"));
    let credential = Secret::new("secret-word").unwrap();
    let options = Client::options().credential(credential);
    assert!(!format!("{options:?}").contains("secret-word"));
    let client = options.connect(&server.url).unwrap();
    let error = client.info().unwrap_err();
    assert_eq!(server.next().header("authorization"), Some("Bearer secret-word"));
    assert!(!format!("{client:?} {error} {error:?}").contains("secret-word"));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credential");
    std::fs::write(&file, "from-a-file\n").unwrap();
    let options = Client::options().credential(Secret::from_file(&file).unwrap());
    options.connect(&server.url).unwrap().info().unwrap_err();
    assert_eq!(server.next().header("authorization"), Some("Bearer from-a-file"));
    for unfit in ["", "two words", "line\nfeed", "ümlaut"] {
        let error = Secret::new(unfit).unwrap_err();
        assert!(unfit.is_empty() || !error.to_string().contains(unfit));
    }
}

#[test]
fn who_waits_asks_again_until_the_license_is_granted() {
    let mut asked = 0;
    let server = Stub::new(move |request| {
        asked += 1;
        match (asked, request.line.contains("?wait=")) {
            (1 | 2, true) => problem(409, "no_license_left"),
            // A server that restarts is waited for, too.
            (3, true) => Reply::Cut,
            (4, true) => granted(5),
            _ => released(5),
        }
    });
    let retain = Retain::new("0009".parse().unwrap(), "job-7".parse().unwrap(), ann());
    let client = client(&server.url);
    let seat = client.retain_with(retain.wait(Duration::from_secs(3600))).unwrap();
    let wait = format!("{RETAIN}?wait=30000ms");
    assert_eq!(server.lines(), [&*wait, &wait, &wait, &wait]);
    seat.release().unwrap();
}

#[test]
fn who_waits_where_too_many_do_asks_again_when_it_is_told_to() {
    // However little patience it has with servers that fail.
    for patience in [Duration::from_secs(10), Duration::ZERO] {
        let (mut asked, mut turned_away) = (0, Instant::now());
        let (rested, rests) = channel();
        let server = Stub::new(move |request| {
            asked += 1;
            match (asked, request.line.contains("?wait=")) {
                (1, true) => problem(409, "no_license_left"),
                (2, true) => {
                    turned_away = Instant::now();
                    problem_for(1, 503, "queue_full")
                }
                (3, true) => {
                    rested.send(turned_away.elapsed()).unwrap();
                    granted(5)
                }
                _ => released(5),
            }
        });
        let retain = Retain::new("0009".parse().unwrap(), "job-7".parse().unwrap(), ann());
        let client = Client::options().patience(patience).connect(&server.url).unwrap();
        drop(client.retain_with(retain.wait(Duration::from_secs(3600))).unwrap());
        let least = if patience.is_zero() { 500 } else { 1000 };
        assert!(rests.recv().unwrap() >= Duration::from_millis(least), "it asked again at once");
    }
}

#[test]
fn who_waits_for_a_server_that_stops_waits_for_its_return() {
    let mut asked = 0;
    let server = Stub::new(move |request| {
        asked += 1;
        match (asked, request.line.contains("?wait=")) {
            (1, true) => problem(503, "draining"),
            (2, true) => Reply::Cut,
            (3, true) => granted(5),
            _ => released(5),
        }
    });
    let retain = Retain::new("0009".parse().unwrap(), "job-7".parse().unwrap(), ann());
    let client = Client::options().license("N-1").patience(Duration::ZERO);
    let client = client.connect(&server.url).unwrap();
    drop(client.retain_with(retain.wait(Duration::from_secs(3600))).unwrap());
    assert_eq!(server.lines()[..3], [&*format!("{RETAIN}?wait=30000ms"); 3]);
}

#[test]
fn who_waits_for_a_server_that_dies_before_its_first_answer_waits_for_its_return() {
    let mut asked = 0;
    let server = Stub::new(move |request| {
        asked += 1;
        match (asked, request.line.contains("?wait=")) {
            (1, true) => Reply::Cut,
            (2, true) => granted(5),
            _ => released(5),
        }
    });
    let retain = Retain::new("0009".parse().unwrap(), "job-7".parse().unwrap(), ann());
    // Who names the license asks nothing else first.
    let client = Client::options().license("N-1").patience(Duration::ZERO);
    let client = client.connect(&server.url).unwrap();
    drop(client.retain_with(retain.wait(Duration::from_secs(3600))).unwrap());
    assert_eq!(server.lines()[..2], [&*format!("{RETAIN}?wait=30000ms"); 2]);
}

#[test]
fn who_waits_for_a_server_that_was_never_there_does_not_wait() {
    let retain = Retain::new("0009".parse().unwrap(), "job-7".parse().unwrap(), ann());
    let client = client(&nobody());
    assert!(is_unreachable(client.grant(&retain.wait(Duration::from_secs(3600)))));
}

#[test]
fn a_seat_that_nobody_receives_is_released() {
    let (asked, retaining) = channel();
    let (answer, answers) = channel::<()>();
    let server = Stub::new(move |request| match request.line.as_str() {
        RETAIN => {
            asked.send(()).unwrap();
            answers.recv().unwrap();
            granted(5)
        }
        _ => released(5),
    });
    let client = client(&server.url);
    let pending = client.retain_async("0009", "job-7", ann());
    retaining.recv().unwrap();
    drop(pending);
    answer.send(()).unwrap();
    assert_eq!(server.next().line, "GET /v1/licenses");
    assert_eq!([server.next().line, server.next().line], [RETAIN, RELEASE]);
}

#[test]
fn who_releases_learns_what_was_released() {
    let mut again = false;
    let server = Stub::new(move |request| match request.line.as_str() {
        RETAIN => granted(5),
        _ if again => problem(404, "not_retained"),
        _ => {
            again = true;
            released(5)
        }
    });
    let client = client(&server.url);
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    assert_eq!(seat.release().unwrap().token.get(), 5);
    let seat = client.retain("0009", "job-7", ann()).unwrap();
    assert_eq!(seat.release().unwrap_err().code(), Some(ProblemCode::NotRetained));
}

const NOTHING_THERE: &str = r#"{"type": "about:blank", "title": "Not found", "status": 404,
    "code": "not_found", "detail": "there is nothing at this path"}"#;

#[test]
fn what_answers_like_no_license_server_is_told_apart() {
    for (status, kind, body) in [
        (200, "text/html", "<h1>It works!</h1>"),
        (404, "text/html", "<h1>Not found</h1>"),
        // The address is that of a path of a server.
        (404, "application/problem+json", NOTHING_THERE),
        (200, "application/json", "{\"licenses\": 1}"),
    ] {
        let server = Stub::new(move |_| Reply::Raw(raw(status, kind, body)));
        let error = client(&server.url).info().unwrap_err();
        assert!(matches!(&error, Error::Foreign { status: told, .. } if *told == status));
        assert!(error.to_string().contains(&server.url), "{error}");
    }
    // A proxy whose server is away.
    let server = Stub::new(|_| Reply::Raw(raw(502, "text/html", "Bad gateway")));
    let error = client(&server.url).info().unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn a_problem_that_only_a_newer_server_knows_is_told_in_its_words() {
    let body = NOTHING_THERE.replace("not_found", "out_of_paper").replace("this path", "the tray");
    let server = Stub::new(move |_| Reply::Raw(raw(409, "application/problem+json", &body)));
    let error = client(&server.url).info().unwrap_err().to_string();
    assert!(error.ends_with("there is nothing at the tray (out_of_paper)"), "{error}");
}

#[test]
fn a_program_ends_although_nobody_takes_its_releases() {
    let server = Stub::new(|request| match request.line.as_str() {
        RETAIN => granted(5),
        _ => Reply::Silence,
    });
    // The server has much longer to answer anything else.
    let long = Duration::from_secs(3600);
    let client = Client::options().timeout(long).patience(long).connect(&server.url).unwrap();
    drop(client.retain("0009", "job-7", ann()).unwrap());
    let since = Instant::now();
    drop(client);
    // Five seconds, and many for a busy machine: far less than the hour that others have.
    assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
    assert_eq!(server.lines()[..2], [RETAIN, RELEASE]);
}

#[test]
fn an_answer_without_end_is_given_up() {
    let server = Stub::new(|_| {
        let endless = "x".repeat(17 << 20);
        Reply::Raw(raw(200, "application/json", &endless))
    });
    assert!(is_unreachable(client(&server.url).info()));
}

#[test]
fn long_answers_are_read_as_they_come_and_never_past_a_cut() {
    let line = |token: u64| {
        let Reply::Json(_, receipt) = granted(token) else { unreachable!() };
        receipt["retention"].to_string() + "\n"
    };
    let whole = line(1) + &line(2);
    let cut = format!("{}{}", line(1), line(2).trim_end());
    let server = Stub::new(move |request| {
        assert_eq!(request.header("accept"), Some("application/x-ndjson"));
        let body = if request.line.contains("server=all") { &whole } else { &cut };
        Reply::Raw(raw(200, "application/x-ndjson", body))
    });
    let client = client(&server.url);
    let tokens = |server| -> Vec<Result<u64, Error>> {
        let usage = client.usage(Some(server), Some("0009".parse().unwrap())).unwrap();
        usage.map(|held| Ok(held?.token.get())).collect()
    };
    assert!(matches!(tokens("all")[..], [Ok(1), Ok(2)]));
    assert!(matches!(tokens("a b")[..], [Ok(1), Err(Error::Foreign { .. })]));
    let usage = "GET /v1/licenses/active/usage?server=";
    let lines =
        [format!("{usage}all&product=808464441"), format!("{usage}a%20b&product=808464441")];
    assert_eq!(server.lines(), lines);
}

#[test]
fn wrong_use_is_told_before_anything_is_sent() {
    let client = client(&nobody());
    assert!(matches!(client.retain("client", "job-7", ann()), Err(Error::Input(_))));
    assert!(matches!(client.retain("0009", "job 7", ann()), Err(Error::Input(_))));
    assert!(matches!(client.retain_async("0009", "", ann()).wait(), Err(Error::Input(_))));
    assert!(matches!(Client::connect("localhost:7427"), Err(Error::Setup { .. })));
    let unnamed = Client::options().license("").connect("http://localhost:7427");
    assert!(matches!(unnamed, Err(Error::Setup { .. })));
}

#[test]
fn a_client_that_was_closed_says_so() {
    let server = Stub::new(|_| granted(5));
    let client = client(&server.url);
    client.close().wait().unwrap();
    assert!(matches!(client.retain("0009", "job-7", ann()), Err(Error::Closed)));
    assert!(client.close().wait().is_ok(), "closing twice is no failure");
}
