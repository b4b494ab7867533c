//! The validator of bytes against the reference, on documents that are made up.
//!
//! Every document comes from a seed: a value that its schema describes, written in some of the many
//! ways that JSON has, and then damaged, or not. What the bytes' validator accepts, the reference
//! must find valid; and whatever a document is, [`Validator::check`] and
//! [`Judge`](license_validate::Judge) must say of it what they say without that shortcut.

mod damage;
mod generate;
mod node;
mod sample;
mod streams;

use std::{fmt, ops::AddAssign};

use fastrand::Rng;
use license_types::schemas::{self, Profile};
use license_validate::Validator;
use serde_json::Value;

pub use streams::{compare_judges, compare_streams};

/// A schema in a profile, and both judges of it.
pub struct Subject {
    name: &'static str,
    profile: Profile,
    schema: Value,
    reference: jsonschema::Validator,
    validator: Validator,
}

/// What a number of documents turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Valid, and accepted by their bytes.
    pub accepted: u64,
    /// Valid, but left to the reference.
    pub doubted: u64,
    /// JSON, but not valid.
    pub invalid: u64,
    /// No JSON.
    pub malformed: u64,
}

/// Two judges that disagree on a document.
#[derive(Debug)]
pub struct Disagreement {
    /// The seed that makes the document.
    pub seed: u64,
    what: String,
    document: Vec<u8>,
}

impl Subject {
    /// The reference and the validator of one embedded schema.
    pub fn new(name: &'static str, profile: Profile) -> Subject {
        let schema: Value = serde_json::from_str(schemas::text(name, profile).unwrap()).unwrap();
        let options = jsonschema::options().should_validate_formats(true);
        let reference = options.build(&schema).unwrap();
        Subject {
            name,
            profile,
            schema,
            reference,
            validator: Validator::new(name, profile).unwrap(),
        }
    }

    /// Every embedded schema in every profile that it has.
    pub fn all() -> Vec<Subject> {
        let names = schemas::NAMES.iter().copied();
        let subjects = names.flat_map(|name| Profile::ALL.map(|profile| (name, profile)));
        let text = |profile, name| schemas::text(name, profile);
        subjects
            .filter(|&(name, profile)| {
                profile == Profile::Documented
                    || text(profile, name) != text(Profile::Documented, name)
            })
            .map(|(name, profile)| Subject::new(name, profile))
            .collect()
    }

    /// Judges a document in every way and says what it is.
    ///
    /// # Errors
    /// What disagrees, in words.
    pub fn judge(&self, document: &[u8], thorough: bool) -> Result<Tally, String> {
        let accepted = self.validator.accepts(document);
        let value = serde_json::from_slice::<Value>(document).ok();
        let valid = value.as_ref().map(|value| self.reference.is_valid(value));
        if accepted && valid != Some(true) {
            return Err(format!("is accepted by {self}, but is {valid:?}"));
        }
        // A byte-order mark is skipped, but no parser takes it.
        if thorough && !document.starts_with(b"\xef\xbb\xbf") {
            let checked = self.validator.check(document).ok().map(|found| found.is_empty());
            if checked != valid {
                return Err(format!("is {checked:?} to `check` by {self}, but is {valid:?}"));
            }
        }
        let one = |is: bool| u64::from(is);
        Ok(Tally {
            accepted: one(accepted),
            doubted: one(valid == Some(true) && !accepted),
            invalid: one(valid == Some(false)),
            malformed: one(valid.is_none()),
        })
    }
}

/// The profile and the name of the schema.
impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.profile, self.name)
    }
}

/// Makes a document from each of the seeds and has it judged.
///
/// # Errors
/// The first one on which judges disagree.
pub fn compare(
    subjects: &[Subject],
    seeds: impl IntoIterator<Item = u64>,
) -> Result<Tally, Disagreement> {
    let mut tally = Tally::default();
    for seed in seeds {
        let mut rng = Rng::with_seed(seed);
        let subject = &subjects[rng.usize(..subjects.len())];
        let document = document(subject, &mut rng);
        // `check` repeats the work of the reference: now and then is enough.
        let thorough = rng.u8(..32) == 0;
        match subject.judge(&document, thorough) {
            Ok(one) => tally += one,
            Err(what) => return Err(Disagreement { seed, what, document }),
        }
    }
    Ok(tally)
}

fn document(subject: &Subject, rng: &mut Rng) -> Vec<u8> {
    let oddity = if rng.bool() { 0.0 } else { 0.06 * rng.f64() };
    let node = generate::Generator::new(&subject.schema, rng, oddity).document();
    let mut document = node.written(rng);
    // Most documents stay as they are.
    for _ in 0..rng.u8(..8).saturating_sub(4) {
        damage::damage(&mut document, rng);
    }
    document
}

impl Tally {
    /// Documents in all.
    pub fn documents(&self) -> u64 {
        self.accepted + self.doubted + self.invalid + self.malformed
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.accepted += other.accepted;
        self.doubted += other.doubted;
        self.invalid += other.invalid;
        self.malformed += other.malformed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { accepted, doubted, invalid, malformed } = self;
        write!(
            out,
            "{} documents: {accepted} valid and accepted by their bytes, {doubted} valid and left \
             to the reference, {invalid} invalid, {malformed} malformed",
            self.documents()
        )
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disagreement { seed, what, document } = self;
        let text = document.escape_ascii();
        write!(
            out,
            "the document of seed {seed} {what}: {text}\nagain: cargo run -p license-tests --bin \
             differential -- --seed {seed} --documents 1"
        )
    }
}
