//! The page in a real browser: what a person sees and does there.

mod driver;
mod server;

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use license_pool::{CredentialRole, Pool};
use serde_json::{Value, json};

use driver::Browser;
use server::Server;

/// Becomes true where markup is taken for markup.
const HOSTILE: [&str; 4] = [
    r#"<img src=x onerror="window.executed=1">"#,
    "<script>window.executed=1</script>",
    r#""><svg onload="window.executed=1">"#,
    "{{constructor.constructor('window.executed=1')()}}",
];

/// The rows that are shown, as text.
const ROWS: &str = "[...document.querySelectorAll('#table tbody tr')].map((row) => row.innerText)";

/// What is shown in a row and reaches out of it.
const SPILLED: &str = "return [...document.querySelectorAll('#table tbody tr')].flatMap((row) => {
    const { top, bottom, left, right } = row.getBoundingClientRect();
    return [...row.querySelectorAll('td')].filter((cell) => {
        const at = cell.getBoundingClientRect();
        const shown = at.width && at.height;
        return shown && (at.top < top || at.bottom > bottom || at.left < left || at.right > right);
    }).map((cell) => `${cell.className}: ${cell.innerText}`);
})";

/// A license of which every text is given, for clients (0009), one SQL connection (0025) and REST
/// (0007) without limit.
fn license([name, client, sql, rest]: [&str; 4]) -> Value {
    let product = |id: u64, name: &str, count: u64| {
        json!({ "id": id, "name": name, "usedCount": 0, "allowedCount": count,
                "rights": [{ "count": count }] })
    };
    json!({
        "name": name, "key": 1, "licenseNumber": "PAGE-1", "version": "20",
        "userName": name, "userMail": name, "companyName": name, "platforms": ["windows"],
        "products": [product(808_464_441, client, 15), product(808_464_949, sql, 1),
                     product(808_464_439, rest, 32767)],
    })
}

fn client(name: &str) -> Value {
    json!({
        "type": "remote", "userName": name, "machineName": name, "systemUserName": name,
        "IPAddress": name, "hostType": "mac", "creationDateTime": "2026-01-05T10:00:00Z",
        "state": "active", "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5",
        "persistentID": "0B6F0A6D2E4B4A1D8E8A4D4D1B1C9F77",
    })
}

fn rest(name: &str) -> Value {
    json!({ "userName": name, "sessionID": name, "IPAddress": name, "isDatastore": false })
}

fn sql(name: &str) -> Value {
    json!({ "IPAddress": name, "userAgent": name, "userName": name, "userId": 7 })
}

fn signed_in(browser: &Browser, server: &Server) {
    signed_in_with(browser, server, &server.secret);
}

fn signed_in_with(browser: &Browser, server: &Server, secret: &str) {
    browser.open(&server.url());
    browser.click("#blocked button.primary");
    browser.write("#sign-in-credential", secret);
    browser.click("#sign-in-dialog button[type=submit]");
    browser.until("document.getElementById('connection').innerText === 'Live'");
}

