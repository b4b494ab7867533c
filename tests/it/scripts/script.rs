//! The format of the ledger scripts: one command a line in the words of the command line, then what
//! is expected of it after `=>`, with further lines of an answer below each other.
//!
//! ```text
//! # A second client waits for the first
//! at 2026-01-05T10:00:00Z
//! license 0009=1                            => installed
//! retain --product 0009 --session S1        => token=1 used=1 balance=0
//! retain --product 0009 --session S2        => no_license_left allowed=1 used=1
//! ```
//!
//! - `license 0009=5@2035-02-01+10 0005=unlimited expires=2036-01-01` installs a document with those
//!   grants; `number=` names it, `replaces=` the one before, `claims=USED/ALLOWED` what it says of
//!   each product's counters (by default the truth).
//! - `--describe NAME` is the session in `sessions/NAME.json`.
//! - `at INSTANT` sets the clock; `restart` drops memory and reads the log again.
//! - `needs servers`, `needs principals` above the first command: engines that cannot act as several
//!   skip the file. `on SERVER` and `as PRINCIPAL[:MAXIMUM]` before a command say who acts.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Date, tz::Offset};
use license_types::{ProductId, Session, SessionId, SessionState, Token};
use serde_json::{Value, json};

use super::data;

pub(crate) struct Script {
    pub(crate) needs: Vec<Need>,
    pub(crate) lines: Vec<Line>,
}

/// What not every engine can do.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Need {
    /// Act as several servers of one store.
    Servers,
    /// Act for several principals.
    Principals,
}

pub(crate) enum Line {
    /// A comment, a blank line or a header, kept as it is.
    Prose(String),
    /// A command, as it stands on the page and parsed. Its answers are not kept: the page is
    /// rendered again with what an engine answers, and compared as a whole.
    Step { text: String, step: Box<Step> },
}

/// One command, in the words of the command line and parsed.
pub(crate) struct Step {
    /// Who acts, where the script says so.
    pub(crate) server: Option<String>,
    pub(crate) principal: Option<Principal>,
    /// The words of the command line. An engine that takes them as they are replaces the name after
    /// `--describe` by a file.
    pub(crate) words: Vec<String>,
    pub(crate) operation: Operation,
}

pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) max_seats: Option<u64>,
}

pub(crate) enum Operation {
    At(Timestamp),
    Restart,
    Install {
        document: Document,
        replaces: Option<String>,
    },
    Retain {
        product: ProductId,
        session: SessionId,
        reason: Option<String>,
        describe: Option<Session>,
    },
    Renew {
        session: SessionId,
        state: Option<SessionState>,
    },
    Release {
        session: SessionId,
        product: Option<ProductId>,
        token: Option<Token>,
    },
    ReleaseToken(Token),
    Usage {
        server: Option<String>,
    },
    Info,
    Available(ProductId),
    History,
}

/// The short form of a license. Its counters are filled in when it is installed.
pub(crate) struct Document {
    number: String,
    expires: Option<Date>,
    claims: Option<(u64, u64)>,
    grants: Vec<(ProductId, Vec<Right>)>,
}

/// A count, and the last day on which it is valid.
type Right = (u64, Option<Date>);

impl Document {
    /// The document as a license file has it; `used` gives the live count of a product.
    pub(crate) fn json(&self, now: Timestamp, used: impl Fn(ProductId) -> u64) -> String {
        let today = Offset::UTC.to_datetime(now).date();
        let valid = |date: &Option<Date>| date.is_none_or(|date| date >= today);
        let products = self.grants.iter().map(|(id, rights)| {
            let counts = rights.iter().filter(|(_, date)| valid(date) && valid(&self.expires));
            let unlimited = counts.clone().any(|(count, _)| *count == 32767);
            let sum = if unlimited { 32767 } else { counts.map(|(count, _)| count).sum() };
            let (used, allowed) = self.claims.unwrap_or((used(*id), sum));
            let rights = rights.iter().map(|(count, date)| match date {
                Some(date) => json!({"count": count, "expirationDate": calendar(*date)}),
                None => json!({"count": count}),
            });
            json!({
                "id": id.get(),
                "name": id.known_name().map_or_else(|| format!("Product {id}"), str::to_owned),
                "usedCount": used,
                "allowedCount": allowed,
                "rights": rights.collect::<Vec<_>>(),
            })
        });
        let mut document = json!({
            "name": "4D Server v20",
            "key": 1,
            "licenseNumber": self.number,
            "version": "20",
            "userName": "Ann Example",
            "userMail": "ann@example.com",
            "companyName": "Example Ltd",
            "platforms": ["macOS", "windows"],
            "products": products.collect::<Vec<_>>(),
        });
        if let Some(date) = self.expires {
            document["expirationDate"] = calendar(date);
        }
        serde_json::to_string_pretty(&document).unwrap()
    }
}

fn calendar(date: Date) -> Value {
    json!({"day": date.day(), "month": date.month(), "year": date.year()})
}

