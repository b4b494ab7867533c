//! What a seed makes of the world: how many take part, and how badly things go.

use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use license_types::ProductId;

use super::Planted;
use super::truth::Offer;

/// How clocks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clocks {
    /// They show the true time.
    True,
    /// They are set by up to half an hour now and then.
    Wander,
    /// They are set by up to a day now and then.
    Jump,
    /// One shows the year 2099 for a minute.
    FarFuture,
    /// One is set back by a year, and stays there.
    Back,
}

const SERVERS_MAX: usize = 3;
const LIBRARIES_MAX: usize = 1;

/// And a console.
const PROCESSES_MAX: usize = SERVERS_MAX + LIBRARIES_MAX + 1;

/// Leases that are asked for, in seconds.
const LEASES: [u64; 5] = [15, 30, 17, 22, 60];

/// The circumstances of one run; probabilities are in a thousand.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) begin: Timestamp,
    /// Servers that adopt what others leave behind.
    pub(super) servers: usize,
    /// Processes that a library serves; the last process of all is a console, where somebody types
    /// single commands.
    pub(super) libraries: usize,
    pub(super) ledgers: usize,
    /// How many connections each server has, over which it spreads the ledgers.
    pub(super) connections: u8,
    pub(super) clients: usize,
    pub(super) offers: Vec<Offer>,
    /// Lease and grace of each process, in seconds.
    pub(super) terms: Vec<Term>,
    /// The leases that clients ask for, in seconds.
    pub(super) leases: Vec<u64>,
    /// How long the trouble lasts, in milliseconds.
    pub(super) trouble: u64,
    pub(super) clocks: Clocks,
    /// A message is lost.
    pub(super) loss: u64,
    /// The most that a message takes, in milliseconds.
    pub(super) latency: u64,
    /// A turn fails before its commit.
    pub(super) fails: u64,
    /// The store takes its time in the middle of a step.
    pub(super) stalls: u64,
    /// Somebody says that the clock of a server is right, every ten seconds.
    pub(super) corrects: u64,
    /// A commit gets no answer.
    pub(super) unanswered: u64,
    /// A server crashes within a turn.
    pub(super) crashes: u64,
    /// Something happens to a server or the store, every ten seconds.
    pub(super) chaos: u64,
    /// A client dies without a word, when it holds a license.
    pub(super) deaths: u64,
    /// Whether the store may go back to an earlier state of itself.
    pub(super) restores: bool,
    /// A client is renewed in a list with others.
    pub(super) lists: u64,
    /// A client waits in line.
    pub(super) waits: u64,
    /// A license is replaced or uninstalled, every ten seconds.
    pub(super) replaces: u64,
    /// How long a session is kept that sleeps, in seconds.
    pub(super) sleep: u64,
    /// No principal holds more licenses than these of a ledger.
    pub(super) max_seats: Option<u64>,
    /// What is kept of the past.
    pub(super) keep: Keep,
}

/// How long a process is believed to live though it is silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) lease: u64,
    pub(super) grace: u64,
}

/// What every server keeps of the past.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// A snapshot is due after so many entries.
    pub(super) snapshots: u64,
    /// Longer than anybody is frozen.
    pub(super) history: Duration,
    pub(super) identities: Option<Duration>,
}

