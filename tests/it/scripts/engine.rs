//! What runs scripts, and how its answers are written down.

use jiff::Timestamp;
use license_types::{
    Availability, Entry, Event, InstallReceipt, InstallStatus, LicenseInfo, ProductId,
    ReleaseCause, ReleaseReceipt, RenewReceipt, RetainReceipt, Retention, Session,
};

use super::script::{Need, Step};

/// Something that executes commands on one ledger.
pub(crate) trait Engine {
    /// Whether it can do what a script needs.
    fn offers(&self, need: Need) -> bool;

    /// Sets its clock; it stands still in between.
    fn set_clock(&mut self, now: Timestamp);

    /// Forgets what it knows and reads the log again, where it keeps one.
    fn restart(&mut self);

    /// Executes any other step and answers as scripts write it, in one line or several.
    fn execute(&mut self, step: &Step) -> Vec<String>;
}

/// What came of a command, in the documented types: engines that answer in these share one
/// rendering.
pub(crate) enum Outcome {
    Installed(InstallReceipt),
    Retained(RetainReceipt),
    Renewed(RenewReceipt),
    Released(ReleaseReceipt),
    Usage(Vec<Retention>),
    Info(Option<LicenseInfo>),
    Available(Availability),
    History(Vec<Entry>),
    /// Refused, under the stable code, with the counts where the refusal has them.
    Refused {
        code: String,
        counts: Option<(u64, u64)>,
    },
}

impl Outcome {
    /// The answer as scripts write it.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Outcome::Installed(receipt) => installed(receipt),
            Outcome::Retained(receipt) => vec![counters(&receipt.retention)],
            Outcome::Renewed(receipt) => {
                let tokens = receipt.held.iter().map(|held| held.retention.token);
                vec![
                    tokens
                        .fold("renewed".to_owned(), |line, token| format!("{line} token={token}")),
                ]
            }
            Outcome::Released(receipt) => {
                vec![receipt.released.iter().fold("released".to_owned(), |line, released| {
                    format!("{line} token={}{}", released.token, cause(released.cause))
                })]
            }
            Outcome::Usage(records) if records.is_empty() => vec!["nothing is held".to_owned()],
            Outcome::Usage(records) => records.iter().map(record).collect(),
            Outcome::Info(None) => vec!["null".to_owned()],
            Outcome::Info(Some(info)) => info
                .products
                .iter()
                .map(|product| {
                    let (id, used, allowed) =
                        (spelled(product.id), product.used_count, product.allowed_count);
                    format!("{id} used={used} allowed={allowed} rights={}", product.rights.len())
                })
                .collect(),
            Outcome::Available(availability) => vec![available(availability)],
            Outcome::History(entries) => entries.iter().map(entry).collect(),
            Outcome::Refused { code, counts: None } => vec![code.clone()],
            Outcome::Refused { code, counts: Some((allowed, used)) } => {
                vec![format!("{code} allowed={allowed} used={used}")]
            }
        }
    }
}

fn installed(receipt: &InstallReceipt) -> Vec<String> {
    let mut lines = vec![receipt.status.to_string()];
    if receipt.status == InstallStatus::Replaced {
        lines.extend(receipt.products.iter().map(|product| {
            format!(
                "{} allowed {} -> {} held={} over={}",
                spelled(product.product_id),
                product.allowed_before,
                product.allowed_after,
                product.held,
                product.over
            )
        }));
    }
    lines.extend(receipt.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines
}

fn counters(record: &Retention) -> String {
    let (used, global) = (record.product_used_count, record.global_product_used_count);
    let global = if used == global { String::new() } else { format!(" global={global}") };
    format!("token={} used={used}{global} balance={}", record.token, record.product_balance)
}

fn record(record: &Retention) -> String {
    let who = match &record.session {
        Session::Client(session) => format!("client {} {}", session.user_name, session.state),
        Session::Sql(session) => format!("sql {}", session.user_name),
        Session::Rest(session) => format!("rest {}", session.session_id),
    };
    let reason = match record.reason.as_str() {
        "CLIENT" => String::new(),
        other => format!(" reason={other}"),
    };
    let inner = match record.session.license_token() {
        Some(token) => format!(" licenseToken={token}"),
        None => String::new(),
    };
    let since = record.time.as_str().trim_end_matches(".000Z").replace('T', " ");
    let product = spelled(record.product_id);
    format!("{product} {} since {since} by {who}{reason}{inner}", counters(record))
}

fn available(availability: &Availability) -> String {
    let (allowed, used) = (availability.allowed_count, availability.used_count);
    match (availability.available, &availability.code) {
        (true, None) => format!("yes balance={}", availability.product_balance),
        (false, Some(code)) => format!("no: {code} allowed={allowed} used={used}"),
        (available, code) => format!("contradiction: {available} {code:?}"),
    }
}

fn entry(entry: &Entry) -> String {
    let what = match &entry.event {
        Event::Installed(event) => format!("installed {}", event.license_number),
        Event::Uninstalled(event) => format!("uninstalled {}", event.license_number),
        Event::Retained(event) => {
            format!(
                "retained {} {} token={}",
                spelled(event.product_id),
                event.session_id,
                event.token
            )
        }
        Event::Released(event) => format!(
            "released {} {} token={}{}",
            spelled(event.product_id),
            event.session_id,
            event.token,
            cause(event.cause)
        ),
        Event::Refused(event) => {
            let (allowed, used) = (event.allowed_count, event.used_count);
            let id = event.session_id.as_ref().map_or("others", |session| session.as_str());
            let product = spelled(event.product_id);
            format!("refused {product} {id} {} allowed={allowed} used={used}", event.code)
        }
        Event::StateChanged(event) => format!("state_changed {} {}", event.session_id, event.state),
        Event::Described(event) => format!("described {}", event.session_id),
        Event::Moved(event) => {
            let ids: Vec<&str> = event.session_ids.iter().map(|id| id.as_str()).collect();
            format!("moved {} to {}", ids.join(" "), entry.server)
        }
        Event::Adopted(event) => format!("adopted from {} by {}", event.from_server, entry.server),
        Event::ClockCorrected(_) => "clock_corrected".to_owned(),
    };
    format!("{} {what}", entry.sequence)
}

fn cause(cause: ReleaseCause) -> String {
    match cause {
        ReleaseCause::Released => String::new(),
        ReleaseCause::LeaseExpired
        | ReleaseCause::ServerLost
        | ReleaseCause::Revoked
        | ReleaseCause::Uninstalled => format!(" cause={cause}"),
    }
}

fn spelled(id: ProductId) -> String {
    id.spelling().unwrap_or_else(|| id.to_string())
}
