//! AES and 3DES, wrapping and unwrapping.

use aes::Aes256;
use aes::cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Encrypt, RsaPublicKey};

use super::*;

const ENCIPHER: [u8; 4] = hex!("00 2A 84 80");
const DECIPHER: [u8; 4] = hex!("00 2A 80 84");
const WRAP: [u8; 4] = hex!("00 2A 84 00");
const UNWRAP: [u8; 4] = hex!("00 2A 00 84");
const VECTOR: [u8; 18] = hex!("87 10 000102030405060708090A0B0C0D0E0F");

/// CBC as the host computes it.
fn cbc(key: &[u8], vector: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = Aes256::new_from_slice(key).unwrap();
    let mut vector = vector.to_vec();
    for block in plain.chunks(16) {
        let start = vector.len() - 16;
        let mut block: Vec<u8> = block.iter().zip(&vector[start..]).map(|(byte, other)| byte ^ other).collect();
        cipher.encrypt_block(GenericArray::from_mut_slice(&mut block));
        vector.extend(block);
    }
    vector.split_off(16)
}

/// One command of a chain.
fn piece(card: &mut dyn VirtualCard, [class, instruction, p1, p2]: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
    let apdu = [&[class | 0x10, instruction, p1, p2, data.len() as u8], data, &[0]].concat();
    raw(card, &apdu)
}

#[test]
fn one_block_with_a_zero_vector_is_ecb() {
    let (mut card, provisioned) = logged_in(MyEidOptions::default());
    let key = provisioned.secret_key(0x48).unwrap();
    let mut terminal = Terminal::new(&mut card);
    environment(&mut terminal, ENCIPHERING, 0x00, 0x4D01, &hex!("83 01 00")).unwrap();
    let expected = cbc(key, &[0; 16], &[7; 16]);
    for _ in 0..2 {
        assert_eq!(terminal.send(ENCIPHER, &[7; 16]).unwrap(), expected);
    }
    for length in [0, 1, 15, 17] {
        assert_eq!(terminal.send(ENCIPHER, &vec![7; length]).status, 0x6700);
    }
    assert_eq!(terminal.send(DECIPHER, &expected).status, 0x6985, "the environment is for enciphering");
    environment(&mut terminal, DECIPHERING, 0x00, 0x4D01, &[]).unwrap();
    assert_eq!(terminal.send(DECIPHER, &expected).unwrap(), [7; 16]);
    assert_eq!(terminal.send(hex!("00 2A 80 86"), &expected).status, 0x6A86);
}

#[test]
fn a_chain_of_commands_is_one_cbc_message() {
    for options in [MyEidOptions::default(), MyEidOptions::old()] {
        let (mut card, provisioned) = logged_in(options);
        let key = provisioned.secret_key(0x48).unwrap().to_vec();
        let plain: Vec<u8> = (0..96).collect();
        let expected = cbc(&key, &VECTOR[2..], &plain);
        let (enciphering, deciphering) =
            ((ENCIPHERING, ENCIPHER, &plain, &expected), (DECIPHERING, DECIPHER, &expected, &plain));
        for (template, header, input, output) in [enciphering, deciphering] {
            environment(&mut Terminal::new(&mut card), template, 0x00, 0x4D01, &VECTOR).unwrap();
            for range in [0..48, 48..64] {
                assert_eq!(piece(&mut card, header, &input[range.clone()]), (output[range].to_vec(), 0x9000));
            }
            let last = Terminal::new(&mut card).send(header, &input[64..]).unwrap();
            assert_eq!(last, output[64..], "class 00 ends the chain");
            let again = Terminal::new(&mut card).send(header, &input[..16]).unwrap();
            assert_eq!(again, output[..16], "and the next command begins with the vector");
        }
    }
}

