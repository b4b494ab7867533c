//! Has parts of a stream judged by other threads before it is their turn.
//!
//! The stream is read in chunks. Where one ends is guessed: behind what looks like the end of a
//! unit. A thread judges it as if it began between two units. When its turn comes, what the thread
//! found counts only if the units before it did end exactly there: then judging in order would find
//! the same. If not, the chunk is judged in order, as if no thread had seen it. So a wrong guess
//! costs time and nothing else.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread::Scope,
};

use memchr::{memmem, memrchr, memrchr_iter};

use super::{Cut, State, Units};
use crate::{place::Place, window::is_space};

/// A state between two units, in which what follows does not depend on what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    Lines,
    Elements,
    Values,
}

/// What a thread made of a chunk.
pub(crate) struct Part<T> {
    /// Bytes that it judged, and the place behind them, in terms of the chunk.
    pub(crate) end: (usize, Place),
    /// Units that are valid without more ado.
    pub(crate) passed: u64,
    /// The other units.
    pub(crate) judged: Vec<T>,
}

/// How the work on a stream is shared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Threads that judge; one alone judges nothing ahead.
    pub(crate) jobs: usize,
    /// Bytes that each of several is given at a time, about.
    pub(crate) chunk_bytes: usize,
}

/// A reader whose chunks are judged ahead.
pub(crate) struct Ahead<'scope, 'env, R, T> {
    reader: R,
    work: Work,
    scope: &'scope Scope<'scope, 'env>,
    judge: JudgePart<'env, T>,
    /// Threads that run, the way to them, and their end of it, which they share.
    threads: usize,
    sender: Sender<Job<T>>,
    receiver: Arc<Mutex<Receiver<Job<T>>>>,
    /// How units followed when the stream was last between two.
    between: Option<Between>,
    /// Chunks that were read and not yet taken.
    chunks: VecDeque<Chunk<T>>,
    /// What was read behind the last of them.
    rest: Vec<u8>,
    /// What the reader ended with.
    ended: Option<io::Result<()>>,
    /// The chunk that is being read, and how far it was.
    current: Arc<Vec<u8>>,
    taken: usize,
}

/// Judges bytes that are taken to begin between two units.
pub(crate) type JudgePart<'env, T> = &'env (dyn Fn(Between, &[u8]) -> Part<T> + Sync);

struct Chunk<T> {
    bytes: Arc<Vec<u8>>,
    ahead: Option<(Between, Receiver<Part<T>>)>,
}

type Job<T> = (Between, Arc<Vec<u8>>, SyncSender<Part<T>>);

impl<'scope, 'env, R: Read, T: Send + 'env> Ahead<'scope, 'env, R, T> {
    /// Reads `reader`, and has its chunks judged in threads of `scope`.
    pub(crate) fn new(
        reader: R,
        work: Work,
        scope: &'scope Scope<'scope, 'env>,
        judge: JudgePart<'env, T>,
    ) -> Ahead<'scope, 'env, R, T> {
        let (sender, receiver) = mpsc::channel();
        Ahead {
            reader,
            work,
            scope,
            judge,
            threads: 0,
            sender,
            receiver: Arc::new(Mutex::new(receiver)),
            between: None,
            chunks: VecDeque::new(),
            rest: Vec::new(),
            ended: None,
            current: Arc::default(),
            taken: 0,
        }
    }

    /// What was found ahead in the next chunk, if one begins here and was judged as what it is.
    fn take(&mut self, between: Between) -> Option<Part<T>> {
        if self.work.jobs == 1 || self.taken < self.current.len() {
            return None;
        }
        while self.chunks.len() < 2 * self.work.jobs && self.fetch() {}
        let ahead = &self.chunks.front()?.ahead;
        let (_, part) = ahead.as_ref().filter(|(expected, _)| *expected == between)?;
        let part = part.recv().ok()?;
        self.current = self.chunks.pop_front()?.bytes;
        self.taken = part.end.0;
        Some(part)
    }

    /// Reads one more chunk; false at the end.
    fn fetch(&mut self) -> bool {
        let mut bytes = std::mem::take(&mut self.rest);
        while self.ended.is_none() && bytes.len() < self.work.chunk_bytes {
            let free = bytes.len();
            bytes.resize(self.work.chunk_bytes, 0);
            let result = self.reader.read(&mut bytes[free..]);
            bytes.truncate(free + *result.as_ref().unwrap_or(&0));
            match result {
                Ok(0) => self.ended = Some(Ok(())),
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    self.ended = Some(Err(error));
                }
                Ok(_) | Err(_) => {}
            }
        }
        if bytes.is_empty() {
            return false;
        }
        let end = match self.ended {
            None => likely_end(self.between, &bytes),
            Some(_) => Some(bytes.len()),
        };
        self.rest = end.map_or_else(Vec::new, |end| bytes.split_off(end));
        let bytes = Arc::new(bytes);
        let ahead = self.between.filter(|_| end.is_some());
        let ahead = ahead.map(|between| (between, self.dispatch(between, &bytes)));
        self.chunks.push_back(Chunk { bytes, ahead });
        true
    }

    /// Gives a chunk to the next thread that is free.
    fn dispatch(&mut self, between: Between, bytes: &Arc<Vec<u8>>) -> Receiver<Part<T>> {
        if self.threads < self.work.jobs {
            let (judge, jobs) = (self.judge, Arc::clone(&self.receiver));
            self.scope.spawn(move || {
                let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((between, bytes, found)) = next() {
                    // Nobody waits for it where the guess was wrong.
                    let _ = found.send(judge(between, &bytes));
                }
            });
            self.threads += 1;
        }
        let (found, part) = mpsc::sync_channel(1);
        let job = (between, Arc::clone(bytes), found);
        self.sender.send(job).expect("this end holds the other one too");
        part
    }
}

