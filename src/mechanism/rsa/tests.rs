#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::mechanism::{OaepParameters, PssParameters};

/// A key pair whose private operation is done here, as a card would.
pub(crate) struct KeyPair {
    pub(crate) public: RsaPublic,
    pub(crate) private: RsaPublic,
}

impl KeyPair {
    pub(crate) fn private_operation(&self, block: &[u8]) -> SecretBytes {
        self.private.public_operation(block).unwrap()
    }

    /// The secret that OpenSSL uses for implicit rejection: a hash of the private exponent.
    fn rejection_secret(&self) -> [u8; 32] {
        let exponent = &self.private.exponent;
        let zeros = vec![0; self.public.block_len() - exponent.len()];
        Hash::Sha256.digest(&[&zeros, exponent]).try_into().unwrap()
    }
}

fn number(text: &str) -> Vec<u8> {
    hex::decode(if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() }).unwrap()
}

fn vectors() -> impl Iterator<Item = Vec<&'static str>> {
    let lines = include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').collect())
}

pub(crate) fn key_pair(bits: &str) -> KeyPair {
    let fields = vectors().find(|fields| fields[0] == "key" && fields[1] == bits).unwrap();
    let modulus = number(fields[2]);
    KeyPair {
        public: RsaPublic { modulus: modulus.clone(), exponent: number(fields[3]) },
        private: RsaPublic { modulus, exponent: number(fields[4]) },
    }
}

fn hash(name: &str) -> Hash {
    match name {
        "sha1" => Hash::Sha1,
        "sha224" => Hash::Sha224,
        "sha256" => Hash::Sha256,
        "sha384" => Hash::Sha384,
        "sha512" => Hash::Sha512,
        _ => panic!("{name}"),
    }
}

#[test]
fn pkcs1_signatures_are_those_of_openssl() {
    let mut count = 0;
    for fields in vectors().filter(|fields| fields[0] == "pkcs1") {
        let key = key_pair(fields[1]);
        let hash = hash(fields[2]);
        let info = pkcs1::digest_info(hash, &hash.digest(&[b"abc"]));
        let block = pkcs1::pad_signature(key.public.block_len(), &info).unwrap();
        assert_eq!(hex::encode(key.private_operation(&block).as_slice()), fields[3], "{fields:?}");
        let opened = key.public.public_operation(&hex::decode(fields[3]).unwrap()).unwrap();
        assert_eq!(pkcs1::unpad_signature(&opened), Some(info.as_slice()));
        count += 1;
    }
    assert!(count > 10);
}

#[test]
fn pss_signatures_of_openssl_verify_and_a_changed_bit_does_not() {
    let mut count = 0;
    for fields in vectors().filter(|fields| fields[0] == "pss") {
        let key = key_pair(fields[1]).public;
        let parameters =
            PssParameters { hash: hash(fields[2]), mgf: hash(fields[3]), salt_length: fields[4].parse().unwrap() };
        let digest = parameters.hash.digest(&[b"abc"]);
        let mut block = key.public_operation(&hex::decode(fields[5]).unwrap()).unwrap();
        assert!(pss::verify(&parameters, key.bits(), &digest, &block), "{fields:?}");
        assert!(!pss::verify(&parameters, key.bits(), &parameters.hash.digest(&[b"abd"]), &block));
        for other in [parameters.salt_length + 1, parameters.salt_length.wrapping_sub(1)] {
            assert!(!pss::verify(&PssParameters { salt_length: other, ..parameters }, key.bits(), &digest, &block));
        }
        for index in [0, block.len() / 2, block.len() - 1] {
            block[index] ^= 0x01;
            assert!(!pss::verify(&parameters, key.bits(), &digest, &block), "{fields:?} byte {index}");
            block[index] ^= 0x01;
        }
        count += 1;
    }
    assert!(count > 30);
}

#[test]
fn oaep_cryptograms_of_openssl_decode_and_wrong_labels_do_not() {
    let mut count = 0;
    for fields in vectors().filter(|fields| fields[0] == "oaep") {
        let key = key_pair(fields[1]);
        let label = if fields[4] == "-" { Vec::new() } else { hex::decode(fields[4]).unwrap() };
        let mut parameters = OaepParameters { hash: hash(fields[2]), mgf: hash(fields[3]), label };
        let block = key.private_operation(&hex::decode(fields[5]).unwrap());
        assert_eq!(oaep::decode(&parameters, &block).unwrap().as_slice(), b"to be kept", "{fields:?}");
        parameters.label.push(0);
        assert_eq!(oaep::decode(&parameters, &block), Err(Error::EncryptedDataInvalid));
        count += 1;
    }
    assert!(count > 10);
}

#[test]
fn pkcs1_decryption_rejects_implicitly_with_the_messages_of_openssl() {
    let mut count = 0;
    for fields in vectors().filter(|fields| fields[0] == "pkcs1-decrypt") {
        let key = key_pair(fields[1]);
        let cryptogram = hex::decode(fields[2]).unwrap();
        let expected = if fields[3] == "-" { Vec::new() } else { hex::decode(fields[3]).unwrap() };
        let rejection = pkcs1::Rejection::new(&key.rejection_secret(), &cryptogram).unwrap();
        let block = key.private_operation(&cryptogram);
        assert_eq!(*pkcs1::unpad_encryption(&block, &rejection).unwrap(), expected, "{fields:?}");
        count += 1;
    }
    assert_eq!(count, 36);
}

#[test]
fn the_public_operation_takes_blocks_below_the_modulus_only() {
    let key = key_pair("1025").public;
    assert_eq!((key.bits(), key.block_len()), (1025, 129));
    assert!(key.public_operation(&key.modulus).is_none());
    assert!(key.public_operation(&key.modulus[1..]).is_none());
    let mut below = key.modulus.clone();
    *below.last_mut().unwrap() -= 1;
    // (n - 1)^e = n - 1 for odd e.
    assert_eq!(*key.public_operation(&below).unwrap(), below);
    assert_eq!(*key.public_operation(&[0; 129]).unwrap(), [0; 129]);
}

#[test]
fn a_raw_block_is_filled_from_the_left_and_stays_below_the_modulus() {
    assert_eq!(*raw_block(4, None, &[1, 2]).unwrap(), [0, 0, 1, 2]);
    assert_eq!(*raw_block(4, Some(&[9, 0, 0, 1]), &[9, 0, 0, 0]).unwrap(), [9, 0, 0, 0]);
    assert_eq!(raw_block(4, Some(&[9, 0, 0, 1]), &[9, 0, 0, 1]), Err(Error::DataInvalid));
    assert_eq!(raw_block(4, None, &[0; 5]), Err(Error::DataLenRange));
}
