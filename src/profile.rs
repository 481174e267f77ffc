//! What is known of readers beyond what they say themselves: the profiles of `reader-profiles/`, compiled in, and
//! those that the administrator and the user add as files of the same form.
//!
//! A profile only ever takes away: limits are the minimum of card, reader and profile, and an ability that a fault
//! denies is not used although the reader announces it.
#![forbid(unsafe_code)]

mod family;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{environment, own_file};
pub use family::{Ability, Exchange, Fault, Mechanics, PinPad, ReaderProfile, UsbId};

include!(concat!(env!("OUT_DIR"), "/reader_profiles.rs"));

/// Longest file that is read: more than ten times the longest that is shipped.
const LONGEST_FILE: u64 = 65_536;

/// All profiles of a Library.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    /// Added by files, the most important first.
    added: Vec<ReaderProfile>,
}

/// A profile file that is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The file.
    pub path: PathBuf,
    /// Where in it, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

impl Profiles {
    /// Where profiles are added: the user's folder goes before the system's.
    pub fn folders() -> Vec<PathBuf> {
        let user = environment::folder("XDG_CONFIG_HOME", ".config");
        let user = user.map(|folder| folder.join("cardea/reader-profiles"));
        user.into_iter().chain([PathBuf::from("/etc/cardea/reader-profiles")]).collect()
    }

    /// The built-in profiles and the `*.toml` files of `folders`, an earlier folder going before a later one. A folder
    /// that is not there adds nothing; a file that cannot be read as it stands is ignored as a whole and reported.
    pub fn load(folders: &[PathBuf]) -> (Self, Vec<Malformed>) {
        let (mut profiles, mut ignored) = (Self::default(), Vec::new());
        for path in folders.iter().flat_map(|folder| toml_files(folder)) {
            match read(&path) {
                Ok(profile) => profiles.added.push(profile),
                Err(malformed) => ignored.push(malformed),
            }
        }
        (profiles, ignored)
    }

    /// Every profile: added ones before built-in ones.
    pub fn iter(&self) -> impl Iterator<Item = &ReaderProfile> {
        self.added.iter().chain(&BUILT_IN)
    }

    /// The profile for a reader: by the ids that PC/SC part 10 tells, else by its PC/SC name.
    pub fn find(&self, id: Option<UsbId>, name: &str) -> Option<&ReaderProfile> {
        let by_id = id.and_then(|id| self.iter().find(|profile| profile.ids.contains(&id)));
        by_id.or_else(|| self.iter().find(|profile| profile.names.iter().any(|pattern| matches(pattern, name))))
    }
}

impl ReaderProfile {
    /// Whether no known fault stands against using `ability`.
    pub fn allows(&self, ability: Ability) -> bool {
        !self.faults.iter().any(|fault| fault.denies.contains(&ability))
    }
}

impl Exchange {
    /// Whether APDUs of extended length travel at this level. T=0 has one length byte, so the driver of a TPDU level
    /// reader could only send them inside ENVELOPE (ISO 7816-3 12.2), which none does.
    pub fn carries_extended_length(self, t1: bool) -> bool {
        match self {
            Self::Character | Self::Short => false,
            Self::Tpdu => t1,
            Self::Extended => true,
        }
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

/// The `*.toml` files of a folder by name.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file());
    paths.sort();
    paths
}

fn read(path: &Path) -> Result<ReaderProfile, Malformed> {
    let malformed = |line, message| Malformed { path: path.to_owned(), line, message };
    let text = own_file::text(path, LONGEST_FILE).map_err(|error| malformed(1, error.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        malformed(before.matches('\n').count() + 1, error.message().to_owned())
    })
}

/// Whether `name` is what `pattern` says, `*` standing for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}
