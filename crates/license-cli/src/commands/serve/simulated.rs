//! Simulated clients of the demo, which come and go, so that there is something to look at.

use std::collections::VecDeque;
use std::time::Duration;

use license_pool::{Pool, SAMPLE_LICENSE, Seat, Session};

use crate::failure::Failure;
use crate::store::failure;

/// How often a client comes or goes.
const PACE: Duration = Duration::from_millis(700);

/// Made-up users.
const USERS: [&str; 8] = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gwen", "Hugo"];
/// Products of the sample license; the SQL connection is the only one of its kind.
const PRODUCTS: [&str; 5] = ["0009", "0009", "0009", "0007", "0025"];
/// How many seats are held at most, which is about what the sample license grants.
const SEATS: usize = 14;

/// Clients of the demo.
pub(super) struct Clients {
    pool: Pool,
    seats: VecDeque<Seat>,
    waited: Duration,
    came: u64,
}

impl Clients {
    /// Installs the sample license, and lets the first clients come.
    pub(super) fn of(pool: &Pool) -> Result<Clients, Failure> {
        pool.install(SAMPLE_LICENSE.as_bytes()).map_err(|error| failure(&error))?;
        let mut clients =
            Clients { pool: pool.clone(), seats: VecDeque::new(), waited: Duration::ZERO, came: 0 };
        for _ in 0..SEATS / 2 {
            clients.come();
        }
        Ok(clients)
    }

    /// Lets this time pass, in which a client may come or go.
    pub(super) fn come_and_go(&mut self, time: Duration) {
        self.waited += time;
        if self.waited < PACE {
            return;
        }
        self.waited = Duration::ZERO;
        let leaves = fastrand::usize(..=SEATS) < self.seats.len();
        if leaves {
            self.seats.pop_front();
        } else {
            self.come();
        }
    }

    fn come(&mut self) {
        self.came += 1;
        let user = USERS[fastrand::usize(..USERS.len())];
        let product = PRODUCTS[fastrand::usize(..PRODUCTS.len())];
        let session = format!("demo-{}", self.came);
        let address = format!("192.0.2.{}", fastrand::u8(1..255));
        // A refusal is part of what the demo shows.
        let seat = self.pool.retain(product, &session, Session::rest(user, &session, address));
        self.seats.extend(seat);
    }
}
