//! Decides what a command does to a ledger. Pure: no clock, no I/O; the ledger is only read.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use license_types::{
    InstallReceipt, InstallStatus, ProductChange, ProductId, ReleaseCause, SessionId, Token,
    UninstallReceipt,
};
use smallvec::{SmallVec, smallvec};

use crate::{
    Command, Event, Identity, Install, Installed, Ledger, License, Refusal, Release, Released,
    Renew, Retain, Retained, Stamp, Target,
    rights::Allowance,
    session::{Live, Session},
    wire::count,
};

/// The events of a verdict: most have one.
pub type Events = SmallVec<[Event; 1]>;

/// What a command does: the events to append, in order, and what to answer once they are durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What to append; nothing where nothing changes.
    pub events: Events,
    /// What to answer.
    pub outcome: Outcome,
}

/// What to answer to a command that was not refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The session holds the product, under this token.
    Granted {
        /// Identifies the retention; see [`Ledger::retention`].
        token: Token,
        /// Whether it was granted just now; `false` where the session held it already and the lease
        /// is renewed.
        new: bool,
    },
    /// What the session holds is renewed; see [`Ledger::held`].
    Renewed,
    /// The events end one retention each; see [`Entry::receipt`](crate::Entry::receipt).
    Released,
    /// The license is installed; without events it was so already.
    Installed(Box<InstallReceipt>),
    /// The license is not installed any more.
    Uninstalled(Box<UninstallReceipt>),
}

/// Decides `command` on `ledger`, in the name of `stamp`, at `now` (or at the time of the last
/// entry, where that is later).
///
/// The events of the verdict are to be [sealed](Ledger::seal) and [applied](Ledger::apply) one after
/// the other, before the next command is decided.
///
/// # Errors
/// The first [`Refusal`] in the order of that enum. [`Refusal::event`] says what the log keeps of it.
///
/// ```
/// use license_core::{Command, Ledger, Refusal, Renew, Stamp, decide};
///
/// let renew = Renew { session: "job-7".parse::<license_types::SessionId>()?.into(), state: None };
/// let now = "2026-01-05T10:00:00Z".parse()?;
/// let refusal = decide(&Ledger::new(), &Command::Renew(renew), &Stamp::local(), now).unwrap_err();
/// assert_eq!(refusal.to_string(), "no license is installed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decide(
    ledger: &Ledger,
    command: &Command,
    stamp: &Stamp,
    now: Timestamp,
) -> Result<Verdict, Refusal> {
    let Some(license) = &ledger.license else {
        return match command {
            Command::Install(command) => install(ledger, command, now),
            Command::Uninstall | Command::Retain(_) | Command::Renew(_) | Command::Release(_) => {
                Err(Refusal::not_installed(ledger))
            }
        };
    };
    match command {
        Command::Install(command) => install(ledger, command, now),
        Command::Uninstall => uninstall(ledger, license),
        Command::Retain(command) => retain(ledger, command, stamp, now),
        Command::Renew(command) => renew(ledger, command, stamp),
        Command::Release(command) => release(ledger, command, stamp),
    }
}

