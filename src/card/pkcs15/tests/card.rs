//! A card with files in memory, as strict as ISO 7816-4 about what it is sent.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::channel::limits::Limits;
use crate::log::Log;
use crate::pcsc::part10::Properties;
use crate::pcsc::{Disposition, LinkError, Transaction};

/// A file of a card.
pub(super) enum File {
    Directory,
    Bytes(Vec<u8>),
    Records(Vec<Vec<u8>>),
}

/// What the card does, and what it was asked.
pub(super) struct Card {
    /// Path from the MF, `3F00` included.
    pub(super) files: BTreeMap<Vec<u8>, File>,
    /// The AID that leads to 3F005015.
    pub(super) aid: Option<Vec<u8>>,
    /// Selects by path from the MF.
    pub(super) takes_paths: bool,
    /// Says how long files are.
    pub(super) tells_sizes: bool,
    /// Most bytes of an answer.
    pub(super) longest_answer: usize,
    pub(super) extended: bool,
    /// Files that may not be read.
    pub(super) guarded: Vec<Vec<u8>>,
    current: Vec<u8>,
    /// All commands, as they came.
    pub(super) commands: Vec<Vec<u8>>,
}

impl Card {
    pub(super) fn new() -> Self {
        let mut card = Self {
            files: BTreeMap::new(),
            aid: None,
            takes_paths: true,
            tells_sizes: true,
            longest_answer: 256,
            extended: false,
            guarded: Vec::new(),
            current: vec![0x3F, 0x00],
            commands: Vec::new(),
        };
        card.put("3F00", File::Directory);
        card.put("3F005015", File::Directory);
        card
    }

    pub(super) fn put(&mut self, path: &str, file: File) {
        self.files.insert(hex::decode(path).unwrap(), file);
    }

    /// A transparent file of `size` bytes that begins with `content`.
    pub(super) fn put_bytes(&mut self, path: &str, content: &[u8], size: usize) {
        let mut bytes = content.to_vec();
        bytes.resize(size, 0);
        self.put(path, File::Bytes(bytes));
    }

    pub(super) fn bytes(&self, path: &str) -> &[u8] {
        match self.files.get(&hex::decode(path).unwrap()) {
            Some(File::Bytes(bytes)) => bytes,
            _ => panic!("no transparent file {path}"),
        }
    }

    /// Commands with this instruction.
    pub(super) fn sent(&self, instruction: u8) -> Vec<&[u8]> {
        self.commands.iter().map(Vec::as_slice).filter(|command| command[1] == instruction).collect()
    }

    pub(super) fn with<R>(&mut self, work: impl FnOnce(&mut Channel<'_>) -> R) -> R {
        let capabilities = cardea_apdu::Capabilities { extended_length: self.extended, ..Default::default() };
        let mut limits = Limits::announced(&capabilities, &Properties::default());
        let log = Log::default();
        work(&mut Channel::basic(self, &mut limits, &log, "test"))
    }

    fn select(&mut self, p1: u8, data: &[u8]) -> Result<Vec<u8>, u16> {
        let target = match p1 {
            0x04 if self.aid.as_deref() == Some(data) => vec![0x3F, 0x00, 0x50, 0x15],
            0x04 => return Err(0x6A82),
            0x08 if !self.takes_paths => return Err(0x6A86),
            0x08 => [&[0x3F, 0x00], data].concat(),
            0x00 if data == [0x3F, 0x00] => data.to_vec(),
            0x00 => {
                let directory = match self.files.get(&self.current) {
                    Some(File::Directory) => self.current.as_slice(),
                    _ => &self.current[..self.current.len() - 2],
                };
                [directory, data].concat()
            }
            _ => return Err(0x6A86),
        };
        let file = self.files.get(&target).ok_or(0x6A82_u16)?;
        let (descriptor, size) = match file {
            File::Directory => (0x38, 0),
            File::Bytes(bytes) => (0x01, bytes.len()),
            File::Records(_) => (0x02, 0),
        };
        self.current = target;
        let mut control = vec![0x82, 0x01, descriptor];
        if self.tells_sizes {
            control.extend([0x80, 0x02, (size >> 8) as u8, size as u8]);
        }
        Ok([vec![0x6F, control.len() as u8], control].concat())
    }

    fn read(&self, offset: usize, length: usize) -> Result<(Vec<u8>, u16), u16> {
        if self.guarded.contains(&self.current) {
            return Err(0x6982);
        }
        let Some(File::Bytes(bytes)) = self.files.get(&self.current) else { return Err(0x6981) };
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty()).ok_or(0x6B00_u16)?;
        let length = length.min(self.longest_answer);
        let status = if length > rest.len() { 0x6282 } else { 0x9000 };
        Ok((rest[..length.min(rest.len())].to_vec(), status))
    }

