//! A headless Chromium of the test's own, led over WebDriver: JSON over HTTP, so little of it that
//! no library is needed.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A machine that is busy with other tests is slow; one that hangs is told apart by this.
const DEADLINE: Duration = Duration::from_secs(60);

/// The name under which WebDriver tells which element it means.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page; it ends with this, and its profile goes.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// Open, or what the driver says would end it.
    _said: BufReader<ChildStdout>,
    _profile: TempDir,
}

/// An answer over the network.
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Browser {
    /// Starts one. None, said loudly, where none is installed.
    pub(crate) fn start() -> Option<Browser> {
        if !is_installed() {
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let port = port_of(&mut said);
        let mut browser = Browser {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _said: said,
            _profile: profile,
        };
        let folder = format!("--user-data-dir={}", browser._profile.path().display());
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en-GB", &folder];
        let wanted = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let session = browser.command("POST", "/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    pub(crate) fn open(&self, url: &str) {
        self.ask("/url", &json!({ "url": url }));
    }

    /// What a script returns.
    pub(crate) fn script(&self, text: &str) -> Value {
        self.ask("/execute/sync", &json!({ "script": text, "args": [] }))
    }

    /// Clicks where a person would.
    pub(crate) fn click(&self, css: &str) {
        let element = self.element(css);
        self.ask(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into a field.
    pub(crate) fn write(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.ask(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Waits until a condition of the page holds.
    #[track_caller]
    pub(crate) fn until(&self, condition: &str) {
        let begun = Instant::now();
        while self.script(&format!("return !!({condition})")) != json!(true) {
            let shown = || self.script("return document.body.innerText");
            assert!(begun.elapsed() < DEADLINE, "never held: {condition}\n{}", shown());
            std::thread::yield_now();
        }
    }

    /// What the console was told since it was last asked.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.ask("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Shows the page as it is for who likes it light or dark, in a window of this size.
    pub(crate) fn look(&self, scheme: &str, width: u32, height: u32) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tool("Emulation.setEmulatedMedia", &json!({ "features": features }));
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tool("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Keeps a picture of what can be seen.
    pub(crate) fn picture(&self, path: &Path) {
        let picture = self.command("GET", &format!("{}/screenshot", self.session), &Value::Null);
        fs::write(path, decoded(picture.as_str().unwrap())).unwrap();
    }

    fn tool(&self, name: &str, parameters: &Value) {
        self.ask("/goog/cdp/execute", &json!({ "cmd": name, "params": parameters }));
    }

    fn element(&self, css: &str) -> String {
        self.until(&format!("document.querySelector({})", json!(css)));
        let found = self.ask("/element", &json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn ask(&self, path: &str, body: &Value) -> Value {
        self.command("POST", &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let heard = ask(self.address, method, path, "", body);
        let mut answer: Value = serde_json::from_slice(&heard.body).unwrap();
        assert_eq!(heard.status, 200, "{path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, and its driver would leave it behind.
        if !self.session.is_empty() {
            ask(self.address, "DELETE", &self.session, "", &Value::Null);
        }
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
    }
}

/// One request on a connection of its own, with a credential where one is given.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    credential: &str,
    body: &Value,
) -> Heard {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if !credential.is_empty() {
        request += &format!("Authorization: Bearer {credential}\r\n");
    }
    if !body.is_empty() {
        request += "Content-Type: application/json\r\n";
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut length = None;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<u64>().unwrap());
        }
    }
    let mut body = Vec::new();
    reader.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body).unwrap();
    Heard { status, body }
}

fn is_installed() -> bool {
    let answers = |program| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    if answers("chromedriver") && answers("chromium") {
        return true;
    }
    let missing = "no browser is installed: `apt-get install chromium chromium-driver`";
    let required = std::env::var("LICENSE_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
    assert!(!required, "{missing}");
    // Past the capture of the test runner: nobody may believe that this was tested.
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr().lock(),
        format_args!("\nNOT TESTED IN A BROWSER: {missing}\n"),
    );
    false
}

/// The port that the driver took, which it says when it is ready.
fn port_of(said: &mut BufReader<ChildStdout>) -> u16 {
    for line in said.lines().map(Result::unwrap) {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("the driver of the browser ended before it was ready");
}

/// The bytes of a text in base 64.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
