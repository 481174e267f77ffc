//! The commands that fill a PIV card.

use des::TdesEde3;
use des::cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray};
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};

use super::layout::{KeyKind, KeySlot};
use super::objects::{certificate, certificate_tag};
use crate::card::{Terminal, VirtualCard};
use crate::piv::{PIV_AID, PrivateKey};
use crate::tlv::{object, value};

/// A card with the application selected and the management key authenticated.
pub struct Personalization<'c> {
    terminal: Terminal<'c>,
}

impl<'c> Personalization<'c> {
    /// Selects the application and authenticates with a 3DES management key.
    ///
    /// # Panics
    /// If the card refuses.
    pub fn begin(card: &'c mut dyn VirtualCard, management_key: &[u8; 24]) -> Self {
        let mut terminal = Terminal::new(card);
        terminal.send([0x00, 0xA4, 0x04, 0x00], &PIV_AID).unwrap();
        let challenge = terminal.send([0x00, 0x87, 0x03, 0x9B], &[0x7C, 0x02, 0x81, 0x00]).unwrap();
        assert_eq!(challenge[..4], [0x7C, 0x0A, 0x81, 0x08]);
        let mut block = GenericArray::clone_from_slice(&challenge[4..12]);
        TdesEde3::new(management_key.into()).encrypt_block(&mut block);
        let response = object(&[0x7C], &object(&[0x82], &block));
        terminal.send([0x00, 0x87, 0x03, 0x9B], &response).unwrap();
        Self { terminal }
    }

    /// Makes the key of a slot and returns its SubjectPublicKeyInfo.
    ///
    /// # Panics
    /// If the card refuses.
    pub fn key(&mut self, slot: &KeySlot) -> Vec<u8> {
        match slot.kind {
            KeyKind::Rsa2048('a') => self.import_rsa(slot, include_str!("../../keys/rsa-2048-a.pem")),
            KeyKind::Rsa2048('b') => self.import_rsa(slot, include_str!("../../keys/rsa-2048-b.pem")),
            KeyKind::Rsa2048('c') => self.import_rsa(slot, include_str!("../../keys/rsa-2048-c.pem")),
            KeyKind::Rsa2048(other) => panic!("no test key rsa-2048-{other}"),
            KeyKind::Rsa3072 => self.import_rsa(slot, include_str!("../../keys/rsa-3072.pem")),
            KeyKind::Rsa4096 => self.import_rsa(slot, include_str!("../../keys/rsa-4096.pem")),
            KeyKind::P256 | KeyKind::P384 => self.generate(slot.reference, slot.kind.algorithm()),
        }
    }

    fn import_rsa(&mut self, slot: &KeySlot, pem: &str) -> Vec<u8> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("a valid test key");
        let public = key.to_public_key();
        self.import(slot.reference, &PrivateKey::Rsa(Box::new(key)));
        public.to_public_key_der().expect("a public key encodes").into_vec()
    }

    /// IMPORT KEY (INS FE) in Yubico's format.
    ///
    /// # Panics
    /// If the card refuses.
    pub fn import(&mut self, reference: u8, key: &PrivateKey) {
        self.terminal.send([0x00, 0xFE, key.algorithm(), reference], &key.to_import()).unwrap();
    }

    /// GENERATE ASYMMETRIC KEY PAIR (SP 800-73-4 part 2 3.3.2); returns the SubjectPublicKeyInfo.
    ///
    /// # Panics
    /// If the card refuses.
    pub fn generate(&mut self, reference: u8, algorithm: u8) -> Vec<u8> {
        let template = [0xAC, 0x03, 0x80, 0x01, algorithm];
        let answer = self.terminal.send([0x00, 0x47, 0x00, reference], &template).unwrap();
        subject_public_key_info(algorithm, &answer)
    }

    /// PUT DATA of a certificate object.
    ///
    /// # Panics
    /// If the card refuses.
    pub fn certificate(&mut self, reference: u8, der: &[u8], compressed: bool) {
        self.put(certificate_tag(reference), &certificate(der, compressed));
    }

    /// PUT DATA (SP 800-73-4 part 2 3.3.1).
    ///
    /// # Panics
    /// If the card refuses.
    pub fn put(&mut self, tag: [u8; 3], content: &[u8]) {
        let data = [object(&[0x5C], &tag), object(&[0x53], content)].concat();
        self.terminal.send([0x00, 0xDB, 0x3F, 0xFF], &data).unwrap();
    }
}

/// Makes a SubjectPublicKeyInfo of 7F49 { 81 modulus, 82 exponent } or 7F49 { 86 point }.
fn subject_public_key_info(algorithm: u8, answer: &[u8]) -> Vec<u8> {
    let inside = value(answer, &[0x7F, 0x49]);
    let encoded = match algorithm {
        0x11 => p256::PublicKey::from_sec1_bytes(value(inside, &[0x86])).expect("a point").to_public_key_der(),
        0x14 => p384::PublicKey::from_sec1_bytes(value(inside, &[0x86])).expect("a point").to_public_key_der(),
        _ => {
            let modulus = value(inside, &[0x81]);
            let exponent = &inside[inside.len() - 3..];
            RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent))
                .expect("an RSA key")
                .to_public_key_der()
        }
    };
    encoded.expect("a public key encodes").into_vec()
}
