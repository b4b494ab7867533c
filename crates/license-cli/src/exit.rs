//! What the exit code of the process means: part of the contract with scripts.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; `validate`: everything conforms; `available`: true.
    Done,
    /// Our own fault, or one of the machine that no other code names.
    Fault,
    /// Wrong usage, or unreadable or malformed input; wins over `Refused`.
    Usage,
    /// Refused, or nothing to release; `validate`: violations; `available`: false.
    Refused,
    /// The store or the server cannot be reached.
    Unreachable,
    /// `run`: what the command ended with, or what stands for it.
    Command(u8),
}

impl Exit {
    /// The code as the process returns it.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Fault => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Unreachable => 4,
            Exit::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
