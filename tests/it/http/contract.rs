//! The table of operations, the description for programs and the router say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::world::{Answer, SAMPLE, World, described};

/// Every operation once, in an order in which each succeeds; what it brings is judged by the
/// description that the server itself serves.
#[test]
fn every_operation_answers_as_the_description_says() {
    let world = World::new();
    let description = world.get("/openapi.json").expect(200).value();
    let mut asked = BTreeSet::new();
    let mut check = |id: &str, status: u16, answer: Answer| {
        let answer = answer.expect(status);
        judge(&description, id, &answer);
        asked.insert(id.to_owned());
        answer
    };
    let session = "/v1/licenses/active/sessions/job-7";
    let ask = |method: &str, path: &str| world.ask(method, path);
    let trial = ask("POST", "/v1/licenses?dryRun=true").body(SAMPLE).send();
    let trial = check("install_license", 200, trial).value();
    assert_eq!(trial["status"], "installed");
    check("install_license", 201, world.install(SAMPLE));
    check("install_license", 200, world.install(SAMPLE));
    check("list_licenses", 200, world.get("/v1/licenses"));
    check("show_license", 200, world.get("/v1/licenses/SAMPLE-0001"));
    check("show_availability", 200, world.get("/v1/licenses/active/products/0009/availability"));
    check("retain", 201, world.retain("0009", "job-7"));
    check("retain", 200, world.retain("0009", "job-7"));
    check("show_session", 200, world.get(session));
    check("renew_session", 200, ask("POST", &format!("{session}/renew")).send());
    let sleeping = ask("POST", &format!("{session}/renew")).json(&json!({"state": "sleeping"}));
    check("renew_session", 200, sleeping.send());
    let list = json!({"sessions": [{"sessionId": "job-7"}, {"sessionId": "nobody"}]});
    let renewed = ask("POST", "/v1/licenses/active/renew").json(&list).send();
    let renewed = check("renew_sessions", 200, renewed).value();
    assert_eq!(renewed["sessions"][0]["held"][0]["token"], 1);
    assert_eq!(renewed["sessions"][1]["problem"]["code"], "not_retained");
    check("show_usage", 200, world.get("/v1/licenses/active/usage"));
    let lines = ask("GET", "/v1/licenses/active/usage?server=all&product=0009");
    check("show_usage", 200, lines.header("accept", "application/x-ndjson").send());
    check("release_product", 200, world.delete(&format!("{session}/products/0009?token=1")));
    world.retain("0007", "job-7").expect(201);
    check("release_session", 200, world.delete(&format!("{session}?token=2")));
    check("retain", 201, world.retain_by("0007", "job-8", "?wait=1s"));
    let revoked = world.delete("/v1/licenses/active/retentions/3?note=left+the+company");
    let revoked = check("revoke_retention", 200, revoked).value();
    assert_eq!(revoked["released"][0]["cause"], "revoked");
    let narrow =
        "after=0&limit=9&product=0007&session=job-8&kind=retained&from=2026-01-01&to=2026-12-31";
    check("show_history", 200, world.get(&format!("/v1/licenses/active/history?{narrow}")));
    check("show_report", 200, world.get("/v1/licenses/active/report?from=2026-01-01"));
    let events = "/v1/licenses/active/events";
    check("follow_events", 200, ask("GET", &format!("{events}?after=3")).first());
    let ahead = ask("GET", events).header("last-event-id", "99").first();
    assert!(check("follow_events", 200, ahead).text.contains("event: reset\n"));
    check("list_servers", 200, world.get("/v1/servers"));
    check("list_schemas", 200, world.get("/v1/schemas"));
    check("show_schema", 200, world.get("/v1/schemas/license-usage?profile=observed"));
    check("show_openapi", 200, world.get("/openapi.json"));
    check("show_health", 200, world.get("/healthz"));
    check("show_readiness", 200, world.get("/readyz"));
    check("show_metrics", 200, world.get("/metrics"));
    check("show_page", 200, world.get("/"));
    check("show_asset", 200, world.get("/assets/app.js"));
    check("uninstall_license", 200, world.delete("/v1/licenses/active"));

    let described: BTreeSet<String> = operations(&description).into_keys().collect();
    assert_eq!(asked, described);
}

