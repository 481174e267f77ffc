//! READ BINARY, UPDATE BINARY and READ RECORD (ISO 7816-4 11.3.3, 11.3.5, 11.4.3), and files read with them.

use cardea_apdu::tlv::{Reader, write};
use cardea_apdu::{Command, StatusWord, Tag};
use zeroize::Zeroizing;

use crate::card::CardError;
use crate::card::command::{accept, execute};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// READ BINARY, even instruction code.
pub const INS_READ_BINARY: u8 = 0xB0;
/// READ BINARY, odd instruction code: the offset is in the data field.
pub const INS_READ_BINARY_ODD: u8 = 0xB1;
/// READ RECORD.
pub const INS_READ_RECORD: u8 = 0xB2;
/// UPDATE BINARY, even instruction code.
pub const INS_UPDATE_BINARY: u8 = 0xD6;
/// UPDATE BINARY, odd instruction code: offset and bytes are data objects.
pub const INS_UPDATE_BINARY_ODD: u8 = 0xD7;

/// Largest offset that P1-P2 can have; b8 of P1 means a short EF identifier.
const OFFSET_MAX: usize = 0x7FFF;
/// Offset data object of the odd instruction codes.
const OFFSET: Tag = Tag::new(0x54);
/// Discretionary data object of the odd instruction codes.
const DISCRETIONARY: Tag = Tag::new(0x53);
/// Most bytes of one UPDATE BINARY. Chaining it is not for file systems of small cards, so short commands only.
const UPDATE_CHUNK: usize = 255;
/// The same with the odd instruction code: tags, lengths and a three-byte offset come along.
const UPDATE_CHUNK_ODD: usize = UPDATE_CHUNK - 8;
/// Longest file that is read.
pub const FILE_MAX: usize = 65_536;
/// Most commands for one file: the longest one in pieces of 64 bytes.
const COMMANDS_MAX: usize = FILE_MAX / 64;
/// P2 of READ RECORD: the record whose number is in P1, of the current EF.
const BY_NUMBER: u8 = 0x04;

/// What READ BINARY gave.
struct Piece {
    data: SecretBytes,
    /// The file ends here.
    last: bool,
}

/// Reads at most `length` bytes at `offset` of the current EF, fewer where the file ends.
pub fn read_binary(channel: &mut Channel<'_>, offset: usize, length: usize) -> Result<SecretBytes, CardError> {
    read_piece(channel, offset, Some(length)).map(|piece| piece.data)
}

fn read_piece(channel: &mut Channel<'_>, offset: usize, length: Option<usize>) -> Result<Piece, CardError> {
    let odd = offset > OFFSET_MAX;
    let command = match position(offset) {
        Some([p1, p2]) if !odd => Command::new(0x00, INS_READ_BINARY, p1, p2),
        _ => Command::new(0x00, INS_READ_BINARY_ODD, 0x00, 0x00).data(&write(OFFSET, &offset_bytes(offset))),
    };
    let command = match length {
        Some(length) => command.le(length),
        None => command.le_max(),
    };
    let instruction = command.ins();
    let response = channel.transmit(command)?;
    let beyond_end = match response.sw() {
        StatusWord::WRONG_P1_P2 => true,
        StatusWord::WRONG_LENGTH => length.is_none() && offset > 0,
        _ => false,
    };
    if beyond_end {
        return Ok(Piece { data: Zeroizing::new(Vec::new()), last: true });
    }
    let last = response.sw() == StatusWord::END_OF_FILE;
    let data = if last { response.into_data() } else { accept(instruction, response)? };
    let data = if odd { unwrapped(&data)? } else { data };
    Ok(Piece { data, last })
}

/// The bytes of an answer to the odd instruction code.
fn unwrapped(answer: &[u8]) -> Result<SecretBytes, CardError> {
    if answer.is_empty() {
        return Ok(Zeroizing::new(Vec::new()));
    }
    let content = Reader::new(answer).expect(DISCRETIONARY);
    content
        .map(|bytes| Zeroizing::new(bytes.to_vec()))
        .map_err(|_| CardError::Malformed { what: "answer to READ BINARY" })
}

/// Reads the current EF from `offset` on: `size` bytes where it is known, else to its end, and no further than
/// `is_complete` asks, which sees what was read so far.
pub fn read_file(
    channel: &mut Channel<'_>,
    offset: usize,
    size: Option<usize>,
    is_complete: impl Fn(&[u8]) -> bool,
) -> Result<SecretBytes, CardError> {
    let malformed = CardError::Malformed { what: "file" };
    let limit = size.unwrap_or(FILE_MAX).min(FILE_MAX);
    let mut content = Zeroizing::new(Vec::with_capacity(limit));
    for _ in 0..COMMANDS_MAX {
        let wanted = limit - content.len();
        if wanted == 0 {
            return Ok(content);
        }
        let piece = read_piece(channel, offset + content.len(), size.map(|_| wanted))?;
        content.extend(piece.data.iter().take(wanted));
        if piece.last || piece.data.is_empty() || is_complete(&content) {
            return Ok(content);
        }
    }
    Err(malformed)
}

/// Writes `bytes` at `offset` of the current EF.
pub fn update_binary(channel: &mut Channel<'_>, offset: usize, bytes: &[u8]) -> Result<(), CardError> {
    let mut rest = bytes;
    let mut offset = offset;
    while !rest.is_empty() {
        let (chunk, after) = match position(offset) {
            Some([p1, p2]) => {
                let (chunk, after) = split(rest, UPDATE_CHUNK);
                execute(channel, Command::new(0x00, INS_UPDATE_BINARY, p1, p2).data(chunk))?;
                (chunk, after)
            }
            None => {
                let (chunk, after) = split(rest, UPDATE_CHUNK_ODD);
                let data = [write(OFFSET, &offset_bytes(offset)), write(DISCRETIONARY, chunk)].concat();
                execute(channel, Command::new(0x00, INS_UPDATE_BINARY_ODD, 0x00, 0x00).data(&data))?;
                (chunk, after)
            }
        };
        offset += chunk.len();
        rest = after;
    }
    Ok(())
}

/// Reads record `number` of the current EF.
pub fn read_record(channel: &mut Channel<'_>, number: u8) -> Result<SecretBytes, CardError> {
    execute(channel, Command::new(0x00, INS_READ_RECORD, number, BY_NUMBER).le_max())
}

/// P1-P2 for an offset that they can have.
fn position(offset: usize) -> Option<[u8; 2]> {
    u16::try_from(offset).ok().filter(|_| offset <= OFFSET_MAX).map(u16::to_be_bytes)
}

/// An offset for its data object: two bytes, or three where they do not do.
fn offset_bytes(offset: usize) -> Vec<u8> {
    let bytes = u32::try_from(offset).unwrap_or(u32::MAX).to_be_bytes();
    bytes.into_iter().skip(if offset > 0xFFFF { 1 } else { 2 }).collect()
}

fn split(bytes: &[u8], length: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(length).unwrap_or((bytes, &[]))
}
