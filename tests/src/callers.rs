//! Many callers of one pool on one thread, as tasks on a runtime are: each asks, waits for the
//! answer, and asks again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Wake, Waker};

/// Runs callers until each is done, polling only who was woken.
///
/// # Panics
/// Where a caller does.
pub fn run(callers: Vec<impl Future<Output = ()>>) {
    let (wake, woken) = channel();
    let mut callers: Vec<_> = callers
        .into_iter()
        .enumerate()
        .map(|(index, caller)| {
            let waker = Waker::from(Arc::new(Caller { index, wake: wake.clone() }));
            wake.send(index).unwrap();
            (waker, Box::pin(caller))
        })
        .collect();
    let mut left = callers.len();
    while left > 0 {
        let (waker, caller) = &mut callers[woken.recv().unwrap()];
        let caller: Pin<&mut _> = caller.as_mut();
        if caller.poll(&mut Context::from_waker(waker)).is_ready() {
            left -= 1;
        }
    }
}

struct Caller {
    index: usize,
    wake: Sender<usize>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        let _ = self.wake.send(self.index);
    }
}