#[test]
fn the_page_shows_what_others_do_and_releases() {
    let Some(browser) = Browser::start() else { return };
    let mut server = Server::start(&license(["Server", "Client", "SQL", "REST"]));
    browser.open(&server.url());
    browser.until("document.getElementById('blocked').innerText.includes('Sign in')");
    // Being asked for a credential is an error to the console, and the only one.
    let asked = browser.console();
    assert!(asked.iter().all(|line| line.contains("401")), "{asked:?}");
    signed_in(&browser, &server);
    browser.until("document.querySelector('#table .empty').innerText.includes('Nobody holds')");
    browser.console();

    // Another client's retention is on the page within a second. A busy machine may stand still for
    // one, but not again and again.
    browser.script(
        "new MutationObserver(() => {
            if (document.getElementById('table').innerText.includes('Ann')) window.seen ??= Date.now();
         }).observe(document.body, { subtree: true, childList: true, characterData: true })",
    );
    let shown_after = || {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        server.retain("0009", "ann", "CLIENT", &client("Ann"));
        browser.until("window.seen");
        u128::from(browser.script("return window.seen").as_u64().unwrap()).saturating_sub(asked)
    };
    let mut took = vec![shown_after()];
    while took.last() > Some(&1000) && took.len() < 5 {
        server.ask("DELETE", "/v1/licenses/active/sessions/ann", &Value::Null);
        browser.until(&format!("{ROWS}.length === 0"));
        browser.script("delete window.seen");
        took.push(shown_after());
    }
    assert!(took.last() <= Some(&1000), "shown after {took:?} ms");
    browser.until(
        "document.querySelector('[data-product=\"808464441\"]').innerText.includes('14 free')",
    );

    // One of several is found by words, by product and by what else is known of it.
    server.retain("0007", "eve", "nightly export", &rest("Eve"));
    server.retain("0025", "bob", "CLIENT", &sql("Bob"));
    browser.until(&format!("{ROWS}.length === 3"));
    browser.write("#search", "nightly eve");
    browser.until(&format!("{ROWS}.length === 1 && {ROWS}[0].includes('Eve')"));
    browser.click("#clear");
    browser.until(&format!("{ROWS}.length === 3"));
    browser.click("[data-product=\"808464949\"] button");
    browser.until(&format!("{ROWS}.length === 1 && {ROWS}[0].includes('Bob')"));
    browser.click("[data-product=\"808464949\"] button");
    browser.until(&format!("{ROWS}.length === 3"));
    // A second click undoes the first, even before the page has drawn that one.
    let chosen = browser.script(
        "const click = () => {
             document.querySelector('[data-product=\"808464949\"] button').click();
             return document.getElementById('filter-product').value;
         };
         return [click(), click()]",
    );
    assert_eq!(chosen, json!(["808464949", ""]));

    // A row that a fresh report does not change stays, and a click on it that has begun.
    browser.script("for (const row of document.querySelectorAll('#table tbody tr')) row.kept = 1");
    let asleep = json!({ "state": "sleeping" });
    let heard = server.ask("POST", "/v1/licenses/active/sessions/ann/renew", &asleep);
    assert_eq!(heard.status, 200);
    browser.until(&format!("{ROWS}.some((row) => row.includes('Sleeping'))"));
    let kept = "[...document.querySelectorAll('#table tbody tr')].filter((row) => row.kept).length";
    assert_eq!(browser.script(&format!("return {kept}")), 2);

    // Who is refused is told.
    let path = "/v1/licenses/active/sessions/dan/products/0025";
    let refused = server.ask("PUT", path, &json!({ "session": sql("Dan") }));
    assert_eq!(refused.status, 409);
    browser.until("document.getElementById('refusals').innerText.includes('Dan')");
    browser.until("document.getElementById('attention').innerText.includes('1 refusal')");

    // A license is taken back, after a question, with a note.
    browser.click("button[aria-label*='held by Bob']");
    browser.until("document.getElementById('release-dialog').open");
    browser.until("document.getElementById('release-facts').innerText.includes('Bob')");
    browser.write("#release-note", "left the company");
    browser.click("#release-dialog button[type=submit]");
    browser.until(&format!("{ROWS}.length === 2 && !{ROWS}.join().includes('Bob')"));
    // The button is gone; who uses the keyboard goes on beside it.
    browser.until("document.activeElement.id === 'holders'");
    let history = server.ask("GET", "/v1/licenses/active/history?kind=released", &Value::Null).body;
    let history = String::from_utf8(history).unwrap();
    assert!(history.contains("revoked") && history.contains("left the company"), "{history}");
    assert_eq!(browser.console(), [""; 0]);

    // A server that comes back is followed again at once, whatever its streams did as it went.
    server.stop();
    browser.until("document.getElementById('connection').dataset.state === 'away'");
    browser.script(
        "const connection = document.getElementById('connection');
         window.states = [];
         new MutationObserver(() => window.states.push(connection.dataset.state))
             .observe(connection, { attributeFilter: ['data-state'] })",
    );
    server.launch();
    browser.until("document.getElementById('connection').innerText === 'Live'");
    assert_eq!(browser.script("return window.states.includes('polling')"), false);
    server.retain("0009", "olga", "CLIENT", &client("Olga"));
    browser.until(&format!("{ROWS}.some((row) => row.includes('Olga'))"));
    let said = browser.console();
    assert!(said.iter().all(|line| line.contains("net::ERR_")), "{said:?}");
}

