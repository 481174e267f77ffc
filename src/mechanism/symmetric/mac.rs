//! Message authentication codes: CMAC with AES and triple DES (SP 800-38B), CBC-MAC (FIPS 113) and HMAC (FIPS 198-1).

use ::aes::{Aes128, Aes192, Aes256};
use cmac::Cmac;
use des::{TdesEde2, TdesEde3};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as Function};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::blocks::BlockCipher;
use super::cbc_mac::CbcMac;
use super::{SecretKey, check_mac, leaving_nothing};
use crate::error::Error;
use crate::mechanism::{Hash, MacFunction, Mechanism, Result};
use crate::secret::SecretBytes;

/// A code in the making. Its memory is wiped when it ends.
pub struct Mac {
    state: State,
    length: usize,
}

enum State {
    Cmac128(Box<Cmac<Aes128>>),
    Cmac192(Box<Cmac<Aes192>>),
    Cmac256(Box<Cmac<Aes256>>),
    Cmac2Des(Box<Cmac<TdesEde2>>),
    Cmac3Des(Box<Cmac<TdesEde3>>),
    Cbc(Box<CbcMac>),
    Sha1(Box<Hmac<Sha1>>),
    Sha224(Box<Hmac<Sha224>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

/// Calls one expression for whichever state there is.
macro_rules! each {
    ($state:expr, $mac:ident => $body:expr) => {
        match $state {
            State::Cmac128($mac) => $body,
            State::Cmac192($mac) => $body,
            State::Cmac256($mac) => $body,
            State::Cmac2Des($mac) => $body,
            State::Cmac3Des($mac) => $body,
            State::Cbc($mac) => $body,
            State::Sha1($mac) => $body,
            State::Sha224($mac) => $body,
            State::Sha256($mac) => $body,
            State::Sha384($mac) => $body,
            State::Sha512($mac) => $body,
        }
    };
}

fn keyed<M: KeyInit>(key: &[u8]) -> Result<Box<M>> {
    M::new_from_slice(key).map(Box::new).map_err(|_| Error::KeySizeRange)
}

/// HMAC of `parts`, one after the other.
pub(super) fn hmac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Result<SecretBytes> {
    let mut mac = Mac { state: Mac::state(MacFunction::Hmac(hash), key)?, length: hash.output_len() };
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finish())
}

impl Mac {
    /// Starts a code by `mechanism` with `key`; errors as of [`check_mac`].
    pub fn new(mechanism: &Mechanism, key: &SecretKey) -> Result<Self> {
        let (function, length) = check_mac(mechanism, key.kind)?;
        leaving_nothing(|| Self::keyed(function, length, key))
    }

    fn keyed(function: MacFunction, length: usize, key: &SecretKey) -> Result<Self> {
        Ok(Self { state: Self::state(function, key.value.expose())?, length })
    }

    fn state(function: MacFunction, value: &[u8]) -> Result<State> {
        Ok(match (function, value.len()) {
            (MacFunction::Cmac, 16) => State::Cmac128(keyed(value)?),
            (MacFunction::Cmac, 24) => State::Cmac192(keyed(value)?),
            (MacFunction::Cmac, _) => State::Cmac256(keyed(value)?),
            (MacFunction::Des3Cmac, 16) => State::Cmac2Des(keyed(value)?),
            (MacFunction::Des3Cmac, _) => State::Cmac3Des(keyed(value)?),
            (MacFunction::CbcMac, _) => State::Cbc(Box::new(CbcMac::new(BlockCipher::aes(value)?))),
            (MacFunction::Des3CbcMac, _) => State::Cbc(Box::new(CbcMac::new(BlockCipher::des3(value)?))),
            (MacFunction::Hmac(Hash::Sha1), _) => State::Sha1(keyed(value)?),
            (MacFunction::Hmac(Hash::Sha224), _) => State::Sha224(keyed(value)?),
            (MacFunction::Hmac(Hash::Sha256), _) => State::Sha256(keyed(value)?),
            (MacFunction::Hmac(Hash::Sha384), _) => State::Sha384(keyed(value)?),
            (MacFunction::Hmac(Hash::Sha512), _) => State::Sha512(keyed(value)?),
        })
    }

    /// Length of the code in bytes.
    pub fn output_len(&self) -> usize {
        self.length
    }

    /// Takes the next part of the message.
    pub fn update(&mut self, part: &[u8]) {
        leaving_nothing(|| each!(&mut self.state, mac => Code::take(&mut **mac, part)));
    }

    /// The code, cut to its length from the right.
    pub fn finish(self) -> SecretBytes {
        let length = self.length;
        let mut code = leaving_nothing(|| each!(self.state, mac => Code::code(mac)));
        code.truncate(length);
        code
    }

    /// Whether `code` is right; `SignatureLenRange` or `SignatureInvalid` otherwise, the latter found out in the same
    /// time wherever it differs.
    pub fn verify(self, code: &[u8]) -> Result<()> {
        if code.len() != self.length {
            return Err(Error::SignatureLenRange);
        }
        if bool::from(self.finish().ct_eq(code)) { Ok(()) } else { Err(Error::SignatureInvalid) }
    }
}

/// A code in the making, whatever makes it.
trait Code {
    fn take(&mut self, part: &[u8]);
    fn code(self: Box<Self>) -> SecretBytes;
}

impl Code for CbcMac {
    fn take(&mut self, part: &[u8]) {
        self.update(part);
    }

    fn code(self: Box<Self>) -> SecretBytes {
        self.finish()
    }
}

impl<M: Function + Clone> Code for M {
    fn take(&mut self, part: &[u8]) {
        Function::update(self, part);
    }

    fn code(self: Box<Self>) -> SecretBytes {
        // A copy on the stack ends here: the state itself is wiped only where it stays.
        Zeroizing::new((*self).clone().finalize().into_bytes().to_vec())
    }
}
