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
    pub(super) clients: usize,
    pub(super) offers: Vec<Offer>,
    pub(super) lease_seconds: u64,
    /// How long the trouble lasts, in milliseconds.
    pub(super) trouble: u64,
    pub(super) clocks: Clocks,
    /// A message is lost.
    pub(super) loss: u64,
    /// The most that a message takes, in milliseconds.
    pub(super) latency: u64,
    /// A turn fails before its commit.
    pub(super) fails: u64,
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
    /// A client waits in line.
    pub(super) waits: u64,
    /// A license is replaced, every ten seconds.
    pub(super) replaces: u64,
    /// What is kept of the past.
    pub(super) keep: Keep,
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
            servers: rng.usize(1..=3),
            libraries: rng.usize(0..=1),
            ledgers: rng.usize(1..=2),
            clients: rng.usize(3..=10),
            offers: vec![
                Offer { product: product("0009"), count: Some(rng.u64(2..=3)), ends: None },
                Offer { product: product("0025"), count: Some(1), ends: Some(midnight) },
                Offer { product: product("0007"), count: None, ends: None },
            ],
            waits: sometimes(rng, 700),
            replaces: sometimes(rng, 300),
            keep: Keep {
                snapshots: rng.u64(5..80),
                history: Duration::from_secs(rng.u64(160..300)),
                identities: rng.bool().then(|| Duration::from_secs(rng.u64(20..200))),
            },
            lease_seconds: if rng.bool() { 15 } else { 30 },
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
            chaos: sometimes(rng, 700),
            deaths: sometimes(rng, 300),
            restores: rng.u8(0..5) == 0,
        }
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
