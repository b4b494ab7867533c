//! The yardsticks: an HTTP server of the same kind that reads JSON, does nothing and answers JSON;
//! and, beside it, what a plain server does, which commits every operation on its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::routing::post;
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::oneshot;

/// A server with `/noop` and `/one`.
pub(crate) struct Yardsticks {
    pub(crate) address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

const ANSWER: &str = crate::clients::BODY;

impl Yardsticks {
    pub(crate) fn new(folder: &Path) -> Yardsticks {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let writer = writer(folder);
        let router = Router::new().route("/noop", post(async |body: Bytes| answer(&body))).route(
            "/one",
            post(async move |body: Bytes| {
                let (sender, done) = oneshot::channel();
                writer.send((body.clone(), sender)).unwrap();
                done.await.unwrap();
                answer(&body)
            }),
        );
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async { axum::serve(listener, router).await });
        Yardsticks { address, _runtime: runtime }
    }
}

fn answer(body: &[u8]) -> impl IntoResponse + use<> {
    let value: Value = serde_json::from_slice(body).unwrap();
    assert!(value["session"].is_object());
    ([("content-type", "application/json")], ANSWER)
}

/// A thread that does what retaining a license needs at least, durably, one transaction each.
fn writer(folder: &Path) -> mpsc::Sender<(Bytes, oneshot::Sender<()>)> {
    let connection = Connection::open(folder.join("one.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE entry (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL);
             CREATE TABLE used (count INTEGER NOT NULL);
             INSERT INTO used VALUES (0);",
        )
        .unwrap();
    let (sender, requests) = mpsc::channel::<(Bytes, oneshot::Sender<()>)>();
    thread::spawn(move || {
        for (body, done) in requests {
            let transaction = connection.unchecked_transaction().unwrap();
            transaction
                .prepare_cached("INSERT INTO entry (text) VALUES (?1)")
                .unwrap()
                .execute([std::str::from_utf8(&body).unwrap()])
                .unwrap();
            transaction
                .prepare_cached("UPDATE used SET count = count + 1")
                .unwrap()
                .execute([])
                .unwrap();
            transaction.commit().unwrap();
            let _ = done.send(());
        }
    });
    sender
}
