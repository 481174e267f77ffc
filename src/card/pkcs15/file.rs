//! Files under an application: found by path, read, and written with as few bytes as a change needs.

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Command, StatusWord, Tag};

use super::binary::{read_file, update_binary};
use super::directory_file::{DirectoryFile, is_complete};
use super::object::Entry;
use super::path::{Location, Path};
use crate::card::CardError;
use crate::card::command::{INS_SELECT, execute, selection::select_file};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// P1 of SELECT: by path from the MF.
const BY_PATH_FROM_MF: u8 = 0x08;
/// The master file.
const MASTER_FILE: u16 = 0x3F00;
/// Longest directory file.
const DIRECTORY_MAX: usize = 0x7FFF;
/// Templates that control information comes in: FCI, FCP, FMD.
const TEMPLATES: [Tag; 3] = [Tag::new(0x6F), Tag::new(0x62), Tag::new(0x64)];
/// Number of data bytes in the file.
const SIZE: Tag = Tag::new(0x80);
/// Number of data bytes with structural information; some cards have only this one, and mean data bytes.
const TOTAL_SIZE: Tag = Tag::new(0x81);
/// File descriptor.
const DESCRIPTOR: Tag = Tag::new(0x82);
/// File identifier.
const IDENTIFIER: Tag = Tag::new(0x83);

/// What SELECT says of a file (ISO 7816-4 7.4), as far as the card says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileControl {
    /// Bytes in the file.
    pub size: Option<usize>,
    /// First byte of the file descriptor.
    pub descriptor: Option<u8>,
    /// File identifier.
    pub identifier: Option<u16>,
}

impl FileControl {
    /// Reads an answer to SELECT; what is malformed in it is as if it were not there.
    pub fn parse(answer: &[u8]) -> Self {
        let object = Reader::new(answer).flatten().find(|object| TEMPLATES.contains(&object.tag));
        let Some(object) = object else { return Self::default() };
        let find = |tag| object.children().find(tag).ok().flatten();
        let size = find(SIZE).and_then(number).or_else(|| find(TOTAL_SIZE).and_then(number));
        Self {
            size,
            descriptor: find(DESCRIPTOR).and_then(|bytes| bytes.first().copied()),
            identifier: find(IDENTIFIER).and_then(number).and_then(|number| u16::try_from(number).ok()),
        }
    }

    /// Whether the file holds records and not bytes (ISO 7816-4 7.4.5).
    pub fn has_records(&self) -> bool {
        self.descriptor.is_some_and(|byte| byte & 0x80 == 0 && byte & 0x38 != 0x38 && matches!(byte & 0x07, 2..=7))
    }
}

/// A number of one to four bytes.
fn number(bytes: &[u8]) -> Option<usize> {
    let number = super::der::unsigned(bytes).ok()?;
    usize::try_from(number).ok()
}

/// How the files of an application are found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// Path of the application's DF from the MF, `3F00` left out, where it is known.
    application: Option<Vec<u8>>,
    /// The card does not select by path from the MF.
    stepwise: bool,
}

impl Files {
    /// Files of the application whose DF has this path, from `3F00` on or without it; without a path they are
    /// found under the current DF.
    pub fn new(application: Option<&[u8]>) -> Self {
        let application = application.map(|path| path.strip_prefix(&[0x3F, 0x00]).unwrap_or(path).to_vec());
        Self { application, stepwise: false }
    }

    /// Selects the file. `NotFound` if the path leads nowhere.
    pub fn select(&mut self, channel: &mut Channel<'_>, path: &Path) -> Result<FileControl, CardError> {
        match path.locate(self.application.as_deref()).ok_or(CardError::NotFound)? {
            Location::InApplication(identifiers) => steps(channel, &identifiers),
            Location::FromMaster(identifiers) => self.select_from_master(channel, &identifiers),
        }
    }

    fn select_from_master(&mut self, channel: &mut Channel<'_>, identifiers: &[u8]) -> Result<FileControl, CardError> {
        if !self.stepwise && !identifiers.is_empty() {
            let command = Command::new(0x00, INS_SELECT, BY_PATH_FROM_MF, 0x00).data(identifiers).le_max();
            match execute(channel, command) {
                Ok(answer) => return Ok(FileControl::parse(&answer)),
                Err(error) if is_unknown_form(error) => self.stepwise = true,
                Err(error) => return Err(error),
            }
        }
        steps(channel, &[&MASTER_FILE.to_be_bytes(), identifiers].concat())
    }

    /// Reads the file, or the part of it that the path names.
    pub fn read(&mut self, channel: &mut Channel<'_>, path: &Path) -> Result<SecretBytes, CardError> {
        self.read_until(channel, path, |_| false)
    }

