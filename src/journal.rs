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

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::card::{KeyReference, Storage};
use crate::sync::Mutex;
use crate::{environment, own_file};

/// First word of the lines of volatile objects.
const VOLATILE: &str = "1";
/// First word of the lines of lasting keys that are being made, of which earlier versions know nothing.
const LASTING: &str = "2";
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

/// A process, told from a later one with the same number by its start time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    process: u32,
    /// Clock ticks after boot (`/proc/PID/stat` field 22).
    started: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    storage: Storage,
    owner: Owner,
    reference: KeyReference,
    /// In hex, so that a card cannot put a line break into it.
    serial: String,
}

/// A line of the file.
enum Line {
    Entry(Entry),
    /// Another version's: kept as it is.
    Foreign(String),
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

impl Line {
    /// `None` for a damaged line.
    fn parse(text: &str) -> Option<Self> {
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

    fn text(&self) -> String {
        match self {
            Self::Entry(Entry { storage, owner, reference, serial }) => {
                let version = if *storage == Storage::Token { LASTING } else { VOLATILE };
                format!("{version} {} {} {:04X} {serial}\n", owner.process, owner.started, reference.0)
            }
            Self::Foreign(text) => format!("{text}\n"),
        }
    }

    fn is(&self, wanted: impl FnOnce(&Entry) -> bool) -> bool {
        matches!(self, Self::Entry(entry) if wanted(entry))
    }
}

impl Owner {
    fn this() -> Self {
        let process = std::process::id();
        Self { process, started: start_time(process).unwrap_or(0) }
    }

    /// Who owns what this one has given up.
    fn nobody(&self) -> Self {
        Self { started: 0, ..self.clone() }
    }

    fn lives(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const KEY: KeyReference = KeyReference(0x4D01);

    /// The journal's file, which goes with its folder.
    struct Place(PathBuf);

    impl std::ops::Deref for Place {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.0
        }
    }