#[test]
fn a_viewer_sorts_and_filters_what_two_servers_hold_and_releases_nothing() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&license(["Server", "Client", "SQL", "REST"]));
    let west = Pool::options().server("west".parse().unwrap()).open(&server.store()).unwrap();
    let sleeping = json!({ "state": "sleeping" });
    let zoe = [client("Zoe").as_object().unwrap().clone(), sleeping.as_object().unwrap().clone()];
    server.retain("0009", "zoe", "CLIENT", &zoe.into_iter().flatten().collect::<Value>());
    server.retain("0009", "ann", "CLIENT", &client("Ann"));
    let batch = license_pool::Session::rest("Bob", "bob", "192.0.2.7");
    west.retain("0007", "bob", batch).unwrap().keep();
    let viewer = server.credential(CredentialRole::Viewer);
    signed_in_with(&browser, &server, &viewer);
    browser.until(&format!("{ROWS}.length === 3"));

    let order = |names: [&str; 3]| {
        let places = names.map(|name| format!("{ROWS}.findIndex((row) => row.includes('{name}'))"));
        browser.until(&format!("JSON.stringify([{}]) === '[0,1,2]'", places.join(",")));
    };
    browser.click("th.who button");
    order(["Ann", "Bob", "Zoe"]);
    browser.until("document.querySelector('th.who').getAttribute('aria-sort') === 'ascending'");
    browser.click("th.who button");
    order(["Zoe", "Bob", "Ann"]);
    for (filter, value, name) in
        [("state", "sleeping", "Zoe"), ("server", "west", "Bob"), ("product", "808464439", "Bob")]
    {
        browser.script(&format!(
            "const select = document.getElementById('filter-{filter}');
             select.value = '{value}'; select.dispatchEvent(new Event('input'))"
        ));
        browser.until(&format!("{ROWS}.length === 1 && {ROWS}[0].includes('{name}')"));
        browser.click("#clear");
        browser.until(&format!("{ROWS}.length === 3"));
    }
    // However narrow it is, a row says who, from where, why and on which server.
    let bob = format!(
        "{ROWS}.some((row) => ['Bob', '192.0.2.7', 'CLIENT', 'west'].every((text) => row.includes(text)))"
    );
    for width in [390, 900, 1360] {
        browser.look("light", width, 900);
        browser.until(&bob);
    }
    browser.write("#search", "nobody of this name");
    browser
        .until("document.querySelector('#table .empty').innerText.includes('No holder matches')");
    browser.click("#clear");
    browser
        .until("document.getElementById('refusals').innerText.includes('No session was refused')");

    // The keyboard reaches the search, and the figures are there without the drawing.
    browser.script("document.activeElement.blur()");
    browser.script(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }))",
    );
    browser.until("document.activeElement.id === 'search'");
    browser.until("document.querySelector('#chart svg')");
    browser.until("document.querySelectorAll('#chart table tr').length > 1");

    browser.click("button[aria-label*='held by Bob']");
    browser.until("document.getElementById('release-dialog').open");
    browser.until("document.getElementById('release-facts').innerText.includes('west')");
    browser.click("#release-dialog button[type=submit]");
    browser.until("document.getElementById('release-problem').innerText.includes('admin')");
    assert_eq!(west.usage(None).unwrap().len(), 3);

    // Who may not see it any more is told so, and the page does not come back by itself.
    browser.click("#release-dialog button[type=button]");
    for mut kept in west.credentials().wait().unwrap() {
        if kept.credential.role == CredentialRole::Viewer {
            kept.credential.revoked_at = Some("2026-01-05T10:00:00Z".parse().unwrap());
            west.keep_credential(kept).wait().unwrap();
        }
    }
    let blocked = "!document.getElementById('blocked').hidden \
         && document.getElementById('content').hidden \
         && document.getElementById('blocked').innerText.includes('revoked')";
    browser.until(blocked);
    browser.script("window.blocked = performance.now()");
    browser.until("performance.now() > window.blocked + 3000");
    assert_eq!(browser.script(&format!("return {blocked}")), true);
    browser.click("#blocked button.primary");
    browser.until("document.getElementById('sign-in-dialog').open");
}

