#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod derived;

use super::*;
use crate::mechanism::{GcmParameters, KeyWrap};

const ICV1: [u8; 8] = [0xA6; 8];
const ICV2: [u8; 4] = [0xA6, 0x59, 0x59, 0xA6];

pub(crate) fn key(kind: SecretKind, value: &[u8]) -> SecretKey {
    SecretKey { kind, value: LockedBytes::new(value) }
}

fn aes(mode: AesMode) -> Mechanism {
    Mechanism::Aes(mode)
}

/// The lines of `vectors.txt` for one mechanism, each field as bytes.
fn vectors(mechanism: &str) -> Vec<Vec<Vec<u8>>> {
    let lines = include_str!("vectors.txt").lines().filter(|line| line.split(' ').next() == Some(mechanism));
    let bytes = |field: &str| if field == "-" { Vec::new() } else { hex::decode(field).unwrap() };
    let vectors: Vec<_> = lines.map(|line| line.split(' ').skip(1).map(bytes).collect()).collect();
    assert!(!vectors.is_empty());
    vectors
}

/// Every vector of a cipher as mechanism, key, message, cryptogram.
fn ciphers() -> Vec<(Mechanism, SecretKey, Vec<u8>, Vec<u8>)> {
    let iv = |bytes: &[u8]| bytes.try_into().unwrap();
    let mut all = Vec::new();
    let mut add = |mode, fields: &[Vec<u8>]| {
        let [value, .., data, result] = fields else { panic!("{} fields", fields.len()) };
        all.push((aes(mode), key(SecretKind::Aes, value), data.clone(), result.clone()));
    };
    vectors("ecb").iter().for_each(|fields| add(AesMode::Ecb, fields));
    vectors("cbc").iter().for_each(|fields| add(AesMode::Cbc { iv: iv(&fields[1]) }, fields));
    vectors("ctr").iter().for_each(|fields| add(AesMode::Ctr { block: iv(&fields[1]), bits: 128 }, fields));
    vectors("kw").iter().for_each(|fields| add(AesMode::Wrap(KeyWrap::Plain { initial: ICV1 }), fields));
    vectors("kwp").iter().for_each(|fields| add(AesMode::Wrap(KeyWrap::Padded { initial: ICV2 }), fields));
    for fields in vectors("gcm") {
        let parameters = GcmParameters { iv: fields[1].clone(), associated: fields[2].clone(), tag_length: 16 };
        add(AesMode::Gcm(parameters), &fields);
    }
    all
}

/// Modes that have no published vector of their own, or none that needs padding.
fn padding_modes() -> [Mechanism; 3] {
    [
        aes(AesMode::CbcPad { iv: [7; 16] }),
        aes(AesMode::Wrap(KeyWrap::Pkcs7 { initial: ICV1 })),
        aes(AesMode::Wrap(KeyWrap::Pad { initial: ICV1 })),
    ]
}

fn encrypt(mechanism: &Mechanism, key: &SecretKey, data: &[u8], parts: usize) -> Result<Vec<u8>> {
    let mut encryptor = Encryptor::new(mechanism, key).unwrap();
    let whole = encryptor.output_len(data.len());
    let mut result = Vec::new();
    for part in data.chunks(parts.max(1)) {
        let expected = encryptor.update_len(part.len());
        let ready = encryptor.update(part)?;
        assert_eq!(ready.len(), expected, "{mechanism:?}");
        result.extend_from_slice(&ready);
    }
    let expected = encryptor.finish_len();
    let rest = encryptor.finish()?;
    assert_eq!(rest.len(), expected, "{mechanism:?}");
    result.extend_from_slice(&rest);
    assert_eq!(result.len(), whole, "{mechanism:?}");
    Ok(result)
}

fn decrypt(mechanism: &Mechanism, key: &SecretKey, cryptogram: &[u8], parts: usize) -> Result<Vec<u8>> {
    let mut decryptor = Decryptor::new(mechanism, key).unwrap();
    let whole = decryptor.max_output_len(cryptogram.len());
    let mut result = Vec::new();
    for part in cryptogram.chunks(parts.max(1)) {
        let expected = decryptor.update_len(part.len());
        let ready = decryptor.update(part)?;
        assert_eq!(ready.len(), expected, "{mechanism:?}");
        result.extend_from_slice(&ready);
    }
    let most = decryptor.max_finish_len();
    let rest = decryptor.finish()?;
    assert!(rest.len() <= most, "{mechanism:?}");
    result.extend_from_slice(&rest);
    assert!(result.len() <= whole, "{mechanism:?}");
    Ok(result)
}

