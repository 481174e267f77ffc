//! Lines of the journal, and the processes that they belong to.

use std::fs;
use std::path::Path;

use crate::card::{KeyReference, Storage};

/// First word of the lines of volatile objects.
const VOLATILE: &str = "1";
/// First word of the lines of lasting keys that are being made, of which earlier versions know nothing.
const LASTING: &str = "2";

/// A process, told from a later one with the same number by its start time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) process: u32,
    /// Clock ticks after boot (`/proc/PID/stat` field 22).
    pub(super) started: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) storage: Storage,
    pub(super) owner: Owner,
    pub(super) reference: KeyReference,
    /// In hex, so that a card cannot put a line break into it.
    pub(super) serial: String,
}

/// A line of the file.
pub(super) enum Line {
    Entry(Entry),
    /// Another version's: kept as it is.
    Foreign(String),
}

impl Line {
    /// `None` for a damaged line.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let version = words.next()?;
        let storage = match version {
            VOLATILE => Storage::Volatile,
            LASTING => Storage::Token,
            _ => return version.parse::<u32>().is_ok().then(|| Self::Foreign(text.to_owned())),
        };
        let owner = Owner { process: words.next()?.parse().ok()?, started: words.next()?.parse().ok()? };
        let reference = KeyReference(u16::from_str_radix(words.next()?, 16).ok()?);
        let serial = words.next()?.to_owned();
        hex::decode(&serial).ok()?;
        words.next().is_none().then_some(Self::Entry(Entry { storage, owner, reference, serial }))
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Entry(Entry { storage, owner, reference, serial }) => {
                let version = if *storage == Storage::Token { LASTING } else { VOLATILE };
                format!("{version} {} {} {:04X} {serial}\n", owner.process, owner.started, reference.0)
            }
            Self::Foreign(text) => format!("{text}\n"),
        }
    }

    pub(super) fn is(&self, wanted: impl FnOnce(&Entry) -> bool) -> bool {
        matches!(self, Self::Entry(entry) if wanted(entry))
    }
}

impl Owner {
    pub(super) fn this() -> Self {
        let process = std::process::id();
        Self { process, started: start_time(process).unwrap_or(0) }
    }

    /// Who owns what this one has given up.
    pub(super) fn nobody(&self) -> Self {
        Self { started: 0, ..self.clone() }
    }

    pub(super) fn lives(&self) -> bool {
        start_time(self.process) == Some(self.started)
    }
}

/// When a process started; `None` where there is no such process.
fn start_time(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it are numbers, beginning with field 3.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}
