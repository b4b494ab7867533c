//! Both ends of the network: requests that no client would send, answers that no server would give.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri, request};
use http_body_util::BodyExt as _;
use license_client::{Client, Retain, Selection, Session};
use license_http::{Ends, Options};
use license_pool::{Clock as _, CredentialRole, KeptCredential, Pool, SAMPLE_LICENSE, SystemClock};
use tower::ServiceExt as _;

/// Between requests of one input; no UTF-8 text holds it.
const BETWEEN: u8 = 0xff;

/// So long somebody waits for an answer, and for one that says that there is nothing.
const PATIENCE: Duration = Duration::from_millis(100);

/// Requests as they stand on a connection, parted by a byte that stands in none: each is answered,
/// without a fault of ours. In builds for tests, every answer is on its schema. The credential
/// `admin` stands for a true one.
pub fn request(input: &[u8]) {
    let pool = Pool::open("memory:").unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    let now = SystemClock.now();
    let (kept, secret) = KeptCredential::make(CredentialRole::Admin, None, now, None).unwrap();
    pool.keep_credential(kept).wait().unwrap();
    let router = license_http::app(pool, Options::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for asked in input.split(|&byte| byte == BETWEEN).take(20) {
        let Some(request) = read(asked, secret.reveal()) else { continue };
        let line = format!("{} {}", request.method(), request.uri());
        let answer = async {
            let (parts, mut body) = router.clone().oneshot(request).await.unwrap().into_parts();
            assert!(!parts.status.is_server_error() || parts.status == 503, "{line}: {parts:?}");
            // One that does not end is followed for as long as somebody would wait.
            while let Some(frame) = body.frame().await {
                frame.unwrap();
            }
        };
        runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await.ok() });
    }
}

/// The request that a head and a body are; nothing where HTTP itself would not take it.
fn read(asked: &[u8], secret: &str) -> Option<Request<Body>> {
    let (head, body) = match asked.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&asked[..at], &asked[at + 2..]),
        None => (asked, &[][..]),
    };
    let mut lines = head.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let mut words = lines.next()?.splitn(2, |&byte| byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let uri = Uri::try_from(words.next()?).ok()?;
    let here: SocketAddr = "127.0.0.1:7427".parse().unwrap();
    let request =
        Request::builder().method(method).uri(uri).extension(Ends { peer: here, own: here });
    let request = lines.try_fold(request, |request, line| header(request, line, secret))?;
    request.body(Body::from(body.to_vec())).ok()
}

fn header(request: request::Builder, line: &[u8], secret: &str) -> Option<request::Builder> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = match line[colon + 1..].trim_ascii() {
        b"Bearer admin" => HeaderValue::try_from(format!("Bearer {secret}")).ok()?,
        value => HeaderValue::from_bytes(value).ok()?,
    };
    Some(request.header(name, value))
}

/// What a server answers, to a client that asks for this or that: it takes it or says what is wrong
/// with it, and ends.
pub fn answer(input: &[u8]) {
    static ASIDE: Mutex<()> = Mutex::new(());
    let (Some((&what, answer)), Ok(_aside)) = (input.split_first(), ASIDE.lock()) else { return };
    let server = Server::get();
    *server.answer.lock().unwrap() = Some(answer.to_vec());
    let options = Client::options().timeout(PATIENCE).patience(Duration::ZERO);
    let client = options.connect(&format!("http://{}", server.address)).unwrap();
    match what {
        b'u' => client.usage(None, None).into_iter().for_each(|lines| lines.for_each(drop)),
        b'h' => {
            let history = client.history(&Selection::default());
            history.into_iter().for_each(|entries| entries.for_each(drop));
        }
        // Who follows asks again, and is then told that he may not.
        b'e' => client.events(None).into_iter().for_each(|events| {
            events.take_while(Result::is_ok).for_each(drop);
        }),
        b'g' => {
            let ann = Session::rest("ann", "job-7", "::1");
            drop(client.grant(&Retain::new(
                "0009".parse().unwrap(),
                "job-7".parse().unwrap(),
                ann,
            )));
        }
        b'l' => drop(client.licenses()),
        _ => drop(client.info()),
    }
}

/// A server that gives one answer, whatever it is asked, and then says that nobody may ask.
struct Server {
    address: SocketAddr,
    answer: Mutex<Option<Vec<u8>>>,
}

impl Server {
    fn get() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    // Who asked may be gone.
                    let _ = Server::get().serve(&stream.unwrap());
                }
            });
            Server { address, answer: Mutex::new(None) }
        })
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut asked = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while asked.read_line(&mut line)? > 2 {
            let header = line.to_ascii_lowercase();
            let told = header.strip_prefix("content-length:").map(str::trim);
            length = told.and_then(|told| told.parse().ok()).unwrap_or(length);
            line.clear();
        }
        std::io::copy(&mut asked.take(length), &mut std::io::sink())?;
        let mut stream = stream;
        let Some(answer) = self.answer.lock().unwrap().take() else {
            return stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        };
        // A head is made for it, unless it brings its own.
        if !answer.starts_with(b"HTTP/") {
            let length = answer.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            )?;
        }
        stream.write_all(&answer)
    }
}