#[test]
fn published_vectors_come_out_in_one_part_and_in_parts_of_any_length() {
    for (mechanism, key, data, cryptogram) in ciphers() {
        for parts in [1, 3, 15, 16, 17, 33, 1000] {
            assert_eq!(encrypt(&mechanism, &key, &data, parts).unwrap(), cryptogram, "{mechanism:?} by {parts}");
            assert_eq!(decrypt(&mechanism, &key, &cryptogram, parts).unwrap(), data, "{mechanism:?} by {parts}");
        }
    }
}

#[test]
fn padded_modes_give_back_messages_of_every_length() {
    let key = key(SecretKind::Aes, &[0x11; 32]);
    for mechanism in padding_modes() {
        let shortest = if matches!(mechanism, Mechanism::Aes(AesMode::CbcPad { .. })) { 0 } else { 8 };
        for length in shortest..50 {
            let data: Vec<u8> = (0..length).collect();
            let cryptogram = encrypt(&mechanism, &key, &data, 7).unwrap();
            for parts in [1, 16, 100] {
                assert_eq!(decrypt(&mechanism, &key, &cryptogram, parts).unwrap(), data);
            }
        }
    }
}

#[test]
fn padding_is_cbc_and_kw_of_the_padded_message() {
    let key = key(SecretKind::Aes, &[0x11; 16]);
    let [cbc_pad, pkcs7, pad] = padding_modes();
    let padded = [&[5; 9][..], &[7; 7]].concat();
    let cbc = aes(AesMode::Cbc { iv: [7; 16] });
    assert_eq!(encrypt(&cbc_pad, &key, &[5; 9], 9), encrypt(&cbc, &key, &padded, 16));
    let kw = aes(AesMode::Wrap(KeyWrap::Plain { initial: ICV1 }));
    for mechanism in [pkcs7, pad] {
        assert_eq!(encrypt(&mechanism, &key, &[5; 9], 9), encrypt(&kw, &key, &padded, 16));
    }
}

#[test]
fn a_message_that_does_not_fill_its_blocks_is_refused() {
    let key = key(SecretKind::Aes, &[0x11; 16]);
    for mechanism in [aes(AesMode::Ecb), aes(AesMode::Cbc { iv: [0; 16] })] {
        let mut encryptor = Encryptor::new(&mechanism, &key).unwrap();
        encryptor.update(&[0; 17]).unwrap();
        assert_eq!(encryptor.finish(), Err(Error::DataLenRange));
        let mut decryptor = Decryptor::new(&mechanism, &key).unwrap();
        decryptor.update(&[0; 17]).unwrap();
        assert_eq!(decryptor.finish(), Err(Error::EncryptedDataLenRange));
    }
    for (mechanism, length) in padding_modes().into_iter().zip([17, 17, 17]) {
        assert_eq!(decrypt(&mechanism, &key, &vec![0; length], 100), Err(Error::EncryptedDataLenRange));
        assert_eq!(decrypt(&mechanism, &key, &[], 100), Err(Error::EncryptedDataLenRange));
    }
    let wrap = |wrap, length| encrypt_raw(&aes(AesMode::Wrap(wrap)), &key, length);
    assert_eq!(wrap(KeyWrap::Plain { initial: ICV1 }, 8), Err(Error::DataLenRange));
    assert_eq!(wrap(KeyWrap::Plain { initial: ICV1 }, 17), Err(Error::DataLenRange));
    assert_eq!(wrap(KeyWrap::Pkcs7 { initial: ICV1 }, 7), Err(Error::DataLenRange));
    assert_eq!(wrap(KeyWrap::Padded { initial: ICV2 }, 0), Err(Error::DataLenRange));
    assert_eq!(wrap(KeyWrap::Padded { initial: ICV2 }, 1), Ok(16));
}

fn encrypt_raw(mechanism: &Mechanism, key: &SecretKey, length: usize) -> Result<usize> {
    let mut encryptor = Encryptor::new(mechanism, key).unwrap();
    encryptor.update(&vec![0; length])?;
    encryptor.finish().map(|rest| rest.len())
}

