//! Judges whole streams: one document or the records of many, in memory that does not grow.

mod stream;

use std::{num::NonZeroUsize, ops::AddAssign, sync::LazyLock};

use license_types::{Violation, schemas::Profile};
use memchr::memmem::Finder;
use serde_json::Value;

use crate::{
    breach, bytes, generated,
    malformed::{Malformed, Problem},
    place::Place,
    rules::{Rules, Ruling},
    text,
    units::{Cut, Role, Unit, Work},
    validator::{INFO, RETENTION, USAGE, UnknownSchema, Validator},
};

/// Bytes that one record may have, unless told otherwise.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes that a thread judges at a time.
const CHUNK_BYTES: NonZeroUsize = NonZeroUsize::new(1024 * 1024).expect("it is above zero");

/// Judges streams of JSON.
///
/// The schema is chosen by the shape of what is read, unless it is named: an array or null is a
/// usage report, an object with `products` a license info. A usage report is judged element by
/// element, NDJSON record by record, so memory holds one of them at a time, however long the
/// stream. Several values in one stream are NDJSON, also where they span lines.
///
/// A record that the fast way cannot accept is judged by the reference validator, and so is one in
/// 1024 of the others: that both agree is checked in passing ([`Notice::Disagreement`]).
///
/// ```
/// use std::ops::ControlFlow;
///
/// use license_validate::{Judge, Notice, Profile};
///
/// let report = br#"[
///     {"productId": 808464441, "productName": "4D Client", "productUsedCount": 1,
///      "productBalance": 9, "token": 1, "time": "2021-12-01T15:36+01:00", "reason": "CLIENT",
///      "session": {"userName": "Eve", "sessionID": 7, "IPAddress": "::1", "isDatastore": false}}
/// ]"#;
/// let mut found = Vec::new();
/// let summary = Judge::new(Profile::Observed).read(&report[..], |notice| {
///     if let Notice::Violation(violation) = notice {
///         found.push(format!("{}: {}", violation.instance_path, violation.message));
///     }
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(found, ["/0/session/sessionID: 7 is not a string"]);
/// assert_eq!((summary.records, summary.valid, summary.malformed), (1, 0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Judge {
    profile: Profile,
    schema: Option<&'static str>,
    masked: bool,
    lines: bool,
    record_bytes_max: usize,
    rules: Option<Rules>,
    jobs: NonZeroUsize,
    chunk_bytes: NonZeroUsize,
    reader: fn(&str, Profile) -> Option<bytes::Reader>,
}

/// What is told while a stream is read, in the order of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A record breaks a rule.
    Violation(Violation),
    /// A part of the stream is no record at all; reading goes on behind it where that can be told.
    Malformed(Malformed),
    /// The fast way accepts a record that the reference does not; the reference's violations
    /// follow and count. A fault of this crate, and never one of the record.
    Disagreement {
        /// Line of the record, from 1.
        line: u64,
        /// Column of the record in characters, from 1.
        column: u64,
    },
    /// So many bytes were read.
    Progress {
        /// Bytes from the start of the stream.
        bytes: u64,
    },
}

/// What was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that were judged: elements of a usage report, values of NDJSON, or the document.
    pub records: u64,
    /// Records without a violation.
    pub valid: u64,
    /// Violations of all records.
    pub violations: u64,
    /// Parts of the stream that are no records at all.
    pub malformed: u64,
    /// Records that the fast way and the reference judge differently.
    pub disagreements: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// What became of one unit.
struct Judgement {
    place: Place,
    /// Whether the fast way and the reference judge it differently.
    disagreed: bool,
    /// Places as the unit's own; pointers into it.
    violations: Vec<Violation>,
}

impl Judge {
    /// A judge that chooses the schema by the shape of what it reads.
    pub fn new(profile: Profile) -> Judge {
        Judge {
            profile,
            schema: None,
            masked: false,
            lines: false,
            record_bytes_max: RECORD_BYTES_MAX,
            rules: None,
            jobs: NonZeroUsize::MIN,
            chunk_bytes: CHUNK_BYTES,
            reader: generated::reader,
        }
    }

    /// Judges by the schema `name`; records of several are judged as records of that report.
    ///
    /// # Errors
    /// [`UnknownSchema`] where no schema of that name is embedded.
    pub fn schema(self, name: &str) -> Result<Judge, UnknownSchema> {
        Ok(Judge { schema: Some(Validator::new(name, self.profile)?.name()), ..self })
    }

    /// Keeps the values of documents out of messages.
    #[must_use]
    pub fn masked(self, masked: bool) -> Judge {
        Judge { masked, ..self }
    }

    /// Reads one record a line (NDJSON, JSON Lines), even if there is only one.
    #[must_use]
    pub fn lines(self, lines: bool) -> Judge {
        Judge { lines, ..self }
    }

    /// Bytes that one record may have; [`RECORD_BYTES_MAX`] by default. Memory for the text of a
    /// stream stays within a small multiple of it.
    #[must_use]
    pub fn record_bytes_max(self, record_bytes_max: usize) -> Judge {
        Judge { record_bytes_max, ..self }
    }