/// Gives the chunks in their order, as they were read.
impl<R: Read, T: Send> Read for Ahead<'_, '_, R, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.work.jobs == 1 {
            return self.reader.read(buffer);
        }
        if self.taken == self.current.len() && (!self.chunks.is_empty() || self.fetch()) {
            self.current = self.chunks.pop_front().expect("there is one now").bytes;
            self.taken = 0;
        }
        let left = &self.current[self.taken..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        match &mut self.ended {
            Some(ended) if count == 0 => std::mem::replace(ended, Ok(())).map(|()| 0),
            _ => Ok(count),
        }
    }
}

impl<'scope, 'env, R: Read, T: Send + 'env> Units<Ahead<'scope, 'env, R, T>> {
    /// Moves past units that were judged ahead, if there are any just here: what was found, the
    /// place that theirs begin at, and what is to be added to their indexes.
    pub(crate) fn judged_ahead(&mut self) -> Option<(Place, u64, Part<T>)> {
        let between = self.between();
        // Space at the start of a line is part of that line.
        if between != Some(Between::Lines) {
            let space = self.window.bytes().iter().take_while(|&&byte| is_space(byte)).count();
            self.window.consume(space);
        }
        self.window.reader().between = between;
        let between = between.filter(|_| self.window.bytes().is_empty())?;
        let part = self.window.reader().take(between)?;
        let base = self.window.place();
        self.window.jump(part.end.0, base.of(part.end.1));
        let State::Elements(_, index) = &mut self.state else { return Some((base, 0, part)) };
        let first = *index - FIRST;
        *index += part.passed + part.judged.len() as u64;
        Some((base, first, part))
    }
}

impl<'a> Units<&'a [u8]> {
    /// The units of a part of a stream.
    pub(crate) fn within(bytes: &'a [u8], cut: Cut, between: Between) -> Units<&'a [u8]> {
        let state = match between {
            Between::Lines => State::Lines,
            Between::Elements => State::Elements(Place::START, FIRST),
            Between::Values => State::Values,
        };
        Units { state, ..Units::new(bytes, cut) }
    }
}

impl<R: Read> Units<R> {
    /// How units follow here.
    pub(crate) fn between(&self) -> Option<Between> {
        match self.state {
            State::Lines => Some(Between::Lines),
            State::Elements(_, FIRST..) => Some(Between::Elements),
            State::Values => Some(Between::Values),
            State::Elements(..) | State::Start | State::Done => None,
        }
    }

    /// Bytes behind the last unit, and its end.
    pub(crate) fn end(&mut self) -> (usize, Place) {
        let left = self.window.bytes().len();
        (self.window.read() as usize - left, self.window.place())
    }
}

/// Index of the first element that a comma stands before.
const FIRST: u64 = 1;

/// Where the last unit that is whole seems to end.
fn likely_end(between: Option<Between>, bytes: &[u8]) -> Option<usize> {
    let line = || memrchr(b'\n', bytes).map(|at| at + 1);
    let value = || memmem::rfind(bytes, b"\n{").map(|at| at + 1);
    let element = || {
        memrchr_iter(b'{', bytes).find_map(|at| {
            let before = bytes[..at].trim_ascii_end().strip_suffix(b",")?;
            before.trim_ascii_end().ends_with(b"}").then_some(before.len())
        })
    };
    match between {
        Some(Between::Lines) => line(),
        Some(Between::Values) => value(),
        Some(Between::Elements) => element(),
        None => element().or_else(value),
    }
}