#[test]
fn a_changed_cryptogram_is_found_out_where_the_mode_authenticates() {
    for (mechanism, key, _, cryptogram) in ciphers() {
        if !matches!(mechanism, Mechanism::Aes(AesMode::Gcm(_) | AesMode::Wrap(_))) {
            continue;
        }
        for position in 0..cryptogram.len() {
            let mut changed = cryptogram.clone();
            changed[position] ^= 0x40;
            let refused = decrypt(&mechanism, &key, &changed, 1000);
            assert_eq!(refused, Err(Error::EncryptedDataInvalid), "{mechanism:?} at {position}");
        }
    }
}

#[test]
fn gcm_gives_nothing_before_its_tag_was_found_right() {
    let parameters = GcmParameters { iv: vec![1; 12], associated: vec![2; 5], tag_length: 12 };
    let mechanism = aes(AesMode::Gcm(parameters));
    let key = key(SecretKind::Aes, &[0x11; 24]);
    let cryptogram = encrypt(&mechanism, &key, &[3; 100], 7).unwrap();
    assert_eq!(cryptogram.len(), 112);
    let mut decryptor = Decryptor::new(&mechanism, &key).unwrap();
    for part in cryptogram.chunks(10) {
        assert!(decryptor.update(part).unwrap().is_empty());
    }
    assert_eq!(*decryptor.finish().unwrap(), [3; 100]);
    let mut short = Decryptor::new(&mechanism, &key).unwrap();
    short.update(&cryptogram[..11]).unwrap();
    assert_eq!(short.finish(), Err(Error::EncryptedDataLenRange));
}

#[test]
fn the_callers_initial_value_is_what_comes_out_again() {
    let key = key(SecretKind::Aes, &[0x11; 16]);
    for (own, standard) in [
        (KeyWrap::Plain { initial: *b"initial!" }, KeyWrap::Plain { initial: ICV1 }),
        (KeyWrap::Padded { initial: *b"init" }, KeyWrap::Padded { initial: ICV2 }),
    ] {
        let cryptogram = encrypt(&aes(AesMode::Wrap(own)), &key, &[9; 16], 16).unwrap();
        assert_eq!(decrypt(&aes(AesMode::Wrap(own)), &key, &cryptogram, 24).unwrap(), [9; 16]);
        let other = decrypt(&aes(AesMode::Wrap(standard)), &key, &cryptogram, 24);
        assert_eq!(other, Err(Error::EncryptedDataInvalid));
    }
}

#[test]
fn a_counter_stops_where_its_bits_run_over() {
    let key = key(SecretKind::Aes, &[0x11; 16]);
    // Two bits that start at 1: three blocks (PKCS#11 3.2 6.13.6).
    let mut block = [0xF0; 16];
    block[15] = 0xF1;
    let counter = aes(AesMode::Ctr { block, bits: 2 });
    let mut encryptor = Encryptor::new(&counter, &key).unwrap();
    assert_eq!(encryptor.update(&[0; 40]).unwrap().len(), 40);
    assert_eq!(encryptor.update(&[0; 8]).unwrap().len(), 8);
    assert_eq!(encryptor.update(&[0; 1]).err(), Some(Error::DataLenRange));
    assert_eq!(encryptor.update(&[]).unwrap().len(), 0);
    let mut last = [0; 16];
    last[15] = 0xFF;
    let one = aes(AesMode::Ctr { block: last, bits: 8 });
    assert_eq!(encrypt_raw(&one, &key, 16), Ok(0));
    assert_eq!(encrypt_raw(&one, &key, 17), Err(Error::DataLenRange));
}

#[test]
fn only_the_counted_bits_of_a_counter_change() {
    let key = key(SecretKind::Aes, &[0x11; 16]);
    let ecb = |blocks: &[[u8; 16]]| encrypt(&aes(AesMode::Ecb), &key, blocks.as_flattened(), 64).unwrap();
    let first = [0xFF; 16].map(|byte: u8| byte - 1);
    let mut second = first;
    second[15] = 0xFF;
    let keystream = encrypt(&aes(AesMode::Ctr { block: first, bits: 1 }), &key, &[0; 32], 32).unwrap();
    assert_eq!(keystream, ecb(&[first, second]));
}