#[test]
fn another_command_ends_a_chain_and_another_user_continues_it() {
    let (mut card, provisioned) = logged_in(MyEidOptions::default());
    let key = provisioned.secret_key(0x48).unwrap().to_vec();
    let expected = cbc(&key, &VECTOR[2..], &[1; 32]);
    environment(&mut Terminal::new(&mut card), ENCIPHERING, 0x00, 0x4D01, &VECTOR).unwrap();
    assert_eq!(piece(&mut card, ENCIPHER, &[1; 16]).0, expected[..16]);
    Terminal::new(&mut card).send(hex!("00 CA 01 A0"), &[]).unwrap();
    assert_eq!(piece(&mut card, ENCIPHER, &[1; 16]).0, expected[..16], "begun anew");
    assert_eq!(piece(&mut card, ENCIPHER, &[1; 16]).0, expected[16..], "whoever sends it");
    environment(&mut Terminal::new(&mut card), ENCIPHERING, 0x00, 0x4D01, &[]).unwrap();
    assert_eq!(piece(&mut card, ENCIPHER, &[1; 16]).0, cbc(&key, &[0; 16], &[1; 16]), "another's environment");
    Terminal::new(&mut card).send(hex!("00 2E 00 00"), &[]).unwrap();
    assert_eq!(piece(&mut card, ENCIPHER, &[1; 16]).1, 0x6982);
}

#[test]
fn triple_des_has_blocks_of_eight_bytes() {
    let (mut card, provisioned) =
        provisioned(MyEidOptions::default(), vec![MyEidKey::new(0x56, "3DES key", MyEidKeyKind::TripleDes)]);
    let cipher = des::TdesEde3::new_from_slice(provisioned.secret_key(0x56).unwrap()).unwrap();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(VERIFY, PIN).unwrap();
    environment(&mut terminal, ENCIPHERING, 0x00, 0x4D01, &[]).unwrap();
    let mut block = GenericArray::clone_from_slice(&[5; 8]);
    cipher.encrypt_block(&mut block);
    let enciphered = terminal.send(ENCIPHER, &[5; 8]).unwrap();
    assert_eq!(enciphered, block[..]);
    assert_eq!(terminal.send(ENCIPHER, &[5; 12]).status, 0x6700);
    environment(&mut terminal, DECIPHERING, 0x00, 0x4D01, &[]).unwrap();
    assert_eq!(terminal.send(DECIPHER, &enciphered).unwrap(), [5; 8]);
}

#[test]
fn an_extractable_key_is_wrapped_and_unwrapped_into_another_file() {
    let (mut card, provisioned) = logged_in(MyEidOptions::default());
    let wrapping = provisioned.secret_key(0x48).unwrap();
    let value = provisioned.secret_key(0x49).unwrap();
    let mut terminal = Terminal::new(&mut card);
    let target = [&hex!("83 02 4D02")[..], &VECTOR].concat();
    environment(&mut terminal, ENCIPHERING, 0x0A, 0x4D01, &target).unwrap();
    let wrapped = terminal.send(WRAP, &[]).unwrap();
    assert_eq!(wrapped, cbc(wrapping, &VECTOR[2..], value));
    environment(&mut terminal, ENCIPHERING, 0x8A, 0x4D01, &target).unwrap();
    let padded = terminal.send(WRAP, &[]).unwrap();
    assert_eq!(padded, cbc(wrapping, &VECTOR[2..], &[value, &[16; 16]].concat()));
    for (algorithm, cryptogram, file) in [(0x0A, &wrapped, 0x4D10), (0x8A, &padded, 0x4D11)] {
        create(&mut terminal, &key_file(0x29, 128, file, [0, 0x01]));
        let [high, low] = file.to_be_bytes();
        let target = [&[0x83, 2, high, low][..], &VECTOR].concat();
        environment(&mut terminal, DECIPHERING, algorithm, 0x4D01, &target).unwrap();
        assert_eq!(terminal.send(UNWRAP, cryptogram).unwrap(), []);
        assert_eq!(terminal.send(UNWRAP, cryptogram).status, 0x6984, "there is a key already");
        environment(&mut terminal, ENCIPHERING, 0x00, file, &[]).unwrap();
        let used = terminal.send(ENCIPHER, &[3; 16]).unwrap();
        environment(&mut terminal, ENCIPHERING, 0x00, 0x4D02, &[]).unwrap();
        assert_eq!(terminal.send(ENCIPHER, &[3; 16]).unwrap(), used, "both files hold the same key");
    }
}