impl Script {
    /// Reads a script; panics with the line that cannot be read.
    pub(crate) fn parse(name: &str, text: &str) -> Script {
        let mut script = Script { needs: Vec::new(), lines: Vec::new() };
        for (index, text) in text.lines().enumerate() {
            let command = text.split("=>").next().unwrap_or_default().trim();
            if command.is_empty() && text.contains("=>") {
                continue;
            }
            if let Some(needs) = command.strip_prefix("needs ") {
                script.needs.extend(needs.split_whitespace().map(|need| match need {
                    "servers" => Need::Servers,
                    "principals" => Need::Principals,
                    other => panic!("{name}:{}: cannot need `{other}`", index + 1),
                }));
                script.lines.push(Line::Prose(text.to_owned()));
            } else if command.is_empty() || command.starts_with('#') {
                script.lines.push(Line::Prose(text.to_owned()));
            } else {
                let step = Step::parse(command)
                    .unwrap_or_else(|| panic!("{name}:{}: cannot read `{command}`", index + 1));
                let (text, step) = (command.to_owned(), Box::new(step));
                script.lines.push(Line::Step { text, step });
            }
        }
        script
    }

    /// The script as text, with the answers that `answer` gives to its steps.
    pub(crate) fn render(&self, mut answer: impl FnMut(&Step) -> Vec<String>) -> String {
        let mut page = String::new();
        for line in &self.lines {
            match line {
                Line::Prose(text) => writeln!(page, "{text}").unwrap(),
                Line::Step { text, step } => {
                    let answers = answer(step);
                    if answers.is_empty() {
                        writeln!(page, "{text}").unwrap();
                    }
                    for (index, answer) in answers.iter().enumerate() {
                        let command = if index == 0 { text } else { "" };
                        writeln!(page, "{command:<41} => {answer}").unwrap();
                    }
                }
            }
        }
        page
    }
}

impl Step {
    /// Reads one command.
    pub(crate) fn parse(text: &str) -> Option<Step> {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let mut prefix =
            |word: &str| (words.first()? == word).then(|| words.drain(..2).nth(1)).flatten();
        let server = prefix("on");
        let principal = prefix("as").map(|text| match text.split_once(':') {
            Some((name, max)) => {
                Principal { name: name.to_owned(), max_seats: Some(max.parse().unwrap()) }
            }
            None => Principal { name: text, max_seats: None },
        });
        let operation = Operation::parse(&words)?;
        Some(Step { server, principal, words, operation })
    }
}

impl Operation {
    fn parse(words: &[String]) -> Option<Operation> {
        let (command, rest) = words.split_first()?;
        let option = |name: &str| {
            let at = rest.iter().position(|word| word.strip_prefix("--") == Some(name))?;
            rest.get(at + 1).cloned()
        };
        let product = || option("product").map(|id| id.parse().unwrap());
        let session = || option("session").map(|id| id.parse().unwrap());
        let token = || option("token").map(|token| Token::new(token.parse().unwrap()).unwrap());
        Some(match command.as_str() {
            "at" => Operation::At(rest.first()?.parse().ok()?),
            "restart" => Operation::Restart,
            "license" => {
                let value = |name: &str| rest.iter().find_map(|word| word.strip_prefix(name));
                let replaces = value("replaces=").map(str::to_owned);
                Operation::Install { document: Document::parse(rest)?, replaces }
            }
            "retain" => Operation::Retain {
                product: product()?,
                session: session()?,
                reason: option("reason"),
                describe: option("describe").map(|name| data::session(&name)),
            },
            "renew" => Operation::Renew {
                session: session()?,
                state: option("state").map(|state| state.parse().unwrap()),
            },
            "release" => match session() {
                Some(session) => Operation::Release { session, product: product(), token: token() },
                None => Operation::ReleaseToken(token()?),
            },
            "usage" => Operation::Usage { server: option("server-name") },
            "info" => Operation::Info,
            "available" => Operation::Available(rest.first()?.parse().ok()?),
            "history" => Operation::History,
            _ => return None,
        })
    }
}

impl Document {
    fn parse(words: &[String]) -> Option<Document> {
        let mut document =
            Document { number: "TEST-1".into(), expires: None, claims: None, grants: Vec::new() };
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "number" => document.number = value.to_owned(),
                "replaces" => {}
                "expires" => document.expires = Some(value.parse().ok()?),
                "claims" => {
                    let (used, allowed) = value.split_once('/')?;
                    document.claims = Some((used.parse().ok()?, allowed.parse().ok()?));
                }
                product => {
                    let rights = value.split('+').filter(|right| !right.is_empty());
                    let rights = rights.map(|right| {
                        let (count, date) = match right.split_once('@') {
                            Some((count, date)) => (count, Some(date.parse().unwrap())),
                            None => (right, None),
                        };
                        let unlimited = count == "unlimited";
                        (if unlimited { 32767 } else { count.parse().unwrap() }, date)
                    });
                    document.grants.push((product.parse().ok()?, rights.collect()));
                }
            }
        }
        Some(document)
    }
}
