//! The network around the router: connections, and how they end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use license_pool::Pool;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::router;
use crate::options::Options;
use crate::state::State;

/// So long a client may take to send the head of a request, the first one included.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Headers of a request, and bytes of them.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 32 << 10;
/// So long the operating system is left alone after it could not accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers on `listener` until `stop` comes, and then ends in order: nothing new is granted while
/// clients are still connected, what was asked is answered, and what is held stays held.
pub async fn serve(
    listener: TcpListener,
    pool: Pool,
    options: Options,
    stop: impl Future<Output = ()>,
) {
    let drain = options.drain;
    let state = State::new(pool, options);
    let service = TowerToHyperService::new(router(state.clone()));
    let (ending, _) = watch::channel(false);
    let mut connections = JoinSet::new();
    let accept = || {
        let (service, mut ending) = (service.clone(), ending.subscribe());
        |stream: tokio::net::TcpStream| async move {
            let _ = stream.set_nodelay(true);
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
            builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
            let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                // What a connection dies of is its client's matter.
                _ = connection.as_mut() => return,
                _ = ending.wait_for(|ending| *ending) => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    };
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(accept()(stream))),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    state.drain();
    let draining = async {
        while !connections.is_empty() {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(accept()(stream))),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    };
    let _ = timeout(drain, draining).await;
    drop(listener);
    ending.send_replace(true);
    let _ = timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
}

/// A server on a runtime of its own; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Answers on `listener` on a runtime of its own, for whoever has none.
///
/// # Errors
/// When the operating system gives no runtime.
pub fn start(listener: StdListener, pool: Pool, options: Options) -> io::Result<Running> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("license-http".to_owned()).spawn(move || {
        let stopped = async { drop(stopped.await) };
        runtime.block_on(async {
            serve(listener, pool.clone(), options, stopped).await;
            let _ = pool.close().await;
        });
        runtime.shutdown_background();
    })?;
    Ok(Running { address, stop: Some(stop), thread: Some(thread) })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tells it to stop, without waiting.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops it and waits until it did.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            // A panic in there was told by its own thread.
            let _ = thread.join();
        }
    }
}
