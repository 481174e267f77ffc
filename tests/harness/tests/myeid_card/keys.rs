//! GENERATE KEY PAIR, key import, public keys.

use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};

use super::*;

const MODULUS: [u8; 4] = hex!("00 CA 01 01");
const POINT: [u8; 4] = hex!("00 CA 01 86");

#[test]
fn rsa_keys_are_generated_and_their_public_half_is_read() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    create(&mut terminal, &key_file(0x11, 1024, 0x4B10, [0, 0]));
    assert_eq!(terminal.send(MODULUS, &[]).status, 0x6A88);
    let modulus = terminal.send(GENERATE, &hex!("30 05 81 03 01 00 01")).unwrap();
    assert_eq!((modulus.len(), modulus[0] & 0x80, modulus[127] & 1), (128, 0x80, 1));
    assert_eq!(terminal.send(MODULUS, &[]).unwrap(), modulus);
    assert_eq!(terminal.send(hex!("00 CA 01 02"), &[]).unwrap(), hex!("010001"));
    assert_eq!(terminal.send(hex!("00 CA 01 00"), &[]).unwrap(), hex!("9200 0400 0011"));
    assert_eq!(terminal.send(SELECT_ID, &hex!("4B10")).unwrap()[20], 0x03, "usable and generated");
    assert_eq!(terminal.send(GENERATE, &[]).status, 0x6984, "there is a key already");
    create(&mut terminal, &key_file(0x11, 512, 0x4B11, [0, 0]));
    assert_eq!(terminal.send(GENERATE, &hex!("30 03 02 01 05")).status, 0x6984);
    assert_eq!(terminal.send(GENERATE, &hex!("30 04 02 01 03")).status, 0x6984);
    terminal.send(GENERATE, &hex!("30 03 02 01 03")).unwrap();
    assert_eq!(terminal.send(hex!("00 CA 01 02"), &[]).unwrap(), hex!("03"));
}

#[test]
fn keys_on_every_curve_are_generated() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for (id, bits, length) in [(0x4B10, 192, 49), (0x4B11, 256, 65), (0x4B12, 384, 97), (0x4B13, 521, 133)] {
        create(&mut terminal, &key_file(0x22, bits, id, [0, 0]));
        assert_eq!(terminal.send(POINT, &[]).status, 0x6A88);
        assert_eq!(terminal.send(GENERATE, &[0]).status, 0x6985);
        let answer = terminal.send(GENERATE, &[]).unwrap();
        let header = if length < 128 { vec![0x86, length] } else { vec![0x86, 0x81, length] };
        assert!(answer.starts_with(&[&header[..], &[0x04]].concat()), "{answer:02X?}");
        assert_eq!(answer.len(), header.len() + usize::from(length));
        let read = terminal.send(POINT, &[]).unwrap();
        assert_eq!((read[0], &read[1..]), (0x30, &answer[1..]));
    }
}

#[test]
fn generation_needs_its_access_condition_and_a_key_pairs_file() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    create(&mut terminal, &parameters(0x81, 256, 0x22, 0x4B10, [0x11, 0x1F, 0xFF], [0, 0]));
    assert_eq!(terminal.send(GENERATE, &[]).status, 0x6982);
    create(&mut terminal, &key_file(0x22, 256, 0x4B11, [0, 0]));
    assert_eq!(terminal.send(hex!("00 46 01 00"), &[]).status, 0x6A86);
    terminal.send(hex!("00 2E 00 00"), &[]).unwrap();
    assert_eq!(terminal.send(GENERATE, &[]).status, 0x6982);
    for file in [hex!("4D01"), hex!("5031"), hex!("5015")] {
        terminal.send(SELECT_ID, &file).unwrap();
        assert_eq!(terminal.send(GENERATE, &[]).status, 0x6985);
    }
}

fn number(number: &BigUint) -> Vec<u8> {
    number.to_bytes_be()
}

fn parts(key: &RsaPrivateKey) -> Vec<(u8, Vec<u8>)> {
    vec![
        (0x83, number(&key.primes()[0])),
        (0x84, number(&key.primes()[1])),
        (0x85, number(key.dp().unwrap())),
        (0x86, number(key.dq().unwrap())),
        (0x87, number(&key.crt_coefficient().unwrap())),
        (0x80, number(key.n())),
        (0x81, number(key.e())),
    ]
}

fn test_key() -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(include_str!("../../keys/rsa-2048-b.pem")).unwrap()
}

#[test]
fn rsa_keys_are_imported_in_parts_in_any_order_with_or_without_leading_zeros() {
    let key = test_key();
    for (reversed, zeros) in [(false, false), (true, true)] {
        let (mut card, _) = logged_in(MyEidOptions::default());
        let mut terminal = Terminal::new(&mut card);
        create(&mut terminal, &key_file(0x11, 2048, 0x4B10, [0, 0]));
        let mut parts = parts(&key);
        if reversed {
            parts.reverse();
        }
        for (part, value) in parts {
            let value = if zeros && part != 0x81 { [vec![0], value].concat() } else { value };
            terminal.send([0x00, 0xDA, 0x01, part], &value).unwrap();
        }
        assert_eq!(terminal.send(MODULUS, &[]).unwrap(), number(key.n()));
        assert_eq!(terminal.send(SELECT_ID, &hex!("4B10")).unwrap()[20], 0x01, "usable, not generated");
    }
}