#[test]
fn published_codes_come_out_and_are_verified() {
    let hmac = |hash| MacFunction::Hmac(hash);
    let functions = [
        ("cmac", MacFunction::Cmac, SecretKind::Aes),
        ("des3-cmac", MacFunction::Des3Cmac, SecretKind::Des3),
        ("des2-cmac", MacFunction::Des3Cmac, SecretKind::Des2),
        ("des3-cbc-mac", MacFunction::Des3CbcMac, SecretKind::Des3),
        ("cbc-mac", MacFunction::CbcMac, SecretKind::Aes),
        ("hmac-sha1", hmac(Hash::Sha1), SecretKind::Generic),
        ("hmac-sha224", hmac(Hash::Sha224), SecretKind::Generic),
        ("hmac-sha256", hmac(Hash::Sha256), SecretKind::Hmac(Hash::Sha256)),
        ("hmac-sha384", hmac(Hash::Sha384), SecretKind::Generic),
        ("hmac-sha512", hmac(Hash::Sha512), SecretKind::Generic),
    ];
    for (name, function, kind) in functions {
        for fields in vectors(name) {
            let key = key(kind, &fields[0]);
            for length in [None, Some(1), Some(7), Some(function.output_len())] {
                let half = matches!(function, MacFunction::CbcMac | MacFunction::Des3CbcMac);
                let usual = if half { function.output_len() / 2 } else { function.output_len() };
                let code = &fields[2][..length.unwrap_or(usual)];
                let mac = || {
                    let mut mac = Mac::new(&Mechanism::Mac { function, length }, &key).unwrap();
                    assert_eq!(mac.output_len(), code.len());
                    fields[1].chunks(5).for_each(|part| mac.update(part));
                    mac
                };
                assert_eq!(*mac().finish(), code, "{name}");
                assert_eq!(mac().verify(code), Ok(()));
                assert_eq!(mac().verify(&code[1..]), Err(Error::SignatureLenRange));
                let mut wrong = code.to_vec();
                wrong[0] ^= 1;
                assert_eq!(mac().verify(&wrong), Err(Error::SignatureInvalid));
            }
        }
    }
}

#[test]
fn a_mechanism_wants_its_own_kind_of_key() {
    let kinds = [SecretKind::Generic, SecretKind::Aes, SecretKind::Hmac(Hash::Sha256), SecretKind::Other];
    let cmac = Mechanism::Mac { function: MacFunction::Cmac, length: None };
    let hmac = |hash| Mechanism::Mac { function: MacFunction::Hmac(hash), length: None };
    for kind in kinds {
        let own = |fits: bool| if fits { None } else { Some(Error::KeyTypeInconsistent) };
        assert_eq!(check_cipher(&aes(AesMode::Ecb), kind).err(), own(kind == SecretKind::Aes));
        assert_eq!(check_mac(&cmac, kind).err(), own(kind == SecretKind::Aes));
        let sha256 = [SecretKind::Generic, SecretKind::Hmac(Hash::Sha256)].contains(&kind);
        assert_eq!(check_mac(&hmac(Hash::Sha256), kind).err(), own(sha256));
        assert_eq!(check_mac(&hmac(Hash::Sha1), kind).err(), own(kind == SecretKind::Generic));
        assert_eq!(check_mac(&Mechanism::Ecdsa, kind).err(), Some(Error::KeyTypeInconsistent));
        assert_eq!(check_mac(&aes(AesMode::Ecb), kind).err(), Some(Error::MechanismInvalid));
        assert_eq!(check_cipher(&Mechanism::RsaPkcs, kind).err(), Some(Error::KeyTypeInconsistent));
        assert_eq!(check_cipher(&Mechanism::Digest(Hash::Sha1), kind).err(), Some(Error::MechanismInvalid));
    }
}

#[test]
fn an_aes_key_has_one_of_three_lengths() {
    for length in [0, 15, 17, 33] {
        let refused = Encryptor::new(&aes(AesMode::Ecb), &key(SecretKind::Aes, &vec![0; length])).err();
        assert_eq!(refused, Some(Error::KeySizeRange));
    }
    assert_eq!(cipher_check_value(SecretKind::Aes, &[0; 16]), Ok(Some([0x66, 0xE9, 0x4B])));
}
