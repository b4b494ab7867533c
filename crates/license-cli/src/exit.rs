//! What the exit code of the process means: part of the contract with scripts.

use std::process::ExitCode;

/// How a command ended; the number is the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; `validate`: everything conforms; `available`: true.
    Done = 0,
    /// Our own fault, or one of the machine that no other code names.
    Fault = 1,
    /// Wrong usage, or unreadable or malformed input; wins over `Refused`.
    Usage = 2,
    /// Refused, or nothing to release; `validate`: violations; `available`: false.
    Refused = 3,
    /// The store or the server cannot be reached.
    Unreachable = 4,
}

impl Exit {
    /// The code as the process returns it.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
