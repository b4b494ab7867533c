//! How long a server is given, and how long a caller waits for another.

use std::time::Duration;

use license_client::{Client, Retain};

use super::stub::{Reply, Stub, granted, released};
use super::{RELEASE, ann, client, is_unreachable};

#[test]
fn a_server_that_never_answers_is_given_up() {
    let server = Stub::new(|_| Reply::Silence);
    let options = Client::options().timeout(Duration::from_millis(50)).patience(Duration::ZERO);
    assert!(is_unreachable(options.connect(&server.url).unwrap().info()));
}

#[test]
fn any_time_may_be_given_to_a_server() {
    let server = Stub::new(|request| match request.line.split(' ').next() {
        Some("PUT") => granted(5),
        _ => released(5),
    });
    let longest = Duration::MAX;
    let client = Client::options().timeout(longest).patience(longest).connect(&server.url).unwrap();
    let retain = Retain::new("0009".parse().unwrap(), "job-7".parse().unwrap(), ann());
    client.retain_with(retain.wait(longest)).unwrap().release().unwrap();
    let none = Client::options().timeout(Duration::ZERO).patience(Duration::ZERO);
    assert!(is_unreachable(none.connect(&server.url).unwrap().info()));
}

#[test]
fn nobody_waits_for_another_to_learn_which_license_there_is() {
    let server = Stub::after(2, |request| match request.line.as_str() {
        RELEASE => released(5),
        _ => granted(5),
    });
    let client = client(&server.url);
    let other = client.retain_async("0009", "job-8", ann());
    drop(client.retain("0009", "job-7", ann()).unwrap());
    drop(other.wait().unwrap());
}
