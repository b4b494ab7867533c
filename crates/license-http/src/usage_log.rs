//! Writes the usage log of the reference system: a line for each license that is retained or released.
//!
//! The lines name users and their addresses, so this is off unless asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use license_pool::log::{LedgerId, LedgerNumbers};
use license_pool::{Error, Held, Pool, Refusal};
use license_types::{Entry, Event, ProductId, Session, Token, escaped};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many entries are read at once.
const PAGE: usize = 512;

/// What the line of a release needs, and only the retention tells.
struct Holder {
    product: String,
    user: String,
    address: String,
    reason: String,
}

/// Makes the lines of one license from its entries.
#[derive(Default)]
struct Lines {
    holders: BTreeMap<Token, Holder>,
    used: BTreeMap<ProductId, u64>,
}

/// How often to look for newly installed licenses, and how long to wait when the store is away.
const LOOK: Duration = Duration::from_secs(1);

/// Follows every license of a store, including those installed later.
pub(crate) struct UsageLog {
    pool: Pool,
    out: Arc<File>,
    followed: BTreeSet<LedgerId>,
    tasks: JoinSet<()>,
}

impl UsageLog {
    /// Starts to follow the licenses that are there, each from its end: what happens later gets a line.
    pub(crate) async fn begin(pool: Pool, out: Arc<File>) -> UsageLog {
        let (followed, tasks) = (BTreeSet::new(), JoinSet::new());
        let mut log = UsageLog { pool, out, followed, tasks };
        log.look(async |pool| Ok((pool.head_async().await?.sequence, Lines::now(pool).await?)))
            .await;
        log
    }

    /// Looks for licenses that are installed later, until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            sleep(LOOK).await;
            // A new license is followed from its first entry, since all of them are news.
            self.look(async |_| Ok((0, Lines::default()))).await;
        }
    }

    /// Follows the licenses that are not followed yet. `start` gives the sequence after which to begin
    /// with each, and what is held then.
    async fn look(&mut self, start: impl AsyncFn(&Pool) -> Result<(u64, Lines), Error>) {
        let ledgers = match self.pool.ledgers().await {
            Ok(ledgers) => ledgers,
            Err(error) => return warn(&error),
        };
        for LedgerNumbers { ledger, numbers, .. } in ledgers {
            let Some(number) = numbers.last().filter(|_| !self.followed.contains(&ledger)) else {
                continue;
            };
            let pool = self.pool.license(number.as_str());
            match start(&pool).await {
                Ok((after, lines)) => {
                    self.followed.insert(ledger);
                    self.tasks.spawn(follow(pool, after, lines, self.out.clone()));
                }
                Err(error) => warn(&error),
            }
        }
    }
}

/// Writes the lines of one license, from the entry after a sequence on. Ends when the pool is closed, or
/// the file cannot be written.
async fn follow(pool: Pool, mut after: u64, mut lines: Lines, out: Arc<File>) {
    loop {
        match pool.follow(after, PAGE).await {
            Ok(page) => {
                for entry in page.iter().map(|line| line.entry()) {
                    after = entry.sequence.get();
                    if let Some(line) = lines.line(&entry)
                        && let Err(error) = writeln!(&*out, "{line}")
                    {
                        tracing::warn!(%error, "the usage cannot be written any more");
                        return;
                    }
                }
            }
            Err(Error::Closed) => return,
            Err(error) => {
                warn(&error);
                sleep(LOOK).await;
            }
        }
    }
}

fn warn(error: &Error) {
    tracing::warn!(error = crate::failure::chain(error), "cannot follow the usage");
}

impl Lines {
    /// Starts with what is held now, so that its releases can be told.
    async fn now(pool: &Pool) -> Result<Lines, Error> {
        match pool.held_async(None).await {
            Ok(held) => Ok(Lines::of(held)),
            Err(Error::Refused(Refusal::UnknownLicense { .. })) => Ok(Lines::default()),
            Err(error) => Err(error),
        }
    }

