//! [`Licenses`] through a server, or through several that share a store, by the client of their API.

use std::collections::HashMap;
use std::ops::Range;

use jiff::Timestamp;
use license_client::{Client, Error, Notice, Retain};
use license_pool::{ChainCheck, HistoryPage, Selection, Target};
use license_types::{
    Availability, Count, DateTime, Entry, InstallReceipt, LicenseInfo, ProblemCode, ProductDay,
    ProductId, RefusalCode, ReleaseReceipt, RenewReceipt, RetainReceipt, Retention, ServerName,
    ServerStatus, SessionId, SessionState, StoreCheck, Token,
};

use crate::failure::Failure;
use crate::licenses::{EachPage, Held, Installation, Licenses, RetainSeat, Seat, Wanted};

/// Stands in a request for all servers of the store.
const ALL: &str = "all";

/// How many entries of a history make a page.
const PAGE: usize = 512;

/// The licenses behind this client; `named` says whether it acts on a license that was named.
pub(crate) fn open(client: Client, named: bool) -> Box<dyn Licenses> {
    Box::new(Server { client, named })
}

/// Retains for a program that runs, with a lease that the client renews as long as this process lives.
pub(crate) fn seats(client: Client) -> RetainSeat {
    Box::new(move |wanted, wait, tell| {
        let seat = client.retain_with(request(wanted).wait(wait)).map_err(failure)?;
        let notices = seat.notices();
        // The thread ends with the seat.
        std::thread::spawn(move || {
            let told = std::iter::from_fn(|| notices.wait());
            told.filter_map(|notice| sentence(&notice)).for_each(tell);
        });
        Ok(Box::new(ClientSeat(seat)))
    })
}

struct ClientSeat(license_client::Seat);

impl Seat for ClientSeat {
    fn release(self: Box<Self>) -> Result<(), Failure> {
        match self.0.release() {
            // It was released before, or by this very request, whose first answer was lost.
            Err(error) if error.code() == Some(ProblemCode::NotRetained) => Ok(()),
            released => released.map(drop).map_err(failure),
        }
    }
}

/// What to say to people about a notice.
fn sentence(notice: &Notice) -> Option<String> {
    let because = |cause: &Option<Error>| match cause {
        Some(error) => format!(": {}", license_pool::explained(error)),
        None => String::new(),
    };
    Some(match notice {
        Notice::InDanger { cause } => {
            format!("warning: the license cannot be renewed{}", because(cause))
        }
        Notice::Overdue { cause } => {
            format!("warning: the license was not renewed in time{}", because(cause))
        }
        Notice::Renewed => "the license is renewed, and was held all the time".to_owned(),
        Notice::Lost => "warning: the license was taken back while the command runs".to_owned(),
    })
}

fn request(wanted: Wanted) -> Retain {
    let Wanted { product, session, reason, description } = wanted;
    Retain::new(product, session, description).reason(reason)
}

struct Server {
    client: Client,
    named: bool,
}

impl Server {
    /// Turns `unknown_license` into `None`: that nothing is installed is no failure, unless a license
    /// was named.
    fn installed<T>(&self, answer: Result<T, Error>) -> Result<Option<T>, Failure> {
        match answer {
            Err(error) if !self.named && error.code() == Some(ProblemCode::UnknownLicense) => {
                Ok(None)
            }
            answer => answer.map(Some).map_err(failure),
        }
    }

    /// Which server serves each retention. One that moves between two requests may be missing.
    fn serving(&self) -> Result<HashMap<Token, ServerName>, Failure> {
        let mut serving = HashMap::new();
        for server in self.client.store_servers().map_err(failure)? {
            let held = self.usage_on(server.name.as_str())?;
            serving.extend(held.into_iter().map(|held| (held.token, server.name.clone())));
        }
        Ok(serving)
    }

    fn entries(&self, wanted: license_client::Selection) -> Result<Option<Entries<'_>>, Failure> {
        let told = self.installed(self.client.history(&wanted))?;
        Ok(told.map(|told| Entries { client: &self.client, wanted, told, came: false }))
    }

    fn usage_on(&self, server: &str) -> Result<Vec<Retention>, Failure> {
        match self.installed(self.client.usage(Some(server), None))? {
            Some(lines) => lines.collect::<Result<_, _>>().map_err(failure),
            None => Ok(Vec::new()),
        }
    }
}