fn retain(
    ledger: &Ledger,
    command: &Retain,
    stamp: &Stamp,
    now: Timestamp,
) -> Result<Verdict, Refusal> {
    let holding = ledger.permitted(&command.session, stamp.principal.as_ref())?;
    // Before anything that can expire: a session that holds a license keeps it, and a retry must
    // succeed.
    if let Some(holding) = holding
        && let Some(token) = holding.token_of(command.product)
    {
        let mut events = moved(holding.session, &command.session, stamp);
        if !ledger.is_described(holding, command.description.digest()) {
            let identity = Identity::Kept(command.description.clone());
            events.push(Event::Described { session: command.session.clone(), identity });
        }
        return Ok(Verdict { events, outcome: Outcome::Granted { token, new: false } });
    }
    let listed = ledger.products.get(&command.product).filter(|product| product.rights.is_some());
    let Some(product) = listed else {
        return Err(Refusal::UnknownProduct { product: command.product });
    };
    if let (Some(max_seats), Some(principal)) = (command.max_seats, &stamp.principal) {
        let held = ledger.seats(principal);
        if held >= max_seats {
            return Err(Refusal::OverMaximum { held, max_seats });
        }
    }
    let allowance = ledger.allowance(product, ledger.instant(now));
    if let Allowance::Expired { on: expired_on } = allowance {
        let name = product.name.clone();
        return Err(Refusal::LicenseExpired { product: command.product, name, expired_on });
    }
    if !allowance.grants(product.used) {
        return Err(Refusal::NoLicenseLeft {
            product: command.product,
            name: product.name.clone(),
            allowed_count: allowance.count(),
            used_count: product.used,
        });
    }
    // After this point the retention must succeed.
    let token = ledger.next_token();
    let mut events = match holding {
        Some(holding) => moved(holding.session, &command.session, stamp),
        None => Events::new(),
    };
    events.push(Event::Retained(Arc::new(Retained {
        session: command.session.clone(),
        product: command.product,
        product_name: product.name.clone(),
        used_count: product.used_by.by(&stamp.server) + 1,
        balance: allowance.balance(product.used + 1),
        global_used_count: product.used + 1,
        token,
        reason: command.reason.clone(),
        lease_seconds: command.lease_seconds,
        identity: Identity::Kept(command.description.clone()),
    })));
    Ok(Verdict { events, outcome: Outcome::Granted { token, new: true } })
}

fn renew(ledger: &Ledger, command: &Renew, stamp: &Stamp) -> Result<Verdict, Refusal> {
    let Some(holding) = ledger.permitted(&command.session, stamp.principal.as_ref())? else {
        let session = Some(command.session.clone());
        return Err(Refusal::NotRetained { session, product: None, token: None });
    };
    let mut events = moved(holding.session, &command.session, stamp);
    if let Some(state) = command.state.filter(|state| holding.session.state != Some(*state)) {
        events.push(Event::StateChanged { session: command.session.clone(), state });
    }
    Ok(Verdict { events, outcome: Outcome::Renewed })
}

fn release(ledger: &Ledger, command: &Release, stamp: &Stamp) -> Result<Verdict, Refusal> {
    let mut events = Events::new();
    let end = |Live { record, .. }: &Live| {
        events.push(Event::Released(Released {
            token: record.token,
            session: record.session.clone(),
            product: record.product,
            cause: command.cause,
            note: command.note.clone(),
        }));
    };
    match &command.target {
        Target::Token(token) => ledger.retentions.get(*token).into_iter().for_each(end),
        Target::Session { session, product, token } => {
            let holding = match command.cause {
                // This is an administrator's release, which may end what belongs to any principal.
                ReleaseCause::Revoked => ledger.holding(session),
                ReleaseCause::Released
                | ReleaseCause::LeaseExpired
                | ReleaseCause::ServerLost
                | ReleaseCause::Uninstalled => {
                    ledger.permitted(session, stamp.principal.as_ref())?
                }
            };
            let wanted = |Live { record, .. }: &&Live| {
                product.is_none_or(|product| record.product == product)
                    && token.is_none_or(|token| record.token == token)
            };
            if let Some(holding) = holding {
                holding.retentions(&ledger.retentions).filter(wanted).for_each(end);
            }
        }
    }
    if events.is_empty() {
        return Err(Refusal::not_retained(&command.target));
    }
    Ok(Verdict { events, outcome: Outcome::Released })
}