#[test]
fn an_answer_that_comes_late_does_not_disturb_what_is_shown_by_then() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&license(["Server", "Client", "SQL", "REST"]));
    server.retain("0009", "ann", "CLIENT", &client("Ann"));
    server.retain("0025", "bob", "CLIENT", &sql("Bob"));
    signed_in(&browser, &server);
    browser.until(&format!("{ROWS}.length === 2"));
    // The next answer to a request that fits is held back until it is let go.
    browser.script(
        "const real = window.fetch;
         window.asked = [];
         window.fetch = async (path, options) => {
             window.asked.push(`${options.method} ${path}`);
             const answer = await real(path, options);
             if (window.holds?.(path, options)) {
                 window.holds = null;
                 await new Promise((resolve) => { window.letGo = resolve; });
             }
             return answer;
         }",
    );

    // The page begins anew twice, and what began first is answered last.
    browser.script(
        "window.holds = (path) => path === 'v1/licenses';
         dispatchEvent(new HashChangeEvent('hashchange'))",
    );
    browser.until("window.letGo");
    browser.script("dispatchEvent(new HashChangeEvent('hashchange'))");
    browser.until("document.getElementById('connection').innerText === 'Live'");
    let asked = browser.script(
        "window.letGo();
         window.letGo = null;
         window.asked = [];
         return (async () => {
             for (let round = 0; round < 3; round += 1) await (await fetch('healthz', {})).text();
             return window.asked.filter((request) => request.includes('/usage'));
         })()",
    );
    assert_eq!(asked, json!([]), "what began first is followed too");

    // The question about Bob is put aside while its answer is on the way, and Ann is asked about.
    browser.script("window.holds = (path, { method }) => method === 'DELETE'");
    browser.click("button[aria-label*='held by Bob']");
    browser.until("document.getElementById('release-dialog').open");
    browser.click("#release-dialog button[type=submit]");
    browser.until("window.letGo");
    browser.click("#release-dialog button[value=cancel]");
    browser.click("button[aria-label*='held by Ann']");
    browser.until("document.getElementById('release-facts').innerText.includes('Ann')");
    browser.script("window.letGo()");
    browser.until("document.getElementById('told').innerText.includes('held by Bob')");
    assert_eq!(browser.script("return document.getElementById('release-dialog').open"), true);
    browser.click("#release-dialog button[type=submit]");
    browser.until("document.getElementById('told').innerText.includes('held by Ann')");
    browser.until(&format!("{ROWS}.length === 0"));

    // A release is told when another license is shown, of which somebody holds the same token.
    server.retain("0009", "cid", "CLIENT", &client("Cid"));
    browser.until(&format!("{ROWS}.length === 1"));
    let mut other = license(["Other", "Client", "SQL", "REST"]);
    other["licenseNumber"] = json!("PAGE-2");
    server.install(&other);
    let retain_of_other = |name: &str| {
        let path = format!("/v1/licenses/PAGE-2/sessions/{name}/products/0009");
        assert_eq!(server.ask("PUT", &path, &json!({ "session": client(name) })).status, 201);
    };
    ["Ida", "Jim", "Kay"].into_iter().for_each(retain_of_other);
    browser.script("window.letGo = null; window.holds = (path, { method }) => method === 'DELETE'");
    browser.click("button[aria-label*='held by Cid, token 3']");
    browser.until("document.getElementById('release-dialog').open");
    browser.click("#release-dialog button[type=submit]");
    browser.until("window.letGo");
    browser.script("location.hash = 'PAGE-2'");
    browser.until(&format!("{ROWS}.some((row) => row.includes('Kay'))"));
    browser.script("window.letGo()");
    browser.until("document.getElementById('told').innerText.includes('held by Cid')");
    retain_of_other("Lea");
    browser.until(&format!("{ROWS}.some((row) => row.includes('Lea'))"));
    assert_eq!(browser.script(&format!("return {ROWS}.length")), 4, "Kay still holds token 3");
}

#[test]
fn what_has_ended_and_what_ends_soon_is_called_out() {
    let Some(browser) = Browser::start() else { return };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |days: i32| {
        let date = today.checked_add(days.days()).unwrap();
        json!({ "day": date.day(), "month": date.month(), "year": date.year() })
    };
    let mut document = license(["Server", "Client", "SQL", "REST"]);
    for (product, days) in [(0, -2), (1, 10)] {
        document["products"][product]["rights"][0]["expirationDate"] = day(days);
    }
    let server = Server::start(&document);
    signed_in(&browser, &server);
    browser.until("document.getElementById('attention').innerText.includes('Client: every right has expired')");
    // A day may end while this runs.
    let soon = |css: &str| {
        browser.until(&format!("/in (10|9) days/.test(document.querySelector('{css}').innerText)"));
    };
    soon("#attention");
    soon("[data-product=\"808464949\"]");
    let says = |product: &str, text: &str| {
        browser.until(&format!(
            "document.querySelector('[data-product=\"{product}\"]').innerText.includes('{text}')"
        ));
    };
    says("808464441", "Ended");
    says("808464949", "Until");
    says("808464439", "No end");
}