#[test]
fn when_to_ask_again_is_described_where_it_is_told() {
    let world = World::sample();
    let description = world.get("/openapi.json").value();
    world.retain("0025", "first").expect(201);
    let refused = world.retain("0025", "second").expect(409);
    assert_ne!(refused.header("retry-after"), "");
    judge(&description, "retain", &refused);
}

#[test]
fn the_description_needs_no_other_document() {
    let description = World::new().get("/openapi.json").value();
    let mut open = vec![&description];
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[test]
fn what_is_asked_in_another_way_is_refused_in_the_same_form() {
    let world = World::sample();
    let body = json!({ "session": described("job-7") });
    let put = |path: &str| world.ask("PUT", path).json(&body).send().problem();
    assert_eq!(world.get("/v1/nothing").problem(), "404 not_found");
    assert_eq!(put("/v1/licenses"), "405 method_not_allowed");
    assert_eq!(world.ask("PUT", "/v1/licenses").send().header("allow"), "GET,HEAD,POST");
    assert_eq!(world.get("/v1/schemas/nothing").problem(), "404 not_found");
    assert_eq!(world.get("/v1/licenses?dryRun=true").problem(), "400 bad_request");
    for query in ["limit=0", "kind=stolen", "from=yesterday"] {
        let answer = world.get(&format!("/v1/licenses/active/history?{query}"));
        assert_eq!(answer.problem(), "400 bad_request", "{query}");
    }
    for id in ["", "+1", "-1", "1.0", "one", "9007199254740992"] {
        let events = world.ask("GET", "/v1/licenses/active/events");
        assert_eq!(events.header("last-event-id", id).begun().problem(), "400 bad_request", "{id}");
    }
    let plus = world.get("/v1/licenses/active/history?from=2026-03-01T12:00:00+01:00").value();
    assert!(plus["detail"].as_str().unwrap().contains("%2B"), "{plus}");
    world.get("/v1/licenses/active/history?from=2026-03-01T12:00:00%2B01:00").expect(200);
    assert_eq!(put("/v1/licenses/active/sessions/a%20b/products/0009"), "400 bad_request");
    assert_eq!(put("/v1/licenses/active/sessions/a/products/009x"), "400 bad_request");
    assert_eq!(put("/v1/licenses/active/sessions/a/products/0009?wait=soon"), "400 bad_request");
}

#[test]
fn a_time_that_ends_before_it_begins_is_refused_and_not_empty() {
    let world = World::sample();
    for report in ["history", "report"] {
        let ask = |query: &str| world.get(&format!("/v1/licenses/active/{report}?{query}"));
        for query in [
            "from=2026-03-02&to=2026-03-01",
            "to=2026-03-01T12:00:00Z&from=2026-03-01T12:00:00Z",
            "from=2026-03-02&to=2026-03-02T00:00:00Z",
        ] {
            let answer = ask(query);
            assert_eq!(answer.problem(), "400 bad_request", "{report} {query}");
            let problem = answer.value();
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("parameter to") && detail.contains("from"), "{detail}");
        }
        ask("from=2026-03-02&to=2026-03-02").expect(200);
    }
}

#[test]
fn a_query_parameter_that_is_not_known_is_named_beside_those_that_are() {
    let world = World::sample();
    let refused = |path: &str| {
        let answer = world.get(&format!("/v1/licenses/active{path}"));
        assert_eq!(answer.problem(), "400 bad_request", "{path}");
        answer.value()["detail"].as_str().unwrap().to_owned()
    };
    let told = refused("/usage?sever=db1");
    assert!(told.contains("\"sever\"") && told.ends_with("takes server, product"), "{told}");
    assert!(refused("?page=2").ends_with("takes none"));
    let long = refused(&format!("/usage?{}=1", "x".repeat(4000)));
    assert!(long.len() < 200, "{long}");
}

#[test]
fn a_number_beyond_those_that_json_keeps_is_refused_with_the_largest() {
    let world = World::sample();
    let of = |token: &str| format!("/v1/licenses/active/sessions/job-7?token={token}");
    let answer = world.delete(&of("9007199254740992"));
    assert_eq!(answer.problem(), "400 bad_request");
    let problem = answer.value();
    assert!(problem["detail"].as_str().unwrap().ends_with("from 0 to 9007199254740991"));
    assert_eq!(world.delete(&of("9007199254740991")).problem(), "404 not_retained");
}

