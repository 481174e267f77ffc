//! The PIV card application (SP 800-73-4 and -5, 800-78-5) with Yubico's extensions: read and use.
//!
//! Commands from a fresh card to its [`crate::card::Description`]: GET DATA of the discovery object (fails where another
//! application is current), SELECT, the discovery object again, the firmware version (FD, asked once even where
//! nobody knows it), CHUID, empty VERIFY: six. A YubiKey from 5.0 gives its serial (F8) in place of the CHUID.
//! All objects of a card with four certificates cost seven more, those of a YubiKey with metadata thirteen (`objects`).
//!
//! What cards answer is hostile: structures are read with bounds, and a broken object is left out rather than
//! making the others unusable.

mod attestation;
mod certificate;
mod chuid;
mod contract;
mod data_object;
mod discovery;
mod general_authenticate;
mod gzip;
mod identity;
mod key_history;
mod key_reference;
mod management;
mod objects;
mod officer;
mod pin;
mod store;
mod write;
mod x509;
mod yubikey;

use std::collections::{BTreeMap, BTreeSet};

use cardea_apdu::Atr;

use super::{CardApplication, CardError, PrivateKey};
use crate::channel::Channel;
use discovery::Discovery;
use yubikey::{Maker, Version};

/// The application's AID without its version, by which it is selected (SP 800-73-4 part 1 2.2).
pub const AID: &[u8] = &[0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];
/// One PIV card application and what is known about it.
#[derive(Debug)]
pub struct Piv {
    maker: Maker,
    /// The AID that the card answers to.
    aid: &'static [u8],
    discovery: Option<Discovery>,
    version: Known<Version>,
    serial: Known<u32>,
    /// Content of the CHUID.
    chuid: Known<Vec<u8>>,
    /// The card fills answers to GET METADATA; `None` until it was asked.
    metadata: Option<bool>,
    /// The certificate of its attestations is among the objects; `None` where that was not asked.
    attests: Option<bool>,
    log_out: LogOut,
    /// The management key was authenticated since the application was selected.
    administers: bool,
    /// PIN, PUK and management key are those that the card was made with, but for the ones that were set since.
    fresh: bool,
    /// Keys that were made here: a card without metadata does not tell of those without certificates.
    made: BTreeMap<u8, PrivateKey>,
    /// References whose keys were destroyed here: a card without metadata shows them by their certificates still.
    destroyed: BTreeSet<u8>,
}

/// What has been asked of the card, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known<T> {
    NotAsked,
    Absent,
    Value(T),
}

impl<T> Known<T> {
    fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotAsked | Self::Absent => None,
        }
    }
}

impl<T> From<Option<T>> for Known<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

/// How the verified state is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogOut {
    /// Not tried yet.
    Untried,
    /// VERIFY with P1 = FF was seen to work.
    Verify,
    /// By selecting another application and this one again.
    Reselect,
    /// Only by a reset.
    None,
}

/// Whether the card has a PIV application, at one to three commands.
///
/// An application that is current already is not selected again, so another program's login survives.
pub fn probe(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let mut piv = Piv::new(Maker::of(atr));
    let found = piv.find_current(channel)? || piv.find(channel)?;
    Ok(found.then(|| Box::new(piv) as Box<dyn CardApplication>))
}

impl Piv {
    fn new(maker: Maker) -> Self {
        Self {
            maker,
            aid: AID,
            discovery: None,
            version: Known::NotAsked,
            serial: Known::NotAsked,
            chuid: Known::NotAsked,
            metadata: None,
            attests: None,
            log_out: LogOut::Untried,
            administers: false,
            fresh: false,
            made: BTreeMap::new(),
            destroyed: BTreeSet::new(),
        }
    }

    /// Reference of the PIN that the cardholder knows.
    fn pin_reference(&self) -> u8 {
        if self.discovery.as_ref().is_some_and(|discovery| discovery.global_pin) {
            pin::GLOBAL_PIN
        } else {
            pin::APPLICATION_PIN
        }
    }

    /// Whether an empty VERIFY is a question: to YubiKeys before 4.3.2, and to one that hides its version, it is
    /// not asked, because its empty data field counted as a wrong PIN there.
    fn answers_empty_verify(&self) -> bool {
        !self.maker.is_yubikey() || self.is_yubikey_from(Version::EMPTY_VERIFY)
    }

    /// Tries of the user's PIN: after a success, where known, and left.
    fn user_retries(&mut self, channel: &mut Channel<'_>) -> Result<(Option<u8>, Option<u8>), CardError> {
        let reference = self.pin_reference();
        if self.is_yubikey_from(Version::METADATA)
            && let Some((total, left)) = yubikey::pin_retries(channel, reference)?
        {
            return Ok((Some(total), Some(left)));
        }
        let left = if self.answers_empty_verify() { pin::retries(channel, reference)? } else { None };
        Ok((None, left))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