#[test]
fn what_a_session_calls_itself_stays_text() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&license(HOSTILE));
    signed_in(&browser, &server);
    browser.console();
    for (index, text) in HOSTILE.into_iter().enumerate() {
        server.retain("0009", &format!("client-{index}"), text, &client(text));
        server.retain("0007", &format!("rest-{index}"), text, &rest(text));
    }
    server.retain("0025", "sql", HOSTILE[0], &sql(HOSTILE[0]));
    let path = "/v1/licenses/active/sessions/other/products/0025";
    let refused = json!({ "reason": HOSTILE[1], "session": sql(HOSTILE[1]) });
    assert_eq!(server.ask("PUT", path, &refused).status, 409);
    browser.until(&format!("{ROWS}.length === 9"));
    browser.until("document.querySelectorAll('#refusals li').length === 1");
    for text in HOSTILE {
        let shown = browser.script(&format!(
            "return [...document.querySelectorAll('#table td .main, #refusals .main')]
                .filter((cell) => cell.textContent === {}).length",
            json!(text)
        ));
        // Name, machine and reason of a client; name, address and reason of a REST session.
        assert!(shown.as_u64().unwrap() >= 6, "{text} is shown {shown} times");
    }
    let place =
        |css: &str| browser.script(&format!("return document.querySelector('{css}').textContent"));
    assert_eq!(place("h1"), HOSTILE[0]);
    assert_eq!(place("[data-product=\"808464441\"] .name"), HOSTILE[1]);
    browser.click("button[aria-label*='token 1']");
    browser.until("document.getElementById('release-dialog').open");
    let made = "document.querySelectorAll('main img, main script, dialog img, dialog script, [onload], [onerror]').length";
    assert_eq!(browser.script(&format!("return {made}")), 0);
    assert_eq!(browser.script("return window.executed ?? null"), Value::Null);
    // Neither an error nor something that the page's policy had to forbid.
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_thousand_holders_are_as_few_rows_as_can_be_seen() {
    let Some(browser) = Browser::start() else { return };
    let server =
        Server::start(&license(["4D Server", "4D Client", "4D SQL Server", "4D REST Only"]));
    for index in 0..1000 {
        let user = format!("User {}", index % 200);
        server.retain("0007", &format!("rest-{index}"), "CLIENT", &rest(&user));
    }
    for index in 0..14 {
        server.retain(
            "0009",
            &format!("client-{index}"),
            "CLIENT",
            &client(&format!("Ann {index}")),
        );
    }
    browser.look("light", 1360, 900);
    signed_in(&browser, &server);
    browser
        .until("document.querySelector('#table table').getAttribute('aria-rowcount') === '1015'");
    let rows = format!("return {ROWS}.length");
    assert!(browser.script(&rows).as_u64().unwrap() < 60);
    browser.script("scrollTo(0, document.body.scrollHeight)");
    browser.until(&format!("{ROWS}.at(-1).includes('User 0')"));
    assert!(browser.script(&rows).as_u64().unwrap() < 60);
    browser.script("scrollTo(0, 0)");

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&folder).unwrap();
    for (scheme, width, height) in [("light", 1360, 900), ("dark", 1360, 900), ("dark", 390, 844)] {
        browser.look(scheme, width, height);
        // The page has drawn itself for this size when two frames went by.
        browser.script("window.drawn = 0; requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = 1; }))");
        browser.until("window.drawn");
        browser.picture(&folder.join(format!("{scheme}-{width}.png")));
        let overflow = browser.script("return document.documentElement.scrollWidth - innerWidth");
        assert!(overflow.as_i64().unwrap() <= 0, "{width}: {overflow} pixels too wide");
        assert_eq!(browser.script(SPILLED), json!([]), "{width}: what is in no row's bounds");
    }
}
