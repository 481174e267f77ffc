//! The journal: which objects this user's processes keep in the volatile memory of cards, and which lasting keys they are
//! about to make.
//!
//! One small file per user, a line per object, written before the command that creates it and struck out after the
//! one that deletes it, or that lists it where it is to last. It holds serial numbers and references, no secrets. A
//! process that finds the line of one that is gone may delete what that one left on the card. Losing the journal loses
//! nothing but that.
//!
//! The file is other people's input: a line that cannot be read is kept as it is when it may be a newer version's
//! and dropped when it is damaged; a file that is not a regular file of this user's own is not used at all.

mod line;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::card::{KeyReference, Storage};
use crate::sync::Mutex;
use crate::{environment, own_file};
use line::{Entry, Line, Owner};

/// Longest file in bytes that is read; a longer one is damaged.
const LONGEST: u64 = 65_536;
/// How long another process may keep the file locked, which it does for one small write.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to lock it.
const PAUSE: Duration = Duration::from_millis(5);

/// The journal of this user.
pub struct Journal {
    path: Option<PathBuf>,
    owner: Owner,
    /// By serial number and reference, how often the card had been reset when this Library noted the object: whoever strikes
    /// out what an earlier reset took must not meet what was made in its place since. Held while the file is edited.
    noted: Mutex<HashMap<(String, KeyReference), u64>>,
}

impl Journal {
    /// The journal in the user's state directory; without a home it remembers nothing.
    pub fn of_user() -> Self {
        let state = environment::folder("XDG_STATE_HOME", ".local/state");
        Self::new(state.map(|state| state.join("cardea/volatile-objects")), Owner::this())
    }

    /// A journal that remembers nothing.
    pub fn nowhere() -> Self {
        Self::new(None, Owner::this())
    }

    /// A journal in this file.
    pub fn at(path: PathBuf) -> Self {
        Self::new(Some(path), Owner::this())
    }

    fn new(path: Option<PathBuf>, owner: Owner) -> Self {
        Self { path, owner, noted: Mutex::default() }
    }

    /// Notes an object that is about to be created in a free place of a card that was reset so many times: whatever the
    /// journal says of that place is of the past.
    pub fn add(&self, serial: &str, reference: KeyReference, resets: u64) -> io::Result<()> {
        let entry = self.entry(serial, reference, Storage::Volatile);
        let mut noted = self.noted.lock();
        noted.insert((entry.serial.clone(), reference), resets);
        self.edit(|lines| put(lines, entry))
    }

    /// Notes a lasting key that is about to be made in a free place.
    pub fn begin(&self, serial: &str, reference: KeyReference) -> io::Result<()> {
        let entry = self.entry(serial, reference, Storage::Token);
        let mut noted = self.noted.lock();
        noted.remove(&(entry.serial.clone(), reference));
        self.edit(|lines| put(lines, entry))
    }

    /// Strikes out a lasting key that is listed or gone, unless another process that lives is making it.
    pub fn finish(&self, serial: &str, reference: KeyReference) -> io::Result<()> {
        let serial = hex::encode(serial);
        self.strike(|entry, _| {
            let it = entry.storage == Storage::Token && entry.serial == serial && entry.reference == reference;
            it && (entry.owner == self.owner || !entry.owner.lives())
        })
    }

    /// Lasting keys on this card whose making broke off: asked where this process makes none, they are those of
    /// processes that are gone and its own.
    pub fn unfinished(&self, serial: &str) -> Vec<KeyReference> {
        self.of_card(serial, |entry| {
            entry.storage == Storage::Token && (entry.owner == self.owner || !entry.owner.lives())
        })
    }

    /// Whether this process has begun a lasting key in this place and not finished it.
    pub fn has_begun(&self, serial: &str, reference: KeyReference) -> bool {
        let own = |entry: &Entry| entry.storage == Storage::Token && entry.owner == self.owner;
        self.of_card(serial, own).contains(&reference)
    }

    /// Strikes out an object that was deleted when the card had been reset so many times; one that was made after a
    /// later reset stays, and so does one that a process which lives has in that place.
    pub fn remove(&self, serial: &str, reference: KeyReference, resets: u64) -> io::Result<()> {
        let serial = hex::encode(serial);
        self.strike(|entry, noted| {
            let it = entry.storage == Storage::Volatile && entry.serial == serial && entry.reference == reference;
            it && if entry.owner == self.owner { noted.is_none_or(|at| at <= resets) } else { !entry.owner.lives() }
        })
    }

