//! The exit codes of the process: part of the contract with scripts.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; `validate`: everything conforms; `available`: true.
    Done,
    /// Our own fault, or a fault of the machine that no other code covers.
    Fault,
    /// Wrong usage, or unreadable or malformed input; wins over `Refused`.
    Usage,
    /// Refused, or nothing to release; `validate`: violations; `available`: false.
    Refused,
    /// The store or the server cannot be reached.
    Unreachable,
    /// `run`: the code of its command, or one that stands for how it ended.
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