    /// Reads a certificate, key or other single DER data object, without what stands behind it in the file.
    pub fn read_object(&mut self, channel: &mut Channel<'_>, path: &Path) -> Result<SecretBytes, CardError> {
        let mut content = self.read_until(channel, path, |content| object_length(content).is_some())?;
        let length = object_length(&content).ok_or(CardError::Malformed { what: "object in a file" })?;
        content.truncate(length);
        Ok(content)
    }

    /// Reads a directory file as far as it has entries.
    pub fn read_directory<T: Entry>(
        &mut self,
        channel: &mut Channel<'_>,
        path: &Path,
    ) -> Result<DirectoryFile<T>, CardError> {
        let content = self.read_until(channel, path, is_complete)?;
        if content.len() > DIRECTORY_MAX {
            return Err(CardError::Malformed { what: T::FILE });
        }
        DirectoryFile::parse(&content)
    }

    fn read_until(
        &mut self,
        channel: &mut Channel<'_>,
        path: &Path,
        is_complete: impl Fn(&[u8]) -> bool,
    ) -> Result<SecretBytes, CardError> {
        let control = self.select(channel, path)?;
        let (offset, size) = part(path, control);
        read_file(channel, offset, size, is_complete)
    }

    /// Changes a directory file: reads it whole, lets `change` change its entries, writes what differs.
    ///
    /// Nothing is written if `change` fails. `Memory` if the entries do not fit the file; the file is then as it
    /// was. Bytes behind the last entry that were in use become 00. An added entry touches none before it, so a
    /// torn write loses that entry only.
    pub fn change_directory<T: Entry, R>(
        &mut self,
        channel: &mut Channel<'_>,
        path: &Path,
        change: impl FnOnce(&mut DirectoryFile<T>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let control = self.select(channel, path)?;
        let (offset, size) = part(path, control);
        let old = read_file(channel, offset, size, |_| false)?;
        let mut directory = DirectoryFile::parse(&old)?;
        let result = change(&mut directory)?;
        write_difference(channel, offset, size, &old, &directory.encode())?;
        Ok(result)
    }

    /// Replaces the content of a file such as EF.TokenInfo, of which only what differs is written.
    pub fn replace(&mut self, channel: &mut Channel<'_>, path: &Path, content: &[u8]) -> Result<(), CardError> {
        let control = self.select(channel, path)?;
        let (offset, size) = part(path, control);
        let old = read_file(channel, offset, size, |_| false)?;
        write_difference(channel, offset, size, &old, content)
    }
}

/// Selects file by file from the current DF on.
fn steps(channel: &mut Channel<'_>, identifiers: &[u8]) -> Result<FileControl, CardError> {
    let mut control = FileControl::default();
    for &[high, low] in identifiers.as_chunks().0 {
        control = FileControl::parse(&select_file(channel, u16::from_be_bytes([high, low]))?);
    }
    Ok(control)
}

/// Answers by which a card says that it does not know this form of SELECT.
fn is_unknown_form(error: CardError) -> bool {
    let unknown = [StatusWord::INCORRECT_P1_P2, StatusWord::WRONG_P1_P2, StatusWord::WRONG_PARAMETERS];
    match error {
        CardError::NotSupported => true,
        CardError::Status { status, .. } => unknown.contains(&status),
        _ => false,
    }
}

/// Offset and size of what a path names in a file. A size of 0 is not believed: some cards do not fill it in.
fn part(path: &Path, control: FileControl) -> (usize, Option<usize>) {
    let count = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok());
    let offset = count(path.index).unwrap_or(0);
    let in_file = control.size.filter(|&size| size > 0).map(|size| size.saturating_sub(offset));
    let size = match (count(path.length).filter(|&length| length > 0), in_file) {
        (Some(length), Some(left)) => Some(length.min(left)),
        (length, left) => length.or(left),
    };
    (offset, size)
}

/// Length of the data object at the beginning, if it is there whole.
fn object_length(content: &[u8]) -> Option<usize> {
    let object = Reader::new(content).next()?.ok()?;
    (object.position() == 0).then(|| object.encoded().len())
}

/// Writes `new` over `old` from the first byte that differs, with zeros up to where `old` was in use.
fn write_difference(
    channel: &mut Channel<'_>,
    offset: usize,
    size: Option<usize>,
    old: &[u8],
    new: &[u8],
) -> Result<(), CardError> {
    if size.is_some_and(|size| new.len() > size) {
        return Err(CardError::Memory);
    }
    let used = old.iter().rposition(|&byte| byte != 0x00 && byte != 0xFF).map_or(0, |last| last + 1);
    let mut whole = new.to_vec();
    whole.resize(new.len().max(used), 0x00);
    let end = whole.iter().enumerate().rposition(|(at, byte)| old.get(at) != Some(byte)).map_or(0, |last| last + 1);
    let same = whole.iter().zip(old).take_while(|(new, old)| new == old).count();
    let Some(changed) = whole.get(same..end) else { return Ok(()) };
    update_binary(channel, offset + same, changed)
}
