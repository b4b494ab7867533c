//! Clients that ask over HTTP as fast as they are answered, on connections that are kept, and with
//! as little work of their own as can be.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What every request with a body carries.
pub(crate) const BODY: &str = r#"{"reason":"CLIENT","session":{"userName":"ann","sessionID":"8F3E02A5D1","IPAddress":"192.0.2.12","isDatastore":false}}"#;

/// What clients saw.
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Seconds.
    pub(crate) p50: f64,
    /// Seconds.
    pub(crate) p99: f64,
}

/// A request that carries the body.
pub(crate) fn post(path: &str) -> Vec<u8> {
    let length = BODY.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{BODY}"
    )
    .into_bytes()
}

/// Asks on so many connections, made before, for `time`, each in turns what `requests` gives for it.
pub(crate) fn measure(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    requests: impl Fn(usize) -> Vec<Vec<u8>>,
) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut times, took) = runtime.block_on(async {
        let mut streams = Vec::with_capacity(connections);
        for _ in 0..connections {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        let start = Instant::now();
        let clients: Vec<_> = streams
            .into_iter()
            .enumerate()
            .map(|(at, stream)| tokio::spawn(client(stream, requests(at), start + time)))
            .collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await.unwrap());
        }
        (times, start.elapsed().as_secs_f64())
    });
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64();
    Measured { rate: times.len() as f64 / took, p50: at(50), p99: at(99) }
}

async fn client(mut stream: TcpStream, requests: Vec<Vec<u8>>, until: Instant) -> Vec<Duration> {
    stream.set_nodelay(true).unwrap();
    let (mut times, mut buffer) = (Vec::new(), vec![0; 1 << 14]);
    // What was begun is finished, so that the next round finds nothing held.
    while Instant::now() < until {
        for request in &requests {
            let asked = Instant::now();
            stream.write_all(request).await.unwrap();
            answered(&mut stream, &mut buffer).await;
            times.push(asked.elapsed());
        }
    }
    times
}

/// Reads one answer, which must be one that pleases.
async fn answered(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(count > 0, "the server ended the connection");
        filled += count;
        let Some(head) = memchr::memmem::find(&buffer[..filled], b"\r\n\r\n") else { continue };
        let told = std::str::from_utf8(&buffer[..head]).unwrap();
        assert!(told[9..].starts_with("20"), "{told}");
        let length = told.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if filled >= head + 4 + length.parse::<usize>().unwrap() {
            return;
        }
    }
}

/// The whole answer to one question.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = StdTcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Reads a long answer, chunk by chunk.
pub(crate) fn read(address: SocketAddr, path: &str, secret: &str, mut each: impl FnMut(i32)) {
    let mut stream = StdTcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\n\
         connection: close\r\n\r\n"
    )
    .unwrap();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => each(i32::try_from(count).unwrap()),
        }
    }
}

/// What this process holds in memory.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
