//! AES and triple DES on the card, checked on the host; the chain is the caller's and never the card's.

use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use cardea_harness::myeid::{MyEidLayout, MyEidOptions};
use cardea_pkcs11::card::CardError;
use cardea_pkcs11::card::secret_key::{CipherMode, Direction, SecretKey};
use cardea_pkcs11::secret::SecretBytes;

use super::bench::Bench;

fn run(
    bench: &mut Bench,
    key: &SecretKey,
    direction: Direction,
    mode: CipherMode<'_>,
    blocks: &[u8],
) -> Result<SecretBytes, CardError> {
    bench.run(|application, channel| application.cipher(channel, key, direction, mode, blocks))
}

/// ECB on the host.
pub fn reference(key: &[u8], blocks: &[u8]) -> Vec<u8> {
    let cipher = aes::Aes256::new_from_slice(key).unwrap();
    let mut result = Vec::new();
    for chunk in blocks.chunks(16) {
        let mut block = Block::<aes::Aes256>::try_from(chunk).unwrap();
        cipher.encrypt_block(&mut block);
        result.extend(block);
    }
    result
}

/// CBC on the host.
pub fn chained(key: &[u8], vector: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut vector = vector.to_vec();
    let mut result = Vec::new();
    for chunk in blocks.chunks(16) {
        let mixed: Vec<u8> = chunk.iter().zip(&vector).map(|(byte, other)| byte ^ other).collect();
        vector = reference(key, &mixed);
        result.extend(&vector);
    }
    result
}

pub fn text(blocks: usize) -> Vec<u8> {
    (0..blocks * 16).map(|position| (position * 7 % 251) as u8).collect()
}

#[test]
fn aes_on_the_card_is_aes() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    let value = bench.provisioned.secret_key(0x48).unwrap().to_vec();
    let vector = [0xA5; 16];
    for blocks in [0, 1, 2, 15, 16, 31] {
        let plain = text(blocks);
        let ecb = run(&mut bench, &key, Direction::Encipher, CipherMode::Ecb, &plain).unwrap();
        assert_eq!(*ecb, reference(&value, &plain), "{blocks} blocks");
        assert_eq!(*run(&mut bench, &key, Direction::Decipher, CipherMode::Ecb, &ecb).unwrap(), plain);
        let cbc = run(&mut bench, &key, Direction::Encipher, CipherMode::Cbc(&vector), &plain).unwrap();
        assert_eq!(*cbc, chained(&value, &vector, &plain));
        assert_eq!(*run(&mut bench, &key, Direction::Decipher, CipherMode::Cbc(&vector), &cbc).unwrap(), plain);
    }
}

#[test]
fn triple_des_chains_in_blocks_of_eight() {
    let mut bench = Bench::with(MyEidOptions::default(), &MyEidLayout::varied()).logged_in();
    let key = bench.secret_key(0x56);
    let plain = text(20);
    let cbc = run(&mut bench, &key, Direction::Encipher, CipherMode::Cbc(&[9; 8]), &plain).unwrap();
    assert_eq!(*run(&mut bench, &key, Direction::Decipher, CipherMode::Cbc(&[9; 8]), &cbc).unwrap(), plain);
    let first: Vec<u8> = plain.iter().take(8).map(|byte| byte ^ 9).collect();
    assert_eq!(*run(&mut bench, &key, Direction::Encipher, CipherMode::Ecb, &first).unwrap(), cbc[..8]);
    let ecb = run(&mut bench, &key, Direction::Encipher, CipherMode::Ecb, &plain).unwrap();
    assert_eq!(*run(&mut bench, &key, Direction::Decipher, CipherMode::Ecb, &ecb).unwrap(), plain);
}

#[test]
fn another_programs_use_of_the_card_between_two_calls_changes_nothing() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    let value = bench.provisioned.secret_key(0x48).unwrap().to_vec();
    let plain = text(4);
    let expected = chained(&value, &[1; 16], &plain);
    let first = run(&mut bench, &key, Direction::Encipher, CipherMode::Cbc(&[1; 16]), &plain[..32]).unwrap();
    // its own chain with the same key
    assert_eq!(bench.another(&format!("002281B8 1C 800100 81024D01 830100 8710{}", "77".repeat(16))), 0x9000);
    assert_eq!(bench.another(&format!("102A8480 10 {} 00", "55".repeat(16))), 0x9000);
    bench.another_selects_the_master_file();
    let last = &first[16..];
    let second = run(&mut bench, &key, Direction::Encipher, CipherMode::Cbc(last), &plain[32..]).unwrap();
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
        run(&mut bench, &key, direction, mode, &text(15)).unwrap();
        bench.link.commands.clear();
        run(&mut bench, &key, direction, mode, &text(16)).unwrap();
        assert_eq!(bench.instructions(), [0x22, 0x2A, 0x22, 0x2A]);
    }
}

#[test]
fn parts_of_blocks_and_wrong_vectors_are_not_sent() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.secret_key(0x48);
    for (mode, length) in [(CipherMode::Ecb, 15), (CipherMode::Cbc(&[0; 16]), 17), (CipherMode::Cbc(&[0; 8]), 16)] {
        assert_eq!(run(&mut bench, &key, Direction::Encipher, mode, &vec![0; length]), Err(CardError::Input));
    }
    assert!(bench.instructions().is_empty());
}
