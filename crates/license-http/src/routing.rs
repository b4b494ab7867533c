//! Finds the operation that a request asks for. The table is small and every request is looked up in
//! it, so this uses `matchit`, the router inside axum, without axum's layers around it.

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
    /// This operation, with the parameters of its path.
    Operation(Operation, Params<'static, 'a>),
    /// A path that does not exist.
    Nothing,
    /// A path that exists, but takes only these methods.
    OtherMethod(Vec<&'static str>),
}

/// What a request with this method and path asks for.
pub(crate) fn asked<'a>(method: &Method, path: &'a str) -> Asked<'a> {
    let Ok(found) = ROUTES.at(path) else { return Asked::Nothing };
    // HEAD is answered like GET; hyper leaves the body out.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    match found.value.iter().find(|operation| operation.method() == method) {
        Some(operation) => Asked::Operation(*operation, found.params),
        None => Asked::OtherMethod(
            found.value.iter().flat_map(|operation| allowed(operation.method())).copied().collect(),
        ),
    }
}

/// The methods that a path takes which has an operation of this method.
fn allowed(method: &'static str) -> &'static [&'static str] {
    match method {
        "GET" => &["GET", "HEAD"],
        "POST" => &["POST"],
        "PUT" => &["PUT"],
        "DELETE" => &["DELETE"],
        method => unreachable!("the table has no method {method}"),
    }
}
