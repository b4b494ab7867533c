//! Judges the units of a stream and tells what it finds in their order, with any number of threads.

use std::{
    cell::Cell,
    io::{self, Read},
    ops::ControlFlow,
    thread,
};

use super::{Judge, Judgement, Notice, Summary};
use crate::{
    breach,
    bytes::Rest,
    malformed::Malformed,
    place::Place,
    units::{Ahead, Between, Part, Role, Units, Work},
};

/// Of so many records, one that the fast way accepts is given to the reference too.
const SAMPLE: u64 = 1024;

/// Violations that a thread finds ahead, at the most: what it finds is kept until its turn.
const AHEAD_MAX: usize = 4 * 1024;

/// A unit that was looked at closely, with its index.
type Judged = (Option<u64>, Judgement);

/// What is done with the text of each valid unit.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

impl Judge {
    /// Judges all that `reader` gives, or until `tell` breaks off.
    ///
    /// # Errors
    /// Those of `reader`; what is wrong with the bytes is told, and counted in the summary.
    pub fn read(
        &self,
        reader: impl Read,
        tell: impl FnMut(Notice) -> ControlFlow<()>,
    ) -> io::Result<Summary> {
        self.read_all(reader, self.work(), tell, None)
    }

    /// The same, and gives the text of each valid record to `take`, in the order of the stream: of
    /// elements of a usage report, of values of NDJSON, or of the document. One thread judges.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use license_validate::{Judge, Profile};
    ///
    /// let archive = b"{\"state\": \"active\"}\n{\"state\": \"gone\"}\n{}\n";
    /// let judge = Judge::new(Profile::Documented).lines(true).schema("renew-request")?;
    /// let mut valid = Vec::new();
    /// let summary = judge.read_valid(&archive[..], |_| ControlFlow::Continue(()), |record| {
    ///     valid.push(record.to_vec());
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(valid, [&b"{\"state\": \"active\"}"[..], b"{}"]);
    /// assert_eq!((summary.records, summary.valid), (3, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of `reader`; what is wrong with the bytes is told, and counted in the summary.
    pub fn read_valid(
        &self,
        reader: impl Read,
        tell: impl FnMut(Notice) -> ControlFlow<()>,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> io::Result<Summary> {
        let work = Work { jobs: 1, ..self.work() };
        self.read_all(reader, work, tell, Some(&mut take))
    }

    fn read_all(
        &self,
        reader: impl Read,
        work: Work,
        mut tell: impl FnMut(Notice) -> ControlFlow<()>,
        mut take: Option<Take<'_>>,
    ) -> io::Result<Summary> {
        let part = |between, bytes: &[u8]| self.part(between, bytes);
        thread::scope(|scope| {
            let ahead = Ahead::new(reader, work, scope, &part);
            let mut units = Units::new(ahead, self.cut());
            let mut ruling = self.ruling();
            let mut summary = Summary::default();
            let seen = Cell::new(0);
            loop {
                let told = match units.judged_ahead() {
                    Some((base, first, part)) => summary.count_part(part, base, first, &mut tell),
                    None => {
                        if take.is_none() {
                            summary.pass(units.pass(|role, text| self.pass(role, text, &seen)));
                        }
                        let Some(unit) = units.next()? else { break };
                        let index = unit.as_ref().ok().and_then(|unit| unit.role.index());
                        let judged = unit.and_then(|unit| {
                            self.unit(unit, units.text(), is_sample(&seen), ruling.as_mut())
                        });
                        let is_valid = judged.as_ref().is_ok_and(|it| it.violations.is_empty());
                        let told = summary.count(judged, Place::START, index, &mut tell);
                        match &mut take {
                            Some(take) if is_valid && told.is_continue() => take(units.text()),
                            _ => told,
                        }
                    }
                };
                let bytes = units.read();
                let advanced = summary.bytes < bytes;
                summary.bytes = bytes;
                if told.is_break() || (advanced && tell(Notice::Progress { bytes }).is_break()) {
                    break;
                }
            }
            summary.bytes = units.read();
            Ok(summary)
        })
    }

    /// Judges bytes that are taken to begin between two units, up to the first thing that is not
    /// plainly another such unit: the end of the stream, or what is malformed, as the last unit is
    /// if the bytes end inside it. Many violations end it too.
    fn part(&self, between: Between, bytes: &[u8]) -> Part<Judged> {
        let mut units = Units::within(bytes, self.cut(), between);
        let seen = Cell::new(0);
        let mut part = Part { end: (0, Place::START), passed: 0, judged: Vec::new() };
        let mut violations = 0;
        loop {
            part.passed += units.pass(|role, text| self.pass(role, text, &seen));
            part.end = units.end();
            if violations >= AHEAD_MAX {
                return part;
            }
            let Ok(Some(Ok(unit))) = units.next() else { return part };
            if units.between() != Some(between) {
                return part;
            }
            match self.unit(unit, units.text(), is_sample(&seen), None) {
                Ok(judgement) => {
                    violations += judgement.violations.len();
                    part.judged.push((unit.role.index(), judgement));
                }
                Err(_) => return part,
            }
        }
    }

    /// Reads a unit that is certainly valid, unless it is a sample.
    fn pass<'a>(&self, role: Role, text: &'a [u8], seen: &Cell<u64>) -> Rest<'a> {
        if (seen.get() + 1).is_multiple_of(SAMPLE) {
            return None;
        }
        let rest = self.accept(role, text)?;
        seen.set(seen.get() + 1);
        Some(rest)
    }
}

/// Counts a unit that is looked at closely; whether it is a sample.
fn is_sample(seen: &Cell<u64>) -> bool {
    seen.set(seen.get() + 1);
    seen.get().is_multiple_of(SAMPLE)
}

impl Summary {
    fn pass(&mut self, records: u64) {
        self.records += records;
        self.valid += records;
    }

    /// Counts what was judged ahead, and tells it: a part that begins at `base`, where `first` is to
    /// be added to the indexes of its units.
    fn count_part(
        &mut self,
        part: Part<Judged>,
        base: Place,
        first: u64,
        mut tell: impl FnMut(Notice) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.pass(part.passed);
        part.judged.into_iter().try_for_each(|(index, judgement)| {
            let index = index.map(|index| first + index);
            self.count(Ok(judgement), base, index, &mut tell)
        })
    }

    /// Counts what became of one unit, and tells it: a unit of this index, in a part that begins
    /// at `base`.
    fn count(
        &mut self,
        judged: Result<Judgement, Malformed>,
        base: Place,
        index: Option<u64>,
        mut tell: impl FnMut(Notice) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Judgement { place, disagreed, violations } = match judged {
            Ok(judgement) => judgement,
            Err(malformed) => {
                self.malformed += 1;
                return tell(Notice::Malformed(malformed));
            }
        };
        self.records += 1;
        self.valid += u64::from(violations.is_empty());
        self.disagreements += u64::from(disagreed);
        if disagreed {
            let Place { line, column } = base.of(place);
            tell(Notice::Disagreement { line, column })?;
        }
        violations.into_iter().try_for_each(|violation| {
            self.violations += 1;
            tell(Notice::Violation(breach::moved(violation, base, index)))
        })
    }
}

#[cfg(test)]
mod tests;
