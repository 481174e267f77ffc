//! The AES key, DO D5, and what it does: PSO: ENCIPHER and PSO: DECIPHER (OpenPGP card 4.4.1, 7.2.11, 7.2.12).
//!
//! The card chains blocks (CBC) from an initialization vector of zeros, in each command anew. Other vectors are mixed into
//! the first block on the host, so that nothing of one command is needed for the next.
//!
//! DO D5 is written with PW3 and never read. Whether it has a key shows when PW1 is verified and a block is enciphered;
//! its length never shows, and is known to the process alone that wrote the key.

use zeroize::Zeroizing;

use super::{OpenPgp, password};
use crate::card::command::data_object::put_data_by_number;
use crate::card::command::{security, verification};
use crate::card::new_key::{NewKey, NewKind, Storage};
use crate::card::secret_key::{CipherMode, Direction, SecretKey, SecretKind, SecretUsage};
use crate::card::{Authentication, CardError, KeyReference};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// DO D5.
const AES_KEY: u16 = 0xD5;
/// The key in the driver's numbering.
pub(super) const REFERENCE: KeyReference = KeyReference(AES_KEY);
/// `CKA_ID`: the number after those of the three private keys.
const ID: u8 = 4;
const LABEL: &str = "AES key";
/// Keys that the DO takes.
pub(super) const KINDS: &[SecretKind] = &[SecretKind::Aes { bits: 256 }, SecretKind::Aes { bits: 128 }];
/// What the card does with the key. Nothing on the card says what it is meant for.
const USAGE: SecretUsage = SecretUsage { encrypt: true, decrypt: true, wrap: true, unwrap: true };

/// Padding indicator of AES cryptograms.
const AES_CRYPTOGRAM: u8 = 0x02;
const BLOCK: usize = 16;
/// Most bytes of one command: whole blocks that a short command and its answer hold, beside the padding indicator.
const CHUNK: usize = 240;
/// A block of zeros: the initialization vector, and what is enciphered to see whether there is a key.
const ZEROS: [u8; BLOCK] = [0; BLOCK];
/// That block enciphered with the keys of zeros, which take the place of a destroyed one: AES-256 and AES-128.
const DESTROYED: [[u8; BLOCK]; 2] = [
    [0xDC, 0x95, 0xC0, 0x78, 0xA2, 0x40, 0x89, 0x89, 0xAD, 0x48, 0xA2, 0x14, 0x92, 0x84, 0x20, 0x87],
    [0x66, 0xE9, 0x4B, 0xD4, 0xEF, 0x8A, 0x2C, 0x3B, 0x88, 0x4C, 0xFA, 0x59, 0xCA, 0x34, 0x2B, 0x2E],
];

/// What is known of DO D5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Known {
    /// Nothing yet.
    #[default]
    Nothing,
    /// There is no key.
    Absent,
    /// There is one of this kind.
    Present(SecretKind),
}

impl OpenPgp {
    /// The AES key, where there is one; `SecurityStatus` where the user is not logged in, so that nobody knows.
    pub(super) fn find_aes_key(&mut self, channel: &mut Channel<'_>) -> Result<Option<SecretKey>, CardError> {
        if !self.data.capabilities.aes {
            return Ok(None);
        }
        if self.aes == Known::Nothing {
            self.aes = match encipher(channel, &ZEROS) {
                Ok(cryptogram) if DESTROYED.iter().any(|known| *cryptogram == known) => Known::Absent,
                Ok(_) => Known::Present(SecretKind::AesUntold),
                Err(error @ (CardError::Channel(_) | CardError::SecurityStatus)) => return Err(error),
                Err(_) => Known::Absent,
            };
        }
        Ok(match self.aes {
            Known::Present(kind) => Some(secret_key(kind)),
            Known::Nothing | Known::Absent => None,
        })
    }

    /// The place for such a secret key.
    pub(super) fn reserve_aes(&self, new: &NewKey) -> Result<KeyReference, CardError> {
        let taken = matches!(new.kind, NewKind::Secret(kind) if KINDS.contains(&kind));
        if !self.data.capabilities.aes || !taken || new.storage != Storage::Token {
            return Err(CardError::NotSupported);
        }
        // The card keeps no rule beside the key.
        if new.extractable || !new.private || !new.secret_usage.encrypt || !new.secret_usage.decrypt {
            return Err(CardError::NotSupported);
        }
        if matches!(self.aes, Known::Present(_)) { Err(CardError::Occupied) } else { Ok(REFERENCE) }
    }

    /// PUT DATA of the key.
    pub(super) fn write_aes(
        &mut self,
        channel: &mut Channel<'_>,
        new: &NewKey,
        value: &SecretBytes,
    ) -> Result<SecretKey, CardError> {
        let NewKind::Secret(kind) = new.kind else { return Err(CardError::NotSupported) };
        match put(channel, value) {
            Err(error @ CardError::Channel(_)) => {
                self.aes = Known::Nothing;
                Err(error)
            }
            // The length is all that can be wrong with it: opcard takes 32 bytes only.
            Err(CardError::Status { status, .. }) if status.sw1() != 0x6F => Err(CardError::NotSupported),
            result => {
                result?;
                self.aes = Known::Present(kind);
                Ok(secret_key(kind))
            }
        }
    }