#[test]
fn what_is_not_extractable_is_not_wrapped_and_what_does_not_fit_not_unwrapped() {
    let (mut card, provisioned) = logged_in(MyEidOptions::default());
    let unpadded = cbc(provisioned.secret_key(0x48).unwrap(), &[0; 16], &[0; 48]);
    let mut terminal = Terminal::new(&mut card);
    environment(&mut terminal, ENCIPHERING, 0x0A, 0x4D02, &hex!("83 02 4D01")).unwrap();
    assert_eq!(terminal.send(WRAP, &[]).status, 0x6985);
    environment(&mut terminal, ENCIPHERING, 0x0A, 0x4D01, &[]).unwrap();
    assert_eq!(terminal.send(WRAP, &[]).status, 0x6700, "no target");
    environment(&mut terminal, ENCIPHERING, 0x0A, 0x4B01, &hex!("83 02 4D02")).unwrap();
    assert_eq!(terminal.send(WRAP, &[]).status, 0x6985, "no block cipher");
    environment(&mut terminal, DECIPHERING, 0x0A, 0x4D01, &hex!("83 02 4B01")).unwrap();
    assert_eq!(terminal.send(UNWRAP, &[0; 32]).status, 0x6985, "no secret key's file");
    create(&mut terminal, &key_file(0x29, 256, 0x4D10, [0, 0]));
    environment(&mut terminal, DECIPHERING, 0x0A, 0x4D01, &hex!("83 02 4D10")).unwrap();
    assert_eq!(terminal.send(UNWRAP, &[0; 16]).status, 0x6700, "16 bytes for a file of 32");
    assert_eq!(terminal.send(hex!("00 2A 00 86"), &[0; 32]).status, 0x6A86);
    environment(&mut terminal, DECIPHERING, 0x8A, 0x4D01, &hex!("83 02 4D10")).unwrap();
    assert_eq!(terminal.send(UNWRAP, &unpadded).status, 0x6985, "48 zeros end with no padding");
    assert_eq!(terminal.send(SELECT_ID, &hex!("4D10")).unwrap()[20], 0x00, "there is still no key in it");
}

#[test]
fn an_rsa_key_unwraps_halves_and_a_chain_only_where_that_works() {
    for (options, chained) in [
        (MyEidOptions::default(), 0x6985),
        (MyEidOptions { chained_unwrapping: true, ..MyEidOptions::default() }, 0x9000),
    ] {
        let key = MyEidKey::new(0x45, "RSA key", MyEidKeyKind::Rsa2048('a'));
        let (mut card, provisioned) = provisioned(options, vec![key]);
        let public = RsaPublicKey::from_public_key_der(provisioned.public_key(0x45).unwrap()).unwrap();
        let cryptogram = public.encrypt(&mut rand_core::OsRng, Pkcs1v15Encrypt, &[0x42; 32]).unwrap();
        let mut terminal = Terminal::new(&mut card);
        terminal.send(VERIFY, PIN).unwrap();
        create(&mut terminal, &key_file(0x29, 256, 0x4D10, [0, 0x01]));
        environment(&mut terminal, DECIPHERING, 0x0A, 0x4B01, &hex!("83 02 4D10")).unwrap();
        let header = hex!("00 2A 00 86");
        assert_eq!(terminal.send(header, &[&[0], &cryptogram[..]].concat()).status, chained);
        if chained != 0x9000 {
            terminal.send(header, &[&[0x81], &cryptogram[..128]].concat()).unwrap();
            terminal.send(header, &[&[0x82], &cryptogram[128..]].concat()).unwrap();
        }
        environment(&mut terminal, ENCIPHERING, 0x00, 0x4D10, &[]).unwrap();
        assert_eq!(terminal.send(ENCIPHER, &[3; 16]).unwrap(), cbc(&[0x42; 32], &[0; 16], &[3; 16]));
    }
}