    impl AsRef<Path> for Place {
        fn as_ref(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            if let Some(folder) = self.0.parent().and_then(Path::parent) {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }

    fn journal(name: &str) -> (Journal, Place) {
        let folder = std::env::temp_dir().join(format!("cardea-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let path = folder.join("state/volatile-objects");
        (Journal::at(path.clone()), Place(path))
    }

    /// The journal as a process sees it that started when this one did not.
    fn of_another(path: &Path) -> Journal {
        Journal::new(Some(path.to_owned()), Owner { process: std::process::id(), started: 1 })
    }

    #[test]
    fn what_a_dead_process_left_is_found_by_the_next_and_by_it_alone() {
        let (journal, path) = journal("dead");
        let dead = of_another(&path);
        dead.add("0001", KEY, 1).unwrap();
        journal.add("0001", KeyReference(0x4D02), 1).unwrap();
        assert_eq!(journal.orphans("0001"), [KEY]);
        assert_eq!(journal.orphans("0002"), []);
        assert_eq!(dead.orphans("0001"), [], "a process that lives is left alone");
        journal.remove("0001", KEY, 1).unwrap();
        assert_eq!(journal.orphans("0001"), []);
    }

    #[test]
    fn an_emptied_card_takes_only_the_lines_of_this_process() {
        let (journal, path) = journal("emptied");
        of_another(&path).add("0001", KEY, 1).unwrap();
        journal.add("0001", KeyReference(0x4D02), 1).unwrap();
        journal.emptied("0001", 2).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert_eq!(journal.orphans("0001"), [KEY]);
    }

    #[test]
    fn a_place_that_was_taken_anew_is_its_new_owners() {
        let (journal, path) = journal("anew");
        of_another(&path).add("0001", KEY, 1).unwrap();
        journal.add("0001", KEY, 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        let third = of_another(&path);
        assert_eq!(third.orphans("0001"), []);
        third.remove("0001", KEY, 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1, "the process lives");
        journal.remove("0001", KEY, 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 0);
    }

    #[test]
    fn what_was_made_since_a_reset_is_not_struck_out_with_what_that_reset_took() {
        let (journal, path) = journal("since");
        let lines = || fs::read_to_string(&path).unwrap().lines().count();
        journal.add("0001", KEY, 1).unwrap();
        journal.add("0001", KeyReference(0x4D02), 1).unwrap();
        // The reset was seen by one thread, and another has made a key before the first gets to strike out the lost.
        journal.add("0001", KEY, 2).unwrap();
        journal.emptied("0001", 2).unwrap();
        assert_eq!(lines(), 1);
        journal.remove("0001", KEY, 1).unwrap();
        assert_eq!(lines(), 1, "what was deleted is not what is there");
        journal.emptied("0002", 3).unwrap();
        assert_eq!(lines(), 1, "another card");
        journal.remove("0001", KEY, 2).unwrap();
        assert_eq!(lines(), 0);
    }

    #[test]
    fn what_is_disowned_is_found_by_the_same_process() {
        let (journal, path) = journal("disowned");
        assert!(journal.disown().is_err(), "there is no file");
        of_another(&path).add("0001", KEY, 1).unwrap();
        journal.add("0001", KeyReference(0x4D02), 1).unwrap();
        assert_eq!(journal.orphans("0001"), [KEY]);
        journal.disown().unwrap();
        assert_eq!(journal.orphans("0001"), [KEY, KeyReference(0x4D02)]);
    }

    #[test]
    fn a_lasting_key_is_unfinished_until_it_is_listed() {
        let (journal, path) = journal("unfinished");
        let dead = of_another(&path);
        dead.begin("0001", KEY).unwrap();
        dead.add("0001", KeyReference(0x4D02), 1).unwrap();
        assert_eq!((journal.unfinished("0001"), journal.orphans("0001")), (vec![KEY], vec![KeyReference(0x4D02)]));
        assert_eq!(journal.unfinished("0002"), [], "another card");
        dead.emptied("0001", 2).unwrap();
        dead.remove("0001", KEY, 2).unwrap();
        assert_eq!(dead.unfinished("0001"), [KEY], "no reset takes it, and no deletion of a volatile one");
        assert!(dead.has_begun("0001", KEY) && !journal.has_begun("0001", KEY));
        journal.begin("0001", KEY).unwrap();
        dead.finish("0001", KEY).unwrap();
        assert_eq!(journal.unfinished("0001"), [KEY], "the place is another's, who lives");
        assert_eq!(dead.unfinished("0001"), [], "who is left alone");
        journal.finish("0001", KEY).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn the_file_is_the_users_alone() {
        let (journal, path) = journal("mode");
        journal.add("0001", KEY, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_missing_truncated_or_foreign_file_is_survived() {
        let (journal, path) = journal("damaged");
        assert_eq!(journal.orphans("0001"), []);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "1 1 1 4D01 30303031\n1 1 1 4D0\n1 77 x\n\u{0}\u{1}\n3 newer words\n1 1 1 4D05 zz\n1 1 1 4D0")
            .unwrap();
        assert_eq!(journal.orphans("0001"), [KEY]);
        journal.add("0001", KeyReference(0x4D09), 1).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("3 newer words\n"), "a newer version's line stays: {text}");
        assert!(!text.contains("zz"), "a damaged line goes: {text}");
    }

    #[test]
    fn who_keeps_the_file_locked_keeps_nobody_waiting_for_ever() {
        let (journal, path) = journal("locked");
        journal.add("0001", KEY, 1).unwrap();
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        let refused = journal.add("0001", KeyReference(0x4D02), 1);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        journal.add("0001", KeyReference(0x4D02), 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let (journal, path) = journal("link");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let elsewhere = path.with_extension("elsewhere");
        fs::write(&elsewhere, "precious").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(journal.add("0001", KEY, 1).is_err());
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
    }

    #[test]
    fn a_serial_number_cannot_break_a_line() {
        let (journal, path) = journal("serial");
        of_another(&path).add("1\n1 1 1 4D01 30", KEY, 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert_eq!(journal.orphans("1\n1 1 1 4D01 30"), [KEY]);
    }
}
