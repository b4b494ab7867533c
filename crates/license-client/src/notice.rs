//! What a holder hears about its license while it holds it.

use crate::Error;

/// Something that happened to a license that is held.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Renewals fail, and the time that is left is enough for about one more.
    InDanger {
        /// Why the last one failed.
        cause: Option<Error>,
    },
    /// The lease is over and no renewal succeeded: the license may go to somebody else. The client goes
    /// on trying to renew it.
    Overdue {
        /// Why the last renewal failed.
        cause: Option<Error>,
    },
    /// It was renewed after all, and was never released in between.
    Renewed,
    /// It was released, by an administrator or because its lease was over. The client does not retain
    /// it again by itself. This is the last notice.
    Lost,
}

/// The channel of [`Notice`]s about one license. It ends when the license is released.
///
/// If nobody reads them, only the newest are kept.
#[derive(Clone, Debug)]
pub struct Notices(pub(crate) async_channel::Receiver<Notice>);

/// How many notices are kept until they are read.
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

    /// The next one, if there is one already.
    pub fn try_next(&self) -> Option<Notice> {
        self.0.try_recv().ok()
    }
}