fn install(ledger: &Ledger, command: &Install, now: Timestamp) -> Result<Verdict, Refusal> {
    let license = &command.license;
    let replaced = ledger.license.as_deref();
    let continues = match (&command.replaces, replaced) {
        (None, None) => true,
        (Some(number), _) => ledger.bears(number),
        (None, Some(_)) => ledger.bears(license.number()),
    };
    if !continues {
        let number = command.replaces.clone().or_else(|| Some(license.number().to_owned()));
        return Err(Refusal::UnknownLicense { number });
    }
    let status = match replaced {
        None => InstallStatus::Installed,
        Some(replaced) if replaced.digest() == license.digest() => InstallStatus::Unchanged,
        Some(_) => InstallStatus::Replaced,
    };
    let outcome = Outcome::Installed(Box::new(InstallReceipt {
        license_number: license.number().to_owned(),
        status,
        signed: command.signed,
        document_digest: license.digest().to_wire(),
        products: changes(ledger, license, now),
        warnings: warnings(ledger, license, now),
    }));
    let events = match status {
        InstallStatus::Unchanged => Events::new(),
        InstallStatus::Installed | InstallStatus::Replaced => {
            let differs = |replaced: &&License| replaced.number() != license.number();
            let replaced_number = replaced.filter(differs).map(|replaced| replaced.number().into());
            let (license, signed) = (license.clone(), command.signed);
            smallvec![Event::Installed(Installed { license, replaced_number, signed })]
        }
    };
    Ok(Verdict { events, outcome })
}

fn uninstall(ledger: &Ledger, license: &License) -> Result<Verdict, Refusal> {
    let held = ledger.held_count();
    if held > 0 {
        return Err(Refusal::InUse { held });
    }
    let outcome = Outcome::Uninstalled(Box::new(UninstallReceipt {
        license_number: license.number().to_owned(),
        document_digest: license.digest().to_wire(),
    }));
    let events = smallvec![Event::Uninstalled { number: license.number().into() }];
    Ok(Verdict { events, outcome })
}

/// Each product before and after, in the order of the new license; what is gone comes last.
fn changes(ledger: &Ledger, license: &License, now: Timestamp) -> Vec<ProductChange> {
    let time = ledger.instant(now);
    let change = |product_id, product_name: &str, after: Allowance| {
        let before = ledger.products.get(&product_id);
        let held = before.map_or(0, |product| product.used);
        let allowed_before = before.map_or(0, |product| ledger.allowance(product, time).count());
        let over = match after {
            Allowance::Unlimited => 0,
            Allowance::Expired { .. } | Allowance::Limited(_) => held.saturating_sub(after.count()),
        };
        ProductChange {
            product_id,
            product_name: product_name.to_owned(),
            allowed_before: count(allowed_before),
            allowed_after: count(after.count()),
            held: count(held),
            over: count(over),
        }
    };
    let kept = license.grants.iter().map(|grant| {
        let after = Allowance::of(&grant.rights, license.expires, time);
        change(grant.product, &grant.name, after)
    });
    let listed: BTreeSet<ProductId> = license.grants.iter().map(|grant| grant.product).collect();
    let gone = ledger.listed_products().filter(|(id, _)| !listed.contains(id));
    let gone = gone.map(|(id, product)| change(id, &product.name, Allowance::Limited(0)));
    kept.chain(gone).collect()
}

/// Where the document's counters differ from what they are computed to be.
fn warnings(ledger: &Ledger, license: &License, now: Timestamp) -> Vec<String> {
    let time = ledger.instant(now);
    let mut warnings = Vec::new();
    for (index, (product, grant)) in license.info().products.iter().zip(&license.grants).enumerate()
    {
        let allowed = Allowance::of(&grant.rights, license.expires, time).count();
        let used = ledger.products.get(&grant.product).map_or(0, |product| product.used);
        let counters = [
            ("usedCount", product.used_count.get(), used),
            ("allowedCount", product.allowed_count.get(), allowed),
        ];
        for (name, claimed, computed) in counters {
            if claimed != computed {
                warnings.push(format!(
                    "/products/{index}/{name} says {claimed}; {computed} is computed and counts"
                ));
            }
        }
    }
    warnings
}

/// A session that comes through another server is served there from now on.
fn moved(session: &Session, id: &Arc<SessionId>, stamp: &Stamp) -> Events {
    if session.server == stamp.server {
        Events::new()
    } else {
        smallvec![Event::Moved { sessions: vec![id.clone()] }]
    }
}