    fn of(held: Vec<Held>) -> Lines {
        let mut lines = Lines::default();
        for held in held {
            let retention = held.retention();
            let (user, address) = who(&retention.session);
            let (product, reason) = (retention.product_name, retention.reason);
            lines.hold(
                held.record.product,
                retention.token,
                Holder { product, user, address, reason },
            );
        }
        lines
    }

    fn hold(&mut self, product: ProductId, token: Token, holder: Holder) {
        if self.holders.insert(token, holder).is_none() {
            *self.used.entry(product).or_default() += 1;
        }
    }

    fn line(&mut self, entry: &Entry) -> Option<String> {
        let (product, token, done, text) = match &entry.event {
            Event::Retained(event) => {
                let (user, address) = event.description.as_ref().map(who).unwrap_or_default();
                let (product, reason) = (event.product_name.clone(), event.reason.to_string());
                let holder = Holder { product, user, address, reason };
                self.hold(event.product_id, event.token, holder);
                (event.product_id, event.token, "retained", event.session_id.to_string())
            }
            Event::Released(event) => {
                let used = self.used.entry(event.product_id).or_default();
                *used = used.saturating_sub(1);
                (event.product_id, event.token, "released", event.cause.to_string())
            }
            Event::Installed(_)
            | Event::Uninstalled(_)
            | Event::Refused(_)
            | Event::StateChanged(_)
            | Event::Described(_)
            | Event::Moved(_)
            | Event::Adopted(_)
            | Event::ClockCorrected(_) => return None,
        };
        let used = self.used.get(&product).copied().unwrap_or_default();
        let holder = self.holders.get(&token)?;
        let Holder { product, user, address, reason } = holder;
        let [product, user, address, reason] =
            [product, user, address, reason].map(|text| escaped(text));
        let time = entry.time.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3f");
        let line = format!(
            "{} {time} [LICUSAGE] INFO - License {product} {done} (current use {used}) by user \
             {user} with IP {address} with token {token}: {reason} ({})",
            entry.sequence,
            escaped(&text),
        );
        if done == "released" {
            self.holders.remove(&token);
        }
        Some(line)
    }
}

/// The user and the address of a session.
fn who(session: &Session) -> (String, String) {
    match session {
        Session::Client(client) => (client.system_user_name.clone(), client.ip_address.clone()),
        Session::Sql(sql) => (sql.user_name.clone(), sql.ip_address.clone()),
        Session::Rest(rest) => (rest.user_name.clone(), rest.ip_address.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use license_pool::SAMPLE_LICENSE;

    use super::*;

    #[test]
    fn a_line_is_that_of_the_reference_system() {
        let pool = Pool::open("memory:").unwrap();
        pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
        let session = |id: &str| Session::rest("ann\n\u{2028}\u{200e}", id, "192.0.2.1");
        let before = pool.retain("0009", "job-6", session("job-6")).unwrap();
        let mut lines = Lines::of(pool.held(None).unwrap());
        pool.retain("0009", "job-7", session("job-7")).unwrap().release().unwrap();
        drop(before);
        let entries = pool.page(2, 100).wait().unwrap();
        let told: Vec<String> = entries.iter().filter_map(|entry| lines.line(entry)).collect();
        let time = |at: usize| entries[at].time.to_string().trim_end_matches('Z').to_owned();
        let line = |at: usize, what: &str, rest: &str| {
            let (sequence, time) = (entries[at].sequence, time(at));
            let user = r"user ann\n\u{2028}\u{200e} with IP 192.0.2.1 with";
            format!("{sequence} {time} [LICUSAGE] INFO - License 4D Client {what} by {user} {rest}")
        };
        assert_eq!(told[0], line(0, "retained (current use 2)", "token 2: CLIENT (job-7)"));
        assert_eq!(told[1], line(1, "released (current use 1)", "token 2: CLIENT (released)"));
    }
}
