//! Which requests are for this server at all, and may come from where they do.

use license_http::Options;

use super::safety::{INFO, LICENSES, SEAT, body, open};
use super::world::World;
use crate::pool::world::sample;

#[test]
fn a_request_for_another_host_is_refused() {
    let world = World::over(sample(), Options::new().allowed_host("licenses.example"));
    for host in ["localhost", "LOCALHOST:7427", "127.0.0.1", "127.0.0.9:1", "[::1]:7427"] {
        world.ask("GET", INFO).header("host", host).send().expect(200);
    }
    world.ask("GET", INFO).header("host", "licenses.example:7427").send().expect(200);
    for host in [
        "evil.example",
        "localhost.evil.example",
        "192.0.2.1",
        "127.0.0.1.evil.example",
        "localhost:evil.example",
    ] {
        let answer = world.ask("GET", INFO).header("host", host).send();
        assert_eq!(answer.problem(), "403 not_permitted", "{host}");
        let health = world.ask("GET", "/healthz").header("host", host).send();
        assert_eq!(health.problem(), "403 not_permitted", "{host}");
    }
}

#[test]
fn a_host_is_ours_as_it_was_allowed_or_as_the_connection_was_made() {
    let world = World::over(sample(), Options::new().allowed_host("licenses.example:8443"));
    let ask = |host: &str| world.ask("GET", "/healthz").header("host", host).send();
    ask("licenses.example:8443").expect(200);
    assert_eq!(ask("licenses.example:80").problem(), "403 not_permitted");
    // Where a socket takes both kinds of addresses, one of IPv4 is written as one of IPv6.
    let ask =
        || world.ask("GET", "/healthz").between("[::ffff:192.0.2.7]:9", "[::ffff:192.0.2.1]:9");
    ask().header("host", "192.0.2.1").send().expect(200);
    assert_eq!(ask().header("host", "192.0.2.7").send().problem(), "403 not_permitted");
}

#[test]
fn a_request_that_names_two_hosts_is_refused() {
    let world = open();
    let twice = world.ask("GET", "/healthz").also("host", "evil.example");
    assert_eq!(twice.send().problem(), "400 bad_request");
    let beside = world.ask("GET", "http://evil.example/healthz");
    assert_eq!(beside.send().problem(), "400 bad_request");
    world.ask("GET", "http://localhost/healthz").send().expect(200);
}

#[test]
fn a_page_of_another_site_is_refused() {
    let world = open();
    let get = || world.ask("GET", INFO).header("host", "localhost:7427");
    get().header("origin", "http://localhost:7427").send().expect(200);
    get().header("sec-fetch-site", "same-origin").send().expect(200);
    get().header("sec-fetch-site", "none").send().expect(200);
    for origin in ["http://evil.example", "null", "http://localhost:8080", "http://localhost"] {
        let answer = get().header("origin", origin).send();
        assert_eq!(answer.problem(), "403 not_permitted", "{origin}");
    }
    for site in ["cross-site", "same-site", "something"] {
        let answer = get().header("sec-fetch-site", site).send();
        assert_eq!(answer.problem(), "403 not_permitted", "{site}");
    }
}

#[test]
fn no_answer_invites_other_sites_or_can_be_misread() {
    let world = open();
    for path in [INFO, "/", "/v1/nothing", "/v1/licenses/none"] {
        let answer = world.ask("GET", path).header("origin", "http://localhost").send();
        let cors = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control"));
        assert_eq!(cors.count(), 0, "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[test]
fn a_body_must_say_that_it_is_json() {
    let world = open();
    let put =
        |media: &str| world.ask("PUT", SEAT).json(&body()).header("content-type", media).send();
    assert_eq!(put("text/plain").problem(), "415 unsupported_media_type");
    assert_eq!(put("application/jsonp").problem(), "415 unsupported_media_type");
    put("application/json; charset=utf-8").expect(201);
    let packed = |coding: &str| {
        world.ask("PUT", SEAT).json(&body()).header("content-encoding", coding).send()
    };
    assert_eq!(packed("gzip").problem(), "415 unsupported_media_type");
    packed("identity").expect(200);
    // Also one that nobody reads; none at all says nothing.
    for (method, path) in [
        ("GET", INFO),
        ("GET", "/healthz"),
        ("GET", "/v1/licenses/active/history?limit=nothing"),
        ("DELETE", "/v1/licenses/active/sessions/job-7"),
        ("PATCH", LICENSES),
        ("GET", "/v1/nothing"),
    ] {
        let ask =
            |text: &str| world.ask(method, path).body(text).header("content-type", "text/plain");
        assert_eq!(ask("x").send().problem(), "415 unsupported_media_type", "{method} {path}");
        assert_ne!(ask("").send().status, 415, "{method} {path}");
    }
}

#[test]
fn a_caller_behind_a_proxy_is_not_this_machine() {
    let proxied =
        |world: &World, heard: &str| world.ask("GET", INFO).header("x-forwarded-for", heard).send();
    assert_eq!(proxied(&open(), "127.0.0.1").problem(), "401 unauthorized");
    for header in ["via", "forwarded", "x-real-ip"] {
        let answer = open().ask("GET", INFO).header(header, "127.0.0.1").send();
        assert_eq!(answer.problem(), "401 unauthorized", "{header}");
    }
    let mapped = open();
    let mapped = mapped.ask("GET", INFO).between("[::ffff:127.0.0.1]:9", "[::1]:9");
    let answer = mapped.header("x-forwarded-for", "127.0.0.1").send();
    assert_eq!(answer.problem(), "401 unauthorized");
    let proxy = "127.0.0.1".parse().unwrap();
    let world = World::over(sample(), Options::new().trusted_proxy(proxy));
    assert_eq!(proxied(&world, "192.0.2.7").problem(), "401 unauthorized");
    assert_eq!(proxied(&world, "127.0.0.9, 192.0.2.7, 127.0.0.1").problem(), "401 unauthorized");
    assert_eq!(proxied(&world, "something").problem(), "401 unauthorized");
    proxied(&world, "192.0.2.7, 127.0.0.9").expect(200);
    let mapped = world.ask("GET", INFO).between("[::ffff:127.0.0.1]:9", "[::1]:9");
    mapped.header("x-forwarded-for", "127.0.0.9").send().expect(200);
    // What its client wrote, and it passed on beside what it wrote itself.
    let ask = world.ask("GET", INFO).header("x-forwarded-for", "127.0.0.9");
    let answer = ask.header("forwarded", "for=192.0.2.7").send();
    assert_eq!(answer.problem(), "401 unauthorized");
    // Two of ours, however they write the addresses of each other.
    let world = World::over(
        sample(),
        Options::new().trusted_proxy(proxy).trusted_proxy("::ffff:192.0.2.1".parse().unwrap()),
    );
    proxied(&world, "192.0.2.7, 127.0.0.9, 192.0.2.1").expect(200);
    proxied(&world, "127.0.0.9, ::ffff:192.0.2.1, 192.0.2.1").expect(200);
    assert_eq!(proxied(&world, "127.0.0.9, 192.0.2.7, 192.0.2.1").problem(), "401 unauthorized");
    assert_eq!(proxied(&world, "192.0.2.1, 127.0.0.1").problem(), "401 unauthorized");
}