#[test]
fn usage_comes_as_lines_to_whom_that_is_dearest() {
    let world = World::sample();
    let lines = "application/x-ndjson";
    for (accept, media) in [
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        (lines, lines),
        ("Application/X-NDJSON;q=0.5", lines),
        ("application/x-ndjson, application/json", lines),
        ("application/json, application/x-ndjson", "application/json"),
        ("application/json;q=0.5, application/x-ndjson; q=0.9, */*;q=0.1", lines),
        ("application/x-ndjson;q=0.1, */*", "application/json"),
        ("application/x-ndjson;q=0", "application/json"),
    ] {
        let usage = world.ask("GET", "/v1/licenses/active/usage").header("accept", accept);
        assert_eq!(usage.send().expect(200).header("content-type"), media, "{accept}");
    }
}

/// An operation as it is described.
struct Described<'a> {
    method: String,
    path: &'a str,
    says: &'a Value,
}

/// The operations of a description, by their ids.
fn operations(description: &Value) -> BTreeMap<String, Described<'_>> {
    let mut operations = BTreeMap::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, says) in methods.as_object().unwrap() {
            let id = says["operationId"].as_str().unwrap().to_owned();
            operations.insert(id, Described { method: method.to_uppercase(), path, says });
        }
    }
    operations
}

impl Described<'_> {
    /// The parameters of one place.
    fn parameters(&self, place: &str) -> BTreeSet<&str> {
        let all = self.says["parameters"].as_array().into_iter().flatten();
        let here = all.filter(|it| it["in"] == place);
        here.map(|it| {
            assert_eq!(it["required"], place == "path", "{it}");
            it["name"].as_str().unwrap()
        })
        .collect()
    }

    /// Whether who knows the description alone could have asked this.
    #[track_caller]
    fn allows(&self, line: &str) {
        let (method, url) = line.split_once(' ').unwrap();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        assert_eq!(method, self.method, "{line}");
        let (given, wanted): (Vec<&str>, Vec<&str>) =
            (path.split('/').collect(), self.path.split('/').collect());
        assert_eq!(given.len(), wanted.len(), "{line}: {}", self.path);
        let mut filled = BTreeSet::new();
        for (given, wanted) in given.into_iter().zip(wanted) {
            match wanted.strip_prefix('{').and_then(|wanted| wanted.strip_suffix('}')) {
                Some(name) => drop(filled.insert(name)),
                None => assert_eq!(given, wanted, "{line}: {}", self.path),
            }
        }
        assert_eq!(self.parameters("path"), filled, "{}", self.path);
        let known = self.parameters("query");
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, _) = part.split_once('=').unwrap();
            assert!(known.contains(name), "{line}: {name} is not described");
        }
    }
}

/// Whether a request is one that the description allows for its operation, and the answer one that
/// it promises.
#[track_caller]
fn judge(description: &Value, id: &str, answer: &Answer) {
    let operation = &operations(description)[id];
    operation.allows(&answer.line);
    let status = answer.status.as_u16().to_string();
    let promised = &operation.says["responses"][&status];
    let retried = answer.header("retry-after");
    assert!(retried.is_empty() || promised["headers"]["Retry-After"].is_object(), "{id}: {status}");
    let promised = &promised["content"];
    let media = answer.header("content-type").split(';').next().unwrap();
    let promised = promised.get(media).or_else(|| promised.get("*/*"));
    let promised = promised.unwrap_or_else(|| panic!("{id}: {status} {media}"));
    let Some(schema) = promised.get("schema") else { return };
    let mut schema = schema.clone();
    schema["components"] = description["components"].clone();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let judge = |text: &str| {
        let value = serde_json::from_str(text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{id}: {errors:?}: {text}");
    };
    match media {
        "application/x-ndjson" => answer.text.lines().for_each(judge),
        "text/event-stream" => {
            answer.text.lines().filter_map(|line| line.strip_prefix("data: ")).for_each(judge);
        }
        _ => judge(&answer.text),
    }
}
