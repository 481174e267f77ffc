//! ATTEST, Yubico's INS F9: a certificate for a key that was generated on the card.

use p256::pkcs8::EncodePublicKey as _;
use rsa::{BigUint, RsaPublicKey};

use super::command_layer::find;
use super::metadata::{Key, KeyOrigin};
use crate::provision::{Authority, Holder, KeyKind, KeySlot, Usage};

/// The attestation key and its certificate.
pub(super) struct Attestation {
    authority: Authority,
    certificate: Vec<u8>,
}

impl Default for Attestation {
    fn default() -> Self {
        let key = p256::SecretKey::from_slice(&[0xA7; 32]).expect("a scalar");
        let authority = Authority::new("Cardea Bench Attestation");
        let public = key.public_key().to_public_key_der().expect("a public key encodes");
        let slot = KeySlot::new(0xF9, KeyKind::P256);
        let certificate = authority.issue(&Holder::new("Attestation"), &slot, Usage::Signature, public.as_bytes());
        Self { authority, certificate }
    }
}

impl Attestation {
    /// The object 5FFF01 as GET DATA gives it: 53 with 70 certificate, 71 00, FE.
    pub(super) fn object(&self) -> Vec<u8> {
        let long = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).expect("a short object").to_be_bytes();
            [&[tag, 0x82], &length[..], content].concat()
        };
        long(0x53, &[long(0x70, &self.certificate), vec![0x71, 0x01, 0x00, 0xFE, 0x00]].concat())
    }

    /// The certificate for a key; none for one that was imported.
    pub(super) fn certificate(&self, reference: u8, key: &Key) -> Option<Vec<u8>> {
        if key.origin != KeyOrigin::Generated {
            return None;
        }
        let element = |tag| find(&key.public, &[tag]);
        let public = match key.algorithm {
            0x11 => p256::PublicKey::from_sec1_bytes(element(0x86)?).ok()?.to_public_key_der().ok()?,
            0x14 => p384::PublicKey::from_sec1_bytes(element(0x86)?).ok()?.to_public_key_der().ok()?,
            _ => {
                let number = |tag| element(tag).map(BigUint::from_bytes_be);
                RsaPublicKey::new(number(0x81)?, number(0x82)?).ok()?.to_public_key_der().ok()?
            }
        };
        let slot = KeySlot::new(reference, KeyKind::P256);
        let holder = Holder::new("YubiKey PIV Attestation");
        Some(self.authority.issue(&holder, &slot, Usage::Signature, public.as_bytes()))
    }
}
