//! What a holder is told about its license while it holds it.

use crate::Error;

/// Something that happened to a license that is held.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Renewals fail, and there is time left for one more.
    InDanger {
        /// Why the last one failed.
        cause: Option<Error>,
    },
    /// The lease ran out before any renewal succeeded: the license may go to somebody else. The
    /// client goes on trying to renew it.
    Overdue {
        /// Why the last renewal failed.
        cause: Option<Error>,
    },
    /// It was renewed after all. It was never released in between.
    Renewed,
    /// It was released, by an administrator or because its lease was over, and is not retained
    /// again unless the application does so. Nothing follows.
    Lost,
}

/// The channel of [`Notice`]s about one license. It ends when the license is released.
///
/// Only the newest are kept where nobody reads them.
#[derive(Clone, Debug)]
pub struct Notices(pub(crate) async_channel::Receiver<Notice>);

/// Notices that are kept for whoever does not read them.
const KEPT: usize = 16;

impl Notices {
    pub(crate) fn channel() -> (async_channel::Sender<Notice>, Notices) {
        let (sender, receiver) = async_channel::bounded(KEPT);
        (sender, Notices(receiver))
    }

    /// Blocks the thread until there is one; `None` once the license is released.
    pub fn wait(&self) -> Option<Notice> {
        self.0.recv_blocking().ok()
    }

    /// The next one, for async callers; `None` once the license is released.
    pub async fn next(&self) -> Option<Notice> {
        self.0.recv().await.ok()
    }

    /// The next one, where there is one already.
    pub fn try_next(&self) -> Option<Notice> {
        self.0.try_recv().ok()
    }
}
