//! One answer that is still to come, for blocking and async callers alike: the request was sent
//! already, so they differ only in how they wait.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::shared::Shared;
use crate::Error;

/// The answer to a request that the pool has: [`wait`](Pending::wait) for it, or `.await` it.
///
/// Needs no particular runtime. Dropping it takes nothing back, except that a seat which nobody
/// received is released.
///
/// # Panics
/// When it is polled again after it was ready, as futures do.
#[must_use = "the request was sent, but only the answer says what became of it"]
pub struct Pending<T> {
    poll: Box<Ask<T>>,
    shared: Arc<Shared>,
}

/// Asks whether the answer is there.
type Ask<T> = dyn FnMut(&mut Context<'_>) -> Poll<Result<T, Error>> + Send;

impl<T: Send + 'static> Pending<T> {
    /// The sender of the answer, and the answer to come.
    pub(crate) fn new(shared: Arc<Shared>) -> (oneshot::Sender<Result<T, Error>>, Pending<T>) {
        let (sender, _, pending) = Pending::watched(shared);
        (sender, pending)
    }

    /// The same, with a reference that dangles once nobody waits for the answer any more.
    pub(crate) fn watched(
        shared: Arc<Shared>,
    ) -> (oneshot::Sender<Result<T, Error>>, Weak<()>, Pending<T>) {
        let (sender, mut answer) = oneshot::async_channel();
        let caller = Arc::new(());
        let waits = Arc::downgrade(&caller);
        // A request is only left without an answer when the pool ends first.
        let flatten = |answer: Result<_, oneshot::RecvError>| answer.unwrap_or(Err(Error::Closed));
        let poll = move |context: &mut Context<'_>| {
            let _waits = &caller;
            Pin::new(&mut answer).poll(context).map(flatten)
        };
        (sender, waits, Pending { poll: Box::new(poll), shared })
    }

    /// The answer that a future gives, which is polled at once to begin.
    pub(crate) fn of(
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
        shared: Arc<Shared>,
    ) -> Pending<T> {
        let mut future = Box::pin(future);
        let mut begun = Some(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        let poll = move |context: &mut Context<'_>| match begun.take() {
            Some(Poll::Ready(answer)) => Poll::Ready(answer),
            Some(Poll::Pending) | None => future.as_mut().poll(context),
        };
        Pending { poll: Box::new(poll), shared }
    }

    /// Awaits this answer inside the future of another one. Unlike an `.await` it does not mark the
    /// pool as [awaited](Shared::awaited): whether the caller blocks, only the outer answer knows.
    pub(crate) async fn within(mut self) -> Result<T, Error> {
        poll_fn(move |context| (self.poll)(context)).await
    }

    /// The same answer in another shape, made where it is received.
    pub(crate) fn then<U>(
        self,
        make: impl FnOnce(Result<T, Error>) -> Result<U, Error> + Send + 'static,
    ) -> Pending<U> {
        let (mut poll, mut make) = (self.poll, Some(make));
        let poll = move |context: &mut Context<'_>| {
            poll(context).map(|answer| make.take().expect("a future is ready once")(answer))
        };
        Pending { poll: Box::new(poll), shared: self.shared }
    }

    /// The answer to a question that is asked only once this answer is there.
    pub(crate) fn followed_by<U: 'static>(
        self,
        ask: impl FnOnce(T) -> Pending<U> + Send + 'static,
    ) -> Pending<U> {
        let (mut first, mut ask, mut second) = (self.poll, Some(ask), None);
        let poll = move |context: &mut Context<'_>| {
            let second: &mut Box<Ask<U>> = match &mut second {
                Some(second) => second,
                None => match first(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(answer)) => {
                        let ask = ask.take().expect("the first answer comes once");
                        second.insert(ask(answer).poll)
                    }
                },
            };
            second(context)
        };
        Pending { poll: Box::new(poll), shared: self.shared }
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
            match (self.poll)(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// The answer, if it is there already.
    ///
    /// # Errors
    /// This pending answer again, while it is still to come.
    pub fn try_take(mut self) -> Result<Result<T, Error>, Pending<T>> {
        match (self.poll)(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => Err(self),
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, Error>> {
        self.shared.awaited();
        (self.poll)(context)
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