/// The entries that are wanted. When an answer breaks off, it asks for the rest: a server breaks off
/// when entries are deleted before it could send them. The reader has to check whether any are missing.
struct Entries<'c> {
    client: &'c Client,
    wanted: license_client::Selection,
    told: license_client::Entries,
    /// Whether any came since the last request. If none did, asking again would not help.
    came: bool,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Result<Entry, Error>> {
        loop {
            match self.told.next()? {
                Ok(entry) => {
                    (self.wanted.after, self.came) = (entry.sequence.get(), true);
                    return Some(Ok(entry));
                }
                Err(error) if self.came && error.is_transient() => {
                    match self.client.history(&self.wanted) {
                        Ok(told) => (self.told, self.came) = (told, false),
                        Err(error) => return Some(Err(error)),
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Licenses for Server {
    fn install(&mut self, install: &Installation<'_>) -> Result<InstallReceipt, Failure> {
        let Installation { document, replaces, dry_run, .. } = *install;
        self.client.install(document, replaces, dry_run).map_err(failure)
    }

    fn info(&mut self) -> Result<Option<LicenseInfo>, Failure> {
        self.installed(self.client.info())
    }

    fn usage(&mut self, server: Option<&ServerName>, shown: bool) -> Result<Vec<Held>, Failure> {
        let held = self.usage_on(server.map_or(ALL, ServerName::as_str))?;
        let serving = match (server, shown) {
            (None, true) if !held.is_empty() => self.serving()?,
            _ => HashMap::new(),
        };
        let served_by = |retention: &Retention| server.or_else(|| serving.get(&retention.token));
        let held = held.into_iter();
        Ok(held
            .map(|retention| Held { server: served_by(&retention).cloned(), retention })
            .collect())
    }

    fn availability(&mut self, product: ProductId) -> Result<Availability, Failure> {
        let none = Count::new(0).expect("nothing can be counted");
        Ok(self.installed(self.client.availability(product))?.unwrap_or(Availability {
            available: false,
            product_id: product,
            allowed_count: none,
            used_count: none,
            product_balance: none,
            code: Some(RefusalCode::UnknownProduct),
        }))
    }

    fn retain(&mut self, wanted: Wanted) -> Result<RetainReceipt, Failure> {
        self.client.grant(&request(wanted)).map_err(failure)
    }

    fn renew(
        &mut self,
        session: &SessionId,
        state: Option<SessionState>,
    ) -> Result<RenewReceipt, Failure> {
        self.client.renew(session, state).map_err(failure)
    }

    fn release(&mut self, target: Target) -> Result<ReleaseReceipt, Failure> {
        let released = match target {
            Target::Token(token) => self.client.revoke(token, None),
            Target::Session { session, product, token } => {
                self.client.release(&session, product, token)
            }
        };
        released.map_err(failure)
    }

    fn holding(&mut self, session: &SessionId) -> Result<Vec<Token>, Failure> {
        match self.client.session(session) {
            Err(error) if error.code() == Some(ProblemCode::NotRetained) => Ok(Vec::new()),
            receipt => {
                let held = self.installed(receipt)?.map_or_else(Vec::new, |receipt| receipt.held);
                Ok(held.iter().map(|held| held.retention.token).collect())
            }
        }
    }

    fn first(&mut self) -> Result<Option<Entry>, Failure> {
        let entries = self.client.history(&license_client::Selection::default());
        let first = self.installed(entries)?.and_then(|mut entries| entries.next());
        first.transpose().map_err(failure)
    }

    fn history(&mut self, wanted: Selection, each: EachPage<'_>) -> Result<(), Failure> {
        let Selection { from, to, product, session, kinds } = wanted;
        let (from, to) = (from.map(DateTime::from), to.map(DateTime::from));
        let wanted = license_client::Selection { after: 0, from, to, product, session, kinds };
        let Some(entries) = self.entries(wanted)? else { return Ok(()) };
        // If a license is installed, its log has an entry at least, so this says 1 even if no entry is
        // wanted; the caller takes 0 to mean that nothing is installed.
        let mut page = HistoryPage { begin: 0, entries: Vec::new(), reached: 0, end: 1 };
        for entry in entries {
            let entry = entry.map_err(failure)?;
            page.reached = entry.sequence.get();
            page.end = page.reached;
            page.entries.push(entry);
            if page.entries.len() == PAGE {
                let entries = std::mem::take(&mut page.entries);
                each(HistoryPage { entries, ..page })?;
            }
        }
        each(page)
    }

    fn verify(&mut self, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Failure> {
        // Computed here, so that the server need not be trusted.
        let history = self.entries(license_client::Selection::default())?;
        ChainCheck::of(history.into_iter().flatten(), reached).map_err(failure)
    }

    fn days(&mut self, time: Range<Timestamp>) -> Result<Vec<ProductDay>, Failure> {
        let from = (time.start != Timestamp::MIN).then(|| DateTime::from(time.start));
        let to = (time.end != Timestamp::MAX).then(|| DateTime::from(time.end));
        let days = self.installed(self.client.report(from.as_ref(), to.as_ref(), None))?;
        Ok(days.unwrap_or_default())
    }

    fn successor(&mut self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    fn servers(&mut self) -> Result<Vec<ServerStatus>, Failure> {
        self.client.store_servers().map_err(failure)
    }

    fn check(&mut self) -> Result<StoreCheck, Failure> {
        let what = "a store is checked where it lies, and not through a server";
        Err(Failure::usage(what)
            .hint("--store names the store; `license history --verify` recomputes a log from here"))
    }
}

/// Why a request to a server failed, with the exit code and hints of this program.
pub(crate) fn failure(error: Error) -> Failure {
    match error {
        Error::Problem(problem) => Failure::problem(*problem),
        Error::Unreachable { .. } | Error::Foreign { .. } => {
            Failure::because(ProblemCode::StoreUnavailable, &error)
        }
        Error::Input(_) | Error::Setup { .. } => Failure::because(ProblemCode::BadRequest, &error),
        Error::Closed => Failure::because(ProblemCode::Internal, &error),
    }
}
