//! The network around the API: accepts connections, bounds what they may take, and ends them in order.
//!
//! A server that is told to stop, or whose pool was replaced, ends in three steps:
//!
//! 1. It *drains*: it still accepts and answers, but grants nothing new, and long waits and streams of
//!    events end. It goes on so until all connections are closed, or the time to drain is over.
//! 2. The listener is closed. Every connection finishes the request that it is at, and closes.
//! 3. Connections that have not closed after the same time again are dropped.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use license_pool::{Alarms, Pool};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use crate::limits::Limits;
use crate::options::Options;
use crate::pipeline;
use crate::screen::Ends;
use crate::state::State;
use crate::tls::Certificate;
use crate::usage_log::UsageLog;

/// The most headers of a request, and the most bytes of all of them.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 32 << 10;
/// How many connections may wait to be accepted. The standard library asks for 128; when more clients
/// connect at once, as after a restart, the rest would only try again a second later.
const BACKLOG: i32 = 1024;
/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may send nothing after its last answer before its connection ends.
const LINGER_PAUSE: Duration = Duration::from_secs(2);

/// Why a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// Another process took its name, or adopted what it served while it stood still, so it may no
    /// longer answer. If started again, it takes the name back.
    Replaced,
}

/// Answers on `listener` until `stop` resolves, then ends in order: requests that were sent are
/// answered, nothing new is granted, and what is held stays held. It ends the same way when the pool is
/// [replaced](Ended::Replaced).
pub async fn serve(
    listener: TcpListener,
    pool: Pool,
    mut options: Options,
    stop: impl Future<Output = ()>,
) -> Ended {
    options.listen = listener.local_addr().ok();
    let (drain, limits) = (options.drain, options.limits.clone());
    let mut aside = JoinSet::new();
    if let Some(file) = options.usage_log.clone() {
        aside.spawn(UsageLog::begin(pool.clone(), file).await.run());
    }
    tracing::info!(server = pool.server().as_str(), store = pool.store(), "serving");
    let server = Server {
        certificate: options.certificate.clone(),
        places: Arc::new(Semaphore::new(limits.connections)),
        limits,
        state: State::new(pool, options),
        ending: watch::channel(false).0,
    };
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let mut replaced = pin!(replaced(server.state.pool.clone()));
    let ended = loop {
        tokio::select! {
            () = &mut stop => break Ended::Stopped,
            () = &mut replaced => break Ended::Replaced,
            stream = server.accept(&listener) => {
                connections.spawn(server.connection(stream));
            }
            Some(_) = connections.join_next() => {}
        }
    };
    tracing::info!("stopping: nothing new is granted, what is held stays held");
    server.state.drain();
    let draining = async {
        while !connections.is_empty() {
            tokio::select! {
                stream = server.accept(&listener) => {
                    connections.spawn(server.connection(stream));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    };
    let _ = timeout(drain, draining).await;
    drop(listener);
    server.ending.send_replace(true);
    aside.shutdown().await;
    let _ = timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    ended
}

/// Logs the alarms of the pool; returns once another process has replaced it.
async fn replaced(pool: Pool) {
    let mut seen = Alarms::default();
    while let Ok(alarms) = pool.watch_alarms(&seen).await {
        if alarms.went_back > seen.went_back {
            let license = alarms.license.as_deref().unwrap_or_default();
            tracing::error!(
                license,
                "the store went back in time, as where a backup is put in its place: what was \
                 acknowledged after that is lost, and what is held is what the store says now"
            );
        }
        if alarms.fenced {
            let server = pool.server().as_str();
            tracing::error!(server, "another process took the name of this server: it ends");
            return;
        }
        seen = alarms;
    }
    // The pool was closed. Whoever did that ends the server, too.
    std::future::pending::<()>().await;
}

/// What all connections share.
struct Server {
    certificate: Option<Arc<Certificate>>,
    limits: Limits,
    /// A permit for each connection.
    places: Arc<Semaphore>,
    state: State,
    /// True once connections are to close.
    ending: watch::Sender<bool>,
}

/// A connection that was accepted, and its permit.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) -> Accepted {
        loop {
            let place = self.places.clone().acquire_owned().await;
            match (place, listener.accept().await) {
                (Ok(place), Ok((stream, peer))) => return Accepted { stream, peer, _place: place },
                // For example, too many files are open: then trying again at once would not help.
                _ => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// Serves one connection to its end.
    fn connection(&self, accepted: Accepted) -> impl Future<Output = ()> + use<> {
        let certificate = self.certificate.clone();
        let (limits, ending) = (self.limits.clone(), self.ending.subscribe());
        let state = self.state.clone();
        async move {
            let Accepted { stream, peer, _place } = accepted;
            let Ok(own) = stream.local_addr() else { return };
            let ends = Ends { peer, own };
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(limits.write));
            let stream = Box::pin(stream);
            match certificate {
                None => answered(stream, ends, state, &limits, ending).await,
                Some(certificate) => {
                    let accept = TlsAcceptor::from(certificate.config()).accept(stream);
                    if let Ok(Ok(stream)) = timeout(limits.head, accept).await {
                        answered(stream, ends, state, &limits, ending).await;
                    }
                }
            }
        }
    }
}

/// Answers the requests of one connection, until it closes or is to close.
async fn answered(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    ends: Ends,
    state: State,
    limits: &Limits,
    mut ending: watch::Receiver<bool>,
) {
    let service = service_fn(|request: Request<Incoming>| async {
        Ok::<_, Infallible>(pipeline::answer(state.clone(), Some(ends), request).await)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
    builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    {
        let connection = builder.serve_connection(TokioIo::new(&mut stream), service);
        let mut connection = pin!(connection);
        let is_to_close = tokio::select! {
            // An error concerns this connection alone, and its client notices by itself.
            _ = connection.as_mut() => false,
            _ = ending.wait_for(|ending| *ending) => true,
        };
        if is_to_close {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
            return;
        }
    }
    tokio::select! {
        _ = timeout(limits.body, exhausted(stream)) => {}
        _ = ending.wait_for(|ending| *ending) => {}
    }
}

/// Reads what a client still sends that was answered for the last time, as where its body is too large. If
/// its connection ended before, it would be told that it was reset, and perhaps never see the answer.
async fn exhausted(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut thrown_away = vec![0; 8 << 10];
    let _ = stream.shutdown().await;
    while let Ok(Ok(1..)) = timeout(LINGER_PAUSE, stream.read(&mut thrown_away)).await {}
}

/// A server that runs on a runtime of its own; dropping it stops it and waits until it has.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    scheme: &'static str,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Ended>>,
}

/// Answers on `listener` on a runtime of its own, for callers that have none.
///
/// # Errors
/// When no runtime or thread can be started, or `listener` cannot be used.
pub fn start(listener: StdListener, pool: Pool, options: Options) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let scheme = if options.certificate.is_some() { "https" } else { "http" };
    listener.set_nonblocking(true)?;
    SockRef::from(&listener).listen(BACKLOG)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("license-http".to_owned()).spawn(move || {
        let stopped = async { drop(stopped.await) };
        let ended = runtime.block_on(async {
            let ended = serve(listener, pool.clone(), options, stopped).await;
            let _ = pool.close().await;
            ended
        });
        runtime.shutdown_background();
        ended
    })?;
    Ok(Running { address, scheme, stop: Some(stop), thread: Some(thread) })
}

impl Running {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Tells it to stop, without waiting for that.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Whether it has ended, for whatever reason.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops it and waits until it has ended; gives why it did.
    pub fn stop(mut self) -> Ended {
        self.end()
    }

    fn end(&mut self) -> Ended {
        self.begin_stop();
        // If that thread panicked, it has printed why.
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.unwrap_or(Ended::Stopped)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