    /// Destroys the key: another takes its place, since no command deletes it for certain; then the DO is emptied where
    /// the card does that.
    pub(super) fn delete_aes(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        let replaced = match put(channel, &[0; 32]) {
            Err(CardError::Status { .. }) => put(channel, &[0; 16]),
            result => result,
        };
        if let Err(CardError::Channel(_)) = replaced {
            self.aes = Known::Nothing;
        }
        replaced?;
        self.aes = Known::Absent;
        match put(channel, &[]) {
            Err(error @ CardError::Channel(_)) => Err(error),
            _ => Ok(()),
        }
    }
}

fn put(channel: &mut Channel<'_>, value: &[u8]) -> Result<(), CardError> {
    put_data_by_number(channel, AES_KEY, Zeroizing::new(value.to_vec()))
}

fn secret_key(kind: SecretKind) -> SecretKey {
    SecretKey {
        reference: REFERENCE,
        storage: Storage::Token,
        id: vec![ID],
        label: LABEL.to_owned(),
        kind,
        usage: USAGE,
        extractable: false,
        authentication: Authentication::Once,
        local: None,
    }
}

/// Enciphers or deciphers whole blocks.
pub(super) fn cipher(
    channel: &mut Channel<'_>,
    direction: Direction,
    mode: CipherMode<'_>,
    blocks: &[u8],
) -> Result<SecretBytes, CardError> {
    if !blocks.len().is_multiple_of(BLOCK) {
        return Err(CardError::Input);
    }
    match (mode, direction) {
        (CipherMode::Cbc(vector), _) if vector.len() != BLOCK => Err(CardError::Input),
        (CipherMode::Cbc(vector), Direction::Encipher) => encipher_chain(channel, vector, blocks),
        (CipherMode::Cbc(vector), Direction::Decipher) => decipher_chain(channel, vector, blocks),
        (CipherMode::Ecb, Direction::Encipher) => {
            let mut result = Zeroizing::new(Vec::with_capacity(blocks.len()));
            for block in blocks.chunks(BLOCK) {
                result.extend_from_slice(&encipher(channel, block)?);
            }
            Ok(result)
        }
        // Many blocks in one command: chained, and the chain taken out of the result.
        (CipherMode::Ecb, Direction::Decipher) => {
            let mut plain = decipher_chain(channel, &ZEROS, blocks)?;
            plain.iter_mut().skip(BLOCK).zip(blocks).for_each(|(byte, before)| *byte ^= before);
            Ok(plain)
        }
    }
}

fn encipher_chain(channel: &mut Channel<'_>, vector: &[u8], blocks: &[u8]) -> Result<SecretBytes, CardError> {
    let mut vector = vector.to_vec();
    let mut result = Zeroizing::new(Vec::with_capacity(blocks.len()));
    for chunk in blocks.chunks(CHUNK) {
        let mut mixed = Zeroizing::new(chunk.to_vec());
        mix(&mut mixed, &vector);
        let cryptogram = encipher(channel, &mixed)?;
        vector = last_block(&cryptogram).to_vec();
        result.extend_from_slice(&cryptogram);
    }
    Ok(result)
}

fn decipher_chain(channel: &mut Channel<'_>, vector: &[u8], blocks: &[u8]) -> Result<SecretBytes, CardError> {
    let mut vector = vector;
    let mut result = Zeroizing::new(Vec::with_capacity(blocks.len()));
    for chunk in blocks.chunks(CHUNK) {
        let mut plain = decipher(channel, chunk)?;
        mix(&mut plain, vector);
        vector = last_block(chunk);
        result.extend_from_slice(&plain);
    }
    Ok(result)
}

fn mix(block: &mut [u8], other: &[u8]) {
    block.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

fn last_block(blocks: &[u8]) -> &[u8] {
    blocks.last_chunk::<BLOCK>().map_or(&ZEROS, |last| last)
}

/// PSO: ENCIPHER of some blocks, chained from zeros.
fn encipher(channel: &mut Channel<'_>, blocks: &[u8]) -> Result<SecretBytes, CardError> {
    let answer = security::encipher(channel, blocks);
    match explained(channel, answer)?.as_slice() {
        [AES_CRYPTOGRAM, cryptogram @ ..] if cryptogram.len() == blocks.len() => {
            Ok(Zeroizing::new(cryptogram.to_vec()))
        }
        _ => Err(CardError::Malformed { what: "AES cryptogram" }),
    }
}

/// PSO: DECIPHER of some blocks, chained from zeros.
fn decipher(channel: &mut Channel<'_>, blocks: &[u8]) -> Result<SecretBytes, CardError> {
    let answer = security::decipher(channel, &[&[AES_CRYPTOGRAM], blocks].concat());
    let plain = explained(channel, answer)?;
    if plain.len() == blocks.len() { Ok(plain) } else { Err(CardError::Malformed { what: "deciphered blocks" }) }
}

/// Cards answer alike (6985) that there is no key and that PW1 is not verified: they are asked which of the two it is.
fn explained(channel: &mut Channel<'_>, answer: Result<SecretBytes, CardError>) -> Result<SecretBytes, CardError> {
    match answer {
        Err(error @ (CardError::Status { .. } | CardError::NotFound | CardError::NotSupported)) => {
            let verified = verification::verification_status(channel, password::PW1_OTHER)?.is_success();
            Err(if verified { error } else { CardError::SecurityStatus })
        }
        answer => answer,
    }
}
