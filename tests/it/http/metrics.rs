//! `/metrics`: what monitoring reads, with labels that stay few and say nothing of people.

use license_http::Options;
use license_pool::CredentialRole;
use serde_json::json;

use super::world::{World, described};
use crate::pool::world::{license, options};

#[test]
fn figures_are_of_products_and_operations_and_of_nobody() {
    let world = World::sample();
    world.retain("0025", "of-ann").expect(201);
    assert_eq!(world.retain("0025", "of-eve").problem(), "409 no_license_left");
    world.get("/of-eve").expect(404);
    let text = world.get("/metrics").expect(200).text;
    let retain = r#"method="PUT",route="/v1/licenses/{n}/sessions/{sid}/products/{id}""#;
    for line in [
        r#"license_product_allowed{license="SAMPLE-0001",product="808464949",name="4D SQL Server"} 1"#,
        r#"license_product_used{license="SAMPLE-0001",product="808464949",name="4D SQL Server"} 1"#,
        r#"license_product_balance{license="SAMPLE-0001",product="808464949",name="4D SQL Server"} 0"#,
        r#"license_product_peak{license="SAMPLE-0001",product="808464949",name="4D SQL Server"} 1"#,
        r#"license_refusals_total{product="808464949",code="no_license_left"} 1"#,
        // What never happened is shown too, so that the first time is seen to be one.
        r#"license_refusals_total{product="808464441",code="no_license_left"} 0"#,
        &format!(r#"license_http_requests_total{{{retain},status="201"}} 1"#),
        &format!(r#"license_http_requests_total{{{retain},status="409"}} 1"#),
        &format!(r#"license_http_request_seconds_bucket{{{retain},le="+Inf"}} 2"#),
        r#"license_http_requests_total{method="other",route="other",status="404"} 1"#,
        r#"license_renewal_failures{license="SAMPLE-0001"} 0"#,
        "license_waiting 0",
        // Installed, retained, refused: each on its own.
        r#"license_commit_entries_bucket{le="1"} 3"#,
        r#"license_commit_entries_bucket{le="+Inf"} 3"#,
        "license_commit_entries_sum 3",
        "license_commit_seconds_count 3",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is missing: {text}");
    }
    for secret in ["ann", "eve", "192.0.2.1"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn names_cannot_break_out_of_their_labels() {
    let pool = options().open("memory:").unwrap();
    let evil = r#"x\"} 1\nlicense_product_used{product=\"1"#;
    pool.install(license("A", 5).replace("4D Client", evil).as_bytes()).unwrap();
    let world = World::over(pool, Options::new()).administered();
    let text = world.get("/metrics").expect(200).text;
    let used = text.lines().filter(|line| line.starts_with("license_product_used{"));
    let used: Vec<&str> = used.collect();
    let whole = r#"license_product_used{license="A",product="808464441",name="x\"} 1\nlicense_product_used{product=\"1"} 0"#;
    assert_eq!(used, [whole]);
}

#[test]
fn what_expires_and_what_was_not_renewed_is_told_in_figures() {
    let pool = options().open("memory:").unwrap();
    let dates = r#""rights": [
        {"count": 1, "expirationDate": {"day": 4, "month": 1, "year": 2026}},
        {"count": 2, "expirationDate": {"day": 20, "month": 1, "year": 2026}},
        {"count": 3, "expirationDate": {"day": 1, "month": 2, "year": 2026}}]},
        {"id": 808464437, "name": "Desktop", "usedCount": 0, "allowedCount": 1, "rights": ["#;
    let document = license("A", 1).replace(r#""rights": ["#, dates);
    let document = document.replacen('{', r#"{"renewalFailureCount": 3,"#, 1);
    pool.install(document.as_bytes()).unwrap();
    let text = World::over(pool, Options::new()).administered().get("/metrics").expect(200).text;
    // From 10:00 on the fifth until the end of the twentieth.
    let until = 15 * 86_400 + 14 * 3600;
    let line = format!(
        r#"license_product_expiration_seconds{{license="A",product="808464441",name="4D Client"}} {until}"#
    );
    assert!(text.lines().any(|it| it == line), "{line} is missing: {text}");
    assert!(text.contains("license_renewal_failures{license=\"A\"} 3\n"), "{text}");
    // What has no date has no figure.
    let dated = |it: &&str| it.starts_with("license_product_expiration_seconds{");
    assert_eq!(text.lines().filter(dated).count(), 1, "{text}");
}

#[test]
fn what_has_expired_does_not_vanish_from_the_figures() {
    let pool = options().open("memory:").unwrap();
    let past = r#"{"count": 1, "expirationDate": {"day": 4, "month": 1, "year": 2026}}"#;
    let document = license("A", 1).replace(r#"{"count": 1}"#, past);
    assert!(document.contains(past), "{document}");
    pool.install(document.as_bytes()).unwrap();
    let text = World::over(pool, Options::new()).administered().get("/metrics").expect(200).text;
    let line =
        r#"license_product_expiration_seconds{license="A",product="808464441",name="4D Client"} 0"#;
    assert!(text.lines().any(|it| it == line), "{line} is missing: {text}");
}

#[test]
fn products_that_are_made_up_make_no_labels_and_hide_no_refusal() {
    let world = World::sample();
    for product in 1000..2001 {
        assert_eq!(world.retain(&format!("{product}0"), "job-7").problem(), "404 unknown_product");
    }
    world.retain("0025", "of-ann").expect(201);
    assert_eq!(world.retain("0025", "of-eve").problem(), "409 no_license_left");
    let text = world.get("/metrics").expect(200).text;
    let refusals = text.lines().filter(|it| it.starts_with("license_refusals_total{"));
    let refusals: Vec<&str> = refusals.collect();
    let line = |product: &str, code: &str, count: usize| {
        format!(r#"license_refusals_total{{product="{product}",code="{code}"}} {count}"#)
    };
    assert_eq!(
        refusals,
        [
            line("other", "unknown_product", 1001),
            line("808464439", "no_license_left", 0),
            line("808464441", "no_license_left", 0),
            line("808464949", "no_license_left", 1),
        ]
    );
}

#[test]
fn who_holds_as_many_as_it_may_is_counted_as_refused_and_an_intruder_is_not() {
    let world = World::sample();
    let limited = world.make_with(CredentialRole::Client, Some(1), None);
    let retain = |session: &str| {
        let path = format!("/v1/licenses/active/sessions/{session}/products/0009");
        let body = json!({ "session": described(session) });
        world.ask("PUT", &path).json(&body).credential(&limited).send()
    };
    world.retain("0009", "of-admin").expect(201);
    retain("first").expect(201);
    assert_eq!(retain("of-admin").problem(), "403 not_permitted");
    assert_eq!(retain("second").problem(), "403 not_permitted");
    let text = world.get("/metrics").expect(200).text;
    let counted = r#"license_refusals_total{product="808464441",code="not_permitted"} 1"#;
    assert!(text.lines().any(|it| it == counted), "{text}");
}
