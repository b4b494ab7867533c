//! One answer that is still to come, for blocking and async callers alike.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::{Client, Error};

/// The answer to a request that is on its way: [`wait`](Pending::wait) for it, or `.await` it.
///
/// Needs no particular runtime. Dropping it does not cancel the request; but a license that was granted
/// to it is released, since nobody received the seat.
///
/// # Panics
/// When it is polled again after it was ready, as futures do.
#[must_use = "the request was sent, but only the answer says what became of it"]
pub struct Pending<T> {
    answer: oneshot::AsyncReceiver<Result<T, Error>>,
    client: Client,
}

impl<T: Send + 'static> Pending<T> {
    /// The sender of an answer, and the answer to come.
    pub(crate) fn new(client: Client) -> (oneshot::Sender<Result<T, Error>>, Pending<T>) {
        let (sender, answer) = oneshot::async_channel();
        (sender, Pending { answer, client })
    }
}

impl<T> Pending<T> {
    /// Blocks the thread until the answer is there.
    ///
    /// # Errors
    /// Whatever the request was answered with.
    pub fn wait(mut self) -> Result<T, Error> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self.answer).poll(&mut context) {
                Poll::Ready(answer) => return answer.unwrap_or(Err(Error::Closed)),
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, Error>> {
        self.client.awaited();
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