    /// Strikes out all objects of this process on a card whose volatile memory was emptied by a reset, the last of so
    /// many; those that were made since stay.
    pub fn emptied(&self, serial: &str, resets: u64) -> io::Result<()> {
        let serial = hex::encode(serial);
        self.strike(|entry, noted| {
            let mine = entry.owner == self.owner || noted.is_some() && entry.owner == self.owner.nobody();
            entry.storage == Storage::Volatile && entry.serial == serial && mine && noted.is_none_or(|at| at < resets)
        })
    }

    /// Strikes out the objects for which `gone` holds, given how often the card had been reset when they were noted.
    fn strike(&self, gone: impl Fn(&Entry, Option<u64>) -> bool) -> io::Result<()> {
        let mut noted = self.noted.lock();
        self.edit(|lines| {
            lines.retain(|line| {
                let Line::Entry(entry) = line else { return true };
                let place = (entry.serial.clone(), entry.reference);
                let struck = gone(entry, noted.get(&place).copied());
                if struck {
                    noted.remove(&place);
                }
                !struck
            });
        })
    }

    /// Leaves what this process could not have deleted to whoever uses the card next, be it this process.
    pub fn disown(&self) -> io::Result<()> {
        let nobody = self.owner.nobody();
        let is_mine = |line: &Line| line.is(|entry| entry.owner == self.owner);
        if !read(&mut self.open(false)?)?.iter().any(is_mine) {
            return Ok(());
        }
        let _noted = self.noted.lock();
        self.edit(|lines| {
            for line in lines {
                if let Line::Entry(entry) = line
                    && entry.owner == self.owner
                {
                    entry.owner = nobody.clone();
                }
            }
        })
    }

    /// Volatile objects that processes which are gone left on this card.
    pub fn orphans(&self, serial: &str) -> Vec<KeyReference> {
        self.of_card(serial, |entry| {
            entry.storage == Storage::Volatile && entry.owner != self.owner && !entry.owner.lives()
        })
    }

    /// The places on this card for whose lines this holds.
    fn of_card(&self, serial: &str, wanted: impl Fn(&Entry) -> bool) -> Vec<KeyReference> {
        let serial = hex::encode(serial);
        let read = self.open(false).and_then(|mut file| read(&mut file));
        let entries = read.unwrap_or_default().into_iter().filter_map(|line| match line {
            Line::Entry(entry) if entry.serial == serial && wanted(&entry) => Some(entry.reference),
            _ => None,
        });
        entries.collect()
    }

    fn entry(&self, serial: &str, reference: KeyReference, storage: Storage) -> Entry {
        Entry { storage, owner: self.owner.clone(), reference, serial: hex::encode(serial) }
    }

    /// Reads, changes and writes the file under a lock that other processes respect.
    fn edit(&self, change: impl FnOnce(&mut Vec<Line>)) -> io::Result<()> {
        let mut file = self.open(true)?;
        locked(&file)?;
        let mut lines = read(&mut file)?;
        change(&mut lines);
        let text: String = lines.iter().map(Line::text).collect();
        // A process that dies in between leaves lines that were to go, at worst a damaged one, and loses none.
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_data()
    }

    fn open(&self, create: bool) -> io::Result<File> {
        let path = self.path.as_deref().ok_or(io::ErrorKind::NotFound)?;
        if let (true, Some(folder)) = (create, path.parent()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = OpenOptions::new();
        own_file::open(options.read(true).write(create).create(create).truncate(false).mode(0o600), path)
    }
}

/// Takes the lock of the file; `WouldBlock` where another process, stopped perhaps, does not give it back in time.
fn locked(file: &File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() >= PATIENCE => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
    }
}

/// Puts a line in place of whatever the file says of its place.
fn put(lines: &mut Vec<Line>, entry: Entry) {
    lines.retain(|line| !line.is(|other| other.serial == entry.serial && other.reference == entry.reference));
    lines.push(Line::Entry(entry));
}

fn read(file: &mut File) -> io::Result<Vec<Line>> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(Line::parse).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
