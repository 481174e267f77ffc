//! Block ciphers with secret keys.
//!
//! The card keeps a chaining state of its own, one per logical channel. It is not used: each command has its own
//! security environment with the vector that the blocks before it left, so sessions cannot disturb one another.

use cardea_apdu::Command;
use zeroize::Zeroizing;

use super::security_environment::{Algorithm, Operation, set_cipher, set_wrapping};
use crate::card::CardError;
use crate::card::command::{INS_PERFORM_SECURITY_OPERATION, execute};
use crate::card::secret_key::{CipherMode, Direction, SecretKey};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// Most bytes of one command: whole blocks of AES and DES that a short command and its answer hold.
const CHUNK: usize = 240;
/// Class of a command with one block, which the card enciphers for itself.
const BLOCK: u8 = 0x00;
/// Class of a command with a chain of blocks. MyEID takes the chaining bit for the mode (OpenSC, card-myeid.c).
const CHAIN: u8 = 0x10;

/// Enciphers or deciphers whole blocks.
pub(super) fn cipher(
    channel: &mut Channel<'_>,
    key: &SecretKey,
    direction: Direction,
    mode: CipherMode<'_>,
    blocks: &[u8],
) -> Result<SecretBytes, CardError> {
    let length = key.kind.block_len().ok_or(CardError::NotSupported)?;
    if !blocks.len().is_multiple_of(length) {
        return Err(CardError::Input);
    }
    let zeros = vec![0; length];
    match (mode, direction) {
        (CipherMode::Cbc(vector), _) if vector.len() != length => Err(CardError::Input),
        (CipherMode::Cbc(vector), _) => chain(channel, key, direction, vector, blocks),
        (CipherMode::Ecb, Direction::Encipher) => each(channel, key, direction, &zeros, blocks),
        (CipherMode::Ecb, Direction::Decipher) if blocks.len() <= length => {
            each(channel, key, direction, &zeros, blocks)
        }
        // Many blocks in one command: chained, and the chain taken out of the result.
        (CipherMode::Ecb, Direction::Decipher) => {
            let mut plain = chain(channel, key, direction, &zeros, blocks)?;
            let chained = plain.iter_mut().skip(length);
            chained.zip(blocks).for_each(|(byte, before)| *byte ^= before);
            Ok(plain)
        }
    }
}

/// Cipher block chaining from `vector` on.
fn chain(
    channel: &mut Channel<'_>,
    key: &SecretKey,
    direction: Direction,
    vector: &[u8],
    blocks: &[u8],
) -> Result<SecretBytes, CardError> {
    let mut vector = vector.to_vec();
    let mut result = Zeroizing::new(Vec::with_capacity(blocks.len()));
    for chunk in blocks.chunks(CHUNK) {
        set_cipher(channel, operation(direction), key.reference, &vector)?;
        let answer = perform(channel, CHAIN, direction, chunk)?;
        let ciphertext = if direction == Direction::Encipher { &answer } else { chunk };
        let last = ciphertext.len().saturating_sub(vector.len());
        vector = ciphertext.get(last..).unwrap_or_default().to_vec();
        result.extend_from_slice(&answer);
    }
    Ok(result)
}

/// Each block for itself.
fn each(
    channel: &mut Channel<'_>,
    key: &SecretKey,
    direction: Direction,
    zeros: &[u8],
    blocks: &[u8],
) -> Result<SecretBytes, CardError> {
    let mut result = Zeroizing::new(Vec::with_capacity(blocks.len()));
    if !blocks.is_empty() {
        set_cipher(channel, operation(direction), key.reference, zeros)?;
    }
    for block in blocks.chunks(zeros.len().max(1)) {
        result.extend_from_slice(&perform(channel, BLOCK, direction, block)?);
    }
    Ok(result)
}

/// Has the card encipher one of its keys with another. It chains the blocks, which a single one does not show.
pub(super) fn wrap(
    channel: &mut Channel<'_>,
    key: &SecretKey,
    with: &SecretKey,
    mode: CipherMode<'_>,
    padded: bool,
) -> Result<Vec<u8>, CardError> {
    let block = with.kind.block_len().ok_or(CardError::NotSupported)?;
    let length = key.kind.len();
    let (algorithm, wrapped) =
        if padded { (Algorithm::WrapPadded, (length / block + 1) * block) } else { (Algorithm::Wrap, length) };
    let zeros = vec![0; block];
    let vector = match mode {
        CipherMode::Cbc(vector) if vector.len() == block => vector,
        CipherMode::Ecb if wrapped == block => &zeros,
        CipherMode::Cbc(_) | CipherMode::Ecb => return Err(CardError::NotSupported),
    };
    if !wrapped.is_multiple_of(block) {
        return Err(CardError::Input);
    }
    set_wrapping(channel, algorithm, with.reference, key.reference, vector)?;
    let command = Command::new(0x00, INS_PERFORM_SECURITY_OPERATION, 0x84, 0x00).le(wrapped);
    let answer = execute(channel, command)?;
    if answer.len() == wrapped { Ok(answer.to_vec()) } else { Err(CardError::Malformed { what: "wrapped key" }) }
}

fn operation(direction: Direction) -> Operation {
    match direction {
        Direction::Encipher => Operation::Encipher,
        Direction::Decipher => Operation::Decipher,
    }
}

/// PERFORM SECURITY OPERATION: ENCIPHER or DECIPHER (ISO 7816-8 11.10, 11.11).
fn perform(
    channel: &mut Channel<'_>,
    class: u8,
    direction: Direction,
    blocks: &[u8],
) -> Result<SecretBytes, CardError> {
    let (p1, p2) = match direction {
        Direction::Encipher => (0x84, 0x80),
        Direction::Decipher => (0x80, 0x84),
    };
    let data = Zeroizing::new(blocks.to_vec());
    let command = Command::new(class, INS_PERFORM_SECURITY_OPERATION, p1, p2).data_zeroizing(data).le(blocks.len());
    let answer = execute(channel, command.secret_command().secret_response())?;
    if answer.len() == blocks.len() { Ok(answer) } else { Err(CardError::Malformed { what: "blocks" }) }
}
