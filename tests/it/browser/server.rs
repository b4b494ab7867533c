//! A real server on a port and a store of its own, which can be restarted.

use std::net::{SocketAddr, TcpListener};

use jiff::Timestamp;
use license_http::{Options, Running};
use license_pool::{CredentialRole, KeptCredential, Pool};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::{Heard, ask};

pub(crate) struct Server {
    folder: TempDir,
    running: Option<(Running, Pool)>,
    pub(crate) address: SocketAddr,
    /// The credential of an administrator: what the test itself shows.
    pub(crate) secret: String,
}

impl Server {
    /// A server with this license, whose every caller needs a credential.
    pub(crate) fn start(license: &Value) -> Server {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server { folder, running: None, address, secret: String::new() };
        server.launch();
        server.install(license);
        server.secret = server.credential(CredentialRole::Admin);
        server
    }

    /// Installs one more license.
    pub(crate) fn install(&self, license: &Value) {
        let (_, pool) = self.running.as_ref().expect("it runs");
        pool.install(license.to_string().as_bytes()).unwrap();
    }

    /// Makes a credential, and gives its secret.
    pub(crate) fn credential(&self, role: CredentialRole) -> String {
        let (_, pool) = self.running.as_ref().expect("it runs");
        let (kept, secret) = KeptCredential::make(role, None, Timestamp::now(), None).unwrap();
        pool.keep_credential(kept).wait().unwrap();
        secret.reveal().to_owned()
    }

    /// Starts it, after a stop on the port that it had.
    pub(crate) fn launch(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        let pool = Pool::open(&self.store()).unwrap();
        let running = license_http::start(listener, pool.clone(), Options::new()).unwrap();
        self.running = Some((running, pool));
    }

    pub(crate) fn stop(&mut self) {
        let (running, pool) = self.running.take().unwrap();
        running.stop();
        drop(pool);
    }

    /// The address of the store, for another server beside this one.
    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("license.db").display())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Retains as another client does; what it is answered.
    #[track_caller]
    pub(crate) fn retain(&self, product: &str, id: &str, reason: &str, session: &Value) -> Value {
        let path = format!("/v1/licenses/active/sessions/{id}/products/{product}");
        let heard = self.ask("PUT", &path, &json!({ "reason": reason, "session": session }));
        let value: Value = serde_json::from_slice(&heard.body).unwrap();
        assert_eq!(heard.status, 201, "{value}");
        value["retention"].clone()
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Heard {
        ask(self.address, method, path, &self.secret, body)
    }
}
