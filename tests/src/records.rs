//! Records as servers export them, made up in any number: for what is measured.

use std::io::{self, Write};

use fastrand::Rng;

/// Makes records of the observed profile: three in five of 4D clients, one of SQL and one of REST.
/// About 430 bytes each; some names are not ASCII, some are escaped, one address in eight is IPv6.
pub struct Records {
    rng: Rng,
    made: u64,
}

impl Records {
    /// The same ones each time.
    pub fn new() -> Records {
        Records { rng: Rng::with_seed(7), made: 0 }
    }

    /// Writes the next record, without a line break.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.made += 1;
        let token = self.made;
        let rng = &mut self.rng;
        let mut count = || rng.u32(..1000);
        let (used, balance, global) = (count(), count(), count());
        let (hour, minute) = (rng.u8(..24), rng.u8(..60));
        write!(
            out,
            r#"{{"productId":808464441,"productName":"4D Client","productUsedCount":{used},"productBalance":{balance},"globalProductUsedCount":{global},"token":{token},"time":"2024-03-1{}T{hour:02}:{minute:02}:42+01:00","reason":"CLIENT","session":{}}}"#,
            rng.u8(..10),
            session(rng, token),
        )
    }

    /// So many records as NDJSON.
    pub fn lines(count: usize) -> Vec<u8> {
        let mut records = Records::new();
        let mut lines = Vec::new();
        for _ in 0..count {
            records.write(&mut lines).expect("a vector takes all");
            lines.push(b'\n');
        }
        lines
    }
}

impl Default for Records {
    fn default() -> Records {
        Records::new()
    }
}

fn session(rng: &mut Rng, token: u64) -> String {
    const USERS: [&str; 6] =
        ["Ann Example", "Bob", "Zoé Müller", "eve.adams", r#"J \"R\" Smith"#, "山田"];
    let user = rng.choice(USERS).unwrap();
    let address = match rng.u8(..8) {
        0 => format!("2001:db8::{:x}:{:x}", rng.u16(..), rng.u16(..)),
        _ => format!("192.168.{}.{}", rng.u8(..), rng.u8(..)),
    };
    match rng.u8(..10) {
        0..6 => {
            let [kind, host, state] = [
                &["remote", "remote", "web", "rest"][..],
                &["windows", "mac", "browser"],
                &["active", "postponed", "sleeping"],
            ]
            .map(|words| *rng.choice(words).unwrap());
            let (machine, account) =
                (rng.u16(..), rng.choice(["ann", "bob.builder", "eve"]).unwrap());
            let (minute, millisecond) = (rng.u8(..60), rng.u16(..1000));
            let [id, persistent] = [rng.u128(..), rng.u128(..)];
            format!(
                r#"{{"type":"{kind}","userName":"{user}","machineName":"WS-{machine}","systemUserName":"{account}","IPAddress":"{address}","hostType":"{host}","creationDateTime":"2024-03-09T15:{minute:02}:40.{millisecond:03}Z","state":"{state}","ID":"{id:032X}","persistentID":"{persistent:032X}","licenseToken":{token}}}"#
            )
        }
        6..8 => format!(
            r#"{{"IPAddress":"{address}","userAgent":"4D_SQL_Server/20.1 (ODBC driver)","userName":"{user}","userId":{}}}"#,
            rng.u16(..)
        ),
        _ => format!(
            r#"{{"userName":"{user}","sessionID":"{:032X}","IPAddress":"{address}","isDatastore":{}}}"#,
            rng.u128(..),
            rng.bool()
        ),
    }
}