    /// Judges what the schema accepts by these rules too; see [`rules`](crate::rules).
    #[must_use]
    pub fn rules(self, rules: Rules) -> Judge {
        Judge { rules: Some(rules), ..self }
    }

    /// Threads that judge; 1 by default, which judges each record as soon as it is read. What is
    /// told is the same, in the same order, for any number. Rules of [`Judge::rules`] look at
    /// records in their order, so with them one thread judges.
    ///
    /// ```
    /// use std::{num::NonZeroUsize, ops::ControlFlow, thread::available_parallelism};
    ///
    /// use license_validate::{Judge, Profile};
    ///
    /// let jobs = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    /// let judge = Judge::new(Profile::Observed).jobs(jobs);
    /// let summary = judge.read(&b"[]"[..], |_| ControlFlow::Continue(()))?;
    /// assert_eq!(summary.violations, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn jobs(self, jobs: NonZeroUsize) -> Judge {
        Judge { jobs, ..self }
    }

    /// Bytes that each of several threads is given at a time; a megabyte by default. Four of these
    /// are in memory for each thread, at the most.
    #[must_use]
    pub fn chunk_bytes(self, chunk_bytes: NonZeroUsize) -> Judge {
        Judge { chunk_bytes, ..self }
    }

    /// Takes `reader` for the fast way of every schema, so that tests see what becomes of one that
    /// is wrong. It reads a value and returns what is left behind it.
    #[doc(hidden)]
    #[must_use]
    pub fn fast(self, reader: fn(&str, Profile) -> Option<bytes::Reader>) -> Judge {
        Judge { reader, ..self }
    }

    /// How streams are cut.
    fn cut(&self) -> Cut {
        Cut {
            lines: self.lines,
            elements: self.schema.is_none_or(|name| name == USAGE),
            limit: self.record_bytes_max,
        }
    }

    /// Rules look at the records of a stream in their order, each with its value.
    fn ruling(&self) -> Option<Ruling<'_>> {
        self.rules.as_ref().map(|rules| Ruling::new(rules, self.masked))
    }

    /// How the work is shared: rules need one thread.
    fn work(&self) -> Work {
        let jobs = if self.rules.is_some() { 1 } else { self.jobs.get() };
        Work { jobs, chunk_bytes: self.chunk_bytes.get() }
    }

    /// Judges one unit; what the fast way accepts is given to the reference too if it is a sample.
    fn unit(
        &self,
        unit: Unit,
        text: &[u8],
        is_sample: bool,
        ruling: Option<&mut Ruling<'_>>,
    ) -> Result<Judgement, Malformed> {
        let Unit { role, place } = unit;
        let accepted = bytes::accepts(|text| self.accept(role, text), text);
        if accepted && !is_sample {
            return Ok(Judgement { place, disagreed: false, violations: Vec::new() });
        }
        let mut value = text::parse(text, place)?;
        let unknown = || Problem::UnknownDocument.at(place);
        let name = self.schema_of(role, &value).ok_or_else(unknown)?;
        let validator = Validator::new(name, self.profile).expect("it is embedded");
        let validator = validator.masked(self.masked);
        let mut breaches = match role {
            Role::Element(_) => validator.element_breaches(&mut value),
            Role::Document | Role::Record => validator.breaches(&value),
        };
        let disagreed = accepted && !breaches.is_empty();
        if breaches.is_empty()
            && let Some(ruling) = ruling
        {
            breaches = ruling.judge(name, value);
        }
        Ok(Judgement { place, disagreed, violations: breach::violations(breaches, text, place) })
    }

    /// Reads a unit that is certainly valid; returns what is left behind it.
    fn accept<'a>(&self, role: Role, text: &'a [u8]) -> bytes::Rest<'a> {
        let name = match (role, self.schema) {
            (Role::Element(_) | Role::Record, None | Some(USAGE)) => RETENTION,
            (_, Some(name)) => name,
            (Role::Document, None) => return None,
        };
        // Rules want to see the value.
        let reader = (self.reader)(name, self.profile).filter(|_| self.rules.is_none())?;
        let rest = reader(text)?;
        // A record that has `products` is an info, if nothing else tells: see `schema_of`.
        static PRODUCTS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"products\""));
        let read = &text[..text.len() - rest.len()];
        let told = !matches!((role, self.schema), (Role::Record, None));
        (told || PRODUCTS.find(read).is_none()).then_some(rest)
    }

    /// The schema that judges `value`, unless nothing tells.
    fn schema_of(&self, role: Role, value: &Value) -> Option<&'static str> {
        let is_info = value.get("products").is_some();
        match (role, self.schema) {
            (Role::Element(_), _) => Some(USAGE),
            (Role::Record, Some(USAGE)) => Some(RETENTION),
            (Role::Document | Role::Record, Some(name)) => Some(name),
            (Role::Document | Role::Record, None) if is_info => Some(INFO),
            (Role::Record, None) => Some(RETENTION),
            (Role::Document, None) => (value.is_array() || value.is_null()).then_some(USAGE),
        }
    }
}

/// Adds what another stream gave.
impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.records += other.records;
        self.valid += other.valid;
        self.violations += other.violations;
        self.malformed += other.malformed;
        self.disagreements += other.disagreements;
        self.bytes += other.bytes;
    }
}