#[test]
fn rsa_parts_that_do_not_fit_are_refused() {
    let key = test_key();
    let other = RsaPrivateKey::from_pkcs8_pem(include_str!("../../keys/rsa-2048-c.pem")).unwrap();
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    create(&mut terminal, &key_file(0x11, 2048, 0x4B10, [0, 0]));
    let mut load = |part: u8, value: &[u8]| terminal.send([0x00, 0xDA, 0x01, part], value).status;
    assert_eq!(load(0x83, &[1; 129]), 0x6700);
    assert_eq!(load(0x83, &[]), 0x6700);
    assert_eq!(load(0x88, &[1; 127]), 0x6700);
    assert_eq!(load(0xA0, &[1; 16]), 0x6A86);
    assert_eq!(load(0x8C, &[1; 16]), 0x6A81);
    assert_eq!(load(0x83, &number(&key.primes()[0])), 0x9000);
    assert_eq!(load(0x83, &number(&key.primes()[0])), 0x6984, "twice");
    assert_eq!(load(0x84, &number(&key.primes()[1])), 0x9000);
    assert_eq!(load(0x80, &number(other.n())), 0x9000, "cannot be told yet");
    assert_eq!(load(0x81, &number(key.e())), 0x6984, "it is another key's modulus");
    create(&mut terminal, &key_file(0x11, 2048, 0x4B11, [0, 0]));
    let mut load = |part: u8, value: &[u8]| terminal.send([0x00, 0xDA, 0x01, part], value).status;
    for (part, value) in [(0x83, &key.primes()[0]), (0x84, &key.primes()[1]), (0x81, key.e())] {
        assert_eq!(load(part, &number(value)), 0x9000);
    }
    assert_eq!(load(0x85, &number(other.dp().unwrap())), 0x6984);
    assert_eq!(load(0x85, &number(key.dp().unwrap())), 0x9000);
}

#[test]
fn curve_keys_are_imported_and_points_have_to_be_on_the_curve() {
    let key = p256::SecretKey::random(&mut rand_core::OsRng);
    let point = key.public_key().to_sec1_bytes();
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    create(&mut terminal, &key_file(0x22, 256, 0x4B10, [0, 0]));
    let mut load = |part: u8, value: &[u8]| terminal.send([0x00, 0xDA, 0x01, part], value).status;
    assert_eq!(load(0x87, &[0; 32]), 0x6984);
    assert_eq!(load(0x87, &[0xFF; 32]), 0x6984);
    assert_eq!(load(0x87, &[1; 31]), 0x6700);
    assert_eq!(load(0x86, &[&[4][..], &[1; 64]].concat()), 0x6984);
    assert_eq!(load(0x86, &[&[6], &point[1..]].concat()), 0x6984);
    assert_eq!(load(0x83, &[1; 32]), 0x6A86);
    assert_eq!(load(0x87, &key.to_bytes()), 0x9000);
    assert_eq!(load(0x87, &key.to_bytes()), 0x6984);
    assert_eq!(load(0x86, &point), 0x9000);
    assert_eq!(terminal.send(POINT, &[]).unwrap()[2..], *point);
    environment(&mut terminal, SIGNING, 0x04, 0x4B10, &[]).unwrap();
    let signature = terminal.send(SIGN, &[7; 32]).unwrap();
    operations::verify_p256(&key.public_key(), &[7; 32], &signature);
}

#[test]
fn secret_keys_have_the_length_of_their_file_and_are_loaded_once() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for (id, kind, bits) in [(0x4D10, 0x29, 192), (0x4D11, 0x19, 128), (0x4D12, 0x41, 400)] {
        create(&mut terminal, &key_file(kind, bits, id, [0, 0]));
        let mut load = |value: &[u8]| terminal.send(hex!("00 DA 01 A0"), value).status;
        let length = usize::from(bits / 8);
        assert_eq!(load(&vec![1; length - 1]), 0x6700);
        assert_eq!(load(&vec![1; length + 1]), 0x6700);
        assert_eq!(load(&vec![1; length]), 0x9000);
        assert_eq!(load(&vec![1; length]), 0x6984);
        assert_eq!(terminal.send(READ, &[]).status, 0x6985, "a key is not read");
    }
    terminal.send(hex!("00 2E 00 00"), &[]).unwrap();
    assert_eq!(terminal.send(hex!("00 DA 01 A0"), &[1; 50]).status, 0x6982);
    terminal.send(SELECT_ID, &hex!("5031")).unwrap();
    assert_eq!(terminal.send(hex!("00 DA 01 A0"), &[1; 16]).status, 0x6981);
}

#[test]
fn long_rsa_keys_exist_since_version_4_5() {
    for (options, status) in [(MyEidOptions::default(), 0x9000), (MyEidOptions::old(), 0x6984)] {
        let mut card = blank(options);
        let mut terminal = Terminal::new(&mut card);
        assert_eq!(terminal.send(CREATE, &key_file(0x11, 4096, 0x4B10, [0, 0])).status, status);
    }
}
