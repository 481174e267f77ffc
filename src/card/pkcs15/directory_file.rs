//! A directory file: entries one after the other, padding behind them (PKCS#15 5.5).
//!
//! What cannot be read stays as it is: an entry of an unknown kind or with a mistake hides no other and survives
//! when the file is written again.

use cardea_apdu::tlv::Reader;

use super::object::{Entry, EntryError};
use crate::card::CardError;

/// Most entries of a file.
pub const ENTRIES_MAX: usize = 512;
/// Padding after the last entry that ends the reading of a file.
const PADDING_RUN: usize = 32;
/// An erased byte, which begins no entry.
const ERASED: u8 = 0xFF;

/// One data object of a directory file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<T> {
    /// As it is in the file.
    pub encoded: Vec<u8>,
    /// What it means: nothing for an unknown kind, an error for a mistake in it.
    pub entry: Result<Option<T>, EntryError>,
}

/// The entries of a directory file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryFile<T> {
    items: Vec<Item<T>>,
}

impl<T> Default for DirectoryFile<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Entry> DirectoryFile<T> {
    /// Reads the content of the file up to the padding or to erased memory.
    pub fn parse(content: &[u8]) -> Result<Self, CardError> {
        let malformed = |_| CardError::Malformed { what: T::FILE };
        let content = written(content);
        let mut items = Vec::new();
        for object in Reader::new(content).with_max_elements(ENTRIES_MAX) {
            let object = object.map_err(malformed)?;
            items.push(Item { encoded: object.encoded().to_vec(), entry: T::decode(&object) });
        }
        Ok(Self { items })
    }

    /// The entries that could be read.
    pub fn entries(&self) -> impl Iterator<Item = &T> {
        self.items.iter().filter_map(|item| item.entry.as_ref().ok()?.as_ref())
    }

    /// All data objects.
    pub fn items(&self) -> &[Item<T>] {
        &self.items
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, entry: T) {
        self.items.push(Item { encoded: entry.encode(), entry: Ok(Some(entry)) });
    }

    /// Removes the entries of which this is true; tells how many.
    pub fn remove(&mut self, mut unwanted: impl FnMut(&T) -> bool) -> usize {
        let before = self.items.len();
        self.items.retain(|item| !matches!(&item.entry, Ok(Some(entry)) if unwanted(entry)));
        before - self.items.len()
    }

    /// Changes the entries for which `change` answers true; tells how many.
    pub fn update(&mut self, mut change: impl FnMut(&mut T) -> bool) -> usize {
        let mut changed = 0;
        for item in &mut self.items {
            if let Ok(Some(entry)) = &mut item.entry
                && change(entry)
            {
                item.encoded = entry.encode();
                changed += 1;
            }
        }
        changed
    }

    /// The content of the file without padding.
    pub fn encode(&self) -> Vec<u8> {
        self.items.iter().flat_map(|item| item.encoded.iter().copied()).collect()
    }
}

/// The part of a file's content before erased memory.
fn written(content: &[u8]) -> &[u8] {
    let mut reader = Reader::new(content).with_max_elements(ENTRIES_MAX);
    loop {
        let zeros = reader.remainder().iter().take_while(|&&byte| byte == 0).count();
        if reader.remainder().get(zeros) == Some(&ERASED) {
            return content.get(..reader.position()).unwrap_or_default();
        }
        if !matches!(reader.next(), Some(Ok(_))) {
            return content;
        }
    }
}

/// Whether a file whose beginning this is has no further entries, as far as padding tells.
pub(super) fn is_complete(beginning: &[u8]) -> bool {
    let mut reader = Reader::new(beginning).with_max_elements(ENTRIES_MAX);
    loop {
        let rest = reader.remainder();
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        match rest.get(zeros) {
            Some(&ERASED) => return true,
            None => return zeros >= PADDING_RUN,
            Some(_) => {}
        }
        if !matches!(reader.next(), Some(Ok(_))) {
            return false;
        }
    }
}
