#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

#[test]
fn signature_padding_takes_all_but_eleven_bytes() {
    assert_eq!(*pad_signature(16, b"data!").unwrap(), *b"\x00\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00data!");
    assert_eq!(pad_signature(16, b"data!!"), Err(Error::DataLenRange));
    assert_eq!(pad_signature(10, b""), Err(Error::KeySizeRange));
    assert_eq!(pad_signature(13, b"").unwrap().len(), 13);
}

#[test]
fn only_exact_signature_padding_is_taken_off() {
    let good = pad_signature(32, b"data").unwrap();
    assert_eq!(unpad_signature(&good), Some(b"data".as_slice()));
    for (index, value) in [(0, 1), (1, 2), (5, 0xFE), (27, 1), (9, 0)] {
        let mut bad = good.to_vec();
        bad[index] = value;
        assert_eq!(unpad_signature(&bad), None, "byte {index}");
    }
    assert_eq!(unpad_signature(b"\x00\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00data"), None, "seven bytes of filling");
    assert_eq!(unpad_signature(&[0x00, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), None);
}

#[test]
fn encryption_padding_has_no_zero_in_its_filling_and_comes_off_again() {
    for length in [0, 1, 64 - OVERHEAD] {
        let message = vec![0; length];
        let block = pad_encryption(64, &message).unwrap();
        assert_eq!(block[..2], [0x00, 0x02]);
        assert_eq!(block[2..].iter().position(|byte| *byte == 0), Some(64 - 3 - length));
        let rejection = Rejection::new(&[7; 32], &[9; 64]).unwrap();
        assert_eq!(*unpad_encryption(&block, &rejection).unwrap(), message);
    }
    assert_eq!(pad_encryption(64, &[0; 54]), Err(Error::DataLenRange));
}

#[test]
fn bad_padding_gives_the_same_message_for_the_same_cryptogram_and_another_for_another() {
    let reject = |secret: u8, cryptogram: u8| {
        let rejection = Rejection::new(&[secret; 32], &[cryptogram; 256]).unwrap();
        let first = unpad_encryption(&[0; 256], &rejection).unwrap();
        let second = unpad_encryption(&[0xFF; 256], &rejection).unwrap();
        assert_eq!(first, second);
        assert_eq!(first, rejection.message());
        assert!(first.len() <= 256 - OVERHEAD);
        first
    };
    assert_eq!(reject(1, 1), reject(1, 1));
    assert_ne!(reject(1, 1), reject(2, 1));
    assert_ne!(reject(1, 1), reject(1, 2));
}

#[test]
fn rejection_lengths_spread_over_all_that_a_message_can_have() {
    let lengths: Vec<usize> =
        (0..=255).map(|byte| Rejection::new(&[0; 32], &[byte; 64]).unwrap().message().len()).collect();
    assert!(lengths.iter().all(|length| *length <= 64 - OVERHEAD));
    assert!(lengths.iter().any(|length| *length < 10) && lengths.iter().any(|length| *length > 43));
}

#[test]
fn a_block_of_another_length_is_the_cards_fault() {
    let rejection = Rejection::new(&[0; 32], &[0; 64]).unwrap();
    assert_eq!(unpad_encryption(&[0; 63], &rejection), Err(Error::DeviceError));
}
