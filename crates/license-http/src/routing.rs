//! Which operation a request asks for. The table is small and every request is looked up in it, so
//! this takes the router that axum has inside, without the layers around it.

use std::sync::LazyLock;

use axum::http::Method;
use matchit::{Params, Router};

use crate::operation::Operation;

/// The operations of each path.
static ROUTES: LazyLock<Router<Vec<Operation>>> = LazyLock::new(|| {
    let mut paths: Vec<&str> = Operation::ALL.iter().map(|operation| operation.path()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut routes = Router::new();
    for path in paths {
        let operations = Operation::ALL.into_iter().filter(|operation| operation.path() == path);
        routes.insert(path, operations.collect()).expect("the table has no path twice");
    }
    routes
});

/// What a request asks for.
pub(crate) enum Asked<'a> {
    /// This, of what its path names.
    Operation(Operation, Params<'static, 'a>),
    /// Nothing that is here.
    Nothing,
    /// Something that is here by other methods: these.
    OtherMethod(Vec<&'static str>),
}

/// What a method asks of a path.
pub(crate) fn asked<'a>(method: &Method, path: &'a str) -> Asked<'a> {
    let Ok(found) = ROUTES.at(path) else { return Asked::Nothing };
    // The head of an answer is asked for like the answer; what writes it leaves the body away.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    match found.value.iter().find(|operation| operation.method() == method) {
        Some(operation) => Asked::Operation(*operation, found.params),
        None => Asked::OtherMethod(
            found.value.iter().flat_map(|operation| allowed(operation.method())).copied().collect(),
        ),
    }
}

/// What may be asked where there is this method.
fn allowed(method: &'static str) -> &'static [&'static str] {
    match method {
        "GET" => &["GET", "HEAD"],
        "POST" => &["POST"],
        "PUT" => &["PUT"],
        "DELETE" => &["DELETE"],
        method => unreachable!("the table has no method {method}"),
    }
}
