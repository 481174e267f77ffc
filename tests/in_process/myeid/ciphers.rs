//! AES and triple DES on the card, checked on the host; the chain is the caller's and never the card's.

use cardea_harness::myeid::{MyEidLayout, MyEidOptions};
use cardea_pkcs11::card::secret_key::{CipherMode, Direction};

use super::bench::Bench;
use crate::in_process::bench::cipher::{chained, text};

#[test]
fn aes_on_the_card_is_aes() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    let value = bench.provisioned.secret_key(0x48).unwrap().to_vec();
    bench.assert_aes(&key, &value);
}

#[test]
fn triple_des_chains_in_blocks_of_eight() {
    let mut bench = Bench::with(MyEidOptions::default(), &MyEidLayout::varied()).logged_in();
    let key = bench.secret_key(0x56);
    let plain = text(20);
    let cbc = bench.cipher(&key, Direction::Encipher, CipherMode::Cbc(&[9; 8]), &plain).unwrap();
    assert_eq!(*bench.cipher(&key, Direction::Decipher, CipherMode::Cbc(&[9; 8]), &cbc).unwrap(), plain);
    let first: Vec<u8> = plain.iter().take(8).map(|byte| byte ^ 9).collect();
    assert_eq!(*bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &first).unwrap(), cbc[..8]);
    let ecb = bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &plain).unwrap();
    assert_eq!(*bench.cipher(&key, Direction::Decipher, CipherMode::Ecb, &ecb).unwrap(), plain);
}

#[test]
fn another_programs_use_of_the_card_between_two_calls_changes_nothing() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    let value = bench.provisioned.secret_key(0x48).unwrap().to_vec();
    let plain = text(4);
    let expected = chained(&value, &[1; 16], &plain);
    let first = bench.cipher(&key, Direction::Encipher, CipherMode::Cbc(&[1; 16]), &plain[..32]).unwrap();
    // its own chain with the same key
    assert_eq!(bench.another(&format!("002281B8 1C 800100 81024D01 830100 8710{}", "77".repeat(16))), 0x9000);
    assert_eq!(bench.another(&format!("102A8480 10 {} 00", "55".repeat(16))), 0x9000);
    bench.another_selects_the_master_file();
    let last = &first[16..];
    let second = bench.cipher(&key, Direction::Encipher, CipherMode::Cbc(last), &plain[32..]).unwrap();
    assert_eq!([first.as_slice(), second.as_slice()].concat(), expected);
}

#[test]
fn a_call_costs_two_commands_for_fifteen_blocks() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    for (direction, mode) in [
        (Direction::Encipher, CipherMode::Cbc(&[0; 16])),
        (Direction::Decipher, CipherMode::Cbc(&[0; 16])),
        (Direction::Decipher, CipherMode::Ecb),
    ] {
        bench.cipher(&key, direction, mode, &text(15)).unwrap();
        bench.link.commands.clear();
        bench.cipher(&key, direction, mode, &text(16)).unwrap();
        assert_eq!(bench.instructions(), [0x22, 0x2A, 0x22, 0x2A]);
    }
}

#[test]
fn parts_of_blocks_and_wrong_vectors_are_not_sent() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    bench.assert_only_blocks_are_sent(&key);
}
