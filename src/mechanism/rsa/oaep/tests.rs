#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::mechanism::Hash;

fn parameters() -> OaepParameters {
    OaepParameters { hash: Hash::Sha256, mgf: Hash::Sha1, label: b"label".to_vec() }
}

/// The encoding with its masks taken off, changed by `change`, and masked again.
fn changed(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let parameters = parameters();
    let mut block = encode(&parameters, 128, b"message", &[3; 32]).unwrap().to_vec();
    let (seed, db) = block[1..].split_at_mut(32);
    mask(parameters.mgf, db, seed);
    mask(parameters.mgf, seed, db);
    change(&mut block);
    let (seed, db) = block[1..].split_at_mut(32);
    mask(parameters.mgf, seed, db);
    mask(parameters.mgf, db, seed);
    block
}

#[test]
fn messages_of_every_length_come_back() {
    for length in 0..=128 - 66 {
        let message = vec![0x01; length];
        let block = encode(&parameters(), 128, &message, &[9; 32]).unwrap();
        assert_eq!(block.len(), 128);
        assert_eq!(*decode(&parameters(), &block).unwrap(), message);
    }
    assert_eq!(encode(&parameters(), 128, &[0; 63], &[9; 32]), Err(Error::DataLenRange));
    assert_eq!(encode(&parameters(), 65, &[], &[9; 32]), Err(Error::KeySizeRange));
    assert_eq!(decode(&parameters(), &[0; 65]), Err(Error::KeySizeRange));
}

#[test]
fn every_fault_is_the_same_error() {
    assert_eq!(decode(&parameters(), &changed(|_| {})).unwrap().as_slice(), b"message");
    let faults: [fn(&mut [u8]); 4] =
        [|block| block[0] = 1, |block| block[40] ^= 1, |block| block[80] = 2, |block| block[65..].fill(0)];
    for fault in faults {
        assert_eq!(decode(&parameters(), &changed(fault)), Err(Error::EncryptedDataInvalid));
    }
}
