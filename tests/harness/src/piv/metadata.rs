//! GET METADATA, Yubico's INS F7: what the card knows about its keys and reference data.

use std::collections::BTreeMap;

use super::command_layer::{find, objects};
use super::tries::Tries;

/// Where a key came from, as GET METADATA says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOrigin {
    Generated = 1,
    Imported = 2,
}

/// What is known about one asymmetric key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) algorithm: u8,
    pub(super) origin: KeyOrigin,
    /// Policies for PIN (1 never, 2 once, 3 always) and touch (1 never, 2 always, 3 cached), which stay with the key.
    policy: [u8; 2],
    /// The inside of 7F49: 81 modulus and 82 exponent, or 86 point.
    pub(super) public: Vec<u8>,
}

impl Key {
    /// The modulus of an RSA key.
    pub(super) fn modulus(&self) -> Option<&[u8]> {
        find(&self.public, &[0x81])
    }
}

/// What is known about keys and reference data.
#[derive(Debug)]
pub(super) struct Metadata {
    keys: BTreeMap<u8, Key>,
    management_algorithm: u8,
    management_is_default: bool,
    pub(super) pin_is_default: bool,
    pub(super) puk_is_default: bool,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            management_algorithm: 0x03,
            management_is_default: true,
            pin_is_default: true,
            puk_is_default: true,
        }
    }
}

impl Metadata {
    /// Remembers a key by the answer that GENERATE ASYMMETRIC KEY PAIR gave for it.
    pub(super) fn remember(&mut self, reference: u8, algorithm: u8, origin: KeyOrigin, policy: [u8; 2], answer: &[u8]) {
        // 7F49 is the only two-byte tag here: seen from its second byte it is an object 49
        let public = answer.get(1..).and_then(|inner| find(inner, &[0x49])).unwrap_or_default().to_vec();
        // 0 is the default of the reference.
        let pin = match (policy[0], reference) {
            (0, 0x9C) => 3,
            (0, 0x9E) => 1,
            (0, _) => 2,
            (asked, _) => asked,
        };
        let policy = [pin, policy[1].max(1)];
        self.keys.insert(reference, Key { algorithm, origin, policy, public });
    }

    pub(super) fn key(&self, reference: u8) -> Option<&Key> {
        self.keys.get(&reference)
    }

    /// Whether there was a key, which is not known any more.
    pub(super) fn forget(&mut self, reference: u8) -> bool {
        self.keys.remove(&reference).is_some()
    }

    /// The key of one reference is the key of another; whether there was one.
    pub(super) fn moved(&mut self, from: u8, to: u8) -> bool {
        self.keys.remove(&from).map(|key| self.keys.insert(to, key)).is_some()
    }

    pub(super) fn set_management_key(&mut self, algorithm: u8, key: &[u8]) {
        self.management_algorithm = algorithm;
        self.management_is_default = key == [1, 2, 3, 4, 5, 6, 7, 8].repeat(3);
    }

    /// The response data for a key reference, if there is something behind it.
    pub(super) fn answer(&self, reference: u8, pin: Tries, puk: Tries) -> Option<Vec<u8>> {
        match reference {
            0x80 => Some(reference_data(self.pin_is_default, pin)),
            0x81 => Some(reference_data(self.puk_is_default, puk)),
            0x9B => {
                let default = u8::from(self.management_is_default);
                Some(vec![0x01, 1, self.management_algorithm, 0x02, 2, 0x00, 0x01, 0x05, 1, default])
            }
            _ => self.keys.get(&reference).map(asymmetric),
        }
    }
}

fn reference_data(default: bool, tries: Tries) -> Vec<u8> {
    vec![0x01, 1, 0xFF, 0x05, 1, u8::from(default), 0x06, 2, tries.total, tries.left]
}

fn asymmetric(key: &Key) -> Vec<u8> {
    let [pin, touch] = key.policy;
    let mut data = vec![0x01, 1, key.algorithm, 0x02, 2, pin, touch, 0x03, 1, key.origin as u8, 0x04];
    match key.public.len() {
        length @ 0..=0x7F => data.push(length as u8),
        length @ 0x80..=0xFF => data.extend_from_slice(&[0x81, length as u8]),
        length => data.extend_from_slice(&[0x82, (length >> 8) as u8, length as u8]),
    }
    debug_assert!(objects(&key.public).count() > 0);
    data.extend_from_slice(&key.public);
    data
}