    fn write(&mut self, offset: usize, data: &[u8]) -> Result<Vec<u8>, u16> {
        let Some(File::Bytes(bytes)) = self.files.get_mut(&self.current) else { return Err(0x6981) };
        bytes.get_mut(offset..offset + data.len()).ok_or(0x6A84_u16)?.copy_from_slice(data);
        Ok(Vec::new())
    }

    fn answer(&mut self, command: &[u8]) -> Result<(Vec<u8>, u16), u16> {
        let &[0x00, instruction, p1, p2, ref body @ ..] = command else { return Err(0x6E00) };
        let (data, expected) = self.body(body)?;
        let offset = usize::from(p1) << 8 | usize::from(p2);
        match instruction {
            0xA4 => self.select(p1, &data).map(|answer| (answer, 0x9000)),
            0xB0 if p1 & 0x80 == 0 => self.read(offset, expected),
            0xB1 => {
                let offset = data[2..].iter().fold(0, |offset, &byte| offset << 8 | usize::from(byte));
                let (bytes, status) = self.read(offset, expected.min(200))?;
                Ok((cardea_apdu::tlv::write(cardea_apdu::Tag::new(0x53), &bytes), status))
            }
            0xB2 if p2 == 4 => match self.files.get(&self.current) {
                Some(File::Records(records)) => {
                    let record = records.get(usize::from(p1).wrapping_sub(1)).ok_or(0x6A83_u16)?;
                    Ok((record.clone(), 0x9000))
                }
                _ => Err(0x6981),
            },
            0xD6 if p1 & 0x80 == 0 => self.write(offset, &data).map(|answer| (answer, 0x9000)),
            0xD7 => {
                let fields: Vec<_> = cardea_apdu::tlv::Reader::new(&data).map(Result::unwrap).collect();
                let offset = fields[0].value.iter().fold(0, |offset, &byte| offset << 8 | usize::from(byte));
                self.write(offset, fields[1].value).map(|answer| (answer, 0x9000))
            }
            _ => Err(0x6D00),
        }
    }

    /// Data field and expected length of the part of a command after its header.
    fn body(&self, body: &[u8]) -> Result<(Vec<u8>, usize), u16> {
        let short = |le: u8| if le == 0 { 256 } else { usize::from(le) };
        match *body {
            [] => Ok((Vec::new(), 0)),
            [le] => Ok((Vec::new(), short(le))),
            [0x00, high, low] if self.extended => {
                let le = usize::from(high) << 8 | usize::from(low);
                Ok((Vec::new(), if le == 0 { 65_536 } else { le }))
            }
            [0x00, _, low, ref data @ .., _, _] if self.extended && data.len() == usize::from(low) => {
                Ok((data.to_vec(), 65_536))
            }
            [lc, ref rest @ ..] if lc != 0 => match (rest.len().checked_sub(usize::from(lc)), rest.last()) {
                (Some(0), _) => Ok((rest.to_vec(), 0)),
                (Some(1), Some(&le)) => Ok((rest[..usize::from(lc)].to_vec(), short(le))),
                _ => Err(0x6700),
            },
            _ => Err(0x6700),
        }
    }
}

impl Transaction for Card {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.commands.push(command.to_vec());
        let (mut answer, status) = self.answer(command).unwrap_or_else(|status| (Vec::new(), status));
        answer.extend(status.to_be_bytes());
        Ok(Zeroizing::new(answer))
    }

    fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, _: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}
