#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::mechanism::Hash;

const BITS: [usize; 9] = [1024, 1025, 1026, 1027, 1028, 1029, 1030, 1031, 1032];

#[test]
fn every_salt_from_none_to_the_longest_verifies_for_every_length_of_modulus() {
    for bits in BITS {
        for hash in Hash::ALL {
            let longest = max_salt(hash.output_len(), bits).unwrap();
            for salt_length in [0, 1, hash.output_len().min(longest), longest] {
                let parameters = PssParameters { hash, mgf: Hash::Sha256, salt_length };
                let digest = hash.digest(&[b"message"]);
                let block = encode(&parameters, bits, &digest, &vec![0x5A; salt_length]).unwrap();
                assert_eq!(block.len(), bits.div_ceil(8));
                assert!(verify(&parameters, bits, &digest, &block), "{bits} {parameters:?}");
                // The top bit of the modulus is never reached, so the block is below it.
                assert_eq!(u32::from(block[0]) >> ((bits - 1) % 8), 0);
            }
        }
    }
}

#[test]
fn a_salt_that_does_not_fit_is_a_bad_parameter_and_a_hash_that_does_not_fit_a_short_key() {
    let parameters = PssParameters { hash: Hash::Sha512, mgf: Hash::Sha512, salt_length: 63 };
    assert_eq!(max_salt(64, 1024), Some(62));
    assert_eq!(encode(&parameters, 1024, &[0; 64], &[0; 63]), Err(Error::MechanismParamInvalid));
    assert_eq!(encode(&parameters, 512, &[0; 64], &[]), Err(Error::KeySizeRange));
    assert_eq!(encode(&parameters, 1024, &[0; 32], &[]), Err(Error::DataLenRange));
}

#[test]
fn bits_above_the_encoding_must_be_zero() {
    let parameters = PssParameters { hash: Hash::Sha1, mgf: Hash::Sha1, salt_length: 20 };
    let digest = Hash::Sha1.digest(&[b"message"]);
    for (bits, index, bit) in [(1024, 0, 0x80), (1025, 0, 0x01), (1026, 0, 0x02)] {
        let mut block = encode(&parameters, bits, &digest, &[1; 20]).unwrap();
        assert!(verify(&parameters, bits, &digest, &block));
        block[index] |= bit;
        assert!(!verify(&parameters, bits, &digest, &block), "{bits}");
    }
}
