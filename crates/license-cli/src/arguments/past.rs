//! Arguments of `history` and `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use license_types::{EventKind, ProductId, ReportPeriod, ServerName, SessionId};

use super::{Exports, one_of, session};
use crate::instant::{Instant, Zone};

/// Shows the log: what was installed, retained, refused and released
///
/// The log is read as it is shown, so a long one needs little memory.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// Only this product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: Option<ProductId>,
    /// Only what concerns sessions of this user: what they retained, were refused and released. A
    /// release is found by its retention, as long as the log has that
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<SessionId>,
    /// Only what this server appended; commands such as `license retain` are `local`
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<ServerName>,
    /// Only these kinds of entries, parted by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = one_of::<EventKind>(EventKind::ALL.iter().map(|kind| kind.as_str())))]
    pub kind: Vec<EventKind>,
    /// Only from this day or instant on
    #[arg(long, visible_alias = "since", value_name = "TIME")]
    pub from: Option<Instant>,
    /// Only up to the end of this day, or before this instant
    #[arg(long, visible_alias = "until", value_name = "TIME")]
    pub to: Option<Instant>,
    /// Where days begin and end and which times are shown, such as Europe/Berlin; JSON keeps UTC
    #[arg(long, value_name = "NAME", default_value = "UTC")]
    pub time_zone: Zone,
    /// Prints comma-separated values (RFC 4180); text that a spreadsheet would take for a formula
    /// begins with `'`
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    #[command(flatten)]
    pub anonymized: Anonymized,
    /// Recomputes the chain of hashes over the whole log first, and says up to where it holds
    #[arg(long)]
    pub verify: bool,
}

/// Pseudonyms in place of names.
#[derive(Args, Debug)]
pub(crate) struct Anonymized {
    /// Shows pseudonyms instead of users, hosts, addresses, sessions, servers, credentials and free
    /// texts: the same one for the same name in this run, another in the next. Digests and chain
    /// values are replaced too, since they would confirm a guess, so what is shown cannot be verified
    #[arg(long)]
    pub anonymize: bool,
    /// Makes the same pseudonyms in every run from the key in this file, at least 16 bytes; who has
    /// the key can tell who is meant
    #[arg(long, value_name = "FILE", requires = "anonymize")]
    pub anonymize_key: Option<PathBuf>,
}

/// Shows figures per product and day or month: what was allowed and used, and who went without
///
/// The figures of a store are those that it keeps of every UTC day, also of days whose entries are
/// gone; those of today are as of now. Those of one user or session, and of the days of another time
/// zone, are counted anew from all entries of the log; days whose entries are deleted cannot be told
/// so, which is said with the first day that can.
///
/// With --from FILE the figures are made from reports that were exported. Each file is one License
/// usage, true at one instant, all of the same license; a License info among them adds what was
/// allowed. The figures are what these reports prove: a retention is held from its time to the last
/// report that lists it, and its counters tell how many were used when it was made. What was
/// retained and released between two reports, and how long a retention lived after the last report
/// that lists it, no report can tell: so each figure is a lower bound.
///
/// A day or an instant alone after --from is no file but where to begin, as with --since; write
/// ./2026-01-31 for a file of such a name.
#[derive(Args, Debug)]
#[command(after_long_help = FIGURES)]
pub(crate) struct Report {
    #[command(flatten)]
    pub exports: Exports,
    /// Only this product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: Option<ProductId>,
    /// Only what sessions of this user held and were refused
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Only what this session held and was refused; of a store
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<SessionId>,
    /// Only lines of periods in which something of the product was retained, or refused, or either
    /// (parted by commas): with all their figures. Of a store
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<Counted>,
    /// Length of a period
    #[arg(long, value_name = "PERIOD", default_value = "day", value_parser = one_of::<ReportPeriod>(ReportPeriod::ALL.iter().map(|period| period.as_str())))]
    pub by: ReportPeriod,
    /// Where days begin and end and which times are shown, such as Europe/Berlin; JSON keeps UTC
    #[arg(long, value_name = "NAME", default_value = "UTC")]
    pub time_zone: Zone,
    /// Only from this day or instant on
    #[arg(long, value_name = "TIME")]
    pub since: Option<Instant>,
    /// Only up to the end of this day, or before this instant
    #[arg(long, visible_alias = "to", value_name = "TIME")]
    pub until: Option<Instant>,
    /// Prints comma-separated values (RFC 4180); text that a spreadsheet would take for a formula
    /// begins with `'`
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    #[command(flatten)]
    pub anonymized: Anonymized,
}

/// The kinds of entries that figures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Counted {
    Retained,
    Refused,
}

impl Report {
    /// When the figures of a store begin, if that is what was asked for.
    pub(crate) fn of_store(&self) -> Option<Option<Instant>> {
        match (&*self.exports.from, self.since) {
            ([], since) => Some(since),
            ([one], None) if self.exports.at.is_empty() => one.to_str()?.parse().ok().map(Some),
            _ => None,
        }
    }
}

const FIGURES: &str = "\
Figures of a store:
  allowed     at the end of the period
  peak, at    the most that were in use at once over all servers, and when that was first so
  none left   minutes in which a further session would have been refused
  hours       license-hours: the time of all retentions, added up
  retained    retentions that began
  refused     refusals, each repetition counted, and of how many sessions; a session counts
              once a day
  in vain     refusals after which the session went without: none was granted to it within its
              wait, or within five minutes where it gave none

Of one user or session (--user, --session) these are its own, but for `allowed` and `none left`,
which are those of the product, for all. The sessions of a user are those whose descriptions name
him. What tells no user any more, since a description is erased or many sessions were refused at
once, is not counted; how much that is, is said.

Figures of exported reports:
  reports     usage reports whose instant lies in the period; with 0, the line shows only
              those retentions that were still held at a later report
  allowed     by the last License info up to the end of the period; not what was allowed
              earlier in it
  peak, at    the most that were in use at once, by retentions that were held at the same
              time or by a counter that one froze, and the first instant that proves it; a
              higher one can have gone unseen. With --user, only what that user held
  users       different user names; people who share one count once
  sessions    different sessions; SQL sessions have no id, so each retention counts as one
  retentions  held for some of the period
  hours       license-hours: time that retentions are proven to be held, added up";