impl Scenario {
    pub(super) fn new(rng: &mut Rng, planted: Option<Planted>) -> Scenario {
        let midnight: Timestamp = "2026-01-06T00:00:00Z".parse().expect("a valid instant");
        let begin = midnight - SignedDuration::from_secs(rng.i64(30..200));
        let product = |text: &str| text.parse::<ProductId>().expect("a product id");
        let clocks = match planted {
            Some(Planted::LeaseByWallClock) => Clocks::Jump,
            Some(Planted::FarFutureBelieved) => Clocks::FarFuture,
            Some(Planted::TimeStandsStill) => Clocks::Back,
            _ => match rng.u8(0..10) {
                0..5 => Clocks::True,
                5..7 => Clocks::Wander,
                7 => Clocks::Jump,
                8 => Clocks::FarFuture,
                _ => Clocks::Back,
            },
        };
        let sometimes = |rng: &mut Rng, upto: u64| if rng.bool() { rng.u64(0..=upto) } else { 0 };
        Scenario {
            begin,
            servers: rng.usize(1..=SERVERS_MAX),
            libraries: rng.usize(0..=LIBRARIES_MAX),
            ledgers: rng.usize(1..=2),
            connections: if rng.bool() { 1 } else { rng.u8(2..=3) },
            clients: rng.usize(3..=10),
            offers: vec![
                Offer { product: product("0009"), count: Some(rng.u64(2..=3)), ends: None },
                Offer { product: product("0025"), count: Some(1), ends: Some(midnight) },
                Offer { product: product("0007"), count: None, ends: None },
            ],
            waits: sometimes(rng, 700),
            lists: sometimes(rng, 500),
            replaces: sometimes(rng, 300),
            sleep: rng.u64(30..100),
            max_seats: (rng.u8(0..4) == 0).then(|| rng.u64(1..=3)),
            keep: Keep {
                snapshots: rng.u64(5..80),
                history: Duration::from_secs(rng.u64(160..300)),
                identities: rng.bool().then(|| Duration::from_secs(rng.u64(20..200))),
            },
            terms: {
                let differ = rng.bool();
                let lease = LEASES[rng.usize(0..2)];
                let mut term = |_| match differ {
                    true => Term { lease: rng.choice(LEASES).unwrap_or(15), grace: rng.u64(1..60) },
                    false => Term { lease, grace: lease },
                };
                (0..PROCESSES_MAX).map(&mut term).collect()
            },
            leases: if rng.bool() { LEASES.to_vec() } else { vec![15, 30] },
            trouble: rng.u64(60_000..400_000),
            clocks,
            loss: sometimes(rng, 150),
            latency: if rng.bool() { 20 } else { 2_000 },
            fails: sometimes(rng, 100),
            unanswered: match planted {
                Some(Planted::UnknownTakenForFailed) => 100,
                _ => sometimes(rng, 100),
            },
            crashes: sometimes(rng, 30),
            stalls: sometimes(rng, 30),
            corrects: match clocks {
                // Nobody takes such a clock for right.
                Clocks::FarFuture | Clocks::Back => 0,
                Clocks::True | Clocks::Wander | Clocks::Jump => sometimes(rng, 200),
            },
            chaos: sometimes(rng, 700),
            deaths: sometimes(rng, 300),
            restores: rng.u8(0..5) == 0,
        }
    }

    /// So long after a process fell silent what it served is free at the latest, in milliseconds: others
    /// notice it, and leases begin afresh there.
    pub(super) fn free_after(&self) -> u64 {
        let borne = self.terms.iter().map(|term| term.lease + term.grace).max();
        let looks = self.terms.iter().map(|term| term.lease.div_ceil(3)).max();
        let lease = self.leases.iter().copied().chain([self.sleep]).max();
        1_000 * [borne, looks, lease, Some(2)].into_iter().flatten().sum::<u64>()
    }

    /// Other offers, for a license that replaces the first.
    pub(super) fn others(&self, rng: &mut Rng) -> Vec<Offer> {
        let mut offers = self.offers.clone();
        offers[0].count = Some(rng.u64(1..=4));
        if rng.u8(0..3) == 0 {
            offers.remove(1);
        }
        offers
    }
}

/// The document of a license.
pub(super) fn document(number: &str, offers: &[Offer]) -> String {
    let products: Vec<String> = offers.iter().map(product).collect();
    format!(
        r#"{{"name": "Simulated", "key": 1, "licenseNumber": "{number}", "version": "20",
        "userName": "", "userMail": "", "companyName": "", "platforms": [],
        "products": [{}]}}"#,
        products.join(", ")
    )
}

/// The license number of a simulated ledger.
pub(super) fn number(ledger: usize) -> String {
    format!("SIM-{}", ledger + 1)
}

fn product(offer: &Offer) -> String {
    let count = offer.count.unwrap_or(32_767);
    let expires = match offer.ends {
        Some(_) => r#", "expirationDate": {"day": 5, "month": 1, "year": 2026}"#,
        None => "",
    };
    format!(
        r#"{{"id": {id}, "name": "Product {id}", "usedCount": 0, "allowedCount": {count},
        "rights": [{{"count": {count}{expires}}}]}}"#,
        id = offer.product
    )
}
